"""Fits NIQE's Gaussian to photographs: python bench/niqe.py FOLDER --out src/revivid/metrics/niqe.safetensors

As published: of each photograph, halved since it is compressed itself, only the blocks of high contrast. Photographs of more than
`_MOST` pixels a side are halved again.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from safetensors.numpy import save_file

from revivid.errors import ShapeError
from revivid.metrics.niqe import SHARP, features

_MOST = 1600


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    found = []
    for path in sorted(options.folder.iterdir()):
        try:
            found.append(features(luma(path), SHARP))
        except ShapeError as fault:
            print(f"{path.name}: {fault.message}")
    blocks = np.concatenate(found)
    model = {"mean": blocks.mean(0), "covariance": np.cov(blocks, rowvar=False)}
    note = {"made_of": f"{len(blocks)} blocks of {len(found)} photographs"}
    save_file({name: value.astype(np.float32) for name, value in model.items()}, options.out, metadata=note)
    print(note["made_of"])


def luma(path: Path) -> torch.Tensor:
    """BT.601 luma (H, W) as it is coded, 16 to 235."""
    picture = Image.open(path).convert("L")
    factor = 2
    while max(picture.size) // factor > _MOST:
        factor *= 2
    return 16 + torch.from_numpy(np.asarray(picture.reduce(factor), dtype=np.float32)) * (219 / 255)


if __name__ == "__main__":
    main()
