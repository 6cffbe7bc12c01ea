"""How ONNX says what works on regions of pictures: poolings of regions of interest, and what a detector finds."""

from __future__ import annotations

from typing import Any

import numpy as np

from solver_cli.export.graph import Graph, Value
from solver_cli.export.onnx_layers import says, scaled
from solver_cli.export.reading import refuse
from solver_cli.layers.boxes import CENTER_SIZE, CORNER
from solver_cli.net.plan import Node

FLOAT, INT64, BOOL, DOUBLE = 1, 7, 9, 11  # onnx.TensorProto's numbers


def numbers(g: Graph, *values: int) -> Value:
    """A constant of whole numbers."""
    return g.constant(np.array(values, np.int64))


# -- regions of interest --------------------------------------------------------------------------------------------


@says("ROIPooling")
def roi_pooling(g: Graph, node: Node, x: Value, rois: Value) -> Value:
    m: Any = node.module
    rois = g.reshape(rois, [-1, 5])
    if m.pad:
        picture, x1, y1, x2, y2 = _columns(g, rois, 1, 1, 1, 1, 1)
        across, down = (scaled(g, _less(g, high, low, -1.0), m.pad) for low, high in ((x1, x2), (y1, y2)))
        low = [g.add("Sub", side, pad) for side, pad in ((x1, across), (y1, down))]
        high = [g.add("Add", side, pad) for side, pad in ((x2, across), (y2, down))]
        rois = g.add("Concat", picture, *low, *high, axis=1)
    return g.add("MaxRoiPool", x, rois, pooled_shape=m.size, spatial_scale=m.scale)


@says("ROIAlign")
def roi_align(g: Graph, node: Node, x: Value, rois: Value) -> Value:
    m: Any = node.module
    picture, corners = _columns(g, g.reshape(rois, [-1, 5]), 1, 4)
    index = g.add("Cast", g.reshape(picture, [-1]), to=INT64)
    told: dict[str, Any] = {"output_height": m.size[0], "output_width": m.size[1], "spatial_scale": m.scale}
    told |= {"sampling_ratio": max(m.samples, 0), "coordinate_transformation_mode": "output_half_pixel"}
    return g.add("RoiAlign", x, corners, index, **told)


@says("PSROIPooling")
def psroi_pooling(g: Graph, node: Node, x: Value, rois: Value) -> Value:
    """Means of cells as differences of sums over the map, in float64, as here."""
    m: Any = node.module
    picture, *corners = _columns(g, g.reshape(rois, [-1, 5]), 1, 1, 1, 1, 1)
    x1, y1, x2, y2 = (_rounded(g, corner) for corner in corners)
    height, width = node.below[0][2:]
    (top, bottom), (left, right) = _cells(g, m, y1, y2, height), _cells(g, m, x1, x2, width)
    sums = g.add("CumSum", g.add("CumSum", g.add("Cast", x, to=DOUBLE), numbers(g, 2)), numbers(g, 3))
    sums = g.add("Pad", sums, numbers(g, 0, 0, 1, 1, 0, 0, 0, 0))
    cells = np.arange(m.outputs * m.group**2).reshape(1, m.outputs, m.group, m.group, 1)
    picture = g.reshape(g.add("Cast", picture, to=INT64), [-1, 1, 1, 1, 1])

    def at(rows: Value, columns: Value) -> Value:
        """The sums up to these rows and columns (R, group), each cell in its own channel."""
        index = [picture, g.constant(cells), g.reshape(rows, [-1, 1, m.group, 1, 1])]
        index.append(g.reshape(columns, [-1, 1, 1, m.group, 1]))
        shape = g.add("Max", *(g.add("Shape", each) for each in index))
        places = g.add("Concat", *(g.add("Expand", each, shape) for each in index), axis=4)
        return g.add("GatherND", sums, places)

    total = g.add("Sub", at(bottom, right), at(top, right))
    total = g.add("Add", g.add("Sub", total, at(bottom, left)), at(top, left))
    sides = (
        g.reshape(g.add("Sub", bottom, top), [-1, 1, m.group, 1]),
        g.reshape(g.add("Sub", right, left), [-1, 1, 1, m.group]),
    )
    area = g.add("Max", g.add("Mul", *sides), numbers(g, 1))
    return g.add("Cast", g.add("Div", total, g.add("Cast", area, to=DOUBLE)), to=FLOAT)


