"""`revivid weights`: the networks' weights on this machine."""

from __future__ import annotations

from dataclasses import asdict

import typer

from . import common

app = typer.Typer(help="List and show the networks' weights.", no_args_is_help=True)


@app.command("list")
def list_weights(as_json: common.Json = False) -> None:
    """List the weights that can be used now: name, network, training, licence."""
    from ..weights import embedded

    for name, metadata in embedded.describe().items():
        if as_json:
            common.emit("weights", name=name, **asdict(metadata))
        else:
            options = ", ".join(f"{key} {value}" for key, value in metadata.hyperparameters.items())
            print(f"{name:16} {metadata.network} ({options}), {metadata.iterations} iterations, {metadata.licence}")


@app.command("show")
def show(name: str = typer.Argument(..., help="A name from `weights list`.")) -> None:
    """Print the card of one set of weights: what it was trained on, by which recipe, when, under which licence."""
    from ..weights import embedded

    metadata, tensors = embedded.load(name)
    for key, value in asdict(metadata).items():
        print(f"{key:16} {value}")
    print(f"{'parameters':16} {sum(t.numel() for t in tensors.values()):,}")
