"""Layers of forks of Caffe: what their recorded cases do not show. Pieces, resumed runs, weights, what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from one_layer import OneLayer, dims, normal, spread
from torch import Tensor

from solver_cli import Net
from solver_cli.caffe_pb2 import LayerParameter, NetParameter
from solver_cli.errors import ConfigError, DataError, SnapshotError
from solver_cli.formats import caffemodel
from solver_cli.net.carried import Carried
from solver_cli.passes.passes import forward_backward
from solver_cli.passes.pieces import Pieces


def net_of(layer: str, *shapes: tuple[int, ...], tops: int = 1, phase: str = "TRAIN", head: str = "") -> Net:
    """A net of inputs x0, x1, ... and a layer `test` with tops y0, y1, ..."""
    inputs = "".join(
        f'layer {{ name: "in{i}" type: "Input" top: "x{i}" input_param {{ shape {{ {dims(shape)} }} }} }}\n'
        for i, shape in enumerate(shapes)
    )
    blobs = "".join(f'bottom: "x{i}" ' for i in range(len(shapes))) + "".join(f'top: "y{i}" ' for i in range(tops))
    return Net.from_text(f'{inputs}layer {{ name: "test" {blobs}{layer} }}\n{head}', phase=phase, seed=1)


# -- statistics -----------------------------------------------------------------------------------------------------

NV = 'type: "BatchNorm" batch_norm_param { scale_bias: true moving_average_fraction: 0.9 }'
YJXIONG = 'type: "BN" bn_param { momentum: 0.9 slope_filler { value: 1 } }'


@pytest.mark.parametrize("text", [NV, YJXIONG])
def test_statistics_of_a_resumed_run_are_those_of_one_that_went_on(text: str) -> None:
    batches = [{"x0": torch.randn(4, 3, 2, 2, generator=torch.Generator().manual_seed(i))} for i in range(5)]
    whole, begun, resumed = (net_of(text, (4, 3, 2, 2)) for _ in range(3))
    for batch in batches:
        whole(batch)
    for batch in batches[:3]:
        begun(batch)
    for mine, theirs in zip(resumed.learned, begun.learned, strict=True):
        mine.blob.data.copy_(theirs.blob)
    Carried(resumed).restore(Carried(begun).state())
    for batch in batches[3:]:
        resumed(batch)
    for mine, theirs in zip(resumed.learned, whole.learned, strict=True):
        assert mine.blob.equal(theirs.blob)


@pytest.mark.parametrize("left_out", ["mean", "variance"])
def test_half_a_batch_norm_of_normface(left_out: str) -> None:
    """The fork's backward pass, term by term, and what is kept of two batches for testing."""
    text = f'type: "BatchNorm" batch_norm_param {{ disable_{left_out}: true moving_average_fraction: 0.5 }}'
    net, kept = net_of(text, (4, 3, 2, 5)), [torch.zeros(3), torch.zeros(3)]
    for seed in range(2):
        x, dy = (torch.randn(4, 3, 2, 5, generator=torch.Generator().manual_seed(2 * seed + i)) + i for i in (1, 0))
        x.requires_grad_()
        y = net({"x0": x})[1]["y0"]
        (found,) = torch.autograd.grad(y, x, dy)

        def mean(values: Tensor) -> Tensor:
            return values.mean((0, 2, 3), keepdim=True)

        z = x.detach()
        if left_out == "mean":
            deviation = (mean(z**2) + 1e-5).sqrt()
            wanted, gradient = z / deviation, (dy - mean(dy * z / deviation) * z / deviation) / deviation
            kept[1] = 0.5 * kept[1] + mean(z**2).flatten() * 40 / 39
        else:
            wanted, gradient = z - mean(z), dy - mean(dy)
            kept[0] = 0.5 * kept[0] + mean(z).flatten()
        torch.testing.assert_close(y.detach(), wanted, rtol=1e-5, atol=1e-5)
        torch.testing.assert_close(found, gradient, rtol=1e-5, atol=1e-5)
    for blob, sums in zip(net.params["test"], [*kept, torch.tensor([1.5])], strict=True):
        torch.testing.assert_close(blob.detach(), sums)
    tested = net_of(text, (4, 3, 2, 5), phase="TEST")
    tested.share_with(net)
    centre, deviation = kept[0] / 1.5, 1 if left_out == "variance" else (kept[1] / 1.5 + 1e-5).sqrt().view(3, 1, 1)
    torch.testing.assert_close(tested({"x0": z})[1]["y0"].detach(), (z - centre.view(3, 1, 1)) / deviation)


