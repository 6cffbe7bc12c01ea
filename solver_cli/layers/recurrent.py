"""LSTM, RNN and LSTMUnit: states that go from step to step and from batch to batch.

Bottoms of LSTM and RNN: x (T, N, ...), markers (T, N) of which a 0 starts a sequence, optionally a static input (N, ...)
that joins every step, and with `expose_hidden` the first states (1, N, H). Tops: (T, N, H), with `expose_hidden` also the
last states. No gradient flows through exposed states or into the markers.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from solver_cli import log
from solver_cli.caffe_pb2 import LayerParameter, RecurrentParameter
from solver_cli.errors import ConfigError
from solver_cli.fillers import filled
from solver_cli.layers.common import Shape
from solver_cli.registry import Shapes, layer

LONGEST = 100  # steps that a forecast of memory runs; of more it sees less
SMALL = 384  # states for which oneDNN's LSTM is faster than a step at a time; at 512 it no longer is

Result = tuple[Tensor, tuple[Tensor, ...]]


class Recurrent(nn.Module):
    """What LSTM and RNN share: the check of the bottoms, the blobs on the input side, the state between forwards.

    `state`: the last states, each (1, N, H), or None at the beginning; a later forward of as many streams goes on from it.
    """

    states = 1
    gates = 1
    repeating = False  # the last forward runs once more

    def __init__(self, param: RecurrentParameter, shapes: Sequence[Shape], *, num_tops: int):
        super().__init__()
        if param.num_output == 0:
            raise _error("num_output must be positive", "num_output")
        if param.debug_info:
            log.warning("recurrent_layer.cpp:109", "recurrent_param.debug_info is ignored: no unrolled net to report on")
        self.size, self.expose = param.num_output, param.expose_hidden
        self.state: tuple[Tensor, ...] | None = None
        self._before: tuple[Tensor, ...] | None = None  # what the last forward began with
        exposed = self.states if self.expose else 0
        if len(shapes) - exposed not in (2, 3) or num_tops != 1 + exposed:
            raise _error(
                f"{len(shapes)} bottoms and {num_tops} tops: with expose_hidden: {str(self.expose).lower()} expected "
                f"{2 + exposed} bottoms, or {3 + exposed} with a static input, and {1 + exposed} tops",
                "expose_hidden",
            )
        self.static = len(shapes) - exposed == 3
        _check_shapes(shapes, self.static, self.size)
        out = self.gates * self.size
        self.weight_x = filled(param.weight_filler, out, prod(shapes[0][2:]))
        self.bias = filled(param.bias_filler, out)
        self.weight_static = filled(param.weight_filler, out, prod(shapes[2][1:])) if self.static else None
        self.weight_h = filled(param.weight_filler, out, self.size)

    def reset(self) -> None:
        """Start from states of 0 again."""
        self.state = None

    def forward(self, x: Tensor, markers: Tensor, *more: Tensor) -> Tensor | tuple[Tensor, ...]:
        static, more = (more[0], more[1:]) if self.static else (None, more)
        first = [s.detach() for s in more] if self.expose else self._carried(x)
        top, last = self.in_one(x, markers, first) or self._in_columns(x, markers, static, first)
        if self.expose:
            return top, *last
        if not x.is_meta:
            self.state = last
        return top

    def in_one(self, x: Tensor, markers: Tensor, first: Sequence[Tensor]) -> Result | None:
        """The top and the last states by one operation of torch's, or None where it has none for this."""
        return None

    def _in_columns(self, x: Tensor, markers: Tensor, static: Tensor | None, first: Sequence[Tensor]) -> Result:
        inputs = torch.addmm(self.bias.unsqueeze(1), self.weight_x, x.flatten(2).flatten(0, 1).t())
        inputs = inputs.view(-1, *markers.shape)
        if static is not None and self.weight_static is not None:
            inputs = inputs + (self.weight_static @ static.flatten(1).t()).unsqueeze(1)
        if x.is_meta:  # for shapes a few steps are enough
            inputs, markers = inputs[:, :LONGEST], markers[:LONGEST]
        top, last = self.run(inputs.transpose(0, 1), markers.detach().unsqueeze(1), [s.squeeze(0).t() for s in first])
        if x.is_meta and len(x) > LONGEST:
            top = top[:1].expand(len(x), *top.shape[1:])
        return top, tuple(s.detach().t().unsqueeze(0).clone(memory_format=torch.contiguous_format) for s in last)

    def run(self, inputs: Tensor, markers: Tensor, state: list[Tensor]) -> Result:
        """The top (T, N, H) and the last states (H, N) from the gates' inputs (T, gates * H, N), the markers (T, 1, N) and
        the first states (H, N): on a CPU a product weight * state is up to twice as fast as state * weight^T."""
        raise NotImplementedError

    def _carried(self, x: Tensor) -> Sequence[Tensor]:
        shape = (1, x.shape[1], self.size)
        if not self.repeating:
            self._before = self.state
        if x.is_meta or self._before is None or self._before[0].shape != shape:
            return [x.new_zeros(shape) for _ in range(self.states)]
        return [s.to(x) for s in self._before]


