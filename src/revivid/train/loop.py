"""The training loop: a task's batches -> network -> loss -> AdamW, with a mean of the weights, checkpoints and a log.

    run(recipe, data, out) -> out/scenes/*.scene.mkv  what `data.prepare` made (another folder by `cache`)
                              out/checkpoint.pt       everything that `resume` needs to go on bit for bit
                              out/log.jsonl           one line per validation
                              out/NAME.safetensors    the averaged weights, ready for `weights.embedded`
                              out/training.png        loss and gain so far

A resumed training ends with the very weights of one that was never interrupted. Under torchrun each process takes its part of
every batch (`ranks`), and the first one writes.
"""

from __future__ import annotations

import dataclasses
import json
import math
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timezone
from pathlib import Path
from types import MappingProxyType
from typing import Any

import torch
from torch import Tensor, nn

from .. import networks
from ..errors import CorruptInput, OutputExists, UsageError
from ..networks import graphs
from ..networks.precision import best_dtype
from ..restoration.ranges import activation_ranges
from ..restoration.workers import keep_freed_memory
from ..weights import embedded
from .codec_settings import CodecSettings, step_decay
from .data import DataSettings, prepare
from .plot import plot_log
from .ranks import Ranks
from .recipe import TrainingRecipe, TrainSettings, load_recipe
from .scenes import Scene, load
from .start import begin, licence
from .task import PlanesTask, groups_of, task_of, terms_of

Report = Callable[[dict[str, Any]], None]
#: Batches on which the ranges of activations are measured.
RANGED_BATCHES = 8


def run(
    recipe_path: str | Path,
    data: Path,
    out: Path,
    *,
    changes: Sequence[str] = (),
    resume: bool = False,
    cache: Path | None = None,
    workers: int = 2,
    report: Report | None = None,
) -> Path:
    """Train by a recipe on the photographs and clips under `data`; returns the weight file in `out`.

    `changes` to the recipe are `load_recipe`'s. `report` receives each line of the log. Raises `OutputExists` where `out` holds a
    training that `resume` doesn't ask for, and `UsageError` where a checkpoint belongs to another recipe.
    """
    recipe = load_recipe(recipe_path, changes)
    if (out / "checkpoint.pt").exists() and not resume:
        raise OutputExists(f"{out} holds a training already", hint="Continue it with --resume or choose another folder.")
    out.mkdir(parents=True, exist_ok=True)
    ranks, folder = Ranks(), cache or out / "scenes"
    if ranks.first:
        prepare(data, folder, recipe.data, workers)
    ranks.wait()
    scenes = load(prepare(data, folder, recipe.data, workers))
    training = Training(recipe, scenes, out)
    if resume and (out / "checkpoint.pt").exists():
        training.restore()
    return training.finish(report)


