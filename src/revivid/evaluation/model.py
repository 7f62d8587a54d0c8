"""What `revivid roundtrip` and `revivid evaluate` report, as data; docs/report-json.md documents the JSON field by field."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

from .align import Alignment
from .compare import Comparison
from .machine import VERSION, command_line

#: Names of the JSON formats; the number rises when a field changes its meaning or goes away.
ROUNDTRIP_FORMAT = "revivid-roundtrip/1"
EVALUATION_FORMAT = "revivid-evaluation/1"


@dataclass(frozen=True)
class VideoFile:
    """A file and the video in it, as measured: frames counted, bytes taken from the disk."""

    #: The file's name without its folder, as the file system gives it: hostile until escaped.
    name: str
    codec: str
    #: Size in pixels as displayed.
    width: int
    height: int
    frames: int
    #: Seconds.
    duration: Fraction
    #: Bytes of the file: container, audio, subtitles and attachments included.
    size_bytes: int
    #: Bytes of the video stream's packets alone; None where they were not counted.
    video_bytes: int | None = None
    #: Of the file's bytes, in hexadecimal; None where it was not taken.
    sha256: str | None = None

    @property
    def bitrate(self) -> float | None:
        """Bits per second of the whole file; None for a video of no duration."""
        return float(8 * self.size_bytes / self.duration) if self.duration > 0 else None

    @property
    def video_bitrate(self) -> float | None:
        """Bits per second of the video stream alone."""
        return None if self.video_bytes is None or self.duration <= 0 else float(8 * self.video_bytes / self.duration)

    def to_json(self, pixels: int) -> dict[str, Any]:
        """`pixels`: what bits per pixel are counted against, the original's width x height x frames."""
        return {
            "name": self.name,
            "codec": self.codec,
            "width": self.width,
            "height": self.height,
            "frames": self.frames,
            "duration_s": float(self.duration),
            "size_bytes": self.size_bytes,
            "sha256": self.sha256,
            "video_bytes": self.video_bytes,
            "bitrate_bps": self.bitrate,
            "video_bitrate_bps": self.video_bitrate,
            "bpp": 8 * self.size_bytes / pixels,
            "video_bpp": None if self.video_bytes is None else 8 * self.video_bytes / pixels,
        }


@dataclass(frozen=True, kw_only=True)
class CompressedFile(VideoFile):
    """The small file, and how it was made."""

    #: Quality asked of the encoder: a CRF, or the learned codec's own measure of 1 to 8; the other is None.
    crf: float | None = None
    quality: float | None = None
    #: Side of the coded picture over the side of the original.
    scale: Fraction
    preset: str = ""

    def to_json(self, pixels: int) -> dict[str, Any]:
        asked = {"crf": self.crf, "quality": self.quality, "scale": str(self.scale), "preset": self.preset}
        return super().to_json(pixels) | asked


@dataclass(frozen=True)
class Timings:
    """Wall-clock seconds of the three parts of the job."""

    compress: float
    restore: float
    evaluate: float

    def to_json(self, frames: int) -> dict[str, Any]:
        parts = {"compress": self.compress, "restore": self.restore, "evaluate": self.evaluate}
        seconds = {f"{name}_s": value for name, value in parts.items()}
        return seconds | {"fps": {name: frames / value if value > 0 else None for name, value in parts.items()}}


