"""What BVC's networks cost: python bench/bvc.py --out results/bvc-cost.json [--video FILE] [--sizes compact,paper] [--threads N]

Parameters and thousands of multiply-adds per pixel by module, which need no weights, and on this machine the seconds and the
memory that the networks take for a frame of 1280x720 (padded to 1280x768 inside), without entropy coding and without reading and
writing video: seconds the median of several calls, memory how far a call raises what is resident. With `--video`, what a whole
stream of it costs, too (`bvc_stream`): frames per second from file to decoded frames, and the entropy coder's share. The second
paper's Table 1 has 12.74 million parameters and 0.67 s a frame on its authors' GPU.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch.utils.flop_counter import FlopCounterMode

from bvc_stream import stream_cost
from memory import peak
from revivid import networks
from revivid.evaluation.machine import describe_machine
from revivid.layers.latent_coder import LatentCoder
from revivid.networks.bvc import Bvc
from revivid.restoration.workers import keep_freed_memory

#: Height and width for counting, and for timing: 720 rows padded to a multiple of 64.
COUNTED, TIMED = (128, 192), (768, 1280)
#: Modules in the order of a frame's way, and who runs them.
PARTS = {
    "VENet": "encoder",
    "AE_blur": "encoder",
    "flow": "encoder",
    "FRNet": "encoder",
    "E_flow": "encoder",
    "D_flow": "decoder",
    "MCNet": "decoder",
    "E_res": "encoder",
    "D_res": "decoder",
}


#: As published, the paper's size serves one rate; `blocks` is what the package has.
SIZES: dict[str, dict[str, Any]] = {
    "blocks": {"size": "compact", "venet": False, "refine": False, "blocks": True, "references": 4},
    "compact": {"size": "compact", "detail": True},
    "paper": {"size": "paper", "rates": 1},
}


def build(size: str) -> Bvc:
    """A network of `SIZES`."""
    network = networks.build("bvc", **SIZES[size])
    assert isinstance(network, Bvc)
    return network.eval()


def residual_coders(network: Bvc) -> list[LatentCoder]:
    """The one of the residual, and that of its fine coefficients where there is one."""
    return [network.residual_coder, *([] if network.detail_coder is None else [network.detail_coder])]


def parameters(network: Bvc) -> dict[str, int]:
    """Parameters by module, and those of densities and gains."""
    modules = {
        "VENet": network.venet, "AE_blur": network.blur_coder, "flow": network.flow, "FRNet": network.frnet,
        "E_flow": network.motion_coder.encoder, "D_flow": network.motion_coder.decoder, "MCNet": network.mcnet,
        "E_res": torch.nn.ModuleList(coder.encoder for coder in residual_coders(network)),
        "D_res": torch.nn.ModuleList(coder.decoder for coder in residual_coders(network)),
    }  # fmt: skip
    counts = dict.fromkeys(PARTS, 0) | {"densities": 0, "gains": 0}
    for name, module in modules.items():
        for key, parameter in module.named_parameters() if module is not None else ():
            counts["densities" if "density." in key else name] += parameter.numel()
    for coder in (network.motion_coder, *residual_coders(network)):
        counts["densities"] += sum(p.numel() for p in coder.density.parameters())
        counts["gains"] += coder.log_gains.numel() if coder.rates > 1 else 0
    return counts


def kmacs(network: Bvc) -> dict[str, float]:
    """Thousands of multiply-adds of convolutions per pixel by module; bilinear sampling isn't counted."""
    height, width = COUNTED
    picture = torch.zeros(1, 3, height, width)
    flow = network.flow(picture, picture)
    motion, residual = (torch.zeros(1, *shape) for shape in network.latent_shapes(height, width))
    coders = residual_coders(network)
    latents = residual.split([coder.channels for coder in coders], 1)
    venet, blur, refine, compensate = network.venet, network.blur_coder, network.frnet, network.mcnet
    calls: dict[str, Callable[[], Any]] = {
        "VENet": lambda: venet(picture) if venet is not None else None,
        "AE_blur": lambda: blur.decoder(blur.encoder(picture)) if blur is not None else None,
        "flow": lambda: network.flow(picture, picture),
        "FRNet": lambda: refine(picture, picture, flow) if refine is not None else None,
        "E_flow": lambda: network.motion_coder.encoder(flow),
        "D_flow": lambda: network.motion_coder.decoder(motion[:, : network.motion_coder.channels]),
        "MCNet": lambda: compensate(picture, picture, flow) if compensate is not None else None,
        "E_res": lambda: [coder.encoder(picture) for coder in coders],
        "D_res": lambda: [coder.decoder(latent) for coder, latent in zip(coders, latents, strict=True)],
    }
    counted = {}
    for name, call in calls.items():
        # With gradients no layers are fused, which the counter doesn't know.
        with torch.enable_grad(), FlopCounterMode(display=False) as counter:
            call()
        counted[name] = round(counter.get_total_flops() / 2 / (height * width) / 1e3, 2)
    return counted


