"""The CRF for a target: so much PSNR-Y or VMAF of the restored video, or so many bytes or bits, found by compressing samples.

    samples -> at each CRF that `search` asks for: encode -> bytes -> [decode -> restore -> score] -> Probe
    Found -> encode -> larger than asked? a higher CRF by the measured slope, twice at most
"""

from __future__ import annotations

import math
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any, Literal, NamedTuple

from ..codecs import codec
from ..errors import OutputTooLarge, UnreachableTarget, UsageError
from ..media.source import is_pipe
from ..media.write import Encoding
from ..pipeline import Progress, ProgressFunction
from ..recipe import Recipe
from .job import Job, JobResult
from .options import CompressOptions, RestoreOptions
from .samples import Coded, Samples, encoded, key_interval, read_samples
from .search import last_reaching

PROBES = 8
#: How often a file that came out too large is encoded again.
RETRIES = 2
#: CRF 0 is lossless to x264 and means "not said" to FFmpeg's SVT-AV1.
_LEAST_CRF = 1.0
#: Stretches and frames of each that count: restoring costs far more than encoding, and size is what samples are worst at.
_STRETCHES = {"psnr_y": (4, 24), "vmaf": (4, 24), "size_bytes": (6, 32), "kbit_s": (4, 24)}
#: What one CRF more costs, roughly, in dB, points and the logarithm of bytes: where a search looks second.
_FALL = {"psnr_y": 0.5, "vmaf": 1.2, "size_bytes": math.log(2) / 6, "kbit_s": math.log(2) / 6}
#: What a rate's restored samples are compared by, where scales are to be compared.
_JUDGED_BY = "psnr_y"
#: What was taken away by scaling costs no more: the part of the dB that is left, by scale.
_SCALED_FALL = {Fraction(1): 1.0, Fraction(1, 2): 0.5, Fraction(1, 4): 0.3}
#: Bytes of a container's tables for each frame, estimated generously.
_FRAME_ENTRY = 16

#: Encoder settings and the recipe for a CRF.
Settings = Callable[[float], tuple[Encoding, Recipe]]


@dataclass(frozen=True)
class Goal:
    """What was asked for."""

    metric: Literal["psnr_y", "vmaf", "size_bytes", "kbit_s"]
    #: dB, VMAF points, bytes of the whole file, or kbit/s of the picture's stream.
    value: float

    @classmethod
    def of(cls, options: CompressOptions) -> Goal | None:
        """The target among the options, which has been checked to be alone there; None where a CRF was."""
        if options.target_psnr is not None:
            return cls("psnr_y", options.target_psnr)
        if options.target_vmaf is not None:
            return cls("vmaf", options.target_vmaf)
        if options.bitrate is not None:
            return cls("kbit_s", float(options.bitrate) / 1000)
        return None if options.size is None else cls("size_bytes", int(options.size))

    @property
    def limits_bits(self) -> bool:
        """Whether it is a size or a rate, and no quality."""
        return self.metric in ("size_bytes", "kbit_s")

    def describe(self) -> str:
        if self.metric == "kbit_s":
            return f"at most {self.value:,.1f} kbit/s"
        return f"at most {self.value:,.0f} bytes" if self.metric == "size_bytes" else f"at least {self.shown(self.value)}"

    def shown(self, score: float) -> str:
        """A score with the metric's name and unit."""
        return f"VMAF {score:.2f}" if self.metric == "vmaf" else f"PSNR-Y {score:.2f} dB"


@dataclass(frozen=True)
class Probe:
    """What the samples say of one CRF."""

    crf: float
    #: Of the whole video's stream.
    kbit_s: float
    #: Of the whole file; None where the target is no size.
    size_bytes: int | None = None
    #: PSNR-Y or VMAF of the restored frames, their mean; of a rate PSNR-Y, where scales were compared.
    score: float | None = None

    def describe(self, goal: Goal) -> str:
        score = [] if self.score is None else [goal.shown(self.score)]
        size = [] if self.size_bytes is None else [f"about {self.size_bytes:,} bytes"]
        return ", ".join([*score, *size, f"{self.kbit_s:.1f} kbit/s"])


class Encode(NamedTuple):
    """A real encode."""

    crf: float
    size_bytes: int


