"""What warping a sharp frame gives along the codec's flow: as `compactinterp` finds it and registered, bilinearly and bicubically.

    python bench/registration.py SCENES [--count 24] [--out results/registration.json]

SCENES is a folder of training scenes (`revivid train` leaves them in OUT/scenes); only held-out sources are looked at. PSNR of
R'G'B' in dB of the second frame, predicted from the first, in the middle of each scene; mean over scenes.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from revivid.layers.warp import backward_warp
from revivid.networks.bvc import Bvc
from revivid.networks.bvc_compact import CellFlow, enlarge_flow
from revivid.train.codec import middle
from revivid.train.codec_losses import decibels
from revivid.train.scenes import files, held_out, load, source_of
from revivid.weights import embedded


@torch.inference_mode()
def measured(flow: CellFlow, truth: Tensor) -> dict[str, float]:
    reference, target = truth[:1], truth[1:2]
    fields = {"found": flow.found(target, reference), "registered": flow(target, reference)}
    levels = {"still": decibels(reference[0], target[0])}
    for name, field in fields.items():
        for mode in ("bilinear", "bicubic"):
            warped = backward_warp(reference, enlarge_flow(field), padding="border", mode=mode)
            levels[f"{name}, {mode}"] = decibels(warped[0], target[0])
    return levels


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("scenes", type=Path)
    parser.add_argument("--count", type=int, default=24)
    parser.add_argument("--out", type=Path, default=Path("results/registration.json"))
    options = parser.parse_args()
    flow = CellFlow().eval()
    flow.network.load_state_dict(embedded.load("compactinterp-x2")[1])
    kept = [path for path in files(options.scenes) if held_out(source_of(path))]
    chosen = kept[:: max(len(kept) // options.count, 1)][: options.count]
    levels = [measured(flow, middle(load([path])[0], Bvc.multiple)[1]) for path in chosen]
    result = {
        "command": "python bench/registration.py SCENES",
        "scenes": len(levels),
        "psnr": {name: round(float(np.mean([level[name] for level in levels])), 2) for name in levels[0]},
        "gain of registration, bicubic": [
            round(level["registered, bicubic"] - level["found, bicubic"], 2) for level in levels
        ],
    }
    options.out.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
