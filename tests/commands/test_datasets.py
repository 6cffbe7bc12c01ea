"""The MNIST databases that the package writes."""

from __future__ import annotations

import sys
from pathlib import Path

import lmdb
import numpy as np
import pytest

import solver_cli
from solver_cli.caffe_pb2 import Datum
from solver_cli.commands.datasets import mnist, write_lmdb
from solver_cli.errors import DataError


def read(path: Path) -> list[tuple[bytes, bytes]]:
    with lmdb.open(str(path), readonly=True, lock=False) as env, env.begin() as transaction:
        return list(transaction.cursor())


def test_mnist_is_8000_digits_to_train_on_and_2000_to_test(tmp_path: Path) -> None:
    mnist(tmp_path)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["mnist_test_lmdb", "mnist_train_lmdb"]
    parts = {name: read(tmp_path / f"mnist_{name}_lmdb") for name in ("train", "test")}
    assert {name: len(records) for name, records in parts.items()} == {"train": 8000, "test": 2000}
    assert parts["test"][1999][0] == b"00001999"
    datums = [Datum.FromString(value) for _, value in parts["train"]]
    assert {(d.channels, d.height, d.width, len(d.data), d.encoded) for d in datums} == {(1, 28, 28, 784, False)}
    counts = np.bincount([d.label for d in datums])
    assert counts.tolist() == [807, 900, 782, 821, 785, 694, 792, 845, 786, 788]
    with np.load(Path(solver_cli.__file__).parent / "assets" / "mnist10k.npz") as arrays:
        assert Datum.FromString(parts["test"][0][1]).data == arrays["images"][8000].tobytes()


def test_the_files_are_about_as_large_as_the_digits(tmp_path: Path) -> None:
    mnist(tmp_path)
    assert (tmp_path / "mnist_train_lmdb" / "data.mdb").stat().st_size < 2 * 8000 * 784


def test_the_licences_are_beside_the_digits() -> None:
    text = (Path(solver_cli.__file__).parent / "assets" / "mnist10k.LICENSE.txt").read_text()
    assert "Juan Cazala" in text and "LeCun" in text and "Share Alike 3.0" in text


def test_a_database_replaces_the_one_that_is_there(tmp_path: Path) -> None:
    for value in (b"old", b"new"):
        write_lmdb(tmp_path / "db", [(b"key", value)])
        assert read(tmp_path / "db") == [(b"key", value)]
    assert [p.name for p in tmp_path.iterdir()] == ["db"]


def test_a_failed_write_leaves_what_was_there(tmp_path: Path) -> None:
    write_lmdb(tmp_path / "db", [(b"key", b"old")])
    with pytest.raises(DataError, match="db: cannot be written"):
        write_lmdb(tmp_path / "db", [(b"", b"no key")])
    assert read(tmp_path / "db") == [(b"key", b"old")] and [p.name for p in tmp_path.iterdir()] == ["db"]


def test_a_target_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(DataError, match="cannot be written"):
        mnist(tmp_path / "file")


def test_the_full_set_without_torchvision_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torchvision", None)
    monkeypatch.setitem(sys.modules, "torchvision.datasets", None)
    with pytest.raises(DataError, match="pip install torchvision"):
        mnist(tmp_path, full=True)
