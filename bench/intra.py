"""The picture autoencoder beside x265 intra: python bench/intra.py PICTURES --out results/intra.json [--qualities ...] [--count N]

Photographs in a folder, cut to multiples of 64 pixels, coded by `intra-compact` and by x265 all intra, preset medium, 4:2:0 with 10
bits as keyframes have it, at constant QP. Bits are real bytes of a keyframe as `.bvc` files have them, x265's parameter sets
included; PSNR and MS-SSIM are those of 8-bit R'G'B'. `differences` are means over pictures; below 0 dB and above 0 % x265 is ahead.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import statistics
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from revivid.codecs.bvc import keyframe
from revivid.codecs.bvc.gop import CodedFrame
from revivid.errors import InputNotReadable
from revivid.evaluation.machine import describe_machine
from revivid.learned import keyframes
from revivid.learned.keyframes import Keyframes, LearnedKeyframes, PictureModel, StandardKeyframes
from revivid.learned.tables import Padded
from revivid.metrics.bd import bd_quality, bd_rate
from revivid.metrics.pixel import ms_ssim, psnr
from revivid.weights import embedded

#: QPs of x265 for as many points as there are qualities.
QPS = (37, 32, 27, 22)


class Medium(StandardKeyframes):
    """HEVC keyframes at another QP, by x265's preset medium."""

    def __init__(self, padded: Padded, qp: int) -> None:
        super().__init__(padded, 1.0, 8)
        self.qp = qp

    def encode(self, picture: Tensor) -> CodedFrame:
        return keyframe.encode(picture[0].numpy(), self.qp, 8, preset="medium")


def picture_of(path: Path) -> Tensor:
    """R'G'B' (1, 3, H, W) in [0, 1]."""
    pixels = np.asarray(Image.open(path).convert("RGB"))
    height, width = (side // 64 * 64 for side in pixels.shape[:2])
    return torch.from_numpy(pixels[:height, :width].copy()).permute(2, 0, 1)[None].float() / 255


def point(keys: Keyframes, picture: Tensor) -> dict[str, float]:
    """Bits per pixel and what comes back."""
    coded = keys.encode(picture)
    shown, truth = (x.mul(255).round() for x in (keys.decode(coded), picture))
    pixels = picture.shape[2] * picture.shape[3]
    figures = {"bpp": 8 * len(coded.data) / pixels, "psnr": psnr(truth, shown).item(), "ms_ssim": ms_ssim(truth, shown).item()}
    return {name: round(value, 5) for name, value in figures.items()}


def curves(model: PictureModel, picture: Tensor, qualities: list[float]) -> dict[str, list[dict[str, float]]]:
    padded = Padded(picture.shape[3], picture.shape[2])
    arms: dict[str, list[Callable[[], Keyframes]]] = {
        "intra-compact": [lambda q=q: LearnedKeyframes(model, model.coder(padded, q), q) for q in qualities],
        "x265": [lambda qp=qp: Medium(padded, qp) for qp in QPS],
    }
    return {name: [point(made(), picture) for made in row] for name, row in arms.items()}


def differences(pictures: dict[str, dict[str, list[dict[str, float]]]]) -> dict[str, float | None]:
    """Means over pictures of what the autoencoder has over x265: dB at equal bits, per cent of bits at equal PSNR, MS-SSIM."""
    found: dict[str, list[float | None]] = {"bd_psnr": [], "bd_rate": [], "bd_ms_ssim": []}
    for arms in pictures.values():
        lines = {
            (arm, key): [(p["bpp"], p[key]) for p in arms[arm]] for arm in ("x265", "intra-compact") for key in ("psnr", "ms_ssim")
        }
        anchor, ours = lines["x265", "psnr"], lines["intra-compact", "psnr"]
        found["bd_psnr"].append(bd_quality(anchor, ours))
        found["bd_rate"].append(bd_rate(anchor, ours))
        found["bd_ms_ssim"].append(bd_quality(lines["x265", "ms_ssim"], lines["intra-compact", "ms_ssim"]))
    known = {name: [value for value in values if value is not None] for name, values in found.items()}
    return {name: round(statistics.mean(values), 4) if values else None for name, values in known.items()}


def means(pictures: dict[str, dict[str, list[dict[str, float]]]]) -> dict[str, list[dict[str, float]]]:
    """Each point of either arm, mean over pictures."""
    arms = next(iter(pictures.values()))
    return {
        arm: [
            {key: round(statistics.mean(found[arm][k][key] for found in pictures.values()), 4) for key in row[k]}
            for k in range(len(row))
        ]
        for arm, row in arms.items()
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pictures", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--qualities", default="1,3.3,5.7,8")
    parser.add_argument("--count", type=int, default=8, help="pictures at most, in the order of their names")
    parser.add_argument("--weights", help="a weight file in place of the package's")
    options = parser.parse_args()
    model = keyframes.load(options.weights)
    qualities = [float(word) for word in options.qualities.split(",")]
    files = sorted(path for path in options.pictures.iterdir() if path.suffix.lower() in (".png", ".jpg", ".jpeg"))
    if not files:
        raise InputNotReadable(f"no photograph in {options.pictures}", hint="PNG or JPEG.")
    found: dict[str, Any] = {}
    with torch.inference_mode():
        for path in files[: options.count]:
            found[path.name] = curves(model, picture_of(path), qualities)
            print(path.name, differences({path.name: found[path.name]}), flush=True)
    path = embedded.folder() / f"{keyframes.DEFAULT}.safetensors" if options.weights is None else Path(options.weights)
    result = {
        "command": f"python bench/intra.py PICTURES --count {len(found)} --qualities {options.qualities} --out results/intra.json",
        "machine": describe_machine(),
        "weights": {"sha256": hashlib.sha256(path.read_bytes()).hexdigest(), "iterations": embedded.read(path)[0].iterations},
        "qualities": qualities,
        "qps": QPS,
        "differences": differences(found),
        "means": means(found),
        "pictures": found,
    }
    options.out.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
