"""`revivid compress --codec bvc` and back on the command line, with a compact model of random weights in a file."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
import torch
from command import COMMAND, make_clip, revivid

from revivid import networks
from revivid.weights import embedded

GOP, FRAMES = 4, 8


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A weight file as training writes it, before any training."""
    torch.manual_seed(0)
    network = networks.build("bvc", size="compact")
    network.update_tables()  # type: ignore[operator]
    path = tmp_path_factory.mktemp("weights") / "random.safetensors"
    about = embedded.Metadata("bvc", {"size": "compact"}, "none", 0, "2026-01-01", "Apache-2.0", "nothing")
    embedded.write(path, about, network.state_dict())
    return path


@pytest.fixture(scope="module")
def stream(tmp_path_factory: pytest.TempPathFactory, weights: Path) -> Path:
    folder = tmp_path_factory.mktemp("bvc")
    clip = make_clip(folder / "clip.mp4", frames=FRAMES, size=(64, 64), audio=True)
    revivid("compress", clip, "-o", folder / "a.bvc", "--codec", "bvc", "--quality", 2.5, "--gop", GOP, "--bvc-weights", weights)
    return folder / "a.bvc"


def test_probe_says_what_it_is(stream: Path) -> None:
    result = revivid("probe", stream, "--json").event("result")
    assert (result["codec"], result["frames"], result["width"]) == ("bvc", FRAMES, 64)
    assert {key: result["bvc"][key] for key in ("model", "quality", "gop", "mode")} == {
        "model": "random", "quality": 2.5, "gop": GOP, "mode": "sharpen",
    }  # fmt: skip
    assert "sharpen, quality 2.5" in revivid("probe", stream).out


def test_it_comes_back(stream: Path, weights: Path, tmp_path: Path) -> None:
    done = revivid("restore", stream, "-o", tmp_path / "back.mp4", "--bvc-weights", weights, "--json").event("result")
    assert (done["frames"], done["width"], done["height"]) == (FRAMES, 64, 64)
    after = revivid("probe", tmp_path / "back.mp4", "--json").event("result")
    assert [s["codec"] for s in after["streams"]] == ["aac"]


def test_it_plays_while_it_arrives(stream: Path, weights: Path) -> None:
    """The first frames come out before the last bytes went in."""
    data = stream.read_bytes()
    second = data.index(b"GOP ", data.index(b"GOP ") + 4)
    command = [COMMAND, "restore", "-", "-o", "-", "--bvc-weights", str(weights)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as running:
        assert running.stdin is not None
        assert running.stdout is not None
        running.stdin.write(data[:second])
        running.stdin.flush()
        assert running.stdout.read(10) == b"YUV4MPEG2 "
        running.stdin.write(data[second:])
        running.stdin.close()
        frames = running.stdout.read().count(b"FRAME\n")
    assert (running.returncode, frames) == (0, FRAMES)


def test_another_models_stream_is_refused(stream: Path, tmp_path: Path) -> None:
    refused = revivid("restore", stream, "-o", tmp_path / "back.mp4", expect=6)
    assert "--bvc-weights FILE" in refused.err
    assert "random (sha256" in refused.err


def test_a_damaged_stream(stream: Path, weights: Path, tmp_path: Path) -> None:
    data = bytearray(stream.read_bytes())
    data[data.index(b"GOP ", data.index(b"GOP ") + 4) + 100] ^= 1
    (tmp_path / "bad.bvc").write_bytes(data)
    common = ("restore", tmp_path / "bad.bvc", "--bvc-weights", weights)
    refused = revivid(*common, "-o", tmp_path / "refused.mp4", expect=4)
    assert "group of pictures 1" in refused.err
    assert not (tmp_path / "refused.mp4").exists()
    revivid(*common, "-o", tmp_path / "kept.mp4", "--conceal", expect=7)
    assert revivid("probe", tmp_path / "kept.mp4", "--json").event("result")["frames"] == FRAMES


def test_mistakes_are_named(stream: Path, weights: Path, tmp_path: Path) -> None:
    clip = stream.with_name("clip.mp4")
    bvc = ("compress", clip, "--codec", "bvc", "--bvc-weights", weights)
    assert "no --crf" in revivid(*bvc, "-o", tmp_path / "a.bvc", "--crf", 20, expect=2).err
    assert ".bvc" in revivid(*bvc, "-o", tmp_path / "a.mp4", expect=2).err
    assert "exists already" in revivid(*bvc, "-o", stream, expect=2).err
    missing = revivid("compress", clip, "-o", tmp_path / "a.bvc", "--codec", "bvc", "--bvc-weights", "none.safetensors", expect=6)
    assert "none.safetensors" in missing.err
    learned = ("--intra", "learned", "--intra-weights", "none.safetensors")
    assert "--intra-weights FILE" in revivid(*bvc, "-o", tmp_path / "a.bvc", *learned, expect=6).err
    assert list(tmp_path.iterdir()) == []
