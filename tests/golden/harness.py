"""Running a golden case: what a published implementation answered, against what ours does."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import rule
import torch

from revivid import networks

CASES = Path(__file__).parent / "cases"


def load(name: str) -> dict[str, Any]:
    """The case: network, constructor arguments, seed, input, published keys, tolerance (see make_fixtures.py)."""
    return json.loads((CASES / f"{name}.json").read_text())


def published_state(case: dict[str, Any]) -> dict[str, torch.Tensor]:
    """The published entries that are weights."""
    return {
        key: torch.from_numpy(rule.weight(key, shape, case["seed"]))
        for key, (shape, dtype) in case["keys"].items()
        if not rule.is_derived(key, dtype)
    }


def build(case: dict[str, Any]) -> torch.nn.Module:
    """The network with the case's weights, for inference."""
    module = networks.build(case["network"], **case["kwargs"])
    return networks.load_published(module, published_state(case)).eval()


def clip(case: dict[str, Any]) -> torch.Tensor:
    """The case's input (N, T, C, H, W)."""
    return torch.from_numpy(rule.clip(case["input"]["shape"], case["input"]["seed"]))


def check(case: dict[str, Any], got: torch.Tensor) -> None:
    """99.5 % of the values within 5e-4 of the output's standard deviation, none further off than the case allows."""
    want = np.load(CASES / f"{case['name']}.npz")["output"]
    crop = tuple(slice(*span) for span in case["output_crop"] or ())
    found = got.detach().float().numpy()[(Ellipsis, *crop)].reshape(want.shape)
    error = np.abs(found - want)
    assert (error <= 5e-4 * case["output_std"]).mean() >= 0.995, (
        f"{case['name']}: too many values off, worst by {error.max():.2e}"
    )
    assert error.max() <= max(case["tolerance_max_abs"], 2e-3 * case["output_std"]), f"{case['name']}: off by {error.max():.2e}"
