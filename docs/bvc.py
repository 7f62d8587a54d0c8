"""Keeps the tables of docs/bvc.md true to results/bvc-cost.json and results/bvc.json: python docs/bvc.py [--check]

`python bench/bvc.py --out results/bvc-cost.json` and `revivid bench bvc` measure them.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from generated import write_or_check

from revivid.bench import published

ROOT = Path(__file__).parent.parent
PAGE, RESULTS = ROOT / "docs" / "bvc.md", ROOT / "results" / "bvc-cost.json"
RIVALS, CASCADES = ROOT / "results" / "bvc.json", ROOT / "results" / "bvc-cascades.json"
BEGIN, END = "<!-- tables: made by docs/bvc.py -->", "<!-- end of tables -->"
BLOCKS = ROOT / "results" / "blocks.json"
BLOCKS_BEGIN, BLOCKS_END = "<!-- blocks: made by docs/bvc.py -->", "<!-- end of blocks -->"
RIVALS_BEGIN, RIVALS_END = "<!-- rivals: made by docs/bvc.py -->", "<!-- end of rivals -->"
#: Rates of the tables' columns.
AT_BPP = ("0.1", "0.15", "0.2", "0.3", "0.4", "0.6")
#: What the learned codec is to beat x265 from, in bits per pixel.
FROM_BPP = 0.15
TESTS = {
    "blurry": "Blurry clips, against the sharp frames",
    "sharp": "Sharp clips",
    "preserve": "Blurry clips that are to stay blurry, against the blurry frames",
}

#: Modules, who runs them, and what they are at either size.
MODULES = {
    "VENet": ("encoder", "U-Net of residual blocks on cells of 4x4 pixels", "residual dense network, 12 blocks"),
    "AE_blur": ("encoder", "autoencoder to an eighth, 48 channels", "autoencoder 5x5 to a sixteenth, 128 channels"),
    "flow": ("encoder", "`compactinterp`, as it is in the package, registered", "SPyNet, five levels"),
    "FRNet": ("encoder", "a residual block on cells", "residual dense network, 3 blocks"),
    "E_flow": ("encoder", "cosine transform of 4x4 cells, a residual block, 32 channels", "3x3 to a sixteenth, 128 channels"),
    "D_flow": ("decoder", "mirrored", "mirrored"),
    "MCNet": ("decoder", "on cells and half as fine, 32 and 64 channels", "residual U-Net, 64 channels"),
    "E_res": ("encoder", "cosine transforms of 8x8, 384 channels, 128 in a residual block", "5x5 to a sixteenth, 128 channels"),
    "D_res": ("decoder", "mirrored, and deblocking on cells", "mirrored"),
    "densities": ("both", "of blur, motion and residual", "of blur, motion and residual"),
    "gains": ("both", "8 qualities", "none: a network per rate"),
}


def tables() -> str:
    result = json.loads(RESULTS.read_text(encoding="utf-8"))
    compact, paper = result["sizes"]["compact"], result["sizes"]["paper"]
    lines = [
        "| module | run by | compact | parameters | kMAC/px | paper | parameters | kMAC/px |",
        "|---|---|---|---:|---:|---|---:|---:|",
    ]
    for name, (side, small, large) in MODULES.items():
        cells = [name, side, small, *_figures(compact, name), large, *_figures(paper, name)]
        lines.append(f"| {' | '.join(cells)} |")
    lines.append(f"| **total** | | | {' | '.join(_totals(compact))} | | {' | '.join(_totals(paper))} |")
    lines += [f"| of it the decoder's | | | {' | '.join(_decoder(compact))} | | {' | '.join(_decoder(paper))} |", ""]
    if blocks := result["sizes"].get("blocks"):
        lines += [_without_networks(blocks), ""]
    machine = result["machine"]
    lines += [
        f"Seconds that the networks take for a frame of 1280x720 on {machine['cpu']}, {machine['threads']} threads, float32:", "",
        "| | enhance | encode (decodes, too) | decode |", "|---|---:|---:|---:|",
    ]  # fmt: skip
    for size, facts in result["sizes"].items():
        seconds = facts["seconds_per_720p_frame"]
        lines.append(f"| {size} | {seconds['enhance']:.3g} | {seconds['encode']:.3g} | {seconds['decode']:.3g} |")
        if memory := facts.get("megabytes_per_720p_frame"):
            lines.append(f"| {size}, peak memory in MB | {memory['enhance']} | {memory['encode']} | {memory['decode']} |")
    if stream := result.get("stream"):
        lines += ["", _stream(stream)]
    return "\n".join([*lines, "", *_complexity(result["sizes"])])


def _without_networks(blocks: dict[str, Any]) -> str:
    (parameters, kmacs), (own, decoding) = _totals(blocks), _decoder(blocks)
    return (
        f"`blocks`, as in the package, has none of VENet, AE_blur, FRNet and MCNet: {parameters} parameters and {kmacs} kMAC/px, "
        f"of which the flow is the most; the decoder's two transforms have {own} and take {decoding} kMAC/px."
    )


def _stream(stream: dict[str, Any]) -> str:
    shares = " and ".join(f"{100 * stream[f'{side}_entropy_share']:.1f} % of {side[:-1]}ing's" for side in ("encode", "decode"))
    what = f"{stream['frames']} frames of 1280x720 at quality {stream['quality']:g} ({stream['bits_per_pixel']} bits per pixel)"
    return (
        f"A whole stream, {what}, the package's model, not sharpened: {stream['encode_s']:.2f} s a frame to encode, "
        f"{stream['decode_fps']} frames/s from file to decoded frames, keyframe and colour conversion included; entropy coding is "
        f"{shares} CPU time."
    )


def _complexity(sizes: dict[str, Any]) -> list[str]:
    """The second paper's Table 1: its rows, and ours, which ran on another machine."""
    quoted = published.blurry()
    lines = [
        "The paper's Table 1 beside it (**published, on another machine**: its authors' GPU):", "",
        "| | parameters, millions | seconds for a frame of 1280x720 |", "|---|---:|---:|",
    ]  # fmt: skip
    for size, facts in sizes.items():
        seconds = facts["seconds_per_720p_frame"]
        whole, parameters = seconds["enhance"] + seconds["encode"], sum(facts["parameters"].values()) / 1e6
        sharpens = "sharpen, encode and decode" if facts["parameters"]["VENet"] else "encode and decode, not sharpened"
        lines.append(f"| {size}, measured here: {sharpens} | {parameters:.2f} | {whole:.2f} |")
    lines += [f"| {row['method']} (published) | {row['parameters']:.2f} | {row['seconds']:.2f} |" for row in quoted["complexity"]]
    note = "`blocks` has no network that sharpens: `deblurnet` (docs/weights.md) runs before it, with its own parameters and time."
    return [*lines, "", f"Source: {quoted['source']}. {note}"]


