"""Training data of several encoders: all of them appear, the same ones each time, and strengths are on x265's scale."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from clips import Film, make
from revivid.codecs import CODECS
from revivid.codecs.loop import LoopSettings, encode_decode
from revivid.errors import UsageError
from revivid.train import damage
from revivid.train.data import DataSettings, prepare
from revivid.train.recipe import load_recipe
from revivid.train.scenes import load
from revivid.types import Clip, ColorSpec

MIXED = DataSettings(
    scale=1, crf_min=20.0, crf_max=32.0, crf_steps=9, encoders=("x265", "x264", "av1"), presets=("ultrafast", "veryfast", "12"),
    clip_frames=3, clip_keep=1, clip_scenes=2,
)  # fmt: skip


def moving(frames: int = 3, side: int = 72) -> Clip:
    """Wider than 64 pixels: up to there x265 4.1 doesn't make the same stream twice."""
    rows, columns = np.mgrid[0:side, 0:side]
    y = np.stack([128 + 60 * np.sign(np.sin((columns + 2 * t) / 7) + np.sin((rows - t) / 9)) for t in range(frames)])
    chroma = np.full((frames, side // 2, side // 2), 128, np.uint8)
    times = tuple(Fraction(t, 25) for t in range(frames))
    return Clip((y.astype(np.uint8), chroma, chroma), times, (Fraction(1, 25),) * frames, ColorSpec())


def test_all_encoders_appear_with_presets_of_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    used: list[LoopSettings] = []
    monkeypatch.setattr(damage, "encode_decode", lambda clip, loop: (used.append(loop), (clip, 0))[1])
    _, told = damage.compressed(moving(), replace(MIXED, crf_steps=40), np.random.default_rng(1))
    assert {(loop.encoder, loop.preset) for loop in used} == {
        ("libx265", "ultrafast"), ("libx265", "veryfast"), ("libx264", "ultrafast"), ("libx264", "veryfast"), ("libsvtav1", "12"),
    }  # fmt: skip
    codecs = {codec.encoder: codec for codec in CODECS.values()}
    for loop, crf in zip(used, told, strict=True):
        assert crf == pytest.approx(codecs[loop.encoder].as_x265(loop.crf), abs=0.05)
        assert 19.8 <= crf <= 32.2
        assert loop.encoder != "libsvtav1" or loop.crf == int(loop.crf)


def test_one_encoder_draws_nothing() -> None:
    """What recipes made before there were others, they make still."""
    one, two = np.random.default_rng(3), np.random.default_rng(3)
    settings = DataSettings(scale=1, crf_steps=2, preset="ultrafast")
    versions, told = damage.compressed(moving(), settings, one)
    crfs = [round(20 + 9 * (k + two.random()), 1) for k in range(2)]
    assert told == crfs
    assert one.bit_generator.state == two.bit_generator.state
    for version, crf in zip(versions, crfs, strict=True):
        again = encode_decode(moving(), LoopSettings(crf=crf, preset="ultrafast"))[0]
        assert np.array_equal(version.planes[0], again.planes[0])


def test_an_interrupted_preparation_ends_with_the_same_scenes(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    make(tmp_path / "data" / "film.mkv", Film(frames=12, size=(160, 144)))
    whole = prepare(tmp_path / "data", tmp_path / "whole", MIXED, workers=1)
    prepare(tmp_path / "data", tmp_path / "parts", MIXED, workers=1)[1].unlink()
    parts = prepare(tmp_path / "data", tmp_path / "parts", MIXED, workers=1)
    assert len(whole) == 2
    for one, other in zip(load(whole), load(parts), strict=True):
        assert one.strengths == other.strengths
        assert len(one.degraded) == 9
        for a, b in zip(one.degraded, other.degraded, strict=True):
            assert all(np.array_equal(plane, again) for plane, again in zip(a, b, strict=True))


def test_equal_strengths_do_about_equal_damage() -> None:
    clip, errors = moving(8, 128), {}
    noise = np.random.default_rng(0).normal(0, 6, clip.planes[0].shape)
    textured = clip.with_planes(np.clip(clip.planes[0] + noise, 0, 255).astype(np.uint8), *clip.planes[1:])
    for name in ("x265", "x264", "av1"):
        codec = CODECS[name]
        loop = LoopSettings(codec.encoder, codec.of_x265(28.0), codec.default_preset)
        errors[name] = float(np.square(encode_decode(textured, loop)[0].planes[0] - textured.planes[0].astype(float)).mean())
    assert max(errors.values()) < 1.5 * min(errors.values()), errors


@pytest.mark.parametrize(
    ("section", "said"),
    [
        ('encoders = ["x265", "vp9"]', "vp9"),
        ('encoders = ["x264", "av1"]', "no preset of av1"),
        ('encoders = ["ffv1"]', "ffv1"),
        ('encoders = "x264"', "list of words"),
    ],
)
def test_what_a_recipe_must_not_say(tmp_path: Path, section: str, said: str) -> None:
    path = tmp_path / "recipe.toml"
    path.write_text(f'[network]\nname = "lumasr"\n[data]\n{section}\n')
    with pytest.raises(UsageError, match=said):
        damage.check(load_recipe(path).data)


def test_lists_can_be_set() -> None:
    plan = load_recipe("lumavsr-x4", ['data.encoders=["x264", "av1"]', 'data.presets=["slow", "6"]'])
    assert (plan.data.encoders, plan.data.presets) == (("x264", "av1"), ("slow", "6"))
    assert plan.data.coding == "x264, av1 slow, 6 CRF 20-38"
