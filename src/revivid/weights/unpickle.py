"""The child process of `convert`: a published checkpoint in, safetensors out.

    python -m revivid.weights.unpickle '{"source": ..., "target": ..., ...}'

Checkpoints are pickles from strangers. This process has nothing to lose but its own memory and time: `weights_only` admits
tensors and plain containers, compressed archives are refused before anything is unpacked, and what it may allocate is limited.
Ends with 0; or with 3 and the reason on stdout, where the file is not what it should be.
"""

from __future__ import annotations

import json
import os
import re
import sys
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from safetensors.torch import save_file

CORRUPT = 3


def main() -> int:
    task = json.loads(sys.argv[1])
    _limit_memory(task["memory"])
    try:
        tensors = extract(Path(task["source"]), task["wrapper"], task["prefix"])
        save_file(tensors, task["target"], metadata=task["metadata"])
    except Exception as fault:  # a hostile pickle can raise anything
        print(reason(fault))
        return CORRUPT
    return 0


def extract(source: Path, wrapper: Sequence[str], prefix: str) -> dict[str, torch.Tensor]:
    """The state dict inside a checkpoint: out of the first wrapper that is there, its keys without their prefix.

    Raises whatever a damaged or hostile file makes of it; see `reason`.
    """
    _check_archive(source)
    stored = torch.load(source, map_location="cpu", weights_only=True)
    for key in wrapper:
        if isinstance(stored, Mapping) and isinstance(stored.get(key), Mapping):
            stored = stored[key]
            break
    if not isinstance(stored, Mapping) or not stored:
        raise ValueError(f"it holds a {type(stored).__name__} instead of a state dict")
    strange = [str(key) for key, value in stored.items() if not isinstance(key, str) or not isinstance(value, torch.Tensor)]
    if strange:
        raise ValueError(f"its state dict holds what is no tensor: {', '.join(strange[:5])}")
    if any(key.startswith(prefix) for key in stored):
        stored = {key[len(prefix) :]: value for key, value in stored.items() if key.startswith(prefix)}
    # A view with stride 0 claims any size from one stored number; copying it would need all of it.
    size = sum(tensor.numel() * tensor.element_size() for tensor in stored.values())
    if size > 2 * source.stat().st_size:
        raise ValueError(f"its tensors have {size:,} bytes, more than the file holds")
    # Tensors that share memory, as in some checkpoints, are not allowed in safetensors.
    return {key: value.detach().contiguous().clone() for key, value in stored.items()}


def reason(fault: Exception) -> str:
    """What is wrong with the file, in one line."""
    text = str(fault)
    # torch's own words for this advise to switch the protection off.
    forbidden = re.search(r"GLOBAL ([\w.]+)", text)
    if forbidden:
        return f"it is no plain checkpoint: loading it would call {forbidden[1]}"
    if "eights only load failed" in text or "weights_only" in text:
        return "it is no plain checkpoint: it holds more than tensors"
    return f"{type(fault).__name__}: {text.splitlines()[0][:200]}" if text else type(fault).__name__


def _check_archive(source: Path) -> None:
    """`torch.save` never compresses; what does, or holds more than the file's bytes, is a bomb."""
    if not zipfile.is_zipfile(source):
        return
    with zipfile.ZipFile(source) as archive:
        members = archive.infolist()
    if any(member.compress_type != zipfile.ZIP_STORED for member in members):
        raise ValueError("it is a compressed archive, which published checkpoints are not")
    if sum(member.file_size for member in members) > source.stat().st_size:
        raise ValueError("its archive claims more bytes than the file has")


def _limit_memory(allowance: int) -> None:
    """Let this process grow by `allowance` bytes from here, where the system can say and hold that."""
    try:
        import resource

        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
        limit = pages * os.sysconf("SC_PAGE_SIZE") + allowance
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    except (ImportError, OSError, ValueError):
        return


if __name__ == "__main__":
    sys.exit(main())
