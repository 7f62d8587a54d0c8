"""CompactInterp: any size, any time, planes as R'G'B', and the mean of both frames before it has learnt anything."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from revivid import networks
from revivid.errors import ShapeError, UsageError
from revivid.networks.compactinterp import differences, reduction

SMALL = {"widths": [16, 16, 16, 8], "depths": [1, 1, 1, 1], "reaches": [2, 1, 1, 0], "state": 8}


def untrained() -> Any:
    return networks.build("compactinterp", **SMALL).eval()


def moving() -> Any:
    """With weights that make motion of a few pixels."""
    module = untrained()
    torch.manual_seed(5)
    for parameter in module.parameters():
        torch.nn.init.normal_(parameter, std=0.15 if parameter.ndim > 1 else 0.1)
    return module


def planes(height: int, width: int, peak: int = 255) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    dtype = torch.uint8 if peak == 255 else torch.int16
    y = torch.randint(0, peak + 1, (1, 2, height, width), generator=generator).to(dtype)
    uv = torch.randint(0, peak + 1, (1, 4, -(-height // 2), -(-width // 2)), generator=generator).to(dtype)
    return (y, uv) if peak == 255 else (y.view(torch.uint16), uv.view(torch.uint16))


@pytest.mark.parametrize("time", [0.5, 0.25, 0.9])
def test_untrained_is_the_mean_weighted_by_time(time: float) -> None:
    clip = torch.rand(2, 2, 3, 37, 50)
    with torch.inference_mode():
        made = untrained()(clip, time=time)
    torch.testing.assert_close(made, torch.lerp(clip[:, 0], clip[:, 1], time), atol=1e-5, rtol=0)


@pytest.mark.parametrize("size", [(1, 1), (2, 3), (31, 33), (64, 96), (70, 45)])
def test_any_size(size: tuple[int, int]) -> None:
    module = moving()
    with torch.inference_mode():
        made = module(torch.rand(1, 2, 3, *size))
        y, uv = module.restore(*planes(*size))
    assert made.shape == (1, 3, *size)
    assert made.isfinite().all()
    assert y.shape == (1, 1, *size)
    assert uv.shape == (1, 2, -(-size[0] // 2), -(-size[1] // 2))


@pytest.mark.parametrize("bits", [8, 10, 12])
def test_codes_stay_in_their_range_and_are_rounded(bits: int) -> None:
    peak = 2**bits - 1
    y, uv = planes(48, 64, peak)
    with torch.inference_mode():
        mean = untrained().restore(y, uv, 0.5, bits)
        made = moving().restore(y, uv, 0.3, bits)
    for given, middle in zip((y, uv), mean, strict=True):
        codes, count = given.to(torch.int32), given.shape[1] // 2
        assert middle.dtype == given.dtype
        above = 2 * middle.to(torch.int32) - codes[:, :count] - codes[:, count:]
        assert above.abs().max() <= 1
        assert (above >= 0).float().mean() > 0.8  # halves go up but for what places lose in float32
    for given, code in zip((y, uv), made, strict=True):
        assert code.dtype == given.dtype
        assert code.to(torch.int32).max() <= peak
        assert code.to(torch.int32).min() >= 0


def test_planes_and_colours_see_the_same_motion() -> None:
    """Grey R'G'B' of limited range's luma: the planes' luma is the same picture."""
    module = moving()
    y = torch.randint(16, 236, (1, 2, 64, 96), generator=torch.Generator().manual_seed(2)).to(torch.uint8)
    grey = ((y.float() - 16) / 219)[:, :, None].expand(-1, -1, 3, -1, -1)
    with torch.inference_mode():
        luma, chroma = module.restore(y, torch.full((1, 4, 32, 48), 128, dtype=torch.uint8), 0.4)
        made = (module(grey, 0.4)[:, :1] * 219 + 16).clamp(0, 255)
    assert (luma.float() - made).abs().max() <= 0.51
    assert (luma.float() - torch.lerp(y[:, :1].float(), y[:, 1:].float(), 0.4)).abs().mean() > 1
    assert (chroma == 128).all()


def test_nothing_new_where_both_frames_are_flat() -> None:
    flat = torch.full((1, 2, 40, 40), 77, dtype=torch.uint8)
    with torch.inference_mode():
        y, _ = moving().restore(flat, torch.full((1, 4, 20, 20), 90, dtype=torch.uint8))
    assert (y == 77).all()


