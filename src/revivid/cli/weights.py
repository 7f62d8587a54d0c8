"""`revivid weights`: the networks' weights, inside the package and in the catalogue of published checkpoints."""

from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from . import common, complete

if TYPE_CHECKING:
    from ..weights.catalogue import Entry

app = typer.Typer(help="List, fetch, verify and convert the networks' weights.", no_args_is_help=True)


Name = Annotated[str, typer.Argument(help="A name from `weights list`.", autocompletion=complete.weights)]
Names = Annotated[list[str], typer.Argument(help="Names from `weights list`.", autocompletion=complete.weights)]


@app.command("list")
def list_weights(
    task: Annotated[str | None, typer.Option(help="Only for this task, such as deblur or super-resolve.")] = None,
    as_json: common.Json = False,
) -> None:
    """List all weights: name, task, network, licence, size, and whether they are on this machine."""
    from ..weights import catalogue

    rows = _embedded_rows() + [_row(entry) for entry in catalogue.entries().values()]
    for row in rows:
        if task is not None and row["task"] != task:
            continue
        if as_json:
            common.emit("weights", **row)
        else:
            size = common.human_bytes(row["bytes"] or row["approximate_bytes"] or 0) if _has_size(row) else "?"
            where = "in the package" if row["source"] == "package" else "here" if row["present"] else "-"
            print(f"{row['name']:38} {row['task']:13} {row['network']:17} {row['licence']:14} {size:>10}  {where}")


@app.command("show")
def show(name: Name) -> None:
    """Print the card of one set of weights: what it does, its network, licence and published figures."""
    from ..weights import catalogue, store

    if name not in catalogue.names() and _show_embedded(name):
        return
    entry = catalogue.entry(name)
    card: dict[str, Any] = {
        "task": f"{entry.task}: {entry.about}",
        "network": entry.network,
        "parameters": "" if entry.parameters_m is None else f"{entry.parameters_m} million",
        "licence": entry.licence + (" (no commercial use)" if entry.noncommercial else ""),
        "published at": entry.page,
        "address": entry.address or f"none: {entry.by_hand}",
        "sha256": entry.sha256 or "not published",
        "file": store.source(entry),
        "on this machine": "yes" if _present(entry) else "no",
    }
    _print_card(card)
    for key, value in entry.hyperparameters.items():
        print(f"  {key:22} {value}")
    for test_set, values in entry.metrics.items():
        print(f"published: {test_set:28} " + "  ".join(f"{kind} {v}" for kind, v in zip(("PSNR", "SSIM"), values, strict=False)))


@app.command("fetch")
def fetch(
    names: Names,
    accept_licence: Annotated[bool, typer.Option("--accept-licence", help="Accept non-commercial licences unasked.")] = False,
    offline: Annotated[bool, typer.Option("--offline", help="Download nothing: only check what is here.")] = False,
    as_json: common.Json = False,
) -> None:
    """Download checkpoints, check their sha256 and convert them to safetensors.

    What was interrupted goes on where it stopped. REVIVID_WEIGHTS: the folder; REVIVID_MIRROR: where to download from;
    REVIVID_OFFLINE=1: as --offline.
    """
    from ..weights import catalogue, store
    from ..weights.convert import convert as convert_one
    from ..weights.fetch import fetch as fetch_one
    from .transfer import TransferDisplay

    for entry in [catalogue.entry(name) for name in names]:
        if not _present(entry):
            _settle_licence(entry, accept_licence)
        with TransferDisplay(entry.name, as_json) as progress:
            verdict = fetch_one(entry, progress, offline=offline)
        path = store.converted(entry)
        if not path.is_file():
            path = convert_one(entry)
        _report(entry.name, verdict, as_json)
        if as_json:
            common.emit("result", name=entry.name, path=str(path))
        else:
            print(path)


@app.command("verify")
def verify(
    names: Annotated[list[str] | None, typer.Argument(help="Default: all that are here.", autocompletion=complete.weights)] = None,
    as_json: common.Json = False,
) -> None:
    """Check files against the published sha256, or against the first download's where none was published."""
    from ..errors import CorruptWeights
    from ..weights import catalogue, store

    chosen = [catalogue.entry(name) for name in names or [n for n, entry in catalogue.entries().items() if _present(entry)]]
    if not chosen:
        common.say(f"no checkpoints in {store.root()}")
    faults = []
    for entry in chosen:
        try:
            for verdict in store.verify(entry):
                _report(entry.name, verdict, as_json)
        except CorruptWeights as fault:
            faults.append(fault)
            common.say(f"{entry.name}: {fault.message}")
    if faults:
        raise CorruptWeights(f"{len(faults)} of {len(chosen)} checkpoints are not what they should be", hint=faults[0].hint)


