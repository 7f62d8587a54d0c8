"""Reports in a real browser: nothing hangs over on a phone, the slider runs under the page's own policy, paper has all pictures."""

from __future__ import annotations

import io
import re
import shutil
import subprocess
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from revivid.evaluation.compare import compare_all
from revivid.evaluation.crops import Pick, crop_row
from revivid.evaluation.evaluation_page import evaluation_page
from revivid.evaluation.model import EvaluationReport, MeasuredFile
from revivid.types import Clip, ColorSpec

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--hide-scrollbars",
)  # fmt: skip
PHONE, DESK = (390, 1400), (1280, 1600)
NAMES = ("a-rather-long-name-without-any-space-of-a-video-that-somebody-made.mp4", "<b>b</b>.mkv", "c.webm")

pytestmark = pytest.mark.skipif(BROWSER is None, reason="no chromium on this machine")


def clip(noise: float) -> Clip:
    rng = np.random.default_rng(3)
    rows, columns = np.mgrid[0:64, 0:96]
    wave = 128 + 60 * np.sin(columns / 5) * np.cos(rows / 6)
    luma = (wave + noise * rng.normal(0, 1, (4, 64, 96))).clip(16, 235).astype(np.uint8)
    chroma = np.tile(np.linspace(80, 180, 48).astype(np.uint8), (4, 32, 1))
    times = tuple(Fraction(t, 25) for t in range(4))
    return Clip((luma, chroma, chroma[..., ::-1]), times, (Fraction(1, 25),) * 4, ColorSpec(matrix=1))


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A page of `evaluate` with everything on it."""
    videos = {name: clip(noise) for name, noise in zip(NAMES, (3, 9, 20), strict=True)}
    scores = compare_all([clip(0)], {name: [video] for name, video in videos.items()})
    files = {
        name: MeasuredFile("h264", 96, 64, Fraction(25), Fraction(4, 25), 9000 // k, "ab" * 32) for k, name in enumerate(NAMES, 1)
    }
    command = "revivid evaluate " + " ".join(f"/home/somebody/videos/{name}" for name in NAMES)
    notices, machine = ["one frame in 2 was measured"], {"cpu": "x" * 90}
    report = EvaluationReport("reference.mkv", scores, files=files, notices=notices, environment=machine, command=command)
    shown = {"reference": clip(0)[:1], **{name: video[:1] for name, video in videos.items()}}
    crops = [crop_row(Pick("worst", 0, 20.0), shown)]
    return evaluation_page(report, crops).write(tmp_path_factory.mktemp("pages") / "page.html")


def browse(page: Path, folder: Path, size: tuple[int, int], *flags: str) -> str:
    """What the browser prints, which has a profile of its own."""
    own = (f"--user-data-dir={folder / 'profile'}", f"--window-size={size[0]},{size[1]}")
    command = [str(BROWSER), *FLAGS, *own, *flags, page.as_uri()]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=True).stdout


def screenshot(page: Path, folder: Path, size: tuple[int, int]) -> np.ndarray:
    target = folder / "shot.png"
    browse(page, folder, size, f"--screenshot={target}")
    return np.asarray(Image.open(io.BytesIO(target.read_bytes())).convert("RGB")).astype(int)


def test_the_slider_runs_under_the_page_policy(page: Path, tmp_path: Path) -> None:
    dom = browse(page, tmp_path, DESK, "--dump-dom")
    assert 'class="compare live"' in dom
    assert dom.count("<select") == 2
    assert dom.count("<option") == 2 * 4
    assert "--at: 50%" in dom


@pytest.mark.parametrize("size", [PHONE, DESK], ids=["phone", "desk"])
def test_nothing_hangs_over(page: Path, tmp_path: Path, size: tuple[int, int]) -> None:
    """Asked of the browser by a script of the test's own, in a copy of the page that allows it."""
    html = re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", page.read_text(encoding="utf-8"))
    ask = "<script>document.title = `${document.documentElement.scrollWidth} of ${innerWidth}`</script></body>"
    copy = tmp_path / "copy.html"
    copy.write_text(html.replace("</body>", ask), encoding="utf-8")
    found = re.search(r"<title>(\d+) of (\d+)</title>", browse(copy, tmp_path, size, "--dump-dom"))
    assert found
    assert int(found[1]) <= int(found[2]) <= max(size[0], 500)  # some builds have no narrower window than 500


def test_it_looks_like_a_page(page: Path, tmp_path: Path) -> None:
    shot = screenshot(page, tmp_path, DESK)
    height, width, _ = shot.shape
    ground = shot[2, 2]
    ink = np.abs(shot - ground).max(axis=2) > 24
    assert (width, height) == DESK
    assert 0.01 < ink.mean() < 0.5
    assert not ink[:, : width // 16].any()  # margins
    assert not ink[:, -width // 16 :].any()
    assert ink[: height // 8].any()  # the title, and what is below the fold
    assert ink[-height // 4 :].any()
    blue = (shot[..., 2] - shot[..., 0] > 100).sum()
    assert blue > 200  # the first curve


def test_paper_has_the_pictures_side_by_side(page: Path, tmp_path: Path) -> None:
    target = tmp_path / "page.pdf"
    browse(page, tmp_path, DESK, f"--print-to-pdf={target}", "--no-pdf-header-footer")
    pdf = target.read_bytes()
    assert pdf.startswith(b"%PDF")
    assert pdf.count(b"/Subtype /Image") >= 4
