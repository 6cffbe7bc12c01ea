"""Two ranks with half the batch each learn what one rank learns, whatever the rule and however a batch runs."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from golden_cases import assert_blobs
from running import ENVIRONMENT

from solver_cli.solver.solver import Solver

STEPS = 6
BUCKET = 4096  # bytes: these nets are small
TESTS = r"\b(test_iter|test_interval|snapshot|display):\s*\d+|test_state:?\s*{[^}]*}"
RULES = [
    "lenet_sgd_momentum", "lenet_nesterov_l2_inv", "lenet_adagrad_l1_delta", "lenet_rmsprop_l2_delta",
    "lenet_adadelta_l2_delta", "lenet_adam_l2_delta", "reg_adam_l2_clip", "clip_gradients", "lr_mult_decay_mult",
    "shared_permissive", "siamese_shared", "quick_lrn_within",
]  # fmt: skip
CASES: list[tuple[str, dict[str, Any]]] = [(case, {}) for case in RULES]
CASES += [
    ("iter_size_clip_4x8", {}),
    ("iter_size_clip_4x8", {"micro_batch": 3}),
    ("siamese_shared", {"micro_batch": 3, "recompute": True}),
    ("lenet_sgd_momentum", {"recompute": True}),
    ("lr_multistep", {"grow_batch": 4}),  # an update of more passes than the one before
    ("lr_mult_frozen_layers", {}),
    ("stop_gradient", {}),
    ("reg_sgd", {"compile": True}),
]


@pytest.fixture(scope="module")
def folder(golden: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Every case twice, with its batch whole and halved, without tests; the halves have been trained on two ranks."""
    folder = tmp_path_factory.mktemp("ranks")
    (folder / "data").symlink_to(golden / "data")
    for kind, parts in (("whole", 1), ("half", 2)):
        for number, (case, _) in enumerate(CASES):
            own = folder / kind / str(number)
            shutil.copytree(golden / "solvers" / case, own)
            solver, net = own / "solver.prototxt", own / "net.prototxt"
            text = re.sub(TESTS, "", solver.read_text()).replace("stepvalue: 7", "stepvalue: 3")
            solver.write_text(f"{text}\nsnapshot_after_train: false\n")
            text = re.sub(r"include\s*{\s*phase:\s*TEST\s*}", 'include { stage: "never" }', net.read_text())
            net.write_text(re.sub(r"batch_size: (\d+)", lambda m, n=parts: f"batch_size: {int(m[1]) // n}", text))
    program = Path(__file__).parent / "two_ranks.py"
    jobs = json.dumps([(str(folder / "half" / str(i)), options) for i, (_, options) in enumerate(CASES)])
    subprocess.run([sys.executable, program, str(STEPS), str(BUCKET), jobs], env=ENVIRONMENT, check=True)
    return folder


@pytest.mark.parametrize("number", range(len(CASES)), ids=[f"{case}-{'-'.join(options)}" for case, options in CASES])
def test_golden_case_on_two_ranks(number: int, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    case, options = CASES[number]
    monkeypatch.chdir(folder / "whole" / str(number))
    with closing(Solver("solver.prototxt", device="cpu", grow_batch=options.get("grow_batch"))) as run:
        run.step(STEPS)
        blobs = [*(learned.blob for learned in run.net.learned), *run.history]
    wanted = [blob.detach().double().numpy() for blob in blobs]
    own = folder / "half" / str(number)
    first, second = (list(np.load(own / f"rank{rank}.npz").values()) for rank in (0, 1))
    assert all(np.array_equal(a, b) for a, b in zip(first, second, strict=True)), "the ranks have come apart"
    assert_blobs(first, wanted, 2e-4, case)
    early, buckets = np.load(own / "sent.npy")
    assert early == buckets or options.get("grow_batch"), "gradients have waited for the end of the backward pass"
