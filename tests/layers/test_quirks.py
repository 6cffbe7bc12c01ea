"""Where Caffe's figures are artefacts of how it works: what we give instead, as docs/differences.md says."""

from __future__ import annotations

import functools
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from solver_cli import Net

HERE = Path(__file__).parents[1]
PAGE = HERE.parent / "docs" / "differences.md"

# What differs from Caffe's record; everything else is equal.
DIFFERENT = {
    "BNLL_in_place": {"bottom_diff_0"},
    "Clip_in_place": {"bottom_diff_0"},
    "Convolution_kernel_larger_than_input": set(),
    "Eltwise_prod_unstable_zero": set(),
    "Eltwise_sum_in_place": {"top_0"},
    "LSTMUnit_fractional_marker": set(),
    "Log_in_place": {"bottom_diff_0"},
    "MVN_in_place": {"bottom_diff_0"},
    "Pooling_ave_empty_window": set(),
    "Pooling_max_empty_window": set(),
    "Power_cube_at_zero": set(),
    "Power_linear_in_place": {"bottom_diff_0"},
    "Power_square_in_place": {"bottom_diff_0"},
    "ReLU_in_place_negative_slope_sign": {"bottom_diff_0"},
    "quirk_in_place_after_tanh": {"bottom_diff_0", "param_diff_0", "param_diff_1"},
    "quirk_loss_used_again": {"param_diff_0", "param_diff_1"},
    "quirk_weighted_loss_used_again": {"loss"},
}


@functools.cache
def cases() -> tuple[dict[str, Any], np.ndarray]:
    with np.load(HERE / "golden" / "quirks.npz") as file:
        return json.loads(file["cases"].tobytes()), file["values"]


class Case:
    """A recorded case, its net with the recorded parameters, and its inputs."""

    def __init__(self, name: str):
        self.fields = cases()[0][name]
        self.net = Net.from_text(self.fields["prototxt"], phase=self.fields["phase"])
        places = (ref.partition("[") for ref in self.fields["params"])
        self.params = [self.net.params[layer][int(index[:-1])] for layer, _, index in places]
        with torch.no_grad():
            for i, param in enumerate(self.params):
                param.copy_(self.record(f"param_{i}"))
        self.inputs = {blob: self.record(f"bottom_{i}").requires_grad_() for i, blob in enumerate(self.fields["inputs"])}

    def record(self, name: str) -> Tensor:
        start, shape = self.fields["arrays"][name]
        return torch.tensor(cases()[1][start : start + int(np.prod(shape))].reshape(shape))

    def goal(self, loss: Tensor, blobs: dict[str, Tensor]) -> Tensor:
        """What Caffe's backward pass began with: the loss of a graph, the given diffs of a layer's tops."""
        if "loss" in self.fields["arrays"]:
            return loss
        diffs = {top: f"top_diff_{i}" for i, top in enumerate(self.fields["tops"])}
        known = {top: self.record(diff).to(blobs[top]) for top, diff in diffs.items() if diff in self.fields["arrays"]}
        return sum((blobs[top] * diff).sum() for top, diff in known.items()) + torch.zeros(())

    def found(self) -> dict[str, Tensor]:
        """Everything that is recorded, by its name there, as this program has it."""
        loss, blobs = self.net(self.inputs)
        found = {"loss": loss, **{f"top_{i}": blobs[top] for i, top in enumerate(self.fields["tops"])}}
        goal = self.goal(loss, blobs)
        if goal.requires_grad:
            names = [f"bottom_diff_{i}" for i in range(len(self.inputs))] + [
                f"param_diff_{i}" for i in range(len(self.params))
            ]
            wanted = [*self.inputs.values(), *self.params]
            gradients = torch.autograd.grad(goal, wanted, allow_unused=True)
            found |= {name: torch.zeros(1) if g is None else g for name, g in zip(names, gradients, strict=True)}
        return {name: value.detach() for name, value in found.items() if name in self.fields["arrays"]}


@pytest.mark.parametrize("name", DIFFERENT)
def test_what_differs(name):
    case = Case(name)
    found = case.found()
    assert len(found) > 0
    different = {
        key for key, value in found.items() if not value.allclose(case.record(key), rtol=2e-5, atol=2e-6, equal_nan=True)
    }
    assert different == DIFFERENT[name]


@pytest.mark.parametrize("name", [name for name, what in DIFFERENT.items() if any("diff" in key for key in what)])
def test_gradients_that_differ_are_the_derivative(name):
    case = Case(name)
    case.net.double()
    given = [x.detach().double().requires_grad_() for x in case.inputs.values()]

    def goal(*inputs: Tensor) -> Tensor:
        loss, blobs = case.net(dict(zip(case.inputs, inputs, strict=True)))
        return case.goal(loss, blobs)

    assert torch.autograd.gradcheck(goal, given)


def test_an_eltwise_sum_in_place_keeps_its_first_bottom():
    case = Case("Eltwise_sum_in_place")
    torch.testing.assert_close(case.found()["top_0"], case.record("bottom_0") + case.record("bottom_1"))


def test_a_weighted_loss_counts_once():
    case = Case("quirk_weighted_loss_used_again")
    found = case.found()
    torch.testing.assert_close(found["loss"], 0.5 * found["top_1"])


def test_the_page_names_every_case():
    assert set(DIFFERENT) == set(cases()[0])
    rows = [line for line in PAGE.read_text().splitlines() if line.startswith("| `")]
    named = {row.split("`")[1]: row.rsplit("|", 2)[1].strip() for row in rows}
    assert named.keys() == DIFFERENT.keys()
    assert {name for name, ours in named.items() if ours == "the same"} == {n for n, d in DIFFERENT.items() if not d}