@app.command("convert")
def convert(names: Names, as_json: common.Json = False) -> None:
    """Make safetensors of published files that were put in place by hand (`weights path` says where)."""
    from ..weights import catalogue
    from ..weights.convert import convert as convert_one

    for entry in [catalogue.entry(name) for name in names]:
        path = convert_one(entry)
        if as_json:
            common.emit("result", name=entry.name, path=str(path))
        else:
            print(path)


@app.command("export")
def export(
    name: Annotated[str, typer.Argument(help="Weights of the package, or a .safetensors that `revivid train` wrote.")],
    output: Annotated[Path, typer.Option("--output", "-o", metavar="FILE.onnx", help="Where to write it.")],
    yes: common.Yes = False,
    as_json: common.Json = False,
) -> None:
    """Write one of the package's own networks as ONNX (opset 17), for other programs.

    Planes in and out are 8-bit code values of YUV 4:2:0, of any size; strength is the CRF, or for denoising sigma in luma. The
    file is compared with torch first where onnxruntime is installed.
    """
    from ..restoration.export import export_onnx

    done = export_onnx(name, output, overwrite=yes)
    if as_json:
        common.emit("result", **{**asdict(done), "path": str(done.path)})
        return
    inputs = ", ".join(f"{key} ({', '.join(map(str, axes))})" for key, axes in done.inputs.items())
    compared = "not compared" if done.largest_difference is None else f"at most {done.largest_difference} codes from torch"
    common.say(f"opset {done.opset}, {inputs}; {compared}")
    print(done.path)


@app.command("path")
def path(name: Name) -> None:
    """Print where a checkpoint's published file is, or where it should be put."""
    from ..weights import catalogue, store

    print(store.source(catalogue.entry(name)))


def _show_embedded(name: str) -> bool:
    """Print the card of weights of the package, if they are some."""
    from ..weights import embedded
    from ..weights.cards import card

    if name not in embedded.names():
        return False
    for heading, value in card(name).items():
        for number, line in enumerate(value if isinstance(value, list) else [value]):
            print(f"{'' if number else heading:16} {line}")
    return True


def _embedded_rows() -> list[dict[str, Any]]:
    from .. import networks
    from ..weights import embedded

    rows = []
    for name, metadata in embedded.describe().items():
        size = (embedded.folder() / f"{name}.safetensors").stat().st_size
        network: Any = networks.build(metadata.network, **metadata.hyperparameters)
        row = {"name": name, "source": "package", "task": network.traits.tasks[0], "bytes": size, "approximate_bytes": size}
        rows.append({**row, "present": True, "noncommercial": False, **asdict(metadata)})
    return rows


def _row(entry: Entry) -> dict[str, Any]:
    from ..weights import store

    here = [file for file in (store.source(entry), store.converted(entry)) if file.is_file()]
    about = entry.approximate_megabytes
    return {
        "name": entry.name,
        "source": "catalogue",
        "task": entry.task,
        "about": entry.about,
        "network": entry.network,
        "hyperparameters": dict(entry.hyperparameters),
        "licence": entry.licence,
        "noncommercial": entry.noncommercial,
        "address": entry.address,
        "bytes": here[0].stat().st_size if here else None,
        "approximate_bytes": None if about is None else round(1e6 * about),
        "present": bool(here),
    }


def _has_size(row: dict[str, Any]) -> bool:
    return bool(row["bytes"] or row["approximate_bytes"])


def _present(entry: Entry) -> bool:
    from ..weights import store

    return store.source(entry).is_file() or store.converted(entry).is_file()


def _print_card(card: dict[str, Any]) -> None:
    for key, value in card.items():
        print(f"{key:16} {value}")


def _settle_licence(entry: Entry, accept: bool) -> None:
    """Show a non-commercial licence once, and ask where somebody is there to answer; `fetch` refuses what wasn't accepted."""
    from ..weights import store

    if store.accepted(entry):
        return
    common.say(f"{entry.name}: the licence {entry.licence} forbids commercial use; see {entry.page}")
    if accept or (sys.stdin.isatty() and typer.confirm("Do you accept it?", err=True)):
        store.accept(entry)


def _report(name: str, verdict: Any, as_json: bool) -> None:
    if as_json:
        common.emit("verified", name=name, path=str(verdict.path), sha256=verdict.sha256, trust=verdict.trust)
    else:
        common.say(f"{name}: {verdict.path.name} sha256 {verdict.sha256} ({verdict.trust})")
