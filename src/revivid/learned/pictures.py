"""Clips to the pictures that the network takes, and back: colour, padding, cropping."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from ..color import clip_to_rgb, rgb_to_planes
from ..types import Clip, ColorSpec
from .tables import Padded


def pictures_of(clip: Clip, padded: Padded) -> Iterator[Tensor]:
    """Each frame as float32 R'G'B' (1, 3, H, W) in [0, 1], its right and lower edges repeated up to the padded size."""
    for t in range(len(clip)):
        rgb = clip_to_rgb(clip[t : t + 1])
        yield F.pad(rgb, (0, padded.width - clip.width, 0, padded.height - clip.height), mode="replicate")


def planes_of(picture: Tensor, width: int, height: int, color: ColorSpec) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Y (H, W) and U, V of a padded picture, cropped to the stream's size."""
    y, u, v = rgb_to_planes(picture[:, :, :height, :width].float().cpu(), color)
    return y[0], u[0], v[0]


def as_tensor(picture: np.ndarray, device: torch.device) -> Tensor:
    """A keyframe (3, H, W) as the network takes it."""
    return torch.from_numpy(picture)[None].to(device)
