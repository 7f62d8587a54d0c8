"""Makes the package's BVC, whose decoder has no networks: python bench/blocks.py SCENES --out FILE

Its transforms are what they begin as and nothing is trained, but the tables of its entropy coder, which are counted on what it
makes of SCENES, a folder of training pairs as `revivid train` makes them (`--cache`). Held-out sources tell what it is worth beside
other weights (`--beside`), in results/blocks.json: bits per pixel and PSNR at the whole qualities, keyframes included.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import torch

from revivid import networks
from revivid.codecs.bvc import keyframe
from revivid.evaluation.machine import describe_machine
from revivid.learned.model import Model
from revivid.metrics.bd import bd_quality
from revivid.networks.bvc import RATES
from revivid.train import contexts
from revivid.train.codec_losses import decibels
from revivid.train.scenes import Scene, files, held_out, load
from revivid.weights import embedded

_PARAMETERS: dict[str, Any] = {
    "size": "compact", "venet": False, "refine": False, "contexts": True, "blocks": True, "references": 4,
    "rdoq": True, "overlap": True, "adaptive": True,
}  # fmt: skip
#: Held-out scenes that are coded.
_SEEN = 16


def built(scenes: Sequence[Scene]) -> Any:
    """The network, with its tables."""
    network = networks.build("bvc", **_PARAMETERS).eval()
    for part, name in network.borrowed.items():  # pyright: ignore[reportGeneralTypeIssues, reportAttributeAccessIssue, reportCallIssue]
        network.get_submodule(part).load_state_dict(embedded.load(name)[1])
    contexts.count(network, scenes)  # pyright: ignore[reportArgumentType]
    return network


@torch.inference_mode()
def curve(network: Any, scenes: Sequence[Scene]) -> list[tuple[float, float]]:
    """Bits per pixel and PSNR at the whole qualities, means over scenes; each begins with a keyframe."""
    model, points = Model("", b"", network), []
    for quality in range(1, RATES + 1):
        rows = [_coded(network, model, frames, float(quality)) for _, frames in contexts.sequences(scenes)]
        rates, levels = zip(*rows, strict=True)
        points.append((round(float(np.mean(rates)), 4), round(float(np.mean(levels)), 3)))
    return points


def _coded(network: Any, model: Model, frames: list[torch.Tensor], quality: float) -> tuple[float, float]:
    _, _, height, width = frames[0].shape
    key = keyframe.encode(frames[0][0].numpy(), keyframe.qp_of(quality), 8)
    seen = [torch.from_numpy(keyframe.decode(key, width, height))[None]]
    group, levels = model.coder(width, height, quality).group(), [decibels(seen[0][0], frames[0][0])]
    for frame in frames[1:]:
        made = network.encode(frame, seen[0], quality, before=seen[1:])
        group.encode(made.motion.numpy().astype(np.int32), made.residual.numpy().astype(np.int32))
        seen = [made.decoded, *seen][: network.references]
        levels.append(decibels(made.decoded[0], frame[0]))
    return (8 * len(key.data) + group.bits) / (height * width * len(frames)), float(np.mean(levels))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("scenes", type=Path)
    parser.add_argument("--every", type=int, default=4, help="count on every so manyth scene")
    parser.add_argument("--beside", type=Path, help="other weights of a BVC")
    parser.add_argument("--results", type=Path, default=Path("results/blocks.json"))
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    scenes = load(files(options.scenes))
    learned = [scene for scene in scenes if not held_out(scene.name)][:: options.every]
    network = built(learned)
    sources = len({scene.name for scene in learned})
    about = f"tables: {len(learned)} scenes of {sources} photographs and clips; flow: compactinterp-x2"
    metadata = embedded.Metadata("bvc", _PARAMETERS, "blocks", 0, date.today().isoformat(), "Apache-2.0", about)
    embedded.write(options.out, metadata, network.state_dict())
    kept = [scene for scene in scenes if held_out(scene.name)]
    kept = kept[:: max(len(kept) // _SEEN, 1)]
    curves = {"blocks": curve(network, kept)}
    if options.beside:
        before, state = embedded.read(options.beside)
        other = networks.build("bvc", **before.hyperparameters).eval()
        other.load_state_dict(state)
        curves["beside"] = curve(other, kept)
    gain = bd_quality(curves["beside"], curves["blocks"]) if options.beside else None
    result = {
        "command": "python bench/blocks.py SCENES --out FILE" + (" --beside OTHER" if options.beside else ""),
        "machine": describe_machine(),
        "scenes": len(learned),
        "held_out": len(kept),
        "curves": {name: [{"bpp": rate, "psnr": level} for rate, level in points] for name, points in curves.items()},
        "bd_psnr": None if gain is None else round(gain, 2),
    }
    options.results.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
