"""Databases of records: new ones, whole or not there, and those that are there."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import lmdb

from solver_cli.caffe_pb2 import DataParameter
from solver_cli.errors import ConfigError, DataError

if TYPE_CHECKING:
    from solver_cli.data.database import Database

LMDB, LEVELDB = "lmdb", "leveldb"
TOGETHER = 1000  # records of a transaction

Put = Callable[[bytes, bytes], None]


@contextmanager
def writing(path: Path, backend: str = LMDB, replace: bool = False) -> Iterator[Put]:
    """A new database in the folder `path`, filled by calls (key, value): it lies beside at first, and takes its name when
    the block ends without an error. What stands there is refused, or replaced if `replace`. Raises ConfigError, DataError.
    """
    if not replace:
        refuse(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{path.name}-", dir=path.parent) as folder:
            fresh = Path(folder) / "new"
            with closing(LmdbWriter(fresh) if backend == LMDB else LevelDbWriter(fresh)) as writer:
                yield writer.put
                writer.finish()
            if path.exists():
                path.rename(Path(folder) / "old")
            fresh.rename(path)
    except (OSError, lmdb.Error) as error:
        raise DataError(f"{path}: cannot be written: {error}") from None


def refuse(path: Path) -> None:
    """Raise DataError if something of this name is there."""
    if os.path.lexists(path):
        raise DataError(f"{path}: is there already, and is left as it is: remove it, or take another name")


def write_lmdb(path: Path, records: Iterable[tuple[bytes, bytes]]) -> None:
    """Write an LMDB of (key, value) pairs to `path`, replacing what stands there. Raises DataError."""
    with writing(path, replace=True) as put:
        for key, value in records:
            put(key, value)


class Writer(Protocol):
    """A database that is being filled."""

    def put(self, key: bytes, value: bytes) -> None: ...

    def finish(self) -> None:
        """Bring all of it to the disk."""
        ...

    def close(self) -> None: ...


class LmdbWriter:
    """A new LMDB without a lock file; its map may fill the disk, the file is as large as its records."""

    def __init__(self, path: Path) -> None:
        path.mkdir()
        room = min(max(shutil.disk_usage(path).free, 1 << 20), 1 << 40)
        self._environment = lmdb.open(str(path), map_size=room, lock=False, readahead=False, sync=False)
        self._transaction: Any = self._environment.begin(write=True)
        self._count = 0

    def put(self, key: bytes, value: bytes) -> None:
        self._transaction.put(key, value)
        self._count += 1
        if self._count % TOGETHER == 0:
            self._transaction.commit()
            self._transaction = self._environment.begin(write=True)

    def finish(self) -> None:
        self._transaction.commit()
        self._environment.sync(True)

    def close(self) -> None:
        self._environment.close()


class LevelDbWriter:
    """A new LevelDB with the sizes of blocks and buffers that Caffe gives it."""

    def __init__(self, path: Path) -> None:
        try:
            import plyvel
        except ImportError:
            raise ConfigError("backend leveldb needs plyvel: pip install 'solver-train[leveldb]'") from None
        self._error = plyvel.Error
        sizes = {"write_buffer_size": 1 << 28, "block_size": 1 << 16, "max_open_files": 100}
        with self._errors():
            self._db = plyvel.DB(str(path), create_if_missing=True, error_if_exists=True, **sizes)

    @contextmanager
    def _errors(self) -> Iterator[None]:
        """What LevelDB says is an OSError."""
        try:
            yield
        except self._error as error:
            raise OSError(str(error)) from None

    def put(self, key: bytes, value: bytes) -> None:
        with self._errors():
            self._db.put(key, value)

    def finish(self) -> None:
        """A last write that waits for the disk takes all before it along."""
        with self._errors():
            self._db.write_batch(sync=True).write()

    def close(self) -> None:
        self._db.close()


def opened(path: str, backend: str = "") -> Database:
    """The database in the folder `path`, of the kind that its files tell unless `backend` does. Raises Error."""
    from solver_cli.data.database import open_database  # needs torch, which writing does not

    kind = backend or (LEVELDB if (Path(path) / "CURRENT").is_file() else LMDB)
    return open_database(DataParameter.LMDB if kind == LMDB else DataParameter.LEVELDB, path)
