"""Bad input gives its typed error and leaves nothing behind; with `allow_damaged` what decodes is kept and said to be partial."""

from __future__ import annotations

import ctypes
import json
import os
import platform
import random
import struct
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np
import pytest

import revivid
from clips import Audio, Film, Library, make
from revivid.errors import (
    CorruptInput,
    InputNotReadable,
    LimitExceeded,
    PartialResult,
    RevividError,
    TruncatedInput,
    UsageError,
)

COMMAND = str(Path(sys.executable).with_name("revivid"))


def listing(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def squeeze(source, folder: Path, **options):
    """`compress` at full size, so that tiny clips do; the folder must hold no more afterwards than the output."""
    before = listing(folder)
    out = folder / "out.mp4"
    try:
        result = revivid.compress(source, out, encoder_preset="ultrafast", scale="1", **options)
    except PartialResult:
        assert listing(folder) == sorted([*before, out.name])
        raise
    except RevividError:
        assert listing(folder) == before
        raise
    assert listing(folder) == sorted([*before, out.name])
    return result


def refused(source, folder: Path, error: type[RevividError], code: int, **options) -> RevividError:
    """Every way in refuses the file with this error, and the error knows its exit code."""
    with pytest.raises(error) as caught:
        squeeze(source, folder, **options)
    assert caught.value.exit_code == code
    with pytest.raises(error):
        for _ in revivid.open_video(source):
            pass
    with pytest.raises(RevividError):
        revivid.restore(source, folder / "out.mp4", super_resolve=2)
    assert not (folder / "out.mp4").exists()
    return caught.value


def test_missing_file(tmp_path):
    error = refused(tmp_path / "none.mp4", tmp_path, InputNotReadable, 3)
    assert "no such file" in error.message


def test_a_name_that_no_file_can_have(tmp_path):
    refused(tmp_path / ("x" * 5000), tmp_path, InputNotReadable, 3)
    refused("with\0nul.mp4", tmp_path, InputNotReadable, 3)


def test_empty_file(tmp_path):
    (tmp_path / "empty.mp4").touch()
    assert "empty" in refused(tmp_path / "empty.mp4", tmp_path, InputNotReadable, 3).message


def test_a_folder(tmp_path):
    (tmp_path / "folder.mp4").mkdir()
    assert "folder" in refused(tmp_path / "folder.mp4", tmp_path, InputNotReadable, 3).message


def test_a_named_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe.mp4")
    refused(tmp_path / "pipe.mp4", tmp_path, InputNotReadable, 3)


@pytest.fixture
def unprivileged() -> Iterator[Path]:
    """Root reads everything, so where tests run as root this one runs as nobody, in a folder that nobody may enter and write."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o777)
        if os.geteuid() != 0:
            yield folder
            return
        _become(65534)
        try:
            yield folder
        finally:
            _become(0)


def _become(user: int) -> None:
    """Of this thread only, where the system call's number is known: `os.seteuid` interrupts all, which ended a worker."""
    if sys.platform == "linux" and platform.machine() == "x86_64":
        assert ctypes.CDLL(None, use_errno=True).syscall(117, -1, user, -1) == 0  # setresuid
    else:
        os.seteuid(user)


def test_no_permission(unprivileged: Path) -> None:
    locked = unprivileged / "locked.mp4"
    locked.write_bytes(b"nobody may read this")
    locked.chmod(0)
    assert "permission" in refused(locked, unprivileged, InputNotReadable, 3).message


@pytest.mark.parametrize("text", ["Dear diary, ...\n" * 100, "{}", "\0" * 5000, "GIF89a", "RIFF"])
def test_text_renamed_to_video(tmp_path, text):
    (tmp_path / "text.mp4").write_text(text)
    refused(tmp_path / "text.mp4", tmp_path, RevividError, 4 if text == "RIFF" else 3)


@pytest.mark.parametrize(
    "script",
    [
        "#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\n{0}\n#EXT-X-ENDLIST\n",
        "ffconcat version 1.0\nfile {0}\n",
        "file '{0}'\n",
        '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011"><Period><BaseURL>{0}</BaseURL></Period></MPD>',
        "[playlist]\nFile1={0}\n",
        ";FFMETADATA1\ntitle=x\n",
        "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nm=video 5004 RTP/AVP 96\na=rtpmap:96 H264/90000\n",
    ],
)
@pytest.mark.parametrize("suffix", [".mp4", ".m3u8", ".txt", ".mpd"])
def test_playlists_and_scripts_open_nothing(library: Library, tmp_path, script, suffix):
    """They would make revivid read other files and addresses."""
    path = tmp_path / f"list{suffix}"
    path.write_text(script.format(library("three")))
    refused(path, tmp_path, InputNotReadable, 3)


def test_audio_alone(tmp_path):
    path = tmp_path / "sound.m4a"
    with av.open(str(path), "w", format="mp4") as out:
        track = out.add_stream("aac", rate=48_000)
        frame = av.AudioFrame.from_ndarray(np.zeros((2, 1024), np.float32), format="fltp", layout="stereo")
        frame.rate = 48_000
        out.mux(track.encode(frame))
        out.mux(track.encode(None))
    assert "no video" in refused(path, tmp_path, InputNotReadable, 3).message


def moov_last(library: Library, folder: Path) -> Path:
    """The order that cameras write: FFmpeg's default."""
    data = library("second").read_bytes()
    assert data.index(b"mdat") < data.index(b"moov")
    path = folder / "last.mp4"
    path.write_bytes(data)
    return path


def moov_first(folder: Path) -> Path:
    return make(folder / "first.mp4", Film(24, options={"g": "6"}, audio=(Audio(),), muxer={"movflags": "+faststart"}))


def cut_off(path: Path, part: float) -> Path:
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * part)])
    return path


