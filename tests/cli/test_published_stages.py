"""Published networks as stages of the command line, with random weights in the place of published ones."""

from __future__ import annotations

import json
import os
from fractions import Fraction
from pathlib import Path

import av
import pytest
from command import make_clip, revivid

import revivid as api
from random_weights import put_random_weights

FAST = ("--out-preset", "ultrafast")
WEIGHTS = ("realesr-animevideov3", "fastdvdnet", "estrnn-bsd-1ms8ms", "swinir-light-x2", "ifrnet-s")
PAPER = ("basicvsr-reds", "ifirnn-c2h3", "swinir-denoise-color-15", "vrt-interpolate-vimeo")


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("weights")
    put_random_weights(root, *WEIGHTS)
    return root


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """48x32, 7 frames, with sound."""
    return make_clip(tmp_path_factory.mktemp("tiny") / "tiny.mp4", frames=7, size=(48, 32), audio=True)


def with_weights(root: Path) -> dict[str, str]:
    return {**os.environ, "REVIVID_WEIGHTS": str(root)}


def frames_and_size(path: Path) -> tuple[int, tuple[int, int]]:
    with av.open(str(path)) as file:
        pictures = list(file.decode(video=0))
    return len(pictures), (pictures[0].width, pictures[0].height)


def sound_of(path: Path) -> list[tuple[Fraction, bytes]]:
    with av.open(str(path)) as file:
        packets = [packet for packet in file.demux(file.streams.audio[0]) if packet.pts is not None]
        return [(packet.pts * packet.time_base, bytes(packet)) for packet in packets]


