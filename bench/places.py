"""Sharpening before x265 or after it, against the sharp truth, and what the proxy of `compress --enhance auto` says of it.

    python bench/places.py SCENES [--count 16] [--out results/places.json]

SCENES: what `revivid train deblurnet` makes of photographs and clips; only held-out sources are looked at. PSNR-Y is the mean over
a scene's frames, gains are BD-PSNR over sharpening before at CRF 22, 27, 32 and 37, medium.
"""

from __future__ import annotations

import argparse
import json
from fractions import Fraction
from pathlib import Path

import numpy as np

from revivid.codecs.loop import LoopSettings, encode_decode
from revivid.metrics.bd import bd_quality
from revivid.restoration.own import Own
from revivid.restoration.stage import Conditions
from revivid.train.scenes import Scene, files, held_out, load, source_of
from revivid.types import Clip, ColorSpec

CRFS = (22, 27, 32, 37)
RATE = 25


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("scenes", type=Path)
    parser.add_argument("--count", type=int, default=16)
    parser.add_argument("--out", type=Path, default=Path("results/places.json"))
    options = parser.parse_args()
    paths = [path for path in files(options.scenes) if held_out(source_of(path))]
    chosen = [paths[k] for k in np.random.default_rng(3).permutation(len(paths))[: options.count]]
    found = {path.stem: measured(load([path])[0]) for path in chosen}
    options.out.write_text(json.dumps({"crfs": CRFS, "scenes": found}, indent=1) + "\n", encoding="utf-8")


def measured(scene: Scene) -> dict[str, float]:
    """The scene's PSNR-Y against the truth, blurry and deblurred, and gains in dB over sharpening before compressing."""
    truth, planes = scene.truth[0], scene.degraded[0]
    times = tuple(Fraction(t, RATE) for t in range(len(truth)))
    blurry = Clip(planes, times, (Fraction(1, RATE),) * len(times), ColorSpec())
    sharp = deblurred(blurry, 0)
    curves: dict[str, list[tuple[float, float]]] = {}
    for crf in CRFS:
        settings = LoopSettings(crf=crf)
        (before, bits), (plain, plain_bits) = encode_decode(sharp, settings), encode_decode(blurry, settings)
        after = deblurred(plain, crf)
        for name, taken, answer in (("before", bits, before), ("plain", plain_bits, plain), ("after", plain_bits, after)):
            for reference, wanted in (("truth", truth), ("proxy", sharp.planes[0])):
                curves.setdefault(f"{name}, {reference}", []).append((taken, psnr(answer.planes[0], wanted)))
    gains = {name: bd_quality(curves["before, truth"], curves[f"{name}, truth"]) for name in ("plain", "after")}
    gains["proxy"] = bd_quality(curves["before, proxy"], curves["after, proxy"])
    y, sharp_y = planes[0], sharp.planes[0]
    levels = {"blurry": psnr(y, truth), "deblurred": psnr(sharp_y, truth), "change": psnr(y, sharp_y)}
    return {name: round(value, 3) for name, value in {**levels, **gains}.items() if value is not None}


def deblurred(clip: Clip, crf: float) -> Clip:
    return Own("deblur", Conditions(crf=crf, backend="torch")).process(clip)


def psnr(a: np.ndarray, b: np.ndarray) -> float:
    errors = np.square(a.astype(np.float64) - b).mean((1, 2)).clip(0.01)
    return float(np.mean(10 * np.log10(255**2 / errors)))


if __name__ == "__main__":
    main()
