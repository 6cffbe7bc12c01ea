"""The update rules of jolibrain's fork and NormFace's bounds, step by step against float64; and the shortcuts for them."""

from __future__ import annotations

import itertools
import logging
import math
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from running import NET, SOLVER, changed, write

from solver_cli import Net
from solver_cli.caffe_pb2 import SolverParameter
from solver_cli.solver.solver import Solver
from solver_cli.updates import settings
from solver_cli.updates.kernels import kernel
from solver_cli.updates.update import Update

Array = npt.NDArray[np.float64]
DECAY, RATES = 0.03, (0.1, 0.1, 0.0, 0.05, 0.05, 0.02, 0.1, 0.1)
LAYERS = """
layer { name: "a" type: "Parameter" top: "a" param { lr_mult: 2 } parameter_param { shape { dim: 5 } } }
layer { name: "b" type: "Parameter" top: "b" param { decay_mult: 0 } parameter_param { shape { dim: 2 dim: 3 } } }
layer { name: "c" type: "Parameter" top: "c" param { decay_mult: 0 } parameter_param { shape { dim: 4 } } }
"""
MULTS = ((2, 1), (1, 0), (1, 0))


def gradients() -> Iterator[list[Array]]:
    draws = np.random.default_rng(4)
    for _ in RATES:
        yield [draws.standard_normal(shape) for shape in (5, (2, 3), 4)]


def trained(param: SolverParameter) -> list[Array]:
    """The weights after updates by `gradients`."""
    net = Net.from_text(LAYERS, seed=1)
    for learned in net.learned:
        learned.blob.data.copy_(torch.linspace(-1, 2, learned.blob.numel()).view_as(learned.blob))
    update = Update(net, param)
    for iteration, (rate, own) in enumerate(zip(RATES, gradients(), strict=True)):
        for learned, gradient in zip(net.learned, own, strict=True):
            learned.blob.grad = torch.tensor(gradient, dtype=torch.float32)
        update(rate, iteration, 1)
    return [learned.blob.detach().double().numpy() for learned in net.learned]


def by_hand(param: SolverParameter, rule: Any) -> list[Array]:
    """The same by `rule(state, w, g, rate, decay, t)`, which gives the step of one blob."""
    weights = [np.linspace(-1, 2, size).reshape(shape) for size, shape in ((5, 5), (6, (2, 3)), (4, 4))]
    states: list[dict[str, Any]] = [{"h": np.zeros_like(w), "v": np.zeros_like(w)} for w in weights]
    for t, (rate, own) in enumerate(zip(RATES, gradients(), strict=True), 1):
        for w, g, state, (lr, decay) in zip(weights, own, states, MULTS, strict=True):
            w -= rule(state, w, g, rate * lr, param.weight_decay * decay, t)
    return weights


def adam(param: SolverParameter, nu: Any = lambda t: 1.0) -> Any:
    """AdamUpdate and AdamUpdateDecoupledWD of jolibrain's adam_solver.cu."""

    def step(s: dict[str, Any], w: Array, g: Array, rate: float, decay: float, t: int) -> Array:
        m, b, decoupled = param.momentum, param.momentum2, param.regularization_type == "decoupled"
        g = g if decoupled else g + decay * w
        g = g - g.mean() if param.gc else g
        s["h"] = m * s["h"] + (1 - m) * g
        g = g - s["h"] if param.adabelief else g
        v = b * s["v"] + (1 - b) * g * g
        s["v"] = np.maximum(v, s["v"]) if param.amsgrad else v
        rate *= math.sqrt(1 - b**t) / (1 - m**t)
        last = 2 / (1 - b) - 1
        now = last - 2 * t * b**t / (1 - b**t)
        result = rate * s["h"] / (np.sqrt(s["v"]) + param.delta)
        if param.rectified:
            factor = math.sqrt(max((now - 4) * (now - 2) * last / (last - 4) / (last - 2) / now, 0))
            result = factor * result if now > 4 else rate * s["h"]
        return nu(t) * (result + decay * w) if decoupled else result

    return step


def sgd(param: SolverParameter, nu: Any) -> Any:
    """SGDUpdate of jolibrain's sgd_solver.cu."""

    def step(s: dict[str, Any], w: Array, g: Array, rate: float, decay: float, t: int) -> Array:
        s["h"] = param.momentum * s["h"] + rate * g * nu(t) + w * decay * nu(t)
        return s["h"]

    return step


def cosine(t: int) -> float:
    """The factor of decoupled decays with decoupled_wd_t0 3 and decoupled_wd_mult 2: periods from 0, 3 and 9 on."""
    begin, length = ((0, 3), (3, 6))[t >= 3] if t < 9 else (9, 12)
    return 0.5 + 0.5 * math.cos(math.pi * (t - begin) / length)


