"""A reference and videos to compare with it, frame by frame: opened, checked, and laid over one another where that is asked for.

    path -> reader -> [resized] -> [paired by time] -> cropped to an even size -> [Overlap: what all show] -> frames in pairs
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any

from ..errors import ShapeError, UsageError
from ..evaluation.align import Alignment, Overlap, find, look, overlap
from ..evaluation.compare import nearest_in_time
from ..evaluation.machine import file_hash
from ..evaluation.model import MeasuredFile
from ..learned.opening import open_video
from ..media import scale
from ..media.reader import Reader
from ..media.source import is_pipe
from ..types import Clip

#: Frame rates that differ by less are the same, such as 30 and 29.997.
_SAME_RATE = Fraction(1, 2000)


class Pairing:
    """Streams of frames that belong together; each can be had several times, unless it comes from a pipe."""

    def __init__(
        self,
        reference: str | os.PathLike[str],
        distorted: Mapping[str, str | os.PathLike[str]],
        *,
        start: float | None = None,
        duration: float | None = None,
        align: bool = False,
    ) -> None:
        """Opens all. Raises `ShapeError` where sizes and `UsageError` where frame rates differ, unless `align`."""
        self.align = align
        self._cut: dict[str, Any] = {"start": start, "duration": duration}
        self._paths = {"": reference, **distorted}
        self._readers = {name: open_video(path, **self._cut) for name, path in self._paths.items()}
        self._overlap: Overlap | None = None
        #: By name, where they were looked for.
        self.alignments: dict[str, Alignment] = {}
        self.notices: list[str] = []
        for name in distorted:
            self._check_size(name)
            self._check_rate(name)

    @property
    def reference_name(self) -> str:
        return Path(self._paths[""]).name

    @property
    def names(self) -> list[str]:
        return [name for name in self._paths if name]

    @property
    def expected_frames(self) -> int | None:
        """How many pairs will come, by the reference's header."""
        return self._readers[""].expected_frames

    @property
    def repeatable(self) -> bool:
        """Whether all can be read again."""
        return not any(is_pipe(path) for path in self._paths.values())

    def files(self) -> dict[str, MeasuredFile]:
        """What the headers say, by name; the reference comes first, under its file's name."""
        found = {}
        for name, path in self._paths.items():
            info = self._readers[name].info
            known = (info.codec, info.width, info.height, info.frame_rate, info.duration, info.size_bytes)
            found[name or f"{self.reference_name} (reference)"] = MeasuredFile(*known, file_hash(path))
        return found

    def look(self) -> None:
        """Find out how the videos lie over the reference; notices say so, and with `align` it is corrected."""
        if not self.repeatable:
            return
        first = look(self._stream(""))
        for name in self.names:
            found = self.alignments[name] = find(first, look(self._stream(name), len(first.thumbnails)))
            self.notices += found.describe(name, corrected=self.align)
        if self.align:
            self._overlap = overlap(self.alignments, *self._size(""))

    def reference(self) -> Iterator[Clip]:
        """The reference's frames that are compared."""
        clips = self._stream("")
        return self._overlap.of_reference(clips) if self._overlap else clips

    def videos(self) -> dict[str, Iterator[Clip]]:
        """The videos' frames that belong to them, by name."""
        streams = {name: self._stream(name) for name in self.names}
        return {name: self._overlap.of(name, clips) for name, clips in streams.items()} if self._overlap else streams

    def _stream(self, name: str) -> Iterator[Clip]:
        """One of the videos in the size and at the times of the reference."""
        reader = self._open(name)
        if not name:
            return iter(reader)
        width, height = self._size("")
        clips: Iterable[Clip] = reader
        if not self._crops(name):
            clips = (scale.resize(clip, width, height) for clip in clips)
        if not self._by_order(name):
            clips = nearest_in_time(clips, self._open(""), to_end=True)
        return (clip if (clip.width, clip.height) == (width, height) else scale.crop(clip, width, height) for clip in clips)

    def _open(self, name: str) -> Reader:
        path = self._paths[name]
        return self._readers[name] if is_pipe(path) else open_video(path, **self._cut)

    def _size(self, name: str) -> tuple[int, int]:
        info = self._readers[name].info
        return info.width, info.height

    def _crops(self, name: str) -> bool:
        """Whether cropping makes a video as large as the reference: the one row or column that 4:2:0 codecs need for odd sizes."""
        return all(0 <= have - want <= want % 2 for have, want in zip(self._size(name), self._size(""), strict=True))

    def _check_size(self, name: str) -> None:
        if self._crops(name):
            return
        size, wanted = ("x".join(map(str, self._size(each))) for each in (name, ""))
        if not self.align:
            hint = "Restore or scale it to the reference's size first, or pass --align to have it resized."
            raise ShapeError(f"{name} is {size}, the reference {wanted}", hint=hint)
        self.notices.append(f"{name} was resized from {size} to the reference's {wanted} (bicubic)")

    def _by_order(self, name: str) -> bool:
        """Whether frames belong together by their numbers: the rates are the same, or at least the numbers of frames are."""
        ours, theirs = self._readers[""], self._readers[name]
        if abs(theirs.frame_rate / ours.frame_rate - 1) <= _SAME_RATE:
            return True
        counts = ours.expected_frames, theirs.expected_frames
        return None not in counts and abs((counts[0] or 0) - (counts[1] or 0)) <= 1

    def _check_rate(self, name: str) -> None:
        if self._by_order(name):
            return
        ours, theirs = (f"{float(self._readers[each].frame_rate):.6g}" for each in ("", name))
        if not self.align:
            hint = "Pass --align to pair frames by time, each with the nearest."
            raise UsageError(f"{name} has {theirs} frames per second, the reference {ours}", hint=hint)
        if is_pipe(self._paths[""]):
            raise UsageError("a reference from a pipe can't be paired by time", hint="Save it to a file first.")
        self.notices.append(f"{name} has {theirs} frames per second, the reference {ours}: paired with the nearest in time")