@dataclass(frozen=True)
class Found:
    """The CRF for a goal, and how it was found."""

    goal: Goal
    crf: float
    #: In the order in which they were made.
    probes: tuple[Probe, ...]
    #: Frames that were measured in each probe.
    sampled_frames: int
    codec: str
    scale: Fraction = Fraction(1)
    #: What came out, for a size.
    encodes: tuple[Encode, ...] = ()
    #: What was found at the scales that were tried, this one among them; empty where the scale was given.
    tried: tuple[Found, ...] = ()

    @property
    def chosen(self) -> Probe:
        """The probe at the CRF that was found."""
        return next(probe for probe in self.probes if probe.crf == self.crf)

    def steps(self) -> list[str]:
        """For the plan: one line for each probe, and one for the choice."""
        if self.tried:
            lines = [f"scale {found.scale}, CRF {found.crf:g}: {found.chosen.describe(self.goal)}" for found in self.tried]
            return [*lines, f"choose scale {self.scale}, CRF {self.crf:g} for {self.goal.describe()}"]
        lines = [f"probe CRF {probe.crf:g}: {probe.describe(self.goal)}" for probe in self.probes]
        return [*lines, f"choose CRF {self.crf:g} for {self.goal.describe()}"]

    def notice(self) -> str:
        frames = f"{self.sampled_frames} sampled frames"
        scale = f"scale {self.scale} and " if self.tried else ""
        return (
            f"{scale}CRF {self.crf:g} was chosen for {self.goal.describe()}, by {len(self.probes)} probes of {frames}: "
            f"{self.chosen.describe(self.goal)}"
        )

    def to_json(self) -> dict[str, Any]:
        return {
            "metric": self.goal.metric,
            "asked": self.goal.value,
            "crf": self.crf,
            "scale": str(self.scale),
            "scales": [{"scale": str(found.scale), **asdict(found.chosen)} for found in self.tried],
            "sampled_frames": self.sampled_frames,
            "probes": [asdict(probe) for probe in self.probes],
            "encodes": [encode._asdict() for encode in self.encodes],
        }


def find(
    job: Job,
    options: CompressOptions,
    settings: Settings,
    restore: RestoreOptions,
    report: ProgressFunction | None = None,
    *,
    judged: bool = False,
) -> Found:
    """The largest CRF that reaches the options' quality, or the smallest that keeps their size, on samples of what `job` reads.

    `restore` says how the small file will be restored. `judged`: a size's or a rate's choice gets a score too. Raises
    `UnreachableTarget` where no CRF does it, `MissingTool` or `MissingWeights` where it can't be measured.
    """
    goal = Goal.of(options)
    assert goal is not None
    judged = judged or not goal.limits_bits
    if judged:
        from .judge import check_can_judge  # late, with torch: compressing to a size needs none

        check_can_judge(goal.metric)
    carried = _carried(job, goal) if goal.metric == "size_bytes" else 0
    stretches, counted = _STRETCHES[goal.metric]
    samples = read_samples(job, stretches=stretches, counted=counted, with_originals=judged)
    known = codec(options.codec)
    step = _step(options.codec)
    places = int((known.max_crf - _LEAST_CRF) / step) + 1
    crfs = [_LEAST_CRF + place * step for place in range(places)]
    if goal.limits_bits:
        crfs.reverse()  # the search wants what it looks for to fall: here the budget that is left
    with tempfile.TemporaryDirectory(prefix="revivid-probe-") as folder:
        prober = _Prober(job, goal, samples, settings, restore, carried, Path(folder), report)
        begin = min(range(places), key=lambda place: abs(crfs[place] - known.default_crf))
        wanted = -math.log(goal.value) if goal.limits_bits else goal.value
        fall = step * _FALL[goal.metric] * (_SCALED_FALL[Fraction(options.scale)] if goal.metric == "psnr_y" else 1)
        place = last_reaching(lambda place: prober.look(crfs[place]), wanted, places, begin=begin, fall=fall, looks=PROBES)
        if place is not None and judged and goal.limits_bits:
            prober.judge(crfs[place])
        prober.progress.finish()
        if report is not None:
            report(prober.progress)
    if place is None:
        raise _unreachable(goal, prober.probes, options)
    return Found(goal, crfs[place], tuple(prober.probes), samples.counted, options.codec, Fraction(options.scale))


