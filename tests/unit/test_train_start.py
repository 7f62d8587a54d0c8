"""What a training begins with: weights of the package, those of smaller networks too."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from revivid import networks
from revivid.errors import MissingWeights, UsageError
from revivid.train.recipe import load_recipe
from revivid.train.start import begin, grown, licence
from revivid.weights import embedded


def planes(frames: int) -> tuple[torch.Tensor, torch.Tensor]:
    rows, columns = torch.meshgrid(torch.arange(24.0), torch.arange(32.0), indexing="ij")
    y = torch.stack([0.5 + 0.3 * torch.sin((columns + 2 * t) / 3) * torch.cos(rows / 4) for t in range(frames)])
    return y[None], torch.full((1, 2 * frames, 12, 16), 0.5)


def test_a_network_that_sees_neighbours_begins_as_the_one_that_does_not() -> None:
    plan = load_recipe("lumavsr-x4")
    assert plan.start == "lumasr-x4-hq"
    network = networks.build(plan.network, **plan.hyperparameters).eval()
    begin(network, plan.start)
    metadata, tensors = embedded.load(plan.start)
    old = networks.load_published(networks.build(metadata.network, **metadata.hyperparameters), tensors).eval()
    (y, uv), crf = planes(5), torch.tensor([28.0])
    flows = torch.ones(1, 8, 12, 16)
    with torch.inference_mode():
        ours, theirs = network(y, uv, crf, flows), old(y[:, 2:3], uv[:, 4:6], crf)
    for one, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=1e-5)
    assert all(weight.requires_grad for name, weight in network.named_parameters() if name.startswith("stem"))


def test_the_same_network_begins_where_it_ended() -> None:
    metadata, tensors = embedded.load("lumasr-x4")
    network = networks.build(metadata.network, **metadata.hyperparameters)
    begin(network, "lumasr-x4")
    state = network.state_dict()
    assert all(torch.equal(state[key], value) for key, value in tensors.items())


def test_new_inputs_count_nothing_and_new_outputs_begin_fresh() -> None:
    own = {"weight": torch.full((3, 4, 2, 2), 7.0), "bias": torch.full((3,), 7.0)}
    old = {"weight": torch.ones(2, 3, 2, 2), "bias": torch.ones(2)}
    found = grown(own, old, "small")
    assert torch.equal(found["weight"][:2, :3], old["weight"])
    assert (found["weight"][:2, 3] == 0).all()
    assert (found["weight"][2] == 7).all()
    assert found["bias"].tolist() == [1, 1, 7]
    assert (own["weight"] == 7).all()


def test_hyperparameters_come_along_with_weights_of_the_same_network(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text('[network]\nname = "lumasr"\nstart = "lumasr-x2-hq"\nlayers = 3\n')
    plan = load_recipe(path)
    known = embedded.load("lumasr-x2-hq")[0].hyperparameters
    assert plan.hyperparameters == {**known, "layers": 3}
    assert licence(plan.start) == "Apache-2.0"
    with pytest.raises(UsageError, match=r"lumasr-x2-hq doesn't fit .* body"):
        begin(networks.build(plan.network, **plan.hyperparameters), plan.start)


@pytest.mark.parametrize(
    ("own", "old"),
    [
        ({}, {"a": torch.ones(2)}),
        ({"a": torch.ones(1, 1)}, {"a": torch.ones(2, 1)}),
        ({"a": torch.ones(4)}, {"a": torch.ones(2, 2)}),
        ({"a": torch.ones(2, 2, 3, 3)}, {"a": torch.ones(2, 2, 1, 1)}),
    ],
)
def test_what_does_not_fit_is_named(own: dict[str, torch.Tensor], old: dict[str, torch.Tensor]) -> None:
    with pytest.raises(UsageError, match=r"small doesn't fit the network: a \("):
        grown(own, old, "small")


def test_unknown_weights(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text('[network]\nname = "lumasr"\nstart = "nobody"\n')
    with pytest.raises(MissingWeights, match="nobody"):
        load_recipe(path)
