"""How commands that make one file run: a plan with `--dry-run`, else the work with its progress, and what came of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from . import common
from .progress import ProgressDisplay

if TYPE_CHECKING:
    from ..workflows.job import JobResult, Plan


def run(
    plan: Callable[..., Plan],
    work: Callable[..., JobResult],
    source: str,
    output: str,
    options: Mapping[str, Any],
    *,
    dry_run: bool,
    as_json: bool,
) -> None:
    """`plan` and `work` are a workflow's two functions, for example `plan_compress` and `compress`."""
    if dry_run:
        common.print_plan(plan(source, output, **options), as_json)
        return
    with ProgressDisplay(as_json) as progress:
        result = work(source, output, progress=progress, **options)
    common.notice(result.notices)
    if as_json:
        common.emit("result", **result.to_json())
    else:
        common.say(
            f"{result.output}: {result.frames} frames, {result.width}x{result.height}, "
            f"{common.human_bytes(result.size_bytes)}, {result.fps:.1f} frames/s"
        )
