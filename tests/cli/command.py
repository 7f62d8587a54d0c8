"""The installed command in a subprocess, and synthetic clips."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

COMMAND = str(Path(sys.executable).with_name("revivid"))
#: A control character that only a terminal understands.
ESCAPE = "\x1b"

# Where pytest runs in the background of a script, SIGINT is ignored, and its children would inherit that.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@dataclass
class Outcome:
    """What a command did."""

    code: int
    out: str
    err: str

    @property
    def events(self) -> list[dict[str, Any]]:
        """Every line of stdout as JSON."""
        return [json.loads(line) for line in self.out.splitlines()]

    def event(self, kind: str) -> dict[str, Any]:
        (found,) = [event for event in self.events if event["event"] == kind]
        return found


def revivid(*arguments: object, expect: int = 0, timeout: float = 120, **options: Any) -> Outcome:
    """Run the installed command; the exit code must be the expected one, and no traceback may show. `timeout` in seconds."""
    command = [COMMAND, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, timeout=timeout, stdin=options.pop("stdin", subprocess.DEVNULL), **options)
    outcome = Outcome(done.returncode, done.stdout.decode(errors="replace"), done.stderr.decode())
    assert "Traceback" not in outcome.err, outcome.err
    assert "internal fault" not in outcome.err, outcome.err
    assert outcome.code == expect, outcome.err
    return outcome


def picture(t: int, width: int, height: int) -> np.ndarray:
    """A moving pattern in RGB."""
    rows, columns = np.mgrid[0:height, 0:width]
    wave = 128 + 80 * np.sin((columns + 4 * t) / 9) * np.cos((rows + 2 * t) / 7)
    return np.stack([wave, wave[::-1], wave[:, ::-1]], -1).astype(np.uint8)


def make_clip(path: Path, frames: int = 12, size: tuple[int, int] = (256, 256), audio: bool = False) -> Path:
    """24 frames per second in 4:2:0: FFV1 of any size in .mkv, H.264 of an even one in .mp4; optionally with a tone."""
    pictures = [picture(t, *size) for t in range(min(frames, 48))]
    shown = [av.VideoFrame.from_ndarray(rgb, format="rgb24").reformat(format="yuv420p") for rgb in pictures]
    with av.open(str(path), "w") as out:
        video = out.add_stream("ffv1" if path.suffix == ".mkv" else "libx264", rate=24)
        (video.width, video.height), video.pix_fmt = size, "yuv420p"
        if path.suffix != ".mkv":
            video.options = {"preset": "ultrafast"}
        sound = out.add_stream("aac", rate=48000) if audio else None
        for t in range(frames):
            frame = shown[t % len(shown)]
            frame.pts, frame.time_base = t, Fraction(1, 24)
            out.mux(video.encode(frame))
            if sound is not None:
                samples = np.sin(np.arange(2000 * t, 2000 * (t + 1)) * 0.05).astype(np.float32)[None]
                tone = av.AudioFrame.from_ndarray(samples, format="fltp", layout="mono")
                tone.sample_rate, tone.pts, tone.time_base = 48000, 2000 * t, Fraction(1, 48000)
                out.mux(sound.encode(tone))
        for stream in filter(None, (video, sound)):
            out.mux(stream.encode(None))
    return path
