"""Batches in pieces: what is learned is what the whole batch teaches."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from golden_layers import FORK_TYPES, GOLDEN, TESTED_ELSEWHERE, TYPES, feed, named, names, set_params
from google.protobuf import text_format
from torch import Tensor

from solver_cli import Net
from solver_cli.caffe_pb2 import LayerParameter, NetParameter
from solver_cli.errors import ConfigError
from solver_cli.passes.passes import forward_backward
from solver_cli.passes.pieces import Pieces
from solver_cli.registry import find

KINDS = [kind for kind in TYPES if kind not in {*TESTED_ELSEWHERE, "DummyData", "Input"} and not kind.startswith("_")]


# with axis 0, or time there, and learned blobs
CANNOT = {"Bias", "Convolution", "InnerProduct", "LSTM", "Lstm", "RNN", "Scale"}
NEVER = {"forks/BN/yjxiong_test"}  # a backward pass through the fork's BN in its TEST phase, which joins the records


def with_losses(text: str, gradients: list[str]) -> str:
    """The net with a learned factor on each blob of `gradients`, and a loss on each top that nobody reads."""
    net = text_format.Parse(text, NetParameter())
    layers: list[LayerParameter] = []
    for layer in net.layer:
        for i, blob in enumerate(layer.bottom):
            if blob in gradients:
                top = f"{blob}_{len(layers)}"
                factor = LayerParameter(name=f"factor_{top}", type="Scale", bottom=[blob], top=[top])
                factor.scale_param.axis = factor.scale_param.num_axes = 0
                factor.scale_param.filler.type, factor.scale_param.filler.value = "constant", 1.0
                layers.append(factor)
                layer.bottom[i] = factor.top[0]
                for j, top in enumerate(layer.top):
                    if top == blob:
                        layer.top[j] = factor.top[0]
        layers.append(layer)
    read = {blob for layer in layers for blob in layer.bottom}
    for layer in list(layers):
        for top in layer.top:
            if top not in read and not gives_loss(layer.type) and layer.type not in ("Input", "Accuracy", "ArgMax"):
                name = f"probe_{top}"
                probe = LayerParameter(name=name, type="Power", bottom=[top], top=[name], loss_weight=[0.1])
                probe.power_param.power, probe.power_param.scale, probe.power_param.shift = 2, 0.5, 0.3
                layers.append(probe)
    del net.layer[:]
    net.layer.extend(layers)
    return text_format.MessageToString(net)


def gives_loss(word: str) -> bool:
    """Whether it is a loss; a word that forks mean differently stands in the registry with the fork's name."""
    kind = find(word)
    return kind.loss if kind else word.endswith("Loss")


def learned(net: Net) -> list[Tensor]:
    return [x.blob.detach().clone() for x in net.learned]


def gradients(net: Net) -> list[Tensor]:
    return [torch.zeros_like(x.blob) if x.blob.grad is None else x.blob.grad for x in net.learned]


def assert_same(found: list[Tensor], wanted: list[Tensor], what: str) -> None:
    """Equal but for the order of summation, beside the largest number of all."""
    finite = [x[x.isfinite()].abs().max().item() for x in wanted if x.isfinite().any()]
    for i, (a, b) in enumerate(zip(found, wanted, strict=True)):
        own = b[b.isfinite()].abs().max().item() if b.isfinite().any() else 0.0
        limit = 1e-6 * own + 1e-10 * max(finite, default=0.0)
        torch.testing.assert_close(a, b, rtol=0, atol=limit, equal_nan=True, msg=lambda t, i=i: f"{what} {i}: {t}")


def compare(text: str, phase: str, batch: dict[str, Tensor], sizes: list[int], case: Any = None) -> None:
    """A pass in pieces of each size gives the loss, outputs, gradients, learned blobs and random state of a whole one."""

    def build() -> Net:
        net = Net.from_text(text, phase=phase, seed=1).double()
        if case is not None:
            set_params(net.params.get("test", []), case)
        return net

    batch = {name: x.double() for name, x in batch.items()}
    plain = build()
    loss, outputs = forward_backward(plain, [batch])
    for size, recompute in [(size, recompute) for size in sizes for recompute in (False, True)]:
        net = build()
        found, tops = Pieces(net, size, recompute=recompute)([batch])
        assert_same([found], [loss], f"size {size}: loss")
        assert list(tops) == list(outputs)
        assert_same(list(tops.values()), list(outputs.values()), f"size {size}: output")
        assert_same(gradients(net), gradients(plain), f"size {size}: gradient")
        assert_same(learned(net), learned(plain), f"size {size}: learned blob")
        if net.draws is not None and plain.draws is not None:
            assert torch.equal(net.draws.get_state(), plain.draws.get_state())


@pytest.mark.parametrize("name", sorted({*names(False, KINDS + FORK_TYPES), *names(True, ["Dropout"])} - NEVER))
def test_every_golden_layer(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(GOLDEN)
    case = named(name)
    batch = {blob: x.detach() for blob, x in feed(case).items()}
    records = next((len(x) for x in batch.values() if x.dim()), 1)
    rows = [x.shape[:1] == (records,) for x in batch.values()]
    wanted = [blob for i, blob in enumerate(batch) if f"bottom_diff_{i}" in case and rows[i]]
    text = with_losses(case["prototxt"], wanted)
    try:
        compare(text, case["phase"], batch, sorted({1, 2, max(1, records - 1), records}), case)
    except ConfigError as error:
        assert "cannot be split into micro-batches" in str(error)
        assert name.removeprefix("forks/").partition("/")[0] in CANNOT or "it reads no data" in str(error)
