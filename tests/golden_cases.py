"""What the tests of whole runs share: the index of golden/solvers.tar.xz, runs, and how near figures must be."""

from __future__ import annotations

import functools
import json
import shlex
import tarfile
from pathlib import Path
from typing import Any

import numpy as np

from solver_cli.formats import caffemodel, solverstate

ARCHIVE = Path(__file__).parent / "golden" / "solvers.tar.xz"
INDEX = ("solvers/index.json", "solvers/refused.json", "solvers/lr_series.json", "solvers/net_state/layers_by_state.json",
         "logs/index.json")  # fmt: skip


@functools.cache
def _indices() -> dict[str, Any]:
    """The index files, which lie at the beginning of the archive."""
    found: dict[str, Any] = {}
    with tarfile.open(ARCHIVE, "r|xz") as archive:
        for member in archive:
            found[member.name] = json.load(archive.extractfile(member))
            if len(found) == len(INDEX):
                return found
    raise AssertionError(f"{ARCHIVE} does not begin with its index files")


def index(name: str) -> Any:
    """The content of one of the INDEX files."""
    return _indices()[name]


def options(command: str) -> dict[str, str]:
    """`caffe train --solver=a --level=1` as {solver: a, level: 1}."""
    pairs = (word.removeprefix("--").partition("=") for word in shlex.split(command)[2:])
    return {name: value for name, _, value in pairs}


def files(folder: Path) -> set[str]:
    """The files in a folder and below, as relative paths."""
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


class Tolerance:
    """How near the figures of a run must be to Caffe's: some times what Caffe differs from itself, but never less than
    what another order of summation makes of a float32 run (see golden/README.md)."""

    def __init__(self, trace: dict[str, Any], rough: bool):
        drift = trace.get("drift", {})
        self.drift = 30 * drift.get("loss_rel", 0.0)
        self.weights = max(1e-3 if rough else 1e-4, 30 * drift.get("param_rel_l2", 0.0))

    def loss(self, iteration: int) -> float:
        """Relative, `iteration` counted from the start of the run."""
        return max(1e-5 if iteration < 10 else 1e-4, self.drift)


def near(found: float, wanted: float, relative: float, absolute: float = 1e-7) -> bool:
    """Whether two figures agree; NaN agrees with NaN."""
    return bool(np.isclose(found, wanted, rtol=relative, atol=absolute, equal_nan=True))


def assert_blobs(found: list[Any], wanted: list[Any], tolerance: float, what: str) -> None:
    """The norm of each difference is small beside the norm of the blob."""
    assert len(found) == len(wanted), what
    for i, (a, b) in enumerate(zip(found, wanted, strict=True)):
        assert a.shape == b.shape, f"{what}[{i}]"
        distance, norm = (float(np.linalg.norm(x.astype(np.float64))) for x in (a - b, b))
        assert distance <= tolerance * norm + 1e-6, f"{what}[{i}] is off by {distance / (norm or 1):.2g}"


def assert_weights(found: Path, wanted: Path, tolerance: float) -> None:
    """Two weights files have the same layers, blobs, shapes, and nearly the same values."""
    ours, theirs = ({layer.name: layer.blobs for layer in caffemodel.read(path).layers} for path in (found, wanted))
    assert list(ours) == list(theirs)
    for name, blobs in theirs.items():
        held = [(a, b) for a, b in zip(ours[name], blobs, strict=True) if b is not None]
        assert [a is None for a in ours[name]] == [b is None for b in blobs], name
        assert_blobs([a for a, _ in held], [b for _, b in held], tolerance, name)


def assert_states(found: Path, wanted: Path, tolerance: float) -> None:
    """Two solver states tell of the same iteration, weights file and history."""
    ours, theirs = solverstate.read(found), solverstate.read(wanted)
    assert (ours.iter, ours.current_step, ours.learned_net) == (theirs.iter, theirs.current_step, theirs.learned_net)
    assert_blobs(ours.history, theirs.history, tolerance, "history")
