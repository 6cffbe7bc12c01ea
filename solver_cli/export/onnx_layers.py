"""How ONNX says each layer type: one function for each, from the values of its bottoms to those of its tops."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from math import prod
from typing import Any

import numpy as np
import torch
from torch import Tensor

from solver_cli.caffe_pb2 import EltwiseParameter, ReductionParameter
from solver_cli.export.graph import Graph, Value
from solver_cli.export.reading import inferred, refuse, settings
from solver_cli.net.plan import Node

Rule = Callable[..., Any]  # (graph, node, *values of its bottoms) -> the value of its top, or a list of several
RULES: dict[str, Rule] = {}
SIDES = 2  # a picture's


def says(*kinds: str) -> Callable[[Rule], Rule]:
    """Register how ONNX says the types `kinds`."""

    def register(rule: Rule) -> Rule:
        RULES.update(dict.fromkeys(kinds, rule))
        return rule

    return register


def elementwise(kind: str, operator: str, **attributes: str) -> None:
    """A type that one operator says; `attributes` name the setting or the number for each."""

    def rule(g: Graph, node: Node, x: Value) -> Value:
        told = {key: settings(node)[name] for key, name in attributes.items()}
        return g.add(operator, x, **told)

    RULES[kind] = rule


for _kind, _operator in {"AbsVal": "Abs", "BNLL": "Softplus", "Sigmoid": "Sigmoid", "TanH": "Tanh"}.items():
    elementwise(_kind, _operator)
elementwise("Softmax", "Softmax", axis="axis")


# -- neurons --------------------------------------------------------------------------------------------------------


@says("ReLU")
def relu(g: Graph, node: Node, x: Value) -> Value:
    slope = settings(node)["negative_slope"]
    return g.add("LeakyRelu", x, alpha=slope) if slope else g.add("Relu", x)


@says("ReLU6")
def relu6(g: Graph, node: Node, x: Value) -> Value:
    return g.add("Min", relu(g, node, x), g.constant(6.0))


@says("HardSwish", "HSwish")
def hard_swish(g: Graph, node: Node, x: Value) -> Value:
    return g.add("HardSwish", x)


@says("Mish")
def mish(g: Graph, node: Node, x: Value) -> Value:
    return g.add("Mish", x)


@says("Gather", "Scatter")
def passed_on(g: Graph, node: Node, *bottoms: Value) -> list[Value]:
    return [g.add("Identity", x) for x in bottoms]


@says("PReLU")
def prelu(g: Graph, node: Node, x: Value) -> Value:
    slope = node.blobs()[0]
    return g.add("PRelu", x, aligned(g, slope, 1, len(node.below[0])))


@says("ELU")
def elu(g: Graph, node: Node, x: Value) -> Value:
    return g.add("Elu", x, alpha=node.param.elu_param.alpha)


@says("SeLu")
def selu(g: Graph, node: Node, x: Value) -> Value:
    m: Any = node.module
    return scaled(g, g.add("Elu", x, alpha=m.alpha), m.factor)


@says("Insanity")
def insanity(g: Graph, node: Node, x: Value) -> Value:
    m: Any = node.module
    return g.add("LeakyRelu", x, alpha=1 / m.mean)


@says("Swish")
def swish(g: Graph, node: Node, x: Value) -> Value:
    return g.add("Mul", x, g.add("Sigmoid", scaled(g, x, settings(node)["beta"])))


@says("Threshold")
def threshold(g: Graph, node: Node, x: Value) -> Value:
    above = g.add("Greater", x, g.constant(settings(node)["threshold"]))
    return g.add("Cast", above, to=1)


@says("Clip")
def clip(g: Graph, node: Node, x: Value) -> Value:
    low, high = settings(node)["min"] or 0.0, settings(node)["max"] or 0.0
    return g.add("Max", g.add("Min", x, g.constant(high)), g.constant(low))


@says("Exp")
def exp(g: Graph, node: Node, x: Value) -> Value:
    base = 1.0 if settings(node)["base"] == -1 else math.log(settings(node)["base"])
    return g.add("Exp", scaled(g, x, base * settings(node)["scale"], base * settings(node)["shift"]))


@says("Log")
def log(g: Graph, node: Node, x: Value) -> Value:
    base = 1.0 if settings(node)["base"] == -1 else math.log(settings(node)["base"])
    return scaled(g, g.add("Log", scaled(g, x, settings(node)["scale"], settings(node)["shift"])), 1 / base)


@says("Power")
def power(g: Graph, node: Node, x: Value) -> Value:
    exponent, scale, shift = (settings(node)[name] for name in ("power", "scale", "shift"))
    if exponent * scale == 0:  # the bottom counts for nothing, not even its NaNs
        value = g.numpy_helper.from_array(np.array([np.float32(shift) ** np.float32(exponent)], np.float32))
        return g.add("ConstantOfShape", g.add("Shape", x), value=value)
    x = scaled(g, x, scale, shift)
    return x if exponent == 1 else g.add("Pow", x, g.constant(exponent))


@says("Dropout", "SpatialDropout")
def dropout(g: Graph, node: Node, x: Value) -> Value:
    m: Any = node.module
    if m.draws:
        refuse("drops values by chance outside of training too: set sample_weights_test: false", "dropout_param")
    return x if m.scale_train else scaled(g, x, 1 - m.ratio)


def scaled(g: Graph, x: Value, scale: float, shift: float = 0.0) -> Value:
    """scale x + shift, without the steps that change nothing."""
    x = x if scale == 1 else g.add("Mul", x, g.constant(float(scale)))
    return x if shift == 0 else g.add("Add", x, g.constant(float(shift)))


def aligned(g: Graph, blob: Tensor, axis: int, axes: int) -> Value:
    """A constant whose first axis meets `axis` of a blob of so many axes."""
    blob = blob.detach()
    return g.constant(blob.reshape(blob.shape + (1,) * (axes - axis - blob.dim() if blob.dim() else 0)), "factor")


# -- joined, cut, put elsewhere -------------------------------------------------------------------------------------


@says("Split")
def split(g: Graph, node: Node, x: Value) -> list[Value]:
    return [x] * len(node.tops)


@says("Silence")
def silence(g: Graph, node: Node, *xs: Value) -> list[Value]:
    return []


@says("Concat")
def concat(g: Graph, node: Node, *xs: Value) -> Value:
    return g.add("Concat", *xs, axis=node.module.axis)  # type: ignore[union-attr]


@says("Slice")
def slice_(g: Graph, node: Node, x: Value) -> Any:
    m: Any = node.module
    if len(node.tops) == 1:
        return x
    sizes = g.constant(np.array([shape[m.axis] for shape in node.shapes]), "sizes")
    return g.several("Split", x, sizes, outputs=len(node.tops), axis=m.axis)


@says("Eltwise")
def eltwise(g: Graph, node: Node, *xs: Value) -> Value:
    told = settings(node)
    if told["operation"] == EltwiseParameter.SUM:
        weighted = [scaled(g, x, c) for x, c in zip(xs, told["coeff"] or (1.0,) * len(xs), strict=True)]
        return _joined(g, "Add", weighted)
    return _joined(g, "Max" if told["operation"] == EltwiseParameter.MAX else "Mul", xs)


def _joined(g: Graph, operator: str, xs: Sequence[Value]) -> Value:
    first, *rest = xs
    for x in rest:
        first = g.add(operator, first, x)
    return first


@says("Axpy")
def axpy(g: Graph, node: Node, factor: Value, x: Value, y: Value) -> Value:
    missing = len(node.below[1]) - len(node.below[0])
    if missing:
        factor = g.reshape(factor, [0] * len(node.below[0]) + [1] * missing)
    return g.add("Add", g.add("Mul", factor, x), y)


@says("Flatten", "Reshape")
def reshape(g: Graph, node: Node, x: Value) -> Value:
    (below,), (shape,) = node.below, node.shapes
    if node.kind.name == "Reshape" and inferred(node):
        return g.reshape(x, [-1, *shape[1:]])
    keeps = bool(shape and below and shape[0] == below[0] and node.holds(node.kind.apart))
    return g.reshape(x, [0, *shape[1:]] if keeps else shape)


@says("Permute")
def permute(g: Graph, node: Node, x: Value) -> Value:
    order, axes = settings(node)["order"], range(len(node.below[0]))
    return g.add("Transpose", x, perm=[*order, *(a for a in axes if a not in order)])


@says("Transpose")
def transpose(g: Graph, node: Node, x: Value) -> Value:
    return g.add("Transpose", x, perm=list(settings(node)["dim"]))


@says("ShuffleChannel")
def shuffle_channel(g: Graph, node: Node, x: Value) -> Value:
    (below,), group = node.below, settings(node)["group"]
    parts = g.reshape(x, [0, group, below[1] // group, prod(below[2:])])
    return g.reshape(g.add("Transpose", parts, perm=[0, 2, 1, 3]), [0, *below[1:]])


@says("Flip")
def flip(g: Graph, node: Node, x: Value) -> Value:
    for axis, wanted in ((2, settings(node)["flip_height"]), (3, settings(node)["flip_width"])):
        x = _reversed(g, x, axis, node.below[0][axis]) if wanted else x
    return x


@says("Reverse")
def reverse(g: Graph, node: Node, x: Value) -> Value:
    axis = settings(node)["axis"]
    return _reversed(g, x, axis, node.below[0][axis])


def _reversed(g: Graph, x: Value, axis: int, size: int) -> Value:
    return g.add("Gather", x, g.constant(np.arange(size)[::-1].copy(), "order"), axis=axis)


@says("Reorg")
def reorg(g: Graph, node: Node, x: Value) -> Value:
    (_, c, h, w), s = node.below[0], settings(node)["stride"]
    if settings(node)["reverse"]:
        parts = g.add("Transpose", g.reshape(x, [0, s, s, c // s**2, h, w]), perm=[0, 3, 4, 1, 5, 2])
    else:
        parts = g.add("Transpose", g.reshape(x, [0, c // s**2, h, s, w, s]), perm=[0, 3, 5, 1, 2, 4])
    return g.reshape(parts, [0, *node.shapes[0][1:]])


@says("AutoCrop", "Crop")
def crop(g: Graph, node: Node, x: Value, reference: Value) -> Value:
    told, (below, wanted) = settings(node), node.below
    axes = range(told["axis"] % len(below), len(below))
    offsets = told["offset"] if len(told["offset"]) > 1 else (told["offset"] or (0,)) * len(axes)
    cut = [(axis, skip) for axis, skip in zip(axes, offsets, strict=True) if below[axis] != wanted[axis]]
    if not cut:
        return x
    starts, ends = [skip for _, skip in cut], [skip + wanted[axis] for axis, skip in cut]
    numbers = (g.constant(np.array(each), "cut") for each in (starts, ends, [axis for axis, _ in cut]))
    return g.add("Slice", x, *numbers)


@says("Tile")
def tile(g: Graph, node: Node, x: Value) -> Value:
    axes = len(node.below[0])
    times = np.ones(axes, np.int64)
    times[settings(node)["axis"] % axes] = settings(node)["tiles"]
    return g.add("Tile", x, g.constant(times, "times"))


@says("BatchReindex")
def batch_reindex(g: Graph, node: Node, x: Value, index: Value) -> Value:
    return g.add("Gather", x, g.add("Cast", index, to=7))


@says("Filter")
def filter_(g: Graph, node: Node, *bottoms: Value) -> list[Value]:
    *kept, selector = bottoms
    chosen = g.add("Cast", g.reshape(selector, [-1]), to=9)
    return [g.add("Compress", x, chosen, axis=0) for x in kept]


@says("LabelSpecificAdd")
def label_specific_add(g: Graph, node: Node, x: Value, labels: Value) -> list[Value]:
    m: Any = node.module
    bias = g.constant(np.array([m.bias], np.float32))
    return [g.add("Identity", x), bias][: m.num_tops]  # it adds in training alone


@says("Reduction")
def reduction(g: Graph, node: Node, x: Value) -> Value:
    told, axes = settings(node), len(node.below[0])
    kind = {
        ReductionParameter.SUM: "ReduceSum",
        ReductionParameter.ASUM: "ReduceL1",
        ReductionParameter.SUMSQ: "ReduceSumSquare",
        ReductionParameter.MEAN: "ReduceMean",
    }[told["operation"]]
    over = g.constant(np.arange(told["axis"] % axes if axes else 0, axes), "axes")
    return scaled(g, g.add(kind, x, over, keepdims=0), told["coeff"])


@says("ArgMax")
def argmax(g: Graph, node: Node, x: Value) -> Value:
    told, below = settings(node), node.below[0]
    whole = told["axis"] is None
    axis = 1 if whole else told["axis"] % len(below)
    size = prod(below[1:]) if whole else below[axis]
    rows = g.add("Flatten", x, axis=1) if whole else x
    # of equal values Caffe takes the later one first, ONNX the earlier
    values, places = g.several(
        "TopK", _reversed(g, rows, axis, size), g.constant(np.array([told["top_k"]])), outputs=2, axis=axis
    )
    index = g.add("Cast", g.add("Sub", g.constant(np.array(size - 1)), places), to=1)
    if not whole:
        return values if told["out_max_val"] else index
    shape = [0, 1, *node.shapes[0][2:]]
    tops = [g.reshape(y, shape) for y in ([index, values] if told["out_max_val"] else [index])]
    return g.add("Concat", *tops, axis=1) if len(tops) > 1 else tops[0]


# -- pictures -------------------------------------------------------------------------------------------------------


@says("Upsample/yolo")
def upsample(g: Graph, node: Node, x: Value) -> Value:
    factors = g.constant(np.array([1, 1, *[node.module.scale] * SIDES], np.float32), "factors")  # type: ignore[union-attr]
    told: dict[str, Any] = {"mode": "nearest", "coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
    return g.add("Resize", x, "", factors, **told)


@says("Upsample/segnet")
def unpool(g: Graph, node: Node, x: Value, mask: Value) -> Value:
    m: Any = node.module
    c, size = node.shapes[0][1], m.size
    values, places = (g.reshape(each, [0, c, -1]) for each in (x, mask))
    none = g.add("Expand", g.constant(0.0), g.add("Concat", *_batch_first(g, x, [c, prod(size)]), axis=0))
    return g.reshape(g.add("ScatterElements", none, g.add("Cast", places, to=7), values, axis=2), [0, c, *size])


def _batch_first(g: Graph, x: Value, rest: Sequence[int]) -> list[Value]:
    """The parts of a shape: as many records as x has, then `rest`."""
    return [g.add("Shape", x, start=0, end=1), g.constant(np.array(rest, np.int64))]


@says("Im2col")
def im2col(g: Graph, node: Node, x: Value) -> Value:
    """Each place of the kernel is a picture: what it meets, from window to window."""
    m: Any = node.module
    windows, (below,), axes = m.windows, node.below, len(m.windows.kernel)
    pads = [0] * (m.axis + 1) + list(windows.pad)
    x = g.add("Pad", x, g.constant(np.array(pads * 2))) if any(pads) else x
    places, across = node.shapes[0][m.axis + 1 :], g.constant(np.arange(m.axis + 1, m.axis + 1 + axes))
    parts = []
    for tap in np.ndindex(*windows.kernel):
        begin = np.array(tap) * windows.dilation
        end = begin + (np.array(places) - 1) * windows.stride + 1
        cut = g.add("Slice", x, *(g.constant(each) for each in (begin, end)), across, g.constant(np.array(windows.stride)))
        parts.append(g.add("Unsqueeze", cut, g.constant(np.array([m.axis + 1]))))
    columns = g.add("Concat", *parts, axis=m.axis + 1)
    return g.reshape(columns, [*([0] * m.axis), below[m.axis] * len(parts), *places])


@says("Interp")
def interp(g: Graph, node: Node, x: Value) -> Value:
    m: Any = node.module
    (first, last), sides = m.cut, node.below[0][2:]
    if first or last:
        numbers = ([first] * SIDES, [n - last for n in sides], [2, 3])
        x = g.add("Slice", x, *(g.constant(np.array(each), "cut") for each in numbers))
    told: dict[str, Any] = {"mode": "linear", "coordinate_transformation_mode": "align_corners", "axes": [2, 3]}
    return g.add("Resize", x, "", "", g.constant(np.array(m.size), "size"), **told)


@says("PriorBox")
def prior_box(g: Graph, node: Node, features: Value, picture: Value) -> Value:
    boxes = node.run(*(torch.zeros(shape) for shape in node.below))  # type: ignore[misc]
    return g.constant(boxes, "boxes")
