"""Our own networks as OpenVINO graphs: whole `restore` calls, from integer planes to integer planes, in float32 or in int8.

    supported(network)                                  whether there is a graph for it
    graph(network, size, strength, bit_depth, ranges)   -> openvino.Model with inputs y, uv and outputs y, uv

What a video has once, size, bit depth and strength (CRF or sigma), is built into a graph: conditioning becomes part of the weights.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from ..cellnet import CellNet
from ..planes import PlanesSR
from ..refinenet import RefineNet

if TYPE_CHECKING:
    import openvino
    from torch import nn

#: The least and the largest value that goes into a layer, by the layer's name in the network: what int8 has to hold.
Ranges = Mapping[str, tuple[float, float]]


def supported(network: nn.Module) -> bool:
    """Whether `graph` takes it."""
    return isinstance(network, PlanesSR) or type(network) in (CellNet, RefineNet)


def graph(
    network: nn.Module, size: tuple[int, int], strength: float, bit_depth: int = 8, ranges: Ranges | None = None
) -> openvino.Model:
    """`network.restore` for one frame of `size` (height, width) as an OpenVINO model.

    Inputs as `restore` takes them, with a batch of 1: y, uv in uint8 (8 bits) or uint16; outputs the same, to be cut to size by
    the caller where a side is odd. With `ranges` the convolutions that are named there compute in int8: weights in 255 steps per
    output channel, activations in 256 steps of their range. Raises `ImportError` where OpenVINO is missing.
    """
    build: Callable[..., Any]
    if isinstance(network, PlanesSR):
        from .planes import planes_graph as build
    elif isinstance(network, RefineNet):
        from .refinenet import refinenet_graph as build
    else:
        from .cellnet import cellnet_graph as build
    return build(network, size, strength, bit_depth, ranges or {})