def _cells(g: Graph, m: Any, first: Value, last: Value, size: int) -> tuple[Value, Value]:
    """Where each of the cells (R, group) along a side begins and ends, within the map."""
    start, end = scaled(g, first, m.scale), scaled(g, scaled(g, last, 1, 1.0), m.scale)
    step = scaled(g, g.add("Max", g.add("Sub", end, start), g.constant(0.1)), 1)
    step = g.add("Div", step, g.constant(float(m.group)))
    cell = np.arange(m.group, dtype=np.float32)
    begin, stop = (g.add("Add", g.add("Mul", g.constant(cell + i), step), start) for i in (0, 1))
    ends = []
    for value in (g.add("Floor", begin), g.add("Ceil", stop)):
        whole = g.add("Cast", value, to=INT64)
        ends.append(g.add("Min", g.add("Max", whole, numbers(g, 0)), numbers(g, size)))
    return g.add("Min", *ends), ends[1]


def _rounded(g: Graph, x: Value) -> Value:
    """To the nearest whole number, halves away from 0."""
    whole = _trunc(g, x)
    return g.add("Add", whole, _trunc(g, scaled(g, g.add("Sub", x, whole), 2)))


def _trunc(g: Graph, x: Value) -> Value:
    return g.add("Cast", g.add("Cast", x, to=INT64), to=FLOAT)


def _columns(g: Graph, x: Value, *sizes: int) -> list[Value]:
    """Parts of x (R, ...), side by side."""
    return g.several("Split", x, numbers(g, *sizes), outputs=len(sizes), axis=1)


def _less(g: Graph, a: Value, b: Value, c: float) -> Value:
    """a - b - c"""
    return scaled(g, g.add("Sub", a, b), 1, -c)


# -- detection ------------------------------------------------------------------------------------------------------


@says("DetectionOutput")
def detection_output(g: Graph, node: Node, codes: Value, scores: Value, priors: Value, *more: Value) -> Value:
    m: Any = node.module
    _check_detection(m)
    of, lists = node.below[2][2] // 4, len(m.found)
    most = of if m.top_k is None else min(m.top_k, of)
    probabilities = g.add("Transpose", g.reshape(scores, [0, of, m.classes]), perm=[0, 2, 1])
    probabilities = g.add("Gather", probabilities, numbers(g, *m.found), axis=1)
    best, order = g.several("TopK", probabilities, numbers(g, most), outputs=2, axis=2)  # of equal ones the first
    box = g.add("Transpose", _decoded(g, m, codes, priors, of), perm=[0, 2, 1, 3])
    box = (
        g.add("Gather", box, numbers(g, *m.found), axis=1)
        if m.columns > 1
        else g.add("Expand", box, numbers(g, 1, lists, 1, 1))
    )
    box = g.add(
        "GatherElements", box, g.add("Expand", g.reshape(order, [0, lists, most, 1]), numbers(g, 1, 1, 1, 4)), axis=2
    )
    limits = [numbers(g, most), g.constant(min(m.threshold, 1.0))]
    limits += [g.constant(m.least)] * (m.least > -np.inf)
    solid = box if m.code == CENTER_SIZE else _solid(g, box)
    chosen = g.add("NonMaxSuppression", g.reshape(solid, [-1, most, 4]), g.reshape(best, [-1, 1, most]), *limits)
    kept = _marked(g, best, g.add("MatMul", chosen, numbers(g, most, 0, 1)), lists * most)
    if m.keep_top_k is not None and m.keep_top_k < lists * most:
        kept = _first(g, kept, g.reshape(best, [0, lists * most]), m.keep_top_k)
    picture, at = g.several("Split", g.add("NonZero", kept), outputs=2, axis=0, num_outputs=2)
    row = g.reshape(g.add("Add", g.add("Mul", picture, numbers(g, lists * most)), at), [-1])
    label = g.add("Gather", numbers(g, *m.found), g.add("Div", at, numbers(g, most)))
    parts = [g.reshape(g.add("Cast", x, to=FLOAT), [-1, 1]) for x in (picture, label)]
    parts += [g.add("Gather", g.reshape(x, [-1, size]), row) for x, size in ((best, 1), (box, 4))]
    return g.reshape(or_nothing(g, g.add("Concat", *parts, axis=1), best), [1, 1, -1, 7])


