import itertools
from math import prod
from typing import NamedTuple

import pytest
import torch
from one_layer import OneLayer, normal

from solver_cli.errors import ConfigError, DataError


class Geometry(NamedTuple):
    """Settings and what they mean for a bottom of `shape`, whose axis 1 are the channels."""

    shape: tuple[int, ...]
    settings: str
    kernel: tuple[int, ...] = ()
    stride: tuple[int, ...] = ()
    pad: tuple[int, ...] = ()
    dilation: tuple[int, ...] = ()
    group: int = 1

    @property
    def sizes(self):
        """Convolution's output sizes."""
        axes = zip(self.shape[2:], self.kernel, self.stride, self.pad, self.dilation, strict=True)
        return tuple((n + 2 * p - d * (k - 1) - 1) // s + 1 for n, k, s, p, d in axes)

    @property
    def covered(self):
        """What Deconvolution makes of those sizes: the input without a border that no window reaches."""
        axes = zip(self.sizes, self.kernel, self.stride, self.pad, self.dilation, strict=True)
        return tuple(s * (n - 1) + d * (k - 1) + 1 - 2 * p for n, k, s, p, d in axes)


GEOMETRIES = [
    Geometry((2, 3), "kernel_size: 4"),
    Geometry((2, 4), "kernel_size: 4 group: 2", group=2),
    Geometry((2, 2, 9), "kernel_size: 3 stride: 2 pad: 1", (3,), (2,), (1,), (1,)),
    Geometry(
        (2, 4, 7, 5), "kernel_h: 3 kernel_w: 2 stride_h: 2 pad_w: 1 stride_w: 2 group: 2", (3, 2), (2, 2), (0, 1), (1, 1), 2
    ),
    Geometry(
        (1, 2, 7, 9),
        "kernel_size: 3 kernel_size: 2 dilation: 1 dilation: 3 stride: 2 pad: 1",
        (3, 2),
        (2, 2),
        (1, 1),
        (1, 3),
    ),
    Geometry((1, 2, 3, 5, 4), "kernel_size: 2 stride: 1 stride: 3 stride: 2", (2, 2, 2), (1, 3, 2), (0, 0, 0), (1, 1, 1)),
    Geometry(
        (2, 2, 3, 4, 3, 2),
        "kernel_size: 2 pad: 1 pad: 0 pad: 0 pad: 1 stride: 2 stride: 1 stride: 1 stride: 1 "
        "dilation: 2 dilation: 2 dilation: 1 dilation: 1 group: 2",
        (2, 2, 2, 2),
        (2, 1, 1, 1),
        (1, 0, 0, 1),
        (2, 2, 1, 1),
        2,
    ),
    Geometry((1, 1, 2, 3, 2, 3, 2), "kernel_size: 2", (2,) * 5, (1,) * 5, (0,) * 5, (1,) * 5),
]


def by_definition(x, weight, bias, g):
    """Each output value as the sum over channels and taps, one place at a time."""
    y = bias.view(-1, *(1,) * len(g.kernel)).expand(x.shape[0], len(bias), *g.sizes).clone()
    outputs, channels = weight.shape[0] // g.group, weight.shape[1]
    for place in itertools.product(*map(range, g.sizes)):
        for tap in itertools.product(*map(range, g.kernel)):
            at = tuple(o * s - p + t * d for o, s, p, t, d in zip(place, g.stride, g.pad, tap, g.dilation, strict=True))
            if any(not 0 <= i < n for i, n in zip(at, x.shape[2:], strict=True)):
                continue
            for group in range(g.group):
                out = slice(group * outputs, (group + 1) * outputs)
                into = slice(group * channels, (group + 1) * channels)
                y[(slice(None), out, *place)] += x[(slice(None), into, *at)] @ weight[(out, slice(None), *tap)].t()
    return y


@pytest.mark.parametrize("g", GEOMETRIES)
def test_convolution_is_its_definition(g):
    layer = OneLayer(f'type: "Convolution" convolution_param {{ num_output: 4 {g.settings} }}', g.shape)
    x = normal(*g.shape, grad=False)
    torch.testing.assert_close(layer(x), by_definition(x, *layer.params, g))


@pytest.mark.parametrize("g", GEOMETRIES)
def test_deconvolution_is_the_transpose_of_convolution(g):
    """<conv(x), y> = <x, deconv(y)> for one and the same weight."""
    wide, narrow = (*g.shape[:2], *g.covered), (g.shape[0], 4, *g.sizes)
    there = OneLayer(f'type: "Convolution" convolution_param {{ num_output: 4 bias_term: false {g.settings} }}', wide)
    here = OneLayer(
        f'type: "Deconvolution" convolution_param {{ num_output: {g.shape[1]} bias_term: false {g.settings} }}', narrow
    )
    assert here.params[0].shape == there.params[0].shape
    x, y = normal(*wide, grad=False), normal(*narrow, seed=1, grad=False)
    torch.testing.assert_close((there(x) * y).sum(), (x * here(y)).sum())


@pytest.mark.parametrize("g", [g for g in GEOMETRIES if g.kernel and g.group == 1])
def test_im2col_times_the_weights_is_convolution(g):
    conv = OneLayer(f'type: "Convolution" convolution_param {{ num_output: 4 bias_term: false {g.settings} }}', g.shape)
    columns = OneLayer(f'type: "Im2col" convolution_param {{ {g.settings} }}', g.shape)
    x = normal(*g.shape, grad=False)
    product = torch.einsum("ok,nk...->no...", conv.params[0].detach().flatten(1), columns(x))
    torch.testing.assert_close(product, conv(x).detach())


@pytest.mark.parametrize("type_", ["Convolution", "Deconvolution"])
@pytest.mark.parametrize("axis", [0, 2, -3, -1])
def test_axes_before_axis_are_batch(type_, axis):
    """As if each of them were a picture of its own."""
    shape = (2, 2, 4, 3)
    x = normal(*shape, grad=False)
    layer = OneLayer(f'type: "{type_}" convolution_param {{ num_output: 2 kernel_size: 2 axis: {axis} }}', shape)
    lead = shape[: axis % 4]
    folded = (prod(lead), *shape[axis % 4 :])
    expected = OneLayer(f'type: "{type_}" convolution_param {{ num_output: 2 kernel_size: 2 }}', folded)(x.reshape(folded))
    torch.testing.assert_close(layer(x), expected.reshape(*lead, *expected.shape[1:]))


@pytest.mark.parametrize(
    "text, shape",
    [
        ('type: "Convolution" convolution_param { num_output: 2 kernel_size: 3 stride: 2 pad: 1 group: 2 }', (1, 2, 4, 5)),
        ('type: "Convolution" convolution_param { num_output: 2 kernel_size: 2 dilation: 2 }', (1, 1, 3, 3, 3, 4)),
        ('type: "Deconvolution" convolution_param { num_output: 2 kernel_size: 3 stride: 2 pad: 1 group: 2 }', (1, 2, 2, 3)),
        ('type: "Deconvolution" convolution_param { num_output: 2 kernel_size: 2 pad: 1 stride: 2 }', (1, 1, 2, 2, 2, 2)),
        ('type: "Im2col" convolution_param { kernel_size: 2 stride: 2 pad: 1 dilation: 2 }', (1, 2, 4, 5)),
        ('type: "InnerProduct" inner_product_param { num_output: 3 axis: -2 }', (2, 2, 3)),
        ('type: "InnerProduct" inner_product_param { num_output: 3 transpose: true bias_term: false }', (2, 2, 3)),
    ],
)
def test_gradients_are_the_derivative(text, shape):
    assert OneLayer(text, shape).gradcheck(normal(*shape))


def test_bottoms_share_the_blobs_and_their_gradients_add():
    text = 'type: "Convolution" convolution_param { num_output: 2 kernel_size: 2 }'
    both, one = OneLayer(text, (1, 2, 3, 3), (1, 2, 3, 3), tops=2), OneLayer(text, (1, 2, 3, 3))
    a, b = normal(1, 2, 3, 3), normal(1, 2, 3, 3, seed=1)
    sum(top.square().sum() for top in both(a, b)).backward()
    (one(a).square().sum() + one(b).square().sum()).backward()
    torch.testing.assert_close(both.params[0].grad, one.params[0].grad)


def test_kernel_larger_than_the_input_still_gives_a_window_while_the_stride_covers_what_is_missing():
    """(2 - 3) / 2 + 1 = 1 with a division that truncates; what lies outside counts as 0."""
    layer = OneLayer('type: "Convolution" convolution_param { num_output: 1 kernel_size: 3 stride: 2 }', (1, 1, 2, 2))
    x = normal(1, 1, 2, 2, grad=False)
    weight, bias = (p.detach() for p in layer.params)
    assert layer(x).shape == (1, 1, 1, 1)
    torch.testing.assert_close(layer(x).detach().flatten(), (x * weight[:, :, :2, :2]).sum() + bias)


def test_dilation_is_a_kernel_with_holes():
    shape = (1, 2, 6, 6)
    holes = OneLayer('type: "Convolution" convolution_param { num_output: 2 kernel_size: 2 dilation: 3 }', shape)
    full = OneLayer('type: "Convolution" convolution_param { num_output: 2 kernel_size: 4 }', shape)
    with torch.no_grad():
        full.params[0].zero_()[:, :, ::3, ::3] = holes.params[0]
        full.params[1].copy_(holes.params[1])
    x = normal(*shape, grad=False)
    torch.testing.assert_close(holes(x), full(x))


def test_inner_product_transposed_stores_the_transpose():
    plain = OneLayer('type: "InnerProduct" inner_product_param { num_output: 3 }', (2, 4))
    turned = OneLayer('type: "InnerProduct" inner_product_param { num_output: 3 transpose: true }', (2, 4))
    assert turned.params[0].shape == (4, 3)
    with torch.no_grad():
        plain.params[0].copy_(turned.params[0].t())
        plain.params[1].copy_(turned.params[1])
    x = normal(2, 4, grad=False)
    torch.testing.assert_close(plain(x), turned(x))


def test_embed_is_the_product_with_one_hot_vectors():
    layer = OneLayer('type: "Embed" embed_param { num_output: 3 input_dim: 4 }', (2, 3))
    indices = torch.tensor([[0.0, 3, 1], [1, 1, 2]], dtype=torch.float64)
    weight, bias = layer.params
    expected = torch.nn.functional.one_hot(indices.long(), 4).double() @ weight + bias
    top = layer(indices)
    torch.testing.assert_close(top, expected)
    wanted = torch.autograd.grad(expected.square().sum(), [weight, bias])
    torch.testing.assert_close(torch.autograd.grad(top.square().sum(), [weight, bias]), wanted)


def test_embed_names_indices_out_of_range():
    layer = OneLayer('type: "Embed" embed_param { num_output: 3 input_dim: 4 }', (2,))
    with pytest.raises(DataError, match=r"indices 1 \.\. 4: they must be from 0 to input_dim - 1 = 3"):
        layer(torch.tensor([1.0, 4.0]))


@pytest.mark.parametrize(
    "text, message",
    [
        ("kernel_size: 3", "num_output must be positive"),
        ("num_output: 1", "kernel_size is given 0 times"),
        ("num_output: 1 kernel_size: 0", "kernel 0 x 0 must be positive"),
        ("num_output: 1 kernel_size: 1 stride: 0", "stride 0 x 0 must be positive"),
        ("num_output: 1 kernel_size: 2 dilation: 0", "dilation 0 x 0 must be positive"),
        ("num_output: 1 kernel_h: 2", "kernel 2 x 0 must be positive"),
        ("num_output: 1 kernel_size: 1 kernel_size: 1 kernel_size: 1", "kernel_size is given 3 times: give it once, or 2"),
        ("num_output: 1 kernel_size: 1 kernel_h: 1 kernel_w: 1", "either kernel_size or kernel_h and kernel_w, not both"),
        ("num_output: 1 kernel_size: 1 axis: 2 pad_h: 1", "pad_h is for two spatial axes, this input has 1: use pad"),
        ("num_output: 4 kernel_size: 1 group: 4", "group 4 must divide the 2 input channels and num_output 4"),
        ("num_output: 3 kernel_size: 1 group: 2", "group 2 must divide the 2 input channels and num_output 3"),
        ("num_output: 1 kernel_size: 1 axis: 4", "axis 4 is out of range"),
        ("num_output: 1 kernel_size: 7", "kernel 7 x 7 is larger than the padded input 5 x 5"),
    ],
)
def test_refused_convolutions_say_where_and_why(text, message):
    with pytest.raises(ConfigError, match=message) as caught:
        OneLayer(f'type: "Convolution" convolution_param {{ {text} }}', (1, 2, 5, 5))
    assert caught.value.where is not None and caught.value.where.line == 2


def test_deconvolution_refuses_a_pad_that_leaves_nothing():
    with pytest.raises(ConfigError, match="pad 1 x 1 leaves no output"):
        OneLayer('type: "Deconvolution" convolution_param { num_output: 1 kernel_size: 1 pad: 1 }', (1, 1, 2, 2))


def test_im2col_refuses_an_input_without_spatial_axes():
    with pytest.raises(ConfigError, match="leaves no spatial axis"):
        OneLayer('type: "Im2col" convolution_param { kernel_size: 1 axis: -1 }', (1, 2))


@pytest.mark.parametrize("stride", ["stride: 1", "stride: 2", "stride_h: 1 stride_w: 3"])
@pytest.mark.parametrize("size", [(5, 4), (21, 20)], ids=["small", "large"])
def test_a_kernel_of_one_pixel_gives_the_same_in_channels_last(size, stride):
    text = f"num_output: 4 kernel_size: 1 {stride} weight_filler {{ type: 'gaussian' std: 1 }}"
    layer = OneLayer(f'type: "Convolution" convolution_param {{ {text} }}', (2, 3, *size))
    tops, gradients = [], []
    for layout in (torch.contiguous_format, torch.channels_last):
        x = normal(2, 3, *size).detach().contiguous(memory_format=layout).requires_grad_()
        tops.append(layer(x))
        gradients.append(torch.autograd.grad(tops[-1].square().sum(), [x, *layer.params]))
    assert tops[1].is_contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(*tops)
    torch.testing.assert_close(*gradients)


def test_one_channel_of_one_small_picture_gives_the_same_in_channels_last():
    text = "num_output: 4 kernel_size: 3 pad: 1 weight_filler { type: 'gaussian' std: 1 }"
    layer = OneLayer(f'type: "Convolution" convolution_param {{ {text} }}', (1, 1, 6, 7))
    weight, bias = layer.params
    x = normal(1, 1, 6, 7)
    found = []
    for layout in (torch.contiguous_format, torch.channels_last):
        weight.data = weight.data.to(memory_format=layout)
        top = layer(x)
        found.append([top, *torch.autograd.grad(top.square().sum(), [x, weight, bias])])
    assert found[1][0].is_contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(*found)
