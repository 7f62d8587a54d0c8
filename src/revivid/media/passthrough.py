"""What is not the main video: audio, subtitles, chapters, attachments and covers, copied bit by bit beside the new picture.

A second demuxer runs over the source and hands out packets up to a given time, so that audio and video interleave and memory
stays constant. What a container can't hold is converted where nothing is lost (plain text subtitles), else left out with a
notice; audio that can't be kept is an error before any work.
"""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache

import av
import av.container
from av.stream import Disposition, Stream

from .. import limits
from ..errors import UsageError
from .metadata import without_recipe
from .probe import main_video, start_of
from .source import open_container
from .subtitles import TEXT_CODECS, convert_text, text_header

_TEXT_TARGET = {"mp4": "mov_text", "mov": "mov_text", "matroska": "subrip"}
_MATROSKA_SUBTITLES = {"subrip", "srt", "ass", "ssa", "webvtt", "dvd_subtitle", "dvdsub", "hdmv_pgs_subtitle", "pgssub", "dvbsub"}
_COVERS = {"mjpeg", "png"}


@dataclass(frozen=True)
class Plan:
    """What happens to one stream of the source."""

    index: int
    kind: str
    codec: str
    #: copy, text (subtitles whose packaging is changed), attach, drop
    action: str
    #: For people, where the action is not a plain copy.
    note: str = ""


class Passthrough:
    """The other streams of `source` for an output of libavformat's `muxer`, cut to [start, start + duration) and shifted by -start.

    `plans` and `notices` are known before anything is written. Raises `UsageError` where an audio track can't be kept.
    """

    def __init__(
        self,
        source: str | os.PathLike[str],
        muxer: str,
        *,
        start: Fraction = Fraction(0),
        duration: Fraction | None = None,
        keep_audio: bool = True,
    ) -> None:
        self.source = os.fspath(source)
        self._muxer = muxer
        self._start = start
        self._duration = duration
        self._container = open_container(source)
        self._origin = start_of(self._container) + start
        main = main_video(self._container, self.source)
        self._streams = {s.index: s for s in self._container.streams if s.index != main.index}
        self.plans = [plan_stream(stream, muxer, keep_audio) for stream in self._streams.values()]
        self.notices = [plan.note for plan in self.plans if plan.note]
        self._outputs: dict[int, Stream] = {}
        self._packets = self._demuxed()
        self._held: av.Packet | None = None

    def tags(self) -> dict[str, str]:
        """The source's title and other tags, without its recipe."""
        return without_recipe(dict(self._container.metadata))

    def attach(self, output: av.container.OutputContainer) -> None:
        """Add the planned streams, attachments and chapters to an output whose header is not yet written."""
        for plan in self.plans:
            stream = self._streams[plan.index]
            if plan.action == "attach":
                output.add_attachment(
                    stream.metadata.get("filename", f"attachment-{plan.index}"), _mimetype(stream), bytes(stream.data)
                )
            elif plan.action == "copy":
                self._outputs[plan.index] = _like(output.add_stream_from_template(stream), stream)
            elif plan.action == "text":
                added = output.add_mux_stream(_TEXT_TARGET[self._muxer])
                header = text_header(_TEXT_TARGET[self._muxer])
                if header:
                    added.codec_context.extradata = header
                added.time_base = Fraction(1, 1000)
                self._outputs[plan.index] = _like(added, stream)
        chapters = self._chapters()
        if chapters and self._muxer != "webm":
            output.set_chapters(chapters)

    def until(self, time: Fraction | None) -> Iterator[av.Packet]:
        """Packets that belong before `time` seconds of the output; all that are left for None. Closes the source at its end."""
        while True:
            if self._held is None:
                self._held = next(self._packets, None)
            if self._held is None:
                self.close()
                return
            packet = self._held
            tick = packet.dts if packet.dts is not None else packet.pts
            if time is not None and tick is not None and tick * packet.time_base > time:
                return
            self._held = None
            yield packet

    def close(self) -> None:
        self._container.close()

    def _demuxed(self) -> Iterator[av.Packet]:
        chosen = [self._streams[index] for index in self._outputs]
        if not chosen:
            return
        actions = {plan.index: plan.action for plan in self.plans}
        if self._start:
            self._container.seek(int(self._origin * 1_000_000))
        for packet in self._container.demux(chosen):
            if packet.pts is None or not packet.size:
                continue
            index = packet.stream_index
            time = packet.pts * packet.time_base - self._origin
            length = (packet.duration or 0) * packet.time_base
            if self._start and time + length <= 0:
                continue
            if self._duration is not None and time >= self._duration:
                continue
            if actions[index] == "text":
                packet = self._as_text(packet, index)
            shift = round(self._origin / packet.time_base)
            packet.pts -= shift
            if packet.dts is not None:
                packet.dts -= shift
            packet.stream = self._outputs[index]
            yield packet

    def _as_text(self, packet: av.Packet, index: int) -> av.Packet:
        codec = next(plan.codec for plan in self.plans if plan.index == index)
        fresh = av.Packet(convert_text(bytes(packet), codec, _TEXT_TARGET[self._muxer]))
        fresh.pts, fresh.dts, fresh.duration = packet.pts, packet.dts, packet.duration
        fresh.time_base = packet.time_base
        fresh.is_keyframe = True
        return fresh

    def _chapters(self) -> list[av.container.core.Chapter]:
        kept = []
        end_of_cut = None if self._duration is None else self._duration
        for chapter in self._container.chapters():
            base = chapter["time_base"] or Fraction(1, 1000)
            begin, end = chapter["start"] * base - self._origin, chapter["end"] * base - self._origin
            if end <= 0 or (end_of_cut is not None and begin >= end_of_cut):
                continue
            begin, end = max(begin, Fraction(0)), end if end_of_cut is None else min(end, end_of_cut)
            kept.append({**chapter, "start": round(begin / base), "end": round(end / base), "time_base": base})
        return kept


