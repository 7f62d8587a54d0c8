"""How far tiles must overlap before no seam shows: python bench/seams.py [CASE ...] --out results/seams.json

For networks whose reach has no bound (attention, flow, a state carried over time). A natural-looking moving picture is restored
whole and in tiles, with random weights that keep activations at a natural size (trained weights lie at hand for none of them, and
forget faster). For each overlap: `seam`, by how much the mean gradient across tile borders, over that elsewhere, differs from the
same in the whole picture; `cropped`, the same where the overlap is cut in its middle instead of blended; `difference`, the root
mean square of tiled minus whole over the standard deviation of what the network changes.
"""

from __future__ import annotations

import argparse
import itertools
import json
import math
import zlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from revivid import networks
from revivid.evaluation.machine import describe_machine
from revivid.restoration.calls import Caller
from revivid.restoration.tiles import Tiling, split, tiled, tiled_step

_VRT = {"depths": [4] * 7 + [2] * 4, "embed_dims": [48] * 11, "num_heads": [6] * 11, "indep_reconsts": [9, 10], "upscale": 1}
#: name -> network, hyper-parameters, frames, height, width of the input.
CASES: dict[str, tuple[str, dict[str, Any], int, int, int]] = {
    "swinir-light": ("swinir", {"depths": [6] * 4, "num_heads": [6] * 4, "embed_dim": 60, "window_size": 8, "mlp_ratio": 2},
                     1, 64, 320),
    "vrt": ("vrt", {**_VRT, "img_size": [6, 64, 64], "window_size": [6, 8, 8]}, 3, 64, 320),
    "ifirnn": ("ifirnn", {}, 4, 64, 320),
    "estrnn": ("estrnn", {}, 4, 64, 320),
    "edvr-m": ("edvr", {"num_frame": 3}, 3, 64, 256),
    "basicvsr": ("basicvsr", {"num_block": 7}, 4, 64, 256),
    "iconvsr": ("iconvsr", {"num_block": 5}, 4, 64, 256),
    "basicvsr++": ("basicvsr_plusplus", {"num_blocks": 4}, 3, 64, 256),
    "basicvsr++-same": ("basicvsr_plusplus", {"num_blocks": 7, "is_low_res_input": False}, 3, 128, 384),
}  # fmt: skip
OVERLAPS = (16, 32, 64, 96)


def randomise(module: torch.nn.Module) -> None:
    """Weights that keep activations and flows at a natural size."""
    for name, parameter in module.named_parameters():
        generator = torch.Generator().manual_seed(zlib.crc32(name.encode()))
        spread = 0.1 if parameter.dim() == 1 else 0.5 if "table" in name else 0.6 / math.sqrt(parameter[0].numel())
        torch.nn.init.normal_(parameter, mean=0.6 if name.endswith("norm.weight") else 0, std=spread, generator=generator)


