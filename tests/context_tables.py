"""Tables that contexts choose among, drawn at random, and latents that are alike in place and time."""

from __future__ import annotations

import numpy as np

from revivid.codecs.bvc.context_coder import ContextCoder, ContextTables

#: Shapes (C, h, w) of motion with four coefficients, two of them leading, and of residual with three in 2x2 blocks.
SHAPES = ((4, 4, 8), (12, 4, 8))


def random_tables(
    coefficients: int, fold: int, leading: int, seed: int, classes: tuple[int, int, int] = (3, 4, 4)
) -> ContextTables:
    """`classes`: of values, numbers and coefficients."""
    generator, others = np.random.default_rng(seed), coefficients - leading
    values, lasts, each = classes

    def weights(*shape: int) -> np.ndarray:
        return generator.integers(-40, 90, shape).astype(np.int32)

    def limits(*shape: int) -> np.ndarray:
        return np.sort(generator.integers(-2000, 9000, shape).astype(np.int32), -1)

    return ContextTables(
        order=generator.permutation(coefficients).astype(np.int32),
        shape=np.array([fold, leading], np.int32),
        scale=np.round(16 * np.log2(1 + np.arange(others + 1))).astype(np.int32),
        value_weights=weights(leading, 4, 2, 5),
        value_spread=weights(leading, 4, 2, 4),
        value_limits=limits(leading, values - 1),
        value_cdf=_tables(generator, 256, leading, values),
        last_weights=weights(4, 2, 7),
        last_limits=limits(4, lasts - 1),
        last_cdf=_tables(generator, others + 1, 4, lasts),
        numbers=weights(others, others + 1),
        coefficient_weights=weights(others, 5),
        coefficient_limits=limits(others, each - 2),
        coefficient_cdf=_tables(generator, 256, others, each),
    )


def _tables(generator: np.random.Generator, symbols: int, *shape: int) -> np.ndarray:
    """Falling from the middle at various speeds."""
    speed = generator.uniform(0.2, 6, shape)[..., None]
    chances = np.exp(-abs(np.arange(symbols) - symbols // 2) / speed)
    counts = 1 + np.floor(chances / chances.sum(-1, keepdims=True) * (65536 - symbols)).astype(np.int64)
    counts[..., symbols // 2] += 65536 - counts.sum(-1)
    return np.concatenate((np.zeros((*shape, 1), np.int64), counts.cumsum(-1)), -1).astype(np.int32)


def random_coder(seed: int = 0, step: int = 7, adaptive: bool = False) -> ContextCoder:
    return ContextCoder(random_tables(4, 1, 2, seed), random_tables(3, 2, 0, seed + 1), *SHAPES, step, adaptive)


def alike(shape: tuple[int, ...], frames: int, seed: int, scale: float = 3.0) -> list[np.ndarray]:
    """Latents whose channels have means that drift, and more to say in some places than in others."""
    generator, (channels, height, width) = np.random.default_rng(seed), shape
    rows, columns = np.mgrid[0:height, 0:width]
    made = []
    for t in range(frames):
        lively = 0.1 + abs(np.sin((rows + t) / 3) * np.cos(columns / 4))
        mean = np.where(np.arange(channels) < 2, 9.0, 0.0)[:, None, None] * np.sin((columns + t) / 5)
        made.append(np.round(mean + generator.laplace(size=shape) * scale * lively).clip(-128, 127).astype(np.int32))
    return made
