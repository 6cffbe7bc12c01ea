"""Data that vanish or change under a running solver-train: one error that names them, and the state before it is saved."""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest
from running import LOG_LINE, TEXT_LINE, program, run, write

from solver_cli.caffe_pb2 import Datum
from solver_cli.commands.datasets import write_lmdb
from solver_cli.formats import caffemodel, solverstate

SOLVER = """net: "net.prototxt" base_lr: 0.01 lr_policy: "fixed" momentum: 0.9 max_iter: 100000000 snapshot: 100000000
display: 1000 snapshot_prefix: "snap" solver_mode: CPU random_seed: 3
"""
NET = """
layer { name: "data" type: "%s" top: "data" top: "label" %s }
layer { name: "fc" type: "InnerProduct" bottom: "data" top: "fc" inner_product_param { num_output: 3 } }
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "fc" bottom: "label" top: "loss" }
"""


class Run:
    """A solver-train that has begun to iterate."""

    def __init__(self, folder: Path, net: str):
        write(folder, net, SOLVER)
        self.folder, self.log = folder, folder / "log"
        with self.log.open("w") as log:
            self.process = subprocess.Popen([program("solver-train"), "solver.prototxt"], cwd=folder, stderr=log)
        deadline = time.monotonic() + 60
        while "Iteration 1000" not in self.log.read_text():
            assert self.process.poll() is None, self.log.read_text()
            assert time.monotonic() < deadline, self.log.read_text()
            time.sleep(0.02)

    def end(self) -> tuple[str, int]:
        """(the one complaint, the iteration that was saved)"""
        try:
            code = self.process.wait(60)
        finally:
            self.process.kill()
        lines = self.log.read_text().splitlines()
        (complaint,) = [line for line in lines if not (LOG_LINE.match(line) or TEXT_LINE.match(line))]
        assert code == 1, complaint
        (path,) = self.folder.glob("snap_iter_*.solverstate")
        assert any("The data have failed; resume from" in line and path.name in line for line in lines)
        state = solverstate.read(path)
        assert path.name == f"snap_iter_{state.iter}.solverstate"
        assert caffemodel.read(self.folder / state.learned_net).layers
        return complaint, state.iter


def pictures(count: int) -> list[tuple[bytes, bytes]]:
    random = np.random.default_rng(1)
    return [
        (b"%05d" % i, Datum(channels=1, height=4, width=4, data=random.bytes(16), label=i % 3).SerializeToString())
        for i in range(count)
    ]


def lmdb_net(folder: Path) -> str:
    write_lmdb(folder / "db", pictures(400))
    return NET % ("Data", 'data_param { source: "db" batch_size: 2 backend: LMDB }')


def test_an_lmdb_that_is_cut_short_in_place(tmp_path: Path) -> None:
    going = Run(tmp_path, lmdb_net(tmp_path))
    with (tmp_path / "db" / "data.mdb").open("r+b") as file:
        file.truncate(8192)
    complaint, iteration = going.end()
    assert complaint.startswith("net.prototxt:2:")
    assert "layer 'data' (Data): db: cut short: data.mdb has 8192 bytes of " in complaint
    assert iteration >= 1000


def test_an_lmdb_that_is_cut_short_before(tmp_path: Path) -> None:
    write(tmp_path, lmdb_net(tmp_path), SOLVER)
    with (tmp_path / "db" / "data.mdb").open("r+b") as file:
        file.truncate(12288)
    ended = run("solver-train", "solver.prototxt", folder=tmp_path)
    assert ended.code == 1
    assert "db: cut short: data.mdb has 12288 bytes of " in ended.complaints[0]


def test_an_lmdb_that_is_removed_stays_until_the_run_ends(tmp_path: Path) -> None:
    """The run holds the file that it opened; a folder that takes the name does not disturb it either."""
    net = lmdb_net(tmp_path)
    going = Run(tmp_path, net)
    shutil.rmtree(tmp_path / "db")
    (tmp_path / "db").mkdir()
    (tmp_path / "db" / "data.mdb").write_bytes(b"something else")
    before = going.log.read_text().count("Iteration")
    deadline = time.monotonic() + 60
    while going.log.read_text().count("Iteration") < before + 4 and time.monotonic() < deadline:
        time.sleep(0.02)
    going.process.terminate()
    assert going.process.wait(60) == 143
    assert len(list(tmp_path.glob("snap_iter_*.solverstate"))) == 1


