"""Golden runs without tests and snapshots, on one rank and on two."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
from golden_cases import assert_blobs
from running import ENVIRONMENT, changed

from solver_cli.solver.solver import Solver

STEPS = 6
BUCKET = 4096  # bytes: these nets are small
TESTS = r"\b(test_iter|test_interval|snapshot|display):\s*\d+|test_state:?\s*{[^}]*}"


def copied(golden: Path, case: str, folder: Path, parts: int = 1, changes: Sequence[tuple[str, str]] = ()) -> None:
    """Put a golden run into `folder`, its batch over `parts`, with changes of its net."""
    shutil.copytree(golden / "solvers" / case, folder)
    solver, net = folder / "solver.prototxt", folder / "net.prototxt"
    text = re.sub(TESTS, "", solver.read_text()).replace("stepvalue: 7", "stepvalue: 3")
    solver.write_text(f"{text}\nsnapshot_after_train: false random_seed: 5\n")
    text = re.sub(r"include\s*{\s*phase:\s*TEST\s*}", 'include { stage: "never" }', changed(net.read_text(), *changes))
    net.write_text(re.sub(r"batch_size: (\d+)", lambda m: f"batch_size: {int(m[1]) // parts}", text))


def on_two_ranks(jobs: Sequence[tuple[Path, dict[str, Any]]]) -> None:
    """Train the runs in these folders, with these options, on two ranks."""
    program = Path(__file__).parent / "two_ranks.py"
    told = json.dumps([(str(folder), options) for folder, options in jobs])
    subprocess.run([sys.executable, program, str(STEPS), str(BUCKET), told], env=ENVIRONMENT, check=True)


def assert_like_one(folder: Path, what: str, **options: Any) -> None:
    """One rank, in the current folder, learns what two have learned in `folder`, which are alike."""
    with closing(Solver("solver.prototxt", device="cpu", **options)) as run:
        run.step(STEPS)
        blobs = [*(learned.blob for learned in run.net.learned), *run.history]
    wanted = [blob.detach().double().numpy() for blob in blobs]
    first, second = (list(np.load(folder / f"rank{rank}.npz").values()) for rank in (0, 1))
    assert all(np.array_equal(a, b) for a, b in zip(first, second, strict=True)), "the ranks have come apart"
    assert_blobs(first, wanted, 2e-4, what)
