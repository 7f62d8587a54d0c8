"""What is particular to each published network: sizes, padding, shortcuts that must not change the answer, options."""

from __future__ import annotations

import harness
import numpy as np
import pytest
import rule
import torch
import torch.nn.functional as F
from torch import nn

from revivid import networks
from revivid.errors import ShapeError, UsageError
from revivid.layers.frames import reflect


def build(name: str, **kwargs: object) -> nn.Module:
    """A network with the rule's weights."""
    network = networks.build(name, **kwargs).eval()
    for key, value in network.state_dict().items():
        if value.is_floating_point():
            value.copy_(torch.from_numpy(rule.weight(key, tuple(value.shape), 0)))
    return network


def noise(*shape: int) -> torch.Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(2))


TINY_SR = {"num_feat": 8, "num_block": 1}
EDVR_L = {"num_feat": 128, "num_reconstruct_block": 40}


@pytest.mark.parametrize(
    ("name", "kwargs", "parameters"),
    [
        ("basicvsr", {"num_block": 30}, 6_291_311),
        ("basicvsr", {}, 4_075_631),
        ("iconvsr", {"num_block": 30}, 8_694_991),
        ("iconvsr", {"num_block": 30, "temporal_padding": 3}, 8_711_375),
        ("basicvsr_plusplus", {}, 7_322_927),
        ("basicvsr_plusplus", {"mid_channels": 128, "num_blocks": 25}, 43_780_463),
        ("basicvsr_plusplus", {"mid_channels": 128, "num_blocks": 25, "is_low_res_input": False}, 44_075_631),
        ("basicvsr_plusplus", {"num_blocks": 15, "is_low_res_input": False}, 9_760_175),
        ("edvr", {}, 3_300_131),
        ("edvr", {"with_tsa": False}, 2_996_259),
        ("edvr", EDVR_L, 20_633_827),
        ("edvr", {**EDVR_L, "with_predeblur": True}, 23_306_851),
        ("edvr", {**EDVR_L, "with_predeblur": True, "hr_in": True}, 23_602_019),
        ("ifirnn", {}, 1_635_683),
        ("estrnn", {}, 2_467_931),
        ("estrnn", {"n_blocks": 9}, 1_763_387),
        ("fastdvdnet", {}, 2_479_096),
        ("rife", {}, 10_071_550),
        ("rife", {"variant": "m"}, 10_073_710),
        ("rife", {"variant": "2R"}, 10_071_550),
        ("ifrnet", {}, 4_959_692),
        ("ifrnet_s", {}, 2_803_610),
        ("ifrnet_l", {}, 19_699_460),
        ("srvgg", {}, 621_424),
        ("srvgg", {"num_conv": 32}, 1_213_296),
        ("srvgg", {"upscale": 2}, 600_652),
        ("srvgg", {"act_type": "relu"}, 620_336),
    ],
)
def test_has_the_published_number_of_parameters(name, kwargs, parameters):
    with torch.device("meta"):
        network = networks.build(name, **kwargs)
    assert sum(p.numel() for p in network.parameters()) == parameters


@pytest.mark.parametrize(
    ("name", "kwargs", "words"),
    [
        ("basicvsr", {"spynet_path": "spynet.pth"}, "load_published"),
        ("basicvsr", {"num_feat": 0}, "num_feat=0"),
        ("iconvsr", {"num_feat": 12}, "multiple of 8"),
        ("iconvsr", {"keyframe_stride": 0}, "keyframe_stride=0"),
        ("basicvsr_plusplus", {"mid_channels": 12}, "mid_channels=12"),
        ("edvr", {"center_frame_idx": 5}, "window of 5"),
        ("edvr", {"deformable_groups": 7}, "deformable_groups=7"),
        ("edvr", {"hr_in": True}, "with_predeblur"),
        ("edvr", {"num_in_ch": 4}, "3 channels"),
        ("estrnn", {"activation": "swish"}, "gelu, relu, leakyrelu"),
        ("estrnn", {"past_frames": -1}, "past_frames=-1"),
        ("fastdvdnet", {"num_input_frames": 7}, "num_input_frames=7"),
        ("rife", {"variant": "v4"}, "base, m, 2R"),
        ("srvgg", {"act_type": "gelu"}, "relu, prelu, leakyrelu"),
        ("srvgg", {"num_out_ch": 1}, "don't fit"),
    ],
)
def test_refuses_hyper_parameters_that_cannot_work(name, kwargs, words):
    with pytest.raises(UsageError, match=words):
        networks.build(name, **kwargs)


