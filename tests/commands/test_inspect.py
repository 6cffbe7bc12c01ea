"""`solver-tools inspect`: what it says of weights, states, means and databases, as text, JSON and a sheet of pictures."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from running import NET, SOLVER, call, run, write

from solver_cli.caffe_pb2 import AnnotatedDatum, Datum
from solver_cli.commands.datasets import write_lmdb
from solver_cli.commands.tools import tools
from solver_cli.formats import caffemodel, solverstate

SOURCE = Path(__file__).parents[1] / "golden" / "data_layers" / "source"


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with snapshots of two iterations, binary and HDF5."""
    folder = tmp_path_factory.mktemp("trained")
    write(folder, NET, SOLVER + "momentum: 0.9\n")
    for settings in ((), ("--set", "snapshot_format=HDF5")):
        assert run("solver-train", "solver.prototxt", "--cpu", *settings, folder=folder).code == 0
    return folder


def inspected(path: Path | str) -> dict[str, Any]:
    ended = call(tools, "inspect", str(path), "--json")
    assert ended.code == 0, ended.stderr
    found: dict[str, Any] = json.loads(ended.stdout)
    return found


@pytest.mark.parametrize("ending", ["caffemodel", "caffemodel.h5"])
def test_weights(ending: str, trained: Path) -> None:
    path = trained / f"snap_iter_2.{ending}"
    found = inspected(path)
    assert found["kind"] == "weights"
    layers = {layer["name"]: layer for layer in found["layers"]}
    arrays = {layer.name: layer.blobs for layer in caffemodel.read(path).layers}
    assert set(layers) == set(arrays) and len(layers["conv"]["blobs"]) == 2
    for array, blob in zip(arrays["ip"], layers["ip"]["blobs"], strict=True):
        assert blob["shape"] == list(array.shape) and blob["count"] == array.size == sum(blob["histogram"])
        assert blob["norm"] == pytest.approx(np.linalg.norm(array), rel=1e-5)
        assert (blob["min"], blob["max"]) == (array.min(), array.max()) and blob["not_finite"] == 0
        assert blob["mean"] == pytest.approx(array.mean(), abs=1e-6)
    text = call(tools, "inspect", str(path)).stdout.splitlines()
    assert text[0].endswith(" numbers in 4 blobs") and text[1].split()[:3] == ["layer", "type", "blob"]
    assert "4 x 3 x 3 x 3" in text[2] and len(text[2].split()[-1]) <= 16


@pytest.mark.parametrize("ending", ["solverstate", "solverstate.h5"])
def test_a_state(ending: str, trained: Path) -> None:
    found = inspected(trained / f"snap_iter_2.{ending}")
    assert (found["kind"], found["iter"], found["type"], found["file"]) == ("solver state", 2, "SGD", "solver.prototxt")
    assert [blob["blob"] for blob in found["history"]] == ["conv[0]", "conv[1]", "ip[0]", "ip[1]"]
    norms = [np.linalg.norm(blob) for blob in solverstate.read(trained / f"snap_iter_2.{ending}").history]
    assert [blob["norm"] for blob in found["history"]] == pytest.approx(norms, rel=1e-5)
    text = call(tools, "inspect", str(trained / f"snap_iter_2.{ending}")).stdout
    assert "iter: 2\n" in text and "conv[1]" in text


def test_numbers_that_are_not_finite_are_counted(trained: Path, tmp_path: Path) -> None:
    from solver_cli.caffe_pb2 import LayerParameter, NetParameter

    net = NetParameter(name="odd", layer=[LayerParameter(name="a", type="InnerProduct")])
    blobs = [[np.array([[1, np.nan], [np.inf, 3]], np.float32), np.full(3, np.nan, np.float32)]]
    caffemodel.write(tmp_path / "odd.caffemodel", net, blobs)
    first, second = inspected(tmp_path / "odd.caffemodel")["layers"][0]["blobs"]
    assert (first["not_finite"], first["min"], first["max"], sum(first["histogram"])) == (2, 1, 3, 2)
    assert (second["not_finite"], second["histogram"]) == (3, [])
    assert "2 not finite" in call(tools, "inspect", str(tmp_path / "odd.caffemodel")).stdout


def test_a_mean() -> None:
    found = inspected(SOURCE / "mean.binaryproto")
    assert found["shape"] == [1, 3, 32, 40]
    assert [channel["mean"] for channel in found["channels"]] == pytest.approx([136.002, 128.208, 123.194], abs=1e-3)


@pytest.mark.parametrize("name", ["raw_lmdb", "raw_leveldb"])
def test_a_database(name: str) -> None:
    if name == "raw_leveldb":
        pytest.importorskip("plyvel")
    found = inspected(SOURCE / name)
    assert found["kind"] == ("LevelDB" if "level" in name else "LMDB") and found["records"] == 20
    assert found["labels"] == {str(label): 4 for label in range(5)} and found["shapes"] == {"3 x 32 x 40": 20}
    assert (found["first_key"], found["last_key"]) == ("00000000_p00.png", "00000019_p19.jpg")


def test_boxes_of_annotated_records(tmp_path: Path) -> None:
    datum = AnnotatedDatum(datum=Datum(channels=1, height=2, width=2, data=b"abcd"), type=AnnotatedDatum.BBOX)
    for label, count in ((1, 2), (7, 1)):
        group = datum.annotation_group.add(group_label=label)
        for _ in range(count):
            group.annotation.add()
    write_lmdb(tmp_path / "db", [(b"%d" % i, datum.SerializeToString()) for i in range(3)])
    found = inspected(tmp_path / "db")
    assert (found["boxes"], found["shapes"], found["labels"]) == ({"1": 6, "7": 3}, {"1 x 2 x 2": 3}, {})


def test_a_sheet_of_pictures(tmp_path: Path) -> None:
    cv2 = pytest.importorskip("cv2")
    for name, count in (("raw_lmdb", "12"), ("gray_encoded_lmdb", "5"), ("float_lmdb", "3")):
        path = str(tmp_path / "sheet.png")
        ended = call(tools, "inspect", str(SOURCE / name), "--sheet", path, "--count", count)
        assert ended.code == 0, ended.stderr
        sheet = cv2.imread(path)
        assert sheet.shape[:2] == (2 * 120 + 6, 10 * 102 + 6) if count == "12" else (126, int(count) * 102 + 6)
        assert len(np.unique(sheet[6:102, 6:102].reshape(-1, 3), axis=0)) > 5  # a picture, not a white place


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("raw_lmdb/data.mdb", "is part of an LMDB: name its folder"),
        ("list.txt", "holds text: weights, solver states, means, LMDBs and LevelDBs can be looked at"),
        ("images/p00.png", "holds a PNG picture"),
        ("images", "not an LMDB, it has no data.mdb"),
        ("nothing", "no such file"),
    ],
)
def test_refusals(name: str, expected: str) -> None:
    ended = call(tools, "inspect", str(SOURCE / name))
    assert ended.code == 1 and len(ended.complaints) == 1 and expected in ended.complaints[0]


def test_a_sheet_is_of_databases_only(tmp_path: Path) -> None:
    ended = call(tools, "inspect", str(SOURCE / "mean.binaryproto"), "--sheet", str(tmp_path / "a.png"))
    assert ended.code == 1 and "is no database" in ended.complaints[0] and not list(tmp_path.iterdir())
    ended = call(tools, "inspect", str(SOURCE / "raw_lmdb"), "--sheet", str(tmp_path / "a.txt"))
    assert ended.code == 1 and "expected a name that ends in .png" in ended.complaints[0] and not list(tmp_path.iterdir())
