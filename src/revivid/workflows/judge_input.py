"""What a file is and needs before it is restored: how strongly it was compressed, and which stages it gets."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from itertools import islice

from ..codecs import CODECS, Codec
from ..errors import UsageError
from ..media.probe import stream_crf
from ..media.quantiser import mean_quantiser
from ..media.reader import Reader
from ..media.source import is_pipe
from ..recipe import Recipe, StageSpec
from ..restoration.auto import PLACES, SAMPLE_FRAMES, choose
from ..restoration.stage import DEFAULT_CRF, Conditions
from ..types import Clip, join
from .job import open_reader
from .options import RestoreOptions

#: x264's mean QP over its CRF: 0.3 to 6.6 on six clips at CRF 18 to 38.
_QP_OVER_CRF = 4.0


def chosen_specs(
    reader: Reader, recipe: Recipe | None, options: RestoreOptions, conditions: Conditions, notices: list[str]
) -> tuple[StageSpec, ...]:
    """What was named, what the recipe names, or what the video needs."""
    if options.stages or (recipe is not None and recipe.stages):
        return options.stages or recipe.stages  # type: ignore[union-attr]
    if options.auto:
        choice = choose(_samples(reader, options), conditions)
        notices += choice.reasons
        if not choice.stages:
            notices.append("nothing to restore was found: frames pass as they decode")
        return choice.stages
    if reader.info.codec == "bvc":
        notices.append("no stage is named: frames pass as they decode")
        return ()
    if recipe is None:
        raise UsageError(
            f"{reader.path} carries no recipe, so there is nothing to follow",
            hint="Name what to do: --super-resolve 2, --deblur, ..., or --auto; `revivid restore --help` lists all.",
        )
    notices.append("the recipe names no stage (the file was compressed at full size): frames pass as they decode")
    return ()


def _samples(reader: Reader, options: RestoreOptions) -> list[Clip]:
    """A few consecutive frames from several places of what is to be restored."""
    if is_pipe(reader.path):
        raise UsageError("--auto has to look at the video first, which a pipe shows only once", hint="Name the stages, or a file.")
    start, length = reader.start, reader.length or (reader.info.duration or Fraction(0)) - reader.start
    samples = []
    for place in PLACES:
        at = start + Fraction(place) * max(length, Fraction(0))
        clip = join(list(islice(open_reader(reader.path, replace(options, start=at, duration=None)), 2)))[:SAMPLE_FRAMES]
        samples.append(clip)
    return samples


def input_crf(reader: Reader, recipe: Recipe | None, options: RestoreOptions, notices: list[str]) -> float:
    """x265's CRF that the input's compression is worth, and a notice where that is a guess."""
    if options.input_crf is not None:
        return options.input_crf
    if recipe is not None and recipe.codec in CODECS:
        return CODECS[recipe.codec].as_x265(recipe.crf)
    if reader.info.codec == "bvc":
        return DEFAULT_CRF  # a learned codec's damage is none of x265's
    if reader.info.container == "raw":
        return 0.0
    from_stream = stream_crf(reader.path)
    if from_stream == 0:
        return from_stream
    codec = CODECS["x264" if reader.info.codec == "h264" else "x265"]
    if from_stream is not None:
        notices.append(f"the stream says it was encoded at CRF {from_stream:g}" + _as_x265(from_stream, codec))
        return codec.as_x265(from_stream)
    quantiser = mean_quantiser(reader.path)
    if quantiser is not None:
        crf = max(quantiser - _QP_OVER_CRF, 0.0)
        notices.append(f"the mean QP is {quantiser:.0f}: CRF {crf:.0f} is assumed (--input-crf)" + _as_x265(crf, codec))
        return codec.as_x265(crf)
    notices.append(f"nothing says at which CRF the input was encoded: {DEFAULT_CRF:g} is assumed (--input-crf)")
    return DEFAULT_CRF


def _as_x265(crf: float, codec: Codec) -> str:
    told = codec.as_x265(crf)
    return "" if told == crf else f", which is about x265's {told:.0f}"
