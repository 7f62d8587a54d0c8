"""One form of one case of bench/networks.py: answers requests on stdin, a line of JSON each, until stdin ends."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
import torch

from network_calls import SIGMA, caller, count, picture
from network_cases import CASES, Case
from revivid import networks


def randomise(module: torch.nn.Module) -> None:
    """Weights that keep activations and flows at a natural size, the same in every process."""
    generator = torch.Generator().manual_seed(0)
    for name, parameter in module.named_parameters():
        spread = 0.1 if parameter.dim() == 1 else 0.5 if "table" in name else 0.7 / parameter[0].numel() ** 0.5
        torch.nn.init.normal_(parameter, std=spread, generator=generator)


def status(field: str) -> float:
    """A size in /proc/self/status, in MB."""
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(field))
    return int(line.split()[1]) / 1024


class Form:
    def __init__(self, case: Case, form: str) -> None:
        self.case, self.form = case, form
        self.module: Any = networks.build(case.network, **case.hyperparameters).eval()
        randomise(self.module)
        self.call = caller(self.module)
        if form == "literal":
            assert case.literal is not None
            # Rows last in memory, as a straightforward implementation has its weights and so all of its tensors.
            weights = {name: value.contiguous() for name, value in self.module.state_dict().items()}
            literal = case.literal(weights, **case.hyperparameters)
            self.call = (lambda clip: literal(clip, SIGMA)) if self.module.traits.noise == "argument" else literal
        self.input = picture(self.module, case.shape)

    def run(self) -> dict[str, Any]:
        Path("/proc/self/clear_refs").write_text("5")  # the peak starts from here
        before, started = status("VmRSS"), perf_counter()
        with torch.inference_mode():
            answer = self.call(*self.input)
        milliseconds = 1000 * (perf_counter() - started)
        self.output = answer[0] if isinstance(answer, tuple) else answer
        return {"ms": milliseconds, "peak_mb": round(status("VmHWM") - before, 1), "output": list(self.output.shape)}

    def save(self, path: str) -> dict[str, Any]:
        np.save(path, self.output.numpy())
        return {}

    def facts(self) -> dict[str, Any]:
        """Sizes, and multiply-adds, counted without computing (but for planes, where autocast is asked about the device)."""
        device = "cpu" if self.module.traits.kind == "planes" else "meta"
        module = networks.build(self.case.network, **self.case.hyperparameters).eval().to(device)
        macs, frames, megapixels = count(module, self.case.shape)
        return {
            "parameters": sum(parameter.numel() for parameter in self.module.parameters()),
            "frames": frames,
            "megapixels": megapixels,
            "gmacs_per_frame": round(macs / 1e9 / frames, 2),
        }

    def bf16(self) -> dict[str, Any]:
        small = picture(self.module, self.case.small)
        with torch.inference_mode():
            exact = self.call(*small)
            with torch.autocast("cpu", dtype=torch.bfloat16):
                rounded = self.call(*small)
        pairs = zip(exact, rounded, strict=True) if isinstance(exact, tuple) else [(exact, rounded)]
        errors = torch.cat([((b.float() - a).abs() / a.std()).flatten() for a, b in pairs])
        return {"input": list(self.case.small), "largest": round(float(errors.max()), 4), "mean": round(float(errors.mean()), 5)}


def main() -> None:
    case, form, threads = sys.argv[1:]
    torch.set_num_threads(int(threads))
    worker = Form(CASES[case], form)
    for line in sys.stdin:
        request, *words = json.loads(line)
        print(json.dumps(getattr(worker, request)(*words)), flush=True)


if __name__ == "__main__":
    main()
