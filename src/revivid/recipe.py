"""A Recipe: what was done to a video and how to undo it. It travels inside the compressed file (`media.metadata`).

    {"revivid": 1, "width": 1280, "height": 720, "scale": "1/4", "codec": "x265", "crf": 28.0, "preset": "medium",
     "stages": [{"stage": "super-resolve", "scale": 4, "network": "compactsr-x4"}]}

Reading is strict and bounded, since a recipe comes out of a file that somebody else may have made.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

from . import limits
from .errors import CorruptInput, UsageError

FORMAT = 1
#: The scales that `compress` offers: output side over input side.
SCALES = (Fraction(1), Fraction(1, 2), Fraction(1, 4))
_MAX_STAGES = 16


@dataclass(frozen=True)
class StageSpec:
    """One restoration stage by name with its options, all JSON values."""

    stage: str
    options: Mapping[str, Any] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        return {"stage": self.stage, **self.options}

    def describe(self) -> str:
        options = ", ".join(f"{key} {value}" for key, value in self.options.items())
        return f"{self.stage} ({options})" if options else self.stage


@dataclass(frozen=True)
class Recipe:
    """How a file was compressed, and the stages that restore it."""

    #: Size of the original in pixels, as displayed; what padding added is cropped back to it.
    width: int
    height: int
    #: Side of the compressed picture over the side of the (padded) original: 1, 1/2 or 1/4.
    scale: Fraction
    codec: str
    crf: float
    preset: str
    stages: tuple[StageSpec, ...] = ()

    def to_json(self) -> str:
        """One line of JSON, keys in a fixed order."""
        data = {
            "revivid": FORMAT,
            "width": self.width,
            "height": self.height,
            "scale": str(self.scale),
            "codec": self.codec,
            "crf": self.crf,
            "preset": self.preset,
            "stages": [stage.to_dict() for stage in self.stages],
        }
        return json.dumps(data, separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str) -> Recipe:
        """Read a recipe. Raises `CorruptInput` where it is malformed, from a newer format, or asks for more than the limits."""
        try:
            data = json.loads(text)
            if data.pop("revivid") != FORMAT:
                raise ValueError("it is of another format version")
            stages = tuple(_stage(item) for item in data.pop("stages"))
            recipe = cls(
                width=_whole(data.pop("width")),
                height=_whole(data.pop("height")),
                scale=parse_scale(data.pop("scale")),
                codec=_text(data.pop("codec")),
                crf=_number(data.pop("crf")),
                preset=_text(data.pop("preset")),
                stages=stages,
            )
            if data or len(stages) > _MAX_STAGES:
                raise ValueError(f"unknown fields {', '.join(map(str, data))}" if data else "too many stages")
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as exc:
            raise CorruptInput(
                f"the recipe inside the file can't be followed: {exc}",
                hint="Name the stages yourself, for example --super-resolve 4, or update revivid.",
            ) from exc
        limits.check_frame_size(recipe.width, recipe.height, "the recipe inside the file")
        return recipe


def parse_scale(value: str | Fraction | float) -> Fraction:
    """`1/4`, `1/2`, `1` (also 0.25, 0.5) as a Fraction; `UsageError` for any other."""
    try:
        scale = Fraction(str(value)) if isinstance(value, float) else Fraction(value)
    except (ValueError, ZeroDivisionError, TypeError):
        scale = None
    if scale is None or scale not in SCALES:
        raise UsageError(f"scale {value!r} is not offered", hint="Choose 1/4 (a quarter of each side), 1/2 or 1.")
    return scale


def _stage(item: Any) -> StageSpec:
    options = dict(item)
    name = _text(options.pop("stage"))
    if any(not isinstance(value, (str, int, float, bool)) for value in options.values()):
        raise ValueError(f"stage {name} has an option that is neither text nor number")
    return StageSpec(name, options)


def _text(value: Any) -> str:
    if not isinstance(value, str) or len(value) > 100:
        raise ValueError(f"{value!r} should be a short text")
    return value


def _whole(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise ValueError(f"{value!r} should be a whole number from 1")
    return value


def _number(value: Any) -> float:
    if not isinstance(value, (int, float)) or isinstance(value, bool) or not 0 <= value <= 255:
        raise ValueError(f"{value!r} should be a number from 0 to 255")
    return float(value)
