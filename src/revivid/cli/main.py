"""The command line: `revivid COMMAND`. Heavy libraries are imported by the commands when they run, not here."""

from __future__ import annotations

import os
import signal
import sys
from typing import NoReturn

import typer

from .. import __version__
from ..errors import RevividError
from . import compress, doctor, evaluate, probe, restore, roundtrip, train, weights

app = typer.Typer(
    name="revivid",
    help="revivid makes video small and brings it back sharp.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

for command in (
    roundtrip.roundtrip,
    compress.compress,
    restore.restore,
    evaluate.evaluate,
    probe.probe,
    doctor.doctor,
    train.train,
):
    app.command()(command)
app.add_typer(weights.app, name="weights")


def _version(wanted: bool) -> None:
    if wanted:
        print(f"revivid {__version__}")
        raise typer.Exit


@app.callback()
def main(
    version: bool = typer.Option(False, "--version", callback=_version, is_eager=True, help="Print the version."),
    debug: bool = typer.Option(False, "--debug", help="Show the traceback of an error."),
) -> None:
    """revivid makes video small and brings it back sharp."""
    del version
    if debug:
        os.environ["REVIVID_DEBUG"] = "1"


def run() -> NoReturn:
    """Entry point: runs a command and turns every failure into a message on stderr and an exit code (see `errors`)."""
    signal.signal(signal.SIGTERM, lambda *_: _interrupt())
    try:
        app(standalone_mode=False)
        code = 0
    except typer.Exit as exc:
        code = exc.exit_code
    except RevividError as exc:
        code = _report(exc)
    except (KeyboardInterrupt, typer.Abort):
        print("interrupted: nothing half-written was left", file=sys.stderr)
        code = 130
    except BrokenPipeError:  # the reader of our stdout went away
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 0
    except Exception as exc:
        usage = _usage_error(exc)
        if usage is None:
            _report_bug(exc)
            code = 1
        else:
            code = usage
    sys.exit(code)


def _interrupt() -> NoReturn:
    raise KeyboardInterrupt


def _report(exc: RevividError) -> int:
    if "--json" in sys.argv:
        from .common import emit

        emit("error", kind=type(exc).__name__, message=exc.message, hint=exc.hint, exit_code=exc.exit_code)
    label = "partial" if exc.exit_code == 7 else "error"
    print(f"{label}: {exc.message}", file=sys.stderr)
    if exc.hint:
        print(exc.hint, file=sys.stderr)
    if os.environ.get("REVIVID_DEBUG"):
        raise exc
    return exc.exit_code


def _usage_error(exc: Exception) -> int | None:
    """Click's own errors (an unknown option, a missing argument), shown as click shows them; None for other exceptions.

    typer ships click under different names over its versions, so the type is told by what it offers.
    """
    show, code = getattr(exc, "show", None), getattr(exc, "exit_code", None)
    if not callable(show) or not isinstance(code, int):
        return None
    show(file=sys.stderr)
    return 2 if code == 1 else code


def _report_bug(exc: Exception) -> None:
    if os.environ.get("REVIVID_DEBUG"):
        raise exc
    print(f"internal fault: {type(exc).__name__}: {exc}", file=sys.stderr)
    print("This is a bug in revivid. Run again with `revivid --debug ...` and report the traceback.", file=sys.stderr)
