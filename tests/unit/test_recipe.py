"""Recipes: what is written is read back the same; what somebody else wrote is bounded and never surprises."""

from __future__ import annotations

import json
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from revivid.errors import CorruptInput, LimitExceeded, RevividError, UsageError
from revivid.recipe import SCALES, Recipe, StageSpec, parse_scale
from revivid.restoration import STAGES, build
from revivid.restoration.stage import Conditions

GOOD: dict[str, Any] = {
    "revivid": 1,
    "width": 1280,
    "height": 720,
    "scale": "1/4",
    "codec": "x265",
    "crf": 28.0,
    "preset": "medium",
    "stages": [{"stage": "super-resolve", "scale": 4}],
}

texts = st.text(max_size=100)
values = st.one_of(texts, st.booleans(), st.integers(-(10**6), 10**6), st.floats(-1e6, 1e6))
specs = st.builds(StageSpec, texts, st.dictionaries(texts.filter(lambda key: key != "stage"), values, max_size=5))
recipes = st.builds(
    Recipe,
    width=st.integers(1, 8000),
    height=st.integers(1, 8000),
    scale=st.sampled_from(SCALES),
    codec=texts,
    crf=st.floats(0, 255),
    preset=texts,
    stages=st.lists(specs, max_size=4).map(tuple),
)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=10,
)


@settings(max_examples=30, deadline=None)
@given(recipes)
def test_json_round_trip(recipe: Recipe) -> None:
    text = recipe.to_json()
    assert "\n" not in text
    assert Recipe.from_json(text) == recipe
    assert Recipe.from_json(text).to_json() == text


@given(st.text())
def test_any_text_is_a_recipe_or_corrupt(text: str) -> None:
    with pytest.raises(CorruptInput):
        Recipe.from_json(text)


@settings(max_examples=100, deadline=None)
@given(st.sampled_from(sorted(GOOD)), json_values)
def test_any_value_in_any_field_is_taken_or_refused_by_a_typed_error(field: str, value: Any) -> None:
    try:
        recipe = Recipe.from_json(json.dumps({**GOOD, field: value}))
    except (CorruptInput, LimitExceeded):
        pass
    else:
        assert 1 <= recipe.width <= 16384
        assert 0 <= recipe.crf <= 255
        assert recipe.scale in SCALES
        assert len(recipe.stages) <= 16


@settings(max_examples=50, deadline=None)
@given(st.sampled_from(sorted(STAGES)), st.dictionaries(st.sampled_from(["scale", "network", "crf"]), values, max_size=3))
def test_any_options_of_a_stage_build_it_or_are_refused_by_a_typed_error(name: str, options: dict[str, Any]) -> None:
    try:
        stage = build(StageSpec(name, options), Conditions())
    except RevividError:
        return
    width, height = stage.output_size(64, 48)
    assert isinstance(width, int)
    assert isinstance(height, int)
    assert 64 <= width <= 64 * 16


@pytest.mark.parametrize(
    "change",
    [
        {"revivid": 2},
        {"revivid": "1"},
        {"width": 0},
        {"width": -4},
        {"width": 1.5},
        {"width": True},
        {"width": "1280"},
        {"height": None},
        {"height": 10**400},
        {"scale": "1/3"},
        {"scale": "1e999999999"},
        {"scale": "1/0"},
        {"scale": "nan"},
        {"scale": 4},
        {"scale": ["1/4"]},
        {"codec": 5},
        {"codec": "x" * 101},
        {"crf": -1},
        {"crf": 256},
        {"crf": float("nan")},
        {"crf": "28"},
        {"preset": ["medium"]},
        {"stages": None},
        {"stages": "super-resolve"},
        {"stages": {"stage": "super-resolve"}},
        {"stages": [{"stage": "bicubic", "scale": 2}] * 17},
        {"stages": [[["stage", "bicubic"], ["scale", 2]]]},
        {"stages": [{"scale": 4}]},
        {"stages": [{"stage": 4}]},
        {"stages": [{"stage": "x", "a": {"b": 1}}]},
        {"stages": [{"stage": "x", "a": [1]}]},
        {"stages": [{"stage": "x", "a": None}]},
        {"stages": [{"stage": "x", "a": "y" * 101}]},
        {"stages": [{"stage": "x", "k" * 101: 1}]},
        {"stages": [{"stage": "x", "a": 1e7}]},
        {"stages": [{"stage": "x", "a": float("inf")}]},
        {"stages": [{"stage": "x", **{str(n): n for n in range(16)}}]},
        {"unknown": 1},
        {"x" * 100_000: 1},
    ],
    ids=lambda change: str(change)[:40],
)
def test_hostile_recipes_are_corrupt_input(change: dict[str, Any]) -> None:
    with pytest.raises(CorruptInput) as caught:
        Recipe.from_json(json.dumps({**GOOD, **change}))
    assert len(caught.value.message) < 500
    assert caught.value.hint


@pytest.mark.parametrize("field", sorted(GOOD))
def test_a_missing_field_is_named(field: str) -> None:
    with pytest.raises(CorruptInput, match=field):
        Recipe.from_json(json.dumps({key: value for key, value in GOOD.items() if key != field}))


@pytest.mark.parametrize("text", ["", "{", "[]", "null", "1", '"{}"', "[" * 100_000, '{"a":' * 50_000, "1" * 60_000])
def test_what_is_no_object_is_corrupt_input(text: str) -> None:
    with pytest.raises(CorruptInput):
        Recipe.from_json(text)


@pytest.mark.parametrize(("width", "height"), [(16385, 16), (16, 16385), (16000, 16000)])
def test_sizes_over_the_limits_are_refused(width: int, height: int) -> None:
    with pytest.raises(LimitExceeded):
        Recipe.from_json(json.dumps({**GOOD, "width": width, "height": height}))


@pytest.mark.parametrize(
    ("value", "scale"),
    [
        ("1/4", (1, 4)),
        ("1/2", (1, 2)),
        ("1", (1, 1)),
        (" 1/4 ", (1, 4)),
        ("0.25", (1, 4)),
        (0.5, (1, 2)),
        (1, (1, 1)),
        (Fraction(1, 4), (1, 4)),
    ],
)
def test_scales_that_are_offered(value: Any, scale: tuple[int, int]) -> None:
    assert parse_scale(value) == Fraction(*scale)


@pytest.mark.parametrize(
    "value", ["1/3", "2", "0", "-1/4", "", "a quarter", "1e999999999", "1/0", 0.3, 0, float("nan"), float("inf"), None, b"1/4", [1]]
)
def test_scales_that_are_not(value: Any) -> None:
    with pytest.raises(UsageError, match="not offered") as caught:
        parse_scale(value)
    assert "1/4" in caught.value.hint
