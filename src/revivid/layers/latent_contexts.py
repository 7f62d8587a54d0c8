"""The tables of a latent whose integers are coded by what is known before them (`codecs.bvc.contexts` says how), as buffers that
travel with a network's weights. They are fitted to what the trained network codes (`train.contexts`), not learned by gradients.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from .density import TOTAL
from .latent_coder import stored

#: Tables of a leading coefficient, of a turn's numbers of coefficients, and of another coefficient.
VALUE_CLASSES, LAST_CLASSES, COEFFICIENT_CLASSES = 8, 24, 9
#: Symbols of an integer from -128 to 127.
_SYMBOLS = 256
#: Turns of a frame's blocks, and whether a frame was predicted before.
_TURNS, _STATES = 4, 2
#: Kept as 16-bit frequencies; handed out as cumulative counts, under the name with `cdf`.
_TABLES = ("value", "last", "coefficient")


class LatentContexts(nn.Module):
    """Tables of a latent of `coefficients` in each block; `leading`: those whose values are predicted; `fold`: see
    `codecs.bvc.contexts.Layout`."""

    def __init__(self, coefficients: int, fold: int, leading: Sequence[int]) -> None:
        super().__init__()
        first, others = list(leading), [k for k in range(coefficients) if k not in leading]
        self._declare(len(first), len(others))
        self.get_buffer("order").copy_(torch.tensor([*first, *others]))
        self.get_buffer("shape").copy_(torch.tensor([fold, len(first)]))

    def _declare(self, leading: int, others: int) -> None:
        integers = {
            "order": (leading + others,),
            "shape": (2,),
            "scale": (others + 1,),
            "value_weights": (leading, _TURNS, _STATES, 5),
            "value_spread": (leading, _TURNS, _STATES, 4),
            "value_limits": (leading, VALUE_CLASSES - 1),
            "last_weights": (_TURNS, _STATES, 7),
            "last_limits": (_TURNS, LAST_CLASSES - 1),
            "numbers": (others, others + 1),
            "coefficient_weights": (others, 5),
            "coefficient_limits": (others, COEFFICIENT_CLASSES - 2),
        }
        for name, shape in integers.items():
            self.register_buffer(name, torch.zeros(shape, dtype=torch.int32))
        tables = {
            "value": (leading, VALUE_CLASSES, _SYMBOLS),
            "last": (_TURNS, LAST_CLASSES, others + 1),
            "coefficient": (others, COEFFICIENT_CLASSES, _SYMBOLS),
        }
        for name, shape in tables.items():
            self.register_buffer(f"{name}_frequencies", _even(shape))

    def arrays(self) -> dict[str, Tensor]:
        """What `codecs.bvc.context_coder.ContextTables` is made of, by its names, int32."""
        found = {name: buffer for name, buffer in self.named_buffers() if not name.endswith("_frequencies")}
        for name in _TABLES:
            frequencies = self.get_buffer(f"{name}_frequencies").to(torch.int32) & (TOTAL - 1)
            found[f"{name}_cdf"] = torch.nn.functional.pad(frequencies.cumsum(-1, dtype=torch.int32), (1, 0))
        return found

    @torch.no_grad()
    def fill(self, arrays: dict[str, Tensor]) -> None:
        """Take over what `arrays` would give."""
        for name, values in arrays.items():
            if name.endswith("_cdf"):
                self.get_buffer(name.replace("_cdf", "_frequencies")).copy_(stored(values.diff(dim=-1)))
            else:
                self.get_buffer(name).copy_(values)


def _even(shape: tuple[int, ...]) -> Tensor:
    """Frequencies (..., n) that are alike, but for the first, which takes what is left over."""
    frequencies = torch.full(shape, TOTAL // shape[-1])
    frequencies[..., 0] += TOTAL - TOTAL // shape[-1] * shape[-1]
    return stored(frequencies)
