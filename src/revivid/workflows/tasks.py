"""What a user asks for by task (`super_resolve=4, deblur=True`), as stages of a recipe in the order in which it was asked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from .. import networks
from ..errors import MissingWeights, UsageError
from ..presets import preset
from ..recipe import StageSpec
from ..weights import catalogue

#: Keyword -> the stage, and the option of the stage that its value is for (None: a switch).
TASKS: dict[str, tuple[str, str | None]] = {
    "deconvolve": ("deconvolve", "kernel"),
    "denoise": ("denoise", "sigma"),
    "deartifact": ("deartifact", None),
    "deblur": ("deblur", None),
    "super_resolve": ("super-resolve", "scale"),
    "interpolate": ("interpolate", "factor"),
    "rate": ("interpolate", "rate"),
}


def asked_stages(options: Mapping[str, Any]) -> tuple[StageSpec, ...]:
    """The stages for those of `options` that name a task, in their order; what is None or False was not asked for."""
    return tuple(_spec(*TASKS[name], value) for name, value in options.items() if name in TASKS and value not in (None, False))


def chosen_stages(asked: tuple[StageSpec, ...], preset_name: str | None) -> tuple[StageSpec, ...]:
    """The stages that were asked for, or those of the preset. Both at once are a `UsageError`."""
    if preset_name is None:
        return asked
    if asked:
        raise UsageError(
            f"--preset {preset_name} and single stages ({', '.join(spec.stage for spec in asked)}) contradict each other",
            hint="Name either a preset or the stages.",
        )
    return preset(preset_name).stages or ()


def with_networks(specs: Sequence[StageSpec], names: Sequence[str]) -> tuple[StageSpec, ...]:
    """The same stages with the weights `names` in place of their own, each in the stage for its task.

    A name serves every stage of its task; of several names for one task the first serves the first stage, and so on. Raises
    `MissingWeights` for an unknown name and `UsageError` for one whose task nobody asked for.
    """
    by_task: dict[str, list[str]] = {}
    for name in names:
        by_task.setdefault(task_of(name), []).append(name)
    for task, served in by_task.items():
        count = sum(spec.stage == task for spec in specs)
        if count < len(served):
            raise UsageError(
                f"{served[-1]} is for {task}, which is asked for {_times(count)}",
                hint=f"Add --{task}, or leave --with {served[-1]} away.",
            )
    chosen = []
    for spec in specs:
        served = by_task.get(spec.stage)
        if served:
            spec = StageSpec(spec.stage, {**spec.options, "network": served[0]})
            if len(served) > 1:
                served.pop(0)
        chosen.append(spec)
    return tuple(chosen)


def task_of(name: str) -> str:
    """The stage that the weights `name`, embedded or of the catalogue, are for. Raises `MissingWeights` for an unknown name."""
    from ..weights import embedded  # late, with torch: compressing needs neither

    if name in embedded.names():
        metadata, _ = embedded.load(name)
        return networks.build(metadata.network, **metadata.hyperparameters).traits.tasks[0]  # type: ignore[union-attr, return-value]
    if name not in catalogue.names():
        raise MissingWeights(
            f"there are no weights {name!r}",
            hint=f"Inside the package: {', '.join(embedded.names())}. `revivid weights list` shows those that can be fetched, too.",
        )
    return catalogue.entry(name).task


def _spec(stage: str, option: str | None, value: Any) -> StageSpec:
    if option is None:
        return StageSpec(stage)
    return StageSpec(stage, {option: _number(value) if option == "sigma" else value})


def _number(value: Any) -> Any:
    """The number that a text says, or the text itself: the stage knows what it can take."""
    try:
        return float(value)
    except (TypeError, ValueError):
        return value


def _times(count: int) -> str:
    return {0: "nowhere", 1: "only once"}.get(count, f"only {count} times")
