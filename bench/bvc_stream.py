"""What a whole BVC stream costs, from file to decoded frames: the part of `bvc.py` that needs a video and trained weights."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import torch

from revivid.codecs.bvc.context_coder import ContextGroup
from revivid.color import clip_to_rgb, rgb_to_planes
from revivid.learned import model
from revivid.learned.reader import BvcReader
from revivid.learned.writer import BvcEncoding, BvcWriter
from revivid.media.read import VideoReader
from revivid.media.write import Target
from revivid.types import Clip, join

#: Width and height of what is coded.
SIZE = (1280, 720)


def stream_cost(video: Path, quality: float, frames: int, repeats: int) -> dict[str, Any]:
    """Seconds a frame of coding and of decoding the first frames of a video, scaled to 1280x720, unsharpened, with one keyframe.

    `decode_fps` is of all frames, keyframe, colour conversion and starting included; of several runs the fastest. Shares of the
    entropy coder are of the CPU's time, since it runs beside the networks.
    """
    clip = scaled(video, frames)
    models, coding, decoding = model.load(), Spent("encode"), Spent("decode")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "clip.bvc"
        target = Target(*SIZE, clip.color, 1 / clip.durations[0], clip.durations[0])
        settings = BvcEncoding("bvc", model=models, quality=quality, preserve=True, gop=frames)
        with coding.counted(), BvcWriter(path, target, settings) as writer:
            writer.write(clip)
        for _ in range(repeats):
            with decoding.counted():
                join(list(BvcReader(path, model=models)))
        size = path.stat().st_size
    return {
        "quality": quality,
        "frames": frames,
        "bits_per_pixel": round(8 * size / (frames * SIZE[0] * SIZE[1]), 3),
        "encode_s": round(coding.seconds / frames, 4),
        "encode_entropy_share": round(coding.share, 4),
        "decode_fps": round(frames / decoding.seconds, 2),
        "decode_cpu_s": round(decoding.cpu / frames, 4),
        "decode_entropy_share": round(decoding.share, 4),
    }


def scaled(video: Path, frames: int) -> Clip:
    """The first frames of a video at 1280x720."""
    clip = join(list(VideoReader(video)))[:frames]
    if len(clip) < frames:
        raise SystemExit(f"{video} has {len(clip)} frames, {frames} are needed")
    color = replace(clip.color, matrix=1)
    planes = []
    for t in range(frames):
        rgb = torch.nn.functional.interpolate(clip_to_rgb(clip[t : t + 1]), SIZE[::-1], mode="bicubic", antialias=True)
        planes.append(rgb_to_planes(rgb.clamp(0, 1), color))
    y, u, v = (np.concatenate(parts) for parts in zip(*planes, strict=True))
    step = Fraction(1, 25)
    return Clip((y, u, v), tuple(t * step for t in range(frames)), (step,) * frames, color)


class Spent:
    """Seconds of what happens inside `counted`, on the clock and of the CPU; `share` of the latter in the entropy coder's `method`.
    Of several times, the shortest."""

    def __init__(self, method: str) -> None:
        self._method = method
        self.seconds = self.cpu = float("inf")
        self.share = 0.0

    @contextmanager
    def counted(self) -> Iterator[None]:
        usual: Callable[..., Any] = getattr(ContextGroup, self._method)
        inside = 0.0

        def watched(coder: ContextGroup, *arguments: Any) -> Any:
            nonlocal inside
            began = time.thread_time()
            try:
                return usual(coder, *arguments)
            finally:
                inside += time.thread_time() - began

        setattr(ContextGroup, self._method, watched)
        clock, cpu = time.perf_counter(), time.process_time()
        try:
            yield
        finally:
            setattr(ContextGroup, self._method, usual)
        clock, cpu = time.perf_counter() - clock, time.process_time() - cpu
        if clock < self.seconds:
            self.seconds, self.cpu, self.share = clock, cpu, inside / cpu