def _figures(size: dict[str, Any], name: str) -> tuple[str, str]:
    kmacs = size["kmacs_per_pixel"].get(name)
    return f"{size['parameters'][name]:,}", "-" if kmacs is None else f"{kmacs:.3g}"


def _totals(size: dict[str, Any]) -> tuple[str, str]:
    return f"{sum(size['parameters'].values()):,}", f"{sum(size['kmacs_per_pixel'].values()):.4g}"


def _decoder(size: dict[str, Any]) -> tuple[str, str]:
    names = [name for name, (side, *_) in MODULES.items() if side == "decoder"]
    parameters = sum(size["parameters"][name] for name in names)
    return f"{parameters:,}", f"{sum(size['kmacs_per_pixel'][name] for name in names):.3g}"


def blocks() -> str:
    """Both curves of results/blocks.json."""
    result = json.loads(BLOCKS.read_text(encoding="utf-8"))
    names = {"blocks": "in blocks", "beside": "networks"}
    lines = [f"| quality | {' | '.join(str(k + 1) for k in range(len(result['curves']['blocks'])))} |"]
    lines.append("|---|" + "---:|" * len(result["curves"]["blocks"]))
    for key, name in names.items():
        points = result["curves"][key]
        lines.append(f"| {name}: bits per pixel | {' | '.join(str(point['bpp']) for point in points)} |")
        lines.append(f"| PSNR in dB | {' | '.join(str(point['psnr']) for point in points)} |")
    return "\n".join([*lines, "", f"BD-PSNR {result['bd_psnr']:+.2f} dB ({result['held_out']} scenes)."])


def rivals() -> str:
    if not RIVALS.exists():
        return "Not measured yet: `revivid bench bvc --data DIR`."
    picture = RIVALS.with_suffix(".svg")
    lines = [f"![mean curves and temporal smoothness](../results/{picture.name})", ""] if picture.exists() else []
    lines += _measured(json.loads(RIVALS.read_text(encoding="utf-8")), TESTS)
    if CASCADES.exists():
        cascades = json.loads(CASCADES.read_text(encoding="utf-8"))
        lines += ["### Cascades and ablations, hardly trained", "", cascades["about"], ""]
        lines += _measured(cascades, {"blurry": TESTS["blurry"]})
    return "\n".join(lines).rstrip()


