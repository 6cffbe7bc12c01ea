"""A snapshot of an older version goes on as its run would have: see golden/older/README.md."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import torch
from running import Ended, call

from solver_cli.commands.train import train
from solver_cli.formats import caffemodel, runstate, solverstate

OLDER = Path(__file__).parents[1] / "golden" / "older"


def run(folder: Path, monkeypatch: pytest.MonkeyPatch, *options: str) -> Ended:
    """Train in `folder`, which gets the golden files and the data."""
    shutil.copytree(OLDER, folder)
    monkeypatch.chdir(folder)
    values = np.sin(np.arange(17 * 4, dtype=np.float32) ** 2).reshape(17, 4)
    with h5py.File("rows.h5", "w") as file:
        file["x"], file["y"] = values, (np.arange(17) * 5 % 3).astype(np.float32)
    Path("list.txt").write_text("rows.h5\n")
    ended = call(train, "solver.prototxt", "--keep-best", "accuracy", *options)
    assert ended.code == 0, ended.stderr
    return ended


def state(folder: Path, name: str) -> dict[str, Any]:
    return runstate.loads(solverstate.read(str(folder / name)).run)


def test_the_run_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    straight = run(tmp_path / "straight", monkeypatch)
    resumed = run(tmp_path / "resumed", monkeypatch, "--snapshot", "run_iter_4.solverstate")
    last = "run_iter_10.caffemodel"
    wanted, found = (caffemodel.read(str(tmp_path / name / last)).layers for name in ("straight", "resumed"))
    for one, other in zip(wanted, found, strict=True):
        for a, b in zip(one.blobs, other.blobs, strict=True):
            np.testing.assert_allclose(b, a, rtol=1e-4, atol=1e-6)  # another processor rounds otherwise

    def shown(ended: Ended) -> list[str]:
        lines = [line for line in ended.log if "loss = " in line or "accuracy = " in line or "MultiStep" in line]
        return [line.partition("(")[0] + line.rpartition(", loss")[2][:9] for line in lines][-12:]

    assert shown(resumed) == shown(straight)
    before, after = state(OLDER, "run_iter_4.solverstate"), state(tmp_path / "resumed", "run_iter_10.solverstate")
    never_stopped = state(tmp_path / "straight", "run_iter_10.solverstate")
    assert {*before, "origin"} == after.keys() == never_stopped.keys()
    for part in ("schedule", "fit", "precision"):
        assert after[part] == never_stopped[part]
    assert after["train"]["sources"] == never_stopped["train"]["sources"]
    assert torch.equal(after["train"]["generator"], never_stopped["train"]["generator"])
    assert [after[name]["count"] for name in ("noise", "smoothed")] == [10, never_stopped["smoothed"]["count"]]
    assert after["best"] == never_stopped["best"]
