"""What becomes of each stream that is not the main video, in a container of a given type; decided before anything is written."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from av.audio.stream import AudioStream
from av.stream import Disposition, Stream

from .. import limits
from ..errors import UsageError
from .audio import LOSSLESS, fits_lossless, holds
from .subtitles import TEXT_CODECS

#: Muxer -> the codec that it stores plain text subtitles as.
TEXT_TARGET = {"mp4": "mov_text", "mov": "mov_text", "matroska": "subrip"}
_MATROSKA_SUBTITLES = {"subrip", "ass", "webvtt", "dvd_subtitle", "hdmv_pgs_subtitle", "dvb_subtitle"}
#: Codec of a cover picture -> its media type.
COVERS = {"mjpeg": "image/jpeg", "png": "image/png"}


@dataclass(frozen=True)
class Plan:
    """What happens to one stream of the source."""

    index: int
    kind: str
    codec: str
    #: copy, convert (audio that the container can't hold), text (subtitles whose packaging changes), attach, cover, drop
    action: str
    #: For people, where the action is not a plain copy.
    note: str = ""


def codec_of(stream: Stream) -> str:
    """FFmpeg's name of the format, whichever decoder would read it."""
    return stream.codec_context.codec.canonical_name if stream.codec_context is not None else "unknown"


def plan_stream(stream: Stream, muxer: str, keep_audio: bool = True) -> Plan:
    """Decide for one stream. Raises `UsageError` for audio that can be kept neither as it is nor losslessly."""
    codec = codec_of(stream)
    name = f"stream {stream.index} ({stream.type} {codec})"

    def plan(action: str, note: str = "") -> Plan:
        return Plan(stream.index, stream.type, codec, action, note)

    if stream.type == "audio":
        if not keep_audio:
            return plan("drop", f"{name} is left out as asked")
        return _plan_audio(plan, stream, name, muxer)
    if stream.type == "subtitle":
        return _plan_subtitle(plan, codec, name, muxer)
    if stream.type == "attachment":
        return _plan_attachment(plan, stream, name, muxer)
    if stream.type == "video" and stream.disposition & Disposition.attached_pic and codec in COVERS:
        fits = muxer in ("mp4", "matroska")
        return plan("cover") if fits else plan("drop", f"{name}, a cover, does not fit into {muxer} and is left out")
    if stream.type == "data" and stream.discard.name == "all":
        return plan("drop")  # MP4's hidden track of chapter titles: they are carried as chapters
    return plan("drop", f"{name} is left out: only the main video, audio, subtitles and attachments are carried")


_Decide = Callable[..., Plan]


def _plan_audio(plan: _Decide, stream: Stream, name: str, muxer: str) -> Plan:
    if holds(muxer, stream):
        return plan("copy")
    if isinstance(stream, AudioStream) and fits_lossless(stream, muxer):
        better = "; an .mkv would hold it as it is" if muxer != "matroska" and holds("matroska", stream) else ""
        codec = LOSSLESS[muxer].upper()
        return plan("convert", f"{name} can't be stored in {muxer}: converted to {codec}, which is lossless{better}")
    raise UsageError(
        f"{name} can't be stored in {muxer}", hint="Name the output .mkv, which holds nearly any audio, or pass --no-audio."
    )


def _plan_subtitle(plan: _Decide, codec: str, name: str, muxer: str) -> Plan:
    if muxer == "matroska" and codec in _MATROSKA_SUBTITLES:
        return plan("copy")
    if muxer in ("mp4", "mov") and codec == "mov_text":
        return plan("copy")
    if codec in TEXT_CODECS and muxer in TEXT_TARGET:
        return plan("text", f"{name} is repackaged as {TEXT_TARGET[muxer]}, text and times unchanged")
    return plan("drop", f"{name} does not fit into {muxer} and is left out: name the output .mkv to keep it")


def _plan_attachment(plan: _Decide, stream: Stream, name: str, muxer: str) -> Plan:
    if muxer != "matroska":
        return plan("drop", f"{name} is left out: only Matroska carries attachments; name the output .mkv to keep it")
    if len(bytes(stream.data)) > limits.MAX_ATTACHMENT_BYTES:  # type: ignore[attr-defined]
        return plan("drop", f"{name} is left out: it is larger than {limits.MAX_ATTACHMENT_BYTES:,} bytes")
    return plan("attach")
