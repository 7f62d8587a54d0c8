"""What our own networks gain over bicubic on decoded x265 video: python bench/quality_sr.py MASTERS --out results/lumasr.json

MASTERS is a folder of lossless videos. Each is padded to a multiple of twice the scale, downscaled by swscale's bicubic,
encoded by x265 in memory, decoded, and upscaled. PSNR is on the decoder's own luma against the master's, every 8th of 32
frames, mean over a clip's frames, then over clips; the baseline is bicubic (a = -0.75) rounded to 8 bits. Bytes are those of
the elementary stream.
"""

from __future__ import annotations

import argparse
import json
from datetime import datetime, timezone
from pathlib import Path
from statistics import mean, median
from time import perf_counter
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from revivid.codecs.loop import LoopSettings, encode_decode
from revivid.evaluation.machine import describe_machine
from revivid.media.read import open_video
from revivid.media.scale import pad_to_multiple, resize
from revivid.metrics.pixel import psnr
from revivid.networks.precision import best_dtype
from revivid.restoration.embedded import load_embedded, load_trained
from revivid.types import Clip, join
from revivid.weights import embedded


def read_frames(path: Path, count: int) -> Clip:
    clips: list[Clip] = []
    for clip in open_video(path):
        clips.append(clip)
        if sum(map(len, clips)) >= count:
            break
    return join(clips)[:count]


def tensors(clip: Clip, t: int) -> tuple[Tensor, Tensor]:
    y, u, v = (torch.from_numpy(plane[t]) for plane in clip.planes)
    return y[None, None], torch.stack([u, v])[None]


def bicubic(plane: Tensor, scale: int) -> Tensor:
    return F.interpolate(plane.float(), scale_factor=scale, mode="bicubic").round().clamp(0, 255)


@torch.inference_mode()
def measure(master: Clip, module: Any, crf: float, step: int) -> dict[str, float]:
    """Mean PSNR of one clip at one CRF, by network and by bicubic, on luma and on both chroma planes together."""
    scale = module.scale
    padded = pad_to_multiple(master, 2 * scale)
    small = resize(padded, padded.width // scale, padded.height // scale)
    decoded, size = encode_decode(small, LoopSettings(crf=crf))
    values: dict[str, list[float]] = {"bicubic": [], "network": [], "bicubic_chroma": [], "network_chroma": []}
    for t in range(0, len(master), step):
        truth_y, truth_uv = tensors(master, t)
        y, uv = tensors(decoded, t)
        with torch.autocast("cpu", torch.bfloat16, enabled=best_dtype() is torch.bfloat16):
            restored = module.restore(y, uv, torch.tensor([crf]))
        for name, pair in (("network", restored), ("bicubic", (bicubic(y, scale), bicubic(uv, scale)))):
            for suffix, truth, plane in (("", truth_y, pair[0]), ("_chroma", truth_uv, pair[1])):
                same_size = plane[..., : truth.shape[-2], : truth.shape[-1]]
                values[name + suffix].append(psnr(truth.float(), same_size.float()).item())
    result = {name: round(mean(numbers), 4) for name, numbers in values.items()}
    result["gain"] = round(result["network"] - result["bicubic"], 4)
    result["bpp"] = round(8 * size / (len(master) * master.width * master.height), 6)
    return result


def summary(clips: dict[str, dict[str, float]]) -> dict[str, float]:
    columns = {key: round(mean(clip[key] for clip in clips.values()), 4) for key in next(iter(clips.values()))}
    columns["share_improved"] = round(mean(clip["gain"] > 0 for clip in clips.values()), 4)
    return columns


@torch.inference_mode()
def milliseconds(module: Any, width: int, height: int, repeats: int = 30) -> dict[str, float]:
    """Time of `restore` for one 8-bit frame of this size, threads as torch has them."""
    y = torch.randint(0, 256, (1, 1, height, width), dtype=torch.uint8)
    uv = torch.randint(0, 256, (1, 2, height // 2, width // 2), dtype=torch.uint8)
    times = []
    for _ in range(repeats + 3):
        begin = perf_counter()
        module.restore(y, uv, torch.tensor([28.0]))
        times.append(1e3 * (perf_counter() - begin))
    return {"median": round(median(times[3:]), 2), "minimum": round(min(times[3:]), 2)}


def run(masters: list[Path], name: str, crfs: list[float], frames: int, step: int) -> dict[str, Any]:
    path = Path(name)
    metadata, _ = embedded.read(path) if path.suffix else embedded.load(name)
    module: Any = load_trained(path) if path.suffix else load_embedded(name)
    width, height = 1280 // module.scale, 720 // module.scale
    result: dict[str, Any] = {
        "weights": vars(metadata),
        "parameters": sum(p.numel() for p in module.parameters()),
        f"ms_{width}x{height}": milliseconds(module, width, height),
    }
    clips: dict[str, dict[str, dict[str, float]]] = {f"{crf:g}": {} for crf in crfs}
    for path in masters:
        master = read_frames(path, frames)
        for crf in crfs:
            clips[f"{crf:g}"][path.stem] = measure(master, module, crf, step)
    result["crf"] = {crf: {"mean": summary(of_crf), "clips": of_crf} for crf, of_crf in clips.items()}
    for crf, of_crf in result["crf"].items():
        means = of_crf["mean"]
        gains = f"{means['bicubic']:.2f} dB {means['gain']:+.3f}, chroma {means['network_chroma'] - means['bicubic_chroma']:+.3f}"
        print(f"{name} CRF {crf}: {gains}, improved {means['share_improved']:.0%}")
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("masters", type=Path)
    parser.add_argument("--weights", nargs="+", default=["compactsr-x4", "compactsr-x2"], help="embedded names or files")
    parser.add_argument("--crf", nargs="+", type=float, default=[22.0, 28.0, 34.0])
    parser.add_argument("--frames", type=int, default=32)
    parser.add_argument("--step", type=int, default=8)
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    masters = sorted(arguments.masters.glob("*.mkv"))
    if not masters:
        parser.error(f"no .mkv in {arguments.masters}")
    results = {
        "command": "python bench/quality_sr.py MASTERS --weights " + " ".join(arguments.weights),
        "date": datetime.now(timezone.utc).date().isoformat(),
        "machine": describe_machine(),
        "settings": {
            "frames": arguments.frames,
            "every": arguments.step,
            "encoder": "libx265 medium",
            "psnr": "native luma, 8 bits",
        },
        "networks": {n: run(masters, n, arguments.crf, arguments.frames, arguments.step) for n in arguments.weights},
    }
    if arguments.out:
        arguments.out.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
