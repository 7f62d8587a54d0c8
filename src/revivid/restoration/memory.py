"""How much memory there is, and how people write amounts of it."""

from __future__ import annotations

import math
import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import UsageError

if TYPE_CHECKING:
    import torch

#: Part of what is available that restoring takes when nobody says how much; the rest is for decoder, encoder and page cache.
FRACTION = 0.6
#: What is assumed where the system says nothing.
FALLBACK_BYTES = 2 * 2**30
#: Part of an accelerator's free memory that tiles may fill; allocators lose some to fragments.
DEVICE_FRACTION = 0.85

_AMOUNT = re.compile(r"\s*(?P<number>\d{1,20}(?:\.\d{0,20})?(?:e\+?\d{1,2})?)\s*(?P<unit>[a-z]*)\s*", re.ASCII | re.IGNORECASE)
_UNITS = {"": 1, "b": 1}
for _power, _letter in enumerate("kmgt", start=1):
    _UNITS |= {_letter: 1024**_power, f"{_letter}ib": 1024**_power, f"{_letter}b": 1000**_power}


def parse_bytes(text: str) -> int:
    """An amount of memory in bytes: "4GiB", "512MB", "2e9", "1.5 g". KiB, MiB, GiB, TiB and single letters count in 1024s, kB, MB,
    GB, TB in 1000s; case does not matter. Raises `UsageError` for everything else, for zero and for more than 2**63.
    """
    match = _AMOUNT.fullmatch(text)
    factor = _UNITS.get(match["unit"].lower()) if match else None
    amount = float(match["number"]) * factor if match and factor else 0.0
    if not 1 <= amount < 2**63:
        raise UsageError(f"{text[:40]!r} is no amount of memory", hint="Write it like 4GiB, 512MB or 2e9.")
    return math.floor(amount)


def format_bytes(count: int) -> str:
    """1536 -> '1.5 KiB'; what `parse_bytes` reads."""
    power = min(4, max(0, count.bit_length() - 1) // 10)
    return f"{count / 1024**power:.{1 if power else 0}f} {('B', 'KiB', 'MiB', 'GiB', 'TiB')[power]}"


def available_bytes() -> int:
    """What this process can still take: the least of the system's available memory, its control groups' and its own limits."""
    found = [_system(), _cgroups(Path("/")), _address_space()]
    return min((amount for amount in found if amount is not None), default=FALLBACK_BYTES)


def total_bytes() -> int:
    """What this process could ever take, whatever others use at the moment: the least of the system's memory and of its control
    groups' limits."""
    found = [_system_total(), _cgroup_limit(Path("/"))]
    return min((amount for amount in found if amount is not None), default=FALLBACK_BYTES)


def default_budget() -> int:
    """What restoring takes when nobody says how much: `FRACTION` of what is available."""
    return int(FRACTION * available_bytes())


def device_budget(device: torch.device) -> int | None:
    """What tiles may take on an accelerator, `DEVICE_FRACTION` of what is free there; None on a CPU."""
    import torch  # late: amounts of memory are read by commands that need no torch

    if device.type == "cuda":
        return int(DEVICE_FRACTION * torch.cuda.mem_get_info(device)[0])
    if device.type == "mps":
        return int(DEVICE_FRACTION * torch.mps.recommended_max_memory())
    return None


def is_out_of_memory(fault: BaseException) -> bool:
    """Whether a fault says that memory ran out: Python's, an accelerator's, or PyTorch's plain RuntimeError of a CPU."""
    words = ("can't allocate memory", "not enough memory", "out of memory", "bad_alloc", "failed to allocate")
    return isinstance(fault, MemoryError) or (
        isinstance(fault, RuntimeError) and any(word in str(fault).lower() for word in words)
    )


def _system() -> int | None:
    """Memory that could be had without swapping."""
    if sys.platform == "win32":
        return _windows()[1]
    lines = _read(Path("/proc/meminfo")).splitlines()
    for line in lines:
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) * 1024
    # macOS: what others use is not to be had this way; half of the memory is a modest guess.
    total = _system_total()
    return None if total is None else total // 2


def _system_total() -> int | None:
    if sys.platform == "win32":
        return _windows()[0]
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (ValueError, OSError, AttributeError):
        return None


def _windows() -> tuple[int | None, int | None]:
    """Bytes in all, and available ones."""
    import ctypes

    class Status(ctypes.Structure):
        """MEMORYSTATUSEX of the Windows API."""

        _fields_ = (
            ("length", ctypes.c_ulong), ("load", ctypes.c_ulong), ("total", ctypes.c_ulonglong),
            ("available", ctypes.c_ulonglong), ("page_file", ctypes.c_ulonglong * 2), ("address_space", ctypes.c_ulonglong * 3),
        )  # fmt: skip

    status = Status(length=ctypes.sizeof(Status))
    found = ctypes.windll.kernel32.GlobalMemoryStatusEx(ctypes.byref(status))  # type: ignore[attr-defined]
    return (int(status.total), int(status.available)) if found else (None, None)


def _cgroups(root: Path) -> int | None:
    """What the control groups (version 1 and 2) of this process still allow; `root` is where the file system begins."""
    return min((room for group, names in _groups(root) if (room := _room(group, *names)) is not None), default=None)


def _cgroup_limit(root: Path) -> int | None:
    """What they allow in all."""
    return min((limit for group, (name, *_) in _groups(root) if (limit := _amount(group / name)) is not None), default=None)


def _groups(root: Path) -> Iterator[tuple[Path, tuple[str, str, str]]]:
    """Folders of this process' control groups and of those above, and in each the names of limit, usage and files' pages."""
    for line in _read(root / "proc/self/cgroup").splitlines():
        _, controllers, path = line.split(":", 2) if line.count(":") >= 2 else ("", "-", "")
        if controllers == "":
            mount, names = root / "sys/fs/cgroup", ("memory.max", "memory.current", "inactive_file")
        elif "memory" in controllers.split(","):
            mount = root / "sys/fs/cgroup/memory"
            names = ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")
        else:
            continue
        # Inside a container the path may be that of the host, and only the mount's own root is there to be read.
        own = mount / path.lstrip("/")
        for group in {*[own, *own.parents][: len(own.parts) - len(mount.parts) + 1], mount}:
            yield group, names


def _room(group: Path, limit_name: str, usage_name: str, cache_name: str) -> int | None:
    """Limit less usage of one control group; file pages that nobody uses can be had back and are no usage."""
    limit, usage = _amount(group / limit_name), _amount(group / usage_name)
    if limit is None or usage is None:
        return None
    cache = re.search(rf"^{cache_name} (\d+)$", _read(group / "memory.stat"), re.MULTILINE)
    return max(0, limit - usage + (int(cache[1]) if cache else 0))


def _amount(path: Path) -> int | None:
    """The number in a control group's file; None where it has none, or one that stands for no limit."""
    text = _read(path).strip()
    return int(text) if text.isdecimal() and int(text) < 2**60 else None


def _address_space() -> int | None:
    """What RLIMIT_AS leaves; None where there is no such limit."""
    try:
        import resource
    except ImportError:  # Windows
        return None
    limit = resource.getrlimit(resource.RLIMIT_AS)[0]
    if limit == resource.RLIM_INFINITY:
        return None
    pages = _read(Path("/proc/self/statm")).split()
    return max(0, limit - (int(pages[0]) * resource.getpagesize() if pages else 0))


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii", errors="replace")
    except OSError:
        return ""
