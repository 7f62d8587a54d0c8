"""What is measured: for each task how clips are made worse, what restores them, and what that is compared with.

    Source -> degrade -> Sample(given, truth) -> stage or baseline -> answer -> scores against the truth

The tasks are those of the embedded networks: every stage is built as `revivid restore` builds it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np

from ..codecs.loop import LoopSettings, encode_decode
from ..degrade.motion_blur import Shutter
from ..degrade.noise import Domain, Noise
from ..errors import UsageError
from ..media import program
from ..media.filtered import filtered
from ..media.scale import crop, pad_to_multiple, resize
from ..media.slow_motion import slowed
from ..recipe import StageSpec
from ..restoration.geometry import Bicubic
from ..types import Clip
from . import blur
from .masters import Source

#: What the stages are told of an input that no lossy encoder has touched.
CLEAN = 0.0


@dataclass(frozen=True)
class Sample:
    """What a restorer gets, and what it should make of it."""

    given: Clip
    truth: Clip
    #: Bytes of the elementary stream that `given` was decoded from.
    bytes: int | None = None


Restorer = Callable[[Sample], Clip]


@dataclass(frozen=True)
class Baseline:
    """A restorer to compare with: one, or several variants of which the one with the best mean PSNR counts."""

    variants: Mapping[str, Restorer]
    #: The frames on which the best variant is searched.
    search: slice = field(default_factory=lambda: slice(None))
    #: Whether its speed says something: it does nothing, or starts a program for it, where this is false.
    timed: bool = True


@dataclass(frozen=True)
class Setting:
    """One way in which a task's inputs are made; a row of its table."""

    name: str
    degrade: Callable[[Source], Sample]
    #: The stage to build, by what it is told; the network is added.
    specs: Mapping[str, StageSpec]
    baselines: Mapping[str, Baseline]
    #: x265 CRF that the stage is told.
    crf: float = CLEAN
    #: Whether a quick run measures it, with one variant of each baseline.
    quick: bool = False
    #: What is scored of what came out of the stage.
    answer: Callable[[Clip, Sample], Clip] = field(default=lambda restored, sample: _cropped(restored, sample.truth))
    #: In place of `specs`: what stands for an arm by its name, with the weights that the package has for it.
    stages: Mapping[str, StageSpec] = field(default_factory=dict)


@dataclass(frozen=True)
class Task:
    """A task of restoration with all its settings."""

    name: str
    settings: tuple[Setting, ...]
    #: The setting whose input serves for timing.
    timed: str
    #: The settings that make a rate-distortion curve, by rising CRF.
    curve: tuple[Setting, ...] = ()
    #: Settings that only serve for timing.
    others: tuple[Setting, ...] = ()
    #: Whether it needs the clips' blurred versions.
    blurred: bool = False

    def setting(self, name: str) -> Setting:
        return next(setting for setting in (*self.settings, *self.curve, *self.others) if setting.name == name)


def _cropped(clip: Clip, truth: Clip) -> Clip:
    return crop(clip, truth.width, truth.height)


def x265_medium(crf: float) -> LoopSettings:
    """`medium`, without the two kilobytes in which x265 writes down its options: of a short clip's bits they would be most."""
    return LoopSettings(crf=crf, preset="medium", options={"x265-params": "info=0"})


