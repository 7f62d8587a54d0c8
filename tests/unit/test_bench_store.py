"""What benchmarks keep: keys name all that a score depends on, and only what is chosen is prepared."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from moving import moving_clip, write_master

from revivid.bench import masters, store
from revivid.bench.arms import Arm, Weights
from revivid.bench.jobs import Clipping, Job
from revivid.bench.masters import find_masters
from revivid.bench.session import QUICK_CLIPS, QUICK_FRAMES, Common, Session
from revivid.bench.store import Store


@pytest.fixture
def job(tmp_path: Path) -> Job:
    clip = Clipping("one", tmp_path / "one.mkv", 8, tmp_path, "digest of the frames")
    return Job(clip, "denoise", "yuv 25", (Arm("net", "auto", Weights("net", "sha256 of the file")),))


def test_a_key_names_the_frames_the_setting_and_the_weights(job: Job) -> None:
    """What was measured by earlier versions is found again."""
    (arm,) = job.arms
    key = {
        "task": "denoise", "setting": "yuv 25", "clip": "digest of the frames", "arm": "net auto", "weights": "sha256 of the file",
    }  # fmt: skip
    assert job.key(arm) == key
    assert replace(job, search=True).key(arm) == {**key, "search": True}
    assert job.key(Arm("bicubic"))["weights"] is None


def test_where_and_how_much_at_once_is_no_part_of_a_key(job: Job) -> None:
    (arm,) = job.arms
    elsewhere = replace(job, clip=replace(job.clip, master=Path("elsewhere.mkv"), name="renamed"), with_vmaf=True)
    assert elsewhere.key(arm) == job.key(arm)


def test_another_way_of_scoring_is_another_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scores = Store(tmp_path)
    scores.put({"a": 1}, {"psnr_y": 30.0})
    monkeypatch.setattr(store, "VERSION", store.VERSION + 1)
    assert scores.get({"a": 1}) is None


def test_metrics_that_are_asked_for_later_are_measured_then(tmp_path: Path, job: Job) -> None:
    scores = Store(tmp_path)
    (arm,) = job.arms
    scores.put(job.key(arm), {"psnr_y": 30.0})
    assert job.scores(scores, arm) == {"psnr_y": 30.0}
    assert replace(job, with_vmaf=True).scores(scores, arm) is None
    with_structure = replace(job, with_ms_ssim=True)
    assert with_structure.without_known(scores).arms == (arm,)
    scores.put(job.key(arm), {"psnr_y": 30.0, "ms_ssim_y": None})
    assert with_structure.scores(scores, arm) == {"psnr_y": 30.0}


def test_a_quick_run_prepares_few_clips_and_frames(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = tmp_path / "data"
    data.mkdir()
    for name in "abcdefgh":
        write_master(data / f"{name}.mkv", moving_clip(9, width=32, height=32))
    prepared: list[str] = []
    master = masters._master
    monkeypatch.setattr(masters, "_master", lambda path, *rest: prepared.append(path.stem) or master(path, *rest))
    session = Session(Common(data, tmp_path / "out.json", tmp_path / "cache", quick=True, workers=1), print)
    assert prepared == [clip.name for clip in session.clips] == ["a", "c", "e", "g"]
    assert len(prepared) == QUICK_CLIPS
    assert {len(clip.read().clip) for clip in session.clips} == {QUICK_FRAMES}
    assert list(find_masters(data, tmp_path / "cache", most=3)) == ["a", "c", "f"]
    assert len(find_masters(data, tmp_path / "cache", most=99)) == 8
