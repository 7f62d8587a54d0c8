"""Every cap on what an input may ask for, in one place; checked before anything is allocated."""

from __future__ import annotations

from .errors import LimitExceeded

#: Width or height of a frame, in pixels.
MAX_SIDE = 16_384
#: Pixels of one frame (a little over 16K x 4K).
MAX_PIXELS = 72_000_000
#: Width or height of a blur kernel, in pixels.
MAX_KERNEL_SIDE = 255
#: Bytes of a recipe or other text that travels in a file's metadata.
MAX_METADATA_BYTES = 64 * 1024
#: Bytes of one attachment (a font, a cover) that is carried along.
MAX_ATTACHMENT_BYTES = 64 * 1024 * 1024
#: Streams of one container.
MAX_STREAMS = 256
#: Seconds that opening and probing a file may take.
OPEN_TIMEOUT_S = 30.0
#: Seconds from the start of a video to any of its time stamps: thirty days.
MAX_SECONDS = 30 * 24 * 3600
#: Seconds for which one frame is repeated when a video is sampled at a steady rate.
MAX_STILL_SECONDS = 3600
#: Frames per second that interpolation makes, and how many times as many as there were.
MAX_FRAME_RATE = 1000
MAX_RATE_FACTOR = 256
#: Bytes of a published checkpoint.
MAX_CHECKPOINT_BYTES = 2 * 1024**3
#: Seconds that a server may take to answer, or to send anything worth mentioning.
NETWORK_TIMEOUT_S = 30.0
#: Seconds that converting a checkpoint may take.
CONVERT_TIMEOUT_S = 600.0


def check_frame_size(width: int, height: int, where: str) -> None:
    """Raise `LimitExceeded` where a frame of `width` x `height` pixels is over the caps; `where` names the input."""
    if width > MAX_SIDE or height > MAX_SIDE or width * height > MAX_PIXELS:
        raise LimitExceeded(
            f"{where}: a frame of {width}x{height} pixels is over the limit of {MAX_SIDE} a side and {MAX_PIXELS:,} in all",
            hint="Scale the video down first, or raise revivid.limits.MAX_SIDE and MAX_PIXELS if you trust the file.",
        )