def _error(message: str, field: str) -> ConfigError:
    return ConfigError(message, field=f"recurrent_param.{field}")


def _check_shapes(shapes: Sequence[Shape], static: bool, size: int) -> None:
    x, markers = tuple(shapes[0]), tuple(shapes[1])
    if len(x) < 3:
        raise ConfigError(f"the input must have at least 3 axes (steps, streams, ...), not the shape {x}", field="bottom")
    if markers != x[:2]:
        raise ConfigError(f"the markers must have the shape {x[:2]} (steps, streams), not {markers}", field="bottom")
    if static and (len(shapes[2]) < 2 or shapes[2][0] != x[1]):
        raise ConfigError(
            f"the static input must have the shape ({x[1]} streams, ...), not {tuple(shapes[2])}", field="bottom"
        )
    for state in shapes[2 + static :]:
        if tuple(state) != (1, x[1], size):
            raise ConfigError(f"the first states must have the shape {(1, x[1], size)}, not {tuple(state)}", field="bottom")


def _work(param: LayerParameter, blobs: Shapes, bottoms: Shapes, tops: Shapes) -> int:
    return prod(bottoms[0][:2]) * sum(prod(blob) for blob in blobs if len(blob) > 1)


@layer("LSTM", param="recurrent_param", bottoms=(2, 5), tops=(1, 3), no_gradient=(1,), spared=(1,), work=_work)
class LSTM(Recurrent):
    """c = m f c' + i g, h = o tanh(c), gates i, f, o, g from W_x x + b + W_static s + W_h m h'; m is the marker.

    Blobs: W_x (4H, D), b (4H), [W_static (4H, D')], W_h (4H, H). States h, c. No peepholes.
    """

    states = 2
    gates = 4

    def in_one(self, x: Tensor, markers: Tensor, first: Sequence[Tensor]) -> Result | None:
        """By oneDNN, on a CPU, where no sequence begins behind the first step. (A GPU would have to wait for the look.)"""
        if x.device.type != "cpu" or x.dtype != torch.float32 or self.size > SMALL or self.static:
            return None
        if torch.compiler.is_compiling() or not torch.backends.mkldnn.is_available():  # type: ignore[no-untyped-call]
            return None
        if not _continued(markers):
            return None
        weights = [_gates_as_torchs(w) for w in (self.weight_x, self.weight_h, self.bias)]
        state = [s * markers[:1].detach().unsqueeze(2) for s in first]
        flags = (True, 1, 0.0, self.training, False, False)  # with biases, layers, dropout, training, both ways, batch first
        top, *last = torch.lstm(x.flatten(2), state, [*weights, torch.zeros_like(self.bias)], *flags)
        return top, tuple(s.detach() for s in last)

    def run(self, inputs: Tensor, markers: Tensor, state: list[Tensor]) -> Result:
        tops, cells = LSTMSteps.apply(inputs, self.weight_h, markers, *state)  # type: ignore[no-untyped-call]
        return tops.transpose(1, 2).contiguous(), (tops[-1], cells[-1])


def _continued(markers: Tensor) -> bool:
    """Whether all markers are 1, or 0 in the first step."""
    return bool((markers[1:] == 1).all()) and bool(((markers[0] == 0) | (markers[0] == 1)).all())


def _gates_as_torchs(weight: Tensor) -> Tensor:
    """A blob in torch's order of the gates, i, f, g, o."""
    i, f, o, g = weight.view(4, -1, *weight.shape[1:]).unbind()
    return torch.stack((i, f, g, o)).flatten(0, 1)


