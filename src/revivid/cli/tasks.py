"""The options that say what to restore, and with which weights."""

from __future__ import annotations

from typing import Annotated

import typer

from . import complete

SuperResolve = Annotated[
    int | None, typer.Option(metavar="N", help="Enlarge 2 or 4 times (with --with also 3 or 8).", autocompletion=complete.factors)
]
Deblur = Annotated[bool, typer.Option("--deblur", help="Undo motion blur.")]
Denoise = Annotated[
    str | None, typer.Option(metavar="SIGMA", help="Remove noise of this standard deviation in 8-bit code values, or auto.")
]
Deartifact = Annotated[bool, typer.Option("--deartifact", help="Remove what compression added.")]
Deconvolve = Annotated[
    str | None,
    typer.Option(metavar="KERNEL", help="Undo a known blur: gaussian:SIGMA, motion:LENGTH,ANGLE, disk:RADIUS, or its picture."),
]
Interpolate = Annotated[int | None, typer.Option(metavar="N", help="N times as many frames.")]
Rate = Annotated[str | None, typer.Option(metavar="FPS", help="Interpolate to this frame rate, such as 60 or 60000/1001.")]
Auto = Annotated[
    bool, typer.Option("--auto", help="Measure noise and blur, and choose the stages, unless the file has a recipe of its own.")
]
Networks = Annotated[
    list[str] | None,
    typer.Option(
        "--with",
        metavar="NAME",
        help="Weights for the stage of their task; repeatable; see `revivid weights list`.",
        autocompletion=complete.weights,
    ),
]
Memory = Annotated[
    str | None, typer.Option(metavar="BYTES", help="What a network may take, such as 4GiB; default: most of what is free.")
]
Effort = Annotated[
    str,
    typer.Option(
        help="Which of the package's own networks: fast, balanced, or best.", autocompletion=complete.efforts
    ),
]
Precision = Annotated[
    str, typer.Option(help="What published networks compute in: fp32 or bf16.", autocompletion=complete.precisions)
]
Device = Annotated[str, typer.Option(help="What published networks compute on: auto, cpu, cuda, cuda:1, mps.")]
Backend = Annotated[
    str,
    typer.Option(
        help="What the package's own networks compute with: auto, torch, openvino, openvino-int8.", autocompletion=complete.backends
    ),
]
InputCrf = Annotated[float | None, typer.Option(help="CRF of the input; default: recipe, stream, else 28.")]

