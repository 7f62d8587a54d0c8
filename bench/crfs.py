"""Which CRF of x265 does as much damage as those of x264 and SVT-AV1, at several presets.

    python bench/crfs.py FOLDER [--photos 6] [--clips 8] [--out results/crfs.json]

FOLDER holds photographs and clips. Their scenes, as training makes them, are encoded at a half and a quarter of their size. An
encoder's CRF is worth the x265 CRF (`medium`) of the same PSNR-Y, interpolated between steps of 4; median over scenes, and the
standard deviation. `codecs.Codec.as_x265` has lines through the first preset of each encoder.
"""

from __future__ import annotations

import argparse
import json
from collections import defaultdict
from pathlib import Path
from statistics import median, stdev

import numpy as np

from revivid.codecs.loop import LoopSettings, encode_decode
from revivid.errors import RevividError
from revivid.evaluation.machine import describe_machine
from revivid.media.scale import resize
from revivid.train.data import DataSettings, is_photo, sources, truth_scene
from revivid.types import Clip

#: CRFs of x265 between which is interpolated.
STEPS = tuple(range(14, 46, 4))
#: Encoder and preset -> its CRFs.
MEASURED = {
    ("libx264", "medium"): (16, 20, 24, 28, 32, 36),
    ("libx264", "veryfast"): (20, 28, 36),
    ("libx265", "veryfast"): (20, 28, 36),
    ("libsvtav1", "8"): (20, 27, 35, 43, 51, 58),
    ("libsvtav1", "5"): (27, 43, 58),
    ("libsvtav1", "11"): (27, 43, 58),
}
SCALES = (2, 4)
SETTINGS = DataSettings(photo_frames=24, photo_speed=6.0, clip_frames=24)


def psnr(clip: Clip, encoder: str, preset: str, crf: float) -> float:
    """Of luma, in dB."""
    decoded = encode_decode(clip, LoopSettings(encoder, crf, preset))[0]
    errors = np.square(clip.planes[0].astype(np.float64) - decoded.planes[0]).mean((1, 2))
    return float(np.mean(10 * np.log10(clip.color.peak**2 / np.maximum(errors, 1e-4))))


def worth(clip: Clip) -> dict[tuple[str, str, int], float]:
    """The x265 CRFs of one scene; those outside `STEPS` are left out."""
    known = [-psnr(clip, "libx265", "medium", crf) for crf in STEPS]
    found = {}
    for (encoder, preset), crfs in MEASURED.items():
        for crf in crfs:
            level = -psnr(clip, encoder, preset, crf)
            if known[0] <= level <= known[-1]:
                found[encoder, preset, crf] = float(np.interp(level, known, STEPS))
    return found


def spread(items: list, count: int) -> list:
    return items[:: max(len(items) // count, 1)][:count]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--photos", type=int, default=6)
    parser.add_argument("--clips", type=int, default=8)
    parser.add_argument("--out", type=Path, default=Path("results/crfs.json"))
    arguments = parser.parse_args()
    every = sources(arguments.folder)
    chosen = spread([one for one in every if is_photo(one)], arguments.photos)
    chosen += spread([one for one in every if not is_photo(one)], arguments.clips)
    values, used = defaultdict(list), []
    for number, source in enumerate(chosen):
        try:
            truth = truth_scene(source, 1, SETTINGS, np.random.default_rng(number))
        except RevividError as fault:
            print(f"{source.name} is left out: {fault}")
            continue
        used.append(source.name)
        for scale in SCALES:
            for key, crf in worth(resize(truth, truth.width // scale, truth.height // scale)).items():
                values[key].append(crf)
        print(source.name, flush=True)
    rows = [
        {"encoder": encoder, "preset": preset, "crf": crf, "x265_crf": round(median(found), 1),
         "deviation": round(stdev(found), 1), "measured": len(found)}
        for (encoder, preset, crf), found in values.items()
    ]  # fmt: skip
    result = {"machine": describe_machine(), "frames": SETTINGS.photo_frames, "sources": used, "rows": rows}
    arguments.out.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
