"""Makes docs/networks.md from the catalogue, the networks' traits and the figures in results/: python docs/networks.py [--check]"""

from __future__ import annotations

import functools
import json
import sys
from pathlib import Path
from typing import Any

import torch
from generated import write_or_check

from revivid import networks
from revivid.networks.traits import Traits
from revivid.weights import catalogue, embedded
from revivid.weights.catalogue import Entry

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "networks.md"
RESULTS = ROOT / "results" / "networks.json"
COUNTS = ROOT / "results" / "macs.json"

TASKS = {
    "super-resolve": ("Super-resolution", "--super-resolve {scale}"),
    "deblur": ("Deblurring", "--deblur"),
    "denoise": ("Denoising", "--denoise 10"),
    "deartifact": ("Compression artefacts", "--deartifact"),
    "refine": ("Video that was sharpened before it was compressed", "-o OUT.mp4 --codec hybrid"),
    "interpolate": ("Frame interpolation", "--interpolate 2"),
    "compress": ("Compression of blurry video", "-o OUT.bvc --codec bvc"),
    "intra": ("Its keyframes", "-o OUT.bvc --codec bvc --intra learned"),
}
#: What has a row: published checkpoints and our own weights.
Weights = Entry | embedded.Metadata
#: Our own, whose weights come inside the package.
OWN = embedded.describe()
HEADER = "| name | network | parameters | kMACs per pixel | ms per frame | ms per megapixel | published PSNR (SSIM) | licence |"

INTRODUCTION = """# Networks

<!-- made by docs/networks.py from the catalogue, the networks' traits and the figures in results -->

The networks that revivid ships, task by task. Published ones take their authors' checkpoints, which are fetched when you ask
for them ([weights.md](weights.md)); our own come inside the package and need nothing.

- **ms per frame, ms per megapixel**: one call on {cpu}, {threads} threads, float32, divided by its new frames and
  by the megapixels of its output. The inputs are small ([results/networks.json](../results/networks.json) says which); time grows
  with the pixels.
- **kMACs per pixel**: thousands of multiply-adds of convolutions, matrix products and attention for each pixel of new
  frames, counted on six frames (or what the network takes) of 96x64 ([results/macs.json](../results/macs.json)), bilinear
  sampling left out.
- **published PSNR (SSIM)**: the publishers' first figures, with their test set; not measured by revivid.
  `revivid weights show NAME` has all of them.
- Checkpoints of one network that differ only in what they were trained on share their figures; "-" under ms: not timed.
"""


def page() -> str:
    results: dict[str, Any] = json.loads(RESULTS.read_text(encoding="utf-8"))
    machine = results["machine"]
    parts = [INTRODUCTION.format(cpu=machine["cpu"], threads=machine["threads"])]
    for task, (title, _) in TASKS.items():
        entries = [entry for entry in catalogue.entries().values() if entry.task == task]
        rows = [_own_row(name, results["cases"]) for name, own in OWN.items() if task in _traits(own).tasks]
        rows += [_row(entry, results["cases"]) for entry in entries]
        if rows:
            parts += [f"## {title}", "", HEADER, "|---|---|---:|---:|---:|---:|---|---|", *rows, "", *_use(task, entries), ""]
    parts += _speed(results["cases"])
    return "\n".join(parts) + "\n"


def _row(entry: Entry, cases: dict[str, Any]) -> str:
    case = cases.get(_case(entry), {})
    metric = next((f"{set_}: {_figures(values)}" for set_, values in entry.metrics.items()), "-")
    licence = entry.licence + (" (non-commercial)" if entry.noncommercial else "")
    return _cells(entry.name, entry, case, metric, licence)


def _own_row(name: str, cases: dict[str, Any]) -> str:
    own = OWN[name]
    pages = {"codec": "bvc.md", "picture": "intra.md"}
    measured = "[{0}]({0})".format(pages.get(_traits(own).kind, "quality.md"))
    return _cells(name, own, cases.get(name, {}), measured, f"{own.licence} (inside the package)")


def _cells(name: str, weights: Weights, case: dict[str, Any], metric: str, licence: str) -> str:
    millions = _count(_module(weights)) / 1e6
    ours = case.get("revivid", {})
    times = (ours.get("ms_per_frame", "-"), ours.get("ms_per_megapixel", "-"))
    cells = (f"`{name}`", weights.network, f"{millions:.3g} M", f"{_kmacs(name, weights):.3g}", *times, metric, licence)
    return f"| {' | '.join(map(str, cells))} |"


