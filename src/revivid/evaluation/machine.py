"""What a result was measured on: versions, processor, threads."""

from __future__ import annotations

import os
import platform
import shlex
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch

from ..weights.store import sha256_of


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


#: Of revivid itself; asked for here because the package on top must not be imported from below.
VERSION = _version("revivid") or "unknown"
_PACKAGES = ("torch", "numpy", "av")


def describe_machine() -> dict[str, Any]:
    """`revivid`, `python`, `platform`, `cpu`, `cores` usable by this process, `threads` of torch, `gpu`, `packages`."""
    return {
        "revivid": VERSION,
        "python": platform.python_version(),
        "platform": platform.platform(terse=True),
        "cpu": cpu_name(),
        "cores": usable_cores(),
        "threads": torch.get_num_threads(),
        "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
        "packages": {name: found for name in _PACKAGES if (found := _version(name))},
    }


def command_line() -> str:
    """What was typed, where this process is the command `revivid`; else empty."""
    program = Path(sys.argv[0] if sys.argv else "")
    ours = program.stem == "revivid" or program.parts[-2:] == ("revivid", "__main__.py")
    return shlex.join(["revivid", *sys.argv[1:]]) if ours else ""


def file_hash(path: str | os.PathLike[str]) -> str | None:
    """SHA-256 of a file's bytes in hexadecimal; None of what is no plain file, such as a folder of pictures or a pipe."""
    return sha256_of(Path(path)) if Path(path).is_file() else None


def cpu_name() -> str:
    """The processor as its maker calls it, or its architecture where the system does not say."""
    if sys.platform == "linux":
        name = _linux_cpu()
    elif sys.platform == "darwin":
        asked = subprocess.run(
            ["/usr/sbin/sysctl", "-n", "machdep.cpu.brand_string"], capture_output=True, text=True, check=False
        )
        name = asked.stdout.strip()
    else:
        name = platform.processor()
    return name or platform.machine() or "unknown"


def usable_cores() -> int:
    """Cores that this process may use, which a container can make fewer than the machine has."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _linux_cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return ""
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), "")
