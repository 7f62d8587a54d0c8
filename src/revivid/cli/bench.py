"""`revivid bench`: what restoration gains, measured on clips of one's own."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Any

import typer

from . import common, complete

app = typer.Typer(help="Measure what restoration gains on clips of your own.", no_args_is_help=True)

Data = Annotated[
    Path, typer.Option(metavar="DIR", help="Folder of clips and photographs, or of lossless masters.", exists=True, file_okay=False)
]
Cache = Annotated[
    Path | None,
    typer.Option(metavar="DIR", help="Folder of masters and scores; default: REVIVID_BENCH or the user's cache.", file_okay=False),
]
Workers = Annotated[int | None, typer.Option(help="Processes that measure side by side; default: one a core.", min=1)]
Frames = Annotated[int, typer.Option(help="Frames of each clip.")]
Quick = Annotated[bool, typer.Option("--quick", help="Few clips, frames and settings: minutes instead of hours.")]
Vmaf = Annotated[bool, typer.Option("--vmaf", help="VMAF as well; needs the extra `vmaf`.")]
Plot = Annotated[
    Path | None, typer.Option(metavar="FILE", help="Mean curves as .svg or .png; default: .svg beside --out.", dir_okay=False)
]
Html = Annotated[
    Path | None, typer.Option("--page", metavar="FILE", help="HTML page; default: .html beside --out.", dir_okay=False)
]
NoTiming = Annotated[bool, typer.Option("--no-timing", help="Leave the speeds out, on a busy machine.")]
Out = Annotated[Path, typer.Option(metavar="FILE", help="JSON file; results of other tasks in it stay.", dir_okay=False)]
Tasks = Annotated[
    list[str] | None,
    typer.Argument(metavar="[TASK]...", help="super-resolve, deartifact, deblur, denoise, interpolate, auto; default: all."),
]
Networks = Annotated[
    list[str] | None,
    typer.Option("--with", metavar="NAME", help="Only these weights; default: the package's.", autocompletion=complete.weights),
]


@app.callback()
def bench() -> None:
    """Measure what restoration gains on clips of your own."""


@app.command()
def quality(
    data: Data,
    tasks: Tasks = None,
    out: Out = Path("results/quality.json"),
    page: Html = None,
    frames: Frames = 32,
    quick: Quick = False,
    networks: Networks = None,
    vmaf: Vmaf = False,
    no_timing: NoTiming = False,
    workers: Workers = None,
    cache: Cache = None,
    as_json: common.Json = False,
) -> None:
    """Measure what each network of the package gains over the usual means: PSNR-Y, SSIM-Y, VMAF and speed.

    Clips are made worse in known ways, restored as `revivid restore` does it, and compared with what they were. What was measured
    before is not measured again, so that an interrupted run goes on where it stopped.
    """
    from ..bench.pages import quality_page
    from ..bench.quality import Options
    from ..bench.quality import quality as measure

    options = Options(
        data=data,
        out=out,
        cache=cache or default_cache(),
        tasks=tuple(tasks or ()),
        frames=frames,
        quick=quick,
        networks=tuple(networks or ()),
        vmaf=vmaf,
        workers=workers,
        timing=not no_timing,
    )
    results = measure(options, common.say)
    target = quality_page(results).write(page or out.with_suffix(".html"))
    if as_json:
        common.emit("result", path=str(out), page=str(target), **results)
        return
    for name, section in results["tasks"].items():
        print("\n".join(_lines(name, section)))
    print(out, target, sep="\n")


@app.command()
def tables(
    data: Data,
    numbers: Annotated[list[int] | None, typer.Argument(metavar="[NUMBER]...", help="1 to 5; default: all.")] = None,
    out: Out = Path("results/tables.json"),
    page: Html = None,
    frames: Frames = 32,
    quick: Quick = False,
    networks: Annotated[
        list[str] | None,
        typer.Option("--with", metavar="NAME", help="Only these weights; default: all here.", autocompletion=complete.weights),
    ] = None,
    vmaf: Vmaf = False,
    no_timing: NoTiming = False,
    workers: Workers = None,
    cache: Cache = None,
    as_json: common.Json = False,
) -> None:
    """Measure Tables 1 to 5 of the first paper: compression, super-resolution, deblurring, denoising, interpolation.

    Rows are measured for everything that runs here, published networks included whose checkpoints are in place; the paper's own
    rows are quoted beside them. What was measured before is not measured again.
    """
    from ..bench.tables import Options
    from ..bench.tables import tables as measure
    from ..bench.tables_page import report

    options = Options(
        data=data,
        out=out,
        cache=cache or default_cache(),
        tables=tuple(numbers or ()),
        frames=frames,
        quick=quick,
        networks=tuple(networks or ()),
        vmaf=vmaf,
        workers=workers,
        timing=not no_timing,
    )
    results = measure(options, common.say)
    target = report(results).write(page or out.with_suffix(".html"))
    if as_json:
        common.emit("result", path=str(out), page=str(target), **results)
        return
    for number, section in results["tables"].items():
        print("\n".join(_rows(number, section)))
    print(out, target, sep="\n")


@app.command()
def rd(
    data: Data,
    out: Annotated[Path, typer.Option(metavar="FILE", help="JSON file.", dir_okay=False)] = Path("results/rd.json"),
    arms: Annotated[
        str | None, typer.Option(metavar="A,B,...", help="Streams and who restores them: default,svtav1:6,x265:slow@1/2+bicubic.")
    ] = None,
    plot: Plot = None,
    page: Html = None,
    networks: Networks = None,
    frames: Frames = 32,
    quick: Quick = False,
    vmaf: Vmaf = False,
    workers: Workers = None,
    cache: Cache = None,
    as_json: common.Json = False,
) -> None:
    """Draw rate-distortion curves: x265 at full size against smaller and coarser streams that are restored.

    BD-rate is the per cent of bits that a curve takes more (below 0: fewer) than an encoder at full size for the same quality.
    An arm is CODEC[:PRESET[:TUNE]][@SCALE][+RESTORER]: x265, x264 or svtav1, 1/2 or 1/4 of each side, and bicubic, a stage or
    weights behind it. `default` stands for x265 medium at all scales, by bicubic and the package's networks.
    """
    from ..bench.pages import rate_distortion_page
    from ..bench.rd import DEFAULT, Options, rate_distortion

    options = Options(
        data=data,
        out=out,
        cache=cache or default_cache(),
        frames=frames,
        quick=quick,
        vmaf=vmaf,
        workers=workers,
        arms=tuple(arms.split(",")) if arms else (DEFAULT,),
        networks=tuple(networks or ()),
        plot=plot or out.with_suffix(".svg"),
    )
    results = rate_distortion(options, common.say)
    target = rate_distortion_page(results).write(page or out.with_suffix(".html"))
    if as_json:
        common.emit("result", path=str(out), page=str(target), **results)
    else:
        print("\n".join(_deltas(results)))
        print(out, target, sep="\n")


@app.command()
def bvc(
    data: Data,
    out: Annotated[Path, typer.Option(metavar="FILE", help="JSON file.", dir_okay=False)] = Path("results/bvc.json"),
    arms: Annotated[str | None, typer.Option(metavar="A,B,...", help="Codecs, networks before or behind: deblur+x265.")] = None,
    files: Annotated[
        list[str] | None, typer.Option("--with", metavar="NAME=FILE", help="Weights of a part, or of an arm of that name.")
    ] = None,
    clips: Annotated[int | None, typer.Option(help="So many clips, spread over the folder; default: all.", min=1)] = None,
    plot: Plot = None,
    page: Html = None,
    frames: Annotated[int, typer.Option(help="Frames of each clip; blurring takes three of them.")] = 15,
    quick: Quick = False,
    workers: Workers = None,
    cache: Cache = None,
    as_json: common.Json = False,
) -> None:
    """Compare the learned codec for blurry video with its rivals: bits, PSNR and MS-SSIM against the sharp frames.

    The clips are blurred first. Rivals are x265 of the blurry video, with sharpening before or behind it, and cascades of networks.
    What was measured before is not measured again.
    """
    from ..bench.bvc import DEFAULT_ARMS, Options, learned_codec, weight_files
    from ..bench.pages import blurry_page

    options = Options(
        data=data,
        out=out,
        cache=cache or default_cache(),
        arms=tuple(arms.split(",")) if arms else DEFAULT_ARMS,
        files=weight_files(files or []),
        most_clips=clips,
        frames=frames,
        quick=quick,
        workers=workers,
        plot=plot or out.with_suffix(".svg"),
    )
    results = learned_codec(options, common.say)
    target = blurry_page(results).write(page or out.with_suffix(".html"))
    if as_json:
        common.emit("result", path=str(out), page=str(target), **results)
    else:
        print("\n".join(_gains_by_bits(results)))
        print(out, target, sep="\n")


def default_cache() -> Path:
    """Where masters and scores are kept: REVIVID_BENCH, or the user's cache folder."""
    chosen = os.environ.get("REVIVID_BENCH")
    if chosen:
        return Path(chosen).expanduser()
    import platformdirs

    return Path(platformdirs.user_cache_dir("revivid")) / "bench"


