"""Presets: named recipes. `presets.toml` as data: how to compress, and the stages that bring the video back."""

from __future__ import annotations

import functools
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from typing import Any

from .errors import UsageError
from .recipe import StageSpec

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib  # pyright: ignore[reportMissingImports]


@dataclass(frozen=True)
class Preset:
    """One named recipe."""

    name: str
    #: One line, for people.
    about: str
    #: Fields of `workflows.options.CompressOptions` that differ from their defaults.
    compress: Mapping[str, Any]
    #: What restores, in order; None: what follows from the scale.
    stages: tuple[StageSpec, ...] | None


@functools.cache
def presets() -> Mapping[str, Preset]:
    """All presets by name."""
    table = tomllib.loads((resources.files("revivid") / "presets.toml").read_text(encoding="utf-8"))
    return {name: _preset(name, fields) for name, fields in table.items()}


def preset(name: str) -> Preset:
    """The preset `name`. Raises `UsageError` for an unknown one and lists the known."""
    known = presets()
    if name not in known:
        listed = "\n".join(f"{preset.name}: {preset.about}" for preset in known.values())
        raise UsageError(f"there is no preset {name!r}", hint=f"Known:\n{listed}")
    return known[name]


def _preset(name: str, fields: dict[str, Any]) -> Preset:
    specs = (StageSpec(stage["stage"], {k: v for k, v in stage.items() if k != "stage"}) for stage in fields.get("stage", ()))
    stages = tuple(specs) if "stage" in fields else None
    return Preset(name, fields["about"], fields.get("compress", {}), stages)
