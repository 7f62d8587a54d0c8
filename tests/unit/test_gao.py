"""Gao et al.'s deblurring network: its published size, any size of picture, and that scales share what they should."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from revivid import networks
from revivid.errors import ShapeError, UsageError
from revivid.restoration.engine import Engine, Frame


def small(**hyperparameters: int) -> Any:
    torch.manual_seed(0)
    return networks.build("gao", **{"width": 4, **hyperparameters}).eval()


def test_has_the_published_number_of_parameters() -> None:
    with torch.device("meta"):
        network = networks.build("gao")
    assert sum(p.numel() for p in network.parameters()) == 3_871_715


def test_scales_share_their_transforms() -> None:
    one, three = (sum(p.numel() for p in small(scales=scales).parameters()) for scales in (1, 3))
    own = sum(p.numel() for p in small().scales[0].parameters())
    assert three - one == 2 * own


def test_odd_sizes_are_mirrored() -> None:
    network, image = small(), torch.rand(1, 3, 19, 30)
    whole = torch.from_numpy(np.pad(image.numpy(), ((0, 0), (0, 0), (0, 13), (0, 2)), mode="reflect"))
    with torch.inference_mode():
        torch.testing.assert_close(network(image), network(whole)[..., :19, :30], atol=1e-5, rtol=1e-4)


def test_untrained_it_answers_nearly_the_picture() -> None:
    """And what it adds depends on what is around."""
    network, image = small(), torch.rand(1, 3, 32, 32)
    with torch.inference_mode():
        answer, other = network(image), network(image.flip(3)).flip(3)
    assert 0 < (answer - image).abs().mean() < 0.2
    assert (answer - other).abs().max() > 1e-6


def test_colours_are_deblurred_alike() -> None:
    network, image = small(), torch.rand(2, 3, 16, 16)
    with torch.inference_mode():
        torch.testing.assert_close(network(image.flip(1)), network(image).flip(1))


def test_the_engine_takes_it() -> None:
    network = small()
    frames = [torch.rand(3, 20, 24) for _ in range(2)]
    answers = list(Engine(network).stream(Frame(frame) for frame in frames))
    with torch.inference_mode():
        torch.testing.assert_close(answers[1], network(frames[1][None])[0].clamp(0, 1))


def test_what_cannot_work_is_named() -> None:
    with pytest.raises(UsageError, match="width=0"):
        networks.build("gao", width=0)
    with pytest.raises(ShapeError, match="images"):
        small()(torch.rand(1, 1, 16, 16))
