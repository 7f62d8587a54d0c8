"""What `compress --codec hybrid` costs: python bench/hybrid.py --video FILE --out results/hybrid-cost.json [--frames 48]

Frames per second of 1280x720 from file (H.264, CRF 16) to file on this machine: sharpened and compressed, the choice of where to
sharpen left out (`--enhance before`) and with it (`auto`); and decoded again, which is all that is left to do where nothing
refines. Of several runs the fastest.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from bvc_stream import SIZE, scaled
from revivid.evaluation.machine import describe_machine
from revivid.media.read import open_video
from revivid.workflows.compress import compress
from revivid.workflows.options import make_compress
from revivid.workflows.write import write_video


def fastest(repeats: int, work: Callable[[], object]) -> float:
    """Seconds."""
    found = []
    for _ in range(repeats):
        begin = time.perf_counter()
        work()
        found.append(time.perf_counter() - begin)
    return min(found)


def measured(video: Path, frames: int, repeats: int) -> dict[str, float]:
    """`before_fps`, `auto_fps`, `decode_fps` and the file's `kbit_s`."""
    with tempfile.TemporaryDirectory() as folder:
        source, small = Path(folder) / "source.mp4", Path(folder) / "small.mp4"
        clip = scaled(video, frames)
        write_video(source, [clip], codec="x264", crf=16)

        def run(place: str) -> float:
            return frames / fastest(repeats, lambda: compress(source, small, codec="hybrid", enhance=place, overwrite=True))

        rates = {"auto_fps": run("auto"), "before_fps": run("before")}
        rates["decode_fps"] = frames / fastest(repeats, lambda: sum(len(part) for part in open_video(small)))
        rates["kbit_s"] = small.stat().st_size / 125 / float(sum(clip.durations))
    return {name: round(value, 2) for name, value in rates.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--video", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--frames", type=int, default=48)
    parser.add_argument("--repeats", type=int, default=2)
    options = parser.parse_args()
    made = make_compress({"codec": "hybrid"})
    result = {
        "command": f"python bench/hybrid.py --video {options.video.name} --frames {options.frames}",
        "machine": describe_machine(),
        "size": list(SIZE),
        "encoder": [made.codec, made.encoder_preset, made.crf],
        **measured(options.video, options.frames, options.repeats),
    }
    options.out.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