def coded(clip: Clip, loop: LoopSettings, scale: int = 1) -> tuple[Clip, int]:
    """The clip made smaller by `scale`, coded and decoded, and its bytes. Sides that don't divide are padded; at full size they are
    cropped again."""
    padded = pad_to_multiple(clip, 2 * scale)
    small = resize(padded, padded.width // scale, padded.height // scale) if scale > 1 else padded
    decoded, size = encode_decode(small, loop)
    return (decoded if scale > 1 else _cropped(decoded, clip)), size


def _as_given(sample: Sample) -> Clip:
    return sample.given


#: The input as it is.
DECODED = Baseline({"": _as_given}, timed=False)


def _enlarged(sample: Sample, scale: int) -> Clip:
    return _cropped(Bicubic(scale).process(sample.given), sample.truth)


def bicubic(scale: int) -> Baseline:
    """The baseline of super-resolution."""
    return Baseline({"": partial(_enlarged, scale=scale)})


def _super_resolve(scale: int) -> Task:
    def degrade(source: Source, crf: float) -> Sample:
        given, size = coded(source.clip, x265_medium(crf), scale)
        return Sample(given, source.clip, size)

    def setting(crf: int) -> Setting:
        spec = StageSpec("super-resolve", {"scale": scale})
        return Setting(f"crf {crf}", partial(degrade, crf=crf), {"": spec}, {"bicubic": bicubic(scale)}, crf, crf == 28)

    crfs, curve = (22, 28, 34), {4: (10, 16, 22, 28, 34, 40), 2: (16, 22, 28, 34, 40, 46)}[scale]
    return Task(f"super-resolve-x{scale}", tuple(map(setting, crfs)), "crf 28", tuple(map(setting, curve)))


def _deartifact() -> Task:
    def degrade(source: Source, crf: float) -> Sample:
        given, size = coded(source.clip, x265_medium(crf))
        return Sample(given, source.clip, size)

    def setting(crf: int) -> Setting:
        make, specs = partial(degrade, crf=crf), {"": StageSpec("deartifact")}
        return Setting(f"crf {crf}", make, specs, {"decoded": DECODED}, crf, crf == 37)

    crfs, curve = (22, 27, 32, 37, 42), (22, 27, 32, 37, 42, 47, 51)
    return Task("deartifact", tuple(map(setting, crfs)), "crf 37", tuple(map(setting, curve)))


def _deblur() -> Task:
    def degrade(source: Source, kind: blur.Kind, shutter: Shutter, crf: float) -> Sample:
        pair = blur.blurred(source, kind, shutter)
        given, size = coded(pair.blurry, x265_medium(crf)) if crf else (pair.blurry, None)
        return Sample(given, pair.truth, size)

    def sharp(source: Source) -> Sample:
        return Sample(source.clip, source.clip)

    def setting(kind: blur.Kind, shutter: Shutter, crf: float) -> Setting:
        name = f"{kind} {shutter.frames}+{shutter.gap}" + (f" crf {crf:g}" if crf else "")
        make = partial(degrade, kind=kind, shutter=shutter, crf=crf)
        return Setting(name, make, {"": StageSpec("deblur")}, {"blurry": DECODED}, crf, name.startswith("shot 7"))

    settings = [
        setting(kind, shutter, crf) for crf in (CLEAN, 28.0) for kind in blur.KINDS for shutter in blur.SHUTTERS[kind]
    ]
    settings.append(Setting("sharp", sharp, {"": StageSpec("deblur")}, {}, CLEAN, True))
    return Task("deblur", tuple(settings), "sharp", blurred=True)


#: The grids of FFmpeg's denoisers: nlmeans' strength (it takes 1 to 30) in parts of sigma times the side of its patches, hqdn3d's
#: spatial strength in parts of sigma and its temporal strength in parts of that.
NLMEANS_STRENGTHS, NLMEANS_PATCHES = (0.05, 0.065, 0.08, 0.1, 0.125), (3, 5, 7)
HQDN3D_SPATIAL, HQDN3D_TEMPORAL = (1.2, 1.7, 2.4, 3.4, 4.8), (0.3, 0.5, 1.0)


def _nlmeans(sample: Sample, options: str) -> Clip:
    return filtered(sample.given, ("nlmeans", options))


def _hqdn3d(sample: Sample, options: str) -> Clip:
    return program.filtered(sample.given, f"hqdn3d={options}")


def denoisers(sigma: float) -> dict[str, Baseline]:
    """FFmpeg's; hqdn3d only where there is an ffmpeg program, for PyAV's libraries lack it."""
    pairs = [(min(max(part * patch * sigma, 1.0), 30.0), patch) for part in NLMEANS_STRENGTHS for patch in NLMEANS_PATCHES]
    texts = [f"s={strength:g}:p={patch}:r=15" for strength, patch in dict.fromkeys(pairs)]
    baselines = {"nlmeans": Baseline({text: partial(_nlmeans, options=text) for text in texts}, slice(None, None, 16))}
    if program.available():
        spatial = [part * sigma for part in HQDN3D_SPATIAL]
        strengths = [(space, time * space) for space in spatial for time in HQDN3D_TEMPORAL]
        texts = [f"{space:g}:{space:g}:{time:g}:{time:g}" for space, time in strengths]
        baselines["hqdn3d"] = Baseline({text: partial(_hqdn3d, options=text) for text in texts}, slice(0, 16), timed=False)
    return baselines


def _denoise() -> Task:
    def degrade(source: Source, noise: Noise, crf: float) -> Sample:
        noisy = noise.apply(source.clip)
        given, size = coded(noisy, x265_medium(crf)) if crf else (noisy, None)
        return Sample(given, source.clip, size)

    def setting(domain: Domain, sigma: float, crf: float = CLEAN) -> Setting:
        name = f"{domain} {sigma:g}" + (f" crf {crf:g}" if crf else "")
        specs = {"": StageSpec("denoise", {"sigma": sigma}), "auto": StageSpec("denoise", {"sigma": "auto"})}
        make = partial(degrade, noise=Noise(sigma, domain), crf=crf)
        return Setting(name, make, specs, denoisers(sigma), crf, name == "yuv 25")

    domains: tuple[Domain, ...] = ("rgb", "yuv")
    settings = [setting(domain, sigma) for domain in domains for sigma in (10.0, 25.0, 50.0)]
    return Task("denoise", (*settings, setting("yuv", 25.0, 22.0)), "yuv 25")


def _interpolate() -> Task:
    def degrade(source: Source) -> Sample:
        kept, dropped = source.clip[::2], source.clip[1::2]
        if len(kept) == len(dropped):  # nothing follows the last dropped frame
            dropped = dropped[:-1]
        if not len(dropped):
            raise UsageError(f"{source.name}: {len(source.clip)} frames are too few to drop every second one")
        durations = tuple(2 * duration for duration in kept.durations)
        return Sample(Clip(kept.planes, kept.times, durations, kept.color), dropped)

    def between(restored: Clip, sample: Sample) -> Clip:
        return restored[1 : 2 * len(sample.truth) : 2]

    def minterpolate(sample: Sample) -> Clip:
        return between(slowed(sample.given, 2), sample)

    def average(sample: Sample) -> Clip:
        planes = [
            ((plane[:-1].astype(np.uint32) + plane[1:] + 1) // 2).astype(plane.dtype)
            for plane in sample.given[: len(sample.truth) + 1].planes
        ]
        return sample.truth.with_planes(*planes)

    baselines = {"minterpolate": Baseline({"": minterpolate}), "averaging": Baseline({"": average})}
    spec = StageSpec("interpolate", {"factor": 2})
    return Task("interpolate", (Setting("x2", degrade, {"": spec}, baselines, quick=True, answer=between),), "x2")


def _fitted(restored: Clip, sample: Sample) -> Clip:
    """At the size of the truth, where a choice of stages made another one."""
    width, height = sample.truth.width, sample.truth.height
    if restored.width >= width and sample.given.width < width:
        return _cropped(restored, sample.truth)  # of what was padded before it was made smaller
    return restored if (restored.width, restored.height) == (width, height) else resize(restored, width, height)


def _auto() -> Task:
    """Everything that `--auto` has to tell apart; it is compared with the input and with each stage by itself."""
    def degrade(source: Source, crf: float = CLEAN, sigma: float = 0.0, blurred: bool = False, scale: int = 1) -> Sample:
        pair = blur.blurred(source, "shot", Shutter(7, 3)) if blurred else None
        given, truth, size = (pair.blurry, pair.truth, None) if pair else (source.clip, source.clip, None)
        if sigma:
            given = Noise(sigma, "yuv").apply(given)
        if crf:
            given, size = coded(given, x265_medium(crf), scale)
        return Sample(given, truth, size)

    # Where the truth is of the input's size, nothing is enlarged: to shrink it again would be all that is measured of sharp frames.
    same = {
        "auto": StageSpec("auto", {"enlarge": False}),
        "denoise": StageSpec("denoise", {"sigma": "auto"}),
        "deblur": StageSpec("deblur"),
    }
    larger = {"auto": StageSpec("auto"), "super-resolve": StageSpec("super-resolve", {"scale": 4})}

    def setting(name: str, quick: bool = False, **how: Any) -> Setting:
        scale = how.get("scale", 1)
        baselines = {"input": DECODED} if scale == 1 else {"bicubic": bicubic(scale)}
        stages, make = same if scale == 1 else larger, partial(degrade, **how)
        return Setting(name, make, {}, baselines if how else {}, how.get("crf", CLEAN), quick, _fitted, stages)

    settings = (
        setting("clean", True),
        setting("crf 28", crf=28.0),
        setting("crf 37", crf=37.0),
        setting("yuv 15", sigma=15.0),
        setting("yuv 15 crf 22", True, sigma=15.0, crf=22.0),
        setting("shot 7+3", blurred=True),
        setting("shot 7+3 crf 28", True, blurred=True, crf=28.0),
        setting("shot 7+3 yuv 15", blurred=True, sigma=15.0),
        setting("1/4 crf 28", True, crf=28.0, scale=4),
    )
    return Task("auto", settings, "yuv 15 crf 22", blurred=True)


#: Task -> what makes its settings; the order of the report.
TASKS: dict[str, Task] = {
    task.name: task
    for task in (_super_resolve(4), _super_resolve(2), _deartifact(), _deblur(), _denoise(), _interpolate(), _auto())
}


def tasks(names: list[str]) -> list[Task]:
    """Tasks by name, all for no names; `super-resolve` stands for both factors. Raises `UsageError` for unknown ones."""
    unknown = [name for name in names if not any(task == name or task.startswith(f"{name}-x") for task in TASKS)]
    if unknown:
        raise UsageError(f"there is no task {unknown[0]!r}", hint=f"Known: super-resolve, {', '.join(TASKS)}.")
    return [task for name, task in TASKS.items() if not names or any(name == n or name.startswith(f"{n}-x") for n in names)]
