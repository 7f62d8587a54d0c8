"""Fused layers give what the plain ones give, in every situation, and gradients where they are wanted."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from revivid.layers import fused

torch.manual_seed(0)
CONV, LINEAR = nn.Conv2d(5, 5, 3, padding=1), nn.Linear(6, 7)


@pytest.mark.parametrize("channels_last", [False, True])
@pytest.mark.parametrize("size", [(1, 1), (3, 5), (16, 16)])
def test_fused_equals_plain(size: tuple[int, int], channels_last: bool) -> None:
    layout = torch.channels_last if channels_last else torch.contiguous_format
    x = torch.randn(2, 5, *size).contiguous(memory_format=layout)
    kept = x.clone()
    with torch.inference_mode():
        torch.testing.assert_close(fused.conv_relu(CONV, x), F.relu(CONV(x)), rtol=0, atol=1e-6)
        torch.testing.assert_close(fused.conv_add(CONV, x, x), CONV(x) + x, rtol=0, atol=1e-6)
        torch.testing.assert_close(fused.conv_leaky_relu(CONV, x, 0.1), F.leaky_relu(CONV(x), 0.1), rtol=0, atol=1e-6)
        film = torch.randn(2, 10, 1, 1)
        wanted = F.leaky_relu(film[:, 5:] + (1 + film[:, :5]) * CONV(x), 0.1)
        torch.testing.assert_close(fused.conv_film_leaky_relu(CONV, x, film, 0.1), wanted, rtol=0, atol=1e-5)
        alone = fused.conv_film_leaky_relu(CONV, x[:1], film[:1], 0.1)
        torch.testing.assert_close(alone, wanted[:1], rtol=0, atol=1e-5)
        assert torch.equal(x, kept)
        tokens = torch.randn(3, 4, 6)
        torch.testing.assert_close(fused.linear_gelu(LINEAR, tokens), F.gelu(LINEAR(tokens)), rtol=0, atol=1e-6)
        other = torch.randn(3, 4, 7)
        held = other.clone()
        torch.testing.assert_close(fused.linear_add(LINEAR, tokens, other), LINEAR(tokens) + other, rtol=0, atol=1e-6)
        assert torch.equal(other, held)


def test_gradients_flow() -> None:
    x = torch.randn(1, 5, 4, 4, requires_grad=True)
    film = torch.ones(1, 10, 1, 1, requires_grad=True)
    deep = fused.conv_film_leaky_relu(CONV, fused.conv_leaky_relu(CONV, x, 0.1), film, 0.1)
    fused.conv_add(CONV, fused.conv_relu(CONV, deep), x).sum().backward()
    assert film.grad is not None
    assert film.grad.abs().min() > 0
    assert x.grad is not None
    assert x.grad.abs().sum() > 0
    tokens = torch.randn(2, 6, requires_grad=True)
    fused.linear_add(LINEAR, tokens, fused.linear_gelu(LINEAR, tokens)).sum().backward()
    assert tokens.grad is not None


def test_other_types_take_the_plain_way() -> None:
    x = torch.randn(1, 5, 4, 4)
    with torch.inference_mode():
        double = nn.Conv2d(5, 5, 3, padding=1).double()
        assert fused.conv_add(double, x.double(), x.double()).dtype == torch.float64
        with torch.autocast("cpu", torch.bfloat16):
            assert fused.conv_relu(CONV, x).dtype == torch.bfloat16
            out = fused.conv_add(CONV, x, x)
    torch.testing.assert_close(out, CONV(x) + x, rtol=0, atol=0.05)


def test_a_torch_without_the_kernels_works(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fused, "_there", lambda: False)
    x = torch.randn(1, 5, 4, 4)
    with torch.inference_mode():
        assert torch.equal(fused.conv_relu(CONV, x), F.relu(CONV(x)))
