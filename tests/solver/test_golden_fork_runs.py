"""Rates, rules and runs of forks' solvers against what the forks compute: see golden/forks/README.md."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from golden_cases import assert_weights, near
from running import call

from solver_cli import Net
from solver_cli.caffe_pb2 import SolverParameter
from solver_cli.commands.train import train
from solver_cli.formats import solverstate
from solver_cli.solver.lr_policy import learning_rate, step_counter
from solver_cli.text import prototxt
from solver_cli.updates.update import Update

GOLDEN = Path(__file__).parents[1] / "golden" / "forks" / "solvers"
SERIES = json.loads((GOLDEN / "lr_series.json").read_text())["series"]
RULES = json.loads((GOLDEN / "update_rules.json").read_text())["cases"]
PLATEAUS = json.loads((GOLDEN / "plateau.json").read_text())


def read(text: str) -> SolverParameter:
    return prototxt.parse(text, SolverParameter)[0]


@pytest.mark.parametrize("case", SERIES, ids=lambda case: case["what"])
def test_learning_rates(case: dict[str, Any]) -> None:
    param, step = read(case["solver"]), 0
    for iteration, wanted in enumerate(case["lr"]):
        step = step_counter(param, iteration, step)
        assert near(learning_rate(param, iteration, step), wanted, 1e-6, 1e-12), iteration


@pytest.mark.parametrize("at_once", [True, False], ids=["kernel", "rule"])
@pytest.mark.parametrize("case", RULES, ids=lambda case: case["what"])
def test_update_rules(case: dict[str, Any], at_once: bool) -> None:
    param, mults = read(case["solver"]), f"param {{ lr_mult: {case['lr_mult']} decay_mult: {case['decay_mult']} }}"
    param.snapshot_diff = not at_once  # which needs the steps
    layer = f'layer {{ name: "p" type: "Parameter" top: "p" {mults} parameter_param {{ shape {{ dim: 5 }} }} }}'
    net = Net.from_text(layer, seed=1)
    blob = net.learned[0].blob
    blob.data.copy_(torch.tensor(case["weights"]))
    update = Update(net, param)
    for step in case["steps"]:
        blob.grad = torch.tensor(step["gradient"])
        update(learning_rate(param, step["iter"], 0), step["iter"], 1)
        np.testing.assert_allclose(blob.detach(), step["weights"], rtol=2e-6, atol=1e-7)
        np.testing.assert_allclose(update.history[0], step["history"], rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("suffix", ["", ".h5"], ids=["binary", "hdf5"])
@pytest.mark.parametrize("name", PLATEAUS)
def test_plateau(name: str, suffix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = PLATEAUS[name]
    monkeypatch.chdir(tmp_path)
    shutil.copy(GOLDEN / "plateau.h5", tmp_path)
    shutil.copy(GOLDEN / "plateau.prototxt", tmp_path / "net.prototxt")
    Path("list.txt").write_text("plateau.h5\n")
    Path("solver.prototxt").write_text(run["solver"] + ("snapshot_format: HDF5\n" if suffix else ""))
    ended = call(train, "solver.prototxt", "--weights", str(GOLDEN / "plateau_init.caffemodel"))
    assert ended.code == 0, ended.stderr
    losses = [float(x) for line in ended.log for x in re.findall(r"^Iteration \d+ .*, loss = (\S+)", line)]
    assert losses == pytest.approx([float(loss) for _, loss in run["loss_printed"][: len(losses)]], rel=1e-5)
    rates = [float(x) for line in ended.log for x in re.findall(r"^Iteration \d+, lr = (\S+)", line)]
    assert rates == pytest.approx(run["lr"])
    lines = [line for line in ended.log if line.startswith("Plateau Status")]
    for line, wanted in zip(lines, run["plateau_lines"], strict=True):
        (words, value), (wanted_words, wanted_value) = (text.rsplit(" ", 1) for text in (line, wanted))
        assert words == wanted_words
        assert float(value) == pytest.approx(float(wanted_value), rel=1e-5)
    state, wanted = solverstate.read(f"snapshot_iter_40.solverstate{suffix}"), run["final_state"]
    assert (state.iter, state.current_step) == (wanted["iter"], wanted["current_step"])
    assert state.event == (pytest.approx(wanted["minimum_loss"], rel=1e-5), wanted["iter_last_event"])
    if not suffix:
        assert_weights(tmp_path / "snapshot_iter_40.caffemodel", GOLDEN / f"{name}_final.caffemodel", 1e-4)
