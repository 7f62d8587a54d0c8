"""A Recipe: what was done to a video and how to undo it. It travels inside the compressed file (`media.metadata`).

    {"revivid": 1, "width": 1280, "height": 720, "scale": "1/4", "codec": "x265", "crf": 28.0, "preset": "medium",
     "stages": [{"stage": "super-resolve", "scale": 4, "network": "compactsr-x4"}]}

Reading is strict and bounded, since a recipe comes out of a file that somebody else may have made.
"""

from __future__ import annotations

import json
import re
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
_MAX_OPTIONS = 16
_MAX_TEXT = 100
#: Largest magnitude of a number among a stage's options.
_MAX_NUMBER = 1e6
_PLAIN_NUMBER = re.compile(r"\d{1,4}(/\d{1,4}|\.\d{1,9})?")


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
        """Read a recipe.

        Raises `CorruptInput` where it is malformed or from another format version, and `LimitExceeded` where it asks for frames
        beyond `revivid.limits`.
        """
        try:
            data = _fields(json.loads(text))
            recipe = cls(
                width=_whole(data.pop("width")),
                height=_whole(data.pop("height")),
                scale=_scale(data.pop("scale")),
                codec=_text(data.pop("codec")),
                crf=_number(data.pop("crf")),
                preset=_text(data.pop("preset")),
                stages=_stages(data.pop("stages")),
            )
            if data:
                raise ValueError(f"it has unknown fields: {', '.join(map(_short, data))}")
        except (ValueError, KeyError, RecursionError) as exc:
            reason = f"it lacks the field {exc}" if isinstance(exc, KeyError) else str(exc)
            raise CorruptInput(
                f"the recipe inside the file can't be followed: {reason}",
                hint="Name the stages yourself, for example --super-resolve 4, or update revivid.",
            ) from exc
        limits.check_frame_size(recipe.width, recipe.height, "the recipe inside the file")
        return recipe


def parse_scale(value: str | Fraction | float) -> Fraction:
    """`1/4`, `1/2`, `1` (also 0.25, 0.5) as a Fraction; `UsageError` for any other."""
    # The pattern keeps out exponents: Fraction("1e999999999") would compute that number.
    if isinstance(value, str) and _PLAIN_NUMBER.fullmatch(value.strip()) is None:
        scale = None
    else:
        try:
            scale = Fraction(value)
        except (ValueError, OverflowError, ZeroDivisionError, TypeError):
            scale = None
    if scale is None or scale not in SCALES:
        raise UsageError(f"scale {_short(value)} is not offered", hint="Choose 1/4 (a quarter of each side), 1/2 or 1.")
    return scale


def _fields(data: Any) -> dict[str, Any]:
    if not isinstance(data, dict):
        raise ValueError(f"{_short(data)} should be an object")
    if data.pop("revivid") != FORMAT:
        raise ValueError("it is of another format version")
    return data


def _stages(items: Any) -> tuple[StageSpec, ...]:
    if not isinstance(items, list) or len(items) > _MAX_STAGES:
        raise ValueError(f"its stages should be a list of at most {_MAX_STAGES}")
    return tuple(_stage(item) for item in items)


def _stage(item: Any) -> StageSpec:
    if not isinstance(item, dict) or len(item) > _MAX_OPTIONS:
        raise ValueError(f"a stage should be an object of at most {_MAX_OPTIONS} fields")
    options = {_text(key): value for key, value in item.items()}
    name = _text(options.pop("stage"))
    for key, value in options.items():
        if isinstance(value, str):
            _text(value)
        elif not isinstance(value, (int, float)) or not abs(value) <= _MAX_NUMBER:
            raise ValueError(f"stage {name} has an option {key} that is neither short text nor a number in range")
    return StageSpec(name, options)


def _scale(value: Any) -> Fraction:
    return parse_scale(_text(value))


def _text(value: Any) -> str:
    if not isinstance(value, str) or len(value) > _MAX_TEXT:
        raise ValueError(f"{_short(value)} should be a short text")
    return value


def _whole(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= _MAX_NUMBER:
        raise ValueError(f"{_short(value)} should be a whole number from 1")
    return value


def _number(value: Any) -> float:
    if not isinstance(value, (int, float)) or isinstance(value, bool) or not 0 <= value <= 255:
        raise ValueError(f"{_short(value)} should be a number from 0 to 255")
    return float(value)


def _short(value: Any) -> str:
    """The value as a message may show it."""
    if isinstance(value, int) and abs(value) > _MAX_NUMBER:
        return "a huge number"
    shown = repr(value)
    return shown if len(shown) <= _MAX_TEXT else f"{shown[:_MAX_TEXT]}..."