def test_rates_that_a_fork_sets_count_whatever_the_text_says(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    rates = "".join(f" param {{ lr_mult: {rate} }}" for rate in (2, 3, 1, 1))
    net = net_of(YJXIONG + rates, (4, 3, 2, 2))
    assert [learned.lr_mult for learned in net.learned] == [2, 3, 0, 0]
    assert "param[2].lr_mult: 1 is not looked at, BN makes it 0" in caplog.text
    frozen = net_of('type: "BN" bn_param { frozen: true }', (4, 3, 2, 2))
    assert [learned.lr_mult for learned in frozen.learned] == [0, 0, 0, 0]
    assert [learned.lr_mult for learned in net_of(NV + " param { lr_mult: 5 }", (4, 3, 2, 2)).learned] == [0, 0, 0, 1, 1]


def test_intels_statistics_of_parts_of_the_batch() -> None:
    text = 'type: "BatchNorm" batch_norm_param { stats_batch_size: 2 use_weight_bias: false moving_average_fraction: 0.5 }'
    layer, x = OneLayer(text, (4, 3, 2, 2)), normal(4, 3, 2, 2)
    parts = [F.batch_norm(part, None, None, training=True) for part in x.split(2)]
    torch.testing.assert_close(layer(x), torch.cat(parts))
    means = [part.mean((0, 2, 3)) for part in x.detach().split(2)]
    torch.testing.assert_close(layer.params[0].detach(), 0.5 * means[0] + means[1])
    assert layer.params[2].item() == 1.5 and layer.gradcheck(x)


def test_intels_weights_and_relu() -> None:
    layer = OneLayer('type: "BatchNorm" batch_norm_param { filler { value: 2 } relu: true }', (4, 3, 2, 2))
    x = normal(4, 3, 2, 2)
    assert len(layer.params) == 5
    wanted = F.batch_norm(x, None, None, layer.params[3], layer.params[4], training=True).relu()
    torch.testing.assert_close(layer(x), wanted)
    with pytest.raises(ConfigError, match="stats_batch_size 3 does not divide the batch of 4"):
        OneLayer('type: "BatchNorm" batch_norm_param { stats_batch_size: 3 }', (4, 3, 2, 2))


# -- weights --------------------------------------------------------------------------------------------------------


def write_weights(path: Path, *blobs: np.ndarray[Any, Any]) -> str:
    caffemodel.write(path, NetParameter(layer=[LayerParameter(name="test", type="BN")]), [list(blobs)])
    return str(path)


@pytest.mark.parametrize("shape", [(3,), (1, 3), (1, 3, 1, 1)])
def test_a_number_for_each_channel_has_any_shape_in_a_file(tmp_path: Path, shape: tuple[int, ...]) -> None:
    net = net_of(YJXIONG, (4, 3, 2, 2))
    blobs = [np.arange(3, dtype=np.float32).reshape(shape) + i for i in range(4)]
    net.load(write_weights(tmp_path / "w", *blobs))
    assert [blob.flatten().tolist() for blob in net.params["test"]] == [[i, i + 1, i + 2] for i in range(4)]


def test_blobs_of_nvcaffe_0_15_come_in_another_order(tmp_path: Path) -> None:
    net = net_of(NV, (4, 3, 2, 2))
    blobs = [np.full(n, i, np.float32) for i, n in enumerate((3, 3, 3, 3, 1))]  # scale, bias, mean, variance, nothing
    net.load(write_weights(tmp_path / "w", *blobs))
    assert [blob[0].item() for blob in net.params["test"]] == [2, 3, 4, 0, 1]


def test_a_file_with_another_forks_blobs_says_how_to_choose(tmp_path: Path) -> None:
    weights = write_weights(tmp_path / "w", *[np.ones((1, 3, 1, 1), np.float32)] * 2)
    with pytest.raises(SnapshotError, match=r"has 2 blob\(s\) in the file, .* whose BN it is \(--dialect\)"):
        net_of('type: "BN"', (4, 3, 2, 2)).load(weights)


# -- chance ---------------------------------------------------------------------------------------------------------

STOCHASTIC = 'type: "Pooling" pooling_param { pool: STOCHASTIC kernel_size: 2 stride: 2 }'
HEAD = 'layer { name: "loss" type: "Power" bottom: "y0" top: "loss" loss_weight: 1 power_param { power: 2 } }'


def test_stochastic_pooling_draws_each_value_with_its_share() -> None:
    layer = OneLayer(STOCHASTIC, (20000, 1, 2, 2))
    values = torch.tensor([1.0, 2.0, 3.0, 4.0], dtype=torch.float64)
    top = layer(values.view(1, 1, 2, 2).expand(20000, 1, 2, 2)).flatten()
    shares = torch.stack([(top == value).double().mean() for value in values])
    torch.testing.assert_close(shares, values / 10, atol=0.015, rtol=0)
    expected = OneLayer(STOCHASTIC, (1, 1, 2, 2), phase="TEST")
    assert expected(values.view(1, 1, 2, 2)).item() == pytest.approx(3.0)
    assert expected(torch.zeros(1, 1, 2, 2, dtype=torch.float64)).item() == 0


def test_stochastic_pooling_at_the_edge_and_of_zeros() -> None:
    layer = OneLayer('type: "Pooling" pooling_param { pool: STOCHASTIC kernel_size: 3 stride: 2 }', (2, 1, 4, 4))
    x = spread(2, 1, 4, 4).abs().detach().requires_grad_()
    top = layer(x)
    assert top.shape == (2, 1, 2, 2) and torch.isin(top, x).all()
    top.sum().backward()
    assert x.grad is not None and x.grad.sum() == top.numel()
    assert not layer(torch.zeros(2, 1, 4, 4, dtype=torch.float64)).any()


@pytest.mark.parametrize("text", [STOCHASTIC, 'type: "Dropout"'])
def test_a_batch_in_pieces_is_drawn_like_the_whole(text: str) -> None:
    x = torch.rand(6, 2, 4, 4)
    whole, pieces = (net_of(text, (6, 2, 4, 4), head=HEAD) for _ in range(2))
    wanted, _ = forward_backward(whole, [{"x0": x}])
    found, _ = forward_backward(pieces, [{"x0": x}], Pieces(pieces, 2))
    assert found.item() == pytest.approx(wanted.item(), rel=1e-6)


def test_dropout_in_testing_where_the_text_says_so() -> None:
    layer = OneLayer('type: "Dropout" dropout_param { sample_weights_test: true }', (100, 10), phase="TEST")
    top = layer(torch.ones(100, 10, dtype=torch.float64))
    assert set(top.flatten().tolist()) == {0, 2}


# -- windows --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["hole: 2", "hole_h: 2 hole_w: 2", "dilation_h: 2 dilation_w: 2"])
def test_holes_are_dilation(text: str) -> None:
    settings = "num_output: 2 kernel_size: 3"
    layer, plain = (
        OneLayer(f'type: "Convolution" convolution_param {{ {settings} {more} }}', (1, 2, 7, 7))
        for more in (text, "dilation: 2")
    )
    x = normal(1, 2, 7, 7)
    torch.testing.assert_close(layer(x), plain(x))


@pytest.mark.parametrize(
    "text, message",
    [
        ("hole: 2 dilation: 2", "hole and dilation mean the same"),
        ("hole: 0", "a hole must be positive"),
        ("hole_h: 2", "give hole, or over two spatial axes both hole_h and hole_w"),
    ],
)
def test_holes_that_are_refused(text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        OneLayer(f'type: "Convolution" convolution_param {{ num_output: 2 kernel_size: 3 {text} }}', (1, 2, 7, 7))


def test_of_values_that_upsample_puts_to_one_place_the_last_stays() -> None:
    layer = OneLayer('type: "Upsample"', (1, 2, 90, 90), (1, 2, 90, 90))
    values, index = torch.arange(16200.0).view(1, 2, 90, 90), torch.arange(8100.0).remainder(7).expand(1, 2, 8100)
    wanted = torch.zeros(2, 180 * 180)
    wanted[:, :7] = torch.stack([row[i::7][-1] for row in values.view(2, -1) for i in range(7)]).view(2, 7)
    torch.testing.assert_close(layer(values, index.reshape(1, 2, 90, 90)).view(2, -1), wanted)


def test_upsample_undoes_pooling_and_names_a_place_outside() -> None:
    x = spread(2, 3, 4, 6)
    values, index = F.max_pool2d(x, 2, return_indices=True)
    layer = OneLayer('type: "Upsample"', (2, 3, 2, 3), (2, 3, 2, 3))
    torch.testing.assert_close(layer(values, index.double()), F.max_unpool2d(values, index, 2))
    with pytest.raises(DataError, match="place 24 lies outside of the top's 4 x 6 values"):
        layer(values, index.double() + 1 + (index.double() == index.max()) * (23 - index.max()))


@pytest.mark.parametrize(
    "text, shapes, message",
    [
        ('type: "Upsample" upsample_param { scale: 3 pad_out_h: true }', [(1, 1, 2, 2)] * 2, "pad_out_h goes with scale 2"),
        ('type: "Upsample" upsample_param { upsample_h: 4 }', [(1, 1, 2, 2)] * 2, "give both upsample_h and upsample_w"),
        ('type: "Upsample" upsample_param { upsample_h: 4 }', [(1, 1, 2, 2)], "take upsample_h out"),
        ('type: "Interp" interp_param { pad_beg: 1 }', [(1, 1, 5, 5)], "pad_beg must be 0 or less"),
        ('type: "Interp"', [(1, 1, 5, 5)], "no size: give height and width"),
        ('type: "Interp" interp_param { zoom_factor: 2 pad_end: -5 }', [(1, 1, 5, 5)], "nothing is left"),
        ('type: "ShuffleChannel" shuffle_channel_param { group: 2 }', [(1, 3, 2, 2)], "group 2 must divide the channels"),
        ('type: "Axpy"', [(1, 2), (1, 3, 2, 2), (1, 3, 2, 2)], "one number for each record and channel"),
        ('type: "BN" bn_param { scale_filler { value: 1 } eps: 1 }', [(2, 3, 2, 2)], "the BN of SegNet has no eps"),
    ],
)
def test_refused(text: str, shapes: list[tuple[int, ...]], message: str) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        OneLayer(text, *shapes)
    assert caught.value.where is not None


# -- losses and faces -----------------------------------------------------------------------------------------------


def test_class_weights_must_be_one_for_each_class() -> None:
    text = 'type: "SoftmaxWithLoss" loss_param { weight_by_label_freqs: true class_weighting: 1 }'
    with pytest.raises(ConfigError, match="1 class_weighting for 3 classes"):
        OneLayer(text, (4, 3), (4,))


def test_a_batch_without_labels_that_count_is_nan_as_in_segnet() -> None:
    text = 'type: "SoftmaxWithLoss" loss_param { class_weighting: 1 ignore_label: 1 }'
    assert OneLayer(text, (4, 3), (4,))(normal(4, 3), torch.ones(4, dtype=torch.float64)).isnan()


@pytest.mark.parametrize(
    "text, tops",
    [
        ('type: "MarginInnerProduct" margin_inner_product_param { num_output: 3 type: DOUBLE base: 10 gamma: 1 }', 2),
        ('type: "LabelSpecificAdd" label_specific_add_param { bias_base: -0.1 bias_gamma: -0.05 bias_min: -1 }', 2),
    ],
)
def test_a_counter_goes_on_where_a_run_is_resumed(text: str, tops: int) -> None:
    batch = {"x0": torch.randn(4, 3, generator=torch.Generator().manual_seed(0)), "x1": torch.tensor([0.0, 1.0, 2.0, 0.0])}
    whole, begun, resumed = (net_of(text, (4, 3), (4,), tops=tops) for _ in range(3))
    wanted = [whole(batch)[1]["y1"].item() for _ in range(4)]
    begun(batch), begun(batch)
    Carried(resumed).restore(Carried(begun).state())
    assert len(set(wanted)) == 4
    assert [resumed(batch)[1]["y1"].item() for _ in range(2)] == wanted[2:]


def test_a_weight_and_a_bias_from_below() -> None:
    layer = OneLayer('type: "InnerProduct"', (4, 6), (3, 6), (3,))
    x, weight, bias = normal(4, 6), normal(3, 6, seed=1), normal(3, seed=2)
    torch.testing.assert_close(layer(x, weight, bias), F.linear(x, weight, bias))
    own = OneLayer('type: "InnerProduct"', (4, 6), (3, 6))
    assert [tuple(blob.shape) for blob in own.params] == [(3,)] and own.gradcheck(x, weight)
    with pytest.raises(ConfigError, match="does not fit the 6 values of each row"):
        OneLayer('type: "InnerProduct"', (4, 6), (3, 5))


@pytest.mark.parametrize("kind", ["L1", "L2"])
def test_the_norm_has_a_gradient_with_bp_norm_only(kind: str) -> None:
    text = f'type: "Normalize" normalize_param {{ normalize_type: "{kind}" bp_norm: true }}'
    assert OneLayer(text, (2, 3, 2, 1), tops=2).gradcheck(normal(2, 3, 2, 1))
    plain = OneLayer(text.replace("bp_norm: true", ""), (2, 3, 2, 1), tops=2)
    assert not plain(normal(2, 3, 2, 1))[1].requires_grad


def test_fix_gradient_leaves_the_norm_out() -> None:
    text = 'type: "Normalize" normalize_param { fix_gradient: %s }'
    x, found = normal(2, 3, 1, 1), []
    for flag in ("true", "false"):
        top = OneLayer(text % flag, (2, 3, 1, 1))(x)
        found.append(torch.autograd.grad(top, x, normal(2, 3, 1, 1, seed=3, grad=False))[0])
    torch.testing.assert_close(found[0], found[1] * (x.square().sum(1, keepdim=True) + 1e-6).sqrt())


def test_labels_outside_of_the_classes() -> None:
    labels = torch.tensor([0, 5], dtype=torch.float64)
    for text in ('type: "CenterLoss" center_loss_param { num_output: 3 }', 'type: "LabelSpecificAdd"'):
        with pytest.raises(DataError, match="label 5"):
            OneLayer(text, (2, 3), (2,))(normal(2, 3), labels)


# -- Lstm -----------------------------------------------------------------------------------------------------------


def test_lstm_goes_on_with_markers_only() -> None:
    text = 'type: "Lstm" lstm_param { num_output: 2 batch_size: 2 weight_filler { type: "gaussian" std: 0.5 } }'
    x: Tensor = normal(12, 3, grad=False)
    whole = OneLayer(text, (12, 3), (12,))
    parts = OneLayer(text, (6, 3), (6,))
    markers = torch.ones(12, dtype=torch.float64)
    markers[:2] = 0
    markers[7] = 0  # stream 1 starts again in step 3
    wanted = whole(x, markers)
    found = torch.cat([parts(x[:6], markers[:6]), parts(x[6:], markers[6:])])
    torch.testing.assert_close(found, wanted)
    alone = OneLayer(text, (6, 3))
    torch.testing.assert_close(alone(x[:6]), alone(x[:6]))
    assert alone.gradcheck(normal(6, 3))


def test_lstm_refuses_rows_that_are_no_steps_of_its_streams() -> None:
    with pytest.raises(ConfigError, match="not one row for each step of batch_size 4 streams"):
        OneLayer('type: "Lstm" lstm_param { num_output: 2 batch_size: 4 }', (6, 3))


# -- without recorded cases -----------------------------------------------------------------------------------------


def test_selu() -> None:
    x = normal(3, 4)
    torch.testing.assert_close(OneLayer('type: "SeLu"', (3, 4))(x), F.selu(x), atol=1e-6, rtol=1e-6)


def test_spatial_dropout_drops_whole_channels() -> None:
    layer = OneLayer('type: "SpatialDropout" dropout_param { dropout_ratio: 0.25 }', (50, 40, 2, 2))
    top = layer(torch.ones(50, 40, 2, 2, dtype=torch.float64)).flatten(2)
    assert top.equal(top[:, :, :1].expand_as(top)) and set(top.flatten().tolist()) == {0.0, 1 / 0.75}
    assert (top == 0).double().mean().item() == pytest.approx(0.25, abs=0.05)
    with pytest.raises(ConfigError, match="does not look at it and drops"):
        OneLayer('type: "SpatialDropout" spatial_dropout_param { dropout_ratio: 0.3 }', (2, 3))


def test_triplet_loss() -> None:
    a, p, n = (normal(4, 3, seed=i) for i in range(3))
    layer = OneLayer('type: "TripletLoss" triplet_loss_param { margin: 0.5 }', *[(4, 3)] * 3)
    near, far = ((a - x).square().sum(1) for x in (p, n))
    torch.testing.assert_close(layer(a, p, n), (0.5 + near - far).clamp(min=0).sum() / 8)
    assert layer.gradcheck(a, p, n)


def test_ctc_loss_leaves_the_blanks_among_labels_out() -> None:
    text = 'type: "CtcLoss" ctc_loss_param { alphabet_size: 4 time_step: 5 blank_label: 3 }'
    layer, x = OneLayer(text, (6, 3, 4), (3, 4)), normal(6, 3, 4)
    labels = torch.tensor([[0, 3, 1, 3], [2, 2, 3, 3], [3, 3, 3, 0]])
    packed = torch.tensor([[0, 1], [2, 2], [0, 0]])
    sizes = torch.full((3,), 5), torch.tensor([2, 2, 1])
    wanted = F.ctc_loss(x[:5].log_softmax(2), packed, *sizes, blank=3, reduction="none").mean()
    torch.testing.assert_close(layer(x, labels.double()), wanted)
    short = OneLayer(text.replace("time_step: 5", "time_step: 2"), (6, 3, 4), (3, 4))
    assert short(x, labels.double()).isfinite()  # the second has no room: it takes three steps
    with pytest.raises(DataError, match="label 9"):
        layer(x, labels.double() * 3)


@pytest.mark.parametrize("mode", ["NONE", "MULTICLASS", "MULTICLASS_WEIGHTED", "MULTICLASS_WEIGHTED_BATCH"])
def test_dice_coefficient(mode: str) -> None:
    layer = OneLayer(f'type: "DiceCoefLoss" dice_coef_loss_param {{ generalization: {mode} }}', (2, 3, 2, 2), (2, 1, 2, 2))
    p, labels = normal(2, 3, 2, 2), torch.tensor([[0, 1, 1, 2], [2, 2, 2, 0]], dtype=torch.float64).view(2, 1, 2, 2)
    t = F.one_hot(labels.long().squeeze(1), 3).movedim(3, 1).double()
    places = t.sum((2, 3), keepdim=True) + 1
    if mode.endswith("BATCH"):
        places = places.mean(0, keepdim=True)
    w, s = (places**-2, 0.0) if "WEIGHTED" in mode else (torch.ones(()), 0.5)
    shares = (s + 2 * (w * p * t).sum((1, 2, 3))) / (s + (w * (p * p + t)).sum((1, 2, 3)))
    torch.testing.assert_close(layer(p, labels), 1 - shares.mean())
    (found,) = torch.autograd.grad(layer(p, labels), p)
    (derivative,) = torch.autograd.grad(1 - shares.mean(), p)
    torch.testing.assert_close(found, 2 * derivative)  # the fork does not divide by the batch


FACES = """
layer { name: "conv" type: "InnerProduct" bottom: "x0" top: "conv" inner_product_param { num_output: 6
  weight_filler { type: "xavier" } } }
layer { name: "feature" type: "InnerProduct" bottom: "conv" top: "feature" inner_product_param { num_output: 5
  normalize: true weight_filler { type: "xavier" } } }
layer { name: "centre" type: "CenterLoss" bottom: "feature" bottom: "x1" top: "centre" loss_weight: 0.1
  center_loss_param { num_output: 3 center_filler { type: "xavier" } } }
layer { name: "margin" type: "MarginInnerProduct" bottom: "feature" bottom: "x1" top: "margin"
  margin_inner_product_param { num_output: 3 type: TRIPLE lambda_min: 5 weight_filler { type: "xavier" } } }
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "margin" bottom: "x1" top: "loss" }
"""


def test_a_net_of_faces_in_pieces() -> None:
    batch = {"x0": torch.randn(6, 4), "x1": torch.tensor([0.0, 1, 2, 0, 1, 1])}
    inputs = "".join(
        f'layer {{ name: "in{i}" type: "Input" top: "x{i}" input_param {{ shape {{ {dims(shape)} }} }} }}\n'
        for i, shape in enumerate([(6, 4), (6,)])
    )
    whole, pieces = (Net.from_text(inputs + FACES, seed=1) for _ in range(2))
    wanted, _ = forward_backward(whole, [batch])
    found, _ = forward_backward(pieces, [batch], Pieces(pieces, 2))
    torch.testing.assert_close(found, wanted)
    for mine, theirs in zip(pieces.learned, whole.learned, strict=True):
        torch.testing.assert_close(mine.blob, theirs.blob)
        torch.testing.assert_close(mine.blob.grad, theirs.blob.grad)
