"""The weights that travel inside the package: our own small networks, as safetensors with what they are in the header.

names() -> load(name) -> (metadata, tensors)          write(path, ...) makes such a file, as training does
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from ..errors import CorruptWeights, MissingWeights

#: What the name of a tensor has behind it whose values are the lengths of another one's rows.
_ROWS = ".rows"
#: Keys of the header of every embedded file; those that were calibrated for int8 also have `ranges`.
KEYS = ("network", "hyperparameters", "recipe", "iterations", "date", "licence", "trained_on")


@dataclass(frozen=True)
class Metadata:
    """What a weight file says about itself."""

    #: A name of `revivid.networks.TABLE`, and what it was built with.
    network: str
    hyperparameters: dict[str, Any]
    #: The training recipe and how many iterations of it were made.
    recipe: str
    iterations: int
    #: ISO date of the training.
    date: str
    #: SPDX expression.
    licence: str
    #: The training data in words.
    trained_on: str
    #: The least and the largest value that goes into each layer by its name, for int8; empty where nobody measured them.
    ranges: dict[str, tuple[float, float]] = field(default_factory=dict)


def folder() -> Path:
    """Where the package keeps its weights."""
    return Path(str(resources.files("revivid.weights"))) / "embedded"


def names() -> list[str]:
    """All embedded weights."""
    return sorted(path.stem for path in folder().glob("*.safetensors"))


def load(name: str) -> tuple[Metadata, dict[str, torch.Tensor]]:
    """The header and the tensors (float32 or integer) of the weights `name`. Raises `MissingWeights` and `CorruptWeights`."""
    if name not in names():
        raise MissingWeights(f"no weights {name!r} in the package", hint=f"Known: {', '.join(names()) or 'none'}.")
    return read(folder() / f"{name}.safetensors")


def read(path: Path) -> tuple[Metadata, dict[str, torch.Tensor]]:
    """The same of any file that `write` made."""
    try:
        with safe_open(path, framework="pt") as stored:
            metadata = _parse(stored.metadata() or {}, path)
            keys = list(stored.keys())
            tensors = {key: _widened(stored.get_tensor(key)) for key in keys}
            _lengthen(tensors, stored.metadata() or {})
    except CorruptWeights:
        raise
    except FileNotFoundError as fault:
        raise MissingWeights(f"no weights at {path}") from fault
    except (SafetensorError, OSError, KeyError, ValueError, IndexError, RuntimeError) as fault:
        raise CorruptWeights(f"{path} is not a whole safetensors file: {fault}", hint="Reinstall revivid.") from fault
    return metadata, tensors


def describe() -> dict[str, Metadata]:
    """The headers of all embedded weights, by name."""
    return {name: load(name)[0] for name in names()}


def write(path: Path, metadata: Metadata, tensors: Mapping[str, torch.Tensor], dtype: torch.dtype = torch.float16) -> None:
    """Store tensors as `dtype` (integers as they are) with their metadata; appears whole or not at all."""
    header = {key: str(getattr(metadata, key)) for key in KEYS}
    header["hyperparameters"] = json.dumps(metadata.hyperparameters, sort_keys=True)
    if metadata.ranges:
        header["ranges"] = json.dumps({name: [float(f"{end:.4g}") for end in ends] for name, ends in metadata.ranges.items()})
    partial = path.with_name(path.name + ".partial")
    stored = {key: value.to(dtype) if value.is_floating_point() else value for key, value in tensors.items()}
    header |= _shorten(stored)
    save_file({key: value.contiguous() for key, value in stored.items()}, partial, metadata=header)
    partial.chmod(0o644)  # safetensors makes private files
    partial.replace(path)


def _shorten(tensors: dict[str, torch.Tensor]) -> dict[str, str]:
    """Take the zeros from the ends of integer tensors' rows, in place, where they are most of it, as in tables of an entropy coder.

    Returns what the header says of it.
    """
    widths = {}
    for key, value in list(tensors.items()):
        if value.is_floating_point() or value.dim() < 2:
            continue
        places = torch.arange(1, value.shape[-1] + 1)
        lengths = ((value != 0) * places).amax(-1)
        if 2 * int(lengths.sum()) < value.numel():
            widths[key] = value.shape[-1]
            tensors[key], tensors[key + _ROWS] = value[places <= lengths[..., None]], lengths.to(torch.int32)
    return {"widths": json.dumps(widths, sort_keys=True)} if widths else {}


def _lengthen(tensors: dict[str, torch.Tensor], header: Mapping[str, str]) -> None:
    """And give them back."""
    for key, width in json.loads(header.get("widths", "{}")).items():
        lengths = tensors.pop(key + _ROWS)
        whole = torch.zeros(*lengths.shape, width, dtype=tensors[key].dtype)
        whole[torch.arange(width) < lengths[..., None]] = tensors[key]
        tensors[key] = whole


def _widened(tensor: torch.Tensor) -> torch.Tensor:
    return tensor.float() if tensor.is_floating_point() else tensor


def _parse(header: dict[str, str], path: Path) -> Metadata:
    try:
        fields: dict[str, Any] = {key: header[key] for key in KEYS}
        fields["hyperparameters"] = json.loads(fields["hyperparameters"])
        fields["iterations"] = int(fields["iterations"])
        ranges = json.loads(header.get("ranges", "{}"))
        fields["ranges"] = {name: (float(low), float(high)) for name, (low, high) in ranges.items()}
    except (KeyError, ValueError, TypeError, AttributeError) as fault:
        raise CorruptWeights(f"{path}: its header lacks or garbles {fault}", hint=f"Wanted: {', '.join(KEYS)}.") from fault
    return Metadata(**fields)
