"""OpenVINO instead of torch: the same numbers in float32, nearly the same in int8, and trusted only where that holds."""

from __future__ import annotations

import sys
from fractions import Fraction

import numpy as np
import pytest
import torch

from revivid import networks
from revivid.errors import MissingTool, UsageError
from revivid.restoration import backends
from revivid.restoration.backends import OpenVinoBackend, TorchBackend, choose
from revivid.restoration.embedded import load_embedded
from revivid.restoration.own import Own
from revivid.restoration.ranges import activation_ranges
from revivid.restoration.stage import Conditions
from revivid.restoration.workers import each_frame, worker_count
from revivid.types import Clip, ColorSpec
from revivid.weights import embedded

CASES = {
    "lumasr x2": ("lumasr", {"scale": 2, "channels": 8, "layers": 2}),
    "lumasr x4": ("lumasr", {"scale": 4, "channels": 16, "layers": 3}),
    "compactsr x2": ("compactsr", {"scale": 2, "channels": 8, "layers": 1}),
    "compactsr x4": ("compactsr", {"scale": 4, "channels": 8, "layers": 2}),
    "three frames": ("cellnet", {"task": "denoise", "reach": 1, "widths": [8, 16, 24], "encoder": [1, 0], "decoder": [1, 1]}),
    "gate": ("cellnet", {"task": "deblur", "widths": [8, 16], "encoder": [1], "decoder": [1], "gate": 2.0}),
    "one grid": ("cellnet", {"task": "deartifact", "widths": [8], "encoder": [], "decoder": []}),
    "refiner": ("refinenet", {"widths": [8, 16], "encoder": [0], "decoder": [1], "filters": 8}),
    "refiner, one frame": ("refinenet", {"reach": 0, "widths": [8], "encoder": [], "decoder": [], "filters": 8}),
}
#: Those that graphs are made of: the others want to see whole frames first.
RESTORERS = ("lumasr", "compactsr", "cellnet", "refinenet")
CALIBRATED = [name for name, metadata in embedded.describe().items() if metadata.ranges and metadata.network in RESTORERS]


def random_network(case: str):
    torch.manual_seed(0)
    name, hyperparameters = CASES[case]
    network = networks.build(name, **hyperparameters).eval()
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter, std=0.1)
    return network


