"""ONNX: what is written computes what torch does, at every size; mistakes are typed errors."""

from __future__ import annotations

import sys

import numpy as np
import onnx
import onnxruntime
import pytest
import torch

from revivid import networks
from revivid.errors import MissingTool, MissingWeights, OutputExists, OutputNotWritable, UsageError
from revivid.restoration import export
from revivid.restoration.export import OPSET, export_onnx
from revivid.weights import embedded


@pytest.fixture(scope="module", params=["lumasr", "compactsr", "cellnet"])
def trained(request, tmp_path_factory):
    """A network with random weights, and the file that training would write."""
    torch.manual_seed(0)
    hyperparameters = {
        "lumasr": {"scale": 2, "channels": 4, "layers": 1},
        "compactsr": {"scale": 4, "channels": 4, "layers": 1},
        "cellnet": {"task": "deblur", "reach": 1, "widths": [4, 8], "encoder": [0], "decoder": [1], "gate": 2.0},
    }[request.param]
    network = networks.build(request.param, **hyperparameters).eval()
    for parameter in network.parameters():
        parameter.data = torch.nn.init.normal_(parameter, std=0.1).half().float()
    path = tmp_path_factory.mktemp("weights") / "own.safetensors"
    metadata = embedded.Metadata(request.param, hyperparameters, "own", 1, "2026-01-01", "Apache-2.0", "noise")
    embedded.write(path, metadata, network.state_dict())
    return network, path


def test_the_file_computes_what_the_network_does(trained, tmp_path):
    network, weights = trained
    done = export_onnx(str(weights), tmp_path / "own.onnx")
    assert done.largest_difference is not None
    assert done.largest_difference <= 1
    assert done.bytes == (tmp_path / "own.onnx").stat().st_size
    frames = 2 * getattr(network, "reach", 0) + 1
    assert done.inputs == {"y": ["N", frames, "H", "W"], "uv": ["N", 2 * frames, "HC", "WC"], "strength": ["N"]}
    model = onnx.load(done.path)
    assert [opset.version for opset in model.opset_import if not opset.domain] == [OPSET]
    assert {note.key: note.value for note in model.metadata_props}["licence"] == "Apache-2.0"
    session = onnxruntime.InferenceSession(str(done.path), providers=["CPUExecutionProvider"])
    rng = np.random.default_rng(0)
    for count, height, width in ((2, 30, 22), (1, 17, 25)):
        y = rng.integers(0, 256, (count, frames, height, width), dtype=np.uint8)
        uv = rng.integers(0, 256, (count, 2 * frames, -(-height // 2), -(-width // 2)), dtype=np.uint8)
        told = np.array([20.0, 35.0][:count], np.float32)
        with torch.inference_mode():
            exact = network.restore(*(torch.from_numpy(value) for value in (y, uv, told)))
        ours = session.run(None, {"y": y, "uv": uv, "strength": told})
        for a, b in zip(ours, exact, strict=True):
            assert a.shape == b.shape
            assert np.abs(a.astype(int) - b.numpy()).max() <= 1


def test_mistakes(trained, tmp_path, monkeypatch):
    path = tmp_path / "x.onnx"
    with pytest.raises(MissingWeights, match="imaginary"):
        export_onnx("imaginary", path)
    with pytest.raises(UsageError, match="own"):
        export_onnx("swinir-sr-div2k-x2", path)
    with pytest.raises(UsageError, match="compactinterp"):
        export_onnx("compactinterp-x2", path)
    with pytest.raises(OutputNotWritable):
        export_onnx(str(trained[1]), tmp_path / "no folder" / "x.onnx")
    monkeypatch.setattr(export, "_difference", lambda *_: 7)
    with pytest.raises(MissingTool, match="7 codes off"):
        export_onnx(str(trained[1]), path)
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(MissingTool, match="onnx"):
        export_onnx(str(trained[1]), path)
    assert list(tmp_path.iterdir()) == []
    path.write_bytes(b"mine")
    with pytest.raises(OutputExists):
        export_onnx(str(trained[1]), path)
    assert path.read_bytes() == b"mine"
