"""Fields and activations of forks, by their formulas written out."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from one_layer import OneLayer, normal, spread
from torch import Tensor

from solver_cli import Net
from solver_cli.errors import ConfigError

close = torch.testing.assert_close


def test_elu_with_a_lambda_and_nvcaffes_gradient() -> None:
    layer, x = OneLayer('type: "ELU" elu_param { alpha: 0.5 lambda: 1.5 }', (3, 4)), normal(3, 4)
    top = layer(x)
    close(top, 1.5 * torch.where(x > 0, x, 0.5 * (x.exp() - 1)))
    (grad,) = torch.autograd.grad(top.sum(), x)
    close(grad, torch.where(x > 0, 1.5, 1.5 * (top + 0.5)).detach())


def test_dropout_over_the_square_root() -> None:
    layer, x = OneLayer('type: "Dropout" dropout_param { dropout_ratio: 0.75 sqrt_scale: true }', (50, 40)), normal(50, 40)
    kept = layer(x)[layer(x) != 0]
    assert set((layer(x) / x).detach().round(decimals=4).unique().tolist()) == {0, 2}
    assert 0 < len(kept) < 2000


def test_the_lowest_scores_may_be_the_best() -> None:
    layer = OneLayer('type: "Accuracy" accuracy_param { min_is_better: true top_k: 2 }', (3, 4), (3,))
    scores = torch.tensor([[1.0, 2, 3, 4], [4, 3, 2, 1], [1, 2, 3, 4]], dtype=torch.float64)
    assert layer(scores, torch.tensor([1.0, 0, 2], dtype=torch.float64)).item() == pytest.approx(1 / 3)


@pytest.mark.parametrize("ignored", [None, 2])
def test_label_smoothing_changes_the_gradient_alone(ignored: int | None) -> None:
    """NVCaffe's kernel: p - s / (dim - 1) everywhere, 1 - s less at the label, over the labels that count."""
    ignore = "" if ignored is None else f"ignore_label: {ignored}"
    layer = OneLayer(f'type: "SoftmaxWithLoss" loss_param {{ label_smoothing: 0.1 {ignore} }}', (5, 4), (5,))
    plain = OneLayer(f'type: "SoftmaxWithLoss" loss_param {{ {ignore} }}', (5, 4), (5,))
    x, labels = normal(5, 4), torch.tensor([0.0, 3, 2, 1, 2], dtype=torch.float64)
    loss = layer(x, labels)
    close(loss, plain(x, labels))
    wanted = x.softmax(1) - 0.1 / 3
    wanted[range(5), labels.long()] -= 0.9
    counts = labels != (-1 if ignored is None else ignored)
    wanted = wanted * counts[:, None] / counts.sum()
    (grad,) = torch.autograd.grad(loss, x)
    close(grad, wanted.detach())


def test_label_smoothing_counts_the_values_of_all_places() -> None:
    layer = OneLayer('type: "SoftmaxWithLoss" loss_param { label_smoothing: 0.2 }', (2, 3, 2, 2), (2, 1, 2, 2))
    x, labels = normal(2, 3, 2, 2), torch.tensor([0.0, 1, 2, 0, 1, 2, 0, 1], dtype=torch.float64).view(2, 1, 2, 2)
    wanted = x.softmax(1) - 0.2 / 11 - 0.8 * F.one_hot(labels.long()[:, 0], 3).permute(0, 3, 1, 2)
    (grad,) = torch.autograd.grad(layer(x, labels), x)
    close(grad, wanted.detach() / 8)


def test_softmax_of_a_temperature() -> None:
    layer, x = OneLayer('type: "Softmax" softmax_param { scaling_temperature: 4 }', (3, 5)), normal(3, 5)
    close(layer(x), (x / 4).softmax(1))
    assert layer.gradcheck(x)


def test_a_scale_between_bounds() -> None:
    layer, x = OneLayer('type: "Scale" scale_param { min_value: -0.25 max_value: 0.5 }', (4, 3, 2)), normal(4, 3, 2)
    with torch.no_grad():
        layer.params[0].copy_(torch.tensor([-1.0, 0.25, 1]))
    close(layer(x), x * torch.tensor([-0.25, 0.25, 0.5], dtype=torch.float64).view(1, 3, 1))
    assert layer.params[0].tolist() == [-0.25, 0.25, 0.5]
    with pytest.raises(ConfigError, match="are for a scale that the layer learns"):
        OneLayer('type: "Scale" scale_param { max_value: 1 }', (4, 3), (4, 3))


def test_a_parameter_that_is_filled() -> None:
    param = "parameter_param { shape { dim: 2 dim: 3 } blob_filler { value: 4 } }"
    text = f'layer {{ name: "p" type: "Parameter" top: "p" {param} }}'
    assert Net.from_text(text).params["p"][0].tolist() == [[4, 4, 4]] * 2


@pytest.mark.parametrize(("filler", "factor"), [("scale: 0.5", 0.5), ("alpha: 2", math.sqrt(1 / 5))])
def test_fillers_of_forks(filler: str, factor: float) -> None:
    def weights(more: str) -> Tensor:
        text = f"num_output: 4 weight_filler {{ type: 'msra' {more} }}"
        return Net.from_text(
            'layer { name: "in" type: "Input" top: "x" input_param { shape { dim: 1 dim: 6 } } } layer { name: "fc" '
            f'type: "InnerProduct" bottom: "x" top: "y" inner_product_param {{ {text} }} }}',
            seed=1,
        ).params["fc"][0]

    close(weights(filler), weights("") * factor)


