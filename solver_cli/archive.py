"""The snapshots of a run on the disk: written one at a time, found again, thinned out."""

from __future__ import annotations

import os
import re
import zlib
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from threading import Thread

from solver_cli import log, runstate
from solver_cli.errors import SnapshotError, Where
from solver_cli.formats import caffemodel, solverstate


class Writer:
    """Runs one job at a time in the background. The process does not end before the last one is done."""

    def __init__(self) -> None:
        self._thread: Thread | None = None
        self.failed: SnapshotError | None = None  # the last job's error

    def submit(self, job: Callable[[], None], retry: str) -> None:
        """Run `job` as soon as the one before is done. An error is logged; `retry` says when the next try is."""
        self.wait()
        self._thread = Thread(target=self._run, args=(job, retry), name="snapshot")
        self._thread.start()

    def _run(self, job: Callable[[], None], retry: str) -> None:
        try:
            self.failed = None
            job()
        except SnapshotError as error:
            self.failed = error
            log.error("solver.cpp:464", f"{error}; {retry}")

    def wait(self) -> None:
        """Return when nothing is being written."""
        if self._thread is not None:
            self._thread.join()
            self._thread = None


def crc_of_file(path: str) -> int:
    """CRC-32 of the file's bytes. Raises OSError."""
    crc = 0
    with open(path, "rb") as file:
        while block := file.read(1 << 24):
            crc = zlib.crc32(block, crc)
    return crc


def check_pair(state: solverstate.State, weights: str, path: str) -> None:
    """Raise SnapshotError unless the weights file is the one that the state `path` was written with.

    A state that real Caffe wrote says nothing of it: then the weights must be readable.
    """
    try:
        told = runstate.loads(state.run).get("weights")
        if told is None:
            caffemodel.read(weights)
        elif (Path(weights).stat().st_size, crc_of_file(weights)) != (told["size"], told["crc32"]):
            raise SnapshotError(f"its weights file '{weights}' is damaged or of another run", Where(path))
    except OSError as error:
        raise SnapshotError(f"its weights file '{weights}' cannot be read: {error.strerror}", Where(path)) from None
    except (ValueError, KeyError, TypeError):
        raise SnapshotError("what it says of the run cannot be read: the file is damaged", Where(path)) from None


def newest_whole(prefix: str) -> str | None:
    """The state of the newest snapshot `<prefix>_iter_<N>` whose two files are whole; those that are not are named."""
    for iteration, path in sorted(_states(prefix), reverse=True):
        try:
            state = solverstate.read(path)
            check_pair(state, weights_of(state, path), path)
        except SnapshotError as error:
            log.warning("solver.cpp", f"snapshot of iteration {iteration} passed over: {error}")
            continue
        return path
    return None


def weights_of(state: solverstate.State, path: str) -> str:
    """The weights file that a state names, from the working folder, else beside the state. Raises SnapshotError."""
    named = state.learned_net
    beside = Path(path).with_name(Path(named).name)
    if not named or Path(named).exists():
        return named
    if not beside.exists():
        also = "" if str(beside) == named else f", nor does '{beside}'"
        raise SnapshotError(f"its weights file '{named}' does not exist{also}", Where(path))
    return str(beside)


def thin_out(prefix: str, keep: int) -> None:
    """Remove all snapshots `<prefix>_iter_<N>` but the newest `keep`."""
    for _, path in sorted(_states(prefix), reverse=True)[keep:]:
        for file in (path, path.replace(".solverstate", ".caffemodel")):  # the state first: no state without weights
            with suppress(OSError):
                Path(file).unlink()


def sweep(prefix: str) -> None:
    """Remove half files that a killed run of this prefix has left (their names hold the process's number)."""
    folder, name = Path(prefix).parent, Path(prefix).name
    for file in folder.glob(f".{_literal(name)}_*.tmp"):
        pid = re.search(r"\.(\d+)\.[0-9a-f]{8}\.tmp$", file.name)
        if pid and not _alive(int(pid[1])):
            with suppress(OSError):
                file.unlink()


def _states(prefix: str) -> Iterator[tuple[int, str]]:
    """(iteration, path) of every solver state of `prefix`."""
    folder, name = Path(prefix).parent, Path(prefix).name
    for file in folder.glob(f"{_literal(name)}_iter_*.solverstate*"):
        if match := re.fullmatch(re.escape(name) + r"_iter_(\d+)\.solverstate(\.h5)?", file.name):
            yield int(match[1]), str(folder / file.name)


def _literal(name: str) -> str:
    """A file name with the characters that a pattern would read as wild ones made literal."""
    return re.sub(r"([*?\[])", r"[\1]", name)


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True
