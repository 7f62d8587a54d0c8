"""Frames per second and peak memory of each part of the main job: python bench/roundtrip.py [CLIP] [--seconds 10]

Parts: decode the small file; network (decode + super-resolution x4, conversion included: what a player would need); encode alone
(x264 veryfast of the restored frames); restore (all of it, overlapped); compress. Each part runs in a process of its own, alone,
three times; the median counts. Without CLIP a synthetic 1280x720 moving pattern is made. Writes results/roundtrip.json.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import numpy as np

import revivid
from revivid.types import Clip, ColorSpec

PARTS = ("decode", "network", "encode", "restore", "compress")
REPEATS = 3


def moving_pattern(seconds: int, width: int = 1280, height: int = 720, rate: int = 24) -> Iterator[Clip]:
    """Textured noise that glides: neither trivial nor impossible to encode."""
    rng = np.random.default_rng(1)
    coarse = rng.integers(40, 215, (height // 8 + 40, width // 8 + 40)).astype(np.uint8)
    field = np.kron(coarse, np.ones((8, 8), np.uint8))
    field = ((field.astype(np.uint16) + np.roll(field, 3, 0) + np.roll(field, 5, 1) + np.roll(field, 2, 0)) // 4).astype(np.uint8)
    chroma = np.full((1, height // 2, width // 2), 128, np.uint8)
    for index in range(seconds * rate):
        shift = index % 200
        luma = field[shift : shift + height, shift : shift + width][None]
        yield Clip((luma.copy(), chroma, chroma), (Fraction(index, rate),), (Fraction(1, rate),), ColorSpec())


def measure(part: str, clip: str, small: str, seconds: float) -> dict[str, float]:
    """One part in this process: frames per second, and peak resident memory."""
    folder = tempfile.mkdtemp()
    reader = revivid.open_video(small)
    stage = revivid.StageSpec("super-resolve", {"scale": 4})
    if part == "encode":
        frames = list(revivid.restore_clips(list(reader)[:12], stage))
        started = time.perf_counter()
        count = revivid.write_video(f"{folder}/out.mp4", frames, codec="x264", crf=16, preset="veryfast")
    elif part in ("decode", "network"):
        from revivid.pipeline import prefetched

        next(iter(revivid.restore_clips(revivid.open_video(small, duration=0.1), stage)))  # loads the weights
        started = time.perf_counter()
        clips = reader if part == "decode" else revivid.restore_clips(prefetched(reader), stage)
        count = sum(len(item) for item in clips)
    elif part == "restore":
        started = time.perf_counter()
        count = revivid.restore(small, f"{folder}/out.mp4").frames
    else:
        started = time.perf_counter()
        count = revivid.compress(clip, f"{folder}/out.mp4", duration=seconds).frames
    elapsed = time.perf_counter() - started
    return {"fps": count / elapsed, "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, "frames": count}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clip", nargs="?")
    parser.add_argument("--seconds", type=int, default=10)
    parser.add_argument("--part", choices=PARTS, help=argparse.SUPPRESS)
    parser.add_argument("--small", help=argparse.SUPPRESS)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent.parent / "results" / "roundtrip.json")
    args = parser.parse_args()
    if args.part:
        print(json.dumps(measure(args.part, args.clip, args.small, args.seconds)))
        return
    with tempfile.TemporaryDirectory() as folder:
        clip = args.clip or f"{folder}/pattern.mp4"
        if not args.clip:
            revivid.write_video(clip, moving_pattern(args.seconds), codec="x264", crf=18, preset="veryfast")
        small = f"{folder}/small.mp4"
        revivid.compress(clip, small, duration=args.seconds)
        info, original = revivid.probe(small), revivid.probe(clip)
        parts = {part: run_part(part, clip, small, args.seconds) for part in PARTS}
    from revivid.evaluation.machine import describe_machine

    result = {
        "command": "python bench/roundtrip.py" + (f" {Path(args.clip).name}" if args.clip else "") + f" --seconds {args.seconds}",
        "machine": describe_machine(),
        "clip": Path(clip).name,
        "size": [original.width, original.height],
        "small_size": [info.width, info.height],
        "parts": parts,
    }
    args.out.write_text(json.dumps(result, indent=2) + "\n")
    for part, values in parts.items():
        print(f"{part:9} {values['fps']:8.1f} frames/s  {values['peak_mib']:7.0f} MiB")


def run_part(part: str, clip: str, small: str, seconds: int) -> dict[str, float]:
    command = [sys.executable, __file__, clip, "--seconds", str(seconds), "--part", part, "--small", small]
    runs = [json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout) for _ in range(REPEATS)]
    speeds = [run["fps"] for run in runs]
    return {
        "fps": round(statistics.median(speeds), 1),
        "fps_min": round(min(speeds), 1),
        "fps_max": round(max(speeds), 1),
        "peak_mib": round(max(run["peak_mib"] for run in runs)),
        "frames": runs[0]["frames"],
    }


if __name__ == "__main__":
    main()
