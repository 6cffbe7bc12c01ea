"""Every layer against figures of real Caffe: see golden/layers/README.md."""

from __future__ import annotations

import functools
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from solver_cli import Net
from solver_cli.errors import Error
from solver_cli.registry import layer_types

GOLDEN = Path(__file__).parent / "golden" / "layers"
TYPES = sorted(path.stem for path in GOLDEN.glob("*.npz"))
SLACK = 2  # another order of summation
TESTED_ELSEWHERE = {"Data", "HDF5Data", "HDF5Output", "ImageData", "MemoryData", "Python", "WindowData"}  # files, code


class Case:
    """One recorded case: `case["tops"]`, `case["top_0"]` (a float32 tensor), `"top_0" in case`."""

    def __init__(self, fields: dict[str, Any], values: np.ndarray):
        self.fields = fields
        self.arrays = fields["arrays"]
        self.values = values

    def __contains__(self, name: str) -> bool:
        return name in self.arrays or name in self.fields

    def __getitem__(self, name: str) -> Any:
        if name not in self.arrays:
            return self.fields[name]
        start, shape = self.arrays[name]
        return torch.tensor(self.values[start : start + int(np.prod(shape))].reshape(shape))

    def get(self, name: str, default: Any) -> Any:
        return self[name] if name in self else default  # noqa: SIM401 - this is that method


@functools.cache
def cases(kind: str) -> dict[str, Case]:
    with np.load(GOLDEN / f"{kind}.npz") as file:
        values = file["values"]
        return {name: Case(fields, values) for name, fields in json.loads(file["cases"].tobytes()).items()}


def names(random: bool, kinds: list[str]) -> list[str]:
    return [f"{kind}/{name}" for kind in kinds for name, case in cases(kind).items() if ("random" in case) == random]


def named(name: str) -> Case:
    kind, _, case = name.partition("/")
    return cases(kind)[case]


def assert_close(found: Tensor, case: Case, name: str, scale: float = 1.0) -> None:
    wanted = case[name]
    assert tuple(found.shape) == tuple(wanted.shape), name
    if wanted.numel() == 0:
        return
    limit = scale * SLACK * (1e-6 + 1e-5 * wanted[wanted.isfinite()].abs().max().item())
    torch.testing.assert_close(
        found.detach(), wanted, rtol=0, atol=limit, equal_nan=True, msg=lambda text: f"{name}: {text}"
    )


def assert_gradients(found: list[Tensor | None], case: Case, kind: str, scale: float = 1.0, times: int = 1) -> None:
    """Gradients that are recorded must be found; those that Caffe never writes must not be there."""
    for i, gradient in enumerate(found):
        name = f"{kind}_diff_{i}"
        if name in case:
            assert_close(torch.zeros_like(case[name]) if gradient is None else times * gradient, case, name, scale)
        elif gradient is not None:
            assert not gradient.any(), f"{name} should not be there"


def build(case: Case) -> Net:
    return Net.from_text(
        case["prototxt"], phase=case["phase"], level=case.get("level", 0), stages=tuple(case.get("stages", ())), seed=1
    )


def feed(case: Case) -> dict[str, Tensor]:
    blobs = case.get("inputs", case["bottoms"])
    given = {blob: case[f"bottom_{i}"].requires_grad_() for i, blob in enumerate(blobs) if f"bottom_{i}" in case}
    return given or {blob: case[f"feed_top_{i}"] for i, blob in enumerate(blobs) if f"feed_top_{i}" in case}


@torch.no_grad()
def set_params(params: list[Tensor], case: Case) -> None:
    for i, param in enumerate(params):
        param.copy_(case[f"param_{i}"])


def gradients(output: list[Tensor], weights: list[Tensor], inputs: list[Tensor]) -> list[Tensor | None]:
    """The gradient of each of `inputs`; None where there is none."""
    pairs = [(o, w) for o, w in zip(output, weights, strict=True) if o.requires_grad]
    wanted = [x for x in inputs if x.requires_grad]
    if not pairs or not wanted:
        return [None] * len(inputs)
    outputs, weights = zip(*pairs, strict=True)
    found = iter(torch.autograd.grad(outputs, wanted, weights, allow_unused=True))
    return [next(found) if x.requires_grad else None for x in inputs]


def assert_case(case: Case, inputs: dict[str, Tensor], params: list[Tensor], tops: list[Tensor]) -> None:
    """Tops, learned blobs and gradients are the recorded ones."""
    for i, top in enumerate(tops):
        assert_close(top, case, f"top_{i}")
    for i, param in enumerate(params):
        assert_close(param, case, f"param_after_{i}" if f"param_after_{i}" in case else f"param_{i}")
    if case.get("backward", True):
        weights = [case.get(f"top_diff_{i}", torch.zeros_like(top)) for i, top in enumerate(tops)]
        found = gradients(tops, weights, [*inputs.values(), *params])
        assert_gradients(found[: len(inputs)], case, "bottom")
        assert_gradients(found[len(inputs) :], case, "param")