def megabytes(network: Bvc) -> dict[str, int]:
    """Peak memory of enhancing, coding and decoding a frame, before the process keeps freed memory."""
    torch.manual_seed(0)
    frame, reference, *before = torch.rand(1 + network.references, 1, 3, *TIMED)
    small = frame[..., :64, :64], reference[..., :64, :64]
    network.encode(network.enhance(small[0]), small[1], 4.0)  # what the first call loads
    enhance, enhanced = peak(lambda: network.enhance(frame))
    encode, coded = peak(lambda: network.encode(enhanced, reference, 4.0, before=before))
    decode, _ = peak(lambda: network.decode(coded.motion, coded.residual, reference, 4.0, before))
    return {name: round(value / 1e6) for name, value in (("enhance", enhance), ("encode", encode), ("decode", decode))}


def seconds(network: Bvc, repeats: int) -> dict[str, float]:
    """Median seconds a frame of enhancing, coding (which decodes) and decoding, over so many calls."""
    torch.manual_seed(0)
    frame, reference, *before = torch.rand(1 + network.references, 1, 3, *TIMED)
    enhance, enhanced = _timed(lambda: network.enhance(frame), repeats)
    encode, coded = _timed(lambda: network.encode(enhanced, reference, 4.0, before=before), repeats)
    decode, _ = _timed(lambda: network.decode(coded.motion, coded.residual, reference, 4.0, before), repeats)
    return {"enhance": enhance, "encode": encode, "decode": decode}


def _timed(call: Callable[[], Any], repeats: int) -> tuple[float, Any]:
    """Median seconds, and what the last call answered."""
    times, answer = [], None
    for _ in range(repeats):
        start = time.perf_counter()
        answer = call()
        times.append(time.perf_counter() - start)
    return round(statistics.median(times), 4), answer


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--sizes", default="blocks,compact,paper")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--repeats", type=int, default=7, help="calls that are timed of the small sizes; of the paper's, one")
    parser.add_argument("--video", type=Path, help="what a stream is made of, scaled to 1280x720")
    parser.add_argument("--quality", type=float, default=4.0, help="of that stream")
    parser.add_argument("--frames", type=int, default=25, help="of that stream")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    before = json.loads(options.out.read_text(encoding="utf-8")) if options.out.exists() else {}
    known, stream = before.get("sizes", {}), before.get("stream")
    built = {size: build(size) for size in options.sizes.split(",") if size}
    memory = {size: megabytes(network) for size, network in built.items()}
    keep_freed_memory()
    sizes = {size: known.get(size, {}) for size in SIZES if size in known or size in built}
    for size, network in built.items():
        sizes[size] = {"parameters": parameters(network), "kmacs_per_pixel": kmacs(network)}
        sizes[size]["seconds_per_720p_frame"] = seconds(network, 1 if size == "paper" else options.repeats)
        sizes[size]["megabytes_per_720p_frame"] = memory[size]
    if options.video is not None:
        stream = stream_cost(options.video, options.quality, options.frames, repeats=3)
    command = "python bench/bvc.py --video VIDEO --out results/bvc-cost.json"
    result = {"command": command, "machine": describe_machine(), "sizes": sizes}
    if stream is not None:
        result["stream"] = stream
    options.out.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