def test_motion_and_time_change_sides_together() -> None:
    """The way from b to a at 1 - time, the motion turned round, shows the same as from a to b at time."""
    from revivid.layers.blending import blend

    a, b = torch.rand(2, 1, 1, 32, 48)
    field = torch.randn(1, 3, 8, 12)
    torch.testing.assert_close(blend(a, b, field, 4, 0.3), blend(b, a, -field, 4, 0.7), atol=1e-5, rtol=0)


def test_every_weight_learns_and_both_frames_count() -> None:
    module = moving().train()
    clip = torch.rand(2, 2, 3, 64, 64).requires_grad_()
    module(clip, time=torch.tensor([0.5, 0.25])).square().mean().backward()
    assert clip.grad is not None
    assert (clip.grad.abs().sum((0, 2, 3, 4)) > 0).all()
    for name, parameter in module.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().sum() > 0, name


def test_samples_of_a_batch_do_not_meet() -> None:
    module, clip = moving(), torch.rand(2, 2, 3, 40, 56)
    with torch.inference_mode():
        both = module(clip, time=torch.tensor([0.5, 0.25]))
        torch.testing.assert_close(module(clip[1:], time=0.25), both[1:], atol=1e-4, rtol=1e-4)


def test_levels_say_what_their_fields_belong_to() -> None:
    with torch.inference_mode():
        found = list(moving().estimates(torch.rand(1, 2, 70, 96), 0.5))
    assert [estimate.field.shape for estimate in found] == [(1, 3, 96 * k // 32, 96 * k // 32) for k in (1, 2, 4, 8)]
    for estimate in found:
        assert estimate.frames.shape == (1, 2, *(estimate.cell * side for side in estimate.field.shape[2:]))


def test_large_frames_are_looked_at_smaller() -> None:
    module = moving()
    assert [reduction(torch.empty(1, 2, h, w)) for h, w in ((540, 960), (720, 1280), (1080, 1920), (2160, 3840))] == [1, 2, 2, 4]
    generator = torch.Generator().manual_seed(4)
    small = torch.nn.functional.interpolate(torch.rand(1, 2, 36, 64, generator=generator), scale_factor=10, mode="bicubic")
    large = torch.nn.functional.interpolate(small, scale_factor=2.0, mode="nearest")
    with torch.inference_mode():
        torch.testing.assert_close(module.field(large, 0.5), module.field(small, 0.5))
        y, _ = module.restore((255 * large).clamp(0, 255).byte(), torch.full((1, 4, 360, 640), 128, dtype=torch.uint8))
        want, _ = module.restore((255 * small).clamp(0, 255).byte(), torch.full((1, 4, 180, 320), 128, dtype=torch.uint8))
    assert y.shape == (1, 1, 720, 1280)
    halved = torch.nn.functional.avg_pool2d(y.float(), 2)
    assert (halved - want).abs().mean() < 2


@pytest.mark.parametrize("move", [(2, -1), (-2, 0), (1, 2)])
def test_the_least_difference_is_where_the_move_is(move: tuple[int, int]) -> None:
    first = torch.rand(1, 1, 64, 64)
    unlike = differences(torch.cat((first, torch.roll(first, move, (2, 3))), 1), 2)
    assert unlike.shape == (1, 25, 32, 32)
    best = int(unlike[0, :, 4:-4, 4:-4].mean((1, 2)).argmin())
    assert (best // 5 - 2, best % 5 - 2) == move


def test_declares_itself() -> None:
    traits = untrained().traits
    assert traits.tasks == ("interpolate",)
    assert (traits.kind, traits.min_frames, traits.any_time, traits.takes_planes) == ("pair", 2, True, True)
    assert traits.licence == "Apache-2.0"


def test_what_can_not_work_is_named() -> None:
    with pytest.raises(UsageError, match="widths"):
        networks.build("compactinterp", widths=[8])
    with pytest.raises(UsageError, match="state 2"):
        networks.build("compactinterp", state=2)
    with pytest.raises(ShapeError, match="takes clips"):
        untrained()(torch.rand(1, 3, 3, 8, 8))
    with pytest.raises(ShapeError, match="CompactInterp got"):
        untrained().restore(torch.zeros(1, 2, 8, 8), torch.zeros(1, 4, 4, 5))
