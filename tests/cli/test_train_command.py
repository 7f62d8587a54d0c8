"""`revivid train`: arguments in, weights and a log out."""

import json

import pytest
import typer
from typer.testing import CliRunner

from revivid.cli.train import train
from revivid.train import loop


@pytest.fixture
def calls(monkeypatch):
    made = []

    def run(recipe, data, out, *, report, **options):
        made.append((recipe, data, out, options))
        report({"iteration": 5, "loss": 0.5, "iterations_per_second": 2.0, "gain_db": {"all": 0.25}})
        return out / "r.safetensors"

    monkeypatch.setattr(loop, "run", run)
    return made


def invoke(*arguments):
    app = typer.Typer()
    app.command()(train)
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def test_progress_and_weights(calls, tmp_path):
    result = invoke("compactsr-x4", "--data", tmp_path, "--out", tmp_path / "out", "--resume", "--set", "train.batch=2")
    assert result.exit_code == 0
    options = {"resume": True, "cache": None, "workers": 2, "changes": ["train.batch=2"]}
    assert calls == [("compactsr-x4", tmp_path, tmp_path / "out", options)]
    assert result.stdout.strip() == str(tmp_path / "out/r.safetensors")
    assert "all +0.250 dB" in result.stderr


def test_json_lines(calls, tmp_path):
    result = invoke("compactsr-x4", "--data", tmp_path, "--out", tmp_path, "--cache", tmp_path, "--json")
    lines = [json.loads(line) for line in result.stdout.splitlines()]
    assert lines[0]["iteration"] == 5
    assert lines[1] == {"weights": str(tmp_path / "r.safetensors")}
    assert calls[0][3]["cache"] == tmp_path


def test_data_must_exist(calls, tmp_path):
    assert invoke("compactsr-x4", "--data", tmp_path / "no", "--out", tmp_path).exit_code == 2
    assert not calls