@pytest.mark.parametrize(
    ("name", "kwargs", "frames"),
    [
        ("ifirnn", {}, 2),
        ("estrnn", {"n_features": 4, "n_blocks": 1}, 5),
        ("iconvsr", {**TINY_SR, "temporal_padding": 1}, 3),
        ("basicvsr_plusplus", {"mid_channels": 8, "num_blocks": 1, "is_low_res_input": False}, 2),
        ("fastdvdnet", {}, 5),
    ],
)
def test_odd_sizes_are_mirrored(name, kwargs, frames):
    network, clip = build(name, **kwargs), noise(1, frames, 3, 9, 14)
    whole = torch.from_numpy(np.pad(clip.numpy(), ((0, 0), (0, 0), (0, 0), (0, 3), (0, 2)), mode="reflect"))
    call = {"sigma": 0.1} if name == "fastdvdnet" else {}
    scale = network.traits.scale
    with torch.inference_mode():
        want = network(whole, **call)[..., : 9 * scale, : 14 * scale]
        torch.testing.assert_close(network(clip, **call), want, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("index", range(-9, 14))
def test_reflection_agrees_with_numpy(index):
    for count in (1, 2, 3, 5):
        padded = np.pad(np.arange(count), (16, 16), mode="reflect") if count > 1 else np.zeros(40, int)
        assert reflect(index, count) == padded[index + 16]


def test_super_resolution_starts_from_bilinear_enlargement():
    clip = noise(1, 2, 3, 12, 10)
    for name, kwargs in (("basicvsr", TINY_SR), ("iconvsr", TINY_SR), ("basicvsr_plusplus", {"mid_channels": 8})):
        network = networks.build(name, **kwargs).eval()
        nn.init.zeros_(network.conv_last.weight)
        nn.init.zeros_(network.conv_last.bias)
        want = F.interpolate(clip[0], scale_factor=4, mode="bilinear")[None]
        if name == "iconvsr":  # works on a width of 12 and cuts, so the last columns see mirrored ones
            want, got = want[..., :36], network(clip)[..., :36]
        else:
            got = network(clip)
        torch.testing.assert_close(got, want)


def test_basicvsr_takes_openmmlab_names():
    network = build("basicvsr", **TINY_SR)
    theirs = {"generator.step_counter": torch.zeros(1)}
    for key, value in network.state_dict().items():
        name = key.replace("_trunk.", "_resblocks.").replace("upconv1", "upsample1.upsample_conv")
        name = name.replace("upconv2", "upsample2.upsample_conv")
        if key.startswith("spynet"):
            parts = key.split(".")
            name = ".".join([*parts[:4], str(int(parts[4]) // 2), "conv", parts[5]])
        theirs[f"generator.{name}"] = value + 1
    theirs["generator.spynet.mean"] = torch.zeros(1, 3, 1, 1)
    fresh = networks.load_published(networks.build("basicvsr", **TINY_SR), theirs)
    for key, value in fresh.state_dict().items():
        assert torch.equal(value, network.state_dict()[key] + 1), key


def test_basicvsr_plusplus_ignores_the_cache_length_and_uses_both_states():
    kwargs = {"mid_channels": 8, "num_blocks": 1}
    clip = noise(1, 4, 3, 16, 16).requires_grad_(True)
    network = build("basicvsr_plusplus", **kwargs)
    out = network(clip)
    assert torch.equal(out, build("basicvsr_plusplus", **kwargs, cpu_cache_length=1)(clip))
    out[:, 0].sum().backward()
    assert clip.grad is not None
    assert all(frame.abs().sum() > 0 for frame in clip.grad[0]), "every frame reaches the first"


@pytest.mark.parametrize(("padding", "before", "after"), [(2, [4, 3], [6, 5]), (3, [6, 5, 4], [5, 4, 3])])
def test_iconvsr_extends_clips_as_published(padding, before, after):
    """Of ten frames 0..9 (eleven would do as well): [4, 3 | 0 .. 9 | 6, 5], and [6, 5, 4 | 0 .. 9 | 5, 4, 3]."""
    network = networks.build("iconvsr", **TINY_SR, temporal_padding=padding)
    assert [network._stand_in(i, 9) for i in range(-padding, 0)] == before
    assert [network._stand_in(10 + i, 9) for i in range(padding)] == after
    assert [network._stand_in(i, 1) for i in (-1, 0, 1, 2)] == [1, 0, 1, 0]


def test_iconvsr_key_features_are_those_of_its_extractor():
    network = build("iconvsr", **TINY_SR, keyframe_stride=3)
    frames = list(noise(1, 6, 3, 8, 8).unbind(1))
    with torch.inference_mode():
        keys = network._key_features(frames)
        assert sorted(keys) == [0, 3, 5]
        window = torch.stack([frames[i] for i in (1, 2, 3, 4, 5)], dim=1)
        pyramids = [network.edvr.pyramid(window[:, i]) for i in range(5)]
        torch.testing.assert_close(keys[3], network.edvr.merge(pyramids))


def test_edvr_restores_clips_window_by_window():
    network = build("edvr", num_feat=8, num_frame=5, deformable_groups=2, num_reconstruct_block=1)
    clip = noise(2, 4, 3, 8, 10)
    with torch.inference_mode():
        whole = network.restore_clip(clip)
        for t, window in enumerate([(2, 1, 0, 1, 2), (1, 0, 1, 2, 3), (0, 1, 2, 3, 2), (1, 2, 3, 2, 1)]):
            torch.testing.assert_close(whole[:, t : t + 1], network(clip[:, window]), atol=1e-5, rtol=1e-4)


def test_ifirnn_is_causal():
    network, clip = build("ifirnn"), noise(1, 3, 3, 12, 12)
    with torch.inference_mode():
        torch.testing.assert_close(network(clip)[:, :2], network(clip[:, :2]))


def test_estrnn_restores_clips_whole():
    network = build("estrnn", n_features=4, n_blocks=2, past_frames=2, future_frames=1)
    clip = noise(1, 3, 3, 12, 8)
    with torch.inference_mode():
        got = network.restore_clip(clip)
        torch.testing.assert_close(got, network(clip[:, [2, 1, 0, 1, 2, 1]]))
    with pytest.raises(ShapeError, match="needs 4 frames"):
        network(clip)


def test_estrnn_merges_its_two_linear_maps():
    fusion = build("estrnn", n_features=4, n_blocks=1).fusion
    x = noise(1, 40, 3, 5)
    torch.testing.assert_close(F.conv2d(x, *fusion._projection()), fusion.F_p(x), atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("frames", [3, 4, 7])
def test_fastdvdnet_caches_its_first_stage_without_changing_the_answer(frames):
    network, clip = build("fastdvdnet"), noise(2, frames, 3, 10, 12)
    with torch.inference_mode():
        got = network.restore_clip(clip, sigma=0.1)
        for t in range(frames):
            window = [reflect(t + i, frames) for i in range(-2, 3)]
            torch.testing.assert_close(got[:, t : t + 1], network(clip[:, window], sigma=0.1).clamp(0, 1))


def test_fastdvdnet_runs_each_first_stage_once(monkeypatch):
    network = build("fastdvdnet")
    calls = []
    monkeypatch.setattr(network.temp1, "forward", lambda *frames: calls.append(1) or frames[1])
    network.restore_clip(noise(1, 9, 3, 8, 8), sigma=0.1)
    assert len(calls) == 9 + 2


def test_fastdvdnet_folds_its_normalisations():
    block = build("fastdvdnet").temp1
    frames = noise(3, 1, 3, 8, 8)
    noise_map = torch.full((1, 1, 8, 8), 0.1)
    with torch.no_grad():
        got = block(*frames, noise_map)
        for module in block.modules():
            if isinstance(module, nn.Sequential):
                module.forward = nn.Sequential.forward.__get__(module)
        torch.testing.assert_close(got, block(*frames, noise_map), atol=1e-5, rtol=1e-4)


def test_fastdvdnet_noise_may_differ_by_sample_and_place():
    network, clip = build("fastdvdnet"), noise(2, 5, 3, 10, 12)
    with torch.inference_mode():
        apart = torch.cat([network(clip[:1], sigma=0.1), network(clip[1:], sigma=0.2)])
        torch.testing.assert_close(network(clip, sigma=torch.tensor([0.1, 0.2])), apart)
        places = torch.full((2, 1, 10, 12), 0.1)
        torch.testing.assert_close(network(clip, sigma=places), network(clip, sigma=0.1))
    for wrong in (torch.zeros(3), torch.zeros(2, 1, 10, 11), torch.zeros(2, 2)):
        with pytest.raises(ShapeError, match=r"sigma is|noise map"):
            network(clip, sigma=wrong)


def test_fastdvdnet_takes_the_published_wrapper():
    network = build("fastdvdnet")
    theirs = {f"module.{key}": value for key, value in network.state_dict().items() if "num_batches" not in key}
    networks.load_published(network, theirs)
    theirs["module.temp1.inc.convblock.1.num_batches_tracked"] = torch.tensor(5)
    networks.load_published(network, theirs)


@pytest.mark.parametrize(("name", "kwargs"), [("fastdvdnet", {}), ("srvgg", {"num_feat": 8, "num_conv": 3, "upscale": 2})])
def test_spatial_reach_is_what_the_traits_say(name, kwargs):
    network = build(name, **kwargs)
    reach, scale = network.traits.spatial_reach, network.traits.scale
    side = 2 * reach + 33
    x = noise(1, 5, 3, 8, side)[:, 0] if name == "srvgg" else noise(1, 5, 3, 8, side)
    x.requires_grad_(True)
    call = {"sigma": 0.1} if name == "fastdvdnet" else {}
    middle = side // 2
    network(x, **call)[..., middle * scale : (middle + 1) * scale].sum().backward()
    assert x.grad is not None
    touched = x.grad.abs().sum(dim=tuple(range(x.ndim - 1))).nonzero().flatten()
    assert middle - reach <= touched.min()
    assert touched.max() <= middle + reach


def test_rife_drops_its_teacher():
    network = build("rife")
    theirs = {f"module.{key}": value for key, value in network.state_dict().items()}
    networks.load_published(network, {**theirs, "module.block_tea.lastconv.bias": torch.zeros(5)})


@pytest.mark.parametrize("variant", ["base", "m", "2R"])
@pytest.mark.parametrize("scale", [0.5, 1, 2])
def test_rife_variants_and_scales(variant, scale):
    network, clip = build("rife", variant=variant), noise(1, 2, 3, 20, 33)
    with torch.inference_mode():
        out = network(clip, scale=scale)
        assert out.shape == (1, 1, 3, 20, 33)
        assert out.isfinite().all()
        if variant == "m":
            assert not torch.equal(out, network(clip, 0.25, scale=scale))


def test_interpolators_refuse_times_and_scales_that_cannot_work():
    clip = noise(1, 2, 3, 16, 16)
    with pytest.raises(UsageError, match=r"time=0\.25"):
        networks.build("rife")(clip, time=0.25)
    with pytest.raises(UsageError, match="time=1"):
        networks.build("rife", variant="m")(clip, time=1)
    with pytest.raises(UsageError, match="scale=3"):
        networks.build("rife")(clip, scale=3)
    with pytest.raises(UsageError, match="time=0"):
        networks.build("ifrnet_s")(clip, time=0)
    with pytest.raises(UsageError, match="scale_factor=3"):
        networks.build("ifrnet_s")(clip, scale_factor=3)


@pytest.mark.parametrize("name", ["ifrnet", "ifrnet_s", "ifrnet_l"])
def test_ifrnet_sizes_times_and_scales(name):
    network, clip = build(name), noise(1, 2, 3, 21, 33)
    with torch.inference_mode():
        out = network(clip)
        assert out.shape == (1, 1, 3, 21, 33)
        assert not torch.equal(out, network(clip, time=0.25))
        assert network(clip, scale_factor=0.5).isfinite().all()


def test_interpolators_repeat_edges():
    clip = noise(1, 2, 3, 20, 30)
    right = F.pad(clip[0], (0, 2, 0, 12), mode="replicate")[None]
    around = F.pad(clip[0], (1, 1, 6, 6), mode="replicate")[None]
    with torch.inference_mode():
        rife, ifrnet = build("rife"), build("ifrnet_s")
        torch.testing.assert_close(rife(clip), rife(right)[..., :20, :30])
        torch.testing.assert_close(ifrnet(clip), ifrnet(around)[..., 6:26, 1:31])


@pytest.mark.parametrize("act_type", ["relu", "prelu", "leakyrelu"])
def test_srvgg_adds_to_repeated_pixels(act_type):
    network = networks.build("srvgg", num_feat=8, num_conv=1, upscale=3, act_type=act_type).eval()
    image = noise(1, 3, 5, 4)
    for parameter in network.body[-1].parameters():
        nn.init.zeros_(parameter)
    torch.testing.assert_close(network(image), F.interpolate(image, scale_factor=3, mode="nearest"))
    assert isinstance(network.body[1], {"relu": nn.ReLU, "prelu": nn.PReLU, "leakyrelu": nn.LeakyReLU}[act_type])


def test_golden_cases_are_small():
    assert sum(path.stat().st_size for path in harness.CASES.iterdir()) < 3_000_000
