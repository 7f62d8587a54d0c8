"""LumaSR: bicubic when untrained, any size, codes are rounded values, gradient everywhere."""

import pytest
import torch
import torch.nn.functional as F

from revivid import networks
from revivid.errors import ShapeError, UsageError


def network(scale: int = 4) -> torch.nn.Module:
    torch.manual_seed(0)
    module = networks.build("lumasr", scale=scale, channels=16, layers=1)
    for parameter in module.parameters():
        torch.nn.init.normal_(parameter, std=0.05)
    return module.eval()


def planes(height: int = 20, width: int = 28) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    y = torch.rand(2, 1, height, width, generator=generator)
    return y, torch.rand(2, 2, -(-height // 2), -(-width // 2), generator=generator), torch.tensor([22.0, 34.0])


@pytest.mark.parametrize("scale", [2, 4])
def test_untrained_is_bicubic(scale: int) -> None:
    y, uv, crf = planes()
    with torch.inference_mode():
        restored = networks.build("lumasr", scale=scale, channels=16, layers=1)(y, uv, crf)
    for plane, out in zip((y, uv), restored, strict=True):
        assert torch.allclose(out, F.interpolate(plane, scale_factor=scale, mode="bicubic"), atol=1e-5)


@pytest.mark.parametrize("size", [(1, 1), (2, 3), (17, 33), (48, 2)])
@pytest.mark.parametrize("scale", [2, 4])
def test_any_size(size: tuple[int, int], scale: int) -> None:
    with torch.inference_mode():
        y, uv = network(scale)(*planes(*size))
    assert y.shape == (2, 1, scale * size[0], scale * size[1])
    assert uv.shape == (2, 2, scale * size[0] // 2, scale * size[1] // 2)


@pytest.mark.parametrize("depth", [8, 10])
def test_codes_are_the_rounded_values(depth: int) -> None:
    peak = 2**depth - 1
    dtype = torch.uint8 if depth == 8 else torch.uint16
    y, uv, crf = planes()
    y, uv = ((plane * peak).round() for plane in (y, uv))
    module = network()
    with torch.inference_mode():
        values = module(y / peak, uv / peak, crf)
        codes = module.restore(y.to(torch.int32).to(dtype), uv.to(torch.int32).to(dtype), crf, depth)  # type: ignore[operator]
    for value, code in zip(values, codes, strict=True):
        assert code.dtype == dtype
        wanted = (value * peak).round().clamp(0, peak)
        assert (code.to(torch.int32) - wanted).abs().max() <= 1
        assert (code.to(torch.int32) == wanted).float().mean() > 0.999


def test_crf_chroma_and_luma_all_count_and_learn() -> None:
    y, uv, crf = planes()
    module = network().train()
    luma, chroma = module(y, uv, crf)
    assert not torch.equal(module(y, uv, crf + 5)[0], luma)
    assert not torch.equal(module(y, uv + 0.1, crf)[0], luma)
    (luma.sum() + chroma.sum()).backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in module.parameters())


def test_what_can_not_work_is_named() -> None:
    with pytest.raises(UsageError, match="scale 3"):
        networks.build("lumasr", scale=3)
    y, uv, crf = planes()
    with pytest.raises(ShapeError, match="LumaSR got"):
        network()(y, uv[..., 1:], crf)
