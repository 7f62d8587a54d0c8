"""What published networks compute on."""

from __future__ import annotations

import torch

from ..errors import MissingTool, UsageError


def find_device(name: str = "auto") -> torch.device:
    """`auto` (the first CUDA device, else the CPU), `cpu`, `cuda`, `cuda:1` or `mps`.

    Raises `UsageError` for other names and `MissingTool` for a device that this machine or this build of torch doesn't have.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError:
        device = torch.device("meta")
    if device.type not in ("cpu", "cuda", "mps"):
        raise UsageError(f"there is no device {name!r}", hint="Choose auto, cpu, cuda, cuda:1 ... or mps.")
    there = {"cpu": 1, "cuda": torch.cuda.device_count(), "mps": int(torch.backends.mps.is_available())}[device.type]
    if (device.index or 0) >= there:
        raise MissingTool(f"this machine or this build of torch has no device {name}", hint="Leave --device away, or choose cpu.")
    return device
