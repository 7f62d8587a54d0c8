"""One form of one case of bench/networks.py: answers requests on stdin, a line of JSON each, until stdin ends."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from math import prod
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from network_cases import CASES, Case
from revivid import networks

#: Of FastDVDnet's input, 25 of 255.
SIGMA = 25 / 255


def randomise(module: torch.nn.Module) -> None:
    """Weights that keep activations and flows at a natural size, the same in every process."""
    generator = torch.Generator().manual_seed(0)
    for name, parameter in module.named_parameters():
        spread = 0.1 if parameter.dim() == 1 else 0.5 if "table" in name else 0.7 / parameter[0].numel() ** 0.5
        torch.nn.init.normal_(parameter, std=spread, generator=generator)


def picture(shape: tuple[int, ...], device: str = "cpu") -> tuple[Tensor, ...]:
    """Random input of a case's shape."""
    generator = torch.Generator().manual_seed(1)
    if len(shape) == 3:
        n, h, w = shape
        parts = [torch.rand(n, 1, h, w, generator=generator), torch.rand(n, 2, h // 2, w // 2, generator=generator)]
        return (*(part.to(device) for part in parts), torch.full((n,), 28.0, device=device))
    return (torch.rand(shape, generator=generator).to(device),)


def caller(module: Any) -> Callable[..., Any]:
    """How a network is called on a whole input."""
    if module.traits.kind == "pair":
        return lambda clip: module(clip, time=0.5)
    if module.traits.noise == "argument":
        return lambda clip: module.restore_clip(clip, sigma=SIGMA)
    return getattr(module, "restore_clip", module)


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
        self.input = picture(case.shape)

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
        module: Any = networks.build(self.case.network, **self.case.hyperparameters).eval().to(device)
        with torch.no_grad(), FlopCounterMode(display=False) as counter:
            answer = caller(module)(*picture(self.case.shape, device))
        size = (answer[0] if isinstance(answer, tuple) else answer).shape
        frames = size[0] * size[1] if len(size) == 5 else size[0]
        return {
            "parameters": sum(parameter.numel() for parameter in self.module.parameters()),
            "frames": frames,
            "megapixels": frames * prod(size[-2:]) / 1e6,
            "gmacs_per_frame": round(counter.get_total_flops() / 2e9 / frames, 2),
        }

    def bf16(self) -> dict[str, Any]:
        small = picture(self.case.small)
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
