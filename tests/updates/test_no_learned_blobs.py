"""A net without learned blobs runs, whatever the solver asks for, and learns nothing."""

from __future__ import annotations

from pathlib import Path

import pytest
from running import SOLVER, call, write

from solver_cli.commands.tools.plan import command as plan
from solver_cli.commands.train import train

NET = """
layer { name: "x" type: "DummyData" top: "x" dummy_data_param { shape { dim: 4 dim: 3 } } }
layer { name: "r" type: "Reduction" bottom: "x" top: "r" loss_weight: 1 }
"""
SETTINGS = [
    "iter_size: 2 display: 1",
    "debug_info: true display: 1",
    "clip_gradients: 0.1",
    'type: "Adam" snapshot_diff: true',
    "iter_size: 2 snapshot_format: HDF5 snapshot: 1",
]


@pytest.mark.parametrize("settings", SETTINGS)
def test_it_runs_and_resumes(settings: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write(tmp_path, NET, SOLVER + settings)
    for options in ((), ("--snapshot", "auto", "--set", "max_iter=3")):
        ended = call(train, "solver.prototxt", *options)
        assert (ended.code, ended.complaints) == (0, []), ended.stderr[-500:]
    assert any("resuming" in line.lower() for line in ended.log)
    if "debug_info" in settings:
        assert "    [Backward] All net params (data, diff): L1 norm = (0, 0); L2 norm = (0, 0)" in ended.log
    ended = call(plan, "solver.prototxt")
    assert ended.code == 0 and "no layer of the train net has weights to learn" in ended.stdout
