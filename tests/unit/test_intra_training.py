"""Training of the picture autoencoder: that it learns, and that recipe and data fit."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from small import pictures

from revivid import networks
from revivid.color import rgb_to_planes
from revivid.errors import ShapeError, UsageError
from revivid.train import recipe
from revivid.train.intra import PictureTask
from revivid.train.scenes import Scene, held_out
from revivid.train.task import task_of
from revivid.types import ColorSpec

RECIPE = """
[network]
name = "intra"
width = 8
rates = 3

[data]
damage = "none"
scale = 1

[train]
iterations = 8
batch = 3
patch = 64

[codec]
lambda_min = 100.0
lambda_max = 2000.0
density_rate = 20.0
"""


def plan(folder: Path, old: str = "", new: str = "") -> recipe.TrainingRecipe:
    path = folder / "tiny.toml"
    path.write_text(RECIPE.replace(old, new))
    return recipe.load_recipe(path)


@pytest.fixture(scope="module")
def scenes() -> list[Scene]:
    """One to learn from, one held out."""
    names = [f"{number}.png" for number in range(99)]
    wanted = [next(name for name in names if held_out(name) == kept) for kept in (False, True)]
    made = []
    for seed, name in enumerate(wanted):
        y, u, v = rgb_to_planes(pictures(1, 96, 128, seed=seed)[0][None], ColorSpec(matrix=6))
        made.append(Scene(name, (y, u, v), [], []))
    return made


def test_rate_and_distortion_fall_together(tmp_path: Path, scenes: list[Scene]) -> None:
    tiny = plan(tmp_path)
    network = networks.build(tiny.network, **tiny.hyperparameters)
    task = task_of(tiny, network, scenes)
    assert isinstance(task, PictureTask)
    groups = task.groups(network)
    optimiser = torch.optim.Adam([{"params": own, "lr": 1e-3 * factor} for own, factor in groups])
    batch, losses = task.batch(0), []
    assert batch.quality.tolist() == sorted(batch.quality.tolist())
    for _ in range(8):
        optimiser.zero_grad()
        loss = task.loss(network, batch)
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert losses[-1] < 0.9 * losses[0]
    assert set(task.terms()) == {"D", "R_coarse", "R_fine"}
    assert sum(len(own) for own, _ in groups) == len(list(network.parameters()))


def test_validation_counts_bits_of_the_tables(tmp_path: Path, scenes: list[Scene]) -> None:
    tiny = plan(tmp_path)
    network = networks.build(tiny.network, **tiny.hyperparameters).eval()
    task = task_of(tiny, network, scenes)
    gains = task.gains(network)
    assert set(gains) == {"all", "quality 1", "quality 2", "quality 3"}
    terms = task.terms()  # type: ignore[attr-defined]
    assert terms["bpp at quality 1"] < terms["bpp at quality 3"]
    assert all(np.isfinite(value) for value in gains.values())


def test_what_does_not_fit_is_named(tmp_path: Path, scenes: list[Scene]) -> None:
    network = networks.build("intra", width=8, rates=3)
    with pytest.raises(UsageError, match="patch = 60"):
        task_of(plan(tmp_path, "patch = 64", "patch = 60"), network, scenes)
    with pytest.raises(ShapeError, match="128x128"):
        task_of(plan(tmp_path, "patch = 64", "patch = 128"), network, scenes)
