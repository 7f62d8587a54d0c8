"""The one source of defaults for the Python API and the command line: what each job can be told, validated."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from fractions import Fraction
from typing import Any, TypeVar

from ..codecs import CODECS, codec
from ..errors import UsageError
from ..presets import preset
from ..recipe import StageSpec, parse_scale
from ..restoration.memory import parse_bytes
from .tasks import TASKS, asked_stages, chosen_stages

Options = TypeVar("Options")

#: Fields of `CompressOptions` that stand in place of a CRF.
TARGETS = ("target_psnr", "target_vmaf", "size", "bitrate", "share")
#: The codec whose streams are our own; its options are `learned.BvcOptions`.
LEARNED_CODEC = "bvc"
#: Short for AV1 at full size, with the best place to sharpen. Of the encoders and presets that were measured beside deblurring
#: this one keeps most for next to no time (docs/hybrid.md).
HYBRID_CODEC = "hybrid"
_HYBRID = {"codec": "av1", "encoder_preset": "4", "scale": "1", "enhance": "auto"}
#: What `compress` can be asked for.
COMPRESSING = (*(name for name in CODECS if name != "ffv1"), LEARNED_CODEC, HYBRID_CODEC)
#: Where blurry video is sharpened: before it is compressed, after it, or where it serves this video best.
PLACES = ("before", "after", "auto")
#: The scale that stands for the best one.
BEST_SCALE = "auto"
#: What published networks can compute in, by name.
PRECISIONS = ("fp32", "bf16")
#: What the package's own networks can compute with; auto: OpenVINO in int8 where it is installed and right, else torch.
BACKENDS = ("auto", "torch", "openvino", "openvino-int8")
#: Which of the package's own networks restore: the fast ones, what serves most, or the best ones, which take the longest.
EFFORTS = ("fast", "balanced", "best")


@dataclass(frozen=True)
class Source:
    """What to read of the input."""

    #: Seconds to begin at, and seconds to take; None: all.
    start: float | None = None
    duration: float | None = None
    #: Sample frames at this rate (the first paper takes 15 per second); None: every frame with its own time.
    fps: float | None = None
    #: Keep what decodes of a damaged file, and end with `PartialResult`.
    allow_damaged: bool = False
    #: Repeat the last good frame in place of each damaged one of a BVC stream, and end with `PartialResult`.
    conceal: bool = False
    #: The weight file of a BVC stream's model, where it is none of the package's.
    bvc_weights: str | None = None
    #: The same for what coded its keyframes.
    intra_weights: str | None = None
    #: Copy audio tracks; without it they are left out.
    audio: bool = True
    #: Overwrite an output that exists.
    overwrite: bool = False


@dataclass(frozen=True)
class CompressOptions(Source):
    """How to make a video small: the first paper's section 4.2 by default."""

    codec: str = "x265"
    #: Constant rate factor in the codec's own range; None: the codec's default (x265: 28), or by one of the targets below.
    crf: float | None = None
    #: Find the largest CRF at which the restored video has this mean PSNR-Y (dB), or this mean VMAF.
    target_psnr: float | None = None
    target_vmaf: float | None = None
    #: Find the smallest CRF at which the file takes at most so many bytes, such as "20MB".
    size: str | int | None = None
    #: The same for so many bits per second of the picture, such as "800k", by samples: a long video may take a little more.
    bitrate: str | float | None = None
    #: The same for this part (0 to 1) of what the codec takes at its default CRF and full size.
    share: float | None = None
    #: Sides of the compressed picture over those of the input: 1/4, 1/2 or 1; "auto", with a target: what serves it best.
    scale: str | Fraction = "1/4"
    #: The encoder's speed preset; None: the codec's default (x265: medium).
    encoder_preset: str | None = None
    #: The encoder's own parameters, `key=value:key=value`.
    codec_params: str = ""
    #: Where blurry frames are sharpened: "before" compressing, "after" it, or "auto"; None: nowhere. At full size only.
    enhance: str | None = None
    #: What the recipe inside the file will say; None: super-resolution by what `scale` took away, or what `enhance` leaves to do.
    stages: tuple[StageSpec, ...] | None = None
    #: Weights that the recipe will name, each for the stage of its task; none: the default of each stage.
    network: str | Sequence[str] | None = None

    def __post_init__(self) -> None:
        if self.codec == "ffv1":
            raise UsageError("ffv1 is lossless: it does not compress", hint=f"Choose {', '.join(COMPRESSING)}.")
        if self.codec not in COMPRESSING:
            raise UsageError(f"there is no codec {self.codec!r}", hint=f"Known: {', '.join(COMPRESSING)}.")
        known = codec(self.codec)
        if self.scale != BEST_SCALE:
            object.__setattr__(self, "scale", parse_scale(self.scale))
        self._check_targets()
        self._check_enhance()
        if not self.has_target:
            object.__setattr__(self, "crf", known.default_crf if self.crf is None else float(self.crf))
        object.__setattr__(self, "network", _names(self.network))
        encoder_preset = known.default_preset if self.encoder_preset is None else str(self.encoder_preset)
        object.__setattr__(self, "encoder_preset", encoder_preset)

    @property
    def has_target(self) -> bool:
        """Whether the CRF is still to be found."""
        return any(getattr(self, name) is not None for name in TARGETS)

    @property
    def seeks_scale(self) -> bool:
        """Whether the scale is still to be found."""
        return self.scale == BEST_SCALE

    def at_scale(self, scale: Fraction) -> CompressOptions:
        """The same with this scale."""
        return replace(self, scale=scale)

    def at_bitrate(self, bitrate: float) -> CompressOptions:
        """The same with bits per second in place of another target."""
        return replace(self, **{**dict.fromkeys(TARGETS), "bitrate": bitrate})

    def at_crf(self, crf: float) -> CompressOptions:
        """The same with a CRF in place of a target."""
        return replace(self, crf=crf, **dict.fromkeys(TARGETS))

    def _check_targets(self) -> None:
        named = [f"--{name.replace('_', '-')}" for name in ("crf", *TARGETS) if getattr(self, name) is not None]
        if len(named) > 1:
            raise UsageError(f"{' and '.join(named)} contradict each other", hint="Name one of them: each decides the CRF.")
        for name in ("target_psnr", "target_vmaf"):
            value = getattr(self, name)
            if value is not None:
                object.__setattr__(self, name, _score(value, name))
        if self.size is not None:
            object.__setattr__(self, "size", _bytes(self.size))
        if self.bitrate is not None:
            object.__setattr__(self, "bitrate", parse_bitrate(self.bitrate))
        if self.share is not None and not 0 < self.share <= 1:
            raise UsageError(f"share is {self.share!r}, it must be over 0, at most 1", hint="0.25 asks for a quarter of the bits.")
        if self.scale == BEST_SCALE and not self.has_target:
            raise UsageError(
                "scale auto needs to know what for", hint="Add a target (--size, --bitrate, --share, --target-psnr, --target-vmaf)."
            )

    def _check_enhance(self) -> None:
        if self.enhance is None:
            return
        if self.enhance not in PLACES:
            raise UsageError(f"enhancing {self.enhance!r} is not offered", hint=f"Choose {', '.join(PLACES)}.")
        if self.scale != 1:
            raise UsageError(f"video is sharpened at full size, not at scale {self.scale}", hint="Leave --scale away, or say 1.")
        if self.stages is not None:
            raise UsageError("enhancing says itself what is left to restore", hint="Leave the stages away.")
        if self.target_psnr is not None or self.target_vmaf is not None:
            raise UsageError(
                "a target of quality is measured against the input, which enhancing changes",
                hint="Name a --crf, --size, --bitrate or --share.",
            )

    def to_json(self) -> dict[str, Any]:
        """The fields as JSON values."""
        stages = None if self.stages is None else [stage.to_dict() for stage in self.stages]
        return {**vars(self), "scale": str(self.scale), "stages": stages, "network": list(self.network or ())}


