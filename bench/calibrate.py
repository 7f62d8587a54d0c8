"""Lets weights compute in int8: python bench/calibrate.py FILE SCENES [--batches 16] [--every 8]

Measures the ranges of all activations on batches of a training (SCENES: its folder of scenes, of which every 8th serves; the
recipe is the one that the file names) and writes them into the file's header. Training does this by itself (`revivid train`);
this is for weights that were trained before, or whose training was stopped.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

import torch

from revivid.restoration.embedded import load_trained
from revivid.restoration.ranges import activation_ranges
from revivid.train.recipe import load_recipe
from revivid.train.scenes import files, load
from revivid.train.task import PlanesTask
from revivid.weights import embedded


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path)
    parser.add_argument("scenes", type=Path)
    parser.add_argument("--batches", type=int, default=16)
    parser.add_argument("--every", type=int, default=8)
    arguments = parser.parse_args()
    torch.manual_seed(0)
    metadata, tensors = embedded.read(arguments.file)
    network = load_trained(arguments.file)
    paths = files(arguments.scenes)[:: arguments.every]
    task = PlanesTask(load_recipe(metadata.recipe), network, load(paths))
    ranges = activation_ranges(network, task.examples(arguments.batches))
    embedded.write(arguments.file, replace(metadata, ranges=ranges), tensors)
    for name, (low, high) in ranges.items():
        print(f"{name:24} {low:8.3f} {high:8.3f}")


if __name__ == "__main__":
    main()
