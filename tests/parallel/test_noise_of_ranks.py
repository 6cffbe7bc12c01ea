"""The gradient noise scale over two ranks, against the one computed from all records."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import torch
from running import ENVIRONMENT, write

from solver_cli import Net, Solver

NET = """
layer { name: "data" type: "HDF5Data" top: "x" top: "y" hdf5_data_param { source: "list" batch_size: 32 shuffle: true } }
layer { name: "ip" type: "InnerProduct" bottom: "x" top: "z"
  inner_product_param { num_output: 2 weight_filler { type: "gaussian" std: 0.5 } } }
layer { name: "loss" type: "EuclideanLoss" bottom: "z" bottom: "y" top: "loss" }
"""
SOLVER = """
net: "net.prototxt" base_lr: 0 lr_policy: "fixed" display: 1000 random_seed: 3 solver_mode: CPU snapshot_after_train: false
"""
STEPS = 800  # of which every fourth is measured
CASES: dict[str, dict[str, Any]] = {"ranks alone": {}, "pieces": {"micro_batch": 4}, "a part each": {"split_batch": True}}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Runs that learn nothing, on two ranks."""
    folder = tmp_path_factory.mktemp("noise")
    draw = torch.Generator().manual_seed(5)
    x = torch.randn(256, 6, generator=draw)
    y = x[:, :2] * 1.5 + 2 * torch.randn(256, 2, generator=draw)
    for name in CASES:
        (folder / name).mkdir()
        with h5py.File(folder / name / "data.h5", "w") as file:
            file["x"], file["y"] = x.numpy(), y.numpy()
        (folder / name / "list").write_text("data.h5\n")
        write(folder / name, NET, SOLVER)
    jobs = json.dumps([(str(folder / name), options) for name, options in CASES.items()])
    command = [sys.executable, Path(__file__).parent / "two_ranks.py", str(STEPS), "4096", jobs]
    subprocess.run(command, env=ENVIRONMENT, check=True)
    return folder


@pytest.mark.parametrize("name", CASES)
def test_the_scale_is_that_of_all_records(name: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder / name)
    solver = Solver("solver.prototxt", device="cpu")
    with h5py.File("data.h5") as file:
        x, y = torch.from_numpy(file["x"][...]), torch.from_numpy(file["y"][...])
    true = true_scale(solver.net, x, y)
    solver.close()
    assert 5 < true < 100
    assert float(np.load("noise.npy")) == pytest.approx(true, rel=0.25)


def true_scale(net: Net, x: torch.Tensor, y: torch.Tensor) -> float:
    """tr(Sigma) / |G|^2 from the gradient of every single record."""
    each = []
    for i in range(len(x)):
        net.zero_grad()
        net({"x": x[i : i + 1], "y": y[i : i + 1]})[0].backward()
        each.append(torch.cat([p.blob.grad.flatten().double() for p in net.learned if p.blob.grad is not None]))
    mean = torch.stack(each).mean(0)
    return float(((torch.stack(each) - mean) ** 2).sum() / len(x) / (mean**2).sum())
