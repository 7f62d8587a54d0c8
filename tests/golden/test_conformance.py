"""What every published network must do, one suite for all: answer as published, take any size, learn, name what is wrong."""

from __future__ import annotations

import inspect
from dataclasses import dataclass, field
from typing import Any

import harness
import pytest
import rule
import torch

from revivid import networks
from revivid.errors import CorruptWeights, ShapeError, UsageError


@dataclass(frozen=True)
class Subject:
    """A network small enough for tests, and how it is called."""

    network: str
    #: Golden case of the published implementation.
    golden: str
    #: Frames that a call takes (None: any number); a call on n frames answers with `answers(n)`.
    frames: int | None = None
    kwargs: dict[str, Any] = field(default_factory=dict)
    #: Noise of the output in bfloat16 autocast, over the output's standard deviation.
    bf16: float = 0.01
    call: dict[str, Any] = field(default_factory=dict)

    @property
    def restores_window(self) -> bool:
        """Whether a call restores one frame of a window and `restore_clip` a clip."""
        return self.network in ("edvr", "estrnn", "fastdvdnet")

    def build(self) -> torch.nn.Module:
        """The network with the rule's weights."""
        network = networks.build(self.network, **self.kwargs).eval()
        entries = {
            key: torch.from_numpy(rule.weight(key, tuple(value.shape), 0)) if value.is_floating_point() else value
            for key, value in network.state_dict().items()
        }
        return networks.load_published(network, entries)

    def clip(self, height: int, width: int, frames: int = 2, batch: int = 1) -> torch.Tensor:
        """An input of its kind: (N, T, 3, H, W), or (N, 3, H, W) for image networks."""
        clip = torch.from_numpy(rule.clip((batch, self.frames or frames, 3, height, width), 7))
        return clip[:, 0] if self.network == "srvgg" else clip


SUBJECTS = [
    Subject("basicvsr", "basicvsr_tiny", kwargs={"num_feat": 8, "num_block": 1}),
    Subject("iconvsr", "iconvsr_tiny", kwargs={"num_feat": 8, "num_block": 1, "keyframe_stride": 2, "temporal_padding": 1}),
    Subject("basicvsr_plusplus", "basicvsrpp_tiny", kwargs={"mid_channels": 8, "num_blocks": 1}),
    Subject("basicvsr_plusplus", "basicvsrpp_tiny", kwargs={"mid_channels": 8, "num_blocks": 1, "is_low_res_input": False}),
    Subject("edvr", "edvr_tiny", 3, {"num_feat": 8, "num_frame": 3, "deformable_groups": 2, "num_reconstruct_block": 1}),
    Subject("edvr", "edvr_tiny", 2, {"num_feat": 8, "num_frame": 2, "deformable_groups": 1, "num_reconstruct_block": 1,
                                     "with_predeblur": True, "hr_in": True, "with_tsa": False, "center_frame_idx": 0}),
    Subject("ifirnn", "full_ifirnn"),
    Subject("estrnn", "estrnn_tiny", 3, {"n_features": 4, "n_blocks": 1, "past_frames": 1, "future_frames": 1}),
    Subject("fastdvdnet", "full_fastdvdnet", 5, call={"sigma": 10 / 255}),
    Subject("rife", "full_rife", 2, bf16=0.03),
    Subject("ifrnet", "full_ifrnet", 2),
    Subject("ifrnet_s", "full_ifrnet_s", 2),
    Subject("srvgg", "srvgg_tiny", kwargs={"num_feat": 8, "num_conv": 2, "upscale": 3}),
]  # fmt: skip
ONE_EACH = [subject for i, subject in enumerate(SUBJECTS) if subject.golden not in [other.golden for other in SUBJECTS[:i]]]

every = pytest.mark.parametrize("subject", SUBJECTS, ids=lambda s: s.network)
each = pytest.mark.parametrize("subject", ONE_EACH, ids=lambda s: s.network)


