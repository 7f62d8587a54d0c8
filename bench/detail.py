"""Gives a trained BVC the fine coefficients of its residual: python bench/detail.py SCENES --weights WEIGHTS --out FILE

For weights with contexts that were trained without `detail`: fine coefficients are quantised as the coarsest grey ones are, motion
as at quality 5 at every quality (finer steps than that took the fastest motion out of its range), and the tables are counted
anew. Nothing is trained. SCENES: a folder of training pairs as `revivid train` makes them (`--cache`). Held-out sources tell what
is gained, in results/detail.json: bits per pixel and PSNR of predicted frames, each scene's first frame given.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from revivid import networks
from revivid.evaluation.machine import describe_machine
from revivid.learned.model import Model
from revivid.metrics.bd import bd_quality
from revivid.networks.bvc import RATES, Bvc
from revivid.train import contexts
from revivid.train.codec_losses import decibels
from revivid.train.scenes import Scene, files, held_out, load
from revivid.weights import embedded

#: Coefficients whose steps the fine ones take over, and the quality whose steps motion has at all.
_COARSEST, _MOTION = 6, 5
#: Trained analysis answers so much for an atom of the transform that it began as.
_ANSWER = 0.93
#: Held-out scenes that are coded.
_SEEN = 16


@torch.no_grad()
def detailed(before: Bvc, hyperparameters: dict[str, Any]) -> Bvc:
    """The same network with `detail`; its tables of the residual are still empty."""
    made = networks.build("bvc", **hyperparameters)
    assert isinstance(made, Bvc)
    assert made.detail_coder is not None
    own = made.state_dict()
    own.update({key: value for key, value in before.state_dict().items() if not key.startswith("residual_contexts.")})
    made.load_state_dict(own)
    # Channel 4 k + b is coefficient k of one of four blocks.
    steps = made.residual_coder.log_gains[0].unflatten(1, (-1, 4))[:, :_COARSEST].mean((1, 2)) + float(np.log(_ANSWER))
    made.detail_coder.log_gains.copy_(torch.stack((steps, -steps, -steps))[..., None].expand_as(made.detail_coder.log_gains))
    motion = made.motion_coder.log_gains
    motion.copy_(motion[:, _MOTION - 1 : _MOTION].clone().expand_as(motion))
    return made.eval()


@torch.inference_mode()
def curve(network: Any, scenes: Sequence[Scene]) -> list[tuple[float, float]]:
    """Bits per pixel and PSNR of predicted frames at the whole qualities, means over scenes."""
    model, points = Model("", b"", network), []
    for quality in range(1, RATES + 1):
        rows = []
        for _, frames in contexts.sequences(scenes):
            _, _, height, width = frames[0].shape
            group, reference, levels = model.coder(width, height, float(quality)).group(), frames[0], []
            for frame in frames[1:]:
                made = network.encode(frame, reference, float(quality))
                group.encode(made.motion.numpy().astype(np.int32), made.residual.numpy().astype(np.int32))
                reference = made.decoded
                levels.append(decibels(reference[0], frame[0]))
            rows.append((group.bits / (height * width * len(levels)), float(np.mean(levels))))
        points.append((round(float(np.mean([r for r, _ in rows])), 4), round(float(np.mean([p for _, p in rows])), 3)))
    return points


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("scenes", type=Path)
    parser.add_argument("--weights", type=Path, required=True, help="with contexts and without detail")
    parser.add_argument("--every", type=int, default=2, help="count on every so manyth scene")
    parser.add_argument("--results", type=Path, default=Path("results/detail.json"))
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    scenes = load(files(options.scenes))
    metadata, state = embedded.read(options.weights)
    before = networks.build("bvc", **metadata.hyperparameters)
    before.load_state_dict(state)
    assert isinstance(before, Bvc)
    hyperparameters = {**metadata.hyperparameters, "detail": True}
    after = detailed(before.eval(), hyperparameters)
    learned = [scene for scene in scenes if not held_out(scene.name)][:: options.every]
    contexts.fit(after, contexts.coded(after, learned))
    embedded.write(options.out, dataclasses.replace(metadata, hyperparameters=hyperparameters), after.state_dict())
    kept = [scene for scene in scenes if held_out(scene.name)]
    kept = kept[:: max(len(kept) // _SEEN, 1)]
    curves = {name: curve(network, kept) for name, network in (("before", before), ("after", after))}
    gain = bd_quality(curves["before"], curves["after"])
    result = {
        "command": "python bench/detail.py SCENES --weights WEIGHTS --out FILE",
        "machine": describe_machine(),
        "scenes": len(learned),
        "held_out": len(kept),
        "curves": {name: [{"bpp": rate, "psnr": level} for rate, level in points] for name, points in curves.items()},
        "bd_psnr": None if gain is None else round(gain, 2),
    }
    options.results.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