@dataclass(frozen=True)
class RestoreOptions(Source):
    """How to bring a video back. Without stages the recipe inside the file is followed."""

    #: What to do, in order. `make_restore` makes it of a preset or of single tasks.
    stages: tuple[StageSpec, ...] = ()
    #: Look at the video and choose the stages, unless it carries a recipe that names some.
    auto: bool = False
    #: Weights to restore with, by name (`revivid weights list`), each for the stage of its task; none: the default of each stage.
    network: str | Sequence[str] | None = None
    #: Which of the package's own networks restore where none is named: fast, balanced or best, which takes the longest.
    effort: str = "balanced"
    #: x265 CRF (or its equal) that the input was encoded with; None: from the recipe, else from the stream, else 28.
    input_crf: float | None = None
    #: Bytes that a stage may take at its peak, such as "4GiB"; None: most of what is free.
    memory: str | int | None = None
    #: What published networks compute in: fp32, or bf16.
    precision: str = "fp32"
    #: What they compute on: auto (a CUDA device where there is one), cpu, cuda, cuda:1, mps.
    device: str = "auto"
    #: What the package's own networks compute with: auto, torch, openvino or openvino-int8.
    backend: str = "auto"
    #: auto: x264 for 8-bit, x265 for deeper video; or x265, x264, av1, ffv1.
    out_codec: str = "auto"
    out_crf: float | None = None
    out_preset: str | None = None
    #: FFV1 in Matroska.
    lossless: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "network", _names(self.network))
        object.__setattr__(self, "stages", tuple(self.stages))
        if isinstance(self.memory, str):
            object.__setattr__(self, "memory", parse_bytes(self.memory))
        if self.precision not in PRECISIONS:
            raise UsageError(f"there is no precision {self.precision!r}", hint=f"Choose {' or '.join(PRECISIONS)}.")
        if self.effort not in EFFORTS:
            raise UsageError(f"there is no effort {self.effort!r}", hint=f"Choose {', '.join(EFFORTS)}.")
        if self.backend not in BACKENDS:
            raise UsageError(f"there is no backend {self.backend!r}", hint=f"Choose {', '.join(BACKENDS)}.")
        if self.input_crf is not None and not 0 <= self.input_crf <= 51:
            raise UsageError(f"input CRF {self.input_crf:g} is out of range", hint="x265's CRF goes from 0 to 51.")
        if self.auto and self.stages:
            raise UsageError(
                f"--auto and single stages ({', '.join(spec.stage for spec in self.stages)}) contradict each other",
                hint="Name the stages, or let them be chosen.",
            )
        if self.lossless and self.out_codec not in ("auto", "ffv1"):
            raise UsageError(f"--lossless and --out-codec {self.out_codec} contradict each other")
        if self.out_codec != "auto":
            codec(self.out_codec)


