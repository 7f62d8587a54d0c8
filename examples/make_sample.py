"""Make examples/coffee.mp4, the clip of the README's quick start: python examples/make_sample.py

A hand-held look at a photograph: the crop glides over it by fractions of a pixel, with a little sway. The photograph is
"coffee" by Rachel Michetti, courtesy of Pikolo Espresso Bar, in the public domain (CC0), as scikit-image ships it.
Needs scikit-image (`pip install revivid[test]`).
"""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from skimage import data

import revivid
from revivid.color import rgb_to_planes
from revivid.types import MATRICES, Clip, ColorSpec

WIDTH, HEIGHT, FRAMES, RATE = 512, 288, 72, Fraction(24)
COLOR = ColorSpec(matrix=MATRICES["bt709"], primaries=1, transfer=1)


def main() -> None:
    photo = torch.from_numpy(data.coffee()).permute(2, 0, 1)[None].float() / 255
    clips = (frame(photo, index) for index in range(FRAMES))
    target = Path(__file__).with_name("coffee.mp4")
    count = revivid.write_video(target, clips, codec="x264", crf=19, preset="veryslow", overwrite=True)
    print(f"{target.name}: {count} frames, {target.stat().st_size:,} bytes")


def frame(photo: torch.Tensor, index: int) -> Clip:
    """The crop at one instant: a smooth pan from the upper left to the lower right, swaying by two pixels."""
    t = index / (FRAMES - 1)
    glide = t * t * (3 - 2 * t)
    height, width = photo.shape[-2:]
    left = glide * (width - WIDTH - 8) + 4 + 2 * np.sin(9 * t)
    top = glide * (height - HEIGHT - 8) + 4 + 2 * np.cos(7 * t)
    x = (torch.arange(WIDTH) + left) * 2 / (width - 1) - 1
    y = (torch.arange(HEIGHT) + top) * 2 / (height - 1) - 1
    grid = torch.stack(torch.meshgrid(y, x, indexing="ij")[::-1], dim=-1)[None].float()
    picture = F.grid_sample(photo, grid, mode="bicubic", align_corners=True, padding_mode="border").clamp(0, 1)
    return Clip(rgb_to_planes(picture, COLOR), (index / RATE,), (1 / RATE,), COLOR)


if __name__ == "__main__":
    main()
