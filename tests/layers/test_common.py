"""Layers that join, cut, reorder and reduce blobs: their gradients, and Caffe's rules for shapes and ties."""

from __future__ import annotations

import math

import pytest
import torch
from one_layer import OneLayer, normal

from solver_cli.errors import ConfigError, DataError


@pytest.mark.parametrize(
    ("text", "shapes"),
    [
        ('type: "Bias"', [(2, 3, 2)]),
        ('type: "Bias" bias_param { axis: -2 }', [(2, 3, 2), (3, 2)]),
        ('type: "Concat" concat_param { axis: -1 }', [(2, 3), (2, 1)]),
        ('type: "Eltwise"', [(2, 3), (2, 3)]),
        ('type: "Eltwise" eltwise_param { coeff: 2 coeff: -1 }', [(2, 3), (2, 3)]),
        ('type: "Eltwise" eltwise_param { operation: PROD }', [(2, 3), (2, 3), (2, 3)]),
        ('type: "Eltwise" eltwise_param { operation: PROD stable_prod_grad: false }', [(2, 3), (2, 3), (2, 3)]),
        ('type: "Eltwise" eltwise_param { operation: MAX }', [(2, 3), (2, 3), (2, 3)]),
        ('type: "Flatten"', [(2, 3, 2)]),
        ('type: "Parameter" parameter_param { shape { dim: 2 dim: 3 } }', []),
        ('type: "Reduction"', [(2, 3)]),
        ('type: "Reduction" reduction_param { operation: ASUM axis: 1 coeff: 2 }', [(2, 3)]),
        ('type: "Reduction" reduction_param { operation: SUMSQ axis: -1 }', [(2, 3)]),
        ('type: "Reduction" reduction_param { operation: MEAN axis: 1 }', [(2, 3, 2)]),
        ('type: "Reshape" reshape_param { shape { dim: 0 dim: -1 } }', [(2, 3, 2)]),
        ('type: "Scale" scale_param { bias_term: true }', [(2, 3, 2)]),
        ('type: "Scale" scale_param { axis: 0 num_axes: -1 }', [(2, 3)]),
        ('type: "Scale" scale_param { bias_term: true axis: -1 }', [(2, 3), (3,)]),
        ('type: "Softmax"', [(2, 3, 2)]),
        ('type: "Tile" tile_param { axis: -1 tiles: 3 }', [(2, 3)]),
    ],
)
def test_gradient(text, shapes):
    assert OneLayer(text, *shapes).gradcheck(*(normal(*shape, seed=i) for i, shape in enumerate(shapes)))


def test_gradient_of_several_tops():
    assert OneLayer('type: "Slice" slice_param { slice_point: 1 }', (2, 3), tops=2).gradcheck(normal(2, 3))
    assert OneLayer('type: "Split"', (2, 3), tops=3).gradcheck(normal(2, 3))


@pytest.mark.parametrize(
    ("text", "second"),
    [
        ('type: "BatchReindex"', torch.tensor([2.0, 0, 2, 1])),
        ('type: "Filter"', torch.tensor([0.5, 0, -1])),
        ('type: "Crop" crop_param { axis: 1 offset: 1 }', torch.zeros(3, 2)),
    ],
)
def test_gradient_of_the_first_bottom_only(text, second):
    assert OneLayer(text, (3, 4), tuple(second.shape)).gradcheck(normal(3, 4), second.double())


# -- ties and degenerate values


def test_eltwise_max_gives_each_gradient_to_one_bottom():
    """Of the first two the second wins a tie, later ones must be greater."""
    bottoms = [torch.tensor(v, requires_grad=True) for v in ([1.0, 1, 0, 2], [1.0, 0, 1, 2], [1.0, 1, 1, 3])]
    top = OneLayer('type: "Eltwise" eltwise_param { operation: MAX }', (4,), (4,), (4,))(*bottoms)
    gradients = [g.tolist() for g in torch.autograd.grad(top.sum(), bottoms)]
    assert gradients == [[0, 1, 0, 0], [1, 0, 1, 0], [0, 0, 0, 1]]


@pytest.mark.parametrize(("stable", "wanted"), [("true", [3, 0]), ("false", [math.nan, 0])])
def test_eltwise_product_with_a_zero(stable, wanted):
    a, b = torch.tensor([0.0], requires_grad=True), torch.tensor([3.0], requires_grad=True)
    text = f'type: "Eltwise" eltwise_param {{ operation: PROD stable_prod_grad: {stable} }}'
    top = OneLayer(text, (1,), (1,))(a, b)
    assert [g.item() for g in torch.autograd.grad(top, [a, b])] == pytest.approx(wanted, nan_ok=True)


