"""Cascades of a deblurring network and the codec: what is supervised learns, and nothing else; recipes can be changed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from revivid import networks
from revivid.errors import UsageError
from revivid.train import loop, recipe
from revivid.train.cascade import CascadeTask
from revivid.train.scenes import Scene, held_out
from revivid.weights import embedded

TINY = (
    "train.iterations=4", "train.batch=2", "train.patch=64", "train.frames=3", "train.warmup=0", "train.validate_every=4",
    "codec.compensation_from=0.0", "codec.residual_from=0.0", "codec.clips_from=0.7",
)  # fmt: skip


def plan(*changes: str) -> recipe.TrainingRecipe:
    return recipe.load_recipe("bvc-cascade", (*TINY, *changes))


def scenes() -> list[Scene]:
    """Noise that moves to the right, and the same smeared along its motion; the last one is held out."""
    clips = [f"clip{i}.mp4" for i in range(200)]
    chosen = [name for name in clips if not held_out(name)][:2] + [name for name in clips if held_out(name)][:1]
    made = []
    for seed, name in enumerate(chosen):
        wide = np.random.default_rng(seed).integers(30, 220, (64, 90), np.uint8).repeat(2, 1)
        sharp = np.stack([wide[:, 4 * (3 - t) :][:, :96] for t in range(3)])
        smeared = np.mean([np.roll(sharp, k, 2) for k in (-2, -1, 0, 1, 2)], 0).astype(np.uint8)
        chroma = np.full((3, 32, 48), 128, np.uint8)
        made.append(Scene(name, (sharp, chroma, chroma), [(smeared, chroma, chroma)], [0.0]))
    return made


def gradients(*changes: str, index: int = 0) -> dict[str, float]:
    """Sums of absolute gradients of the deblurrer and the codec."""
    chosen = plan(*changes)
    torch.manual_seed(0)
    network: Any = networks.build(chosen.network, **chosen.hyperparameters)
    task = CascadeTask(chosen, network, scenes())
    task.loss(network, task.batch(index)).backward()
    parts = {"deblurrer": network.deblurrer, "codec": network.codec}
    return {name: sum(p.grad.abs().sum().item() for p in part.parameters() if p.grad is not None) for name, part in parts.items()}


@pytest.mark.parametrize("order", ["dc", "cd"])
def test_both_supervisions_train_both_parts(order: str) -> None:
    for supervision in ("intermediate", "end"):
        found = gradients(f"network.order={order}", "network.deblurrer=gao", f"codec.supervision={supervision}")
        assert min(found.values()) > 0


@pytest.mark.parametrize("order", ["dc", "cd"])
def test_between_supervised_parts_nothing_flows(order: str) -> None:
    """With lambda_e at zero the deblurrer learns from what the codec does with its frames, or from nothing."""
    silent = (f"network.order={order}", "network.deblurrer=gao", "codec.enhancement_step=0.125", "codec.enhancement_floor=0")
    assert gradients(*silent, index=2)["deblurrer"] == 0
    assert gradients(*silent, "codec.supervision=end", index=2)["deblurrer"] > 0


def test_end_supervision_of_coding_first_looks_at_the_deblurred_frames_alone() -> None:
    """A codec with rates next to free is told by the deblurrer alone what to code."""
    chosen = plan("network.order=cd", "network.deblurrer=gao", "codec.supervision=end")
    network: Any = networks.build(chosen.network, **chosen.hyperparameters)
    with torch.no_grad():
        for scale in network.deblurrer.scales:
            scale.last.weight.zero_()
            scale.last.bias.zero_()
    task = CascadeTask(chosen, network, scenes())
    batch = task.batch(0)
    task.loss(network, batch)
    terms = task.terms()
    # An idle deblurrer shows what was decoded: the error is that of decoded frames against sharp ones.
    assert terms["D"] > 0
    assert "E" not in terms


@pytest.mark.parametrize("deblurrer", ["venet", "ifirnn"])
def test_a_training_ends_with_weights_that_load(tmp_path: Path, deblurrer: str) -> None:
    chosen = plan(f"network.deblurrer={deblurrer}", "train.iterations=2", "train.validate_every=2")
    lines: list[dict[str, Any]] = []
    path = loop.Training(chosen, scenes(), tmp_path).finish(lines.append)
    metadata, tensors = embedded.read(path)
    loaded: Any = networks.load_published(networks.build(metadata.network, **metadata.hyperparameters), tensors)
    assert loaded.order == "dc"
    assert loaded.codec.tables(4.0)[0].cdf.shape[0] == loaded.codec.motion_coder.channels
    assert {"enhanced", "quality 1", "all"} <= set(lines[-1]["gain_db"])
    borrowed = embedded.load("compactinterp-x2")[1]
    assert all(torch.equal(loaded.codec.flow.network.state_dict()[key].float(), value) for key, value in borrowed.items())


def test_clips_keep_their_blur() -> None:
    chosen = plan()
    network: Any = networks.build(chosen.network, **chosen.hyperparameters)
    batch = CascadeTask(chosen, network, scenes()).batch(1)
    assert all((blurry - truth).abs().mean() > 0.01 for blurry, truth in zip(batch.blurry, batch.truth, strict=True))


def test_deblurrers_see_what_they_are_made_for() -> None:
    """IFI-RNN wants BGR around zero: an untrained network of zeros answers grey."""
    network: Any = networks.build("bvc_cascade", deblurrer="ifirnn")
    for parameter in network.deblurrer.parameters():
        torch.nn.init.zeros_(parameter)
    network.deblurrer.rnncell1.F_L[2].bias.data = torch.tensor([0.1, 0.2, 0.3])
    answer = network.deblur(torch.rand(1, 2, 3, 16, 16))
    torch.testing.assert_close(answer[0, 1, :, 8, 8], torch.tensor([0.8, 0.7, 0.6]))


@pytest.mark.parametrize("words", [{"order": "dd"}, {"deblurrer": "edvr"}])
def test_unknown_cascades_are_named(words: dict[str, str]) -> None:
    with pytest.raises(UsageError, match="cascade"):
        networks.build("bvc_cascade", **words)


def test_recipes_can_be_changed() -> None:
    changed = recipe.load_recipe("bvc-compact-venet", ("network.refine=false", "codec.motion_loss=warp", "train.iterations=7"))
    assert changed.hyperparameters["refine"] is False
    assert changed.codec.motion_loss == "warp"
    assert changed.train.iterations == 7
    for wrong in ("iterations=7", "train.iterations", "train.pathc=64", "train.iterations=many", "codec.supervision=none"):
        with pytest.raises(UsageError):
            recipe.load_recipe("bvc-compact", (wrong,))
