"""Super-resolution of decoded video with one of the package's own networks, in the stream's YUV planes."""

from __future__ import annotations

import numpy as np
import torch

from ..errors import UsageError
from ..networks.precision import best_dtype
from ..types import Clip
from ..weights import embedded
from .embedded import load_embedded
from .stage import DEFAULT_CRF, Stage
from .workers import each_frame, keep_freed_memory

#: Networks that may stand behind the stage, best first.
BEST = ("lumasr", "compactsr")


def best_weights(factor: int) -> str:
    """The weights of the package that super-resolution by `factor` uses when nobody names any."""
    return next(name for network in BEST if (name := f"{network}-x{factor}") in embedded.names())


class SuperResolve(Stage):
    """Upscale by 2 or 4 what came out of a video encoder.

    `weights` names embedded weights, the best that the package has for the factor by default; `crf` is the x265 CRF that the
    input was encoded with, or its equal.
    Works frame by frame (temporal reach 0), in bfloat16 where the processor computes in it and in float32 elsewhere.
    """

    name = "super-resolve"

    def __init__(self, factor: int, crf: float = DEFAULT_CRF, weights: str | None = None) -> None:
        if not isinstance(factor, int) or factor not in (2, 4):
            raise UsageError(f"super-resolution by {factor} is not offered", hint="Choose 2 or 4.")
        self.factor = factor
        self.crf = min(max(float(crf), 0.0), 51.0)
        self.weights = weights or best_weights(factor)
        self.module = load_embedded(self.weights)
        if getattr(self.module, "scale", None) != factor:
            raise UsageError(f"{self.weights} does not upscale by {factor}", hint=f"Choose {best_weights(factor)}.")
        self.dtype = best_dtype()
        keep_freed_memory()

    def output_size(self, width: int, height: int) -> tuple[int, int]:
        return width * self.factor, height * self.factor

    def working_bytes(self, width: int, height: int) -> int:
        channels = max(p.shape[0] for p in self.module.parameters() if p.ndim == 4)
        features = 3 * channels * 4 * width * height // int(self.module.cell) ** 2  # type: ignore[arg-type]
        output = 6 * self.factor**2 * width * height
        return features + output + sum(p.numel() * 4 for p in self.module.parameters())

    def process(self, clip: Clip) -> Clip:
        pictures = each_frame(lambda t: self._upscaled(clip, t), range(len(clip)))
        y, u, v = (np.stack([picture[i] for picture in pictures]) for i in range(3))
        return clip.with_planes(y, u, v)

    def _upscaled(self, clip: Clip, t: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        y, u, v = (torch.from_numpy(np.require(plane[t], requirements=["C", "W"])) for plane in clip.planes)
        crf = torch.full((1,), self.crf)
        with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16, enabled=self.dtype is torch.bfloat16):
            luma, chroma = self.module.restore(y[None, None], torch.stack([u, v])[None], crf, clip.color.bit_depth)  # type: ignore[operator]
        return luma[0, 0].numpy(), chroma[0, 0].numpy(), chroma[0, 1].numpy()

    def describe(self) -> str:
        kind = "bf16" if self.dtype is torch.bfloat16 else "fp32"
        return f"super-resolve x{self.factor} with {self.weights} at CRF {self.crf:g} ({kind})"
