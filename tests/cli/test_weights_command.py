"""`revivid weights`: the installed command against a mirror on this machine."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import torch
from command import revivid

from revivid import networks


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def mirror(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A served weights folder: one whole checkpoint of a network without published sha256, and one wrong file."""
    folder = tmp_path_factory.mktemp("mirror")
    (folder / "ifirnn-c2h3").mkdir()
    state = {f"module.{key}": value for key, value in networks.build("ifirnn").state_dict().items()}
    torch.save({"state_dict": state, "epoch": 1}, folder / "ifirnn-c2h3" / "ifirnn_c2h3.pth")
    (folder / "fastdvdnet").mkdir()
    (folder / "fastdvdnet" / "model.pth").write_bytes(b"something else")
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder))) as server:
        threading.Thread(target=partial(server.serve_forever, 0.02), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


@pytest.fixture
def settings(mirror: str, tmp_path: Path) -> dict[str, str]:
    """An environment with an empty weights folder and the mirror."""
    environment = {key: value for key, value in os.environ.items() if "proxy" not in key.lower()}
    environment.pop("REVIVID_OFFLINE", None)
    return {**environment, "REVIVID_WEIGHTS": str(tmp_path / "w"), "REVIVID_MIRROR": mirror}


def test_fetch_verify_path(settings: dict[str, str], tmp_path: Path) -> None:
    file = tmp_path / "w" / "ifirnn-c2h3" / "ifirnn_c2h3.pth"
    assert revivid("weights", "path", "ifirnn-c2h3", env=settings).out == f"{file}\n"

    done = revivid("weights", "fetch", "ifirnn-c2h3", "--json", env=settings)
    progress = done.events[-3]
    assert (progress["step"], progress["bytes"]) == ("download", progress["total_bytes"])
    assert done.event("verified")["trust"] == "first seen"
    assert done.event("result")["path"] == str(file.with_name("ifirnn-c2h3.safetensors"))
    assert file.is_file()

    checked = revivid("weights", "verify", "--json", env=settings)
    assert [event["trust"] for event in checked.events] == ["recorded", "recorded"]
    again = revivid("weights", "fetch", "ifirnn-c2h3", "--offline", env=settings)
    assert again.out == f"{file.with_name('ifirnn-c2h3.safetensors')}\n"

    file.write_bytes(file.read_bytes()[:-1])
    broken = revivid("weights", "verify", env=settings, expect=6)
    assert "was seen first" in broken.err
    assert str(file.parent) in broken.err


def test_what_can_not_be_had_ends_with_6_and_says_what_to_put_where(settings: dict[str, str], tmp_path: Path) -> None:
    place = str(tmp_path / "w" / "basicvsr-reds" / "basicvsr_reds4_20120409-0e599677.pth")
    for more, words in (((), "404"), (("--offline",), "offline")):
        outcome = revivid("weights", "fetch", "basicvsr-reds", *more, env=settings, expect=6)
        assert words in outcome.err
        assert place in outcome.err
        assert "revivid weights convert basicvsr-reds" in outcome.err
    event = revivid("weights", "convert", "rife", "--json", env=settings, expect=6).event("error")
    assert event["kind"] == "MissingWeights"
    assert "train_log/flownet.pkl" in event["hint"]
    wrong = revivid("weights", "fetch", "fastdvdnet", env=settings, expect=6)
    assert "was published" in wrong.err
    assert "weights list" in revivid("weights", "fetch", "nonsense", env=settings, expect=6).err
    assert "no checkpoints" in revivid("weights", "verify", env=settings).err


def test_noncommercial_licence(settings: dict[str, str]) -> None:
    asked = revivid("weights", "fetch", "vrt-deblur-reds", env=settings, expect=2)
    assert "CC-BY-NC-4.0" in asked.err
    assert "--accept-licence" in asked.err
    accepted = revivid("weights", "fetch", "vrt-deblur-reds", "--accept-licence", env=settings, expect=6)
    assert "forbids commercial use" in accepted.err
    later = revivid("weights", "fetch", "vrt-deblur-gopro", env=settings, expect=6)
    assert "forbids" not in later.err
