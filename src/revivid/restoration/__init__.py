"""Restoration stages by name: `build_all(specs, conditions)`; each stage is Iterator[Clip] -> Iterator[Clip] (see `stage.Stage`).

Every stage that a network does takes `network`: the name of weights in the package or of a checkpoint of the catalogue.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from ..errors import UsageError

if TYPE_CHECKING:
    from ..recipe import StageSpec
    from .stage import Conditions, Stage

#: The weights that refine what was sharpened before it was compressed; recipes name them.
REFINER = "refinenet"


def _super_resolve(conditions: Conditions, *, scale: int, network: str | None = None) -> Stage:
    if network is not None and _published(network):
        from .published import Published

        return Published("super-resolve", network, conditions, scale=scale)
    if not isinstance(scale, int) or scale not in (2, 4):
        raise UsageError(f"super-resolution by {scale} is not offered", hint="Choose 2 or 4.")
    from .own import Own

    return Own("super-resolve", conditions, scale=scale, weights=network)


def _deblur(conditions: Conditions, *, network: str | None = None) -> Stage:
    return _same_size("deblur", network, conditions)


def _deartifact(conditions: Conditions, *, network: str | None = None) -> Stage:
    return _same_size("deartifact", network, conditions)


def _refine(conditions: Conditions, *, network: str = REFINER) -> Stage:
    return _same_size("refine", network, conditions)


def _denoise(conditions: Conditions, *, sigma: float | str, network: str | None = None) -> Stage:
    if sigma != "auto" and not (isinstance(sigma, (int, float)) and 0 < sigma <= 255):
        raise UsageError(
            f"noise of sigma {sigma!r} can't be removed",
            hint="Give a standard deviation in 8-bit code values, such as 10, or auto.",
        )
    return _same_size("denoise", network, conditions, sigma=sigma)


def _bicubic(conditions: Conditions, *, scale: int) -> Stage:
    from .geometry import Bicubic

    del conditions
    return Bicubic(scale)


def _deconvolve(conditions: Conditions, *, kernel: str, **options: Any) -> Stage:
    from .deconvolve import Deconvolve
    from .kernels import is_picture

    if not conditions.trusted and is_picture(str(kernel)):
        raise UsageError(
            "a recipe inside a video may not name files of this machine", hint="Name the kernel yourself: --deconvolve KERNEL."
        )
    return Deconvolve(kernel, crf=conditions.crf, **options)


def _interpolate(conditions: Conditions, *, factor: Any = None, rate: Any = None, network: str | None = None) -> Stage:
    from .interpolate import Interpolate

    return Interpolate(factor, rate, network, conditions)


#: Stage name -> builder(conditions, **options).
STAGES: dict[str, Callable[..., Stage]] = {
    "super-resolve": _super_resolve,
    "deblur": _deblur,
    "denoise": _denoise,
    "deartifact": _deartifact,
    "refine": _refine,
    "bicubic": _bicubic,
    "deconvolve": _deconvolve,
    "interpolate": _interpolate,
}


def build(spec: StageSpec, conditions: Conditions) -> Stage:
    """The stage that a recipe names. Raises `UsageError` for unknown stages and options, `MissingWeights` for unknown weights."""
    if spec.stage not in STAGES:
        raise UsageError(f"there is no stage {spec.stage!r}", hint=f"Known: {', '.join(STAGES)}.")
    options: dict[str, Any] = dict(spec.options)
    try:
        return STAGES[spec.stage](conditions, **options)
    except TypeError as exc:
        raise UsageError(f"stage {spec.stage} can't take {options}: {exc}") from exc


def build_all(specs: Sequence[StageSpec], conditions: Conditions) -> list[Stage]:
    """The stages of a recipe in their order; neighbours that pass RGB floats on to one another are one."""
    stages = [build(spec, conditions) for spec in specs]
    if any(_published(str(spec.options.get("network"))) for spec in specs):
        from .published import fused

        return fused(stages)
    return stages


def _same_size(task: str, network: str | None, conditions: Conditions, *, sigma: Any = None) -> Stage:
    if network is not None and _published(network):
        from .published import Published

        return Published(task, network, conditions, sigma=sigma)
    from .own import Own

    return Own(task, conditions, weights=network, sigma=sigma)


def _published(network: str) -> bool:
    from ..weights import catalogue

    return network in catalogue.names()
