"""How exact decoding is (docs/FORMAT.md, section 8): integers are the same everywhere, pictures come within a tolerance."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from small import pictures
from torch import Tensor

from revivid.layers import fused
from revivid.learned import keyframes, model
from revivid.networks import bvc_decoding

#: In samples of 0 to 1, as docs/FORMAT.md says: a fourth of an 8-bit step.
TOLERANCE = 1 / 1024
QUALITY, FRAMES = 5.0, 12


@contextlib.contextmanager
def threads(count: int) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    yield
    torch.set_num_threads(before)


@contextlib.contextmanager
def unfused(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with monkeypatch.context() as patch:
        patch.setattr(fused, "_there", lambda: False)
        yield


@pytest.fixture(scope="module")
def coded() -> tuple[Any, Tensor, list[Tensor], list[tuple[Tensor, Tensor]]]:
    """The package's network, a keyframe, and what an encoder with one thread made of the frames after it."""
    network: Any = model.load().network
    frames = [frame[None] for frame in pictures(FRAMES, 128, 128)]
    seen, integers = [frames[0]], []
    with torch.inference_mode(), threads(1):
        for frame in frames[1:]:
            made = network.encode(frame, seen[-1], QUALITY)
            integers.append((made.motion, made.residual))
            seen.append(made.decoded)
    return network, frames[0], seen, integers


def decoded(network: Any, first: Tensor, integers: list[tuple[Tensor, Tensor]]) -> list[Tensor]:
    shown = [first]
    with torch.inference_mode():
        for motion, residual in integers:
            shown.append(network.decode(motion, residual, shown[-1], QUALITY))
    return shown


def farthest(ours: list[Tensor], theirs: list[Tensor]) -> float:
    return max((a - b).abs().max().item() for a, b in zip(ours, theirs, strict=True))


def test_the_same_kernels_give_the_same_bits(coded) -> None:
    network, first, seen, integers = coded
    with threads(1):
        assert farthest(decoded(network, first, integers), seen) == 0
        assert farthest(decoded(network, first.contiguous(memory_format=torch.channels_last), integers), seen) == 0


@pytest.mark.parametrize("other", ["two threads", "nothing fused", "no oneDNN"])
def test_other_kernels_come_near(coded, other: str, monkeypatch: pytest.MonkeyPatch) -> None:
    network, first, seen, integers = coded
    ways = {
        "two threads": lambda: threads(2),
        "nothing fused": lambda: unfused(monkeypatch),
        "no oneDNN": lambda: torch.backends.mkldnn.flags(enabled=False),
    }
    with ways[other]():
        away = farthest(decoded(network, first, integers), seen)
    assert away < TOLERANCE
    assert farthest(seen[:-1], seen[1:]) > 0.1, "the frames differ from one another"


@pytest.mark.parametrize("coefficient", [15, 16, 30])
def test_atoms_that_cancel_each_other_come_near(coefficient: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two atoms of equal size add up to 0 on half of a block, or to 1e-10, as a machine's kernels will have it."""
    network: Any = model.load().network
    motion, residual = (torch.zeros(shape, dtype=torch.int16) for shape in network.latent_shapes(64, 64))
    residual[:4], residual[4 * coefficient : 4 * coefficient + 4] = 1, -1
    reference = torch.full((1, 3, 64, 64), 0.5)
    reference[..., 8:16] += 0.02
    reference[..., 24:40] += 0.02

    def one_after_the_other(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
        return (x[..., None, :] * weight).sum(-1) + (0 if bias is None else bias)

    with torch.inference_mode():
        usual = network.decode(motion, residual, reference, 1.0)
        monkeypatch.setattr(bvc_decoding.F, "linear", one_after_the_other)
        assert (network.decode(motion, residual, reference, 1.0) - usual).abs().max() < TOLERANCE


@pytest.mark.parametrize("quality", [1.0, 8.0])
def test_learned_keyframes_come_near(quality: float, monkeypatch: pytest.MonkeyPatch) -> None:
    network = keyframes.load().network
    picture = pictures(1, 96, 128)[0][None]
    coded = network.encode(picture, quality)
    usual = network.decode(coded.coarse, coded.fine, quality)
    with unfused(monkeypatch), torch.backends.mkldnn.flags(enabled=False):
        assert (network.decode(coded.coarse, coded.fine, quality) - usual).abs().max() < TOLERANCE


def test_the_page_says_the_same() -> None:
    page = (Path(__file__).parents[2] / "docs" / "FORMAT.md").read_text(encoding="utf-8")
    assert f"1/{round(1 / TOLERANCE)}" in page
