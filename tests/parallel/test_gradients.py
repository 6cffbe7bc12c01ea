"""Two ranks with half the batch each learn what one rank learns, whatever the rule."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from golden_cases import assert_blobs
from running import ENVIRONMENT

from solver_cli.solver.solver import Solver

STEPS = 6
TESTS = r"\b(test_iter|test_interval|snapshot|display):\s*\d+|test_state:?\s*{[^}]*}"
CASES = [
    "lenet_sgd_momentum", "lenet_nesterov_l2_inv", "lenet_adagrad_l1_delta", "lenet_rmsprop_l2_delta",
    "lenet_adadelta_l2_delta", "lenet_adam_l2_delta", "reg_adam_l2_clip", "clip_gradients", "lr_mult_decay_mult",
    "shared_permissive", "siamese_shared", "quick_lrn_within",
]  # fmt: skip


@pytest.fixture(scope="module")
def folder(golden: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Every case twice, with its batch whole and halved, without tests; the halves have been trained on two ranks."""
    folder = tmp_path_factory.mktemp("ranks")
    (folder / "data").symlink_to(golden / "data")
    for kind, parts in (("whole", 1), ("half", 2)):
        for case in CASES:
            own = folder / kind / case
            shutil.copytree(golden / "solvers" / case, own)
            solver, net = own / "solver.prototxt", own / "net.prototxt"
            text = re.sub(TESTS, "", solver.read_text())
            solver.write_text(f"{text}\nsnapshot_after_train: false\n")
            text = re.sub(r"include\s*{\s*phase:\s*TEST\s*}", 'include { stage: "never" }', net.read_text())
            net.write_text(re.sub(r"batch_size: (\d+)", lambda m, n=parts: f"batch_size: {int(m[1]) // n}", text))
    program = Path(__file__).parent / "two_ranks.py"
    halves = [str(folder / "half" / case) for case in CASES]
    subprocess.run([sys.executable, program, str(STEPS), *halves], env=ENVIRONMENT, check=True)
    return folder


@pytest.mark.parametrize("case", CASES)
def test_golden_case_on_two_ranks(case: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder / "whole" / case)
    with closing(Solver("solver.prototxt", device="cpu")) as run:
        run.step(STEPS)
        blobs = [*(learned.blob for learned in run.net.learned), *run.history]
    wanted = [blob.detach().double().numpy() for blob in blobs]
    first, second = (list(np.load(folder / "half" / case / f"rank{rank}.npz").values()) for rank in (0, 1))
    assert all(np.array_equal(a, b) for a, b in zip(first, second, strict=True)), "the ranks have come apart"
    assert_blobs(first, wanted, 2e-4, case)
