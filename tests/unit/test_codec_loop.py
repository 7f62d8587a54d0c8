"""Encoder and decoder back to back, in memory."""

from fractions import Fraction

import numpy as np
import pytest

from revivid.codecs.loop import LoopSettings, encode_decode
from revivid.errors import MissingTool, ShapeError, UsageError
from revivid.types import Clip, ColorSpec


def moving_waves(height=64, width=80, count=8, bit_depth=8):
    color = ColorSpec(bit_depth=bit_depth)
    rows, columns = np.mgrid[:height, :width]
    waves = [0.5 + 0.4 * np.sin((columns + 2 * t) / 7) * np.cos((rows + t) / 5) for t in range(count)]
    y = np.round(np.stack(waves) * color.peak).astype(color.dtype)
    u = np.ascontiguousarray(y[:, ::2, ::2])
    times = tuple(Fraction(t, 24) for t in range(count))
    return Clip((y, u, u[:, ::-1]), times, (Fraction(1, 24),) * count, color)


def psnr(a, b, peak):
    return 10 * np.log10(peak**2 / np.mean((a.astype(float) - b.astype(float)) ** 2))


@pytest.mark.parametrize("bit_depth", [8, 10])
def test_same_frames_come_back_degraded(bit_depth):
    clip = moving_waves(bit_depth=bit_depth)
    decoded, size = encode_decode(clip, LoopSettings(crf=22))
    assert decoded.times == clip.times
    assert decoded.color == clip.color
    assert [p.shape for p in decoded.planes] == [p.shape for p in clip.planes]
    assert 100 < size < sum(p.nbytes for p in clip.planes)
    # Every frame must resemble its own original more than its neighbour's: order is kept across B-frames.
    for t in range(len(clip) - 1):
        own, other = (psnr(decoded.planes[0][t], clip.planes[0][i], clip.color.peak) for i in (t, t + 1))
        assert own > 32 > other


def test_higher_crf_means_fewer_bytes_and_more_error():
    clip = moving_waves()
    sizes, quality = [], []
    for crf in (18, 28, 38):
        decoded, size = encode_decode(clip, LoopSettings(crf=crf))
        sizes.append(size)
        quality.append(psnr(decoded.planes[0], clip.planes[0], 255))
    assert sizes[0] > sizes[1] > sizes[2]
    assert quality[0] > quality[1] > quality[2]


def test_loop_is_repeatable():
    clip = moving_waves()
    (first, a), (second, b) = encode_decode(clip), encode_decode(clip)
    assert a == b
    np.testing.assert_array_equal(first.planes[0], second.planes[0])


@pytest.mark.parametrize("size", [(16, 16), (60, 40), (72, 48), (48, 72)])
def test_small_pictures_survive(size):
    """x265's CU-tree corrupts the heap of narrow pictures: the loop switches it off for them."""
    for crf in (20, 34):
        decoded, _ = encode_decode(moving_waves(*size, count=12), LoopSettings(crf=crf))
        assert decoded.planes[0].shape == (12, *size)


def test_other_encoders():
    decoded, size = encode_decode(moving_waves(), LoopSettings(encoder="libx264"))
    assert len(decoded) == 8
    assert size > 100


def test_faults_are_typed():
    clip = moving_waves()
    with pytest.raises(UsageError, match="preset"):
        encode_decode(clip, LoopSettings(preset="warp"))
    with pytest.raises(UsageError, match="81x64"):
        encode_decode(moving_waves(width=81))
    with pytest.raises(ShapeError, match="no frames"):
        encode_decode(clip[:0])
    with pytest.raises(MissingTool, match="no libnothing"):
        encode_decode(clip, LoopSettings(encoder="libnothing"))