def _measured(result: dict[str, Any], tests: dict[str, str]) -> list[str]:
    frames = f"{len(result['clips'])} clips of {result['frames']} frames, a keyframe every {result['keyframes_every']}"
    lines = [f"`{result['command']}`: {frames}.", ""]
    lines += [f"Without `{arm}`: {why}." for arm, why in result["missing"].items()] + [""] * bool(result["missing"])
    for test, title in tests.items():
        if test in result["tests"]:
            lines += [f"**{title}**", "", *_gains(result["tests"][test], test), *_slopes(result["tests"][test], test)]
    return lines + _smoothness(result.get("smoothness", {}))


def _slopes(figures: dict[str, Any], test: str) -> list[str]:
    """What a bit is worth, between the ends of every mean curve."""
    slopes = [f"`{arm}` {facts['db_per_bpp']:.1f}" for arm, facts in figures["arms"].items() if facts["db_per_bpp"] is not None]
    quoted = published.blurry()
    own, rival = quoted["db_per_bpp"]["own"], quoted["db_per_bpp"]["rival"]
    paper = f" (published, on other clips: {own:.2f}, the best cascade, {quoted['rival']}, {rival:.2f})" if test == "blurry" else ""
    return [f"dB per bit per pixel between the ends of the mean curve: {', '.join(slopes)}{paper}.", ""]


def _smoothness(found: dict[str, Any]) -> list[str]:
    """T(l) by arm (second paper, Eq. 17)."""
    if not found.get("arms"):
        return []
    longest = max(len(arm["t"]) for arm in found["arms"].values())
    lines = [
        f"**Temporal smoothness**: T(l) near {found['near_bpp']:g} bits per pixel (Eq. 17, Fig. 5a; natural logarithm). How many",
        "of the vectors by which motion changes from frame to frame are wrong by l to l + 1 pixels, the last by that much or more:",
        f"lower is better from l = 1 on. Motion of all arms by `{found['flow']}`, registered.", "",
        f"| | bits per pixel | {' | '.join(f'l = {k}' for k in range(longest))} |", "|---|" + "---:|" * (longest + 1),
    ]  # fmt: skip
    for name, arm in found["arms"].items():
        cells = ["-" if t is None else f"{t:.2f}" for t in arm["t"]]
        lines.append(f"| `{name}` | {arm['bpp']:.3f} | {' | '.join(cells)} |")
    return [*lines, ""]


def _gains(figures: dict[str, Any], test: str) -> list[str]:
    """The anchor's PSNR and what the others have more, at equal bits."""
    lines: list[str] = []
    for anchor, arms in figures["against"].items():
        if anchor.startswith("deblur") and test != "blurry":
            continue
        head = f"| PSNR over `{anchor}` in dB, at bits per pixel | {' | '.join(AT_BPP)} | BD-PSNR | worst | BD-rate | BD-MS-SSIM |"
        lines += [head, "|---|" + "---:|" * (len(AT_BPP) + 4)]
        for arm, metrics in arms.items():
            psnr, structure = metrics["psnr"], metrics["ms_ssim"]
            cells = [_signed(psnr["at_bpp"].get(bpp), 2) for bpp in AT_BPP]
            cells += [_signed(psnr["bd_quality"], 2), _worst(psnr["bd_quality"]), _signed(psnr["bd_rate"], 1, " %")]
            cells.append(_signed(structure["bd_quality"], 4))
            lines.append(f"| `{arm}` | {' | '.join(cells)} |")
        least = {arm: _least(metrics["psnr"]["at_bpp"]) for arm, metrics in arms.items()}
        found = [f"`{arm}` {gain:+.2f}" for arm, gain in least.items() if gain is not None]
        lines += ["", f"The least of these differences in dB from {FROM_BPP:g} bits per pixel on: {', '.join(found) or '-'}.", ""]
    return lines


def _least(at_bpp: dict[str, Any]) -> float | None:
    return min((gain["mean"] for bpp, gain in at_bpp.items() if float(bpp) >= FROM_BPP), default=None)


def _signed(delta: dict[str, Any] | None, digits: int, unit: str = "") -> str:
    return "-" if delta is None else f"{delta['mean']:+.{digits}f}{unit} ({delta['clips']})"


def _worst(delta: dict[str, Any] | None) -> str:
    return "-" if delta is None else f"{delta['worst']:+.2f}"


def main() -> int:
    wanted = PAGE.read_text(encoding="utf-8")
    for begin, end, text in (
        (BEGIN, END, tables()), (BLOCKS_BEGIN, BLOCKS_END, blocks()), (RIVALS_BEGIN, RIVALS_END, rivals()),
    ):  # fmt: skip
        before, after = wanted.split(begin)[0], wanted.split(end)[1]
        wanted = f"{before}{begin}\n\n{text}\n\n{end}{after}"
    return write_or_check(PAGE, wanted)


if __name__ == "__main__":
    sys.exit(main())
