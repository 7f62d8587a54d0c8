"""Fetching, verifying, converting and loading checkpoints, against a server on this machine that misbehaves on request."""

import hashlib
import json
import subprocess
import sys
import threading
import time
from dataclasses import asdict, replace
from functools import partial
from http.server import BaseHTTPRequestHandler, SimpleHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from revivid import limits, networks
from revivid.errors import CorruptWeights, LimitExceeded, MissingWeights, OutputNotWritable, UsageError
from revivid.restoration.catalogued import load_catalogued
from revivid.weights import catalogue, download, store
from revivid.weights.convert import convert
from revivid.weights.fetch import fetch

BODY = bytes(range(256)) * 2000
TINY = {"num_feat": 4, "num_conv": 1, "upscale": 2}
MIT = {
    "task": "super-resolve",
    "network": "srvgg",
    "file": "tiny.pth",
    "licence": "MIT",
    "about": "x2",
    "page": "https://example.org/tiny",
}


class Server(ThreadingHTTPServer):
    """Answers each request with the next of `answers`, and the last one again when they are used up."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.answers, self.requests = [], []
        self.base = f"http://127.0.0.1:{self.server_address[1]}/"
        self.address = self.base + "file"


class Handler(BaseHTTPRequestHandler):
    server: Server

    def log_message(self, *_):
        pass

    def do_GET(self):
        server = self.server
        server.requests.append(dict(self.headers))
        server.answers[min(len(server.requests), len(server.answers)) - 1](self)


def whole(handler, body=BODY, etag='"one"', cut=None, wait=0.0, length=True, kind="application/octet-stream"):
    """The body, or the rest that was asked for; cut off after `cut` bytes, after which it may hang for `wait` seconds."""
    start = 0
    wanted = handler.headers.get("Range")
    if wanted and etag and handler.headers.get("If-Range") == etag:
        start = int(wanted.removeprefix("bytes=").rstrip("-"))
    handler.send_response(206 if start else 200)
    if start:
        handler.send_header("Content-Range", f"bytes {start}-{len(body) - 1}/{len(body)}")
    if etag:
        handler.send_header("ETag", etag)
    if length:
        handler.send_header("Content-Length", str(len(body) - start))
    handler.send_header("Content-Type", kind)
    handler.end_headers()
    handler.wfile.write(body[start:] if cut is None else body[start : start + cut])
    handler.wfile.flush()
    time.sleep(wait)


def status(handler, code, location=None):
    handler.send_response(code)
    if location:
        handler.send_header("Location", location)
    handler.send_header("Content-Length", "0")
    handler.end_headers()


@pytest.fixture
def server(monkeypatch):
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY", "REVIVID_MIRROR", "REVIVID_OFFLINE"):
        monkeypatch.delenv(name, raising=False)
    with Server() as running:
        threading.Thread(target=partial(running.serve_forever, 0.02), daemon=True).start()
        yield running
        running.shutdown()


@pytest.fixture
def root(monkeypatch, tmp_path):
    monkeypatch.setenv("REVIVID_WEIGHTS", str(tmp_path / "weights"))
    return tmp_path / "weights"


@pytest.fixture
def get(server, tmp_path):
    """Download with the given answers; gives the file's bytes and the waits between attempts."""

    def run(*answers, address=None):
        server.answers, server.requests = list(answers), []
        part, waits = tmp_path / "x.part", []
        download.download(address or server.address, part, sleep=waits.append)
        return part.read_bytes(), waits

    return run


@pytest.fixture
def tiny(monkeypatch, server, root):
    """An entry of a small network whose checkpoint the server has, wrapped as published; and the network."""
    torch.manual_seed(0)
    network = networks.build("srvgg", **TINY)
    path = root.parent / "published.pth"
    torch.save({"params_ema": {f"module.{key}": value for key, value in network.state_dict().items()}, "epoch": 3}, path)
    body = path.read_bytes()
    server.answers = [partial(whole, body=body)]
    entry = catalogue.Entry(
        name="tiny", base=server.base, wrapper=("params_ema", "params"), prefix="module.", hyperparameters=TINY,
        sha256=hashlib.sha256(body).hexdigest(), **MIT,
    )  # fmt: skip
    monkeypatch.setattr(catalogue, "entries", lambda: {"tiny": entry})
    return entry, network


# --- one file ---------------------------------------------------------------------------------------------------------------