@pytest.mark.parametrize("part", [0.001, 0.1, 0.5, 0.9, 0.999])
def test_mp4_with_its_index_last_cut_off(library: Library, tmp_path, part):
    """Without the index nothing can be played: not even with `allow_damaged`."""
    source = cut_off(moov_last(library, tmp_path), part)
    refused(source, tmp_path, CorruptInput, 4)
    with pytest.raises(RevividError):
        squeeze(source, tmp_path, allow_damaged=True)


@pytest.mark.parametrize("part", [0.3, 0.5, 0.7, 0.95, 0.999])
def test_mp4_with_its_index_first_cut_off(tmp_path, part):
    source = cut_off(moov_first(tmp_path), part)
    assert "bytes more" in refused(source, tmp_path, TruncatedInput, 4).message
    kept_in_part(source, tmp_path)


@pytest.mark.parametrize("part", [0.5, 0.9, 0.99])
@pytest.mark.parametrize("kind", ["second_mkv", "avi"])
def test_matroska_and_avi_cut_off(library: Library, tmp_path, kind, part):
    source = tmp_path / f"cut{library(kind).suffix}"
    source.write_bytes(library(kind).read_bytes())
    refused(cut_off(source, part), tmp_path, TruncatedInput, 4)
    kept_in_part(source, tmp_path)


@pytest.mark.parametrize("kind", ["second", "second_mkv", "avi"])
def test_only_a_header_is_left(library: Library, tmp_path, kind):
    source = tmp_path / f"cut{library(kind).suffix}"
    source.write_bytes(library(kind).read_bytes()[:40])
    with pytest.raises((CorruptInput, InputNotReadable)):
        squeeze(source, tmp_path)
    with pytest.raises((CorruptInput, InputNotReadable)):
        squeeze(source, tmp_path, allow_damaged=True)


def kept_in_part(source: Path, folder: Path) -> None:
    with pytest.raises(PartialResult) as caught:
        squeeze(source, folder, allow_damaged=True)
    assert caught.value.exit_code == 7
    kept = sum(len(clip) for clip in revivid.open_video(folder / "out.mp4"))
    assert 0 < kept < 25
    assert f"{kept} frames were kept" in caught.value.message


def test_where_not_one_frame_is_left_there_is_no_partial_result(library: Library, tmp_path):
    source = tmp_path / "cut.avi"
    source.write_bytes(library("avi").read_bytes())
    with pytest.raises(CorruptInput, match="not a single frame"):
        squeeze(cut_off(source, 0.2), tmp_path, allow_damaged=True)


def test_the_rest_of_a_damaged_video_is_restored_and_playable(library: Library, tmp_path):
    damaged = bytearray(library("second").read_bytes())
    start = damaged.index(b"mdat") + 4
    for at in range(start + 9000, start + 9400):
        damaged[at] ^= 0x55
    source = tmp_path / "damaged.mp4"
    source.write_bytes(damaged)
    refused(source, tmp_path, CorruptInput, 4)
    kept_in_part(source, tmp_path)
    restored = tmp_path / "restored.mp4"
    assert revivid.restore(tmp_path / "out.mp4", restored).frames == len(list(av.open(str(restored)).decode(video=0)))


