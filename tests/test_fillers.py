"""Fillers against the figures of real Caffe's draws, and what they refuse."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
import torch
from google.protobuf import text_format

from solver_cli import Net
from solver_cli.caffe_pb2 import FillerParameter
from solver_cli.errors import ConfigError
from solver_cli.fillers import fill

CASES = json.loads((Path(__file__).parent / "golden" / "fillers.json").read_text())
REFUSED = {
    'type: "gausian"': ("type", "did you mean 'gaussian'"),
    'type: "gaussian" std: 0': ("std", "must be positive, not 0"),
    'type: "gaussian" std: -1': ("std", "must be positive, not -1"),
    'type: "gaussian" sparse: 3': ("sparse", "sparse 3 .* shape \\(2, 3\\), 2"),
    'type: "gaussian" sparse: -2': ("sparse", "sparse -2"),
    'type: "xavier" sparse: 1': ("sparse", "only gaussian"),
    'type: "uniform" min: 1 max: 0': ("min", "min 1 is greater than max 0"),
    'type: "bilinear"': ("type", "four axes"),
}


def filler(text: str) -> FillerParameter:
    return text_format.Parse(text, FillerParameter())


@pytest.mark.parametrize("case", CASES["fillers"], ids=lambda case: f"{case['filler']} {case['shape']}")
def test_draws(case):
    """Bounds are exact, moments within five standard errors of the theory, which Caffe's own draw meets as well."""
    blob, theory = torch.empty(case["shape"]), case["theory"]
    fill(blob, filler(case["filler"]), torch.Generator().manual_seed(3))
    values = blob.flatten().double()
    if "values" in case:
        plane = torch.tensor(case["values"])
        torch.testing.assert_close(blob, plane.expand_as(blob), rtol=1e-6, atol=0)
        return
    n = values.numel()
    if "min" in theory:
        assert values.min().item() >= theory["min"] - 1e-6
    if "max" in theory:
        assert values.max().item() <= theory["max"] + 1e-6
    if "row_sum" in theory:
        torch.testing.assert_close(blob.flatten(1).sum(1), torch.full([len(blob)], theory["row_sum"]))
    kept = values[values != 0]
    if "keep_probability" in theory:
        p = theory["keep_probability"]
        assert len(kept) / n == pytest.approx(p, abs=5 * math.sqrt(p * (1 - p) / n))
    spread = theory.get("std", theory.get("std_of_kept", case["sample"]["std"]))
    assert kept.mean().item() == pytest.approx(theory["mean"], abs=5 * spread / math.sqrt(len(kept)))
    assert kept.std().item() == pytest.approx(spread, rel=5 / math.sqrt(len(kept)))


@pytest.mark.parametrize("case", CASES["layers"], ids=lambda case: case["what"])
def test_layers(case):
    """The fans follow the blobs' shapes: transposed, grouped, spread."""
    shape = " ".join(f"dim: {n}" for n in case["input_shape"])
    net = Net.from_text(
        f'layer {{ name: "x" type: "Input" top: "x" input_param {{ shape {{ {shape} }} }} }} {case["layer"]}'
    )
    assert [list(blob.shape) for blob in net.params["l"]] == [blob["shape"] for blob in case["blobs"]]
    for blob, recorded in zip(net.params["l"], case["blobs"], strict=True):
        sample, n = recorded["sample"], blob.numel()
        assert blob.std().item() == pytest.approx(sample["std"], rel=7 / math.sqrt(n), abs=1e-6)
        assert blob.mean().item() == pytest.approx(sample["mean"], abs=1e-6 + 7 * sample["std"] / math.sqrt(n))
        assert blob.abs().max().item() <= 1.4 * max(-sample["min"], sample["max"])


@pytest.mark.parametrize("text", REFUSED)
def test_refused(text):
    """At the field's own line."""
    field, message = REFUSED[text]
    lines = "\n".join(text.replace(" ", "\n").replace(":\n", ": ").split("\n"))
    net = f"""layer {{ name: "in" type: "Input" top: "x" input_param {{ shape {{ dim: 5 dim: 3 }} }} }}
layer {{ name: "fc" type: "InnerProduct" bottom: "x" top: "y" inner_product_param {{ num_output: 2 weight_filler {{
{lines}
}} }} }}"""
    line = 3 + [part.startswith(field) for part in lines.split("\n")].index(True)
    with pytest.raises(ConfigError, match=rf"^<text>:{line}:\d+: layer 'fc' \(InnerProduct\): .*{message}"):
        Net.from_text(net)
    with pytest.raises(ConfigError, match=message):
        fill(torch.empty(2, 3), filler(text), torch.Generator())


def test_no_values():
    with pytest.raises(ConfigError, match=r"shape \(0, 3\) has no values"):
        fill(torch.empty(0, 3), FillerParameter(), torch.Generator())


def test_gaussian_unitball():
    """NormFace's: directions all over the sphere, of length 1."""
    blob = torch.empty(500, 2, 4)
    fill(blob, filler('type: "gaussian_unitball"'), torch.Generator().manual_seed(3))
    torch.testing.assert_close(blob.square().sum((1, 2)), torch.ones(500))
    assert blob.mean().item() == pytest.approx(0, abs=5 * math.sqrt(1 / 8 / 4000))
    assert blob.std().item() == pytest.approx(math.sqrt(1 / 8), rel=0.01)
