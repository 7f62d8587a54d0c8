"""HTML pages of the benchmarks: what was measured stands in them, whatever was left out."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from revivid.bench.bvc_summary import compare as compare_coded
from revivid.bench.pages import blurry_page, quality_page, rate_distortion_page
from revivid.bench.rd import compare
from revivid.bench.session import SEEDS

ROOT = Path(__file__).parents[2]
ABOUT: dict[str, Any] = {
    "command": "revivid bench rd --data DATA", "made": "2026-11-22", "machine": {"cpu": "a <fast> one"}, "frames": 8,
    "quick": False, "clips": {"one": "d" * 64},
}  # fmt: skip


def points(factor: float, **more: float) -> list[dict[str, float]]:
    return [{"crf": 22 + k, "bpp": factor * 0.2 * 2**-k, "psnr_y": 40 - 2 * k, "ssim_y": 0.9 - 0.1 * k, **more} for k in range(3)]


def test_rate_and_distortion() -> None:
    clips = {"one": {"x265": points(1), "x265:veryslow": points(0.8), "1/2 size + bicubic": points(0.5, ms_ssim_y=0.9)}}
    results = {
        **ABOUT, "anchors": ["x265", "x265:veryslow"], "networks": {}, "low_rate": 0.03,
        "missing": {"x265 + deartifact": "no network"}, **compare(clips, ["x265", "x265:veryslow"]),
    }  # fmt: skip
    html = rate_distortion_page(results).html()
    assert "Against x265:veryslow" in html
    assert "−50.0" in html
    assert "no network" in html
    assert "a &lt;fast&gt; one" in html
    assert "Seeds" not in html
    assert "shots that are blurred" in rate_distortion_page({**results, "seeds": SEEDS}).html()
    assert "MS-SSIM-Y" not in html


def test_blurry_video() -> None:
    curve = [{"rate": k, "bpp": 0.8 * 2**-k, "psnr": 36 - 2.5 * k, "psnr_y": 38 - 2.5 * k} for k in range(4)]
    better = [{**point, "psnr": point["psnr"] + 1.25} for point in curve]
    arm = {"clips": 1, "bpp": 0.31, "counts": [3, 1], "t": [-0.29, None]}
    smooth = {"near_bpp": 0.3, "flow": "compactinterp-x2", "arms": {"bvc": arm}}
    results = {
        **ABOUT, "blur": {"one": "shot 5+5"}, "arms": {"x265": {}, "bvc": {}}, "missing": {}, "smoothness": smooth,
        "tests": {"blurry": compare_coded({"one": {"x265": curve, "bvc": better}})},
    }  # fmt: skip
    html = blurry_page(results).html()
    assert "PSNR over x265" in html
    assert "+1.25" in html
    assert "Temporal smoothness" in html
    assert "Temporal smoothness" not in blurry_page({**results, "smoothness": {"arms": {}}}).html()


def test_quality_of_the_package() -> None:
    """The results that are in the repository."""
    results = json.loads((ROOT / "results" / "quality.json").read_text(encoding="utf-8"))
    html = quality_page(results).html()
    for name, section in results["tasks"].items():
        assert name in html
        assert all(weights in html for weights in section.get("weights", {}))
    assert "Quality" in quality_page({"tasks": {"deblur": {"missing": "no network"}}}).html()
