"""Makes docs/quality.md from results/quality.json, rd.json and macs.json: python docs/quality.py [--check]"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from statistics import fmean
from typing import Any

from generated import write_or_check

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "quality.md"
RESULTS = ROOT / "results" / "quality.json"
CURVES = ROOT / "results" / "rd.json"
COUNTS = ROOT / "results" / "macs.json"

METRICS = {"psnr_y": "PSNR-Y", "ssim_y": "SSIM-Y", "ms_ssim_y": "MS-SSIM-Y", "vmaf": "VMAF"}
#: Task -> its title, and what its settings are.
TASKS = {
    "super-resolve-x4": ("Super-resolution x4", "x265 `medium` at a quarter of each side, by CRF; the baseline is bicubic."),
    "super-resolve-x2": ("Super-resolution x2", "x265 `medium` at half of each side, by CRF; the baseline is bicubic."),
    "deartifact": ("Compression artefacts", "x265 `medium` at full size, by CRF; the baseline is the decoded video."),
    "deblur": (
        "Deblurring",
        "Of n + m instants at ten times the frame rate n are averaged in linear light. `shot`: a camera moves over the clip's\n"
        "first frame and pieces of it over the view, exactly; `clip`: the clip's own motion, with interpolated frames. Clean, and\n"
        "after x265 `medium` at CRF 28. The baseline is the blurry video. `sharp`: video without blur against what comes of it.",
    ),
    "denoise": (
        "Denoising",
        "White Gaussian noise, by domain (R'G'B' or the YUV planes) and sigma in 8-bit code values; in one row x265 `medium` came\n"
        "after it. The baselines are FFmpeg's nlmeans and hqdn3d, each with the options of a grid that have the best mean PSNR-Y.\n"
        "`auto`: sigma is estimated, else it is told.",
    ),
    "interpolate": (
        "Frame interpolation x2",
        "Every second frame is dropped, and only these are scored. The baselines are FFmpeg's minterpolate (motion-compensated)\n"
        "and the average of the two neighbours.",
    ),
    "auto": (
        "One pass for all: --auto",
        "`restore --auto` looks at the video and chooses stages; it should never leave it worse. `auto` stands beside each stage\n"
        "by itself, and the baseline is the input (at 1/4: bicubic). Inputs: as it is; coded by x265 `medium`; white noise of\n"
        "sigma 15 in the YUV planes; motion blur as above; several of them; a quarter of each side, where alone anything is\n"
        "enlarged. Without looking at the truth, less is better: noise left, its estimate, in brackets that of the input, and\n"
        "NIQE (Mittal et al. 2013, fitted to this project's training photographs), against that of the input.",
    ),
}

INTRODUCTION = """# Quality

<!-- made by docs/quality.py from results/quality.json -->

What the networks inside the package gain over what everybody has, on clips that none of them was trained on. Clips are made
worse in known ways, restored as `revivid restore` does it, and compared with what they were:

```bash
revivid bench quality --data DIR
```

