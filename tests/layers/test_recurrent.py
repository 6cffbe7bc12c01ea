import pytest
import torch
from one_layer import OneLayer, normal
from torch import nn

from solver_cli.errors import ConfigError

STEPS, STREAMS, DIM, SIZE = 5, 2, 3, 4


def recurrent(type_, *more, steps=STEPS, streams=STREAMS, expose=False, dim=DIM):
    """A layer; `more`: shapes of further bottoms."""
    text = f'type: "{type_}" recurrent_param {{ num_output: {SIZE} expose_hidden: {str(expose).lower()} }}'
    states = {"LSTM": 2, "RNN": 1}[type_] if expose else 0
    return OneLayer(text, (steps, streams, dim), (steps, streams), *more, tops=1 + states)


def markers(*starts, steps=STEPS, streams=STREAMS):
    """1 everywhere but at the (step, stream) pairs where a sequence starts."""
    m = torch.ones(steps, streams, dtype=torch.float64)
    for at in starts:
        m[at] = 0
    return m


def test_lstm_is_torchs_with_its_gates_in_another_order():
    layer = recurrent("LSTM")
    theirs = nn.LSTM(DIM, SIZE).double()
    weight_x, bias, weight_h = layer.params
    order = [0, 1, 3, 2]  # Caffe: input, forget, output, candidate; torch: input, forget, candidate, output
    with torch.no_grad():
        for blob, ours in ((theirs.weight_ih_l0, weight_x), (theirs.weight_hh_l0, weight_h), (theirs.bias_ih_l0, bias)):
            blob.copy_(torch.cat([ours.chunk(4)[i] for i in order]))
        theirs.bias_hh_l0.zero_()
    x = normal(STEPS, STREAMS, DIM)
    top, expected = layer(x, markers()), theirs(x)[0]
    torch.testing.assert_close(top, expected)
    grads = [torch.autograd.grad(t.square().sum(), x)[0] for t in (top, expected)]
    torch.testing.assert_close(*grads)


def test_rnn_is_torchs_with_one_more_layer_on_top():
    layer = recurrent("RNN")
    theirs = nn.RNN(DIM, SIZE).double()
    weight_x, bias, weight_h, weight_o, bias_o = layer.params
    with torch.no_grad():
        theirs.weight_ih_l0.copy_(weight_x)
        theirs.weight_hh_l0.copy_(weight_h)
        theirs.bias_ih_l0.copy_(bias)
        theirs.bias_hh_l0.zero_()
    x = normal(STEPS, STREAMS, DIM)
    torch.testing.assert_close(layer(x, markers()), torch.tanh(theirs(x)[0] @ weight_o.t() + bias_o))


@pytest.mark.parametrize("type_", ["LSTM", "RNN"])
@pytest.mark.parametrize("static", [False, True])
def test_gradients_are_the_derivative(type_, static):
    layer = recurrent(type_, *[(STREAMS, 2)] * static)
    more = [normal(STREAMS, 2, seed=2)] * static
    assert layer.gradcheck(normal(STEPS, STREAMS, DIM), markers((0, 0), (3, 1)), *more)


@pytest.mark.parametrize("type_", ["LSTM", "RNN"])
def test_a_marker_of_0_cuts_its_own_stream(type_):
    """As if the sequence began there, and nothing reaches back over the cut."""
    layer, later = recurrent(type_), recurrent(type_, steps=STEPS - 2)
    x = normal(STEPS, STREAMS, DIM)
    whole = layer(x, markers())
    layer.module.reset()
    cut = layer(x, markers((2, 1)))
    torch.testing.assert_close(cut[:, 0], whole[:, 0])
    torch.testing.assert_close(cut[2:, 1], later(x[2:], markers(steps=STEPS - 2))[:, 1])
    (grad,) = torch.autograd.grad(cut[2:, 1].sum(), x)
    assert not grad[:2].any() and grad[2:, 1].all()


@pytest.mark.parametrize("type_", ["LSTM", "RNN"])
def test_the_state_goes_from_batch_to_batch_without_gradient(type_):
    layer, halves = recurrent(type_, steps=6), recurrent(type_, steps=3)
    x = normal(6, STREAMS, DIM)
    whole = layer(x, markers(steps=6))
    first, second = halves(x[:3], markers(steps=3)), halves(x[3:], markers(steps=3))
    torch.testing.assert_close(torch.cat([first, second]), whole)
    (grad,) = torch.autograd.grad(second.sum(), x)
    assert not grad[:3].any() and grad[3:].all()


