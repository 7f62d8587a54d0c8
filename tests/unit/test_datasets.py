"""Published sets as they unpack, tiny: every layout is recognised, opened lazily, and refused where it is another."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import pytest

from clips import Film, make
from pictures import write_picture, write_pictures
from revivid.degrade.datasets import LAYOUTS, Footage, footage
from revivid.errors import CorruptInput, InputNotReadable, UsageError
from revivid.types import join

SIZE = (32, 32)


def adobe240(root: Path) -> None:
    (root / "original_high_fps_videos").mkdir(parents=True)
    for name in ("720p_240fps_1.mov", "IMG_0003.MOV", "GOPR9633.mp4"):
        film = Film(frames=4, size=SIZE, rate=Fraction(240))
        make(root / "clip.mp4", film).replace(root / "original_high_fps_videos" / name)
    (root / "train_list.txt").write_text("720p_240fps_1\n\nGOPR9633.mp4\n")
    (root / "test_list.txt").write_text("IMG_0003.MOV\n")


def gopro(root: Path) -> None:
    for split, name in (("train", "GOPR0372_07_00"), ("test", "GOPR0384_11_00")):
        for k, kind in enumerate(("sharp", "blur", "blur_gamma")):
            write_pictures(root / split / name / kind, 3, SIZE, first=10 * k)


def gopro_all(root: Path) -> None:
    write_pictures(root / "train" / "GOPR0372_07_00", 3, SIZE)
    write_pictures(root / "test" / "GOPR0384_11_00", 2, SIZE)


def reds(root: Path) -> None:
    for kind in ("train_sharp", "train_blur", "train_blur_comp", "train_orig"):
        write_pictures(root / "train" / kind / "000", 5 if kind == "train_orig" else 2, SIZE, name="{:08}.png")
    write_pictures(root / "val" / "val_sharp" / "001", 2, SIZE, name="{:08}.png")


def uvg(root: Path) -> None:
    root.mkdir()
    (root / "Beauty_32x32_120fps_420_8bit_YUV.yuv").write_bytes(bytes([90]) * (2 * 32 * 32 * 3 // 2))
    (root / "Jockey").mkdir()
    (root / "Jockey" / "Jockey_32x32_50fps_420_10bit_YUV.yuv").write_bytes(bytes([90, 1]) * (3 * 32 * 32 * 3 // 2))


def mcl_jcv(root: Path) -> None:
    root.mkdir()
    (root / "videoSRC01_32x32_30.yuv").write_bytes(bytes([90]) * (2 * 32 * 32 * 3 // 2))
    make(root / "videoSRC02_32x32_24.mp4", Film(frames=3, size=SIZE, rate=Fraction(24)))


MAKERS = {"adobe240": adobe240, "gopro": gopro, "gopro-all": gopro_all, "reds": reds, "uvg": uvg, "mcl-jcv": mcl_jcv}
#: Of each set: names, splits, and the rate and number of frames that reading gives.
EXPECTED = {
    "adobe240": [("720p_240fps_1", "train", 240, 4), ("GOPR9633", "train", 240, 4), ("IMG_0003", "test", 240, 4)],
    "gopro": [("test-GOPR0384_11_00", "test", Fraction(240, 11), 3), ("train-GOPR0372_07_00", "train", Fraction(240, 7), 3)],
    "gopro-all": [("test-GOPR0384_11_00", "test", 240, 2), ("train-GOPR0372_07_00", "train", 240, 3)],
    "reds": [("train-orig-000", "train", 120, 5), ("train-sharp-000", "train", 24, 2), ("val-sharp-001", "val", 24, 2)],
    "uvg": [("Beauty_32x32_120fps_420_8bit_YUV", "test", 120, 2), ("Jockey_32x32_50fps_420_10bit_YUV", "test", 50, 3)],
    "mcl-jcv": [("videoSRC01_32x32_30", "test", 30, 2), ("videoSRC02_32x32_24", "test", 24, 3)],
}


@pytest.mark.parametrize("layout", list(LAYOUTS))
def test_a_set_is_recognised_and_read(layout: str, tmp_path: Path) -> None:
    MAKERS[layout](tmp_path / "set")
    found = footage(tmp_path / "set")
    assert footage(tmp_path / "set", layout) == found
    seen = []
    for item in found:
        reader = item.open()
        seen.append((item.name, item.split, reader.frame_rate, len(join(list(reader)))))
    assert seen == EXPECTED[layout]


def versions(items: list[Footage]) -> dict[str, list[str]]:
    return {item.name: list(item.blurred) for item in items if item.blurred}


def test_pairs_have_blurry_versions_of_the_same_frames(tmp_path: Path) -> None:
    gopro(tmp_path / "gopro")
    reds(tmp_path / "reds")
    pairs = footage(tmp_path / "gopro")
    assert versions(pairs) == {name: ["blur", "blur_gamma"] for name in ("test-GOPR0384_11_00", "train-GOPR0372_07_00")}
    assert versions(footage(tmp_path / "reds")) == {"train-sharp-000": ["blur", "blur_comp"]}
    sharp, blurry = (join(list(pairs[0].open(version))) for version in (None, "blur"))
    assert sharp.times == blurry.times
    assert (sharp.planes[0] != blurry.planes[0]).any()
    with pytest.raises(UsageError, match="'blurred'"):
        pairs[0].open("blurred")
    (tmp_path / "gopro" / "test" / "GOPR0384_11_00" / "blur" / "000002.png").unlink()
    with pytest.raises(CorruptInput, match="2 pictures"):
        footage(tmp_path / "gopro")


def test_another_folder_is_refused_with_what_was_expected(tmp_path: Path) -> None:
    write_picture(tmp_path / "holiday.png")
    with pytest.raises(InputNotReadable, match="known layout") as caught:
        footage(tmp_path)
    assert all(name in caught.value.hint for name in LAYOUTS)
    with pytest.raises(InputNotReadable, match="reds") as caught:
        footage(tmp_path, "reds")
    assert "train_sharp" in caught.value.hint
    assert "GOPR" not in caught.value.hint
    with pytest.raises(UsageError, match="davis"):
        footage(tmp_path, "davis")
    with pytest.raises(InputNotReadable, match="no folder"):
        footage(tmp_path / "none")
