"""Does a video show the same frames at the same places and of the same brightness as its reference? Asked of its first frames.

    clips -> look -> Look (thumbnails, and the middle of each picture) -- both --> find -> Alignment -> describe
                                                     all alignments --> overlap -> Overlap -> cut, what all of them show

Frames: the offset whose thumbnails correlate best, wherever the picture was moved to. Pixels: the whole-pixel shift of least
squared error, with the fraction by a parabola through its neighbours (as block matching refines its vectors). Both are claimed
only where they explain much of the difference, so that compression and blur alone don't look like misalignment.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice

import numpy as np

from ..errors import UsageError
from ..types import Clip, ColorSpec
from .compare import frames_of

#: Frames and pixels by which videos are searched for.
REACH = 8
#: Frames that must move before the search begins, and frames that are looked at in order to find them.
_MOVING, _LONGEST = 12, 100
#: Sides of a thumbnail and of the middle of the picture, at most.
_THUMBNAIL, _MIDDLE = 96, 192
#: An explanation leaves at most this part of the squared error.
_EXPLAINED = 0.6
#: Explanations are equally good up to so many times the least error.
_ALIKE = 1.2
#: Of the range from black to white: what counts as movement, and as another brightness.
_MOVES, _BRIGHTER = 0.004, 0.03
#: What mistaking full range for limited does to brightness: (gain, lift), and the other way round.
_RANGES = {"limited range was taken for full": (219 / 255, 16 / 255), "full range was taken for limited": (255 / 219, -16 / 219)}


@dataclass(frozen=True)
class Alignment:
    """How a video lies over its reference."""

    #: The reference's frame t is this video's frame t + `frames`.
    frames: int = 0
    #: Pixels by which its picture lies further right and further down.
    shift: tuple[int, int] = (0, 0)
    #: What is left of the shift: parts of a pixel.
    fraction: tuple[float, float] = (0.0, 0.0)
    #: Brightness, with black 0 and white 1, is `gain` times the reference's, and `lift` more.
    gain: float = 1.0
    lift: float = 0.0

    def to_json(self) -> dict[str, object]:
        return {
            "frames": self.frames,
            "shift": list(self.shift),
            "fraction": list(self.fraction),
            "gain": self.gain,
            "lift": self.lift,
        }

    def describe(self, name: str, *, corrected: bool) -> list[str]:
        """What is wrong, a sentence each; nothing where all is well."""
        told = []
        end = "corrected" if corrected else "--align corrects it"
        if self.frames:
            way = "later" if self.frames > 0 else "earlier"
            told.append(f"{name} shows the reference's frames {_count(abs(self.frames), 'frame')} {way}: {end}")
        if any(self.shift):
            right, down = self.shift
            parts = [f"{_count(abs(right), 'pixel')} to the {'right' if right > 0 else 'left'}"] if right else []
            parts += [f"{_count(abs(down), 'pixel')} {'down' if down > 0 else 'up'}"] if down else []
            told.append(f"the picture of {name} lies {' and '.join(parts)} of the reference's: {end}")
        if max(map(abs, self.fraction)) > 0.3:
            right, down = self.fraction
            told.append(f"the picture of {name} lies about {right:+.1f} pixels across and {down:+.1f} down: not corrected")
        if self.other_brightness:
            black, white = (round(255 * value) for value in (self.lift, self.gain + self.lift - 1))
            likely = [words for words, pair in _RANGES.items() if max(abs(self.gain - pair[0]), abs(self.lift - pair[1])) < 0.025]
            reason = f"; it looks as if {likely[0]}" if likely else ""
            where = f"black {black:+d}, white {white:+d} of 255"
            told.append(f"{name} has another brightness, {where}{reason}: it is measured as it is")
        return told

    @property
    def other_brightness(self) -> bool:
        return max(abs(self.lift), abs(self.gain + self.lift - 1)) > _BRIGHTER


@dataclass(frozen=True)
class Look:
    """What is kept of a video's first frames, luma with black 0 and white 1."""

    #: (T, h, w), each pixel the mean of `factor` x `factor`.
    thumbnails: np.ndarray
    factor: int
    #: (T, H, W): the middle of the picture.
    middles: np.ndarray
    #: Of the first frame.
    color: ColorSpec
    matrix: int


