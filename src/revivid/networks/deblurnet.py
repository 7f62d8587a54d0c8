"""DeblurNet: motion blur undone along the motion that made it, in YUV 4:2:0 planes. Our own design.

    its neighbours, registered with it (`registered`) - the frame along its motion (`layers.along`), and its neighbours brought
    to it - `kernelnet` - planes

A camera's shutter averages what passes a pixel while it is open. Along the motion, in units of it, that average is the same filter
everywhere, and so is its inverse; a network that sees pictures only has to learn it once for every direction and length.
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from ..layers.along import REACH, along, along_in_cells
from .kernelnet import KernelNet, Samples, shape_of
from .registered import FARTHEST, brought, finer


class DeblurNet(KernelNet):
    """Deblurs the middle one of three frames or more, told how strongly they are compressed (x265 CRF, 0 for lossless).

    `offsets`: where the frame is sampled along its motion, in frames. The others are CellNet's. Its weights come inside the
    package, under the package's own licence (Apache-2.0), with those of the estimator of motion, which are not trained along.
    Raises `UsageError` for hyper-parameters that can't work.
    """

    def __init__(
        self,
        task: str = "deblur",
        reach: int = 1,
        widths: Sequence[int] = (32, 64, 96, 128),
        encoder: Sequence[int] = (0, 1, 1),
        middle: int = 2,
        decoder: Sequence[int] = (1, 1, 1),
        gate: float = 1.0,
        offsets: Sequence[float] = (0.12, 0.25, 0.35, 0.45, 0.6, 0.75, 0.9, 1.1, 1.35, 1.6, 1.9, 2.3),
    ) -> None:
        counts = {"samples": len(offsets), "beside": 2, "hints": 3}
        super().__init__(task, reach, widths, encoder, middle, decoder, gate, **counts, farthest=REACH)
        self.offsets = tuple(offsets)

    def seen(self, y: Tensor, uv: Tensor, motion: Tensor, _strength: Tensor, /) -> Samples:
        flows = motion[:, :4].clamp(-FARTHEST, FARTHEST)
        fine = finer(flows, *y.shape[-2:])
        nearest, fine_nearest = ((each[:, 2:] - each[:, :2]) / 2 for each in (flows, fine))
        nearby = y[:, self.reach - 1 : self.reach + 2]
        luma = along_in_cells(nearby[:, 1:2], fine_nearest, self.offsets)
        chroma = along(uv[:, 2 * self.reach : 2 * self.reach + 2], nearest / 2, self.offsets)
        return Samples(luma, chroma, brought(nearby, fine), shape_of(nearest))
