"""`Net` and `Solver` as a Python program uses them: gradients, sharing, phases, steps, snapshots."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from running import NET, SOLVER, changed, write

from solver_cli import Net, Solver
from solver_cli.errors import ConfigError
from solver_cli.updates.rules import RULES

REGRESSION = """
layer { name: "in" type: "Input" top: "x" top: "y" input_param { shape { dim: 4 dim: 3 } shape { dim: 4 dim: 2 } } }
layer { name: "ip" type: "InnerProduct" bottom: "x" top: "z"
  inner_product_param { num_output: 2 weight_filler { type: "xavier" } } }
layer { name: "loss" type: "EuclideanLoss" bottom: "z" bottom: "y" top: "loss" }
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def batch(seed: int = 0) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return {"x": torch.randn(4, 3, generator=generator), "y": torch.randn(4, 2, generator=generator)}


def ip(name: str, bottom: str, top: str, outputs: int, extra: str = "") -> str:
    settings = f'inner_product_param {{ num_output: {outputs} weight_filler {{ type: "xavier" }} }}'
    return f'layer {{ name: "{name}" type: "InnerProduct" bottom: "{bottom}" top: "{top}" {extra} {settings} }}\n'


# -- Net ------------------------------------------------------------------------------------------------------------


def test_gradients_are_those_of_a_hand_computation() -> None:
    net, inputs = Net.from_text(REGRESSION, seed=1), batch()
    weight, bias = net.params["ip"]
    loss, blobs = net(inputs)
    loss.backward()
    x, y, w, b = (t.detach().double() for t in (inputs["x"], inputs["y"], weight, bias))
    difference = x @ w.T + b - y
    assert loss.item() == pytest.approx(float((difference**2).sum()) / 2 / 4, rel=1e-6)
    torch.testing.assert_close(blobs["z"].double(), x @ w.T + b, rtol=1e-6, atol=1e-6)
    torch.testing.assert_close(weight.grad.double(), difference.T @ x / 4, rtol=1e-6, atol=1e-6)
    torch.testing.assert_close(bias.grad.double(), difference.sum(0) / 4, rtol=1e-6, atol=1e-6)


def test_gradient_reaches_an_input_that_asks_for_it() -> None:
    net, inputs = Net.from_text(REGRESSION, seed=1), batch()
    inputs["x"].requires_grad_()
    loss, blobs = net(inputs)
    loss.backward()
    difference = (blobs["z"] - inputs["y"]).detach()
    torch.testing.assert_close(inputs["x"].grad, difference @ net.params["ip"][0].detach() / 4)


def test_what_a_net_tells_of_itself() -> None:
    net = Net.from_text(REGRESSION)
    assert net.inputs == {"x": (4, 3), "y": (4, 2)}
    assert (net.outputs, net.sources, net.loss_weights, net.phase) == (["loss"], {}, {"loss": 1.0}, "TRAIN")
    assert {name: [tuple(blob.shape) for blob in blobs] for name, blobs in net.params.items()} == {"ip": [(2, 3), (2,)]}
    dummy = Net.from_text(NET)
    assert (list(dummy.sources), dummy.inputs) == (["data"], {})
    assert [node.name for node in dummy.nodes] == ["data", "conv", "relu", "ip", "loss"]


def test_phase_level_and_stages_choose_layers() -> None:
    rules = {"a": "phase: TEST", "b": "min_level: 2", "c": 'stage: "deploy"', "d": 'not_stage: "deploy"'}
    text = REGRESSION + "".join(
        f'layer {{ name: "{name}" type: "Power" bottom: "x" top: "{name}" include {{ {rule} }} }}\n'
        for name, rule in rules.items()
    )

    def layers(*state: object) -> set[str]:
        return {node.name for node in Net.from_text(text, *state).nodes} & set(rules)

    assert layers() == {"d"}
    assert layers("TEST") == {"a", "d"}
    assert layers("TEST", 2) == {"a", "b", "d"}
    assert layers("TRAIN", 0, ("deploy",)) == {"c"}
    with pytest.raises(ConfigError, match="phase must be TRAIN or TEST, not 'train'"):
        Net.from_text(text, "train")


def test_from_file_is_from_text(folder: Path) -> None:
    write(folder)
    one, other = Net.from_file("net.prototxt", seed=3), Net.from_text(NET, seed=3)
    assert one.param == other.param
    for mine, yours in zip(one.parameters(), other.parameters(), strict=True):
        assert torch.equal(mine, yours)