def flipped(data: bytes, seed: int) -> bytes:
    """A few bits of a few places flipped, most of them in the payload."""
    chance = random.Random(seed)
    bits = bytearray(data)
    for _ in range(chance.choice([1, 2, 5, 20])):
        at = chance.randrange(len(bits))
        bits[at] ^= 1 << chance.randrange(8)
    return bytes(bits)


@pytest.mark.parametrize("kind", ["second", "second_mkv", "ts"])
@pytest.mark.parametrize("allow_damaged", [False, True])
@pytest.mark.timeout(120)
def test_flipped_bits_end_in_success_or_a_typed_error(library: Library, tmp_path, kind, allow_damaged):
    data = library(kind).read_bytes()
    ends = set()
    for seed in range(6):
        source = tmp_path / f"flipped{library(kind).suffix}"
        source.write_bytes(flipped(data, seed))
        try:
            squeeze(source, tmp_path, allow_damaged=allow_damaged)
            ends.add("whole")
        except (CorruptInput, InputNotReadable, LimitExceeded, PartialResult) as exc:
            ends.add(type(exc).__name__)
        (tmp_path / "out.mp4").unlink(missing_ok=True)
    assert ends & {"CorruptInput", "PartialResult"}
    assert allow_damaged or "PartialResult" not in ends


def test_damaged_audio_is_told_apart_from_a_full_disk(tmp_path):
    source = make(tmp_path / "a.mkv", Film(12, audio=(Audio("flac"),)))
    data = bytearray(source.read_bytes())
    with av.open(str(source)) as opened:
        places = [p.pos for p in opened.demux(audio=0) if p.size]
    for place in places[2:6]:
        data[place : place + 40] = bytes(40)  # the block's own header: its stream, time and size
    source.write_bytes(data)
    try:
        squeeze(source, tmp_path)
    except RevividError as exc:
        assert isinstance(exc, CorruptInput)  # noqa: PT017 - success is as good
    (tmp_path / "out.mp4").unlink(missing_ok=True)


def test_a_picture_declared_thirty_thousand_wide_in_y4m(tmp_path):
    (tmp_path / "huge.y4m").write_bytes(b"YUV4MPEG2 W30000 H30000 F25:1 C420\nFRAME\n" + bytes(1000))
    assert "30000x30000" in refused(tmp_path / "huge.y4m", tmp_path, LimitExceeded, 5).message


def test_a_picture_declared_thirty_thousand_wide_in_matroska(tmp_path):
    source = make(tmp_path / "huge.mkv", Film(2, codec="ffv1"))
    data = bytearray(source.read_bytes())
    for element in (b"\xb0\x82\x01\x00", b"\xba\x82\x01\x00"):  # PixelWidth and PixelHeight, 256
        assert data.count(element) == 1
        data = data.replace(element, element[:2] + struct.pack(">H", 30_000))
    source.write_bytes(data)
    refused(source, tmp_path, LimitExceeded, 5)


def test_a_picture_declared_thirty_thousand_wide_in_mp4(tmp_path):
    source = make(tmp_path / "huge.mp4", Film(2, codec="mpeg4"))
    data = bytearray(source.read_bytes())
    entry = data.index(b"mp4v", data.index(b"stsd")) + 4 + 24  # after the sample entry's reserved fields
    assert data[entry : entry + 4] == struct.pack(">HH", 256, 256)
    data[entry : entry + 4] = struct.pack(">HH", 30_000, 30_000)
    source.write_bytes(data)
    try:  # the stream itself says 256x256, and FFmpeg may believe it rather than the container
        assert squeeze(source, tmp_path).width == 256
    except LimitExceeded as exc:
        assert exc.exit_code == 5  # noqa: PT017


def recipe_of(**changes):
    base = {
        "revivid": 1,
        "width": 256,
        "height": 256,
        "scale": "1/4",
        "codec": "x265",
        "crf": 28.0,
        "preset": "medium",
        "stages": [],
    }
    return json.dumps({**base, **changes})