@pytest.mark.parametrize("name", names(False, [kind for kind in TYPES if kind != "_graphs"]))
def test_layer(name, monkeypatch):
    monkeypatch.chdir(GOLDEN)
    case = named(name)
    net = build(case)
    params = net.params.get("test", [])
    set_params(params, case)
    inputs = feed(case)
    for _ in range(case.get("n_forward", 1)):
        _, blobs = net(inputs)
    assert_case(case, inputs, params, [blobs[top] for top in case["tops"]])


@pytest.mark.parametrize("name", names(False, ["_graphs"]))
def test_graph(name):
    case = named(name)
    net = build(case)
    assert [node.name for node in net.nodes if node.name not in case["split_layers"]] == case["layers"]
    first: dict[str, Tensor] = {}  # an in-place blob's gradient is recorded at its first producer
    net.observer = lambda node, bottoms, tops: [first.setdefault(t, x) for t, x in zip(node.tops, tops, strict=True) if t]
    params, owners = (blobs_named(net, case[key]) for key in ("params", "param_owners"))
    set_params(params, case)
    inputs = feed(case)
    for i, x in enumerate(inputs.values()):
        x.requires_grad_(f"bottom_diff_{i}" in case)
    loss, blobs = net(inputs)
    assert_close(loss, case, "loss", 10)
    for i, top in enumerate(case["tops"]):
        assert_close(blobs[top], case, f"top_{i}", 10)
    for i, param in enumerate(params):
        assert_close(param, case, f"param_after_{i}" if f"param_after_{i}" in case else f"param_{i}", 10)
    assert len(net.learned) == len(set(case["param_owners"]))
    produced = [first[top] for top in case["tops"]]
    bottoms = list(inputs.values())
    found = gradients([loss], [torch.ones(())], [*bottoms, *produced, *owners])
    assert_gradients(found[: len(bottoms)], case, "bottom", 10)
    for i, gradient in enumerate(found[len(bottoms) : -len(params) or None]):
        if f"top_diff_{i}" in case and gradient is not None:
            assert_close(gradient, case, f"top_diff_{i}", 10)
    learned = found[len(bottoms) + len(produced) :]
    shaped = [g if g is None else g.reshape(p.shape) for g, p in zip(learned, params, strict=True)]
    assert_gradients(shaped, case, "param", 10, case.get("n_backward", 1))


def blobs_named(net: Net, names: list[str]) -> list[Tensor]:
    """The learned blobs called `layer[index]`."""
    places = (re.fullmatch(r"(.*)\[(\d+)\]", name).groups() for name in names)
    return [net.params[layer][int(index)] for layer, index in places]


@pytest.mark.parametrize("name", names(True, ["Dropout"]))
def test_dropout(name):
    case = named(name)
    inputs = feed(case)
    _, blobs = build(case)(inputs)
    (x,), top = inputs.values(), blobs[case["tops"][0]]
    (gradient,) = gradients([top], [case["top_diff_0"]], [x])
    dropped = top == 0
    assert dropped.float().mean().item() == pytest.approx(case["stat_zero_fraction"], abs=0.06)
    for ratio, recorded in [(top / x, "stat_survivor_scale"), (gradient / case["top_diff_0"], "stat_backward_scale")]:
        least, most = case[recorded]
        kept = ratio[~dropped]
        assert kept.min().item() == pytest.approx(least.item(), rel=1e-5)
        assert kept.max().item() == pytest.approx(most.item(), rel=1e-5)
        assert not ratio[dropped].any()


@pytest.mark.parametrize("name", names(True, [kind for kind in TYPES if kind != "Dropout"]))
def test_random_source(name):
    """Draws differ from pass to pass, constants do not; mean, spread and range are those of the recorded draw."""
    case = named(name)
    net = build(case)
    draws = [net()[1] for _ in range(2)]
    for i, top in enumerate(case["tops"]):
        first, second = (draw[top] for draw in draws)
        recorded = case[f"top_{i}"]
        assert first.equal(second) == recorded.equal(case[f"top_first_{i}"])
        spread = recorded.std().item()
        assert second.shape == recorded.shape
        assert second.mean().item() == pytest.approx(recorded.mean().item(), abs=0.3 * spread)
        assert second.std().item() == pytest.approx(spread, rel=0.25)
        assert second.min().item() == pytest.approx(recorded.min().item(), abs=1.5 * spread)
        assert second.max().item() == pytest.approx(recorded.max().item(), abs=1.5 * spread)


@pytest.mark.parametrize("case", json.loads((GOLDEN / "refused.json").read_text()), ids=lambda case: case["name"])
def test_refused(case):
    if case["fails_at"] is None:
        run(case)
        return
    with pytest.raises(Error, match=r"^<text>:\d+:\d+: \S"):
        run(case)


def run(case: dict[str, Any]) -> None:
    """Build the net, and run it as far as Caffe gets."""
    net = Net.from_text(case["prototxt"], phase=case["phase"])
    feeds = {name: torch.tensor(values, dtype=torch.float32) for name, values in case["feeds"].items()}
    inputs = {name: feeds.get(name, torch.zeros(shape)).reshape(shape) for name, shape in net.inputs.items()}
    loss, _ = net({name: x.requires_grad_() for name, x in inputs.items()})
    if case["fails_at"] == "backward" and loss.requires_grad:
        loss.backward()


def test_every_type_has_a_case():
    assert set(layer_types()) - set(TYPES) - TESTED_ELSEWHERE == set()
