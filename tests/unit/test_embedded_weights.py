"""Weights inside the package: every file loads into its network; damaged ones are typed errors."""

import struct

import pytest
import torch

from revivid import networks
from revivid.errors import CorruptWeights, MissingWeights
from revivid.restoration.embedded import load_embedded, load_trained
from revivid.weights import embedded

METADATA = embedded.Metadata("compactsr", {"scale": 2, "channels": 16, "layers": 1}, "tiny", 3, "2026-01-01", "Apache-2.0", "x")


def store(folder, metadata=METADATA, name="tiny"):
    network = networks.build("compactsr", **METADATA.hyperparameters)
    path = folder / f"{name}.safetensors"
    embedded.write(path, metadata, network.state_dict())
    return path, network


@pytest.fixture
def own_folder(monkeypatch, tmp_path):
    monkeypatch.setattr(embedded, "folder", lambda: tmp_path)
    return tmp_path


@pytest.mark.parametrize("name", embedded.names())
def test_packaged_weights(name):
    path = embedded.folder() / f"{name}.safetensors"
    assert path.stat().st_size <= 4_000_000
    metadata = embedded.describe()[name]
    assert metadata.licence == "Apache-2.0"
    assert metadata.iterations > 0 or metadata.recipe == "blocks"  # whose tables alone are counted
    module = load_embedded(name)
    assert not module.training
    assert all(p.dtype == torch.float32 and p.isfinite().all() for p in module.parameters())


def test_all_weights_together_stay_small():
    assert sum(path.stat().st_size for path in embedded.folder().glob("*.safetensors")) <= 12_000_000


def test_the_restorers_are_in_the_package():
    assert {"compactsr-x2", "compactsr-x4", "lumasr-x2", "lumasr-x4", "lumasr-x4-hq"} <= set(embedded.names())


def test_what_is_written_is_what_is_read(own_folder):
    path, network = store(own_folder)
    metadata, tensors = embedded.load("tiny")
    assert metadata == METADATA
    assert embedded.names() == ["tiny"]
    for key, value in network.state_dict().items():
        torch.testing.assert_close(tensors[key], value, atol=1e-3, rtol=1e-3)  # stored as float16
        assert tensors[key].dtype == torch.float32
    assert load_embedded("tiny").scale == load_trained(path).scale == 2


def test_tables_come_back_without_storing_their_zeros(tmp_path):
    tables = torch.zeros(3, 5, 200, dtype=torch.int16)
    tables[..., :20] = torch.randint(-9, 9, (3, 5, 20))
    tables[1, 2] = 0
    full = torch.arange(12, dtype=torch.int16).view(3, 4)
    path = tmp_path / "tables.safetensors"
    embedded.write(path, METADATA, {"tables": tables, "full": full, "weights": torch.zeros(2, 100)})
    _, found = embedded.read(path)
    assert set(found) == {"tables", "full", "weights"}
    assert torch.equal(found["tables"], tables)
    assert torch.equal(found["full"], full)
    assert path.stat().st_size < 2500
    content = path.read_bytes()
    path.write_bytes(content.replace(b"200", b"2x0"))
    with pytest.raises(CorruptWeights):
        embedded.read(path)


def test_unknown_name_lists_the_known(own_folder):
    store(own_folder)
    with pytest.raises(MissingWeights, match="'huge'") as fault:
        embedded.load("huge")
    assert "tiny" in fault.value.hint


def test_damage_is_named(own_folder):
    path, _ = store(own_folder)
    whole = path.read_bytes()
    for damaged in (b"", whole[:5], whole[: len(whole) // 2], struct.pack("<Q", 1 << 40) + whole[8:], b"\0" * len(whole)):
        path.write_bytes(damaged)
        with pytest.raises(CorruptWeights):
            embedded.load("tiny")


def test_header_must_be_complete(own_folder):
    path, network = store(own_folder)
    from safetensors.torch import save_file

    save_file({key: value.contiguous() for key, value in network.state_dict().items()}, path, metadata={"network": "compactsr"})
    with pytest.raises(CorruptWeights, match="hyperparameters"):
        embedded.load("tiny")


def test_weights_of_another_shape_do_not_load(own_folder):
    other = embedded.Metadata("compactsr", {"scale": 2, "channels": 32, "layers": 1}, "tiny", 3, "2026-01-01", "Apache-2.0", "x")
    store(own_folder, other)
    with pytest.raises(CorruptWeights, match="wants"):
        load_embedded("tiny")
