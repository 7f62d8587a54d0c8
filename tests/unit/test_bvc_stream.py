"""BVC's byte stream, part by part: numbers, header, records, times, range coder, keyframes."""

from __future__ import annotations

import io
import zlib
from dataclasses import replace
from fractions import Fraction

import av
import numpy as np
import pytest

from revivid.codecs.bvc import header as headers
from revivid.codecs.bvc import keyframe, records, varint
from revivid.codecs.bvc.entropy import LatentCoder, Tables
from revivid.codecs.bvc.gop import CodedFrame, GopReader, Shown, to_bytes
from revivid.codecs.bvc.header import Header
from revivid.errors import CorruptStream, InputNotReadable
from revivid.types import ColorSpec, HdrMetadata
from tiny_bvc import laplacian

HDR = HdrMetadata(
    tuple((Fraction(n, 50_000), Fraction(n + 1, 50_000)) for n in (1, 2, 3, 4)), (Fraction(1, 100), Fraction(1000)), (1000, 400)
)
HEADER = Header(
    320, 180, ColorSpec(9, 9, 16, True, 10), Fraction(30_000, 1001), Fraction(1, 90_000), "tiny", bytes(range(32)), 1234,
    quality=3.25, gop=12, preserve=True, sample_aspect=Fraction(4, 3), hdr=HDR,
)  # fmt: skip


