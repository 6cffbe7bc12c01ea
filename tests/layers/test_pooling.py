import itertools
import math

import pytest
import torch
import torch.nn.functional as F
from one_layer import OneLayer, normal, spread

from solver_cli.errors import ConfigError

LOWEST = torch.finfo(torch.float64).min


def by_definition(plane, kernel, stride, pad, ceil):
    """(greatest, its index, mean) of each window of one channel, by Caffe's rules, one window at a time."""
    sizes = []
    for n, k, s, p in zip(plane.shape, kernel, stride, pad, strict=True):
        size = (math.ceil if ceil else math.floor)((n + 2 * p - k) / s) + 1
        sizes.append(size - 1 if any(pad) and (size - 1) * s >= n + p else size)
    greatest, index, mean = (torch.empty(sizes, dtype=torch.float64) for _ in range(3))
    for place in itertools.product(*map(range, sizes)):
        start = [o * s - p for o, s, p in zip(place, stride, pad, strict=True)]
        end = [min(a + k, n + p) for a, k, n, p in zip(start, kernel, plane.shape, pad, strict=True)]
        area = (end[0] - start[0]) * (end[1] - start[1])
        (y0, x0), (y1, x1) = (max(a, 0) for a in start), (min(b, n) for b, n in zip(end, plane.shape, strict=True))
        greatest[place], index[place], total = LOWEST, -1, 0.0
        for y, x in itertools.product(range(y0, y1), range(x0, x1)):
            total += plane[y, x].item()
            if plane[y, x] > greatest[place]:
                greatest[place], index[place] = plane[y, x], y * plane.shape[1] + x
        mean[place] = total / area if area else math.nan
    return greatest, index, mean


# (kernel, stride, pad): among them pads of more than half a kernel, strides beyond the kernel (empty windows), odd cuts
WINDOWS = [
    ((3, 3), (2, 2), (0, 0)),
    ((2, 2), (2, 2), (1, 1)),
    ((3, 3), (2, 2), (1, 1)),
    ((3, 3), (1, 1), (2, 2)),
    ((3, 2), (3, 1), (2, 0)),
    ((4, 5), (3, 2), (3, 4)),
    ((1, 1), (2, 2), (0, 0)),
    ((1, 2), (3, 4), (0, 0)),
    ((2, 2), (3, 3), (1, 0)),
    ((5, 1), (2, 3), (2, 0)),
]


@pytest.mark.parametrize("mode", ["CEIL", "FLOOR"])
@pytest.mark.parametrize("kernel, stride, pad", WINDOWS)
def test_pooling_is_its_definition(kernel, stride, pad, mode):
    settings = "".join(
        f"{name}_h: {h} {name}_w: {w} " for name, (h, w) in {"kernel": kernel, "stride": stride, "pad": pad}.items()
    )
    settings += f"round_mode: {mode}"
    for size in itertools.product(range(5, 9), range(5, 9)):
        x = spread(1, 2, *size).detach()
        planes = [by_definition(plane, kernel, stride, pad, mode == "CEIL") for plane in x[0]]
        want = tuple(torch.stack(maps)[None] for maps in zip(*planes, strict=True))
        top, index = OneLayer(f'type: "Pooling" pooling_param {{ {settings} }}', (1, 2, *size), tops=2)(x)
        mean = OneLayer(f'type: "Pooling" pooling_param {{ pool: AVE {settings} }}', (1, 2, *size))(x)
        torch.testing.assert_close((top, index, mean), want, equal_nan=True)


@pytest.mark.parametrize("pool", ["MAX", "AVE"])
@pytest.mark.parametrize("kernel, stride, pad", [w for w in WINDOWS if w[1] <= w[0]])
def test_gradients_are_the_derivative(kernel, stride, pad, pool):
    settings = "".join(
        f"{name}_h: {h} {name}_w: {w} " for name, (h, w) in {"kernel": kernel, "stride": stride, "pad": pad}.items()
    )
    layer = OneLayer(f'type: "Pooling" pooling_param {{ pool: {pool} {settings} }}', (1, 2, 5, 6))
    assert layer.gradcheck(spread(1, 2, 5, 6))


def test_windows_without_a_pixel_take_no_gradient():
    layer = OneLayer('type: "Pooling" pooling_param { kernel_size: 1 stride: 2 }', (1, 1, 4, 4), tops=2)
    x = spread(1, 1, 4, 4)
    top, index = layer(x)
    assert (top[0, 0, 2] == LOWEST).all() and (index[0, 0, :, 2] == -1).all()
    top.backward(torch.ones_like(top))
    assert x.grad.flatten().tolist() == [1, 0, 1, 0, 0, 0, 0, 0, 1, 0, 1, 0, 0, 0, 0, 0]


def test_the_first_of_equals_wins():
    top, index = OneLayer('type: "Pooling" pooling_param { kernel_size: 2 }', (1, 1, 2, 3), tops=2)(torch.ones(1, 1, 2, 3))
    assert index.flatten().tolist() == [0, 1] and top.flatten().tolist() == [1, 1]


