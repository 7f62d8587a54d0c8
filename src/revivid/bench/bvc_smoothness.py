"""How smoothly each arm's decoded frames move (second paper, Fig. 5a), at the rate of its curve that is nearest to a given one."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean
from time import perf_counter
from typing import Any

from . import jobs
from .bvc_coding import Coding
from .session import Session
from .smoothness import BINS, FLOW, error_lengths, smoothness
from .store import Store

#: Bits per pixel that arms are compared at: those of the second paper's example.
NEAR_BPP = 0.3


@dataclass(frozen=True)
class Pace:
    """A coding at one of its rates."""

    coding: Coding
    rate: float

    def key(self) -> dict[str, Any]:
        return {**self.coding.key(), "rates": [self.rate], "smoothness": FLOW, "bins": BINS}


def measure_smoothness(session: Session, codings: Sequence[Coding]) -> dict[str, Any]:
    """Of codings whose curves were measured: by arm the mean `bpp`, the `counts` of errors by length over all clips, and `t`.

    Empty where clips have fewer than three frames.
    """
    paces = [_nearest(session.store, coding) for coding in codings]
    left = [pace for pace in paces if session.store.get(pace.key()) is None]
    jobs.run(_measure, left, session.workers, lambda pace, seconds: session.say(_told(pace, seconds)))
    arms: dict[str, list[dict[str, Any]]] = {}
    for pace in paces:
        found = session.store.get(pace.key())
        if found and found["counts"]:
            arms.setdefault(pace.coding.arm.name, []).append(found)
    return {"near_bpp": NEAR_BPP, "flow": FLOW, "arms": {arm: _together(clips) for arm, clips in arms.items()}}


def _together(clips: Sequence[dict[str, Any]]) -> dict[str, Any]:
    counts = [sum(clip["counts"][k] for clip in clips) for k in range(BINS)]
    bpp = float(f"{fmean(clip['bpp'] for clip in clips):.4g}")
    return {"clips": len(clips), "bpp": bpp, "counts": counts, "t": smoothness(counts)}


def _nearest(store: Store, coding: Coding) -> Pace:
    curve = store.get(coding.key())
    assert curve is not None, f"{coding.arm.name} was not measured"
    point = min(curve["points"], key=lambda point: abs(math.log(point["bpp"] / NEAR_BPP)))
    return Pace(coding, point["rate"])


def _measure(pace: Pace) -> float:
    """Do it and store the counts, none for clips of fewer than three frames; the seconds that it took."""
    begin = perf_counter()
    coding = pace.coding
    pair = coding.pair()
    answer, size = coding.arm.code(coding.arm.prepare(pair.blurry), pace.rate)
    counts = error_lengths(pair.truth, answer) if len(answer) > 2 else []
    value = {"counts": counts, "bpp": 8 * size / pair.truth.planes[0].size}
    Store(coding.clip.cache / "scores").put(pace.key(), value)
    return perf_counter() - begin


def _told(pace: Pace, seconds: float) -> str:
    return f"smoothness {pace.coding.clip.name}, {pace.coding.arm.name}: {seconds:.1f} s"
