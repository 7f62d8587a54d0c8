"""Block search and fetching: known motion is found, whole positions move without blur, gradient reaches the features."""

import pytest
import torch
import torch.nn.functional as F

from revivid.errors import ShapeError
from revivid.layers.block_motion import fetch, remaining, rows_index, search, turned


def texture(height: int, width: int, seed: int = 0) -> torch.Tensor:
    """Random detail at several sizes, as pictures have it."""
    generator = torch.Generator().manual_seed(seed)
    picture = torch.zeros(1, 1, height, width)
    for size in (2, 5, 12):
        noise = torch.rand(1, 1, height // size + 4, width // size + 4, generator=generator)
        picture += size * F.interpolate(noise, scale_factor=size, mode="bicubic")[..., :height, :width]
    return picture / 19


@pytest.mark.parametrize("motion", [(0, 0), (1, 0), (3, -5), (-11, 13), (12, 2)])
def test_a_known_shift_is_found(motion: tuple[int, int]) -> None:
    picture = texture(136, 176)
    current = picture[..., 20:116, 24:152]
    reference = picture[..., 20 - motion[0] : 116 - motion[0], 24 - motion[1] : 152 - motion[1]]
    vectors, cost = search(current, reference)
    assert vectors.shape == (1, 2, 24, 32)
    inner = vectors[..., 6:-6, 6:-6] - torch.tensor(motion).view(1, 2, 1, 1)
    assert (inner.abs().amax(1) < 0.5).float().mean() > 0.95
    assert cost[..., 6:-6, 6:-6].mean() < 0.005


def test_fractions_of_a_sample() -> None:
    large = texture(400, 400)
    current, reference = (F.avg_pool2d(large[..., 40 : 40 + 320, x : x + 320], 4) for x in (40, 38))  # half a sample to the right
    vectors, _ = search(current, reference)
    assert vectors[:, 1, 3:-3, 3:-3].median().item() == pytest.approx(0.5, abs=0.15)
    assert vectors[:, 0, 3:-3, 3:-3].median().item() == pytest.approx(0.0, abs=0.15)


def test_vectors_turned_round() -> None:
    vectors = torch.zeros(1, 2, 6, 8)
    vectors[:, 1, :, 3:] = 8.0  # two blocks to the right
    there = turned(vectors)
    assert there[:, 1, :, 5:].eq(-8).all()
    assert there[:, 1, :, :3].eq(0).all()
    assert there[:, 0].eq(0).all()
    assert turned(torch.full((2, 2, 5, 5), 3.25)).eq(-3.25).all()


def test_what_remains_equals_the_cost_of_the_search() -> None:
    picture = texture(136, 176)
    current, reference = picture[..., 20:116, 24:152], picture[..., 17:113, 29:157]
    vectors, cost = search(current, reference)
    current, reference = (F.pixel_unshuffle(x, 2).contiguous(memory_format=torch.channels_last) for x in (current, reference))
    found = fetch(reference, rows_index(vectors.round().long(), (96, 128), 2), 2)
    inner = (..., slice(6, -6), slice(6, -6))
    assert (remaining(current, found)[inner] - cost[inner]).abs().mean() < 1e-3


def test_flat_and_foreign_pictures() -> None:
    grey = torch.full((2, 1, 32, 40), 0.3)
    vectors, cost = search(grey, grey)
    assert not vectors.any()
    assert not cost.any()
    _, cost = search(grey, 1 - grey)
    assert cost.min() == pytest.approx(0.4, abs=1e-5)


@pytest.mark.parametrize("size", [(4, 4), (4, 12), (8, 4), (20, 28)])
def test_small_sizes(size: tuple[int, int]) -> None:
    vectors, cost = search(torch.rand(3, 1, *size), torch.rand(3, 1, *size))
    assert vectors.shape == (3, 2, size[0] // 4, size[1] // 4)
    assert cost.shape == (3, 1, size[0] // 4, size[1] // 4)
    assert torch.isfinite(vectors).all()


def test_pictures_of_a_batch_are_searched_by_themselves() -> None:
    current, reference = torch.rand(3, 1, 24, 32), torch.rand(3, 1, 24, 32)
    vectors, cost = search(current, reference)
    for i in range(3):
        alone = search(current[i : i + 1], reference[i : i + 1])
        assert torch.equal(vectors[i : i + 1], alone[0])
        assert torch.equal(cost[i : i + 1], alone[1])


def test_sizes_that_do_not_fit() -> None:
    with pytest.raises(ShapeError, match="multiples of 4"):
        search(torch.rand(1, 1, 30, 32), torch.rand(1, 1, 30, 32))
    with pytest.raises(ShapeError, match="block search"):
        search(torch.rand(1, 1, 32, 32), torch.rand(2, 1, 32, 32))


@pytest.mark.parametrize("cell", [2, 4])
def test_whole_positions_move_exactly(cell: int) -> None:
    torch.manual_seed(0)
    picture = torch.rand(2, 3, 8 * cell, 6 * cell)
    vectors = torch.randint(-9, 10, (2, 2, 4, 3))  # blocks of 2 x 2 cells
    # Channels of `fetch` are (position, k); those of pixel_unshuffle (k, position).
    unshuffled = F.pixel_unshuffle(picture, cell).unflatten(1, (3, -1)).transpose(1, 2).flatten(1, 2)
    found = fetch(unshuffled, rows_index(vectors, (8 * cell, 6 * cell), cell), cell)
    assert found.is_contiguous(memory_format=torch.channels_last)
    found = F.pixel_shuffle(found.unflatten(1, (-1, 3)).transpose(1, 2).flatten(1, 2), cell)
    for n in range(2):
        for y in range(0, 8 * cell, 3):
            for x in range(0, 6 * cell, 3):
                dy, dx = vectors[n, :, y // (2 * cell), x // (2 * cell)].tolist()
                source = picture[n, :, min(max(y + dy, 0), 8 * cell - 1), min(max(x + dx, 0), 6 * cell - 1)]
                assert torch.equal(found[n, :, y, x], source)


def test_gradient_reaches_the_features_that_were_fetched() -> None:
    features = torch.rand(1, 8, 4, 4, requires_grad=True)
    index = rows_index(torch.full((1, 2, 2, 2), 2), (8, 8), 2)  # everything from two positions, one cell, further down and right
    fetch(features, index, 2).sum().backward()
    assert features.grad is not None
    assert features.grad[..., 0, :].abs().sum() == 0
    assert features.grad[..., 1:3, 1:3].eq(1).all()
    assert features.grad.sum() == 8 * 16  # the border is taken several times
