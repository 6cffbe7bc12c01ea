"""HDF5Data and HDF5Output: order, shuffling, state, and what is refused."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import torch
from google.protobuf import text_format

from solver_cli.caffe_pb2 import HDF5OutputParameter, LayerParameter
from solver_cli.data.hdf5 import HDF5Data, HDF5Output
from solver_cli.errors import ConfigError, DataError


def write(path: Path, **datasets: Any) -> Path:
    with h5py.File(path, "w") as file:
        for name, values in datasets.items():
            file[name] = values
    return path


def listed(folder: Path, *files: Path) -> Path:
    (folder / "list.txt").write_text("\n".join(map(str, files)) + "\n")
    return folder / "list.txt"


def source(path: Path, batch_size: int = 3, tops: tuple[str, ...] = ("data",), rest: str = "", seed: int = 0) -> HDF5Data:
    names = " ".join(f'top: "{top}"' for top in tops)
    text = f'type: "HDF5Data" {names} hdf5_data_param {{ source: "{path}" batch_size: {batch_size} {rest} }}'
    return HDF5Data(text_format.Parse(text, LayerParameter()), True, np.random.default_rng(seed))


@pytest.fixture
def three(tmp_path: Path) -> Path:
    """Files of 4, 3 and 5 rows that hold 0 to 11."""
    rows = np.split(np.arange(12.0).reshape(12, 1), [4, 7])
    return listed(tmp_path, *(write(tmp_path / f"{i}.h5", data=r, label=r[:, 0]) for i, r in enumerate(rows)))


def test_files_follow_one_another_and_begin_again(three: Path) -> None:
    rows = source(three, 8)
    assert torch.cat([rows.next_batch()[0] for _ in range(3)]).flatten().tolist() == [*range(12), *range(12)]


def test_shuffling_keeps_files_together_and_tops_aligned(three: Path) -> None:
    rows = source(three, 12, ("data", "label"), "shuffle: true")
    seen = set()
    for _ in range(6):
        data, label = rows.next_batch()
        order = data.flatten().tolist()
        assert order == label.tolist() and sorted(order) == list(range(12))
        files = [0 if n < 4 else 1 if n < 7 else 2 for n in order]
        assert sum(a != b for a, b in pairwise(files)) == 2
        seen.add(tuple(order))
    assert len(seen) == 6


@pytest.mark.parametrize("rest", ["", "shuffle: true"])
def test_a_loaded_state_goes_on_with_the_same_rows(three: Path, rest: str) -> None:
    rows = source(three, 5, rest=rest)
    for _ in range(4):
        rows.next_batch()
    again = source(three, 5, rest=rest, seed=7)
    again.load_state_dict(rows.state_dict())
    for _ in range(8):
        assert torch.equal(again.next_batch()[0], rows.next_batch()[0])


def test_a_state_beyond_the_data_is_refused(three: Path) -> None:
    rows = source(three)
    for change in ({"file": 3}, {"row": 4}):
        with pytest.raises(DataError, match="cannot go on"):
            rows.load_state_dict({"seed": 1, "round": 0, "file": 0, "row": 0} | change)


def refused(path: Path, **how: Any) -> DataError | ConfigError:
    with pytest.raises((DataError, ConfigError)) as caught:
        rows = source(path, **how)
        for _ in range(5):
            rows.next_batch()
    assert caught.value.field
    return caught.value


def test_a_missing_dataset_names_the_file_and_what_it_holds(three: Path) -> None:
    error = refused(three, tops=("data", "lable"))
    assert (
        str(error) == f"{three.parent / '0.h5'}: no dataset 'lable' (it holds 'data', 'label')" and error.field == "top[1]"
    )


def test_datasets_must_have_equally_many_rows(tmp_path: Path) -> None:
    path = listed(tmp_path, write(tmp_path / "a.h5", data=np.zeros((4, 2)), label=np.zeros(3)))
    assert "differ in their number of rows: 'data' 4, 'label' 3" in str(refused(path, tops=("data", "label")))


def test_a_later_file_with_other_rows_is_named(tmp_path: Path) -> None:
    path = listed(tmp_path, *(write(tmp_path / f"{n}.h5", data=np.zeros((2, n))) for n in (3, 4)))
    assert "4.h5: dataset 'data' has rows of 4, in the first file of 3" in str(refused(path))


@pytest.mark.parametrize("values", [np.zeros((0, 3)), np.float32(3), np.array([True, False]), np.array([b"a", b"b"])])
def test_datasets_that_are_no_rows_of_numbers_are_refused(tmp_path: Path, values: Any) -> None:
    text = str(refused(listed(tmp_path, write(tmp_path / "a.h5", data=values))))
    assert "a.h5" in text and ("no rows" in text or "numbers in rows are needed" in text)


def test_missing_and_broken_files_are_named(tmp_path: Path, three: Path) -> None:
    (tmp_path / "broken.h5").write_bytes(b"no HDF5")
    (tmp_path / "empty.txt").touch()
    assert f"list.txt:1: {tmp_path}/gone.h5: no such file" in str(refused(listed(tmp_path, tmp_path / "gone.h5")))
    assert f"{tmp_path}/broken.h5: not an HDF5 file" in str(refused(listed(tmp_path, tmp_path / "broken.h5")))
    assert "names no HDF5 file" in str(refused(tmp_path / "empty.txt"))
    assert "list.txt: No such file" in str(refused(tmp_path / "no" / "list.txt"))
    assert "is an HDF5 file; source must be a text file" in str(refused(tmp_path / "0.h5"))
    assert refused(three, batch_size=0).field == "hdf5_data_param.batch_size"


def sink(path: Path, *shapes: tuple[int, ...]) -> HDF5Output:
    return HDF5Output(HDF5OutputParameter(file_name=str(path)), list(shapes))


def test_output_touches_no_file_on_the_meta_device(tmp_path: Path) -> None:
    layer = sink(tmp_path / "out.h5", (2, 3), (2,))
    assert layer(torch.empty(2, 3, device="meta"), torch.empty(2, device="meta")) == ()
    assert not (tmp_path / "out.h5").exists()
    layer(torch.ones(2, 3), torch.ones(2))
    with h5py.File(tmp_path / "out.h5") as file:
        assert file["data"].shape == (2, 3, 1, 1) and file["label"].shape == (2, 1, 1, 1)


def test_output_refuses_what_it_cannot_store(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="at most four axes"):
        sink(tmp_path / "a", (1, 1, 1, 1, 1), (1,))
    with pytest.raises(ConfigError, match="equally many rows"):
        sink(tmp_path / "a", (2, 1), (3, 1))
    with pytest.raises(ConfigError, match="file_name is not set"):
        HDF5Output(HDF5OutputParameter(), [(1,), (1,)])
    with pytest.raises(DataError, match="cannot be written"):
        sink(tmp_path / "no" / "a.h5", (1,), (1,))(torch.ones(1), torch.ones(1))
