"""The results of `bench quality`, `bench rd` and `bench bvc` as HTML pages: tables, curves, and what was run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ..evaluation import page
from ..evaluation.page import Block, Chart, Charts, Column, Page, Row, Section, Table
from ..evaluation.plot import curves
from .scores import METRICS, WITHOUT_TRUTH

_TESTS = {
    "blurry": "Blurry clips, against the sharp frames",
    "sharp": "Sharp clips",
    "preserve": "Blurry clips that stay blurry, against the blurry frames",
}
_CODED = {"psnr": ("PSNR", "dB"), "ms_ssim": ("MS-SSIM", "")}

#: Curve -> points with `bpp` and metrics.
_Curves = Mapping[str, Sequence[Mapping[str, float]]]


def quality_page(results: Mapping[str, Any]) -> Page:
    """A section for each task, the last run's machine and clips at the end."""
    tasks = {name: section for name, section in results["tasks"].items() if "settings" in section}
    sections = [Section(name, _task(section)) for name, section in tasks.items()]
    lead = "What networks gain over what everybody has, on clips that they haven't seen. Y is the luma plane as coded."
    run = _run(list(tasks.values()), {name: section["weights"] for name, section in tasks.items()}) if tasks else []
    return Page("Quality", kicker="revivid bench quality", lead=lead, sections=[*sections, *run])


def rate_distortion_page(results: Mapping[str, Any]) -> Page:
    """Curves of the means and of every clip, and the differences to each anchor."""
    means = {name: curve["points"] for name, curve in results["curves"].items() if "points" in curve}
    charts = [_chart(label, means, metric) for metric, (label, _) in METRICS.items() if _all_have(means, metric)]
    clips = [_chart(clip, by_curve, "psnr_y") for clip, by_curve in results["by_clip"].items()]
    sections = [Section(f"Against {anchor}", [_deltas(results, anchor)]) for anchor in results["anchors"]]
    return Page(
        "Rate and distortion",
        kicker=f"revivid bench rd, {results['made']}",
        lead="What bits buy: encoders at full size, and what restoration makes of smaller and coarser streams.",
        sections=[
            Section("Means over clips", [Charts(charts), *_left_out(results)]),
            *sections,
            Section("Clip by clip", [page.Details("PSNR-Y of every clip", [Charts(clips)])]),
            *_run([results], {"networks": results["networks"]}),
        ],
    )


def blurry_page(results: Mapping[str, Any]) -> Page:
    """The second paper's figures: curves of each test, gains at equal bits, temporal smoothness."""
    sections = [Section(_TESTS[test], list(_test(figures))) for test, figures in results["tests"].items()]
    smooth = results.get("smoothness")
    if smooth and smooth["arms"]:
        about = f"T(l) near {smooth['near_bpp']:g} bits per pixel (Eq. 17). Long errors of motion should be rare: lower is better."
        bins = range(max(len(arm["t"]) for arm in smooth["arms"].values()))
        columns = [Column("bits per pixel", 3), *(Column(f"l = {k}", 2, better="lower" if k else "") for k in bins)]
        rows = [Row(name, [arm["bpp"], *arm["t"]]) for name, arm in smooth["arms"].items()]
        sections.append(Section("Temporal smoothness", [page.Text(about), Table(columns, rows)]))
    options = {"blur": results["blur"], "arms": results["arms"]}
    return Page(
        "Blurry video",
        kicker=f"revivid bench bvc, {results['made']}",
        lead=f"The learned codec against its rivals: {len(results['clips'])} clips of {results['frames']} frames.",
        sections=[*sections, Section("Left out", _left_out(results)), *_run([results], options)],
    )


def _left_out(results: Mapping[str, Any]) -> list[Block]:
    lines = [f"Without {name}: {why}." for name, why in results["missing"].items()]
    return [page.Bullets(lines)] if lines else []


