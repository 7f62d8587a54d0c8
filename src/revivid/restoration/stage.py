"""What a stage is: Iterator[Clip] -> Iterator[Clip], and what it declares so that the pipeline can plan.

Every stage passes `tests/unit/test_stage_conformance.py`: sizes and times as declared, chunked equals whole, nothing buffered
beyond its reach.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

from ..errors import MissingWeights
from ..types import Clip

if TYPE_CHECKING:
    import torch

#: CRF to assume where neither the recipe, nor the stream, nor the user says one: x265's own default.
DEFAULT_CRF = 28.0


@dataclass(frozen=True)
class Conditions:
    """What no recipe can say: how the input at hand was compressed, and what this machine may spend."""

    #: x265 CRF of the input, or its equal.
    crf: float = DEFAULT_CRF
    #: Whether the user named the stages, and not a file that somebody else may have made.
    trusted: bool = True
    #: Bytes that one stage may take at its peak; None: what the machine has to spare.
    memory: int | None = None
    #: What published networks compute in: fp32 for the published numbers, bf16 for speed where the processor has it.
    precision: str = "fp32"
    #: What they compute on, by torch's name.
    device_name: str = "cpu"
    #: What the package's own networks compute with, see `backends.choose`.
    backend: str = "auto"
    #: Which of the package's own networks a task takes where nobody names one, a key of `own.BEST`; the best deblurs four times.
    effort: str = "balanced"

    @property
    def dtype(self) -> torch.dtype:
        import torch  # late: compressing plans stages too, and needs no torch

        return {"fp32": torch.float32, "bf16": torch.bfloat16}[self.precision]

    @property
    def device(self) -> torch.device:
        import torch

        return torch.device(self.device_name)


class Stage(ABC):
    """One step of a restoration. Subclasses set what they declare in `__init__` and implement `process`."""

    #: As named on the command line and in recipes.
    name: str = ""
    #: Frames before and after that one output frame depends on.
    temporal_reach: tuple[int, int] = (0, 0)
    #: Whether frames come out at other times than they came in.
    retimes: bool = False

    def output_size(self, width: int, height: int) -> tuple[int, int]:
        """Size of the output for an input of `width` x `height`; the same unless a stage says otherwise."""
        return width, height

    def output_rate(self, rate: Fraction) -> Fraction:
        """Mean frames per second of the output for an input of mean `rate`; the same unless a stage says otherwise."""
        return rate

    def output_tick(self, tick: Fraction) -> Fraction:
        """A time base, in seconds, that holds every time of the output where the input's times are multiples of `tick`."""
        return tick

    def working_bytes(self, width: int, height: int) -> int:
        """Bytes that the stage needs at its peak for input frames of this size, weights included; an estimate for the plan."""
        del width, height
        return 0

    @abstractmethod
    def process(self, clip: Clip) -> Clip:
        """One clip in, one clip out. Stages with a temporal reach override `__call__` instead."""

    def __call__(self, clips: Iterator[Clip]) -> Iterator[Clip]:
        for clip in clips:
            yield self.process(clip)

    def describe(self) -> str:
        """For the plan: what it does, in a few words."""
        return self.name

    def describe_for(self, width: int, height: int) -> str:
        """`describe` with what is decided for input frames of this size, such as tiles."""
        del width, height
        return self.describe()

    def missing_weights(self) -> list[MissingWeights]:
        """The weights that it would need and this machine doesn't have, each with what to do. Planning works without them."""
        return []

    def notices(self) -> list[str]:
        """What the user should know of the run so far."""
        return []
