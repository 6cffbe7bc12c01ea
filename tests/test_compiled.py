"""Nets that run compiled: one graph for each of BVLC's layer types, and the same figures."""

from __future__ import annotations

import pytest
import torch
from test_golden_layers import (
    GOLDEN,
    TYPES,
    assert_close,
    assert_gradients,
    build,
    cases,
    feed,
    gradients,
    named,
    set_params,
)

from solver_cli.compiled import PLAIN, Compiled


@pytest.fixture(autouse=True)
def fresh():
    torch._dynamo.reset()
    yield
    torch._dynamo.reset()


def each_kind():
    """Every layer type's cases, in a few tests; without those of layers that are left out of graphs."""
    return [kind for kind in TYPES if kind not in PLAIN and any("random" not in case for case in cases(kind).values())]


@pytest.mark.filterwarnings("ignore")  # of torch's own, about what it traces
@pytest.mark.parametrize("kind", [kind for kind in each_kind() if kind != "_graphs"])
def test_one_graph(kind, monkeypatch):
    monkeypatch.chdir(GOLDEN)
    for name in [name for name, case in cases(kind).items() if "random" not in case]:
        torch._dynamo.reset()
        case = named(f"{kind}/{name}")
        net = build(case)
        net.run = Compiled(net, backend="eager", fullgraph=True)
        params = net.params.get("test", [])
        set_params(params, case)
        inputs = feed(case)
        for _ in range(case.get("n_forward", 1)):
            blobs = {**net.next_batch(inputs), **inputs}
            net.run([node for node in net.nodes if not node.name.startswith("sink")], blobs, keep=False)
        tops = [blobs[top] for top in case["tops"]]
        for i, top in enumerate(tops):
            assert_close(top, case, f"top_{i}")
        for i, param in enumerate(params):
            assert_close(param, case, f"param_after_{i}" if f"param_after_{i}" in case else f"param_{i}")
        if case.get("backward", True):
            weights = [case.get(f"top_diff_{i}", torch.zeros_like(top)) for i, top in enumerate(tops)]
            found = gradients(tops, weights, [*inputs.values(), *params])
            assert_gradients(found[: len(inputs)], case, "bottom")
            assert_gradients(found[len(inputs) :], case, "param")
