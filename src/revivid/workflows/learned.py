"""`compress` with the learned codec: a video becomes a `.bvc` stream, sharpened on the way or as it is.

    read -> deblur, where the model doesn't -> BVC (network, range coder) -> .bvc, the other streams beside the picture
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

from ..errors import UsageError
from ..learned import keyframes, model
from ..learned.writer import DEFAULT_GOP, BvcEncoding
from ..media import program
from ..media.source import is_pipe
from .enhance import sharpening
from .job import Job, open_reader
from .options import LEARNED_CODEC, Source, make

#: What can code keyframes.
INTRA = ("hevc", "vvc", "learned")
#: Frames that the dry run encodes to estimate time and size.
SAMPLE_FRAMES = 8


@dataclass(frozen=True)
class BvcOptions(Source):
    """How to compress with BVC."""

    codec: str = LEARNED_CODEC
    #: 1 (smallest) to 8 (best); fractions are between.
    quality: float = 4.0
    #: Frames from one keyframe to the next; scene cuts begin a new group earlier.
    gop: int = DEFAULT_GOP
    #: Keep the blur of the input; without it frames are sharpened before they are coded.
    preserve: bool = False
    #: What codes keyframes: "hevc"; "vvc", smaller and slower, by the ffmpeg program of imageio-ffmpeg; or "learned", the picture
    #: autoencoder (first paper, section 5.1).
    intra: str = "hevc"

    def __post_init__(self) -> None:
        if self.intra not in INTRA:
            raise UsageError(f"keyframes can't be coded by {self.intra!r}", hint=f"Known: {', '.join(INTRA)}.")

    def to_json(self) -> dict[str, Any]:
        """The fields as JSON values."""
        return dict(vars(self))


def make_bvc(given: Mapping[str, Any]) -> BvcOptions:
    """The options of keywords, those left out or at nothing by default. Raises `UsageError` for other codecs' options."""
    known = [field.name for field in fields(BvcOptions)]
    given = {name: value for name, value in given.items() if value not in (None, [], ())}
    others = sorted(set(given) - set(known))
    if others:
        raise UsageError(
            f"--codec {LEARNED_CODEC} has no {', '.join('--' + name.replace('_', '-') for name in others)}",
            hint="It takes --quality 1 to 8, --gop, --preserve, --intra, --bvc-weights and --intra-weights.",
        )
    return make(BvcOptions, given)


def compress_job(source: str | os.PathLike[str], output: str | os.PathLike[str], given: Mapping[str, Any]) -> Job:
    """The pass that `compress` makes with BVC, not begun yet. Raises `MissingWeights` where there is no model."""
    options = make_bvc(given)
    if is_pipe(output):
        raise UsageError("a compressed file can't go to standard output", hint="Name a file: -o small.bvc")
    encoding = BvcEncoding(
        "bvc",
        {
            "quality": f"{options.quality:g}",
            "gop": str(options.gop),
            "mode": "preserve" if options.preserve else "sharpen",
            "keyframes": options.intra,
        },
        quality=options.quality,
        gop=options.gop,
        preserve=options.preserve,
    )
    encoding.muxer(output)  # what can't be written is said before anything is loaded
    reader = open_reader(source, options)
    chosen = model.load(options.bvc_weights)
    if options.intra == "vvc":
        program.require()
        chosen = replace(chosen, keyframes="vvc")
    if options.intra == "learned":
        chosen = replace(chosen, intra=keyframes.load(options.intra_weights))
    encoding = replace(encoding, model=chosen, hdr=reader.info.hdr)
    color = replace(reader.info.color, matrix=reader.info.color.resolved_matrix(reader.info.height))
    notices: list[str] = []
    stages = [] if options.preserve or chosen.enhances else sharpening(reader, options, notices, effort="best")
    return Job(reader, os.fspath(output), stages, encoding, options, color, notices=notices)
