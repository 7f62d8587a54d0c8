"""What a network is trained to do: its batches, its loss, and how much it gains; the loop asks nothing else.

Which task a recipe means follows from what its network declares (`networks.traits.Traits.kind`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Protocol

from torch import Tensor, nn

from ..errors import UsageError
from .cascade import CascadeTask
from .clips import ClipTask
from .codec import CodecTask
from .damage import BLURRED
from .interpolation import InterpolationTask
from .intra import PictureTask
from .losses import planes_log_error, planes_loss
from .patches import Batch, Patches
from .recipe import TrainingRecipe
from .scenes import Scene, held_out
from .validation import gains

#: What networks on planes can be trained to minimise.
LOSSES = ("charbonnier", "psnr")


class Sized(Protocol):
    """A batch: how many samples, and parts of it."""

    def __len__(self) -> int: ...

    def split(self, count: int) -> Sequence[Any]:
        """Up to `count` parts of nearly the same number of samples."""
        ...


class Task(Protocol):
    """What the loop needs to know."""

    #: The training data in words, for the header of the weights.
    trained_on: str

    def batch(self, index: int) -> Sized:
        """The batch of this number: a resumed run sees what an uninterrupted one would have seen."""
        ...

    def loss(self, network: nn.Module, part: Any) -> Tensor:
        """Mean over the samples of a part of a batch; called under autocast."""
        ...

    def gains(self, network: nn.Module) -> dict[str, float]:
        """What averaged weights gain on held-out scenes in dB; `all` is the mean."""
        ...


def groups_of(task: Task, network: nn.Module) -> list[tuple[list[nn.Parameter], float]]:
    """Parameters in groups, each clipped on its own, with a factor on the learning rate: a task's `groups`, or all in one."""
    groups = getattr(task, "groups", None)
    if groups is not None:
        return groups(network)
    return [([parameter for parameter in network.parameters() if parameter.requires_grad], 1.0)]


def terms_of(task: Task) -> dict[str, float]:
    """What a task's loss consisted of since the last call; empty for tasks without `terms`."""
    terms = getattr(task, "terms", None)
    return terms() if terms is not None else {}


def task_of(recipe: TrainingRecipe, network: nn.Module, scenes: list[Scene]) -> Task:
    """The task of a recipe's network. Raises `UsageError` where nothing trains its kind, or recipe and network contradict."""
    kind = str(network.traits.kind)  # type: ignore[union-attr]
    if kind not in TASKS:
        raise UsageError(f"{recipe.network} can't be trained here: it is of kind {kind}", hint=f"Known: {', '.join(TASKS)}.")
    return TASKS[kind](recipe, network, scenes)


class PlanesTask:
    """Networks of our own, on patches of the stream's planes: super-resolution and restoration at the same size."""

    def __init__(self, recipe: TrainingRecipe, network: Any, scenes: list[Scene]) -> None:
        if network.traits.scale != recipe.data.scale:
            raise UsageError(f"{recipe.name}: [network] upscales by {network.traits.scale}, [data] by {recipe.data.scale}")
        if recipe.train.loss not in LOSSES:
            raise UsageError(f"{recipe.name}: there is no loss {recipe.train.loss!r}", hint=f"Known: {', '.join(LOSSES)}.")
        settings, data = recipe.train, recipe.data
        self.settings = settings
        self.held_out = [scene for scene in scenes if held_out(scene.name)]
        self.patches = Patches(
            [scene for scene in scenes if not held_out(scene.name)],
            scale=data.scale,
            size=settings.patch,
            batch=settings.batch,
            candidates=settings.candidates,
            seed=settings.seed,
            reach=network.traits.temporal_reach[0],
            damaged=data.damage in BLURRED,
        )
        used = self.patches.scenes
        sources = f"{len(used)} scenes of {len({scene.name for scene in used})} photographs and clips"
        self.trained_on = f"{sources}, {data.damage}, {data.coding}" + (f", from {recipe.start}" if recipe.start else "")

    def batch(self, index: int) -> Batch:
        return self.patches.batch(index)

    def examples(self, count: int) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
        """What the network is called with in the first batches, for `restoration.ranges`."""
        for index in range(count):
            batch = self.batch(index)
            yield batch.y, batch.uv, batch.strength

    def loss(self, network: nn.Module, part: Batch) -> Tensor:
        y, uv = (plane.float() for plane in network(part.y, part.uv, part.strength))
        settings = self.settings
        if settings.loss == "psnr":
            return planes_log_error(y, uv, part.truth_y, part.truth_uv, chroma_weight=settings.chroma_weight)
        return planes_loss(y, uv, part.truth_y, part.truth_uv, epsilon=settings.epsilon, chroma_weight=settings.chroma_weight)

    def gains(self, network: nn.Module) -> dict[str, float]:
        return gains(network, self.held_out)


#: `Traits.kind` -> the task.
TASKS = {
    "planes": PlanesTask,
    "clip": ClipTask,
    "pair": InterpolationTask,
    "codec": CodecTask,
    "cascade": CascadeTask,
    "picture": PictureTask,
}
