"""What a network declares about itself, so that nobody ever asks for its name."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Traits:
    """Read by the restoration stages, the tiler and the documentation."""

    #: super-resolve, deblur, denoise, deartifact, refine, interpolate, compress, intra
    tasks: tuple[str, ...]
    #: How it is called: clip (N,T,C,H,W), image (N,C,H,W), pair (two frames and a time), planes (Y, UV and a CRF), codec (`Bvc`),
    #: cascade (`BvcCascade`), picture (`Intra`).
    kind: Literal["clip", "image", "pair", "planes", "codec", "cascade", "picture"]
    #: Output size over input size.
    scale: int = 1
    #: Channels of one input frame.
    channels: int = 3
    #: Frames before and after that one output frame depends on; None: the whole clip (recurrent or global).
    temporal_reach: tuple[int, int] | None = (0, 0)
    #: Pixels of input on each side that one output pixel depends on; None: unbounded (attention, flow, a state carried over time).
    spatial_reach: int | None = None
    #: Pixels by which tiles overlap where the reach is unbounded: measured so that no seam shows (results/seams.json).
    overlap: int = 64
    #: Pictures are extended or stretched to multiples of this inside the network, so tiles start at multiples of it.
    size_multiple: int = 1
    #: Tiles of a multiple of this have nothing extended inside, whole attention windows at every scale included.
    tile_multiple: int = 8
    #: The smallest input that it takes; smaller is a `ShapeError`. Everything from there works: the network pads and crops inside.
    min_size: int = 1
    min_frames: int = 1
    #: Interpolation: whether it takes any time between two frames; else it makes the middle.
    any_time: bool = False
    #: Interpolation: whether it also takes the stream's own planes, `restore(y, uv, time, bit_depth)`: no colour conversion.
    takes_planes: bool = False
    #: Planes: whether it first wants to see whole frames, `guide(y, peak)`, what it says being `restore`'s last argument.
    guided: bool = False
    #: Whether it restores frame by frame: `step(frame, state) -> (picture or None, state)`, see `streaming.Streaming`.
    streams: bool = False
    #: Frames by which a streaming network wants a clip mirrored before its first and after its last frame.
    extends: tuple[int, int] = (0, 0)
    #: Windows of a multiple of this many frames have nothing extended inside.
    frame_multiple: int = 1
    #: How it takes the noise level, in units of [0, 1]: as the argument `sigma`, as the last channel, or not at all.
    noise: Literal["argument", "channel"] | None = None
    #: Peak memory in float32, inputs and outputs of the call included, per input pixel and on top per pixel and frame of a window:
    #: measured for the published sizes (results/memory.json).
    bytes_per_pixel: float = 0.0
    bytes_per_frame_pixel: float = 0.0
    #: What a streaming network carries from frame to frame, per input pixel.
    state_bytes_per_pixel: float = 0.0
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
