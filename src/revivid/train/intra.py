"""Training of the picture autoencoder (`networks.intra`): distortion and rate together, at a random quality for every sample.

    loss = lambda(quality) * mean squared error + bits per pixel          (Balle et al., "End-to-end Optimized Image Compression")
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ..errors import ShapeError, UsageError
from ..networks.intra import Intra
from .batches import Splits, mean_terms
from .clips import rgb
from .codec_losses import decibels, squared
from .recipe import TrainingRecipe
from .scenes import Scene, held_out

#: What validation codes: about so many of the held-out scenes, and so many pixels a side of their middle.
_SEEN_SCENES, _SEEN_SIDE = 12, 256


@dataclass(frozen=True)
class PictureBatch(Splits):
    """Pictures (N, 3, P, P) of 0 to 1, and by sample: quality, the seed of its noise (N,)."""

    pictures: Tensor
    quality: Tensor
    seeds: Tensor


class PictureTask:
    """What the loop asks. Raises `ShapeError` where no scene holds a patch, `UsageError` for a patch that doesn't fit."""

    def __init__(self, recipe: TrainingRecipe, network: Intra, scenes: list[Scene]) -> None:
        self.settings, self.codec, self.rates = recipe.train, recipe.codec, network.rates
        patch = self.settings.patch
        if patch % network.multiple:
            raise UsageError(f"{recipe.name}: patch = {patch}", hint=f"A multiple of {network.multiple}.")
        fitting = [scene for scene in scenes if min(scene.truth[0].shape[1:]) >= patch]
        self.scenes = [scene for scene in fitting if not held_out(scene.name)]
        kept = [scene for scene in fitting if held_out(scene.name)]
        self.held_out = kept[:: max(len(kept) // _SEEN_SCENES, 1)]
        if not self.scenes:
            raise ShapeError(f"no scene holds {patch}x{patch}", hint="Choose a smaller `patch` in [train].")
        self.trained_on = f"{len(self.scenes)} scenes of {len({s.name for s in self.scenes})} photographs and clips"
        self.seen: list[dict[str, float]] = []

    def batch(self, index: int) -> PictureBatch:
        rng = np.random.default_rng([self.settings.seed, index])
        pictures = torch.stack([self._picture(rng) for _ in range(self.settings.batch)])
        # One sample from each part of the range of qualities: a batch knows them all.
        places = (np.arange(len(pictures)) + rng.random(len(pictures))) / len(pictures)
        quality = torch.from_numpy(1 + places * (self.rates - 1)).float()
        return PictureBatch(pictures, quality, torch.from_numpy(rng.integers(2**31, size=len(pictures))))

    def loss(self, network: Any, part: PictureBatch) -> Tensor:
        noise = torch.Generator().manual_seed(int(part.seeds[0]))
        decoded, coarse, fine = network(part.pictures, part.quality, "noise", noise)
        pixels = part.pictures.shape[-2] * part.pictures.shape[-1]
        places = (part.quality - 1) / max(self.rates - 1, 1)
        trade_off = torch.tensor([self.codec.trade_off(place) for place in places.tolist()])
        distortion, rate = squared(decoded, part.pictures), (coarse + fine) / pixels
        terms = {"D": distortion, "R_coarse": coarse / pixels, "R_fine": fine / pixels}
        self.seen.append({key: value.mean().item() for key, value in terms.items()})
        return (trade_off * distortion + rate).mean()

    def groups(self, network: nn.Module) -> list[tuple[list[nn.Parameter], float]]:
        """Parameters with factors on the learning rate: transforms, and what stands for rates."""
        groups: tuple[list[nn.Parameter], ...] = ([], [])
        for name, parameter in network.named_parameters():
            groups[".density." in name or name.endswith(("log_gains", "class_logits"))].append(parameter)
        return list(zip(groups, (1.0, self.codec.density_rate), strict=True))

    def terms(self) -> dict[str, float]:
        """Means of the losses' terms since the last call: `D` without its lambda, rates in bits per pixel."""
        seen, self.seen = self.seen, []
        return mean_terms(seen)

    @torch.inference_mode()
    def gains(self, network: Any) -> dict[str, float]:
        """PSNR in dB of the middle of held-out scenes at the lowest, middle and highest quality; rates go to `terms`."""
        found: dict[str, list[float]] = {}
        for scene in self.held_out:
            picture = _middle(scene, network.multiple)
            for quality in sorted({1.0, (1 + self.rates) / 2, float(self.rates)}):
                coded = network.encode(picture[None], quality)
                decoded = network.decode(coded.coarse, coded.fine, quality)
                for name in ("all", f"quality {quality:g}"):
                    found.setdefault(name, []).append(decibels(decoded[0], picture))
                rate = table_bits(network, coded, quality) / math.prod(picture.shape[1:])
                self.seen.append({f"bpp at quality {quality:g}": rate})
        return {name: round(float(np.mean(values)), 4) for name, values in found.items()} or {"all": 0.0}

    def _picture(self, rng: np.random.Generator) -> Tensor:
        """The most textured of some random places, turned and mirrored."""
        patch = self.settings.patch
        places: list[tuple[Scene, int, tuple[int, int]]] = []
        for _ in range(self.settings.candidates):
            scene = self.scenes[rng.integers(len(self.scenes))]
            count, height, width = scene.truth[0].shape
            corner = (2 * int(rng.integers((height - patch) // 2 + 1)), 2 * int(rng.integers((width - patch) // 2 + 1)))
            places.append((scene, int(rng.integers(count)), corner))
        scene, time, corner = max(places, key=lambda place: _texture(*place, patch))
        picture = torch.rot90(rgb(scene.truth, slice(time, time + 1), corner, patch)[0], int(rng.integers(4)), (1, 2))
        return picture.flip(2) if rng.integers(2) else picture


def table_bits(network: Any, coded: Any, quality: float) -> float:
    """What a coded picture costs by the integer tables."""
    coarse, chances, *by_class = network.tables(quality)
    parts = [(coarse, coded.coarse.flatten(1)), (chances, coded.classes.flatten(1))]
    parts += [(tables, coded.fine[:, coded.classes[0] == number]) for number, tables in enumerate(by_class)]
    bits = 0.0
    for tables, symbols in parts:
        index = (symbols.int() - tables.offset[:, None]).long()
        chosen = tables.cdf.gather(1, index + 1) - tables.cdf.gather(1, index)
        bits += (16 - torch.log2(chosen.float())).sum().item()
    return bits


def _texture(scene: Scene, time: int, corner: tuple[int, int], patch: int) -> float:
    top, left = corner
    return float(scene.truth[0][time, top : top + patch : 2, left : left + patch : 2].std())


def _middle(scene: Scene, multiple: int) -> Tensor:
    height, width = scene.truth[0].shape[1:]
    size = min(_SEEN_SIDE, height, width) // multiple * multiple
    return rgb(scene.truth, slice(0, 1), ((height - size) // 4 * 2, (width - size) // 4 * 2), size)[0]
