"""The picture autoencoder (first paper, section 5.1): its classed coder, its network, its bytes, and keyframes coded by it."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch
from small import pictures
from torch import nn

import revivid
from revivid import networks
from revivid.codecs.bvc import header as headers
from revivid.codecs.bvc.entropy import LatentCoder
from revivid.codecs.bvc.gop import CodedFrame
from revivid.codecs.bvc.header import Header, IntraModel
from revivid.codecs.bvc.picture import PictureCoder
from revivid.errors import CorruptStream, MissingWeights, ShapeError, UsageError
from revivid.layers.classed_coder import ClassedCoder
from revivid.layers.density import TOTAL
from revivid.learned import keyframes
from revivid.learned.keyframes import PictureModel
from revivid.learned.reader import BvcReader, bvc_facts
from revivid.learned.tables import Padded, of_tensors
from revivid.learned.writer import BvcEncoding, BvcWriter
from revivid.media.write import Target
from revivid.networks.intra import Intra
from revivid.train.intra import table_bits
from revivid.types import ColorSpec, join
from revivid.weights import embedded
from tiny_bvc import moving_clip, tiny_model

HEADER = Header(
    320, 180, ColorSpec(1, 1, 1, False, 8), Fraction(25), Fraction(1, 12_800), "tiny", bytes(range(32)), 1234, quality=3.25
)  # fmt: skip


@pytest.fixture(scope="module")
def network() -> Intra:
    """Untrained: a cosine transform whose densities are as wide as any residual needs."""
    torch.manual_seed(0)
    made = networks.build("intra", width=8)
    assert isinstance(made, Intra)
    return made.eval().requires_grad_(False)


@pytest.fixture(scope="module")
def model(network: Intra) -> PictureModel:
    return PictureModel("small", hashlib.sha256(b"small").digest(), network)


@pytest.fixture(scope="module")
def picture() -> torch.Tensor:
    return pictures(1, 64, 96)[0][None]


def classed(rates: int = 3) -> ClassedCoder:
    torch.manual_seed(1)
    encoder, decoder = nn.Conv2d(2, 3, 2, stride=2), nn.ConvTranspose2d(3, 2, 2, stride=2)
    return ClassedCoder(encoder, decoder, 3, rates, spreads=(0.3, 3.0), spread=4.0)


def test_quiet_and_busy_places_have_their_classes() -> None:
    coder, x = classed(), torch.zeros(1, 2, 16, 32)
    x[..., 16:] = 12 * torch.randn(1, 2, 16, 16)
    classes, symbols = coder.quantise(x, 2.0)
    assert classes.shape == (1, 8, 16)
    assert symbols.shape == (3, 8, 16)
    assert (classes[0, :, :8] == 0).float().mean() > 0.9
    assert (classes[0, :, 8:] == 1).float().mean() > 0.9


def test_integers_are_within_the_tables_of_their_class() -> None:
    coder = classed()
    classes, symbols = coder.quantise(1e4 * torch.randn(1, 2, 16, 16), 3.0)
    _, *tables = coder.tables(3.0)
    for number, of in enumerate(tables):
        chosen = symbols[:, classes[0] == number]
        assert (chosen >= of.offset[:, None]).all()
        assert (chosen < (of.offset + of.length)[:, None]).all()


def test_class_tables_are_whole() -> None:
    chances, *tables = classed().tables(1.6)
    assert chances.cdf[0].tolist()[0] == 0
    assert chances.cdf[0].tolist()[-1] == TOTAL
    assert len(tables) == chances.length.item() == 2


def test_bits_and_picture_have_gradients() -> None:
    coder, x = classed(), torch.randn(2, 2, 8, 8)
    decoded, bits = coder(x, torch.tensor([1.0, 2.5]), "noise", torch.Generator().manual_seed(0))
    (decoded.square().mean() + bits.sum()).backward()
    assert decoded.shape == x.shape
    assert bits.shape == (2,)
    assert all(parameter.grad is not None and parameter.grad.isfinite().all() for parameter in coder.parameters())


def test_estimated_and_table_bits_agree(network: Intra, picture: torch.Tensor) -> None:
    coded = network.encode(picture, 2.0)
    _, coarse, fine = network(picture, torch.tensor([2.0]), "round")
    assert table_bits(network, coded, 2.0) == pytest.approx((coarse + fine).item(), rel=0.02)


def test_untrained_it_is_a_transform_codec(network: Intra, picture: torch.Tensor) -> None:
    errors = []
    for quality in (1.0, 2.5):
        coded = network.encode(picture, quality)
        errors.append((network.decode(coded.coarse, coded.fine, quality) - picture).square().mean().item())
    assert errors[1] < errors[0] < 0.01


def test_what_it_refuses(network: Intra) -> None:
    with pytest.raises(ShapeError, match="multiples of 32"):
        network.encode(torch.rand(1, 3, 64, 90), 1.0)
    with pytest.raises(ShapeError, match="1, 3"):
        network.encode(torch.rand(3, 64, 64), 1.0)
    with pytest.raises(ShapeError, match="of no picture"):
        network.decode(torch.zeros(48, 2, 2), torch.zeros(96, 8, 9), 1.0)
    with pytest.raises(UsageError):
        networks.build("intra", rates=0)


def integers(network: Intra, picture: torch.Tensor, quality: float) -> tuple[np.ndarray, ...]:
    return tuple(np.asarray(part, np.int32) for part in network.encode(picture, quality))


def test_integers_come_back_from_bytes(model: PictureModel, network: Intra, picture: torch.Tensor) -> None:
    coder, parts = model.coder(Padded(96, 64), 3.0), integers(network, picture, 3.0)
    frame = coder.encode(*parts)
    assert all(np.array_equal(a, b) for a, b in zip(coder.decode(frame), parts, strict=True))
    flags = sum(tables.channels for tables in (coder.coarse, coder.classes, *coder.fine)) / 8
    assert abs(len(frame.data) - flags - coder.bits(*parts) / 8) < 0.01 * len(frame.data) + 64


def test_bytes_that_are_no_keyframe(model: PictureModel, network: Intra, picture: torch.Tensor) -> None:
    coder = model.coder(Padded(96, 64), 3.0)
    frame = coder.encode(*integers(network, picture, 3.0))
    data = frame.data
    for spoilt in (b"", data[:40], data[:-4], data[:-1], bytes([data[0] ^ 1]) + data[1:], bytes(len(data)), b"\xff" * len(data)):
        with pytest.raises(ValueError, match=r"fewer|decode|whole words|no channel|other integers"):
            coder.decode(CodedFrame(spoilt, frame.crc))
    with pytest.raises(ValueError, match="expected"):
        coder.encode(*integers(network, picture[..., :64], 3.0))


def test_a_class_without_places_is_coded_too() -> None:
    coarse, classes, *fine = (of_tensors(tables) for tables in (classed().tables(1.0)[1], *classed().tables(1.0)))
    coder = PictureCoder(coarse, classes, tuple(fine), (3, 1, 1), (3, 4, 4))
    parts = np.zeros((3, 1, 1), np.int32), np.ones((1, 4, 4), np.int32), np.ones((3, 4, 4), np.int32)
    assert np.array_equal(coder.decode(coder.encode(*parts))[2], parts[2])


def test_headers_say_what_codes_keyframes() -> None:
    learned = replace(HEADER, intra=IntraModel("intra-é", bytes(32), 77))
    for header, version in ((HEADER, 1), (learned, 2)):
        stored = header.to_bytes()
        assert int.from_bytes(stored[8:10], "little") == version
        assert headers.parse(stored) == header
    assert learned.to_bytes()[14:-4].startswith(HEADER.to_bytes()[14:-4])


def write(path: Path, model: PictureModel | None) -> None:
    clip = moving_clip(6)
    target = Target(clip.width, clip.height, clip.color, *(HEADER.frame_rate, HEADER.time_base))
    encoding = BvcEncoding("bvc", model=replace(tiny_model(), intra=model), quality=3, gop=3)
    with BvcWriter(path, target, encoding) as writer:
        writer.write(clip)


def test_a_stream_with_learned_keyframes(model: PictureModel, tmp_path: Path) -> None:
    path = tmp_path / "learned.bvc"
    write(path, model)
    shown = join(list(BvcReader(path, model=replace(tiny_model(), intra=model))))
    wanted = moving_clip(6)
    assert len(shown) == 6
    assert np.abs(shown.planes[0].astype(int) - np.clip(wanted.planes[0].astype(int) + 22, 0, 255)).mean() < 12, "brightened by 0.1"
    assert bvc_facts(path)["keyframes"] == "small"
    again = tmp_path / "again.bvc"
    write(again, model)
    assert again.read_bytes() == path.read_bytes()


def test_damage_in_a_learned_keyframe_is_found_and_concealed(model: PictureModel, tmp_path: Path) -> None:
    path, both = tmp_path / "learned.bvc", replace(tiny_model(), intra=model)
    write(path, model)
    data = bytearray(path.read_bytes())
    data[data.index(b"GOP ", data.index(b"GOP ") + 4) + 60] ^= 4
    path.write_bytes(data)
    with pytest.raises(CorruptStream) as caught:
        list(BvcReader(path, model=both))
    assert caught.value.gop == 1
    assert len(join(list(BvcReader(path, model=both, conceal=True)))) == 6


def test_keyframes_of_another_model_are_refused(model: PictureModel, tmp_path: Path) -> None:
    path = tmp_path / "learned.bvc"
    write(path, model)
    header = BvcReader(path, model=tiny_model()).header
    with pytest.raises(MissingWeights, match="small"):
        keyframes.load_for(header, "it")
    with pytest.raises(MissingWeights, match="keyframes"):
        list(BvcReader(path, model=tiny_model()))
    assert header.intra is not None
    other = replace(header, intra=replace(header.intra, tables=1))
    with pytest.raises(UsageError, match="other tables"):
        keyframes.keyframes(other, Padded(128, 64), model, "it")


def test_without_weights_the_option_is_a_typed_error(library, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("revivid.learned.model.load", lambda *_, **__: tiny_model())
    options = {"codec": "bvc", "intra": "learned"}
    with pytest.raises(MissingWeights, match=r"none\.safetensors"):
        revivid.compress(library("silent"), tmp_path / "a.bvc", **options, intra_weights="none.safetensors")
    monkeypatch.setattr(embedded, "names", list)
    with pytest.raises(MissingWeights, match="intra-compact"):
        revivid.compress(library("silent"), tmp_path / "a.bvc", **options)
    with pytest.raises(UsageError, match="keyframes can't be coded by 'jpeg'"):
        revivid.compress(library("silent"), tmp_path / "a.bvc", codec="bvc", intra="jpeg")
    assert list(tmp_path.iterdir()) == []


def test_bytes_of_hevc_streams_are_what_they_were() -> None:
    """Sharing code with learned keyframes changed nothing: a frame's flags come first, then words."""
    tables = of_tensors(classed().tables(1.0)[1])
    coder = LatentCoder(tables, tables, (3, 2, 2), (3, 2, 2))
    motion, residual = np.zeros((3, 2, 2), np.int32), np.ones((3, 2, 2), np.int32)
    frame = coder.encode(motion, residual)
    assert frame.data[0] == 0b000111
    assert all(np.array_equal(a, b) for a, b in zip(coder.decode(frame), (motion, residual), strict=True))