@lru_cache
def holdable_codecs(muxer: str) -> frozenset[str]:
    """Names of the codecs that libavformat can store in this container."""
    with av.open(io.BytesIO(), mode="w", format=muxer) as probe:
        return frozenset(probe.supported_codecs)


def plan_stream(stream: Stream, muxer: str, keep_audio: bool = True) -> Plan:
    """Decide what becomes of a stream in a container of type `muxer`."""
    codec = stream.codec_context.name if stream.codec_context is not None else "unknown"
    name = f"stream {stream.index} ({stream.type} {codec})"

    def plan(action: str, note: str = "") -> Plan:
        return Plan(stream.index, stream.type, codec, action, note)

    if stream.type == "audio":
        if not keep_audio:
            return plan("drop", f"{name} is left out as asked")
        if stream.codec_context is not None and stream.codec_context.codec.canonical_name in holdable_codecs(muxer):
            return plan("copy")
        raise UsageError(
            f"{name} can't be copied into {muxer}", hint="Name the output .mkv, which holds nearly any audio, or pass --no-audio."
        )
    if stream.type == "subtitle":
        return _plan_subtitle(plan, codec, name, muxer)
    if stream.type == "attachment":
        return _plan_attachment(plan, stream, name, muxer)
    if stream.type == "video" and stream.disposition & Disposition.attached_pic and codec in _COVERS:
        return plan("copy") if muxer in ("mp4", "matroska") else plan("drop", f"{name}, a cover, does not fit into {muxer}")
    return plan("drop", f"{name} is left out: only the main video, audio, subtitles and attachments are carried")


def _plan_subtitle(plan, codec: str, name: str, muxer: str) -> Plan:  # noqa: ANN001 - the closure of plan_stream
    if muxer == "matroska" and codec in _MATROSKA_SUBTITLES:
        return plan("copy")
    if muxer in ("mp4", "mov") and codec == "mov_text":
        return plan("copy")
    if codec in TEXT_CODECS and muxer in _TEXT_TARGET:
        return plan("text", f"{name} is repackaged as {_TEXT_TARGET[muxer]}, text and times unchanged")
    return plan("drop", f"{name} does not fit into {muxer} and is left out: name the output .mkv to keep it")


def _plan_attachment(plan, stream: Stream, name: str, muxer: str) -> Plan:  # noqa: ANN001 - the closure of plan_stream
    if muxer != "matroska":
        return plan("drop", f"{name} is left out: only Matroska carries attachments; name the output .mkv to keep it")
    if len(bytes(stream.data)) > limits.MAX_ATTACHMENT_BYTES:  # type: ignore[attr-defined]
        return plan("drop", f"{name} is left out: it is larger than {limits.MAX_ATTACHMENT_BYTES:,} bytes")
    return plan("attach")


def _like(added: Stream, source: Stream) -> Stream:
    for key, value in source.metadata.items():
        if key.lower() in ("language", "title", "handler_name"):
            added.metadata[key] = value
    added.disposition = source.disposition
    return added


def _mimetype(stream: Stream) -> str:
    return getattr(stream, "mimetype", None) or stream.metadata.get("mimetype") or "application/octet-stream"