def test_argmax_ties_go_to_the_later_index():
    x = torch.tensor([[5.0, 1, 5, 5], [2, 2, 1, 0]])
    layer = OneLayer('type: "ArgMax" argmax_param { top_k: 3 out_max_val: true }', (2, 4))
    assert layer(x).tolist() == [[[3, 2, 0], [5, 5, 5]], [[1, 0, 2], [2, 2, 1]]]


@pytest.mark.parametrize(
    ("settings", "shape", "top"),
    [
        ("", (4, 6), (4, 1, 1)),
        ("", (4,), (4, 1, 1)),
        ("out_max_val: true", (3, 4, 2, 2), (3, 2, 1, 1)),
        ("top_k: 2", (2, 2, 2, 2, 2), (2, 1, 2, 1, 1)),
        ("top_k: 2 axis: -2", (2, 3, 5), (2, 2, 5)),
    ],
)
def test_argmax_shape(settings, shape, top):
    assert OneLayer(f'type: "ArgMax" argmax_param {{ {settings} }}', shape)(normal(*shape)).shape == top


def test_argmax_values_carry_no_gradient():
    assert not OneLayer('type: "ArgMax" argmax_param { axis: 1 out_max_val: true }', (2, 3))(normal(2, 3)).requires_grad


# -- shapes


@pytest.mark.parametrize(
    ("settings", "bottom", "top"),
    [
        ("shape { dim: 0 dim: -1 }", (2, 3, 4), (2, 12)),
        ("shape { dim: -1 dim: 0 dim: 2 }", (4, 3, 2), (4, 3, 2)),
        ("shape { dim: 2 dim: -1 } axis: 1", (2, 4, 3), (2, 2, 6)),
        ("shape { dim: 0 dim: -1 } axis: 1", (2, 3, 2, 2), (2, 3, 4)),
        ("shape { dim: 1 } axis: 1 num_axes: 0", (2, 3), (2, 1, 3)),
        ("shape { dim: 1 } axis: -1", (2, 3), (2, 3, 1)),
        ("shape { dim: 2 dim: 3 } axis: -2", (2, 6), (2, 2, 3)),
        ("shape { } axis: 1 num_axes: 1", (3, 1, 2), (3, 2)),
        ("shape { dim: 3 dim: 2 } axis: -3 num_axes: 1", (5, 6, 4), (5, 3, 2, 4)),
        ("shape { }", (1, 1), ()),
        ("", (1,), ()),
    ],
)
def test_reshape(settings, bottom, top):
    assert OneLayer(f'type: "Reshape" reshape_param {{ {settings} }}', bottom)(normal(*bottom)).shape == top


@pytest.mark.parametrize(
    ("settings", "bottom", "top"),
    [
        ("", (2, 3, 4), (2, 12)),
        ("", (2, 3), (2, 3)),
        ("axis: 0 end_axis: -2", (2, 3, 4), (6, 4)),
        ("axis: -2", (2, 3, 4), (2, 12)),
        ("axis: 2 end_axis: 1", (2, 3, 4), (2, 3, 1, 4)),
    ],
)
def test_flatten(settings, bottom, top):
    assert OneLayer(f'type: "Flatten" flatten_param {{ {settings} }}', bottom)(normal(*bottom)).shape == top


@pytest.mark.parametrize(
    ("settings", "tops", "sizes"),
    [
        ("", 3, [2, 2, 2]),
        ("slice_point: 1 slice_point: 4", 3, [1, 3, 2]),
        ("slice_dim: 1", 2, [3, 3]),
        ("axis: -1 slice_point: 2", 2, [2, 4]),
    ],
)
def test_slice(settings, tops, sizes):
    pieces = OneLayer(f'type: "Slice" slice_param {{ {settings} }}', (2, 6), tops=tops)(normal(2, 6))
    assert [tuple(piece.shape) for piece in pieces] == [(2, size) for size in sizes]


def test_the_gradient_of_few_channels_of_a_concat_lies_dense():
    concat = OneLayer('type: "Concat"', (2, 3, 4, 5), (2, 20, 4, 5))
    bottoms = [normal(2, n, 4, 5).detach().to(memory_format=torch.channels_last).requires_grad_() for n in (3, 20)]
    seen: list[torch.Tensor] = []
    made = [x * 2 for x in bottoms]
    made[0].register_hook(seen.append)
    weights = normal(2, 23, 4, 5, grad=False).to(memory_format=torch.channels_last)
    (concat(*made) * weights).sum().backward()
    assert seen[0].is_contiguous(memory_format=torch.channels_last)
    assert torch.cat([x.grad for x in bottoms], 1).equal(2 * weights)


