"""Options of the learned codec, for the commands that write and read its streams."""

from __future__ import annotations

from typing import Annotated

import typer

Quality = Annotated[
    float | None, typer.Option(help="bvc, in place of a CRF: 1 (smallest) to 8 (best), fractions too; default: 4.", min=1, max=8)
]
Gop = Annotated[int | None, typer.Option(help="bvc: frames from one keyframe to the next; default: 12.", min=1, max=600)]
Preserve = Annotated[bool | None, typer.Option("--preserve", help="bvc: keep the blur of the input instead of sharpening.")]
Weights = Annotated[
    str | None, typer.Option("--bvc-weights", metavar="FILE", help="bvc: a model of one's own in place of the package's.")
]
Intra = Annotated[
    str | None, typer.Option("--intra", metavar="hevc|vvc|learned", help="bvc: what codes keyframes (default: hevc).")
]
IntraWeights = Annotated[
    str | None, typer.Option("--intra-weights", metavar="FILE", help="bvc: an autoencoder of one's own in place of the package's.")
]
Conceal = Annotated[
    bool, typer.Option("--conceal", help="bvc: repeat the last good frame in place of damaged ones; exit code 7.")
]
