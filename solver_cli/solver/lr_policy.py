"""Learning rate policies: the rate of an iteration, in float32 as Caffe and its forks compute it. Pure functions."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Callable
from functools import lru_cache

import numpy as np

from solver_cli.caffe_pb2 import SolverParameter
from solver_cli.updates.settings import warm_up, warms_up

LONG = 2.0**40  # iterations: more than any run makes
Policy = Callable[[SolverParameter, int, int], float]


def learning_rate(param: SolverParameter, iteration: int, step: int) -> float:
    """The rate of `iteration`; `step` is the step counter that `step_counter` gave for it."""
    with np.errstate(all="ignore"):  # poly beyond max_iter may be NaN, as in Caffe
        rate = float(np.float32((_before(param, iteration) or POLICIES[param.lr_policy])(param, iteration, step)))
    return max(rate, param.min_lr) if param.min_lr > 0 and param.lr_policy != "sgdr" else rate


def _before(param: SolverParameter, iteration: int) -> Policy | None:
    """What goes before the policy at `iteration`, if anything does: a warm-up, or NVCaffe's ramp."""
    if warms_up(param, iteration):
        return lambda param, iteration, step: warm_up(param, iteration)
    return ramp_up if iteration < param.rampup_interval else None


def step_counter(param: SolverParameter, iteration: int, step: int) -> int:
    """The step counter of `iteration`, given the one before it. multistep moves by one at the most, even when several
    stepvalues are behind (equal values, a resume far on). plateau's moves by the losses: see `plateau`."""
    if _before(param, iteration):
        return step
    if param.lr_policy == "sgdr":
        return bisect_right(_starts(param, iteration), iteration) - 1
    if param.lr_policy == "step":
        return iteration // param.stepsize
    if param.lr_policy == "multistep" and step < len(param.stepvalue) and iteration >= param.stepvalue[step]:
        return step + 1
    return step


def fixed(param: SolverParameter, iteration: int, step: int) -> float:
    """base_lr"""
    return param.base_lr


def _power(base: float, exponent: int) -> float:
    """base ^ exponent in double precision, infinite where it is too large, as C has it."""
    try:
        return float(base**exponent)
    except (OverflowError, ZeroDivisionError):
        return math.inf


def stepped(param: SolverParameter, iteration: int, step: int) -> float:
    """base_lr * gamma ^ step; the power in double precision"""
    return param.base_lr * _power(param.gamma, step)


def exp(param: SolverParameter, iteration: int, step: int) -> float:
    """base_lr * gamma ^ iteration; the power in double precision"""
    return param.base_lr * _power(param.gamma, iteration)


def inv(param: SolverParameter, iteration: int, step: int) -> float:
    """base_lr * (1 + gamma * iteration) ^ -power"""
    base = np.float32(1) + np.float32(param.gamma) * np.float32(iteration)
    return float(np.float32(param.base_lr) * np.power(base, np.float32(-param.power)))


def poly(param: SolverParameter, iteration: int, step: int) -> float:
    """base_lr * (1 - iteration / max_iter) ^ power; with NVCaffe's min_lr it ends there instead of at 0"""
    base = np.float32(1) - np.float32(iteration) / np.float32(param.max_iter)
    least = np.float32(max(param.min_lr, 0))
    return float((np.float32(param.base_lr) - least) * np.power(base, np.float32(param.power)) + least)


def sigmoid(param: SolverParameter, iteration: int, step: int) -> float:
    """base_lr / (1 + exp(-gamma * (iteration - stepsize)))"""
    x = np.float32(-param.gamma) * (np.float32(iteration) - np.float32(param.stepsize))
    return float(np.float32(param.base_lr) * (np.float32(1) / (np.float32(1) + np.exp(x))))


def ramp_up(param: SolverParameter, iteration: int, step: int) -> float:
    """rampup_lr + (base_lr - rampup_lr) * (iteration / rampup_interval) ^ 2"""
    part = np.float32(iteration) / np.float32(param.rampup_interval)
    start = np.float32(param.rampup_lr)
    return float(start + (np.float32(param.base_lr) - start) * part * part)


def multifixed(param: SolverParameter, iteration: int, step: int) -> float:
    """the stagelr of the first stageiter that is not behind, else the last one"""
    stage = next((i for i, last in enumerate(param.stageiter) if iteration <= last), -1)
    return param.stagelr[stage]


def sgdr(param: SolverParameter, iteration: int, step: int) -> float:
    """half a cosine from a top rate to min_lr, anew in each period: of `period` iterations (without one: max_iter), each
    p_mult times as long as the one before and lr_mult times as high"""
    starts = _starts(param, iteration)
    step = bisect_right(starts, iteration) - 1
    begin, end = starts[step : step + 2]
    least = param.min_lr if param.HasField("min_lr") else 1e-6  # jolibrain's default
    top = float(np.float32(param.base_lr) * np.power(np.float32(param.lr_mult), np.float32(step)))
    return least + 0.5 * (top - least) * (1 + math.cos(math.pi * (iteration - begin) / (end - begin)))


def period_start(param: SolverParameter, iteration: int) -> int:
    """The iteration at which the period of policy sgdr that holds `iteration` begins."""
    starts = _starts(param, iteration)
    return starts[bisect_right(starts, iteration) - 1]


def _starts(param: SolverParameter, iteration: int) -> list[int]:
    """The iterations at which periods begin, one beyond `iteration` being the last."""
    starts = _known_starts(param.period if param.period > 0 else max(param.max_iter, 1), param.p_mult)
    while starts[-1] <= iteration:
        starts.append(starts[-1] + int(min((starts[-1] - starts[-2]) * param.p_mult, LONG)))
    return starts


@lru_cache(maxsize=16)
def _known_starts(period: int, factor: float) -> list[int]:
    return [0, period]


def trouble(param: SolverParameter) -> tuple[str, str] | None:
    """(field, what is wrong) of the first of the forks' settings of the rate that do not fit."""
    policy, stages = param.lr_policy, (len(param.stagelr), len(param.stageiter))
    if param.warmup_iter > 0 and param.rampup_interval > 0:
        return "rampup_interval", "rampup_interval (NVCaffe's) and warmup_iter (Intel's) both begin the run: take one out"
    if param.min_lr < 0:
        return "min_lr", f"min_lr must be 0 or more, not {param.min_lr:g}"
    if policy == "poly" and param.min_lr > max(param.base_lr, 0):
        return "min_lr", f"min_lr is {param.min_lr:g}, above base_lr, {param.base_lr:g}, from which poly goes down to it"
    if policy == "multifixed" and (stages[0] != stages[1] or not stages[0]):
        found = f"it is given {stages[0]} times, stageiter {stages[1]} times"
        return "stagelr" if stages[0] else "lr_policy", f"lr_policy 'multifixed' needs a stagelr for each stageiter: {found}"
    if policy == "sgdr" and param.p_mult < 1:
        return "p_mult", f"p_mult must be 1 or more, not {param.p_mult:g}"
    return None


POLICIES: dict[str, Policy] = {
    "fixed": fixed,
    "step": stepped,
    "exp": exp,
    "inv": inv,
    "multistep": stepped,
    "poly": poly,
    "sigmoid": sigmoid,
    "plateau": stepped,
    "multifixed": multifixed,
    "sgdr": sgdr,
}
