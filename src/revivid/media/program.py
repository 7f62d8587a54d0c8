"""The ffmpeg program that the `vmaf` extra brings (imageio-ffmpeg): for what PyAV's libraries lack, libvmaf and hqdn3d.

    Clips -> y4m files in a folder of their own -> ffmpeg -> what it wrote there
"""

from __future__ import annotations

import importlib.util
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ..errors import MissingTool, ShapeError
from ..types import Clip
from .frames import working_format

#: y4m's names of 4:2:0 by bit depth.
_Y4M = {8: "420mpeg2", 10: "420p10", 12: "420p12"}
#: Seconds that one frame may take, or each megapixel of it.
_PATIENCE = 20
_HINT = 'Install it: pip install "revivid[vmaf]"'


def available() -> bool:
    """Whether the `vmaf` extra is installed."""
    return importlib.util.find_spec("imageio_ffmpeg") is not None


def require() -> None:
    """Raise `MissingTool` where the program isn't there."""
    if not available():
        raise MissingTool("this needs the ffmpeg program of imageio-ffmpeg", hint=_HINT)


def run(clips: Sequence[Clip], arguments: Sequence[str], result: str, patience: float = _PATIENCE) -> bytes:
    """What the program writes into the file `result`, with `clips` as its inputs 0, 1, ... and `arguments` behind them.

    `patience`: seconds that one frame may take, or each megapixel of it. Raises `MissingTool` where the program isn't there, fails,
    or takes longer.
    """
    require()
    import imageio_ffmpeg  # pyright: ignore[reportMissingImports]

    with tempfile.TemporaryDirectory(prefix="revivid-ffmpeg-") as folder:
        command = [imageio_ffmpeg.get_ffmpeg_exe(), "-nostdin", "-hide_banner", "-loglevel", "error"]
        for number, clip in enumerate(clips):
            _write(Path(folder) / f"{number}.y4m", clip)
            command += ["-i", f"{number}.y4m"]
        seconds = 60 + patience * max(len(clip) * max(1.0, clip.width * clip.height / 1e6) for clip in clips)
        try:
            done = subprocess.run(
                [*command, *arguments], cwd=folder, capture_output=True, text=True, timeout=seconds, check=False
            )
        except subprocess.TimeoutExpired as fault:
            said = f"ffmpeg {' '.join(arguments)} took more than {seconds:.0f} s"
            raise MissingTool(said, hint="Try it on an idle machine.") from fault
        if done.returncode:
            raise MissingTool(f"ffmpeg {' '.join(arguments)} failed: {done.stderr.strip()[-300:]}", hint=_HINT)
        return (Path(folder) / result).read_bytes()


def filtered(clip: Clip, filters: str) -> Clip:
    """What a chain of filters, as ffmpeg's -vf takes it, makes of `clip`: one frame of its size for each of its frames.

    Raises what `run` raises, and `ShapeError` where frames or pixels are added or go missing.
    """
    raw = run([clip], ["-vf", filters, "-pix_fmt", working_format(clip.color.bit_depth), "-f", "rawvideo", "out.yuv"], "out.yuv")
    samples = np.frombuffer(raw, clip.color.dtype)
    sizes = [plane[0].size for plane in clip.planes] if len(clip) else [0, 0, 0]
    if samples.size != len(clip) * sum(sizes):
        raise ShapeError(f"{filters}: not the same frames came out of it as went in")
    frames = samples.reshape(len(clip), sum(sizes))
    y, u, v = np.split(frames, (sizes[0], sizes[0] + sizes[1]), axis=1)
    return clip.with_planes(*(part.reshape(plane.shape) for part, plane in zip((y, u, v), clip.planes, strict=True)))


def _write(path: Path, clip: Clip) -> None:
    kind = _Y4M[clip.color.bit_depth]
    with path.open("wb") as out:
        out.write(f"YUV4MPEG2 W{clip.width} H{clip.height} F25:1 Ip A1:1 C{kind}\n".encode())
        for picture in zip(*clip.planes, strict=True):
            out.write(b"FRAME\n")
            for plane in picture:
                out.write(plane.tobytes())