def rate(job: Job, settings: tuple[Encoding, Recipe]) -> float:
    """Bits per second of the picture's stream that `job` makes with these settings, by samples."""
    stretches, counted = _STRETCHES["kbit_s"]
    samples = read_samples(job, stretches=stretches, counted=counted, with_originals=False)
    with tempfile.TemporaryDirectory(prefix="revivid-probe-") as folder:
        goal = Goal("kbit_s", 1.0)
        prober = _Prober(job, goal, samples, lambda _: settings, RestoreOptions(), 0, Path(folder), None)
        prober.look(0.0)
    return 1000 * prober.probes[0].kbit_s


def encode(found: Found, job_at: Callable[[float], Job], report: ProgressFunction | None = None) -> JobResult:
    """Do `job_at` the CRF that was found. What is larger than asked is encoded again, and never kept.

    Raises `UnreachableTarget` where it is still too large then, and what `Job.run` raises.
    """
    crf, slopes, said = found.crf, [_slope(found)], [found.notice()]
    for left in reversed(range(RETRIES + 1)):
        job = job_at(crf)
        job.notices += said
        job.max_bytes = int(found.goal.value) if found.goal.metric == "size_bytes" else None
        try:
            result = job.run("compress", report)
        except OutputTooLarge as fault:
            last = found.encodes[-1] if found.encodes else None
            found = replace(found, encodes=(*found.encodes, Encode(crf, fault.size_bytes)))
            if last is not None and last.size_bytes > fault.size_bytes:
                slopes.append(math.log(last.size_bytes / fault.size_bytes) / (crf - last.crf))
            higher = _higher(found, fault, min(slopes), spare=left == 1) if left else None
            if higher is None:
                raise _too_large(found) from fault
            said.append(
                f"at CRF {crf:g} the file took {fault.size_bytes:,} bytes instead of {found.goal.value:,.0f} at most: "
                f"encoded again at CRF {higher:g}"
            )
            crf = higher
            continue
        found = replace(found, crf=crf, encodes=(*found.encodes, Encode(crf, result.size_bytes)))
        return replace(result, target=found.to_json())
    raise AssertionError("the last encode returns or raises")


def check_input(source: str) -> None:
    """`UsageError` where the input is a pipe: samples are read before the video is."""
    if is_pipe(source):
        raise UsageError(
            "a target needs its input twice, for samples and for the work, and a pipe can be read once only",
            hint="Save it to a file first, or name a --crf.",
        )


class _Prober:
    """Compresses the samples at any CRF, and remembers what came of it."""

    def __init__(
        self,
        job: Job,
        goal: Goal,
        samples: Samples,
        settings: Settings,
        restore: RestoreOptions,
        carried: int,
        folder: Path,
        report: ProgressFunction | None,
    ) -> None:
        self.probes: list[Probe] = []
        self.progress = Progress("find the CRF")
        self._job, self._goal, self._samples, self._settings = job, goal, samples, settings
        self._restore, self._carried, self._report = restore, carried, report
        self._path = folder / f"sample{Path(job.output).suffix}"

    def look(self, crf: float) -> float:
        """What `search` compares: the score, or the logarithm of the bytes, negative."""
        encoding, coded, score = self._coded(crf, None if self._goal.limits_bits else self._goal.metric)
        frames = [one.frames for one in coded]
        sizes = [[float(frame.size) for frame in row] for row in frames]
        video = self._samples.mean(sizes, frames, key_interval(encoding)) * self._samples.frames
        kbit_s = round(video / 125 / self._samples.seconds, 2)
        size = round(video) + self._carried + self._container(coded) if self._goal.metric == "size_bytes" else None
        self.probes.append(Probe(crf, kbit_s, size, None if score is None else round(score, 4)))
        if score is not None:
            return score
        return -math.log(kbit_s if size is None else size)

    def judge(self, crf: float) -> None:
        """Add the score to the probe at `crf`."""
        _, _, score = self._coded(crf, _JUDGED_BY)
        self.probes = [replace(probe, score=score) if probe.crf == crf else probe for probe in self.probes]

    def _coded(self, crf: float, metric: str | None) -> tuple[Encoding, list[Coded], float | None]:
        """The encoder's settings, the samples through it, and how good they come back by `metric`."""
        encoding, recipe = self._settings(crf)
        coded: list[Coded] = []
        rows = []
        for stretch in self._samples.stretches:
            coded.append(encoded(self._job, stretch, encoding, recipe.to_json(), self._path))
            if metric is not None and stretch.original is not None:
                from .judge import scores

                rows.append(scores(self._path, stretch.original, metric, self._restore))
            self.progress.advance(stretch.counted)
            if self._report is not None:
                self._report(self.progress)
        score = self._samples.mean(rows, [one.frames for one in coded], key_interval(encoding)) if rows else None
        return encoding, coded, score

    def _container(self, coded: Sequence[Coded]) -> int:
        """Bytes of the whole file's headers and tables."""
        stretches = zip(coded, self._samples.stretches, strict=True)
        headers = max(one.beside - _FRAME_ENTRY * len(stretch.clip) for one, stretch in stretches)
        return max(0, headers) + _FRAME_ENTRY * self._samples.frames


