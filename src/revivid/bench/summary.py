"""Scores by arm and clip become what is reported: means, gains over the best baseline, how many clips are better, the worst."""

from __future__ import annotations

from collections.abc import Mapping
from statistics import fmean
from typing import Any

from .scores import METRICS, WITHOUT_TRUTH

#: Arm -> clip -> metric -> value.
Scores = Mapping[str, Mapping[str, Mapping[str, float]]]


def summarise(baselines: Scores, networks: Scores) -> dict[str, Any]:
    """One setting's figures.

    `against` is the baseline with the best mean PSNR-Y; every network's `gain` is over it: the mean difference of each metric,
    the share of clips with a higher PSNR-Y, and the clip with the smallest difference. `gains` has the mean difference of PSNR-Y
    over every baseline. A setting without baselines has only means, and the worst clip by PSNR-Y itself.
    """
    arms = {**baselines, **networks}
    result: dict[str, Any] = {"arms": {name: _of_arm(clips) for name, clips in arms.items()}}
    bpp = [value["bpp"] for clips in arms.values() for value in clips.values() if "bpp" in value]
    if bpp:
        result["bpp"] = _significant(fmean(bpp))
    if not baselines:
        for name, clips in networks.items():
            worst = min(clips, key=lambda clip: clips[clip]["psnr_y"])
            result["arms"][name]["worst"] = {"clip": worst, "psnr_y": round(clips[worst]["psnr_y"], 3)}
        return result
    best = max(baselines, key=lambda name: result["arms"][name]["mean"]["psnr_y"])
    result["against"] = best
    for name, clips in networks.items():
        result["arms"][name]["gain"] = _gain(clips, baselines[best])
        result["arms"][name]["gains"] = {other: _difference(clips, baselines[other], "psnr_y") for other in baselines}
    return result


def _of_arm(clips: Mapping[str, Mapping[str, float]]) -> dict[str, Any]:
    metrics = [metric for metric in (*METRICS, *WITHOUT_TRUTH) if all(metric in value for value in clips.values())]
    return {
        "mean": {metric: _rounded(metric, fmean(value[metric] for value in clips.values())) for metric in metrics},
        "clips": {clip: {metric: _rounded(metric, value[metric]) for metric in metrics} for clip, value in clips.items()},
    }


def _gain(clips: Mapping[str, Mapping[str, float]], baseline: Mapping[str, Mapping[str, float]]) -> dict[str, Any]:
    common = [metric for metric in METRICS if all(metric in value for value in (*clips.values(), *baseline.values()))]
    psnr = {clip: value["psnr_y"] - baseline[clip]["psnr_y"] for clip, value in clips.items()}
    worst = min(psnr, key=lambda clip: psnr[clip])
    blind = [metric for metric in WITHOUT_TRUTH if all(metric in value for value in (*clips.values(), *baseline.values()))]
    return {
        **{metric: _difference(clips, baseline, metric) for metric in common},
        "improved": round(fmean(value > 0 for value in psnr.values()), 3),
        "worst": {"clip": worst, "psnr_y": round(psnr[worst], 3)},
        **{metric: _rise(clips, baseline, metric) for metric in blind},
    }


def _rise(clips: Mapping[str, Mapping[str, float]], baseline: Mapping[str, Mapping[str, float]], metric: str) -> dict[str, Any]:
    """How much more there is of what less is better of: the mean, the share of clips without any rise, and the worst clip."""
    rise = {clip: _rounded(metric, value[metric] - baseline[clip][metric]) for clip, value in clips.items()}
    worst = max(rise, key=lambda clip: rise[clip])
    return {
        "mean": _difference(clips, baseline, metric),
        "no_rise": round(fmean(value <= 0 for value in rise.values()), 3),
        "worst": {"clip": worst, metric: rise[worst]},
    }


def _difference(clips: Mapping[str, Mapping[str, float]], baseline: Mapping[str, Mapping[str, float]], metric: str) -> float:
    return _rounded(metric, fmean(value[metric] - baseline[clip][metric] for clip, value in clips.items()))


def _rounded(metric: str, value: float) -> float:
    return round(value, {**METRICS, **WITHOUT_TRUTH}[metric][1] + 1)


def _significant(value: float) -> float:
    return float(f"{value:.4g}")
