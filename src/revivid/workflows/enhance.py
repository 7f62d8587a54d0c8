"""Where blurry video is sharpened, before it is compressed or after it, as serves it best: a choice that is made on samples.

    samples -> deblurred: hardly changed?                               -> nowhere: the video is sharp
            -> deblurred -> encoded -> decoded               \\
                                                               >  PSNR-Y against the deblurred samples, at equal bits
            -> encoded -> decoded -> deblurred               /

The sharp truth is not to be had here, so what deblurring makes of the uncompressed frames stands for it. The refiner, which brings
what was sharpened before nearer to the truth and not to that, is left out of the comparison. Second paper, section 4.3: the
trade-off between enhancing and compressing, as a choice.
"""

from __future__ import annotations

import math
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median

from ..codecs import codec
from ..errors import UsageError
from ..media.reader import Reader
from ..media.source import is_pipe
from ..media.write import Encoding
from ..pipeline import Progress, ProgressFunction, chain
from ..recipe import Recipe, StageSpec
from ..restoration import REFINER, build_all
from ..restoration.stage import Conditions, Stage
from ..types import Clip, join
from .job import Job
from .options import CompressOptions, RestoreOptions, Source
from .samples import Samples, Stretch, encoded, key_interval, read_samples
from .tasks import with_networks

#: Stretches, frames of each that count, and frames behind them for the encoder's look-ahead: deblurring is slow.
_STRETCHES, _COUNTED, _AHEAD = 2, 8, 8
#: What the user should know where there are no weights for refining.
NO_REFINER = "the package has no network that refines what was sharpened before: it comes back as it decodes"
#: PSNR in dB of deblurred frames against themselves from which nothing is enhanced: at 43 to 56 dB sharpening still gained 0.1 to
#: 0.9 dB against the sharp truth, on nearly all scenes (docs/hybrid.md).
_SHARP = 58.0
#: How much better sharpening afterwards must be, in dB: below that the proxy told nothing about the truth (docs/hybrid.md).
_WORTH = 0.5
#: Encodes until the bits are equal, and the part of them that may be left over.
_LOOKS, _NEAR = 4, 0.01
#: The logarithm of bytes that one CRF less costs, at first.
_FALL = math.log(2) / 6

#: Encoder settings and the recipe for a CRF and a place.
Settings = Callable[[float, "str | None"], tuple[Encoding, Recipe]]


@dataclass(frozen=True)
class Enhancement:
    """Where to sharpen, and why."""

    #: "before", "after", or None: nowhere.
    place: str | None
    reason: str


@dataclass(frozen=True)
class _Arm:
    """Samples that came through one place: bytes of a frame, CRF, and PSNR-Y in dB."""

    size: float
    crf: float
    score: float = 0.0

    def describe(self, samples: Samples) -> str:
        kbit_s = self.size * samples.frames / samples.seconds / 125
        return f"{self.score:.2f} dB at {kbit_s:.0f} kbit/s (CRF {self.crf:.3g})"


def deblurring(options: CompressOptions) -> StageSpec:
    """The stage that sharpens, with the weights that the options name for it."""
    return _specs(options)[0]


def left_to_do(options: CompressOptions) -> tuple[StageSpec, ...]:
    """What restores a file whose frames were sharpened at `options.enhance`; nothing where that is still to be found.

    Without weights for refining, what was sharpened before comes back as it decodes.
    """
    deblur, refine = _specs(options)
    if options.enhance == "before":
        from ..weights import embedded  # late, with torch

        return (refine,) if refine.options["network"] in embedded.names() else ()
    return (deblur,) if options.enhance == "after" else ()


def sharpening(
    reader: Reader, options: Source, notices: list[str], spec: StageSpec | None = None, effort: str = "balanced"
) -> list[Stage]:
    """What sharpens a video before it is coded; `notices` receives what is assumed of it."""
    from .judge_input import input_crf  # late, with torch

    given = RestoreOptions(bvc_weights=options.bvc_weights, intra_weights=options.intra_weights)
    conditions = Conditions(crf=input_crf(reader, None, given, notices), effort=effort)
    return build_all([spec or StageSpec("deblur")], conditions)