HOSTILE_RECIPES = [
    "",
    "not json",
    "[" * 5000,
    "[]",
    "null",
    '{"revivid": 1}',
    '{"revivid": 2, "stages": []}',
    recipe_of(width=-5),
    recipe_of(width="256"),
    recipe_of(height=0),
    recipe_of(width=1e300),
    recipe_of(width=10**40),
    recipe_of(scale="1e999999999"),
    recipe_of(scale="1/0"),
    recipe_of(scale=[1]),
    recipe_of(crf=float("nan")),
    recipe_of(crf=-1),
    recipe_of(crf="28"),
    recipe_of(codec={"a": 1}),
    recipe_of(extra="field"),
    recipe_of(stages="super-resolve"),
    recipe_of(stages=[1]),
    recipe_of(stages=[{}]),
    recipe_of(stages=[{"stage": "format-disk"}]),
    recipe_of(stages=[{"stage": "super-resolve"}]),
    recipe_of(stages=[{"stage": "super-resolve", "scale": "4"}]),
    recipe_of(stages=[{"stage": "super-resolve", "scale": -4}]),
    recipe_of(stages=[{"stage": "super-resolve", "scale": float("nan")}]),
    recipe_of(stages=[{"stage": "super-resolve", "scale": 4, "network": "../../etc/passwd"}]),
    recipe_of(stages=[{"stage": "super-resolve", "scale": 4, "network": {"a": 1}}]),
    recipe_of(stages=[{"stage": "bicubic", "scale": -1}]),
    recipe_of(stages=[{"stage": "bicubic", "scale": 1000}]),
    recipe_of(stages=[{"stage": "bicubic", "scale": 1e9}]),
    recipe_of(stages=[{"stage": "bicubic", "scale": 0}]),
    recipe_of(stages=[{"stage": "bicubic", "scale": True, "crf": 3}]),
    recipe_of(stages=[{"stage": "bicubic", "scale": 4}] * 15),
    recipe_of(stages=[{"stage": "bicubic", "scale": 1}] * 1000),
    recipe_of(stages=[{"stage": "deconvolve", "kernel": "/etc/passwd"}]),
    recipe_of(stages=[{"stage": "deconvolve", "kernel": "motion:1e9,0"}]),
    recipe_of(stages=[{"stage": "deconvolve", "kernel": "gaussian:2", "method": "richardson-lucy", "iterations": 10**6}]),
    recipe_of(stages=[{"stage": "denoise", "sigma": -1, "network": "fastdvdnet"}]),
    recipe_of(stages=[{"stage": "denoise", "sigma": "auto", "network": "../fastdvdnet"}]),
    recipe_of(stages=[{"stage": "interpolate", "factor": 256, "network": "rife"}] * 4),
    recipe_of(stages=[{"stage": "interpolate", "rate": "1e999999999", "network": "rife"}]),
]


@pytest.mark.parametrize("number", range(len(HOSTILE_RECIPES)))
@pytest.mark.timeout(30)
def test_hostile_recipes(library: Library, tmp_path, number):
    source = tmp_path / "in.mkv"
    with av.open(str(library("silent"))) as opened, av.open(str(source), "w") as out:
        out.metadata["REVIVID"] = HOSTILE_RECIPES[number]
        copy = out.add_stream_from_template(opened.streams.video[0])
        for packet in opened.demux(video=0):
            if packet.size:
                packet.stream = copy
                out.mux(packet)
    revivid.probe(source)
    with pytest.raises((CorruptInput, UsageError, LimitExceeded, RevividError)) as caught:
        revivid.restore(source, tmp_path / "out.mp4")
    assert caught.value.exit_code in (2, 4, 5, 6)
    assert listing(tmp_path) == ["in.mkv"]


def test_an_oversized_recipe_is_not_ours(tmp_path):
    source = make(tmp_path / "in.mkv", Film(2, tags={"REVIVID": recipe_of(codec="x" * 100_000)}))
    assert revivid.probe(source).recipe is None


FULL_DISK = """
import resource, signal, sys
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, ({limit}, {limit}))
import os
os.execv({command!r}, [{command!r}, *sys.argv[1:]])
"""


@pytest.mark.parametrize(("suffix", "limit"), [(".mp4", 0), (".mp4", 20_000), (".mkv", 3000)])
def test_a_full_disk_leaves_no_half_file(library: Library, tmp_path, limit, suffix):
    """The limit on a file's size stands in for the disk: both fail in the middle of writing."""
    source = library("second")
    program = FULL_DISK.format(limit=limit, command=COMMAND)
    arguments = ["compress", str(source), "-o", str(tmp_path / f"out{suffix}"), "--scale", "1", "--crf", "8"]
    done = subprocess.run([sys.executable, "-c", program, *arguments], capture_output=True, text=True, timeout=120)
    assert done.returncode == 8, done.stderr
    assert "Traceback" not in done.stderr
    assert list(tmp_path.iterdir()) == []
