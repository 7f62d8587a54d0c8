"""What is not the main video: audio, subtitles, chapters, attachments and covers, copied bit by bit beside the new picture.

A second demuxer runs over the source and hands out packets up to a given time, so that audio and video interleave and memory
stays constant. `carry` says what becomes of each stream.

    demux -> times that only rise -> [text repackaged, audio converted] -> cut to [start, start + duration), shifted by -start
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from math import ceil

import av
import av.container
import av.error
from av.stream import Stream

from ..errors import CorruptInput
from .audio import LOSSLESS, LosslessTrack, add_copy, describe_aac
from .carry import COVERS, TEXT_TARGET, Plan, plan_stream
from .metadata import without_recipe
from .probe import main_video, start_of
from .source import open_container, open_input
from .subtitles import STYLE, convert_text
from .timing import RESET, check_time

#: Seconds before a cut at which to begin reading: packets of one moment are not stored side by side.
_EARLY = 5
#: Seconds after a cut's end from which nothing of the cut is expected any more.
_LATE = 10
#: Title of a track that means nothing.
FILLER = "revivid filler"


@dataclass
class _Track:
    """One carried stream and the running state of its times."""

    plan: Plan
    source: Stream
    output: Stream
    lossless: LosslessTrack | None = None
    offset: int = 0
    last: int | None = None
    end: int = 0
    step: int = 0

    def stamp(self, packet: av.Packet) -> None:
        """Give the packet both its times. Decoding times only rise, as muxers demand; where the clock steps back, it goes on."""
        pts = packet.pts if packet.pts is not None else packet.dts
        pts = (self.end if pts is None else pts + self.offset) or 0
        dts = pts if packet.dts is None else packet.dts + self.offset
        base = packet.time_base
        if self.last is not None and dts < self.last:
            if (self.last - dts) * base > RESET:
                self.offset += self.end - dts
                pts, dts = pts + self.end - dts, self.end
            else:
                dts = self.last
        if self.last is not None and dts == self.last and self.plan.kind == "audio":
            dts += max(1, ceil(Fraction(1, 1000) / base))
        pts = max(pts, dts)
        packet.pts, packet.dts = pts, dts
        if self.last is not None:
            self.step = dts - self.last
        if not packet.duration and self.plan.kind == "audio":  # Matroska often has none, and MP4 drops a last packet without
            packet.duration = self.step
        self.last, self.end = dts, max(self.end, pts + (packet.duration or 0))


@dataclass
class _Cover:
    stream: Stream
    picture: bytes = field(repr=False)


class Passthrough:
    """The other streams of `source` for an output of libavformat's `muxer`, cut to [start, start + duration) and shifted by -start.

    `plans` and `notices` are known before anything is written. Raises `UsageError` where an audio track can't be kept. Damage
    raises `CorruptInput`, or with `allow_damaged` is left out and counted in `errors`. `beside`: the source holds only what once
    stood beside a picture, so no stream of it is the main video and its times count from zero.
    """

    def __init__(
        self,
        source: str | os.PathLike[str],
        muxer: str,
        *,
        start: Fraction = Fraction(0),
        duration: Fraction | None = None,
        keep_audio: bool = True,
        allow_damaged: bool = False,
        beside: bool = False,
    ) -> None:
        self.source = os.fspath(source)
        self.errors = 0
        self._muxer = muxer
        self._start = start
        self._duration = duration
        self._allow_damaged = allow_damaged
        self._container = open_container(source)
        self._origin = start if beside else start_of(self._container) + start
        main = None if beside else main_video(self._container, self.source).index
        self._streams = {s.index: s for s in self._container.streams if s.index != main and not is_filler(s)}
        self.plans = [plan_stream(stream, muxer, keep_audio) for stream in self._streams.values()]
        self.notices = [plan.note for plan in self.plans if plan.note]
        self._tracks: dict[int, _Track] = {}
        self._covers: list[_Cover] = []
        self._packets = self._cut_packets()
        self._held: av.Packet | None = None

    def tags(self) -> dict[str, str]:
        """The source's title and other tags, without its recipe."""
        return without_recipe(dict(self._container.metadata))

    @property
    def empty(self) -> bool:
        """Nothing is carried: no stream, no attachment, no chapter."""
        return all(plan.action == "drop" for plan in self.plans) and not self._chapters()

    @property
    def has_packets(self) -> bool:
        """Streams are carried that have packets: attachments have none."""
        return any(plan.action not in ("drop", "attach", "cover") for plan in self.plans)

    def attach(self, output: av.container.OutputContainer, *, one_way: bool = False) -> None:
        """Add the planned streams, attachments and chapters to an output whose header is not yet written.

        `one_way`: nobody can go back in it, so its header must say all from the start.
        """
        for plan in self.plans:
            stream = self._streams[plan.index]
            if plan.action == "attach":
                _attach(output, stream, plan.index, bytes(stream.data))  # type: ignore[attr-defined]
            elif plan.action == "cover":
                self._add_cover(output, stream, plan)
            elif plan.action != "drop":
                self._tracks[plan.index] = track = self._added(output, stream, plan)
                if one_way and plan.action == "copy" and plan.codec == "aac":
                    describe_aac(track.output, _first_packet(self.source, plan.index))
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
            if time is not None and packet.dts is not None and packet.dts * packet.time_base > time:
                return
            self._held = None
            yield packet

    def refused(self, what: str, cause: Exception) -> None:
        """A packet can't be read or stored: raises `CorruptInput`, or counts it where damage is allowed."""
        self.errors += 1
        if not self._allow_damaged:
            raise CorruptInput(
                f"{self.source}: beside the video, {what}", hint="Pass --allow-damaged to leave it out, or --no-audio."
            ) from cause

    def close(self) -> None:
        self._container.close()

    def _added(self, output: av.container.OutputContainer, stream: Stream, plan: Plan) -> _Track:
        if plan.action == "convert":
            lossless = LosslessTrack(output, stream, LOSSLESS[self._muxer])  # type: ignore[arg-type]
            return _Track(plan, stream, _like(lossless.stream, stream), lossless)
        if plan.action == "copy":
            return _Track(plan, stream, _like(add_copy(output, stream), stream))
        if self._muxer == "matroska":
            added = output.add_mux_stream(TEXT_TARGET[self._muxer])
        else:  # an encoder that encodes nothing: only its description of the text is wanted
            added = output.add_stream(TEXT_TARGET[self._muxer])
            added.codec_context.subtitle_header = STYLE.encode()  # type: ignore[union-attr]
        added.time_base = Fraction(1, 1000)
        return _Track(plan, stream, _like(added, stream))

    def _add_cover(self, output: av.container.OutputContainer, stream: Stream, plan: Plan) -> None:
        picture = _first_packet(self.source, plan.index)
        if self._muxer == "matroska":
            stream.metadata.setdefault("filename", f"cover.{'jpg' if plan.codec == 'mjpeg' else 'png'}")
            stream.metadata.setdefault("mimetype", COVERS[plan.codec])
            _attach(output, stream, plan.index, picture)
        else:
            added = output.add_stream_from_template(stream, opaque=True)
            added.disposition = stream.disposition
            self._covers.append(_Cover(added, picture))

    def _cut_packets(self) -> Iterator[av.Packet]:
        """What goes into the output, in its time."""
        for cover in self._covers:
            packet = av.Packet(cover.picture)
            packet.stream, packet.time_base, packet.is_keyframe = cover.stream, Fraction(1, 90_000), True
            packet.pts = packet.dts = 0
            yield packet
        for track, packet in self._converted():
            base, pts = packet.time_base, packet.pts or 0
            time, length = pts * base - self._origin, (packet.duration or 0) * base
            check_time(time, self.source)
            if self._duration is not None and time >= self._duration:
                if time > self._duration + _LATE:
                    return
                continue
            shift = round(self._origin / base)
            if self._start and time < 0:
                if track.plan.kind == "audio" or time + length <= 0:
                    continue
                packet.duration = (packet.duration or 0) + pts - shift
                packet.pts = packet.dts = pts = shift
            packet.pts, packet.dts = pts - shift, (packet.dts or 0) - shift
            packet.stream = track.output
            yield packet

    def _converted(self) -> Iterator[tuple[_Track, av.Packet]]:
        for packet in self._demuxed():
            track = self._tracks[packet.stream_index]
            track.stamp(packet)
            if track.lossless is not None:
                yield from self._as_lossless(track, packet)
            elif track.plan.action == "text":
                if (text := self._as_text(packet, track)) is not None:
                    yield track, text
            else:
                yield track, packet
        for track in self._tracks.values():
            if track.lossless is not None:
                yield from self._as_lossless(track, None)

    def _demuxed(self) -> Iterator[av.Packet]:
        chosen = [track.source for track in self._tracks.values()]
        if not chosen:
            return
        if self._start > _EARLY:
            self._container.seek(int((self._origin - _EARLY) * 1_000_000))
        packets = self._container.demux(chosen)
        while True:
            try:
                packet = next(packets)
            except (StopIteration, av.error.EOFError):
                return
            except av.error.FFmpegError as exc:
                self.refused(f"reading stopped: {exc.strerror}", exc)
                return
            if packet.size:
                yield packet

    def _as_lossless(self, track: _Track, packet: av.Packet | None) -> Iterator[tuple[_Track, av.Packet]]:
        assert track.lossless is not None
        try:
            made = track.lossless.convert(packet)
        except (av.error.FFmpegError, ValueError) as exc:
            self.refused(f"stream {track.plan.index} ({track.plan.codec}) does not decode", exc)
            return
        for fresh in made:
            yield track, fresh

    def _as_text(self, packet: av.Packet, track: _Track) -> av.Packet | None:
        payload = convert_text(bytes(packet), track.plan.codec, TEXT_TARGET[self._muxer])
        if not payload:  # Timed Text fills the time between two subtitles with empty ones
            return None
        fresh = av.Packet(payload)
        fresh.pts, fresh.dts, fresh.duration = packet.pts, packet.dts, packet.duration
        fresh.time_base = packet.time_base
        fresh.is_keyframe = True
        return fresh

    def _chapters(self) -> list[av.container.core.Chapter]:
        kept = []
        for chapter in self._container.chapters():
            base = chapter["time_base"] or Fraction(1, 1000)
            begin, end = chapter["start"] * base - self._origin, chapter["end"] * base - self._origin
            if end <= 0 or (self._duration is not None and begin >= self._duration):
                continue
            begin, end = max(begin, Fraction(0)), end if self._duration is None else min(end, self._duration)
            kept.append({**chapter, "start": round(begin / base), "end": round(end / base), "time_base": base})
        return kept


def is_filler(stream: Stream) -> bool:
    """Whether a stream is there only because Matroska files without any packet can't be read."""
    return stream.metadata.get("title") == FILLER


def _first_packet(source: str, index: int) -> bytes:
    """The bytes of a stream's first packet; of a cover, that is the picture."""
    with open_input(source) as container:
        for packet in container.demux(container.streams[index]):
            if packet.size:
                return bytes(packet)
    return b""


def _attach(output: av.container.OutputContainer, stream: Stream, index: int, data: bytes) -> None:
    name = stream.metadata.get("filename", f"attachment-{index}")
    mimetype = getattr(stream, "mimetype", None) or stream.metadata.get("mimetype") or "application/octet-stream"
    output.add_attachment(name, mimetype, data)


def _like(added: Stream, source: Stream) -> Stream:
    for key, value in source.metadata.items():
        if key.lower() in ("language", "title", "handler_name"):
            added.metadata[key] = value
    added.disposition = source.disposition
    return added
