"""Small synthetic videos of every awkward kind, made with PyAV in a few lines each: `KINDS` names them, `Library` makes them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.stream import Disposition

RATE = 48_000
NONE = Disposition(0)


@dataclass
class Audio:
    """One track of a tone."""

    codec: str = "aac"
    language: str | None = None
    disposition: Disposition = NONE
    pitch: float = 0.05
    rate: int = RATE
    #: Seconds at which it begins.
    start: float = 0.0


@dataclass
class Film:
    """What to make; the defaults are a second of plain H.264."""

    frames: int = 12
    size: tuple[int, int] = (256, 256)
    codec: str = "libx264"
    pixel_format: str = "yuv420p"
    rate: Fraction = Fraction(24)
    #: Seconds of each frame; None: steady at `rate`.
    times: list[Fraction] | None = None
    time_base: Fraction | None = None
    options: dict[str, str] = field(default_factory=dict)
    audio: tuple[Audio, ...] = ()
    #: Codec of a text track, and its lines as (text, start, duration) in milliseconds.
    subtitles: tuple[str, tuple[tuple[str, int, int], ...]] | None = None
    #: (name, media type, bytes)
    attachments: tuple[tuple[str, str, bytes], ...] = ()
    #: (title, start, end) in milliseconds.
    chapters: tuple[tuple[str, int, int], ...] = ()
    cover: bool = False
    #: Codes of matrix, primaries, transfer; and full range.
    color: tuple[int, int, int] = (2, 2, 2)
    full_range: bool = False
    aspect: Fraction = Fraction(1)
    tags: dict[str, str] = field(default_factory=dict)
    #: Add the main video after the audio.
    video_last: bool = False
    #: Options of the muxer.
    muxer: dict[str, str] = field(default_factory=dict)


def picture(t: int, size: tuple[int, int], pixel_format: str = "yuv420p") -> av.VideoFrame:
    """A moving pattern with a bright upper left corner, so that every rotation shows."""
    width, height = size
    rows, columns = np.mgrid[0:height, 0:width]
    wave = 110 + 60 * np.sin((columns + 4 * t) / 9) * np.cos((rows + 2 * t) / 7)
    rgb = np.stack([wave, wave[::-1] / 2 + 40, wave[:, ::-1]], -1).astype(np.uint8)
    rgb[: height // 4, : width // 4] = 225
    if pixel_format.startswith("yuva"):
        return av.VideoFrame.from_ndarray(np.dstack([rgb, rgb[..., :1]]), format="rgba").reformat(format=pixel_format)
    return av.VideoFrame.from_ndarray(rgb, format="rgb24").reformat(format=pixel_format)


def make(path: Path, film: Film) -> Path:
    """Write the film; the container goes by the suffix."""
    with av.open(f"file:{path}", "w", container_options=film.muxer) as out:
        out.metadata.update(film.tags)
        streams: dict[str, Any] = {}
        for name in ("audio", "video") if film.video_last else ("video", "audio"):
            streams[name] = _video(out, film) if name == "video" else [_audio(out, audio) for audio in film.audio]
        text = _text(out, film) if film.subtitles else None
        for name, kind, data in film.attachments:
            out.add_attachment(name, kind, data)
        cover = _cover(out) if film.cover else None
        if film.chapters:
            out.set_chapters([_chapter(i, *chapter) for i, chapter in enumerate(film.chapters)])
        if cover is not None:
            out.mux(cover.encode(picture(0, (64, 64), "yuvj420p")))
            out.mux(cover.encode(None))
        _mux_all(out, film, streams["video"], list(zip(streams["audio"], film.audio, strict=True)), text)
    return path


def _video(out: Any, film: Film) -> Any:
    video = out.add_stream(film.codec, rate=film.rate)
    (video.width, video.height), video.pix_fmt = film.size, film.pixel_format
    base = film.time_base or 1 / film.rate
    video.time_base = video.codec_context.time_base = base
    video.options = {**({"preset": "ultrafast"} if film.codec in ("libx264", "libx265") else {}), **film.options}
    if film.codec == "libx265":
        video.options = {
            **video.options,
            "x265-params": ":".join(filter(None, ["log-level=none", film.options.get("x265-params")])),
        }
    context = video.codec_context
    context.sample_aspect_ratio = film.aspect
    context.colorspace, context.color_primaries, context.color_trc = film.color
    context.color_range = 2 if film.full_range else 1
    return video


def _audio(out: Any, audio: Audio) -> Any:
    track = out.add_stream(audio.codec, rate=audio.rate)
    if audio.language:
        track.metadata["language"] = audio.language
    track.codec_context.bit_rate = 128_000
    track.disposition = audio.disposition
    return track


def _text(out: Any, film: Film) -> Any:
    assert film.subtitles
    if film.subtitles[0] == "ass":
        text = out.add_stream("ass")
        text.codec_context.subtitle_header = b"[Script Info]\nScriptType: v4.00+\n\n[Events]\n"
    else:
        text = out.add_mux_stream(film.subtitles[0])
    text.time_base = Fraction(1, 1000)
    text.metadata["language"] = "fra"
    return text


def _cover(out: Any) -> Any:
    cover = out.add_stream("mjpeg", rate=24)
    cover.width = cover.height = 64
    cover.pix_fmt, cover.disposition = "yuvj420p", Disposition.attached_pic
    return cover


def _chapter(index: int, title: str, start: int, end: int) -> Any:
    return {"id": index + 1, "start": start, "end": end, "time_base": Fraction(1, 1000), "metadata": {"title": title}}


def _mux_all(out: Any, film: Film, video: Any, audios: list[tuple[Any, Audio]], text: Any) -> None:
    base = film.time_base or 1 / film.rate
    times = film.times or [t / film.rate for t in range(film.frames)]
    for t, time in enumerate(times):
        frame = picture(t, film.size, film.pixel_format)
        frame.colorspace, frame.color_primaries, frame.color_trc = film.color
        frame.color_range = 2 if film.full_range else 1
        frame.pts, frame.time_base = round(time / base), base
        out.mux(video.encode(frame))
    out.mux(video.encode(None))
    for track, audio in audios:
        _tone(out, track, audio, float(times[-1]) + 0.2)
    if text is not None and film.subtitles:
        for line, start, duration in film.subtitles[1]:
            packet = av.Packet(line.encode())
            packet.stream, packet.time_base, packet.is_keyframe = text, Fraction(1, 1000), True
            packet.pts = packet.dts = start
            packet.duration = duration
            out.mux(packet)


def _tone(out: Any, track: Any, audio: Audio, seconds: float) -> None:
    block = 1024
    for n in range(int(seconds * audio.rate / block)):
        wave = np.sin(np.arange(n * block, (n + 1) * block) * audio.pitch) * 0.5
        samples = np.stack([wave, wave]).astype(np.float32)
        frame = av.AudioFrame.from_ndarray(samples, format="fltp", layout="stereo")
        frame.rate, frame.time_base = audio.rate, Fraction(1, audio.rate)
        frame.pts = n * block + round(audio.start * audio.rate)
        out.mux(track.encode(frame))
    out.mux(track.encode(None))


def payloads(path: Path | str, kind: str) -> list[list[str]]:
    """For each stream of a kind, the hashes of its packets' bytes, in order."""
    with av.open(f"file:{path}") as source:
        chosen = [s for s in source.streams if s.type == kind and not s.disposition & Disposition.attached_pic]
        found: dict[int, list[str]] = {stream.index: [] for stream in chosen}
        for packet in source.demux(chosen) if chosen else ():
            if packet.size:
                found[packet.stream_index].append(hashlib.sha256(bytes(packet)).hexdigest())
    return list(found.values())


