"""The networks: one file each, published ones under their published hyper-parameter names, and our own.

    build(name, **hyperparameters) -> torch.nn.Module with a `.traits` (see `traits.Traits`)
    load_published(module, state_dict)    strict: every unknown, missing or misshapen key is named

Calls: clip networks take (N, T, C, H, W) and return the same axes; image networks take (N, C, H, W); interpolation networks
`module(clip, time=0.5)`; FastDVDnet `module(clip, sigma=...)`. Networks whose call restores only the middle of a window (EDVR,
ESTRNN, FastDVDnet) also have `restore_clip`, which takes clips of any length and returns as many frames.
"""

from __future__ import annotations

import importlib
import inspect
from typing import TYPE_CHECKING

from ..errors import CorruptWeights, UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

    import torch

#: name -> "module:class"; the one place where a network is announced.
TABLE = {
    "basicvsr": "basicvsr:BasicVSR",
    "basicvsr_plusplus": "basicvsr_plusplus:BasicVSRPlusPlus",
    "bvc": "bvc:Bvc",
    "bvc_cascade": "bvc_cascade:BvcCascade",
    "cellnet": "cellnet:CellNet",
    "compactinterp": "compactinterp:CompactInterp",
    "compactsr": "compactsr:CompactSR",
    "deartifactnet": "deartifactnet:DeartifactNet",
    "deblurnet": "deblurnet:DeblurNet",
    "denoisenet": "denoisenet:DenoiseNet",
    "edvr": "edvr:EDVR",
    "estrnn": "estrnn:ESTRNN",
    "fastdvdnet": "fastdvdnet:FastDVDnet",
    "gao": "gao:Gao",
    "iconvsr": "iconvsr:IconVSR",
    "ifirnn": "ifirnn:IFIRNN",
    "ifrnet": "ifrnet:IFRNet",
    "ifrnet_l": "ifrnet:IFRNetL",
    "ifrnet_s": "ifrnet:IFRNetS",
    "intra": "intra:Intra",
    "lumasr": "lumasr:LumaSR",
    "lumavsr": "lumavsr:LumaVSR",
    "refinenet": "refinenet:RefineNet",
    "rife": "rife:RIFE",
    "srvgg": "srvgg:SRVGGNetCompact",
    "swinir": "swinir:SwinIR",
    "vrt": "vrt:VRT",
}


def names() -> list[str]:
    """All networks that `build` knows."""
    return sorted(TABLE)


def build(name: str, **hyperparameters: object) -> torch.nn.Module:
    """Make a network with random weights; an unknown name or hyper-parameter is a `UsageError` that lists the known ones.

    Weights of convolutions lie channels last in memory, as the activations do: otherwise every call would turn them first.
    """
    import torch  # late: importing the names costs nothing

    if name not in TABLE:
        raise UsageError(f"there is no network {name!r}", hint=f"Known: {', '.join(names())}.")
    module_name, class_name = TABLE[name].split(":")
    cls = getattr(importlib.import_module(f".{module_name}", __package__), class_name)
    known = [p for p in inspect.signature(cls).parameters if p != "self"]
    unknown = sorted(set(hyperparameters) - set(known))
    if unknown:
        raise UsageError(f"{name} has no hyper-parameter {', '.join(unknown)}", hint=f"Known: {', '.join(known)}.")
    network = cls(**hyperparameters)
    for parameter in network.parameters():
        if parameter.dim() == 4:
            parameter.data = parameter.data.contiguous(memory_format=torch.channels_last)
    return network


def load_published(module: torch.nn.Module, state_dict: Mapping[str, torch.Tensor]) -> torch.nn.Module:
    """Load a published checkpoint's entries strictly and return the module.

    A network may define `published_entries(state_dict) -> dict` to rename published keys and to drop index tables and masks
    that it derives itself; what remains must fit key for key and shape for shape, or `CorruptWeights` names what does not.
    """
    rename = getattr(module, "published_entries", None)
    published: Mapping[str, torch.Tensor] = rename(state_dict) if rename is not None else state_dict
    entries = dict(published)
    own = module.state_dict()
    faults = [f"missing {key}" for key in own if key not in entries]
    faults += [f"unknown {key}" for key in entries if key not in own]
    faults += [
        f"{key} is {tuple(entries[key].shape)}, wants {tuple(own[key].shape)}"
        for key in own
        if key in entries and entries[key].shape != own[key].shape
    ]
    if faults:
        shown = "; ".join(faults[:8]) + (f"; and {len(faults) - 8} more" if len(faults) > 8 else "")
        raise CorruptWeights(
            f"the weights don't fit {type(module).__name__}: {shown}",
            hint="Check that the hyper-parameters are those that the checkpoint was published with.",
        )
    module.load_state_dict(entries, strict=True)
    return module
