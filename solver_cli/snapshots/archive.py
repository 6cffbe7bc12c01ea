"""The snapshots of a run on the disk: written one at a time, found again, thinned out."""

from __future__ import annotations

import os
import re
import zlib
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from threading import Thread
from typing import BinaryIO

from solver_cli import log
from solver_cli.errors import ConfigError, SnapshotError, Where
from solver_cli.formats import caffemodel, runstate, solverstate
from solver_cli.formats.atomic import leftovers, reason

PIECE = 1 << 20


class Writer:
    """Runs one job at a time in the background. The process does not end before the last one is done."""

    def __init__(self) -> None:
        self._thread: Thread | None = None
        self._failed: Exception | None = None

    def submit(self, job: Callable[[], None], retry: str) -> None:
        """Run `job` as soon as the one before is done.

        An error is kept for `check`; it is logged as well if `retry` says when the next try is, so that training goes on.
        """
        self.wait()
        self._failed = None
        thread = Thread(target=self._run, args=(job, retry), name="snapshot")
        try:
            thread.start()
        except RuntimeError:  # no memory for a thread
            self._run(job, retry)
        else:
            self._thread = thread

    def _run(self, job: Callable[[], None], retry: str) -> None:
        try:
            job()
        except Exception as error:
            self._failed = error
            if retry:
                log.error("solver.cpp:464", f"{error}; {retry}")

    def wait(self) -> None:
        """Return when nothing is being written."""
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def check(self) -> None:
        """Wait, and raise the last job's error if there was one."""
        self.wait()
        if self._failed:
            raise self._failed


class Summed:
    """Passes blocks on to a file that is written from its start to its end, and knows what `identity` would find in it."""

    def __init__(self, file: BinaryIO):
        self._file = file
        self._size = self._crc = 0

    def write(self, block: bytes | memoryview) -> None:
        """Write `block`, in pieces that the processor still has at hand when they are summed up."""
        view = memoryview(block)
        for at in range(0, len(view), PIECE):
            piece = view[at : at + PIECE]
            self._file.write(piece)
            self._crc = zlib.crc32(piece, self._crc)
        self._size += len(view)

    @property
    def identity(self) -> dict[str, int]:
        return {"size": self._size, "crc32": self._crc}


def identity(file: BinaryIO) -> dict[str, int]:
    """Size and CRC-32 of an open file's bytes, by which a state knows its weights. Raises OSError."""
    size = crc = 0
    file.seek(0)
    while block := file.read(1 << 22):
        size, crc = size + len(block), zlib.crc32(block, crc)
    return {"size": size, "crc32": crc}


def check_pair(state: solverstate.State, weights: str, path: str) -> None:
    """Raise SnapshotError unless the weights file is the one that the state `path` was written with.

    A state that real Caffe wrote says nothing of it: then the weights must be readable.
    """
    try:
        told = runstate.loads(state.run).get("weights")
        if told is None:
            caffemodel.read(weights)
            return
        with open(weights, "rb") as file:
            if identity(file) != told:
                raise SnapshotError(f"its weights file '{weights}' is damaged or of another run", Where(path))
    except OSError as error:
        raise SnapshotError(f"its weights file '{weights}' cannot be read: {error.strerror}", Where(path)) from None
    except ValueError as error:
        raise SnapshotError(f"the file is damaged: {error}", Where(path)) from None


def newest_whole(prefix: str) -> str | None:
    """The state of the newest snapshot `<prefix>_iter_<N>` whose two files are whole; those that are not are named.

    Raises ConfigError where nobody can look.
    """
    sweep(prefix)
    try:
        states = sorted(_states(prefix), reverse=True)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError) as error:
        message = f"cannot look for snapshots of '{prefix}': {reason(error)}"
        raise ConfigError(message, field="snapshot_prefix") from None
    for iteration, path in states:
        try:
            if not weights_of(solverstate.read(path), path):
                raise SnapshotError("it names no weights file", Where(path))
        except SnapshotError as error:
            log.warning("solver.cpp", f"snapshot of iteration {iteration} passed over: {error}")
            continue
        return path
    return None


def weights_of(state: solverstate.State, path: str) -> str:
    """The weights file that a state names, "" for none: from the working folder, else beside the state, where it is the one
    that the state was written with. Raises SnapshotError."""
    named = state.learned_net
    beside = str(Path(path).parent / Path(named).name) if named else ""
    found = [file for file in dict.fromkeys((named, beside)) if file and os.path.isfile(file)]  # noqa: PTH113 - any name
    if named and not found:
        also = "" if beside == named else f", nor does '{beside}'"
        raise SnapshotError(f"its weights file '{named}' does not exist{also}", Where(path))
    for file in found:
        try:
            check_pair(state, file, path)
        except SnapshotError:
            if file == found[-1]:
                raise
        else:
            return file
    return ""


def thin_out(prefix: str, keep: int, iteration: int) -> None:
    """Remove the snapshots `<prefix>_iter_<N>` up to `iteration`, but not the newest `keep` of them.

    Later ones are of another run; nobody asked to remove those.
    """
    with suppress(OSError):
        old = sorted((entry for entry in _states(prefix) if entry[0] <= iteration), reverse=True)[keep:]
        for _, state in old:
            head, _, form = state.rpartition(".solverstate")
            for file in (state, f"{head}.caffemodel{form}"):  # no state without weights
                with suppress(OSError):
                    Path(file).unlink()


def sweep(prefix: str) -> None:
    """Clear up what a killed run of this prefix has left: finish a pair of which only a name is missing, remove half files.

    A pair's weights get their name first. Killed before the state got its own, they lie beside an unnamed whole state.
    """
    folder, name = os.path.split(prefix)
    for file in leftovers(Path(folder), f"{name}_"):
        with suppress(OSError):
            if target := _unnamed(file):
                file.replace(target)
                log.info("solver.cpp", f"{target}: a killed run had it written, but for its name; it has its name now")
            else:
                file.unlink()
                log.info("solver.cpp", f"{file}: removed the unfinished file of a killed run")


def _unnamed(file: Path) -> Path | None:
    """The name that an unfinished file was to get, if it is a whole state whose weights are those on the disk."""
    try:
        state = solverstate.read(file)
        whole = state.run and weights_of(state, str(file))
    except SnapshotError:
        return None
    head, _, form = Path(state.learned_net).name.rpartition(".caffemodel")
    return file.with_name(f"{head}.solverstate{form}") if whole and head else None


def _states(prefix: str) -> Iterator[tuple[int, str]]:
    """(iteration, path) of every solver state of `prefix`. Raises OSError, and ValueError for what no folder is called."""
    folder, name = os.path.split(prefix)
    for file in Path(folder).iterdir():
        if match := re.fullmatch(re.escape(name) + r"_iter_([0-9]+)\.solverstate(\.h5)?", file.name):
            yield int(match[1]), str(file)
