"""What one model for all rates loses against models of a single rate: gain units of the learned codec, on held-out scenes.

    python bench/bvc_rates.py SCENES --single FILE=LAMBDA ... [--curve FILE ...] [--gained FILE] [--out results/bvc-rates.json]

SCENES is a folder of training scenes (`revivid train` leaves them in OUT/scenes); only held-out sources are looked at: four sharp
frames of the middle of each, the first one given, the others coded one from the other. `--gained` is the model of all rates.
`--single` names weights that were trained for one lambda_d (both lambdas of the recipe alike): they are compared at equal lambda,
with the quality to which the recipe bvc-compact gives that lambda, by bits per pixel, by dB and by what was trained for, lambda_d
MSE + bits per pixel; and at equal bits, with the model's own curve over the qualities. `--curve` names other models of all rates,
such as one trained by MS-SSIM, which are compared at equal bits alone. Results go by the names of the weights' folders. Bits are by
the integer tables.
"""

from __future__ import annotations

import argparse
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from revivid.learned import model
from revivid.networks.bvc import RATES, Bvc
from revivid.train.codec import coded, middle
from revivid.train.codec_losses import MS_SSIM_MIN_SIDE, decibels, ms_ssim_loss, squared
from revivid.train.recipe import load_recipe
from revivid.train.scenes import files, held_out, load, source_of

Point = dict[str, float]


@torch.inference_mode()
def point(network: Any, scenes: list[Tensor], quality: float) -> Point:
    """Means over scenes of bits per pixel, PSNR, MSE and MS-SSIM of R'G'B'."""
    rows: list[Point] = []
    for truth in scenes:
        frames, rate = coded(network, list(truth), quality)
        made = torch.stack(frames)
        row = {"bpp": rate, "psnr": float(np.mean([decibels(a, b) for a, b in zip(frames, truth[1:], strict=True)]))}
        row["mse"] = float(squared(made, truth[1:]).mean())
        if min(truth.shape[2:]) >= MS_SSIM_MIN_SIDE:
            row["ms_ssim"] = 1 - float(ms_ssim_loss(made, truth[1:]).mean())
        rows.append(row)
    return {key: round(float(np.mean([row[key] for row in rows if key in row])), 6) for key in rows[0]}


def against(single: Point, curve: list[Point], key: str) -> float | None:
    """How much less the curve has at the single rate's bits, between its points over log bits; None beyond its ends."""
    rates, values = np.log([p["bpp"] for p in curve]), [p.get(key, math.nan) for p in curve]
    place = math.log(single["bpp"])
    if not rates[0] <= place <= rates[-1] or key not in single:
        return None
    return round(float(np.interp(place, rates, values)) - single[key], 6)


def gaps(single: Point, curve: list[Point]) -> dict[str, float | None]:
    return {key: against(single, curve, key) for key in ("psnr", "ms_ssim")}


def compared(single: Point, same: Point, trade_off: float) -> dict[str, Any]:
    """A model of a single rate and the model of all rates at the same lambda."""
    cost = {name: trade_off * p["mse"] + p["bpp"] for name, p in (("single", single), ("gained", same))}
    return {
        "lambda": trade_off,
        "single": single,
        "gained at equal lambda": same,
        "cost": {name: round(value, 4) for name, value in cost.items()},
        "gained over single, cost": round(cost["gained"] / cost["single"] - 1, 4),
    }


def curve_of(network: Any, scenes: list[Tensor]) -> list[Point]:
    return [{"quality": quality, **point(network, scenes, float(quality))} for quality in range(1, RATES + 1)]


def network_of(weights: str | None) -> Any:
    return model.load(weights).network


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("scenes", type=Path)
    parser.add_argument("--single", action="append", default=[], metavar="FILE=LAMBDA")
    parser.add_argument("--curve", action="append", default=[], metavar="FILE")
    parser.add_argument("--gained", help="default: the package's bvc-compact")
    parser.add_argument("--count", type=int, default=16)
    parser.add_argument("--out", type=Path, default=Path("results/bvc-rates.json"))
    options = parser.parse_args()
    kept = [path for path in files(options.scenes) if held_out(source_of(path))]
    chosen = kept[:: max(len(kept) // options.count, 1)][: options.count]
    scenes = [middle(load([path])[0], Bvc.multiple)[1] for path in chosen]
    codec, gained = load_recipe("bvc-compact").codec, network_of(options.gained)
    curve = curve_of(gained, scenes)
    rows: dict[str, Any] = {}
    for name, _, trade_off in (single.rpartition("=") for single in options.single):
        single = point(network_of(name), scenes, 1.0)
        place = math.log(float(trade_off) / codec.lambda_min) / math.log(codec.lambda_max / codec.lambda_min)
        quality = 1 + (RATES - 1) * place
        same = {"quality": round(quality, 2), **point(gained, scenes, quality)}
        key = "gained less single at equal bits"
        rows[Path(name).resolve().parent.name] = {**compared(single, same, float(trade_off)), key: gaps(single, curve)}
    for name in options.curve:
        other = curve_of(network_of(name), scenes)
        less = [gaps(one, curve) for one in other]
        rows[Path(name).resolve().parent.name] = {"curve": other, "gained less this at equal bits": less}
    command = "python bench/bvc_rates.py SCENES --single FILE=LAMBDA --curve FILE"
    result = {"command": command, "scenes": len(scenes), "curve": curve, "models": rows}
    print(json.dumps(rows, indent=1))
    options.out.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