def _carried(job: Job, goal: Goal) -> int:
    """Bytes of the streams that are carried along."""
    carried = job.carried_bytes()
    if carried >= goal.value:
        raise UnreachableTarget(
            f"what is carried beside the picture takes {carried:,} bytes, the whole file may take {goal.value:,.0f}",
            hint="Leave audio out (--no-audio), or allow more bytes.",
        )
    return carried


def _step(name: str) -> float:
    """SVT-AV1 takes whole CRFs only."""
    return 1.0 if name == "av1" else 0.5


def _slope(found: Found) -> float:
    """By how much the logarithm of the bytes falls with each CRF, around the one that was found."""
    above = [probe for probe in found.probes if probe.crf > found.crf]
    below = [probe for probe in found.probes if probe.crf < found.crf]
    ends = [min(above, key=lambda probe: probe.crf)] if above else [max(below, key=lambda probe: probe.crf)] if below else []
    for end in ends:
        fall = math.log(found.chosen.kbit_s / end.kbit_s) / (end.crf - found.crf) if end.kbit_s and found.chosen.kbit_s else 0.0
        if fall > 0:
            return fall
    return _FALL["size_bytes"]


def _higher(found: Found, fault: OutputTooLarge, slope: float, *, spare: bool) -> float | None:
    """The CRF at which the file should be small enough, one step more with `spare`; None where there is none."""
    step, highest = _step(found.codec), codec(found.codec).max_crf
    crf = found.encodes[-1].crf
    budget = found.goal.value - (fault.size_bytes - fault.video_bytes)
    if budget <= 0 or crf >= highest:
        return None
    steps = max(1, math.ceil(math.log(fault.video_bytes / budget) / slope / step)) + spare
    return min(crf + steps * step, highest)


def _unreachable(goal: Goal, probes: Sequence[Probe], options: CompressOptions) -> UnreachableTarget:
    if goal.limits_bits:
        least = min(probes, key=lambda probe: probe.kbit_s)
        return UnreachableTarget(
            f"no CRF of {options.codec} makes the file {goal.describe()}: CRF {least.crf:g} still takes {least.describe(goal)}",
            hint="Allow more bytes, or choose a smaller --scale, a slower --encoder-preset or --no-audio.",
        )
    best = max(probes, key=lambda probe: probe.score or 0.0)
    return UnreachableTarget(
        f"no CRF of {options.codec} at --scale {options.scale} gives {goal.describe()}: "
        f"the most is {best.describe(goal)}, at CRF {best.crf:g}",
        hint="Ask for less." if options.scale == 1 else "Choose a larger --scale (1/2 or 1), or ask for less.",
    )


def _too_large(found: Found) -> UnreachableTarget:
    made = ", ".join(f"{encode.size_bytes:,} bytes at CRF {encode.crf:g}" for encode in found.encodes)
    return UnreachableTarget(
        f"the file did not become {found.goal.describe()}: {made}; nothing was kept",
        hint=f"Choose a --crf above {found.encodes[-1].crf:g}, a smaller --scale, or allow more bytes.",
    )