def test_crop_keeps_the_axes_before_its_own():
    x = torch.arange(24.0).reshape(2, 3, 4)
    top = OneLayer('type: "Crop" crop_param { axis: -2 offset: 1 offset: 2 }', (2, 3, 4), (9, 2, 2))(x, torch.zeros(9, 2, 2))
    assert top.tolist() == [[[6, 7], [10, 11]], [[18, 19], [22, 23]]]


def test_tile_repeats_blocks():
    top = OneLayer('type: "Tile" tile_param { tiles: 2 }', (2, 2))(torch.tensor([[1.0, 2], [3, 4]]))
    assert top.tolist() == [[1, 2, 1, 2], [3, 4, 3, 4]]


def test_filter_may_keep_no_row():
    top = OneLayer('type: "Filter"', (3, 4), (3, 1, 1))(normal(3, 4), torch.zeros(3, 1, 1))
    assert top.shape == (0, 4)


def test_silence_gives_nothing():
    assert OneLayer('type: "Silence"', (2,), (3, 1), tops=0)(normal(2), normal(3, 1)) == ()


@pytest.mark.parametrize(
    ("settings", "bottom", "blob"),
    [
        ("", (2, 3, 4), (3,)),
        ("num_axes: 2", (2, 3, 4), (3, 4)),
        ("num_axes: -1", (2, 3, 4), (3, 4)),
        ("num_axes: 0", (2, 3, 4), ()),
        ("axis: 0 num_axes: -1", (2, 3), (2, 3)),
        ("axis: -2", (2, 3, 4), (3,)),
    ],
)
@pytest.mark.parametrize("kind", ["Scale", "Bias"])
def test_learned_blob_spans_num_axes_from_axis(kind, settings, bottom, blob):
    layer = OneLayer(f'type: "{kind}" {kind.lower()}_param {{ {settings} }}', bottom)
    assert [tuple(p.shape) for p in layer.params] == [blob]


@pytest.mark.parametrize(
    ("text", "shapes", "message"),
    [
        (
            'type: "Scale"',
            [(2, 3), (2,)],
            r":3:\d+: .*shape \(2,\) does not match bottom 0 of shape \(2, 3\) from axis 1 on",
        ),
        ('type: "Crop" crop_param { axis: 1 }', [(2, 3), (2, 4)], r"axis 1: offset 0 \+ size 4 is more than the 3"),
        ('type: "Crop"', [(2, 3, 4), (2, 3)], r"\(2, 3\) has fewer axes"),
        ('type: "Softmax" softmax_param { axis: -3 }', [(2, 3)], r"axis -3 is out of range for a bottom of shape \(2, 3\)"),
        ('type: "Reshape" reshape_param { shape { dim: 7 } }', [(2, 3)], r"6 values .* cannot take the shape \(7,\)"),
        ('type: "Reshape" reshape_param { shape { dim: -2 } }', [(2, 3)], r"no other negative"),
        ('type: "Flatten" flatten_param { axis: 2 end_axis: 0 }', [(2, 3, 4)], r"end_axis 0 lies before axis 2"),
        ('type: "Slice" slice_param { axis: 0 slice_dim: 0 }', [(2, 3)], r"axis and slice_dim mean the same"),
        ('type: "Concat"', [(2, 3), (2, 3, 1)], r"\(2, 3, 1\) does not fit bottom 0 of shape \(2, 3\)"),
        ('type: "Filter"', [(2, 3), (2, 2)], r"selector \(the last bottom\) must be one value a row, not of shape \(2, 2\)"),
        ('type: "BatchReindex"', [(2, 3), (2, 1)], r"must have one axis, not shape \(2, 1\)"),
        ('type: "Reduction"', [()], r"axis 0 is out of range for a bottom of shape \(\)"),
    ],
)
def test_what_does_not_fit_is_named(text, shapes, message):
    with pytest.raises(ConfigError, match=message):
        OneLayer(text, *shapes)


def test_index_out_of_range_is_named():
    with pytest.raises(DataError, match=r"index 3 at 1 is not in 0\.\.2"):
        OneLayer('type: "BatchReindex"', (3, 2), (2,))(normal(3, 2), torch.tensor([0.0, 3]))
