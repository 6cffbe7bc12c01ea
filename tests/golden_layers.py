"""The recorded layer cases of real Caffe, and how a net is held against one: see golden/layers/README.md."""

from __future__ import annotations

import functools
import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from solver_cli import Net
from solver_cli.text import dialects
from solver_cli.text.netspec import filter_layers, parse_net

GOLDEN = Path(__file__).parent / "golden" / "layers"
FORKS = GOLDEN.parent / "forks" / "layers"  # what the forks of Caffe compute: the cases of the kinds `forks/...`
TYPES = sorted(path.stem for path in GOLDEN.glob("*.npz"))
FORK_TYPES = sorted(f"forks/{path.stem}" for path in FORKS.glob("*.npz"))
SLACK = 2  # another order of summation
TESTED_ELSEWHERE = {  # files, code
    *("Data", "HDF5Data", "HDF5Output", "ImageData", "MemoryData", "Python", "WindowData"),
    *("AnnotatedData", "DenseImageData", "ImageSegData", "VideoData"),
    *("ImageGtData", "ImageLabelmapData/dss", "ImageLabelmapData/hed", "ImageLabelmapData/rcf"),
}


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
    with np.load(FORKS / f"{kind[6:]}.npz" if kind.startswith("forks/") else GOLDEN / f"{kind}.npz") as file:
        values = file["values"]
        return {name: Case(fields, values) for name, fields in json.loads(file["cases"].tobytes()).items()}


def names(random: bool, kinds: list[str]) -> list[str]:
    return [f"{kind}/{name}" for kind in kinds for name, case in cases(kind).items() if ("random" in case) == random]


@functools.cache
def fork_texts(name: str) -> list[tuple[str, str]]:
    """Recorded nets of forks with a layer of this type, by the name that the registry has for it: (phase, text)."""
    word = name.partition("/")[0]
    recorded = (case for kind in FORK_TYPES for case in cases(kind).values())
    found = [(case["phase"], case["prototxt"]) for case in recorded if f'type: "{word}"' in case["prototxt"]]
    return [(phase, text) for phase, text in found if name in registered(text)]


def registered(text: str) -> list[str]:
    """The names that the registry has for the types of a net's layers."""
    spec = parse_net(text)
    return [layer.kind or layer.param.type for layer in dialects.tell(spec, filter_layers(spec))]


def named(name: str) -> Case:
    kind, _, case = name.rpartition("/")
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


def assert_layer(case: Case) -> None:
    """The case's net of one layer gives the recorded figures."""
    net = build(case)
    params = net.params.get("test", [])
    set_params(params, case)
    inputs = feed(case)
    for _ in range(case.get("n_forward", 1)):
        _, blobs = net(inputs)
    assert_case(case, inputs, params, [blobs[top] for top in case["tops"]])
