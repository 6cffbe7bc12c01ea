"""`solver-tools features`: what Caffe's extract_features wrote, and the same as arrays."""

from __future__ import annotations

from pathlib import Path

import h5py
import lmdb
import numpy as np
import pytest
from running import call, run

from solver_cli.caffe_pb2 import Datum
from solver_cli.commands.tools import tools

GOLDEN = Path(__file__).parents[1] / "golden" / "data_layers"
BLOBS = ("pool", "fc", "label")
SHAPES = {"pool": (1, 4, 5), "fc": (3, 1, 1), "label": (1, 1, 1)}  # of the Datums


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with the golden case, its database beside it."""
    (tmp_path / "source").symlink_to(GOLDEN / "source")
    (tmp_path / "case").mkdir()
    for file in (GOLDEN / "extract_features").iterdir():
        (tmp_path / "case" / file.name).symlink_to(file)
    monkeypatch.chdir(tmp_path / "case")
    return tmp_path / "case"


@pytest.fixture(scope="module")
def expected() -> dict[str, np.ndarray]:
    with np.load(GOLDEN / "extract_features" / "expected.npz") as arrays:
        return dict(arrays)


def features(*arguments: str) -> str:
    ended = call(tools, "features", *arguments)
    assert ended.code == 0, ended.stderr
    return ended.stdout


def test_datums_are_caffes(folder: Path, expected: dict[str, np.ndarray]) -> None:
    words = ("weights.caffemodel", "net.prototxt", "pool,fc,label", "pool_lmdb,fc_lmdb,label_lmdb", "3", "lmdb")
    assert features(*words).splitlines()[0] == "wrote pool_lmdb: 12 rows of blob 'pool'"
    for blob in BLOBS:
        with lmdb.open(f"{blob}_lmdb", readonly=True, lock=False) as env, env.begin() as transaction:
            records = list(transaction.cursor())
        assert [key for key, _ in records] == [b"%010d" % i for i in range(12)]
        datums = [Datum.FromString(value) for _, value in records]
        assert {(d.channels, d.height, d.width) for d in datums} == {SHAPES[blob]}
        assert not any(datum.HasField("label") or datum.data for datum in datums)
        found = np.array([datum.float_data for datum in datums], np.float32)
        np.testing.assert_allclose(found, expected[blob], rtol=1e-5, atol=1e-6)


NAMED = ("--net", "net.prototxt", "--weights", "weights.caffemodel")


def test_arrays_keep_the_axes_of_the_blobs(folder: Path, expected: dict[str, np.ndarray]) -> None:
    features(*NAMED, "--blob", "pool,fc", "--to", "pool.npy,fc.npy", "--batches", "3")
    pool = np.load("pool.npy")
    assert pool.shape == (12, 1, 4, 5)
    np.testing.assert_allclose(pool.reshape(12, -1), expected["pool"], rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(np.load("fc.npy"), expected["fc"], rtol=1e-5, atol=1e-6)


def test_one_round_through_the_data_into_one_file(folder: Path, expected: dict[str, np.ndarray]) -> None:
    """The database has 20 records: five batches of four."""
    features(*NAMED, "--blob", "fc,label", "--to", "both.h5")
    with h5py.File("both.h5") as file:
        assert {name: file[name].shape for name in file} == {"fc": (20, 3), "label": (20,)}
        np.testing.assert_allclose(file["fc"][:12], expected["fc"], rtol=1e-5, atol=1e-6)
        np.testing.assert_array_equal(file["label"][:12], expected["label"][:, 0])


def test_a_leveldb(folder: Path) -> None:
    plyvel = pytest.importorskip("plyvel")
    features("weights.caffemodel", "net.prototxt", "fc", "fc_level", "1", "leveldb", "CPU")
    with plyvel.DB("fc_level") as database:
        assert [key for key, _ in database] == [b"%010d" % i for i in range(4)]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ("--blob pol --to a.npy", "error: net.prototxt: the net has no blob 'pol' (did you mean 'pool'?)"),
        ("--blob pool,fc --to a.npy", "error: 2 blobs and 1 places to write to: there must be as many of both"),
        ("--blob pool,fc --to a.npy,a.npy", "error: a.npy: several blobs go into one file of HDF5 (.h5) only"),
        ("--blob fc --to net.prototxt", "error: net.prototxt: is there already"),
        ("--blob fc --to a.npy --weights ../source/mean.binaryproto", "../source/mean.binaryproto: holds a blob or a mean"),
        ("--blob fc --to a.npy --gpu 99", "error: --gpu 99: there is no such GPU"),
    ],
)
def test_refusals(arguments: str, expected: str, folder: Path) -> None:
    ended = call(tools, "features", *NAMED, *arguments.split())
    assert ended.code == 1 and len(ended.complaints) == 1 and ended.complaints[0].startswith(expected)
    assert not Path("a.npy").exists()


def test_usage(folder: Path) -> None:
    ended = run("solver-tools", "features", "weights.caffemodel", "net.prototxt", "fc", "out", "many", folder=folder)
    assert ended.code == 2 and "expected WEIGHTS NET BLOB" in ended.stderr
    assert call(tools, "features", *NAMED).code == 2
    assert call(tools, "features", *NAMED, "--blob", "fc", "--to", "a.npy", "--batches", "9" * 20).code == 2
    ended = call(tools, "features", "weights.caffemodel", "net.prototxt", "fc", "out", "1", "--gpu", "0")
    assert ended.code == 2 and "without options that say the same" in ended.stderr
    assert call(tools, "features", "weights.caffemodel", "net.prototxt", "fc", "out", "1", "lmdb", "TPU").code == 2


def test_weights_of_another_net_are_told(folder: Path) -> None:
    text = Path("net.prototxt").read_text().replace('name: "fc"', 'name: "other"')
    Path("other.prototxt").write_text(text)
    arguments = ("--net", "other.prototxt", "--weights", "weights.caffemodel", "--blob", "fc", "--to", "a.npy")
    ended = call(tools, "features", *arguments)
    assert ended.code == 1 and "has none of the net's layers (other" in ended.complaints[0]
