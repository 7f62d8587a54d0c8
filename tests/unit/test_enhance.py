"""`compress --codec hybrid`: where to sharpen, what the file says of it, what comes back, and what is refused."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from clips import Film, make
from revivid import restoration
from revivid.errors import UsageError
from revivid.media.probe import probe
from revivid.media.read import open_video
from revivid.recipe import Recipe
from revivid.restoration.stage import Stage
from revivid.types import Clip, ColorSpec, join
from revivid.weights import embedded
from revivid.workflows.compress import compress, plan_compress
from revivid.workflows.options import CompressOptions, make_compress
from revivid.workflows.restore import restore
from revivid.workflows.write import write_video

FAST = {"encoder_preset": "12", "crf": 55}


class Luma(Stage):
    """Changes luma in some way."""

    def __init__(self, name: str, change: Any) -> None:
        self.name, self.change = name, change

    def process(self, clip: Clip) -> Clip:
        y, u, v = clip.planes
        return clip.with_planes(self.change(y.astype(np.float64)).round().clip(0, 255).astype(np.uint8), u, v)


def textured(y: np.ndarray) -> np.ndarray:
    """Detail that costs many bits, and that the decoder can add by itself."""
    return y + np.random.default_rng(0).normal(0, 12, y.shape[1:])


def picked(y: np.ndarray) -> np.ndarray:
    """One sample of each 8x8: the others cost bits for nothing where that is done after decoding."""
    return y[:, ::8, ::8].repeat(8, 1).repeat(8, 2)


@pytest.fixture(scope="module")
def noise(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six small frames of moving noise, lossless."""
    y = np.random.default_rng(1).integers(60, 190, (64, 96 + 12), np.uint8)
    frames = np.stack([y[:, 2 * t : 2 * t + 96] for t in range(6)])
    grey = np.full((6, 32, 48), 128, np.uint8)
    clip = Clip((frames, grey, grey), tuple(Fraction(t, 24) for t in range(6)), (Fraction(1, 24),) * 6, ColorSpec())
    path = tmp_path_factory.mktemp("noise") / "noise.mkv"
    write_video(path, [clip], codec="ffv1")
    return path


