"""Bad options are refused alike by the command line and the Python API, before anything is written."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from command import revivid

from revivid.errors import UsageError
from revivid.workflows.compress import compress, plan_compress
from revivid.workflows.restore import plan_restore, restore
from revivid.workflows.roundtrip import plan_roundtrip

#: Option of the command line, its value, keyword of the API, its value, a word of the message.
COMPRESS: list[tuple[str, str, str, Any, str]] = [
    ("--scale", "1/3", "scale", "1/3", "1/3"),
    ("--crf", "99", "crf", 99, "99"),
    ("--crf", "nan", "crf", float("nan"), "CRF"),
    ("--codec", "foo", "codec", "foo", "foo"),
    ("--x265-preset", "foo", "preset", "foo", "foo"),
    ("--fps", "0", "fps", 0, "fps"),
    ("--fps", "inf", "fps", float("inf"), "fps"),
    ("--start", "-1", "start", -1, "start"),
    ("--duration", "0", "duration", 0, "duration"),
    ("--duration", "nan", "duration", float("nan"), "duration"),
    ("--start", "soon", "start", "soon", "start"),
]
RESTORE: list[tuple[str, str, str, Any, str]] = [
    ("--super-resolve", "3", "super_resolve", 3, "3"),
    ("--input-crf", "70", "input_crf", 70, "70"),
    ("--out-codec", "foo", "out_codec", "foo", "foo"),
    ("--out-crf", "99", "out_crf", 99, "99"),
    ("--out-preset", "foo", "out_preset", "foo", "foo"),
]


@pytest.mark.parametrize(("option", "text", "keyword", "value", "word"), COMPRESS)
def test_api_of_compress(option: str, text: str, keyword: str, value: Any, word: str, clip: Path, tmp_path: Path) -> None:
    del option, text
    for refused in (compress, plan_compress, plan_roundtrip):
        with pytest.raises(UsageError, match=word):
            refused(clip, tmp_path / "x.mp4", **{keyword: value})
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("option", "text", "keyword", "value", "word"), RESTORE)
def test_api_of_restore(option: str, text: str, keyword: str, value: Any, word: str, small: Path, tmp_path: Path) -> None:
    del option, text
    for refused in (restore, plan_restore):
        with pytest.raises(UsageError, match=word):
            refused(small, tmp_path / "x.mp4", **{keyword: value})
    assert list(tmp_path.iterdir()) == []


def test_an_unknown_keyword_is_an_error_that_lists_the_known(clip: Path, tmp_path: Path) -> None:
    for refused in (compress, restore, plan_roundtrip):
        with pytest.raises(UsageError, match="crff") as caught:
            refused(clip, tmp_path / "x.mp4", crff=28)
        assert "overwrite" in caught.value.hint
        assert isinstance(caught.value, ValueError)


def test_command_line(clip: Path, small: Path, tmp_path: Path) -> None:
    # Each way that an option takes: text, number, time; the API has seen them all.
    commands = [("compress", clip, *case) for case in COMPRESS if case[0] in ("--scale", "--start", "--duration", "--fps", "--crf")]
    commands.append(("restore", small, *RESTORE[0]))

    def refused(command: tuple[Any, ...]) -> None:
        name, source, option, text, _, _, word = command
        outcome = revivid(name, source, "-o", tmp_path / "x.mp4", option, text, expect=2)
        assert word.lower() in outcome.err.lower()
        assert outcome.out == ""

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(refused, commands))
    assert list(tmp_path.iterdir()) == []


def test_combinations_that_contradict_each_other(small: Path, clip: Path, tmp_path: Path) -> None:
    for options, word in (
        ({"lossless": True, "out_codec": "x264"}, "contradict"),
        ({"lossless": True}, "Matroska"),
        ({"super_resolve": 4, "network": "imaginary"}, "imaginary"),
    ):
        with pytest.raises((UsageError, LookupError), match=word):
            restore(small, tmp_path / "x.mp4", **options)
    with pytest.raises(UsageError, match="no recipe"):
        restore(clip, tmp_path / "x.mp4")
    with pytest.raises(UsageError, match="lossless"):
        compress(clip, tmp_path / "x.mkv", codec="ffv1")
    assert list(tmp_path.iterdir()) == []
