"""How ONNX says detections whose suppression is not NonMaxSuppression's: Proposal, and what YOLO's nets find.

A box stands if none that stands before it overlaps it: a Loop looks at all boxes again until nothing changes, as here.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from solver_cli.export.graph import Graph, Value
from solver_cli.export.onnx_layers import says, scaled
from solver_cli.export.onnx_regions import BOOL, FLOAT, numbers, or_nothing
from solver_cli.net.plan import Node


@says("Proposal")
def proposal(g: Graph, node: Node, scores: Value, deltas: Value, info: Value) -> list[Value]:
    m: Any = node.module
    (n, _, height, width), count, told = node.below[0], len(m.anchors), node.below[2]
    rows = g.reshape(info, [-1, told[-1] if len(told) > 1 else int(np.prod(told))])
    rows = g.add("Expand", rows, numbers(g, n, 1))
    x, y = (torch.arange(size, dtype=torch.float32) * m.stride for size in (width, height))
    at = torch.stack([x.expand(height, width), y[:, None].expand(height, width)], -1).repeat(1, 1, 2)
    anchors = (at[:, :, None] + m.anchors.cpu()).reshape(-1, 4)
    most = min(m.before, len(anchors))
    found = []
    for i in range(n):
        moves = g.reshape(g.add("Gather", deltas, numbers(g, i), axis=0), [count, 4, height, width])
        moves = g.reshape(g.add("Transpose", moves, perm=[2, 3, 0, 1]), [-1, 4])
        low, high, large = _moved(g, m, anchors, moves, g.add("Gather", rows, numbers(g, i), axis=0))
        of_object = g.add(
            "Slice", g.add("Gather", scores, numbers(g, i), axis=0), *(numbers(g, k) for k in (count, 2 * count, 1))
        )
        of_object = g.reshape(g.add("Transpose", of_object, perm=[0, 2, 3, 1]), [-1])
        best, order = g.several("TopK", g.add("Mul", of_object, large), numbers(g, most), outputs=2)
        low, high = (g.add("Gather", side, order) for side in (low, high))
        width_height = scaled(g, g.add("Sub", high, low), 1, 1.0)
        area = g.add("ReduceProd", width_height, numbers(g, 1), keepdims=0)
        stands = g.reshape(g.add("NonZero", _standing(g, low, high, area, 1.0, m.overlap, "Greater")), [-1])
        stands = g.add("Slice", stands, numbers(g, 0), numbers(g, m.after))
        box = g.add("Concat", *(g.add("Gather", side, stands) for side in (low, high)), axis=1)
        left = g.numpy_helper.from_array(np.full(1, i, np.float32))
        shape = g.add("Concat", g.add("Shape", stands), numbers(g, 1), axis=0)
        picture = g.add("ConstantOfShape", shape, value=left)
        found.append((g.add("Concat", picture, box, axis=1), g.add("Gather", best, stands)))
    return [g.add("Concat", *parts, axis=0) for parts in zip(*found, strict=True)][: m.num_tops]


def _moved(g: Graph, m: Any, anchors: torch.Tensor, moves: Value, info: Value) -> tuple[Value, Value, Value]:
    """The corners (R, 2) of the anchors, moved and cut to the picture, and 1 where a box is large enough, else 0."""
    info = g.reshape(info, [-1])
    limit = scaled(g, g.add("Gather", info, numbers(g, 1, 0)), 1, -1.0)
    sizes = g.add("Slice", info, numbers(g, 2), numbers(g, 4))
    smallest = scaled(g, g.add("Gather", g.add("Expand", sizes, numbers(g, 2)), numbers(g, 1, 0)), float(m.smallest))
    size = anchors[:, 2:] - anchors[:, :2] + 1
    place, growth = g.several("Split", moves, outputs=2, axis=1, num_outputs=2)
    centre = g.add("Add", g.constant(anchors[:, :2] + size / 2), g.add("Mul", place, g.constant(size)))
    half = scaled(g, g.add("Mul", g.add("Exp", growth), g.constant(size)), 0.5)
    zero, corners = g.constant(0.0), []
    for operator in ("Sub", "Add"):
        corner = g.add("Min", g.add("Max", g.add(operator, centre, half), zero), limit)
        corners.append(g.add("Max", corner, zero))
    low, high = corners
    large = g.add("GreaterOrEqual", scaled(g, g.add("Sub", high, low), 1, 1.0), smallest)
    return low, high, g.add("ReduceMin", g.add("Cast", large, to=FLOAT), numbers(g, 1), keepdims=0)


@says("YoloDetectionOutput")
def yolo_detections(g: Graph, node: Node, *bottoms: Value) -> Value:
    m: Any = node.module
    found = []
    for x, below in zip(bottoms, node.below, strict=True):
        values, classes = _grid(g, m, x, below, 5)
        probabilities = g.add("Softmax", classes, axis=0)
        best = g.add("ReduceMax", probabilities, numbers(g, 0), keepdims=0)
        score = g.add("Mul", g.add("Sigmoid", values[4]), best)
        label = g.add("Cast", g.add("ArgMax", probabilities, axis=0, keepdims=0), to=FLOAT)
        box = _boxes(g, [g.add("Sigmoid", v) for v in values[:2]] + values[2:4], m.anchors, (below[3], below[2]), below)
        found.append(_chosen(g, box, score, label, g.add("GreaterOrEqual", score, g.constant(m.confidence))))
    return _rows(g, found, m.overlap, bottoms[0])


@says("Yolov3DetectionOutput")
def yolov3_detections(g: Graph, node: Node, *bottoms: Value) -> Value:
    m: Any = node.module
    found = []
    for i, (x, below) in enumerate(zip(bottoms, node.below, strict=True)):
        values, classes = _grid(g, m, x, below, 9 if m.gaussian else 5)
        score = g.add("Sigmoid", values[8 if m.gaussian else 4])
        sides = [values[k] for k in ((0, 2, 4, 6) if m.gaussian else range(4))]
        if m.gaussian:
            unsure = g.add("Sum", *(g.add("Sigmoid", values[k]) for k in (1, 3, 5, 7)))
            score = scaled(g, g.add("Mul", score, g.add("Sub", g.constant(4.0), unsure)), 0.25)
        anchors = m.anchors[list(m.masks[i * m.step :][: m.boxes])]
        size = below[3] * m.scales[i], below[2] * m.scales[i]
        box = _boxes(g, [g.add("Sigmoid", v) for v in sides[:2]] + sides[2:], anchors, size, below)
        each = g.add("Transpose", g.add("Mul", g.add("Sigmoid", classes), score), perm=[1, 2, 3, 4, 0])
        count = m.length - (9 if m.gaussian else 5)
        label = g.add("Expand", g.constant(np.arange(count, dtype=np.float32)), g.add("Shape", each))
        box = g.add("Expand", g.add("Unsqueeze", box, numbers(g, 4)), numbers(g, 1, 1, 1, 1, count, 1))
        found.append(_chosen(g, box, each, label, g.add("Greater", each, g.constant(m.confidence))))
    return _rows(g, found, m.overlap, bottoms[-1])


def _grid(g: Graph, m: Any, x: Value, below: Sequence[int], numbers_of_box: int) -> tuple[list[Value], Value]:
    """The values beside the classes, each (N, H, W, boxes), and the classes (classes, N, H, W, boxes)."""
    parts = g.add("Transpose", g.reshape(x, [0, m.boxes, m.length, *below[2:]]), perm=[2, 0, 3, 4, 1])
    sizes = numbers(g, *[1] * numbers_of_box, m.length - numbers_of_box)
    *values, classes = g.several("Split", parts, sizes, outputs=numbers_of_box + 1, axis=0)
    return [g.add("Squeeze", value, numbers(g, 0)) for value in values], classes


def _boxes(g: Graph, sides: Sequence[Value], anchors: torch.Tensor, size: Sequence[float], below: Sequence[int]) -> Value:
    """Boxes (N, H, W, boxes, 4) of x, y, w, h."""
    height, width = below[2:]
    row, column = np.arange(height, dtype=np.float32)[:, None, None], np.arange(width, dtype=np.float32)[:, None]
    x, y, w, h = sides
    centres = [g.add("Add", value, g.constant(place)) for value, place in ((x, column), (y, row))]
    parts = [g.add("Div", value, g.constant(float(n))) for value, n in zip(centres, (width, height), strict=True)]
    for value, own, whole in zip((w, h), anchors.cpu().unbind(1), size, strict=True):
        parts.append(g.add("Div", g.add("Mul", g.add("Exp", value), g.constant(own)), g.constant(float(whole))))
    return g.add("Concat", *(g.add("Unsqueeze", part, numbers(g, 4)) for part in parts), axis=4)


def _chosen(g: Graph, box: Value, score: Value, label: Value, which: Value) -> list[Value]:
    """Boxes (K, 4), scores (K) and classes (K) of those that are meant."""
    which = g.reshape(which, [-1])
    return [
        g.add("Compress", g.reshape(x, shape), which, axis=0) for x, shape in ((box, [-1, 4]), (score, [-1]), (label, [-1]))
    ]


def _rows(g: Graph, found: Sequence[Sequence[Value]], threshold: float, like: Value) -> Value:
    """The rows of what stands, best first: (1, 1, K, 7). A last box of no size and no score stands for none."""
    last = (np.zeros((1, 4), np.float32), np.full(1, -1, np.float32), np.zeros(1, np.float32))
    box, score, label = (g.add("Concat", *parts, g.constant(own), axis=0) for *parts, own in zip(*found, last, strict=True))
    score, order = g.several("TopK", score, g.add("Shape", score), outputs=2)
    box, label = g.add("Gather", box, order), g.add("Gather", label, order)
    centre, size = g.several("Split", box, outputs=2, axis=1, num_outputs=2)
    half = scaled(g, size, 0.5)
    low, high = g.add("Sub", centre, half), g.add("Add", centre, half)
    area = g.add("ReduceProd", size, numbers(g, 1), keepdims=0)
    stands = _standing(g, low, high, area, 0.0, threshold, "GreaterOrEqual")
    stands = g.add("And", g.add("Cast", stands, to=BOOL), g.add("GreaterOrEqual", score, g.constant(0.0)))
    columns = [g.reshape(x, [-1, 1]) for x in (g.add("Sub", score, score), scaled(g, label, 1, 1.0), score)]
    rows = g.add("Compress", g.add("Concat", *columns, low, high, axis=1), stands, axis=0)
    return g.reshape(or_nothing(g, rows, like), [1, 1, -1, 7])


def _standing(g: Graph, low: Value, high: Value, area: Value, edge: float, threshold: float, falls: str) -> Value:
    """1 for each of K boxes, best first, that stands, else 0: float32 (K). `edge` is added to sides of what two share."""
    pairs = [[g.add("Unsqueeze", x, numbers(g, axis)) for axis in (1, 0)] for x in (low, high, area)]
    sides = scaled(g, g.add("Sub", g.add("Min", *pairs[1]), g.add("Max", *pairs[0])), 1, edge)
    shared = g.add("ReduceProd", g.add("Relu", sides), numbers(g, 2), keepdims=0)
    ratio = g.add("Div", shared, g.add("Sub", g.add("Add", *pairs[2]), shared))
    hits = g.add("Cast", g.add(falls, ratio, g.constant(threshold)), to=FLOAT)
    hits = g.add("Trilu", hits, g.constant(np.array(1)), upper=1)
    one = g.numpy_helper.from_array(np.ones(1, np.float32))
    all_stand = g.add("ConstantOfShape", g.add("Shape", area), value=one)
    return g.add("Loop", "", g.constant(np.array(True)), all_stand, body=_round(g, hits))


def _round(g: Graph, hits: Value) -> Any:
    """One look: who is hit by none that stands, and whether that is news."""
    make = g.helper.make_node
    names = {x: g.name(f"{g.title}/{x}") for x in ("round", "go", "stand", "hits", "free", "now", "news", "count", "on")}
    zero = g.helper.make_tensor(g.name(f"{g.title}/zero"), FLOAT, [], [0.0])
    nodes = [
        make("MatMul", [names["stand"], hits], [names["hits"]]),
        make("Equal", [names["hits"], zero.name], [names["free"]]),
        make("Cast", [names["free"]], [names["now"]], to=FLOAT),
        make("Sub", [names["stand"], names["now"]], [names["news"]]),
        make("ReduceL1", [names["news"]], [names["count"]], keepdims=0),
        make("Greater", [names["count"], zero.name], [names["on"]]),
    ]
    value = g.helper.make_tensor_value_info
    inputs = [value(names["round"], 7, []), value(names["go"], BOOL, []), value(names["stand"], FLOAT, [None])]
    outputs = [value(names["on"], BOOL, []), value(names["now"], FLOAT, [None])]
    return g.helper.make_graph(nodes, g.name(f"{g.title}/loop"), inputs, outputs, [zero])
