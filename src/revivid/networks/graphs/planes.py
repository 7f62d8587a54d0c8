"""LumaSR and CompactSR as an OpenVINO graph; see `networks.planes` for what it computes."""

from __future__ import annotations

import numpy as np
import torch
from openvino import Model, Node
from openvino import opset13 as op

from ..planes import MAX_CRF, PlanesSR
from . import Ranges
from .ops import Ops, constant, pad


@torch.no_grad()
def planes_graph(
    network: PlanesSR, size: tuple[int, int], strength: float, bit_depth: int, ranges: Ranges
) -> Model:
    """`network.restore` at a fixed size and CRF; outputs are whole cells, so an odd size has a row or column too much."""
    ops = Ops(network, bit_depth, ranges)
    height, width = size
    y = ops.input("y", 1, height, width)
    uv = ops.input("uv", 2, -(-height // 2), -(-width // 2))
    seen, padded = _view(network.cell, y, uv, height, width)
    film = network.condition(torch.tensor([[strength / MAX_CRF]]))[0]
    features = ops.conv("stem", op.subtract(seen, constant(0.5)), film=film, active=True)
    deeper = features
    for index in range(0, len(network.body), 2):
        deeper = ops.conv(f"body.{index}", deeper, active=True)
    features = op.add(features, deeper)
    none = [0, 0]
    luma = op.convolution(padded, constant(network.luma_filters), [1, 1], none, none, [1, 1])
    filters = constant(network.chroma_filters.unflatten(0, (2, -1)))
    chroma = op.group_convolution(pad(uv, 2, 2, 2), filters, [1, 1], none, none, [1, 1])
    phases = op.add(luma, ops.conv("luma_head", features)), op.add(chroma, ops.conv("chroma_head", features))
    return ops.model(phases, (network.cell * network.scale, network.scale))


def _view(cell: int, y: Node, uv: Node, height: int, width: int) -> tuple[Node, Node]:
    """What the stem sees, and the luma that the bicubic filters take: `_view` of the networks."""
    if cell == 2:
        cells = op.space_to_depth(pad(y, 2, 2 + height % 2, 2 + width % 2), "depth_first", 2)
        return op.concat([cells, pad(uv, 1, 1, 1)], 1), cells
    chroma = op.interpolate(
        uv,
        op.constant(np.array([height, width], np.int64)),
        "nearest",
        "sizes",
        axes=op.constant(np.array([2, 3], np.int64)),
        coordinate_transformation_mode="asymmetric",
        nearest_mode="floor",
    )
    return op.concat([y, chroma], 1), pad(y, 2, 2, 2)
