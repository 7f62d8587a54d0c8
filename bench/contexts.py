"""Gives a trained BVC the tables that its integers are coded by: python bench/contexts.py SCENES --out FILE --weights WEIGHTS

For weights that were trained without (`revivid train bvc-compact` counts them at its end). SCENES: a folder of training pairs as
`revivid train` makes them (`--cache`); what is coded are their ground truths. WEIGHTS: of the package, or a file. Held-out sources
tell what is saved, in results/contexts.json: bits per pixel of predicted frames before and after.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
from pathlib import Path
from typing import Any

from revivid import networks
from revivid.evaluation.machine import describe_machine
from revivid.learned.model import Model
from revivid.networks.bvc import LATENT_CELL, Bvc
from revivid.train import contexts
from revivid.train.scenes import Scene, files, held_out, load
from revivid.weights import embedded


def bits_per_pixel(network: Any, scenes: list[Scene]) -> float:
    """By the network's tables, of predicted frames."""
    model, bits, pixels = Model("", b"", network), 0.0, 0
    for one in contexts.coded(network, scenes):
        height, width = (LATENT_CELL * side for side in one.motion[0].shape[1:])
        group = model.coder(width, height, one.quality).group()
        for latents in zip(one.motion, one.residual, strict=True):
            group.encode(*latents)
        bits, pixels = bits + group.bits, pixels + height * width * len(one.motion)
    return bits / pixels


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("scenes", type=Path)
    parser.add_argument("--weights", required=True, help="without contexts: a name of the package, or a file")
    parser.add_argument("--results", type=Path, default=Path("results/contexts.json"))
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    scenes = load(files(options.scenes))
    path = Path(options.weights)
    metadata, state = embedded.read(path) if path.suffix else embedded.load(options.weights)
    before = networks.build("bvc", **metadata.hyperparameters)
    before.load_state_dict(state)
    assert isinstance(before, Bvc)
    learned = [scene for scene in scenes if not held_out(scene.name)]
    kept = [scene for scene in scenes if held_out(scene.name)]
    after = contexts.counted(before.eval(), metadata.hyperparameters, learned)
    rates = {name: bits_per_pixel(network, kept) for name, network in (("before", before), ("after", after))}
    found = {
        "command": "python bench/contexts.py SCENES --out FILE --weights WEIGHTS",
        "machine": describe_machine(),
        "scenes": len(learned),
        "held_out": len(kept),
        "bpp_before": round(rates["before"], 4),
        "bpp_after": round(rates["after"], 4),
        "saved_percent": round(100 * (1 - rates["after"] / rates["before"]), 1),
    }
    options.results.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    described = dataclasses.replace(metadata, hyperparameters={**metadata.hyperparameters, "contexts": True})
    embedded.write(options.out, described, after.state_dict())


if __name__ == "__main__":
    main()
