"""NaN and infinity: found at once, named with their layer, and never in a snapshot."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import torch
from running import NET, SOLVER, Ended, call, changed, write

from solver_cli import Solver
from solver_cli.commands.train import train
from solver_cli.errors import NumericalError
from solver_cli.formats import caffemodel, solverstate
from solver_cli.net import finite
from solver_cli.solver.watchers import Watcher

HDF5_NET = re.sub(
    r'type: "DummyData".*?\n}\n', 'type: "HDF5Data" top: "data" top: "label" hdf5_data_param '
    '{ source: "list.txt" batch_size: 4 } }\n', NET, count=1, flags=re.DOTALL
)  # fmt: skip
# Its loss is finite, but not its gradient: the square root of 0 has an infinite one, and 0 times that is NaN.
ROOT_NET = changed(
    NET,
    ('"xavier"', '"constant"'),
    ('"relu"\n  type: "ReLU"\n  bottom: "conv"\n  top: "conv"', '"size" type: "AbsVal" bottom: "conv" top: "size"'),
    ('bottom: "conv"\n  top: "ip"', 'bottom: "root"\n  top: "ip"'),
    (
        'layer {\n  name: "ip"',
        'layer { name: "root" type: "Power" bottom: "size" top: "root" power_param { power: 0.5 } }\nlayer {\n  name: "ip"',
    ),
)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    write(tmp_path)
    return tmp_path


def failed(*options: str) -> str:
    """The one line with which the command ends."""
    ended = call(train, "solver.prototxt", *options)
    assert ended.code == 1 and "Traceback" not in ended.stderr
    (line,) = ended.complaints
    return line


def explodes(folder: Path, more: str = "") -> None:
    solver = changed(SOLVER, ("base_lr: 0.1", "base_lr: 0.1\nmomentum: 0.9"), ("max_iter: 2", "max_iter: 400"))
    net = NET.replace('type: "SoftmaxWithLoss"', 'type: "EuclideanLoss"').replace("num_output: 5", "num_output: 1")
    write(folder, net, solver + more)


@pytest.mark.parametrize("display", [0, 1, 7])
def test_an_exploding_rate(display: int, folder: Path) -> None:
    explodes(folder, f"snapshot: 1 display: {display}")
    line = failed("--set", "base_lr=2")
    found = re.fullmatch(
        r"net\.prototxt:(\d+):1: iteration (\d+), layer '(\w+)' \(\w+\): its top '\w+' is the first blob that holds "
        r"(NaN|infinity); the largest magnitude among its bottoms is (\S+): lower base_lr \(the rate is 2\) or set "
        r"clip_gradients, or go back to snap_iter_(\d+)\.solverstate with --snapshot",
        line,
    )
    assert found, line
    assert int(found[6]) == int(found[2]) and float(found[5]) > 1e6
    states = {int(re.findall(r"\d+", path.name)[0]) for path in folder.glob("*.solverstate")}
    assert states == set(range(1, int(found[2]) + 1))
    for i in states:
        weights = caffemodel.read(f"snap_iter_{i}.caffemodel")
        assert all(np.isfinite(blob).all() for layer in weights.layers for blob in layer.blobs)


def test_the_log_up_to_the_failure_is_that_of_a_run_that_goes_on(folder: Path) -> None:
    explodes(folder, "display: 3 average_loss: 2")
    stopped = call(train, "solver.prototxt", "--set", "base_lr=2")
    going = call(train, "solver.prototxt", "--set", "base_lr=2", "--set", "max_iter=60", "--allow-nan")
    assert (stopped.code, going.code) == (1, 0) and going.complaints == []

    def shown(ended: Ended) -> list[str]:
        lines = [re.sub(r" \(.*iters\)", "", line) for line in ended.log]
        return [line for line in lines if re.match(r"Iteration \d+, (loss|lr)|    Train net", line)]

    assert shown(stopped) and shown(stopped) == shown(going)[: len(shown(stopped))]
    assert any("nan" in line for line in shown(going))


def test_data_that_hold_nan(folder: Path) -> None:
    data = np.ones((12, 3, 8, 8), np.float32)
    data[9, 1, 2, 3] = np.nan
    with h5py.File("data.h5", "w") as file:
        file["data"], file["label"] = data, np.ones(12, np.float32)
    Path("list.txt").write_text("data.h5\n")
    write(folder, HDF5_NET, changed(SOLVER, ("max_iter: 2", "max_iter: 9")) + "snapshot: 1")
    assert failed() == (
        "net.prototxt:2:1: iteration 2, layer 'data' (HDF5Data): its top 'data' is the first blob that holds NaN: "
        "look into its data"
    )
    assert {path.name for path in folder.glob("*.solverstate")} == {"snap_iter_1.solverstate", "snap_iter_2.solverstate"}


@pytest.mark.parametrize(("value", "kind"), [(np.inf, "infinity"), (np.nan, "NaN")])
def test_weights_that_were_loaded_so(value: float, kind: str, folder: Path) -> None:
    solver = Solver("solver.prototxt")
    with torch.no_grad():
        solver.net.params["ip"][0][1, 2] = value
        message = solver.net.to_message()
        blobs = [[b.detach().numpy() for b in node.blobs()] for node in solver.net.nodes]
        caffemodel.write("bad.caffemodel", message, blobs)
    solver.close()
    place = next(i for i, line in enumerate(NET.splitlines(), 1) if 'name: "ip"' in line) - 1
    assert failed("--weights", "bad.caffemodel") == (
        f"net.prototxt:{place}:1: iteration 0, layer 'ip' (InnerProduct): its learned blob 0 holds {kind}, as it was loaded "
        "or filled: look into the weights that were loaded, and into the layer's fillers"
    )
    assert not list(folder.glob("snap*"))


def test_a_gradient_that_is_not_finite(folder: Path) -> None:
    """It spoils the layers below where it arose; the message names both ends."""
    write(folder, ROOT_NET, changed(SOLVER, ("max_iter: 2", "max_iter: 5")))
    line = failed()
    assert "iteration 1, layer 'conv' (Convolution): its learned blob 0 holds NaN since an update: lower base_lr" in line


def test_weights_that_are_not_finite_are_not_saved(folder: Path) -> None:
    """Spoilt by the last update: no pass comes that would show it."""
    write(folder, ROOT_NET, changed(SOLVER, ("max_iter: 2", "max_iter: 1")))
    old = Path("snap_iter_1.solverstate")
    old.write_bytes(b"an older run's")
    assert "iteration 1, layer 'conv' (Convolution): its learned blob 0 holds NaN since an update" in failed()
    assert old.read_bytes() == b"an older run's" and not Path("snap_iter_1.caffemodel").exists()
    assert call(train, "solver.prototxt", "--allow-nan").code == 0
    assert solverstate.read(old).iter == 1


def test_the_failing_pass_is_the_one_that_is_run_again(folder: Path) -> None:
    """The second pass of iter_size, with the masks that dropout drew for it."""
    drop = 'layer { name: "drop" type: "Dropout" bottom: "conv" top: "conv" }\nlayer {\n  name: "ip"'
    write(folder, NET.replace('layer {\n  name: "ip"', drop), SOLVER + "iter_size: 3")
    solver = Solver("solver.prototxt")
    seen: list[torch.Tensor] = []

    def run(nodes: Any, blobs: Any, *args: Any, **options: Any) -> torch.Tensor:
        loss = solver.net.run_plainly(nodes, blobs)
        seen.append(blobs["ip"].detach().clone())
        return loss * float("nan") if len(seen) == 5 else loss

    solver.net.run = solver.passes.run = run
    with pytest.raises(NumericalError, match=r"iteration 1, layer 'loss'.* though every blob is: it is too large"):
        solver.solve()
    assert len(seen) == 6 and torch.equal(seen[5], seen[4]) and not torch.equal(seen[4], seen[3])
    solver.close()


def test_a_loss_that_is_shown_later_is_named_with_its_iteration(folder: Path) -> None:
    """As on a GPU, where losses are looked at when they are shown."""
    write(folder, NET, changed(SOLVER, ("max_iter: 2", "max_iter: 20")) + "display: 10")
    solver = Solver("solver.prototxt")


    class Spoil(Watcher):
        def updated(self, iteration: int) -> None:
            if iteration == 5:
                solver.losses._pending[1] = torch.tensor(float("inf"))

    solver.watchers.append(Spoil())
    with pytest.raises(NumericalError, match=r"^net.prototxt:.*: iteration 2, layer "):
        solver.solve()
    assert solver.iter == 10
    solver.close()


def test_a_saturated_softmax_is_explained(folder: Path) -> None:
    """Scores of 10^4 leave the right class the probability 0; that is finite, so training goes on with a remark."""
    net = NET.replace("num_output: 5\n    weight_filler { type: \"xavier\" }",
                      'num_output: 5\n    weight_filler { type: "constant" }\n    bias_term: true')  # fmt: skip
    write(folder, net, changed(SOLVER, ("base_lr: 0.1", "base_lr: 0")) + "display: 1")
    solver = Solver("solver.prototxt")
    with torch.no_grad():
        solver.net.params["ip"][1].copy_(torch.tensor([1e4, 0, 0, 0, 0]))
    solver.snapshot()
    solver.close()
    ended = call(train, "solver.prototxt", "--weights", "snap_iter_0.caffemodel")
    assert ended.code == 0
    remarks = [line for line in ended.log if "87.3365" in line and "net output" not in line and "Iteration" not in line]
    assert len(remarks) == 2 and remarks[0].startswith("loss 87.3365 of layer 'loss' (net.prototxt:")
    assert "The scores have overflowed: lower base_lr" in remarks[0]


def test_all_finite_of_large_numbers() -> None:
    """A sum that overflows is no infinity among the numbers."""
    large = torch.full((10,), 3e38)
    assert finite.all_finite([large, torch.zeros(0), -large]) and finite.all_finite([])
    assert not finite.all_finite([torch.zeros(2), torch.tensor([1.0, float("inf"), float("-inf")])])
    assert not finite.all_finite([torch.tensor([float("nan")])])
