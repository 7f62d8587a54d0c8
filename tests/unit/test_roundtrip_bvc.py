"""`roundtrip --codec bvc`: a stream, what it decodes to, and a report of both. The network is `tiny_bvc`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import revivid
from clips import Audio, Film, make, payloads
from revivid.errors import MissingWeights, UsageError
from revivid.workflows.roundtrip import plan_roundtrip
from tiny_bvc import tiny_model


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """64x64, so that measuring is quick."""
    return make(tmp_path_factory.mktemp("source") / "film.mp4", Film(frames=8, size=(64, 64), audio=(Audio(),)))


@pytest.fixture
def _tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    """In place of the package's weights. It brightens where it is to sharpen."""
    monkeypatch.setattr("revivid.learned.model.load", lambda *_, **__: tiny_model())
    monkeypatch.setattr("revivid.learned.reader.load_for", lambda *_, **__: tiny_model())


@pytest.mark.usefixtures("_tiny")
def test_files_and_report(source: Path, tmp_path: Path) -> None:
    folder = tmp_path / "trip"
    result = revivid.roundtrip(source, folder, codec="bvc", quality=6.5, gop=5, measure_every=3, start=0.125)
    assert (result.small.name, result.restored.name) == ("film.small.bvc", "film.restored.mp4")
    assert payloads(result.restored, "audio")[0]
    written = json.loads((folder / "report.json").read_text())
    assert written["compressed"] | {"codec": "bvc", "crf": None, "quality": 6.5, "scale": "1"} == written["compressed"]
    assert written["compressed"]["size_bytes"] == result.small.stat().st_size
    assert [written[name]["frames"] for name in ("source", "compressed", "restored")] == [5, 5, 5]
    assert written["metrics"]["restored"]["frames"] == 2
    assert written["options"]["gop"] == 5
    assert written["gains"]["psnr"] == 0  # nothing but the decoder restores it
    assert any("sharpened on purpose" in notice for notice in written["notices"])
    page = (folder / "report.html").read_text()
    assert "bvc at quality 6.5" in page


@pytest.mark.usefixtures("_tiny")
def test_preserving_comes_nearer_and_says_nothing_of_sharpening(source: Path, tmp_path: Path) -> None:
    common = {"codec": "bvc", "quality": 8, "measure_every": 4}
    sharpened = revivid.roundtrip(source, tmp_path / "sharpened", **common).report
    preserved = revivid.roundtrip(source, tmp_path / "preserved", preserve=True, **common).report
    psnr = [report.restored_scores.pooled("psnr_y") for report in (sharpened, preserved)]
    assert psnr[1].mean > psnr[0].mean + 1  # type: ignore[union-attr]
    assert not any("on purpose" in notice for notice in preserved.notices)


@pytest.mark.usefixtures("_tiny")
def test_the_plan_and_what_can_not_be(source: Path, tmp_path: Path) -> None:
    plan = plan_roundtrip(source, tmp_path / "trip", codec="bvc", sample=False)
    assert plan.output.endswith("film.small.bvc")
    assert any("bvc quality=4" in step for step in plan.steps)
    assert "report.json" in plan.steps[-1]
    with pytest.raises(UsageError, match="no --crf"):
        revivid.roundtrip(source, tmp_path / "trip", codec="bvc", crf=20)
    assert list(tmp_path.iterdir()) == []


def test_without_a_model_no_folder_stays(source: Path, tmp_path: Path) -> None:
    with pytest.raises(MissingWeights, match=r"none\.safetensors"):
        revivid.roundtrip(source, tmp_path / "trip", codec="bvc", bvc_weights=str(tmp_path / "none.safetensors"))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("_tiny")
def test_raw_video_and_streams_go_through_like_files(tmp_path: Path) -> None:
    raw = tmp_path / "videoSRC01_64x64_30.yuv"
    raw.write_bytes(b"".join(bytes([60 + 9 * t]) * (64 * 64 * 3 // 2) for t in range(4)))
    info = revivid.probe(raw)
    assert (info.codec, info.frames, info.frame_rate, info.width) == ("rawvideo", 4, 30, 64)
    result = revivid.roundtrip(raw, tmp_path / "trip", codec="bvc", preserve=True, measure_every=4)
    assert [path.name for path in (result.small, result.restored)] == [f"{raw.stem}.small.bvc", f"{raw.stem}.restored.mp4"]
    again = revivid.roundtrip(result.small, tmp_path / "again", scale="1", encoder_preset="ultrafast", measure_every=4).report
    assert (again.source.codec, again.source.frames) == ("bvc", 4)
    back = revivid.restore(raw, tmp_path / "back.mkv", super_resolve=2, network="compactsr-x2", out_preset="ultrafast")
    assert (back.width, back.frames) == (128, 4)
