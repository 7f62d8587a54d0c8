"""Counting bytes: those of each coded frame of a file, and those of what is carried beside the picture, without writing it."""

from __future__ import annotations

import io
import os
from typing import NamedTuple

import av
import av.container
import av.error

from .passthrough import Passthrough
from .source import open_input


class CodedFrame(NamedTuple):
    """What one frame costs."""

    #: Bytes of its packet.
    size: int
    #: Whether a decoder can begin at it.
    key: bool


def coded_frames(path: str | os.PathLike[str]) -> list[CodedFrame]:
    """The frames of a file's first video stream in order of presentation."""
    with open_input(path) as container:
        packets = [packet for packet in container.demux(container.streams.video[0]) if packet.size]
        packets.sort(key=lambda packet: packet.pts or 0)
        return [CodedFrame(packet.size, packet.is_keyframe) for packet in packets]


def carried_bytes(passthrough: Passthrough, muxer: str) -> int:
    """Bytes that the carried streams, covers and attachments take in a container of libavformat's `muxer`, its headers included.

    They are muxed into nothing, so converted audio is counted as converted. Uses `passthrough` up.
    """
    if all(plan.action == "drop" for plan in passthrough.plans):
        passthrough.close()
        return 0
    nothing = _Nothing()
    output = av.open(nothing, mode="w", format=muxer)
    assert isinstance(output, av.container.OutputContainer)
    with output:
        passthrough.attach(output)
        for packet in passthrough.until(None):
            try:
                output.mux(packet)
            except (av.error.InvalidDataError, av.error.ArgumentError) as exc:
                passthrough.refused(f"a packet of stream {packet.stream_index} can't be stored: {exc.strerror}", exc)
    return nothing.size


class _Nothing(io.RawIOBase):
    """A file that forgets what is written and remembers how long it is."""

    name = "nothing"

    def __init__(self) -> None:
        self.size = 0
        self._at = 0

    def writable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def write(self, data) -> int:
        self._at += len(data)
        self.size = max(self.size, self._at)
        return len(data)

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        self._at = offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self.size}[whence]
        return self._at

    def tell(self) -> int:
        return self._at