def packet_times(path: Path | str, kind: str, index: int = 0) -> list[Fraction]:
    """Presentation times of one stream's packets in seconds, in order of presentation."""
    with av.open(f"file:{path}") as source:
        stream = [s for s in source.streams if s.type == kind][index]
        return sorted(p.pts * p.time_base for p in source.demux(stream) if p.size and p.pts is not None)


def texts(path: Path | str) -> list[tuple[str, float, float]]:
    """Lines of the first subtitle track as (text, start, duration) in seconds, without Timed Text's empty ones."""
    lines = []
    with av.open(f"file:{path}") as source:
        stream = source.streams.subtitles[0]
        for packet in source.demux(stream):
            data = bytes(packet)
            if stream.codec_context.name == "mov_text":
                data = data[2 : 2 + int.from_bytes(data[:2], "big")]
            if packet.size and data:
                base = packet.time_base
                lines.append((data.decode(), float(packet.pts * base), float((packet.duration or 0) * base)))
    return lines


def turned(path: Path, degrees: int) -> Path:
    """Patch the display matrix of an MP4's first track, as cameras write it: players turn the picture clockwise by `degrees`."""
    one = 0x10000
    a, b, c, d = {90: (0, one, -one, 0), 180: (-one, 0, 0, -one), 270: (0, -one, one, 0)}[degrees]
    data = bytearray(path.read_bytes())
    at = data.index(b"tkhd") + 4 + 40  # version 0: the matrix comes after 40 bytes
    numbers = (a, b, 0, c, d, 0, 0, 0, 0x40000000)
    data[at : at + 36] = b"".join((n & 0xFFFFFFFF).to_bytes(4, "big") for n in numbers)
    path.write_bytes(data)
    return path


