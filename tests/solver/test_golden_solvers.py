"""Whole training runs against every figure of real Caffe: see golden/README.md."""

from __future__ import annotations

import json
import logging
import math
import re
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from golden_cases import Tolerance, assert_blobs, assert_states, assert_weights, files, index, near, options
from google.protobuf import text_format

from solver_cli import Net
from solver_cli.caffe_pb2 import SolverParameter
from solver_cli.commands.training import effective
from solver_cli.formats import solverstate
from solver_cli.log import logger
from solver_cli.solver.losses import SmoothedLoss
from solver_cli.solver.lr_policy import learning_rate, step_counter
from solver_cli.solver.solver import Solver
from solver_cli.solver.watchers import Watcher

TIE = 3e-3  # of two values in a pooling window, equal but for rounding, another one got the gradient; the loss is the same
RUNS = [(case["case"], Path(run["trace"]).stem) for case in index("solvers/index.json")["cases"] for run in case["runs"]]


class Rates(Watcher):
    """Keeps the learning rates of a run."""

    def __init__(self, rates: list[float]):
        self.rates = rates

    def updating(self, iteration: int, rate: float) -> None:
        self.rates.append(rate)


class Recorder(Solver):
    """Keeps the exact figures of a run."""

    def __init__(self, spec: Any):
        super().__init__(spec, device="cpu")
        self.every_loss: list[float] = []
        self.outputs: list[dict[str, list[float]]] = []
        self.rates: list[float] = []
        self.gradients: list[float] = []
        self.tests: list[tuple[int, int, dict[str, list[float]]]] = []
        self.norms: dict[int, list[float]] = {}
        self.net.run = self.passes.run = self._run
        self.watchers.append(Rates(self.rates))

    def restore(self, path: str) -> None:
        super().restore(path)
        self._measure()

    def _measure(self) -> None:
        self.norms[self.iter] = [learned.blob.norm().item() for learned in self.net.learned]

    def _run(self, nodes: Any, blobs: Any, *args: Any, **options: Any) -> Any:
        loss = self.net.run_plainly(nodes, blobs, *args, **options)
        self.every_loss.append(loss.item())
        self.outputs.append({name: blob.flatten().tolist() for name, blob in self.net.outputs_of(blobs).items()})
        return loss

    def apply_update(self) -> None:
        grads = [learned.blob.grad for learned in self.net.learned if learned.blob.grad is not None]
        self.gradients.append(math.sqrt(sum(float(grad.double().square().sum()) for grad in grads)))
        super().apply_update()
        self._measure()

    def test(self, index: int = 0) -> dict[str, list[float]]:
        means = super().test(index)
        self.tests.append((self.iter, index, means))
        return means


@contextmanager
def logged() -> Iterator[list[str]]:
    """The messages that the log gets meanwhile."""
    lines: list[str] = []
    handler = logging.Handler()
    handler.emit = lambda record: lines.append(record.getMessage())  # type: ignore[method-assign]
    logger.addHandler(handler)
    try:
        yield lines
    finally:
        logger.removeHandler(handler)


def build(command: str) -> Recorder:
    """The solver that `command` asks for."""
    given = options(command)
    snapshot = given.get("snapshot")
    stages = given.get("stage", "").split(",")
    weights = "" if snapshot else given.get("weights")
    solver = Recorder(effective(given["solver"], weights=weights, level=int(given.get("level", 0)), stages=stages))
    if snapshot:
        solver.restore(snapshot)
    return solver


@pytest.mark.parametrize(("case", "run"), RUNS, ids=[f"{case}/{run}" for case, run in RUNS])
def test_run(case, run, case_folder, golden):
    folder = case_folder(case)
    trace = json.loads((folder / f"{run}.json").read_text())
    resumed = options(trace["command"]).get("snapshot", "none")
    for stale in folder.glob("snapshot_iter_*"):
        if not stale.name.startswith(resumed.partition(".")[0]):
            stale.unlink()
    before = files(folder)
    torch.manual_seed(1)
    with logged() as lines, closing(build(trace["command"])) as solver:
        assert solver.iter == trace["start_iter"]
        solver.solve()
    rough = any(node.param.type == "BatchNorm" for node in solver.net.nodes) or (
        solver.param.weight_decay != 0 and solver.param.regularization_type == "L1"
    )
    tolerance = Tolerance(trace, rough)
    compare_iterations(solver, trace, tolerance)
    compare_tests(solver, trace, tolerance)
    compare_printed(lines, trace, tolerance)
    compare_weights(solver, trace, tolerance)
    compare_files(folder, golden / "solvers" / case, run, trace, tolerance, before)


