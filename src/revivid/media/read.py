"""Video in: `open_video(path)` gives Clips with exact times, whatever the container.

demux -> decode -> [bwdif] -> reorder times -> [cut to start/duration] -> [sample at fps] -> planes -> Clip
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from fractions import Fraction

import av
import av.container
import av.error
import numpy as np
from av.video.stream import VideoStream

from ..errors import CorruptInput, TruncatedInput
from ..types import Clip
from . import frames
from .deinterlace import deinterlaced
from .integrity import missing_bytes
from .probe import from_header, main_video, probe, start_of
from .reader import CLIP_LENGTH, Reader
from .seek import from_key_frame, seek_point
from .source import check_file, is_pipe, open_container, open_input, translated
from .timing import Timed, in_order


class VideoReader(Reader):
    """The reader of one file that FFmpeg knows (or of y4m on standard input for `-`).

    Without `allow_damaged` the first damage raises `CorruptInput` or `TruncatedInput`.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        start: Fraction | float | None = None,
        duration: Fraction | float | None = None,
        fps: Fraction | float | None = None,
        clip_length: int = CLIP_LENGTH,
        allow_damaged: bool = False,
    ) -> None:
        super().__init__(path, start, duration, fps, clip_length, allow_damaged)
        self._pipe = is_pipe(path)
        self.carried_from = None if self._pipe else self.path
        self._container: av.container.InputContainer | None = None
        self._check_bytes()
        if self._pipe:
            # A pipe can be read only once: y4m's header says all that is needed, so no frame is decoded for it here.
            self._container = open_container(path)
            self.info = from_header(self._container, main_video(self._container, self.path), self.path)
        else:
            self.info = probe(path)
        self._note_conversions()

    def __iter__(self) -> Iterator[Clip]:
        opened = contextlib.nullcontext(self._container) if self._container is not None else open_input(self.path)
        with opened as container:
            stream = main_video(container, self.path)
            decoded = self._decoded(container, stream)
            tick = stream.time_base or self.info.time_base
            if self.info.interlaced:
                decoded = deinterlaced(decoded, tick)
            timed = in_order(decoded, start_of(container), 1 / self.info.frame_rate, tick, self.path)
            yield from self._wanted(self._whole(timed))

    def _check_bytes(self) -> None:
        if self._pipe:
            return
        check_file(self.path)
        missing = missing_bytes(self.path)
        if missing and not self.allow_damaged:
            raise TruncatedInput(
                f"{self.path} was cut off: its container promises {missing:,} bytes more than there are",
                hint="Copy or download it again, or pass --allow-damaged to keep what is there.",
            )
        self.damage.missing_bytes = missing

    def _note_conversions(self) -> None:
        info = self.info
        if info.alpha:
            self.notices.append("transparency is ignored: HEVC, AVC and AV1 carry none")
        if not frames.is_420(info.pixel_format):
            self.notices.append(f"{info.pixel_format} is converted to 4:2:0, which every player shows")
        if info.interlaced:
            self.notices.append("the input is interlaced: deinterlaced with bwdif, one frame per frame")
        if info.rotation:
            self.notices.append(f"the picture is turned upright ({info.rotation} degrees counterclockwise) and stored so")

    def _decoded(self, container: av.container.InputContainer, stream: VideoStream) -> Iterator[av.VideoFrame]:
        stream.thread_type = "AUTO"
        # Without "explode" FFmpeg conceals damage and says nothing; with it the packet fails and can be counted.
        stream.codec_context.options = {**stream.codec_context.options, "err_detect": "explode"}
        packets: Iterator[av.Packet] = self._packets(container, stream)
        if self.start and not self._pipe and (tick := seek_point(self.path, self.start)) is not None:
            with translated(self.path):
                container.seek(tick, stream=stream)
            packets = from_key_frame(packets)
        for packet in packets:
            try:
                decoded = packet.decode()
            except av.error.EOFError:
                return
            except av.error.FFmpegError as exc:
                self._count(f"a packet at {packet.pts if packet.pts is not None else '?'} does not decode", exc)
                continue
            for frame in decoded:
                if frame.is_corrupt:
                    self._count("the decoder marks a frame as damaged", None)
                yield frame

    def _packets(self, container: av.container.InputContainer, stream: VideoStream) -> Iterator[av.Packet]:
        packets = container.demux(stream)
        while True:
            try:
                packet = next(packets)
            except (StopIteration, av.error.EOFError):
                return
            except av.error.FFmpegError as exc:
                self._count(f"reading stopped: {exc.strerror}", exc)
                return
            yield packet

    def _count(self, what: str, cause: Exception | None) -> None:
        self.damage.errors += 1
        if not self.allow_damaged:
            raise CorruptInput(
                f"{self.path}: after {self.frames} frames, {what}", hint="Pass --allow-damaged to keep what decodes."
            ) from cause

    def _whole(self, timed: Iterator[Timed]) -> Iterator[Timed]:
        """The same frames; where they end, so should the duration that the header promises."""
        end = None
        for item in timed:
            end = item.time + item.duration
            yield item
        self._check_duration(end)

    def _check_duration(self, end: Fraction | None) -> None:
        promised = self.info.duration
        lone = not any(s.kind == "audio" for s in self.info.streams)
        if self._pipe or promised is None or not (self.info.frames or lone):
            return  # the container's duration may be that of its longest audio track
        slack = max(Fraction(1, 10), 3 / self.info.frame_rate)
        missing = promised - (end or 0)
        if missing <= slack:
            return
        self.damage.missing_seconds = missing
        if not self.allow_damaged:
            raise TruncatedInput(
                f"{self.path} ends {float(missing):.2f} s before the {float(promised):.2f} s that its header promises",
                hint="Copy or download it again, or pass --allow-damaged to keep what is there.",
            )

    def _clip(self, batch: list[Timed]) -> Clip:
        color = self.info.color
        pictures = [frames.to_planes(self._same_size(item.frame), color, self.info.rotation) for item in batch]
        y, u, v = (np.stack([picture[i] for picture in pictures]) for i in range(3))
        self.frames += len(batch)
        return Clip((y, u, v), tuple(i.time for i in batch), tuple(i.duration for i in batch), color)

    def _same_size(self, frame: av.VideoFrame) -> av.VideoFrame:
        turned = self.info.rotation in (90, 270)
        width, height = (self.info.height, self.info.width) if turned else (self.info.width, self.info.height)
        if (frame.width, frame.height) == (width, height):
            return frame
        notice = f"the picture changes size inside the stream: all frames are scaled to {self.info.width}x{self.info.height}"
        if notice not in self.notices:
            self.notices.append(notice)
        return frame.reformat(width=width, height=height, interpolation="BICUBIC")


def open_video(path: str | os.PathLike[str], **options: object) -> VideoReader:
    """Open a video for reading; options as `VideoReader`. Iterate over the result for `Clip`s."""
    return VideoReader(path, **options)  # type: ignore[arg-type]
