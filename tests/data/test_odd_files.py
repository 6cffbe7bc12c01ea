"""Files that users name and that never end are refused; lists give the line of what is wrong; data that changed are said."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from running import NET, changed, run, write

from solver_cli import Net, files
from solver_cli.caffe_pb2 import Datum
from solver_cli.commands.datasets import write_lmdb
from solver_cli.data import database, hdf5, image, window
from solver_cli.data.decode import read_file
from solver_cli.errors import ConfigError, DataError, Error
from solver_cli.formats import blobproto, caffemodel, solverstate
from solver_cli.solver.solverspec import read_solver
from solver_cli.text.netspec import read_net


def the_lmdb(path: str) -> object:
    folder = Path(path).parent / "db"
    folder.mkdir()
    (folder / "data.mdb").symlink_to(path)
    return database.Lmdb(folder)


def a_table(path: str) -> object:
    """Of a LevelDB; `CURRENT` is read before any other file is."""
    pytest.importorskip("plyvel")
    folder = Path(path).parent / "level"
    folder.mkdir()
    (folder / "CURRENT").write_text("MANIFEST-000001\n")
    (folder / "000005.ldb").symlink_to(path)
    return database.LevelDb(folder)


def hdf5_of_a_list(path: str) -> object:
    listed = Path(path).with_name("list.txt")
    listed.write_text(f"{path}\n")
    return hdf5.read_list(str(listed))


READERS: dict[str, Callable[[str], object]] = {
    "solver": read_solver,
    "net": read_net,
    "weights": caffemodel.read,
    "state": solverstate.read,
    "mean": blobproto.read,
    "list of pictures": image.read_list,
    "picture": lambda path: read_file(path, "image_data_param.source"),
    "list of HDF5 files": hdf5.read_list,
    "HDF5 file": lambda path: hdf5.read_file(path, ["data"]),
    "HDF5 file of a list": hdf5_of_a_list,
    "window file": lambda path: window.read_windows(path, ""),
    "data.mdb": the_lmdb,
    "table": a_table,
}


@pytest.fixture(params=["pipe", "device", "socket"])
def endless(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.chdir(tmp_path)  # a socket's path must be short
    path = tmp_path / "endless"
    if request.param == "pipe":
        os.mkfifo(path)
    elif request.param == "device":
        path.symlink_to("/dev/zero")
    else:
        with socket.socket(socket.AF_UNIX) as listening:
            listening.bind("endless")
    yield str(path)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="a system without pipes that have names")
@pytest.mark.parametrize("reader", READERS)
def test_files_that_never_end_are_refused(endless: str, reader: str) -> None:
    with pytest.raises(Error, match=r"not a regular file, but a (pipe|device|socket)$") as caught:
        READERS[reader](endless)
    assert "\n" not in str(caught.value)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="a system without pipes that have names")
def test_a_pipe_with_the_name_of_a_state_is_passed_over(tmp_path: Path) -> None:
    write(tmp_path)
    os.mkfifo(tmp_path / "snap_iter_3.solverstate")
    ended = run("solver-train", "solver.prototxt", "--snapshot", "auto", folder=tmp_path)
    assert ended.code == 0, ended.stderr
    passed = "snapshot of iteration 3 passed over: snap_iter_3.solverstate: cannot be read: not a regular file, but a pipe"
    assert passed in ended.log
    assert (tmp_path / "snap_iter_2.solverstate").exists()


def test_a_pipe_as_solver(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "solver.prototxt")
    ended = run("solver-train", "solver.prototxt", folder=tmp_path)
    assert (ended.code, ended.complaints) == (
        1,
        ["solver.prototxt: cannot read solver file: not a regular file, but a pipe"],
    )


# -- lists ----------------------------------------------------------------------------------------------------------


def pictures(folder: Path, listed: str) -> str:
    cv2 = pytest.importorskip("cv2")
    for i in range(4):
        cv2.imwrite(str(folder / f"{i}.png"), np.full((8, 8, 3), i, np.uint8))
    (folder / "list.txt").write_text(listed)
    return changed(
        NET,
        ('type: "DummyData"', 'type: "ImageData" image_data_param { source: "list.txt" batch_size: 2 }'),
        (NET[NET.index("  dummy_data_param") : NET.index('}\nlayer {\n  name: "conv"')], ""),
    )


@pytest.mark.parametrize(
    ("listed", "expected"),
    [
        ("0.png 0\n\n1.png 1\n", "list.txt:2: this line names no file"),
        ("0.png 0\n1.png 1\n\n", "list.txt:3: this line names no file"),
        ("0.png 0\n1.png 1\n 5\n", "list.txt:3: this line names no file"),
        ("0.png 0\r\n\r\n", "list.txt:2: this line names no file"),
        ("0.png 0\n1.png\t1\n", "list.txt:2: '1.png\\t1': between a file and its label stands a blank, not a tab"),
        ("0.png 0\n1.png 123456789012\n", "list.txt:2: the label 123456789012 of '1.png' is out of range"),
    ],
    ids=["middle", "end", "label only", "carriage return", "tab", "range"],
)
def test_odd_lines_are_refused_before_training(tmp_path: Path, listed: str, expected: str) -> None:
    write(tmp_path, pictures(tmp_path, listed))
    ended = run("solver-train", "solver.prototxt", folder=tmp_path)
    assert ended.code == 1 and len(ended.complaints) == 1
    assert f"layer 'data' (ImageData): {expected}" in ended.complaints[0]
    assert not any("Iteration" in line for line in ended.log)


def test_lines_without_a_label_are_counted(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "list.txt"
    path.write_text("0.png 0\n1.png\n2.png 2.7\nmy picture.png\n7.png 7\r\n")
    assert image.read_list(str(path)) == [("0.png", 0), ("1.png", 1), ("2.png", 2), ("my", 0), ("7.png", 7)]
    (said,) = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert said.startswith(f"{path}:2: 3 lines have no whole number behind the last blank")


def test_a_tab_in_a_name_is_a_name(tmp_path: Path) -> None:
    (tmp_path / "a\t1").touch()
    (tmp_path / "list.txt").write_text("a\t1 5\n")
    assert image.read_list(str(tmp_path / "list.txt"), f"{tmp_path}/") == [("a\t1", 5)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("# 0\na.png\n3 5 5\n1\n1 1 0 0 1 1\n\nb.png\n", ":7: found 'b.png' where '# number' of picture 1 should begin"),
        ("# 0\na.png\n1 5 5\n", ":3: a.png is listed with 1 channels"),
        ("# 0\na.png\n3 5 5\n2\n1 1 0 0 1 1\n", ":5: the window file ends in the middle of picture 0"),
        (
            "# 0\na.png\n3 5 5\n1\n1 x 0 0 1 1\n",
            ":5: the window file has could not convert string to float: 'x' in picture 0",
        ),
    ],
)
def test_window_files_name_the_line(tmp_path: Path, text: str, expected: str) -> None:
    (tmp_path / "w.txt").write_text(text)
    with pytest.raises(DataError) as caught:
        window.read_windows(str(tmp_path / "w.txt"), "")
    assert str(caught.value).startswith(f"{tmp_path}/w.txt{expected}")


def test_lists_of_hdf5_files_name_the_line(tmp_path: Path) -> None:
    (tmp_path / "a.h5").touch()
    (tmp_path / "list.txt").write_text(f"{tmp_path}/a.h5\n\n  {tmp_path}/b.h5\n\n")
    with pytest.raises(DataError) as caught:
        hdf5.read_list(str(tmp_path / "list.txt"))
    assert str(caught.value) == f"{tmp_path}/list.txt:3: {tmp_path}/b.h5: no such file"


def source(text: str) -> Any:
    (node,) = Net.from_text(f'layer {{ name: "data" top: "data" {text} }}', phase="TRAIN").nodes
    return node.source


def test_rows_of_equal_count_may_have_other_axes(tmp_path: Path) -> None:
    """Caffe's hdf5_data_layer.cpp copies as many numbers as a row of the first file has; it never compares axes."""
    shapes = ((4, 2, 6), (4, 3, 4), (4, 12))
    for i, shape in enumerate(shapes):
        with h5py.File(tmp_path / f"{i}.h5", "w") as file:
            file["data"] = np.arange(48, dtype=np.float32).reshape(shape) + 100 * i
    (tmp_path / "list.txt").write_text("".join(f"{tmp_path}/{i}.h5\n" for i in range(3)))
    (batch,) = source(f'type: "HDF5Data" hdf5_data_param {{ source: "{tmp_path}/list.txt" batch_size: 12 }}').next_batch()
    assert batch.shape == (12, 2, 6)
    np.testing.assert_array_equal(batch.flatten().numpy(), np.concatenate([np.arange(48) + 100 * i for i in range(3)]))


