"""Fitting the tables that a trained codec's integers are coded by (`codecs.bvc.contexts`): no gradients, only counting.

    network, clips -> its latents' mean -> its integers at many qualities -> `walk` tells what is known before each of them
                   -> weights by least squares -> limits between classes -> a table of each class, counted

What is coded again afterwards has no other pictures, only fewer bits.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from .. import networks
from ..codecs.bvc.contexts import (
    FEATURES,
    LOW,
    MOST_MAGNITUDE,
    SYMBOLS,
    TURNS,
    UNIT,
    Group,
    Layout,
    Memory,
    disagreement,
    predicted,
    walk,
    wrapped,
)  # fmt: skip
from ..errors import UsageError
from ..layers.density import TOTAL
from ..layers.latent_contexts import COEFFICIENT_CLASSES, LAST_CLASSES, VALUE_CLASSES
from ..learned.tables import step_of
from ..networks.bvc import Bvc
from . import costs
from .clips import rgb
from .scenes import Scene

#: Numbers of coefficients as features: 16ths of a doubling of one more than them.
_SCALE = 16
#: Counts that a table begins with, shaped as an exponential decay.
_PRIOR = 4.0
#: How classes share what there is to say: a table's worth grows with the magnitudes it has, to this power.
_WORTH = 0.7
#: Qualities that are drawn of for every scene, and how many; sides of what is coded; over how many frames it is averaged.
_QUALITIES, _PER_SCENE = tuple(1 + step / 2 for step in range(15)), 2
_SIDE = 320
_MIXED = (1, 1, 1, 1, 1, 2, 3, 4)
#: So many scenes tell a latent's mean.
_CENTRED = 40
#: So many scenes tell what integers cost.
_WEIGHED = 60
#: Groups with fewer integers than this have one table for all.
_LEAST = 200


@dataclass
class Coded:
    """The integers of predicted frames one after the other: motion and residual (C, h, w) of each, at a quality."""

    quality: float
    motion: list[np.ndarray] = field(default_factory=list)
    residual: list[np.ndarray] = field(default_factory=list)


def counted(network: Bvc, hyperparameters: dict[str, object], scenes: Sequence[Scene]) -> Bvc:
    """The network with contexts, counted anew on what it makes of the scenes. Raises `UsageError` for a network that can't."""
    made = network
    if network.contexts() is None:
        some = scenes[:: max(len(scenes) // _CENTRED, 1)]
        made = with_contexts(network, hyperparameters, [frames for _, frames in sequences(some)])
    count(made, scenes)
    return made


def count(network: Bvc, scenes: Sequence[Scene]) -> None:
    """Fill the network's tables by what it makes of the scenes. Raises `UsageError` for a network without contexts."""
    some = scenes[:: max(len(scenes) // _WEIGHED, 1)]
    if network.costs is not None:
        costs.fit(network, lambda: coded(network, some))
    fit(network, coded(network, scenes))


def sequences(scenes: Sequence[Scene]) -> Iterator[tuple[random.Random, list[Tensor]]]:
    """Of each scene's ground truth frames R'G'B' (1, 3, H, W), as they are or averaged over some neighbours, and dice for more."""
    for number, scene in enumerate(scenes):
        dice = random.Random(f"{scene.name} {number}")
        side, count = min(min(scene.truth[0].shape[1:]) // 64 * 64, _SIDE), len(scene.truth[0])
        frames = [frame[None].contiguous() for frame in rgb(scene.truth, slice(0, count), (0, 0), side)]
        mixed = dice.choice(_MIXED)
        yield dice, [torch.stack(frames[t : t + mixed]).mean(0) for t in range(max(count - mixed + 1, 2))]


def coded(network: Bvc, scenes: Sequence[Scene]) -> list[Coded]:
    """Every scene's integers at some qualities."""
    return [code(network, frames, quality) for dice, frames in sequences(scenes) for quality in dice.sample(_QUALITIES, _PER_SCENE)]


def with_contexts(network: Bvc, hyperparameters: dict[str, object], clips: Sequence[Sequence[Tensor]]) -> Bvc:
    """The same network, whose residual's mean is taken off and whose tables are still empty.

    `clips`: frames R'G'B' (1, 3, H, W) of 0 to 1, sides multiples of 64. Raises `UsageError` for a network that can't.
    """
    if network.size != "compact" or network.contexts() is not None:
        raise UsageError("contexts are for a compact BVC that has none yet")
    made = networks.build("bvc", **{**hyperparameters, "contexts": True})
    assert isinstance(made, Bvc)
    own = made.state_dict()
    own.update({key: value for key, value in network.state_dict().items() if key in own})
    made.load_state_dict(own)
    if made.residual_coder.centred:
        made.residual_coder.center.copy_(_mean_residual(network, clips))
    return made.eval()


@torch.inference_mode()
def code(network: Bvc, clip: Sequence[Tensor], quality: float) -> Coded:
    """The integers of all frames of a clip but the first, which is its own reference."""
    coded, seen = Coded(quality), [clip[0]]
    for frame in clip[1:]:
        made = network.encode(frame, seen[0], quality, before=seen[1:])
        seen = [made.decoded, *seen][: network.references]
        coded.motion.append(made.motion.numpy().astype(np.int32))
        coded.residual.append(made.residual.numpy().astype(np.int32))
    return coded


def fit(network: Bvc, coded: Sequence[Coded]) -> None:
    """Fill the network's tables with what `coded` shows. Raises `UsageError` for a network without contexts."""
    if network.contexts() is None:
        raise UsageError("this network has no contexts to fit", hint="Make it by `with_contexts`.")
    activities: list[np.ndarray] = []
    for part, contexts in enumerate((network.motion_contexts, network.residual_contexts)):
        arrays = {name: values.numpy() for name, values in contexts.arrays().items()}
        fold, leading = (int(number) for number in arrays["shape"])
        frames = [latent for one in coded for latent in (one.motion, one.residual)[part]]
        arrays["order"] = _order(frames, fold, arrays["order"][:leading])
        arrays["scale"] = np.round(_SCALE * np.log2(1 + np.arange(len(arrays["order"]) - leading + 1))).astype(np.int32)
        seen = Seen(Layout(arrays["order"], fold, leading), arrays["scale"])
        activities = seen.look([((one.motion, one.residual)[part], step_of(one.quality)) for one in coded], activities)
        fit_values(arrays, seen)
        fit_last(arrays, seen)
        fit_coefficients(arrays, seen)
        contexts.fill({name: torch.from_numpy(np.ascontiguousarray(values)) for name, values in arrays.items()})


def _mean_residual(network: Bvc, clips: Sequence[Sequence[Tensor]]) -> Tensor:
    """Of the residual's latent before gains, by channel (C,)."""
    middle = (1 + network.rates) / 2
    coder, total = network.residual_coder, torch.zeros(network.residual_coder.channels)
    gain = coder.gains(torch.tensor([middle]))[0].flatten()
    for clip in clips:
        coarse = [torch.from_numpy(one[: coder.channels]).float() for one in code(network, clip[:3], middle).residual]
        total += torch.stack([one.mean((1, 2)) for one in coarse]).mean(0) / gain
    mean = total / len(clips)
    # What is nearly centred stays as it is.
    return torch.where(mean.abs() * gain > 0.25, mean, 0.0)


def _order(frames: Sequence[np.ndarray], fold: int, leading: np.ndarray) -> np.ndarray:
    """Coefficients: the leading ones, then the others, those first that are least often 0."""
    often = np.mean([(latent != 0).reshape(len(latent) // fold**2, -1).mean(1) for latent in frames], 0)
    order = np.argsort(-often, kind="stable").astype(np.int32)
    return np.concatenate((leading, order[~np.isin(order, leading)]))


class Seen:
    """Features and integers by group, of all frames that were looked at."""

    def __init__(self, layout: Layout, scale: np.ndarray) -> None:
        self._layout, self._scale = layout, scale
        self._parts: dict[Group, list[tuple[np.ndarray, np.ndarray]]] = {}

    def look(self, clips: Sequence[tuple[list[np.ndarray], int]], activities: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Walk through clips' latents, each with its step of quality. `activities` of all their frames in a row, none: 0; returns
        those that these latents show."""
        shown, fold, coming = [], self._layout.fold, iter(activities)
        for frames, step in clips:
            memory: Memory | None = None
            for latent in frames:
                size = (fold * latent.shape[1], fold * latent.shape[2])
                before = next(coming).repeat(fold, 0).repeat(fold, 1) if activities else np.zeros(size, np.int32)
                blocks = self._layout.blocks(latent)
                _, memory, activity = walk(self._layout, self._scale, size, blocks, memory, before, step, self._keep)
                shown.append(activity)
        return shown

    def of(self, group: Group) -> tuple[np.ndarray, np.ndarray]:
        """Features (F, n) and integers (n,)."""
        parts = self._parts.get(group)
        if parts is None:
            return np.zeros((getattr(FEATURES, group.kind), 0), np.int64), np.zeros(0, np.int64)
        features, known = (np.concatenate(each, -1) for each in zip(*parts, strict=True))
        return features.astype(np.int64), known.astype(np.int64)

    def _keep(self, group: Group, features: np.ndarray, known: np.ndarray | None) -> np.ndarray:
        assert known is not None
        self._parts.setdefault(group, []).append((features.astype(np.int16), known.astype(np.int16)))
        return known


def fit_values(arrays: dict[str, np.ndarray], seen: Seen) -> None:
    """Predictions of leading coefficients, and how far off they may be."""
    for index in range(len(arrays["value_weights"])):
        parts = []
        for turn in range(len(TURNS)):
            for first in (False, True):
                features, known = seen.of(Group("value", index, turn, first))
                at = (index, turn, int(first))
                arrays["value_weights"][at] = _prediction(features, known)
                off = wrapped(known - predicted(arrays["value_weights"][at], features))
                arrays["value_spread"][at] = _spread(features, off)
                parts.append((disagreement(arrays["value_spread"][at].astype(np.int64), features), off))
        measures, symbols = (np.concatenate(each) for each in zip(*parts, strict=True))
        arrays["value_limits"][index] = limits(measures, VALUE_CLASSES)
        classes = np.searchsorted(arrays["value_limits"][index], measures, "right")
        for number in range(VALUE_CLASSES):
            arrays["value_cdf"][index, number] = cumulative(_decaying(symbols[classes == number]))


def fit_last(arrays: dict[str, np.ndarray], seen: Seen) -> None:
    """Numbers of coefficients."""
    scale, symbols = arrays["scale"], len(arrays["scale"])
    for turn in range(len(TURNS)):
        parts = []
        for first in (False, True):
            features, known = seen.of(Group("last", 0, turn, first))
            weights = np.round(UNIT * _least_squares(features, scale[known])).astype(np.int32)
            arrays["last_weights"][turn, int(first)] = weights
            parts.append((weights @ features, known))
        measures, known = (np.concatenate(each) for each in zip(*parts, strict=True))
        arrays["last_limits"][turn] = limits(measures, LAST_CLASSES)
        classes = np.searchsorted(arrays["last_limits"][turn], measures, "right")
        for number in range(LAST_CLASSES):
            counts = np.bincount(known[classes == number], minlength=symbols)
            arrays["last_cdf"][turn, number] = cumulative(counts + 1 / symbols)


def fit_coefficients(arrays: dict[str, np.ndarray], seen: Seen) -> None:
    """The other coefficients, by what magnitude is to be expected."""
    for k in range(len(arrays["numbers"])):
        features, known = seen.of(Group("coefficient", k, 0, False))
        magnitudes, last = np.minimum(abs(known), MOST_MAGNITUDE), features[0]
        ends = last == k + 1
        measures = np.zeros(len(known), np.int64)
        if (~ends).sum() >= _LEAST:
            usual = _by_number(last[~ends], magnitudes[~ends], len(arrays["scale"]))
            inputs = np.concatenate((usual[last][None], features[1:], np.ones_like(features[:1])))
            share, *weights, constant = _least_squares(inputs[:, ~ends], magnitudes[~ends])
            arrays["numbers"][k] = np.round(4 * UNIT * (share * usual + constant))
            arrays["coefficient_weights"][k] = np.round(4 * UNIT * np.array(weights))
            measures = arrays["numbers"][k][last] + arrays["coefficient_weights"][k].astype(np.int64) @ features[1:]
            worth = np.maximum(measures / (4 * UNIT), 0.02) ** _WORTH
            arrays["coefficient_limits"][k] = limits(measures[~ends], COEFFICIENT_CLASSES - 1, worth[~ends])
        classes = np.where(ends, COEFFICIENT_CLASSES - 1, np.searchsorted(arrays["coefficient_limits"][k], measures, "right"))
        for number in range(COEFFICIENT_CLASSES):
            counts = _decaying(known[classes == number])
            if number == COEFFICIENT_CLASSES - 1:
                counts[-LOW] = 0
            arrays["coefficient_cdf"][k, number] = cumulative(counts)


def limits(measures: np.ndarray, classes: int, worth: np.ndarray | None = None) -> np.ndarray:
    """Where one class ends and the next begins (classes - 1,), so that all are worth the same; int32."""
    if not len(measures):
        return np.zeros(classes - 1, np.int32)
    order = np.argsort(measures, kind="stable")
    share = np.cumsum(np.ones(len(order)) if worth is None else worth[order])
    places = np.searchsorted(share, share[-1] * np.arange(1, classes) / classes)
    return measures[order][places].astype(np.int32)


def cumulative(counts: np.ndarray) -> np.ndarray:
    """Counts (n,) as a table (n + 1,) that rises by 1 at least, to `TOTAL`; int32."""
    shares = counts / max(counts.sum(), 1e-9)
    frequencies = 1 + np.floor(shares * (TOTAL - len(counts))).astype(np.int64)
    frequencies[frequencies.argmax()] += TOTAL - frequencies.sum()
    return np.concatenate(([0], np.cumsum(frequencies))).astype(np.int32)


def _decaying(integers: np.ndarray) -> np.ndarray:
    """Counts of integers from -128 to 127, as many on either side of 0, smoothed by a decay of their mean magnitude."""
    counts = np.bincount(integers - LOW, minlength=SYMBOLS).astype(np.float64)
    counts[1:] = (counts[1:] + counts[:0:-1]) / 2
    distance = abs(np.arange(LOW, LOW + SYMBOLS))
    mean = max((counts * distance).sum() / max(counts.sum(), 1.0), 0.01)
    decay = (mean / (1 + mean)) ** distance
    return counts + _PRIOR * decay / decay.sum()


def _prediction(features: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Weights (5,) of `contexts.predicted`, for small errors rather than small squares."""
    if len(known) < _LEAST:
        return np.array([0, 0, 0, UNIT, 0], np.int32)
    inputs = np.concatenate((features[:4] / 16, np.ones((1, len(known)))))
    weights, root = np.zeros(5), np.ones(len(known))
    for _ in range(8):
        weights = _least_squares(inputs * root, known * root)
        root = 1 / np.sqrt(abs(known - weights @ inputs) + 0.5)
    return np.round(weights * [UNIT, UNIT, UNIT, UNIT, 16 * UNIT]).astype(np.int32)


def _spread(features: np.ndarray, off: np.ndarray) -> np.ndarray:
    """Weights (4,) of `contexts.disagreement`, in 1024ths."""
    if len(off) < _LEAST:
        return np.array([UNIT, 0, 0, 0], np.int32)
    before, around, _, near, spread = features
    inputs = np.stack((spread, abs(before - near), abs(before - around), np.ones_like(spread)))
    return np.round(16 * UNIT * _least_squares(inputs, np.minimum(abs(off), MOST_MAGNITUDE))).astype(np.int32)


def _by_number(last: np.ndarray, magnitudes: np.ndarray, count: int) -> np.ndarray:
    """Mean magnitude by a block's number of coefficients (count,)."""
    seen = np.bincount(last, minlength=count)
    return np.bincount(last, magnitudes, count) / np.maximum(seen, 1)


def _least_squares(inputs: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Weights (F,) of `inputs` (F, n)."""
    products = inputs.astype(np.float64) @ inputs.T
    return np.linalg.lstsq(products + 1e-3 * np.eye(len(products)), inputs @ wanted.astype(np.float64), rcond=None)[0]
