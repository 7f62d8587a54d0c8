"""What bench/networks.py measures: networks with their published hyper-parameters, input shapes and literal forms."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch

from reference_basicvsr import ReferenceBasicVSR, ReferenceBasicVSRPlusPlus, ReferenceIconVSR
from reference_fastdvdnet import ReferenceFastDVDnet
from reference_swinir import ReferenceSwinIR
from reference_vrt import ReferenceVRT
from revivid import networks
from revivid.weights import catalogue, embedded


@dataclass(frozen=True)
class Case:
    network: str
    #: (N, T, C, H, W), (N, C, H, W), or (N, H, W) for as many frames of YUV 4:2:0 as the network takes.
    shape: tuple[int, ...]
    #: A smaller one, for bf16, which CPUs without instructions for it emulate slowly.
    small: tuple[int, ...]
    hyperparameters: Mapping[str, Any] = field(default_factory=dict)
    #: Makes the literal form from weights and hyper-parameters.
    literal: Callable[..., Callable[..., Any]] | None = None


def _published(name: str, shape: tuple[int, ...], small: tuple[int, ...], literal: Callable[..., Any] | None = None) -> Case:
    entry = catalogue.entry(name)
    return Case(entry.network, shape, small, entry.hyperparameters, literal)


def _own(weights: embedded.Metadata) -> Case:
    """Networks with weights in the package take planes, and the interpolating ones pairs of frames."""
    with torch.device("meta"):
        traits: Any = networks.build(weights.network, **weights.hyperparameters).traits
    pair = traits.kind == "pair"
    return Case(weights.network, _PAIR if pair else _PLANES, _SMALL_PAIR if pair else _SMALL_PLANES, weights.hyperparameters)


_CLIP, _SMALL_CLIP = (1, 6, 3, 64, 64), (1, 2, 3, 64, 64)
_IMAGE, _SMALL_IMAGE = (1, 3, 64, 64), (1, 3, 32, 32)
_WIDE = (1, 6, 3, 64, 96)
_PAIR, _SMALL_PAIR = (1, 2, 3, 256, 256), (1, 2, 3, 64, 64)
_PLANES, _SMALL_PLANES = (1, 360, 640), (1, 64, 64)

#: Published networks have the names that they have in the catalogue.
CASES: dict[str, Case] = {
    "vrt-sr-reds-6": _published("vrt-sr-reds-6", _CLIP, _SMALL_CLIP, ReferenceVRT),
    "vrt-deblur-gopro": _published("vrt-deblur-gopro", _CLIP, _SMALL_CLIP, ReferenceVRT),
    "vrt-denoise-davis": _published("vrt-denoise-davis", (1, 6, 4, 64, 64), (1, 2, 4, 64, 64)),
    "vrt-interpolate-vimeo": _published("vrt-interpolate-vimeo", (1, 4, 3, 64, 64), (1, 4, 3, 64, 64), ReferenceVRT),
    "swinir-sr-df2k-x4": _published("swinir-sr-df2k-x4", _IMAGE, _SMALL_IMAGE, ReferenceSwinIR),
    "swinir-light-x4": _published("swinir-light-x4", (1, 3, 128, 128), _SMALL_IMAGE, ReferenceSwinIR),
    "swinir-real-large-x4-gan": _published("swinir-real-large-x4-gan", _IMAGE, _SMALL_IMAGE),
    "swinir-denoise-color-25": _published("swinir-denoise-color-25", (1, 3, 128, 128), _SMALL_IMAGE, ReferenceSwinIR),
    "swinir-jpeg-color-40": _published("swinir-jpeg-color-40", (1, 3, 126, 126), (1, 3, 28, 28), ReferenceSwinIR),
    "basicvsr-reds": _published("basicvsr-reds", _WIDE, _SMALL_CLIP, ReferenceBasicVSR),
    "iconvsr-reds": _published("iconvsr-reds", _WIDE, _SMALL_CLIP, ReferenceIconVSR),
    "basicvsr-plusplus-reds": _published("basicvsr-plusplus-reds", _WIDE, _SMALL_CLIP, ReferenceBasicVSRPlusPlus),
    "basicvsr-plusplus-denoise": _published("basicvsr-plusplus-denoise", (1, 6, 3, 128, 192), _SMALL_CLIP),
    "edvr-m-reds": _published("edvr-m-reds", _WIDE, _SMALL_CLIP),
    "realesr-general-x4v3": _published("realesr-general-x4v3", (1, 3, 128, 128), _SMALL_IMAGE),
    "fastdvdnet": _published("fastdvdnet", (1, 10, 3, 192, 192), (1, 3, 3, 64, 64), ReferenceFastDVDnet),
    "estrnn-bsd-1ms8ms": _published("estrnn-bsd-1ms8ms", (1, 8, 3, 128, 128), (1, 3, 3, 64, 64)),
    "ifirnn-c2h3": _published("ifirnn-c2h3", (1, 8, 3, 128, 128), _SMALL_CLIP),
    "rife": _published("rife", _PAIR, _SMALL_PAIR),
    "rife-m": _published("rife-m", _PAIR, _SMALL_PAIR),
    "ifrnet-s": _published("ifrnet-s", _PAIR, _SMALL_PAIR),
    "ifrnet": _published("ifrnet", _PAIR, _SMALL_PAIR),
    "ifrnet-l": _published("ifrnet-l", _PAIR, _SMALL_PAIR),
    **{name: _own(weights) for name, weights in embedded.describe().items()},
}
