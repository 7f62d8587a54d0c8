"""VMAF (Li et al., Netflix 2016; model vmaf_v0.6.1) by libvmaf, which the `vmaf` extra brings."""

from __future__ import annotations

import json

from ..errors import ShapeError
from ..media import program
from ..types import Clip


def vmaf(reference: Clip, distorted: Clip) -> list[float]:
    """VMAF of each frame, 0 to 100; the clips are consecutive frames, for motion counts.

    Raises `MissingTool` without the `vmaf` extra, `ShapeError` where sizes, lengths or bit depths differ.
    """
    shapes = [(len(clip), clip.width, clip.height, clip.color.bit_depth) for clip in (reference, distorted)]
    if shapes[0] != shapes[1]:
        raise ShapeError(f"VMAF compares equal frames, not {shapes[0]} and {shapes[1]} (frames, width, height, bits)")
    libvmaf = "[1:v][0:v]libvmaf=log_fmt=json:log_path=scores.json"  # the distorted one is its first input
    scores = json.loads(program.run([reference, distorted], ["-lavfi", libvmaf, "-f", "null", "-"], "scores.json"))
    return [frame["metrics"]["vmaf"] for frame in scores["frames"]]
