"""What the shell offers after Tab: names of codecs, presets, recipes and scales. File names are the shell's own affair."""

from __future__ import annotations

import typer

from .. import presets as named
from ..codecs import CODECS


def codecs(incomplete: str) -> list[str]:
    from ..workflows.options import COMPRESSING

    return _starting(incomplete, list(COMPRESSING))


def places(incomplete: str) -> list[str]:
    from ..workflows.options import PLACES

    return _starting(incomplete, list(PLACES))


def recipes(incomplete: str) -> list[str]:
    return _starting(incomplete, list(named.presets()))


def out_codecs(incomplete: str) -> list[str]:
    return _starting(incomplete, ["auto", *CODECS])


def presets(ctx: typer.Context, incomplete: str) -> list[str]:
    return _starting(incomplete, CODECS.get(ctx.params.get("codec") or "x265", CODECS["x265"]).presets)


def out_presets(ctx: typer.Context, incomplete: str) -> list[str]:
    return _starting(incomplete, CODECS.get(ctx.params.get("out_codec") or "x264", CODECS["x264"]).presets)


def scales(incomplete: str) -> list[str]:
    return _starting(incomplete, ["1/4", "1/2", "1", "auto"])


def factors(incomplete: str) -> list[str]:
    return _starting(incomplete, ["2", "4"])


def precisions(incomplete: str) -> list[str]:
    return _starting(incomplete, ["fp32", "bf16"])


def backends(incomplete: str) -> list[str]:
    return _starting(incomplete, ["auto", "torch", "openvino", "openvino-int8"])


def efforts(incomplete: str) -> list[str]:
    return _starting(incomplete, ["fast", "balanced", "best"])


def weights(incomplete: str) -> list[str]:
    from ..weights import catalogue, embedded

    return _starting(incomplete, [*embedded.names(), *catalogue.names()])


def _starting(incomplete: str, names: list[str] | tuple[str, ...]) -> list[str]:
    return [name for name in names if name.startswith(incomplete)]