@pytest.mark.parametrize("value", [0, 1, 127, 128, 300, 2**32, 2**62])
def test_numbers_come_back(value: int) -> None:
    cursor = varint.Cursor(varint.unsigned(value) + varint.signed(value // 2) + varint.signed(-(value // 2)))
    assert (cursor.unsigned(), cursor.signed(), cursor.signed(), cursor.left) == (value, value // 2, -(value // 2), 0)


def test_numbers_that_never_end_are_refused() -> None:
    with pytest.raises(ValueError, match="63 bits"):
        varint.Cursor(b"\xff" * 20).unsigned()
    with pytest.raises(ValueError, match="ends where"):
        varint.Cursor(b"\x80").unsigned()


@pytest.mark.parametrize("hdr", [None, HDR, replace(HDR, light_level=None), replace(HDR, primaries=None, luminance=None)])
def test_header_comes_back(hdr: HdrMetadata | None) -> None:
    header = replace(HEADER, hdr=hdr)
    stored = header.to_bytes()
    assert headers.body_length(stored[: headers.FRONT_BYTES]) + headers.FRONT_BYTES == len(stored)
    assert headers.parse(stored) == header


def test_header_is_small() -> None:
    assert len(replace(HEADER, hdr=None).to_bytes()) < 120


@pytest.mark.parametrize(
    "change", [{"width": 0}, {"width": 20_000}, {"width": 16_000, "height": 16_000}, {"quality": 9.0}, {"gop": 0}, {"gop": 601}]
)
def test_headers_out_of_range_are_refused(change: dict) -> None:
    with pytest.raises(ValueError, match=r"none that revivid writes|out of range"):
        headers.parse(replace(HEADER, **change).to_bytes())


def stream_of(*payloads: bytes) -> bytes:
    written = io.BytesIO()
    writer = records.RecordWriter(written.write, HEADER)
    for number, payload in enumerate(payloads):
        writer.gop(varint.signed(10 * number) + payload, frames=2, pts=10 * number)
        writer.side(b"beside" * number)
    writer.finish(end=99)
    assert writer.size == len(written.getvalue())
    return written.getvalue()


def test_records_come_back_in_order() -> None:
    reader = records.RecordReader(io.BytesIO(stream_of(b"first", b"second")), "it")
    assert [(r.kind, r.frames, r.payload) for r in reader] == [
        (records.GOP, 2, b"\0first"), (records.GOP, 2, b"\x14second"), (records.SIDE, 0, b"beside"),
    ]  # fmt: skip
    assert reader.header == HEADER
    assert reader.ended


def test_index_finds_each_group() -> None:
    stream = io.BytesIO(stream_of(b"first", b"second", b"third"))
    reader = records.RecordReader(stream, "it")
    index = reader.index()
    assert (index.frames, index.end, [e.pts for e in index.of(records.GOP)]) == (6, 99, [0, 10, 20])
    for entry, wanted in zip(reversed(index.of(records.GOP)), (b"third", b"second", b"first"), strict=True):
        reader.jump(index, entry)
        assert next(iter(reader)).payload.endswith(wanted)
    assert replace(reader.scan(), end=99) == index


def test_what_is_no_stream_is_told_from_what_is_damaged() -> None:
    for data in (b"", b"RIFF", b"\x1aE\xdf\xa3" * 100):
        with pytest.raises(InputNotReadable):
            records.RecordReader(io.BytesIO(data), "it")
    with pytest.raises(CorruptStream) as caught:
        records.RecordReader(io.BytesIO(stream_of(b"x")[:30]), "it")
    assert caught.value.offset == 0


def test_damage_says_where() -> None:
    data = bytearray(stream_of(b"first", b"second"))
    at = bytes(data).index(b"second")
    data[at] ^= 1
    with pytest.raises(CorruptStream) as caught:
        list(records.RecordReader(io.BytesIO(bytes(data)), "it"))
    assert (caught.value.offset, caught.value.gop, caught.value.exit_code) == (at - 25, 1, 4)


@pytest.mark.parametrize(
    "shown",
    [
        [Shown(0, 512)],
        [Shown(-3, 0)],
        [Shown(n * 512, 512) for n in range(12)],
        [Shown(100, 3), Shown(104, 1), Shown(105, 400), Shown(2**40, 1)],
        [Shown(0, 40), Shown(41, 40), Shown(81, 40), Shown(122, 40), Shown(162, 0)],
    ],
)
def test_times_come_back(shown: list[Shown]) -> None:
    frames = [CodedFrame(bytes([n]) * n, n) for n in range(len(shown))]
    reader = GopReader(to_bytes(shown, frames), len(shown))
    assert reader.shown == shown
    assert [reader.frame() for _ in frames] == frames
    reader.finish()


def test_steady_times_take_few_bytes() -> None:
    shown = [Shown(n * 3003, 3003) for n in range(12)]
    assert len(to_bytes(shown, [])) <= 6


def coder(scale: float = 2.0) -> LatentCoder:
    motion, residual = (Tables(*(np.asarray(part, np.int32) for part in laplacian(c, s))) for c, s in ((2, 0.5), (3, scale)))
    return LatentCoder(motion, residual, (2, 20, 30), (3, 20, 30))


def drawn(coder: LatentCoder, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Latents as likely as the tables say."""
    generator = np.random.default_rng(seed)
    made = []
    for tables, shape in ((coder.motion, coder.motion_shape), (coder.residual, coder.residual_shape)):
        chances = np.diff(tables.cdf[0]) / 65536
        made.append(generator.choice(len(chances), shape, p=chances).astype(np.int32) + tables.offset[0])
    return made[0], made[1]


@pytest.mark.parametrize("scale", [0.05, 0.5, 2.0, 20.0])
def test_latents_come_back_and_cost_what_the_tables_say(scale: float) -> None:
    coding = coder(scale)
    motion, residual = drawn(coding)
    coded = coding.encode(motion, residual)
    again = coding.decode(coded)
    assert np.array_equal(again[0], motion)
    assert np.array_equal(again[1], residual)
    estimated = coding.bits(motion, residual) / 8
    assert abs(len(coded.data) - estimated) <= 0.01 * estimated + 64


def test_every_symbol_of_a_table_can_be_coded() -> None:
    coding = coder(0.05)
    least, most = coding.motion.offset[0], coding.motion.offset[0] + coding.motion.length[0] - 1
    motion, residual = np.full((2, 20, 30), least), np.full((3, 20, 30), most)
    assert np.array_equal(coding.decode(coding.encode(motion, residual))[1], residual)
    with pytest.raises(ValueError, match="outside its table"):
        coding.encode(motion - 1, residual)


def test_a_channel_with_one_symbol_takes_nothing() -> None:
    cdf = np.array([[0, 65536, 65536], [0, 32768, 65536]], np.int32)
    tables = Tables(cdf, np.array([7, -1]), np.array([1, 2]))
    latent = np.stack([np.full((4, 4), 7), np.arange(16).reshape(4, 4) % 2 - 1])
    coding = LatentCoder(tables, tables, (2, 4, 4), (2, 4, 4))
    coded = coding.encode(latent, latent)
    assert len(coded.data) == 1 + 8
    assert np.array_equal(coding.decode(coded)[0], latent)


@pytest.mark.parametrize("cdf", [[0, 10, 10, 65536], [0, 10, 20, 65535], [1, 10, 20, 65536], [0, 20, 10, 65536]])
def test_tables_that_no_coder_can_use_are_refused(cdf: list[int]) -> None:
    with pytest.raises(ValueError, match="does not rise"):
        Tables(np.array([cdf], np.int32), np.array([0]), np.array([3]))


def test_tables_have_a_crc_of_their_own() -> None:
    assert coder(2.0).tables_crc() == coder(2.0).tables_crc() != coder(2.1).tables_crc()


def test_random_bytes_do_no_harm() -> None:
    """A CRC can be forged: the range decoder itself has to bear anything."""
    coding, generator = coder(), np.random.default_rng(1)
    for _ in range(300):
        data = b"\0" + generator.integers(0, 256, 4 * int(generator.integers(0, 600)), dtype=np.uint8).tobytes()
        with pytest.raises(ValueError, match=r"fewer|don't decode|other integers|whole words"):
            coding.decode(CodedFrame(data, 0))
    for data in (b"", b"123456"):
        with pytest.raises(ValueError, match="whole words"):
            coding.decode(CodedFrame(data, 0))
    with pytest.raises(ValueError, match="flags of no channel"):
        coding.decode(CodedFrame(b"\xff", 0))


def test_channels_of_zeros_take_one_bit() -> None:
    coding = coder()
    motion, residual = drawn(coding)
    nothing = coding.encode(np.zeros_like(motion), np.zeros_like(residual))
    assert len(nothing.data) == 1
    assert not coding.decode(nothing)[1].any()
    residual[1] = 0
    assert np.array_equal(coding.decode(coding.encode(motion, residual))[1], residual)


def picture(width: int = 128, height: int = 64) -> np.ndarray:
    rows, columns = np.mgrid[0:height, 0:width] / 30
    return np.stack([np.sin(rows), np.cos(columns), np.sin(rows + columns)]).astype(np.float32) / 2 + 0.5


@pytest.mark.parametrize("bit_depth", [8, 10, 12])
def test_keyframes_come_back(bit_depth: int) -> None:
    wanted = picture()
    coded = keyframe.encode(wanted, 22, bit_depth)
    again = keyframe.decode(coded, 128, 64)
    assert again.dtype == np.float32
    assert again.shape == wanted.shape
    assert -10 * np.log10(np.mean((again - wanted) ** 2)) > 40
    assert keyframe.encode(wanted, 22, bit_depth) == coded
    opened = av.open(io.BytesIO(coded.data), format="hevc").streams.video[0].format
    assert opened.components[0].bits == max(bit_depth, 10)
    assert opened.name.startswith("yuv420p")
    assert len(keyframe.encode(wanted, 37, bit_depth).data) < len(coded.data)


def test_keyframes_of_full_chroma_still_decode() -> None:
    """As they were written before, in eight bits."""
    red = np.zeros((3, 64, 64), np.float32)
    red[0, :, 32:] = 1
    parts = ((0.2126, 0.0), (-0.114572, 128 / 255), (0.5, 128 / 255))
    luma, cb, cr = (np.round(255 * (red[0] * weight + zero)) for weight, zero in parts)
    encoder = av.CodecContext.create("libx265", "w")
    assert isinstance(encoder, av.VideoCodecContext)
    encoder.width, encoder.height, encoder.pix_fmt, encoder.framerate = 64, 64, "yuv444p", Fraction(25)
    encoder.options = {"x265-params": "log-level=error:lossless=1:keyint=1"}
    planes = np.stack((luma, cb, cr)).clip(0, 255).astype(np.uint8)
    frame = av.VideoFrame.from_ndarray(planes, "yuv444p")
    data = b"".join(bytes(packet) for packet in [*encoder.encode(frame), *encoder.encode(None)])
    again = keyframe.decode(CodedFrame(data, zlib.crc32(planes.astype("<u2").tobytes())), 64, 64)
    assert abs(again - red).max() < 0.01


def test_chroma_of_keyframes_is_as_the_format_says() -> None:
    """By hand, from the decoded samples."""
    coded = keyframe.encode(picture(), 20, 10)
    decoder = av.CodecContext.create("hevc", "r")
    assert isinstance(decoder, av.VideoCodecContext)
    (frame,) = [frame for packet in (av.Packet(coded.data), None) for frame in decoder.decode(packet)]
    samples = frame.to_ndarray().astype(float)
    cr = samples[80:].reshape(32, 64) / 1023 - 512 / 1023
    padded = np.pad(cr, ((1, 1), (0, 0)), mode="edge")
    slope = (padded[2:] - padded[:-2]) / 8
    rows = np.stack((cr - slope, cr + slope), 1).reshape(64, 64)
    beside = np.pad(rows, ((0, 0), (0, 1)), mode="edge")
    full = np.stack((rows, (beside[:, :-1] + beside[:, 1:]) / 2), 2).reshape(64, 128)
    wanted = np.clip(samples[:64] / 1023 + 1.5748 * full, 0, 1)
    assert abs(keyframe.decode(coded, 128, 64)[0] - wanted).max() < 1e-5


def test_keyframes_of_another_kind_are_refused() -> None:
    coded = keyframe.encode(picture(), 30, 8)
    for width, height in ((64, 64), (128, 128)):
        with pytest.raises(ValueError, match="keyframe"):
            keyframe.decode(coded, width, height)
    for data in (b"", b"\0", coded.data[:40], bytes(range(256)), coded.data + coded.data):
        with pytest.raises(ValueError, match="keyframe"):
            keyframe.decode(CodedFrame(data, coded.crc), 128, 64)


def test_better_qualities_have_finer_keyframes() -> None:
    assert [keyframe.qp_of(q) for q in (1, 4.5, 8)] == [28, 18, 9]


