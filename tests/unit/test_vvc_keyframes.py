"""Keyframes by vvenc: they come back, say what they are, are smaller, and can't be had without the program."""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np
import pytest

import revivid
from revivid.codecs.bvc import keyframe
from revivid.codecs.bvc.gop import CodedFrame
from revivid.errors import MissingTool
from revivid.learned.reader import bvc_facts
from revivid.media import program

needs_program = pytest.mark.skipif(not program.available(), reason="the vmaf extra, which brings vvenc, is not installed")


def picture(width: int = 192, height: int = 128) -> np.ndarray:
    rng = np.random.default_rng(0)
    rows, columns = np.mgrid[0:height, 0:width] / 9
    smooth = np.stack([np.sin(rows + columns), np.cos(columns * rows / 9), np.sin(rows)]).astype(np.float32) / 4 + 0.5
    return np.clip(smooth + rng.normal(0, 0.01, (1, height, width)).astype(np.float32), 0, 1)


def psnr(a: np.ndarray, b: np.ndarray) -> float:
    return float(-10 * np.log10(np.mean((a - b) ** 2)))


@needs_program
@pytest.mark.parametrize("bit_depth", [8, 12])
def test_they_come_back_as_the_same_bytes_each_time(bit_depth: int) -> None:
    wanted = picture()
    coded = keyframe.encode(wanted, 26, bit_depth, codec="vvc")
    assert keyframe.codec_of(coded.data) == "vvc"
    assert keyframe.encode(wanted, 26, bit_depth, codec="vvc") == coded
    assert psnr(keyframe.decode(coded, 192, 128), wanted) > 34
    with pytest.raises(ValueError, match="keyframe"):
        keyframe.decode(coded, 128, 128)
    for data in (coded.data[: len(coded.data) // 2], coded.data[:9], coded.data + coded.data):
        with pytest.raises(ValueError, match="keyframe"):
            keyframe.decode(CodedFrame(data, coded.crc), 192, 128)


@needs_program
def test_they_are_smaller_at_equal_quality() -> None:
    wanted = picture()
    curves = {}
    for codec in ("hevc", "vvc"):
        coded = [keyframe.encode(wanted, qp, 8, codec=codec) for qp in (20, 28)]
        curves[codec] = [(len(one.data), psnr(keyframe.decode(one, 192, 128), wanted)) for one in coded]
    sizes, levels = zip(*curves["vvc"], strict=True)
    at = np.interp([size for size, _ in curves["hevc"]], sizes[::-1], levels[::-1])
    assert np.mean(at - [level for _, level in curves["hevc"]]) > 0.2


def test_hevc_says_what_it_is() -> None:
    assert keyframe.codec_of(keyframe.encode(picture(), 30, 8).data) == "hevc"


@needs_program
def test_a_file_has_them_and_says_so(library: object, tmp_path: Path) -> None:
    source = library("silent")  # type: ignore[operator]
    made = {kind: tmp_path / f"{kind}.bvc" for kind in ("hevc", "vvc")}
    for kind, path in made.items():
        revivid.compress(source, path, codec="bvc", preserve=True, intra=kind)
        assert bvc_facts(path)["keyframes"] == kind
    revivid.restore(made["vvc"], tmp_path / "vvc.mkv")
    assert (tmp_path / "vvc.mkv").stat().st_size > 0


@needs_program
def test_an_encoder_that_takes_too_long_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*_: object, timeout: float, **__: object) -> None:
        raise subprocess.TimeoutExpired("ffmpeg", timeout)

    monkeypatch.setattr(program.subprocess, "run", never)
    with pytest.raises(MissingTool, match="more than 160 s"):
        keyframe.encode(picture(), 30, 8, codec="vvc")


def test_without_the_program_they_are_refused(library: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(program, "available", lambda: False)
    with pytest.raises(MissingTool, match="imageio-ffmpeg"):
        revivid.compress(library("silent"), tmp_path / "a.bvc", codec="bvc", intra="vvc")  # type: ignore[operator]
    assert not list(tmp_path.iterdir())