def make(kind: type[Options], given: Mapping[str, Any]) -> Options:
    """Build an options class from keyword arguments; an unknown keyword is a `UsageError` that lists the known ones."""
    return kind(**_known(given, [field.name for field in fields(kind)]))  # type: ignore[arg-type]


def make_compress(given: Mapping[str, Any]) -> CompressOptions:
    """The same for `compress` and `roundtrip`, where `preset` is a named recipe whose settings the other keywords override."""
    own = [field.name for field in fields(CompressOptions)]
    options = {key: value for key, value in _known(given, [*own, "preset"]).items() if value is not None}
    name = options.pop("preset", None)
    if name is not None:
        if options.get("codec") == HYBRID_CODEC:
            raise UsageError(
                f"preset {name} and codec hybrid contradict each other: both say how large and how strongly to compress",
                hint="Name one of them; --crf, --size or --bitrate say how small hybrid makes it.",
            )
        chosen = preset(name)
        decided = set(options) & {"crf", *TARGETS}
        settings = {key: value for key, value in chosen.compress.items() if not decided or key not in ("crf", *TARGETS)}
        options = {"stages": chosen.stages, **settings, **options}
    if options.get("codec") == HYBRID_CODEC:
        options = {**_HYBRID, **options, "codec": _HYBRID["codec"]}
    elif options.get("enhance") is not None:
        options = {"scale": "1", **options}
    return CompressOptions(**options)


def make_restore(given: Mapping[str, Any]) -> RestoreOptions:
    """The same for `restore`, where tasks (`super_resolve=4, deblur=True`, see `tasks.TASKS`) or a `preset` name the stages."""
    own = [field.name for field in fields(RestoreOptions)]
    options = dict(_known(given, [*own, "preset", *TASKS]))
    asked = asked_stages(options)
    stages = chosen_stages((*options.pop("stages", ()), *asked), options.pop("preset", None))
    return RestoreOptions(stages=stages, **{key: value for key, value in options.items() if key not in TASKS})


def _score(value: Any, name: str) -> float:
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = 0.0
    if not 0 < number <= 100:
        raise UsageError(f"{name} is {value!r}, it must be a number over 0, at most 100", hint="PSNR in dB, VMAF in points.")
    return number


def _bytes(value: str | int) -> int:
    try:
        return parse_bytes(str(value))
    except UsageError as exc:
        raise UsageError(f"size {str(value)[:40]!r} is no amount of bytes", hint="Write it like 20MB, 1.5GiB or 2e9.") from exc


def parse_bitrate(value: str | float) -> float:
    """Bits per second of "800k", "2.5M" or a number. Raises `UsageError`."""
    text = str(value).strip()
    factor = {"k": 1e3, "K": 1e3, "m": 1e6, "M": 1e6}.get(text[-1:], 1.0)
    try:
        rate = float(text[:-1] if factor > 1 else text) * factor
    except ValueError:
        rate = 0.0
    if not 0 < rate <= 1e12:
        raise UsageError(f"bitrate {text[:40]!r} is no number of bits per second", hint="Write it like 800k or 2.5M.")
    return rate


def _names(network: str | Sequence[str] | None) -> tuple[str, ...]:
    return (network,) if isinstance(network, str) else tuple(network or ())


def _known(given: Mapping[str, Any], known: Sequence[str]) -> Mapping[str, Any]:
    unknown = sorted(set(given) - set(known))
    if unknown:
        raise UsageError(f"unknown option {', '.join(unknown)}", hint=f"Known: {', '.join(known)}.")
    return given
