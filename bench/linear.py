"""What fixed weights of a KernelNet's samples gain, by least squares: how much there is to learn, before anything is trained.

    python bench/linear.py SCENES deblurnet [--every 15] [--out results/linear.json]

SCENES is a folder of training scenes (`revivid train` leaves them in OUT/scenes). `own`: weights fitted to each scene itself, a
bound for weights that know what they look at; `others`: fitted to the scenes of other sources. Luma, gains in dB over the damaged
frame, mean over scenes and their versions, by what the network would be told (CRF; 0: not compressed).
"""

from __future__ import annotations

import argparse
import json
import math
import zlib
from collections import defaultdict
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from revivid import networks
from revivid.networks.kernelnet import KernelNet
from revivid.networks.registered import BORROWED
from revivid.train.scenes import Scene, files, load
from revivid.weights import embedded

#: CRFs of one row.
STEP = 6


class Normal:
    """Normal equations of one frame: squared samples, samples times error, squared error, per squared error."""

    def __init__(self, samples: Tensor, error: Tensor, source: str) -> None:
        error, samples = error.flatten().double(), samples.flatten(1).double()
        energy = error.square().sum()
        self.squares, self.products = samples @ samples.T / energy, samples @ error / energy
        self.half = zlib.crc32(source.encode()) % 2

    def gain(self, weights: Tensor) -> float:
        """dB that these weights gain."""
        left = 1 - 2 * weights @ self.products + weights @ self.squares @ weights
        return -10 * math.log10(max(float(left), 1e-6))


def fitted(equations: list[Normal]) -> Tensor:
    squares = torch.stack([one.squares for one in equations]).mean(0)
    products = torch.stack([one.products for one in equations]).mean(0)
    return torch.linalg.solve(squares + 1e-6 * squares.diagonal().mean() * torch.eye(len(squares)), products)


def equations_of(network: KernelNet, scene: Scene) -> list[tuple[float, Normal]]:
    """Of the middle frame of each version of a scene, with what the network is told."""
    middle, reach = len(scene.truth[0]) // 2, network.reach
    found = []
    for planes, strength in zip(scene.degraded, scene.strengths, strict=True):
        y, u, v = (torch.from_numpy(plane[middle - reach : middle + reach + 1]).float()[None] / 255 for plane in planes)
        truth = torch.from_numpy(scene.truth[0][middle]).float() / 255
        error = truth - y[0, reach]
        if strength is not None and error.square().mean() > 1e-6:
            samples = network.seen(y, torch.stack((u, v), 2).flatten(1, 2), network.guide(y), torch.tensor([strength])).luma[0]
            found.append((float(strength), Normal(samples, error, scene.name)))
    return found


def measure(folder: Path, name: str, every: int) -> dict[str, Any]:
    network = networks.build(name).eval()
    assert isinstance(network, KernelNet)
    for part, weights in BORROWED.items():
        network.get_submodule(part).load_state_dict(embedded.load(weights)[1])
    rows: dict[str, list[Normal]] = defaultdict(list)
    for path in files(folder)[::every]:
        (scene,) = load([path])
        if len(scene.truth[0]) > 2 * network.reach:
            for strength, equations in equations_of(network, scene):
                low = int(strength) // STEP * STEP
                rows["0" if not strength else f"{low}-{low + STEP}"].append(equations)
    return {row: _row(equations) for row, equations in sorted(rows.items())}


def _row(equations: list[Normal]) -> dict[str, float]:
    halves = [[one for one in equations if one.half == half] for half in (0, 1)]
    found: dict[str, float] = {"frames": len(equations)}
    found["own"] = round(sum(one.gain(fitted([one])) for one in equations) / len(equations), 3)
    if all(halves):
        others = [one.gain(fitted(halves[1 - one.half])) for one in equations]
        found |= {"others": round(sum(others) / len(others), 3), "worst": round(min(others), 3)}
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("scenes", type=Path)
    parser.add_argument("network", choices=("deblurnet", "deartifactnet"))
    parser.add_argument("--every", type=int, default=15)
    parser.add_argument("--out", type=Path, default=Path("results/linear.json"))
    given = parser.parse_args()
    with torch.inference_mode():
        rows = measure(given.scenes, given.network, given.every)
    results = json.loads(given.out.read_text(encoding="utf-8")) if given.out.exists() else {}
    results[given.network] = {"command": f"python bench/linear.py SCENES {given.network} --every {given.every}", "rows": rows}
    given.out.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    for row, values in rows.items():
        print(row, values)


if __name__ == "__main__":
    main()