@pytest.mark.parametrize("type_", ["LSTM", "RNN"])
def test_the_state_keeps_no_steps_alive(type_):
    layer = recurrent(type_, streams=1)
    layer(normal(STEPS, 1, DIM), markers(streams=1))
    assert all(s.untyped_storage().nbytes() == 8 * SIZE for s in layer.module.state)


@pytest.mark.parametrize("first", [0.0, 1.0])
def test_lstm_in_one_operation_is_that_of_single_steps(first):
    """float32 without a break behind the first step, and float64; the second pass goes on from the state."""
    layer, exact = recurrent("LSTM"), recurrent("LSTM")
    layer.module.float()
    keep = torch.cat([torch.tensor([[first, 1.0]]), torch.ones(STEPS - 1, STREAMS)])
    zeros = torch.zeros(STEPS, STREAMS, DIM), torch.zeros(1, STREAMS, SIZE)
    assert layer.module.in_one(zeros[0], keep, [zeros[1]] * 2)
    assert not layer.module.in_one(zeros[0], markers((2, 0)).float(), [zeros[1]] * 2)
    for seed in (0, 1):
        x = normal(STEPS, STREAMS, DIM, seed=seed)
        tops = [layer.module(x.float(), keep), exact.module(x, keep.double())]
        torch.testing.assert_close(tops[0].double(), tops[1], rtol=1e-5, atol=1e-6)
        grads = [
            torch.autograd.grad(top.square().sum(), [x, *one.params]) for top, one in zip(tops, (layer, exact), strict=True)
        ]
        for one, other in zip(*grads, strict=True):
            torch.testing.assert_close(one.double(), other, rtol=1e-4, atol=1e-6)


def test_a_fractional_marker_scales_what_was_before():
    """h and c by half, as if the first states were half as large; Caffe's gradient of the forget gate is left aside."""
    layer = recurrent("LSTM", *[(1, STREAMS, SIZE)] * 2, steps=1, expose=True)
    x, h, c = normal(1, STREAMS, DIM), normal(1, STREAMS, SIZE, seed=1), normal(1, STREAMS, SIZE, seed=2)
    one = markers(steps=1)
    for found, expected in zip(layer(x, one / 2, h, c), layer(x, one, h / 2, c / 2), strict=True):
        torch.testing.assert_close(found, expected)


@pytest.mark.parametrize("type_", ["LSTM", "RNN"])
def test_reset_and_another_number_of_streams_start_from_0(type_):
    layer = recurrent(type_)
    x, other = normal(STEPS, STREAMS, DIM), normal(STEPS, 3, DIM)
    fresh = layer(x, markers())
    assert not torch.allclose(layer(x, markers()), fresh)
    layer.module.reset()
    torch.testing.assert_close(layer(x, markers()), fresh)
    assert layer(other, markers(streams=3)).shape == (STEPS, 3, SIZE)
    torch.testing.assert_close(layer(x, markers()), fresh)


def test_a_saved_state_goes_on_where_it_was():
    layer, again = recurrent("LSTM"), recurrent("LSTM")
    x = normal(STEPS, STREAMS, DIM)
    layer(x, markers())
    again.module.state = tuple(s.clone() for s in layer.module.state)
    torch.testing.assert_close(again(x, markers()), layer(x, markers()))


@pytest.mark.parametrize("type_", ["LSTM", "RNN"])
def test_a_pass_for_shapes_leaves_the_state_alone(type_):
    layer = recurrent(type_)
    x = normal(STEPS, STREAMS, DIM)
    layer(x, markers())
    before = layer.module.state
    assert all(s.shape == (1, STREAMS, SIZE) for s in before)
    layer.module.to("meta")(x.to("meta"), markers().to("meta"))
    assert layer.module.state is before


