"""What stands beside the picture of a BVC stream: audio, subtitles, chapters, attachments and tags, as a Matroska file in pieces.

    Passthrough -> Matroska, written without ever going back -> pieces, each a SIDE record between two groups of pictures
    SIDE records -> joined -> a Matroska file again, from which `Passthrough(..., beside=True)` copies

Matroska can't carry BVC itself: libavformat stores only codecs that it has a number for. But it carries everything else, bit by
bit, and every tool reads it; so only the picture needs a format of its own. Pieces, so that a stream plays while it arrives.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path

import av
import av.container
import av.error

from ...errors import UsageError
from ...media.passthrough import FILLER, Passthrough
from .records import SIDE, Index, RecordReader


class BesideWriter:
    """Collects the other streams; `until` and `finish` hand out the bytes that came since."""

    def __init__(self, passthrough: Passthrough, tags: Mapping[str, str]) -> None:
        self._passthrough = passthrough
        self._bytes = _Pieces()
        # Bit exact: no date, no random numbers, so that the same input makes the same file.
        # Sound may begin before the picture: its times may not be shifted to zero.
        options = {"fflags": "+bitexact", "avoid_negative_ts": "disabled"}
        output = av.open(self._bytes, mode="w", format="matroska", options=options)
        assert isinstance(output, av.container.OutputContainer)
        self._output = output
        passthrough.attach(output, one_way=True)
        output.metadata.update(tags)
        filler = None if passthrough.has_packets else _filler(output)
        try:
            output.start_encoding()
        except av.error.FFmpegError as exc:
            raise UsageError(
                "what stands beside the picture can't be stored in a stream: Matroska refuses it", hint="Pass --no-audio."
            ) from exc
        if filler is not None:
            output.mux(filler)

    def until(self, time: Fraction | None) -> bytes:
        """The bytes of all that belongs before `time` seconds; of the rest for None."""
        for packet in self._passthrough.until(time):
            try:
                self._output.mux(packet)
            except (av.error.InvalidDataError, av.error.ArgumentError) as exc:
                self._passthrough.refused(f"a packet of stream {packet.stream_index} can't be stored: {exc.strerror}", exc)
        return self._bytes.taken()

    def finish(self) -> bytes:
        """The last bytes."""
        last = self.until(None)
        self._output.close()
        return last + self._bytes.taken()

    def discard(self) -> None:
        """What is not finished is not wanted."""
        self._passthrough.close()


def extract(records: RecordReader, index: Index, target: str | os.PathLike[str]) -> bool:
    """Write the Matroska file of a stream's SIDE records; False where it has none. Raises `CorruptStream`."""
    entries = index.of(SIDE)
    if not entries:
        return False
    with Path(target).open("wb") as file:
        for entry in entries:
            records.jump(index, entry)
            file.write(next(iter(records)).payload)
    return True


def _filler(output: av.container.OutputContainer) -> av.Packet:
    stream = output.add_mux_stream("subrip")
    stream.time_base = Fraction(1, 1000)
    stream.metadata["title"] = FILLER
    packet = av.Packet(b" ")
    packet.pts = packet.dts = 0
    packet.duration, packet.time_base, packet.stream = 1, Fraction(1, 1000), stream
    return packet


class _Pieces:
    """A file for libavformat that only grows, and gives away what it has."""

    name = "the streams beside the picture"

    def __init__(self) -> None:
        self._bytes = bytearray()

    def write(self, data: bytes) -> int:
        self._bytes += data
        return len(data)

    def taken(self) -> bytes:
        taken, self._bytes = bytes(self._bytes), bytearray()
        return taken
