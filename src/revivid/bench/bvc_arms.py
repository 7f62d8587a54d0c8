"""Who codes clips in `bench bvc`: a codec, with networks that sharpen before it or behind it.

    frames -> [networks] -> x265, AV1 or BVC -> bytes that count -> decoded frames -> [networks] -> frames that are scored

An arm is called by its parts in their order: `deblur+x265` sharpens and then codes, `x265+deblur` codes and then sharpens. `bvc`
and `hybrid` sharpen as `revivid compress` does, `bvc-preserve` codes frames as they are, and `bvc-vvc` has keyframes by vvenc.
`deblur` takes the usual effort, as `hybrid` does, and `deblur-best` the best one, as `bvc` does. `x265` has no look-ahead, as in
the second paper, and `x265-medium` what its preset brings. All have a keyframe every twelve frames.
"""

from __future__ import annotations

import functools
import hashlib
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

import torch

from ..codecs import codec
from ..codecs.bvc import keyframe
from ..codecs.loop import LoopSettings, encode_decode
from ..color import clip_to_rgb, rgb_to_planes
from ..errors import MissingWeights, RevividError, UsageError
from ..learned import model
from ..learned.model import Model
from ..learned.reader import BvcReader
from ..learned.writer import DEFAULT_GOP, BvcEncoding, BvcWriter
from ..media.write import Target
from ..recipe import StageSpec
from ..restoration import REFINER, build
from ..restoration.embedded import load_trained
from ..restoration.engine import Engine, Frame
from ..restoration.stage import Conditions, Stage
from ..types import Clip, join
from ..weights import embedded
from .arms import restored
from .settings import CLEAN

#: Stages of the package that sharpen, and with which effort, by the name of their part.
STAGES = {
    "deblur": (StageSpec("deblur"), "balanced"),
    "deblur-best": (StageSpec("deblur"), "best"),
    "refine": (StageSpec("refine"), "balanced"),
}
HYBRID = "hybrid"
#: Parts that only a weight file can bring.
TRAINED = ("gao", "ifirnn", "venet")
PRESERVE = "bvc-preserve"
VVC = "bvc-vvc"


class Codec(Protocol):
    """A codec with the points of its curve."""

    @property
    def rates(self) -> tuple[float, ...]: ...

    def code(self, clip: Clip, rate: float) -> tuple[Clip, int]:
        """What a viewer gets, and the bytes of it."""
        ...

    def crf(self, rate: float) -> float:
        """What stages behind it are told."""
        ...

    def key(self) -> dict[str, Any]:
        """What tells its scores from others'."""
        ...


@dataclass(frozen=True)
class X265:
    """x265, 4:2:0; by CRF."""

    preset: str
    tune: str = ""
    rates: tuple[float, ...] = (14.0, 18.0, 22.0, 26.0, 30.0, 34.0, 38.0)

    def code(self, clip: Clip, rate: float) -> tuple[Clip, int]:
        return encode_decode(clip, LoopSettings(crf=rate, preset=self.preset, options=self._options()))

    def crf(self, rate: float) -> float:
        return rate

    def key(self) -> dict[str, Any]:
        return {"x265": self.preset, **self._options()}

    def _options(self) -> dict[str, str]:
        # Without the two kilobytes in which x265 writes down its options: of a short clip's bits they would be most.
        own = {"x265-params": f"info=0:keyint={DEFAULT_GOP}:min-keyint={DEFAULT_GOP}:scenecut=0"}
        return {"tune": self.tune, **own} if self.tune else own


@dataclass(frozen=True)
class SvtAv1:
    """SVT-AV1, 4:2:0; by its CRF."""

    preset: str
    rates: tuple[float, ...] = (20.0, 26.0, 32.0, 38.0, 44.0, 50.0, 56.0, 62.0)

    def code(self, clip: Clip, rate: float) -> tuple[Clip, int]:
        return encode_decode(clip, LoopSettings("libsvtav1", rate, self.preset, self._options()))

    def crf(self, rate: float) -> float:
        return codec("av1").as_x265(rate)

    def key(self) -> dict[str, Any]:
        return {"av1": self.preset, **self._options()}

    def _options(self) -> dict[str, str]:
        return {"g": str(DEFAULT_GOP), "svtav1-params": "scd=0"}


