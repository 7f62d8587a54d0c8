"""Training of the learned codec: losses and schedule by the paper's equations, that it learns, and that it resumes bit for bit."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from revivid import networks
from revivid.errors import ShapeError, UsageError
from revivid.learned.model import Model
from revivid.metrics.pixel import ms_ssim
from revivid.train import loop, recipe
from revivid.train.codec import CodecBatch, CodecTask
from revivid.train.codec_losses import context_aware, context_weights, ms_ssim_loss
from revivid.train.codec_settings import CodecSettings, step_decay
from revivid.train.scenes import Scene, held_out
from revivid.weights import embedded

RECIPE = """
[network]
name = "bvc"

[data]
damage = "blur"
scale = 1

[train]
iterations = 6
batch = 2
patch = 64
frames = 3
warmup = 0
learning_rate = 1e-3
ema = 0.5
validate_every = 3

[codec]
motion_from = 0.1
compensation_from = 0.2
residual_from = 0.3
clips_from = 0.7
"""


@pytest.fixture
def plan(tmp_path: Path) -> recipe.TrainingRecipe:
    path = tmp_path / "tiny.toml"
    path.write_text(RECIPE)
    return recipe.load_recipe(path)


def changed(tmp_path: Path, old: str, new: str) -> recipe.TrainingRecipe:
    path = tmp_path / "tiny.toml"
    assert old in RECIPE
    path.write_text(RECIPE.replace(old, new))
    return recipe.load_recipe(path)


def scene(name: str, frames: int = 4, seed: int = 0) -> Scene:
    """Soft noise that moves 3 pixels to the right per frame, and the same smeared along its motion."""
    rng = np.random.default_rng(seed)
    noise = torch.from_numpy(rng.random((1, 1, 20, 60), dtype=np.float32))
    wide = torch.nn.functional.interpolate(noise, scale_factor=4, mode="bicubic")[0, 0].mul(255).clamp(0, 255).byte().numpy()
    sharp = np.stack([wide[:, 3 * (frames - t) :][:, :96] for t in range(frames)])
    smeared = np.mean([np.roll(sharp, k, 2) for k in (-2, -1, 0, 1, 2)], 0).astype(np.uint8)
    chroma = np.full((frames, 40, 48), 128, np.uint8)
    return Scene(name, (sharp, chroma, chroma), [(smeared, chroma, chroma)], [0.0])


def names(held: bool, count: int) -> list[str]:
    return [name for name in (f"clip{i}.mp4" for i in range(200)) if held_out(name) == held][:count]


def scenes() -> list[Scene]:
    return [scene(name, seed=i) for i, name in enumerate(names(False, 2) + names(True, 1))]


def task(plan: recipe.TrainingRecipe) -> tuple[CodecTask, Any]:
    torch.manual_seed(0)
    network: Any = networks.build(plan.network, **plan.hyperparameters)
    return CodecTask(plan, network, scenes()), network


def gradients(plan: recipe.TrainingRecipe, index: int) -> dict[str, float]:
    """Sum of absolute gradients by part of the network at an iteration."""
    made, network = task(plan)
    made.loss(network, made.batch(index)).backward()
    sums: dict[str, float] = {}
    for name, parameter in network.named_parameters():
        if parameter.grad is not None:
            part = name.split(".")[0]
            sums[part] = sums.get(part, 0.0) + parameter.grad.abs().sum().item()
    return sums


def test_phases_follow_the_paper() -> None:
    published = CodecSettings()
    phases = [published.phase(i / 1e6) for i in (0, 1e5 - 1, 1e5, 2e5, 3e5, 9e5 - 1, 9e5)]
    assert phases == ["enhancement", "enhancement", "motion", "compensation", "residual", "residual", "clips"]


def test_enhancement_weight_falls_by_quarters_to_its_floor() -> None:
    shares = [CodecSettings().enhancement_share(i / 10) for i in (0, 1, 2, 4, 6, 8, 9)]
    assert shares == [1, 1, 0.75, 0.5, 0.25, 0.25, 0.25]


def test_learning_rate_falls_in_steps() -> None:
    assert [step_decay(p) for p in (0.0, 0.49, 0.5, 0.79, 0.8)] == [1.0, 1.0, 0.1, 0.1, 0.01]


def test_lambda_is_interpolated_exponentially() -> None:
    assert [CodecSettings().trade_off(k / 3) for k in range(4)] == pytest.approx([256, 512, 1024, 2048])


def test_context_weights_rank_regions_by_what_is_still_wrong() -> None:
    truth, wrong = torch.zeros(1, 3, 16, 24), torch.zeros(1, 3, 16, 24)
    levels = torch.tensor([[0.3, 0.1, 0.5], [0.0, 0.2, 0.4]])
    wrong += levels.repeat_interleave(8, 0).repeat_interleave(8, 1)
    weights = context_weights(wrong, truth, region=8)
    assert weights.shape == (1, 1, 16, 24)
    torch.testing.assert_close(weights[0, 0, ::8, ::8], torch.tensor([[0.6, 0.2, 1.0], [0.0, 0.4, 0.8]]))
    missed = torch.ones(1, 3, 16, 24)
    assert context_aware(missed, 0 * missed, weights).item() == pytest.approx(weights.square().mean().item())


def test_ms_ssim_loss_is_the_metric_and_has_a_gradient() -> None:
    torch.manual_seed(0)
    a = torch.nn.functional.interpolate(torch.rand(2, 3, 24, 24), scale_factor=8, mode="bicubic")
    b = (a + 0.05 * torch.randn_like(a)).requires_grad_()
    loss = ms_ssim_loss(a, b)
    torch.testing.assert_close(1 - loss.double(), ms_ssim(a, b, peak=1.0), atol=2e-3, rtol=0)
    loss.sum().backward()
    assert b.grad is not None
    assert b.grad.abs().sum() > 0
    assert ms_ssim_loss(a, a).abs().max() < 1e-5


def test_every_phase_trains_its_parts(plan: recipe.TrainingRecipe) -> None:
    """Iterations 0 to 5 are of the phases enhancement, motion (1/6), compensation is skipped, residual (2/6 on), clips (5/6)."""
    enhancing = {"venet", "blur_coder"}
    assert set(gradients(plan, 0)) == enhancing
    assert set(gradients(plan, 1)) == enhancing | {"frnet", "motion_coder"}
    everything = enhancing | {"frnet", "motion_coder", "mcnet", "residual_coder"}
    assert set(gradients(plan, 3)) == everything
    assert set(gradients(plan, 5)) == everything


def test_without_venet_everything_else_is_trained(tmp_path: Path) -> None:
    plan = changed(tmp_path, "motion_from = 0.1", "motion_from = 0.0")
    plan.hyperparameters["venet"] = False
    for index in (3, 5):
        found = gradients(plan, index)
        assert set(found) == {"frnet", "motion_coder", "mcnet", "residual_coder"}
        assert min(found.values()) > 0


def test_without_venet_there_is_nothing_to_learn_before_motion(plan: recipe.TrainingRecipe) -> None:
    plan.hyperparameters["venet"] = False
    with pytest.raises(UsageError, match="nothing is learned before motion"):
        task(plan)


def test_compensation_is_trained_without_the_residual(tmp_path: Path) -> None:
    trained = gradients(changed(tmp_path, "residual_from = 0.3", "residual_from = 0.5"), 2)
    assert "mcnet" in trained
    assert "residual_coder" not in trained


def test_coding_does_not_teach_the_enhancement_unless_told(tmp_path: Path) -> None:
    """Without AE_blur and with lambda_e at zero nothing but coding is in the loss, and VENet sees none of it."""
    silent = 'enhancement_step = 0.125\nenhancement_floor = 0.0\nstop_gradient = '
    for word, reaches in (("true", False), ("false", True)):
        plan = changed(tmp_path, "[codec]", f"[codec]\n{silent}{word}")
        plan.hyperparameters["blur_coding"] = False
        assert plan.codec.enhancement_share(3 / 6) == 0
        assert (gradients(plan, 3)["venet"] > 0) == reaches


def test_batches_depend_on_seed_and_number_only(plan: recipe.TrainingRecipe) -> None:
    (one, _), (two, _) = task(plan), task(plan)
    one.batch(0)
    for a, b in zip(vars(one.batch(4)).values(), vars(two.batch(4)).values(), strict=True):
        assert torch.equal(torch.as_tensor(a), torch.as_tensor(b))
    assert one.batch(3).truth.shape == (2, 2, 3, 64, 64)
    assert one.batch(5).truth.shape == (2, 3, 3, 64, 64)
    quality = one.batch(3).quality
    assert 1 <= quality[0] < 4.5 <= quality[1] <= 8


def test_parts_of_a_batch() -> None:
    clips = torch.arange(5 * 2 * 3.0).view(5, 2, 3, 1, 1)
    parts = CodecBatch(clips, clips, torch.arange(5.0), torch.arange(5), 0.5).split(2)
    assert [len(part) for part in parts] == [3, 2]
    assert torch.equal(torch.cat([part.truth for part in parts]), clips)


def test_ablations_are_recipe_options(tmp_path: Path) -> None:
    bare = gradients(changed(tmp_path, 'name = "bvc"', 'name = "bvc"\nblur_coding = false\nrefine = false'), 3)
    assert set(bare) == {"venet", "motion_coder", "mcnet", "residual_coder"}
    warp, context = (
        gradients(changed(tmp_path, "[codec]", f'[codec]\nmotion_loss = "{word}"'), 1)["motion_coder"]
        for word in ("warp", "context")
    )
    assert warp != pytest.approx(context, rel=1e-3)


def test_ms_ssim_models_want_patches_for_five_scales(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="patch"):
        task(changed(tmp_path, "[codec]", '[codec]\ndistortion = "ms-ssim"'))


def test_scenes_must_hold_a_clip(tmp_path: Path) -> None:
    with pytest.raises(ShapeError, match="9 frames"):
        task(changed(tmp_path, "frames = 3", "frames = 9"))


@pytest.mark.parametrize("line", ['distortion = "vmaf"', "lambda_min = 4000.0", "motion_from = 0.9", "k = 8"])
def test_settings_that_cannot_work_are_named(tmp_path: Path, line: str) -> None:
    with pytest.raises(UsageError, match="codec"):
        changed(tmp_path, "motion_from = 0.1", line)


def test_packaged_recipes_load() -> None:
    paper, compact = recipe.load_recipe("bvc-paper"), recipe.load_recipe("bvc-compact")
    assert paper.hyperparameters == {"size": "paper", "rates": 1}
    assert (paper.train.iterations, paper.train.batch, paper.train.patch, paper.train.frames) == (1_000_000, 4, 256, 7)
    assert (paper.train.learning_rate, paper.codec.decay) == (1e-4, "steps")
    assert compact.hyperparameters["size"] == "compact"


def test_a_flow_network_without_weights_is_trained_along(tmp_path: Path) -> None:
    trained = gradients(changed(tmp_path, 'name = "bvc"', 'name = "bvc"\nsize = "paper"\nrates = 1'), 0)
    assert set(trained) == {"venet", "blur_coder", "flow"}


def test_flow_weights_are_taken_and_kept(tmp_path: Path) -> None:
    from safetensors.torch import save_file

    source: Any = networks.build("bvc", size="paper", rates=1)
    state = {key: value.contiguous() for key, value in source.flow.spynet.state_dict().items()}
    save_file(state, tmp_path / "spynet.safetensors")
    text = RECIPE.replace('name = "bvc"', 'name = "bvc"\nsize = "paper"\nrates = 1')
    (tmp_path / "tiny.toml").write_text(text + f'flow_weights = "{(tmp_path / "spynet.safetensors").as_posix()}"\n')
    made, network = task(recipe.load_recipe(tmp_path / "tiny.toml"))
    for key, value in state.items():
        assert torch.equal(network.flow.spynet.state_dict()[key], value)
    trained = {id(p) for parameters, _ in made.groups(network) for p in parameters}
    assert not any(id(p) in trained for p in network.flow.parameters())


def test_resuming_gives_the_weights_of_an_uninterrupted_training(plan: recipe.TrainingRecipe, tmp_path: Path) -> None:
    for folder in ("whole", "halves"):
        (tmp_path / folder).mkdir()
    whole = loop.Training(plan, scenes(), tmp_path / "whole")
    lines: list[dict[str, Any]] = []
    path = whole.finish(lines.append)
    first = loop.Training(plan, scenes(), tmp_path / "halves")
    for _ in range(3):
        first.step()
    first.save()
    second = loop.Training(plan, scenes(), tmp_path / "halves")
    second.restore()
    second.finish()
    for key, value in whole.network.state_dict().items():
        assert torch.equal(second.network.state_dict()[key], value), key
    # The flow network is the package's, and stayed so.
    assert all(torch.equal(whole.network.flow.network.state_dict()[k], v) for k, v in embedded.load("compactinterp-x2")[1].items())
    # What was written loads, with the tables of the trained densities, and the log tells E, D and R.
    metadata, tensors = embedded.read(path)
    loaded: Any = networks.load_published(networks.build(metadata.network, **metadata.hyperparameters), tensors)
    expected = whole.averaged_network()
    for mine, theirs in zip(loaded.tables(4.0), expected.tables(4.0), strict=True):
        assert all(torch.equal(a, b) for a, b in zip(mine, theirs, strict=True))
    assert {"E", "D", "R_m", "R_q", "R_u", "bpp at quality 1"} <= set(lines[-1]["terms"])
    assert {"enhanced", "quality 1", "quality 4.5", "quality 8", "all"} == set(lines[-1]["gain_db"])
    assert len(json.loads((tmp_path / "whole" / "log.jsonl").read_text().splitlines()[0])["terms"]) >= 5


def test_gradients_of_a_part_do_not_depend_on_when_another_part_is_done(
    plan: recipe.TrainingRecipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever leaves autocast empties the cache of cast weights of all threads: here in the middle of a clip in bfloat16."""
    monkeypatch.setattr(loop, "best_dtype", lambda: torch.bfloat16)
    made = loop.Training(plan, scenes(), tmp_path)
    part = made.task.batch(5).split(2)[0]
    loss, alone = made._gradients(part)
    made.network.residual_coder.register_forward_hook(lambda *_: torch.clear_autocast_cache())
    again, beside = made._gradients(part)
    assert again == loss
    assert all(torch.equal(a, b) for a, b in zip(alone, beside, strict=True))


