"""Checkpoints from strangers: code in pickles, bombs, damage. Each is one `CorruptWeights`, in bounded time and memory."""

import os
import pickle
import re
import zipfile

import pytest
import torch

from revivid import limits
from revivid.errors import CorruptWeights, LimitExceeded
from revivid.weights import catalogue, store
from revivid.weights.convert import convert
from revivid.weights.unpickle import extract, reason

ENTRY = catalogue.Entry(
    name="hostile", task="super-resolve", network="srvgg", file="model.pth", licence="MIT", about="x", page="https://example.org",
    base="https://example.org/", wrapper=("params",),
)  # fmt: skip


@pytest.fixture
def place(monkeypatch, tmp_path):
    """Where the hostile file goes; afterwards nothing was made of it."""
    monkeypatch.setenv("REVIVID_WEIGHTS", str(tmp_path))
    path = store.source(ENTRY)
    path.parent.mkdir()
    yield path
    assert {file.name for file in path.parent.iterdir()} <= {"model.pth", "record.json"}


class Calls:
    """A pickle that calls a function when it is loaded."""

    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


def refused(match):
    """Through the child process, as users meet it."""
    with pytest.raises(CorruptWeights, match=match) as caught:
        convert(ENTRY)
    assert caught.value.exit_code == 6
    assert "\n" not in caught.value.message


def not_extracted(path, match):
    """What the child process does, without the seconds that starting it takes."""
    with pytest.raises(Exception, match=None) as caught:
        extract(path, ENTRY.wrapper, ENTRY.prefix)
    text = reason(caught.value)
    assert re.search(match, text), text
    assert "\n" not in text
    assert "weights_only" not in text


@pytest.mark.parametrize("legacy", [False, True])
def test_code_is_not_run(place, tmp_path, legacy):
    flag = tmp_path / "was here"
    torch.save({"params": Calls(os.system, f"touch '{flag}'")}, place, _use_new_zipfile_serialization=not legacy)
    not_extracted(place, r"would call \w+\.system")
    if not legacy:
        refused(r"would call \w+\.system")
    assert not flag.exists()


@pytest.mark.filterwarnings("ignore:Detected pickle protocol")
def test_plain_pickle_with_code(place, tmp_path):
    flag = tmp_path / "was here"
    place.write_bytes(pickle.dumps(Calls(os.mkdir, str(flag))))
    not_extracted(place, "no plain checkpoint")
    assert not flag.exists()


def test_compressed_archive(place):
    """A gigabyte of zeros deflates to a megabyte; only its directory is read."""
    inner = place.parent / "inner.pth"
    torch.save({"params": {"x": torch.zeros(1 << 20)}}, inner)
    with zipfile.ZipFile(inner) as plain, zipfile.ZipFile(place, "w", zipfile.ZIP_DEFLATED) as bomb:
        for member in plain.namelist():
            bomb.writestr(member, plain.read(member))
    inner.unlink()
    assert place.stat().st_size < 100_000
    not_extracted(place, "compressed archive")


def test_archive_that_claims_more_than_it_has(place):
    with zipfile.ZipFile(place, "w") as archive:
        archive.writestr("archive/data/0", b"x" * 4096)
        entry = archive.infolist()[0]
        archive.filelist.extend([entry] * 50)  # fifty names for the same bytes
    not_extracted(place, "claims more bytes")


def test_view_that_claims_terabytes(place):
    torch.save({"params": {"x": torch.zeros(1).expand(1 << 40)}}, place)
    not_extracted(place, "its tensors have 4,398,046,511,104 bytes")


def test_legacy_storage_that_wants_all_memory(place):
    """The legacy format allocates what the pickle says before it reads: the memory limit stops that."""
    torch.save({"params": {"x": torch.zeros(1000)}}, place, _use_new_zipfile_serialization=False)
    data = place.read_bytes()
    at = data.index(b"M\xe8\x03")  # the storage's 1000 elements
    place.write_bytes(data[:at] + b"\x8a\x06" + (1 << 40).to_bytes(6, "little") + data[at + 3 :])
    refused("can't be converted")


@pytest.mark.parametrize("keep", [0, 1, 100, 3000])
def test_truncated(place, keep):
    torch.save({"params": {"x": torch.zeros(1000)}}, place)
    place.write_bytes(place.read_bytes()[:keep])
    not_extracted(place, r"^\w*Error|no plain checkpoint")


@pytest.mark.parametrize("content", [[1, 2], {}, {"params": {}}, {"params": {"x": 3}}, {"params": {1: torch.zeros(1)}}, "text"])
def test_no_state_dict(place, content):
    torch.save(content, place)
    not_extracted(place, "instead of a state dict|no tensor")


def test_too_large(place, monkeypatch):
    place.write_bytes(b"x" * 2000)
    monkeypatch.setattr(limits, "MAX_CHECKPOINT_BYTES", 1000)
    with pytest.raises(LimitExceeded, match="2,000 bytes"):
        convert(ENTRY)


def test_too_slow(place, monkeypatch):
    torch.save({"params": {"x": torch.zeros(1)}}, place)
    monkeypatch.setattr(limits, "CONVERT_TIMEOUT_S", 0.05)
    refused("takes longer")