class LSTMSteps(torch.autograd.Function):
    """All steps of an LSTM: states and cells (T, H, N) from the gates' inputs (T, 4H, N), W_h and markers (T, 1, N).

    `limit` bounds the gradients of the gates' inputs on their way back; `unmarked`: W_h's gradient is as if no sequence had
    begun. By hand, since autograd would make W_h's gradient once for each step and add them up, and start three times as
    many operations. Nearly all of the time left is that of the matrix products.
    """

    @staticmethod
    def forward(
        ctx: Any,
        inputs: Tensor,
        weight: Tensor,
        markers: Tensor,
        h: Tensor,
        c: Tensor,
        limit: float = 0,
        unmarked: bool = False,
    ) -> tuple[Tensor, Tensor]:
        first, size = (h, c), len(c)
        ctx.limit, ctx.unmarked = limit, unmarked
        gates = inputs.clone(memory_format=torch.contiguous_format)
        cells, tops = (gates.new_empty(len(gates), *c.shape) for _ in range(2))
        parts = gates.view(-1, 4, *c.shape).unbind(1)
        steps = [x.unbind(0) for x in (markers, gates, gates[:, : 3 * size], *parts, cells, tops)]
        for marker, step, sigmoids, i, f, o, g, cell, top in zip(*steps, strict=True):
            step.addmm_(weight, h * marker)
            sigmoids.sigmoid_()
            g.tanh_()
            c = torch.mul(f.mul_(marker), c, out=cell).addcmul_(i, g)
            h = torch.mul(o, c.tanh(), out=top)
        ctx.save_for_backward(weight, markers, gates, cells, tops, *first)
        ctx.mark_non_differentiable(cells)
        return tops, cells

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        """The derivatives of cell and top by the gates' inputs are worked out for all steps at once."""
        weight, markers, gates, cells, tops, *first = ctx.saved_tensors
        i, f, o, g = gates.view(-1, 4, *cells[0].shape).unbind(1)
        bent = cells.tanh()
        to_cell = _by_tanh(o, bent)
        diffs = torch.empty_like(gates)
        parts = diffs.view(-1, 4, *cells[0].shape)
        of_i, of_f, of_o, of_g = parts.unbind(1)
        _by_sigmoid(g, i, grad_input=of_i)
        _by_sigmoid(_before(first[1], cells), f, grad_input=of_f)
        _by_sigmoid(bent, o, grad_input=of_o)
        _by_tanh(i, g, grad_input=of_g)
        dh, dc = torch.zeros_like(cells[0]), torch.zeros_like(cells[0])
        back = weight.t().contiguous()
        steps = [x.unbind(0)[::-1] for x in (grads[0], markers, f, to_cell, diffs, parts[:, :2], of_o, of_g)]
        for dtop, marker, forget, bend, diff, di_df, do, dg in zip(*steps, strict=True):
            dc.addcmul_(dh.add_(dtop), bend)
            di_df.mul_(dc)
            do.mul_(dh)
            dg.mul_(dc)
            if ctx.limit:
                diff.clamp_(-ctx.limit, ctx.limit)
            torch.mm(back, diff, out=dh).mul_(marker)
            dc.mul_(forget)
        seen = _before(first[0], tops)
        return *_gradients(diffs, seen if ctx.unmarked else seen * markers), None, None, None, None, None


_by_sigmoid, _by_tanh = torch.ops.aten.sigmoid_backward, torch.ops.aten.tanh_backward


def _before(first: Tensor, later: Tensor) -> Tensor:
    """What each step began with."""
    return torch.cat((first.unsqueeze(0), later[:-1]))


def _gradients(diffs: Tensor, seen: Tensor) -> tuple[Tensor, Tensor]:
    """Those of the gates' inputs (T, G, N), laid out as these were made, and of W_h, which met the states seen (T, H, N)."""
    diffs, seen = diffs.transpose(0, 1).contiguous(), seen.transpose(0, 1).contiguous()
    return diffs.transpose(0, 1), diffs.flatten(1).mm(seen.flatten(1).t())


