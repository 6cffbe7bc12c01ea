"""How ONNX says the layers with weights, those that pool, and those that normalise: see `onnx_layers`."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np
import torch
from torch import Tensor

from solver_cli.caffe_pb2 import LRNParameter
from solver_cli.export.graph import Graph, Value
from solver_cli.export.onnx_layers import aligned, says, scaled
from solver_cli.export.reading import refuse, settings, statistics
from solver_cli.layers.convolution import Windows
from solver_cli.layers.face import LEAST
from solver_cli.layers.fork_norm import SEGNET_EPS
from solver_cli.net.plan import Node

LOWEST = float(np.finfo(np.float32).min)
Side = Sequence[int]  # a number for each side of a picture, or a whole shape


# -- weights --------------------------------------------------------------------------------------------------------


@says("Convolution", "DepthwiseConvolution", "ConvolutionDepthwise")
def convolution(g: Graph, node: Node, *xs: Value) -> list[Value]:
    return _filters(g, node, "Conv", xs)


@says("Deconvolution")
def deconvolution(g: Graph, node: Node, *xs: Value) -> list[Value]:
    return _filters(g, node, "ConvTranspose", xs)


def _filters(g: Graph, node: Node, operator: str, xs: Sequence[Value]) -> list[Value]:
    m: Any = node.module
    windows: Windows = m.windows
    if m.axis != 1 or not 1 <= len(windows.kernel) <= 3:
        refuse("ONNX has its channels on axis 1, and 1 to 3 spatial axes behind: Reshape the blobs before and after it")
    sizes = zip(node.below[0][2:], windows.pad, windows.extent, strict=True)
    if operator == "Conv" and any(n + 2 * p < extent for n, p, extent in sizes):
        refuse("its kernel is larger than the padded input: give it the input's size", "convolution_param.kernel_size")
    told = {
        "kernel_shape": windows.kernel,
        "strides": windows.stride,
        "pads": windows.pad * 2,
        "dilations": windows.dilation,
        "group": m.group,
    }
    blobs = [g.blob(node, i) for i in range(len(node.learned))]
    return [g.add(operator, x, *blobs, **told) for x in xs]


@says("InnerProduct")
def inner_product(g: Graph, node: Node, *xs: Value) -> Value:
    m: Any = node.module
    if len(xs) > 1 or m.rewrites:
        refuse("takes its weight from below, or scales it in every pass: only learned weights that stay can be written")
    (below,), inputs = node.below, node.blob_shapes[0][0 if m.transpose else 1]
    bias = [g.blob(node, 1)] if len(node.learned) > 1 else []
    if m.axis == 1:
        x = xs[0] if len(below) == 2 else g.add("Flatten", xs[0], axis=1)
        return g.add("Gemm", x, g.blob(node, 0), *bias, transB=None if m.transpose else 1)
    x = g.reshape(xs[0], [0, *below[1 : m.axis], inputs] if m.axis else [inputs])
    weight = g.blob(node, 0) if m.transpose else g.add("Transpose", g.blob(node, 0), perm=[1, 0])
    y = g.add("MatMul", x, weight)
    return g.add("Add", y, *bias) if bias else y


@says("Embed")
def embed(g: Graph, node: Node, x: Value) -> Value:
    rows = g.add("Gather", g.blob(node, 0), g.add("Cast", x, to=7))
    return g.add("Add", rows, g.blob(node, 1)) if len(node.learned) > 1 else rows


@says("Parameter")
def parameter(g: Graph, node: Node) -> Value:
    return g.blob(node, 0)


@says("Scale")
def scale(g: Graph, node: Node, *xs: Value) -> Value:
    m: Any = node.module
    y = _with_factor(g, node, "Mul", m.axis, m.scale, xs)
    if m.bias is None:
        return y
    axes = len(node.below[0])
    return g.add("Add", y, aligned(g, m.bias, m.axis % axes, axes))


@says("Bias")
def bias(g: Graph, node: Node, *xs: Value) -> Value:
    m: Any = node.module
    return _with_factor(g, node, "Add", m.axis, m.bias, xs)


def _with_factor(g: Graph, node: Node, operator: str, axis: int, blob: Tensor | None, xs: Sequence[Value]) -> Value:
    """Bottom 0 and, along `axis`, the learned blob or bottom 1."""
    axes = len(node.below[0])
    axis %= axes
    if blob is not None:
        return g.add(operator, xs[0], aligned(g, blob, axis, axes))
    missing = axes - axis - len(node.below[1]) if node.below[1] else 0
    factor = xs[1]
    if missing:
        behind = np.arange(len(node.below[1]), len(node.below[1]) + missing)
        factor = g.add("Unsqueeze", factor, g.constant(behind, "axes"))
    return g.add(operator, xs[0], factor)


# -- pooling and normalisation --------------------------------------------------------------------------------------


@says("Pooling")
def pooling(g: Graph, node: Node, x: Value) -> Any:
    m: Any = node.module
    (below,), (size, *_) = node.below, [shape[2:] for shape in node.shapes]
    kernel = m.kernel or below[2:]
    if m.stochastic:
        squares, values = (_mean_pool(g, y, below, size, kernel, m.stride, (0, 0)) for y in (g.add("Mul", x, x), x))
        zero = g.constant(0.0)
        return g.add("Where", g.add("Greater", values, zero), g.add("Div", squares, values), zero)
    if m.mean:
        return _mean_pool(g, x, below, size, kernel, m.stride, m.pad)
    return _max_pool(g, node, x, size, kernel)


def _ends(
    below: Sequence[int], size: Sequence[int], kernel: Sequence[int], stride: Sequence[int], pad: Sequence[int]
) -> Any:
    """What to pad at the end of each side so that whole windows make `size`."""
    sides = zip(below[2:], size, kernel, stride, pad, strict=True)
    return tuple(max(0, (out - 1) * s + k - n - p) for n, out, k, s, p in sides)


def _max_pool(g: Graph, node: Node, x: Value, size: Sequence[int], kernel: Sequence[int]) -> Any:
    m: Any = node.module
    (below,) = node.below
    ends = _ends(below, size, kernel, m.stride, m.pad)
    told: dict[str, Any] = {"kernel_shape": kernel, "strides": m.stride}
    if all(p < k for p, k in zip((*m.pad, *ends), (*kernel, *kernel), strict=True)):
        told["pads"] = (*m.pad, *ends)
    elif m.num_tops > 1:
        refuse("has windows without a pixel, whose indices ONNX does not know: take the second top out", "top")
    else:
        x = _padded(g, x, m.pad, ends, LOWEST)
    if m.num_tops == 1:
        return g.add("MaxPool", x, **told)
    y, index = g.several("MaxPool", x, outputs=2, **told)
    plane = g.add("Mod", index, g.constant(np.array(prod(below[2:]))))  # ONNX counts through all planes
    return [y, g.add("Cast", plane, to=1)]


def _mean_pool(g: Graph, x: Value, below: Side, size: Side, kernel: Side, stride: Side, pad: Side) -> Value:
    """Means of windows, which Caffe divides by their area in the picture padded by `pad`, not beyond."""
    if tuple(kernel) == tuple(below[2:]) and not any(pad):
        return g.add("GlobalAveragePool", x)
    ends = _ends(below, size, kernel, stride, pad)
    if any(pad) or any(ends):
        x = _padded(g, x, pad, ends, 0.0)
    y = g.add("AveragePool", x, kernel_shape=kernel, strides=stride)
    areas = [
        torch.tensor([max(0, min(i * s + k, n + 2 * p) - i * s) for i in range(out)])
        for n, out, k, s, p in zip(below[2:], size, kernel, stride, pad, strict=True)
    ]
    area = areas[0].view(-1, 1) * areas[1]
    if (area == prod(kernel)).all():
        return y
    return g.add("Mul", y, g.constant(prod(kernel) / area.float(), "share"))


def _padded(g: Graph, x: Value, begin: Sequence[int], end: Sequence[int], value: float) -> Value:
    pads = g.constant(np.array([0, 0, *begin, 0, 0, *end]), "pads")
    return g.add("Pad", x, pads, g.constant(value))


@says("SPP")
def spp(g: Graph, node: Node, x: Value) -> Value:
    m: Any = node.module
    (below,), levels = node.below, []
    for level in range(m.height):
        bins = 2**level
        kernel = [-(-n // bins) for n in below[2:]]
        pad = [(k * bins - n + 1) // 2 for k, n in zip(kernel, below[2:], strict=True)]
        ends = _ends(below, (bins, bins), kernel, kernel, pad)
        if m.mean:
            y = _mean_pool(g, x, below, (bins, bins), kernel, kernel, pad)
        else:
            y = g.add("MaxPool", _padded(g, x, pad, ends, LOWEST), kernel_shape=kernel, strides=kernel)
        levels.append(y if m.height == 1 else g.add("Flatten", y, axis=1))
    return levels[0] if m.height == 1 else g.add("Concat", *levels, axis=1)


@says("LRN")
def lrn(g: Graph, node: Node, x: Value) -> Value:
    size, alpha, beta, k = (settings(node)[name] for name in ("local_size", "alpha", "beta", "k"))
    if settings(node)["norm_region"] == LRNParameter.ACROSS_CHANNELS:
        return g.add("LRN", x, size=size, alpha=alpha, beta=beta, bias=k)
    (below,), half = node.below, (size // 2, size // 2)
    mean = _mean_pool(g, g.add("Mul", x, x), below, below[2:], (size, size), (1, 1), half)
    return g.add("Div", x, g.add("Pow", scaled(g, mean, alpha, 1.0), g.constant(beta)))


@says("BatchNorm", "BatchNorm/intel")
def batch_norm(g: Graph, node: Node, x: Value) -> Value:
    m: Any = node.module
    scale, bias = getattr(m, "weight", None), getattr(m, "bias", None)
    if m.from_batch:
        if getattr(m, "records", 0):
            refuse("takes its statistics from parts of the batch: take it out", "batch_norm_param.stats_batch_size")
        y, _, _ = _by_batch(g, node, x, scale, bias, m.eps)
    else:
        y = _normalised(g, x, scale, bias, *statistics(node), m.eps)
    return g.add("Relu", y) if getattr(m, "relu", False) else y


@says("BatchNorm/normface")
def half_batch_norm(g: Graph, node: Node, x: Value) -> Value:
    m: Any = node.module
    if m.from_batch:
        refuse("takes its statistics from the batch: set use_global_stats", "batch_norm_param.use_global_stats")
    mean, variance = (each.view(-1, *[1] * (len(node.below[0]) - 2)) for each in statistics(node))
    x = g.add("Sub", x, g.constant(mean, "mean")) if m.centres else x
    return g.add("Div", x, g.constant((variance + m.eps).sqrt(), "deviation")) if m.scales else x


@says("BatchNorm/nvcaffe")
def nv_batch_norm(g: Graph, node: Node, x: Value) -> Value:
    m: Any = node.module
    return _normalised(g, x, m.scale, m.bias, m.mean, m.variance, m.eps)


@says("BN/segnet")
def segnet_bn(g: Graph, node: Node, x: Value) -> Any:
    m: Any = node.module
    if (missing := 4 - len(node.below[0])) > 0:
        x = g.reshape(x, [0] * len(node.below[0]) + [1] * missing)
    if not m.from_batch:
        return g.add("Add", g.add("Mul", x, g.blob(node, 0)), g.blob(node, 1))
    tops = _by_batch(g, node, x, m.scale.flatten(), m.shift.flatten(), SEGNET_EPS, axes=4)
    return list(tops)[: m.num_tops]


@says("BN/yjxiong")
def yjxiong_bn(g: Graph, node: Node, x: Value) -> Value:
    m: Any = node.module
    slope, bias, mean, variance = (blob.flatten() for blob in (m.slope, m.bias, m.mean, m.variance))
    return _normalised(g, x, slope, bias, mean, variance, m.eps)


def _normalised(
    g: Graph, x: Value, scale: Tensor | None, bias: Tensor | None, mean: Tensor, variance: Tensor, eps: float
) -> Value:
    scale = torch.ones_like(mean) if scale is None else scale
    bias = torch.zeros_like(mean) if bias is None else bias
    told = {"scale": scale, "bias": bias, "mean": mean, "variance": variance}
    return g.add("BatchNormalization", x, *(g.constant(t, name) for name, t in told.items()), epsilon=eps)


def _by_batch(
    g: Graph, node: Node, x: Value, scale: Tensor | None, bias: Tensor | None, eps: float, axes: int = 0
) -> tuple[Value, Value, Value]:
    """x by the mean and the variance of its channels over the batch, and these two."""
    axes = axes or len(node.below[0])
    over = g.constant(np.array([axis for axis in range(axes) if axis != 1]), "axes")
    mean = g.add("ReduceMean", x, over)
    x = g.add("Sub", x, mean)
    variance = g.add("ReduceMean", g.add("Mul", x, x), over)
    y = g.add("Div", x, g.add("Sqrt", scaled(g, variance, 1, eps)))
    y = y if scale is None else g.add("Mul", y, aligned(g, scale, 1, axes))
    return y if bias is None else g.add("Add", y, aligned(g, bias, 1, axes)), mean, variance


@says("GroupNorm")
def group_norm(g: Graph, node: Node, x: Value) -> Value:
    m: Any = node.module
    (below,) = node.below
    parts = g.reshape(x, [0, m.groups, -1])
    ones = torch.ones(m.groups)
    parts = g.add("InstanceNormalization", parts, g.constant(ones), g.constant(ones - 1), epsilon=m.eps)
    y = g.reshape(parts, [0, *below[1:]])
    for operator, blob in (("Mul", m.scale), ("Add", m.bias)):
        y = y if blob is None else g.add(operator, y, aligned(g, blob.flatten(), 1, len(below)))
    return y


@says("Normalize/normface")
def normface_normalize(g: Graph, node: Node, x: Value) -> list[Value]:
    m: Any = node.module
    if (missing := 4 - len(node.below[0])) > 0:
        x = g.reshape(x, [0] * len(node.below[0]) + [1] * missing)
    sums = g.add("ReduceSumSquare" if m.squares else "ReduceL1", x, g.constant(np.array([1]), "axes"))
    norm = scaled(g, sums, 1, LEAST)
    norm = g.add("Sqrt", norm) if m.squares else norm
    return [g.add("Div", x, norm), norm][: m.num_tops]


@says("MVN")
def mvn(g: Graph, node: Node, x: Value) -> Value:
    told, below = settings(node), node.below[0]
    if len(below) < 4:
        x = g.reshape(x, [0] * len(below) + [1] * (4 - len(below)))
    axes = g.constant(np.array([1, 2, 3] if told["across_channels"] else [2, 3]), "axes")
    x = g.add("Sub", x, g.add("ReduceMean", x, axes))
    if not told["normalize_variance"]:
        return x
    deviation = g.add("Sqrt", g.add("ReduceMean", g.add("Mul", x, x), axes))
    return g.add("Div", x, scaled(g, deviation, 1, told["eps"]))


@says("Normalize/ssd")
def normalize(g: Graph, node: Node, x: Value) -> Value:
    m: Any = node.module
    squares = g.add("ReduceSumSquare", x, g.constant(np.array(m.axes), "axes"))
    unit = g.add("Div", x, g.add("Sqrt", scaled(g, squares, 1, m.eps)))
    return g.add("Mul", unit, aligned(g, m.scale, 1, len(node.below[0])))
