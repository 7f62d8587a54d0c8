"""`revivid train`: train one of our own networks by a recipe."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer


def train(
    recipe: Annotated[str, typer.Argument(help="A training recipe (.toml), or the name of one in the package: compactsr-x4.")],
    data: Annotated[Path, typer.Option(help="Folder of photographs and clips to learn from.", exists=True, file_okay=False)],
    out: Annotated[Path, typer.Option(help="Folder for checkpoint, log, plot and weights.", file_okay=False)],
    changes: Annotated[
        list[str] | None, typer.Option("--set", metavar="SECTION.KEY=VALUE", help="In place of what the recipe says.")
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Continue the training that is in --out.")] = False,
    cache: Annotated[Path | None, typer.Option(help="Folder of the degraded pairs; OUT/scenes unless given.")] = None,
    workers: Annotated[int, typer.Option(help="Processes that encode the training pairs.", min=1)] = 2,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object per validation on standard output.")] = False,
) -> None:
    """Make training pairs with a real encoder, train on them, and write weights that revivid loads."""
    from ..train.loop import run  # late: torch takes seconds to import

    def report(line: dict[str, Any]) -> None:
        if as_json:
            print(json.dumps(line), flush=True)
        else:
            gain = ", ".join(f"{name} {value:+.3f} dB" for name, value in line["gain_db"].items())
            speed = line["iterations_per_second"]
            print(f"iteration {line['iteration']}: loss {line['loss']:.5f}, {gain}, {speed:.2f} it/s", file=sys.stderr, flush=True)

    weights = run(recipe, data, out, changes=changes or (), resume=resume, cache=cache, workers=workers, report=report)
    print(json.dumps({"weights": str(weights)}) if as_json else weights)