def test_the_second_top_takes_no_gradient():
    x = spread(1, 1, 4, 4)
    _, index = OneLayer('type: "Pooling" pooling_param { kernel_size: 2 }', (1, 1, 4, 4), tops=2)(x)
    assert not index.requires_grad and index.dtype == x.dtype


@pytest.mark.parametrize("pool, reduce", [("MAX", torch.amax), ("AVE", torch.mean)])
def test_global_pooling_follows_the_picture(pool, reduce):
    layer = OneLayer(f'type: "Pooling" pooling_param {{ pool: {pool} global_pooling: true }}', (1, 2, 3, 5))
    for shape in [(1, 2, 3, 5), (2, 2, 6, 4)]:
        x = normal(*shape)
        torch.testing.assert_close(layer(x), reduce(x, (2, 3), keepdim=True))


@pytest.mark.parametrize("pool, adaptive", [("MAX", F.adaptive_max_pool2d), ("AVE", F.adaptive_avg_pool2d)])
def test_spp_pools_into_1_4_16_bins(pool, adaptive):
    """Where the bins divide the picture evenly, they are torch's adaptive pooling."""
    x = spread(2, 3, 8, 12)
    top = OneLayer(f'type: "SPP" spp_param {{ pyramid_height: 3 pool: {pool} }}', (2, 3, 8, 12))(x)
    torch.testing.assert_close(top, torch.cat([adaptive(x, bins).flatten(1) for bins in (1, 2, 4)], 1))


@pytest.mark.parametrize("size", [(7, 11), (9, 6), (13, 10)])
@pytest.mark.parametrize("pool", ["MAX", "AVE"])
def test_spp_of_uneven_bins_is_pooling_with_their_windows(pool, size):
    x = spread(1, 2, *size)
    levels = []
    for bins in (1, 2, 4):
        kernel = [math.ceil(n / bins) for n in size]
        pad = [(k * bins - n + 1) // 2 for k, n in zip(kernel, size, strict=True)]
        windows = "".join(
            f"kernel_{a}: {k} stride_{a}: {k} pad_{a}: {p} " for a, k, p in zip("hw", kernel, pad, strict=True)
        )
        levels.append(OneLayer(f'type: "Pooling" pooling_param {{ pool: {pool} {windows} }}', (1, 2, *size))(x).flatten(1))
    spp = OneLayer(f'type: "SPP" spp_param {{ pyramid_height: 3 pool: {pool} }}', (1, 2, *size))
    torch.testing.assert_close(spp(x), torch.cat(levels, 1))
    assert spp.gradcheck(x)


@pytest.mark.parametrize(
    "text, message",
    [
        ("stride: 2", "no kernel: give kernel_size"),
        ("kernel_size: 0", "the kernel must be positive"),
        ("kernel_size: 2 kernel_h: 2 kernel_w: 2", "either kernel_size or kernel_h and kernel_w, not both"),
        ("kernel_h: 2", "no kernel: give kernel_size, or both kernel_h and kernel_w"),
        ("kernel_size: 2 pad: 1 pad_h: 1 pad_w: 1", "either pad or both pad_h and pad_w"),
        ("kernel_size: 2 stride_w: 2", "either stride or both stride_h and stride_w"),
        ("kernel_size: 2 stride: 0", "stride must be positive"),
        ("kernel_size: 2 pad: 2", "pad 2 x 2 must be smaller than the kernel 2 x 2"),
        ("global_pooling: true kernel_size: 2", "remove kernel_size"),
        ("global_pooling: true stride: 2", "global_pooling goes with pad 0 and stride 1 only"),
        ("pool: STOCHASTIC kernel_size: 2 pad: 1", "pool: STOCHASTIC takes no pad"),
        ("kernel_size: 2 ceil_mode: false round_mode: CEIL", "round_mode and ceil_mode say the opposite"),
        ("kernel_size: 6", "kernel 6 x 6 is larger than the padded input 4 x 4"),
    ],
)
def test_refused_settings_say_where_and_why(text, message):
    with pytest.raises(ConfigError, match=message) as caught:
        OneLayer(f'type: "Pooling" pooling_param {{ {text} }}', (1, 1, 4, 4))
    assert caught.value.where is not None and caught.value.where.line == 2


@pytest.mark.parametrize(
    "text, shape, tops, message",
    [
        ('type: "Pooling" pooling_param { kernel_size: 2 }', (1, 4, 4), 1, "must have 4 axes"),
        ('type: "Pooling" pooling_param { pool: AVE kernel_size: 2 }', (1, 1, 4, 4), 2, "only pool: MAX has a second top"),
        ('type: "SPP" spp_param { pyramid_height: 3 }', (1, 1, 5, 5), 1, "too small for 4 x 4 bins"),
        ('type: "SPP"', (1, 1, 5, 5), 1, "pyramid_height must be positive"),
        ('type: "SPP" spp_param { pyramid_height: 1 pool: STOCHASTIC }', (1, 1, 5, 5), 1, "STOCHASTIC is not supported"),
    ],
)
def test_refused_layers(text, shape, tops, message):
    with pytest.raises(ConfigError, match=message):
        OneLayer(text, shape, tops=tops)
