"""One way to call every network: R'G'B' in [0, 1] in, the same out, whatever order, centring and noise level it wants."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from ..errors import UsageError
from ..networks.traits import Traits

#: Noise levels are given in 8-bit code values.
CODE_VALUES = 255.0


class Caller:
    """Calls `module` on its device in `dtype`; `sigma` is the noise level in 8-bit code values for networks that are told.

    A type that the network's activations don't fit in is replaced by float32. Raises `UsageError` where a network that wants a
    noise level is given none, or one out of 0..255.
    """

    def __init__(self, module: nn.Module, sigma: float | None, dtype: torch.dtype) -> None:
        self.module: Any = module
        self.traits: Traits = self.module.traits
        fits = {torch.bfloat16: self.traits.bf16, torch.float16: self.traits.fp16}.get(dtype, False)
        self.dtype = dtype if fits else torch.float32
        if self.traits.noise and (sigma is None or not 0 <= sigma <= CODE_VALUES):
            raise UsageError(
                f"{type(module).__name__} wants the noise level in 8-bit code values, 0 to 255, not {sigma}",
                hint="Give it a sigma: the standard deviation of the noise.",
            )
        self.sigma = (sigma or 0.0) / CODE_VALUES

    @property
    def device(self) -> torch.device:
        first = next(iter(self.module.parameters()), None)
        return torch.device("cpu") if first is None else first.device

    @property
    def picture_channels(self) -> int:
        """Channels of the frames that are given; a noise level is added here."""
        return self.traits.channels - (self.traits.noise == "channel")

    @torch.no_grad()
    def image(self, picture: Tensor) -> Tensor:
        """(C, h, w) -> (C, scale*h, scale*w)."""
        with self._precision():
            return self._from_network(self.module(self._to_network(picture)[None])[0])

    @torch.no_grad()
    def clip(self, frames: Tensor) -> Tensor:
        """(T, C, h, w) -> (T, C, scale*h, scale*w)."""
        with self._precision():
            return self._from_network(self.module(self._to_network(frames)[None], **self._told())[0])

    @torch.no_grad()
    def step(self, picture: Tensor, state: tuple[Tensor, ...]) -> tuple[Tensor | None, tuple[Tensor, ...]]:
        """(C, h, w) and the state -> the picture that is finished now, or None, and the next state."""
        state = tuple(part.to(self.device) for part in state)
        with self._precision():
            made, state = self.module.step(self._to_network(picture)[None], state, **self._told())
            return None if made is None else self._from_network(made[0]), state

    def _told(self) -> dict[str, float]:
        return {"sigma": self.sigma} if self.traits.noise == "argument" else {}

    def _precision(self) -> torch.autocast:
        return torch.autocast(self.device.type, self.dtype, enabled=self.dtype != torch.float32)

    def _to_network(self, x: Tensor) -> Tensor:
        x = x.to(self.device, torch.float32)
        if self.traits.channel_order == "bgr":
            x = x.flip(-3)
        if (self.traits.mean, self.traits.std) != (0.0, 1.0):
            x = (x - self.traits.mean) / self.traits.std
        if self.traits.noise == "channel":
            level = torch.full_like(x[..., :1, :, :], self.sigma)
            x = torch.cat((x, level), dim=-3)
        return x

    def _from_network(self, x: Tensor) -> Tensor:
        x = x.float()
        if (self.traits.mean, self.traits.std) != (0.0, 1.0):
            x = x * self.traits.std + self.traits.mean
        return x.flip(-3) if self.traits.channel_order == "bgr" else x
