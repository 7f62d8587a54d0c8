"""bfloat16 only where the hardware multiplies it."""

import pytest
import torch

from revivid.networks import precision


@pytest.mark.parametrize(
    ("native", "library", "expected"),
    [(True, True, torch.bfloat16), (False, True, torch.float32), (True, False, torch.float32)],
)
def test_cpu(monkeypatch, native, library, expected):
    monkeypatch.setattr(precision, "_native_bf16", lambda: native)
    monkeypatch.setattr(precision, "_onednn_bf16", lambda: library)
    assert precision.best_dtype() is expected


def test_flags_of_the_kernel_are_asked_where_torch_is_silent(monkeypatch, tmp_path):
    for name in ("_is_avx512_bf16_supported", "_is_amx_tile_supported"):
        monkeypatch.setattr(torch.cpu, name, lambda: False, raising=False)
    cpuinfo = tmp_path / "cpuinfo"
    monkeypatch.setattr(precision, "Path", lambda _: cpuinfo)
    assert not precision._native_bf16()  # no such file: another system
    cpuinfo.write_text("flags : avx512f avx512_bf16")
    assert precision._native_bf16()
    cpuinfo.write_text("flags : avx512f avx512_vnni")
    assert not precision._native_bf16()


def test_this_machine_gives_an_answer():
    assert precision.best_dtype() in (torch.float32, torch.bfloat16)