# -- data that changed between a run and its resume -----------------------------------------------------------------


def records(folder: Path, numbers: range) -> str:
    write_lmdb(
        folder,
        [(b"%04d" % i, Datum(channels=1, height=1, width=1, data=b"a", label=i).SerializeToString()) for i in numbers],
    )
    return f'type: "Data" top: "label" data_param {{ source: "{folder}" batch_size: 3 backend: LMDB }}'


def test_a_database_that_has_grown_goes_on_at_the_same_record(tmp_path: Path) -> None:
    first = source(records(tmp_path / "a", range(10)))
    for _ in range(3):
        first.next_batch()
    state = first.state_dict()
    grown = source(records(tmp_path / "b", range(20)))
    grown.load_state_dict(state)
    assert grown.next_batch()[1].tolist() == [9, 10, 11]
    shrunk = source(records(tmp_path / "c", range(5)))
    with pytest.raises(DataError, match=r"c: cannot go on at record b'0009': the database has none"):
        shrunk.load_state_dict(state)


@pytest.mark.parametrize(("lines", "expected"), [(4, 2), (9, 2), (2, 0)])
def test_a_list_that_has_changed_goes_on_at_the_same_line(
    tmp_path: Path, lines: int, expected: int, caplog: pytest.LogCaptureFixture
) -> None:
    cv2 = pytest.importorskip("cv2")
    cv2.imwrite(str(tmp_path / "a.png"), np.zeros((2, 2, 3), np.uint8))
    text = f'type: "ImageData" top: "label" image_data_param {{ source: "{tmp_path}/list.txt" batch_size: 3 }}'

    def listed(count: int) -> Any:
        (tmp_path / "list.txt").write_text("".join(f"{tmp_path}/a.png {i}\n" for i in range(count)))
        return source(text)

    first = listed(4)
    first.next_batch(), first.next_batch()  # a round, and two lines
    caplog.clear()
    again = listed(lines)
    again.load_state_dict(first.state_dict())
    assert int(again.next_batch()[1][0]) == expected
    warned = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    told = (
        f"{tmp_path}/list.txt: the list has {lines} lines, it had 4 when the state was saved: goes on at line {expected + 1}"
    )
    assert warned == ([] if lines == 4 else [told])