@pytest.mark.parametrize("type_, states", [("LSTM", 2), ("RNN", 1)])
def test_exposed_states_are_the_carried_ones_without_gradient(type_, states):
    """Last states as first states of the next pass, by hand."""
    inside, outside = recurrent(type_), recurrent(type_, *[(1, STREAMS, SIZE)] * states, expose=True)
    x = normal(STEPS, STREAMS, DIM)
    first = [torch.zeros(1, STREAMS, SIZE, dtype=torch.float64, requires_grad=True)] * states
    top, *last = outside(x, markers(), *first)
    torch.testing.assert_close(top, inside(x, markers()))
    assert not any(s.requires_grad for s in last)
    assert torch.autograd.grad(top.sum(), first[0], allow_unused=True, retain_graph=True) == (None,)
    torch.testing.assert_close(outside(x, markers(), *last)[0], inside(x, markers()))


@pytest.mark.parametrize("type_", ["LSTM", "RNN"])
def test_a_static_input_joins_every_step(type_):
    """As if it were part of x at each of them."""
    apart, joined = recurrent(type_, (STREAMS, 2)), recurrent(type_, dim=DIM + 2)
    weight_x, bias, weight_static, *rest = apart.params
    with torch.no_grad():
        for blob, value in zip(joined.params, [torch.cat([weight_x, weight_static], 1), bias, *rest], strict=True):
            blob.copy_(value)
    x, static = normal(STEPS, STREAMS, DIM), normal(STREAMS, 2, seed=1)
    both = torch.cat([x, static.expand(STEPS, STREAMS, 2)], 2)
    torch.testing.assert_close(apart(x, markers(), static), joined(both, markers()))


def test_lstm_unit_gradients_are_the_derivative_for_markers_0_and_1():
    layer = OneLayer('type: "LSTMUnit"', (1, 3, 2), (1, 3, 8), (1, 3), tops=2)
    keep = torch.tensor([[1.0, 0, 1]], dtype=torch.float64)
    assert layer.gradcheck(normal(1, 3, 2), normal(1, 3, 8, seed=1), keep)


def test_lstm_unit_scales_the_forget_gate_by_a_fractional_marker_and_takes_the_scaled_gates_slope():
    layer = OneLayer('type: "LSTMUnit"', (1, 1, 1), (1, 1, 4), (1, 1), tops=2)
    gates = torch.zeros(1, 1, 4, dtype=torch.float64, requires_grad=True)
    cell, _ = layer(torch.full((1, 1, 1), 3.0).double(), gates, torch.full((1, 1), 0.5).double())
    assert cell.item() == 0.75  # 3 * 0.5 * sigmoid(0)
    cell.sum().backward()
    assert gates.grad[0, 0, 1].item() == 3 * 0.25 * (1 - 0.25)


@pytest.mark.parametrize(
    "type_, shapes, settings, tops, message",
    [
        ("LSTM", [(3, 2, 4), (3, 2)], "", 1, "num_output must be positive"),
        ("LSTM", [(3, 2, 4), (3, 3)], "num_output: 2", 1, r"the markers must have the shape \(3, 2\)"),
        ("LSTM", [(3, 2), (3, 2)], "num_output: 2", 1, "at least 3 axes"),
        ("LSTM", [(3, 2, 4), (3, 2), (3, 4)], "num_output: 2", 1, "the static input must have the shape"),
        ("LSTM", [(3, 2, 4), (3, 2)], "num_output: 2", 2, "2 bottoms and 2 tops: with expose_hidden: false expected"),
        ("LSTM", [(3, 2, 4), (3, 2)], "num_output: 2 expose_hidden: true", 3, "expected 4 bottoms, or 5"),
        ("RNN", [(3, 2, 4), (3, 2), (1, 2, 3)], "num_output: 2 expose_hidden: true", 2, "first states must have the shape"),
    ],
)
def test_refused_layers_say_why(type_, shapes, settings, tops, message):
    with pytest.raises(ConfigError, match=message):
        OneLayer(f'type: "{type_}" recurrent_param {{ {settings} }}', *shapes, tops=tops)


def test_lstm_unit_refuses_shapes_that_do_not_go_together():
    with pytest.raises(ConfigError, match="the bottoms must have the shapes"):
        OneLayer('type: "LSTMUnit"', (1, 3, 2), (1, 3, 6), (1, 3), tops=2)
