"""The scale for a target: each one is tried, the best is what comes out, and the file says so."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from clips import Library
from revivid.errors import UnreachableTarget, UsageError
from revivid.media.probe import probe
from revivid.presets import presets
from revivid.recipe import Recipe
from revivid.workflows import division
from revivid.workflows.compress import compress, plan_compress
from revivid.workflows.options import CompressOptions, make_compress, parse_bitrate
from revivid.workflows.restore import restore
from revivid.workflows.target import Found, Goal, Probe


def searching(answers: dict[str, tuple[float, float] | None]) -> Any:
    """A search that knows kbit/s and score for each scale; None: out of reach."""

    def search(options: CompressOptions, judged: bool) -> Found:
        assert judged
        answer = answers[str(options.scale)]
        if answer is None:
            raise UnreachableTarget(f"not at {options.scale}")
        goal = Goal.of(options)
        assert goal is not None
        return Found(goal, 30.0, (Probe(30.0, answer[0], score=answer[1]),), 10, "x265", Fraction(options.scale))

    return search


def chosen(options: dict[str, Any], answers: dict[str, tuple[float, float] | None]) -> str:
    found = division.find(make_compress({"scale": "auto", **options}), searching(answers), lambda _: 1000.0)
    assert [str(one.scale) for one in found.tried] == [scale for scale, answer in answers.items() if answer]
    return str(found.scale)


def test_a_rate_takes_the_best_score_and_a_quality_the_fewest_bits() -> None:
    answers = {"1": (99.0, 30.0), "1/2": (98.0, 31.0), "1/4": (90.0, 30.5)}
    assert chosen({"bitrate": "100k"}, answers) == "1/2"
    assert chosen({"size": "100kB"}, answers) == "1/2"
    assert chosen({"share": 0.1}, answers) == "1/2"
    assert chosen({"target_psnr": 30}, answers) == "1/4"
    assert chosen({"target_psnr": 30}, {"1": (99.0, 30.0), "1/2": (99.0, 30.0), "1/4": (99.0, 30.0)}) == "1"


def test_scales_out_of_reach_are_left_out() -> None:
    assert chosen({"target_psnr": 40}, {"1": (500.0, 40.0), "1/2": None, "1/4": None}) == "1"
    with pytest.raises(UnreachableTarget, match=r"not at 1$"):
        chosen({"target_psnr": 99}, {"1": None, "1/2": None, "1/4": None})
    with pytest.raises(UnreachableTarget, match="not at 1/4"):
        chosen({"bitrate": 1}, {"1": None, "1/2": None, "1/4": None})


def test_a_share_is_of_what_the_codec_takes_by_itself() -> None:
    asked: list[CompressOptions] = []

    def rate(options: CompressOptions) -> float:
        asked.append(options)
        return 800_000.0

    def search(options: CompressOptions, judged: bool) -> Found:
        assert not judged
        goal = Goal.of(options)
        assert goal == Goal("kbit_s", 200.0)
        return Found(goal, 30.0, (Probe(30.0, 199.0),), 10, "x264")

    division.find(make_compress({"codec": "x264", "scale": "1/2", "share": 0.25}), search, rate)
    assert (asked[0].crf, asked[0].scale, asked[0].has_target) == (23.0, 1, False)


@pytest.mark.parametrize(
    ("options", "word"),
    [
        ({"scale": "auto"}, "scale auto"),
        ({"scale": "auto", "crf": 28}, "scale auto"),
        ({"share": 0}, "share"),
        ({"share": 1.5}, "share"),
        ({"bitrate": "much"}, "bitrate"),
        ({"bitrate": -5}, "bitrate"),
        ({"bitrate": "1M", "size": "1MB"}, "contradict"),
        ({"preset": "small", "crf": 30}, "scale auto"),
    ],
)
def test_contradictions_and_nonsense(options: dict[str, Any], word: str) -> None:
    with pytest.raises(UsageError, match=word):
        make_compress(options)


def test_bitrates_are_written_as_for_ffmpeg() -> None:
    assert [parse_bitrate(text) for text in ("800k", "2.5M", "64000", 1200)] == [8e5, 2.5e6, 64e3, 1200.0]


@pytest.mark.parametrize("name", ["smallest", "small", "balanced"])
def test_presets_divide_bits(name: str) -> None:
    options = make_compress({"preset": name})
    assert options.seeks_scale
    assert 0 < (options.share or 0) < 1
    assert presets()[name].stages is None
    assert make_compress({"preset": name, "scale": "1/2"}).scale == Fraction(1, 2)
    assert make_compress({"preset": name, "size": "1MB"}).share is None


def test_presets_ask_for_ever_fewer_bits() -> None:
    shares = [make_compress({"preset": name}).share or 0 for name in ("balanced", "small", "smallest")]
    assert shares == sorted(shares, reverse=True)


def test_a_rate_is_kept_and_the_file_knows_its_scale(library: Library, tmp_path: Path) -> None:
    small, back = tmp_path / "x.mp4", tmp_path / "back.mp4"
    result = compress(library("silent"), small, bitrate="24k", scale="auto", encoder_preset="ultrafast")
    assert result.target is not None
    recipe = Recipe.from_json(probe(small).recipe or "")
    assert str(recipe.scale) == result.target["scale"]
    assert len(recipe.stages) == (recipe.scale < 1)
    assert 8 * result.video_bytes / result.duration <= 24_000 * 1.02
    tried = {row["scale"]: row for row in result.target["scales"]}
    assert tried[result.target["scale"]]["score"] == max(row["score"] for row in tried.values())
    restored = restore(small, back)
    source = probe(library("silent"))
    assert (restored.width, restored.height) == (source.width, source.height)


def test_a_plan_shows_the_scales(library: Library, tmp_path: Path) -> None:
    options = {"target_psnr": 5, "scale": "auto", "encoder_preset": "ultrafast"}
    plan = plan_compress(library("silent"), tmp_path / "x.mp4", sample=False, **options)
    assert plan.target is not None
    assert sum(step.startswith("scale ") for step in plan.steps) == len(plan.target["scales"]) == 3
    assert any(step.startswith(f"choose scale {plan.target['scale']}, CRF") for step in plan.steps)
    assert list(tmp_path.iterdir()) == []