def compare_iterations(solver: Recorder, trace: dict[str, Any], tolerance: Tolerance) -> None:
    """Rates, losses, gradients and outputs of every iteration, and the passes of which it consists."""
    start, size = trace["start_iter"], solver.param.iter_size
    assert solver.iter == trace["end_iter"]
    assert len(solver.rates) == len(trace["lr"])
    for found, wanted in zip(solver.rates, trace["lr"], strict=True):
        assert near(found, wanted, 1e-6, 0)
    smoothed, ties = SmoothedLoss(solver.param.average_loss), []
    for i, wanted in enumerate(trace["loss"]):
        passes = solver.every_loss[i * size : (i + 1) * size]
        loss, limit, at = sum(passes) / size, tolerance.loss(i), f"iteration {start + i}"
        assert near(loss, wanted, limit), f"{at}: loss {loss}, Caffe {wanted}"
        smoothed.add(loss)
        if expected := trace.get("smoothed_loss", {}).get(str(start + i)):
            assert near(float(smoothed.value), expected, limit), f"{at}: smoothed"
        if "micro_losses" in trace:
            assert np.allclose(passes, trace["micro_losses"][i], rtol=limit, atol=1e-7), f"{at}: passes"
        gradient, expected = solver.gradients[i], trace["grad_l2"][i]
        # a sign that flips under L1 decay shows in the gradient three times as much as in the loss
        if not near(gradient, expected, max(1e-4, 3 * limit), 1e-6):
            assert near(gradient, expected, TIE, 0), f"{at}: gradient {gradient}, Caffe {expected}"
            ties.append(f"{at}: gradient {gradient}, Caffe {expected}")
        outputs = solver.outputs[(i + 1) * size - 1]
        assert list(outputs) == names_of(trace["train_outputs"])
        for output in trace["train_outputs"]:
            values = np.array(output["values"][i])
            assert np.allclose(outputs[output["name"]], values, rtol=limit, atol=1e-6), f"{at}: {output['name']}"
    assert len(ties) <= 1, ties
    after = solver.every_loss[len(trace["loss"]) * size :]
    last = trace.get("forward_after_training")
    assert len(after) == (1 if last else 0)
    if last:
        assert near(after[0], last["loss"], tolerance.loss(len(trace["loss"])))


def names_of(outputs: list[dict[str, Any]]) -> list[str]:
    return [output["name"] for output in outputs]


def compare_tests(solver: Recorder, trace: dict[str, Any], tolerance: Tolerance) -> None:
    """Which net is tested when, and the mean of each output."""
    assert [(at, net) for at, net, _ in solver.tests] == [(test["iter"], test["net"]) for test in trace["tests"]]
    for (at, net, means), test in zip(solver.tests, trace["tests"], strict=True):
        assert list(means) == names_of(test["outputs"])
        loss, limit = 0.0, tolerance.loss(at - trace["start_iter"])
        for output in test["outputs"]:
            found, wanted = means[output["name"]], output["values"]
            assert np.allclose(found, wanted, rtol=limit, atol=1e-6), f"test {net} at {at}: {output['name']}"
            loss += output["loss_weight"] * sum(found)
            assert solver.test_nets[net].loss_weights.get(output["name"], 0) == pytest.approx(output["loss_weight"])
        if not hidden_loss(solver.test_nets[net]):
            assert near(loss, test["mean_loss"], limit, 1e-6)


def hidden_loss(net: Any) -> bool:
    """Whether a blob that counts in the loss is no output."""
    return not set(net.loss_weights) <= set(net.outputs)


def compare_printed(lines: list[str], trace: dict[str, Any], tolerance: Tolerance) -> None:
    """The displayed losses and rates, clippings, steps of the multistep policy and test losses."""
    text, printed = "\n".join(lines), trace["printed"]
    rates = dict(re.findall(r"^Iteration (\d+), lr = (\S+)$", text, re.M))
    shown = re.findall(r"^Iteration (\d+)(?: \(.*\))?, loss = (\S+)$", text, re.M)
    assert [int(at) for at, _ in shown] == [at for at, _, _ in printed["display"]]
    compare_rows([(rates[at],) for at, _ in shown if at in rates], [[rate] for _, _, rate in printed["display"] if rate])
    for (at, loss), (_, wanted, _) in zip(shown, printed["display"], strict=True):
        limit = tolerance.loss(int(at) - trace["start_iter"])
        assert near(float(loss), float(wanted), limit), f"displayed at {at}: {loss}, Caffe {wanted}"
    steps = re.findall(r"^MultiStep Status: Iteration (\d+), step = (\d+)$", text, re.M)
    assert [[int(at), int(step)] for at, step in steps] == printed.get("multistep", [])
    clippings = re.findall(r"L2 norm (\S+) > (\S+)\) by scale factor (\S+)$", text, re.M)
    compare_rows(clippings, printed.get("clipping", []))
    losses = re.findall(r"^Test loss: (\S+)$", text, re.M)
    compare_rows([(loss,) for loss in losses], [row[2:] for row in printed.get("test_loss", [])])


def compare_rows(found: list[tuple[str, ...]], wanted: list[list[str]]) -> None:
    assert len(found) == len(wanted)
    for ours, theirs in zip(found, wanted, strict=True):
        assert np.allclose([float(x) for x in ours], [float(x) for x in theirs], rtol=1e-5)


