"""A GPU is never waited for inside a layer, and all that a layer makes is on it, but for types that say they `wait`.

Without a GPU this is seen on the device meta, and by tensors of the CPU that say they are a GPU's; these also show that the
ways which layers take on a GPU alone lead to Caffe's figures.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from golden_layers import (
    FORK_TYPES,
    FORKS,
    GOLDEN,
    TESTED_ELSEWHERE,
    TYPES,
    Case,
    assert_case,
    build,
    feed,
    named,
    names,
    registered,
    set_params,
)
from standin import GPU, Waits, as_if_cuda
from test_every_field import EXAMPLES
from test_golden_forks import QUIRK
from torch import Tensor

from solver_cli import Net
from solver_cli.registry import layer_types

KINDS = [*TYPES, *FORK_TYPES]
IN = 'layer { name: "in" type: "Input" top: "x" top: "z" top: "w" input_param { shape { dim: 4 dim: 3 dim: 2 dim: 2 } } }'
EXAMPLES = {
    **EXAMPLES,
    "TripletLoss": IN + 'layer { name: "test" type: "TripletLoss" bottom: "x" bottom: "z" bottom: "w" top: "y" }',
    "SmoothL1Loss/ssd": IN + 'layer { name: "test" type: "SmoothL1Loss" bottom: "x" bottom: "z" top: "y" } '
    'layer { name: "prior" type: "PriorBox" bottom: "x" bottom: "w" top: "p" prior_box_param { min_size: 2 } }',
}


def cases(kind: str) -> list[str]:
    return [name for name in [*names(False, [kind]), *names(True, [kind])] if QUIRK not in name]


def may_wait(net: Net) -> bool:
    """Whether a layer says that it reads values."""
    return any(node.kind.dynamic or node.holds(node.kind.waits) for node in net.nodes if node.run is not None)


def pass_through(net: Net, inputs: dict[str, Tensor], times: int = 1) -> dict[str, Tensor]:
    """Every named blob, after the way back from all of them that need it."""
    for _ in range(times):
        blobs = dict(inputs)
        net.run(net.nodes, blobs)
    learning = [blob for blob in blobs.values() if blob.requires_grad and blob.grad_fn is not None]
    if learning:
        torch.autograd.backward(learning, [torch.ones_like(x) for x in learning], retain_graph=True)
    return blobs


@pytest.fixture
def at_home(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the folder of the case's files."""
    monkeypatch.chdir(FORKS if str(request.node.callspec.params["kind"]).startswith("forks/") else GOLDEN)


def assert_on_meta(net: Net, inputs: dict[str, Tensor]) -> None:
    given = {name: x.detach().to("meta").requires_grad_(x.requires_grad) for name, x in inputs.items()}
    given.update(net.next_batch(given))
    with Waits(meta=True) as waits:
        blobs = pass_through(net, given)
    assert waits.found == []
    assert all(blob.is_meta for blob in blobs.values())


@pytest.mark.parametrize("kind", KINDS)
def test_without_data(kind: str, at_home: None) -> None:
    """Forward and backward of each recorded case on meta."""
    for name in cases(kind):
        case = named(name)
        options = {"level": case.get("level", 0), "stages": tuple(case.get("stages", ())), "device": "meta"}
        assert_on_meta(Net.from_text(case["prototxt"], phase=case["phase"], **options), feed(case))


@pytest.mark.parametrize("kind", KINDS)
def test_as_on_a_gpu(kind: str, at_home: None) -> None:
    """The same with values, by the ways that are a GPU's: nothing is read, and the figures are the recorded ones."""
    for name in cases(kind):
        case = named(name)
        if "random" not in case:
            assert_as_on_a_gpu(build(case), case, name)


def assert_as_on_a_gpu(net: Net, case: Case, name: str) -> None:
    alone = len(net.params) <= 1 and "params" not in case
    if alone:
        set_params(net.params.get("test", []), case)
    inputs = feed(case)
    given = {**inputs, **net.next_batch(inputs)}
    net.device = GPU
    with as_if_cuda() as waits:
        blobs = pass_through(net, given, case.get("n_forward", 1))
    if not may_wait(net):
        assert waits.found == [], name
    for x in (*inputs.values(), *net.parameters()):
        x.grad = None
    if alone and "_graphs" not in name:
        assert_case(case, inputs, net.params.get("test", []), [blobs[top] for top in case["tops"]])


@pytest.mark.parametrize("kind", sorted(EXAMPLES.keys() - {"DetectNetTransformation"}))  # whose labels are not any numbers
def test_types_that_nobody_has_recorded(kind: str) -> None:
    meta = Net.from_text(EXAMPLES[kind], device="meta")
    assert_on_meta(meta, {name: torch.zeros(shape).requires_grad_() for name, shape in meta.inputs.items()})
    net = Net.from_text(EXAMPLES[kind], seed=1)
    inputs = {name: torch.ones(shape).requires_grad_() for name, shape in net.inputs.items()}
    net.device = GPU
    with as_if_cuda() as waits:
        pass_through(net, inputs)
    assert bool(waits.found) == may_wait(net), waits.found


def test_types_that_wait() -> None:
    """Which they are is said once, where they are registered."""
    waiting = {name for name, kind in layer_types().items() if not kind.source and (kind.dynamic or kind.waits)}
    assert waiting == {
        *("DetectionEvaluate", "DetectionOutput", "Filter", "HDF5Output", "Proposal", "Python", "ROIAlign"),
        *("DetectNetTransformation", "YoloDetectionOutput", "Yolov3DetectionOutput"),
        *("BoxOutput", "DecodeBBox", "DetectionLoss", "ProposalTarget"),
    }


def test_every_type_runs_here() -> None:
    seen = set(EXAMPLES)
    for kind in KINDS:
        for name in cases(kind):
            seen.update(registered(named(name)["prototxt"]))
    missing = {name for name, kind in layer_types().items() if not kind.source} - seen - TESTED_ELSEWHERE
    assert missing == set()


READINGS: list[Callable[[Tensor], object]] = [
    Tensor.item,
    Tensor.tolist,
    Tensor.cpu,
    bool,
    lambda x: torch.ones(3)[x > 0],
    lambda x: (x > 0).nonzero(),
    lambda x: torch.tensor([1.0, 2.0], device=x.device),
    lambda x: x.to("cpu"),
]


@pytest.mark.parametrize("reading", READINGS)
def test_readings_are_seen(reading: Callable[[Tensor], object]) -> None:
    x = torch.ones(1).expand(3) if reading in READINGS[4:6] else torch.ones(1)
    with as_if_cuda() as waits:
        reading(x * 2)
        assert waits.found
        waits.found.clear()
        (x * 2).clamp(min=0).sum().masked_fill(x.max() > 1, 0)
    assert waits.found == []