def _check_detection(m: Any) -> None:
    """Refuse what NonMaxSuppression does in another way."""
    field = "detection_output_param"
    if m.eta < 1:
        refuse("lowers its threshold as it goes on, which ONNX does not: take eta out", f"{field}.nms_param.eta")
    if m.top_k == 0 or m.keep_top_k == 0:
        refuse("keeps nothing: give top_k and keep_top_k of 1 or more", field)
    if m.files is not None:
        refuse("writes files, which ONNX does not: take save_output_param out", f"{field}.save_output_param")


def _decoded(g: Graph, m: Any, codes: Value, priors: Value, of: int) -> Value:
    """The boxes (N, of, 1 or classes, 4) that the codes mean."""
    prior, variance = g.several("Split", g.reshape(priors, [2, of, 1, 4]), outputs=2, axis=0, num_outputs=2)
    codes = g.reshape(codes, [0, of, m.columns, 4])
    codes = codes if m.in_target else g.add("Mul", codes, variance)
    if m.code == CORNER:
        return g.add("Add", prior, codes)
    low, high = _halves(g, prior)
    own = g.add("Sub", high, low)
    if m.code != CENTER_SIZE:
        return g.add("Add", prior, g.add("Mul", codes, g.add("Concat", own, own, axis=3)))
    place, size = _halves(g, codes)
    centre = g.add("Add", g.add("Mul", place, own), g.add("Div", g.add("Add", low, high), g.constant(2.0)))
    half = g.add("Div", g.add("Mul", g.add("Exp", size), own), g.constant(2.0))
    return g.add("Concat", g.add("Sub", centre, half), g.add("Add", centre, half), axis=3)


def _halves(g: Graph, box: Value) -> list[Value]:
    return g.several("Split", box, outputs=2, axis=3, num_outputs=2)


def _solid(g: Graph, box: Value) -> Value:
    """The boxes (..., 4); those that end before they begin, which ONNX would turn round, have no size, so meet none."""
    low, high = _halves(g, box)
    least = g.add("ReduceMin", g.add("Sub", high, low), numbers(g, 3))
    return g.add("Where", g.add("Less", least, g.constant(0.0)), g.constant(0.0), box)


def _marked(g: Graph, like: Value, places: Value, size: int) -> Value:
    """1 at these places (n) of the values of `like`, else 0: int64 (N, size)."""
    one = g.numpy_helper.from_array(np.ones(1, np.int64))
    none = g.add(
        "ConstantOfShape", g.add("Shape", g.reshape(like, [-1])), value=g.numpy_helper.from_array(np.zeros(1, np.int64))
    )
    marks = g.add("ScatterElements", none, places, g.add("ConstantOfShape", g.add("Shape", places), value=one), axis=0)
    return g.reshape(marks, [-1, size])


def _first(g: Graph, kept: Value, scores: Value, count: int) -> Value:
    """Of the marks (N, n) those with the `count` greatest scores of each row."""
    counted = g.add("Where", g.add("Cast", kept, to=BOOL), scores, g.constant(-np.inf))
    _, places = g.several("TopK", counted, numbers(g, count), outputs=2, axis=1)
    marks = g.add("GatherElements", kept, places, axis=1)
    return g.add("ScatterElements", g.add("Sub", kept, kept), places, marks, axis=1)


def or_nothing(g: Graph, rows: Value, like: Value) -> Value:
    """The rows (n, 7), or where there are none a row for each picture, its number and then -1."""
    pictures = g.add("Shape", like, start=0, end=1)
    count = g.add("Shape", rows, start=0, end=1)
    scalars = (g.reshape(each, []) for each in (numbers(g, 0), pictures, numbers(g, 1)))
    empty = g.reshape(g.add("Cast", g.add("Range", *scalars), to=FLOAT), [-1, 1])
    empty = g.add("Pad", empty, numbers(g, 0, 0, 0, 6), g.constant(-1.0))
    wanted = g.add("Where", g.add("Equal", count, numbers(g, 0)), pictures, numbers(g, 0))
    return g.add("Concat", rows, g.add("Slice", empty, numbers(g, 0), wanted, numbers(g, 0)), axis=0)