@pytest.fixture
def stages(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What deblurring and refining do, without networks."""
    known: dict[str, Any] = {"deblur": lambda y: y, "refine": lambda y: y}
    for name in known:
        made = lambda conditions, name=name, network=None: Luma(name, known[name])  # noqa: E731, ARG005
        monkeypatch.setitem(restoration.STAGES, name, made)
    monkeypatch.setattr(embedded, "names", lambda: ["deblurnet", restoration.REFINER])
    return known


def stage_names(path: Path) -> list[str]:
    return [spec.stage for spec in Recipe.from_json(probe(path).recipe or "").stages]


@pytest.mark.parametrize(("change", "place", "left"), [(textured, "after", ["deblur"]), (picked, "before", ["refine"])])
def test_the_place_that_keeps_more(stages: Any, change: Any, place: str, left: list[str], noise: Path, tmp_path: Path) -> None:
    stages["deblur"] = change
    done = compress(noise, tmp_path / "small.mp4", codec="hybrid", **FAST)
    (reason,) = [notice for notice in done.notices if "sharpening before" in notice]
    assert reason.endswith(f": {place}")
    assert stage_names(tmp_path / "small.mp4") == left


@pytest.mark.usefixtures("stages")
def test_nothing_is_enhanced_where_deblurring_changes_nothing(noise: Path, tmp_path: Path) -> None:
    done = compress(noise, tmp_path / "a.mp4", codec="hybrid", **FAST)
    assert any("sharp enough" in notice for notice in done.notices)
    assert stage_names(tmp_path / "a.mp4") == []
    compress(noise, tmp_path / "b.mp4", codec="av1", scale=1, **FAST)
    pictures = [join(list(open_video(tmp_path / name))).planes[0] for name in ("a.mp4", "b.mp4")]
    assert np.array_equal(*pictures)


def test_before_and_after_come_back(stages: Any, noise: Path, tmp_path: Path) -> None:
    """Inverting luma is sharpening, adding 9 is refining: who did what can be seen."""
    stages.update(deblur=lambda y: 255 - y, refine=lambda y: y + 9)
    original = join(list(open_video(noise))).planes[0].astype(float)
    for place, expected in (("before", 255 - original + 9), ("after", 255 - original)):
        small, back = tmp_path / f"{place}.mp4", tmp_path / f"{place}.back.mkv"
        plan = plan_compress(noise, small, codec="hybrid", enhance=place, **FAST)
        assert any(step.startswith("deblur") for step in plan.steps) == (place == "before")
        compress(noise, small, codec="hybrid", enhance=place, **{**FAST, "crf": 12})
        recipe = Recipe.from_json(probe(small).recipe or "")
        assert (recipe.codec, recipe.crf, recipe.scale) == ("av1", 12, 1)
        restore(small, back, lossless=True)
        found = join(list(open_video(back))).planes[0].astype(float)
        assert np.abs(found - expected.clip(0, 255)).mean() < 3


@pytest.mark.usefixtures("stages")
def test_the_recipe_names_the_refiner(noise: Path, tmp_path: Path) -> None:
    compress(noise, tmp_path / "small.mp4", codec="hybrid", enhance="before", **FAST)
    (spec,) = Recipe.from_json(probe(tmp_path / "small.mp4").recipe or "").stages
    assert dict(spec.options) == {"network": restoration.REFINER}


def test_a_plan_says_why(stages: Any, noise: Path, tmp_path: Path) -> None:
    stages["deblur"] = picked
    plan = plan_compress(noise, tmp_path / "small.mp4", codec="hybrid", size="20kB", encoder_preset="12")
    assert any("sharpening before compressing keeps" in notice for notice in plan.notices)
    assert any(step.startswith("deblur") for step in plan.steps)
    assert plan.target is not None
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("stages")
def test_without_a_refiner_it_comes_back_as_it_decodes(monkeypatch: pytest.MonkeyPatch, noise: Path, tmp_path: Path) -> None:
    monkeypatch.setattr(embedded, "names", lambda: ["deblurnet"])
    done = compress(noise, tmp_path / "small.mp4", codec="hybrid", enhance="before", **FAST)
    assert any("no network that refines" in notice for notice in done.notices)
    assert stage_names(tmp_path / "small.mp4") == []
    restore(tmp_path / "small.mp4", tmp_path / "back.mkv", lossless=True)
    decoded, restored = (join(list(open_video(tmp_path / name))).planes[0] for name in ("small.mp4", "back.mkv"))
    assert np.array_equal(decoded, restored)


@pytest.mark.parametrize(
    ("source", "output", "words"),
    [
        (Film(frames=4, size=(50, 40)), "a.mp4", "x265 --scale 1 --enhance auto"),
        (Film(frames=4, size=(64, 64), codec="libx265", pixel_format="yuv420p12le"), "a.mp4", "x265 --scale 1 --enhance auto"),
        (Film(frames=4, size=(64, 64)), "a.mov", ".mkv"),
    ],
)
def test_what_av1_does_not_take_is_said_before_anything_is_done(source: Film, output: str, words: str, tmp_path: Path) -> None:
    made = make(tmp_path / "film.mkv", source)
    with pytest.raises(UsageError) as fault:
        compress(made, tmp_path / output, codec="hybrid", enhance="before", **FAST)
    assert words in str(fault.value.hint)
    assert not (tmp_path / output).exists()


def test_hybrid_is_short_for_av1_at_full_size() -> None:
    assert make_compress({"codec": "hybrid"}) == CompressOptions(codec="av1", encoder_preset="4", scale="1", enhance="auto")
    assert make_compress({"codec": "x265", "enhance": "auto"}) == CompressOptions(codec="x265", scale="1", enhance="auto")
    assert make_compress({"codec": "av1", "enhance": "after"}) == CompressOptions(codec="av1", scale="1", enhance="after")
    assert make_compress({}).enhance is None


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"enhance": "sometimes"}, "before, after, auto"),
        ({"scale": "1/2"}, "at full size"),
        ({"target_psnr": 30}, "against the input"),
        ({"preset": "paper"}, "preset paper and codec hybrid contradict each other"),
        ({"preset": "small", "scale": "1"}, "Name one of them"),
    ],
)
def test_what_contradicts_itself_is_refused(options: dict[str, Any], words: str) -> None:
    with pytest.raises(UsageError) as fault:
        make_compress({"codec": "hybrid", **options})
    assert words in f"{fault.value.message} {fault.value.hint}"
