"""Learning rate policies: the rate of an iteration, in float32 as Caffe computes it. Pure functions."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from solver_cli.caffe_pb2 import SolverParameter

Policy = Callable[[SolverParameter, int, int], float]


def learning_rate(param: SolverParameter, iteration: int, step: int) -> float:
    """The rate of `iteration`; `step` is the step counter that `step_counter` gave for it."""
    with np.errstate(all="ignore"):  # poly beyond max_iter may be NaN, as in Caffe
        return float(np.float32(POLICIES[param.lr_policy](param, iteration, step)))


def step_counter(param: SolverParameter, iteration: int, step: int) -> int:
    """The step counter of `iteration`, given the one before it. multistep moves by one at the most, even when several
    stepvalues are behind (equal values, a resume far on)."""
    if param.lr_policy == "step":
        return iteration // param.stepsize
    if param.lr_policy == "multistep" and step < len(param.stepvalue) and iteration >= param.stepvalue[step]:
        return step + 1
    return step


def fixed(param: SolverParameter, iteration: int, step: int) -> float:
    """base_lr"""
    return param.base_lr


def stepped(param: SolverParameter, iteration: int, step: int) -> float:
    """base_lr * gamma ^ step; the power in double precision"""
    return param.base_lr * _power(param.gamma, step)


def exp(param: SolverParameter, iteration: int, step: int) -> float:
    """base_lr * gamma ^ iteration; the power in double precision"""
    return param.base_lr * _power(param.gamma, iteration)


def _power(base: float, exponent: int) -> float:
    """base ^ exponent, infinite beyond all numbers."""
    try:
        return float(base**exponent)
    except OverflowError:
        return math.inf


def inv(param: SolverParameter, iteration: int, step: int) -> float:
    """base_lr * (1 + gamma * iteration) ^ -power"""
    base = np.float32(1) + np.float32(param.gamma) * np.float32(iteration)
    return float(np.float32(param.base_lr) * np.power(base, np.float32(-param.power)))


def poly(param: SolverParameter, iteration: int, step: int) -> float:
    """base_lr * (1 - iteration / max_iter) ^ power"""
    base = np.float32(1) - np.float32(iteration) / np.float32(param.max_iter)
    return float(np.float32(param.base_lr) * np.power(base, np.float32(param.power)))


def sigmoid(param: SolverParameter, iteration: int, step: int) -> float:
    """base_lr / (1 + exp(-gamma * (iteration - stepsize)))"""
    x = np.float32(-param.gamma) * (np.float32(iteration) - np.float32(param.stepsize))
    return float(np.float32(param.base_lr) * (np.float32(1) / (np.float32(1) + np.exp(x))))


POLICIES: dict[str, Policy] = {
    "fixed": fixed,
    "step": stepped,
    "exp": exp,
    "inv": inv,
    "multistep": stepped,
    "poly": poly,
    "sigmoid": sigmoid,
}