@dataclass(frozen=True)
class Learned:
    """BVC by quality, R'G'B' inside and 4:2:0 before and behind it; bytes are those of its groups of pictures, checks included.

    `file`: weights of a BVC or of a cascade. `sharpen`: what the model itself has to sharpen with is used.
    """

    file: Path
    sharpen: bool = False
    keyframes: keyframe.Codec = "hevc"
    rates: tuple[float, ...] = (1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0)

    def code(self, clip: Clip, rate: float) -> tuple[Clip, int]:
        color = replace(clip.color, matrix=clip.color.resolved_matrix(clip.height))
        step, coder = clip.durations[0], replace(load_model(self.file, self.sharpen), keyframes=self.keyframes)
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "clip.bvc"
            target = Target(clip.width, clip.height, color, 1 / step, step)
            with BvcWriter(path, target, BvcEncoding("bvc", model=coder, quality=rate)) as writer:
                writer.write(replace(clip, color=color))
            return clip.with_planes(*join(list(BvcReader(path, model=coder))).planes), writer.video_bytes

    def crf(self, rate: float) -> float:
        worst, best = keyframe.PAPER_QPS
        return worst + (rate - 1) / 7 * (best - worst)

    def key(self) -> dict[str, Any]:
        by = {} if self.keyframes == "hevc" else {"by": self.keyframes}
        return {"bvc": sha256(self.file), "sharpen": self.sharpen, "keyframes": keyframe.QPS, **by}


@dataclass(frozen=True)
class Arm:
    """Parts before a codec, the codec, parts behind it. A part is a name of `STAGES` or a weight file of a cascade."""

    name: str
    before: tuple[str | Path, ...]
    codec: Codec
    after: tuple[str | Path, ...]

    @property
    def sharpens(self) -> bool:
        return bool(self.before or self.after) or (isinstance(self.codec, Learned) and self.codec.sharpen)

    def key(self) -> dict[str, Any]:
        """What tells this arm's scores from others'."""
        before, after = ([_part_key(part) for part in parts] for parts in (self.before, self.after))
        return {"before": before, **self.codec.key(), "after": after}

    def prepare(self, clip: Clip) -> Clip:
        """What the codec gets, the same at every rate."""
        return functools.reduce(lambda frames, part: sharpened(part, frames, CLEAN), self.before, clip)

    def code(self, prepared: Clip, rate: float) -> tuple[Clip, int]:
        """What is scored, and the bytes that count."""
        decoded, size = self.codec.code(prepared, rate)
        crf = self.codec.crf(rate)
        return functools.reduce(lambda frames, part: sharpened(part, frames, crf), self.after, decoded), size


def sharpening(name: str) -> str | None:
    """The package's stage that an arm of this name sharpens with; None: it doesn't, or with something else."""
    if name in ("bvc", VVC):
        return "deblur-best"
    parts = _hybrid() if name == HYBRID else name.split("+")
    return next((part for part in parts if part in STAGES), None)


def arm_of(name: str, files: Mapping[str, Path]) -> Arm:
    """The arm of a name; `files` are weights by name.

    A name of `files` is an arm: the codec of the file, or the cascade with its networks in the order in which it was trained.
    Raises `UsageError` for parts that nobody knows and `MissingWeights` where this machine lacks what an arm needs.
    """
    if name in files and name not in (*TRAINED, "bvc"):
        return _of_file(name, files[name])
    if name in ("bvc", PRESERVE, VVC):
        return _bvc(name, files)
    parts = _hybrid() if name == HYBRID else name.split("+")
    codecs = {
        "x265": X265("medium", "zerolatency"),
        "x265-medium": X265("medium"),
        "x265-veryslow": X265("veryslow"),
        "av1": SvtAv1("4"),
    }
    places = [k for k, part in enumerate(parts) if part in (*codecs, "bvc")]
    if len(places) != 1:
        known = ", ".join((*codecs, "bvc", PRESERVE, VVC, HYBRID, *STAGES, *TRAINED))
        raise UsageError(f"there is no arm {name!r}", hint=f"One codec, networks before or behind it: deblur+x265. Known: {known}.")
    place = places[0]
    codec = Learned(_model_file(files)) if parts[place] == "bvc" else codecs[parts[place]]
    before, after = (tuple(_part(part, files) for part in group) for group in (parts[:place], parts[place + 1 :]))
    return Arm(name, before, codec, after)


