"""The catalogue: every entry is whole, builds its network, and agrees with the published number of parameters."""

import json
import re

import pytest
import torch

from revivid import networks
from revivid.cli import weights as command
from revivid.errors import MissingWeights
from revivid.restoration.catalogued import load_catalogued
from revivid.weights import catalogue

ENTRIES = catalogue.entries()
#: Networks of our own, whose weights are inside the package if anywhere, and Gao's, of which none are to be had.
OWN = {"bvc", "bvc_cascade", "cellnet", "compactinterp", "compactsr", "deartifactnet", "deblurnet", "denoisenet"}
OWN |= {"gao", "intra", "lumasr", "lumavsr", "refinenet"}


def test_every_published_network_has_entries():
    assert {entry.network for entry in ENTRIES.values()} == set(networks.TABLE) - OWN
    assert len(ENTRIES) == 78


@pytest.mark.parametrize("entry", ENTRIES.values(), ids=lambda entry: entry.name)
def test_entry_is_whole(entry):
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", entry.name)
    assert entry.file == entry.file.strip("./")
    assert "/" not in entry.file
    assert entry.page.startswith("https://")
    assert bool(entry.base) != bool(entry.by_hand)
    assert entry.address is None or entry.address.startswith("https://")
    assert entry.base == "" or entry.base.endswith("/")
    assert re.fullmatch(r"|[0-9a-f]{8}|[0-9a-f]{64}", entry.sha256)
    assert entry.noncommercial == ("NC" in entry.licence)
    assert entry.about
    for values in entry.metrics.values():
        assert 20 < values[0] < 45
        assert len(values) == 1 or 0.7 < values[1] < 1


def test_files_that_carry_their_hash_agree_with_it():
    """OpenMMLab ends its file names with the first eight digits."""
    carried = [(entry.sha256, re.search(r"-([0-9a-f]{8})\.pth$", entry.file)) for entry in ENTRIES.values()]
    found = [(sha256, match[1]) for sha256, match in carried if match]
    assert len(found) == 20
    assert all(sha256.startswith(digits) for sha256, digits in found)


def groups():
    """Entries by network and hyper-parameters, so that each is built once."""
    grouped = {}
    for entry in ENTRIES.values():
        grouped.setdefault((entry.network, repr(sorted(entry.hyperparameters.items()))), []).append(entry)
    return list(grouped.values())


@pytest.mark.parametrize("entries", groups(), ids=lambda entries: entries[0].name)
def test_network_builds_and_has_the_published_size(entries):
    with torch.device("meta"):
        network = networks.build(entries[0].network, **entries[0].hyperparameters)
    count = sum(parameter.numel() for parameter in network.parameters()) / 1e6
    for entry in entries:
        assert entry.task in network.traits.tasks
        if entry.parameters_m is not None:
            digits = len(str(entry.parameters_m).partition(".")[2])
            assert abs(count - entry.parameters_m) <= 0.5001 * 10**-digits


def test_unknown_names_are_answered_with_similar_ones():
    with pytest.raises(MissingWeights, match="no checkpoint") as caught:
        catalogue.entry("vrt-deblur")
    assert "vrt-deblur-gopro" in caught.value.hint
    assert "swinir" not in caught.value.hint
    with pytest.raises(MissingWeights) as caught:
        load_catalogued("nonsense")
    assert "swinir-..." in caught.value.hint


def test_list_and_cards(capsys, monkeypatch, tmp_path):
    monkeypatch.setenv("REVIVID_WEIGHTS", str(tmp_path))
    command.list_weights(task="interpolate")
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 7
    assert lines[0].split()[:4] == ["compactinterp-x2", "interpolate", "compactinterp", "Apache-2.0"]
    assert lines[1].split()[:4] == ["vrt-interpolate-vimeo", "interpolate", "vrt", "CC-BY-NC-4.0"]
    command.show("vrt-sr-reds-16")
    card = capsys.readouterr().out
    for words in ("no commercial use", "REDS4, RGB", "PSNR 32.19", "SSIM 0.9006", "[16, 64, 64]", "35.135 million"):
        assert words in card
    command.show("compactsr-x4")
    assert "Apache-2.0" in capsys.readouterr().out

    (tmp_path / "rife").mkdir()
    (tmp_path / "rife" / "flownet.pkl").write_bytes(b"123")
    command.list_weights(as_json=True)
    rows = {row["name"]: row for row in map(json.loads, capsys.readouterr().out.splitlines())}
    assert (rows["rife"]["present"], rows["rife"]["bytes"]) == (True, 3)
    assert not rows["rife-m"]["present"]
    assert rows["vrt-sr-reds-16"]["noncommercial"]
    assert rows["vrt-sr-reds-16"]["approximate_bytes"] == 210_500_000
    assert (rows["compactsr-x4"]["source"], rows["compactsr-x4"]["task"]) == ("package", "super-resolve")


def openmmlab_names(key):
    """Our key of an EDVR or IconVSR entry as OpenMMLab writes it: the inverse of what the networks read."""
    key = re.sub(r"conv_l([23])_([12])\.", r"feat_l\1_conv\2.conv.", key)
    key = re.sub(r"pcd_align\.((?:offset_conv\d\.l\d|feat_conv\.l\d|cas_offset_conv\d))\.", r"pcd_alignment.\1.conv.", key)
    key = key.replace("pcd_align.", "pcd_alignment.")
    key = re.sub(r"fusion\.(feat_fusion|spatial_attn(?:[1-4]|_l[123]|_add1))\.", r"fusion.\1.conv.", key)
    key = re.sub(r"^upconv([12])\.", r"upsample\1.upsample_conv.", key)
    key = re.sub(r"^(backward|forward)_trunk\.", r"\1_resblocks.", key)
    key = re.sub(
        r"^(spynet\.basic_module\.\d\.basic_module)\.(\d)\.", lambda m: f"{m[1]}.{int(m[2]) // 2}.conv.", key
    )  # fmt: skip
    return f"generator.{key}"


@pytest.mark.parametrize(
    ("name", "small"),
    [
        ("edvr", {"num_feat": 8, "num_reconstruct_block": 1}),
        ("edvr", {"num_feat": 8, "num_reconstruct_block": 1, "with_tsa": False}),
        ("iconvsr", {"num_feat": 8, "num_block": 1}),
    ],
)
def test_openmmlab_names_load(name, small):
    torch.manual_seed(1)
    donor, taker = networks.build(name, **small), networks.build(name, **small)
    published = {openmmlab_names(key): value for key, value in donor.state_dict().items()}
    assert len(published) == len(donor.state_dict())
    assert not set(published) & set(donor.state_dict())
    networks.load_published(taker, {**published, "step_counter": torch.zeros(1)})
    assert all(torch.equal(value, donor.state_dict()[key]) for key, value in taker.state_dict().items())
