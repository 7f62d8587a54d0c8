"""A layer and what follows it in one pass over memory, where oneDNN can: the same numbers as one after the other.

The fused kernels are those that torch's own compiler uses. They take float32 on a CPU and know no gradients; everything else, and a
build of torch without them, takes the plain way.
"""

from __future__ import annotations

from functools import cache

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def conv_relu(conv: nn.Conv2d, x: Tensor, gain: float = 1.0) -> Tensor:
    """relu(conv(gain * x)); a gain that is a power of two costs nothing and changes no bit."""
    if not _fusable(x, conv.weight):
        return F.relu(conv(x if gain == 1 else gain * x), inplace=True)
    weight = conv.weight if gain == 1 else gain * conv.weight
    return torch.ops.mkldnn._convolution_pointwise(x, weight, conv.bias, *_geometry(conv), "relu", [], "")


def fused_conv(
    x: Tensor, weight: Tensor, bias: Tensor | None, *, relu: bool = False, add: Tensor | None = None, stride: int = 1
) -> Tensor:
    """A convolution by weights that belong to no module, then ReLU, or plus `add`, which is of the shape and memory format that
    comes out. At stride 1 the picture keeps its size, at others nothing is padded."""
    padding = weight.shape[-1] // 2 if stride == 1 else 0
    if not _fusable(x, weight):
        out = F.conv2d(x, weight, bias, stride, padding)
        return F.relu(out, inplace=True) if relu else out if add is None else out.add_(add)
    geometry = (padding, padding), (stride, stride), (1, 1), 1
    if add is not None:
        return torch.ops.mkldnn._convolution_pointwise.binary(x, add, weight, bias, *geometry, "add", None, None, [], None)
    return torch.ops.mkldnn._convolution_pointwise(x, weight, bias, *geometry, "relu" if relu else "none", [], "")


def conv_leaky_relu(conv: nn.Conv2d, x: Tensor, slope: float) -> Tensor:
    """leaky_relu(conv(x))."""
    if not _fusable(x, conv.weight):
        return F.leaky_relu_(conv(x), slope)
    return torch.ops.mkldnn._convolution_pointwise(*_arguments(conv, x), "leaky_relu", [slope], "")


def conv_film_leaky_relu(conv: nn.Conv2d, x: Tensor, film: Tensor, slope: float) -> Tensor:
    """leaky_relu(shift + (1 + gain) conv(x)); `film` is (N, 2C, 1, 1): gain, then shift of each channel."""
    gain, shift = film.chunk(2, dim=1)
    if len(x) > 1 or conv.bias is None or not _fusable(x, conv.weight):
        return F.leaky_relu_(torch.addcmul(shift, conv(x), 1 + gain), slope)
    gain, shift = 1 + gain[0, :, 0, 0], shift[0, :, 0, 0]
    weight, bias = conv.weight * gain[:, None, None, None], torch.addcmul(shift, conv.bias, gain)
    return torch.ops.mkldnn._convolution_pointwise(x, weight, bias, *_geometry(conv), "leaky_relu", [slope], "")


def conv_add(conv: nn.Conv2d, x: Tensor, other: Tensor) -> Tensor:
    """conv(x) + other, which is of the shape and memory format that conv(x) has."""
    if other.dtype != torch.float32 or not _fusable(x, conv.weight):
        branch = conv(x)
        return branch.add_(other) if branch.dtype == other.dtype else other + branch
    return torch.ops.mkldnn._convolution_pointwise.binary(
        x, other, conv.weight, conv.bias, *_geometry(conv), "add", None, None, [], None
    )


def linear_add(linear: nn.Linear, x: Tensor, other: Tensor) -> Tensor:
    """linear(x) + other, which is of the shape that linear(x) has."""
    if other.dtype != torch.float32 or not _fusable(x, linear.weight):
        branch = linear(x)
        return branch.add_(other) if branch.dtype == other.dtype else other + branch
    return torch.ops.mkldnn._linear_pointwise.binary(x, other, linear.weight, linear.bias, "add")


def linear_gelu(linear: nn.Linear, x: Tensor) -> Tensor:
    """gelu(linear(x)), the exact one."""
    if not _fusable(x, linear.weight):
        return F.gelu(linear(x))
    return torch.ops.mkldnn._linear_pointwise(x, linear.weight, linear.bias, "gelu", [], "none")


def _arguments(conv: nn.Conv2d, x: Tensor) -> tuple[object, ...]:
    return (x, conv.weight, conv.bias, *_geometry(conv))


def _geometry(conv: nn.Conv2d) -> tuple[object, ...]:
    return conv.padding, conv.stride, conv.dilation, conv.groups


def _fusable(x: Tensor, weight: Tensor) -> bool:
    return (
        x.device.type == "cpu"
        and x.dtype == weight.dtype == torch.float32
        and not torch.is_grad_enabled()
        and not torch.is_autocast_enabled("cpu")
        and _there()
    )


@cache
def _there() -> bool:
    """Whether this build of torch has the kernels, with the arguments that they are given here."""
    conv, linear = nn.Conv2d(1, 1, 1), nn.Linear(1, 1)
    x = torch.zeros(1, 1, 1, 1)
    try:
        torch.ops.mkldnn._convolution_pointwise(*_arguments(conv, x), "relu", [], "")
        torch.ops.mkldnn._convolution_pointwise(*_arguments(conv, x), "leaky_relu", [0.1], "")
        torch.ops.mkldnn._convolution_pointwise.binary(
            x, x, conv.weight, conv.bias, *_geometry(conv), "add", None, None, [], None
        )
        torch.ops.mkldnn._linear_pointwise(x[0, 0], linear.weight, linear.bias, "gelu", [], "none")
        torch.ops.mkldnn._linear_pointwise.binary(x[0, 0], x[0, 0], linear.weight, linear.bias, "add")
    except (AttributeError, RuntimeError, NotImplementedError, TypeError):
        return False
    return True
