"""Every failure that revivid reports, one class each.

An error says what is wrong, where, and what to do about it. Each class knows the exit code that the command line ends
with and stays catchable as a builtin (`except ValueError`, `except OSError`), so scripts need not import this module.

| exit code | meaning |
|---|---|
| 0 | done |
| 1 | an internal fault: a bug in revivid |
| 2 | usage: an option or a combination that can't work, an output that exists already |
| 3 | the input can't be read (missing, a folder, not a video) |
| 4 | the input is corrupt or truncated |
| 5 | the input is over a limit (`revivid.limits`) |
| 6 | weights or a tool are missing |
| 7 | a partial result was kept, because a flag allowed it |
| 8 | the output can't be written (full disk, no permission) |
| 130 | interrupted |
"""

from __future__ import annotations


class RevividError(Exception):
    """Base of all errors that a user can meet; `message` says what and where, `hint` says what to do."""

    exit_code = 1

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message}\n{self.hint}" if self.hint else self.message


class UsageError(RevividError, ValueError):
    """An option or a combination of options that can't work."""

    exit_code = 2


class OutputExists(UsageError, FileExistsError):
    """The output is already there, or is the input itself."""


class ShapeError(UsageError):
    """A tensor or frame whose shape a function or network can't take; raised before any computing."""


class UnreachableTarget(UsageError):
    """No CRF reaches the quality or the size that was asked for, with the other options as they are."""


class InputNotReadable(RevividError, OSError):
    """The input is missing, a folder, forbidden, or no video at all."""

    exit_code = 3


class CorruptInput(RevividError, ValueError):
    """The input starts well and is damaged further on."""

    exit_code = 4


class TruncatedInput(CorruptInput):
    """The input ends before its header says it should."""


class CorruptStream(CorruptInput):
    """A BVC stream that is damaged, cut off, or was never one; says where."""

    def __init__(self, message: str, *, offset: int | None = None, gop: int | None = None, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        #: Bytes from the stream's beginning to the part that is wrong, and the number of the group of pictures from 0, where known.
        self.offset, self.gop = offset, gop


class LimitExceeded(RevividError, ValueError):
    """The input is larger than `revivid.limits` allows."""

    exit_code = 5


class NotEnoughMemory(LimitExceeded, MemoryError):
    """The work does not fit into the memory that it may take, however small its parts are made."""


class MissingWeights(RevividError, LookupError):
    """A network's weights are not on this machine."""

    exit_code = 6


class CorruptWeights(RevividError, ValueError):
    """A weight file whose checksum, keys or shapes are not what the network publishes."""

    exit_code = 6


class MissingTool(RevividError, ImportError):
    """An encoder, filter or optional package that this installation lacks."""

    exit_code = 6


class PartialResult(RevividError):
    """What could be decoded was kept, and it is less than the input promised. Raised after the output is in place."""

    exit_code = 7


class OutputNotWritable(RevividError, OSError):
    """The output could not be written whole; nothing of it is left."""

    exit_code = 8


class OutputTooLarge(OutputNotWritable):
    """The finished output takes more bytes than it may; nothing of it is left."""

    def __init__(self, path: str, size_bytes: int, video_bytes: int, max_bytes: int) -> None:
        super().__init__(f"{path}: {size_bytes:,} bytes, {max_bytes:,} are allowed", hint="Choose a higher --crf.")
        #: Of the file, and of its video stream alone.
        self.size_bytes, self.video_bytes = size_bytes, video_bytes
