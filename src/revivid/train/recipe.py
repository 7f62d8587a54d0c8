"""Training recipes: TOML files with strict keys, one section per part of the work.

[network]   name and hyper-parameters, as `networks.build` takes them; `start`: weights of the package or a checkpoint of the
            catalogue to begin with (`start`), whose hyper-parameters hold where none are given, if they are for this network
[data]      `DataSettings`
[train]     `TrainSettings`
[codec]     `CodecSettings`, for the learned codec
"""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import Any, TypeVar

from ..errors import InputNotReadable, UsageError
from .codec_settings import CodecSettings
from .data import DataSettings
from .start import hyperparameters

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib  # pyright: ignore[reportMissingImports]

T = TypeVar("T")
#: Numbers that may be zero; every other one must be larger.
MAY_BE_ZERO = {"seed", "warmup", "weight_decay", "final_learning_rate", "ema", "chroma_weight", "crf_min", "window"}
MAY_BE_ZERO |= {"close_scenes", "motion_from", "compensation_from", "residual_from", "enhancement_floor", "flow_weight"}


@dataclass(frozen=True)
class TrainSettings:
    """The optimisation: AdamW with warm-up and cosine decay, an exponential mean of the weights, a Charbonnier loss."""

    iterations: int = 20_000
    #: Patches per iteration and their size in degraded pixels.
    batch: int = 16
    patch: int = 48
    #: Consecutive frames of a sample, for clip networks.
    frames: int = 5
    #: Compute activations again for the backward pass instead of keeping them, for clip networks: less memory, more time.
    recompute: bool = False
    #: Random places of which the most textured one becomes a patch.
    candidates: int = 2
    learning_rate: float = 1e-3
    final_learning_rate: float = 1e-6
    warmup: int = 200
    weight_decay: float = 0.0
    #: Largest norm of all gradients together.
    clip_norm: float = 0.5
    #: Share of the mean of the weights that one iteration keeps.
    ema: float = 0.999
    #: For networks on planes: "charbonnier", or "psnr", the logarithm of each sample's squared error.
    loss: str = "charbonnier"
    #: Charbonnier's epsilon, and the weight of chroma against luma.
    epsilon: float = 1e-3
    chroma_weight: float = 0.2
    #: Iterations between validations, each with a checkpoint and a line in the log.
    validate_every: int = 500
    seed: int = 0


@dataclass(frozen=True)
class TrainingRecipe:
    name: str
    network: str
    hyperparameters: dict[str, Any]
    #: The weights of the package or the checkpoint of the catalogue that training begins with; none: random weights.
    start: str = ""
    data: DataSettings = field(default_factory=DataSettings)
    train: TrainSettings = field(default_factory=TrainSettings)
    codec: CodecSettings = field(default_factory=CodecSettings)


def load_recipe(path: str | Path, changes: Sequence[str] = ()) -> TrainingRecipe:
    """A recipe from a file, or from the package by name (`compactsr-x4`, with or without `.toml`).

    `changes`: `SECTION.KEY=VALUE` each, in place of what the recipe says, values as in TOML (words without quotes, too).
    Raises `InputNotReadable` where there is none, `UsageError` for what is not TOML, unknown sections or keys, and wrong types.
    """
    path = Path(path)
    source = path
    if not path.is_file() and path.parent == Path():
        source = resources.files("revivid.train") / "recipes" / f"{path.stem}.toml"
    try:
        table = tomllib.loads(source.read_text(encoding="utf-8"))
    except OSError as fault:
        raise InputNotReadable(f"no training recipe {path}", hint=f"The package has: {', '.join(names())}.") from fault
    except ValueError as fault:
        raise UsageError(f"{path} is not TOML: {fault}") from fault
    _change(table, changes)
    _check_keys(table, {"network", "data", "train", "codec"}, str(path))
    network = dict(table.get("network", {}))
    if not isinstance(network.get("name"), str):
        raise UsageError(f"{path}: [network] wants a name")
    name, start = network.pop("name"), str(network.pop("start", ""))
    if start:
        network = {**hyperparameters(start, name, str(path)), **network}
    data = _section(DataSettings, table.get("data", {}), f"{path} [data]")
    train = _section(TrainSettings, table.get("train", {}), f"{path} [train]")
    codec = _section(CodecSettings, table.get("codec", {}), f"{path} [codec]")
    codec.check(f"{path} [codec]")
    return TrainingRecipe(path.stem, name, network, start, data, train, codec)


def _change(table: dict[str, Any], changes: Sequence[str]) -> None:
    for change in changes:
        place, sign, text = change.partition("=")
        section, dot, key = place.partition(".")
        if not sign or not dot:
            raise UsageError(f"{change!r} changes nothing of a recipe", hint="SECTION.KEY=VALUE, such as train.iterations=500")
        try:
            value = tomllib.loads(f"value = {text}")["value"]
        except ValueError:
            value = text
        table.setdefault(section, {})[key] = value


def names() -> list[str]:
    """The recipes that come with the package."""
    folder = resources.files("revivid.train") / "recipes"
    return sorted(f.name.removesuffix(".toml") for f in folder.iterdir() if f.name.endswith(".toml"))


def _section(cls: type[T], table: dict[str, Any], where: str) -> T:
    defaults = {f.name: f.default for f in dataclasses.fields(cls)}  # type: ignore[arg-type]
    _check_keys(table, set(defaults), where)
    for key, value in table.items():
        wanted = type(defaults[key])
        if wanted is tuple:
            if not isinstance(value, list) or not all(isinstance(word, str) for word in value):
                raise UsageError(f"{where}: {key} = {value!r} must be a list of words")
            continue
        if isinstance(value, bool) != (wanted is bool) or not isinstance(value, (int, float) if wanted is float else wanted):
            raise UsageError(f"{where}: {key} = {value!r} must be {wanted.__name__}")
        if wanted not in (str, bool) and (value < 0 or (value == 0 and key not in MAY_BE_ZERO)):
            raise UsageError(f"{where}: {key} = {value!r} is too small")
    return cls(**{key: tuple(value) if isinstance(value, list) else value for key, value in table.items()})


def _check_keys(table: dict[str, Any], known: set[str], where: str) -> None:
    unknown = sorted(set(table) - known)
    if unknown:
        raise UsageError(f"{where}: unknown {', '.join(unknown)}", hint=f"Known: {', '.join(sorted(known))}.")