def _case(entry: Entry) -> str:
    """The entry that was measured for this one: itself, or one of the same network and hyper-parameters."""
    from_bench = json.loads(RESULTS.read_text(encoding="utf-8"))["cases"]
    same = [
        other.name
        for other in catalogue.entries().values()
        if other.name in from_bench and other.network == entry.network and _shape(other) == _shape(entry)
    ]
    return entry.name if entry.name in from_bench else next(iter(same), "")


def _kmacs(name: str, weights: Weights) -> float:
    """Thousands of multiply-adds per pixel of a new frame, as they were counted for these hyper-parameters."""
    counted = _counts().get(name, {})
    if (counted.get("network"), counted.get("hyperparameters")) != (weights.network, _shape(weights)):
        raise SystemExit(f"no multiply-adds of {name}: run python bench/macs.py --out {COUNTS.relative_to(ROOT)} --missing")
    return counted["kmacs_per_pixel"]


@functools.cache
def _counts() -> dict[str, Any]:
    return json.loads(COUNTS.read_text(encoding="utf-8"))["weights"]


def _shape(weights: Weights) -> dict[str, Any]:
    """Hyper-parameters that decide what is computed."""
    free = {"img_size"} if weights.network == "swinir" else set()
    return {key: value for key, value in weights.hyperparameters.items() if key not in free}


def _figures(values: tuple[float, ...]) -> str:
    return f"{values[0]:g}" + (f" ({values[1]:g})" if len(values) > 1 else "")


def _use(task: str, entries: list[Entry]) -> list[str]:
    """How to fetch and use the task's networks, and what each of them is."""
    if not entries:  # only codecs have none that others published
        lines = ["```bash", f"revivid compress IN {TASKS[task][1]}", "```", ""]
        if task == "refine":
            return [*lines, "What it is for and how it is trained: [hybrid.md](hybrid.md)."]
        if task == "intra":
            return [*lines, "What it is made of: [intra.md](intra.md). Multiply-adds are of coding and decoding."]
        return [*lines, "What it is made of and how it is trained: [bvc.md](bvc.md). Multiply-adds are the encoder's."]
    first = entries[0]
    scale = _traits(first).scale
    option = TASKS[task][1].format(scale=scale)
    lines = ["```bash", f"revivid weights fetch {first.name}", f"revivid restore IN -o OUT {option} --with {first.name}", "```", ""]
    for network in dict.fromkeys(entry.network for entry in entries):
        traits = _traits(next(entry for entry in entries if entry.network == network))
        lines.append(f"- **{network}**: {traits.paper}. {_reach(traits)}")
    return lines


def _module(weights: Weights) -> torch.nn.Module:
    return _built(weights.network, json.dumps(_shape(weights)))


@functools.cache
def _built(network: str, hyperparameters: str) -> torch.nn.Module:
    """A network without memory for its weights."""
    with torch.device("meta"):
        return networks.build(network, **json.loads(hyperparameters))


def _count(module: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def _traits(weights: Weights) -> Traits:
    return _module(weights).traits  # type: ignore[return-value]


def _reach(traits: Traits) -> str:
    if traits.kind in ("image", "planes"):
        time = "Frame by frame"
    elif traits.kind == "pair":
        time = "Two frames, " + ("any time between them" if traits.any_time else "the frame in the middle")
    elif traits.temporal_reach is None:
        time = "A frame depends on the whole clip"
    else:
        time = f"A frame depends on {traits.temporal_reach[0]} frames before and {traits.temporal_reach[1]} after it"
    space = "without a bound in space" if traits.spatial_reach is None else f"{traits.spatial_reach} pixels to each side"
    return f"{time}, {space}."


def _speed(cases: dict[str, Any]) -> list[str]:
    lines = [
        "## Against the literal forms", "",
        "The same weights and inputs through a straightforward implementation of each description (`bench/reference_*.py`), in",
        "turns. Memory is what the first call adds; differences are in standard deviations of the output.", "",
        "| case | input | times as fast | peak memory | of the literal form's | largest difference |",
        "|---|---|---:|---:|---:|---:|",
    ]  # fmt: skip
    for name, case in cases.items():
        if "speedup" in case:
            shape = "x".join(map(str, case["input"]))
            peak, ratio = round(case["revivid"]["peak_mb"]), round(100 * case["memory_ratio"])
            largest = f"{case['difference']['largest']:.0e}"
            lines.append(f"| `{name}` | {shape} | {case['speedup']} | {peak} MB | {ratio} % | {largest} |")
    lines += ["", "## bfloat16", "", "Autocast against float32 with random weights, in standard deviations of the output.", ""]
    lines += ["| case | mean | largest |", "|---|---:|---:|"]
    return lines + [f"| `{name}` | {case['bf16']['mean']} | {case['bf16']['largest']} |" for name, case in cases.items()]


if __name__ == "__main__":
    sys.exit(write_or_check(PAGE, page()))
