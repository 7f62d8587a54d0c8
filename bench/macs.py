"""Multiply-adds of every network of the catalogue and of the package: python bench/macs.py --out results/macs.json [--missing]

Thousands of multiply-adds of convolutions, matrix products and attention per pixel of new frames, on an input of six frames (or
what the network takes) of 96x64; bilinear sampling isn't counted. Nothing is computed, except by networks of
YUV planes and codecs. What differs only in its weights is counted once.

After adding weights to the catalogue or to the package run it with `--missing`: it counts what the file has no figure of, or has
with other hyper-parameters (VRT takes a minute or two, the others seconds), and `python docs/networks.py` after it.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import torch

from network_calls import count
from revivid import networks
from revivid.layers import fused
from revivid.weights import catalogue, embedded

#: Height and width of the input; multiples of most networks' windows and strides.
SIZE = (64, 96)


def known() -> dict[str, dict[str, Any]]:
    """All weights by name: their network, and the hyper-parameters that decide what is computed."""
    every = {**embedded.describe(), **catalogue.entries()}
    return {name: {"network": weights.network, "hyperparameters": _deciding(weights)} for name, weights in every.items()}


def _deciding(weights: Any) -> dict[str, Any]:
    free = {"img_size"} if weights.network == "swinir" else set()
    return {key: value for key, value in weights.hyperparameters.items() if key not in free}


def kmacs_per_pixel(network: str, hyperparameters: dict[str, Any]) -> float:
    fused._there = lambda: False  # what is done in one pass isn't counted
    with torch.device("meta"):
        module: Any = networks.build(network, **hyperparameters).eval()
    traits = module.traits
    if traits.kind in ("codec", "picture"):  # reads its tables, and the meta device has no numbers
        module, shape = networks.build(network, **hyperparameters).eval(), (1, 3, 64, 64)
    elif traits.kind == "planes":  # autocast is asked about the device, and knows no meta device
        module, shape = networks.build(network, **hyperparameters).eval(), (1, *SIZE)
    elif traits.kind == "image":
        shape = (1, traits.channels, *SIZE)
    else:
        frames = 2 if traits.kind == "pair" else 4 if "interpolate" in traits.tasks else 6
        shape = (1, frames, traits.channels, *SIZE)
    macs, _, megapixels = count(module, shape)
    return float(f"{macs / megapixels / 1e9:.4g}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--missing", action="store_true", help="only weights that the file has no figure of")
    options = parser.parse_args()
    before = json.loads(options.out.read_text())["weights"] if options.missing and options.out.exists() else {}
    counted = {_key(facts): facts["kmacs_per_pixel"] for facts in before.values()}
    wanted = known()
    for name, facts in wanted.items():
        if _key(facts) not in counted:
            counted[_key(facts)] = kmacs_per_pixel(**facts)
            print(name, counted[_key(facts)], file=sys.stderr)
        facts["kmacs_per_pixel"] = counted[_key(facts)]
    result = {"command": "python bench/macs.py --out results/macs.json", "weights": wanted}
    options.out.write_text(json.dumps(result, indent=1) + "\n")


def _key(facts: dict[str, Any]) -> str:
    return json.dumps([facts["network"], facts["hyperparameters"]], sort_keys=True)


if __name__ == "__main__":
    main()
