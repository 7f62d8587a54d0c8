"""Audio into another container: copied where it can hold it, else decoded and stored losslessly as FLAC (QuickTime: ALAC)."""

from __future__ import annotations

import io
from fractions import Fraction

import av
import av.audio.frame
import av.audio.stream
import av.container
import av.error
from av.stream import Stream

#: Muxer -> the lossless codec that it holds.
LOSSLESS = {"mp4": "flac", "mov": "alac", "matroska": "flac"}
#: The limits of FLAC and ALAC.
_MAX_CHANNELS, _MAX_RATE = 8, 384_000
#: Channels -> the layout to assume where the source names none (PCM in Matroska): MP4 wants one.
_LAYOUTS = {1: "mono", 2: "stereo", 3: "2.1", 4: "4.0", 5: "5.0", 6: "5.1", 7: "6.1", 8: "7.1"}
#: Seconds by which stamps may differ from the count of samples without being a gap: ASF and Matroska write milliseconds.
_ROUNDING = Fraction(1, 20)
_16_BITS = ("u8", "u8p", "s16", "s16p")


def describe_aac(stream: Stream, packet: bytes) -> None:
    """Give a stream of AAC the AudioSpecificConfig (ISO/IEC 14496-3) that the ADTS head of its first packet implies.

    MPEG-TS has such heads in place of a description of the stream, and Matroska wants one before the first packet.
    """
    context = stream.codec_context
    if context is None or context.extradata or len(packet) < 7 or packet[0] != 0xFF or packet[1] & 0xF6 != 0xF0:
        return
    profile, rate, channels = packet[2] >> 6, packet[2] >> 2 & 15, (packet[2] & 1) << 2 | packet[3] >> 6
    context.extradata = ((profile + 1) << 11 | rate << 7 | channels << 3).to_bytes(2, "big")


def add_copy(output: av.container.OutputContainer, source: Stream) -> Stream:
    """A stream of `output` that takes the packets of `source` as they are. Raises `ValueError` where it can't."""
    added = output.add_stream_from_template(source)
    context = added.codec_context
    if isinstance(context, av.AudioCodecContext) and context.layout.name.endswith("channels") and context.channels in _LAYOUTS:
        context.layout = _LAYOUTS[context.channels]
    return added


def holds(muxer: str, stream: Stream) -> bool:
    """Whether a container of type `muxer` can hold a copy of the stream; tried out, since FFmpeg's own tables promise too much."""
    try:
        with av.open(io.BytesIO(), mode="w", format=muxer) as trial:
            add_copy(trial, stream)
            trial.start_encoding()
    except (ValueError, av.error.FFmpegError):
        return False
    return True


def fits_lossless(stream: av.audio.stream.AudioStream, muxer: str) -> bool:
    """Whether the stream can be decoded and stored losslessly in a container of type `muxer`."""
    context = stream.codec_context
    return muxer in LOSSLESS and 0 < context.channels <= _MAX_CHANNELS and 0 < context.sample_rate <= _MAX_RATE


class LosslessTrack:
    """A FLAC or ALAC track of `output`, fed with packets of `source`; 16 bits a sample where the source has no more, else 24."""

    def __init__(self, output: av.container.OutputContainer, source: av.audio.stream.AudioStream, codec: str) -> None:
        self._source = source
        self._rate = source.codec_context.sample_rate
        self.stream: av.audio.stream.AudioStream = output.add_stream(codec, rate=self._rate)  # type: ignore[assignment]
        context = self.stream.codec_context
        context.layout = _LAYOUTS[source.codec_context.channels]
        deep = source.codec_context.format.name not in _16_BITS
        context.format = ("s32" if deep else "s16") + ("p" if codec == "alac" else "")
        #: Number of the sample that should come next.
        self._next: int | None = None

    def convert(self, packet: av.Packet | None) -> list[av.Packet]:
        """Packets in the source's time; None brings out what decoder and encoder hold back."""
        decoded = [self._timed(frame, packet) for frame in self._source.decode(packet)]
        frames = [*decoded, None] if packet is None else decoded
        made = [fresh for frame in frames for fresh in self.stream.encode(frame)]
        return [fresh for fresh in made if fresh.size]  # the last one only tells a checksum, and has no time

    def _timed(self, frame: av.audio.frame.AudioFrame, packet: av.Packet | None) -> av.audio.frame.AudioFrame:
        """Count samples, and follow the stamps only over real gaps: coarse or missing stamps would tear the sound apart."""
        stamp, base = frame.pts, frame.time_base
        if stamp is None and packet is not None and self._next is None:
            stamp, base = packet.pts, packet.time_base
        start = self._next or 0
        if stamp is not None and base:
            stamped = round(stamp * Fraction(base) * self._rate)
            if self._next is None or abs(stamped - self._next) > _ROUNDING * self._rate:
                start = stamped
        frame.pts, frame.time_base = start, Fraction(1, self._rate)
        self._next = start + frame.samples
        return frame
