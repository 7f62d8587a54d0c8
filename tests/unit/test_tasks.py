"""What a user asks for by task becomes stages, in the order in which it was asked, each with the weights of its task."""

from __future__ import annotations

from fractions import Fraction

import pytest

from revivid.errors import MissingWeights, UsageError
from revivid.presets import Preset, preset, presets
from revivid.recipe import Recipe, StageSpec
from revivid.restoration import STAGES
from revivid.weights import catalogue
from revivid.workflows.options import CompressOptions, make_compress, make_restore
from revivid.workflows.tasks import task_of, with_networks


def stages(**options: object) -> list[tuple[str, dict[str, object]]]:
    return [(spec.stage, dict(spec.options)) for spec in make_restore(options).stages]


def test_stages_come_in_the_order_in_which_they_are_asked() -> None:
    assert stages(deblur=True, super_resolve=4) == [("deblur", {}), ("super-resolve", {"scale": 4})]
    assert stages(super_resolve=4, deblur=True) == [("super-resolve", {"scale": 4}), ("deblur", {})]
    assert stages(super_resolve=None, deblur=False, denoise=None) == []


def test_each_task_says_its_option() -> None:
    assert stages(deconvolve="gaussian:2", denoise="10", deartifact=True, interpolate=2, rate=None) == [
        ("deconvolve", {"kernel": "gaussian:2"}),
        ("denoise", {"sigma": 10.0}),
        ("deartifact", {}),
        ("interpolate", {"factor": 2}),
    ]
    assert stages(denoise="auto", rate="60") == [("denoise", {"sigma": "auto"}), ("interpolate", {"rate": "60"})]


def test_every_asked_stage_exists() -> None:
    every = {"deconvolve": "gaussian:2", "denoise": 5, "deartifact": True, "deblur": True, "super_resolve": 2, "rate": 60}
    asked = make_restore(every)
    assert {spec.stage for spec in asked.stages} <= set(STAGES)


def test_weights_go_to_the_stage_of_their_task() -> None:
    specs = make_restore({"deblur": True, "super_resolve": 4}).stages
    chosen = with_networks(specs, ["basicvsr-reds", "estrnn-bsd-3ms24ms"])
    assert [spec.options.get("network") for spec in chosen] == ["estrnn-bsd-3ms24ms", "basicvsr-reds"]
    assert with_networks(specs, []) == specs


def test_several_weights_of_one_task_go_to_its_stages_in_turn() -> None:
    specs = (StageSpec("deblur"), StageSpec("super-resolve", {"scale": 2}), StageSpec("deblur"))
    both = with_networks(specs, ["ifirnn-c2h3", "estrnn-bsd-3ms24ms"])
    assert [spec.options.get("network") for spec in both] == ["ifirnn-c2h3", None, "estrnn-bsd-3ms24ms"]
    one = with_networks(specs, ["ifirnn-c2h3"])
    assert [spec.options.get("network") for spec in one] == ["ifirnn-c2h3", None, "ifirnn-c2h3"]


def test_weights_that_nobody_asked_for_are_refused() -> None:
    specs = make_restore({"deblur": True}).stages
    with pytest.raises(UsageError, match=r"basicvsr-reds is for super-resolve, which is asked for nowhere") as fault:
        with_networks(specs, ["basicvsr-reds"])
    assert "--super-resolve" in fault.value.hint
    with pytest.raises(UsageError, match="only once"):
        with_networks(specs, ["ifirnn-c2h3", "estrnn-bsd-3ms24ms"])
    with pytest.raises(MissingWeights, match="no-such-net"):
        with_networks(specs, ["no-such-net"])


def test_embedded_weights_know_their_task() -> None:
    assert task_of("compactsr-x4") == "super-resolve"


def test_the_paper_preset_is_the_papers_chain() -> None:
    paper = preset("paper")
    assert [spec.stage for spec in paper.stages] == ["super-resolve", "deblur", "denoise", "interpolate"]
    options = make_compress({"preset": "paper"})
    assert (options.codec, str(options.scale), options.crf, options.encoder_preset) == ("x265", "1/4", 28, "medium")
    assert options.stages == paper.stages
    assert make_restore({"preset": "paper"}).stages == paper.stages


def test_options_override_a_preset() -> None:
    options = make_compress({"preset": "paper", "crf": 22, "scale": None, "encoder_preset": "ultrafast"})
    assert (options.crf, str(options.scale), options.encoder_preset) == (22, "1/4", "ultrafast")
    assert options.stages == preset("paper").stages


@pytest.mark.parametrize("name", presets())
def test_presets_fit_what_they_name(name: str) -> None:
    chosen: Preset = preset(name)
    CompressOptions(**chosen.compress, stages=chosen.stages)
    for spec in chosen.stages or ():
        assert spec.stage in STAGES
        if spec.options["network"] in catalogue.names():
            assert task_of(str(spec.options["network"])) == spec.stage
    options = make_compress({"preset": name})
    scale = Fraction(1, 2) if options.seeks_scale else options.scale
    recipe = Recipe(64, 64, scale, options.codec, options.crf or 0, "medium", chosen.stages or ())  # type: ignore[arg-type]
    assert Recipe.from_json(recipe.to_json()).stages == (chosen.stages or ())


def test_a_preset_and_single_stages_contradict_each_other() -> None:
    with pytest.raises(UsageError, match="contradict"):
        make_restore({"preset": "paper", "deblur": True})
    with pytest.raises(UsageError, match="no preset 'papers'") as fault:
        make_restore({"preset": "papers"})
    assert "paper:" in fault.value.hint


def test_unknown_options_are_refused_and_the_known_listed() -> None:
    with pytest.raises(UsageError, match="unknown option sharpen") as fault:
        make_restore({"sharpen": True})
    assert "super_resolve" in fault.value.hint
    with pytest.raises(UsageError, match="unknown option super_resolve"):
        make_compress({"super_resolve": 2})
    with pytest.raises(UsageError, match="precision"):
        make_restore({"precision": "fp8"})
    with pytest.raises(UsageError):
        make_restore({"memory": "plenty"})
