"""A layer type registered here, with its traits, runs in pieces, in half precision, fused and compiled like any other."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from solver_cli import Net, registry
from solver_cli.errors import ConfigError, DataError
from solver_cli.net.labels import checked
from solver_cli.passes.compiled import Compiled
from solver_cli.passes.passes import forward_backward
from solver_cli.passes.pieces import Pieces
from solver_cli.passes.precision import Mixed
from solver_cli.registry import layer

NET = """
layer { name: "data" type: "Input" top: "x" top: "label" input_param { shape { dim: 6 dim: 3 } shape { dim: 6 } } }
layer { name: "ip" type: "InnerProduct" bottom: "x" top: "ip" inner_product_param { num_output: 4
  weight_filler { type: "xavier" } } }
layer { name: "new" type: "New" bottom: "ip" top: "new" }
layer { name: "relu" type: "ReLU" bottom: "new" top: "new" }
layer { name: "out" type: "InnerProduct" bottom: "new" top: "out" inner_product_param { num_output: 5
  weight_filler { type: "xavier" } } }
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "out" bottom: "label" top: "loss" }
"""


@pytest.fixture(autouse=True)
def types(monkeypatch: pytest.MonkeyPatch) -> None:
    """The registry as it is, for a test to add to."""
    monkeypatch.setattr(registry, "_types", dict(registry._types))


@pytest.fixture
def batch() -> dict[str, Tensor]:
    return {"x": torch.randn(6, 3, generator=torch.Generator().manual_seed(1)), "label": torch.arange(6.0) % 5}


def built(text: str = NET) -> Net:
    return Net.from_text(text, seed=1)


def learnt(net: Net, batch: dict[str, Tensor], pieces: Pieces | None = None) -> list[Tensor]:
    """The gradients of a pass."""
    forward_backward(net, [dict(batch)], pieces)
    return [x.blob.grad for x in net.learned if x.blob.grad is not None]


def register(**traits: Any) -> list[Tensor]:
    """Register New, which triples its bottom; the bottoms that it sees."""
    seen: list[Tensor] = []

    @layer("New", **traits)
    def new(x: Tensor) -> Tensor:
        if not x.is_meta:
            seen.append(x.detach())
        return x * 3

    return seen


@pytest.mark.parametrize("says", [True, lambda param, bottoms: bottoms == [(6, 4)] and param.name == "new"])
def test_apart(says: registry.Says, batch: dict[str, Tensor]) -> None:
    seen = register(apart=says)
    whole = learnt(built(), batch)
    net = built()
    pieces = Pieces(net, 2)
    seen.clear()
    torch.testing.assert_close(learnt(net, batch, pieces), whole)
    assert not pieces.coupled
    assert [len(x) for x in seen] == [2, 2, 2]


@pytest.mark.parametrize("traits", [{}, {"apart": lambda param, bottoms: len(bottoms[0]) > 2}])
def test_joined(traits: dict[str, Any], batch: dict[str, Tensor]) -> None:
    seen = register(**traits)
    whole = learnt(built(), batch)
    net = built()
    pieces = Pieces(net, 2)
    seen.clear()
    torch.testing.assert_close(learnt(net, batch, pieces), whole)
    assert pieces.coupled
    assert {len(x) for x in seen} == {6}


@pytest.mark.parametrize(("half", "dtype"), [(True, torch.bfloat16), (False, torch.float32)])
def test_half(half: bool, dtype: torch.dtype, batch: dict[str, Tensor]) -> None:
    seen = register(half=half)
    net = built()
    net.run = Mixed(net, torch.bfloat16)
    net.run(net.nodes, dict(batch), keep=False)
    assert {x.dtype for x in seen} == {dtype}


@pytest.mark.parametrize("lets_go", [True, False])
def test_lets_go(lets_go: bool) -> None:
    register(lets_go=lets_go)
    relu = built().nodes[3]
    assert relu.name == "relu"
    assert (relu.quick is not None) == lets_go


def test_overwrite(batch: dict[str, Tensor]) -> None:
    def doubled(x: Tensor) -> Tensor:
        return x.mul_(3) if x.grad_fn is not None else x * 3

    register(overwrite=lambda param: doubled)
    in_place = NET.replace('"ip" top: "new"', '"ip" top: "ip"').replace(
        'bottom: "new" top: "new"', 'bottom: "ip" top: "new"'
    )
    net = built(in_place)
    assert net.nodes[2].quick is doubled
    torch.testing.assert_close(learnt(net, batch), learnt(built(), batch))


def test_a_module_that_does_the_work_of_the_one_behind(batch: dict[str, Tensor]) -> None:
    class New(nn.Module):
        def __init__(self, param: Any, shapes: Any):
            super().__init__()

        def forward(self, x: Tensor) -> Tensor:
            return x * 3

        def absorbs(self, following: nn.Module) -> Any:
            return lambda x: following(self(x))

    layer("New", apart=True)(New)
    scaled = NET.replace('type: "ReLU"', 'type: "Scale"')
    net = built(scaled)
    new, scale = net.nodes[2:4]
    assert (scale.fused, new.fused) == (new, None)
    whole = learnt(net, batch)
    net = built(scaled)
    pieces = Pieces(net, 2)
    torch.testing.assert_close(learnt(net, batch, pieces), whole)
    assert not pieces.coupled
    registry._types.pop("New")
    layer("New")(New)  # joins its records, and so does what works for it
    with pytest.raises(ConfigError, match=r"layer 'relu' \(Scale\): the 6 records .* because this layer joins them"):
        Pieces(built(scaled), 2)


def test_a_module_that_draws(batch: dict[str, Tensor]) -> None:
    class New(nn.Module):
        generator: torch.Generator | None = None
        mask: Tensor | None = None
        draws = True

        def __init__(self, param: Any, shapes: Any):
            super().__init__()

        def draw(self, like: Tensor) -> Tensor:
            return torch.rand(like.shape, generator=None if like.is_meta else self.generator, device=like.device)

        def forward(self, x: Tensor) -> Tensor:
            return x * (self.draw(x) if self.mask is None else self.mask)

    layer("New", apart=True)(New)
    whole = learnt(built(), batch)
    net = built()
    torch.testing.assert_close(learnt(net, batch, Pieces(net, 2, recompute=True)), whole)


@pytest.mark.filterwarnings("ignore")  # of torch's own, about what it traces
@pytest.mark.parametrize("trait", ["once", "dynamic"])
def test_left_out_of_graphs(trait: str, batch: dict[str, Tensor]) -> None:
    register(**{trait: True})
    net = built()
    loss = net.run(net.nodes, dict(batch), keep=False)
    compiled = Compiled(net, backend="eager")
    torch.testing.assert_close(compiled(net.nodes, dict(batch), keep=False), loss)
    parts = [[node.name for node in part.nodes] for _, part in compiled._of(net.nodes)]
    assert parts == [["ip"], ["new"], ["relu", "out", "loss"]]


def test_labels() -> None:
    data = 'type: "DummyData" top: "x" top: "label" dummy_data_param { shape { dim: 6 dim: 3 } shape { dim: 6 } '
    data += 'data_filler { type: "constant" } data_filler { type: "constant" value: 7 } }'
    layer("New", bottoms=2, loss=True, labels=lambda param, scores: (scores[1], None))(lambda x, labels: x.sum())
    net = Net.from_text(f'layer {{ name: "data" {data} }} layer {{ name: "new" type: "New" bottom: "x" bottom: "label" }}')
    with pytest.raises(DataError, match=r"layer 'new' \(New\): label 7 of item 0 .* there are 3 classes"):
        checked(net.nodes[0], net.nodes, net.blob_shapes).next_batch()


def test_a_trait_that_there_is_not() -> None:
    with pytest.raises(TypeError, match="aparte"):
        register(aparte=True)