DIR holds clips and photographs (halved by an area filter, because they are compressed themselves; photographs become short
camera moves), or lossless masters. PSNR-Y and SSIM-Y are those of the luma plane as coded, in 8 bits, mean over frames, then
over clips. Gains are over the strongest baseline by mean PSNR-Y; "better" is the share of clips whose PSNR-Y is higher.
[results/quality.json](../results/quality.json) has every clip, the frames' sha256, the weights' sha256 and the machine.
"""


def page() -> str:
    tasks: dict[str, Any] = json.loads(RESULTS.read_text(encoding="utf-8"))["tasks"]
    parts = [INTRODUCTION]
    for name, (title, about) in TASKS.items():
        section = tasks.get(name)
        parts += [f"## {title}", "", about, ""]
        if section is None:
            parts += ["Not measured yet.", ""]
        elif "missing" in section:
            parts += ["The package has no network for it yet.", ""]
        else:
            parts += _task(section)
    if CURVES.exists():
        parts += _rate_distortion(json.loads(CURVES.read_text(encoding="utf-8")))
    return "\n".join(parts).rstrip() + "\n"


def _task(section: dict[str, Any]) -> list[str]:
    frames = f"{len(section['clips'])} clips, up to {section['frames']} frames each."
    lines = [f"`{section['command']}`: {frames}{_quick(section)}", ""]
    lines += _gains(section) + _sharp(section) + _options(section)
    if section["speed"]:
        lines += _speeds(section)
    default = next((name for name, weights in section["weights"].items() if weights["default"]), None)
    return lines + (_clips(section, default) if default else [])


def _quick(results: dict[str, Any]) -> str:
    return " A quick run: too few clips and frames for conclusions." if results["quick"] else ""


def _gains(section: dict[str, Any]) -> list[str]:
    settings = {name: figures for name, figures in section["settings"].items() if "against" in figures}
    rows = [
        _cells(name, figures, arm, value)
        for name, figures in settings.items()
        for arm, value in figures["arms"].items()
        if "gain" in value
    ]
    heads = list(dict.fromkeys(head for row in rows for head in row))
    table = [_row([row.get(head, "-") for head in heads]) for row in rows]
    return [_row(heads), _row(["---"] * len(heads)), *table, ""]


def _cells(name: str, figures: dict[str, Any], arm: str, value: dict[str, Any]) -> dict[str, str]:
    """One row by the heads of its columns."""
    gain, worst, against = value["gain"], value["gain"]["worst"], figures["against"]
    cells = {"input": name}
    if "bpp" in figures:
        cells["bpp"] = f"{figures['bpp']:.4f}"
    cells["strongest baseline"] = f"{against} {figures['arms'][against]['mean']['psnr_y']:.2f} dB"
    cells |= {"weights": f"`{arm}`", "PSNR-Y": f"{gain['psnr_y']:+.2f} dB", "SSIM-Y": f"{gain['ssim_y']:+.4f}"}
    if "vmaf" in gain:
        cells["VMAF"] = f"{gain['vmaf']:+.1f}"
    if "noise" in value["mean"]:
        cells["noise left"] = f"{value['mean']['noise']:.1f} ({figures['arms'][against]['mean']['noise']:.1f})"
    if "niqe" in gain:
        niqe = gain["niqe"]
        cells["NIQE"] = f"{niqe['mean']:+.2f}"
        cells["NIQE no higher"] = f"{niqe['no_rise']:.0%} (worst {niqe['worst']['clip']} {niqe['worst']['niqe']:+.2f})"
    cells |= {"better": f"{gain['improved']:.0%}", "worst clip": f"{worst['clip']} {worst['psnr_y']:+.2f} dB"}
    if len(value["gains"]) > 1:
        cells |= {f"over {other}": f"{value['gains'][other]:+.2f} dB" for other in sorted(value["gains"])}
    return cells


def _sharp(section: dict[str, Any]) -> list[str]:
    """Settings without a baseline: how much is changed that should stay."""
    lines = []
    for name, figures in section["settings"].items():
        for arm, value in figures["arms"].items():
            if "against" not in figures:
                worst = value["worst"]
                text = f"`{arm}`: {value['mean']['psnr_y']:.1f} dB PSNR-Y against its input; worst clip {worst['clip']}"
                lines += [f"Input `{name}`, {text} {worst['psnr_y']:.1f} dB.", ""]
    return lines


def _options(section: dict[str, Any]) -> list[str]:
    """The options that a grid's search found best."""
    found = [
        f"{name}: {arm} `{value['variant']}`"
        for name, figures in section["settings"].items()
        for arm, value in figures["arms"].items()
        if "variant" in value
    ]
    return [f"Best options: {'; '.join(found)}.", ""] if found and not section["quick"] else []


def _speeds(section: dict[str, Any]) -> list[str]:
    machine = section["machine"]
    counts: dict[str, Any] = json.loads(COUNTS.read_text(encoding="utf-8"))["weights"] if COUNTS.exists() else {}
    lines = [f"Alone on {machine['cpu']}, {machine['threads']} threads, frames of 1280x720 coming out:", ""]
    lines += [_row(["", "frames/s", "ms per frame", "kMACs per pixel"]), _row(["---", "---:", "---:", "---:"])]
    for name, speed in section["speed"].items():
        kmacs = counts.get(name.split()[0], {}).get("kmacs_per_pixel")
        lines.append(_row([f"`{name}`", f"{speed['fps']:.1f}", f"{speed['ms']:.0f}", "-" if kmacs is None else f"{kmacs:.3g}"]))
    return [*lines, ""]


