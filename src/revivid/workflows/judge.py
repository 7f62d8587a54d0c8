"""How good samples come back: restored as `restore` would, and scored frame by frame against what they were made of.

    small file -> its recipe's stages, up to those that change times -> crop -> PSNR-Y or VMAF of each frame

Needs torch, and is therefore imported only where such a target is asked for.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import takewhile
from pathlib import Path

from ..errors import CorruptInput, MissingTool
from ..evaluation.compare import frames_of
from ..media import program, scale
from ..media.read import VideoReader
from ..metrics.frame import prepare
from ..metrics.pixel import psnr
from ..metrics.vmaf import vmaf
from ..pipeline import chain
from ..types import Clip, join
from .job import check_weights
from .options import RestoreOptions
from .restore import restoration_stages


def check_can_judge(metric: str) -> None:
    """Raise `MissingTool` where `metric` can't be measured on this machine: VMAF without its program."""
    if metric == "vmaf" and not program.available():
        hint = 'Install it: pip install "revivid[vmaf]"; or aim at --target-psnr.'
        raise MissingTool("VMAF is measured by the ffmpeg program of imageio-ffmpeg", hint=hint)


def scores(path: Path, original: Clip, metric: str, options: RestoreOptions) -> list[float]:
    """`metric` of each frame of `original`: of the restored first frames of the small file at `path`.

    Raises `MissingWeights` where a stage lacks its weights.
    """
    reader = VideoReader(path)
    stages, _ = restoration_stages(reader, options)
    check_weights(stages)
    stages = list(takewhile(lambda stage: not stage.retimes, stages))
    frames = frames_of(chain(_first(reader, len(original)), stages))
    restored = (scale.crop(frame, original.width, original.height) for frame in frames)
    if metric == "vmaf":
        found = vmaf(original, join(list(restored)))
    else:
        found = [
            float(psnr(prepare(true).luma, prepare(answer).luma))
            for true, answer in zip(frames_of([original]), restored, strict=False)
        ]
    if len(found) != len(original):
        raise CorruptInput(f"{len(found)} of {len(original)} sampled frames came back")
    return found


def _first(clips: Iterable[Clip], count: int) -> Iterator[Clip]:
    for clip in clips:
        yield clip[:count]
        count -= len(clip)
        if count <= 0:
            return
