"""Audio that the output's container can't hold as it is: decoded and stored as FLAC, which loses nothing that was audible."""

from __future__ import annotations

from fractions import Fraction

import av
import av.audio.frame
import av.audio.stream
import av.container

#: FLAC's own limits.
_MAX_CHANNELS, _MAX_RATE = 8, 655_350
#: Seconds by which stamps may differ from the count of samples without being a gap: ASF and Matroska write milliseconds.
_ROUNDING = Fraction(1, 20)
_16_BITS = ("u8", "u8p", "s16", "s16p")


def fits_flac(stream: av.audio.stream.AudioStream) -> bool:
    """Whether FLAC takes its channels and rate, and FFmpeg can decode it at all."""
    context = stream.codec_context
    return context is not None and 0 < context.channels <= _MAX_CHANNELS and 0 < context.sample_rate <= _MAX_RATE


class FlacTrack:
    """A FLAC track of `output`, fed with packets of `source`; 16 bits a sample where the source has no more, else 24."""

    def __init__(self, output: av.container.OutputContainer, source: av.audio.stream.AudioStream) -> None:
        self.stream = output.add_stream("flac", rate=source.codec_context.sample_rate)
        context = self.stream.codec_context
        context.layout = source.codec_context.layout
        context.format = "s16" if source.codec_context.format.name in _16_BITS else "s32"
        self._source = source
        self._rate = source.codec_context.sample_rate
        #: Number of the sample that should come next.
        self._next: int | None = None

    def convert(self, packet: av.Packet | None) -> list[av.Packet]:
        """FLAC packets in the source's time; None brings out what decoder and encoder hold back."""
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