def _clips(section: dict[str, Any], default: str) -> list[str]:
    """Clip by clip, what the default weights gain."""
    settings = {name: figures for name, figures in section["settings"].items() if "against" in figures}
    lines = [f"PSNR-Y gain of `{default}`, clip by clip, in dB:", "", _row(["clip", *settings])]
    lines.append(_row(["---", *["---:"] * len(settings)]))
    for clip in section["clips"]:
        gains = []
        for figures in settings.values():
            ours, theirs = (figures["arms"][arm]["clips"][clip]["psnr_y"] for arm in (default, figures["against"]))
            gains.append(f"{ours - theirs:+.2f}")
        lines.append(_row([clip, *gains]))
    return [*lines, ""]


def _rate_distortion(results: dict[str, Any]) -> list[str]:
    """BD-rates of every curve, over the whole range and at low rates."""
    lines = [
        "## Bits and quality",
        "",
        f"`{results['command']}`: {len(results['clips'])} clips, up to {results['frames']} frames each.{_quick(results)}",
        "",
        "BD-rate: per cent of bits that a stream takes more (below 0: fewer) than the encoder that it is held against at full size",
        "for the same quality, mean over the clips whose curves overlap, with a 95 % interval over clips. At equal bits: dB, or",
        f"points of the measure, more. Bits are those of the elementary stream. Low rates: below {results['low_rate']:g} bits per",
        "pixel. Where no preset is named it is x265's `medium`.",
        "",
    ]
    lines += ["![rate-distortion curves](../results/rd.svg)", ""] if CURVES.with_suffix(".svg").exists() else []
    for anchor in results["anchors"]:
        heads = [f"stream, against `{anchor}`", "measure", "all rates", "clips", "low rates", "clips", "at equal bits"]
        lines += [_row(heads), _row(["---", "---", *["---:"] * 5])]
        for name, curve in results["curves"].items():
            for metric, found in curve.get("against", {}).get(anchor, {}).items():
                equal = _bd_quality(metric, found["bd_quality"])
                lines.append(_row([name, METRICS[metric], *_bd(found["bd_rate"]), *_bd(found["bd_rate_low"]), equal]))
        lines.append("")
    return lines + _over_bicubic(results)


def _over_bicubic(results: dict[str, Any]) -> list[str]:
    """What super-resolution gains on each encoder's streams, at the ends and in the middle of a curve."""
    rows = []
    for name, curve in results["curves"].items():
        stream, _, restorer = name.partition("+")
        base = f"{stream}+bicubic"
        if "@" in stream and restorer not in ("", "bicubic") and base in results["curves"]:
            points = len(curve["points"])
            clips = list(results["by_clip"].values())
            places = (points // 4, points // 2, 3 * points // 4)
            rows += [_row([f"`{stream}`", f"`{restorer}`", *_gain_at(clips, name, base, k)]) for k in places]
    if not rows:
        return []
    about = "What super-resolution gains over bicubic on the same stream, by encoder (mean over clips; bits as above):"
    heads = ["stream", "weights", "CRF", "bpp", "PSNR-Y", "SSIM-Y", "VMAF", "better"]
    return [about, "", _row(heads), _row(["---", "---", *["---:"] * 6]), *rows, ""]


def _gain_at(clips: list[dict[str, Any]], name: str, base: str, k: int) -> list[str]:
    ours, theirs = ([clip[curve][k] for clip in clips] for curve in (name, base))
    pairs = list(zip(ours, theirs, strict=True))
    mean = {metric: fmean(x[metric] - y[metric] for x, y in pairs) for metric in ("psnr_y", "ssim_y", "vmaf") if metric in ours[0]}
    better, bpp = fmean(x["psnr_y"] > y["psnr_y"] for x, y in pairs), fmean(point["bpp"] for point in ours)
    vmaf = f"{mean['vmaf']:+.1f}" if "vmaf" in mean else "-"
    figures = [f"{mean['psnr_y']:+.2f} dB", f"{mean['ssim_y']:+.4f}", vmaf, f"{better:.0%}"]
    return [f"{ours[0]['crf']:g}", f"{bpp:.4f}", *figures]


def _bd_quality(metric: str, delta: dict[str, Any] | None) -> str:
    if delta is None:
        return "-"
    return f"{delta['mean']:+.2f} dB" if metric.startswith("psnr") else f"{delta['mean']:+.3g}"


def _bd(delta: dict[str, Any] | None) -> list[str]:
    if delta is None:
        return ["-", "0"]
    low, high = delta["interval"]
    return [f"{delta['mean']:+.1f} % ({low:+.1f} to {high:+.1f})", str(delta["clips"])]


def _row(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    sys.exit(write_or_check(PAGE, page()))