@dataclass(frozen=True)
class RoundtripReport:
    """Everything that `revivid roundtrip` found out. The frames measured are those of `source`, or every few of them."""

    source: VideoFile
    compressed: CompressedFile
    restored: VideoFile
    #: Decoded and enlarged to the original's size with bicubic interpolation: what one has without revivid.
    bicubic_scores: Comparison
    #: Decoded and restored.
    restored_scores: Comparison
    timings: Timings
    #: `machine.describe_machine()`.
    environment: Mapping[str, Any]
    #: The recipe that the compressed file carries, as JSON data.
    recipe: Mapping[str, Any] = field(default_factory=dict)
    #: Options of the run by name, as given or defaulted.
    options: Mapping[str, Any] = field(default_factory=dict)
    #: What a reader should know, one sentence each.
    notices: Sequence[str] = ()
    #: ISO 8601 with time zone, or empty.
    created: str = ""
    #: What was typed; empty where it was called from Python.
    command: str = field(default_factory=command_line)

    @property
    def pixels(self) -> int:
        """Pixels of the original: what bits per pixel are counted against."""
        return self.source.width * self.source.height * self.source.frames

    @property
    def ratio(self) -> float:
        """How many times smaller the compressed file is than the original, both whole."""
        return self.source.size_bytes / self.compressed.size_bytes

    @property
    def video_ratio(self) -> float | None:
        """The same for the video streams alone."""
        ours, theirs = self.source.video_bytes, self.compressed.video_bytes
        return ours / theirs if ours and theirs else None

    @property
    def baseline_label(self) -> str:
        return "decoded" if self.compressed.scale == 1 else "decoded + bicubic"

    @property
    def gains(self) -> dict[str, float | None]:
        """By metric: mean of the restored video less mean of the bicubic one."""
        return {metric: self.gain(metric) for metric in self.restored_scores.metrics}

    def gain(self, metric: str) -> float | None:
        before, after = self.bicubic_scores.pooled(metric), self.restored_scores.pooled(metric)
        return after.mean - before.mean if before and after else None

    def to_json(self) -> dict[str, Any]:
        """The contents of report.json."""
        bicubic, restored = self.bicubic_scores.to_json(), self.restored_scores.to_json()
        columns = {"bicubic": bicubic.pop("per_frame"), "restored": restored.pop("per_frame")}
        return {
            "format": ROUNDTRIP_FORMAT,
            "version": VERSION,
            "created": self.created,
            "command": self.command,
            "source": self.source.to_json(self.pixels),
            "compressed": self.compressed.to_json(self.pixels),
            "restored": self.restored.to_json(self.pixels),
            "ratio": self.ratio,
            "video_ratio": self.video_ratio,
            "metrics": {"bicubic": bicubic, "restored": restored},
            "gains": self.gains,
            "timings": self.timings.to_json(self.source.frames),
            "environment": dict(self.environment),
            "recipe": dict(self.recipe),
            "options": dict(self.options),
            "notices": list(self.notices),
            "per_frame": columns,
        }


@dataclass(frozen=True)
class MeasuredFile:
    """A file that was measured, by its headers."""

    codec: str
    #: As displayed.
    width: int
    height: int
    #: Mean frames per second.
    frame_rate: Fraction
    #: Seconds; None where the header does not say.
    duration: Fraction | None
    size_bytes: int
    #: Of the file's bytes, in hexadecimal; None of what is no plain file.
    sha256: str | None = None

    @property
    def bitrate(self) -> float | None:
        """Bits per second of the whole file."""
        return float(8 * self.size_bytes / self.duration) if self.duration else None

    def to_json(self) -> dict[str, Any]:
        return {
            "codec": self.codec,
            "width": self.width,
            "height": self.height,
            "frame_rate": float(self.frame_rate),
            "duration_s": None if self.duration is None else float(self.duration),
            "size_bytes": self.size_bytes,
            "bitrate_bps": self.bitrate,
            "sha256": self.sha256,
        }


@dataclass(frozen=True)
class EvaluationReport:
    """What `revivid evaluate REF DIST...` found out."""

    #: Name of the reference's file, without its folder.
    reference: str
    #: By name of the measured file, in the order given.
    distorted: Mapping[str, Comparison]
    #: By the same names: how each lay over the reference before anything was corrected; none of what was not looked at.
    alignments: Mapping[str, Alignment] = field(default_factory=dict)
    #: What the headers say of the files, by the same names and by that of the reference.
    files: Mapping[str, MeasuredFile] = field(default_factory=dict)
    #: What a reader should know, one sentence each.
    notices: Sequence[str] = ()
    options: Mapping[str, Any] = field(default_factory=dict)
    environment: Mapping[str, Any] = field(default_factory=dict)
    #: ISO 8601 with time zone, or empty.
    created: str = ""
    #: What was typed; empty where it was called from Python.
    command: str = field(default_factory=command_line)

    @property
    def metrics(self) -> tuple[str, ...]:
        """Those that were asked for."""
        return next(iter(self.distorted.values())).metrics

    def to_json(self) -> dict[str, Any]:
        """What `--json` prints."""
        return {
            "format": EVALUATION_FORMAT,
            "version": VERSION,
            "created": self.created,
            "command": self.command,
            "reference": self.reference,
            "files": [{"name": name, **file.to_json()} for name, file in self.files.items()],
            "options": dict(self.options),
            "environment": dict(self.environment),
            "notices": list(self.notices),
            "distorted": [
                {"name": name, "alignment": self._alignment(name), **comparison.to_json()}
                for name, comparison in self.distorted.items()
            ],
        }

    def best(self, metric: str) -> str | None:
        """The name of the video with the highest mean; None where the metric is missing everywhere or all are equal."""
        means = {name: pooled.mean for name, comparison in self.distorted.items() if (pooled := comparison.pooled(metric))}
        if not means or (len(means) > 1 and len(set(means.values())) == 1):
            return None
        return max(means, key=lambda name: means[name])

    def _alignment(self, name: str) -> dict[str, object] | None:
        return self.alignments[name].to_json() if name in self.alignments else None
