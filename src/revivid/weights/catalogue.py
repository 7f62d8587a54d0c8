"""The catalogue of published checkpoints: `catalogue.toml` as entries.

names() -> entry(name) -> Entry. Plain data: nothing here touches the network, the disk cache or torch.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import resources
from typing import Any

from ..errors import MissingWeights

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib  # pyright: ignore[reportMissingImports]


@dataclass(frozen=True)
class Entry:
    """One published checkpoint."""

    name: str
    #: super-resolve, deblur, denoise, deartifact or interpolate.
    task: str
    #: A name of `revivid.networks.TABLE`, and what to build it with.
    network: str
    #: The file's name as published.
    file: str
    #: SPDX expression, or words.
    licence: str
    #: Where it was published, for people.
    page: str
    #: What it does, in words.
    about: str
    hyperparameters: Mapping[str, Any] = field(default_factory=dict)
    #: `address` is this and the file's name; empty where the file can only be got by hand.
    base: str = ""
    #: How to get the file from `page`, where it has no plain address.
    by_hand: str = ""
    #: Of the file, in lower-case hexadecimal; only its first digits where no more were published; empty where nothing was.
    sha256: str = ""
    #: Shown and asked about before the first download.
    noncommercial: bool = False
    #: Keys under which the state dict may lie, best first; where none is there the file is the state dict.
    wrapper: tuple[str, ...] = ()
    #: What the state dict's keys begin with; it is taken off, and entries without it stay behind.
    prefix: str = ""
    #: Interpolation: trained for the frame in the middle alone, whatever times the network could be told.
    middle_only: bool = False
    #: About how large the file is, in 10^6 bytes, where that is known.
    megabytes: float | None = None
    #: Parameters of the network in millions, as published.
    parameters_m: float | None = None
    #: Test set and channels -> (PSNR in dB,) or (PSNR in dB, SSIM), as published.
    metrics: Mapping[str, tuple[float, ...]] = field(default_factory=dict)

    @property
    def address(self) -> str | None:
        return self.base + self.file if self.base else None

    @property
    def approximate_megabytes(self) -> float | None:
        """The published size, or that of the float32 parameters; None where neither is known."""
        if self.megabytes is not None or self.parameters_m is None:
            return self.megabytes
        return 4 * self.parameters_m


@functools.cache
def entries() -> Mapping[str, Entry]:
    """All entries by name, in the catalogue's order."""
    source = resources.files("revivid.weights") / "catalogue.toml"
    table = tomllib.loads(source.read_text(encoding="utf-8"))
    return {entry.name: entry for family in table["family"] for entry in _members(family)}


def names() -> list[str]:
    return list(entries())


def entry(name: str) -> Entry:
    """The entry `name`. Raises `MissingWeights` for an unknown one and lists those of similar names."""
    known = entries()
    if name not in known:
        start = name.split("-")[0]
        similar = [other for other in known if other.startswith(start)] or sorted({other.split("-")[0] + "-..." for other in known})
        raise MissingWeights(
            f"there is no checkpoint {name!r} in the catalogue",
            hint=f"Similar: {', '.join(similar)}. `revivid weights list` shows all.",
        )
    return known[name]


def _members(family: Mapping[str, Any]) -> list[Entry]:
    shared = {key: value for key, value in family.items() if key != "checkpoint"}
    members = []
    for checkpoint in family["checkpoint"]:
        fields = {**shared, **checkpoint}
        fields["hyperparameters"] = {**shared.get("hyperparameters", {}), **checkpoint.get("hyperparameters", {})}
        fields["wrapper"] = tuple(fields.get("wrapper", ()))
        fields["metrics"] = {name: tuple(values) for name, values in fields.get("metrics", {}).items()}
        members.append(Entry(**fields))
    return members
