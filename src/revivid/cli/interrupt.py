"""How Ctrl-C, SIGTERM and SIGHUP end the process: cleanly, and soon.

The first signal raises `KeyboardInterrupt` in the main thread, which unwinds, stops the threads and removes what was half
written. A second one, or a clean-up that takes too long (a pipe whose other end sleeps), ends the process at once; temporary
files are removed even then.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
from types import FrameType

#: What shells expect of a program that Ctrl-C ended.
EXIT_CODE = 130
MESSAGE = "interrupted: nothing half-written was left"
#: Seconds that the clean-up may take.
GRACE = 3.0

_SIGNALS = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]
_received = False


def install() -> None:
    """Take the signals over, except those that the caller told us to ignore (`nohup`, background jobs of scripts)."""
    for number in _SIGNALS:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _on_signal)


def received() -> bool:
    """Whether a signal has asked us to end."""
    return _received


def end_now(message: str = MESSAGE) -> None:
    """Remove temporary files and end the process without waiting for any thread."""
    outputs = sys.modules.get("revivid.media.unfinished")
    if outputs is not None:
        outputs.remove_all()
    with contextlib.suppress(OSError):
        os.write(2, f"{message}\n".encode())
    os._exit(EXIT_CODE)


def _on_signal(number: int, frame: FrameType | None) -> None:
    global _received
    del number, frame
    if _received:
        end_now()
    _received = True
    watchdog = threading.Timer(GRACE, end_now)
    watchdog.daemon = True
    watchdog.start()
    raise KeyboardInterrupt
