"""Our own networks as ONNX files, for other programs: integer planes in, integer planes out, of any size.

    y (N,T,H,W), uv (N,2T,ceil(H/2),ceil(W/2)) uint8, strength (N,) float32 -> restored_y, restored_uv uint8 of the middle frame

Interpolators and networks that look at whole frames first have operators that ONNX lacks. A file is compared with torch where
onnxruntime is installed, before it is put in place.
"""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ..errors import MissingTool, OutputExists, OutputNotWritable, UsageError
from ..weights import catalogue, embedded
from .embedded import load_embedded, load_trained

#: The version of ONNX' operator set that files are written for: the first that has all that is needed.
OPSET = 17
#: The largest difference of codes to torch that counts as the same: another order of sums rounds otherwise.
TOLERANCE = 1
#: Sizes (height, width) at which a file is made, and at which it is compared: even and odd.
_TRACED, _COMPARED = (64, 96), ((64, 96), (70, 64), (67, 71))
#: What the network is told in the comparison: a CRF or a sigma.
_STRENGTH = 25.0
_OUTPUTS = ("restored_y", "restored_uv")


@dataclass(frozen=True)
class Exported:
    """What was written."""

    path: Path
    bytes: int
    opset: int
    #: By name, with their axes as ONNX has them: names or numbers.
    inputs: dict[str, list[str | int]]
    #: The largest difference to torch's codes; None: onnxruntime is not installed, so nothing was compared.
    largest_difference: int | None


def export_onnx(name: str, path: Path, *, overwrite: bool = False) -> Exported:
    """Write embedded weights, or a file that training wrote (`.safetensors`), as `path`.

    Raises `MissingWeights` for unknown names, `UsageError` for networks that have no ONNX form here, `MissingTool` without the
    package onnx, or where what was written doesn't compute what torch does, `OutputExists` and `OutputNotWritable`.
    """
    if path.exists() and not overwrite:
        raise OutputExists(f"{path} exists", hint="Overwrite it with -y, or choose another name.")
    if name in catalogue.names():
        raise UsageError(f"{name} is no network of the package's own: it can't be exported", hint="See `revivid weights list`.")
    source = Path(name)
    trained = source.suffix == ".safetensors"
    metadata = (embedded.read(source) if trained else embedded.load(name))[0]
    network: Any = load_trained(source) if trained else load_embedded(name)
    if network.traits.kind != "planes" or network.traits.guided:
        raise UsageError(f"{name} can't be exported: {metadata.network} has no ONNX form")
    try:
        import onnx  # noqa: F401
    except ImportError as fault:
        raise MissingTool("the package onnx is not installed", hint="pip install 'revivid[export]'") from fault
    try:
        with tempfile.TemporaryDirectory(dir=path.parent) as folder:
            return _export(network, _notes(name, metadata), Path(folder) / "network.onnx", path)
    except OSError as fault:
        raise OutputNotWritable(f"{path} can't be written: {fault.strerror or fault}") from fault


class _Call(nn.Module):
    """`network.restore` at 8 bits, as what is exported."""

    def __init__(self, network: Any) -> None:
        super().__init__()
        self.network = network

    def forward(self, *planes_and_strength: Tensor) -> tuple[Tensor, Tensor]:
        return self.network.restore(*planes_and_strength)


def _export(network: Any, notes: Mapping[str, str], temporary: Path, path: Path) -> Exported:
    import onnx

    examples = _examples(network, *_TRACED)
    sides = {"y": "H W", "uv": "HC WC", _OUTPUTS[0]: "HO WO", _OUTPUTS[1]: "HCO WCO"}
    axes = {name: {0: "N", **dict(zip((2, 3), pair.split(), strict=True))} for name, pair in sides.items()}
    try:
        # Tracing keeps the sizes open; with gradients on, the plain operators run instead of torch's fused ones.
        with warnings.catch_warnings(), torch.enable_grad():
            warnings.simplefilter("ignore")
            torch.onnx.export(
                _Call(network).eval(),
                tuple(examples.values()),
                str(temporary),
                input_names=list(examples),
                output_names=list(_OUTPUTS),
                dynamic_axes={**axes, "strength": {0: "N"}},
                opset_version=OPSET,
                dynamo=False,
            )
    except (RuntimeError, TypeError, torch.onnx.errors.OnnxExporterError) as fault:
        reason = str(fault).splitlines()[0] if str(fault) else type(fault).__name__
        raise MissingTool(f"torch {torch.__version__} can't export it: {reason}", hint="Use another version of torch.") from fault
    model = onnx.load(str(temporary))
    onnx.helper.set_model_props(model, dict(notes))
    onnx.checker.check_model(model)
    onnx.save(model, str(temporary))
    difference = _difference(network, temporary)
    if difference is not None and difference > TOLERANCE:
        raise MissingTool(f"what torch {torch.__version__} exports is {difference} codes off", hint="Use another version of torch.")
    temporary.replace(path)
    inputs = {
        value.name: [axis.dim_param or axis.dim_value for axis in value.type.tensor_type.shape.dim] for value in model.graph.input
    }
    return Exported(path, path.stat().st_size, OPSET, inputs, difference)


def _difference(network: Any, file: Path) -> int | None:
    """The largest difference to torch, in codes; None where onnxruntime is not installed."""
    try:
        import onnxruntime
    except ImportError:
        return None
    session = onnxruntime.InferenceSession(str(file), providers=["CPUExecutionProvider"])
    largest = 0
    for size in _COMPARED:
        examples = _examples(network, *size)
        with torch.inference_mode():
            exact = network.restore(*examples.values())
        given = {name: value.numpy() for name, value in examples.items()}
        found = [torch.as_tensor(value) for value in session.run(list(_OUTPUTS), given)]
        for ours, plane in zip(found, exact, strict=True):
            if ours.shape != plane.shape:
                return 255
            largest = max(largest, int((ours.int() - plane.int()).abs().max()))
    return largest


def _examples(network: Any, height: int, width: int) -> dict[str, Tensor]:
    """Arguments of `restore` by the names of the file's inputs."""
    frames = 2 * getattr(network, "reach", 0) + 1
    waves = torch.sin(torch.arange(frames * height * width) / 7.0).mul(90).add(128).round()
    y = waves.to(torch.uint8).reshape(1, frames, height, width)
    uv = y.repeat_interleave(2, 1)[..., ::2, ::2].contiguous()
    return {"y": y, "uv": uv, "strength": torch.full((1,), _STRENGTH)}


def _notes(name: str, metadata: embedded.Metadata) -> dict[str, str]:
    """What the file says about itself."""
    notes = {key: str(getattr(metadata, key)) for key in ("network", "licence", "date", "trained_on")}
    return {"name": Path(name).stem, **notes, "made by": "revivid weights export"}
