"""The Python examples of docs/api.md and README.md run, in order, in one folder with a small clip.mp4."""

from __future__ import annotations

import re
import threading
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

ROOT = Path(__file__).parents[2]


def examples(page: str) -> list[str]:
    """The fenced Python blocks."""
    return re.findall(r"^```python\n(.*?)^```", (ROOT / page).read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


def make_clip(path: Path) -> None:
    rows, columns = np.mgrid[0:256, 0:256]
    with av.open(str(path), "w") as out:
        video = out.add_stream("libx264", rate=24, options={"preset": "ultrafast"})
        video.width, video.height, video.pix_fmt = 256, 256, "yuv420p"
        for t in range(12):
            wave = 128 + 80 * np.sin((columns + 4 * t) / 9) * np.cos((rows + 2 * t) / 7)
            frame = av.VideoFrame.from_ndarray(np.stack([wave, wave[::-1], wave.T], -1).astype(np.uint8), format="rgb24")
            frame = frame.reformat(format="yuv420p")
            frame.pts, frame.time_base = t, Fraction(1, 24)
            out.mux(video.encode(frame))
        out.mux(video.encode(None))


@pytest.mark.parametrize("page", ["docs/api.md", "README.md"])
def test_examples_run(page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    make_clip(tmp_path / "clip.mp4")
    monkeypatch.chdir(tmp_path)
    for number, code in enumerate(examples(page), 1):
        exec(compile(code, f"{page}, example {number}", "exec"), {"__name__": "example"})
    assert capsys.readouterr().err == ""
    assert not list(tmp_path.rglob("*partial*"))
    assert not [thread.name for thread in threading.enumerate() if thread.name in ("revivid-read", "revivid-write")]


def test_there_are_examples() -> None:
    assert len(examples("docs/api.md")) >= 8