def moving_picture(frames: int, height: int, width: int) -> Tensor:
    """(T, 3, H, W): noise with a 1/f spectrum and edges, gliding."""
    tall, wide = height + 2 * frames, width + 2 * frames
    noise = torch.fft.rfft2(torch.randn(3, tall, wide, generator=torch.Generator().manual_seed(0)))
    radius = torch.hypot(torch.fft.fftfreq(tall)[:, None], torch.fft.rfftfreq(wide)[None]).clamp(min=2 / wide)
    texture = torch.fft.irfft2(noise / radius, s=(tall, wide))
    rows, columns = torch.arange(tall)[:, None], torch.arange(wide)[None]
    edges = 0.12 * torch.sign(torch.sin(rows / 17 + columns / 23) + 0.3)
    picture = (0.5 + 0.15 * texture / texture.std() + edges).clamp(0, 1)
    return torch.stack([picture[:, t : t + height, 3 * t // 2 : 3 * t // 2 + width] for t in range(frames)])


def restore(caller: Caller, clip: Tensor, tiling: Tiling) -> Tensor:
    """The last picture that the network makes of a clip, in tiles."""
    traits = caller.traits
    if traits.kind == "image":
        return tiled(caller.image, clip[-1], tiling, traits.scale)
    if not traits.streams:
        return tiled(caller.clip, clip, tiling, traits.scale)[-1]
    state: tuple[Tensor, ...] = ()
    picture = None
    for t in range(max(len(clip), 1 + sum(traits.extends))):
        picture, state = tiled_step(caller.step, clip[t % len(clip)], state, tiling, traits.scale, traits.size_multiple)
    assert picture is not None
    return picture


def seam(picture: Tensor, whole: Tensor, borders: list[int]) -> float:
    """Gradient across the columns at `borders` over that elsewhere, against the same in the whole picture, minus 1."""

    def energy(x: Tensor) -> float:
        gradient = x.diff(dim=-1).abs().mean(dim=(0, 1))
        at = torch.zeros_like(gradient, dtype=torch.bool)
        for border in borders:
            at[max(0, border - 1)] = True
        return float(gradient[at].mean() / gradient[~at].mean())

    return energy(picture) / energy(whole) - 1


def borders_of(tiling: Tiling, scale: int) -> list[int]:
    """Output columns where tiles begin and end, where trust in them begins and ends, and the middle of each overlap."""
    spans, margin = tiling.columns.spans, tiling.columns.margin
    columns = []
    for (_, stop), (start, _) in itertools.pairwise(spans):
        columns += [start, start + margin, (start + stop) // 2, stop - margin, stop]
    return [column * scale for column in columns]


def measure(case: str) -> dict[str, Any]:
    name, kwargs, frames, height, width = CASES[case]
    module: Any = networks.build(name, **kwargs).eval()
    randomise(module)
    caller, clip = Caller(module, None, torch.float32), moving_picture(frames, height, width)
    scale, multiple = module.traits.scale, module.traits.size_multiple

    def tiling(overlap: int, margin: int) -> Tiling:
        tile = -(-(width + overlap) // (2 * multiple)) * multiple
        tile = -(-tile // module.traits.tile_multiple) * module.traits.tile_multiple
        return Tiling(split(height, height, 0), split(width, min(tile, width - multiple), overlap, multiple, margin))

    whole = restore(caller, clip, Tiling(split(height, height, 0), split(width, width, 0)))
    base = F.interpolate(clip[-1:], size=whole.shape[-2:], mode="bilinear")[0]
    change = float((whole - base).std())
    result: dict[str, Any] = {"network": name, "input": [frames, height, width], "overlaps": {}}
    for overlap in OVERLAPS:
        layout = tiling(overlap, overlap // 4)
        picture = restore(caller, clip, layout)
        hard = restore(caller, clip, replace(layout, columns=replace(layout.columns, margin=overlap)))
        result["overlaps"][overlap] = {
            "tiles": layout.columns.spans,
            "seam": round(seam(picture, whole, borders_of(layout, scale)), 4),
            "cropped": round(seam(hard, whole, [sum(p) // 2 * scale for p in _overlaps(layout)]), 4),
            "difference": round(float((picture - whole).square().mean().sqrt()) / change, 5),
        }
    return result


def _overlaps(tiling: Tiling) -> Iterator[tuple[int, int]]:
    spans = tiling.columns.spans
    return ((start, stop) for (_, stop), (start, _) in itertools.pairwise(spans))


def main(run: Callable[[str], dict[str, Any]] = measure) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("cases", nargs="*")
    parser.add_argument("--out", type=Path, default=Path("results/seams.json"))
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    report = json.loads(arguments.out.read_text()) if arguments.out.exists() else {"cases": {}}
    for case in arguments.cases or CASES:
        report["cases"][case] = {**run(case), "date": datetime.now(timezone.utc).date().isoformat()}
        print(case, report["cases"][case]["overlaps"], flush=True)
        report["machine"] = describe_machine()
        arguments.out.write_text(json.dumps(report, indent=1) + "\n")


if __name__ == "__main__":
    main()
