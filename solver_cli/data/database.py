"""Data: records of an LMDB or LevelDB."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
import time
import weakref
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from numpy.random import Generator
from torch import Tensor

from solver_cli import files
from solver_cli.caffe_pb2 import DataParameter, LayerParameter
from solver_cli.data.datum import Datums, Value
from solver_cli.data.dealing import Dealing
from solver_cli.data.lmdb_file import Damaged, LmdbFile
from solver_cli.data.pool import Pool
from solver_cli.data.source import check_batch_size, check_fields, check_source, draw_seed, say, shuffled, state_field
from solver_cli.data.transform import Transform
from solver_cli.errors import ConfigError, DataError
from solver_cli.registry import source
from solver_cli.text.remedies import how_made

FIELD = "data_param"
FIELDS = ("source", "batch_size", "backend", "prefetch", "shuffle")
IDLE = (
    *("rand_skip", "scale", "mean_file", "crop_size", "mirror", "force_encoded_color"),  # of older Caffe; 1.0 ignores them
    *("threads", "parser_threads", "cache", "precache"),  # NVCaffe's, for speed only
    *("disk_reader_threads", "verbose"),  # FlowNet2's
)

Record = tuple[bytes, Value]
TABLES = (".ldb", ".sst")  # of a LevelDB


class Database(Protocol):
    """A folder of records in the order of their keys, open to any number of readers at once."""

    def records(self, start: bytes = b"") -> Iterator[Record]:
        """(key, value) of every record from the key `start` on. Raises DataError."""
        ...

    def check(self) -> bool:
        """Raise DataError if the records have gone; called before each batch is read and, as it may be spoilt, after.

        Whether somebody has written to it: then values that were handed out before that was so may have changed.
        """
        ...

    def count(self) -> int:
        """How many records there are. Raises DataError."""
        ...


class Lmdb:
    """An LMDB, read without locks, so that it may lie on a read-only disk (see `lmdb_file`)."""

    def __init__(self, path: Path) -> None:
        if not (path / "data.mdb").exists():
            hint = " (a LevelDB, it seems: then leave backend: LMDB out)" if (path / "CURRENT").is_file() else ""
            raise DataError(f"{path}: not an LMDB, it has no data.mdb{hint}", field=f"{FIELD}.source")
        self._path = path
        try:
            self._file = LmdbFile(path / "data.mdb")
        except (Damaged, OSError) as error:
            raise self._told(error) from None
        if not self.count():
            raise DataError(f"{path}: the database holds no records", field=f"{FIELD}.source")

    def check(self) -> bool:
        try:
            return self._file.check()
        except (Damaged, OSError) as error:
            raise self._told(error) from None

    def count(self) -> int:
        try:
            return self._file.snapshot().entries
        except (Damaged, OSError) as error:
            raise self._told(error) from None

    def records(self, start: bytes = b"") -> Iterator[Record]:
        try:
            yield from self._file.records(start)
        except (Damaged, OSError) as error:
            raise self._told(error) from None

    def _told(self, error: Damaged | OSError) -> DataError:
        words = f"data.mdb: {error.strerror}" if isinstance(error, OSError) else error
        return DataError(f"{self._path}: {words}", field=f"{FIELD}.source")


class LevelDb:
    """A LevelDB, opened through a folder of links beside copies of its small files.

    Opening one writes to it and locks it, even for reading; this way the original stays as it is, may be read-only, and may
    be open elsewhere. The checksums in it are looked at in the first round, and damage is an error: LevelDB itself would go
    on without the records.
    """

    def __init__(self, path: Path) -> None:
        try:
            import plyvel
        except ImportError:
            raise ConfigError(
                "backend LEVELDB (the default) needs plyvel: pip install 'solver-train[leveldb]'", field=f"{FIELD}.backend"
            ) from None
        if not (path / "CURRENT").is_file():
            hint = " (an LMDB, it seems: then say backend: LMDB)" if (path / "data.mdb").is_file() else ""
            raise DataError(f"{path}: not a LevelDB, it has no CURRENT{hint}", field=f"{FIELD}.source")
        folder = tempfile.mkdtemp(prefix="solver-train-leveldb-")
        weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True)
        self._path, self._error, self._sound = path, plyvel.Error, False
        try:
            mirror(path, Path(folder))
            self._db = plyvel.DB(folder, create_if_missing=False, paranoid_checks=True)
            with self._db.iterator(reverse=True, include_value=False) as keys:
                self._last = next(keys, None)
        except (plyvel.Error, OSError) as error:
            raise DataError(
                f"{path}: cannot be opened as a LevelDB: {told(error, folder, path)}", field=f"{FIELD}.source"
            ) from None
        if self._last is None:
            raise DataError(f"{path}: the database holds no records", field=f"{FIELD}.source")
        self._tables = {file: file.stat().st_size for file in path.iterdir() if file.suffix in TABLES}
        self._checked = time.monotonic()

    def count(self) -> int:
        """One more than the last number where keys begin with one, as Caffe's tools write them; else by going through."""
        with self._db.iterator(include_value=False) as keys:
            first, last = (re.match(rb"\d{5,}", key) for key in (next(keys), self._last or b""))
            if first and last and not int(first[0]):
                return int(last[0]) + 1
        return sum(1 for _ in self.records())

    def records(self, start: bytes = b"") -> Iterator[Record]:
        key: bytes | None = None
        try:
            with self._db.iterator(start=start or None, verify_checksums=not self._sound) as records:
                for key, value in records:
                    yield key, value
                if key is not None and key != self._last:  # how the iterator ends where it cannot go on
                    raise RuntimeError(f"after record {key!r}, though there are more")
                self._sound = self._sound or not start
        except (self._error, RuntimeError) as error:
            found = told(error, self._db.name, self._path)
            raise DataError(f"{self._path}: the LevelDB is damaged or gone: {found}", field=f"{FIELD}.source") from None

    def check(self) -> bool:
        """Once a second: are the tables as long as they were? A map of one that is shorter ends the process."""
        if time.monotonic() < self._checked + 1:
            return False
        for file, size in self._tables.items():
            try:
                found = file.stat().st_size
            except OSError as error:
                raise DataError(f"{file}: {error.strerror}", field=f"{FIELD}.source") from None
            if found != size:
                raise DataError(f"{file}: has {found} bytes of {size}", field=f"{FIELD}.source")
        self._checked = time.monotonic()
        return False