def sharpened(part: str | Path, clip: Clip, crf: float) -> Clip:
    """A clip through one part; stages of the package are told the CRF."""
    if isinstance(part, str):
        return restored(stage_of(part, crf), clip)
    with torch.inference_mode():
        frames = (Frame(picture) for picture in clip_to_rgb(clip))
        pictures = torch.stack(list(Engine(_cascade(part).deblurrer).stream(frames)))
        return clip.with_planes(*rgb_to_planes(pictures, clip.color))


@functools.lru_cache(maxsize=4)
def load_model(file: Path, sharpen: bool) -> Model:
    """The model of a BVC's weights, or of a cascade's; unless it is to `sharpen`, without a network that does."""
    if embedded.read(file)[0].network == "bvc_cascade":
        return Model(file.stem, bytes.fromhex(sha256(file)), _cascade(file).codec)
    found = model.load(file)
    if not sharpen:
        found.network.venet = None  # type: ignore[attr-defined]
    return found


@functools.cache
def sha256(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


@functools.lru_cache(maxsize=4)
def _cascade(file: Path) -> Any:
    network = load_trained(file)
    if not hasattr(network, "deblurrer"):
        raise UsageError(f"{file} holds no cascade", hint="Train one: revivid train bvc-cascade.")
    return network


def _hybrid() -> list[str]:
    """What `revivid compress --codec hybrid` does before it compresses, and what its file says is left to do."""
    return ["deblur", "av1", *(["refine"] if REFINER in embedded.names() else [])]


def _bvc(name: str, files: Mapping[str, Path]) -> Arm:
    """A model sharpens with its own network, or with the package's stage where it has none."""
    file = _model_file(files)
    own = embedded.read(file)[0].hyperparameters.get("venet", True)
    if name == PRESERVE:
        return Arm(name, (), Learned(file), ())
    coder = Learned(file, sharpen=own, keyframes="vvc" if name == VVC else "hevc")
    return Arm(name, () if own else (_part("deblur-best", files),), coder, ())


def _of_file(name: str, file: Path) -> Arm:
    metadata = embedded.read(file)[0]
    if metadata.network == "bvc_cascade":
        before = metadata.hyperparameters.get("order", "dc") == "dc"
        return Arm(name, (file,) if before else (), Learned(file), () if before else (file,))
    return replace(_bvc("bvc", {"bvc": file}), name=name)


def _model_file(files: Mapping[str, Path]) -> Path:
    if "bvc" in files:
        return files["bvc"]
    if model.DEFAULT not in embedded.names():
        raise MissingWeights("the package has no trained model of BVC", hint="Name a weight file: --with bvc=FILE.")
    return embedded.folder() / f"{model.DEFAULT}.safetensors"


def _part(name: str, files: Mapping[str, Path]) -> str | Path:
    if name in TRAINED:
        if name not in files:
            raise MissingWeights(f"there are no weights of {name}", hint=f"Name a cascade's weight file: --with {name}=FILE.")
        return files[name]
    if name not in STAGES:
        raise UsageError(f"there is no part {name!r} of an arm", hint=f"Known: {', '.join((*STAGES, *TRAINED))}.")
    try:
        stage_of(name, CLEAN)
    except RevividError as fault:
        raise MissingWeights(f"{name}: {fault.message}") from fault
    return name


def stage_of(part: str, crf: float) -> Stage:
    spec, effort = STAGES[part]
    return build(spec, Conditions(crf=crf, backend="torch", effort=effort))


def _part_key(part: str | Path) -> str:
    """The sha256 of the weights that a part works with, and the effort that it takes."""
    if isinstance(part, Path):
        return sha256(part)
    weights = getattr(stage_of(part, CLEAN), "weights", "")
    effort = STAGES[part][1]
    return f"{sha256(embedded.folder() / f'{weights}.safetensors')} {effort}" if weights in embedded.names() else part