def planes(network, height: int, width: int, bit_depth: int = 8):
    frames, rng = 2 * getattr(network, "reach", 0) + 1, np.random.default_rng(1)
    dtype = np.uint8 if bit_depth == 8 else np.uint16
    shapes = (1, frames, height, width), (1, 2 * frames, -(-height // 2), -(-width // 2))
    return tuple(torch.from_numpy(rng.integers(0, 1 << bit_depth, shape).astype(dtype)) for shape in shapes)


def differences(ours, exact):
    assert [plane.shape for plane in ours] == [plane.shape for plane in exact]
    assert [plane.dtype for plane in ours] == [plane.dtype for plane in exact]
    return [(a.float() - b.float()).abs() for a, b in zip(ours, exact, strict=True)]


@pytest.fixture
def in_float32(monkeypatch):
    """What torch computes in, on processors that have bfloat16, too."""
    monkeypatch.setattr(backends, "best_dtype", lambda: torch.float32)


@pytest.mark.usefixtures("in_float32")
@pytest.mark.parametrize("bit_depth", [8, 10])
@pytest.mark.parametrize("size", [(16, 24), (19, 13)], ids=str)
@pytest.mark.parametrize("case", CASES)
def test_the_graph_is_the_network(case, size, bit_depth):
    network = random_network(case)
    given = planes(network, *size, bit_depth)
    ours = OpenVinoBackend(network, {}).restore(*given, 31.0, bit_depth)
    exact = TorchBackend(network).restore(*given, 31.0, bit_depth)
    assert max(float(difference.max()) for difference in differences(ours, exact)) <= 1


@pytest.mark.parametrize("case", CASES)
def test_int8_is_near(case):
    network = random_network(case)
    for parameter in network.parameters():
        parameter.data *= 0.3
    given = planes(network, 24, 32)
    network.ranges = activation_ranges(network, [(given[0] / 255, given[1] / 255, torch.tensor([31.0]))])
    assert network.ranges
    assert not set(getattr(network, "exact", ("stem", "head", "chroma_head"))) & set(network.ranges)
    ours = OpenVinoBackend(network, network.ranges).restore(*given, 31.0, 8)
    exact = TorchBackend(network).restore(*given, 31.0, 8)
    assert max(float(difference.mean()) for difference in differences(ours, exact)) < 0.5


def test_every_restorer_of_the_package_is_calibrated():
    known = {name for name, metadata in embedded.describe().items() if metadata.network in RESTORERS}
    assert known == set(CALIBRATED)


@pytest.mark.parametrize("name", CALIBRATED)
def test_auto_takes_int8_for_the_weights_of_the_package(name):
    assert choose("auto", load_embedded(name)).description == "int8, OpenVINO"


def test_ranges_that_are_wrong_are_found_out():
    network = load_embedded("lumasr-x4")
    network.ranges = {name: (low / 20, high / 20) for name, (low, high) in network.ranges.items()}
    with pytest.raises(MissingTool, match="not torch's"):
        choose("openvino-int8", network)
    assert isinstance(choose("auto", network), TorchBackend)


def test_without_openvino(monkeypatch):
    monkeypatch.setitem(sys.modules, "openvino", None)
    network = load_embedded("lumasr-x4")
    assert isinstance(choose("auto", network), TorchBackend)
    with pytest.raises(MissingTool, match="not installed") as fault:
        choose("openvino", network)
    assert "revivid[openvino]" in fault.value.hint


def test_what_openvino_can_not_compute():
    with pytest.raises(UsageError, match="CompactInterp"):
        choose("openvino", networks.build("compactinterp"))
    with pytest.raises(UsageError, match="never calibrated"):
        choose("openvino-int8", random_network("gate"))
    assert isinstance(choose("auto", random_network("gate")), TorchBackend)


def test_an_openvino_that_fails(monkeypatch):
    def fail(*_):
        raise RuntimeError("no such kernel\nsomewhere")

    monkeypatch.setattr(OpenVinoBackend, "_compiled", fail)
    with pytest.raises(MissingTool, match="no such kernel"):
        choose("openvino", load_embedded("lumasr-x4"))


def clip(count: int) -> Clip:
    rng = np.random.default_rng(2)
    y, u, v = (rng.integers(16, 235, (count, *size)).astype(np.uint8) for size in ((40, 48), (20, 24), (20, 24)))
    return Clip((y, u, v), tuple(Fraction(t, 25) for t in range(count)), (Fraction(1, 25),) * count, ColorSpec())


@pytest.mark.usefixtures("in_float32")
def test_frames_side_by_side_keep_their_own_results():
    stages = [Own("super-resolve", Conditions(backend=backend), scale=4) for backend in ("openvino", "torch")]
    ours, exact = (stage.process(clip(6)) for stage in stages)
    for a, b in zip(ours.planes, exact.planes, strict=True):
        assert np.abs(a.astype(int) - b.astype(int)).max() <= 1
    assert "fp32, OpenVINO" in stages[0].describe()


def test_frames_have_streams_of_their_own_even_when_a_worker_compiles():
    backend = OpenVinoBackend(random_network("one grid"), {})
    each_frame(lambda _: backend.restore(*planes(backend.network, 8, 8), 20.0, 8), range(2))  # workers' torch has one thread
    (model,) = backend._models.values()
    assert model.get_property("NUM_STREAMS") == worker_count()
    assert model.get_property("INFERENCE_NUM_THREADS") == worker_count()


def test_graphs_of_many_sizes_are_not_kept(monkeypatch):
    monkeypatch.setattr(backends, "_KEPT", 2)
    backend = OpenVinoBackend(random_network("one grid"), {})
    for height in (2, 4, 6):
        backend.restore(*planes(backend.network, height, 4), 20.0, 8)
    assert len(backend._models) == 2
