"""Training of frame interpolation: what a batch is, that it learns, and that it resumes bit for bit."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from revivid.errors import ShapeError, UsageError
from revivid.train import loop, recipe
from revivid.train.data import prepare
from revivid.train.interpolation import InterpolationTask, Triplets
from revivid.train.scenes import Scene, held_out, load
from revivid.weights import embedded

RECIPE = """
[network]
name = "compactinterp"
widths = [16, 16, 16, 8]
depths = [1, 1, 1, 1]
reaches = [2, 1, 0, 0]
state = 8

[data]
damage = "none"
scale = 1

[train]
iterations = 6
batch = 2
patch = 64
warmup = 2
learning_rate = 2e-3
ema = 0.5
validate_every = 3
"""


@pytest.fixture
def plan(tmp_path: Path) -> recipe.TrainingRecipe:
    path = tmp_path / "tiny.toml"
    path.write_text(RECIPE)
    return recipe.load_recipe(path)


def scene(name: str, frames: int = 6, speed: int = 3, seed: int = 0) -> Scene:
    """Soft noise that moves `speed` pixels to the right per frame."""
    rng = np.random.default_rng(seed)
    noise = torch.from_numpy(rng.random((1, 1, 20, 60), dtype=np.float32))
    wide = torch.nn.functional.interpolate(noise, scale_factor=4, mode="bicubic")[0, 0].mul(255).clamp(0, 255).byte().numpy()
    y = np.stack([wide[:, speed * (frames - t) :][:, :160] for t in range(frames)])
    chroma = np.full((frames, 40, 80), 128, np.uint8)
    return Scene(name, (y, chroma, chroma), [], [])


def names(held: bool, count: int) -> list[str]:
    return [name for name in (f"clip{i}.mp4" for i in range(200)) if held_out(name) == held][:count]


def task(plan: recipe.TrainingRecipe, scenes: list[Scene]) -> InterpolationTask:
    from revivid import networks

    return InterpolationTask(plan, networks.build(plan.network, **plan.hyperparameters), scenes)


def test_batches_depend_on_seed_and_number_only(plan: recipe.TrainingRecipe) -> None:
    one, two = (task(plan, [scene(name) for name in names(False, 2)]) for _ in range(2))
    one.batch(0)
    assert torch.equal(one.batch(5).frames, two.batch(5).frames)
    assert torch.equal(one.batch(5).time, two.batch(5).time)
    assert not torch.equal(one.batch(5).frames, one.batch(6).frames)


def test_the_middle_frame_belongs_to_its_time(plan: recipe.TrainingRecipe) -> None:
    """Frames whose brightness is their number: time follows from it, whatever was turned round."""
    y = np.repeat(20 * np.arange(8, dtype=np.uint8), 80 * 90).reshape(8, 80, 90)
    counting = Scene(names(False, 1)[0], (y, y[:, ::2, ::2], y[:, ::2, ::2]), [], [])
    made, seen = task(plan, [counting]), set()
    for index in range(20):
        batch = made.batch(index)
        first, middle, last = (batch.frames[:, k].mean((1, 2)) for k in range(3))
        torch.testing.assert_close((middle - first) / (last - first), batch.time)
        seen |= {round(4 * t, 3) for t in batch.time.tolist()}
    assert 2.0 in seen
    assert len(seen) > 3


def test_parts_of_a_batch() -> None:
    batch = Triplets(torch.arange(5 * 3 * 4).reshape(5, 3, 2, 2), torch.arange(5) / 5)
    parts = batch.split(2)
    assert [len(part) for part in parts] == [3, 2]
    assert torch.equal(torch.cat([part.frames for part in parts]), batch.frames)
    assert len(Triplets(batch.frames[:1], batch.time[:1]).split(4)) == 1


def test_validation_sees_other_scenes(plan: recipe.TrainingRecipe) -> None:
    several, held = names(False, 2), names(True, 1)
    scenes = [scene(several[0]), scene(several[0], seed=1), scene(several[1]), scene(held[0]), scene(held[0], seed=2)]
    made = task(plan, scenes)
    assert made.scenes == [scenes[0], scenes[2]]
    assert {id(s) for s in made.held_out} == {id(scenes[1]), id(scenes[3]), id(scenes[4])}


def test_it_learns_to_follow_motion(plan: recipe.TrainingRecipe, tmp_path: Path) -> None:
    scenes = [scene(name, speed=2, seed=i) for i, name in enumerate(names(False, 3) + names(True, 1))]
    training = loop.Training(plan, scenes, tmp_path)
    before = training.task.gains(training.averaged_network())
    for _ in range(40):
        training.step()
    after = training.task.gains(training.averaged_network())
    assert abs(before["all"]) < 0.01
    assert after["all"] > 0.5


def test_resumed_training_equals_the_uninterrupted_one(plan: recipe.TrainingRecipe, tmp_path: Path) -> None:
    scenes = [scene(name, seed=i) for i, name in enumerate(names(False, 2) + names(True, 1))]
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    whole.mkdir()
    parts.mkdir()
    weights = loop.Training(plan, scenes, whole).finish()
    first = loop.Training(plan, scenes, parts)
    for _ in range(3):
        first.step()
    first.save()
    second = loop.Training(plan, scenes, parts)
    second.restore()
    resumed = second.finish()
    (metadata, one), (_, other) = embedded.read(weights), embedded.read(resumed)
    assert metadata.network == "compactinterp"
    assert "photographs and clips" in metadata.trained_on
    assert all(torch.equal(one[key], other[key]) for key in one)


def test_scenes_are_prepared_without_degraded_versions(plan: recipe.TrainingRecipe, tmp_path: Path) -> None:
    import av

    folder = tmp_path / "data"
    folder.mkdir()
    rows, columns = np.mgrid[:256, :320]
    with av.open(str(folder / "photo.png"), "w") as out:
        stream = out.add_stream("png", rate=1)
        stream.width, stream.height, stream.pix_fmt = 320, 256, "rgb24"
        picture = np.stack([(columns * 3 + rows) % 256] * 3, -1).astype(np.uint8)
        out.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        out.mux(stream.encode(None))
    (made,) = load(prepare(folder, tmp_path / "scenes", plan.data, workers=1))
    assert made.degraded == []
    assert made.strengths == []
    assert made.truth[0].shape[0] == -(-plan.data.photo_frames // plan.data.photo_keep)
    assert np.abs(np.diff(made.truth[0].astype(int), axis=0)).mean() > 0.5


def test_what_can_not_work_is_named(plan: recipe.TrainingRecipe) -> None:
    with pytest.raises(ShapeError, match="5 frames of 64x64"):
        task(plan, [scene("a.mp4", frames=4)])
    from revivid import networks

    with pytest.raises(UsageError, match="doesn't work on planes"):
        InterpolationTask(plan, networks.build("ifrnet_s"), [scene("a.mp4")])