def test_same_seed_same_weights_dropout_and_data() -> None:
    text = changed(NET, ('"ReLU"', '"Dropout"'))
    runs = {seed: [Net.from_text(text, seed=s)()[0].item() for s in (seed, seed)] for seed in (1, 2)}
    assert runs[1][0] == runs[1][1] != runs[2][0] == runs[2][1]


def test_losses_add_up_with_their_weights() -> None:
    second = (
        'layer { name: "l1" type: "Reduction" bottom: "z" top: "l1" loss_weight: 0.5 reduction_param { operation: ASUM } }\n'
    )
    text = changed(REGRESSION, ('top: "loss" }', 'top: "loss" loss_weight: 3 }')) + second
    net = Net.from_text(text, seed=1)
    loss, blobs = net(batch())
    assert net.loss_weights == {"loss": 3.0, "l1": 0.5}
    assert loss.item() == pytest.approx(3 * blobs["loss"].item() + 0.5 * blobs["l1"].item(), rel=1e-6)
    loss.backward()
    weight, x = net.params["ip"][0], batch()["x"]
    by_hand = 3 * (blobs["z"] - batch()["y"]).T @ x / 4 + 0.5 * blobs["z"].sign().T @ x
    torch.testing.assert_close(weight.grad, by_hand.detach(), rtol=1e-5, atol=1e-5)


def test_loss_weight_on_a_blob_of_several_numbers_counts_for_each() -> None:
    net = Net.from_text(changed(REGRESSION, ('top: "z"', 'top: "z" loss_weight: 2')), seed=1)
    loss, blobs = net(batch())
    assert loss.item() == pytest.approx(2 * blobs["z"].sum().item() + blobs["loss"].item(), rel=1e-5)


TWO = changed(
    REGRESSION,
    ('layer { name: "ip"', ip("first", "x", "h", 5) + 'layer { name: "ip"'),
    ('bottom: "x" top: "z"', 'bottom: "h" top: "z" DOWN'),
)


@pytest.mark.parametrize(("down", "reached"), [("", True), ("propagate_down: true", True), ("propagate_down: false", False)])
def test_propagate_down_false_keeps_the_gradient_from_what_is_below(down: str, reached: bool) -> None:
    net = Net.from_text(changed(TWO, ("DOWN", down)), seed=1)
    net(batch())[0].backward()
    assert (net.params["first"][0].grad is not None) is reached
    assert net.params["ip"][0].grad is not None


def test_layers_of_rate_0_get_no_gradient_unless_it_is_forced() -> None:
    text = changed(TWO, ("DOWN", "param { lr_mult: 0 } param { lr_mult: 0 }"))
    net = Net.from_text(text, seed=1)
    net(batch())[0].backward()
    assert [name for name, blobs in net.params.items() if blobs[0].grad is not None] == ["first"]
    forced = Net.from_text(
        "force_backward: true\n" + changed(text, ("param { lr_mult", "propagate_down: false param { lr_mult")), seed=1
    )
    forced(batch())[0].backward()
    assert [name for name, blobs in forced.params.items() if blobs[0].grad is not None] == ["first", "ip"]


def test_shared_weights_are_one_tensor_whose_gradients_add() -> None:
    inputs = 'layer { name: "in" type: "Input" top: "x" top: "y" input_param { shape { dim: 4 dim: 3 } } }\n'
    loss = 'layer { name: "loss" type: "EuclideanLoss" bottom: "a" bottom: "b" top: "loss" }'
    named = 'param { name: "w" } param { name: "b" }'
    shared = Net.from_text(inputs + ip("one", "x", "a", 2, named) + ip("two", "y", "b", 2, named) + loss, seed=1)
    single = Net.from_text(inputs + ip("one", "x", "a", 2) + ip("two", "y", "b", 2) + loss, seed=1)
    assert shared.params["one"][0] is shared.params["two"][0] and len(shared.learned) == 2 and len(single.learned) == 4
    with torch.no_grad():
        for blobs in single.params.values():
            for mine, theirs in zip(blobs, shared.params["one"], strict=True):
                mine.copy_(theirs)
    data = {"x": batch()["x"], "y": batch(1)["x"]}
    for net in (shared, single):
        net(data)[0].backward()
    torch.testing.assert_close(shared.params["one"][0].grad, single.params["one"][0].grad + single.params["two"][0].grad)


