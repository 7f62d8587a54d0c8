"""`bench tables`: the paper's rows as printed, rows measured here, what is left out, the page."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from moving import moving_clip, write_master

from revivid.bench import jobs, published, tables
from revivid.bench.arms import Weights
from revivid.bench.masters import Source
from revivid.bench.scores import score_table
from revivid.bench.settings import TASKS, Sample
from revivid.bench.table_tasks import SMALL, TABLES, any_task
from revivid.bench.tables import Options
from revivid.bench.tables_page import QUOTED, report
from revivid.errors import UsageError
from revivid.metrics.frame import measure


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    folder.mkdir()
    write_master(folder / "one.mkv", moving_clip(4, width=96, height=64, speed=1))
    return folder


def options(data: Path, **changes: object) -> Options:
    told = {"tables": (1, 2), "quick": True, "workers": 1, "timing": False, "networks": ("compactsr-x4",), **changes}
    return Options(data=data, out=data.parent / "tables.json", cache=data.parent / "cache", **told)  # type: ignore[arg-type]


def test_the_papers_rows_are_as_printed() -> None:
    found = published.tables()
    assert [len(table.rows) for table in found.values()] == [6, 15, 6, 6, 11]
    own = {number: next(row for row in table.rows if row.proposed) for number, table in found.items()}
    assert [own[number].psnr for number in own] == [31.469, 34.457, 39.21, 40.0, 27.32]
    assert own[4].psnr_y == 41.77
    assert own[5].ssim_y == 0.878
    assert all(20 < (row.psnr or 0) < 50 for table in found.values() for row in table.rows)
    assert all(0.7 < row.ssim < 1 for table in found.values() for row in table.rows if row.ssim is not None)


def test_a_run_its_file_and_its_page(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    results = tables.tables(options(data), said.append)
    assert results == json.loads((data.parent / "tables.json").read_text())
    first, second = results["tables"]["1"], results["tables"]["2"]
    assert first["command"] == "revivid bench tables 1 --data DATA --quick --with compactsr-x4"
    assert list(first["inputs"]) == ["x265 medium, CRF 28", f"{SMALL}, CRF 28"]
    assert set(first["inputs"][f"{SMALL}, CRF 28"]["rows"]) == {"bicubic", "compactsr-x4"}
    rate = [figures["kbps"] / figures["bpp"] for figures in first["inputs"].values()]
    assert rate == pytest.approx([96 * 64 * 24 / 1000] * 2, rel=1e-3)
    clean, coded = second["inputs"].values()
    assert "kbps" not in clean
    rows = clean["rows"]
    assert {name: row["kind"] for name, row in rows.items()} == {"bicubic": "baseline", "compactsr-x4": "package"}
    assert set(rows["bicubic"]["mean"]) == {"psnr", "ssim", "psnr_y", "ssim_y"}
    assert rows["bicubic"]["mean"]["psnr"] > coded["rows"]["bicubic"]["mean"]["psnr"]
    page = report(results).html()
    assert QUOTED in page
    assert "SwinIR-ft" in page
    assert "compactsr-x4" in page
    assert "bootstrap over clips" in page
    monkeypatch.setattr(jobs, "measure", lambda job: pytest.fail(f"measured {job} twice"))
    again = tables.tables(options(data, tables=(2,)), print)
    assert again["tables"]["1"] == first
    assert again["tables"]["2"]["inputs"] == second["inputs"]


def test_speeds_are_by_row_and_by_encoder(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "SIZE", (96, 64))
    timed = tables.timed_sample
    monkeypatch.setattr(tables, "timed_sample", lambda task, source, frames: timed(task, source, frames, (96, 64)))
    speed = tables.tables(options(data, tables=(1,), timing=True), print)["tables"]["1"]["speed"]
    assert set(speed) == {"bicubic", "compactsr-x4", "x265 medium, CRF 28", f"{SMALL}, CRF 28"}
    assert all(row["ms"] > 0 for row in speed.values())


def test_published_networks_are_rows_where_their_weights_are_here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "_is_here", lambda name: name in ("vrt-sr-reds-6", "rife"))
    monkeypatch.setattr(tables, "weights_of", lambda *_: [Weights("lumasr-x4", "1" * 64, default=True)])
    monkeypatch.setattr(tables, "doing", lambda *told: told[-1])
    monkeypatch.setattr(tables, "sha256", lambda _: "2" * 64)
    weights, missing = tables._weights(TABLES[2], ())
    assert [one.name for one in weights] == ["lumasr-x4", "vrt-sr-reds-6"]
    assert "basicvsr-reds" in missing
    assert not {"vrt-sr-reds-6", "swinir-sr-div2k-x2", "rife"} & set(missing)
    assert tables._weights(TABLES[5], ())[0][1].name == "rife"


def test_inputs_after_x265_are_the_same_made_worse(tmp_path: Path) -> None:
    source = Source("moving", moving_clip(6, width=96, height=64), tmp_path)
    for number in (4, 5):
        task = TABLES[number].task
        clean, coded = (setting.degrade(source) for setting in task.settings)
        assert clean.bytes is None
        assert coded.bytes
        assert len(coded.given) == len(clean.given)
        assert coded.given.durations == clean.given.durations
        assert any((x != y).any() for x, y in zip(coded.given.planes, clean.given.planes, strict=True))
        assert [setting.crf for setting in task.settings] == [0, 28]


def test_tables_say_what_serves_them() -> None:
    assert all(TABLES[number].task.setting(TABLES[number].task.timed) for number in TABLES)
    assert any_task("table-3") is TABLES[3].task
    assert any_task("deblur") is TASKS["deblur"]
    assert {"noisy", "nlmeans"} <= set(TABLES[4].task.settings[1].baselines)
    variants = TABLES[4].task.settings[0].baselines["nlmeans"].variants
    task, setting = TABLES[4].searched_on or ("", "")
    assert set(TASKS[task].setting(setting).baselines["nlmeans"].variants) == set(variants)


def test_unsharp_masking_sharpens() -> None:
    clip = moving_clip(2)
    (baseline,) = TABLES[3].task.settings[0].baselines["unsharp"].variants.values()
    sharper = baseline(Sample(clip, clip))
    assert sharper.planes[0].std() > clip.planes[0].std()
    assert (sharper.planes[1] == clip.planes[1]).all()


def test_scores_of_the_tables() -> None:
    clip = moving_clip(2, width=192, height=176)
    y, u, v = clip.planes
    worse = clip.with_planes(y + 3, u, v)
    scores, frame = score_table(clip, worse), measure(clip[:1], worse[:1])[0]
    assert set(scores) == {"psnr", "ssim", "ms_ssim", "psnr_y", "ssim_y"}
    assert scores["psnr"] == pytest.approx(frame.psnr, abs=0.2)
    assert "ms_ssim" not in score_table(moving_clip(1), moving_clip(1))


def test_what_is_refused(data: Path) -> None:
    with pytest.raises(UsageError, match="no table 6"):
        options(data, tables=(6,))
    with pytest.raises(UsageError, match="none of lumasr-x2-hq"):
        tables.tables(options(data, networks=("lumasr-x2-hq",)), print)
    other = replace(options(data), out=data.parent / "other.json")
    other.out.write_text("[]")
    with pytest.raises(UsageError, match="something else"):
        tables.tables(other, print)
