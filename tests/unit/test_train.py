"""The training path end to end on a few seconds of synthetic pictures."""

import json
import os
import subprocess
import sys
from itertools import pairwise

import av
import numpy as np
import pytest
import torch

from revivid import networks
from revivid.errors import InputNotReadable, OutputExists, ShapeError, UsageError
from revivid.train import loop, recipe
from revivid.train.data import DataSettings, prepare
from revivid.train.losses import charbonnier
from revivid.train.patches import Patches
from revivid.train.scenes import Scene, files, held_out, load
from revivid.weights import embedded

TINY = """
[network]
name = "compactsr"
scale = 2
channels = 16
layers = 1

[data]
scale = 2
crf_min = 10.0
crf_max = 30.0
crf_steps = 2
preset = "ultrafast"
photo_frames = 4
photo_keep = 2
clip_frames = 4
clip_keep = 2
clip_scenes = 2

[train]
iterations = 20
batch = 4
patch = 32
warmup = 2
learning_rate = 5e-4
ema = 0.8
validate_every = 10
"""


def picture(height, width, t=0):
    """Moving shapes with hard edges, which bicubic upscaling blurs and a few iterations learn to sharpen."""
    rows, columns = np.mgrid[:height, :width]
    shapes = np.sign(np.sin((columns + 3 * t) / 11) + np.sin((rows + t) / 13))
    grey = (128 + 70 * shapes).astype(np.uint8)
    return np.stack([grey, grey[::-1], grey[:, ::-1]], axis=-1)


@pytest.fixture(scope="module")
def sources(tmp_path_factory):
    """One photograph and two clips; `b14.mkv` is held out by its name."""
    folder = tmp_path_factory.mktemp("sources")
    with av.open(str(folder / "photo.png"), "w") as out:
        stream = out.add_stream("png", rate=1)
        stream.width, stream.height, stream.pix_fmt = 320, 320, "rgb24"
        out.mux(stream.encode(av.VideoFrame.from_ndarray(picture(320, 320), format="rgb24")))
        out.mux(stream.encode(None))
    held = next(f"b{i}.mkv" for i in range(100) if held_out(f"b{i}.mkv"))
    for name in ("a.mkv", held):
        with av.open(str(folder / name), "w") as out:
            stream = out.add_stream("ffv1", rate=24)
            stream.width, stream.height, stream.pix_fmt = 288, 272, "yuv420p"
            for t in range(12):
                out.mux(stream.encode(av.VideoFrame.from_ndarray(picture(272, 288, t), format="rgb24").reformat(format="yuv420p")))
            out.mux(stream.encode(None))
    (folder / "broken.jpg").write_bytes(b"no picture")
    return folder


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    path = tmp_path_factory.mktemp("recipe") / "tiny.toml"
    path.write_text(TINY)
    return path


@pytest.fixture(scope="module")
def cache(tmp_path_factory, sources, tiny):
    folder = tmp_path_factory.mktemp("scenes")
    prepare(sources, folder, recipe.load_recipe(tiny).data)
    return folder


