"""The learned codec as the package has it: its model codes, and leaves sharpening to a stage before it."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

import revivid
from revivid.learned import model
from revivid.workflows.learned import compress_job


def psnr_y(reference: Path, file: Path) -> float:
    (only,) = revivid.evaluate(reference, file).distorted.values()
    return only.pooled("psnr_y").mean


def test_more_quality_is_more_bits_and_nearer_to_the_video(library, tmp_path) -> None:
    source, sizes, scores = library("silent"), [], []
    for quality in (1, 8):
        small, back = tmp_path / f"{quality}.bvc", tmp_path / f"{quality}.mkv"
        revivid.compress(source, small, codec="bvc", quality=quality, preserve=True)
        revivid.restore(small, back, lossless=True)
        sizes.append(small.stat().st_size)
        scores.append(psnr_y(source, back))
    assert sizes[0] < sizes[1]
    assert scores[0] + 1 < scores[1]
    assert scores[0] > 20


@pytest.mark.parametrize(("options", "names"), [({}, ["deblur"]), ({"preserve": True}, [])])
def test_what_the_model_does_not_sharpen_a_stage_does(library, tmp_path, options, names) -> None:
    job = compress_job(library("silent"), tmp_path / "a.bvc", {"codec": "bvc", **options})
    assert [stage.name for stage in job.stages] == names


def test_without_venet_a_frame_is_coded_as_it_is() -> None:
    network = model.load().network
    frame = torch.rand(1, 3, 64, 128)
    assert not network.enhances
    assert torch.equal(network.enhance(frame), frame)


def test_its_decoder_gives_what_its_encoder_saw() -> None:
    network = model.load().network
    torch.manual_seed(0)
    frame, reference = torch.rand(2, 1, 3, 64, 64).unbind()
    coded = network.encode(frame, reference, 5.5)
    assert torch.equal(network.decode(coded.motion, coded.residual, reference, 5.5), coded.decoded)
