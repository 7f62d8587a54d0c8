"""`bench bvc`: rate-distortion of the learned codec for blurry video against its rivals, on blurred clips.

    master -> [blurred] -> blurry and sharp frames -> each arm at each of its rates -> bits per pixel, PSNR, MS-SSIM -> JSON

    blurry      blurry frames are coded, and scored against the sharp ones
    sharp       sharp frames are coded, and scored against themselves
    preserve    blurry frames are coded to stay blurry, and scored against themselves (second paper, section 4.3)

The first of them also tells how smoothly the decoded frames move (`smoothness`).

Each clip has one kind of blur, in turn: three shutters over exact shots, and one over the clip's own motion.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import Any

from ..errors import MissingWeights, UsageError
from . import jobs
from .bvc_arms import HYBRID, PRESERVE, Arm, arm_of
from .bvc_coding import BLURS, Coding
from .bvc_smoothness import measure_smoothness
from .bvc_summary import compare
from .scores import score_coded
from .session import Common, Say, Session, write_json
from .store import Store

DEFAULT_ARMS = (
    "x265", "x265-veryslow", "deblur+x265", "deblur+x265-medium", "x265+deblur", HYBRID, "deblur-best+x265",
    "deblur-best+x265-medium", "bvc", PRESERVE,
)  # fmt: skip
TESTS = ("blurry", "sharp", "preserve")
#: A quick run takes every how manyth rate.
_QUICK_STEP = 3


@dataclass(frozen=True)
class Options(Common):
    """What `bench bvc` can be told; blurring takes the first two frames of a clip and the last."""

    frames: int = 15
    arms: tuple[str, ...] = DEFAULT_ARMS
    #: Weights by name: parts of arms, or arms of their own (`bvc_arms.arm_of`).
    files: tuple[tuple[str, Path], ...] = ()
    #: Picture of the mean curves and of the smoothness (.svg, .png); None: none.
    plot: Path | None = None

    def arguments(self) -> str:
        arms = "" if self.arms == DEFAULT_ARMS else f" --arms {','.join(self.arms)}"
        files = "".join(f" --with {name}={file.name}" for name, file in self.files)
        return super().arguments() + arms + files


def learned_codec(options: Options, say: Say) -> dict[str, Any]:
    """Measure all arms on all clips and write the results.

    What was measured before is not measured again. Raises `UsageError` for unknown arms, `MissingWeights` where no arm can run, and
    what `bench.quality` raises.
    """
    arms, missing = _arms(options, say)
    session = Session(options, say)
    codings = _codings(session, arms)
    blurs = {coding.clip.name: coding for coding in codings}
    say("blur")
    jobs.run(_blur, list(blurs.values()), session.workers, lambda coding, seconds: say(f"{coding.clip.name}: {seconds:.1f} s"))
    left = [coding for coding in codings if session.store.get(coding.key()) is None]
    counted = iter(range(len(left) - 1, -1, -1))
    jobs.run(_measure, left, session.workers, partial(_say, say, counted))
    tests: dict[str, dict[str, Any]] = {}
    for coding in codings:
        found = session.store.get(coding.key())
        assert found is not None, f"{coding.arm.name} was not measured"
        tests.setdefault(coding.test, {}).setdefault(coding.clip.name, {})[coding.arm.name] = found["points"]
    smooth = measure_smoothness(session, [coding for coding in codings if coding.test == "blurry"])
    results = {
        **session.about("bvc"),
        "frames": options.seen_frames - 3,
        "keyframes_every": 12,
        "blur": {name: coding.key()["blur"] for name, coding in blurs.items()},
        "arms": {arm.name: arm.key() for arm in arms},
        "missing": missing,
        "tests": {test: compare(tests[test]) for test in TESTS if test in tests},
        "smoothness": smooth,
    }
    write_json(options.out, results)
    if options.plot is not None:
        from .bvc_plot import plot

        plot(results, options.plot)
    return results


def _arms(options: Options, say: Say) -> tuple[list[Arm], dict[str, str]]:
    """Those that can run, and why others can't."""
    arms: list[Arm] = []
    missing: dict[str, str] = {}
    files: Mapping[str, Path] = dict(options.files)
    for name in dict.fromkeys(options.arms):
        try:
            arms.append(arm_of(name, files))
        except MissingWeights as fault:
            missing[name] = fault.message
            say(f"no arm {name}: {fault.message}")
    if not arms:
        raise MissingWeights("no arm can run", hint="; ".join(f"{name}: {reason}" for name, reason in missing.items()))
    return arms, missing


def _codings(session: Session, arms: list[Arm]) -> list[Coding]:
    """The slowest first, by clip: what comes last is short."""
    step = _QUICK_STEP if session.options.quick else 1
    return [
        Coding(clip, BLURS[number % len(BLURS)], test, arm, arm.codec.rates[::step])
        for test in TESTS
        for number, clip in enumerate(session.clips)
        for arm in arms
        if _takes_part(arm, test)
    ]


def _takes_part(arm: Arm, test: str) -> bool:
    """What sharpens keeps no blur, and what is made to keep it is no rival where it is to go."""
    if test == "preserve":
        return not arm.sharpens
    return test == "sharp" or arm.name != PRESERVE


def _blur(coding: Coding) -> float:
    """Have the clip's blurry frames ready."""
    begin = perf_counter()
    coding.pair()
    return perf_counter() - begin


def _measure(coding: Coding) -> float:
    """Do it and store its curve; the seconds that it took."""
    begin = perf_counter()
    pair, arm = coding.pair(), coding.arm
    pixels = pair.truth.planes[0].size
    started = perf_counter()
    prepared = arm.prepare(pair.blurry)
    preparing = perf_counter() - started
    points = []
    for rate in coding.rates:
        started = perf_counter()
        answer, size = arm.code(prepared, rate)
        seconds = (perf_counter() - started + preparing) / len(answer)
        points.append({"rate": rate, "bpp": 8 * size / pixels, **score_coded(pair.truth, answer), "seconds": seconds})
    Store(coding.clip.cache / "scores").put(coding.key(), {"points": points})
    return perf_counter() - begin


def _say(say: Say, counted: Any, coding: Coding, seconds: float) -> None:
    say(f"{coding.test} {coding.clip.name}, {coding.arm.name}: {seconds:.1f} s, {next(counted)} to go")


def weight_files(given: list[str]) -> tuple[tuple[str, Path], ...]:
    """`NAME=FILE` each. Raises `UsageError` for another form and for files that aren't there."""
    files = []
    for text in given:
        name, _, path = text.partition("=")
        if not name or not path:
            raise UsageError(f"--with {text}: wants NAME=FILE", hint="Such as --with bvc=run/bvc-compact.safetensors")
        if not Path(path).is_file():
            raise MissingWeights(f"there is no weight file {path}")
        files.append((name, Path(path)))
    return tuple(files)
