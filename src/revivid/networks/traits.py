"""What a network declares about itself, so that nobody ever asks for its name."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Traits:
    """Read by the restoration stages, the tiler and the documentation."""

    #: super-resolve, deblur, denoise, deartifact, interpolate
    tasks: tuple[str, ...]
    #: How it is called: clip (N,T,C,H,W), image (N,C,H,W), pair (two frames and a time), planes (Y, UV and a CRF).
    kind: Literal["clip", "image", "pair", "planes"]
    #: Output size over input size.
    scale: int = 1
    #: Channels of one input frame.
    channels: int = 3
    #: Frames before and after that one output frame depends on; None: the whole clip (recurrent or global).
    temporal_reach: tuple[int, int] | None = (0, 0)
    #: Pixels of input on each side that one output pixel depends on; None: unbounded (attention, flow).
    spatial_reach: int | None = None
    #: The smallest input that it takes; smaller is a `ShapeError`. Everything from there works: the network pads and crops inside.
    min_size: int = 1
    min_frames: int = 1
    #: Channel order of the published weights.
    channel_order: Literal["rgb", "bgr", "yuv"] = "rgb"
    #: Subtracted and divided by before the call, for networks that want centred input: x -> (x - mean) / std.
    mean: float = 0.0
    std: float = 1.0
    #: Whether half-precision types hold its activations.
    bf16: bool = True
    fp16: bool = False
    #: Licence of its published weights, as an SPDX expression or in words.
    licence: str = ""
    #: Authors, title, venue.
    paper: str = ""
