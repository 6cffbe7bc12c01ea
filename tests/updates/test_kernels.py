"""Updates in one pass are those that follow the rules of rules.py operation by operation."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from solver_cli import Net
from solver_cli.caffe_pb2 import SolverParameter
from solver_cli.updates.kernels import KERNELS, kernel
from solver_cli.updates.loss_scale import LossScale
from solver_cli.updates.update import Update

SHAPES = [(), (1,), (7,), (70001,), (6, 5, 3, 3), (4, 1, 5, 5)]
SETTINGS = {
    "SGD": {"momentum": 0.9},
    "Nesterov": {"momentum": 0.9},
    "AdaGrad": {"delta": 1e-3},
    "RMSProp": {"rms_decay": 0.9, "delta": 1e-3},
    "Adam": {"momentum": 0.9, "momentum2": 0.99, "delta": 1e-3},
}


def net() -> Net:
    """One whose learned blobs have SHAPES, those of 4 axes with the channels last, and several rates."""
    text = ""
    for i, shape in enumerate(SHAPES):
        dims = " ".join(f"dim: {size}" for size in shape)
        rates = f"param {{ lr_mult: {1 + i % 2} decay_mult: {i % 3} }}"
        text += f'layer {{ name: "p{i}" type: "Parameter" top: "p{i}" {rates} parameter_param {{ shape {{ {dims} }} }} }}\n'
    found = Net.from_text(text, seed=1)
    for i, learned in enumerate(found.learned):
        if learned.blob.dim() == 4:
            learned.blob.data = learned.blob.data.to(memory_format=torch.channels_last)
        learned.blob.data.copy_(torch.randn(learned.blob.shape, generator=torch.Generator().manual_seed(i)))
    return found


def updated(kind: str, bad: int, **more: Any) -> list[Tensor]:
    """Weights and history after five updates; in the one numbered `bad` a gradient is infinite."""
    own = net()
    param = SolverParameter(type=kind, weight_decay=0.05, clip_gradients=100.0, **SETTINGS[kind], **more)
    assert kernel(param, "cpu")
    update = Update(own, param, LossScale(torch.device("cpu"), 1.0) if bad >= 0 else None)
    draws = torch.Generator().manual_seed(9)
    for iteration, rate in enumerate((0.1, 0.1, 0.02, 0.0, 0.05)):
        for i, learned in enumerate(own.learned):
            gradient = torch.randn(learned.blob.shape, generator=draws)
            other_layout = i == 4 and iteration == 1
            learned.blob.grad = gradient if other_layout else torch.empty_like(learned.blob).copy_(gradient)
        if iteration == bad:
            own.learned[2].blob.grad[3] = torch.inf
        update(rate, iteration, 2)
    return [*(learned.blob.detach() for learned in own.learned), *update.history]


@pytest.mark.parametrize("bad", [-1, 2])
@pytest.mark.parametrize("decay", ["L2", "L1"])
@pytest.mark.parametrize("kind", KERNELS)
def test_one_pass_is_the_rule(kind: str, decay: str, bad: int) -> None:
    """snapshot_diff, which needs the steps, has the rule followed."""
    found, wanted = (updated(kind, bad, regularization_type=decay, snapshot_diff=steps) for steps in (False, True))
    for one, other in zip(found, wanted, strict=True):
        torch.testing.assert_close(one, other, rtol=2e-6, atol=2e-6)


def test_settings_without_a_kernel_follow_the_rule() -> None:
    without = [
        SolverParameter(type="SGD"),
        SolverParameter(type="Nesterov"),
        SolverParameter(type="RMSProp", rms_decay=1.0),
        SolverParameter(type="Adam", momentum=0.9, momentum2=1.0),
        SolverParameter(type="AdaDelta", momentum=0.9),
    ]
    assert not any(kernel(param, "cpu") for param in without)