@dataclass(frozen=True)
class Overlap:
    """What several videos and their reference all show."""

    #: Frames of the reference, and of each video by name, before the first that all have.
    skipped: int
    skips: Mapping[str, int]
    #: Of the reference's picture: x, y, both even, width, height.
    box: tuple[int, int, int, int]
    shifts: Mapping[str, tuple[int, int]]

    def of_reference(self, clips: Iterable[Clip]) -> Iterator[Clip]:
        """The reference's part."""
        return _part(clips, self.skipped, self.box)

    def of(self, name: str, clips: Iterable[Clip]) -> Iterator[Clip]:
        """The same part of one of the videos."""
        x, y, width, height = self.box
        right, down = self.shifts[name]
        return _part(clips, self.skips[name], (x + right, y + down, width, height))


def look(clips: Iterable[Clip], count: int | None = None) -> Look:
    """Look at the first `count` frames; without it, at as many as it takes to see movement."""
    thumbnails, middles = [], []
    moving, factor, first = 0, 1, None
    for frame in islice(frames_of(clips), count or _LONGEST):
        first = first or frame
        factor = -(-max(first.width, first.height) // _THUMBNAIL)
        thumbnails.append(_thumbnail(frame, factor))
        middles.append(_luma(frame, _middle(frame.height), _middle(frame.width)))
        moving += len(thumbnails) > 1 and float(np.abs(thumbnails[-1] - thumbnails[-2]).mean()) > _MOVES
        if count is None and moving >= _MOVING and len(thumbnails) >= _MOVING + 2 * REACH:
            break
    if first is None:
        raise UsageError("a video has no frames", hint="Check --start and --duration.")
    return Look(np.stack(thumbnails), factor, np.stack(middles), first.color, first.color.resolved_matrix(first.height))


def find(reference: Look, distorted: Look) -> Alignment:
    """How `distorted` lies over `reference`; both looked at frames of one size, from the first on."""
    candidates = {_offset(reference, distorted, moved=True), _offset(reference, distorted, moved=False)}
    placed = {frames: _placed(reference.middles, distorted.middles, frames) for frames in (0, *sorted(candidates - {0}))}
    frames, shift = _simplest({frames: errors for frames, (errors, _) in placed.items()})
    errors, pairs = placed[frames]
    gain, lift = _brightness(pairs, shift) if reference.matrix == distorted.matrix else (1.0, 0.0)
    return Alignment(frames, shift, _fraction(errors, shift), gain, lift)


def _simplest(errors: Mapping[int, np.ndarray]) -> tuple[int, tuple[int, int]]:
    """Of what explains the pictures about equally well: nothing, an offset in frames, a shift, or both.

    While the camera pans, an offset in frames looks like a shift.
    """
    centre, least = (REACH + 1, REACH + 1), min(float(each[1:-1, 1:-1].min()) for each in errors.values())
    if errors[0][centre] <= least / _EXPLAINED:
        return 0, (0, 0)
    for frames, each in errors.items():
        if frames and each[centre] <= _ALIKE * least:
            return frames, (0, 0)
    frames = next(frames for frames, each in errors.items() if each[1:-1, 1:-1].min() <= _ALIKE * least)
    row, column = np.unravel_index(int(errors[frames][1:-1, 1:-1].argmin()), (2 * REACH + 1, 2 * REACH + 1))
    return frames, (int(column) - REACH, int(row) - REACH)


def overlap(alignments: Mapping[str, Alignment], width: int, height: int) -> Overlap:
    """The frames and the box of a reference of this size that all videos show too."""
    skipped = max(0, *(-each.frames for each in alignments.values()))
    lefts, tops = zip(*(each.shift for each in alignments.values()), strict=True)
    (x, right), (y, bottom) = _common(lefts, width), _common(tops, height)
    return Overlap(
        skipped,
        {name: skipped + each.frames for name, each in alignments.items()},
        (x, y, right - x, bottom - y),
        {name: each.shift for name, each in alignments.items()},
    )


def _common(shifts: Iterable[int], size: int) -> tuple[int, int]:
    """First and last place along one axis: even ones where a shift moves an edge, for chroma has every other place only."""
    low, high = max(0, *(-shift for shift in shifts)), size - max(0, *shifts)
    return (low + 1) // 2 * 2, high if high == size else high // 2 * 2


def _part(clips: Iterable[Clip], skip: int, box: tuple[int, int, int, int]) -> Iterator[Clip]:
    frames = islice(frames_of(clips), skip, None)
    for frame in frames:
        yield frame if box == (0, 0, frame.width, frame.height) else _boxed(frame, *box)


def _boxed(clip: Clip, x: int, y: int, width: int, height: int) -> Clip:
    """Part of the picture, from any place on: chroma between two samples is their mean."""
    luma, *chroma = clip.planes
    size = -(-height // 2), -(-width // 2)
    parts = [_half_way(_half_way(plane, 1, y, size[0]), 2, x, size[1]) for plane in chroma]
    return clip.with_planes(luma[:, y : y + height, x : x + width], *parts)


def _half_way(plane: np.ndarray, axis: int, begin: int, size: int) -> np.ndarray:
    """`size` samples along an axis, from luma's place `begin` on."""
    first = np.take(plane, range(begin // 2, begin // 2 + size), axis)
    if begin % 2 == 0:
        return first
    last = plane.shape[axis] - 1
    second = np.take(plane, [min(last, at) for at in range(begin // 2 + 1, begin // 2 + 1 + size)], axis)
    return ((first.astype(np.uint32) + second + 1) // 2).astype(plane.dtype)


def _thumbnail(frame: Clip, factor: int) -> np.ndarray:
    height, width = frame.height // factor, frame.width // factor
    luma = _luma(frame, slice(height * factor), slice(width * factor))
    return luma.reshape(height, factor, width, factor).mean(axis=(1, 3))


def _middle(size: int) -> slice:
    begin = max(0, (size - _MIDDLE) // 2)
    return slice(begin, begin + min(size, _MIDDLE))


def _luma(frame: Clip, rows: slice, columns: slice) -> np.ndarray:
    """float32 (H, W), black 0 and white 1."""
    color = frame.color
    scale = 1 << (color.bit_depth - 8)
    black, white = (0, color.peak) if color.full_range else (16 * scale, 235 * scale)
    return (frame.planes[0][0, rows, columns].astype(np.float32) - black) / (white - black)


def _offset(reference: Look, distorted: Look, *, moved: bool) -> int:
    """The offset in frames by which thumbnails correlate best; with `moved`, wherever the picture lies within the reach."""
    ours, theirs = (_spectra(view.thumbnails) for view in (reference, distorted))
    reach = -(-REACH // reference.factor) if moved else 0
    least, best = _EXPLAINED, 0
    for frames in range(-REACH, REACH + 1):
        pairs = [(t, t + frames) for t in range(len(ours)) if 0 <= t + frames < len(theirs)]
        together = [t for t, _ in pairs if t < len(theirs)]
        if not frames or len(pairs) < 3 or not together:
            continue
        unlike = _unlike(ours, theirs, pairs, reference.thumbnails.shape[1:], reach)
        usual = _unlike(ours, theirs, [(t, t) for t in together], reference.thumbnails.shape[1:], reach)
        if unlike < least * usual:
            least, best = unlike / usual, frames
    return best


def _spectra(thumbnails: np.ndarray) -> np.ndarray:
    """Fourier transforms of the pictures without their means, faded out to the edges."""
    window = np.outer(*(np.hanning(size + 2)[1:-1] for size in thumbnails.shape[1:]))
    return np.fft.rfft2((thumbnails - thumbnails.mean(axis=(1, 2), keepdims=True)) * window)


def _unlike(ours: np.ndarray, theirs: np.ndarray, pairs: list[tuple[int, int]], size: tuple[int, ...], reach: int) -> float:
    """1 less the normalised correlation over all pairs, for the best of the moves by up to `reach` thumbnail pixels."""
    first, second = (spectra[list(times)] for spectra, times in zip((ours, theirs), zip(*pairs, strict=True), strict=True))
    correlation = np.fft.irfft2((first.conj() * second).sum(axis=0), s=size)
    powers = [float(np.fft.irfft2((part.conj() * part).sum(axis=0), s=size)[0, 0]) for part in (first, second)]
    near = np.roll(correlation, (reach, reach), axis=(0, 1))[: 2 * reach + 1, : 2 * reach + 1]
    return 1 - float(near.max()) / max(1e-12, (powers[0] * powers[1]) ** 0.5)


def _placed(ours: np.ndarray, theirs: np.ndarray, frames: int) -> tuple[np.ndarray, list[tuple[np.ndarray, np.ndarray]]]:
    """Squared errors (2 R + 3, 2 R + 3) of a few pairs of frames by shift, brightness aside, and those pairs."""
    times = [t for t in range(len(ours)) if 0 <= t + frames < len(theirs)]
    chosen = [times[k * (len(times) - 1) // 3] for k in range(4)] if times else []
    pairs = [(ours[t], theirs[t + frames]) for t in dict.fromkeys(chosen)]
    margin = REACH + 1
    if not pairs or min(ours.shape[1:]) < 4 * margin:
        return np.full((2 * margin + 1, 2 * margin + 1), np.inf), pairs
    return np.sum([_errors(x, y, margin) for x, y in pairs], axis=0), pairs


def _errors(x: np.ndarray, y: np.ndarray, margin: int) -> np.ndarray:
    """Of the inner part of x against every place of y, by Fourier transforms: the variance of their difference times its pixels."""
    inner = x[margin:-margin, margin:-margin].astype(np.float64)
    inner = inner - inner.mean()
    y = y.astype(np.float64) - y.mean()
    mask = np.ones_like(inner)

    def slide(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
        product = np.fft.rfft2(part, s=whole.shape).conj() * np.fft.rfft2(whole)
        return np.fft.irfft2(product, s=whole.shape)[: 2 * margin + 1, : 2 * margin + 1]

    spread = slide(mask, y * y) - slide(mask, y) ** 2 / mask.size
    return np.maximum((inner * inner).sum() + spread - 2 * slide(inner, y), 1e-9 * mask.size)


def _fraction(errors: np.ndarray, shift: tuple[int, int]) -> tuple[float, float]:
    """The parts of a pixel to the right and down that are left of a shift."""
    column, row = (place + REACH + 1 for place in shift)
    if not np.isfinite(errors).all():
        return 0.0, 0.0
    return _vertex(*errors[row, column - 1 : column + 2]), _vertex(*errors[row - 1 : row + 2, column])


def _vertex(before: float, at: float, behind: float) -> float:
    """Where between -0.5 and 0.5 a parabola through three errors is least."""
    bend = before - 2 * at + behind
    return 0.0 if bend <= 0 else round(float(np.clip((before - behind) / (2 * bend), -0.5, 0.5)), 2)


def _brightness(pairs: list[tuple[np.ndarray, np.ndarray]], shift: tuple[int, int]) -> tuple[float, float]:
    """Gain and lift, of means over blocks, so that neither noise nor blur counts; (1, 0) where pictures are too unlike."""
    right, down = shift
    margin, block = REACH, 16
    ours, theirs = [], []
    for x, y in pairs:
        height, width = ((size - 2 * margin) // block * block for size in x.shape)
        if height <= 0 or width <= 0:
            return 1.0, 0.0
        rows, columns = slice(margin, margin + height), slice(margin, margin + width)
        moved = y[margin + down : margin + down + height, margin + right : margin + right + width]
        for found, part in ((ours, x[rows, columns]), (theirs, moved)):
            found.append(part.reshape(height // block, block, width // block, block).mean(axis=(1, 3)).ravel())
    x, y = np.concatenate(ours), np.concatenate(theirs)
    if x.std() < 0.02 or np.corrcoef(x, y)[0, 1] < 0.98:
        return 1.0, 0.0
    gain = float(y.std() / x.std())
    return round(gain, 3), round(float(y.mean() - gain * x.mean()), 3)


def _count(number: int, word: str) -> str:
    return f"{number} {word}" if number == 1 else f"{number} {word}s"
