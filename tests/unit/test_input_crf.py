"""What restorers are told of how a file was compressed."""

from __future__ import annotations

from pathlib import Path

import pytest

from clips import Film, make
from revivid.media.probe import stream_crf
from revivid.media.quantiser import mean_quantiser
from revivid.workflows.job import open_reader
from revivid.workflows.options import make_restore
from revivid.workflows.restore import restoration_stages


@pytest.mark.parametrize(
    ("codec", "options", "crf"),
    [
        ("libx264", {"crf": "31"}, 31.0),
        ("libx265", {"crf": "17.5"}, 17.5),
        ("ffv1", {}, 0.0),
        ("rawvideo", {}, 0.0),
        ("mpeg4", {}, None),
    ],
)
def test_crf_of_a_stream(tmp_path: Path, codec: str, options: dict[str, str], crf: float | None) -> None:
    film = make(tmp_path / "film.mkv", Film(frames=3, size=(64, 64), codec=codec, options=options))
    assert stream_crf(film) == crf


@pytest.mark.parametrize("crf", [18, 30, 42])
def test_mean_quantiser_of_h264(tmp_path: Path, crf: int) -> None:
    film = make(tmp_path / "film.mp4", Film(frames=6, size=(64, 64), options={"qp": str(crf)}))
    assert mean_quantiser(film) == pytest.approx(crf, abs=3)  # frame types differ by a few steps


def test_other_codecs_do_not_tell_their_quantiser(tmp_path: Path) -> None:
    assert mean_quantiser(make(tmp_path / "film.mkv", Film(frames=3, size=(64, 64), codec="libx265"))) is None


def test_a_stream_without_crf_is_judged_by_its_quantiser(tmp_path: Path) -> None:
    film = make(tmp_path / "film.mp4", Film(frames=6, size=(64, 64), options={"qp": "34"}))
    options = make_restore({"super_resolve": 4})
    stages, notices = restoration_stages(open_reader(film, options), options)
    (said,) = notices
    assert "mean QP" in said
    assert "CRF 28" not in stages[0].describe()


@pytest.mark.parametrize(
    ("codec", "told", "said"), [("ffv1", "CRF 20", ""), ("mpeg4", "CRF 28", "28 is assumed"), ("libx264", "CRF 32", "x265's 32")]
)
def test_networks_are_told_and_the_user_too(tmp_path: Path, codec: str, told: str, said: str) -> None:
    film = make(tmp_path / "film.mkv", Film(frames=3, size=(64, 64), codec=codec, options={"crf": "30"} if "264" in codec else {}))
    options = make_restore({"super_resolve": 4})
    stages, notices = restoration_stages(open_reader(film, options), options)
    assert told in stages[0].describe()  # 20: better than any that the network was trained with
    assert said in " ".join(notices)
    assert bool(said) == bool(notices)
