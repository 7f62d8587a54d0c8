"""Super-resolution of decoded video with a network that remembers: state carried from frame to frame and clip to clip.

    frames - search in neighbours (any thread) - features of t from those of t-1 (one thread, in order) - heads (any thread)

So two cores are busy although the middle part can't be divided; each part computes with one thread (see `workers`).
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future
from typing import Any

import numpy as np
import torch

from ..types import Clip
from ..weights import embedded
from .stage import DEFAULT_CRF
from .super_resolve import SuperResolve
from .workers import in_order, whenever

Picture = tuple[np.ndarray, np.ndarray, np.ndarray]
#: Networks that may stand behind the stage, best first.
BEST = ("lumasr", "compactsr")
#: Frames that may be on their way at once: two clips of the reader's.
_IN_FLIGHT = 16


def super_resolve(factor: int, crf: float = DEFAULT_CRF, weights: str | None = None) -> SuperResolve:
    """The stage for some weights of the package; without a name, for the best that it has for this factor.

    Raises `UsageError` for factors that aren't offered and weights that don't upscale by it, `MissingWeights` for unknown names.
    """
    known = embedded.names()
    name = weights or next((n for n in (f"{network}-x{factor}" for network in BEST) if n in known), None)
    remembers = name in known and embedded.load(name)[0].network == "compactvsr"
    return (VideoSuperResolve if remembers else SuperResolve)(factor, crf, name)


class VideoSuperResolve(SuperResolve):
    """Upscale by 2 or 4 what came out of a video encoder, with the help of the frames before and of the one after.

    Clips must come in their order. One is given out when the next one has begun, whose first frame is looked at.
    """

    temporal_reach = (None, 1)

    def __init__(self, factor: int, crf: float = DEFAULT_CRF, weights: str | None = None) -> None:
        super().__init__(factor, crf, weights or f"compactvsr-x{factor}")

    def working_bytes(self, width: int, height: int) -> int:
        channels = int(self.module.channels)  # type: ignore[arg-type]
        per_frame = 4 * (channels + 32) * width * height // 4 + 3 * self.factor**2 * width * height // 2
        return super().working_bytes(width, height) + _IN_FLIGHT * per_frame

    def process(self, clip: Clip) -> Clip:
        (whole,) = self(iter((clip,)))
        return whole

    def __call__(self, clips: Iterator[Clip]) -> Iterator[Clip]:
        run = _Run(self.module, self.crf, self.dtype)
        held: Clip | None = None
        pictures: list[Future[Future[Picture]]] = []
        for clip in clips:
            pictures += run.take(clip)
            if held is not None:
                yield _finished(held, pictures[: len(held)])
                pictures = pictures[len(held) :]
            held = clip
        if held is not None:
            yield _finished(held, pictures + run.finish())


class _Run:
    """One run over a video: frames in, promises of pictures out, one frame later."""

    def __init__(self, module: Any, crf: float, dtype: torch.dtype) -> None:
        self.module, self.dtype = module, dtype
        with torch.inference_mode():
            self.film = module.film(torch.full((1,), crf))
        #: The last frame, its search in the one before it, and its clip.
        self.last: Any = None
        self.match: Future[Any] | None = None
        self.before: Any = None
        self.clip: Clip | None = None
        #: What is known of the picture; only the thread that works in order touches it.
        self.features: torch.Tensor | None = None

    def take(self, clip: Clip) -> list[Future[Future[Picture]]]:
        """Everything that the frames of `clip` make possible: the frame before it up to its last but one."""
        promises = []
        for t in range(len(clip)):
            frame = self._prepared(clip, t)
            match = None if self.last is None else whenever(self._guarded, self.module.match, frame, self.last)
            if match is not None:
                promises.append(self._start((frame, match)))
            self.before, self.last, self.match, self.clip = self.last, frame, match, clip
        return promises

    def finish(self) -> list[Future[Future[Picture]]]:
        """The last frame, which has no successor."""
        return [self._start(None)]

    def _start(self, after: tuple[Any, Future[Any]] | None) -> Future[Future[Picture]]:
        before = None if self.match is None else (self.before, self.match)
        return in_order(self._advance, self.last, whenever(self._see, self.last, before, after), self.clip)

    def _see(self, frame: Any, *neighbours: tuple[Any, Future[Any]] | None) -> Any:
        known = [None if n is None else (n[0], n[1].result()) for n in neighbours]
        return self._guarded(self.module.see, frame, *known)

    def _advance(self, frame: Any, seen: Future[Any], clip: Clip) -> Future[Picture]:
        self.features = self._guarded(self.module.advance, seen.result(), self.features, self.film)
        return whenever(self._picture, frame, self.features, clip)

    def _picture(self, frame: Any, features: torch.Tensor, clip: Clip) -> Picture:
        size = torch.Size((clip.height, clip.width))
        luma, chroma = self._guarded(self.module.codes, frame, features, size, clip.color.bit_depth)
        return luma[0, 0].numpy(), chroma[0, 0].numpy(), chroma[0, 1].numpy()

    def _prepared(self, clip: Clip, t: int) -> Any:
        y, u, v = (torch.from_numpy(np.require(plane[t], requirements=["C", "W"])) for plane in clip.planes)
        return self._guarded(self.module.prepare, y[None, None], torch.stack([u, v])[None], clip.color.peak)

    def _guarded(self, function: Any, *arguments: Any) -> Any:
        """Inference mode and autocast belong to the thread, so every piece of work enters them itself."""
        with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16, enabled=self.dtype is torch.bfloat16):
            return function(*arguments)


def _finished(clip: Clip, promises: list[Future[Future[Picture]]]) -> Clip:
    pictures = [promise.result().result() for promise in promises]
    y, u, v = (np.stack([picture[i] for picture in pictures]) for i in range(3))
    return clip.with_planes(y, u, v)
