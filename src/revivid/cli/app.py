"""The commands put together. Heavy libraries are imported by the commands when they run, not here."""

from __future__ import annotations

import os

import typer

from .. import __version__
from . import bench, compress, degrade, doctor, evaluate, probe, restore, roundtrip, train, weights

# typer reads this: with it `--show-completion` takes the shell's name instead of guessing it, which fails outside terminals.
os.environ.setdefault("_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION", "1")

app = typer.Typer(
    name="revivid",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # importing rich would take longer than all of --help
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
app.add_typer(degrade.app, name="degrade")
app.add_typer(weights.app, name="weights")
app.add_typer(bench.app, name="bench")


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
