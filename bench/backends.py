"""What OpenVINO costs in quality and gains in speed: python bench/backends.py [MASTERS] --out results/backends.json

With MASTERS, a folder of lossless videos: PSNR of luma and chroma over bicubic by backend, as bench/quality_sr.py measures it, at
CRF 28. Without: frames per second of the network to 1280x720, as many frames side by side as torch has threads, and milliseconds
of one frame on one thread, the best of some turns in which all backends alternate. Either is added to what --out holds.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from statistics import mean
from time import perf_counter
from typing import Any

import torch
from torch import Tensor

from quality_sr import measure, read_frames
from revivid.evaluation.machine import describe_machine
from revivid.restoration.backends import Backend, choose
from revivid.restoration.embedded import load_embedded
from revivid.restoration.workers import each_frame, worker_count

BACKENDS = ("torch", "openvino", "openvino-int8")
NAMES = ("lumasr-x4", "lumasr-x4-hq", "lumasr-x2-hq", "compactsr-x4", "compactsr-x2")
CRF, TURNS = 28.0, 6


class _AsNetwork:
    """A backend, called as its network is."""

    def __init__(self, backend: Backend, scale: int) -> None:
        self.backend, self.scale = backend, scale

    def restore(self, y: Tensor, uv: Tensor, strength: Tensor) -> tuple[Tensor, Tensor]:
        return self.backend.restore(y, uv, strength.item(), 8)


def quality(name: str, masters: list[Path], frames: int) -> dict[str, Any]:
    network: Any = load_embedded(name)
    gains: dict[str, dict[str, float]] = {}
    for backend in BACKENDS:
        module = _AsNetwork(choose(backend, network), network.scale)
        values = [measure(read_frames(path, frames), module, CRF, 8) for path in masters]
        chroma = mean(value["network_chroma"] - value["bicubic_chroma"] for value in values)
        gains[backend] = {"luma": round(mean(value["gain"] for value in values), 4), "chroma": round(chroma, 4)}
    return {"clips": len(masters), "crf": CRF, "gain_db": gains}


def speed(name: str) -> dict[str, Any]:
    network: Any = load_embedded(name)
    height, width = 720 // network.scale, 1280 // network.scale
    y = torch.randint(0, 256, (1, 1, height, width), dtype=torch.uint8)
    uv = torch.randint(0, 256, (1, 2, height // 2, width // 2), dtype=torch.uint8)
    backends = {backend: choose(backend, network) for backend in BACKENDS}
    workers, best = worker_count(), {backend: [1e9, 1e9] for backend in BACKENDS}
    for _ in range(TURNS):
        for label, backend in backends.items():
            for place, count in enumerate((1, 2 * workers)):
                begin = perf_counter()
                each_frame(lambda _, backend=backend: backend.restore(y, uv, CRF, 8), range(count))
                best[label][place] = min(best[label][place], (perf_counter() - begin) / count)
    return {
        "workers": workers,
        "ms_one_thread": {label: round(1e3 * times[0], 1) for label, times in best.items()},
        "fps": {label: round(1 / times[1], 1) for label, times in best.items()},
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("masters", type=Path, nargs="?")
    parser.add_argument("--weights", nargs="+", default=list(NAMES))
    parser.add_argument("--frames", type=int, default=9)
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    results: dict[str, Any] = json.loads(arguments.out.read_text(encoding="utf-8")) if arguments.out.exists() else {"weights": {}}
    results |= {"command": "python bench/backends.py [MASTERS]", "machine": describe_machine()}
    for name in arguments.weights:
        found = quality(name, sorted(arguments.masters.glob("*.mkv")), arguments.frames) if arguments.masters else speed(name)
        results["weights"].setdefault(name, {}).update(found)
        print(name, found, flush=True)
        arguments.out.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