def test_download_reports_progress(server, tmp_path):
    server.answers, seen = [whole], []
    download.download(server.address, tmp_path / "deep" / "x.part", lambda here, total: seen.append((here, total)))
    assert (tmp_path / "deep" / "x.part").read_bytes() == BODY
    assert seen[-1] == (len(BODY), len(BODY))
    assert seen == sorted(seen)


def test_cut_connection_goes_on_where_it_stopped(get, server):
    body, waits = get(partial(whole, cut=100_000), partial(whole, cut=50_000), whole)
    assert body == BODY
    assert [request.get("Range") for request in server.requests] == [None, "bytes=100000-", "bytes=150000-"]
    assert waits == [1.0, 2.0]


def test_interrupted_process_goes_on_and_a_finished_part_is_not_asked_for_again(get, server):
    with pytest.raises(MissingWeights, match=r"ended after 100,000 of 512,000"):
        get(partial(whole, cut=100_000), partial(whole, cut=0))
    assert get(whole)[0] == BODY
    assert server.requests[0]["Range"] == "bytes=100000-"
    assert get(whole)[0] == BODY
    assert server.requests == []


def test_changed_file_starts_over(get, server):
    other = BODY[::-1]
    body, _ = get(partial(whole, cut=100_000), partial(whole, body=other, etag='"two"'))
    assert body == other
    assert server.requests[1]["If-Range"] == '"one"'


@pytest.mark.parametrize("etag", [None, 'W/"weak"'])
def test_without_a_strong_version_nothing_is_resumed(get, server, etag):
    body, _ = get(partial(whole, etag=etag, cut=100_000), partial(whole, etag=etag))
    assert body == BODY
    assert "Range" not in server.requests[1]


def test_range_that_was_not_asked_for_is_refused(get):
    def shifted(handler):
        handler.send_response(206)
        handler.send_header("Content-Range", "bytes 7-8/9")
        handler.send_header("Content-Length", "2")
        handler.end_headers()

    assert get(partial(whole, cut=100), shifted, whole)[0] == BODY


def test_range_beyond_the_end_starts_over(get):
    assert get(partial(whole, cut=100), partial(status, code=416), whole)[0] == BODY


def test_stalled_server_is_left_and_resumed(get, server, monkeypatch):
    monkeypatch.setattr(limits, "NETWORK_TIMEOUT_S", 0.3)
    started = time.monotonic()
    assert get(partial(whole, cut=100_000, wait=3), whole)[0] == BODY
    assert time.monotonic() - started < 2
    assert server.requests[1]["Range"] == "bytes=100000-"


def test_trickling_server_is_given_up(get, monkeypatch):
    monkeypatch.setattr(limits, "NETWORK_TIMEOUT_S", 0.2)

    def trickle(handler):
        handler.send_response(200)
        handler.send_header("Content-Length", "5000")
        handler.end_headers()
        for _ in range(30):
            time.sleep(0.03)
            handler.wfile.write(b"x")

    with pytest.raises(MissingWeights, match="all but stopped"):
        get(trickle)


@pytest.mark.parametrize("code", [401, 403, 404, 410])
def test_refusals_are_final(get, server, code):
    with pytest.raises(MissingWeights, match=str(code)):
        get(partial(status, code=code))
    assert len(server.requests) == 1


def test_busy_server_is_asked_again_a_few_times(get):
    body, waits = get(partial(status, code=503), partial(status, code=429), whole)
    assert (body, waits) == (BODY, [1.0, 2.0])


def test_ever_busy_server_is_given_up(get, server):
    with pytest.raises(MissingWeights, match="503"):
        get(partial(status, code=503))
    assert len(server.requests) == 4


def test_nobody_listens(tmp_path, server):
    server.server_close()
    with pytest.raises(MissingWeights, match=r"can't be reached.*refused"):
        download.download(server.address, tmp_path / "x.part", sleep=lambda _: None)


def test_redirections_stay_on_the_web(get, tmp_path):
    (tmp_path / "secret").write_text("x")
    assert get(partial(status, code=302, location="/other"), whole)[0] == BODY
    download.discard(tmp_path / "x.part")
    for place in (f"file://{tmp_path}/secret", "ftp://127.0.0.1/x"):
        with pytest.raises(MissingWeights, match=r"not followed|not allowed"):
            get(partial(status, code=302, location=place))
    with pytest.raises(MissingWeights, match="302"):
        get(partial(status, code=302, location="/file"))
    for address in (f"file://{tmp_path}/secret", "ftp://127.0.0.1/x"):
        with pytest.raises(UsageError, match="no http"):
            get(whole, address=address)


