"""The operations that our networks are made of, as nodes of an OpenVINO graph, with int8 where ranges are known."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from openvino import Model, Node
from openvino import opset13 as op
from torch import Tensor, nn

from ..planes import SLOPE
from . import Ranges

#: Steps of an int8 weight, zero in the middle, and of an activation.
_WEIGHT_LEVELS, _LEVELS = 255, 256


class Ops:
    """Nodes for the layers of one network, by their names in it."""

    def __init__(self, network: nn.Module, bit_depth: int, ranges: Ranges) -> None:
        self.network, self.ranges = network, ranges
        self.peak = float((1 << bit_depth) - 1)
        self._type = np.uint8 if bit_depth == 8 else np.uint16
        self._inputs: list[Node] = []
        self._quantised: dict[tuple[Node, tuple[float, float]], Node] = {}

    def input(self, name: str, channels: int, height: int, width: int) -> Node:
        """Integer planes as code value / peak."""
        return self.scaled(self.codes(name, channels, height, width))

    def codes(self, name: str, channels: int, height: int, width: int) -> Node:
        """Integer planes as they are."""
        node = op.parameter([1, channels, height, width], self._type, name=name)
        self._inputs.append(node)
        return node

    def scaled(self, codes: Node) -> Node:
        """Code values as code value / peak."""
        return op.multiply(op.convert(codes, "f32"), constant(1 / self.peak))

    def conv(self, name: str, x: Node, *, film: Tensor | None = None, active: bool = False) -> Node:
        """The convolution of this name, with `film` (gain, then shift of each channel) and a leaky ReLU if `active`."""
        layer = self.network.get_submodule(name)
        assert isinstance(layer, nn.Conv2d)
        weight, bias = _modulated(layer, film)
        values = constant(weight)
        if name in self.ranges:
            x, values = self._quantise(x, self.ranges[name]), _quantised_weight(values, weight)
        pads = list(layer.padding)
        y = op.convolution(x, values, list(layer.stride), pads, pads, list(layer.dilation))
        y = op.add(y, constant(bias.reshape(1, -1, 1, 1)))
        return op.prelu(y, constant([SLOPE])) if active else y

    def conv_transpose(self, name: str, x: Node) -> Node:
        """The transposed convolution of this name, without padding."""
        layer = self.network.get_submodule(name)
        assert isinstance(layer, nn.ConvTranspose2d)
        assert layer.bias is not None
        y = op.convolution_backprop_data(
            x, constant(layer.weight), list(layer.stride), pads_begin=[0, 0], pads_end=[0, 0], dilations=[1, 1]
        )
        return op.add(y, constant(layer.bias.reshape(1, -1, 1, 1)))

    def model(self, phases: Sequence[Node], blocks: Sequence[int]) -> Model:
        """The whole: phases of code value / peak are rounded to codes and shuffled into planes by their block sizes."""
        results = []
        for value, block in zip(phases, blocks, strict=True):
            codes = op.clamp(op.add(op.multiply(value, constant(self.peak)), constant(0.5)), 0.0, self.peak)
            planes = op.convert(codes, "u8" if self._type == np.uint8 else "u16")
            results.append(op.result(op.depth_to_space(planes, "depth_first", block) if block > 1 else planes))
        return Model(results, self._inputs)  # pyright: ignore[reportGeneralTypeIssues]

    def _quantise(self, x: Node, ends: tuple[float, float]) -> Node:
        key = (x, ends)  # two layers that share their input share its int8 values
        if key not in self._quantised:
            low, high = map(constant, _with_zero(*ends))
            self._quantised[key] = op.fake_quantize(x, low, high, low, high, _LEVELS)
        return self._quantised[key]


def constant(value: Tensor | Sequence[float] | float) -> Node:
    """A float32 constant."""
    return op.constant(torch.as_tensor(value).detach().float().contiguous().numpy())


def pad(x: Node, before: int, below: int, right: int) -> Node:
    """Rows and columns repeated outwards: `before` above and on the left, the others below and on the right."""
    if not before + below + right:
        return x
    ends = [op.constant(np.array([0, 0, *sides], np.int64)) for sides in ((before, before), (below, right))]
    return op.pad(x, ends[0], ends[1], "edge")


def channels(x: Node, first: int, count: int) -> Node:
    """`count` channels from `first` on."""
    return op.slice(x, *(op.constant(np.array([value], np.int64)) for value in (first, first + count, 1, 1)))


def _modulated(layer: nn.Conv2d, film: Tensor | None) -> tuple[Tensor, Tensor]:
    assert layer.bias is not None
    if film is None:
        return layer.weight, layer.bias
    gain, shift = film.chunk(2)
    return layer.weight * (1 + gain)[:, None, None, None], layer.bias * (1 + gain) + shift


def _quantised_weight(values: Node, weight: Tensor) -> Node:
    largest = weight.detach().abs().amax((1, 2, 3), keepdim=True).clamp_min(1e-9)
    return op.fake_quantize(values, constant(-largest), constant(largest), constant(-largest), constant(largest), _WEIGHT_LEVELS)


def _with_zero(low: float, high: float) -> tuple[float, float]:
    """Such a range that zero, which convolutions pad with, is one of its steps."""
    low, high = min(low, 0.0), max(high, 0.0)
    step = max((high - low) / (_LEVELS - 1), 1e-9)
    zero = round(-low / step)
    return -zero * step, (_LEVELS - 1 - zero) * step
