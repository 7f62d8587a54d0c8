"""Joint training of a deblurring network and a codec (second paper, section 4.2), with or without supervision between them.

    dc, supervision "end"           lambda D(x, X) + R
    dc, "intermediate" (Eq. 15)     lambda_e |X - x^| + lambda D(x, x^) + R
    cd, "end"                       lambda D(deblurred x, X) + R
    cd, "intermediate" (Eq. 16)     lambda D(x, B) + lambda_e |X - deblurred x| + R

D is of what the codec has at its stage of training: warped, compensated or decoded. What stands between the parts is a constant for
the later one where it is supervised.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from .codec import CodecBatch, CodecTask, Steps
from .codec_losses import absolute, squared
from .recipe import TrainingRecipe
from .scenes import Scene


class CascadeTask(CodecTask):
    """The codec's task for a network of both. Raises what that one raises."""

    def __init__(self, recipe: TrainingRecipe, network: Any, scenes: list[Scene]) -> None:
        super().__init__(recipe, network.codec, scenes)
        self.at_end = self.codec.supervision == "end"

    def sharpens(self, network: Any) -> bool:
        """Its deblurring network does."""
        del network
        return True

    def loss(self, network: Any, part: CodecBatch) -> Tensor:
        noise = torch.Generator().manual_seed(int(part.seeds[0]))
        return (self._deblurred_first if network.order == "dc" else self._coded_first)(network, part, noise)

    def _deblurred_first(self, network: Any, part: CodecBatch, noise: torch.Generator) -> Tensor:
        sharp = network.deblur(part.blurry)
        settings = replace(self.codec, stop_gradient=not self.at_end)
        steps = Steps(settings, network.codec, replace(part, blurry=sharp), noise)
        losses, _ = self._coded(steps)
        if self.at_end:
            return losses
        return losses + self._supervised(steps, sharp, part)

    def _coded_first(self, network: Any, part: CodecBatch, noise: torch.Generator) -> Tensor:
        steps = Steps(replace(self.codec, supervision="intermediate"), network.codec, part, noise)
        trade_off = steps.trade_off
        if self.at_end:  # only what the deblurrer makes of decoded frames is looked at
            steps.trade_off = torch.zeros_like(trade_off)
        losses, decoded = self._coded(steps)
        steps.trade_off = trade_off
        sharp = network.deblur(decoded if self.at_end else decoded.detach())
        if self.at_end:
            error = torch.stack([squared(sharp[:, t], part.truth[:, t]) for t in range(1, sharp.shape[1])]).mean(0)
            self.seen[-1]["D"] = error.mean().item()
            return losses + (trade_off * error).mean()
        return losses + self._supervised(steps, sharp, part)

    def _coded(self, steps: Steps) -> tuple[Tensor, Tensor]:
        """The codec's loss over a clip, and the clip (N, T, 3, P, P) as it decodes."""
        reference = steps.first_reference()
        losses, decoded, terms = [], [reference], []
        for t in range(1, steps.part.truth.shape[1]):
            loss, reference, seen = steps.frame(t, reference)
            losses.append(loss)
            decoded.append(reference)
            terms.append(seen)
        self.seen.append({key: sum(seen[key] for seen in terms) / len(terms) for key in terms[0]})
        return torch.stack(losses).mean(), torch.stack(decoded, 1)

    def _supervised(self, steps: Steps, sharp: Tensor, part: CodecBatch) -> Tensor:
        """lambda_e |X - x^| over all frames."""
        error = absolute(sharp, part.truth)
        self.seen[-1]["E"] = error.mean().item()
        return (self.codec.enhancement_share(part.progress) * steps.trade_off * error).mean()

    def coder(self, network: Any) -> Any:
        return network.codec

    def prepared(self, network: Any, blurry: Tensor, truth: Tensor) -> list[Tensor]:
        del truth
        return list(network.deblur(blurry[None])[0].clamp(0, 1) if network.order == "dc" else blurry)

    def shown(self, network: Any, first: Tensor, decoded: list[Tensor]) -> list[Tensor]:
        if network.order == "dc":
            return decoded
        return list(network.deblur(torch.stack([first, *decoded])[None])[0, 1:].clamp(0, 1))
