"""Every layer against figures of real Caffe: see golden/layers/README.md."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
import torch
from golden_layers import (
    GOLDEN,
    TESTED_ELSEWHERE,
    TYPES,
    assert_close,
    assert_gradients,
    assert_layer,
    build,
    feed,
    fork_texts,
    gradients,
    named,
    names,
    set_params,
)
from torch import Tensor

from solver_cli import Net
from solver_cli.errors import Error
from solver_cli.registry import layer_types

NOT_ON_A_CPU = {"pooling_stochastic"}  # what Caffe has on a GPU only, and we everywhere
UNRECORDED = {  # tested by themselves
    *("BboxAccuracy", "BoxOutput", "DecodeBBox", "DetectionAccuracy", "DetectionLoss", "ProposalTarget", "ROIAlign/mscnn"),
    *("AutoCrop", "Reverse", "Transpose", "SigmoidCrossEntropyLoss/hed", "SigmoidCrossEntropyLoss/rcf"),
    *("BatchNorm/intel", "BatchNorm/normface", "CtcLoss", "DiceCoefLoss", "FocalLoss", "Proposal", "ROIAlign", "SeLu"),
    *("SmoothL1Loss/normface", "SmoothL1Loss/ssd"),
    *("SpatialDropout", "TripletLoss", "Yolov3"),
    *("GroupNorm", "HSwish", "HardSwish", "Insanity", "Mish"),
    *("ContinuationIndicator", "DetectNetTransformation", "Gather", "LabelsequenceAccuracy", "Scatter", "SegAccuracy"),
}


@pytest.mark.parametrize("name", names(False, [kind for kind in TYPES if kind != "_graphs"]))
def test_layer(name, monkeypatch):
    monkeypatch.chdir(GOLDEN)
    assert_layer(named(name))


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


OF_FORKS = {"unknown_layer_type"}  # Mish, which BVLC has not
REFUSED = [case for case in json.loads((GOLDEN / "refused.json").read_text()) if case["name"] not in NOT_ON_A_CPU | OF_FORKS]


@pytest.mark.parametrize("case", REFUSED, ids=lambda case: case["name"])
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
    assert {name for name in set(layer_types()) - set(TYPES) - TESTED_ELSEWHERE if not fork_texts(name)} == UNRECORDED
