"""Data over real LMDBs and LevelDBs: order, state, and every way in which a database can be wrong."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from google.protobuf import text_format

from solver_cli.caffe_pb2 import Datum, LayerParameter
from solver_cli.commands.datasets import write_lmdb
from solver_cli.data.database import Data
from solver_cli.data.datum import layout_of
from solver_cli.data.decode import opencv
from solver_cli.data.prefetch import Prefetcher
from solver_cli.errors import ConfigError, DataError

Records = list[tuple[bytes, bytes]]


def datum(number: int, shape: tuple[int, int, int] = (1, 4, 5), **fields: Any) -> bytes:
    c, h, w = shape
    pixels = np.random.default_rng(abs(number)).integers(0, 256, shape, np.uint8)
    return Datum(
        **{"channels": c, "height": h, "width": w, "data": pixels.tobytes(), "label": number} | fields
    ).SerializeToString()


def numbered(values: list[bytes]) -> Records:
    return [(b"%08d" % i, value) for i, value in enumerate(values)]


def data(
    path: Path, batch_size: int = 4, rest: str = "", training: bool = False, seed: int = 0, backend: str = "LMDB"
) -> Data:
    param = f'data_param {{ source: "{path}" batch_size: {batch_size} backend: {backend} }}'
    text = f'type: "Data" top: "data" top: "label" {param}'
    return Data(text_format.Merge(rest, text_format.Parse(text, LayerParameter())), training, np.random.default_rng(seed))


def message(path: Path, **how: Any) -> str:
    with pytest.raises((ConfigError, DataError)) as caught:
        source = data(path, **how)
        for _ in range(3):
            source.next_batch()
    assert caught.value.field and "\n" not in str(caught.value)
    return str(caught.value)


@pytest.fixture
def ten(tmp_path: Path) -> Path:
    write_lmdb(tmp_path / "ten", numbered([datum(i) for i in range(10)]))
    return tmp_path / "ten"


def level(path: Path, records: Records) -> Path:
    plyvel = pytest.importorskip("plyvel")
    with plyvel.DB(str(path), create_if_missing=True) as db:
        for key, value in records:
            db.put(key, value)
    return path


def labels(source: Data, batches: int) -> list[int]:
    return [int(label) for _ in range(batches) for label in source.next_batch()[1]]


def test_a_batch_goes_on_with_the_first_record_after_the_last(ten: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "solver_cli"):
        source = data(ten)
        assert labels(source, 5) == [*range(10), *range(10)]
    said = [(record.getMessage(), record.site) for record in caplog.records]  # type: ignore[attr-defined]
    assert said == [
        (f"Opened lmdb {ten}", "db_lmdb.cpp:35"),
        ("output data size: 4,1,4,5", "data_layer.cpp:45"),
        *[("Restarting data prefetching from start.", "data_layer.cpp:73")] * 2,
    ]


@pytest.mark.parametrize("backend", ["LMDB", "LEVELDB"])
def test_shuffle_takes_each_record_once_a_round_in_an_order_of_its_own(tmp_path: Path, backend: str) -> None:
    path = tmp_path / "db"
    (level if backend == "LEVELDB" else write_lmdb)(path, numbered([datum(i) for i in range(10)]))
    shuffle = "data_param { shuffle: true }"
    source = data(path, 4, shuffle, backend=backend)
    found = labels(source, 10)
    rounds = [tuple(found[i : i + 10]) for i in range(0, 40, 10)]
    assert len(set(rounds)) == 4 and all(sorted(each) == [*range(10)] for each in rounds)
    assert labels(data(path, 4, shuffle, seed=1, backend=backend), 10) != found
    again = data(path, 4, shuffle, seed=1, backend=backend)
    source = data(path, 4, shuffle, backend=backend)
    labels(source, 3)
    again.load_state_dict(source.state_dict())
    assert labels(again, 7) == found[12:]


def test_train_and_test_nets_read_one_database_each_at_its_own_place(ten: Path) -> None:
    first, second = data(ten), data(ten, 3)
    assert (labels(first, 2), labels(second, 1), labels(first, 1)) == ([*range(8)], [0, 1, 2], [8, 9, 0, 1])
    first.close()
    assert labels(second, 1) == [3, 4, 5]


@pytest.mark.parametrize("backend", ["LMDB", "LEVELDB"])
def test_several_threads_read_one_database_at_once(tmp_path: Path, backend: str) -> None:
    records = numbered([datum(i, (3, 20, 20)) for i in range(30)])
    path = tmp_path / "db"
    level(path, records) if backend == "LEVELDB" else write_lmdb(path, records)
    ahead = [Prefetcher(data(path, size, backend=backend), 3) for size in (2, 3, 5)]
    for _ in range(20):
        batches = [source.next_batch() for source in ahead]
    for source, size, (pictures, found) in zip(ahead, (2, 3, 5), batches, strict=True):
        assert [int(n) for n in found] == [(19 * size + i) % 30 for i in range(size)]
        want = [np.frombuffer(Datum.FromString(records[int(n)][1]).data, np.uint8) for n in found]
        np.testing.assert_array_equal(pictures.flatten(1).numpy(), np.stack(want))
        source.close()


def test_a_leveldb_is_read_like_an_lmdb_and_left_as_it_is(tmp_path: Path) -> None:
    path = level(tmp_path / "db", numbered([datum(i) for i in range(10)]))
    before = {file.name: file.read_bytes() for file in path.iterdir()}
    first, second = data(path, backend="LEVELDB"), data(path, 3, backend="LEVELDB")
    assert (labels(first, 3), labels(second, 1)) == ([*range(10), 0, 1], [0, 1, 2])
    assert {file.name: file.read_bytes() for file in path.iterdir()} == before


@pytest.mark.parametrize("backend", ["LMDB", "LEVELDB"])
def test_a_loaded_state_goes_on_with_the_same_batches(tmp_path: Path, backend: str) -> None:
    records = numbered([datum(i, (3, 9, 9)) for i in range(7)])
    path = tmp_path / "db"
    level(path, records) if backend == "LEVELDB" else write_lmdb(path, records)
    how: dict[str, Any] = {"backend": backend, "training": True, "rest": "transform_param { crop_size: 5 mirror: true }"}
    source = data(path, **how)
    for _ in range(3):
        source.next_batch()
    state = source.state_dict()
    resumed = data(path, **how, seed=99)
    resumed.load_state_dict(state)
    for _ in range(4):
        for one, other in zip(source.next_batch(), resumed.next_batch(), strict=True):
            assert torch.equal(one, other)


def test_what_is_drawn_for_a_record_does_not_hang_on_the_batch_size(ten: Path) -> None:
    how: dict[str, Any] = {"training": True, "rest": "transform_param { crop_size: 3 mirror: true }"}
    whole, parts = data(ten, 6, **how), data(ten, 2, **how)
    assert torch.equal(whole.next_batch()[0], torch.cat([parts.next_batch()[0] for _ in range(3)]))


def test_seeds_differ(ten: Path) -> None:
    how: dict[str, Any] = {"batch_size": 10, "training": True, "rest": "transform_param { crop_size: 2 }"}
    assert not torch.equal(data(ten, seed=1, **how).next_batch()[0], data(ten, seed=2, **how).next_batch()[0])


def test_records_of_one_layout_and_parsed_ones_give_the_same(tmp_path: Path) -> None:
    """Records of one size are not parsed one by one; a number, an odd order of fields and floats in between force it."""
    pixels = np.arange(20, dtype=np.uint8)
    head = Datum(channels=1, height=4, width=5, data=pixels.tobytes()).SerializeToString()
    values = [
        datum(0),
        datum(70000),
        datum(-1),
        head,  # no label
        Datum(label=5).SerializeToString() + head,
        head + Datum(label=6).SerializeToString() + Datum(label=7).SerializeToString(),
        Datum(channels=1, height=4, width=5, float_data=range(20), label=8).SerializeToString(),
    ]
    write_lmdb(tmp_path / "db", numbered(values))
    for batch_size in (1, 7):
        source = data(tmp_path / "db", batch_size)
        batches = [source.next_batch() for _ in range(7 // batch_size)]
        assert torch.cat([b[1] for b in batches]).tolist() == [0, 70000, -1, 0, 5, 7, 8]
        rows = torch.cat([b[0] for b in batches]).flatten(1).numpy()
        for row, value in zip(rows, values, strict=True):
            read = Datum.FromString(value)
            np.testing.assert_array_equal(row, np.frombuffer(read.data, np.uint8) if read.data else read.float_data)


def test_a_layout_needs_whole_raw_pixels() -> None:
    assert layout_of(datum(3)) is not None
    for other in (datum(3, encoded=True), datum(3, data=b"123"), datum(3, data=b""), datum(3)[:-4], b"\xff"):
        assert layout_of(other) is None


@pytest.mark.parametrize(
    ("values", "batch_size", "words"),
    [
        ([datum(0), datum(1), datum(2, (1, 4, 6))], 3, ["record '00000002'", "1 x 4 x 6", "record '00000000'", "1 x 4 x 5"]),
        ([datum(0), datum(1, (3, 4, 5))], 2, ["record '00000001'", "has 3 channels", "with 1"]),
        ([datum(0), datum(1, data=b"12345")], 1, ["record '00000001'", "1 x 4 x 5", "5 values"]),
        ([datum(0, data=b"")], 1, ["record '00000000'", "0 values"]),
        ([datum(0, height=0, data=b"")], 1, ["record '00000000'", "1 x 0 x 5"]),
        ([datum(0), b"\xff\xff rubbish"], 1, ["record '00000001'", "not a Datum"]),
        ([datum(0), datum(1, encoded=True)], 1, ["record '00000001'", "not a picture"]),
    ],
    ids=["size", "channels", "short", "nothing", "flat", "rubbish", "undecodable"],
)
def test_a_bad_record_is_named(tmp_path: Path, values: list[bytes], batch_size: int, words: list[str]) -> None:
    if b"encoded" in words[-1].encode() or "picture" in words[-1]:
        pytest.importorskip("cv2")
    write_lmdb(tmp_path / "db", numbered(values))
    text = message(tmp_path / "db", batch_size=batch_size)
    for word in words:
        assert word in text


def test_a_missing_database_is_named(tmp_path: Path) -> None:
    for backend in ("LMDB", "LEVELDB"):
        assert message(tmp_path / "nowhere", backend=backend) == f"{tmp_path}/nowhere: no such database"


def test_a_file_is_not_a_database(ten: Path) -> None:
    assert "is a file, not the folder" in message(ten / "data.mdb")


def test_a_folder_without_a_database_is_named(tmp_path: Path) -> None:
    assert "it has no data.mdb" in message(tmp_path)


def test_the_other_backend_is_suggested(ten: Path, tmp_path: Path) -> None:
    pytest.importorskip("plyvel")
    assert "backend: LMDB" in message(ten, backend="LEVELDB")
    assert "a LevelDB, it seems" in message(level(tmp_path / "db", numbered([datum(0)])))


def test_empty_databases_are_refused(tmp_path: Path) -> None:
    write_lmdb(tmp_path / "db", [])
    assert "holds no records" in message(tmp_path / "db")
    assert "holds no records" in message(level(tmp_path / "level", []), backend="LEVELDB")


def test_rubbish_in_place_of_a_database_is_refused(tmp_path: Path) -> None:
    pytest.importorskip("plyvel")
    for name, backend in (("data.mdb", "LMDB"), ("CURRENT", "LEVELDB")):
        (tmp_path / name).write_bytes(b"rubbish" * 2000)
        assert "cannot be opened" in message(tmp_path, backend=backend)


def test_leveldb_without_its_package_names_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "plyvel", None)
    assert "pip install 'solver-train[leveldb]'" in message(tmp_path, backend="LEVELDB")


def test_pictures_without_opencv_name_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_lmdb(tmp_path / "db", numbered([datum(0, encoded=True)]))
    monkeypatch.setitem(__import__("sys").modules, "cv2", None)
    opencv.cache_clear()
    with pytest.raises(ConfigError, match=r"pip install 'solver-train\[images\]'"):
        data(tmp_path / "db")


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ('source: "x" backend: LMDB', "data_param.batch_size"),
        ("batch_size: 1", "data_param.source"),
        ('source: "x" batch_size: 1 prefetch: 0', "data_param.prefetch"),
    ],
)
def test_settings_are_checked(fields: str, field: str) -> None:
    layer = text_format.Parse(f'type: "Data" top: "a" data_param {{ {fields} }}', LayerParameter())
    with pytest.raises(ConfigError) as caught:
        Data(layer, False, np.random.default_rng(0))
    assert caught.value.field == field


def test_fields_without_effect_are_said_by_name(ten: Path, caplog: pytest.LogCaptureFixture) -> None:
    data(ten, rest="data_param { rand_skip: 5 scale: 2 mirror: true }").next_batch()
    for field in ("rand_skip", "scale", "mirror"):
        assert caplog.text.count(f"data_param.{field} has no effect") == 1


def test_force_color_on_raw_records_is_said_once(ten: Path, caplog: pytest.LogCaptureFixture) -> None:
    source = data(ten, rest="transform_param { force_gray: true }")
    source.next_batch()
    assert caplog.text.count("only for encoded datum") == 1


def test_a_state_of_another_database_is_refused(ten: Path, tmp_path: Path) -> None:
    state = data(ten).state_dict() | {"key": b"99"}
    with pytest.raises(DataError, match="cannot go on at record b'99'"):
        data(ten).load_state_dict(state)
    with pytest.raises(DataError, match="no 'key'"):
        data(ten).load_state_dict({"row": 1})
