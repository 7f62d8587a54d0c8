"""Time and memory of networks against their literal forms: python bench/networks.py [CASE ...] --out results/networks.json

Each form runs in its own process with one thread and the same random weights, in float32. `cpu_ms_per_frame` is processor time of
the fastest of `--repeats` calls, so that other work on the machine counts little; `wall_ms_per_frame` is what a clock showed.
`peak_mb` is how far the first call raised the process's resident memory. `max_difference` is between the two outputs, over the
standard deviation of the literal one. Results of cases that are not asked for stay in the file.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
from datetime import datetime, timezone
from pathlib import Path
from time import perf_counter, process_time
from typing import Any

import numpy as np
import torch

from reference_swinir import ReferenceSwinIR
from reference_vrt import ReferenceVRT
from revivid import networks
from revivid.evaluation.machine import describe_machine

_SR = {"upscale": 4, "depths": [8] * 7 + [4] * 6, "indep_reconsts": [11, 12], "embed_dims": [120] * 7 + [180] * 6,
       "num_heads": [6] * 13}  # fmt: skip
_SAME = {"upscale": 1, "img_size": [6, 192, 192], "window_size": [6, 8, 8], "depths": [8] * 7 + [4] * 4, "indep_reconsts": [9, 10],
         "embed_dims": [96] * 7 + [120] * 4, "num_heads": [6] * 11, "pa_frames": 2, "deformable_groups": 16}  # fmt: skip
_SWINIR = {"window_size": 8, "depths": [6] * 6, "embed_dim": 180, "num_heads": [6] * 6, "mlp_ratio": 2}
#: name -> network, published hyper-parameters, input shape.
CASES: dict[str, tuple[str, dict[str, Any], tuple[int, ...]]] = {
    "vrt-deblur": ("vrt", _SAME, (1, 6, 3, 64, 64)),
    "vrt-sr-reds-6frames": (
        "vrt",
        {**_SR, "img_size": [6, 64, 64], "window_size": [6, 8, 8], "pa_frames": 2, "deformable_groups": 12},
        (1, 6, 3, 64, 64),
    ),
    "swinir-denoise": ("swinir", {**_SWINIR, "img_size": 128, "upscale": 1}, (1, 3, 128, 128)),
}
LITERAL = {"vrt": ReferenceVRT, "swinir": ReferenceSwinIR}


def randomise(module: torch.nn.Module) -> None:
    """Weights that keep activations and flows at a natural size, the same in every process."""
    generator = torch.Generator().manual_seed(0)
    for name, parameter in module.named_parameters():
        spread = 0.1 if parameter.dim() == 1 else 0.5 if "table" in name else 0.7 / parameter[0].numel() ** 0.5
        torch.nn.init.normal_(parameter, std=spread, generator=generator)


def peak_kb() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def run_one(case: str, literal: bool, repeats: int, output: Path) -> dict[str, float]:
    """One form of one case in this process; its output goes to `output` as .npy."""
    torch.set_num_threads(1)
    name, kwargs, shape = CASES[case]
    module = networks.build(name, **kwargs).eval()
    randomise(module)
    call = LITERAL[name](module.state_dict(), **kwargs) if literal else module
    x = torch.rand(shape, generator=torch.Generator().manual_seed(1))
    frames = shape[0] * shape[1] if len(shape) == 5 else shape[0]
    cpu, wall = [], []
    before = peak_kb()
    peak = 0.0
    with torch.inference_mode():
        for _ in range(repeats):
            started, clock = process_time(), perf_counter()
            out = call(x)
            cpu.append(process_time() - started)
            wall.append(perf_counter() - clock)
            peak = peak or (peak_kb() - before) / 1024
    np.save(output, out.numpy())  # type: ignore[possibly-undefined]
    return {
        "cpu_ms_per_frame": round(1000 * min(cpu) / frames, 1),
        "wall_ms_per_frame": round(1000 * min(wall) / frames, 1),
        "peak_mb": round(peak, 1),
    }


def compare(case: str, repeats: int) -> dict[str, Any]:
    """Both forms of one case, each in a process of its own."""
    result: dict[str, Any] = {"input": list(CASES[case][2]), "repeats": repeats}
    outputs = []
    with tempfile.TemporaryDirectory() as folder:
        for form in ("revivid", "literal"):
            path = Path(folder) / f"{form}.npy"
            command = [sys.executable, __file__, case, "--form", form, "--repeats", str(repeats), "--out", str(path)]
            answer = subprocess.run(command, check=True, capture_output=True, text=True).stdout
            result[form] = json.loads(answer)
            outputs.append(np.load(path))
    difference = np.abs(outputs[0] - outputs[1]) / outputs[1].std()
    result["max_difference"] = float(f"{difference.max():.2e}")
    result["values_within_1e-4"] = float(f"{(difference < 1e-4).mean():.6f}")
    result["speedup"] = round(result["literal"]["cpu_ms_per_frame"] / result["revivid"]["cpu_ms_per_frame"], 2)
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cases", nargs="*", metavar="CASE", help=f"of {', '.join(CASES)}; all by default")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--repeats", type=int, default=2)
    parser.add_argument("--form", choices=("revivid", "literal"), help="only this form of one case, printed as JSON")
    options = parser.parse_args()
    unknown = set(options.cases) - set(CASES)
    if unknown:
        parser.error(f"no case {', '.join(sorted(unknown))}; known: {', '.join(CASES)}")
    if options.form:
        print(json.dumps(run_one(options.cases[0], options.form == "literal", options.repeats, options.out)))
        return
    results: dict[str, Any] = json.loads(options.out.read_text()) if options.out.exists() else {"cases": {}}
    results["command"] = "python bench/networks.py --out results/networks.json"
    results["machine"] = {**describe_machine(), "threads": 1}
    for case in options.cases or CASES:
        results["cases"][case] = {**compare(case, options.repeats), "date": datetime.now(timezone.utc).date().isoformat()}
        options.out.write_text(json.dumps(results, indent=1) + "\n")
        print(case, results["cases"][case], file=sys.stderr)


if __name__ == "__main__":
    main()
