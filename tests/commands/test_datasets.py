"""`solver-tools data`: the databases that it writes, and the scripts that it runs."""

from __future__ import annotations

import io
import re
import shutil
import sys
import tarfile
from pathlib import Path
from typing import Any

import lmdb
import numpy as np
import pytest
from running import call, run

import solver_cli
from solver_cli.caffe_pb2 import Datum
from solver_cli.commands.datasets import mnist, write_lmdb
from solver_cli.commands.tools import tools
from solver_cli.errors import DataError
from solver_cli.formats import blobproto
from solver_cli.tools import cifar


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


def test_pairs_of_digits_are_labelled_by_whether_they_are_equal(tmp_path: Path) -> None:
    ended = call(tools, "data", "siamese", "--to", str(tmp_path))
    assert (ended.code, ended.stdout) == (
        0, f"wrote {tmp_path}/mnist_siamese_train_lmdb and {tmp_path}/mnist_siamese_test_lmdb\n",
    )  # fmt: skip
    with np.load(Path(solver_cli.__file__).parent / "assets" / "mnist10k.npz") as arrays:
        known = {image.tobytes(): label for image, label in zip(arrays["images"], arrays["labels"], strict=True)}
    train, test = (read(tmp_path / f"mnist_siamese_{name}_lmdb") for name in ("train", "test"))
    assert (len(train), len(test), test[-1][0]) == (8000, 2000, b"00001999")
    datums = [Datum.FromString(value) for _, value in test]
    for datum in datums:
        assert (datum.channels, datum.height, datum.width) == (2, 28, 28)
        assert datum.label == (known[datum.data[:784]] == known[datum.data[784:]])
    assert 0.07 < np.mean([datum.label for datum in datums]) < 0.13


def archive(path: Path, each: int, drop: str = "", label: int = 0, cut: int = 0) -> np.ndarray:
    """An archive like that of CIFAR-10 with `each` pictures a file; all its records."""
    rows = np.random.default_rng(0).integers(0, 255, (6 * each, 3073), np.uint8)
    rows[:, 0] = np.arange(6 * each) % 10 + label
    names = [*(f"data_batch_{i}.bin" for i in range(1, 6)), "test_batch.bin"]
    with tarfile.open(path, "w:gz") as packed:
        for i, name in enumerate(names):
            content = rows[i * each : (i + 1) * each].tobytes()[: -cut or None]
            info = tarfile.TarInfo(f"cifar-10-batches-bin/{name}")
            info.size = len(content)
            if name != drop:
                packed.addfile(info, io.BytesIO(content))
    return rows


def test_cifar10_from_its_archive(tmp_path: Path) -> None:
    """As Caffe's example: keys of five digits, planes as they are, and the mean of those to train on."""
    rows = archive(tmp_path / "cifar.tar.gz", 4)
    ended = call(tools, "data", "cifar10", "--from", str(tmp_path / "cifar.tar.gz"), "--to", str(tmp_path))
    assert ended.code == 0, ended.stderr
    assert any("another one, of 24 pictures" in line for line in ended.log)
    train, test = (read(tmp_path / f"cifar10_{name}_lmdb") for name in ("train", "test"))
    assert [key for key, _ in train] == [b"%05d" % i for i in range(20)] and len(test) == 4
    for (_, value), row in zip([*train, *test], rows, strict=True):
        datum = Datum.FromString(value)
        assert (datum.channels, datum.height, datum.width, datum.label) == (3, 32, 32, row[0])
        assert datum.data == row[1:].tobytes() and not datum.HasField("encoded")
    mean = blobproto.read(tmp_path / "mean.binaryproto")
    np.testing.assert_allclose(mean.ravel(), rows[:20, 1:].mean(0), rtol=1e-6)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"drop": "data_batch_3.bin"}, "holds no data_batch_3.bin: the binary version of CIFAR-10 is wanted"),
        ({"label": 5}, "a label in train is 14: they are 0 to 9"),
        ({"cut": 7}, "its data_batch_1.bin has 12285 bytes, not a multiple of 3073"),
    ],
)
def test_archives_of_something_else_are_refused(changes: dict[str, Any], expected: str, tmp_path: Path) -> None:
    archive(tmp_path / "cifar.tar.gz", 4, **changes)
    ended = call(tools, "data", "cifar10", "--from", str(tmp_path / "cifar.tar.gz"), "--to", str(tmp_path))
    assert ended.code == 1 and expected in ended.complaints[0]
    assert [path.name for path in tmp_path.iterdir()] == ["cifar.tar.gz"]


def test_a_damaged_archive_is_refused(tmp_path: Path) -> None:
    archive(tmp_path / "cifar.tar.gz", 4)
    whole = (tmp_path / "cifar.tar.gz").read_bytes()
    (tmp_path / "cifar.tar.gz").write_bytes(whole[: len(whole) // 2])
    ended = call(tools, "data", "cifar10", "--from", str(tmp_path / "cifar.tar.gz"), "--to", str(tmp_path))
    assert ended.code == 1 and "cifar.tar.gz: cannot be read as an archive" in ended.complaints[0]


def test_a_whole_archive_with_another_checksum_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cifar, "WHOLE", 24)
    archive(tmp_path / "cifar.tar.gz", 4)
    ended = call(tools, "data", "cifar10", "--from", str(tmp_path / "cifar.tar.gz"), "--to", str(tmp_path))
    assert ended.code == 1 and ended.complaints[0].endswith("damaged on its way, fetch it again")


def test_the_script_of_a_config_is_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "configs" / "unet").mkdir(parents=True)
    shutil.copy(Path(__file__).parents[2] / "configs" / "unet" / "make_cells.py", "configs/unet")
    ended = run("solver-tools", "data", "unet", "--", "--train", "2", "--test", "1", "--size", "48", folder=tmp_path)
    assert (ended.code, ended.stdout) == (0, "wrote configs/unet/cells_train.h5 and configs/unet/cells_test.h5\n")
    assert Path("configs/unet/cells_test.txt").read_text() == "configs/unet/cells_test.h5\n"
    assert run("solver-tools", "data", "unet", "--", "--train", "0", folder=tmp_path).code == 2


def test_without_a_clone_it_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    ended = call(tools, "data", "ssd")
    assert ended.code == 1
    assert ended.complaints[0].startswith("error: configs/ssd/make_*.py is not here: it comes with a clone of solver-train")
    ended = call(tools, "data", "cifar10", "--from", "x.tar.gz")
    assert ended.code == 1 and "the folder 'configs/cifar10' does not exist" in ended.complaints[0]
    for words in (("mnist", "--from", "x"), ("unet", "--full"), ("cifar10", "--", "more")):
        assert call(tools, "data", *words).code == 2


def test_every_config_says_how_its_data_are_made_and_how_it_is_trained() -> None:
    configs = Path(__file__).parents[2] / "configs"
    for folder in {path.parent for path in configs.glob("*/*solver*.prototxt")}:
        text = (folder / "README.md").read_text(encoding="utf-8")
        assert f"solver-train configs/{folder.name}/" in text, folder.name
        assert re.search(r"solver-tools (data|convert-imageset) |python configs/", text), folder.name
