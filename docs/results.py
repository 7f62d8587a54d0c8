"""Makes docs/results.md, the index of all results with their main figures, from results/*.json: python docs/results.py [--check]"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import fmean
from typing import Any

from generated import write_or_check

ROOT = Path(__file__).parent.parent
PAGE, RESULTS = ROOT / "docs" / "results.md", ROOT / "results"

INTRODUCTION = """# Results

<!-- made by docs/results.py from results -->

Everything that was measured, with its main figures, the command that measures it again and the page that shows all of it. DATA is a
folder of clips and photographs (or of lossless masters) that no network was trained on. What a run measured before is not measured
again, so that an interrupted one goes on where it stopped; `--quick` makes do with few clips and frames.

```bash
revivid bench quality --data DATA      # results/quality.json, then python docs/quality.py
revivid bench tables --data DATA       # results/tables.json and .html, then python docs/tables.py
revivid bench rd --data DATA           # results/rd.json and .svg, then python docs/quality.py
revivid bench bvc --data DATA          # results/bvc.json, then python docs/bvc.py
python docs/results.py                 # this page
python docs/quoted.py                  # is every figure in README and docs in here?
```
"""


def _quality(result: dict[str, Any]) -> Iterator[str]:
    for name, section in result["tasks"].items():
        default = next((arm for arm, weights in section.get("weights", {}).items() if weights["default"]), None)
        gains = {
            setting: figures["arms"][default]["gain"]["psnr_y"]
            for setting, figures in section.get("settings", {}).items()
            if default and "gain" in figures["arms"].get(default, {})
        }
        if gains:
            listed = ", ".join(f"{setting} {gain:+.2f}" for setting, gain in gains.items())
            yield f"{name}, `{default}`, dB PSNR-Y over the strongest baseline: {listed}{_clips(section)}"


def _tables(result: dict[str, Any]) -> Iterator[str]:
    for number, section in result["tables"].items():
        for name, figures in section["inputs"].items():
            rows = ", ".join(f"{arm} {row['mean']['psnr']:.2f}" for arm, row in figures["rows"].items())
            yield f"Table {number}, {name}, dB PSNR: {rows}{_clips(section)}"


def _rate_distortion(result: dict[str, Any]) -> Iterator[str]:
    for name, curve in result["curves"].items():
        for anchor, metrics in curve.get("against", {}).items():
            whole, low = (metrics["psnr_y"][key] for key in ("bd_rate", "bd_rate_low"))
            yield f"{name} against {anchor}, BD-rate by PSNR-Y: {_percent(whole)}; at low rates {_percent(low)}"


def _bvc(result: dict[str, Any]) -> Iterator[str]:
    for test, figures in result["tests"].items():
        for anchor, arms in list(figures["against"].items())[:1]:
            deltas = {arm: found["psnr"]["bd_quality"] for arm, found in arms.items()}
            gains = ", ".join(f"{arm} {delta['mean']:+.2f}" for arm, delta in deltas.items() if delta)
            yield f"{test}, BD-PSNR over {anchor} in dB: {gains or 'no overlap'}{_clips(result)}"


def _bvc_cost(result: dict[str, Any]) -> Iterator[str]:
    for size, facts in result["sizes"].items():
        seconds = facts["seconds_per_720p_frame"]
        yield f"{size}: {sum(facts['parameters'].values()):,} parameters, {seconds['decode']:.2f} s to decode a frame of 1280x720"


def _super_resolution(result: dict[str, Any]) -> Iterator[str]:
    for name, network in result["networks"].items():
        gains = ", ".join(f"CRF {crf} {figures['mean']['gain']:+.2f}" for crf, figures in network["crf"].items())
        yield f"`{name}`, dB luma PSNR over bicubic: {gains}"


def _backends(result: dict[str, Any]) -> Iterator[str]:
    for name, facts in result["weights"].items():
        speeds = ", ".join(f"{backend} {fps:g}" for backend, fps in facts["fps"].items())
        yield f"`{name}`, frames/s to 1280x720: {speeds}"


def _roundtrip(result: dict[str, Any]) -> Iterator[str]:
    yield "frames/s: " + ", ".join(f"{part} {facts['fps']:g}" for part, facts in result["parts"].items())


def _networks(result: dict[str, Any]) -> Iterator[str]:
    faster = [case["speedup"] for case in result["cases"].values() if "speedup" in case]
    yield f"{len(faster)} networks {min(faster):.1f} to {max(faster):.1f} times as fast as written down literally"


def _intra(result: dict[str, Any]) -> Iterator[str]:
    delta, iterations = result["differences"], result["weights"]["iterations"]
    yield f"BD-PSNR over x265 intra {delta['bd_psnr']:+.2f} dB, BD-rate {delta['bd_rate']:+.1f} %, {iterations} iterations"


def _places(result: dict[str, Any]) -> Iterator[str]:
    scenes = result["scenes"].values()
    means = {name: fmean(scene[name] for scene in scenes) for name in ("plain", "after")}
    yield (
        f"BD-PSNR over deblurring before x265, {len(scenes)} scenes: not deblurring {means['plain']:+.2f} dB, "
        f"deblurring after it {means['after']:+.2f} dB"
    )


def _registration(result: dict[str, Any]) -> Iterator[str]:
    yield "dB PSNR: " + ", ".join(f"{name} {value:.2f}" for name, value in result["psnr"].items())


def _deconvolution(result: dict[str, Any]) -> Iterator[str]:
    gains = [row["wiener_gain_db"] for row in result["rows"] if row.get("wiener_gain_db") is not None]
    yield f"Wiener filter over the blurry picture, {len(gains)} kernels and noises: {min(gains):+.2f} to {max(gains):+.2f} dB"


def _not_shipped(result: dict[str, Any]) -> Iterator[str]:
    default = next(name for name in result["section"]["weights"] if result["about"].startswith(name))
    gains = {name: figures["arms"][default]["gain"] for name, figures in result["section"]["settings"].items()}
    yield "dB PSNR-Y: " + ", ".join(f"{name} {gain['psnr_y']:+.2f}" for name, gain in gains.items())


def _candidates(result: dict[str, Any]) -> Iterator[str]:
    for one in result["candidates"]:
        yield f"{one['name']}: {one['gain_db']:+.2f} dB, {one['kmac']} kMAC per sample"


def _peers(result: dict[str, Any]) -> Iterator[str]:
    means = {name: figures for name, figures in result["mean"].items() if name != "bicubic"}
    bicubic = result["mean"]["bicubic"]["psnr_y"]
    for name, figures in means.items():
        gain, seconds = figures["psnr_y"] - bicubic, figures["cpu_seconds"]
        yield f"{name}: {gain:+.2f} dB PSNR-Y over bicubic, {seconds:.2f} s of CPU time a frame"


def _crfs(result: dict[str, Any]) -> Iterator[str]:
    for encoder in dict.fromkeys(row["encoder"] for row in result["rows"]):
        rows = [row for row in result["rows"] if row["encoder"] == encoder]
        told = ", ".join(f"{row['preset']} {row['crf']}: {row['x265_crf']:.1f}" for row in rows)
        yield f"{encoder}, x265's CRF for its own: {told}; standard deviation up to {max(row['deviation'] for row in rows):g}"


def _blocks(result: dict[str, Any]) -> Iterator[str]:
    yield f"BD-PSNR over a decoder of networks {result['bd_psnr']:+.2f} dB, {result['held_out']} held-out scenes"


def _contexts(result: dict[str, Any]) -> Iterator[str]:
    rates = f"{result['bpp_before']} with a table for each channel, {result['bpp_after']} by contexts"
    yield f"bits per pixel of predicted frames: {rates}"


def _evaluate(result: dict[str, Any]) -> Iterator[str]:
    for names, one in result["metrics"].items():
        yield f"`{names}`: {one['fps']} pairs of frames per second at 1280x720, decoding included"


def _training(result: dict[str, Any]) -> Iterator[str]:
    yield "minutes: " + ", ".join(f"`{name}` {minutes:g}" for name, minutes in result["minutes"].items())


def _hybrid_cost(result: dict[str, Any]) -> Iterator[str]:
    yield f"frames/s of 1280x720: sharpening and compressing {result['before_fps']:g}, decoding {result['decode_fps']:g}"


def _nothing(result: dict[str, Any]) -> Iterator[str]:
    del result
    yield from ()


#: Results -> what they are, the page that shows them, their main figures. The order of the page.
KNOWN: dict[str, tuple[str, str, Callable[[dict[str, Any]], Iterator[str]]]] = {
    "quality": ("What the networks inside the package gain", "quality.md", _quality),
    "tables": ("The first paper's Tables 1 to 5", "tables.md", _tables),
    "rd": ("Rate and distortion of x265, plain and restored", "quality.md", _rate_distortion),
    "bvc": ("The learned codec for blurry video against its rivals", "bvc.md", _bvc),
    "bvc-cascades": ("Cascades of two networks and ablations, hardly trained", "bvc.md", _nothing),
    "bvc-cost": ("What the learned codec costs", "bvc.md", _bvc_cost),
    "intra": ("The learned codec's keyframes against HEVC intra", "intra.md", _intra),
    "hybrid-cost": ("What compressing blurry video into an ordinary file costs", "hybrid.md", _hybrid_cost),
    "places": ("Deblurring before x265 or after it", "hybrid.md", _places),
    "blocks": ("What the learned codec gains without networks in its decoder", "bvc.md", _blocks),
    "contexts": ("What contexts save the learned codec", "bvc.md", _contexts),
    "evaluate": ("How fast videos are measured", "", _evaluate),
    "registration": ("How well two frames are brought together", "bvc.md", _registration),
    "peers": ("Super-resolution x4 beside a peer", "compact-networks.md", _peers),
    "lumasr": ("Super-resolution x4", "compact-networks.md", _super_resolution),
    "lumasr-x2": ("Super-resolution x2", "compact-networks.md", _super_resolution),
    "compactsr": ("Super-resolution by the smallest networks", "compact-networks.md", _super_resolution),
    "candidates": ("Designs that were compared on held-out sources", "compact-networks.md", _candidates),
    "lumavsr-x2": ("Super-resolution x2 from several frames, not shipped", "compact-networks.md", _not_shipped),
    "deartifactnet": ("A network against artefacts that is not shipped", "compact-networks.md", _not_shipped),
    "linear": ("What fixed filters find on damaged frames", "compact-networks.md", _nothing),
    "deconvolve": ("Deconvolution with a known kernel", "networks.md", _deconvolution),
    "roundtrip": ("Speed of the whole chain", "../README.md", _roundtrip),
    "backends": ("Speed and cost of OpenVINO and int8", "compact-networks.md", _backends),
    "networks": ("Speed and memory of the published networks", "networks.md", _networks),
    "macs": ("Multiply-adds per pixel of every network", "networks.md", _nothing),
    "memory": ("Memory that networks take by tile", "networks.md", _nothing),
    "seams": ("How far tiles must overlap", "networks.md", _nothing),
    "crfs": ("Which CRF of x265 does as much damage as other encoders'", "../README.md", _crfs),
    "training": ("How long trainings took", "weights.md", _training),
}


def page() -> str:
    parts = [INTRODUCTION]
    others = sorted({path.stem for path in RESULTS.glob("*.json")} - set(KNOWN))
    for name in (*KNOWN, *others):
        title, shown, figures = KNOWN.get(name, (name, "", _nothing))
        parts += [f"## {title}", ""]
        path = RESULTS / f"{name}.json"
        if not path.exists():
            parts += [f"[{shown}]({shown}). Not measured yet.", ""]
            continue
        result = json.loads(path.read_text(encoding="utf-8"))
        link = f", shown in [{Path(shown).name}]({shown})" if shown else ""
        parts += [f"[results/{name}.json](../results/{name}.json){link}.{_how(result)}", ""]
        lines = [f"- {line}" for line in figures(result)]
        parts += [*lines, ""] if lines else []
    return "\n".join(parts).rstrip() + "\n"


def _how(result: dict[str, Any]) -> str:
    """The commands and the day, where the results name them."""
    parts = [part for key in ("tasks", "tables") for part in result.get(key, {}).values()] + [result.get("section", {}), result]
    commands = list(dict.fromkeys(f"`{part['command']}`" for part in parts if "command" in part))
    days = sorted({day[:10] for part in parts if (day := part.get("made", part.get("date", "")))})
    told = ", ".join([*commands, " to ".join(dict.fromkeys((days[0], days[-1])))] if days else commands)
    return f" {told}." if told else ""


def _clips(section: dict[str, Any]) -> str:
    return f" ({len(section['clips'])} clips{', a quick run' if section['quick'] else ''})"


def _percent(delta: dict[str, Any] | None) -> str:
    if delta is None:
        return "no overlap"
    return f"{delta['mean']:+.1f} % ({delta['interval'][0]:+.1f} to {delta['interval'][1]:+.1f}; {delta['clips']} clips)"


if __name__ == "__main__":
    sys.exit(write_or_check(PAGE, page()))