def test_scenes_are_pairs_of_truth_and_its_compressed_small_version(cache):
    scenes = load(files(cache))
    assert {scene.name for scene in scenes} >= {"photo.png", "a.mkv"}
    assert "broken.jpg" not in {scene.name for scene in scenes}
    for scene in scenes:
        height, width = scene.truth[0].shape[1:]
        assert height % 4 == width % 4 == 0
        assert len(scene.strengths) == 2
        assert 10 <= scene.strengths[0] <= 20 <= scene.strengths[1] <= 30
        means = scene.truth[0].reshape(-1, height // 2, 2, width // 2, 2).mean((2, 4))
        errors = [np.abs(planes[0] - means).mean() for planes in scene.degraded]
        assert scene.degraded[0][0].shape == means.shape
        assert errors[0] < errors[1]  # more compression, further from the original
        assert errors[0] < np.abs(np.roll(means, 4, axis=2) - means).mean() / 2  # and still the same place


def test_prepare_keeps_what_is_there(cache, sources, tiny):
    before = {path: path.stat().st_mtime_ns for path in files(cache)}
    again = prepare(sources, cache, recipe.load_recipe(tiny).data)
    assert {path: path.stat().st_mtime_ns for path in again} == before


def test_prepare_without_sources(tmp_path):
    with pytest.raises(InputNotReadable, match="no usable"):
        prepare(tmp_path, tmp_path / "scenes", DataSettings(), workers=1)


def test_training_learns_and_its_weights_load(tmp_path, sources, tiny, cache):
    lines = []
    path = loop.run(tiny, sources, tmp_path / "out", cache=cache, report=lines.append)
    assert [line["iteration"] for line in lines] == [10, 20]
    assert lines == [json.loads(line) for line in (tmp_path / "out/log.jsonl").read_text().splitlines()]
    assert "all" in lines[0]["gain_db"]
    assert (tmp_path / "out/training.png").stat().st_size > 1000

    metadata, tensors = embedded.read(path)
    assert (metadata.network, metadata.recipe, metadata.iterations) == ("compactsr", "tiny", 20)
    trained = networks.load_published(networks.build("compactsr", **metadata.hyperparameters), tensors)
    untrained = networks.build("compactsr", **metadata.hyperparameters)
    patches = Patches(load(files(cache)), scale=2, size=32, batch=16, candidates=1, seed=9)
    batch = patches.batch(0)
    with torch.no_grad():
        losses = [charbonnier(net(batch.y, batch.uv, batch.strength)[0], batch.truth_y) for net in (untrained, trained)]
    assert losses[1] < losses[0]


def test_resumed_training_equals_the_uninterrupted_one(tmp_path, sources, tiny, cache):
    whole = loop.run(tiny, sources, tmp_path / "whole", cache=cache)
    plan = recipe.load_recipe(tiny)
    first = loop.Training(plan, load(files(cache)), tmp_path)
    for _ in range(4):
        first.step()
    first.save()
    second = loop.Training(plan, load(files(cache)), tmp_path)
    second.restore()
    assert second.iteration == 4
    assert second.finish().read_bytes()[-2000:] == whole.read_bytes()[-2000:]
    ended = torch.load(tmp_path / "checkpoint.pt", weights_only=True)
    for key, value in torch.load(tmp_path / "whole/checkpoint.pt", weights_only=True)["network"].items():
        assert torch.equal(ended["network"][key], value), key


def test_two_processes_train_the_network_of_one(tmp_path, sources, tiny, cache):
    loop.run(tiny, sources, tmp_path / "alone", cache=cache)
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "-m", "revivid", "train"]
    arguments = [str(tiny), "--data", str(sources), "--out", str(tmp_path / "two"), "--cache", str(cache)]
    subprocess.run([*command, *arguments], check=True, env={**os.environ, "OMP_NUM_THREADS": "1"}, timeout=240)
    assert len((tmp_path / "two/log.jsonl").read_text().splitlines()) == 2  # one process wrote, not both
    ours = torch.load(tmp_path / "two/checkpoint.pt", weights_only=True)["network"]
    for key, value in torch.load(tmp_path / "alone/checkpoint.pt", weights_only=True)["network"].items():
        torch.testing.assert_close(ours[key], value, rtol=0, atol=1e-4)


def test_a_training_is_not_overwritten_nor_mixed_up(tmp_path, sources, tiny, cache):
    out = tmp_path / "out"
    loop.Training(recipe.load_recipe(tiny), load(files(cache)), tmp_path).save()
    out.mkdir()
    (tmp_path / "checkpoint.pt").rename(out / "checkpoint.pt")
    with pytest.raises(OutputExists, match="holds a training"):
        loop.run(tiny, sources, out, cache=cache)
    other = tmp_path / "other.toml"
    other.write_text(TINY.replace("iterations = 20", "iterations = 21"))
    with pytest.raises(UsageError, match="another recipe"):
        loop.run(other, sources, out, cache=cache, resume=True)


def test_network_and_data_must_agree_on_the_scale(tmp_path):
    path = tmp_path / "mixed.toml"
    path.write_text(TINY.replace("[data]\nscale = 2", "[data]\nscale = 4"))
    with pytest.raises(UsageError, match="upscales by 2"):
        loop.Training(recipe.load_recipe(path), [synthetic_scene()], tmp_path)


def synthetic_scene():
    """A scene whose luma names its own place: the left half is flat, the right half is textured."""
    y = np.zeros((2, 64, 128), np.uint8)
    y[:, :, 64:] = np.random.default_rng(0).integers(0, 256, (2, 64, 64))
    u = y[:, ::2, ::2]
    small = tuple(np.ascontiguousarray(p[:, ::2, ::2]) for p in (y, u, u))
    return Scene("s", (y, u, u), [small], [25.0])


