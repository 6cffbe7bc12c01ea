"""Whatever number stands in a layer's settings: the net runs, or one line says at the layer what is wrong."""

from __future__ import annotations

import json
import math

import numbers_of
import numpy as np
import pytest
import torch
from golden_layers import GOLDEN, TESTED_ELSEWHERE, TYPES

from solver_cli import Net
from solver_cli.caffe_pb2 import LayerParameter, NetParameter
from solver_cli.commands import catalogue
from solver_cli.errors import Error
from solver_cli.registry import layer_types
from solver_cli.text import prototxt

SHARED = ("loss_weight", "param")
COMPUTING = [name for name in TYPES if name in layer_types() and name not in TESTED_ELSEWHERE]


def settings(name: str) -> list[numbers_of.Path]:
    """The numbers of the type's own messages, and of the factors that every layer has."""
    fields = LayerParameter.DESCRIPTOR.fields_by_name
    own = [(fields[message], *path) for message, of in catalogue.messages(layer_types()[name]).items()
           for path in numbers_of.numbers(of)]  # fmt: skip
    shared = [path for path in numbers_of.numbers(LayerParameter.DESCRIPTOR) if path[0].name in SHARED]
    return own + (shared if name == "InnerProduct" else [])


def outcome(text: str, phase: str) -> str:
    """The error's line; "" where the net runs forward and backward."""
    try:
        net = Net.from_text(text, phase=phase, seed=1)
        loss, _ = net({name: torch.rand(shape) for name, shape in net.inputs.items()})
        if loss.requires_grad:
            loss.backward()
    except Error as error:
        return str(error)
    return ""


@pytest.mark.parametrize("name", COMPUTING)
def test_every_number(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(GOLDEN)
    with np.load(f"{name}.npz") as file:
        case = next(iter(json.loads(file["cases"].tobytes()).values()))
    plain, _ = prototxt.parse(case["prototxt"], NetParameter)
    for path in settings(name):
        for value in numbers_of.values(path[-1]):
            net = NetParameter()
            net.CopyFrom(plain)
            numbers_of.put(next(layer for layer in net.layer if layer.type == name), path, value)
            line, field = outcome(prototxt.to_text(net), case["phase"]), ".".join(step.name for step in path)
            assert not line or (line.startswith("<text>:") and f"({name}): " in line and "\n" not in line), line
            if not math.isfinite(value) and not (math.isinf(value) and field in prototxt.OPEN):
                assert line, f"{field}: {value} is taken"


def test_a_blob_has_32_axes_at_most() -> None:
    for axes in (32, 33, 100):
        shape = "dim: 1 " * axes
        line = outcome(f'layer {{ name: "in" type: "Input" top: "x" input_param {{ shape {{ {shape} }} }} }}', "TRAIN")
        expected = f"<text>:1:1: layer 'in' (Input): top 0 has {axes} axes: a blob has 32 at most"
        assert line == ("" if axes == 32 else expected)