def hdf5_file(path: Path) -> None:
    with h5py.File(path, "w") as file:
        file["data"] = np.ones((40, 8), np.float32)
        file["label"] = np.zeros(40, np.float32)


def hdf5_net(folder: Path) -> str:
    for name in ("a.h5", "b.h5"):
        hdf5_file(folder / name)
    (folder / "list.txt").write_text("a.h5\nb.h5\n")
    return NET % ("HDF5Data", 'hdf5_data_param { source: "list.txt" batch_size: 3 }')


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda path: path.write_bytes(path.read_bytes()[:1000]), "b.h5: not an HDF5 file that can be read ("),
        (lambda path: path.write_bytes(b""), "b.h5: not an HDF5 file that can be read ("),
        (lambda path: path.unlink(), "b.h5: no such file"),
    ],
    ids=["cut", "emptied", "removed"],
)
def test_hdf5_files_that_change_between_two_loads(tmp_path: Path, change: Callable[[Path], None], expected: str) -> None:
    going = Run(tmp_path, hdf5_net(tmp_path))
    change(tmp_path / "b.h5")
    complaint, iteration = going.end()
    assert complaint.startswith("net.prototxt:2:")
    assert f"layer 'data' (HDF5Data): {expected}" in complaint
    assert iteration >= 1000


def test_a_picture_that_is_removed(tmp_path: Path) -> None:
    cv2 = pytest.importorskip("cv2")
    for i in range(4):
        cv2.imwrite(str(tmp_path / f"{i}.png"), np.full((4, 4, 3), i, np.uint8))
    (tmp_path / "list.txt").write_text("".join(f"{i}.png {i % 3}\n" for i in range(4)))
    going = Run(tmp_path, NET % ("ImageData", 'image_data_param { source: "list.txt" batch_size: 2 }'))
    (tmp_path / "2.png").unlink()
    complaint, iteration = going.end()
    assert "layer 'data' (ImageData): 2.png: No such file or directory" in complaint
    assert iteration >= 1000


def test_the_saved_state_goes_on_when_the_data_are_back(tmp_path: Path) -> None:
    """Bit for bit where the run was: as one that never failed."""
    net, short = hdf5_net(tmp_path), SOLVER.replace("100000000", "60")
    whole = (tmp_path / "b.h5").read_bytes()
    write(tmp_path, net, short.replace('"snap"', '"whole"'))
    assert run("solver-train", "solver.prototxt", folder=tmp_path).code == 0
    write(tmp_path, net, short)
    (tmp_path / "b.h5").write_bytes(whole[:1000])
    assert run("solver-train", "solver.prototxt", folder=tmp_path).code == 1
    (state,) = tmp_path.glob("snap_iter_*.solverstate")
    assert solverstate.read(state).iter == 13, "13 batches of 3 rows are in the first file of 40"
    (tmp_path / "b.h5").write_bytes(whole)
    assert run("solver-train", "solver.prototxt", "--snapshot", "auto", folder=tmp_path).code == 0
    assert (tmp_path / "snap_iter_60.caffemodel").read_bytes() == (tmp_path / "whole_iter_60.caffemodel").read_bytes()


def leveldb_net(folder: Path) -> str:
    plyvel = pytest.importorskip("plyvel")
    database = plyvel.DB(str(folder / "db"), create_if_missing=True, write_buffer_size=1 << 16)
    random = np.random.default_rng(1)
    for i in range(3000):
        datum = Datum(channels=1, height=20, width=20, data=random.bytes(400), label=i % 3)
        database.put(b"%05d" % i, datum.SerializeToString())
    database.compact_range()
    database.close()
    return NET % ("Data", 'data_param { source: "db" batch_size: 1 }')


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda path: path.write_bytes(path.read_bytes()[:500]), ("has 500 bytes of ",)),
        (lambda path: path.unlink(), ("No such file or directory", "the LevelDB is damaged or gone")),
    ],
    ids=["cut", "removed"],
)
def test_leveldb_tables(tmp_path: Path, change: Callable[[Path], None], expected: tuple[str, ...]) -> None:
    """The last table, which the run has not yet come to; a run must not begin anew as if the data ended before it."""
    going = Run(tmp_path, leveldb_net(tmp_path))
    change(max((tmp_path / "db").glob("*.ldb")))
    complaint, iteration = going.end()
    assert "layer 'data' (Data): db" in complaint
    assert any(words in complaint for words in expected)
    assert iteration >= 1000