def compare_weights(solver: Recorder, trace: dict[str, Any], tolerance: Tolerance) -> None:
    """Norms of the learned blobs on the way, statistics of every blob at the end."""
    owned = {id(learned): i for i, learned in enumerate(solver.net.learned)}
    for at, layers in trace["param_l2_at"].items():
        for node in solver.net.nodes:
            places = [owned[id(learned)] for learned in node.learned]
            found = [solver.norms[int(at)][place] for place in places]
            assert np.allclose(found, layers.get(node.name, []), rtol=tolerance.weights, atol=1e-6), f"{node.name} at {at}"
    for name, blobs in solver.net.params.items():
        for found, wanted in zip(blobs, trace["final_params"][name], strict=True):
            compare_statistics(found.detach().numpy(), wanted, tolerance.weights, name)


def compare_statistics(found: Any, wanted: dict[str, Any], tolerance: float, what: str) -> None:
    assert list(found.shape) == wanted["shape"], what
    error = tolerance * wanted["l2"] + 1e-6
    root = math.sqrt(found.size)
    flat = found.astype(np.float64).ravel()
    assert near(np.linalg.norm(flat), wanted["l2"], 0, error), what
    assert near(flat.sum(), wanted["sum"], 0, root * error + 1e-6 * wanted["abs_sum"]), what
    assert near(np.abs(flat).sum(), wanted["abs_sum"], 1e-6, root * error), what
    some = [flat.min(), flat.max(), *flat[:4]]
    assert np.allclose(some, [wanted["min"], wanted["max"], *wanted["head"]], rtol=0, atol=error), what


def compare_files(folder: Path, case: Path, run: str, trace: dict[str, Any], tolerance: Tolerance, before: set[str]) -> None:
    """The files that the run left: their names; weights and states of the end and of the way."""
    wanted = set(trace["files_left"])
    not_listed = set() if run == "trace" else {path.name for path in case.glob("snapshot_iter_*")}  # they were there before
    assert (files(folder) - before - not_listed) | (before & wanted) == wanted
    ends = [name for name in trace["files_left"] if f"_iter_{trace['end_iter']}." in name]
    final = f"final{run.removeprefix('trace')}.caffemodel"
    for name in ends:
        written = folder / name
        if ".solverstate" in name:
            compare_state(solverstate.read(written), trace["final_state"], tolerance.weights)
        elif (case / final).exists() or (case / f"{final}.h5").exists():
            assert_weights(written, case / (final + ".h5" * name.endswith(".h5")), tolerance.weights)
    for recorded in case.glob("snapshot_iter_*"):
        if run == "trace" and recorded.name in trace["files_left"]:
            compare = assert_states if ".solverstate" in recorded.name else assert_weights
            compare(folder / recorded.name, recorded, tolerance.weights)
    if run == "trace" and (case / "final.solverstate").exists():
        (state,) = (name for name in ends if ".solverstate" in name)
        assert_blobs(
            solverstate.read(folder / state).history,
            solverstate.read(case / "final.solverstate").history,
            tolerance.weights,
            "history",
        )


def compare_state(found: solverstate.State, wanted: dict[str, Any], tolerance: float) -> None:
    assert (found.iter, found.current_step) == (wanted["iter"], wanted["current_step"])
    assert found.learned_net == wanted["learned_net"]
    assert len(found.history) == len(wanted["history"])
    for i, (ours, theirs) in enumerate(zip(found.history, wanted["history"], strict=True)):
        compare_statistics(ours, theirs, 10 * tolerance, f"history[{i}]")


# -- rates and rules ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("series", index("solvers/lr_series.json")["series"], ids=lambda series: series["name"])
def test_learning_rates(series):
    param = text_format.Parse(series["solver"], SolverParameter())
    wanted = dict(zip(series["iter"], series["lr"], strict=True))
    resumed = series.get("resumed_at", {"iter": 0, "current_step": 0})
    step = resumed["current_step"]
    for iteration in range(resumed["iter"], max(wanted) + 1):
        step = step_counter(param, iteration, step)
        if iteration in wanted:
            assert near(learning_rate(param, iteration, step), float(wanted[iteration]), 1e-6, 0), iteration


STATES = index("solvers/net_state/layers_by_state.json")["rows"]


@pytest.mark.parametrize("row", STATES, ids=lambda row: f"{row.get('command', 'train')} {row['flags']}".strip())
def test_layers_by_state(row, case_folder):
    """By the command, by the library's Solver, which leaves the file's state alone, and for a net by itself."""
    case_folder("net_state")
    flags = options(f"caffe train {row['flags']}")
    command = row.get("command", "train")
    if command in ("test", "time"):
        phase = "TEST" if command == "test" else flags.get("phase", "TRAIN")
        stages = tuple(flags["stage"].split(",")) if "stage" in flags else ()
        nets = [Net.from_file("net.prototxt", phase, int(flags.get("level", 0)), stages)]
    else:
        train = f"caffe train --solver=solver.prototxt {row['flags']}"
        solver = build(train) if command == "train" else Solver("solver.prototxt")
        nets = [solver.net, *solver.test_nets]
    found = [[node.name for node in net.nodes] for net in nets]
    for net in nets:
        net.close()
    assert found == ([net["layers"] for net in row["nets"]] if "nets" in row else [row["layers"]])
