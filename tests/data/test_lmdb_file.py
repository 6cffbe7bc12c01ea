"""Our reader of LMDBs gives the records that liblmdb gives, and survives what ends liblmdb: damage, cuts, writers."""

from __future__ import annotations

import itertools
import shutil
import struct
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import lmdb
import numpy as np
import pytest
from google.protobuf import text_format
from running import run, write

from solver_cli.caffe_pb2 import Datum, LayerParameter
from solver_cli.commands.datasets import write_lmdb
from solver_cli.data.database import Data
from solver_cli.data.lmdb_file import Damaged, LmdbFile
from solver_cli.formats import caffemodel, solverstate

SOURCE = Path(__file__).parent.parent / "golden" / "data_layers" / "source"
PAGE = 4096
SIZES = {"small": (3000, 10), "in pages": (400, 900), "large": (60, 9000), "mixed": (700, 0), "one": (1, 5)}


def database(folder: Path, count: int, size: int) -> Path:
    """`count` records of `size` bytes, or of 1 to 8,000; written twice, so that pages lie free and out of order."""
    draw = np.random.default_rng(count)
    for _ in range(2):
        write_lmdb(folder, [(b"%06d" % i, draw.bytes(size or int(8000 ** draw.random()))) for i in range(count)])
    return folder


def theirs(folder: Path, start: bytes = b"") -> list[tuple[bytes, bytes]]:
    with lmdb.open(str(folder), readonly=True, lock=False) as env, env.begin() as transaction:
        cursor = transaction.cursor()
        return list(cursor) if cursor.set_range(start) else []


def ours(folder: Path, start: bytes = b"") -> list[tuple[bytes, bytes]]:
    return [(key, bytes(value)) for key, value in LmdbFile(folder / "data.mdb").records(start)]


