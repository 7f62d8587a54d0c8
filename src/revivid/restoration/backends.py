"""What our own networks compute with: torch, or OpenVINO where it is installed, in float32 or in int8.

    choose("auto", network) -> Backend.restore(y, uv, strength, bit_depth) -> planes

OpenVINO's results are compared with torch's on a small picture before they are trusted. int8 needs to know how large activations
become (`ranges`), which training writes into the weights.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, Protocol

import torch
from torch import Tensor

from ..errors import MissingTool, UsageError
from ..networks import graphs
from ..networks.precision import best_dtype
from .workers import worker_count

if TYPE_CHECKING:
    import openvino

Planes = tuple[Tensor, Tensor]
#: How near OpenVINO's codes must come to torch's on the picture that is tried: at most so far in float32; PSNR in dB in int8, where
#: 44 or more was measured with all networks of the package.
LARGEST_DIFFERENCE, LEAST_PSNR = 1, 38.0
#: Graphs of other sizes or strengths that are kept.
_KEPT = 8


class Backend(Protocol):
    """Restores single frames; may be called from several threads at once."""

    #: For the plan: what it computes in, and with what.
    description: str

    def restore(self, y: Tensor, uv: Tensor, strength: float, bit_depth: int, *guide: Tensor) -> Planes:
        """Integer planes (1,T,H,W) and (1,2T,h,w) and what the network is told -> integer planes of one frame."""
        ...


def choose(name: str, network: Any) -> Backend:
    """The backend of this name (auto, torch, openvino, openvino-int8) for a network; its attribute `ranges`, if any, serves int8.

    "auto" takes int8 where it is installed, calibrated and right, else torch, and never fails. Raises `UsageError` where a network
    can't be computed so, and `MissingTool` where OpenVINO is missing or its results are wrong on this machine.
    """
    if name == "torch":
        return TorchBackend(network)
    ranges = getattr(network, "ranges", None) or {}
    if name == "auto":
        if not graphs.supported(network) or not ranges:
            return TorchBackend(network)
        try:
            return _verified(network, ranges)
        except MissingTool:
            return TorchBackend(network)
    if not graphs.supported(network):
        raise UsageError(f"OpenVINO can't compute {type(network).__name__} here", hint="Use --backend torch.")
    if name == "openvino":
        return _verified(network, {})
    if not ranges:
        raise UsageError("these weights were never calibrated for int8", hint="Use --backend openvino or torch.")
    return _verified(network, ranges)


class TorchBackend:
    """The network itself, in bfloat16 where the processor has it and in float32 elsewhere."""

    def __init__(self, network: Any) -> None:
        self.network, self.dtype = network, best_dtype()
        self.description = "bf16" if self.dtype is torch.bfloat16 else "fp32"

    def restore(self, y: Tensor, uv: Tensor, strength: float, bit_depth: int, *guide: Tensor) -> Planes:
        told = torch.full((1,), strength)
        with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16, enabled=self.dtype is torch.bfloat16):
            return self.network.restore(y, uv, told, bit_depth, *guide)


class OpenVinoBackend:
    """A graph for each size and strength, compiled when it is first needed; one thread for each frame, as many as torch may use.

    Raises `MissingTool` where OpenVINO is not installed.
    """

    def __init__(self, network: Any, ranges: graphs.Ranges) -> None:
        try:
            import openvino
        except ImportError as fault:
            hint = "pip install 'revivid[openvino]', or use --backend torch."
            raise MissingTool("OpenVINO is not installed", hint=hint) from fault
        self.network, self.ranges = network, ranges
        self.description = "int8, OpenVINO" if ranges else "fp32, OpenVINO"
        self._core, self._workers = openvino.Core(), worker_count()
        self._models: dict[tuple[Any, ...], openvino.CompiledModel] = {}
        self._lock, self._own = threading.Lock(), threading.local()

    def restore(self, y: Tensor, uv: Tensor, strength: float, bit_depth: int, *guide: Tensor) -> Planes:
        assert not guide
        height, width = y.shape[-2:]
        request = self._request((height, width, strength, bit_depth))
        request.infer([y.numpy(), uv.numpy()], share_inputs=True)
        # The request's own memory is used again for the next frame.
        luma, chroma = (torch.from_numpy(request.get_output_tensor(i).data.copy()) for i in (0, 1))
        scale = self.network.scale
        height, width = scale * height, scale * width
        half = (height // 2, width // 2) if scale > 1 else (-(-height // 2), -(-width // 2))
        return luma[..., :height, :width], chroma[..., : half[0], : half[1]]

    def _request(self, key: tuple[int, int, float, int]) -> openvino.InferRequest:
        """This thread's for a graph."""
        with self._lock:
            if key not in self._models:
                self._models[key] = self._compiled(key)
                if len(self._models) > _KEPT:
                    del self._models[next(iter(self._models))]
            model = self._models[key]
        requests = self._own.__dict__
        held = requests.get("held")
        if held is None or held[0] is not model:
            requests["held"] = held = (model, model.create_infer_request())
        return held[1]

    def _compiled(self, key: tuple[int, int, float, int]) -> openvino.CompiledModel:
        height, width, strength, bit_depth = key
        model = graphs.graph(self.network, (height, width), strength, bit_depth, self.ranges)
        return self._core.compile_model(
            model,
            "CPU",
            {
                "NUM_STREAMS": self._workers,
                "INFERENCE_NUM_THREADS": self._workers,
                "INFERENCE_PRECISION_HINT": "f32",  # what is not int8: eight bits of mantissa would show as banding
                "ENABLE_CPU_PINNING": False,  # decoder and encoder run on the same cores
            },
        )


def _verified(network: Any, ranges: graphs.Ranges) -> OpenVinoBackend:
    """An `OpenVinoBackend` whose result on a small picture is torch's. Raises `MissingTool`."""
    backend = OpenVinoBackend(network, ranges)
    y, uv = _picture(2 * getattr(network, "reach", 0) + 1)
    try:
        ours = backend.restore(y, uv, 28.0, 8)
    except RuntimeError as fault:
        raise MissingTool(f"OpenVINO fails: {str(fault).splitlines()[0]}", hint="Use --backend torch.") from fault
    with torch.inference_mode():
        exact = network.restore(y, uv, torch.tensor([28.0]), 8)
    if not all(_near(*pair, in_int8=bool(ranges)) for pair in zip(ours, exact, strict=True)):
        raise MissingTool("OpenVINO's results are not torch's on this machine", hint="Use --backend torch.")
    return backend


def _near(ours: Tensor, exact: Tensor, *, in_int8: bool) -> bool:
    difference = ours.float() - exact.float()
    if not in_int8:
        return difference.abs().max().item() <= LARGEST_DIFFERENCE
    return 10 * torch.log10(255**2 / difference.square().mean().clamp_min(1e-9)).item() >= LEAST_PSNR


def _picture(frames: int) -> Planes:
    """Waves that become finer and stronger to the right, like texture and edges of real pictures."""
    rows, columns = torch.meshgrid(torch.arange(48.0), torch.arange(64.0), indexing="ij")
    waves = torch.sin(columns**2 / 50 + rows / 3) * columns / 64
    y = (128 + 90 * waves).round().to(torch.uint8)[None, None]
    chroma = (128 + 60 * waves[::2, ::2]).round().to(torch.uint8)[None, None]
    return y.repeat(1, frames, 1, 1), chroma.repeat(1, 2 * frames, 1, 1)
