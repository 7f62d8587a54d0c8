"""Gives a trained BVC the tables that its integers are coded by: python bench/contexts.py SCENES --out FILE --weights WEIGHTS

SCENES: a folder of training pairs as `revivid train` makes them (`--cache`); what is coded are their ground truths, four in ten
with frames averaged, at two qualities each. WEIGHTS: of the package, or a file of `revivid train bvc-compact`. Held-out sources
tell what is saved, in results/contexts.json: bits per pixel of predicted frames before and after.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import random
from collections.abc import Iterator
from pathlib import Path

import torch
from torch import Tensor

from revivid import networks
from revivid.codecs.bvc.context_coder import ContextCoder
from revivid.codecs.bvc.entropy import LatentCoder
from revivid.evaluation.machine import describe_machine
from revivid.learned.tables import contexts_of_tensors, of_tensors, step_of
from revivid.networks.bvc import Bvc
from revivid.train import contexts
from revivid.train.clips import rgb
from revivid.train.data import Scene, held_out, load
from revivid.weights import embedded

#: Qualities that are drawn of, sides of what is coded, and how many sequences are averaged over.
QUALITIES = tuple(1 + step / 2 for step in range(15))
SIDE, PER_CLIP, BLURRED = 320, 2, 0.4


def clips(scenes: list[Scene]) -> Iterator[tuple[random.Random, list[Tensor]]]:
    """Of each scene frames R'G'B', as they are or averaged over some neighbours."""
    for number, scene in enumerate(scenes):
        draw = random.Random(f"{scene.name} {number}")
        height, width = (min(side, SIDE) // 64 * 64 for side in scene.truth[0].shape[1:])
        size, count = min(height, width), len(scene.truth[0])
        frames = [frame[None].contiguous() for frame in rgb(scene.truth, slice(0, count), (0, 0), size)]
        if draw.random() < BLURRED:
            mixed = draw.choice((2, 3, 4))
            frames = [torch.stack(frames[t : t + mixed]).mean(0) for t in range(count - mixed + 1)]
        yield draw, frames


def coded(network: Bvc, scenes: list[Scene]) -> list[contexts.Coded]:
    """Every scene's integers at some qualities."""
    found = []
    for draw, frames in clips(scenes):
        found += [contexts.code(network, frames, quality) for quality in draw.sample(QUALITIES, PER_CLIP)]
    return found


def bits_per_pixel(network: Bvc, shown: list[contexts.Coded]) -> float:
    """By the network's tables."""
    bits = pixels = 0.0
    known = network.contexts()
    for one in shown:
        shapes = (one.motion[0].shape, one.residual[0].shape)
        if known is None:
            motion, residual = map(of_tensors, network.tables(one.quality))
            coder = LatentCoder(motion, residual, *shapes)
        else:
            motion, residual = map(contexts_of_tensors, known)
            coder = ContextCoder(motion, residual, *shapes, step_of(one.quality))
        group = coder.group()
        for latents in zip(one.motion, one.residual, strict=True):
            group.encode(*latents)
            pixels += 256 * latents[0].shape[1] * latents[0].shape[2]
        bits += group.bits
    return bits / pixels


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("scenes", type=Path)
    parser.add_argument("--weights", required=True, help="without contexts: a name of the package, or a file")
    parser.add_argument("--results", type=Path, default=Path("results/contexts.json"))
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    scenes = load(sorted(options.scenes.glob("*.npz")))
    path = Path(options.weights)
    metadata, state = embedded.read(path) if path.suffix else embedded.load(options.weights)
    before = networks.build("bvc", **metadata.hyperparameters)
    before.load_state_dict(state)
    assert isinstance(before, Bvc)
    learned = [scene for scene in scenes if not held_out(scene.name)]
    kept = [scene for scene in scenes if held_out(scene.name)]
    after = contexts.with_contexts(before.eval(), metadata.hyperparameters, [frames for _, frames in clips(learned[::8])])
    contexts.fit(after, coded(after, learned))
    rates = {name: bits_per_pixel(network, coded(network, kept)) for name, network in (("before", before), ("after", after))}
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