@pytest.mark.parametrize("name", SIZES)
def test_the_records_are_those_of_liblmdb(tmp_path: Path, name: str) -> None:
    folder = database(tmp_path / "db", *SIZES[name])
    records = theirs(folder)
    assert ours(folder) == records
    for key, _ in records[:: len(records) // 50 + 1]:
        for start in (key, key + b"\0", key[:-1]):
            assert ours(folder, start)[:3] == theirs(folder, start)[:3], start


@pytest.mark.parametrize("folder", sorted(SOURCE.glob("*_lmdb")), ids=lambda folder: folder.name)
def test_databases_of_real_caffe(tmp_path: Path, folder: Path) -> None:
    copy = Path(shutil.copytree(folder, tmp_path / "db"))
    assert ours(folder) == theirs(copy)


def poke(folder: Path, at: int, content: bytes) -> None:
    with (folder / "data.mdb").open("r+b") as file:
        file.seek(at)
        file.write(content)


def pages(folder: Path, kind: int) -> Iterator[int]:
    """Where the pages of a kind begin that are not free, as far as their own heads tell."""
    content = (folder / "data.mdb").read_bytes()
    for at in range(2 * PAGE, len(content), PAGE):
        number, _, found = struct.unpack_from("<QHH", content, at)
        if found == kind and number == at // PAGE:
            yield at


NET = """
layer { name: "data" type: "Data" top: "data" top: "label" data_param { source: "db" batch_size: 20 backend: LMDB } }
layer { name: "fc" type: "InnerProduct" bottom: "data" top: "fc" inner_product_param { num_output: 3 } }
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "fc" bottom: "label" top: "loss" }
"""
SOLVER = 'net: "net.prototxt" base_lr: 0.01 lr_policy: "fixed" max_iter: 100 snapshot_prefix: "snap" solver_mode: CPU\n'


def test_damage_ends_a_run_with_one_line_and_a_snapshot(tmp_path: Path) -> None:
    value = Datum(channels=1, height=30, width=30, data=bytes(900), label=1).SerializeToString()
    write_lmdb(tmp_path / "db", [(b"%06d" % i, value) for i in range(400)])
    poke(tmp_path / "db", list(pages(tmp_path / "db", 2))[-20] + 10, b"\xff")  # no kind of page
    write(tmp_path, NET, SOLVER)
    ended = run("solver-train", "solver.prototxt", folder=tmp_path)
    assert ended.code == 1
    (complaint,) = ended.complaints
    assert complaint.startswith("net.prototxt:2:")
    assert "layer 'data' (Data): db: damaged: page " in complaint and complaint.endswith(" is no leaf of the tree")
    (path,) = tmp_path.glob("snap_iter_*.solverstate")
    assert 5 < solverstate.read(path).iter < 20
    assert caffemodel.read(path.with_suffix(".caffemodel")).layers


def test_damage_in_leaves_that_are_alike_is_what_it_is_in_any(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = database(tmp_path / "db", 60, 900)
    content = (folder / "data.mdb").read_bytes()
    draw = np.random.default_rng(1)

    def found() -> tuple[list[tuple[bytes, bytes]], str]:
        records: list[tuple[bytes, bytes]] = []
        try:
            for key, value in LmdbFile(folder / "data.mdb").records():
                records.append((key, bytes(value)))
        except Damaged as damage:
            return records, str(damage)
        return records, ""

    told = set()
    for at in [page + place for page in pages(folder, 2) for place in (0, 10, 12, 14, 16, 18, *draw.integers(20, PAGE, 20))]:
        poke(folder, int(at), bytes([content[at] ^ 1 << int(draw.integers(8))]))
        quick = found()
        with monkeypatch.context() as patch:
            patch.setattr(LmdbFile, "_read_alike", lambda *_: False)
            assert found() == quick
        told.add(quick[1].partition("page")[0])
        (folder / "data.mdb").write_bytes(content)
    assert len(told) > 2, told


def test_a_page_that_is_reached_twice(tmp_path: Path) -> None:
    """A branch whose second child is its first: a tree without end is none."""
    folder = database(tmp_path / "db", 400, 900)
    for at in pages(folder, 1):
        content = (folder / "data.mdb").read_bytes()
        first, second = (at + place for place in struct.unpack_from("<2H", content, at + 16))
        poke(folder, second, content[first : first + 6])
    with pytest.raises(Damaged, match="behind"):
        ours(folder)


def test_records_that_are_missing_are_counted(tmp_path: Path) -> None:
    folder = database(tmp_path / "db", 1, 5)
    for meta in (0, PAGE):
        poke(folder, meta + 16 + 72 + 32, struct.pack("<Q", 7))
    with pytest.raises(Damaged, match="it has 1 records of 7"):
        ours(folder)


def test_free_pages_may_be_missing_at_the_end(tmp_path: Path) -> None:
    folder = database(tmp_path / "db", 60, 900)
    size = (folder / "data.mdb").stat().st_size
    for meta in (0, PAGE):
        poke(folder, meta + 16 + 120, struct.pack("<Q", size // PAGE + 5))
    assert ours(folder) == theirs(folder)
    with (folder / "data.mdb").open("r+b") as file:
        file.truncate(size - PAGE)
    with pytest.raises(Damaged, match=r"cut short: data\.mdb has"):
        LmdbFile(folder / "data.mdb")


CUT = """
import os, sys
from pathlib import Path
from solver_cli.data.database import Data
from solver_cli.data.lmdb_file import Damaged, LmdbFile
file = LmdbFile(Path("db/data.mdb"))
records = file.records()
_, value = next(records)
os.truncate("db/data.mdb", int(sys.argv[1]))
print(len(bytes(value)))
for use in (file.check, lambda: list(records)):
    try:
        use()
    except Damaged as error:
        print(error)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the system ends the process")
@pytest.mark.parametrize("size", [0, 5000, 20000])
def test_a_file_that_is_cut_short_while_it_is_read(tmp_path: Path, size: int) -> None:
    """A value that was there when it was asked for may be gone when it is used: no SIGBUS, and an error at the next look."""
    whole = (database(tmp_path / "db", 300, 9000) / "data.mdb").stat().st_size
    done = subprocess.run(
        [sys.executable, "-c", CUT, str(size)], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[0] == "9000"
    told = done.stdout.splitlines()[1:]
    assert told and set(told) == {f"cut short: data.mdb has {size} bytes of {whole}"}


@pytest.mark.parametrize("width", [20, 300])
def test_a_writer_beside_the_reader(tmp_path: Path, width: int) -> None:
    """The database is written over and grows while it is read: every picture is of one version, and keys go on in order."""
    with lmdb.open(str(tmp_path), map_size=1 << 28, sync=False) as env:

        def rewrite(version: int, first: int) -> None:
            pixels = bytes([version]) * (20 * width)
            with env.begin(write=True) as transaction:
                for i in range(first, first + 100):
                    number = i % (500 + version)
                    datum = Datum(channels=1, height=20, width=width, data=pixels, label=number)
                    transaction.put(b"%06d" % number, datum.SerializeToString())

        for version in range(7):
            rewrite(version, version * 90)
        sources = [data(tmp_path), data(tmp_path)]  # as train and test nets have them
        numbers, versions = [], set()
        for number in range(60):
            for source in sources:
                pictures, labels = source.next_batch()
                assert all(picture.unique().numel() == 1 for picture in pictures)
            versions |= {int(picture.max()) for picture in pictures}
            numbers += labels.int().tolist()
            if number > 10:
                rewrite(number, number * 31)
    assert max(versions) > 40 and max(numbers) > 510
    assert sum(later < earlier for earlier, later in itertools.pairwise(numbers)) == 1, "one round ended"


def data(folder: Path) -> Data:
    text = f'type: "Data" top: "data" top: "label" data_param {{ source: "{folder}" batch_size: 10 backend: LMDB }}'
    return Data(text_format.Parse(text, LayerParameter()), True, np.random.default_rng(0))


def test_a_database_that_is_replaced_in_place(tmp_path: Path) -> None:
    folder, other = database(tmp_path / "db", 400, 900), tmp_path / "other"
    write_lmdb(other, [(b"%06d" % i, b"new") for i in range(40)])
    records = LmdbFile(folder / "data.mdb").records()
    next(records)
    poke(folder, 0, (other / "data.mdb").read_bytes())
    with pytest.raises(Damaged, match="has been replaced"):
        list(records)
