"""BVC streams that are damaged, cut off, put together wrongly or forged: one typed error, soon, and without filling the memory.

CRCs catch what happens by accident. What is made on purpose has right CRCs, so a part of these streams is forged: their payloads
are changed and their CRCs computed again.
"""

from __future__ import annotations

import io
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from damaged import MEMORY, SECONDS, cut, decoded, flipped, forged, groups_of, refused

from revivid.codecs.bvc.header import Header
from revivid.codecs.bvc.records import RecordReader
from revivid.codecs.bvc.varint import signed, unsigned
from revivid.errors import CorruptStream, InputNotReadable
from revivid.learned.model import Model
from revivid.learned.reader import BvcReader
from revivid.types import join
from tiny_bvc import moving_clip, tiny_model, write_stream

GROUP, FRAMES = 4, 16


@pytest.fixture(scope="module")
def model() -> Model:
    return tiny_model()


@pytest.fixture(scope="module")
def stream(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """Four groups of four small frames, a little over 4 KiB."""
    path = tmp_path_factory.mktemp("bvc") / "whole.bvc"
    write_stream(path, moving_clip(FRAMES, 180, 120), gop=GROUP, quality=8)
    data = path.read_bytes()
    assert len(data) > 4500
    return data


@pytest.fixture(autouse=True)
def soon_and_small() -> Iterator[None]:
    """Memory is that of all the module's cases together."""
    resource = pytest.importorskip("resource")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    yield
    assert (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024 < MEMORY


def test_every_bit_of_the_header(stream: bytes, model: Model) -> None:
    for bit in range(8 * groups_of(stream)[0].offset):
        if bit < 64:  # with another mark it is no BVC stream at all
            with pytest.raises(InputNotReadable):
                decoded(flipped(stream, bit), model)
        else:
            refused(lambda bit=bit: decoded(flipped(stream, bit), model))


def test_two_thousand_bits_of_the_rest(stream: bytes, model: Model) -> None:
    begin = 8 * groups_of(stream)[0].offset
    for number, bit in enumerate(np.random.default_rng(0).integers(begin, 8 * len(stream), 2000).tolist()):
        spoilt = flipped(stream, bit)
        fault = refused(lambda spoilt=spoilt: list(RecordReader(io.BytesIO(spoilt), "it")))
        assert fault.offset is not None
        assert fault.offset <= bit // 8
        if number % 50 == 0:
            refused(lambda spoilt=spoilt: decoded(spoilt, model))


def test_damage_names_its_group(stream: bytes, model: Model) -> None:
    for number, entry in enumerate(groups_of(stream)):
        fault = refused(lambda entry=entry: decoded(flipped(stream, 8 * entry.offset + 300), model))
        assert (fault.offset, fault.gop) == (entry.offset, number)


def test_cut_off_anywhere(stream: bytes, model: Model, tmp_path: Path) -> None:
    path = tmp_path / "cut.bvc"
    lengths = [*range(1, 4096), *range(4096, len(stream), 97)]
    for length in lengths:
        refused(lambda length=length: list(RecordReader(io.BytesIO(stream[:length]), "it")))
    for length in lengths[::97]:
        refused(lambda length=length: decoded(stream[:length], model))
        path.write_bytes(stream[:length])
        refused(lambda: BvcReader(path, model=model))


def test_groups_put_together_wrongly(stream: bytes, model: Model, tmp_path: Path) -> None:
    other = tmp_path / "other.bvc"
    write_stream(other, moving_clip(FRAMES, 180, 120, cut_at=2), gop=GROUP, quality=8)
    foreign = other.read_bytes()
    assert foreign[: groups_of(stream)[0].offset] == stream[: groups_of(stream)[0].offset], "the same header"
    head, *parts, end = cut(stream)
    _, *theirs, _ = cut(foreign)
    first, second, third, fourth = parts
    for order in ([second, first, third, fourth], [first, first, second, third], [first, third, fourth], [*parts, fourth]):
        refused(lambda order=order: decoded(b"".join([head, *order, end]), model))
    refused(lambda: decoded(b"".join([head, first, theirs[1], third, fourth, end]), model))
    refused(lambda: decoded(b"".join([head, *parts]), model))
    refused(lambda: decoded(b"".join([head, end]), model))


@pytest.mark.parametrize("size", [(16_384, 4_096), (4_096, 16_384), (8_192, 8_192), (64, 64), (1, 16_384), (193, 120)])
def test_headers_that_claim_another_size(stream: bytes, model: Model, size: tuple[int, int]) -> None:
    def claim(header: Header) -> Header:
        return replace(header, width=size[0], height=size[1])

    fault = refused(lambda: decoded(forged(stream, claim), model))
    assert "keyframe" in fault.message


@pytest.mark.parametrize("size", [(0, 64), (16_385, 1), (16_384, 16_384), (2**32 - 1, 2**32 - 1)])
def test_headers_that_claim_impossible_sizes(stream: bytes, model: Model, size: tuple[int, int]) -> None:
    refused(lambda: decoded(forged(stream, lambda h: replace(h, width=size[0], height=size[1])), model))


def test_payloads_changed_on_purpose(stream: bytes, model: Model) -> None:
    """Some changes do nothing (HEVC has bits that mean nothing) or only shift a time: those decode. All others are refused."""
    generator = np.random.default_rng(2)
    outcomes = {"decoded": 0, "refused": 0}

    def spoil(payload: bytes) -> bytes:
        changed = bytearray(payload)
        for place in generator.integers(0, len(changed), 3):
            changed[place] = generator.integers(256)
        return bytes(changed)

    for _ in range(150):
        started = time.process_time()
        try:
            decoded(forged(stream, payload=spoil), model)
            outcomes["decoded"] += 1
        except CorruptStream as fault:
            outcomes["refused"] += fault.offset is not None and fault.gop is not None
        assert time.process_time() - started < SECONDS
    assert sum(outcomes.values()) == 150, "an error does not say where"
    assert outcomes["refused"] > 120


@pytest.mark.parametrize(
    "times",
    [
        signed(0) + unsigned(2**60) + unsigned(1) + signed(0),
        signed(0) + unsigned(0) + unsigned(1) + signed(0),
        signed(0) + unsigned(4) + unsigned(0) + signed(0),
        signed(0) + unsigned(4) + unsigned(5) + signed(-5),
        signed(2**62 - 1) + unsigned(4) + unsigned(1) + signed(0),
        signed(0) + unsigned(4) + unsigned(2**62) + signed(0),
    ],
)
def test_times_that_can_not_be(stream: bytes, model: Model, times: bytes) -> None:
    def other_times(payload: bytes) -> bytes:
        return times + payload[len(signed(0) + unsigned(GROUP) + unsigned(512) + signed(0)) :]

    refused(lambda: decoded(forged(stream, payload=other_times), model))


def test_frames_that_claim_more_than_there_is(stream: bytes, model: Model) -> None:
    front = signed(0) + unsigned(GROUP) + unsigned(512) + signed(0)
    for length in (2**20, 2**40, 2**62):
        refused(lambda length=length: decoded(forged(stream, payload=lambda _: front + unsigned(length) + b"abcd"), model))
    refused(lambda: decoded(forged(stream, payload=lambda payload: payload + b"x"), model))


def test_damaged_groups_are_concealed(stream: bytes, model: Model, tmp_path: Path) -> None:
    """Damage in a payload, and in a record's head, which only the index gets over."""
    whole = decoded(stream, model)
    path = tmp_path / "damaged.bvc"
    second = groups_of(stream)[1]
    for place in (second.offset + 40, second.offset + 5):
        path.write_bytes(flipped(stream, 8 * place))
        reader = BvcReader(path, model=model, conceal=True)
        shown = join(list(reader))
        assert shown.times == whole.times
        assert reader.damage.errors == GROUP
        for t, luma in enumerate(shown.planes[0]):
            wanted = whole.planes[0][GROUP - 1 if GROUP <= t < 2 * GROUP else t]
            assert np.array_equal(luma, wanted)


def test_damaged_groups_are_left_out(stream: bytes, model: Model, tmp_path: Path) -> None:
    whole = decoded(stream, model)
    path = tmp_path / "damaged.bvc"
    path.write_bytes(flipped(stream, 8 * (groups_of(stream)[1].offset + 40)))
    reader = BvcReader(path, model=model, allow_damaged=True)
    assert join(list(reader)).times == whole.times[:GROUP] + whole.times[2 * GROUP :]
    assert reader.damage.errors == GROUP


def test_what_is_left_of_a_file_that_was_cut_off(stream: bytes, model: Model, tmp_path: Path) -> None:
    path = tmp_path / "cut.bvc"
    path.write_bytes(stream[: groups_of(stream)[2].offset + 50])
    reader = BvcReader(path, model=model, conceal=True)
    assert len(join(list(reader))) == 3 * GROUP, "the last group has a head, so its frames are known"
    assert reader.damage


def test_not_a_frame_is_left(stream: bytes, model: Model) -> None:
    head, *_ = cut(stream)
    refused(lambda: decoded(head + b"nothing of use" * 9, model, conceal=True))
