"""Who restores a setting's samples: a baseline, or a stage with certain weights; what is measured is one arm on one clip."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

from ..errors import MissingWeights, UsageError
from ..media.reader import CLIP_LENGTH
from ..recipe import StageSpec
from ..restoration import build
from ..restoration.stage import Conditions, Stage
from ..types import Clip, join
from ..weights import catalogue, embedded, store
from .auto import Auto, digest
from .settings import Sample, Setting, Task


@dataclass(frozen=True)
class Weights:
    """Weights that do a task."""

    name: str
    sha256: str
    #: Whether `revivid restore` takes them where none are named.
    default: bool = False


@dataclass(frozen=True)
class Arm:
    """A baseline by name and variant, or weights and what their stage is told (a key of `Setting.specs`)."""

    name: str
    variant: str = ""
    weights: Weights | None = None

    @property
    def label(self) -> str:
        return f"{self.name} {self.variant}".strip()

    def restore(self, setting: Setting, sample: Sample) -> Clip:
        """The frames that are scored."""
        if self.weights is None:
            return setting.baselines[self.name].variants[self.variant](sample)
        stage = built(setting, self.variant, self.weights.name)
        return setting.answer(restored(stage, sample.given), sample)

    def key(self) -> dict[str, Any]:
        """What tells this arm's scores from others'."""
        return {"arm": self.label, "weights": None if self.weights is None else self.weights.sha256}


def built(setting: Setting, variant: str, network: str | None) -> Stage:
    """The stage as `revivid restore` makes it; `network` None: the one that it takes where none is named; or a stage's name."""
    # Everywhere the same numbers: what OpenVINO's int8 costs is measured apart.
    conditions = Conditions(crf=setting.crf, backend="torch")
    if network is not None and network in setting.stages:
        spec = setting.stages[network]
        return Auto(conditions, **spec.options) if spec.stage == Auto.name else build(spec, conditions)
    spec = setting.specs[variant]
    named = {} if network is None else {"network": network}
    return build(StageSpec(spec.stage, {**spec.options, **named}), conditions)


def restored(stage: Stage, clip: Clip) -> Clip:
    """A clip through a stage, a few frames at a time, as a file's reader gives them."""
    return join(list(stage(clip[start : start + CLIP_LENGTH] for start in range(0, len(clip), CLIP_LENGTH))))


def weights_of(task: Task, names: list[str]) -> list[Weights]:
    """The weights of the package that do the task, the default first; with `names` only those of them, published ones included. Or
    the stages that the task compares, each with the package's own weights.

    Raises the `UsageError` or `MissingWeights` of the stage where there are none.
    """
    setting = (*task.settings, *task.curve)[0]
    if setting.stages:
        stages = dict.fromkeys(name for one in task.settings for name in one.stages)
        return [Weights(name, digest(name), name == Auto.name) for name in stages]
    variant = next(iter(setting.specs))
    default = ""
    try:
        default = network_name(built(setting, variant, None))
    except (UsageError, MissingWeights):
        if not names and not doing(setting, variant, embedded.names()):
            raise
    candidates = doing(setting, variant, names or embedded.names())
    if not candidates:
        raise UsageError(f"none of {', '.join(names)} does {task.name}")
    return [Weights(name, sha256(name), name == default) for name in sorted(candidates, key=lambda name: (name != default, name))]


def network_name(stage: Stage) -> str:
    """The name of the weights that a stage works with."""
    maker = getattr(stage, "interpolator", None)
    return maker.name if maker is not None else getattr(stage, "weights", "")


def doing(setting: Setting, variant: str, names: list[str]) -> list[str]:
    """The names that the stage takes: it refuses weights that are for something else."""
    found = []
    for name in names:
        try:
            stage = built(setting, variant, name)
        except (UsageError, MissingWeights):
            continue
        if not stage.missing_weights():
            found.append(name)
    return found


def sha256(name: str) -> str:
    """Of the weights' file."""
    path = store.find(name) if name in catalogue.names() else embedded.folder() / f"{name}.safetensors"
    return hashlib.sha256(path.read_bytes()).hexdigest()
