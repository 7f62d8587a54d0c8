"""The engine: any network on a stream of any length, in tiles and windows that fit a budget of memory.

    frames -> scenes -> frame by frame | frame by frame with a state | overlapping windows -> tiles -> network -> blended -> clamped

Which of the three a network gets follows from what it declares (`networks.traits.Traits`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

import torch
from torch import Tensor, nn

from ..errors import NotEnoughMemory, ShapeError, UsageError
from .calls import Caller
from .memory import default_budget, device_budget, is_out_of_memory
from .planning import Budget, Layout, Planner
from .tiles import tiled, tiled_step
from .windows import mirrored, scenes, windowed

R = TypeVar("R")


@dataclass(frozen=True)
class Frame:
    """One frame of a stream: R'G'B' (or luma alone, for networks of one channel) (C, H, W), float32 in [0, 1]."""

    rgb: Tensor
    #: Whether this is the first frame after a scene cut.
    starts_scene: bool = False


class Engine:
    """Restores streams with one network.

    `module` is what `networks.build` or `catalogued.load_catalogued` gives, in eval mode. `memory` is the budget in bytes for
    everything that restoring holds at its peak (frames that wait, the computing of a tile, the weights; not the interpreter and
    its libraries); None takes `memory.default_budget()`, and on an accelerator what is free there. `sigma` is the noise level in
    8-bit code values for networks that are told one; others ignore it. `dtype` is what to compute in; plans are made for float32,
    because bfloat16 on a CPU was measured to take between 0.7 and 1.7 times as much. `notify` is told in words
    when memory ran out and tiles became smaller. `task`, where given, must be one of the network's.

    Raises `UsageError` for networks that don't take and give whole streams of R'G'B' frames (interpolation, planes), for a
    missing noise level and for a task that the network isn't for.
    """

    def __init__(
        self,
        module: nn.Module,
        *,
        memory: int | None = None,
        sigma: float | None = None,
        dtype: torch.dtype = torch.float32,
        notify: Callable[[str], None] | None = None,
        task: str | None = None,
    ) -> None:
        self._call = Caller(module, sigma, dtype)
        self.traits = self._call.traits
        name = type(module).__name__
        if self.traits.kind not in ("image", "clip") or "interpolate" in self.traits.tasks:
            raise UsageError(f"{name} is no network that restores a stream frame for frame: {', '.join(self.traits.tasks)}")
        if task is not None and task not in self.traits.tasks:
            raise UsageError(f"{name} is not for {task}", hint=f"It is for {', '.join(self.traits.tasks)}.")
        self._notify = notify or (lambda _: None)
        on_device = device_budget(self._call.device)
        budget = Budget(
            frames=default_budget() if memory is None else memory,
            computing=None if on_device is None else min(on_device, memory or on_device),
        )
        weights = sum(part.numel() * part.element_size() for part in (*module.parameters(), *module.buffers()))
        self._planner = Planner(self.traits, budget, weights)
        #: What a tile may have after memory ran out.
        self._tile_pixels: int | None = None

    def plan(self, height: int, width: int) -> Layout:
        """Tiles, windows and peak memory for frames of `height` x `width` pixels, before any computing.

        Raises `ShapeError` for sizes that the network can't take and `NotEnoughMemory` where the smallest tile doesn't fit.
        """
        least = max(1, self.traits.min_size)
        if height < least or width < least:
            raise ShapeError(f"frames of {width}x{height} are too small", hint=f"The network takes {least}x{least} and more.")
        return self._planner.plan(height, width, tile_pixels=self._tile_pixels)

    def stream(self, frames: Iterator[Frame]) -> Iterator[Tensor]:
        """Restored frames (C, scale*H, scale*W) in [0, 1], as many as came in and in their order; all are of one size.

        Holds no more frames than its window, whatever the stream's length. Raises `ShapeError` for frames of another size or kind
        than the first and `NotEnoughMemory` where memory runs out even with the smallest tiles.
        """
        restore = self._images if self.traits.kind == "image" else self._steps if self.traits.streams else self._windows
        for scene in scenes(self._checked(frames)):
            for picture in restore(frame.rgb for frame in scene):
                yield picture.clamp(0, 1)

    def _checked(self, frames: Iterator[Frame]) -> Iterator[Frame]:
        size: torch.Size | None = None
        for frame in frames:
            shape = frame.rgb.shape
            if len(shape) != 3 or shape[0] != self._call.picture_channels or shape != (size or shape):
                wanted = tuple(size) if size else f"({self._call.picture_channels}, H, W)"
                raise ShapeError(f"a frame is {tuple(shape)}, wants {wanted}")
            size = shape
            yield frame

    def _images(self, frames: Iterator[Tensor]) -> Iterator[Tensor]:
        for x in frames:
            yield self._attempt(x, 1, lambda layout, x=x: tiled(self._call.image, x, layout.tiling, self.traits.scale))

    def _steps(self, frames: Iterator[Tensor]) -> Iterator[Tensor]:
        state: tuple[Tensor, ...] = ()
        traits = self.traits
        for x in mirrored(frames, *traits.extends):
            picture, state = self._attempt(
                x,
                1,
                lambda layout, x=x, state=state: tiled_step(
                    self._call.step, x, state, layout.tiling, traits.scale, traits.size_multiple
                ),
            )
            if picture is not None:
                yield picture

    def _windows(self, frames: Iterator[Tensor]) -> Iterator[Tensor]:
        first = next(frames, None)
        if first is None:
            return
        layout = self.plan(*first.shape[1:])

        def all_frames() -> Iterator[Tensor]:
            yield first
            yield from frames

        yield from windowed(
            all_frames(), layout.frames, layout.frame_overlap, self._window,
            multiple=self.traits.frame_multiple, least=self.traits.min_frames,
        )  # fmt: skip

    def _window(self, frames: Sequence[Tensor]) -> Tensor:
        """(C, H, W) each -> (T, C, scale*H, scale*W). A short window may have larger tiles."""
        clip = torch.stack(list(frames))
        return self._attempt(clip, len(frames), lambda layout: tiled(self._call.clip, clip, layout.tiling, self.traits.scale))

    def _attempt(self, x: Tensor, frames: int, work: Callable[[Layout], R]) -> R:
        """`work` with the planned layout; when memory runs out, again with tiles of half the size, down to the smallest."""
        height, width = x.shape[-2:]
        while True:
            layout = self._planner.plan(height, width, frames=frames, tile_pixels=self._tile_pixels)
            try:
                return work(layout)
            except (MemoryError, RuntimeError) as fault:
                if not is_out_of_memory(fault):
                    raise
                reason = str(fault).split("\n")[0] or type(fault).__name__
            # Beyond the except block nothing refers to the failed attempt's tensors any more.
            self._halve(layout, reason)

    def _halve(self, layout: Layout, reason: str) -> None:
        if self._call.device.type == "cuda":
            torch.cuda.empty_cache()
        self._tile_pixels = layout.tile_height * layout.tile_width // 2
        before = f"{layout.tile_width}x{layout.tile_height}"
        try:
            smaller = self._planner.plan(layout.height, layout.width, frames=layout.frames, tile_pixels=self._tile_pixels)
        except NotEnoughMemory as fault:
            raise NotEnoughMemory(
                f"memory ran out with the smallest tiles, {before} ({reason})",
                hint="Close other programs, scale the video down first, or choose a smaller network.",
            ) from fault
        self._notify(f"out of memory: tiles of {before} become {smaller.tile_width}x{smaller.tile_height}")