class Training:
    """One training in progress: the network, its optimiser, its averaged weights and the iteration."""

    def __init__(self, recipe: TrainingRecipe, scenes: list[Scene], out: Path) -> None:
        self.recipe, self.out, self.iteration = recipe, out, 0
        self.settings, self.ranks = recipe.train, Ranks()
        torch.manual_seed(self.settings.seed)
        self.network: Any = networks.build(recipe.network, **recipe.hyperparameters)
        if recipe.start:
            begin(self.network, recipe.start)
        for part, weights in getattr(self.network, "borrowed", {}).items():
            self.network.get_submodule(part).load_state_dict(embedded.load(weights)[1])
        self.task = task_of(recipe, self.network, scenes)
        self.average = {key: value.detach().clone() for key, value in self.network.state_dict().items()}
        groups = groups_of(self.task, self.network)
        self.rates = [rate for _, rate in groups]
        self.optimiser = torch.optim.AdamW(
            [{"params": parameters} for parameters, _ in groups], lr=0.0, betas=(0.9, 0.99), weight_decay=self.settings.weight_decay
        )
        self.dtype = best_dtype()
        keep_freed_memory()
        self.parameters = [parameter for parameters, _ in groups for parameter in parameters]
        # Parts of a batch side by side, one thread each: threads inside small layers wait for each other, badly on a busy machine.
        self.threads = torch.get_num_threads()
        self.pool = ThreadPoolExecutor(self.threads, "revivid-train", initializer=torch.set_num_threads, initargs=(1,))

    def finish(self, report: Report | None = None) -> Path:
        """Run the iterations that are left; returns the weight file."""
        since, losses = time.monotonic(), []
        while self.iteration < self.settings.iterations:
            losses.append(self.step())
            if self.iteration % self.settings.validate_every == 0 or self.iteration == self.settings.iterations:
                if self.ranks.first:
                    self._record(sum(losses) / len(losses), len(losses) / (time.monotonic() - since), report)
                since, losses = time.monotonic(), []
        complete = getattr(self.task, "complete", None)
        if self.ranks.first and complete is not None:
            self.write_weights(*complete(self.averaged_network()))
        self.ranks.wait()
        return self.out / f"{self.recipe.name}.safetensors"

    def _record(self, loss: float, rate: float, report: Report | None) -> None:
        """Validate, write the checkpoint, the weights and a line of the log."""
        gains = self.task.gains(self.averaged_network())
        self.save()
        line = {"iteration": self.iteration, "loss": loss, "iterations_per_second": round(rate, 3), "gain_db": gains}
        if terms := terms_of(self.task):
            line["terms"] = terms
        line["time"] = datetime.now(timezone.utc).isoformat(timespec="seconds")
        with (self.out / "log.jsonl").open("a", encoding="utf-8") as log:
            log.write(json.dumps(line) + "\n")
        plot_log(self.out / "log.jsonl", self.out / "training.png")
        if report is not None:
            report(line)

    def step(self) -> float:
        """One iteration; returns its loss."""
        batch = self.task.batch(self.iteration)
        rate = learning_rate(self.iteration, self.settings, self.recipe.codec.decay)
        for group, factor in zip(self.optimiser.param_groups, self.rates, strict=True):
            group["lr"] = factor * rate
        self.optimiser.zero_grad()
        loss = torch.zeros(1)
        gradients = [torch.zeros_like(parameter) for parameter in self.parameters]
        parts = self.ranks.part(batch).split(self.threads)
        # A single part has all threads for its layers.
        done = self.pool.map(self._gradients, parts) if len(parts) > 1 else map(self._gradients, parts)
        for part, (value, found) in zip(parts, done, strict=True):
            share = len(part) / len(batch)
            loss += share * value
            for total, gradient in zip(gradients, found, strict=True):
                total.add_(gradient, alpha=share)
        self.ranks.sum([loss, *gradients])
        for parameter, gradient in zip(self.parameters, gradients, strict=True):
            parameter.grad = gradient
        for group in self.optimiser.param_groups:
            nn.utils.clip_grad_norm_(group["params"], self.settings.clip_norm)
        self.optimiser.step()
        self.iteration += 1
        # A young mean forgets its random start faster.
        keep = min(self.settings.ema, self.iteration / (self.iteration + 10))
        for key, value in self.network.state_dict().items():
            if value.is_floating_point():
                self.average[key].lerp_(value, 1 - keep)
        return loss.item()

    def _gradients(self, part: Any) -> tuple[float, tuple[Tensor, ...]]:
        """Loss and gradients of a part of a batch."""
        # No cache of cast weights: all threads share it and the first part that is done empties it, after which the others sum
        # a weight's gradients over its uses in another order and precision, differently at every run.
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=self.dtype == torch.bfloat16, cache_enabled=False):
            loss = self.task.loss(self.network, part)
        # A network whose every answer leaves something out, such as a clip of one frame its flow, has no gradient there.
        found = torch.autograd.grad(loss, self.parameters, allow_unused=True, materialize_grads=True)
        return loss.item(), found

    def averaged_network(self) -> Any:
        """The network with the averaged weights, in eval mode."""
        network = networks.build(self.recipe.network, **self.recipe.hyperparameters)
        network.load_state_dict(self.average)
        update_tables = getattr(network, "update_tables", None)
        if update_tables is not None:
            update_tables()
        return network.eval()

    def save(self) -> None:
        """Write the checkpoint; the one before stays until this one is whole."""
        state = {
            "recipe": dataclasses.asdict(self.recipe),
            "iteration": self.iteration,
            "network": self.network.state_dict(),
            "average": self.average,
            "optimiser": self.optimiser.state_dict(),
        }
        partial = self.out / "checkpoint.pt.partial"
        torch.save(state, partial)
        partial.replace(self.out / "checkpoint.pt")
        self.write_weights()

    def restore(self) -> None:
        """Go back to the checkpoint in `out`."""
        path = self.out / "checkpoint.pt"
        try:
            state = torch.load(path, weights_only=True)
        except Exception as fault:  # torch raises pickle, zip and runtime errors alike
            raise CorruptInput(f"{path} is damaged: {fault}", hint="Delete it to start afresh.") from fault
        if _completed(state["recipe"]) != dataclasses.asdict(self.recipe):
            raise UsageError(f"{path} belongs to another recipe", hint="Resume with the recipe that began it.")
        self.iteration = state["iteration"]
        self.network.load_state_dict(state["network"])
        self.average = state["average"]
        self.optimiser.load_state_dict(state["optimiser"])

    def write_weights(self, network: Any = None, changes: Mapping[str, Any] = MappingProxyType({})) -> Path:
        """Store the averaged weights, or `network` with what it has other than the recipe's hyper-parameters, as they travel in the
        package."""
        metadata = embedded.Metadata(
            network=self.recipe.network,
            hyperparameters={**self.recipe.hyperparameters, **changes},
            recipe=self.recipe.name,
            iterations=self.iteration,
            date=datetime.now(timezone.utc).date().isoformat(),
            licence=licence(self.recipe.start),
            trained_on=self.task.trained_on,
            ranges=self._ranges(),
        )
        path = self.out / f"{self.recipe.name}.safetensors"
        embedded.write(path, metadata, (network or self.averaged_network()).state_dict())
        return path

    def _ranges(self) -> dict[str, tuple[float, float]]:
        """For networks that can compute in int8: how large what goes into their layers becomes in the first batches."""
        if not isinstance(self.task, PlanesTask) or not graphs.supported(self.network):
            return {}
        return activation_ranges(self.averaged_network(), self.task.examples(RANGED_BATCHES))


def _completed(stored: dict[str, Any]) -> dict[str, Any]:
    """A checkpoint's recipe with the settings that came after it, which had their defaults then."""
    sections = {"data": DataSettings(), "train": TrainSettings(), "codec": CodecSettings()}
    return {**stored, **{name: {**dataclasses.asdict(own), **stored.get(name, {})} for name, own in sections.items()}}


def learning_rate(iteration: int, settings: TrainSettings, decay: str = "cosine") -> float:
    """Linear warm-up, then half a cosine down to the final rate, or the steps of `codec_settings.step_decay`."""
    if iteration < settings.warmup:
        return settings.learning_rate * (iteration + 1) / settings.warmup
    if decay == "steps":
        return settings.learning_rate * step_decay(iteration / settings.iterations)
    progress = (iteration - settings.warmup) / max(settings.iterations - settings.warmup, 1)
    low = settings.final_learning_rate
    return low + (settings.learning_rate - low) * 0.5 * (1 + math.cos(math.pi * progress))