@each
def test_answers_as_published(subject):
    case = harness.load(subject.golden)
    clip = harness.clip(case)
    with torch.inference_mode():
        sigma = {"sigma": float(case["input"]["note"].split()[-1])} if subject.network == "fastdvdnet" else {}
        harness.check(case, harness.build(case)(clip[:, 0] if subject.network == "srvgg" else clip, **sigma))


@every
@pytest.mark.parametrize("size", [(1, 1), (5, 34), (18, 7)])
def test_takes_any_size(subject, size):
    network, clip = subject.build(), subject.clip(*size)
    with torch.inference_mode():
        out = network(clip, **subject.call)
    frames = () if clip.ndim == 4 else (clip.shape[1] if subject.frames is None else 1,)
    assert out.shape == (1, *frames, 3, size[0] * network.traits.scale, size[1] * network.traits.scale)
    assert out.isfinite().all()


@every
def test_takes_any_length(subject):
    network = subject.build()
    run = network.restore_clip if subject.restores_window else network
    scale = network.traits.scale
    with torch.inference_mode():
        for frames in (1, 2, 4):
            clip = subject.clip(9, 12, frames)
            if subject.restores_window:
                clip = torch.from_numpy(rule.clip((1, frames, 3, 9, 12), 7))
            elif subject.frames or clip.ndim == 4:
                return  # pairs and images have no length
            assert run(clip, **subject.call).shape == (1, frames, 3, 9 * scale, 12 * scale)


@every
def test_samples_of_a_batch_do_not_meet(subject):
    network, clip = subject.build(), subject.clip(12, 17, batch=2)
    with torch.inference_mode():
        together = network(clip, **subject.call)
        for i in range(2):
            alone = network(clip[i : i + 1], **subject.call)
            torch.testing.assert_close(alone, together[i : i + 1], atol=1e-4 * float(together.std()), rtol=1e-4)


@every
def test_bfloat16_autocast_stays_close(subject):
    network, clip = subject.build(), subject.clip(16, 24)
    with torch.inference_mode():
        want = network(clip, **subject.call)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            got = network(clip, **subject.call)
        whole = network.bfloat16()(clip.bfloat16(), **subject.call)
    assert (got.float() - want).std() < subject.bf16 * want.std()
    assert whole.dtype == torch.bfloat16
    assert (whole.float() - want).std() < 0.05 * want.std()


@every
def test_every_weight_learns(subject):
    network = subject.build().train()
    clip = subject.clip(32, 32, 3).requires_grad_(True)
    network(clip, **subject.call).square().mean().backward()
    assert clip.grad is not None
    assert clip.grad.abs().sum() > 0
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None, f"{name} gets no gradient"
        assert parameter.grad.isfinite().all(), name


@every
def test_names_wrong_entries(subject):
    network = subject.build()
    entries = dict(network.state_dict())
    key = next(key for key in reversed(entries) if key.endswith("weight"))
    with pytest.raises(CorruptWeights, match="unknown extra"):
        networks.load_published(network, {**entries, "extra": torch.zeros(1)})
    with pytest.raises(CorruptWeights, match=rf"{key} is \(7,\)"):
        networks.load_published(network, {**entries, key: torch.zeros(7)})
    entries.pop(key)
    with pytest.raises(CorruptWeights, match=f"missing {key}"):
        networks.load_published(network, entries)


@each
def test_refuses_unknown_hyper_parameters(subject):
    with pytest.raises(UsageError, match="no hyper-parameter nonsense"):
        networks.build(subject.network, nonsense=1)


@every
def test_refuses_what_it_cannot_take(subject):
    network, clip = subject.build(), subject.clip(8, 8)
    for wrong in (clip[0], clip[..., :0, :], clip[..., :2, :, :]):
        with pytest.raises(ShapeError, match="takes"):
            network(wrong, **subject.call)
    if subject.frames:
        with pytest.raises(ShapeError):
            network(clip[:, :1], **subject.call)


@each
def test_declares_itself(subject):
    network = networks.build(subject.network)
    assert network.traits.tasks
    assert network.traits.licence
    assert network.traits.paper
    arguments = inspect.signature(network.forward).parameters
    assert network.traits.kind == ("image" if "image" in arguments else "pair" if "time" in arguments else "clip")
