"""RefineNet as an OpenVINO graph; see `networks.refinenet` for what it computes."""

from __future__ import annotations

import numpy as np
import torch
from openvino import Model, Node
from openvino import opset13 as op

from ..refinenet import CENTRE, CHROMA, LUMA, SIDE, RefineNet
from . import Ranges
from .cellnet import residual_of
from .ops import Ops, channels, constant, pad


@torch.no_grad()
def refinenet_graph(network: RefineNet, size: tuple[int, int], strength: float, bit_depth: int, ranges: Ranges) -> Model:
    """`network.restore` at a fixed size and strength; sizes that 4 does not divide come out with rows or columns too much."""
    if ranges and bit_depth == 8:  # exactly the planes' steps
        ranges = {**ranges, **dict.fromkeys(("stem", "filters"), (-CENTRE, 1 - CENTRE))}
    ops = Ops(network, bit_depth, ranges)
    (height, width), reach, frames = size, network.reach, 2 * network.reach + 1
    halved = -(-height // 2), -(-width // 2)
    y = pad(ops.codes("y", frames, height, width), 0, -height % SIDE, -width % SIDE)
    uv = pad(ops.codes("uv", 2 * frames, *halved), 0, halved[0] % 2, halved[1] % 2)
    # Codes are shuffled before they become numbers of four times their size.
    planes = (channels(y, reach, 1), SIDE), (channels(uv, 2 * reach, 2), SIDE // 2)
    own = ops.scaled(op.concat([op.space_to_depth(plane, "depth_first", side) for plane, side in planes], 1))
    seen = own
    if reach:
        others = op.concat([channels(y, 0, reach), channels(y, reach + 1, reach)], 1)
        seen = op.concat([own, ops.scaled(op.space_to_depth(_every_fourth(others), "depth_first", SIDE // 2))], 1)
    cells = -(-height // SIDE), -(-width // SIDE)
    factors = residual_of(network, ops, op.add(seen, constant(0.5 - CENTRE)), strength, cells)
    chosen = op.multiply(ops.conv("filters", op.subtract(own, constant(CENTRE))), factors)
    luma = op.add(channels(own, 0, LUMA), ops.conv("luma", chosen))
    chroma = op.add(channels(own, LUMA, CHROMA), ops.conv("chroma", chosen))
    return ops.model((luma, chroma), (SIDE, SIDE // 2))


def _every_fourth(planes: Node) -> Node:
    """Every other row and column."""
    ends = ([0, 0], [2**30, 2**30], [2, 2], [2, 3])
    return op.slice(planes, *(op.constant(np.array(values, np.int64)) for values in ends))