def _lines(name: str, section: dict[str, Any]) -> list[str]:
    """A task's figures for people: what each network gains in each setting."""
    if "missing" in section:
        return [f"{name}: no network"]
    lines = [f"{name}: {len(section['clips'])} clips, {section['frames']} frames each"]
    for setting, figures in section["settings"].items():
        for arm, value in figures["arms"].items():
            psnr = f"{value['mean']['psnr_y']:.2f} dB"
            if "gain" in value:
                gain, worst = value["gain"], value["gain"]["worst"]
                lines.append(
                    f"  {setting:14} {arm:28} {psnr} ({gain['psnr_y']:+.2f} against {figures['against']}), "
                    f"{gain['improved']:.0%} better, worst {worst['clip']} {worst['psnr_y']:+.2f}"
                )
            else:
                lines.append(f"  {setting:14} {arm:28} {psnr}")
    lines += [f"  {arm}: {speed['fps']:g} frames/s at 1280x720" for arm, speed in section["speed"].items()]
    return lines


def _rows(number: str, section: dict[str, Any]) -> list[str]:
    """A table's figures for people."""
    lines = [f"Table {number}, {section['title']}: {len(section['clips'])} clips, {section['frames']} frames each"]
    for name, figures in section["inputs"].items():
        lines.append(f"  {name}" + (f", {figures['kbps']:g} kbit/s" if "kbps" in figures else ""))
        for arm, row in figures["rows"].items():
            mean = row["mean"]
            lines.append(f"    {arm:28} {mean['psnr']:.2f} dB, SSIM {mean['ssim']:.4f}, {mean['psnr_y']:.2f} dB PSNR-Y")
    if section["missing"]:
        lines.append(f"  without the weights of {', '.join(section['missing'])}")
    return lines


