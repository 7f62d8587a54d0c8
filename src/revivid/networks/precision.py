"""Which floating-point type a network should compute in, on this machine."""

from __future__ import annotations

from pathlib import Path

import torch


def best_dtype(device: torch.device | str = "cpu") -> torch.dtype:
    """The fastest type that keeps the pictures: bfloat16 where the hardware has it, float32 elsewhere.

    On a CPU, oneDNN also offers bfloat16 by emulation, which is several times slower than float32; so native AVX512-BF16 or AMX
    is asked for. float16 is never chosen on a CPU: it is a hundred times slower there.
    """
    kind = torch.device(device).type
    if kind == "cuda":
        return torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float16
    if kind == "cpu" and _native_bf16() and _onednn_bf16():
        return torch.bfloat16
    return torch.float32


def _onednn_bf16() -> bool:
    try:
        return bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())
    except (AttributeError, RuntimeError):  # a build without oneDNN
        return False


def _native_bf16() -> bool:
    """Whether the CPU multiplies bfloat16 itself: asked of torch, or of the kernel where this torch doesn't say."""
    for name in ("_is_avx512_bf16_supported", "_is_amx_tile_supported"):
        ask = getattr(torch.cpu, name, None)
        try:
            if ask is not None and ask():
                return True
        except RuntimeError:
            continue
    try:
        flags = Path("/proc/cpuinfo").read_text(encoding="ascii", errors="replace")
    except OSError:
        return False
    return "avx512_bf16" in flags or "amx_bf16" in flags