def test_it_learns(plan: recipe.TrainingRecipe, tmp_path: Path) -> None:
    """A few dozen iterations on two scenes: the loss, the enhancement's error and the residual's bits get smaller."""
    made = loop.Training(plan, scenes(), tmp_path)
    fixed = made.task.batch(3)

    def terms() -> dict[str, float]:
        made.task.terms()  # type: ignore[attr-defined]
        loss = made.task.loss(made.network, fixed).item()
        return {"loss": loss, **made.task.terms()}  # type: ignore[attr-defined]

    before = terms()
    for _ in range(25):
        made.iteration = 3
        made.step()
    after = terms()
    assert after["loss"] < 0.8 * before["loss"]
    assert after["E"] < before["E"]
    assert after["R_q"] < before["R_q"]


def test_contexts_are_counted_when_the_training_is_done(tmp_path: Path) -> None:
    plan = changed(tmp_path, "clips_from = 0.7", "clips_from = 0.7\ncontexts = true")
    (tmp_path / "out").mkdir()
    training = loop.Training(plan, scenes(), tmp_path / "out")
    metadata, state = embedded.read(training.finish())
    assert metadata.hyperparameters["contexts"] is True
    network: Any = networks.build("bvc", **metadata.hyperparameters)
    network.load_state_dict(state)
    model = Model("mine", bytes(32), network.eval())
    frames = [torch.rand(1, 3, 64, 64) for _ in range(2)]
    made = network.encode(frames[1], frames[0], 4.0)
    integers = [part.numpy().astype(np.int32) for part in (made.motion, made.residual)]
    coder = model.coder(64, 64, 4.0)
    assert all(np.array_equal(*pair) for pair in zip(coder.group().decode(coder.group().encode(*integers)), integers, strict=True))
    again, changes = training.task.complete(network)  # what has been counted is counted anew
    assert again is network
    assert changes == {"contexts": True}
    assert "contexts" not in plan.hyperparameters
    gains = training.task.gains(network)
    assert gains.keys() == training.task.gains(training.averaged_network()).keys()
