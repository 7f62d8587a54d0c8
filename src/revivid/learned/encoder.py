"""Clips to a BVC stream.

    frame -> R'G'B', padded -> enhance -> keyframe: HEVC, VVC or an autoencoder -> its decoded picture is the first reference
                                       -> others: network, range coder     -> the network's decoded picture is the next one

A group of pictures ends after `gop` frames or where a new scene begins. Before it is written it is taken apart again and its
integers are compared: the coder is trusted no further than that.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

import numpy as np
import torch
from torch import Tensor

from ..codecs.bvc.beside import BesideWriter
from ..codecs.bvc.gop import CodedFrame, GopReader, Shown, to_bytes
from ..codecs.bvc.header import Header
from ..codecs.bvc.records import MAX_PAYLOAD, RecordWriter
from ..errors import OutputNotWritable, ShapeError
from ..media.scenes import CutDetector
from ..types import Clip
from .keyframes import keyframes
from .model import Model
from .pictures import pictures_of


class Encoder:
    """Takes Clips of the header's size and colour and writes the stream through `write`; `finish` ends it.

    `frames` counts frames, `video_bytes` the bytes that they took, `bits` what the tables say that predicted frames cost, and
    `end` is the time at which the last frame is over, in seconds.
    """

    def __init__(self, model: Model, header: Header, write: Callable[[bytes], object], beside: BesideWriter | None = None) -> None:
        self.frames = 0
        self.video_bytes = 0
        self.end = Fraction(0)
        self._network, self._device = model.network, model.device
        self._header = header
        self._padded = model.padded(header.width, header.height)
        self._coder = model.coder(header.width, header.height, header.quality)
        self._group = self._coder.group()
        self._bits = 0.0
        self._keys = keyframes(header, self._padded, model.intra, "the encoder", model.device, model.keyframes)
        self._records = RecordWriter(write, header)
        self._beside = beside
        self._cuts = CutDetector(header.color)
        #: Pictures that the next one may be predicted from, newest first.
        self._seen: list[Tensor] = []
        self._last = Shown(0, 0)
        self._shown: list[Shown] = []
        self._coded: list[CodedFrame] = []

    @property
    def bits(self) -> float:
        """What the tables say that predicted frames cost so far."""
        return self._bits + self._group.bits

    def write(self, clip: Clip) -> None:
        """Code a clip's frames. Raises `ShapeError` where its size is not the header's."""
        if (clip.width, clip.height) != (self._header.width, self._header.height):
            raise ShapeError(f"a clip of {clip.width}x{clip.height} for a stream of {self._header.width}x{self._header.height}")
        with torch.inference_mode():
            for t, (picture, cut) in enumerate(zip(pictures_of(clip, self._padded), self._cuts(clip), strict=True)):
                self._add(picture.to(self._device), clip.times[t], clip.durations[t], cut)

    def finish(self) -> None:
        """Write what is left, and the end."""
        self._close_group()
        if self._beside is not None:
            self._records.side(self._beside.finish())
        self._records.finish(self._last.pts + self._last.duration)

    def _add(self, picture: Tensor, time: Fraction, duration: Fraction, cut: bool) -> None:
        base = self._header.time_base
        shown = Shown(round(time / base), max(1, round(duration / base)))
        if self.frames and shown.pts <= self._last.pts:
            shown = Shown(self._last.pts + 1, shown.duration)
        full = len(self._coded) >= self._header.gop or sum(len(frame.data) for frame in self._coded) > MAX_PAYLOAD // 2
        if cut or full:
            self._close_group()
        keep = picture if self._header.preserve else None
        if not self._coded:
            self._coded.append(self._key(picture if keep is not None else self._network.enhance(picture)))
        else:
            self._coded.append(self._predicted(picture, keep))
        self._shown.append(shown)
        self._last = shown
        self.frames, self.end = self.frames + 1, time + duration

    def _key(self, picture: Tensor) -> CodedFrame:
        coded = self._keys.encode(picture)
        self._seen = [self._keys.decode(coded)]
        return coded

    def _predicted(self, picture: Tensor, keep: Tensor | None) -> CodedFrame:
        reference, *before = self._seen
        coded = self._network.encode(self._network.enhance(picture), reference, self._header.quality, keep, before)
        self._seen = [coded.decoded, *self._seen][: self._network.references]
        motion, residual = (np.asarray(part.cpu(), np.int32) for part in (coded.motion, coded.residual))
        return self._group.encode(motion, residual)

    def _close_group(self) -> None:
        if not self._coded:
            return
        if self._beside is not None:  # what is heard with these frames comes before them
            self._records.side(self._beside.until(self.end))
        payload = to_bytes(self._shown, self._coded)
        self._verify(payload)
        self._records.gop(payload, len(self._coded), self._shown[0].pts)
        self.video_bytes += len(payload)
        self._coded, self._shown = [], []
        self._bits, self._group = self.bits, self._coder.group()

    def _verify(self, payload: bytes) -> None:
        """Keyframes were decoded when they were made; here the rest is, from the bytes that will be written."""
        try:
            group, latents = GopReader(payload, len(self._coded)), self._coder.group()
            group.frame()
            for _ in self._coded[1:]:
                latents.decode(group.frame())
            group.finish()
        except ValueError as fault:
            raise OutputNotWritable(f"the coded frames don't decode: {fault}", hint="Please report this with the input.") from fault
