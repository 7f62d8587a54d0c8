"""`.bvc` files: `BvcEncoding` is to `Job` what another codec's `Encoding` is, and `BvcWriter` what its `VideoWriter` is."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

from ..codecs.bvc.beside import BesideWriter
from ..codecs.bvc.header import MAX_GOP, QUALITIES, Header
from ..codecs.bvc.records import GOP, RecordReader
from ..errors import CorruptStream, OutputNotWritable, UsageError
from ..media import unfinished
from ..media.passthrough import Passthrough
from ..media.write import Encoding, Target, check_output
from ..types import Clip, HdrMetadata
from .encoder import Encoder
from .model import Model

SUFFIX = ".bvc"
#: Frames from one keyframe to the next unless asked otherwise.
DEFAULT_GOP = 12


@dataclass(frozen=True)
class BvcEncoding(Encoding):
    """How to encode with a model: `encoder` is `bvc`. Raises `UsageError` for a quality or GOP out of range."""

    model: Model | None = None
    #: 1 (smallest) to 8 (best).
    quality: float = 4.0
    gop: int = DEFAULT_GOP
    #: Keep the input's blur instead of sharpening.
    preserve: bool = False
    hdr: HdrMetadata | None = None
    odd_sizes: bool = True
    min_size: tuple[int, int] = (1, 1)

    def __post_init__(self) -> None:
        worst, best = QUALITIES
        if not worst <= self.quality <= best:
            raise UsageError(
                f"quality {self.quality:g} is out of range", hint=f"Choose {worst:g} (smallest) to {best:g} (best); fractions too."
            )
        if not 1 <= self.gop <= MAX_GOP:
            raise UsageError(f"a GOP of {self.gop} frames is out of range", hint=f"Choose 1 to {MAX_GOP}; default {DEFAULT_GOP}.")

    def muxer(self, path: str | os.PathLike[str]) -> str:
        """What stands beside the picture is Matroska. Raises `UsageError` for another suffix than `.bvc`."""
        if Path(path).suffix.lower() != SUFFIX:
            raise UsageError(f"{os.fspath(path)}: what BVC makes is no other container's", hint=f"Name the output {SUFFIX}.")
        return "matroska"

    def writer(self, path: str | os.PathLike[str], target: Target, **options: Any) -> BvcWriter:
        return BvcWriter(path, target, self, **options)

    def header(self, target: Target) -> Header:
        """The header of a stream of these pictures. Raises `CorruptWeights` where the model has no tables."""
        assert self.model is not None
        quality = round(float(self.quality), 2)
        padded, intra = self.model.padded(target.width, target.height), self.model.intra
        return Header(
            width=target.width,
            height=target.height,
            color=target.color,
            frame_rate=target.frame_rate,
            time_base=target.time_base,
            model=self.model.name,
            sha256=self.model.sha256,
            tables=self.model.coder(target.width, target.height, quality).tables_crc(),
            quality=quality,
            gop=self.gop,
            preserve=self.preserve,
            sample_aspect=target.sample_aspect,
            hdr=self.hdr,
            intra=None if intra is None else intra.described(padded, quality),
            contexts=self.model.contexts,
        )


class BvcWriter:
    """Encode Clips into one `.bvc` file; a context manager like `media.write.VideoWriter`: verified and renamed, or nothing.

    `passthrough` carries the other streams of the source.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        target: Target,
        encoding: BvcEncoding,
        *,
        overwrite: bool = False,
        passthrough: Passthrough | None = None,
        tags: Mapping[str, str] | None = None,
        **_: Any,
    ) -> None:
        self.path = os.fspath(path)
        self.encoding = encoding
        self._target = target
        self._overwrite = overwrite
        self._passthrough = passthrough
        self._tags = dict(tags or {})
        self._beside: BesideWriter | None = None
        self._temporary = Path(self.path)

    def __enter__(self) -> BvcWriter:
        check_output(self.path, overwrite=self._overwrite)
        assert self.encoding.model is not None
        header = self.encoding.header(self._target)
        if self._passthrough is not None and not (self._passthrough.empty and not self._tags):
            self._beside = BesideWriter(self._passthrough, self._tags)
        self._temporary = unfinished.begin(Path(self.path))
        try:
            with self._reported():
                self._file = self._temporary.open("wb")
                self._encoder = Encoder(self.encoding.model, header, self._put, self._beside)
        except BaseException:
            self._discard()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is not None:
            self._discard()
            return
        try:
            with self._reported():
                self._encoder.finish()
                self._file.close()
                self._verify()
            unfinished.place(self._temporary, Path(self.path))
        except BaseException:
            self._discard()
            raise

    def write(self, clip: Clip) -> None:
        """Encode a clip's frames. Raises `ShapeError` where its size is not the target's."""
        self._encoder.write(clip)

    @property
    def frames(self) -> int:
        """Frames written so far."""
        return self._encoder.frames

    @property
    def video_bytes(self) -> int:
        """Bytes that they took."""
        return self._encoder.video_bytes

    @property
    def bits(self) -> float:
        """What the model's tables say that the predicted frames cost."""
        return self._encoder.bits

    @property
    def end(self) -> Fraction:
        """Seconds at which the last frame ends."""
        return self._encoder.end

    def _put(self, data: bytes) -> None:
        with self._reported():
            self._file.write(data)

    def _verify(self) -> None:
        """Read all of it back from the disk: every CRC, and the number of frames."""
        try:
            with self._temporary.open("rb") as file:
                records = RecordReader(file, self.path)
                frames = sum(record.frames for record in records if record.kind == GOP)
                records.index()
        except CorruptStream as exc:
            raise OutputNotWritable(f"{self.path}: the written file can't be read back: {exc.message}") from exc
        if frames != self.frames:
            raise OutputNotWritable(f"{self.path}: wrote {self.frames} frames, read back {frames}", hint="Is the disk full?")

    def _discard(self) -> None:
        if self._beside is not None:
            self._beside.discard()
        if hasattr(self, "_file"):
            with contextlib.suppress(OSError):
                self._file.close()
        unfinished.discard(self._temporary)

    @contextlib.contextmanager
    def _reported(self):
        try:
            yield
        except OutputNotWritable:
            raise
        except OSError as exc:
            if exc.errno is None:
                raise
            raise OutputNotWritable(
                f"{self.path}: can't be written: {exc.strerror}", hint="Nothing of it was kept. Is there space?"
            ) from exc
