"""The elementwise layers: their gradients, and what Caffe does at kinks, bounds and degenerate settings."""

from __future__ import annotations

import math

import pytest
import torch
from one_layer import OneLayer, normal, spread

from solver_cli import Net
from solver_cli.errors import ConfigError

SHAPE = (2, 3, 4)


@pytest.mark.parametrize(
    "text",
    [
        'type: "AbsVal"',
        'type: "BNLL"',
        'type: "Clip" clip_param { min: -0.5 max: 0.6 }',
        'type: "Dropout" dropout_param { dropout_ratio: 0 }',
        'type: "ELU" elu_param { alpha: 1.5 }',
        'type: "Exp" exp_param { base: 2 scale: 0.5 shift: 0.3 }',
        'type: "PReLU"',
        'type: "PReLU" prelu_param { channel_shared: true }',
        'type: "Power" power_param { power: 3 scale: 0.7 }',
        'type: "Power" power_param { power: 2 scale: 0.7 shift: 0.2 }',
        'type: "Power" power_param { scale: 0.7 shift: 0.2 }',
        'type: "ReLU"',
        'type: "ReLU" relu_param { negative_slope: 0.1 }',
        'type: "Sigmoid"',
        'type: "Swish"',
        'type: "Swish" swish_param { beta: 0.7 }',
        'type: "TanH"',
    ],
)
def test_gradient(text):
    assert OneLayer(text, SHAPE).gradcheck(spread(*SHAPE))


@pytest.mark.parametrize(
    "text", ['type: "Log" log_param { base: 10 scale: 2 shift: 1 }', 'type: "Power" power_param { power: 0.37 shift: 1 }']
)
def test_gradient_of_positive_inputs(text):
    assert OneLayer(text, SHAPE).gradcheck(normal(*SHAPE, grad=False).abs().requires_grad_())


@pytest.mark.parametrize(
    ("text", "derivative"),
    [
        ('type: "AbsVal"', 0),
        ('type: "ReLU"', 0),
        ('type: "ReLU" relu_param { negative_slope: 0.2 }', 0.2),
        ('type: "ELU" elu_param { alpha: 3 }', 3),
        ('type: "PReLU" prelu_param { filler { value: 0.7 } }', None),
        ('type: "Clip" clip_param { min: 0 max: 1 }', 1),
        ('type: "Clip" clip_param { min: -1 max: 0 }', 1),
        ('type: "Clip" clip_param { min: 1 max: -1 }', 0),
        ('type: "Power" power_param { power: 2 }', 0),
        ('type: "Power" power_param { power: 3 }', math.nan),
        ('type: "Power" power_param { power: 0.5 }', math.nan),
    ],
)
def test_derivative_at_zero(text, derivative):
    layer = OneLayer(text, (1, 1))
    x = torch.zeros(1, 1, dtype=torch.float64, requires_grad=True)
    wanted = layer.params[0].item() if derivative is None else derivative
    top = layer(x)
    found = torch.autograd.grad(top, x)[0].item() if top.requires_grad else 0
    assert found == pytest.approx(wanted, nan_ok=True)


def test_clip_with_bounds_in_the_wrong_order_gives_the_lower():
    assert OneLayer('type: "Clip" clip_param { min: 1 max: -1 }', (3,))(torch.tensor([-5.0, 0, 5])).tolist() == [1, 1, 1]


def test_clip_without_bounds_gives_zero():
    assert OneLayer('type: "Clip"', (2,))(torch.tensor([-5.0, 5])).tolist() == [0, 0]


@pytest.mark.parametrize(
    ("settings", "value"),
    [("power: 0 shift: -2", 1), ("power: 3 scale: 0 shift: -2", -8), ("power: 0.5 scale: 0 shift: 4", 2)],
)
def test_power_without_its_bottom_is_constant(settings, value):
    x = torch.tensor([math.nan, 0, 1])
    assert OneLayer(f'type: "Power" power_param {{ {settings} }}', (3,))(x).tolist() == [value] * 3


def test_threshold_is_strict():
    layer = OneLayer('type: "Threshold" threshold_param { threshold: 0.5 }', (3,))
    assert layer(torch.tensor([0.4, 0.5, 0.6])).tolist() == [0, 0, 1]


def test_relu_is_torchs_own():
    x = normal(3)
    assert OneLayer('type: "ReLU"', (3,))(x).grad_fn.name() == "ReluBackward0"


def dropout(ratio: float, phase: str = "TRAIN") -> Net:
    return Net.from_text(
        'layer { name: "in" type: "Input" top: "x" input_param { shape { dim: 10000 } } }'
        f'layer {{ name: "d" type: "Dropout" bottom: "x" top: "y" dropout_param {{ dropout_ratio: {ratio} }} }}',
        phase=phase,
        seed=3,
    )


def run(net: Net) -> torch.Tensor:
    return net({"x": torch.ones(10000)})[1]["y"]


def test_dropout_draws_anew_and_repeats_by_seed():
    net, twin = dropout(0.3), dropout(0.3)
    first = run(net)
    assert not first.equal(run(net))
    assert first.equal(run(twin))
    assert sorted(set(first.tolist())) == pytest.approx([0, 1 / 0.7])
    assert (first == 0).float().mean().item() == pytest.approx(0.3, abs=0.02)


def test_dropout_copies_outside_of_training():
    assert run(dropout(0.3, "TEST")).equal(torch.ones(10000))
    assert run(dropout(1, "TEST")).equal(torch.ones(10000))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('type: "Dropout" dropout_param { dropout_ratio: 1.5 }', r":\d+: .*dropout_ratio 1.5 is not between 0 and 1"),
        ('type: "Dropout" dropout_param { dropout_ratio: 1 }', r":\d+: .*dropout_ratio 1 drops every value"),
        ('type: "Exp" exp_param { base: 0 }', r"base must be positive, or -1 for e, not 0"),
        ('type: "Log" log_param { base: 1 }', r"base 1 has no logarithm"),
    ],
)
def test_settings_that_make_no_sense(text, message):
    with pytest.raises(ConfigError, match=message):
        OneLayer(text, (2, 3))
