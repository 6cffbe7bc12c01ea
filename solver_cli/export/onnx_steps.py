"""How ONNX says layers that go from step to step: each step written out, from states of 0.

Caffe goes on from the states of the batch before where the first markers are not 0; an ONNX model remembers nothing, so
that states that are to go on come in and out with `expose_hidden`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from solver_cli.export.graph import Graph, Value
from solver_cli.export.onnx_layers import says
from solver_cli.export.onnx_regions import numbers
from solver_cli.net.plan import Node


@says("LSTM")
def lstm(g: Graph, node: Node, x: Value, markers: Value, *more: Value) -> list[Value]:
    m: Any = node.module
    steps, streams = node.below[1]
    static, first = _sorted(g, m, more, 2, streams)
    inputs = _inputs(g, node, x, static, steps, streams)
    weight, h, c = g.constant(m.weight_h.t(), "weight_h"), *first
    tops = []
    for step, marker in zip(inputs, _markers(g, markers, steps, streams), strict=True):
        c, h = _lstm_step(g, step, h, c, marker, weight)
        tops.append(h)
    last = [g.reshape(each, [1, streams, m.size]) for each in (h, c)]
    return [_joined(g, tops, [steps, streams, m.size]), *(last if m.expose else [])]


@says("RNN")
def rnn(g: Graph, node: Node, x: Value, markers: Value, *more: Value) -> list[Value]:
    m: Any = node.module
    steps, streams = node.below[1]
    static, (h,) = _sorted(g, m, more, 1, streams)
    inputs = _inputs(g, node, x, static, steps, streams)
    weights = [g.constant(w.t(), name) for w, name in ((m.weight_h, "weight_h"), (m.weight_o, "weight_o"))]
    tops = []
    for step, marker in zip(inputs, _markers(g, markers, steps, streams), strict=True):
        h = g.add("Tanh", g.add("Add", step, g.add("MatMul", g.add("Mul", h, marker), weights[0])))
        tops.append(h)
    top = g.add("MatMul", _joined(g, tops, [steps, streams, m.size]), weights[1])
    top = g.add("Tanh", g.add("Add", top, g.constant(m.bias_o, "bias_o")))
    return [top, *([g.reshape(h, [1, streams, m.size])] if m.expose else [])]


@says("Lstm")
def junhyukoh_lstm(g: Graph, node: Node, x: Value, *markers: Value) -> Value:
    m: Any = node.module
    streams, inputs = m.streams, m.weight_x.shape[1]
    steps = node.below[0][0] // streams
    x = g.add("Gemm", g.reshape(x, [-1, inputs]), g.blob(node, 0), g.blob(node, 2), transB=1)
    weight, (h, c) = g.constant(m.weight_h.t(), "weight_h"), _zeros(g, 2, streams, m.size)
    marks: Sequence[Value | None] = [None] * steps
    if markers:
        zero = g.add("Equal", g.reshape(markers[0], [steps, streams]), g.constant(0.0))
        marks = _markers(g, g.add("Cast", g.add("Not", zero), to=1), steps, streams)
    tops = []
    for step, marker in zip(_steps(g, x, steps, streams, 4 * m.size), marks, strict=True):
        c, h = _lstm_step(g, step, h, c, marker, weight)
        tops.append(h)
    return _joined(g, tops, [steps * streams, m.size])


@says("LSTMUnit")
def lstm_unit(g: Graph, node: Node, cell: Value, gates: Value, markers: Value) -> list[Value]:
    return list(_unit(g, gates, cell, g.add("Unsqueeze", markers, numbers(g, 2)), 2))


@says("ContinuationIndicator")
def continuation(g: Graph, node: Node, *like: Value) -> Value:
    marks: Tensor = node.run(*(torch.zeros(shape) for shape in node.below))  # type: ignore[misc]
    return g.constant(marks, "markers")


def _lstm_step(g: Graph, step: Value, h: Value, c: Value, marker: Value | None, weight: Value) -> tuple[Value, Value]:
    """Cell and state after a step whose gates have these inputs (N, 4H)."""
    h = h if marker is None else g.add("Mul", h, marker)
    return _unit(g, g.add("Add", step, g.add("MatMul", h, weight)), c, marker, 1)


def _unit(g: Graph, gates: Value, c: Value, marker: Value | None, axis: int) -> tuple[Value, Value]:
    """c = m f c' + i g, h = o tanh(c), of the inputs i, f, o, g of the gates along `axis`."""
    *inputs, bent = g.several("Split", gates, outputs=4, axis=axis, num_outputs=4)
    i, f, o = (g.add("Sigmoid", x) for x in inputs)
    f = f if marker is None else g.add("Mul", f, marker)
    c = g.add("Add", g.add("Mul", f, c), g.add("Mul", i, g.add("Tanh", bent)))
    return c, g.add("Mul", o, g.add("Tanh", c))


def _inputs(g: Graph, node: Node, x: Value, static: Value | None, steps: int, streams: int) -> list[Value]:
    """What x and the static input give the gates in each step (N, gates H)."""
    m: Any = node.module
    rows = g.add("Gemm", g.reshape(x, [steps * streams, m.weight_x.shape[1]]), g.blob(node, 0), g.blob(node, 1), transB=1)
    parts = _steps(g, rows, steps, streams, m.weight_x.shape[0])
    if static is None:
        return parts
    weight = g.constant(m.weight_static.t(), "weight_static")
    always = g.add("MatMul", g.reshape(static, [streams, m.weight_static.shape[1]]), weight)
    return [g.add("Add", part, always) for part in parts]


def _steps(g: Graph, rows: Value, steps: int, streams: int, size: int) -> list[Value]:
    """Rows (T N, size) as a value (N, size) for each step."""
    return g.several("Split", rows, numbers(g, *[streams] * steps), outputs=steps, axis=0) if steps > 1 else [rows]


def _markers(g: Graph, markers: Value, steps: int, streams: int) -> list[Value]:
    return _steps(g, g.reshape(markers, [steps * streams, 1]), steps, streams, 1)


def _sorted(g: Graph, m: Any, more: Sequence[Value], states: int, streams: int) -> tuple[Value | None, list[Value]]:
    """The static input, if there is one, and the first states (N, H)."""
    static, given = (more[0], more[1:]) if m.static else (None, more)
    if m.expose:
        return static, [g.reshape(x, [streams, m.size]) for x in given]
    return static, _zeros(g, states, streams, m.size)


def _zeros(g: Graph, states: int, streams: int, size: int) -> list[Value]:
    return [g.constant(np.zeros((streams, size), np.float32), "state")] * states


def _joined(g: Graph, tops: Sequence[Value], shape: Sequence[int]) -> Value:
    return g.reshape(tops[0] if len(tops) == 1 else g.add("Concat", *tops, axis=0), shape)
