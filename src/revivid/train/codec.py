"""Training of the learned codec for blurry video (second paper, section 3.4), on clips of blurry and sharp frames.

    B, X -> enhance -> L_VENet (Eq. 10)
              x^ (a constant from here) -> motion -> L_M (Eq. 11) -> compensation -> L_MCNet (Eq. 12) -> residual -> L_D (Eq. 13)

Which of the latter three counts is the phase's (Eq. 14, `codec_settings`). A sample is a frame and the one before it, more or
less sharp and slightly noisy; in the last phase a whole clip, each frame predicted from the decoded one. Where a network serves
several rates every sample has a random quality.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from .. import networks
from ..errors import ShapeError, UsageError
from ..learned.model import Model
from ..networks.bvc import Bvc
from . import contexts
from .batches import Splits, mean_terms
from .clips import rgb
from .codec_losses import absolute, context_aware, context_weights, decibels, ms_ssim_loss, squared
from .codec_settings import CodecSettings
from .recipe import TrainingRecipe
from .scenes import Scene, held_out

#: Largest standard deviation, in 8-bit code values, of the noise that stands for coding on the first reference.
_REFERENCE_NOISE = 4.0
#: How much of the way from blurry to sharp a clip is that a network without VENet is to code.
_SHARPNESS = (0.0, 0.5, 1.0, 1.0)
#: What validation codes: about so many of the held-out scenes, so many frames of each, and so many pixels a side of their middle.
_SEEN_SCENES, _SEEN_FRAMES, _SEEN_SIDE = 16, 4, 256


@dataclass(frozen=True)
class CodecBatch(Splits):
    """Clips (N, T, 3, P, P) of 0 to 1, and by sample: quality, the seed of its noise (N,). `progress`: 0 to 1 of the training."""

    blurry: Tensor
    truth: Tensor
    quality: Tensor
    seeds: Tensor
    progress: float


class CodecTask:
    """What the loop asks. Raises `ShapeError` where no scene holds a clip, `UsageError` where recipe and network contradict."""

    def __init__(self, recipe: TrainingRecipe, network: Bvc, scenes: list[Scene]) -> None:
        self.settings, self.codec, self.rates = recipe.train, recipe.codec, network.rates
        self.hyperparameters = recipe.hyperparameters
        self.enhances = self.sharpens(network)
        patch = self.settings.patch
        if patch % network.multiple or (self.codec.distortion == "ms-ssim" and patch < 161):
            raise UsageError(f"{recipe.name}: patch = {patch}", hint=f"A multiple of {network.multiple}; 192 or more for MS-SSIM.")
        if not (self.enhances or _learns_flow(network)) and self.codec.phase(0) == "enhancement":
            raise UsageError(f"{recipe.name}: nothing is learned before motion is", hint="Say motion_from = 0, or venet = true.")
        fitting = [s for s in scenes if len(s.truth[0]) >= self.settings.frames and min(s.truth[0].shape[1:]) >= patch]
        self.scenes = [scene for scene in fitting if not held_out(scene.name)]
        kept = [scene for scene in scenes if held_out(scene.name) and min(scene.truth[0].shape[1:]) >= network.multiple]
        self.held_out = kept[:: max(len(kept) // _SEEN_SCENES, 1)]
        if not self.scenes:
            raise ShapeError(
                f"no scene holds {self.settings.frames} frames of {patch}x{patch}",
                hint="Choose fewer `frames` or a smaller `patch` in [train], or a longer `window` in [data].",
            )
        if self.codec.flow_weights:
            _load_flow(network, Path(self.codec.flow_weights))
        self.trained_on = f"{len(self.scenes)} scenes of {len({s.name for s in self.scenes})} photographs and clips, blurred"
        self.seen: list[dict[str, float]] = []

    def batch(self, index: int) -> CodecBatch:
        rng = np.random.default_rng([self.settings.seed, index])
        progress = index / self.settings.iterations
        frames = self.settings.frames if self.codec.phase(progress) == "clips" else 2
        pairs = [self._pair(rng, frames) for _ in range(self.settings.batch)]
        # One sample from each part of the range of qualities: a batch knows them all.
        places = (np.arange(len(pairs)) + rng.random(len(pairs))) / len(pairs)
        quality = torch.from_numpy(1 + places * (self.rates - 1)).float()
        seeds = torch.from_numpy(rng.integers(2**31, size=len(pairs)))
        blurry, truth = (torch.stack(clips) for clips in zip(*pairs, strict=True))
        return CodecBatch(blurry, truth, quality, seeds, progress)

    def loss(self, network: Any, part: CodecBatch) -> Tensor:
        noise = torch.Generator().manual_seed(int(part.seeds[0]))
        steps = Steps(self.codec, network, part, noise)
        reference = steps.first_reference()
        losses, terms = [], []
        for t in range(1, part.truth.shape[1]):
            loss, reference, seen = steps.frame(t, reference)
            losses.append(loss)
            terms.append(seen)
        self.seen.append({key: sum(seen[key] for seen in terms) / len(terms) for key in terms[0]})
        return torch.stack(losses).mean()

    def groups(self, network: nn.Module) -> list[tuple[list[nn.Parameter], float]]:
        """Parameters with factors on the learning rate: networks, and what stands for rates, densities and gain units."""
        groups: tuple[list[nn.Parameter], ...] = ([], [])
        for name, parameter in network.named_parameters():
            if parameter.requires_grad:
                groups[".density." in name or name.endswith("log_gains")].append(parameter)
        return list(zip(groups, (1.0, self.codec.density_rate), strict=True))

    def terms(self) -> dict[str, float]:
        """Means of the losses' terms since the last call: `E` and `D` as they are, rates `R_u`, `R_m`, `R_q` in bits per pixel."""
        seen, self.seen = self.seen, []
        return mean_terms(seen)

    @torch.inference_mode()
    def gains(self, network: Any) -> dict[str, float]:
        """PSNR over that of the blurry frames, in dB, of held-out scenes: enhanced, and coded at the lowest, middle and highest
        quality, each from the one decoded before; `all` is the mean of the coded ones. Rates go to `terms`."""
        qualities = sorted({1.0, (1 + self.rates) / 2, float(self.rates)})
        gains: dict[str, list[float]] = {}
        for scene in self.held_out:
            blurry, truth = middle(scene, self.coder(network).multiple)
            enhanced = self.prepared(network, blurry, truth)
            before = [decibels(a, b) for a, b in zip(blurry, truth, strict=True)]
            gains.setdefault("enhanced", []).append(_mean_gain(enhanced, truth, before))
            for quality in qualities:
                decoded, rate = coded(self.coder(network), enhanced, quality)
                gain = _mean_gain(self.shown(network, enhanced[0], decoded), truth[1:], before[1:])
                gains.setdefault("all", []).append(gain)
                gains.setdefault(f"quality {quality:g}", []).append(gain)
                self.seen.append({f"bpp at quality {quality:g}": rate})
        return {name: round(float(np.mean(values)), 4) for name, values in gains.items()} or {"all": 0.0}

    def complete(self, network: Any) -> tuple[Any, dict[str, Any]]:
        """What is added to the averaged weights when the training is done, and the hyper-parameters that say so."""
        if not self.codec.contexts:
            return network, {}
        return contexts.counted(network, self.hyperparameters, self.scenes), {"contexts": True}

    def sharpens(self, network: Any) -> bool:
        """Whether blurry clips are what the network learns from; else it gets more or less sharp ones."""
        return network.enhances

    def coder(self, network: Any) -> Any:
        """What of a network codes frames."""
        return network

    def prepared(self, network: Any, blurry: Tensor, truth: Tensor) -> list[Tensor]:
        """The frames that are coded. Whoever sharpens for a network without VENet is thought perfect."""
        return [network.enhance(frame[None])[0] for frame in (blurry if self.enhances else truth)]

    def shown(self, network: Any, first: Tensor, decoded: list[Tensor]) -> list[Tensor]:
        """What a viewer sees of the decoded frames behind the first one."""
        del network, first
        return decoded

    def _pair(self, rng: np.random.Generator, frames: int) -> tuple[Tensor, Tensor]:
        """The most blurred of some random places: blurry and sharp, (T, 3, P, P) each."""
        places = [self._place(rng, frames) for _ in range(self.settings.candidates)]
        scene, times, corner = max(places, key=lambda place: _blur(*place, self.settings.patch))
        turn, mirror, backwards = int(rng.integers(4)), bool(rng.integers(2)), bool(rng.integers(2))
        made = []
        for planes in (scene.degraded[0], scene.truth):
            clip = torch.rot90(rgb(planes, times, corner, self.settings.patch), turn, (2, 3))
            made.append(clip.flip([d for d, flips in ((0, backwards), (3, mirror)) if flips]))
        if not self.enhances:  # it codes what others have sharpened, more or less, and what is sharp or to stay blurry
            made[0] = torch.lerp(made[0], made[1], _SHARPNESS[rng.integers(len(_SHARPNESS))])
        return made[0], made[1]

    def _place(self, rng: np.random.Generator, frames: int) -> tuple[Scene, slice, tuple[int, int]]:
        scene = self.scenes[rng.integers(len(self.scenes))]
        count, height, width = scene.truth[0].shape
        start = int(rng.integers(count - frames + 1))
        top, left = (2 * int(rng.integers((side - self.settings.patch) // 2 + 1)) for side in (height, width))
        return scene, slice(start, start + frames), (top, left)


class Steps:
    """The frames of one part of a batch, one after the other."""

    def __init__(self, codec: CodecSettings, network: Bvc, part: CodecBatch, noise: torch.Generator) -> None:
        self.codec, self.network, self.part, self.noise = codec, network, part, noise
        self.phase = codec.phase(part.progress)
        self.learns_flow = _learns_flow(network)
        places = (part.quality - 1) / max(network.rates - 1, 1)
        self.trade_off = torch.tensor([codec.trade_off(place) for place in places.tolist()])
        self.pixels = part.truth.shape[-2] * part.truth.shape[-1]

    @torch.no_grad()
    def first_reference(self) -> Tensor:
        """The frame before as if enhanced and coded: in whole clips enhanced, else, for a fifth less work, a random place between
        blurry and sharp; with noise."""
        shape = (len(self.part), 1, 1, 1)
        sharpness = torch.rand(shape, generator=self.noise)
        sigma = torch.rand(shape, generator=self.noise) * _REFERENCE_NOISE / 255
        if self.phase == "clips":
            first = self.network.enhancement(self.part.blurry[:, 0], self.part.quality, "round")[1]
        elif self.network.venet is None:
            first = self.part.blurry[:, 0]
        else:
            first = torch.lerp(self.part.blurry[:, 0], self.part.truth[:, 0], sharpness)
        return (first + sigma * torch.randn(first.shape, generator=self.noise)).clamp(0, 1)

    def frame(self, t: int, reference: Tensor) -> tuple[Tensor, Tensor, dict[str, float]]:
        """Loss of frame `t`, the reference for the next one, and the loss's terms."""
        truth = self.part.truth[:, t]
        loss, enhanced, terms = self._enhancement(self.part.blurry[:, t], truth)
        target = enhanced.detach() if self.codec.stop_gradient else enhanced
        if self.learns_flow or self.phase != "enhancement":
            initial = self.network.flow(target, reference)
        if self.learns_flow:
            missed = absolute(target, self.network.warped(reference, initial))
            loss = loss + self.codec.flow_weight * self.trade_off * missed
        if self.phase == "enhancement":
            return loss.mean(), target.detach(), {key: value.item() for key, value in terms.items()}
        coding, decoded, more = self._coding(target, truth, reference, initial)
        terms |= {key: value.detach().mean() for key, value in more.items()}
        return (loss + coding).mean(), decoded.clamp(0, 1), {key: value.item() for key, value in terms.items()}

    def _enhancement(self, blurry: Tensor, truth: Tensor) -> tuple[Tensor, Tensor, dict[str, Tensor]]:
        """L_VENet by sample, the enhanced frame, and terms; nothing to learn where the network has no VENet."""
        network, quality = self.network, self.part.quality
        drafted, enhanced, bits = network.enhancement(blurry, quality, "noise", self.noise)
        if network.venet is None:
            return torch.zeros_like(quality), enhanced, {}
        errors, rate = absolute(drafted, truth) + absolute(enhanced, truth), bits / self.pixels
        loss = self.codec.enhancement_share(self.part.progress) * self.trade_off * errors + rate
        return loss, enhanced, {"E": errors.detach().mean(), "R_u": rate.detach().mean()}

    def _coding(
        self, target: Tensor, truth: Tensor, reference: Tensor, initial: Tensor
    ) -> tuple[Tensor, Tensor, dict[str, Tensor]]:
        """L_M, L_MCNet or L_D by sample, the decoded frame, and terms by sample."""
        network, quality = self.network, self.part.quality
        how = "straight" if self.phase == "clips" else "noise"
        flow, motion_bits = network.motion_coder(network.refined(target, reference, initial), quality, how, self.noise)
        rate = motion_bits / self.pixels
        terms = {"R_m": rate}
        wanted = truth if self.codec.supervision == "end" else target
        decoded = network.warped(reference, flow.float())
        if self.phase == "motion":
            if self.codec.motion_loss == "context":
                distortion = context_aware(target, decoded, context_weights(target, truth, self.codec.region))
            else:
                distortion = squared(wanted, decoded)
        else:
            decoded = network.compensated(decoded, reference, flow.float())
            if self.phase != "compensation":
                residual, residual_bits = network.residual(target - decoded, quality, how, self.noise)
                terms["R_q"] = residual_bits / self.pixels
                rate, decoded = rate + terms["R_q"], decoded + residual.float()
            whole = self.codec.distortion == "ms-ssim" and self.phase != "compensation"
            distortion = ms_ssim_loss(decoded, wanted) if whole else squared(decoded, wanted)
        terms["D"] = distortion
        return self.trade_off * distortion + rate, decoded, terms


def _learns_flow(network: Bvc) -> bool:
    return any(parameter.requires_grad for parameter in network.flow.parameters())


def _load_flow(network: Bvc, path: Path) -> None:
    """Take a flow network's published weights (keys as SPyNet has them) and keep them as they are."""
    from safetensors.torch import load_file

    networks.load_published(network.flow.get_submodule("spynet"), load_file(path))
    network.flow.requires_grad_(False)


def _blur(scene: Scene, times: slice, corner: tuple[int, int], patch: int) -> float:
    rows, columns = slice(corner[0], corner[0] + patch, 4), slice(corner[1], corner[1] + patch, 4)
    blurry, sharp = (planes[0][times, rows, columns].astype(np.int16) for planes in (scene.degraded[0], scene.truth))
    return float(np.abs(blurry - sharp).mean())


def middle(scene: Scene, multiple: int) -> tuple[Tensor, Tensor]:
    """The middle of a scene's first frames, blurry and sharp, in a square of a multiple of `multiple` pixels."""
    sides = scene.truth[0].shape[1:]
    size = min(_SEEN_SIDE, *sides) // multiple * multiple
    corner = ((sides[0] - size) // 4 * 2, (sides[1] - size) // 4 * 2)
    times = slice(0, _SEEN_FRAMES)
    return rgb(scene.degraded[0], times, corner, size), rgb(scene.truth, times, corner, size)


def coded(network: Any, enhanced: list[Tensor], quality: float) -> tuple[list[Tensor], float]:
    """All frames but the first, coded one from the other, and their bits per pixel by the integer tables."""
    seen, frames = [enhanced[0][None]], []
    height, width = seen[0].shape[2:]
    group = Model("", b"", network).coder(width, height, quality).group()
    for frame in enhanced[1:]:
        made = network.encode(frame[None], seen[0], quality, before=seen[1:])
        group.encode(made.motion.numpy().astype(np.int32), made.residual.numpy().astype(np.int32))
        seen = [made.decoded, *seen][: network.references]
        frames.append(made.decoded[0])
    return frames, group.bits / (len(frames) * height * width)


def _mean_gain(frames: list[Tensor], truth: Tensor, before: list[float]) -> float:
    return float(np.mean([decibels(a, b) - was for a, b, was in zip(frames, truth, before, strict=True)]))
