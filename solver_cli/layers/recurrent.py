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
from solver_cli.caffe_pb2 import RecurrentParameter
from solver_cli.errors import ConfigError
from solver_cli.fillers import filled
from solver_cli.layers.common import Shape
from solver_cli.registry import layer

LONGEST = 100  # steps that a forecast of memory runs; of more it sees less


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
        inputs = F.linear(x.flatten(2), self.weight_x, self.bias)
        if self.weight_static is not None:
            inputs = inputs + F.linear(more[0].flatten(1), self.weight_static)
            more = more[1:]
        first = [s.detach() for s in more] if self.expose else self._carried(x)
        if x.is_meta:  # for shapes a few steps are enough
            inputs, markers = inputs[:LONGEST], markers[:LONGEST]
        top, last = self.run(inputs, markers.detach(), [s.squeeze(0) for s in first])
        if x.is_meta and len(x) > LONGEST:
            top = top[:1].expand(len(x), *top.shape[1:])
        last = tuple(s.detach().unsqueeze(0) for s in last)
        if self.expose:
            return top, *last
        if not x.is_meta:
            self.state = tuple(s.clone() for s in last)  # a view would keep all steps
        return top

    def run(self, inputs: Tensor, markers: Tensor, state: list[Tensor]) -> tuple[Tensor, tuple[Tensor, ...]]:
        """The top and the last states from the gates' inputs (T, N, gates * H), the markers and the first states (N, H)."""
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


@layer("LSTM", param="recurrent_param", bottoms=(2, 5), tops=(1, 3), no_gradient=(1,), spared=(1,))
class LSTM(Recurrent):
    """c = m f c' + i g, h = o tanh(c), gates i, f, o, g from W_x x + b + W_static s + W_h m h'; m is the marker.

    Blobs: W_x (4H, D), b (4H), [W_static (4H, D')], W_h (4H, H). States h, c. No peepholes.
    """

    states = 2
    gates = 4

    def run(self, inputs: Tensor, markers: Tensor, state: list[Tensor]) -> tuple[Tensor, tuple[Tensor, ...]]:
        tops, cells = Steps.apply(inputs, self.weight_h, markers.unsqueeze(2), *state)  # type: ignore[no-untyped-call]
        return tops, (tops[-1], cells[-1])


class Steps(torch.autograd.Function):
    """All steps of an LSTM: states and cells (T, N, H) from the gates' inputs (T, N, 4H), W_h and markers (T, N, 1).

    By hand, a tenth faster on a CPU: autograd would make W_h's gradient once for each step and add them up, and start three
    times as many operations. Nearly all of the time left is that of the matrix products.
    """

    @staticmethod
    def forward(ctx: Any, inputs: Tensor, weight: Tensor, markers: Tensor, h: Tensor, c: Tensor) -> tuple[Tensor, Tensor]:
        first, size = c, c.shape[-1]
        gates = torch.empty_like(inputs)
        seen, cells, tops = (inputs.new_empty(*inputs.shape[:2], size) for _ in range(3))
        for t, marker in enumerate(markers.unbind(0)):
            h = torch.mul(h, marker, out=seen[t])
            step = torch.addmm(inputs[t], h, weight.t(), out=gates[t])
            i, f, o = step[:, : 3 * size].sigmoid_().chunk(3, 1)
            g = step[:, 3 * size :].tanh_()
            c = torch.addcmul(f.mul_(marker) * c, i, g, out=cells[t])
            h = torch.mul(o, c.tanh(), out=tops[t])
        ctx.save_for_backward(weight, markers, gates, seen, cells, first)
        ctx.mark_non_differentiable(cells)
        return tops, cells

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, Tensor, None, None, None]:
        """The derivatives of cell and top by the gates' inputs are worked out for all steps at once."""
        weight, markers, gates, seen, cells, first = ctx.saved_tensors
        i, f, o, g = gates.chunk(4, -1)
        bent, last = cells.tanh(), torch.cat((first.unsqueeze(0), cells[:-1]))
        by_cell = torch.stack((g * i * (1 - i), last * f * (1 - f), bent * o * (1 - o), i * (1 - g * g)), 2)
        to_cell = o * (1 - bent * bent)
        diffs = torch.empty_like(by_cell)  # (T, N, 4, H)
        dh = dc = torch.zeros_like(first)
        for t in reversed(range(len(gates))):
            dh = dh + grads[0][t]
            dc = torch.addcmul(dc, dh, to_cell[t])
            torch.mul(by_cell[t], dc.unsqueeze(1), out=diffs[t])
            diffs[t, :, 2] = by_cell[t, :, 2] * dh
            dc = dc * f[t]
            dh = diffs[t].flatten(1).mm(weight).mul_(markers[t])
        inputs = diffs.flatten(2)
        return inputs, inputs.flatten(0, 1).t().mm(seen.flatten(0, 1)), None, None, None


@layer("RNN", param="recurrent_param", bottoms=(2, 4), tops=(1, 2), no_gradient=(1,), spared=(1,))
class RNN(Recurrent):
    """h = tanh(W_x x + b + W_static s + W_h m h'), top = tanh(W_o h + b_o); m is the marker.

    Blobs: W_x (H, D), b (H), [W_static (H, D')], W_h (H, H), W_o (H, H), b_o (H). State h.
    """

    def __init__(self, param: RecurrentParameter, shapes: Sequence[Shape], *, num_tops: int):
        super().__init__(param, shapes, num_tops=num_tops)
        self.weight_o = filled(param.weight_filler, self.size, self.size)
        self.bias_o = filled(param.bias_filler, self.size)

    def run(self, inputs: Tensor, markers: Tensor, state: list[Tensor]) -> tuple[Tensor, tuple[Tensor, ...]]:
        (h,) = state
        steps = []
        for step, marker in zip(inputs.unbind(0), markers.unsqueeze(2).unbind(0), strict=True):
            h = torch.tanh(torch.addmm(step, h * marker, self.weight_h.t()))
            steps.append(h)
        return torch.tanh(F.linear(torch.stack(steps), self.weight_o, self.bias_o)), (h,)


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
