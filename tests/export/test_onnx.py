"""`solver-tools export --to x.onnx`: onnxruntime computes what we do, for any batch size."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from golden_layers import FORK_TYPES, GOLDEN, TYPES, feed, named, names, set_params

from solver_cli import Net
from solver_cli.errors import ConfigError
from solver_cli.export import to_onnx

onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")


def run(model: Any, inputs: dict[str, torch.Tensor]) -> dict[str, np.ndarray[Any, Any]]:
    onnx.checker.check_model(model, full_check=True)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    outputs = [output.name for output in session.get_outputs()]
    given = {x.name: inputs[x.name].detach().numpy() for x in session.get_inputs()}
    return dict(zip(outputs, session.run(outputs, given), strict=True))


def assert_same(net: Net, inputs: dict[str, torch.Tensor], model: Any) -> None:
    found = run(model, inputs)
    with torch.no_grad():
        blobs = net(inputs)[1]
    assert [name.removesuffix("_out") for name in found] == net.outputs
    for name, found_blob in found.items():
        wanted = blobs[name.removesuffix("_out")]
        limit = 1e-6 + 1e-5 * wanted[wanted.isfinite()].abs().max().item() if wanted.isfinite().any() else 0
        torch.testing.assert_close(torch.from_numpy(found_blob), wanted, rtol=0, atol=limit, equal_nan=True)


OTHERS = ("_graphs", "DummyData", "Silence")
CASES = [name for name in names(False, TYPES + FORK_TYPES) if not name.removeprefix("forks/").startswith(OTHERS)]


@pytest.mark.parametrize("name", CASES)
def test_recorded_layer(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(GOLDEN)
    case = named(name)
    net = Net.from_text(case["prototxt"], "TEST", case.get("level", 0), tuple(case.get("stages", ())), seed=1)
    set_params(net.params.get("test", []), case)
    try:
        model = to_onnx.model(net)
    except ConfigError as error:
        pytest.skip(str(error))
    assert_same(net, feed(case), model)
