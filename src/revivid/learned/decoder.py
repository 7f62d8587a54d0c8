"""A BVC stream to pictures, group by group: the inverse of `encoder`, and the only place that decides what to do about damage."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import torch
from torch import Tensor

from .. import limits
from ..codecs.bvc.context_coder import ContextGroup
from ..codecs.bvc.entropy import PlainGroup
from ..codecs.bvc.gop import GopReader, Shown
from ..codecs.bvc.header import Header
from ..codecs.bvc.records import Record, corrupt, located
from ..errors import CorruptStream, UsageError
from ..layers.side_by_side import intra_op_threads
from ..media.timing import Timed
from .keyframes import keyframes
from .model import Expanded, Model

#: What to do where a stream is damaged: raise, leave damaged frames out, or repeat the last good frame in their place.
RAISE, DROP, CONCEAL = "raise", "drop", "conceal"


class Decoder:
    """Decodes groups of pictures into frames with their times, as R'G'B' (1, 3, H, W) in [0, 1] of the padded size.

    `damaged` counts frames that did not decode, whether they were left out or replaced; `threads` is how many this thread should
    use for what it does with the frames, so that those that decode the next one aren't kept waiting.

    Raises `UsageError` where the model's tables are not those that the stream was coded with, as can happen where they are
    computed and not read from the weights.
    """

    def __init__(self, model: Model, header: Header, where: str, on_damage: str = RAISE) -> None:
        self.damaged = 0
        self.threads = max(1, torch.get_num_threads() // 2)
        self._network, self._device = model.network, model.device
        self._header = header
        self._where = where
        self._on_damage = on_damage
        padded = model.padded(header.width, header.height)
        self._keys = keyframes(header, padded, model.intra, where, model.device)
        self._coder = model.coder(header.width, header.height, header.quality)
        self._last: Timed | None = None
        if header.contexts != model.contexts or self._coder.tables_crc() != header.tables:
            raise UsageError(
                f"{where}: the model {model.name} has other tables here than where the stream was made",
                hint="The stream can be decoded with the revivid that made it.",
            )

    def group(self, record: Record, number: int) -> Iterator[Timed]:
        """The frames of a GOP record, the `number`-th of the stream, one by one."""
        whole = 0
        try:
            with located(self._where, record.offset, number):
                if not record.intact:
                    raise ValueError("a group of pictures is damaged (CRC)")
                for frame in self._frames(record):
                    whole += 1
                    self._last = frame
                    yield frame
        except CorruptStream:
            if self._on_damage == RAISE:
                raise
            self.damaged += record.frames - whole
            if self._on_damage == CONCEAL:
                yield from self._repeated(record.frames - whole)

    def _frames(self, record: Record) -> Iterator[Timed]:
        group, latents = GopReader(record.payload, record.frames), self._coder.group()
        key, *others = group.shown
        seen = [self._keys.decode(group.frame())]
        # What of the next frame needs no reference is computed while this one's picture is made, with half of the threads each.
        with ThreadPoolExecutor(1, "revivid-expand") as pool:
            coming = pool.submit(self._expanded, group, latents) if others else None
            yield self._timed(seen[0], key)
            for number, shown in enumerate(others, 1):
                assert coming is not None
                expanded = coming.result()
                coming = pool.submit(self._expanded, group, latents) if number < len(others) else None
                with torch.inference_mode(), intra_op_threads(self.threads):
                    picture = self._network.compose(expanded, seen[0], seen[1:])
                seen = [picture, *seen][: self._network.references]
                yield self._timed(picture, shown)
        group.finish()

    def _expanded(self, group: GopReader, latents: PlainGroup | ContextGroup) -> Expanded:
        """A group's next frame as far as it goes without the one before it."""
        motion, residual = (torch.from_numpy(latent).to(self._device) for latent in latents.decode(group.frame()))
        with torch.inference_mode(), intra_op_threads(self.threads):
            return self._network.expand(motion, residual, self._header.quality)

    def _timed(self, picture: Tensor, shown: Shown) -> Timed:
        time, duration = shown.pts * self._header.time_base, shown.duration * self._header.time_base
        if abs(time) > limits.MAX_SECONDS or duration > limits.MAX_SECONDS:
            raise ValueError(f"a frame is shown at {float(time):.6g} s")
        if self._last is not None and time <= self._last.time:
            if self._on_damage == RAISE:
                raise ValueError(f"the clock steps back to {float(time):.3f} s")
            time = self._last.time + self._header.time_base
        return Timed(picture, time, duration)

    def _repeated(self, count: int) -> Iterator[Timed]:
        """The last good frame in place of lost ones, at the stream's mean rate; nothing where there was none yet."""
        step = 1 / self._header.frame_rate
        for _ in range(count):
            if self._last is None:
                return
            time = self._last.time + self._last.duration
            self._last = Timed(self._last.frame, time, step)
            yield self._last


def nothing_decodes(where: str) -> CorruptStream:
    """The error for a stream of which not a single frame can be kept."""
    return corrupt(where, "not a single frame of it decodes", None, None)
