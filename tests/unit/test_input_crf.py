"""What restorers are told of how a file was compressed."""

from __future__ import annotations

from pathlib import Path

import pytest

from clips import Film, make
from revivid.media.probe import stream_crf
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


@pytest.mark.parametrize(
    ("codec", "told", "said"), [("ffv1", "CRF 20", ""), ("mpeg4", "CRF 28", "28 is assumed"), ("libx264", "CRF 30", "30")]
)
def test_networks_are_told_and_the_user_too(tmp_path: Path, codec: str, told: str, said: str) -> None:
    film = make(tmp_path / "film.mkv", Film(frames=3, size=(64, 64), codec=codec, options={"crf": "30"} if "264" in codec else {}))
    options = make_restore({"super_resolve": 4})
    stages, notices = restoration_stages(open_reader(film, options), options)
    assert told in stages[0].describe()  # 20: better than any that the network was trained with
    assert said in " ".join(notices)
    assert bool(said) == bool(notices)
