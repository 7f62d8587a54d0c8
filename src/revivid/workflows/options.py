"""The one source of defaults for the Python API and the command line: what each job can be told, validated."""

from __future__ import annotations

from dataclasses import dataclass, fields
from fractions import Fraction
from typing import Any, TypeVar

from ..codecs import codec
from ..errors import UsageError
from ..recipe import parse_scale

Options = TypeVar("Options")


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
    #: Copy audio tracks; without it they are left out.
    audio: bool = True
    #: Overwrite an output that exists.
    overwrite: bool = False


@dataclass(frozen=True)
class CompressOptions(Source):
    """How to make a video small: the first paper's section 4.2 by default."""

    codec: str = "x265"
    #: Constant rate factor in the codec's own range; None: the codec's default (x265: 28).
    crf: float | None = None
    #: Sides of the compressed picture over those of the input: 1/4, 1/2 or 1.
    scale: str | Fraction = "1/4"
    #: The encoder's preset; None: the codec's default (x265: medium).
    preset: str | None = None
    #: The encoder's own parameters, `key=value:key=value`.
    codec_params: str = ""

    def __post_init__(self) -> None:
        known = codec(self.codec)
        if self.codec == "ffv1":
            raise UsageError("ffv1 is lossless: it does not compress", hint="Choose x265, x264 or av1.")
        object.__setattr__(self, "scale", parse_scale(self.scale))
        object.__setattr__(self, "crf", known.default_crf if self.crf is None else float(self.crf))
        object.__setattr__(self, "preset", known.default_preset if self.preset is None else str(self.preset))


@dataclass(frozen=True)
class RestoreOptions(Source):
    """How to bring a video back. Without a stage option the recipe inside the file is followed."""

    #: Upscale by 2 or 4.
    super_resolve: int | None = None
    #: Weights to restore with, by name (`revivid weights list`); None: the default of each stage.
    network: str | None = None
    #: x265 CRF (or its equal) that the input was encoded with; None: from the recipe, else from the stream, else 28.
    input_crf: float | None = None
    #: auto: x264 for 8-bit, x265 for deeper video; or x265, x264, av1, ffv1.
    out_codec: str = "auto"
    out_crf: float | None = None
    out_preset: str | None = None
    #: FFV1 in Matroska.
    lossless: bool = False

    def __post_init__(self) -> None:
        if self.super_resolve not in (None, 2, 4):
            raise UsageError(f"super-resolution by {self.super_resolve} is not offered", hint="Choose 2 or 4.")
        if self.input_crf is not None and not 0 <= self.input_crf <= 51:
            raise UsageError(f"input CRF {self.input_crf:g} is out of range", hint="x265's CRF goes from 0 to 51.")
        if self.lossless and self.out_codec not in ("auto", "ffv1"):
            raise UsageError(f"--lossless and --out-codec {self.out_codec} contradict each other")
        if self.out_codec != "auto":
            codec(self.out_codec)


def make(kind: type[Options], given: dict[str, Any]) -> Options:
    """Build an options class from keyword arguments; an unknown keyword is a `UsageError` that lists the known ones."""
    known = [field.name for field in fields(kind)]  # type: ignore[arg-type]
    unknown = sorted(set(given) - set(known))
    if unknown:
        raise UsageError(f"unknown option {', '.join(unknown)}", hint=f"Known: {', '.join(known)}.")
    return kind(**given)
