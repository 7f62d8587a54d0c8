"""Tables 1 to 5 of the first paper as tasks: the inputs of their rows, and the means that everybody has to make good of them.

    1 compression          the clip, coded by several encoders; and the paper's way, a quarter of each side, enlarged
    2 super-resolution x4   |
    3 deblurring            | as it is, and after x265 `medium` at CRF 28, which is what the paper's own rows are
    4 denoising, sigma 10   |
    5 interpolation x2      |
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial

from ..degrade.noise import Noise
from ..media.filtered import filtered
from ..media.scale import pad_to_multiple, resize
from ..recipe import StageSpec
from ..types import Clip
from .masters import Source
from .settings import DECODED, TASKS, Baseline, Sample, Setting, Task, bicubic, coded, denoisers, x265_medium
from .streams import stream_of, task_named

CRF = 28.0
SIGMA = 10.0
_CODED = f"after x265 CRF {CRF:g}"
#: FFmpeg's unsharp masking at half its strength: the whole of it makes blurry frames worse by PSNR than they were.
UNSHARP = "5:5:0.5:5:5:0"
#: Encoders of Table 1 at full size, at the CRFs that `revivid compress` takes for them.
ENCODERS = {
    "x265 medium": ("x265:medium", CRF),
    "x265 medium zerolatency": ("x265:medium:zerolatency", CRF),
    "x265 veryslow": ("x265:veryslow", CRF),
    "x264 medium": ("x264:medium", 23.0),
    "SVT-AV1 6": ("svtav1:6", 35.0),
}
#: Table 1's input that the paper's main job makes.
SMALL = "x265 medium, 1/4 size"


@dataclass(frozen=True)
class TableTask:
    """A table: the task that its rows are arms of."""

    task: Task
    #: A name of `weights.catalogue`'s tasks: what networks of its rows do.
    does: str
    #: Task and setting on which variants of the baselines are searched, shared with `bench quality`.
    searched_on: tuple[str, str] | None = None


def _recoded(source: Source, clean: Callable[[Source], Sample]) -> Sample:
    """The input of a setting, coded and decoded."""
    sample = clean(source)
    given, size = coded(sample.given, x265_medium(CRF))
    return Sample(given, sample.truth, size)


def _pair(clean: Setting, names: tuple[str, str]) -> tuple[Setting, Setting]:
    """A setting without lossy coding, and the same after x265."""
    after = replace(clean, name=names[1], degrade=partial(_recoded, clean=clean.degrade), crf=CRF)
    return replace(clean, name=names[0], quick=True), replace(after, quick=True)


def _encoded(source: Source, stream: str, crf: float) -> Sample:
    chosen = stream_of(stream)
    given, size = coded(source.clip, chosen.loop(crf), chosen.scale)
    return Sample(given, source.clip, size)


def _compression() -> Task:
    decoded: Mapping[str, Baseline] = {"decoded": DECODED}
    settings = [
        Setting(f"{name}, CRF {crf:g}", partial(_encoded, stream=stream, crf=crf), {}, decoded, crf, quick=name == "x265 medium")
        for name, (stream, crf) in ENCODERS.items()
    ]
    small = partial(_encoded, stream="x265:medium@1/4", crf=CRF)
    spec = StageSpec("super-resolve", {"scale": 4})
    settings.append(Setting(f"{SMALL}, CRF {CRF:g}", small, {"": spec}, {"bicubic": bicubic(4)}, CRF, quick=True))
    return Task("table-1", tuple(settings), settings[-1].name)


def _smaller(source: Source) -> Sample:
    padded = pad_to_multiple(source.clip, 8)
    return Sample(resize(padded, padded.width // 4, padded.height // 4), source.clip)


def _super_resolution() -> Task:
    spec = StageSpec("super-resolve", {"scale": 4})
    clean = Setting("", _smaller, {"": spec}, {"bicubic": bicubic(4)})
    after = TASKS["super-resolve-x4"].setting("crf 28")
    names = ("bicubic, 1/4 of each side", f"bicubic, 1/4 of each side, {_CODED}")
    return Task("table-2", (replace(clean, name=names[0], quick=True), replace(after, name=names[1])), names[0])


def _unsharp(sample: Sample) -> Clip:
    return filtered(sample.given, ("unsharp", UNSHARP))


def _deblurring() -> Task:
    task = TASKS["deblur"]
    clean, after, sharp = (task.setting(name) for name in ("shot 7+3", "shot 7+3 crf 28", "sharp"))
    baselines = {"blurry": DECODED, "unsharp": Baseline({UNSHARP: _unsharp})}
    names = ("7 of 10 instants", f"7 of 10 instants, {_CODED}")
    inputs = [replace(one, name=name, baselines=baselines, quick=True) for one, name in zip((clean, after), names, strict=True)]
    # Motion blur isn't made again for the size that is timed.
    return Task("table-3", tuple(inputs), "sharp", others=(replace(sharp, baselines=baselines),))


def _noisy(source: Source) -> Sample:
    return Sample(Noise(SIGMA, "rgb").apply(source.clip), source.clip)


def _denoising() -> Task:
    baselines = {"noisy": DECODED, **denoisers(SIGMA)}
    clean = Setting("", _noisy, {"": StageSpec("denoise", {"sigma": SIGMA})}, baselines)
    names = (f"sigma {SIGMA:g}", f"sigma {SIGMA:g}, {_CODED}")
    return Task("table-4", _pair(clean, names), names[0])


def _interpolation() -> Task:
    names = ("every second frame", f"every second frame, {_CODED}")
    return Task("table-5", _pair(TASKS["interpolate"].setting("x2"), names), names[0])


#: By number of the table.
TABLES: dict[int, TableTask] = {
    1: TableTask(_compression(), "super-resolve"),
    2: TableTask(_super_resolution(), "super-resolve"),
    3: TableTask(_deblurring(), "deblur"),
    4: TableTask(_denoising(), "denoise", ("denoise", f"rgb {SIGMA:g}")),
    5: TableTask(_interpolation(), "interpolate"),
}


def any_task(name: str) -> Task:
    """That of a table, of `settings`, or of a stream."""
    own = {table.task.name: table.task for table in TABLES.values()}
    return own[name] if name in own else task_named(name)