def test_batches_depend_on_seed_and_number_only():
    settings = {"scale": 2, "size": 16, "batch": 4, "candidates": 2}
    one, two = (Patches([synthetic_scene()], **settings, seed=3) for _ in range(2))
    one.batch(0)
    assert torch.equal(one.batch(7).y, two.batch(7).y)
    assert not torch.equal(one.batch(7).y, one.batch(8).y)
    assert not torch.equal(one.batch(7).y, Patches([synthetic_scene()], **settings, seed=4).batch(7).y)


def test_truth_and_degraded_patches_are_the_same_place_after_turning():
    batch = Patches([synthetic_scene()], scale=2, size=16, batch=32, candidates=1, seed=0).batch(0)
    assert batch.truth_y.shape == (32, 1, 32, 32)
    assert batch.truth_uv.shape == (32, 2, 16, 16)
    assert batch.uv.shape == (32, 2, 8, 8)
    # The degraded scene is every second sample of the truth, so up to the mirroring's parity one of four grids must match.
    for y, truth in zip(batch.y[:, 0], batch.truth_y[:, 0], strict=True):
        assert any(torch.equal(y, truth[i::2, j::2]) for i in (0, 1) for j in (0, 1))


def test_more_candidates_mean_more_texture():
    flat, picky = (Patches([synthetic_scene()], scale=2, size=16, batch=64, candidates=n, seed=0) for n in (1, 4))
    texture = [patches.batch(0).truth_y.diff().abs().mean() for patches in (flat, picky)]
    assert texture[1] > 1.3 * texture[0]


def test_first_frames_are_rare():
    y = np.repeat(np.arange(4, dtype=np.uint8)[:, None, None], 32, axis=1).repeat(32, axis=2)
    small = (y[:, ::2, ::2], y[:, ::4, ::4], y[:, ::4, ::4])
    scene = Scene("s", (y, y[:, ::2, ::2], y[:, ::2, ::2]), [small], [25.0])
    batch = Patches([scene], scale=2, size=16, batch=400, candidates=1, seed=0).batch(0)
    counts = np.bincount((batch.y[:, 0, 0, 0] * 255).round().int().numpy(), minlength=4)
    assert counts[0] < 50
    assert counts[1:].min() > 90


def test_patch_larger_than_every_scene():
    with pytest.raises(ShapeError, match="48x48"):
        Patches([synthetic_scene()], scale=2, size=48, batch=1, candidates=1, seed=0)


def test_charbonnier_is_absolute_error_far_out_and_squared_error_near():
    zero = torch.zeros(1)
    assert charbonnier(torch.tensor([0.5]), zero, 1e-3).item() == pytest.approx(0.5, abs=1e-3)
    assert charbonnier(torch.tensor([1e-3]), zero, 0.1).item() == pytest.approx(1e-6 / 0.2, rel=1e-2)


def test_learning_rate_warms_up_and_decays():
    settings = recipe.TrainSettings(iterations=100, warmup=10, learning_rate=1e-3, final_learning_rate=1e-6)
    rates = [loop.learning_rate(i, settings) for i in range(101)]
    assert rates[0] == pytest.approx(1e-4)
    assert max(rates) == pytest.approx(1e-3)
    assert rates[100] == pytest.approx(1e-6)
    assert all(a >= b for a, b in pairwise(rates[10:]))


@pytest.mark.parametrize("name", recipe.names())
def test_packaged_recipes_are_complete(name):
    plan = recipe.load_recipe(name)
    with torch.device("meta"):
        module = networks.build(plan.network, **plan.hyperparameters)
    assert module.traits.scale == plan.data.scale
    assert plan == recipe.load_recipe(f"{name}.toml")


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (("batch = 4", "bach = 4"), "unknown bach"),
        (("[train]", "[training]"), "unknown training"),
        (("batch = 4", 'batch = "4"'), "must be int"),
        (("batch = 4", "batch = 4.5"), "must be int"),
        (("batch = 4", "batch = 0"), "too small"),
        (("learning_rate = 5e-4", "learning_rate = -1.0"), "too small"),
        (('name = "compactsr"', ""), "wants a name"),
        (("[train]", "[train"), "not TOML"),
    ],
)
def test_recipes_are_strict(tmp_path, change, complaint):
    path = tmp_path / "wrong.toml"
    path.write_text(TINY.replace(*change))
    with pytest.raises(UsageError, match=complaint):
        recipe.load_recipe(path)


def test_missing_recipe_lists_the_known():
    with pytest.raises(InputNotReadable) as fault:
        recipe.load_recipe("nowhere")
    assert "compactsr-x4" in fault.value.hint
