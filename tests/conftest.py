"""Fixtures that several test files use."""

from __future__ import annotations

import shutil
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from golden_cases import ARCHIVE

from solver_cli.log import logger


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> None:
    """The tests run side by side; small nets gain nothing from more threads."""
    torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def own_log() -> Iterator[None]:
    """A command that prints the log does so for its own test only."""
    handlers, propagate = logger.handlers[:], logger.propagate
    yield
    logger.handlers[:], logger.propagate = handlers, propagate


@pytest.fixture(scope="session")
def golden(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The unpacked golden runs: see golden/README.md. Read only."""
    folder = tmp_path_factory.mktemp("golden")
    with tarfile.open(ARCHIVE) as archive:
        archive.extractall(folder, filter="data")
    return folder


@pytest.fixture
def case_folder(golden: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Path]:
    """A fresh copy of a golden run's folder, as working folder."""

    def enter(name: str) -> Path:
        folder = tmp_path / "solvers" / name
        if (golden / "solvers" / name).is_dir():
            shutil.copytree(golden / "solvers" / name, folder)
        else:
            folder.mkdir(parents=True)
        (tmp_path / "data").symlink_to(golden / "data")
        monkeypatch.chdir(folder)
        return folder

    return enter