@layer("RNN", param="recurrent_param", bottoms=(2, 4), tops=(1, 2), no_gradient=(1,), spared=(1,), work=_work)
class RNN(Recurrent):
    """h = tanh(W_x x + b + W_static s + W_h m h'), top = tanh(W_o h + b_o); m is the marker.

    Blobs: W_x (H, D), b (H), [W_static (H, D')], W_h (H, H), W_o (H, H), b_o (H). State h.
    """

    def __init__(self, param: RecurrentParameter, shapes: Sequence[Shape], *, num_tops: int):
        super().__init__(param, shapes, num_tops=num_tops)
        self.weight_o = filled(param.weight_filler, self.size, self.size)
        self.bias_o = filled(param.bias_filler, self.size)

    def run(self, inputs: Tensor, markers: Tensor, state: list[Tensor]) -> Result:
        states = RNNSteps.apply(inputs, self.weight_h, markers, *state)  # type: ignore[no-untyped-call]
        return torch.tanh(F.linear(states.transpose(1, 2), self.weight_o, self.bias_o)), (states[-1],)


class RNNSteps(torch.autograd.Function):
    """All steps of an RNN: states (T, H, N) from the inputs (T, H, N), W_h and markers (T, 1, N)."""

    @staticmethod
    def forward(ctx: Any, inputs: Tensor, weight: Tensor, markers: Tensor, h: Tensor) -> Tensor:
        first, states = h, inputs.clone(memory_format=torch.contiguous_format)
        for step, marker in zip(states.unbind(0), markers.unbind(0), strict=True):
            h = step.addmm_(weight, h * marker).tanh_()
        ctx.save_for_backward(weight, markers, states, first)
        return states

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, Tensor, None, None]:
        weight, markers, states, first = ctx.saved_tensors
        diffs, dh, back = torch.empty_like(states), torch.zeros_like(states[0]), weight.t().contiguous()
        for dtop, marker, h, diff in zip(*(x.unbind(0)[::-1] for x in (*grads, markers, states, diffs)), strict=True):
            _by_tanh(dh.add_(dtop), h, grad_input=diff)
            torch.mm(back, diff, out=dh).mul_(marker)
        return *_gradients(diffs, _before(first, states) * markers), None, None


@layer("LSTMUnit", bottoms=3, tops=2, no_gradient=(2,), spared=(2,))
def lstm_unit(cell: Tensor, gates: Tensor, markers: Tensor) -> tuple[Tensor, Tensor]:
    """One step of LSTM: cell and state from the last cell (1, N, H), the gates' inputs (1, N, 4H) and markers (1, N)."""
    streams = cell.shape[:2]
    if cell.dim() != 3 or streams[0] != 1 or gates.shape != (*streams, 4 * cell.shape[-1]) or markers.shape != streams:
        found = ", ".join(str(tuple(x.shape)) for x in (cell, gates, markers))
        raise ConfigError(f"the bottoms must have the shapes (1, N, H), (1, N, 4H) and (1, N), not {found}", field="bottom")
    c, h = Unit.apply(cell, gates, markers.unsqueeze(2))  # type: ignore[no-untyped-call]
    return c, h


class Unit(torch.autograd.Function):
    """c = f c' + i g, h = o tanh(c), where f = m sigmoid(f_in) and m is the marker.

    Caffe's gradient of f_in is that of the scaled gate, f (1 - f): the derivative for markers 0 and 1 only.
    """

    @staticmethod
    def forward(ctx: Any, cell: Tensor, gates: Tensor, marker: Tensor) -> tuple[Tensor, Tensor]:
        size = cell.shape[-1]
        i, f, o = torch.sigmoid(gates[..., : 3 * size]).chunk(3, -1)
        f, g = f * marker, torch.tanh(gates[..., 3 * size :])
        c = torch.addcmul(f * cell, i, g)
        bent = torch.tanh(c)
        ctx.save_for_backward(cell, i, f, o, g, bent)
        return c, o * bent

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, Tensor, None]:
        cell, i, f, o, g, bent = ctx.saved_tensors
        sigmoid, tanh = torch.ops.aten.sigmoid_backward, torch.ops.aten.tanh_backward
        dc, dh = grads
        dc = dc + tanh(dh * o, bent)
        inputs = sigmoid(dc * g, i), sigmoid(dc * cell, f), sigmoid(dh * bent, o), tanh(dc * i, g)
        return dc * f, torch.cat(inputs, -1), None