def choose(job: Job, options: CompressOptions, settings: Settings, report: ProgressFunction | None = None) -> Enhancement:
    """Where to sharpen what `job` reads, which doesn't sharpen itself.

    Raises `UsageError` where samples can't be read ahead, and `MissingWeights`.
    """
    if is_pipe(job.reader.path) or not job.reader.expected_frames:
        raise UsageError(
            f"{job.reader.path}: where to sharpen is found on samples, which can't be read ahead",
            hint="Name --enhance before or after, or save it to a file first.",
        )
    progress = Progress("find where to sharpen")

    def advance(frames: int) -> None:
        progress.advance(frames)
        if report is not None:
            report(progress)

    samples = _shortened(read_samples(job, stretches=_STRETCHES, counted=_COUNTED, with_originals=False))
    deblur = sharpening(job.reader, options, [], deblurring(options))
    sharp: list[Stretch] = []
    for stretch in samples.stretches:
        clip = join(list(chain([stretch.clip], deblur)))
        sharp.append(replace(stretch, clip=clip, original=clip[: stretch.counted]))
        advance(stretch.counted)
    change = median(value for a, b in zip(samples.stretches, sharp, strict=True) for value in _psnr(a.clip, b.clip, a.counted))
    if change >= _SHARP:
        return Enhancement(None, f"deblurring would hardly change a frame ({change:.0f} dB): sharp enough, nothing is enhanced")
    with tempfile.TemporaryDirectory(prefix="revivid-enhance-") as folder:
        trial = _Trial(job, replace(samples, stretches=tuple(sharp)), settings, Path(folder) / f"sample{Path(job.output).suffix}")
        crf = codec(options.codec).default_crf if options.crf is None else options.crf
        before = trial.arm(crf, sharp, None, judged=True)
        equal = _equal_crf(trial, crf, samples.stretches, before.size, options.codec)
        after = trial.arm(equal, samples.stretches, "after", judged=True)
    place = "after" if after.score > before.score + _WORTH else "before"
    progress.finish()
    return Enhancement(
        place,
        f"sharpening before compressing keeps {before.describe(samples)}, after it {after.describe(samples)}, of what it makes of "
        f"{samples.counted} uncompressed frames: {place}",
    )


class _Trial:
    """Encodes samples in one place or the other."""

    def __init__(self, job: Job, sharp: Samples, settings: Settings, path: Path) -> None:
        self.job, self.sharp, self.settings, self.path = job, sharp, settings, path

    def arm(self, crf: float, stretches: Sequence[Stretch], place: str | None, *, judged: bool = False) -> _Arm:
        """`stretches` at `crf`; `judged`: with the score of what the recipe of `place` makes of them."""
        from .judge import scores  # late, with torch

        encoding, recipe = self.settings(crf, place)
        width, height = self.job.size  # padded, as the samples are
        text = replace(recipe, width=width, height=height).to_json()
        rows, coded = [], []
        for stretch, sharp in zip(stretches, self.sharp.stretches, strict=True):
            coded.append(encoded(self.job, stretch, encoding, text, self.path).frames)
            if judged:
                assert sharp.original is not None
                rows.append(scores(self.path, sharp.original, "psnr_y", RestoreOptions()))
        interval = key_interval(encoding)
        size = self.sharp.mean([[float(frame.size) for frame in row] for row in coded], coded, interval)
        return _Arm(size, crf, self.sharp.mean(rows, coded, interval) if judged else 0.0)


def _equal_crf(trial: _Trial, crf: float, stretches: Sequence[Stretch], size: float, name: str) -> float:
    """The CRF at which `stretches` take `size` bytes a frame, in a few secant steps."""
    known = codec(name)
    step = 1.0 if name == "av1" else 0.1
    seen = [(crf, math.log(trial.arm(crf, stretches, "after").size / size))]
    fall = _FALL
    while len(seen) < _LOOKS and abs(seen[-1][1]) > _NEAR:
        last, over = seen[-1]
        crf = min(max(round((last + over / fall) / step) * step, 1.0), known.max_crf)
        if crf in (place for place, _ in seen):
            break
        seen.append((crf, math.log(trial.arm(crf, stretches, "after").size / size)))
        if seen[-1][1] != over:
            fall = max((over - seen[-1][1]) / (crf - last), _FALL / 4)
    return min(seen, key=lambda place: abs(place[1]))[0]


def _shortened(samples: Samples) -> Samples:
    """The same with no more frames than a choice needs."""
    cut = [
        Stretch(s.clip[: min(s.counted, _COUNTED) + _AHEAD], None, min(s.counted, _COUNTED)) for s in samples.stretches
    ]
    return replace(samples, stretches=tuple(cut), whole=samples.whole and cut[0].counted == samples.frames)


def _psnr(a: Clip, b: Clip, count: int) -> list[float]:
    """PSNR-Y in dB of each of the first frames."""
    from ..metrics.pixel import psnr_from_mse  # late, with torch

    differences = a.planes[0][:count].astype(float) - b.planes[0][:count]
    return [psnr_from_mse(float((frame**2).mean()), a.color.peak) for frame in differences]


def _specs(options: CompressOptions) -> tuple[StageSpec, StageSpec]:
    """Deblurring and refining, with the weights that the options name for them."""
    deblur, refine = with_networks((StageSpec("deblur"), StageSpec("refine", {"network": REFINER})), options.network or ())
    return deblur, refine
