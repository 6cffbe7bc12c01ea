"""Lstm of junhyukoh's fork: not BVLC's LSTM, see recurrent.py, whose steps it shares. Where sequences begin, for them."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

import torch
from torch import Tensor, nn

from solver_cli.caffe_pb2 import ContinuationIndicatorParameter, LayerParameter, LSTMParameter
from solver_cli.errors import ConfigError
from solver_cli.fillers import filled
from solver_cli.layers.common import Shape, canonical_axis
from solver_cli.layers.recurrent import LONGEST, LSTMSteps
from solver_cli.registry import Shapes, layer


def _work(param: LayerParameter, blobs: Shapes, bottoms: Shapes, tops: Shapes) -> int:
    return bottoms[0][0] * (prod(blobs[0]) + prod(blobs[1]))


@layer("ContinuationIndicator", origin="warp-ctc", bottoms=(0, 1))
class ContinuationIndicator(nn.Module):
    """top (time_step, N) = 0 in the first row, where sequences begin, else 1; N is `batch_size` (warp-ctc) or the length of
    the bottom's `axis` (jolibrain).
    """

    like: Tensor

    def __init__(self, param: ContinuationIndicatorParameter, shapes: Sequence[tuple[int, ...]]):
        super().__init__()
        field = "continuation_indicator_param"
        if bool(shapes) == param.HasField("batch_size"):
            text = "give batch_size, or a bottom that has as many records, not both"
            raise ConfigError(text, field=f"{field}.batch_size")
        axis = canonical_axis(param.axis, shapes[0], f"{field}.axis") if shapes else 0
        self.steps, self.records = param.time_step, shapes[0][axis] if shapes else param.batch_size
        self.axis = axis
        for name, value in (("time_step", self.steps), ("batch_size", self.records)):
            if not value:
                raise ConfigError(f"{name} must be 1 or more, not 0", field=f"{field}.{name}")
        self.register_buffer("like", torch.empty(0, device="cpu"), persistent=False)  # for its device and type

    def forward(self, x: Tensor | None = None) -> Tensor:
        records = self.records if x is None else x.shape[self.axis]
        return torch.cat([self.like.new_zeros(1, records), self.like.new_ones(self.steps - 1, records)])


@layer("Lstm", origin="caffe-lstm", bottoms=(1, 2), in_place=False, no_gradient=(1,), spared=(1,), work=_work)
class Lstm(nn.Module):
    """c = m f c' + i g, h = o tanh(c), gates i, f, o, g from W_x x + b + W_h m h'; top (T * N, H).

    Bottom 0 (T * N, ...), row t * N + n being step t of stream n of `batch_size` N; bottom 1 the markers m, 0 where a
    sequence starts: only with them a pass goes on from the last one's states. Blobs: W_x (4H, D), W_h (4H, H), b (4H). The
    gates' gradients are held within `clipping_threshold`, and W_h's takes in h' also where a sequence starts (not the
    derivative).
    """

    repeating = False  # the last forward runs once more

    def __init__(self, param: LSTMParameter, shapes: Sequence[Shape]):
        super().__init__()
        bottom, *markers = shapes
        for name in ("num_output", "batch_size"):
            if getattr(param, name) == 0:
                raise ConfigError(f"{name} must be positive", field=f"lstm_param.{name}")
        self.size, self.streams, self.limit = param.num_output, param.batch_size, max(param.clipping_threshold, 0.0)
        if len(bottom) < 2 or bottom[0] % self.streams:
            raise ConfigError(
                f"a bottom of shape {tuple(bottom)} is not one row for each step of batch_size {self.streams} streams",
                field="lstm_param.batch_size",
            )
        if markers and prod(markers[0]) != bottom[0]:
            raise ConfigError(
                f"the markers (bottom 1) of shape {tuple(markers[0])} must be one for each of {bottom[0]} rows",
                field="bottom[1]",
            )
        self.weight_x = filled(param.weight_filler, 4 * self.size, prod(bottom[1:]))
        self.weight_h = filled(param.weight_filler, 4 * self.size, self.size)
        self.bias = filled(param.bias_filler, 4 * self.size)
        self.reset()
        self._before: tuple[Tensor, ...] | None = None  # what the last forward began with

    def reset(self) -> None:
        """Start from states of 0 again."""
        self.state: tuple[Tensor, ...] | None = None

    def forward(self, x: Tensor, markers: Tensor | None = None) -> Tensor:
        steps = len(x) // self.streams
        inputs = torch.addmm(self.bias.unsqueeze(1), self.weight_x, x.flatten(1).t())
        inputs = inputs.view(-1, steps, self.streams).transpose(0, 1)
        if markers is None:
            going_on = x.new_ones(steps, 1, self.streams)
        else:
            going_on = (markers.detach() != 0).to(x.dtype).view(steps, 1, self.streams)
        first = self._first(x, markers is not None)
        if x.is_meta:  # for shapes a few steps are enough
            inputs, going_on = inputs[:LONGEST], going_on[:LONGEST]
        steps_of = inputs, self.weight_h, going_on, *first, self.limit, True
        tops, cells = LSTMSteps.apply(*steps_of)  # type: ignore[no-untyped-call]
        if not x.is_meta:
            self.state = tops[-1].detach().clone(), cells[-1].detach().clone()
        top: Tensor = tops.transpose(1, 2)
        if len(top) < steps:
            top = top[:1].expand(steps, *top.shape[1:])
        return top.reshape(-1, self.size)

    def _first(self, x: Tensor, carried: bool) -> Sequence[Tensor]:
        """The states (H, N) before the first step."""
        if not self.repeating:
            self._before = self.state if carried else None
        if x.is_meta or self._before is None:
            return [x.new_zeros(self.size, self.streams) for _ in range(2)]
        return [state.to(x) for state in self._before]
