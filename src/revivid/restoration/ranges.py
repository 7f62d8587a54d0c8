"""What int8 has to hold: how small and how large the values become that go into each convolution of a network."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from statistics import fmean

import torch
from torch import Tensor, nn

#: These layers stay in float32: the first one sees the planes themselves, of whose 256 steps none can be spared; and what the last
#: ones round, the picture shows (chroma lost 0.03 dB and more, and they are cheap). Networks with other ends name theirs: `exact`.
_EXACT = ("stem", "chroma_head", "head")


def activation_ranges(network: nn.Module, examples: Iterable[tuple[Tensor, ...]]) -> dict[str, tuple[float, float]]:
    """Ranges by the name of the convolution; `examples` are arguments of the network's call.

    The mean of the examples' extremes: that rare values beyond are clipped costs less than coarser steps for all others.
    """
    found: dict[str, list[tuple[float, float]]] = {}

    def look(name: str, _: nn.Module, given: tuple[Tensor, ...]) -> None:
        low, high = given[0].detach().aminmax()
        found.setdefault(name, []).append((low.item(), high.item()))

    exact = getattr(network, "exact", _EXACT)
    layers = [(name, layer) for name, layer in network.named_modules() if isinstance(layer, nn.Conv2d) and name not in exact]
    hooks = [layer.register_forward_pre_hook(partial(look, name)) for name, layer in layers]
    try:
        with torch.enable_grad():  # without gradients fused kernels (`layers.fused`) pass the layers' own calls by
            for arguments in examples:
                network(*arguments)
    finally:
        for hook in hooks:
            hook.remove()
    return {name: (fmean(low for low, _ in ends), fmean(high for _, high in ends)) for name, ends in found.items()}
