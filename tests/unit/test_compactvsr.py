"""CompactVSR: any size, bicubic when untrained, memory over time, one step at a time equals the whole clip."""

import pytest
import torch
import torch.nn.functional as F

from revivid import networks
from revivid.errors import CorruptWeights, ShapeError, UsageError
from revivid.networks.compactvsr import CompactVSR


def planes(frames: int = 3, height: int = 24, width: int = 32, batch: int = 1) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Smooth random clips that glide to the right by one sample per frame."""
    generator = torch.Generator().manual_seed(3)
    wide = F.interpolate(torch.rand(batch, 3, height // 3 + 2, width // 3 + 9, generator=generator), scale_factor=4, mode="bicubic")
    cut = torch.stack([wide[..., :height, 20 - t : 20 - t + width] for t in range(frames)], 1)
    chroma = F.interpolate(cut[:, :, 1:].flatten(0, 1), (-(-height // 2), -(-width // 2)), mode="bilinear")
    return cut[:, :, :1].contiguous(), chroma.unflatten(0, (batch, -1)), torch.full((batch,), 28.0)


def network(**hyperparameters: int) -> CompactVSR:
    """With random weights everywhere, so that nothing is multiplied by zero."""
    torch.manual_seed(0)
    module = networks.build("compactvsr", **{"channels": 16, "layers": 1, **hyperparameters})
    assert isinstance(module, CompactVSR)
    for parameter in module.parameters():
        torch.nn.init.normal_(parameter, std=0.05)
    return module.eval()


@pytest.mark.parametrize("scale", [2, 4])
def test_untrained_is_bicubic(scale: int) -> None:
    y, uv, crf = planes()
    module = networks.build("compactvsr", scale=scale, channels=16, layers=1)
    with torch.inference_mode():
        out_y, out_uv = module(y, uv, crf)
    for plane, out in ((y, out_y), (uv, out_uv)):
        wanted = F.interpolate(plane[0], scale_factor=scale, mode="bicubic")
        assert torch.allclose(out[0], wanted, atol=1e-5)


@pytest.mark.parametrize("size", [(1, 1), (2, 3), (5, 4), (17, 33), (24, 32)])
@pytest.mark.parametrize("frames", [1, 2, 3])
def test_any_size_and_length(size: tuple[int, int], frames: int) -> None:
    height, width = size
    y = torch.rand(2, frames, 1, height, width)
    uv = torch.rand(2, frames, 2, -(-height // 2), -(-width // 2))
    with torch.inference_mode():
        out_y, out_uv = network()(y, uv, torch.tensor([20.0, 30.0]))
    assert out_y.shape == (2, frames, 1, 4 * height, 4 * width)
    assert out_uv.shape == (2, frames, 2, 2 * height, 2 * width)
    assert torch.isfinite(out_y).all()


@pytest.mark.parametrize("depth", [8, 10])
def test_codes_are_the_rounded_values(depth: int) -> None:
    peak = 2**depth - 1
    dtype = torch.uint8 if depth == 8 else torch.uint16
    y, uv, crf = planes()
    y, uv = ((plane * peak).round().clamp(0, peak) for plane in (y, uv))
    module = network()
    with torch.inference_mode():
        values = module(y / peak, uv / peak, crf)
        codes = module.restore(y.to(torch.int32).to(dtype), uv.to(torch.int32).to(dtype), crf, depth)
    for value, code in zip(values, codes, strict=True):
        assert code.dtype == dtype
        wanted = (value * peak).round().clamp(0, peak)
        assert (code.to(torch.int32) - wanted).abs().max() <= 1
        assert (code.to(torch.int32) == wanted).float().mean() > 0.999


@pytest.mark.parametrize("future", [0, 1])
def test_one_frame_after_the_other_equals_the_clip(future: int) -> None:
    y, uv, crf = planes(frames=5)
    module = network(future=future)
    with torch.inference_mode():
        whole, _ = module(y, uv, crf)
        frames = [module.prepare(y[:, t], uv[:, t]) for t in range(5)]
        features, film = None, module.film(crf)
        for t, frame in enumerate(frames):
            before = (frames[t - 1], module.match(frame, frames[t - 1])) if t else None
            after = (frames[t + 1], module.match(frames[t + 1], frame)) if t < 4 else None
            seen = module.see(frame, before, after)
            features = module.advance(seen, features, film)
            luma, _ = module.assemble(*module.phases(frame, features), y.shape[-2:])
            assert torch.equal(luma, whole[:, t])


def test_what_was_seen_long_ago_counts_and_the_future_only_one_frame() -> None:
    y, uv, crf = planes(frames=5)
    module = network(future=1)
    with torch.inference_mode():
        before, _ = module(y, uv, crf)
        changed = y.clone()
        changed[:, 0] += 0.01
        assert not torch.equal(module(changed, uv, crf)[0][:, 3], before[:, 3])
        changed = y.clone()
        changed[:, 4] += 0.01
        after, _ = module(changed, uv, crf)
        assert not torch.equal(after[:, 3], before[:, 3])
        assert torch.equal(after[:, :3], before[:, :3])


def test_a_scene_cut_forgets_the_past() -> None:
    y, uv, crf = planes(frames=4)
    y, uv = 0.3 * y, 0.3 * uv
    y[:, 2:] += 0.6
    module = network()
    with torch.inference_mode():
        whole, _ = module(y, uv, crf)
        alone, _ = module(y[:, 2:], uv[:, 2:], crf)
    assert torch.allclose(whole[:, 2:], alone, atol=1e-6)


def test_a_still_clip_settles() -> None:
    y, uv, crf = planes(frames=1)
    module = network()
    with torch.inference_mode():
        out, _ = module(y.expand(-1, 12, -1, -1, -1), uv.expand(-1, 12, -1, -1, -1), crf)
    steps = (out[:, 1:-1] - out[:, :-2]).abs().amax((0, 2, 3, 4))
    assert steps[-1] < 0.1 * steps[0]


def test_gradient_flows_through_time() -> None:
    y, uv, crf = planes(frames=3)
    module = network().train()
    y.requires_grad_()
    out_y, out_uv = module(y, uv, crf)
    (out_y[:, 2].sum() + out_uv[:, 2].sum()).backward()
    assert y.grad is not None
    assert y.grad[:, 0].abs().sum() > 0
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in module.parameters())


def test_begins_as_a_trained_compactsr() -> None:
    torch.manual_seed(0)
    single = networks.build("compactsr", channels=16, layers=1)
    for parameter in single.parameters():
        torch.nn.init.normal_(parameter, std=0.05)
    module = networks.build("compactvsr", channels=16, layers=1)
    module.adopt(single.state_dict())  # pyright: ignore[reportCallIssue]
    y, uv, crf = planes()
    with torch.inference_mode():
        ours, _ = module(y, uv, crf)
        theirs, _ = single(y[0], uv[0], crf.expand(3))
    assert torch.allclose(ours[0, ..., 40:-40, 40:-40], theirs[..., 40:-40, 40:-40], atol=1e-5)
    further = networks.build("compactvsr", channels=16, layers=1, future=1)
    further.adopt(module.state_dict())  # pyright: ignore[reportCallIssue]
    with torch.inference_mode():
        assert torch.allclose(further(y, uv, crf)[0], ours, atol=1e-5)
    wider = networks.build("compactvsr", channels=32, layers=1)
    with pytest.raises(CorruptWeights, match=r"stem\.weight"):
        wider.adopt(single.state_dict())  # pyright: ignore[reportCallIssue]


@pytest.mark.parametrize("wrong", [{"scale": 3}, {"grid": 3}, {"channels": 24}, {"layers": 0}, {"future": 2}])
def test_hyperparameters_that_can_not_work(wrong: dict[str, int]) -> None:
    with pytest.raises(UsageError, match="CompactVSR can't have"):
        networks.build("compactvsr", **wrong)


def test_planes_that_do_not_fit() -> None:
    y, uv, crf = planes()
    with pytest.raises(ShapeError, match="CompactVSR got"):
        network()(y, uv[:, :2], crf)
    with pytest.raises(ShapeError, match="CompactVSR got"):
        network()(y, uv[..., 1:], crf)
    with pytest.raises(ShapeError, match="CompactVSR got"):
        network()(y[0], uv[0], crf)
