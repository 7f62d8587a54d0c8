"""CellNet as an OpenVINO graph; see `networks.cellnet` for what it computes."""

from __future__ import annotations

import numpy as np
import torch
from openvino import Model, Node
from openvino import opset13 as op

from ..cellnet import CELL, GATE_REACH, MAX_STRENGTH, CellNet
from . import Ranges
from .ops import Ops, channels, constant, pad


@torch.no_grad()
def cellnet_graph(network: CellNet, size: tuple[int, int], strength: float, bit_depth: int, ranges: Ranges) -> Model:
    """`network.restore` at a fixed size and strength; an odd size comes out with a row or column too much of luma."""
    ops = Ops(network, bit_depth, ranges)
    (height, width), frames = size, 2 * network.reach + 1
    y = pad(ops.input("y", frames, height, width), 0, height % 2, width % 2)
    uv = ops.input("uv", 2 * frames, -(-height // 2), -(-width // 2))
    cells = op.space_to_depth(y, "depth_first", 2)
    residual = residual_of(network, ops, op.concat([cells, uv], 1), strength, (-(-height // 2), -(-width // 2)))
    if network.gate:
        residual = op.multiply(residual, _openness(channels(residual, 0, 4), network.gate))
    luma = op.add(channels(cells, 4 * network.reach, 4), channels(residual, 0, 4))
    chroma = op.add(channels(uv, 2 * network.reach, 2), channels(residual, 4, CELL - 4))
    return ops.model((luma, chroma), (2, 1))


def residual_of(network: CellNet, ops: Ops, cells: Node, strength: float, size: tuple[int, int]) -> Node:
    """What the head makes of cells of `size`: in CellNet what to add to the middle frame's."""
    height, width = size
    unit = 2 ** (network.levels - 1)
    widths = [2 * width for width in network.widths]
    films = network.condition(torch.tensor([[strength / MAX_STRENGTH]]))[0].split(widths)
    cells = pad(op.subtract(cells, constant(0.5)), 0, -height % unit, -width % unit)
    features, skips = ops.conv("stem", cells, film=films[0], active=True), []
    for level, film in enumerate(films[1:]):
        skips.append(_blocks(ops, f"encoder.{level}", features))
        features = ops.conv(f"down.{level}", skips[-1], film=film, active=True)
    features = _blocks(ops, "middle", features)
    for level in reversed(range(network.levels - 1)):
        features = _blocks(ops, f"decoder.{level}", op.add(ops.conv_transpose(f"up.{level}", features), skips.pop()))
    ends = [op.constant(np.array(values, np.int64)) for values in ([0, 0], [height, width], [1, 1], [2, 3])]
    return op.slice(ops.conv("head", features), *ends)


def _blocks(ops: Ops, name: str, x: Node) -> Node:
    for index in range(len(ops.network.get_submodule(name))):  # type: ignore[arg-type]
        inner = ops.conv(f"{name}.{index}.first", x, active=True)
        x = op.add(x, ops.conv(f"{name}.{index}.second", inner))
    return x


def _openness(residual: Node, gate: float) -> Node:
    energy = op.reduce_mean(op.multiply(residual, residual), op.constant(np.array([1], np.int64)), True)
    around = [GATE_REACH, GATE_REACH]
    side = 2 * GATE_REACH + 1
    energy = op.avg_pool(energy, [1, 1], around, around, [side, side], True)
    return op.divide(energy, op.add(energy, constant(gate * gate)))