def told(error: Exception, folder: str, path: Path) -> str:
    """The words of an error of LevelDB or of its files, with the folder that the user knows in the place of `folder`."""
    if isinstance(error, OSError) and error.filename:
        return f"{Path(error.filename).name}: {error.strerror}"
    words = error.args[0] if error.args else ""
    return (words.decode(errors="replace") if isinstance(words, bytes) else str(error)).replace(folder, str(path))


def mirror(path: Path, folder: Path) -> None:
    """Link the tables of the LevelDB in `path` from `folder`, and copy its logs and lists, which opening changes."""
    for file in path.iterdir():
        if file.suffix in (*TABLES, ".log") or file.name.startswith(("CURRENT", "MANIFEST")):
            files.check(file)
        if file.suffix in TABLES:
            (folder / file.name).symlink_to(file.resolve())
        elif file.name == "CURRENT" or file.name.startswith("MANIFEST") or file.suffix == ".log":
            shutil.copyfile(file, folder / file.name)


# Train and test nets may read the same database.
_open: weakref.WeakValueDictionary[tuple[int, str, int], Database] = weakref.WeakValueDictionary()


def open_database(backend: int, source: str) -> Database:
    """The database in the folder `source`; the one that is open already, if it is. Raises ConfigError, DataError."""
    path = Path(source)
    if not os.path.isdir(path):  # noqa: PTH112 - no error for names that no system takes
        there = os.path.exists(path)  # noqa: PTH110
        found = "is a file, not the folder of a database" if there else f"no such database{how_made(path)}"
        raise DataError(f"{path}: {found}", field=f"{FIELD}.source")
    key = (backend, str(path.resolve()), path.stat().st_ino)
    database = _open.get(key)
    if database is None:
        database = _open[key] = Lmdb(path) if backend == DataParameter.LMDB else LevelDb(path)
    if backend == DataParameter.LMDB:
        say(f"Opened lmdb {source}", "db_lmdb.cpp:35")
    else:
        say(f"Opened leveldb {source}", "db_leveldb.cpp:18")
    return database