def _deltas(results: dict[str, Any]) -> list[str]:
    """Every curve's BD-rates for people."""
    lines = [f"BD-rate over {len(results['clips'])} clips of {results['frames']} frames at most"]
    for name, curve in results["curves"].items():
        for anchor, metrics in curve.get("against", {}).items():
            for metric, found in metrics.items():
                whole, low = _delta(found["bd_rate"]), _delta(found["bd_rate_low"])
                lines.append(f"  {name:32} against {anchor} {metric:9} {whole}; below {results['low_rate']:g} bpp {low}")
    return lines


def _gains_by_bits(results: dict[str, Any]) -> list[str]:
    """For people: by test the decibels that each arm has more than its rivals at equal bits."""
    lines = [f"{len(results['clips'])} clips of {results['frames']} frames; PSNR against the truth at equal bits per pixel"]
    for test, figures in results["tests"].items():
        for anchor, arms in figures["against"].items():
            for arm, metrics in arms.items():
                gains = [f"{bpp}: {gain['mean']:+.2f}" for bpp, gain in metrics["psnr"]["at_bpp"].items()]
                lines.append(f"  {test:9}{arm:16} over {anchor:12} {', '.join(gains) or 'no overlap'}")
    return lines


def _delta(found: dict[str, Any] | None) -> str:
    return "no overlap" if found is None else f"{found['mean']:+.1f} % ({found['clips']} clips)"