@pytest.mark.parametrize("slope", [0, 0.25])
@pytest.mark.parametrize(
    ("text", "shape"),
    [
        ('type: "Convolution" convolution_param { num_output: 3 kernel_size: 2 relu: true negative_slope: %g }', (2, 2, 4)),
        ('type: "InnerProduct" inner_product_param { num_output: 3 relu: true negative_slope: %g }', (2, 5)),
    ],
)
def test_a_relu_inside_is_one_behind(text: str, shape: tuple[int, ...], slope: float) -> None:
    layer, plain, x = OneLayer(text % slope, shape), OneLayer(text.split(" relu")[0] + " }", shape), normal(*shape)
    close(layer(x), F.leaky_relu(plain(x), slope))
    assert layer.gradcheck(x)


def test_a_slope_without_a_relu_is_refused() -> None:
    with pytest.raises(ConfigError, match="negative_slope is relu's, which is not true"):
        OneLayer('type: "InnerProduct" inner_product_param { num_output: 3 negative_slope: 1 }', (2, 5))


def test_interp_to_the_size_of_another_blob() -> None:
    layer = OneLayer('type: "Interp" interp_param { use_blob_size: true }', (2, 3, 4, 5), (1, 1, 7, 6))
    x = normal(2, 3, 4, 5)
    close(layer(x, normal(1, 1, 7, 6)), F.interpolate(x, (7, 6), mode="bilinear", align_corners=True))
    with pytest.raises(ConfigError, match="use_blob_size needs a second bottom"):
        OneLayer('type: "Interp" interp_param { use_blob_size: true }', (2, 3, 4, 5))


# -- layers of forks ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "formula"),
    [
        ("Mish", lambda x: x * (1 + x.exp()).log().tanh()),
        ("HardSwish", lambda x: x * (x + 3).clamp(0, 6) / 6),
        ("HSwish", lambda x: x * (x + 3).clamp(0, 6) / 6),
    ],
)
def test_activations(kind: str, formula: Any) -> None:
    layer, x = OneLayer(f'type: "{kind}"', (6, 20)), spread(6, 20)
    close(layer(x), formula(x))
    assert layer.gradcheck(x)


def test_insanity() -> None:
    text, x = 'type: "Insanity" insanity_param { lb: 2 ub: 8 }', normal(40, 30)
    close(OneLayer(text, (40, 30), phase="TEST")(x), torch.where(x > 0, x, x * math.log(4) / 6))
    slopes = x / OneLayer(text, (40, 30))(x)
    assert (slopes[x > 0] == 1).all()
    drawn = slopes[x < 0]
    assert drawn.min() >= 2 - 1e-6 and drawn.max() <= 8 + 1e-6 and 4.5 < drawn.mean() < 5.5
    with pytest.raises(ConfigError, match="lb 3 must be below ub 3"):
        OneLayer('type: "Insanity" insanity_param { lb: 3 ub: 3 }', (4, 3))


def test_insanity_learns() -> None:
    net = Net.from_text(
        'layer { name: "in" type: "Input" top: "x" input_param { shape { dim: 4 dim: 3 } } } '
        'layer { name: "fc" type: "InnerProduct" bottom: "x" top: "y" inner_product_param { num_output: 5 } } '
        'layer { name: "a" type: "Insanity" bottom: "y" top: "y" } '
        'layer { name: "loss" type: "Reduction" bottom: "y" top: "loss" loss_weight: 1 }'
    )
    net({"x": torch.randn(4, 3)})[0].backward()
    assert net.params["fc"][0].grad is not None


@pytest.mark.parametrize("name", ["group_num", "group_ratio", "num_groups"])
def test_group_norm(name: str) -> None:
    layer, x = OneLayer(f'type: "GroupNorm" group_norm_param {{ {name}: 2 eps: 0.1 }}', (3, 4, 2, 3)), normal(3, 4, 2, 3)
    parts = x.view(3, 2, 12)
    wanted = (parts - parts.mean(2, keepdim=True)) / (parts.var(2, unbiased=False, keepdim=True) + 0.1).sqrt()
    assert layer.params == []
    close(layer(x), wanted.view_as(x))
    assert layer.gradcheck(x)


def test_group_norm_with_scale_and_bias() -> None:
    text = 'type: "GroupNorm" group_norm_param { group: 2 scale_filler { value: 1 } bias_filler { value: 0 } }'
    layer, x = OneLayer(text, (3, 4, 2)), normal(3, 4, 2)
    scale, bias = layer.params
    assert scale.shape == bias.shape == (1, 4, 1, 1)
    close(layer(x), F.group_norm(x, 2) * scale.view(1, 4, 1) + bias.view(1, 4, 1))
    assert layer.gradcheck(x)


@pytest.mark.parametrize(
    ("param", "words"),
    [
        ("group_num: 3", "group_num 3 does not divide the channels of a bottom of shape"),
        ("", "group_num 32 does not divide"),
        ("group: 2 num_groups: 2", "group and num_groups mean the same"),
    ],
)
def test_group_norm_of_groups_that_do_not_fit(param: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        OneLayer(f'type: "GroupNorm" group_norm_param {{ {param} }}', (3, 4, 2))
