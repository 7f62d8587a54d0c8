"""SwinIR against the published implementation's answers, and its conduct with inputs that it was not made for."""

from __future__ import annotations

import harness
import numpy as np
import pytest
import torch

from revivid import networks
from revivid.errors import CorruptWeights, ShapeError, UsageError

#: A network of a few thousand weights.
TINY = {"img_size": 32, "window_size": 4, "depths": [2, 2], "embed_dim": 12, "num_heads": [2, 2], "mlp_ratio": 2}


def tiny(**changes: object) -> torch.nn.Module:
    torch.manual_seed(0)
    return networks.build("swinir", **{**TINY, "upscale": 1, **changes}).eval()


@pytest.mark.parametrize("name", ["swinir_tiny_denoise", "swinir_tiny_light_x2", "swinir_tiny_sr_x4"])
def test_answers_as_published(name):
    case = harness.load(name)
    with torch.inference_mode():
        harness.check(case, harness.build(case)(harness.clip(case)[:, 0]))


@pytest.mark.parametrize(
    ("kwargs", "parameters"),
    [
        ({"upsampler": "pixelshuffle", "upscale": 8}, 12_047_911),
        ({"upsampler": "pixelshuffle", "upscale": 3}, 11_937_127),
        ({"upsampler": "nearest+conv", "upscale": 4}, 11_715_559),
        ({"upsampler": "nearest+conv", "upscale": 2}, 11_678_631),
        ({"in_chans": 1, "upscale": 1}, 11_497_681),
        ({"upscale": 1, "window_size": 7, "img_size": 126, "img_range": 255}, 11_492_067),
        ({"upsampler": "nearest+conv", "upscale": 4, "embed_dim": 240, "depths": [6] * 9, "num_heads": [8] * 9,
          "resi_connection": "3conv"}, 28_013_059),
        ({"upsampler": "pixelshuffledirect", "upscale": 3, "embed_dim": 60, "depths": [6] * 4, "num_heads": [6] * 4}, 918_267),
    ],
)  # fmt: skip
def test_has_the_published_number_of_parameters(kwargs, parameters):
    published = {"window_size": 8, "depths": [6] * 6, "embed_dim": 180, "num_heads": [6] * 6, "mlp_ratio": 2}
    with torch.device("meta"):
        network = networks.build("swinir", **{**published, **kwargs})
    assert sum(p.numel() for p in network.parameters()) == parameters


@pytest.mark.parametrize(
    ("changes", "size"),
    [
        ({}, (1, 1)),
        ({}, (3, 50)),
        ({"in_chans": 1}, (13, 4)),
        ({"upsampler": "pixelshuffle", "upscale": 2}, (7, 9)),
        ({"upsampler": "pixelshuffle", "upscale": 3}, (5, 6)),
        ({"upsampler": "pixelshuffledirect", "upscale": 4}, (9, 2)),
        ({"upsampler": "nearest+conv", "upscale": 4, "resi_connection": "3conv"}, (6, 11)),
        ({"upsampler": "nearest+conv", "upscale": 2, "in_chans": 1}, (4, 4)),
        ({"img_range": 255, "qkv_bias": False, "patch_norm": False}, (10, 10)),
    ],
)
def test_takes_every_size(changes, size):
    network = tiny(**changes)
    image = torch.rand(2, network.in_chans, *size)
    with torch.inference_mode():
        out = network(image)
        assert out.shape == (2, network.in_chans, size[0] * network.traits.scale, size[1] * network.traits.scale)
        torch.testing.assert_close(out[1:], network(image[1:]), atol=1e-5, rtol=1e-4)


def test_extends_the_image_by_reflection():
    network, image = tiny(), torch.rand(1, 3, 9, 14)
    reflected = np.pad(image.numpy(), ((0, 0), (0, 0), (0, 3), (0, 2)), mode="reflect")
    with torch.inference_mode():
        torch.testing.assert_close(network(image), network(torch.from_numpy(reflected))[..., :9, :14])


def test_a_window_as_large_as_the_training_image_shrinks_and_never_shifts():
    network = tiny(img_size=[6, 20], window_size=8)
    assert network.window == 6
    assert network.layers[0].residual_group["blocks"][0].attn.relative_position_bias_table.shape == (121, 2)
    assert network.shift == 0
    assert network(torch.rand(1, 3, 10, 31)).shape == (1, 3, 10, 31)


def test_absolute_position_code_wants_its_size():
    network = tiny(ape=True, img_size=16)
    assert network(torch.rand(1, 3, 16, 15)).shape == (1, 3, 16, 15)
    with pytest.raises(ShapeError, match="ape"):
        network(torch.rand(1, 3, 16, 17))


@pytest.mark.parametrize("shape", [(3, 8, 8), (1, 1, 8, 8), (1, 3, 0, 8), (1, 2, 3, 8, 8)])
def test_refuses_what_is_no_image(shape):
    with pytest.raises(ShapeError, match="images"):
        tiny()(torch.zeros(shape))


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"windows": 8}, "no hyper-parameter windows"),
        ({"upsampler": "bicubic"}, "no upsampler"),
        ({"upsampler": "nearest+conv", "upscale": 3}, "upscale=3"),
        ({"resi_connection": "2conv"}, "resi_connection"),
        ({"patch_size": 4}, "patch_size"),
        ({"num_heads": [5, 5]}, "head count"),
        ({"num_heads": [2]}, "head count"),
    ],
)
def test_refuses_hyper_parameters_that_cannot_work(wrong, words):
    with pytest.raises(UsageError, match=words):
        tiny(**wrong)


def test_loads_published_entries_and_names_what_is_wrong():
    network = tiny()
    entries = dict(network.state_dict())
    block = "layers.0.residual_group.blocks.1"
    stored = {f"{block}.attn.relative_position_index": torch.zeros(16, 16), f"{block}.attn_mask": torch.zeros(64, 16, 16)}
    assert not any("index" in key or "mask" in key for key in entries), "tables are derived, not stored"
    networks.load_published(network, {**entries, **stored})
    with pytest.raises(CorruptWeights, match="relative_position_index is"):
        networks.load_published(network, {**entries, f"{block}.attn.relative_position_index": torch.zeros(9, 9)})
    with pytest.raises(CorruptWeights, match="unknown extra"):
        networks.load_published(network, {**entries, "extra": torch.zeros(1)})
    entries.pop("norm.bias")
    with pytest.raises(CorruptWeights, match=r"missing norm\.bias"):
        networks.load_published(network, entries)


def test_bfloat16_autocast_stays_within_two_percent():
    case = harness.load("swinir_tiny_denoise")
    network, image = harness.build(case), harness.clip(case)[:, 0]
    with torch.inference_mode():
        want = network(image)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            got = network(image)
    assert (got.float() - want).std() < 0.02 * want.std()


def test_checkpointing_gives_the_same_gradients():
    gradients = []
    for use_checkpoint in (False, True):
        network = tiny(use_checkpoint=use_checkpoint, drop_path_rate=0.0).train()
        network(torch.linspace(0, 1, 3 * 9 * 7).view(1, 3, 9, 7)).square().sum().backward()
        gradients.append({name: p.grad for name, p in network.named_parameters()})
    for name, grad in gradients[0].items():
        assert grad.abs().sum() > 0, f"{name} learns nothing"
        torch.testing.assert_close(gradients[1][name], grad)
