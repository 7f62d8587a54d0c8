"""Peak memory of every network by tile size and window length: python bench/memory.py [CASE ...] --out results/memory.json

Depth costs time and no memory, so the networks are built with their published widths and windows and as few blocks as they take,
random weights, one thread, float32. Each case runs in a process of its own; `peak_bytes` is how far a call raises the resident
memory, inputs and outputs included, after a small call that loads what the first call loads. `declared` are the network's
`bytes_per_pixel`, `bytes_per_frame_pixel` and `state_bytes_per_pixel`, from which `planned_over_measured` follows. Linux only.
"""

from __future__ import annotations

import argparse
import ctypes
import gc
import json
import subprocess
import sys
from collections.abc import Callable
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import torch

from revivid import networks
from revivid.evaluation.machine import describe_machine
from revivid.restoration.planning import FIXED_BYTES

_VRT = {"depths": [2] * 7 + [1] * 6, "embed_dims": [120] * 7 + [180] * 6, "num_heads": [6] * 13, "indep_reconsts": [11, 12]}
_VRT_SAME = {"upscale": 1, "depths": [2] * 7 + [1] * 4, "embed_dims": [96] * 7 + [120] * 4, "num_heads": [6] * 11,
             "indep_reconsts": [9, 10], "img_size": [6, 192, 192], "window_size": [6, 8, 8]}  # fmt: skip
_SWINIR = {"depths": [2] * 2, "num_heads": [6] * 2, "embed_dim": 180, "window_size": 8, "mlp_ratio": 2}
#: name -> network, hyper-parameters, points of (frames, side).
CASES: dict[str, tuple[str, dict[str, Any], list[tuple[int, int]]]] = {
    "srvgg": ("srvgg", {"num_conv": 4}, [(1, 256), (1, 512)]),
    "swinir-denoise": ("swinir", {**_SWINIR, "upscale": 1}, [(1, 128), (1, 256)]),
    "swinir-x4": ("swinir", {**_SWINIR, "upscale": 4, "upsampler": "pixelshuffle"}, [(1, 128), (1, 192)]),
    "swinir-real-x4": (
        "swinir",
        {**_SWINIR, "embed_dim": 240, "num_heads": [8] * 2, "upscale": 4, "upsampler": "nearest+conv", "resi_connection": "3conv"},
        [(1, 128), (1, 192)],
    ),
    "swinir-light-x2": ("swinir", {**_SWINIR, "embed_dim": 60, "upscale": 2, "upsampler": "pixelshuffledirect"}, [(1, 256)]),
    "fastdvdnet": ("fastdvdnet", {}, [(1, 256), (1, 512)]),
    "ifirnn": ("ifirnn", {}, [(1, 256), (1, 512)]),
    "estrnn": ("estrnn", {"n_blocks": 15}, [(1, 256), (1, 512)]),
    "edvr-m": ("edvr", {"num_reconstruct_block": 1}, [(1, 128), (1, 192)]),
    "edvr-l": ("edvr", {"num_feat": 128, "num_reconstruct_block": 1}, [(1, 128), (1, 192)]),
    "edvr-l-deblur": ("edvr", {"num_feat": 128, "num_reconstruct_block": 1, "hr_in": True, "with_predeblur": True}, [(1, 256)]),
    "basicvsr": ("basicvsr", {"num_block": 1}, [(2, 128), (16, 64), (16, 128)]),
    "iconvsr": ("iconvsr", {"num_block": 1}, [(2, 128), (16, 64), (16, 128)]),
    "basicvsr++": ("basicvsr_plusplus", {"num_blocks": 1}, [(2, 96), (10, 64), (10, 96)]),
    "basicvsr++-128": ("basicvsr_plusplus", {"num_blocks": 1, "mid_channels": 128}, [(2, 64), (2, 96)]),
    "basicvsr++-same": ("basicvsr_plusplus", {"num_blocks": 1, "mid_channels": 128, "is_low_res_input": False},
                        [(2, 128), (8, 128), (8, 256)]),
    "vrt-x4-6": ("vrt", {**_VRT, "img_size": [6, 64, 64], "window_size": [6, 8, 8], "deformable_groups": 12},
                 [(6, 64), (12, 64), (6, 96)]),
    "vrt-x4-16": ("vrt", {**_VRT, "img_size": [16, 64, 64], "window_size": [8, 8, 8], "pa_frames": 6, "deformable_groups": 24},
                  [(8, 64), (16, 64), (8, 96)]),
    "vrt-deblur": ("vrt", _VRT_SAME, [(6, 64), (12, 64), (6, 128)]),
    "rife": ("rife", {}, [(2, 256), (2, 512)]),
    "compactinterp": ("compactinterp", {}, [(2, 512), (2, 768)]),
    "ifrnet": ("ifrnet", {}, [(2, 256), (2, 512)]),
    "ifrnet-l": ("ifrnet_l", {}, [(2, 256), (2, 512)]),
}  # fmt: skip