def test_size_is_capped_whether_announced_or_not(get, monkeypatch):
    monkeypatch.setattr(limits, "MAX_CHECKPOINT_BYTES", 400_000)
    with pytest.raises(LimitExceeded, match="512,000"):
        get(whole)
    with pytest.raises(LimitExceeded):
        get(partial(whole, length=False))


def test_no_room(get, monkeypatch):
    monkeypatch.setattr(download.shutil, "disk_usage", lambda _: SimpleNamespace(free=100_000))
    with pytest.raises(OutputNotWritable, match="no room for 512,000"):
        get(whole)


def test_full_disk_is_no_fault_of_the_network(get, server, tmp_path):
    (tmp_path / "x.part").mkdir()
    with pytest.raises(OutputNotWritable, match="can't be written"):
        get(whole)
    assert len(server.requests) == 1


def test_web_page_is_no_file(get):
    with pytest.raises(MissingWeights, match="web page"):
        get(partial(whole, kind="text/html; charset=utf-8"))


# --- a checkpoint -----------------------------------------------------------------------------------------------------------


def test_all_the_way_to_a_picture(tiny, root, server):
    entry, donor = tiny
    with pytest.raises(MissingWeights) as caught:
        load_catalogued("tiny")
    assert "revivid weights fetch tiny" in caught.value.hint
    assert str(root / "tiny" / "tiny.pth") in caught.value.hint

    verdict = fetch(entry)
    assert (verdict.path, verdict.trust) == (root / "tiny" / "tiny.pth", "published")
    assert [v.trust for v in store.verify(entry)] == ["published"]
    assert store.find("tiny") == verdict.path
    (root / "tiny" / "torch.py").write_text("raise SystemExit('imported from the folder of a stranger')")
    network = load_catalogued("tiny")
    (root / "tiny" / "torch.py").unlink()
    made = store.find("tiny")
    assert made == root / "tiny" / "tiny.safetensors"
    assert [v.trust for v in store.verify(entry)] == ["published", "recorded"]
    picture = torch.rand(1, 3, 5, 7)
    with torch.no_grad():
        assert torch.equal(network(picture), donor.eval()(picture))
    assert not network.training
    assert sorted(path.name for path in made.parent.iterdir()) == [".lock", "record.json", "tiny.pth", "tiny.safetensors"]
    fetch(entry)
    assert len(server.requests) == 1

    with safe_open(made, framework="pt") as stored:
        header = stored.metadata()
    assert (header["checkpoint"], header["source"], header["sha256"]) == ("tiny", "tiny.pth", entry.sha256)
    assert json.loads(header["hyperparameters"]) == TINY

    data = bytearray(made.read_bytes())
    data[-1] ^= 1
    made.write_bytes(data)
    with pytest.raises(CorruptWeights, match="was here first"):
        store.verify(entry)


def test_file_put_there_by_hand(tiny, root):
    entry, _ = tiny
    (root / "tiny").mkdir(parents=True)
    (root.parent / "published.pth").rename(store.source(entry))
    assert store.find("tiny") == store.source(entry)
    assert [verdict.trust for verdict in store.verify(entry)] == ["published"]
    assert fetch(entry, offline=True).path == store.source(entry)


def test_wrong_hash_is_refused_before_anything_is_parsed(tiny, root):
    entry, _ = tiny
    for sha256 in ("0" * 64, "00000000"):
        with pytest.raises(CorruptWeights, match="was published"):
            fetch(replace(entry, sha256=sha256))
        assert [path.name for path in (root / "tiny").iterdir()] == [".lock"]
    assert fetch(entry).trust == "published"


def test_first_hash_is_remembered_where_none_was_published(tiny, server):
    entry = replace(tiny[0], sha256="")
    assert fetch(entry).trust == "first seen"
    assert store.record(entry).address == server.base + "tiny.pth"
    assert fetch(entry).trust == "recorded"
    assert fetch(replace(entry, sha256=tiny[0].sha256[:8])).trust == "recorded"

    with store.source(entry).open("ab") as file:
        file.write(b"x")
    for use in (store.verify, fetch, convert):
        with pytest.raises(CorruptWeights, match="was seen first"):
            use(entry)
    store.source(entry).unlink()
    server.answers = [whole]
    with pytest.raises(CorruptWeights, match="was seen first"):
        fetch(entry)


