"""Training clip networks, such as the published ones, on compressed video: a small VRT learns a clip by heart and resumes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from random_weights import put_random_weights
from revivid import networks
from revivid.errors import MissingWeights, ShapeError, UsageError
from revivid.train import loop, recipe
from revivid.train.clips import ClipTask, recompute_activations
from revivid.train.scenes import Scene, held_out
from revivid.weights import embedded

VRT = """
[network]
name = "vrt"
upscale = 4
img_size = [6, 16, 16]
window_size = [6, 8, 8]
depths = [1, 1, 1, 1, 1, 1, 1, 1]
embed_dims = [12, 12, 12, 12, 12, 12, 12, 12]
num_heads = [2, 2, 2, 2, 2, 2, 2, 2]
indep_reconsts = []
pa_frames = 2
deformable_groups = 2
drop_path_rate = 0.0
use_checkpoint_attn = true
use_checkpoint_ffn = true

[train]
iterations = 6
batch = 1
frames = 4
patch = 16
learning_rate = 1e-3
warmup = 1
ema = 0.0
validate_every = 3
"""
BASICVSR = """
[network]
name = "basicvsr"
num_feat = 8
num_block = 1

[train]
iterations = 12
batch = 2
frames = 3
patch = 16
recompute = true
learning_rate = 2e-3
warmup = 1
ema = 0.5
validate_every = 12
"""


def scene(name: str = "moving", frames: int = 6) -> Scene:
    """A pattern that moves, and its mean over 4x4 samples."""
    rng = np.random.default_rng(0)
    ground = np.kron(rng.integers(40, 200, (30, 40)), np.ones((4, 4))).astype(np.uint8)
    y = np.stack([ground[t : t + 96, 2 * t : 2 * t + 128] for t in range(frames)])
    chroma = np.full((frames, 48, 64), 120, np.uint8)
    small = y.reshape(frames, 24, 4, 32, 4).mean((2, 4)).astype(np.uint8)
    tiny = np.full((frames, 12, 16), 120, np.uint8)
    return Scene(name, (y, chroma, chroma), [(small, tiny, tiny)], [25.0])


def plan(tmp_path: Path, text: str) -> recipe.TrainingRecipe:
    path = tmp_path / "plan.toml"
    path.write_text(text)
    return recipe.load_recipe(path)


def test_a_small_vrt_learns_one_clip(tmp_path):
    """What can be learned in seconds: that this clip comes out of its encoder too dark."""
    clip = scene()
    clip = replace(clip, truth=((clip.truth[0] + 40).astype(np.uint8), *clip.truth[1:]))
    text = VRT.replace("iterations = 6", "iterations = 20").replace("learning_rate = 1e-3", "learning_rate = 5e-3")
    training = loop.Training(plan(tmp_path, text), [clip], tmp_path)
    losses = [training.step() for _ in range(20)]
    assert sum(losses[-3:]) < 0.8 * sum(losses[:3])


def test_resumed_vrt_equals_the_uninterrupted_one_bit_for_bit(tmp_path):
    whole = loop.Training(plan(tmp_path, VRT), [scene()], tmp_path)
    for _ in range(6):
        whole.step()
    (tmp_path / "part").mkdir()
    first = loop.Training(plan(tmp_path, VRT), [scene()], tmp_path / "part")
    for _ in range(2):
        first.step()
    first.save()
    second = loop.Training(plan(tmp_path, VRT), [scene()], tmp_path / "part")
    second.restore()
    second.finish()
    for key, value in whole.network.state_dict().items():
        assert torch.equal(second.network.state_dict()[key], value), key


def test_basicvsr_learns_and_its_weights_load(tmp_path):
    held = next(name for name in map(str, range(100)) if held_out(name))
    training = loop.Training(plan(tmp_path, BASICVSR), [scene("moving"), scene(held)], tmp_path)
    before = training.task.gains(training.network)["all"]
    lines = []
    path = training.finish(lines.append)
    assert lines[-1]["gain_db"]["all"] > before
    metadata, tensors = embedded.read(path)
    assert metadata.network == "basicvsr"
    networks.load_published(networks.build("basicvsr", **metadata.hyperparameters), tensors)


def test_recomputed_activations_give_the_same_gradients():
    torch.manual_seed(0)
    network = networks.build("basicvsr", num_feat=8, num_block=2)
    clip = torch.rand(1, 3, 3, 16, 16)
    kept = torch.autograd.grad(network(clip).square().mean(), list(network.parameters()))
    recompute_activations(network)
    again = torch.autograd.grad(network(clip).square().mean(), list(network.parameters()))
    for one, other in zip(kept, again, strict=True):
        torch.testing.assert_close(one, other)


def test_truth_and_degraded_are_the_same_place_and_time(tmp_path):
    task = ClipTask(plan(tmp_path, VRT.replace("batch = 1", "batch = 12")), networks.build("basicvsr", num_feat=8), [scene()])
    batch = task.batch(3)
    assert batch.degraded.shape == (12, 4, 3, 16, 16)
    assert batch.truth.shape == (12, 4, 3, 64, 64)
    means = batch.truth.unflatten(4, (16, 4)).unflatten(3, (16, 4)).mean((4, 6))
    assert (means - batch.degraded).abs().max() < 0.02
    assert not torch.equal(batch.degraded[0], batch.degraded[1])
    assert torch.equal(task.batch(3).degraded, batch.degraded)


def test_scenes_that_are_too_short(tmp_path):
    with pytest.raises(ShapeError, match="4 frames of 16x16"):
        loop.Training(plan(tmp_path, VRT), [scene(frames=3)], tmp_path)


def test_training_begins_with_a_published_checkpoint(tmp_path, monkeypatch):
    monkeypatch.setenv("REVIVID_WEIGHTS", str(tmp_path / "weights"))
    text = BASICVSR.replace('name = "basicvsr"\nnum_feat = 8\nnum_block = 1', 'name = "basicvsr"\nstart = "basicvsr-reds"')
    with pytest.raises(MissingWeights, match="basicvsr-reds"):
        loop.Training(plan(tmp_path, text), [scene()], tmp_path)
    put_random_weights(tmp_path / "weights", "basicvsr-reds")
    training = loop.Training(plan(tmp_path, text), [scene()], tmp_path)
    assert training.recipe.hyperparameters["num_feat"] == 64
    torch.manual_seed(0)
    published = networks.build("basicvsr", **training.recipe.hyperparameters).state_dict()
    assert all(torch.equal(value, published[key]) for key, value in training.network.state_dict().items())
    assert "from basicvsr-reds" in training.task.trained_on


def test_a_start_of_another_network(tmp_path):
    with pytest.raises(UsageError, match="is for basicvsr, not for vrt"):
        plan(tmp_path, '[network]\nname = "vrt"\nstart = "basicvsr-reds"')
