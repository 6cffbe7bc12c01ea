"""Layers of the forks of Caffe against what the forks compute: see golden/forks/README.md."""

from __future__ import annotations

import pytest
import torch
from golden_layers import FORK_TYPES, FORKS, assert_close, assert_layer, build, feed, named, names, set_params
from torch import Tensor

QUIRK = "/quirk_"  # what a fork does and we do not: see docs/differences.md


@pytest.mark.parametrize("name", [name for name in names(False, FORK_TYPES) if "_graphs" not in name and QUIRK not in name])
def test_layer(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(FORKS)
    assert_layer(named(name))


def paired(detections: Tensor) -> Tensor:
    """Rows (n, 7) by picture, class and left edge."""
    return torch.tensor(sorted(detections[0, 0].tolist(), key=lambda row: (row[0], row[1], row[3])))


@pytest.mark.parametrize("name", names(False, ["forks/_graphs"]))
def test_graph(name: str) -> None:
    case = named(name)
    net = build(case)
    params = [net.params[layer][int(index)] for layer, _, index in (text[:-1].rpartition("[") for text in case["params"])]
    set_params(params, case)
    inputs = feed(case)
    for i, x in enumerate(inputs.values()):
        x.requires_grad_(f"bottom_diff_{i}" in case)
    loss, blobs = net(inputs)
    for i, top in enumerate(case["tops"]):
        if top == "detection_out":  # of equal scores, which saturated ones often are, the fork's order is by chance
            torch.testing.assert_close(paired(blobs[top]), paired(case[f"top_{i}"]), rtol=1e-5, atol=1e-5)
        elif f"top_{i}" in case:
            assert_close(blobs[top], case, f"top_{i}", 10)
    if "loss" in case:
        assert_close(loss, case, "loss", 10)
    if loss.requires_grad:
        loss.backward()
        for i, param in enumerate(params):
            if f"param_diff_{i}" in case and param.requires_grad:
                assert param.grad is not None
                assert_close(param.grad, case, f"param_diff_{i}", 10)
        for i, x in enumerate(inputs.values()):
            if f"bottom_diff_{i}" in case:
                assert x.grad is not None
                assert_close(x.grad, case, f"bottom_diff_{i}", 10)
