"""Cards of the embedded weights: every file has one, and what it says is in the file and in results/*.json."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import pytest

from revivid.cli import weights as command
from revivid.errors import MissingWeights
from revivid.train import recipe as recipes
from revivid.weights import cards, embedded

ROOT = Path(__file__).parents[2]
HEADINGS = ("does", "network", "hyper-parameters", "parameters", "kMAC per pixel", "data", "sources", "recipe", "iterations")
HEADINGS = (*HEADINGS, "training time", "date", "licence", "int8", "measured", "limits", "sha256", "size")


@pytest.fixture(scope="module")
def maker():
    spec = importlib.util.spec_from_file_location("docs_cards", ROOT / "docs" / "cards.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_cards_are_up_to_date(maker):
    stored = json.loads(maker.CARDS.read_text(encoding="utf-8"))
    assert stored == maker.cards(), "python docs/cards.py"
    assert set(stored) == set(embedded.names())


@pytest.mark.parametrize("name", embedded.names())
def test_every_file_has_a_card(name, capsys):
    found = cards.card(name)
    assert set(HEADINGS) <= set(found)
    assert found["does"]
    assert found["sources"]
    assert found["size"] == f"{(embedded.folder() / f'{name}.safetensors').stat().st_size:,} bytes"
    assert command._show_embedded(name)
    printed = capsys.readouterr().out
    assert all(f"\n{heading} " in f"\n{printed}" for heading in HEADINGS)
    assert found["sha256"] in printed


def test_figures_are_those_of_the_results(maker):
    for name, stored in json.loads(maker.CARDS.read_text(encoding="utf-8")).items():
        for figure in stored["figures"]:
            results = json.loads((ROOT / figure["results"]).read_text(encoding="utf-8"))
            if "networks" in results:
                mean = results["networks"][name]["crf"][figure["of"].rsplit(" ", 1)[1]]["mean"]
                assert (mean["network"], mean["gain"]) == (figure["psnr_y"], figure["gains"]["bicubic"])
            else:
                task, setting = figure["of"].split(", ", 1)
                arm = results["tasks"][task]["settings"][setting]["arms"][name]
                assert arm["mean"]["psnr_y"] == figure["psnr_y"]


def test_another_file_has_no_figures(monkeypatch):
    monkeypatch.setattr(cards, "_known", lambda name, _: ORIGINAL(name, "0" * 64))
    found = cards.card("lumasr-x4")
    assert found["measured"] == "not yet for this version"
    assert found["training time"] == "not noted"
    with pytest.raises(MissingWeights):
        cards.card("imaginary")


def test_figures_of_another_training_are_left_out(maker):
    metadata = embedded.describe()["lumasr-x4"]
    assert list(maker._masters("lumasr-x4", metadata))
    assert not list(maker._masters("lumasr-x4", embedded.Metadata(**{**vars(metadata), "iterations": 1})))
    assert not list(maker._quality("lumasr-x4", "0" * 64))


def test_the_time_of_a_training(maker, monkeypatch, tmp_path):
    run = tmp_path / "run"
    run.mkdir()
    lines = [{"iteration": 300, "iterations_per_second": 5.0}, {"iteration": 600, "iterations_per_second": 2.5}]
    (run / "log.jsonl").write_text("\n".join(map(json.dumps, lines)), encoding="utf-8")
    (run / "tiny.safetensors").touch()
    times = tmp_path / "training.json"
    times.write_text('{"minutes": {}}', encoding="utf-8")
    monkeypatch.setattr(maker, "TIMES", times)
    maker.note_run(run)
    assert json.loads(times.read_text(encoding="utf-8"))["minutes"] == {"tiny 600": 3}


ORIGINAL = cards._known


@pytest.mark.parametrize("name", embedded.names())
def test_the_command_of_a_card_names_a_recipe_that_is_there(name):
    """Or none is named, for weights that nobody trained."""
    said, metadata = cards.card(name)["recipe"], embedded.describe()[name]
    assert ("revivid train" in said) == (metadata.iterations > 0)
    if metadata.iterations:
        assert (Path(recipes.__file__).parent / "recipes" / f"{metadata.recipe}.toml").is_file()
