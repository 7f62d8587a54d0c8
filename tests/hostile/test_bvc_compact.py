"""Damaged streams of the package's own models, decoded whole: a sample here, all of it with `pytest -m slow`.

What is wrong is a `CorruptStream` that says where, in less than a second and 512 MB; concealed, as many frames come as there were.
`test_bvc` forges streams as well, with a model so small that thousands take seconds.
"""

from __future__ import annotations

import io
import time
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from damaged import MEMORY, SECONDS, cut, decoded, flipped, forged, groups_of

from revivid.codecs.bvc.records import RecordReader
from revivid.errors import CorruptStream, InputNotReadable, MissingWeights, UsageError
from revivid.learned import keyframes, model
from revivid.learned.model import Model
from revivid.learned.reader import BvcReader
from revivid.learned.writer import BvcEncoding, BvcWriter
from revivid.media.write import Target
from revivid.types import join
from tiny_bvc import moving_clip

GROUP, FRAMES = 3, 9
#: Keyframes in HEVC, and in the package's autoencoder.
KEYS = ["hevc", "learned"]
#: Of each kind of damage, how many samples the quick test takes.
SAMPLED = 5


@pytest.fixture(scope="module", params=KEYS)
def models(request: pytest.FixtureRequest) -> Model:
    return replace(model.load(), intra=keyframes.load() if request.param == "learned" else None)


def write(path: Path, models: Model, **about: int) -> bytes:
    clip = moving_clip(FRAMES, 180, 120, **about)
    target = Target(clip.width, clip.height, clip.color, Fraction(25), Fraction(1, 12_800))
    with BvcWriter(path, target, BvcEncoding("bvc", model=models, quality=8, gop=GROUP)) as writer:
        writer.write(clip)
    return path.read_bytes()


@pytest.fixture(scope="module")
def stream(models: Model, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return write(tmp_path_factory.mktemp("bvc") / "whole.bvc", models)


@pytest.fixture(scope="module")
def foreign(models: Model, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """Another video with the same header, and the same first group."""
    return write(tmp_path_factory.mktemp("bvc") / "other.bvc", models, cut_at=3)


def damage(stream: bytes, foreign: bytes) -> dict[str, list[bytes]]:
    """Everything of issue 5 that happens to a stream by accident, by kind."""
    begin, generator = groups_of(stream)[0].offset, np.random.default_rng(9)
    head, *parts, end = cut(stream)
    _, *theirs, _ = cut(foreign)
    orders = [[1, 0, 2], [0, 0, 1, 2], [0, 2], [0, 1, 2, 2], [2, 1, 0], []]
    spliced = [[*parts[:k], theirs[k], *parts[k + 1 :]] for k in range(1, len(parts))]
    lengths = [*range(1, min(4096, len(stream))), *range(4096, len(stream), 97)]
    return {
        "header": [flipped(stream, bit) for bit in range(8 * begin)],
        "payload": [flipped(stream, bit) for bit in generator.integers(8 * begin, 8 * len(stream), 2000).tolist()],
        "cut": [stream[:length] for length in lengths],
        "order": [b"".join([head, *(parts[k] for k in order), end]) for order in orders],
        "splice": [b"".join([head, *row, end]) for row in spliced],
    }


def soon(data: bytes, models: Model, **options: bool) -> Exception | int:
    """What comes of decoding: the error, or the number of frames; in time, and without filling the memory."""
    resource = pytest.importorskip("resource")
    memory, started = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.process_time()
    came: Exception | int
    try:
        came = len(decoded(data, models, **options))
    except (CorruptStream, InputNotReadable, MissingWeights, UsageError) as fault:
        came = fault
    assert time.process_time() - started < SECONDS
    assert (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - memory) * 1024 < MEMORY
    return came


def judge(stream: bytes, foreign: bytes, models: Model, most: int | None) -> None:
    for kind, spoilt in damage(stream, foreign).items():
        chosen = spoilt if most is None else [spoilt[k] for k in np.linspace(0, len(spoilt) - 1, most).astype(int)]
        for data in chosen:
            fault = soon(data, models)
            if data[:8] == stream[:8]:
                assert isinstance(fault, CorruptStream), f"{kind}: {fault}"
                assert fault.offset is not None
            else:  # with another mark it is no BVC stream at all
                assert isinstance(fault, (InputNotReadable, CorruptStream)), f"{kind}: {fault}"
            if kind == "payload":
                came = soon(data, models, conceal=True)
                assert isinstance(came, CorruptStream) or 0 < came <= FRAMES


def test_it_decodes_whole(stream: bytes, models: Model) -> None:
    assert len(stream) > 2000
    assert soon(stream, models) == FRAMES


def test_a_sample_of_damage(stream: bytes, foreign: bytes, models: Model) -> None:
    judge(stream, foreign, models, SAMPLED)


@pytest.mark.slow
@pytest.mark.timeout(0)  # some seven thousand streams
def test_all_damage(stream: bytes, foreign: bytes, models: Model) -> None:
    judge(stream, foreign, models, None)


@pytest.mark.parametrize("size", [(16_384, 4_096), (8_192, 8_192), (64, 64), (1, 16_384)])
def test_headers_that_claim_another_size(stream: bytes, models: Model, size: tuple[int, int]) -> None:
    fault = soon(forged(stream, lambda h: replace(h, width=size[0], height=size[1])), models)
    assert isinstance(fault, CorruptStream)
    assert fault.gop == 0


def test_payloads_changed_on_purpose(stream: bytes, models: Model) -> None:
    """With right CRCs of records, what is refused is what does not decode to the integers that were encoded."""
    generator = np.random.default_rng(4)

    def spoil(payload: bytes) -> bytes:
        changed = bytearray(payload)
        changed[generator.integers(len(changed))] ^= 1 << int(generator.integers(8))
        return bytes(changed)

    outcomes = [soon(forged(stream, payload=spoil), models) for _ in range(12)]
    assert all(isinstance(came, CorruptStream) or came == FRAMES for came in outcomes)
    assert sum(isinstance(came, CorruptStream) for came in outcomes) > 8


def test_lost_groups_are_concealed(stream: bytes, models: Model, tmp_path: Path) -> None:
    """The last good frame stands in their place; what follows is as it was."""
    path = tmp_path / "damaged.bvc"
    path.write_bytes(flipped(stream, 8 * (groups_of(stream)[1].offset + 60)))
    reader = BvcReader(path, model=models, conceal=True)
    shown, whole = join(list(reader)), decoded(stream, models)
    assert (len(shown), reader.damage.errors) == (FRAMES, GROUP)
    for t in range(FRAMES):
        assert np.array_equal(shown.planes[0][t], whole.planes[0][GROUP - 1 if GROUP <= t < 2 * GROUP else t])
    assert [record.frames for record in RecordReader(io.BytesIO(stream), "it")] == [GROUP] * (FRAMES // GROUP)
