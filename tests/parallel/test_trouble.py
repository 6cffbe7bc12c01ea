"""One rank meets trouble in its backward pass, while gradients are on their way."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
from golden_cases import assert_blobs
from running import ENVIRONMENT, write

LAYER = """
import torch
from torch import distributed
from solver_cli.errors import DataError
from solver_cli.registry import layer

passes = 0

class Trouble(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, words):
        ctx.words = words
        return x.view_as(x)

    @staticmethod
    def backward(ctx, grad):
        global passes
        passes += 1
        if passes == 5 and distributed.get_rank() == 1 and ctx.words:
            raise (RuntimeError if "memory" in ctx.words else DataError)(ctx.words)
        return grad, None

@layer("Trouble", apart=True)
def trouble(x, *, words: str = ""):
    return Trouble.apply(x, words) if not x.is_meta else x.clone()
"""
NET = """
layer { name: "data" type: "HDF5Data" top: "x" top: "y" hdf5_data_param { source: "list" batch_size: 4 } }
layer { name: "below" type: "InnerProduct" bottom: "x" top: "below"
  inner_product_param { num_output: 6 weight_filler { type: "xavier" } } }
layer { name: "trouble" type: "Trouble" bottom: "below" top: "trouble" trouble_param { words: "WORDS" } }
layer { name: "above" type: "InnerProduct" bottom: "trouble" top: "above"
  inner_product_param { num_output: 2 weight_filler { type: "xavier" } } }
layer { name: "loss" type: "EuclideanLoss" bottom: "above" bottom: "y" top: "loss" }
"""
SOLVER = """
net: "net.prototxt" base_lr: 0.02 lr_policy: "fixed" max_iter: 8 iter_size: 2 display: 1 random_seed: 7 solver_mode: CPU
"""


def train(folder: Path, words: str) -> subprocess.CompletedProcess[str]:
    """Two ranks, whose gradients leave blob by blob, train; the second meets `words` in the third update."""
    folder.mkdir()
    draw = np.random.default_rng(1)
    with h5py.File(folder / "data.h5", "w") as file:
        file["x"], file["y"] = draw.normal(size=(48, 5)), draw.normal(size=(48, 2))
    (folder / "list").write_text("data.h5\n")
    (folder / "own.py").write_text(LAYER)
    write(folder, NET.replace("WORDS", words), SOLVER)
    jobs = json.dumps([(str(folder), {"layers": ["own.py"], "fit": True})])
    command = [sys.executable, Path(__file__).parent / "two_ranks.py", "8", "4", jobs]
    return subprocess.run(command, env=ENVIRONMENT, capture_output=True, text=True, timeout=100, check=False)


def test_memory_that_runs_out_on_one_rank_changes_nothing(tmp_path: Path) -> None:
    found = []
    for words in ("", "out of memory"):
        assert train(tmp_path / f"run {words}", words).returncode == 0
        first, second = (list(np.load(tmp_path / f"run {words}" / f"rank{rank}.npz").values()) for rank in (0, 1))
        assert all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))
        found.append(first)
    assert_blobs(*found, 1e-6, "once more in pieces")


def test_an_error_on_one_rank_ends_both(tmp_path: Path) -> None:
    ended = train(tmp_path / "run", "the data are bad")
    assert ended.returncode == 1
    told = [line for line in ended.stderr.splitlines() if line.startswith(("rank", "error"))]
    assert told == ["rank 1: error: the data are bad"]
