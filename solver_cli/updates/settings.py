"""What an update's settings are at an iteration: momentum and decay that change in a run, as forks of Caffe have them."""

from __future__ import annotations

import math

import numpy as np

from solver_cli.caffe_pb2 import SolverParameter

POLICIES = ("fixed", "poly")  # of the decay; of the momentum: "opt" as well
JOLIBRAIN = (
    "amsgrad", "rectified", "gc", "adabelief", "lr_dropout", "decoupled_wd_t0", "decoupled_wd_mult", "lr_mult", "p_mult",
    "period", "lookahead", "lookahead_steps", "lookahead_alpha",
)  # fields that only the solver of jolibrain's fork has
OF_ADAM = ("amsgrad", "rectified", "gc", "adabelief")


def at(param: SolverParameter, iteration: int, rate: float) -> SolverParameter:
    """`param` with the momentum and the weight_decay that the update of `iteration` has, at this global rate."""
    now = momentum(param, iteration, rate), weight_decay(param, iteration)
    if now == (param.momentum, param.weight_decay):
        return param
    changed = SolverParameter()
    changed.CopyFrom(param)
    changed.momentum, changed.weight_decay = now
    return changed


def momentum(param: SolverParameter, iteration: int, rate: float) -> float:
    """NVCaffe's momentum_policy, and Intel's momentum while the rate warms up: times what the rate has grown."""
    policy, momentum = param.momentum_policy, param.momentum
    with np.errstate(all="ignore"):
        if policy == "poly":
            part = np.power(np.float32(iteration) / np.float32(param.max_iter), np.float32(param.momentum_power))
            momentum = float(momentum + np.float32(param.max_momentum - momentum) * part)
        if policy == "opt":
            best = float((1 - 0.5 * np.sqrt(np.float64(rate))) ** 2)
            momentum = min(param.max_momentum, best) if param.HasField("max_momentum") else best
    if warms_up(param, iteration) and param.type == "SGD" and not jolibrain(param):
        before = warm_up(param, max(iteration - 1, 0))
        momentum *= rate / before if before else 1  # Intel's Caffe divides by 0 here
    return momentum


def weight_decay(param: SolverParameter, iteration: int) -> float:
    """NVCaffe's weight_decay_policy: from weight_decay to max_weight_decay at max_iter."""
    if param.weight_decay_policy == "fixed":
        return param.weight_decay
    with np.errstate(all="ignore"):
        part = np.power(np.float32(iteration) / np.float32(param.max_iter), np.float32(param.weight_decay_power))
        return float(param.weight_decay + np.float32(param.max_weight_decay - param.weight_decay) * part)


def warms_up(param: SolverParameter, iteration: int) -> bool:
    """Whether the rate of `iteration` is one of Intel's or jolibrain's warm-up."""
    return iteration < param.warmup_iter


def warm_up(param: SolverParameter, iteration: int) -> float:
    """The rate on the line from warmup_start_lr to base_lr at iteration warmup_iter."""
    base, start, count = (np.float32(x) for x in (param.base_lr, param.warmup_start_lr, param.warmup_iter))
    done = np.float32(iteration)
    with np.errstate(all="ignore"):
        return float((done * base + (count - done) * start) / count)


def decay_restarts(param: SolverParameter, update: int) -> float:
    """jolibrain's factor of decoupled decays and their steps in the update of this number, from 1 on: half a cosine over
    decoupled_wd_t0 updates, then over decoupled_wd_mult times as many, and so on."""
    length, factor = param.decoupled_wd_t0, int(param.decoupled_wd_mult)
    begin = update // length * length if factor == 1 else 0
    while update >= begin + length:
        begin, length = begin + length, length * factor
    return 0.5 + 0.5 * math.cos(math.pi * (update - begin) / length)


def jolibrain(param: SolverParameter) -> bool:
    """Whether the text is meant for jolibrain's fork."""
    words = param.lr_policy == "sgdr" or param.regularization_type == "decoupled"
    return words or any(param.HasField(name) for name in JOLIBRAIN)  # type: ignore[arg-type]


def rectified(param: SolverParameter) -> bool:
    """Whether Adam is rectified: it is in jolibrain's fork unless the text says that it is not."""
    return param.type == "Adam" and param.rectified and jolibrain(param)


def trouble(param: SolverParameter) -> tuple[str, str] | None:
    """(field, what is wrong) of the first of the forks' settings that the update of this solver type knows nothing of."""
    for name, known in (("momentum_policy", (*POLICIES, "opt")), ("weight_decay_policy", POLICIES)):
        if getattr(param, name) not in known:
            return name, f"unknown {name} '{getattr(param, name)}': expected one of {', '.join(known)}"
    if param.larc_policy not in ("scale", "clip"):
        return "larc_policy", f"unknown larc_policy '{param.larc_policy}': expected scale or clip"
    alone = f"alone, and {param.type} knows nothing of it in the fork either: take it out"
    if param.type != "SGD":
        for name in ("larc", "local_lr_auto", "momentum_policy"):
            if getattr(param, name) not in (False, "fixed"):
                return name, f"{name} is for SGD {alone}"
    if param.larc and param.local_lr_auto:
        return "local_lr_auto", "larc (NVCaffe's) and local_lr_auto (Intel's) both set a blob's rate: take one out"
    if param.type != "Adam":
        for name in OF_ADAM:
            if param.HasField(name) and getattr(param, name):  # type: ignore[arg-type]
                return name, f"{name} is for Adam {alone}"
    return _trouble_with_decays(param) or _trouble_with_numbers(param)


def _trouble_with_decays(param: SolverParameter) -> tuple[str, str] | None:
    if param.weight_decay_policy == "poly" and not param.HasField("max_weight_decay"):
        remedy = "as in 0.16, say weight_decay: 0 and the decay here, as in 0.17, say max_weight_decay: 0"
        return "weight_decay_policy", f"weight_decay_policy 'poly' needs a max_weight_decay: {remedy}"
    if param.regularization_type != "decoupled":
        return None
    if param.type not in ("SGD", "Adam"):
        return "regularization_type", f"regularization_type 'decoupled' is for SGD and Adam, {param.type} would not decay"
    for name in ("larc", "local_lr_auto"):
        if getattr(param, name):
            return name, f"{name} and regularization_type 'decoupled' are of different forks: take one out"
    for name in ("decoupled_wd_t0", "decoupled_wd_mult"):
        if getattr(param, name) < 1:
            return name, f"{name} must be 1 or more, not {getattr(param, name):g}"
    return None


def _trouble_with_numbers(param: SolverParameter) -> tuple[str, str] | None:
    if param.lookahead and param.lookahead_steps < 1:
        return "lookahead_steps", f"lookahead_steps must be 1 or more, not {param.lookahead_steps}"
    if param.clamp_weights_lower > param.clamp_weights_upper:
        field = "clamp_weights_lower" if param.HasField("clamp_weights_lower") else "clamp_weights_upper"
        found = f"{param.clamp_weights_lower:g} is above clamp_weights_upper, {param.clamp_weights_upper:g}"
        return field, f"clamp_weights_lower, {found}"
    return None
