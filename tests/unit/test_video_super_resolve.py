"""The stage that remembers: however a video is cut into clips, the network's own result for the whole comes out."""

from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
import torch

from revivid import networks
from revivid.restoration import super_resolve as frame_by_frame
from revivid.restoration.video_super_resolve import VideoSuperResolve, super_resolve
from revivid.types import Clip, ColorSpec
from revivid.weights import embedded


def video(frames: int, depth: int = 8, width: int = 50, height: int = 33) -> Clip:
    """Stripes that move by a sample per frame, so that the search finds the frame before."""
    color = ColorSpec(1, 1, 1, False, depth)
    rows, columns = np.mgrid[:height, : width + frames]
    wave = 0.5 + 0.2 * np.sin(rows / 3) + 0.2 * np.sin(columns / 5 + rows / 7)
    y = np.stack([(wave[:, t : t + width] * color.peak).astype(color.dtype) for t in range(frames)])
    u = y[:, ::2, ::2]
    times = tuple(Fraction(t, 24) for t in range(frames))
    return Clip((y, u, u[:, ::-1]), times, (Fraction(1, 24),) * frames, color)


@pytest.fixture(params=[0, 1], ids=["past", "past and future"])
def stage(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> VideoSuperResolve:
    torch.manual_seed(0)
    module = networks.build("compactvsr", channels=16, layers=1, future=request.param)
    for parameter in module.parameters():
        torch.nn.init.normal_(parameter, std=0.05)
    monkeypatch.setattr(frame_by_frame, "load_embedded", lambda _: module.eval())
    return VideoSuperResolve(4, crf=30)


@pytest.mark.parametrize("depth", [8, 10])
def test_clips_of_any_length_give_what_the_network_makes_of_the_whole(stage: VideoSuperResolve, depth: int) -> None:
    clip = video(7, depth)
    y, u, v = (torch.from_numpy(np.ascontiguousarray(plane)) for plane in clip.planes)
    module = stage.module
    with torch.inference_mode():
        luma, chroma = module.restore(y[None, :, None], torch.stack([u, v], 1)[None], torch.tensor([30.0]), depth)  # type: ignore[operator]
    wanted = [luma[0, :, 0].numpy(), chroma[0, :, 0].numpy(), chroma[0, :, 1].numpy()]
    for cuts in ([7], [1, 1, 1, 1, 1, 1, 1], [3, 4], [1, 5, 1]):
        starts = np.cumsum([0, *cuts])
        parts = list(stage(clip[a:b] for a, b in pairwise(starts)))
        assert [len(part) for part in parts] == cuts
        assert [time for part in parts for time in part.times] == list(clip.times)
        for k, plane in enumerate(wanted):
            assert np.array_equal(np.concatenate([part.planes[k] for part in parts]), plane)


def test_the_past_counts_and_each_run_begins_anew(stage: VideoSuperResolve) -> None:
    clip = video(4)
    (first,) = stage(iter([clip]))
    (again,) = stage(iter([clip]))
    (late,) = stage(iter([clip[2:4]]))
    assert np.array_equal(first.planes[0], again.planes[0])
    assert not np.array_equal(first.planes[0][2:], late.planes[0])


def test_stopping_early_leaves_the_stage_usable(stage: VideoSuperResolve) -> None:
    clip = video(4)
    stream = stage(clip[t : t + 1] for t in range(4))
    next(stream)
    del stream
    assert len(stage.process(clip)) == 4


def test_the_best_weights_of_the_package_are_taken() -> None:
    for factor in (2, 4):
        known = [name for name in (f"lumasr-x{factor}", f"compactsr-x{factor}") if name in embedded.names()]
        assert super_resolve(factor).weights == known[0]
    assert super_resolve(4, weights="compactsr-x4").weights == "compactsr-x4"