def _task(section: Mapping[str, Any]) -> list[Block]:
    rows = [(setting, arm, value) for setting, one in section["settings"].items() for arm, value in one["arms"].items()]
    metrics = [name for name in METRICS if all(name in value["mean"] for _, _, value in rows)]
    columns = [Column(METRICS[name][0], METRICS[name][1] - 1, better="higher") for name in metrics]
    known = [name for name in WITHOUT_TRUTH if all(name in value["mean"] for _, _, value in rows)]
    columns += [Column(WITHOUT_TRUTH[name][0], WITHOUT_TRUTH[name][1] - 1, better="lower") for name in known]
    columns += [_signed("gain", 2, "dB"), Column("clips improved", 0, "%"), _signed("worst", 2, "dB")]
    table = Table(columns, [_row(setting, arm, value, [*metrics, *known]) for setting, arm, value in rows])
    if not section["speed"]:
        return [table]
    speeds = [Row(arm, [speed["fps"], speed["ms"]]) for arm, speed in section["speed"].items()]
    return [table, Table([Column("frames/s", 1, better="higher"), Column("ms", 1, better="lower")], speeds, "1280x720")]


def _row(setting: str, arm: str, value: Mapping[str, Any], metrics: Sequence[str]) -> Row:
    gain = value.get("gain")
    against = [gain["psnr_y"], 100 * gain["improved"], gain["worst"]["psnr_y"]] if gain else [None] * 3
    return Row(arm, [*(value["mean"][name] for name in metrics), *against], group=setting, note=value.get("variant", ""))


def _signed(label: str, digits: int, unit: str = "", meaning: str = "") -> Column:
    """More is better, but for bits."""
    return Column(label, digits, unit, better="lower" if unit == "%" else "higher", signed=True, meaning=meaning)


def _deltas(results: Mapping[str, Any], anchor: str) -> Table:
    """BD-rates by curve and metric."""
    below = f"below {results['low_rate']:g} bits per pixel"
    ends = [Column(name, 1, "%", signed=True) for name in ("from", "to")]
    columns = [_signed("BD-rate", 1, "%"), *ends, Column("clips", 0)]
    columns += [_signed("at low rates", 1, "%", below), _signed("quality at equal bits", 3)]
    rows = []
    for name, curve in results["curves"].items():
        for metric, found in curve.get("against", {}).get(anchor, {}).items():
            whole, low, equal = found["bd_rate"], found["bd_rate_low"], found["bd_quality"]
            interval = [*whole["interval"], whole["clips"]] if whole else [None] * 3
            rows.append(Row(name, [_mean(whole), *interval, _mean(low), _mean(equal)], group=METRICS[metric][0]))
    return Table(columns, sorted(rows, key=lambda row: row.group), "95 % interval over clips")


def _test(figures: Mapping[str, Any]) -> Iterator[Block]:
    points = {arm: facts["points"] for arm, facts in figures["arms"].items()}
    yield Charts([_chart(label, points, metric, unit) for metric, (label, unit) in _CODED.items() if _all_have(points, metric)])
    slopes = [Row(arm, [facts["db_per_bpp"]]) for arm, facts in figures["arms"].items()]
    for anchor, arms in figures["against"].items():
        rates = sorted({bpp for found in arms.values() for bpp in found["psnr"]["at_bpp"]}, key=float)
        columns = [*(_signed(f"at {bpp} bpp", 2, "dB") for bpp in rates), _signed("BD-PSNR", 2, "dB")]
        rows = [
            Row(arm, [*(_mean(found["psnr"]["at_bpp"].get(bpp)) for bpp in rates), _mean(found["psnr"]["bd_quality"])])
            for arm, found in arms.items()
        ]
        yield Table(columns, rows, f"PSNR over {anchor}")
    yield page.Details("dB per bit per pixel between the ends of the mean curves", [Table([Column("dB/bpp", 2)], slopes)])


def _chart(title: str, found: _Curves, metric: str, unit: str = "") -> Chart:
    series = {name: [(point["bpp"], point[metric]) for point in points if metric in point] for name, points in found.items()}
    return Chart(title, curves({name: points for name, points in series.items() if points}), x="bits per pixel", y=unit)


def _all_have(found: _Curves, metric: str) -> bool:
    return all(metric in point for points in found.values() for point in points)


def _mean(delta: Mapping[str, Any] | None) -> float | None:
    return None if delta is None else delta["mean"]


def _run(sections: Sequence[Mapping[str, Any]], options: Mapping[str, Any]) -> list[Section]:
    last = sections[-1]
    entries = [page.ClipEntry(name, "of the frames' planes", digest) for name, digest in last["clips"].items()]
    command = "\n".join(section["command"] for section in sections)
    seeds = last.get("seeds")  # results of earlier versions have none
    return [page.what_was_run(command=command, environment=last["machine"], clips=entries, seeds=seeds, options=options)]
