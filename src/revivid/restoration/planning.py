"""How large tiles and how long windows may be for a budget of memory, from what a network declares."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import lcm

from ..errors import NotEnoughMemory
from ..networks.traits import Traits
from .memory import format_bytes
from .tiles import Tiling, split

#: Frames that a window holds at most, and at least where memory is scarce.
LONGEST_WINDOW, SHORTEST_WINDOW = 60, 6
#: Frames that neighbouring windows have in common: a fourth of the window, within these bounds.
LEAST_FRAME_OVERLAP, MOST_FRAME_OVERLAP = 2, 8
#: Pixels over which tiles are blended where the network's reach alone would let them meet abruptly.
BLEND = 8
#: What kernels need besides, whatever the tile: measured up to 80 MiB (results/memory.json).
FIXED_BYTES = 96 * 2**20


@dataclass(frozen=True)
class Budget:
    """Bytes that may be used where frames wait and, where that is another memory, on the accelerator that computes."""

    frames: int
    computing: int | None = None


@dataclass(frozen=True)
class Layout:
    """Tiles and windows of one network for frames of `height` x `width`."""

    height: int
    width: int
    tiling: Tiling
    tile_height: int
    tile_width: int
    #: Pixels that tiles have in common, at least.
    overlap: int
    #: Frames that are restored in one call, and how many of them windows have in common; 1 and 0 where frames come one by one.
    frames: int
    frame_overlap: int
    #: Estimate of what restoring holds at its peak: frames, state, the computing of a tile, and weights.
    peak_bytes: int

    def describe(self) -> str:
        """One line for the plan."""
        count = self.tiling.count
        tile = f"{self.tile_width}x{self.tile_height}"
        tiles = f"{count} tiles of {tile} overlapping by {self.overlap}" if count > 1 else "whole frames"
        windows = f", windows of {self.frames} frames overlapping by {self.frame_overlap}" if self.frames > 1 else ""
        return f"{tiles}{windows}, {format_bytes(self.peak_bytes)} of memory"


def overlap_of(traits: Traits) -> tuple[int, int]:
    """Overlap and margin of a network's tiles: both tiles are exact between the margins where the reach is known."""
    multiple = traits.size_multiple
    if traits.spatial_reach is None:
        return -(-traits.overlap // multiple) * multiple, traits.overlap // 4
    return -(-(2 * traits.spatial_reach + BLEND) // multiple) * multiple, traits.spatial_reach


def frame_overlap_of(frames: int) -> int:
    """Frames that windows of `frames` have in common."""
    return min(MOST_FRAME_OVERLAP, max(LEAST_FRAME_OVERLAP, frames // 4))


@dataclass(frozen=True)
class Planner:
    """Finds layouts for one network: the least computing that fits."""

    traits: Traits
    budget: Budget
    #: What the weights take.
    weight_bytes: int = 0

    def plan(self, height: int, width: int, *, frames: int | None = None, tile_pixels: int | None = None) -> Layout:
        """The layout with the least computing per frame; among equals, the one with the longest windows.

        `frames` fixes the length of the windows, `tile_pixels` is a cap on the tile. Raises `NotEnoughMemory` where not even the
        smallest tile with the shortest window fits.
        """
        lengths = self._lengths() if frames is None else [frames]
        sides = list(self._sides(height)), list(self._sides(width))
        best: tuple[float, int, int, int] | None = None
        for length in lengths:
            found = self._best_tile(height, width, length, sides, tile_pixels)
            if found is not None:
                area, tile_height, tile_width = found
                cost = area * length / (length - self._frame_overlap(length))
                if best is None or cost < best[0]:
                    best = cost, length, tile_height, tile_width
        if best is None:
            smallest = sides[0][-1], sides[1][-1]
            least = min(self._layout(height, width, length, *smallest).peak_bytes for length in lengths)
            raise NotEnoughMemory(
                f"restoring frames of {width}x{height} needs at least {format_bytes(least)} of memory, more than "
                f"the {format_bytes(min(self.budget.frames, self.budget.computing or self.budget.frames))} that it may take",
                hint="Allow it more memory (--memory), scale the video down first, or choose a smaller network.",
            )
        return self._layout(height, width, *best[1:])

    @property
    def _takes_windows(self) -> bool:
        return self.traits.kind == "clip" and not self.traits.streams

    def _lengths(self) -> list[int]:
        """Lengths of windows worth trying, longest first."""
        traits = self.traits
        if traits.kind == "pair":
            return [traits.min_frames]
        if not self._takes_windows:
            return [1]
        step = traits.frame_multiple
        shortest = -(-max(SHORTEST_WINDOW, traits.min_frames) // step) * step
        return list(range(max(shortest, LONGEST_WINDOW // step * step), shortest - 1, -step))

    def _best_tile(
        self, height: int, width: int, frames: int, sides: tuple[list[int], list[int]], cap: int | None
    ) -> tuple[int, int, int] | None:
        """Pixels to compute per frame, and height and width of the tile, for the least of them that fits."""
        if (cap is None or height * width <= cap) and self._fits(height, width, frames, height, width):
            return height * width, height, width
        best: tuple[int, int, int] | None = None
        for tile_height in sides[0]:
            for tile_width in sides[1]:
                if tile_height * tile_width > (cap or tile_height * tile_width):
                    continue
                if not self._fits(height, width, frames, tile_height, tile_width):
                    continue
                tiling = self._tiling(height, width, tile_height, tile_width)
                tall, wide = (sum(stop - start for start, stop in axis.spans) for axis in (tiling.rows, tiling.columns))
                if best is None or tall * wide < best[0]:
                    best = tall * wide, tile_height, tile_width
                break  # narrower tiles only cost more
        return best

    def _fits(self, height: int, width: int, frames: int, tile_height: int, tile_width: int) -> bool:
        waiting, computing = self._needs(height, width, frames, tile_height, tile_width)
        if self.budget.computing is None:
            return waiting + computing <= self.budget.frames
        return waiting <= self.budget.frames and computing <= self.budget.computing

    def _sides(self, size: int) -> Iterator[int]:
        """Lengths of tiles along an axis, longest first: the whole axis, then the least with which 2, 3, ... tiles cover it."""
        yield size
        overlap, _ = overlap_of(self.traits)
        multiple = lcm(self.traits.tile_multiple, self.traits.size_multiple)
        # At least a third of a tile is new, or the overlaps would cost more than they are worth.
        smallest = -(-max(overlap * 3 // 2, overlap + multiple) // multiple) * multiple
        previous, count = size, 2
        while True:
            tile = max(smallest, -(-(size + (count - 1) * overlap) // (count * multiple)) * multiple)
            if tile < previous:
                yield tile
                previous = tile
            if tile == smallest:
                return
            count += 1

    def _tiling(self, height: int, width: int, tile_height: int, tile_width: int) -> Tiling:
        overlap, margin = overlap_of(self.traits)
        multiple = self.traits.size_multiple
        return Tiling(split(height, tile_height, overlap, multiple, margin), split(width, tile_width, overlap, multiple, margin))

    def _frame_overlap(self, frames: int) -> int:
        return min(frame_overlap_of(frames), frames // 2) if self._takes_windows else 0

    def _layout(self, height: int, width: int, frames: int, tile_height: int, tile_width: int) -> Layout:
        return Layout(
            height, width, self._tiling(height, width, tile_height, tile_width), tile_height, tile_width,
            overlap_of(self.traits)[0], frames, self._frame_overlap(frames),
            sum(self._needs(height, width, frames, tile_height, tile_width)),
        )  # fmt: skip

    def _needs(self, height: int, width: int, frames: int, tile_height: int, tile_width: int) -> tuple[int, int]:
        """Bytes of the frames that wait, and of the computing of one tile with the weights."""
        traits, pixels, extended = self.traits, height * width, 1
        for side in (tile_height, tile_width):
            extended *= max(-(-side // traits.size_multiple) * traits.size_multiple, traits.tile_multiple)
        per_pixel = traits.bytes_per_pixel + frames * traits.bytes_per_frame_pixel
        computing = int(per_pixel * extended) + self.weight_bytes + FIXED_BYTES
        picture, out = 4 * traits.channels * pixels, 12 * traits.scale**2 * pixels
        waiting = (max(traits.extends) + 1 if traits.streams else frames) * picture
        # What the last window left to fade into, or the picture on its way out.
        waiting += out * max(1, self._frame_overlap(frames))
        if (tile_height, tile_width) != (height, width):
            # The canvas, and the state of the last step and of the one that is being made, beside those of the tile.
            waiting += frames * out + int(2 * traits.state_bytes_per_pixel * pixels)
        return waiting, computing
