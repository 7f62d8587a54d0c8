"""Temporal smoothness of decoded video (second paper, Eq. 17, its Figure 5a): does what moves keep its pace?

    df = (f(x2 -> x1) - f(x1 -> x0)) - (f(X2 -> X1) - f(X1 -> X0))      x: decoded frames, X: the true ones
    T(l) = log of the share of vectors of df that are l to l + 1 pixels long

so long errors should be rare: lower is better from l = 1 on. One flow network serves all arms: `compactinterp-x2`, registered,
which the package has anyway, with a vector for each cell of 4x4 pixels. Counts add up over frames and clips, logarithms come last.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from ..color import clip_to_rgb
from ..errors import ShapeError
from ..networks.bvc_compact import CELL, CellFlow
from ..restoration.embedded import load_embedded
from ..types import Clip

FLOW = "compactinterp-x2"
#: Lengths 0 to 1, 1 to 2 ... and whatever is longer.
BINS = 10
#: What the flow network's sides are multiples of.
_MULTIPLE = 64


def error_lengths(truth: Clip, answer: Clip) -> list[int]:
    """How many vectors of df are 0 to 1, 1 to 2 ... pixels long, the last `BINS` - 1 and longer, over all three frames in a row.

    Raises `ShapeError` for fewer than three frames, and for clips that differ in length or size.
    """
    if len(truth) != len(answer) or truth.planes[0].shape != answer.planes[0].shape:
        raise ShapeError(f"the answer is {answer.planes[0].shape}, the truth {truth.planes[0].shape}")
    if len(truth) < 3:
        raise ShapeError(f"{len(truth)} frames have no pace: three at least")
    lengths = (changes(answer) - changes(truth)).norm(dim=1)
    return torch.bincount(lengths.long().clamp(max=BINS - 1).flatten(), minlength=BINS).tolist()


def changes(clip: Clip) -> Tensor:
    """f(x2 -> x1) - f(x1 -> x0) of all three frames in a row: (T - 2, 2, H/4, W/4) in pixels."""
    flows = torch.cat([_flow(clip[t + 1 : t + 2], clip[t : t + 1]) for t in range(len(clip) - 1)])
    return flows[1:] - flows[:-1]


def smoothness(counts: Sequence[int]) -> list[float | None]:
    """T(l) for l = 0, 1 ...; None where no error is so long, which is best."""
    return [round(math.log(count / sum(counts)), 3) if count else None for count in counts]


def _flow(target: Clip, reference: Clip) -> Tensor:
    height, width = target.height, target.width
    pads = (0, -width % _MULTIPLE, 0, -height % _MULTIPLE)
    frames = [F.pad(clip_to_rgb(clip), pads, mode="replicate") for clip in (target, reference)]
    return _network()(*frames)[..., : height // CELL, : width // CELL]


@functools.cache
def _network() -> CellFlow:
    network = CellFlow()
    network.network = load_embedded(FLOW)  # type: ignore[assignment]
    return network.eval()