def test_sharing_in_another_shape_needs_permission() -> None:
    tall = ip("one", "x", "a", 2, 'param { name: "w" }')
    text = (
        'layer { name: "in" type: "Input" top: "x" top: "y" '
        "input_param { shape { dim: 4 dim: 3 } shape { dim: 4 dim: 2 } } }\n" + tall
    )
    loss = 'layer { name: "loss" type: "Reduction" bottom: "b" top: "loss" loss_weight: 1 }'
    with pytest.raises(
        ConfigError, match=r"layer 'two' .*cannot share param 'w' of layer 'one': .*2 3 \(6\), here 3 2 \(6\)"
    ):
        Net.from_text(text + ip("two", "y", "b", 3, 'param { name: "w" }') + loss)
    net = Net.from_text(text + ip("two", "y", "b", 3, 'param { name: "w" share_mode: PERMISSIVE }') + loss, seed=1)
    inputs = batch()
    total, blobs = net(inputs)
    weight = net.params["one"][0]
    torch.testing.assert_close(blobs["b"], inputs["y"] @ weight.view(3, 2).T)
    total.backward()
    torch.testing.assert_close(weight.grad, inputs["y"].sum(0).repeat(3).view(2, 3))


# -- Solver ---------------------------------------------------------------------------------------------------------


def solver(folder: Path, net: str = NET, extra: str = "") -> Solver:
    write(folder, net, SOLVER + extra)
    return Solver("solver.prototxt")


def test_step_solve_and_snapshot(folder: Path) -> None:
    mine = solver(folder)
    before = [blob.detach().clone() for blobs in mine.net.params.values() for blob in blobs]
    mine.step(1)
    assert mine.iter == 1
    assert not any(torch.equal(a, b) for a, b in zip(before, mine.net.parameters(), strict=True))
    mine.solve()
    assert mine.iter == 2
    assert {path.name for path in folder.glob("snap*")} == {"snap_iter_2.caffemodel", "snap_iter_2.solverstate"}
    mine.step(3)
    assert (mine.iter, mine.snapshot()) == (5, "snap_iter_5.solverstate")
    mine.close()


def test_restore_brings_back_weights_history_and_iteration(folder: Path) -> None:
    one = solver(folder, extra="momentum: 0.9")
    one.step(2)
    path = one.snapshot()
    other = Solver("solver.prototxt")
    other.restore(path)
    assert other.iter == 2
    for mine, theirs in zip([*one.net.parameters(), *one.history], [*other.net.parameters(), *other.history], strict=True):
        assert torch.equal(mine, theirs)


def test_test_nets_share_the_train_nets_weights(folder: Path) -> None:
    mine = solver(folder, extra="test_iter: 2 test_interval: 1 test_state { level: 1 }")
    (test,) = mine.test_nets
    for name, blobs in mine.net.params.items():
        for own, theirs in zip(blobs, test.params[name], strict=True):
            assert own is theirs
    first = mine.test(0)
    assert list(first) == ["loss"]
    mine.step(20)
    assert mine.test(0)["loss"][0] < first["loss"][0]


def linear(rows: int) -> str:
    """Regression on the rows of data.h5, `rows` a batch."""
    settings = f'hdf5_data_param {{ source: "list.txt" batch_size: {rows} }}'
    data = f'layer {{ name: "in" type: "HDF5Data" top: "x" top: "y" {settings} }}\n'
    return data + REGRESSION[REGRESSION.index('layer { name: "ip"') :]


@pytest.mark.parametrize("kind", sorted(RULES))
@pytest.mark.parametrize("seed", [1, 2])
def test_iter_size_passes_equal_one_batch_of_that_many_times_the_rows(folder: Path, kind: str, seed: int) -> None:
    import h5py

    with h5py.File("data.h5", "w") as file:
        random = np.random.default_rng(seed)
        file["x"], file["y"] = random.standard_normal((24, 3)), random.standard_normal((24, 2))
    Path("list.txt").write_text("data.h5\n")
    momentum = {"AdaGrad": "", "RMSProp": "rms_decay: 0.9\n"}.get(kind, "momentum: 0.9\n")
    common = f'type: "{kind}"\n{momentum}weight_decay: 0.01\ndelta: 0.01\n'
    solvers = []
    for rows, size in ((12, 1), (4, 3)):
        write(
            folder,
            linear(rows),
            changed(SOLVER, ("random_seed: 1", f"random_seed: {seed}")) + common + f"iter_size: {size}\n",
        )
        solvers.append(Solver("solver.prototxt"))
        solvers[-1].step(6)
    for whole, parts in zip(*([*s.net.parameters(), *s.history] for s in solvers), strict=True):
        torch.testing.assert_close(whole, parts, rtol=1e-5, atol=1e-6)
    for each in solvers:
        each.close()
