"""Every solver and net that Caffe refuses is refused, with one line that says where and why: see golden/README.md."""

from __future__ import annotations

import re
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from golden_cases import files, index, options
from running import call, run

from solver_cli import Net
from solver_cli.commands.train import train
from solver_cli.commands.training import effective
from solver_cli.formats import caffemodel
from solver_cli.solver.solver import Solver

# {case: (place in a text, or file at fault; what the line says in substance)}
REFUSED = {
    "two_train_nets": ("solver.prototxt:2:1", ["more than one train net", "net, train_net"]),
    "no_train_net": ("solver.prototxt:1:1", ["no train net"]),
    "test_iter_missing": ("solver.prototxt:", ["test_iter", "once for each"]),
    "test_interval_missing": ("solver.prototxt:2:1", ["test_interval is 0"]),
    "test_state_count": ("solver.prototxt:2:1", ["2 times for 1 test nets"]),
    "average_loss_0": ("solver.prototxt:8:", ["1 or more, not 0"]),
    "adagrad_momentum": ("solver.prototxt:5:", ["AdaGrad", "momentum", "0.9"]),
    "rmsprop_momentum": ("solver.prototxt:5:", ["RMSProp", "momentum", "0.9"]),
    "rmsprop_decay_1": ("solver.prototxt:5:", ["rms_decay", "below 1, not 1"]),
    "unknown_type": ("solver.prototxt:2:", ["'sgd'", "AdaDelta, AdaGrad, Adam, Nesterov, RMSProp, SGD", "mean 'SGD'?"]),
    "unknown_policy": ("solver.prototxt:4:", ["'cosine'", "fixed, step, exp, inv, multistep, poly, sigmoid"]),
    "unknown_regularization": ("solver.prototxt:7:", ["'L3'", "L1, L2 or"]),
    "step_without_stepsize": ("solver.prototxt:", ["'step'", "stepsize above 0, not 0"]),
    "negative_gamma_sigmoid": ("solver.prototxt:5:", ["'sigmoid'", "gamma of 0 or more, not -0.1"]),
    "negative_gamma_exp": ("solver.prototxt:5:", ["'exp'", "gamma of 0 or more, not -0.1"]),
    "snapshot_folder_missing": ("solver.prototxt:9:", ["'nowhere/net'", "does not exist"]),
    "weights_missing": ("nowhere.caffemodel: ", ["no such file"]),
    "net_missing": ("solver.prototxt:1:", ["'nowhere.prototxt' does not exist"]),
    "both_types": ("solver.prototxt:", ["solver_type and type are both set"]),
    "syntax": ("solver.prototxt:1:", ["closing quote", "net.prototxt"]),
    "unknown_solver_field": ("solver.prototxt:10:1", ["SolverParameter has no field 'base_lrr'", "mean 'base_lr'?"]),
    "unknown_net_field": ("net.prototxt:25:3", ["LayerParameter has no field 'pool_param'", "mean 'pooling_param'?"]),
    "unknown_layer_type": ("net.prototxt:22:3", ["layer 'small'", "'Pool'", "did you mean 'Pooling'?"]),
    "unknown_bottom": ("net.prototxt:57:3", ["layer 'fc1'", "'pool9'", "bottom 0"]),
    "duplicate_top": ("net.prototxt:71:3", ["layer 'relu2'", "'small' is made by more than one layer"]),
    "include_and_exclude": ("net.prototxt:16:", ["layer 'data'", "either include rules or exclude rules"]),
    "too_many_params": ("net.prototxt:32:3", ["layer 'conv1'", "3 param entries for 2 learned blobs"]),
    "batchnorm_rate": ("net.prototxt:40:", ["layer 'bn1'", "lr_mult: 0"]),
    "shared_rate_mismatch": ("net.prototxt:107:", ["layer 'fc_p'", "'fc_w'", "0.5", "0.7", "'fc'"]),
    "shared_shape_mismatch": ("net.prototxt:126:3", ["layer 'feat_p'", "'feat_w'", "'feat'", "3 10 (30)", "2 10 (20)"]),
    "weights_shape_mismatch": (
        "init.caffemodel: ",
        ["'fc1'", "12 144 (1728)", "13 144 (1872)", "net.prototxt:54:1", "rename the layer"],
    ),
    "propagate_down_count": ("net.prototxt:97:3", ["layer 'loss'", "1 times for 2 bottoms"]),
    "resume_other_type": ("snapshot_iter_2.solverstate: ", ["SGD", "Adam"]),
    "resume_without_weights_file": ("snapshot_iter_2.solverstate: ", ["'snapshot_iter_2.caffemodel' does not exist"]),
}  # fmt: skip
IN_A_PROCESS = ("syntax", "unknown_layer_type", "resume_other_type")
ROWS = {row["name"]: row for row in index("solvers/refused.json")["rows"]}


def prepare(row: dict[str, Any], folder: Path) -> list[str]:
    """Write the case's files, make what it starts from; give the arguments of our command."""
    for name, text in row["files"].items():
        (folder / name).write_text(text)
    if "source.prototxt" in row["files"]:
        net = Net.from_file("source.prototxt")
        blobs = [[blob.detach().numpy() for blob in node.blobs()] for node in net.nodes]
        caffemodel.write("init.caffemodel", net.to_message(), blobs)
        net.close()
    if "first.prototxt" in row["files"]:
        with closing(Solver(effective("first.prototxt"), device="cpu")) as solver:
            solver.solve()
    for name in row["deleted_before"]:
        (folder / name).unlink()
    given = options(row["command"])
    return [given.pop("solver"), *(f"--{name}={value}" for name, value in given.items()), "--cpu"]


@pytest.mark.parametrize("name", sorted(REFUSED))
def test_refused(name, case_folder):
    """Before the first update, by one line that names the place, with nothing written."""
    folder = case_folder(f"refused_{name}")
    arguments = prepare(ROWS[name], folder)
    before = files(folder)
    ended = run("solver-train", *arguments, folder=folder) if name in IN_A_PROCESS else call(train, *arguments)
    assert ended.code == 1
    assert len(ended.complaints) == 1, ended.stderr
    assert not any("Solving" in line for line in ended.log)
    place, words = REFUSED[name]
    (line,) = ended.complaints
    assert line.startswith(place)
    assert re.match(r"[\w.]+\.prototxt:\d+:\d+: |[\w.]+: ", line)
    assert [word for word in words if word not in line] == []
    assert files(folder) == before


def test_both_weights_and_snapshot(case_folder):
    """A wrong call, not a wrong file: exit code 2."""
    folder = case_folder("refused")
    arguments = prepare(ROWS["weights_and_snapshot"], folder)
    ended = run("solver-train", *arguments, folder=folder)
    assert ended.code == 2
    assert "Traceback" not in ended.stderr
    assert re.search(r"--snapshot .* --weights .* not both", ended.stderr)


def test_every_refusal_has_a_row():
    assert set(ROWS) == set(REFUSED) | {"weights_and_snapshot"}