@pytest.mark.parametrize(
    ("arguments", "scale"),
    [
        (("--super-resolve", "4", "--with", "realesr-animevideov3"), 4),
        (("--super-resolve", "2", "--with", "swinir-light-x2"), 2),
        (("--deblur", "--with", "estrnn-bsd-1ms8ms"), 1),
        (("--denoise", "20", "--with", "fastdvdnet"), 1),
        (("--denoise", "auto", "--with", "fastdvdnet"), 1),
    ],
)
def test_a_published_network_restores(arguments: tuple[str, ...], scale: int, weights: Path, tiny: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.mp4"
    result = revivid("restore", tiny, "-o", out, *arguments, *FAST, "--json", env=with_weights(weights)).event("result")
    assert frames_and_size(out) == (7, (48 * scale, 32 * scale))
    assert (result["frames"], result["width"]) == (7, 48 * scale)
    if "auto" in arguments:
        assert any("noise estimated at sigma" in notice for notice in result["notices"])


def test_networks_in_a_row_run_in_the_order_of_the_command_line(weights: Path, tiny: Path, tmp_path: Path) -> None:
    both = ("--with", "fastdvdnet", "--with", "realesr-animevideov3")
    plans = [
        revivid("restore", tiny, "-o", tmp_path / "x.mp4", *tasks, *both, "--dry-run", env=with_weights(weights)).out
        for tasks in (("--denoise", "9", "--super-resolve", "4"), ("--super-resolve", "4", "--denoise", "9"))
    ]
    assert "sigma 9" in plans[0]
    assert plans[0].index("fastdvdnet") < plans[0].index("realesr")
    assert plans[1].index("realesr") < plans[1].index("fastdvdnet")
    out = tmp_path / "x.mp4"
    revivid("restore", tiny, "-o", out, "--denoise", "9", "--super-resolve", "4", *both, *FAST, env=with_weights(weights))
    assert frames_and_size(out) == (7, (192, 128))


def test_interpolation_doubles_the_frames_and_keeps_the_sound(weights: Path, tiny: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.mp4"
    arguments = ("--interpolate", "2", "--with", "ifrnet-s", *FAST)
    revivid("restore", tiny, "-o", out, *arguments, env=with_weights(weights))
    assert frames_and_size(out) == (14, (48, 32))
    with av.open(str(out)) as file:
        assert [frame.pts * frame.time_base for frame in file.decode(video=0)] == [Fraction(t, 48) for t in range(14)]
    assert sound_of(out) == sound_of(tiny)


def test_missing_weights_are_known_before_any_work(tiny: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.mp4"
    arguments = ("restore", tiny, "-o", out, "--deblur", "--super-resolve", "4", "--with", "ifirnn-c2h3", "--with", "basicvsr-reds")
    refused = revivid(*arguments, expect=6, env=with_weights(tmp_path))
    for name in ("ifirnn-c2h3", "basicvsr-reds"):
        assert name in refused.err
    assert "revivid weights fetch basicvsr-reds" in refused.err
    assert not out.exists()
    plan = revivid(*arguments, "--dry-run", "--json", env=with_weights(tmp_path)).event("plan")
    assert [name in text for name, text in zip(("ifirnn-c2h3", "basicvsr-reds"), plan["missing"], strict=True)] == [True, True]
    assert plan["estimated_seconds"] is None
    assert plan["output_size"] == [192, 128]


def test_what_does_not_fit_is_refused(weights: Path, tiny: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.mp4"

    def refused(*arguments: str, code: int = 2) -> str:
        return revivid("restore", tiny, "-o", out, *arguments, expect=code, env=with_weights(weights)).err

    assert "enlarges 4 times, not 2" in refused("--super-resolve", "2", "--with", "realesr-animevideov3")
    assert "asked for nowhere" in refused("--deblur", "--with", "fastdvdnet")
    assert "--with NAME" in refused("--deartifact")
    assert "sigma" in refused("--denoise", "loud", "--with", "fastdvdnet")
    assert "sigma" in refused("--denoise", "-3", "--with", "fastdvdnet")
    assert "contradict" in refused("--preset", "paper", "--deblur")
    assert "no preset" in refused("--preset", "nonesuch")
    assert "more memory" in refused("--super-resolve", "4", "--with", "realesr-animevideov3", "--memory", "1MB", code=5)
    assert "memory" in refused("--super-resolve", "4", "--with", "realesr-animevideov3", "--memory", "plenty")
    assert not out.exists()


def test_the_paper_preset_says_what_is_missing_and_travels_in_the_file(clip: Path, tmp_path: Path) -> None:
    small = tmp_path / "small.mp4"
    env = with_weights(tmp_path / "none")
    revivid("compress", clip, "-o", small, "--preset", "paper", "--encoder-preset", "ultrafast", env=env)
    recipe = api.Recipe.from_json(api.probe(small).recipe or "")
    assert [spec.options["network"] for spec in recipe.stages] == list(PAPER)
    plan = revivid("restore", small, "-o", tmp_path / "x.mp4", "--dry-run", "--json", env=env).event("plan")
    assert [any(name in text for text in plan["missing"]) for name in PAPER] == [True] * 4
    refused = revivid("roundtrip", clip, "-o", tmp_path / "trip", "--preset", "paper", expect=6, env=env)
    assert all(name in refused.err for name in PAPER)
    plan = revivid("roundtrip", clip, "-o", tmp_path / "trip", "--preset", "paper", "--dry-run", env=env).out
    assert all(f"weights {name} are not on this machine" in plan for name in PAPER)
    assert not (tmp_path / "trip").exists()


def test_the_paper_preset_runs_once_its_weights_are_there(tmp_path: Path) -> None:
    root = tmp_path / "weights"
    put_random_weights(root, *PAPER)
    clip = make_clip(tmp_path / "clip.mp4", frames=4, size=(64, 64), audio=True)
    revivid("roundtrip", clip, "-o", tmp_path / "trip", "--preset", "paper", timeout=280, env=with_weights(root))
    assert frames_and_size(tmp_path / "trip" / "clip.restored.mp4") == (8, (64, 64))
    report = json.loads((tmp_path / "trip" / "report.json").read_text())
    assert report["metrics"]["restored"]["frames"] == 4