def test_hdf5_files_with_fewer_rows_are_refused(tmp_path: Path) -> None:
    def rows(count: int) -> Any:
        with h5py.File(tmp_path / "a.h5", "w") as file:
            file["data"] = np.zeros((count, 3), np.float32)
        (tmp_path / "list.txt").write_text(f"{tmp_path}/a.h5\n")
        return source(f'type: "HDF5Data" hdf5_data_param {{ source: "{tmp_path}/list.txt" batch_size: 3 }}')

    first = rows(10)
    first.next_batch(), first.next_batch()
    state = first.state_dict()
    with pytest.raises(DataError, match=r"cannot go on at row 6 of .*a\.h5: it has 5"):
        rows(5).load_state_dict(state)
    rows(20).load_state_dict(state)


# -- batches of no records ------------------------------------------------------------------------------------------


MEMORY = 'type: "MemoryData" top: "l" memory_data_param'


@pytest.mark.parametrize(
    ("layer", "expected"),
    [
        ('type: "Data" data_param { source: "x" batch_size: 0 }', "batch_size must be 1 or more"),
        ('type: "ImageData" top: "l" image_data_param { source: "x" batch_size: 0 }', "batch_size must be 1 or more"),
        ('type: "HDF5Data" hdf5_data_param { source: "x" batch_size: 0 }', "batch_size must be 1 or more"),
        ('type: "WindowData" top: "l" window_data_param { source: "x" batch_size: 0 }', "batch_size must be 1 or more"),
        (MEMORY + " { batch_size: 0 channels: 1 height: 1 width: 1 }", "batch_size must be"),
        (MEMORY + " { batch_size: 1 channels: 0 height: 1 width: 1 }", "channels must be"),
        ('type: "DummyData" dummy_data_param { shape { dim: 0 dim: 3 } }', "every size must be 1 or more, not 0 x 3"),
        ('type: "DummyData" dummy_data_param { num: 0 channels: 1 height: 1 width: 1 }', "every size must be 1 or more"),
        ('type: "DummyData" dummy_data_param { }', "shape must be given once"),
    ],
)  # fmt: skip
def test_batches_of_no_records_are_refused(layer: str, expected: str) -> None:
    with pytest.raises(ConfigError, match=expected) as caught:
        source(layer)
    assert caught.value.where and caught.value.where.line == 1 and caught.value.where.column > 30


@pytest.mark.parametrize("size", [0, 1, 100_001])
def test_a_file_is_read_whole(tmp_path: Path, size: int) -> None:
    (tmp_path / "file").write_bytes(bytes(range(256)) * (size // 256) + b"x" * (size % 256))
    assert files.read(tmp_path / "file") == (tmp_path / "file").read_bytes()


@pytest.mark.skipif(not Path("/proc/version").exists(), reason="no /proc")
def test_a_file_without_a_size_is_read_whole() -> None:
    assert files.read("/proc/version") == Path("/proc/version").read_bytes() != b""