class Records:
    """The records of the database that data_param names; with `shuffle` each round has an order of its own.

    `number`: of the record to come, counted through all rounds. Raises ConfigError, DataError.
    """

    def __init__(self, param: DataParameter, generator: Generator) -> None:
        check_fields(param, FIELD, FIELDS, IDLE)
        if not param.prefetch:
            raise ConfigError("prefetch must be 1 or more, not 0", field=f"{FIELD}.prefetch")
        self.batch_size = check_batch_size(param, FIELD)
        self._path = check_source(param, FIELD)
        self._database = open_database(param.backend, self._path)
        self._written = self._database.check()
        self._seed = draw_seed(generator) if param.shuffle else None
        self._keys = [key for key, _ in self._database.records()] if param.shuffle else []
        self.number = 0
        self._record: Record = (b"", b"")
        self._before = b"", 0  # key and number of the first record of those taken last
        self._seek(b"", 0)

    @property
    def count(self) -> int:
        return self._database.count()

    @property
    def next(self) -> Record:
        """The record to come."""
        return self._record

    def name(self, record: Record) -> str:
        """What errors call a record."""
        return f"record '{record[0].decode(errors='backslashreplace')}' of {self._path}"

    def take(self, dealing: Dealing) -> tuple[range, list[Record]]:
        """The records of a rank's batch and their numbers; then stand before the one that follows all ranks' batches."""
        if self._has_changed():
            self._seek(self._record[0], self.number)
        number = self.number
        numbers, end = dealing.turn(number, self.batch_size)
        count = end - number
        records = [self._record, *islice(self._records, count)]
        while len(records) <= count:
            say("Restarting data prefetching from start.", "data_layer.cpp:73")
            self._seek(b"", number + len(records))
            records += [self._record, *islice(self._records, count - len(records))]
        self._before = records[0][0], number
        self._record = records.pop()
        self.number = end
        return numbers, records[numbers.start - number : numbers.stop - number : numbers.step]

    def spoilt(self) -> bool:
        """Whether somebody has written over the records just taken, while they were read: then stand before them again."""
        if not self._has_changed():
            return False
        self._seek(*self._before)
        return True

    def _has_changed(self) -> bool:
        """Whether values that were read may no longer be what they were, which happens once."""
        before, self._written = self._written, self._database.check()
        return self._written != before

    def _seek(self, key: bytes, number: int) -> None:
        """Stand before the record with a number, which has this key (b"": whichever begins the round)."""
        self._records = self._database.records(key) if self._seed is None else self._shuffled(number)
        record = next(self._records, None)
        if record is None or key not in (b"", record[0]):
            raise DataError(f"{self._path}: cannot go on at record {key!r}: the database has none (is it another one?)")
        self._record = record
        self.number = number

    def _shuffled(self, number: int) -> Iterator[Record]:
        """The records from a number on that its round still has."""
        assert self._seed is not None
        epoch, index = divmod(number, len(self._keys))
        for i in shuffled(len(self._keys), self._seed, epoch)[index:].tolist():
            record = next(self._database.records(self._keys[i]), None)
            if record is None or record[0] != self._keys[i]:
                gone = f"the database has no record {self._keys[i]!r} any more"
                raise DataError(f"{self._path}: {gone}", field=f"{FIELD}.source")
            yield record

    def state_dict(self) -> dict[str, Any]:
        seed = {} if self._seed is None else {"shuffle_seed": self._seed}
        return {"key": self._record[0], "number": self.number, **seed}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        if self._seed is not None:
            self._seed = state_field(state, "shuffle_seed")
        self._seek(state_field(state, "key", bytes), state_field(state, "number"))

    def close(self) -> None:
        self._records = iter(())


@source("Data", tops=(1, 2), transforms=True)
class Data:
    """Records of an LMDB or LevelDB, in the order of their keys or (NVCaffe's `shuffle`) a random one, round and round.

    Tops: pictures [N, channels, height, width]; labels [N] if there is a second top. With batch_size 1 the pictures may
    differ in size.
    """

    def __init__(self, layer: LayerParameter, training: bool, generator: Generator) -> None:
        self._labels = len(layer.top) > 1
        self.dealing = Dealing()
        self._records = Records(layer.data_param, generator)
        self.transform = Transform(layer.transform_param, training, generator, f"{FIELD}.source")
        self._pool = Pool()
        floats = self.transform.resize is not None and self.transform.resize.floats
        self._datums = Datums(self.transform.force, f"{FIELD}.source", floats)
        record = self._records.next
        name = self._records.name(record)
        datum = self._datums.parse(record[1], name)
        shape = self.transform.shape(name, self._datums.picture(datum, name).shape)
        batch = self._records.batch_size
        self.shapes: list[tuple[int, ...]] = [(batch, *shape), (batch,)][: 1 + self._labels]
        say(f"output data size: {','.join(map(str, self.shapes[0]))}", "data_layer.cpp:45")
        if not datum.encoded:
            self.transform.warn_raw()

    @property
    def records(self) -> int:
        return self._records.count

    def next_batch(self) -> tuple[Tensor, ...]:
        numbers, records = self._records.take(self.dealing)

        def name(i: int) -> str:
            return self._records.name(records[i])

        pictures, labels = self._datums.read([value for _, value in records], name)
        data = self.transform(pictures, numbers, name, self._pool)
        if self._records.spoilt():
            self.dealing.undo()
            return self.next_batch()
        return (data, torch.from_numpy(np.array(labels, np.float32))) if self._labels else (data,)

    def state_dict(self) -> dict[str, Any]:
        return {**self._records.state_dict(), "seed": self.transform.seed}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.dealing.restart()
        self._records.load_state_dict(state)
        self.transform.seed = state_field(state, "seed")

    def close(self) -> None:
        self._pool.close()
        self._records.close()