def assert_same(found: list[Array], wanted: list[Array]) -> None:
    for one, other in zip(found, wanted, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)


FIELDS = ("amsgrad", "rectified", "gc", "adabelief")


@pytest.mark.parametrize("set_", [c for n in range(5) for c in itertools.combinations(FIELDS, n)], ids=" ".join)
@pytest.mark.parametrize("decoupled", [False, True])
def test_adam(set_: tuple[str, ...], decoupled: bool) -> None:
    fields: dict[str, Any] = {name: name in set_ for name in FIELDS}
    param = SolverParameter(type="Adam", momentum=0.9, momentum2=0.8, delta=1e-3, weight_decay=DECAY, **fields)
    if decoupled:
        param.MergeFrom(SolverParameter(regularization_type="decoupled", decoupled_wd_t0=3))
    wanted = by_hand(param, adam(param, cosine))
    assert bool(kernel(param, "cpu")) == (not set_)
    assert_same(trained(param), wanted)
    param.snapshot_diff = True  # which has the rule followed step by step
    assert_same(trained(param), wanted)


@pytest.mark.parametrize("momentum", [0, 0.9])
def test_sgd_decays_beside_the_gradient(momentum: float) -> None:
    param = SolverParameter(regularization_type="decoupled", decoupled_wd_t0=3, weight_decay=DECAY, momentum=momentum)
    assert_same(trained(param), by_hand(param, sgd(param, cosine)))


def test_decays_restart() -> None:
    param = SolverParameter(decoupled_wd_t0=3)
    assert [settings.decay_restarts(param, t) for t in range(1, 21)] == pytest.approx([cosine(t) for t in range(1, 21)])
    param.decoupled_wd_mult = 1.9  # the fork keeps a whole number
    assert [settings.decay_restarts(param, t) for t in (3, 4, 5, 3_000_001)] == pytest.approx([1, 0.75, 0.25, 0.75])


def test_lookahead() -> None:
    """The slow weights begin where the first update ends."""
    param = SolverParameter(momentum=0.9, lookahead=True, lookahead_steps=3, lookahead_alpha=0.4)
    states: dict[int, Array] = {}

    def step(s: dict[str, Any], w: Array, g: Array, rate: float, decay: float, t: int) -> Array:
        s["h"] = 0.9 * s["h"] + rate * g
        after = w - s["h"]
        slow = states[id(s)] = after if t == 1 else states[id(s)]
        if t % 3 == 0:
            after = states[id(s)] = 0.4 * after + 0.6 * slow
        return w - after

    assert_same(trained(param), by_hand(param, step))


def test_weights_are_clipped_and_clamped(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "solver_cli")
    found = trained(SolverParameter(clip_weights=0.5, clamp_weights_lower=-0.1))
    assert math.sqrt(sum((w**2).sum() for w in found)) <= 0.5001  # clamping from below has moved nothing away from 0
    assert min(w.min() for w in found) == pytest.approx(-0.1)
    line = next(line for line in caplog.messages if line.startswith("Weight"))
    assert line == "Weight clipping: scaling down weights (L2 norm 4.71512 > 0.5) by scale factor 0.106042"


def test_adam_is_rectified_where_the_text_is_jolibrains(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.chdir(tmp_path)
    caplog.set_level(logging.INFO, "solver_cli")
    ends = {}
    for more in ("", "amsgrad: false", "rectified: true", "amsgrad: false rectified: false"):
        write(tmp_path, NET, changed(SOLVER, ("max_iter: 2", "max_iter: 8")) + f'type: "Adam" momentum: 0.9 {more}')
        caplog.clear()
        with closing(Solver("solver.prototxt", device="cpu")) as solver:
            solver.step(8)
            ends[more] = torch.cat([w.detach().flatten() for w in solver.net.parameters()])
        assert any(line.startswith("Adam is rectified") for line in caplog.messages) == (more == "amsgrad: false")
    assert torch.equal(ends[""], ends["amsgrad: false rectified: false"])
    assert torch.equal(ends["rectified: true"], ends["amsgrad: false"])
    assert not torch.equal(ends[""], ends["rectified: true"])


def test_rates_by_norms_of_a_weight_or_gradient_of_0_are_the_runs() -> None:
    net = Net.from_text(LAYERS, seed=1)
    param = SolverParameter(larc=True, larc_eta=0.01)
    for learned in net.learned:
        learned.blob.data.zero_()
        learned.blob.grad = torch.ones_like(learned.blob)
    Update(net, param)(0.25, 0, 1)
    assert all((learned.blob == -0.25).all() for learned in net.learned)
