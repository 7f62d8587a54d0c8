"""Window layouts, masks, bias tables and attention forms against the textbook way: pad, roll, reshape, one mask per window."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch

from revivid.layers import attention, windows
from revivid.layers.attention import DropPath, attend, path_rates, relative_bias, split_heads
from revivid.layers.mirror import mirror
from revivid.layers.windows import attend_in_windows, effective_window, in_chunks, relative_position_index, window_layout

SIZES = [
    ((6, 16, 24), (2, 8, 8), (1, 4, 4)),
    ((5, 9, 13), (2, 4, 8), (1, 2, 4)),
    ((3, 10, 10), (3, 8, 8), (0, 4, 4)),
    ((1, 7, 21), (1, 7, 7), (0, 3, 3)),
    ((4, 8, 8), (4, 8, 8), (0, 0, 0)),
]


def padded_windows(x: torch.Tensor, window: tuple[int, ...], shift: tuple[int, ...]) -> torch.Tensor:
    """(D, H, W, C) -> (d, h, w, tokens, C): zeros at the end, rolled, cut; the published order of operations."""
    counts = [-(-s // w) for s, w in zip(x.shape, window, strict=False)]
    whole = x.new_zeros(*(c * w for c, w in zip(counts, window, strict=True)), x.shape[-1])
    whole[: x.shape[0], : x.shape[1], : x.shape[2]] = x
    rolled = whole.roll([-s for s in shift], (0, 1, 2))
    cut = rolled.view(counts[0], window[0], counts[1], window[1], counts[2], window[2], -1)
    return cut.permute(0, 2, 4, 1, 3, 5, 6).flatten(3, 5)


def label_masks(size: tuple[int, ...], window: tuple[int, ...], shift: tuple[int, ...]) -> torch.Tensor:
    """(d, h, w, tokens, tokens): one mask per window, from labels laid over the shifted array."""
    axes = []
    for s, w, k in zip(size, window, shift, strict=True):
        extent = -(-s // w) * w
        position = torch.arange(extent)
        axes.append((position >= extent - w).long() + (position >= extent - k).long() if k else torch.zeros(extent).long())
    label = torch.stack(torch.meshgrid(*axes, indexing="ij"), -1)
    cut = padded_windows(label, window, (0, 0, 0))
    return torch.where((cut[..., :, None, :] == cut[..., None, :, :]).all(-1), 0.0, -100.0)


@pytest.mark.parametrize(("size", "window", "shift"), SIZES)
def test_layout_cuts_and_joins_like_pad_roll_and_reshape(size, window, shift):
    x = torch.randn(2, *size, 3)
    seen, met = [], []

    def attention_stub(tokens, mask):
        seen.append(tokens.view(2, -1, *tokens.shape[1:]))
        met.append(torch.zeros(tokens.shape[1], tokens.shape[1]) if mask is None else mask)
        return tokens * 2

    layout = window_layout(size, window, shift)
    out = attend_in_windows(x.flatten(1, 3), layout, torch.nn.Identity(), attention_stub)
    assert torch.equal(out.view(x.shape), 2 * x)

    masks = label_masks(size, window, shift).flatten(0, 2)
    for sample in range(2):
        cut = padded_windows(x[sample], window, shift).flatten(0, 2)
        want = sorted((w.tolist(), m.tolist()) for w, m in zip(cut, masks, strict=True))
        got = sorted((w.tolist(), mask.tolist()) for group, mask in zip(seen, met, strict=True) for w in group[sample])
        assert got == want
    assert len(layout.runs) <= 2 ** sum(s > 0 for s in shift)


def test_pieces_give_the_same_as_the_whole(monkeypatch):
    x = torch.randn(1, 4 * 12 * 20, 6)
    layout = window_layout((4, 12, 20), (2, 4, 4), (1, 2, 2))
    norm, linear = torch.nn.LayerNorm(6), torch.nn.Linear(6, 6)

    def mix(tokens, mask):
        weights = torch.ones(tokens.shape[1], tokens.shape[1]) if mask is None else mask.exp()
        return linear(weights @ tokens)

    whole = attend_in_windows(x, layout, norm, mix)
    fed = in_chunks(lambda a, b: linear(a) + b, x, x)
    monkeypatch.setattr(windows, "CHUNK_TOKENS", 70)
    torch.testing.assert_close(attend_in_windows(x, layout, norm, mix), whole)
    torch.testing.assert_close(in_chunks(lambda a, b: linear(a) + b, x, x), fed)


def test_effective_window_shrinks_where_one_window_covers_the_axis():
    assert effective_window((6, 64, 8), (6, 8, 8)) == ((6, 8, 8), (0, 4, 0))
    assert effective_window((3, 9, 100), (8, 8, 7)) == ((3, 8, 7), (0, 4, 3))


@pytest.mark.parametrize("window", [(2, 3, 4), (1, 7, 7), (6, 2, 2)])
def test_relative_position_index_counts_offsets_in_mixed_radix(window):
    wd, wh, ww = window
    tokens = list(itertools.product(*map(range, window)))
    index = relative_position_index(window)
    for (i, a), (j, b) in itertools.product(enumerate(tokens), repeat=2):
        d, h, w = (p - q for p, q in zip(a, b, strict=True))
        assert index[i, j] == ((d + wd - 1) * (2 * wh - 1) + h + wh - 1) * (2 * ww - 1) + w + ww - 1


def test_relative_bias_gathers_per_head_and_learns():
    table = torch.randn(3 * 5 * 5, 4, requires_grad=True)
    index = relative_position_index((2, 3, 3))
    bias = relative_bias(table, index)
    assert torch.equal(bias, table[index].permute(2, 0, 1))
    bias.sum().backward()
    assert table.grad is not None
    assert torch.equal(table.grad[:, 0], torch.bincount(index.flatten(), minlength=75).float())


def textbook(q, k, v, bias, scale):
    logits = scale * (q @ k.transpose(-2, -1))
    weights = torch.softmax(logits if bias is None else logits + bias, -1)
    return (weights @ v).transpose(1, 2).flatten(2)


@pytest.mark.parametrize("tokens", [16, 64, 80])
@pytest.mark.parametrize("with_bias", [False, True])
def test_attend_equals_the_textbook(tokens, with_bias):
    q, k, v = split_heads(torch.randn(5, tokens, 3 * 24), 4)
    bias = torch.randn(4, tokens, tokens) if with_bias else None
    torch.testing.assert_close(attend(q, k, v, bias, 0.3), textbook(q, k, v, bias, 0.3), atol=2e-6, rtol=1e-5)


@pytest.mark.parametrize("tokens", [64, 128])
def test_attend_in_bfloat16_stays_within_its_rounding(tokens):
    q, k, v = split_heads(torch.randn(5, tokens, 3 * 24), 4)
    bias = torch.randn(4, tokens, tokens)
    want = textbook(q, k, v, bias, 0.4)
    got = attend(q.bfloat16(), k.bfloat16(), v.bfloat16(), bias.bfloat16(), 0.4)
    assert got.dtype == torch.bfloat16
    assert (got.float() - want).abs().max() < 0.05
    assert (got.float() - want).std() < 0.01 * want.std()


def test_attend_passes_gradients_to_everything_that_asks():
    qkv, bias = torch.randn(3, 32, 3 * 8, requires_grad=True), torch.randn(2, 32, 32, requires_grad=True)
    ours = torch.autograd.grad(attend(*split_heads(qkv, 2), bias, 0.5).square().sum(), (qkv, bias))
    want = torch.autograd.grad(textbook(*split_heads(qkv, 2), bias, 0.5).square().sum(), (qkv, bias))
    for a, b in zip(ours, want, strict=True):
        torch.testing.assert_close(a, b, atol=1e-5, rtol=1e-4)


def test_attend_without_gradients_is_fused_even_when_the_bias_could_learn(monkeypatch):
    called = []
    fused = torch.nn.functional.scaled_dot_product_attention
    monkeypatch.setattr(attention.F, "scaled_dot_product_attention", lambda *a, **k: called.append(k) or fused(*a, **k))
    q, k, v = split_heads(torch.randn(2, 96, 3 * 8), 2)
    bias = torch.nn.Parameter(torch.randn(2, 96, 96))
    with torch.no_grad():
        attend(q, k, v, bias, 0.5)
    assert called
    assert not called[0]["attn_mask"].requires_grad


@pytest.mark.parametrize(("extent", "size"), [(1, 8), (2, 9), (5, 8), (5, 23), (9, 9), (9, 4)])
@pytest.mark.parametrize(("repeat_edge", "mode"), [(True, "symmetric"), (False, "reflect")])
def test_mirror_walks_back_and_forth(extent, size, repeat_edge, mode):
    x = np.random.default_rng(0).normal(size=(2, extent, 3))
    want = np.pad(x, ((0, 0), (0, max(0, size - extent)), (0, 0)), mode=mode)
    assert np.array_equal(mirror(torch.from_numpy(x), 1, size, repeat_edge=repeat_edge).numpy(), want)


def test_drop_path_keeps_the_mean_and_rests_outside_training():
    torch.manual_seed(0)
    layer, x = DropPath(0.25), torch.ones(4000, 2, 3)
    assert torch.equal(layer.eval()(x), x)
    out = layer.train()(x)
    assert out.unique().tolist() == pytest.approx([0, 4 / 3])
    assert out.mean() == pytest.approx(1, abs=0.05)
    assert torch.equal(out.flatten(1).std(1), torch.zeros(4000)), "a sample is dropped whole"
    assert path_rates(0.2, 3) == [0, 0.1, 0.2]
    assert path_rates(0.2, 1) == [0]
