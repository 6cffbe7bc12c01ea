"""The six update rules of Caffe's solvers, each one function over lists of tensors (one list a group of equal rates).

g: gradient after clipping, division by iter_size and decay; r: rate times lr_mult; w <- w - step, the step is returned.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import torch
from torch import Tensor

from solver_cli.caffe_pb2 import SolverParameter

Tensors = list[Tensor]
Step = Callable[[Tensors, list[Tensors], float, SolverParameter, int], Tensors]


@dataclass(frozen=True)
class Rule:
    """A solver type: its step, and how many history blobs it keeps for each weight (which fixes the .solverstate).

    `squares`: the slots that hold sums of squares, which are never negative.
    """

    step: Step
    slots: int
    squares: frozenset[int] = frozenset()


RULES: dict[str, Rule] = {}


def rule(name: str, *, slots: int, squares: Iterable[int] = ()) -> Callable[[Step], Step]:
    """Register the update rule of the solver type `name`."""

    def register(step: Step) -> Step:
        RULES[name] = Rule(step, slots, frozenset(squares))
        return step

    return register


@rule("SGD", slots=1)
def sgd(g: Tensors, history: list[Tensors], rate: float, param: SolverParameter, iteration: int) -> Tensors:
    """v <- momentum v + r g;  step = v.  The rate is inside v, unlike torch.optim."""
    (v,) = history
    torch._foreach_mul_(v, param.momentum)
    torch._foreach_add_(v, g, alpha=rate)
    return v


@rule("Nesterov", slots=1)
def nesterov(g: Tensors, history: list[Tensors], rate: float, param: SolverParameter, iteration: int) -> Tensors:
    """v' = momentum v + r g;  step = (1 + momentum) v' - momentum v"""
    (v,) = history
    step = torch._foreach_mul(v, -param.momentum)
    torch._foreach_mul_(v, param.momentum)
    torch._foreach_add_(v, g, alpha=rate)
    torch._foreach_add_(step, v, alpha=1 + param.momentum)
    return list(step)


@rule("AdaGrad", slots=1, squares=[0])
def adagrad(g: Tensors, history: list[Tensors], rate: float, param: SolverParameter, iteration: int) -> Tensors:
    """h <- h + g g;  step = r g / (sqrt(h) + delta)"""
    (h,) = history
    torch._foreach_addcmul_(h, g, g)
    return _scaled_by_root(g, h, rate, param.delta)


@rule("RMSProp", slots=1, squares=[0])
def rmsprop(g: Tensors, history: list[Tensors], rate: float, param: SolverParameter, iteration: int) -> Tensors:
    """h <- d h + (1 - d) g g with d = rms_decay;  step = r g / (sqrt(h) + delta)"""
    (h,) = history
    _decay_squares(h, g, param.rms_decay)
    return _scaled_by_root(g, h, rate, param.delta)


@rule("AdaDelta", slots=2, squares=[0, 1])
def adadelta(g: Tensors, history: list[Tensors], rate: float, param: SolverParameter, iteration: int) -> Tensors:
    """h <- m h + (1 - m) g g;  u = g sqrt((h2 + delta) / (h + delta));  h2 <- m h2 + (1 - m) u u;  step = r u.
    m is the field momentum; h2 takes u without the rate."""
    h, h2 = history
    _decay_squares(h, g, param.momentum)
    u = torch._foreach_add(h2, param.delta)
    torch._foreach_div_(u, torch._foreach_add(h, param.delta))
    torch._foreach_sqrt_(u)
    torch._foreach_mul_(u, g)
    _decay_squares(h2, list(u), param.momentum)
    torch._foreach_mul_(u, rate)
    return list(u)


@rule("Adam", slots=2, squares=[1])
def adam(g: Tensors, history: list[Tensors], rate: float, param: SolverParameter, iteration: int) -> Tensors:
    """h <- m h + (1 - m) g;  v <- b v + (1 - b) g g;  step = r sqrt(1 - b^t) / (1 - m^t) h / (sqrt(v) + delta)
    with m = momentum, b = momentum2, t = iteration + 1.  delta is added to the uncorrected root."""
    h, v = history
    m, b, t = param.momentum, param.momentum2, iteration + 1
    torch._foreach_mul_(h, m)
    torch._foreach_add_(h, g, alpha=1 - m)
    _decay_squares(v, g, b)
    return _scaled_by_root(h, v, rate * math.sqrt(1 - b**t) / (1 - m**t), param.delta)


def _decay_squares(h: Tensors, g: Tensors, decay: float) -> None:
    """h <- decay h + (1 - decay) g g"""
    torch._foreach_mul_(h, decay)
    torch._foreach_addcmul_(h, g, g, value=1 - decay)


def _scaled_by_root(g: Tensors, h: Tensors, rate: float, delta: float) -> Tensors:
    """rate * g / (sqrt(h) + delta)"""
    root = torch._foreach_sqrt(h)
    torch._foreach_add_(root, delta)
    step = torch._foreach_div(g, root)
    torch._foreach_mul_(step, rate)
    return list(step)
