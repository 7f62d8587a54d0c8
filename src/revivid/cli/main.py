"""Entry point of `revivid`: runs a command and turns every failure into a message on stderr and an exit code (see `errors`)."""

from __future__ import annotations

import contextlib
import errno
import os
import sys
import traceback
from typing import NoReturn

from ..errors import OutputNotWritable, RevividError
from . import interrupt


def run() -> NoReturn:
    """Run the command line of `sys.argv` and end the process."""
    interrupt.install()
    try:
        code = _flushed(_run_command())
    except KeyboardInterrupt:
        code = interrupt.EXIT_CODE
    if code == interrupt.EXIT_CODE:
        _emit_error("Interrupted", "interrupted", "", code)
        interrupt.end_now()  # threads may wait for a pipe whose other end sleeps, and an ordinary exit would wait for them
    sys.exit(code)


def _run_command() -> int:
    try:
        from .app import app

        return app(standalone_mode=False) or 0
    except BaseException as exc:
        # Whatever comes up while an interruption unwinds (typer has its own exceptions for it) is its consequence.
        return interrupt.EXIT_CODE if interrupt.received() else _failed(exc)


def _failed(exc: BaseException) -> int:
    if isinstance(exc, RevividError):
        return _report(exc)
    if isinstance(exc, (BrokenPipeError, SystemExit)):
        return _ended(exc)
    if callable(getattr(exc, "show", None)):
        return _report_usage(exc)
    if isinstance(exc, OSError) and exc.errno == errno.ENOSPC:
        return _report(_unwritable(exc))
    return _report_bug(exc)


def _ended(exc: BrokenPipeError | SystemExit) -> int:
    """The reader of our text went away, which is no failure of ours (typer makes a SystemExit of it); or typer is done."""
    if isinstance(exc, BrokenPipeError) or isinstance(exc.__context__, BrokenPipeError):
        _drop_stdout()
        return 0
    return exc.code if isinstance(exc.code, int) else 0


def _flushed(code: int) -> int:
    """Write out what waits in stdout's buffer; the interpreter would do it later and complain in its own way."""
    try:
        if sys.stdout is not None:
            sys.stdout.flush()
    except BrokenPipeError:
        _drop_stdout()
    except OSError as exc:
        _drop_stdout()
        return code or _report(_unwritable(exc))
    return code


def _drop_stdout() -> None:
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)


def _unwritable(exc: OSError) -> OutputNotWritable:
    return OutputNotWritable(f"standard output can't be written: {exc.strerror}", hint="Check the free space.")


def _report(exc: RevividError) -> int:
    _emit_error(type(exc).__name__, exc.message, exc.hint, exc.exit_code)
    if os.environ.get("REVIVID_DEBUG"):
        traceback.print_exception(exc)
    label = "partial" if exc.exit_code == 7 else "error"
    print(f"{label}: {exc.message}", file=sys.stderr)
    if exc.hint:
        print(exc.hint, file=sys.stderr)
    return exc.exit_code


def _report_usage(exc: BaseException) -> int:
    """Click's own errors (an unknown option, a missing argument), shown as click shows them.

    typer ships click under different names over its versions, so the type is told by what it offers.
    """
    message = exc.format_message() if hasattr(exc, "format_message") else str(exc)  # type: ignore[attr-defined]
    if message:
        _emit_error("UsageError", message, "", 2)
    exc.show(file=sys.stderr)  # type: ignore[attr-defined]
    return 2


def _report_bug(exc: BaseException) -> int:
    _emit_error(type(exc).__name__, f"internal fault: {exc}", "", 1)
    if os.environ.get("REVIVID_DEBUG"):
        traceback.print_exception(exc)
    print(f"internal fault: {type(exc).__name__}: {exc}", file=sys.stderr)
    print("This is a bug in revivid. Run again with `revivid --debug ...` and report the traceback.", file=sys.stderr)
    return 1


def _emit_error(kind: str, message: str, hint: str, exit_code: int) -> None:
    if "--json" not in sys.argv:
        return
    from .common import emit

    with contextlib.suppress(OSError):
        emit("error", kind=kind, message=message, hint=hint, exit_code=exit_code)
