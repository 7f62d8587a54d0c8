"""What deconvolution with the known kernel gains over the blurry picture: python bench/deconvolve.py PICTURES --out FILE.json

PICTURES is a folder of photographs. Of each the luma of the upper left 480 x 360 pixels is blurred (only where the whole kernel
lies on it, so that the border was really blurred from beyond), and either gets Gaussian noise of a standard deviation in code
values (seed 0) or goes through x265 `medium` as one intra frame. PSNR against the sharp luma, mean over pictures; the worst
picture's gain beside it. Richardson-Lucy, which takes minutes, only on the first pictures.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from datetime import datetime, timezone
from fractions import Fraction
from pathlib import Path
from statistics import mean
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F

from revivid.codecs.loop import LoopSettings, encode_decode
from revivid.evaluation.machine import describe_machine
from revivid.media.read import open_video
from revivid.restoration.deconvolve import METHODS, Deconvolve
from revivid.restoration.kernels import Kernel, parse_kernel
from revivid.types import Clip, join

KERNELS = ("gaussian:1.5", "gaussian:3", "motion:15,30", "disk:4")
NOISE = (0, 2, 5)
CRFS = (22, 28, 34)
SIZE = (360, 480)
FEW = 3


def blurred(sharp: Clip, kernel: Kernel) -> tuple[np.ndarray, np.ndarray]:
    """Luma (H, W) without rounding, and the truth of the same place; sides are even."""
    luma = sharp.planes[0][0, : SIZE[0], : SIZE[1]].astype(np.float32)
    weights = torch.from_numpy(kernel.weights[::-1, ::-1].astype(np.float32))
    soft = F.conv2d(torch.from_numpy(luma)[None, None], weights[None, None])[0, 0].numpy()
    height, width = (side // 2 * 2 for side in soft.shape)
    top, left = (side // 2 for side in kernel.weights.shape)
    return soft[:height, :width], luma[top : top + height, left : left + width]


def grey(luma: np.ndarray, like: Clip) -> Clip:
    chroma = np.full((1, luma.shape[0] // 2, luma.shape[1] // 2), 128, np.uint8)
    y = luma.round().clip(0, 255).astype(np.uint8)[None]
    return Clip((y, chroma, chroma), (Fraction(0),), (Fraction(1, 24),), replace(like.color, bit_depth=8))


def psnr(clip: Clip, truth: np.ndarray) -> float:
    return float(10 * np.log10(255**2 / np.mean((clip.planes[0][0] - truth) ** 2)))


def measure(pictures: list[Clip], text: str, noise: int | None, crf: int | None) -> dict[str, Any]:
    """One row of the table."""
    kernel = parse_kernel(text)
    before: list[float] = []
    gains: dict[str, list[float]] = {method: [] for method in METHODS}
    for number, sharp in enumerate(pictures):
        soft, truth = blurred(sharp, kernel)
        if noise:
            soft = soft + noise * np.random.default_rng(0).standard_normal(soft.shape)
        seen = grey(soft, sharp)
        if crf is not None:
            seen, _ = encode_decode(seen, LoopSettings(crf=crf, preset="medium"))
        before.append(psnr(seen, truth))
        for method in METHODS if number < FEW else METHODS[:1]:
            restored = Deconvolve(kernel, method, crf=None if crf is None else float(crf)).process(seen)
            gains[method].append(psnr(restored, truth) - before[-1])
    return {
        "kernel": text,
        **({"x265_crf": crf} if crf is not None else {"noise": noise}),
        "blurry_db": round(mean(before), 2),
        **{f"{method}_gain_db": round(mean(values), 2) for method, values in gains.items()},
        **{f"{method}_worst_gain_db": round(min(values), 2) for method, values in gains.items()},
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pictures", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    paths = sorted(path for path in arguments.pictures.iterdir() if path.suffix.lower() in (".png", ".jpg"))
    pictures = [join(list(open_video(path))) for path in paths]
    rows = []
    for text in KERNELS:
        for noise, crf in [*((sigma, None) for sigma in NOISE), *((None, crf) for crf in CRFS)]:
            rows.append(measure(pictures, text, noise, crf))
            print(json.dumps(rows[-1]), flush=True)
    result = {
        "made": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "machine": describe_machine(),
        "pictures": [path.name for path in paths],
        "richardson_lucy_pictures": FEW,
        "rows": rows,
    }
    arguments.out.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