HDR10_PARAMS = (
    "hdr10=1:repeat-headers=1:max-cll=1000,400:master-display=G(13250,34500)B(7500,3000)R(34000,16000)WP(15635,16450)L(10000000,50)"
)
LINES = (("Bonjour", 40, 200), ("Été à l’île — 日本語", 300, 100))
VFR = [Fraction(t, 1000) for t in (0, 33, 41, 140, 141, 333, 500, 517, 600, 601, 777, 900)]

#: Name of a kind -> the file's suffix and what it is.
KINDS: dict[str, tuple[str, Film]] = {
    "plain": (".mp4", Film(audio=(Audio(),))),
    "plain_mkv": (".mkv", Film(audio=(Audio("flac"),))),
    "silent": (".mp4", Film()),
    "second": (".mp4", Film(frames=24, options={"g": "6", "bf": "2", "preset": "veryfast"}, audio=(Audio(),))),
    "second_mkv": (".mkv", Film(frames=24, options={"g": "6"}, audio=(Audio("libopus"),))),
    "tracks": (
        ".mkv",
        Film(
            audio=(
                Audio("aac", "eng", Disposition.default),
                Audio("ac3", "jpn", NONE, 0.07),
                Audio("aac", "deu", Disposition.comment, 0.09),
            )
        ),
    ),
    "srt": (".mkv", Film(subtitles=("subrip", LINES))),
    "ass": (".mkv", Film(subtitles=("ass", (("0,0,Default,,0,0,0,,{\\i1}styled{\\i0}", 100, 200),)))),
    "chapters": (".mkv", Film(frames=24, chapters=(("Début", 0, 500), ("Fin", 500, 1000)))),
    "attachment": (".mkv", Film(attachments=(("Ünï.ttf", "application/x-truetype-font", bytes(range(256)) * 40),))),
    "cover_mp4": (".mp4", Film(cover=True, audio=(Audio(),))),
    "wide": (".mp4", Film(size=(320, 256))),
    "vfr": (".mp4", Film(times=VFR, time_base=Fraction(1, 90_000))),
    "vfr_mkv": (".mkv", Film(times=VFR, time_base=Fraction(1, 1000))),
    "odd": (".mkv", Film(size=(263, 257), codec="ffv1")),
    "ten": (".mp4", Film(codec="libx265", pixel_format="yuv420p10le")),
    "full": (".mp4", Film(color=(5, 5, 6), full_range=True)),
    "bt709": (".mp4", Film(color=(1, 1, 1))),
    "hdr10": (
        ".mp4",
        Film(8, codec="libx265", pixel_format="yuv420p10le", color=(9, 9, 16), options={"x265-params": HDR10_PARAMS}),
    ),
    "interlaced": (".mkv", Film(options={"flags": "+ildct+ilme", "x264-params": "tff=1"})),
    "anamorphic": (".mp4", Film(aspect=Fraction(16, 11))),
    "alpha_ffv1": (".mkv", Film(codec="ffv1", pixel_format="yuva420p")),
    "alpha_vp9": (".webm", Film(codec="libvpx-vp9", pixel_format="yuva420p", options={"deadline": "realtime", "cpu-used": "8"})),
    "rgba": (".mkv", Film(codec="ffv1", pixel_format="bgra")),
    "rgb": (".mkv", Film(codec="libx264rgb", pixel_format="rgb24", options={"preset": "ultrafast"})),
    "grey": (".mkv", Film(codec="ffv1", pixel_format="gray")),
    "422": (".mkv", Film(codec="ffv1", pixel_format="yuv422p")),
    "444": (".mp4", Film(pixel_format="yuv444p")),
    "one": (".mp4", Film(1, audio=(Audio(),))),
    "two": (".mp4", Film(2)),
    "three": (".mkv", Film(3)),
    "ts": (".ts", Film(frames=24, audio=(Audio(),), options={"g": "8"}, muxer={"output_ts_offset": "7.3"})),
    "avi": (".avi", Film(frames=24, options={"bf": "2", "preset": "veryfast"}, audio=(Audio("libmp3lame"),))),
    "asf": (".asf", Film(frames=24, options={"bf": "2", "preset": "veryfast"}, audio=(Audio("wmav2"),))),
    "video_last": (".mkv", Film(video_last=True, audio=(Audio(),))),
    "pcm": (".mkv", Film(audio=(Audio("pcm_s16le"),))),
}


@dataclass
class Library:
    """Makes each kind of clip at most once."""

    folder: Path
    build: Callable[[Path, Film], Path] = make

    def __call__(self, kind: str) -> Path:
        suffix, film = KINDS[kind]
        path = self.folder / f"{kind}{suffix}"
        return path if path.exists() else self.build(path, film)

    def all(self, kinds: Iterable[str]) -> list[Path]:
        return [self(kind) for kind in kinds]
