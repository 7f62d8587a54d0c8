"""Frames per second of `evaluate` at 1280x720, decoding and the check of alignment included: python bench/evaluate.py [CLIP]

For each set of metrics a process of its own, alone, three times; the median counts. `command_s` is the whole command, with Python
and torch loaded, for a clip that plays `clip_s`. Without CLIP a synthetic moving pattern is made; either is coded again with x264
at CRF 28, and that is what is measured against it. Writes results/evaluate.json.
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
from pathlib import Path

import revivid
from revivid.evaluation.machine import describe_machine
from roundtrip import moving_pattern

METRICS = ("psnr_luma,ssim_luma", "psnr,ssim", "psnr,ssim,ms_ssim,psnr_y,ssim_y,psnr_luma")
REPEATS = 3


def measure(reference: str, distorted: str, metrics: str) -> dict[str, float]:
    """One evaluation in this process, and the processor's time that a pair of frames took."""
    started, used = time.perf_counter(), _cpu_seconds()
    report = revivid.evaluate(reference, distorted, metrics=tuple(metrics.split(",")))
    frames = len(next(iter(report.distorted.values())).times)
    elapsed = time.perf_counter() - started
    return {"fps": frames / elapsed, "cpu_ms": 1000 * (_cpu_seconds() - used) / frames, "frames": frames}


def _cpu_seconds() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def run(reference: str, distorted: str, metrics: str) -> dict[str, float]:
    """The median of some runs, each in a process of its own."""
    command = [sys.executable, __file__, reference, "--measure", metrics, "--distorted", distorted]
    runs = []
    for _ in range(REPEATS):
        started = time.perf_counter()
        found = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
        runs.append({**found, "command_s": time.perf_counter() - started})
    speeds = [one["fps"] for one in runs]
    return {
        "fps": round(statistics.median(speeds), 1),
        "fps_min": round(min(speeds), 1),
        "fps_max": round(max(speeds), 1),
        "cpu_ms": round(statistics.median(one["cpu_ms"] for one in runs), 1),
        "command_s": round(statistics.median(one["command_s"] for one in runs), 2),
        "frames": runs[0]["frames"],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clip", nargs="?")
    parser.add_argument("--seconds", type=int, default=8)
    parser.add_argument("--measure", help=argparse.SUPPRESS)
    parser.add_argument("--distorted", help=argparse.SUPPRESS)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent.parent / "results" / "evaluate.json")
    args = parser.parse_args()
    if args.measure:
        print(json.dumps(measure(args.clip, args.distorted, args.measure)))
        return
    with tempfile.TemporaryDirectory() as folder:
        reference, distorted = f"{folder}/reference.mp4", f"{folder}/distorted.mp4"
        clips = revivid.open_video(args.clip, duration=args.seconds) if args.clip else moving_pattern(args.seconds)
        revivid.write_video(reference, clips, codec="x264", crf=18, preset="veryfast")
        revivid.write_video(distorted, revivid.open_video(reference), codec="x264", crf=28, preset="veryfast")
        info = revivid.probe(reference)
        found = {metrics: run(reference, distorted, metrics) for metrics in METRICS}
    result = {
        "command": "python bench/evaluate.py" + (f" {Path(args.clip).name}" if args.clip else "") + f" --seconds {args.seconds}",
        "machine": describe_machine(),
        "clip": Path(args.clip).name if args.clip else "moving pattern",
        "size": [info.width, info.height],
        "clip_s": round(float(info.duration or 0), 2),
        "metrics": found,
    }
    args.out.write_text(json.dumps(result, indent=2) + "\n")
    for metrics, values in found.items():
        print(f"{metrics:50} {values['fps']:6.1f} frames/s  {values['cpu_ms']:6.1f} ms of CPU  {values['command_s']:5.1f} s in all")


if __name__ == "__main__":
    main()
