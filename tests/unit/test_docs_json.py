"""docs/json.md names the fields that the command line emits: no more, no fewer."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path

from revivid import errors
from revivid.evaluation.machine import describe_machine
from revivid.restoration.export import Exported
from revivid.types import ColorSpec, HdrMetadata, StreamInfo, VideoInfo
from revivid.weights.embedded import Metadata
from revivid.workflows.job import JobResult, Plan
from revivid.workflows.target import Encode, Found, Goal, Probe

PAGE = (Path(__file__).parents[2] / "docs" / "json.md").read_text(encoding="utf-8")


def section(title: str) -> str:
    """The text under a heading."""
    return PAGE.split(f"\n## {title}\n", 1)[1].split("\n## ", 1)[0]


def first_column(title: str) -> set[str]:
    rows = re.findall(r"^\| (`.*?) \|", section(title), re.MULTILINE)
    return {name for row in rows for name in re.findall(r"`(\w+)`", row)}


def named(kind: type) -> set[str]:
    return {field.name for field in fields(kind)}


def test_plan_and_results() -> None:
    plan = Plan("a", "b", (), None, (1, 1), (1, 1), 0)
    assert first_column("`plan`") == set(plan.to_json())
    result = JobResult("a", 1, 1, 1, 1, 1, 1.0, 1.0)
    assert first_column("`result` of `compress` and `restore`") == set(result.to_json())
    doctor = {"encoders", "weights", "threads", "bf16", "openvino", "healthy"}
    assert first_column("`result` of `doctor`") == {*describe_machine(), *doctor}
    assert first_column("`weights`") == {"name", *named(Metadata)}
    assert first_column("`result` of `weights export`") == named(Exported)


def test_target() -> None:
    found = Found(Goal("vmaf", 80.0), 30.0, (Probe(30.0, 1.0),), 1, "x265", encodes=(Encode(30.0, 1),)).to_json()
    assert first_column("`target`") == set(found)
    text = section("`target`")
    assert all(f"`{name}`" in text for part in ("probes", "encodes") for name in found[part][0])


def test_probe() -> None:
    assert first_column("`result` of `probe`") == {"bits_per_pixel", "bvc", *named(VideoInfo)}
    text = section("`result` of `probe`")
    for kind in (ColorSpec, HdrMetadata, StreamInfo):
        assert all(f"`{name}`" in text for name in named(kind))


def test_exit_codes_are_those_of_the_errors() -> None:
    documented = {int(code) for code in re.findall(r"^\| (\d+) \|", PAGE, re.MULTILINE)}
    classes = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, errors.RevividError)]
    assert documented == {0, 130} | {kind.exit_code for kind in classes}
