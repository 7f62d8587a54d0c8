"""Restoration stages by name: `build(spec, crf)`; each stage is Iterator[Clip] -> Iterator[Clip] (see `stage.Stage`)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ..errors import UsageError

if TYPE_CHECKING:
    from ..recipe import StageSpec
    from .stage import Stage


def _super_resolve(crf: float, *, scale: int, network: str | None = None) -> Stage:
    from .super_resolve import SuperResolve

    return SuperResolve(scale, crf, network)


def _bicubic(crf: float, *, scale: int) -> Stage:
    from .geometry import Bicubic

    del crf
    return Bicubic(scale)


#: Stage name -> builder(crf, **options).
STAGES: dict[str, Callable[..., Stage]] = {"super-resolve": _super_resolve, "bicubic": _bicubic}


def build(spec: StageSpec, crf: float) -> Stage:
    """The stage that a recipe names. Raises `UsageError` for unknown stages and options, `MissingWeights` for absent weights."""
    if spec.stage not in STAGES:
        raise UsageError(f"there is no stage {spec.stage!r}", hint=f"Known: {', '.join(STAGES)}.")
    options: dict[str, Any] = dict(spec.options)
    try:
        return STAGES[spec.stage](crf, **options)
    except TypeError as exc:
        raise UsageError(f"stage {spec.stage} can't take {options}: {exc}") from exc