def resident(field: str) -> int:
    """`VmRSS` or `VmHWM` of this process in bytes."""
    lines = Path("/proc/self/status").read_text(encoding="ascii", errors="replace").splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(field))


def peak(call: Callable[[], Any]) -> tuple[int, Any]:
    """How far a call raises the resident memory, in bytes, and what it answers. Freed memory must not be kept by the process."""
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)
    Path("/proc/self/clear_refs").write_text("5")  # resets the peak
    before = resident("VmRSS")
    answer = call()
    return resident("VmHWM") - before, answer


def call(module: Any, frames: int, side: int) -> tuple[torch.Tensor, ...]:
    """One call as the engine makes it; the state of a streaming network is what it returns."""
    traits = module.traits
    sigma = {"sigma": 0.1} if traits.noise == "argument" else {}
    if traits.streams:
        state: tuple[torch.Tensor, ...] = ()
        for _ in range(sum(traits.extends) + 1):
            _, state = module.step(torch.rand(1, traits.channels, side, side), state, **sigma)
        return state
    clip = torch.rand(1, frames, traits.channels, side, side)
    module(clip[:, 0] if traits.kind == "image" else clip)
    return ()


def measure(case: str) -> dict[str, Any]:
    torch.set_num_threads(1)
    name, kwargs, points = CASES[case]
    module: Any = networks.build(name, **kwargs).eval()
    result: dict[str, Any] = {"network": name, "points": []}
    with torch.no_grad():
        call(module, min(points)[0], 64)
        for frames, side in points:
            peak_bytes, state = peak(lambda frames=frames, side=side: call(module, frames, side))
            point = {"frames": frames, "side": side, "peak_bytes": peak_bytes, "per_pixel": round(peak_bytes / side**2)}
            result["points"].append(point)
            if state:
                result["state_per_pixel"] = round(sum(4 * part.numel() for part in state) / side**2, 1)
    traits = module.traits
    result["declared"] = [traits.bytes_per_pixel, traits.bytes_per_frame_pixel, traits.state_bytes_per_pixel]
    for point in result["points"]:
        pixels = point["side"] ** 2
        planned = FIXED_BYTES + pixels * (traits.bytes_per_pixel + point["frames"] * traits.bytes_per_frame_pixel)
        point["planned_over_measured"] = round(planned / point["peak_bytes"], 2)
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("cases", nargs="*")
    parser.add_argument("--out", type=Path, default=Path("results/memory.json"))
    parser.add_argument("--child")
    arguments = parser.parse_args()
    if arguments.child:
        print(json.dumps(measure(arguments.child)))
        return
    report = json.loads(arguments.out.read_text()) if arguments.out.exists() else {"cases": {}}
    for case in arguments.cases or CASES:
        printed = subprocess.run([sys.executable, __file__, "--child", case], check=True, capture_output=True, text=True).stdout
        report["cases"][case] = {**json.loads(printed), "date": datetime.now(timezone.utc).date().isoformat()}
        print(case, report["cases"][case]["points"], report["cases"][case].get("state_per_pixel"), flush=True)
        report["machine"] = describe_machine()
        arguments.out.write_text(json.dumps(report, indent=1) + "\n")


if __name__ == "__main__":
    main()
