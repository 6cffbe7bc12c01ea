"""SegAccuracy, LabelsequenceAccuracy, ContinuationIndicator, Gather: small cases counted by hand."""

from __future__ import annotations

import pytest
import torch
from one_layer import OneLayer, normal

from solver_cli import Net
from solver_cli.errors import ConfigError, DataError


def scores(classes: list[int], count: int = 3) -> torch.Tensor:
    """(1, count, 1, W): the class of each pixel scores best."""
    return torch.nn.functional.one_hot(torch.tensor(classes), count).double().t()[None, :, None]


def labels(values: list[int]) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float64).view(1, 1, 1, -1)


def test_pixels() -> None:
    """Counts [actual, found]: 0: 2 0 0, 1: 1 1 0, 2: none of it; the pixel of 255 is left out."""
    layer = OneLayer('type: "SegAccuracy" seg_accuracy_param { ignore_label: 255 }', (1, 3, 1, 5), (1, 1, 1, 5))
    top = layer(scores([0, 0, 0, 1, 2]), labels([0, 0, 1, 1, 255]))
    wanted = [3 / 4, (1 + 1 / 2) / 2, (2 / 3 + 1 / 2 + 1) / 3]
    assert top.shape == (1, 1, 1, 3) and top.flatten().tolist() == pytest.approx(wanted)
    assert layer(scores([2, 2, 2, 2, 2]), labels([2] * 5)).flatten().tolist() == [1, 1, 1]
    assert layer(torch.zeros(1, 3, 1, 5).double(), labels([2] * 5)).flatten().tolist() == [1, 1, 1]  # the last of equals


def test_pixels_of_all_batches() -> None:
    layer = OneLayer('type: "SegAccuracy" seg_accuracy_param { reset: false }', (1, 3, 1, 2), (1, 1, 1, 2))
    assert layer(scores([0, 1]), labels([0, 1])).flatten()[0] == 1
    assert layer(scores([0, 1]), labels([2, 2])).flatten()[0] == 0.5


def test_a_label_that_is_no_class() -> None:
    layer = OneLayer('type: "SegAccuracy"', (1, 3, 1, 2), (1, 1, 1, 2))
    with pytest.raises(DataError, match="3"):
        layer(scores([0, 1]), labels([0, 3]))
    with pytest.raises(ConfigError, match="are wanted"):
        OneLayer('type: "SegAccuracy"', (1, 3, 1, 2), (1, 1, 2))


def test_sequences() -> None:
    """Blank 0. Said: 1 1 0 1 -> 1 1; 0 2 2 3 -> 2 3; 0 0 0 0 -> nothing."""
    layer = OneLayer('type: "LabelsequenceAccuracy"', (3, 4, 4), (3, 2))
    said = torch.nn.functional.one_hot(torch.tensor([[1, 1, 0, 1], [0, 2, 2, 3], [0, 0, 0, 0]]), 4).double()
    wanted = torch.tensor([[1.0, 1], [2, 3], [0, 0]]).double()
    assert layer(said, wanted) == 1
    assert layer(said, torch.tensor([[1.0, 0], [0, 2], [0, 0]]).double()).item() == pytest.approx(1 / 3)


def test_where_sequences_begin() -> None:
    text = 'layer { name: "c" type: "ContinuationIndicator" top: "c" continuation_indicator_param { time_step: 3 %s } }'
    wanted = [[0, 0], [1, 1], [1, 1]]
    assert Net.from_text(text % "batch_size: 2")({})[1]["c"].tolist() == wanted
    layer = OneLayer('type: "ContinuationIndicator" continuation_indicator_param { time_step: 3 axis: 1 }', (5, 2, 4))
    assert layer(normal(5, 2, 4)).tolist() == wanted
    with pytest.raises(ConfigError, match="give batch_size, or a bottom"):
        Net.from_text(text % "")


@pytest.mark.parametrize("kind", ["Gather", "Scatter"])
def test_one_machine_alone(kind: str) -> None:
    layer, a, b = OneLayer(f'type: "{kind}"', (2, 3), (2,), tops=2), normal(2, 3), normal(2)
    for top, bottom in zip(layer(a, b), (a, b), strict=True):
        torch.testing.assert_close(top, bottom)


GATHERED = """
layer { name: "data" type: "Input" top: "x" top: "label" input_param { shape { dim: 4 dim: 3 } shape { dim: 4 } } }
layer { name: "low" type: "InnerProduct" bottom: "x" top: "y" inner_product_param { num_output: 5
  weight_filler { type: "xavier" } } }
layer { name: "all" type: "%s" bottom: "y" bottom: "label" top: "all_y" top: "all_labels" }
layer { name: "high" type: "InnerProduct" bottom: "all_y" top: "z" inner_product_param { num_output: 2
  weight_filler { type: "xavier" } } }
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "z" bottom: "all_labels" }
"""


def test_a_gathered_label_asks_for_no_gradient() -> None:
    """yjxiong's Net gives each top of Gather what its bottom wants; of Scatter, as of others, all or none."""
    net = Net.from_text(GATHERED % "Gather")
    loss, _ = net({"x": normal(4, 3, grad=False).float(), "label": torch.tensor([0.0, 1, 1, 0])})
    loss.backward()
    assert net.params["low"][0].grad.abs().sum() > 0
    with pytest.raises(ConfigError, match=r"there is no gradient for bottom 1 \('all_labels'\)"):
        Net.from_text(GATHERED % "Scatter")
