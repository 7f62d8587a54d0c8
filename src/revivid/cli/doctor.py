"""`revivid doctor`: what this installation can do, and what would make it faster."""

from __future__ import annotations

import typer

from . import common

_NO_OPENVINO = "openvino: not installed; with it the package's own networks are faster (pip install 'revivid[openvino]')"


def doctor(as_json: common.Json = False) -> None:
    """Check what this installation can do.

    Encoders, weights, processor and versions. Ends with exit code 6 where something needed is missing.
    """
    from importlib.util import find_spec

    import torch

    from ..codecs import CODECS
    from ..evaluation.machine import describe_machine
    from ..media.write import has_encoder
    from ..networks.precision import best_dtype
    from ..weights import embedded

    encoders = {name: has_encoder(codec.encoder) for name, codec in CODECS.items()}
    weights = embedded.names()
    bf16 = best_dtype() is torch.bfloat16
    healthy = all(encoders.values()) and bool(weights)
    facts = {
        **describe_machine(),
        "encoders": encoders,
        "weights": weights,
        "threads": torch.get_num_threads(),
        "bf16": bf16,
        "openvino": find_spec("openvino") is not None,
        "healthy": healthy,
    }
    if as_json:
        common.emit("result", **facts)
    else:
        for name, value in facts.items():
            print(f"{name:10} {value}")
        print("bf16: this processor computes in it, about twice as fast" if bf16 else "bf16: not native here, float32 is used")
        print("openvino: computes the package's own networks in int8" if facts["openvino"] else _NO_OPENVINO)
        print("all is well" if healthy else "something is missing: reinstall revivid and av")
    if not healthy:
        raise typer.Exit(6)
