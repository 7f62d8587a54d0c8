"""Networks that restore frame after frame and carry a state, so that a stream of any length needs the memory of a few frames."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import torch
from torch import Tensor

from ..layers.frames import reflect
from .traits import Traits

#: What one frame leaves to the next: maps (N, C, h, w), each of which covers the frame, extended to the network's size multiple.
State = tuple[Tensor, ...]


class Streaming(ABC):
    """Base of such networks. A scene is fed mirrored at its ends by `traits.extends` frames and gives one picture per frame."""

    traits: Traits

    @abstractmethod
    def step(self, frame: Tensor, state: State, **call: Any) -> tuple[Tensor | None, State]:
        """Take the next frame (N, C, H, W) and what the last step left, `()` at the start of a scene.

        Returns the picture of the frame `extends[1]` steps ago, (N, 3, scale*H, scale*W), or None in the first
        `sum(extends)` steps, and the state for the next step. The state that was given is not changed.
        """

    def run(self, clip: Tensor, order: list[int], **call: Any) -> Tensor:
        """The pictures (N, t, 3, scale*H, scale*W) that come out when the frames of a clip are fed in `order`."""
        state: State = ()
        pictures = []
        for t in order:
            picture, state = self.step(clip[:, t], state, **call)
            if picture is not None:
                pictures.append(picture)
        return torch.stack(pictures, dim=1)

    def run_mirrored(self, clip: Tensor, **call: Any) -> Tensor:
        """Every frame of a clip (N, T, C, H, W) of any length, mirrored in time at its ends -> (N, T, 3, scale*H, scale*W)."""
        count, (before, after) = clip.shape[1], self.traits.extends
        return self.run(clip, [reflect(t, count) for t in range(-before, count + after)], **call)