def test_safetensors_put_there_by_hand(tiny):
    """Whole, cut short, and of another network."""
    entry, donor = tiny
    path = store.converted(entry)
    path.parent.mkdir(parents=True)
    save_file({key: value.contiguous() for key, value in donor.state_dict().items()}, path)
    assert [v.trust for v in store.verify(entry)] == ["first seen"]
    assert fetch(entry).path == path
    assert load_catalogued("tiny") is not None
    path.write_bytes(path.read_bytes()[:-8])
    with pytest.raises(CorruptWeights, match="whole safetensors"):
        load_catalogued("tiny")
    with pytest.raises(CorruptWeights, match="was here first"):
        fetch(entry)
    other = networks.build("srvgg", **{**TINY, "num_conv": 2})
    save_file({key: value.contiguous() for key, value in other.state_dict().items()}, path)
    with pytest.raises(CorruptWeights, match=r"unknown body\.6\.weight"):
        load_catalogued("tiny")


def test_missing_says_what_to_put_where(tiny, server, root):
    entry, _ = tiny
    server.answers = [partial(status, code=404)]
    with pytest.raises(MissingWeights) as caught:
        fetch(entry)
    assert caught.value.exit_code == 6
    assert "404" in caught.value.message
    assert server.base + "tiny.pth" in caught.value.hint
    assert str(root / "tiny" / "tiny.pth") in caught.value.hint
    for use in (convert, store.verify):
        with pytest.raises(MissingWeights):
            use(entry)


def test_by_hand_only(tiny, root):
    entry = replace(tiny[0], base="", by_hand="Ask nicely.")
    with pytest.raises(MissingWeights) as caught:
        fetch(entry)
    assert "Ask nicely. Get it from https://example.org/tiny" in caught.value.hint
    assert str(root / "tiny" / "tiny.pth") in caught.value.hint


def test_offline(tiny, monkeypatch, server):
    entry, _ = tiny
    with pytest.raises(MissingWeights, match="offline"):
        fetch(entry, offline=True)
    monkeypatch.setenv("REVIVID_OFFLINE", "1")
    with pytest.raises(MissingWeights, match="offline"):
        fetch(entry)
    assert server.requests == []
    monkeypatch.setenv("REVIVID_OFFLINE", "0")
    fetch(entry)
    assert fetch(entry, offline=True).trust == "published"


def test_a_served_weights_folder_is_a_mirror(tiny, root, monkeypatch):
    entry, _ = tiny
    fetch(entry)
    handler = partial(SimpleHTTPRequestHandler, directory=str(root))
    monkeypatch.setattr(SimpleHTTPRequestHandler, "log_message", lambda *_: None)
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as mirror:
        threading.Thread(target=partial(mirror.serve_forever, 0.02), daemon=True).start()
        monkeypatch.setenv("REVIVID_MIRROR", f"http://127.0.0.1:{mirror.server_address[1]}/")
        monkeypatch.setenv("REVIVID_WEIGHTS", str(root.parent / "other"))
        assert fetch(replace(entry, base="", by_hand="x")).path.read_bytes() == (root / "tiny" / "tiny.pth").read_bytes()
        mirror.shutdown()


def test_noncommercial_licence_is_accepted_once(tiny, server):
    entry = replace(tiny[0], licence="CC-BY-NC-4.0", noncommercial=True)
    with pytest.raises(UsageError, match=r"CC-BY-NC-4\.0"):
        fetch(entry)
    assert server.requests == []
    store.accept(entry)
    fetch(entry)
    assert store.accepted(replace(entry, name="another"))
    assert not store.accepted(replace(entry, page="https://example.org/elsewhere"))


def test_folder_is_the_users_cache(monkeypatch):
    monkeypatch.delenv("REVIVID_WEIGHTS", raising=False)
    assert store.root().name == "weights"
    assert "revivid" in str(store.root())


def test_damaged_record(tiny, root):
    entry = replace(tiny[0], sha256="")
    fetch(entry)
    (root / "tiny" / "record.json").write_text("{")
    with pytest.raises(CorruptWeights, match="damaged"):
        store.verify(entry)


CHILD = """
import json, sys
from revivid.weights.catalogue import Entry
from revivid.weights.fetch import fetch
print(fetch(Entry(**json.loads(sys.argv[1]))).trust)
"""


def test_two_processes_download_once(tiny, server):
    entry, _ = tiny
    body = server.answers[0].keywords["body"]

    def slowly(handler):
        time.sleep(0.5)
        whole(handler, body=body)

    server.answers = [slowly]
    command = [sys.executable, "-c", CHILD, json.dumps(asdict(entry))]
    children = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    assert [child.communicate(timeout=60)[0] for child in children] == ["published\n", "published\n"]
    assert len(server.requests) == 1
