"""Scaling, padding and cropping of Clips."""

from fractions import Fraction

import numpy as np
import pytest

from revivid.errors import LimitExceeded, ShapeError, UsageError
from revivid.media.scale import crop, pad_to_multiple, resize
from revivid.types import Clip, ColorSpec


def make_clip(height, width, count=2, bit_depth=8):
    """A slope to the right in luma, steps downwards in chroma."""
    color = ColorSpec(bit_depth=bit_depth)
    y = np.broadcast_to(np.linspace(0.2, 0.8, width) * color.peak, (count, height, width))
    u = np.broadcast_to(np.linspace(0.3, 0.6, -(-height // 2))[:, None] * color.peak, (count, -(-height // 2), -(-width // 2)))
    planes = [np.round(p).astype(color.dtype) for p in (y, u, u[:, ::-1])]
    times = tuple(Fraction(t, 25) for t in range(count))
    return Clip((planes[0], planes[1], planes[2]), times, (Fraction(1, 25),) * count, color)


@pytest.mark.parametrize("bit_depth", [8, 10])
@pytest.mark.parametrize("method", ["BICUBIC", "AREA"])
def test_downscaling_keeps_planes_centred(method, bit_depth):
    clip = make_clip(64, 96, bit_depth=bit_depth)
    small = resize(clip, 24, 16, method)
    assert (small.width, small.height, len(small)) == (24, 16, 2)
    assert small.planes[1].shape == (2, 8, 12)
    assert small.times == clip.times
    for plane, source in zip(small.planes, clip.planes, strict=True):
        means = source.reshape(2, plane.shape[1], 4, plane.shape[2], 4).mean((2, 4))
        inner = (slice(None), slice(1, -1), slice(1, -1))
        # A slope's centred mean is its value at the centre; half a pixel of shift would be off by more than one code.
        assert np.abs(plane[inner].astype(float) - means[inner]).max() <= 1.01 * (1 << (bit_depth - 8))


def test_resize_refuses_what_it_does_not_know():
    clip = make_clip(16, 16)
    with pytest.raises(UsageError, match="MAGIC"):
        resize(clip, 8, 8, "MAGIC")
    with pytest.raises(UsageError):
        resize(clip, 0, 8)
    with pytest.raises(LimitExceeded):
        resize(clip, 20_000, 8)


@pytest.mark.parametrize("size", [(16, 16), (15, 17), (18, 30), (2, 2), (1, 1)])
def test_padding_repeats_the_edge_and_crop_undoes_it(size):
    clip = make_clip(*size)
    padded = pad_to_multiple(clip, 8)
    assert padded.height % 8 == padded.width % 8 == 0
    assert (padded.planes[0][:, -1, -1] == clip.planes[0][:, -1, -1]).all()
    assert (padded.planes[2][:, -1, -1] == clip.planes[2][:, -1, -1]).all()
    back = crop(padded, clip.width, clip.height)
    for plane, source in zip(back.planes, clip.planes, strict=True):
        np.testing.assert_array_equal(plane, source)


def test_padding_of_what_fits_is_free():
    clip = make_clip(16, 32)
    assert pad_to_multiple(clip, 8) is clip


def test_impossible_sizes_are_errors():
    clip = make_clip(16, 16)
    with pytest.raises(UsageError):
        pad_to_multiple(clip, 3)
    with pytest.raises(ShapeError):
        crop(clip, 17, 16)
    with pytest.raises(ShapeError):
        crop(clip, 16, 0)
