"""`restore --auto` as one stage, for benchmarks: it looks at a clip, chooses its stages and runs them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

from ..pipeline import chain
from ..restoration import auto, blurriness, build_all
from ..restoration.own import best_weights
from ..restoration.stage import Conditions, Stage
from ..types import Clip, join
from ..weights import embedded


class Auto(Stage):
    """What `auto.choose` chooses for all that it is given, held in memory; `enlarge` False: without super-resolution."""

    name = "auto"

    def __init__(self, conditions: Conditions, enlarge: bool = True) -> None:
        self._conditions, self._enlarge = conditions, enlarge

    def process(self, clip: Clip) -> Clip:
        chosen = auto.choose(samples(clip), self._conditions).stages
        stages = [spec for spec in chosen if self._enlarge or spec.stage != "super-resolve"]
        return join(list(chain(iter((clip,)), build_all(stages, self._conditions))))

    def __call__(self, clips: Iterator[Clip]) -> Iterator[Clip]:
        yield self.process(join(list(clips)))


def samples(clip: Clip) -> list[Clip]:
    """Where `restore --auto` would look."""
    last = max(len(clip) - auto.SAMPLE_FRAMES, 0)
    starts = [min(int(float(place) * len(clip)), last) for place in auto.PLACES]
    return [clip[start : start + auto.SAMPLE_FRAMES] for start in starts]


def digest(stage: str) -> str:
    """What the answers of a stage by this name depend on: the weights that the package has for it, and how `auto` decides."""
    if stage == Auto.name:
        used = [best_weights("denoise"), best_weights("deblur"), best_weights("super-resolve", auto.ENLARGED, "best")]
        decided = f"{auto.NOISY} {blurriness.LIMIT} {auto.SMALL}, enlarged where the truth is"
    else:
        used, decided = [best_weights(stage, auto.ENLARGED if stage == "super-resolve" else 1)], ""
    sha = hashlib.sha256(decided.encode())
    for name in used:
        sha.update((embedded.folder() / f"{name}.safetensors").read_bytes())
    return sha.hexdigest()
