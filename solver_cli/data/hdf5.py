"""HDF5Data reads the datasets that its tops name; HDF5Output stores two blobs."""

from __future__ import annotations

from math import prod
from typing import Any

import h5py
import numpy as np
import torch
from numpy.random import Generator
from numpy.typing import NDArray
from torch import Tensor, nn

from solver_cli import files
from solver_cli.caffe_pb2 import HDF5OutputParameter, LayerParameter
from solver_cli.data.dealing import Dealing
from solver_cli.data.source import by, check_batch_size, check_fields, check_source, draw_seed, say, shuffled, state_field
from solver_cli.errors import ConfigError, DataError
from solver_cli.formats.hdf5 import check_size
from solver_cli.formats.wire import Malformed
from solver_cli.registry import layer as register_layer
from solver_cli.registry import source
from solver_cli.text.remedies import how_made

FIELD = "hdf5_data_param"
FILES, ROWS = 0, 1  # what an order is drawn for


@source("HDF5Data", tops=(1, None))
class HDF5Data:
    """Rows of the datasets named like the tops, through all files of a list, round and round.

    Tops: [N, ...], of any rank; whole numbers and doubles become float32. With `shuffle` the files, and the rows within a
    file, come in a new order in every round.
    """

    def __init__(self, layer: LayerParameter, training: bool, generator: Generator) -> None:
        param = layer.hdf5_data_param
        check_fields(param, FIELD, ("source", "batch_size", "shuffle"))
        if layer.HasField("transform_param"):
            raise ConfigError("HDF5Data does not transform data: leave transform_param out", field="transform_param")
        self._batch_size = check_batch_size(param, FIELD)
        self._shuffle = param.shuffle
        self.dealing = Dealing()
        self._tops = list(layer.top)
        self._seed = draw_seed(generator)
        self._files = read_list(check_source(param, FIELD))
        self._round = self._place = self._row = 0
        self._loaded = ""
        self._load()
        self.shapes = [(self._batch_size, *array.shape[1:]) for array in self._arrays]

    def _load(self) -> None:
        """Have the file at the current place in memory, and the order of its rows."""
        place = shuffled(len(self._files), self._seed, FILES, self._round)[self._place] if self._shuffle else self._place
        if self._files[place] != self._loaded:
            self._arrays = read_file(self._files[place], self._tops)
            self._loaded = self._files[place]
        if self._shuffle:
            self._order = shuffled(len(self._arrays[0]), self._seed, ROWS, self._round, self._place)

    @property
    def records(self) -> int:
        """The rows of all files. Raises DataError."""
        return sum(count_rows(path, self._tops[0]) for path in self._files)

    def next_batch(self) -> tuple[Tensor, ...]:
        tops = tuple(torch.empty(shape) for shape in self.shapes)
        numbers, end = self.dealing.turn(0, self._batch_size)  # of rows, counted from where it stands
        filled = at = 0
        while at < end:
            step = min(end - at, len(self._arrays[0]) - self._row)
            left = numbers[filled:]
            own = range(left.start, min(at + step, left.stop), left.step)
            rows = slice(self._row - at + own.start, self._row - at + own.stop, own.step)
            for name, top, array in zip(self._tops, tops, self._arrays, strict=True):
                if prod(array.shape[1:]) != prod(top.shape[1:]):  # the axes may be others: Caffe copies by the count
                    was, found = by(top.shape[1:]), by(array.shape[1:])
                    raise DataError(
                        f"{self._loaded}: dataset '{name}' has rows of {found}, in the first file of {was}",
                        field=f"{FIELD}.source",
                    )
                taken = array[self._order[rows] if self._shuffle else rows]
                top[filled : filled + len(own)] = torch.from_numpy(taken).view(len(own), *top.shape[1:])
            filled += len(own)
            at += step
            self._advance(step)
        return tops

    def _advance(self, count: int) -> None:
        """Step `count` rows on, at the end of the file to the next file, after the last file to the first."""
        self._row += count
        if self._row == len(self._arrays[0]):
            self._row = 0
            self._place += 1
            if self._place == len(self._files):
                self._place = 0
                self._round += 1
            self._load()

    def state_dict(self) -> dict[str, Any]:
        return {"seed": self._seed, "round": self._round, "file": self._place, "row": self._row}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.dealing.restart()
        self._seed, self._round, self._place, self._row = (state_field(state, k) for k in ("seed", "round", "file", "row"))
        if self._place >= len(self._files):
            raise DataError(
                f"cannot go on in HDF5 file {self._place}: the list has {len(self._files)}", field=f"{FIELD}.source"
            )
        self._load()
        if self._row >= len(self._arrays[0]):
            raise DataError(
                f"cannot go on at row {self._row} of {self._loaded}: it has {len(self._arrays[0])}", field=f"{FIELD}.source"
            )

    def close(self) -> None:
        self._arrays, self._loaded = [], ""


def read_list(path: str) -> list[str]:
    """The HDF5 files named in a list file, separated by white space; all of them are there. Raises DataError."""
    say(f"Loading list of HDF5 filenames from: {path}", "hdf5_data_layer.cpp:81")
    try:
        text = files.read(path).decode("utf-8", "surrogateescape")
    except FileNotFoundError as error:
        raise DataError(f"{path}: {error.strerror}{how_made(path)}", field=f"{FIELD}.source") from None
    except (OSError, ValueError) as error:  # ValueError: a name with a zero byte
        raise DataError(f"{path}: {getattr(error, 'strerror', None) or error}", field=f"{FIELD}.source") from None
    if text.startswith("\udc89HDF"):
        raise DataError(
            f"{path}: is an HDF5 file; source must be a text file that lists HDF5 files", field=f"{FIELD}.source"
        )
    named = [(number, name) for number, line in enumerate(text.split("\n"), 1) for name in line.split()]
    say(f"Number of HDF5 files: {len(named)}", "hdf5_data_layer.cpp:95")
    if not named:
        raise DataError(f"{path}: the list names no HDF5 file", field=f"{FIELD}.source")
    for number, name in named:
        check_file(name, f"{path}:{number}: {name}")
    return [name for _, name in named]


def check_file(path: str, place: str) -> None:
    """Raise DataError, which begins with `place`, unless there is a file at `path`."""
    try:
        files.check(path)
    except FileNotFoundError:
        raise DataError(f"{place}: no such file", field=f"{FIELD}.source") from None
    except (OSError, ValueError) as error:  # ValueError: a name with a zero byte
        raise DataError(f"{place}: {getattr(error, 'strerror', None) or error}", field=f"{FIELD}.source") from None


def read_file(path: str, names: list[str]) -> list[NDArray[np.float32]]:
    """The datasets `names` of an HDF5 file as float32, all of the same number of rows. Raises DataError."""
    check_file(path, path)
    try:
        with h5py.File(path, "r") as file:
            arrays = [read_dataset(file, name, f"top[{i}]") for i, name in enumerate(names)]
    except (OSError, RuntimeError, KeyError, ValueError, TypeError, AttributeError) as error:
        first = str(error).strip("'\"").partition("\n")[0]
        raise DataError(f"{path}: not an HDF5 file that can be read ({first})", field=f"{FIELD}.source") from None
    if len({len(array) for array in arrays}) > 1:
        rows = ", ".join(f"'{name}' {len(array)}" for name, array in zip(names, arrays, strict=True))
        raise DataError(f"{path}: the datasets differ in their number of rows: {rows}", field=f"{FIELD}.source")
    if not len(arrays[0]):
        raise DataError(f"{path}: the datasets have no rows", field=f"{FIELD}.source")
    return arrays


def count_rows(path: str, name: str) -> int:
    """The rows of the dataset `name` of an HDF5 file, without reading them. Raises DataError."""
    check_file(path, path)
    try:
        with h5py.File(path, "r") as file:
            return len(file[name])
    except (OSError, RuntimeError, KeyError, ValueError, TypeError) as error:
        raise DataError(f"{path}: the rows of '{name}' cannot be counted ({error})", field=f"{FIELD}.source") from None


def read_dataset(file: Any, name: str, field: str) -> NDArray[np.float32]:
    """One dataset as float32. Raises DataError."""
    dataset = file.get(name)
    if not isinstance(dataset, h5py.Dataset):
        present = ", ".join(f"'{key}'" for key in file) or "nothing"
        raise DataError(f"{file.filename}: no dataset '{name}' (it holds {present})", field=field)
    if dataset.dtype.kind not in "iuf" or not dataset.shape:
        found = f"{dataset.dtype} of shape {by(dataset.shape or ())}"
        raise DataError(f"{file.filename}: dataset '{name}' is {found}: numbers in rows are needed", field=field)
    if not (dataset.is_virtual or dataset.external):
        try:
            check_size(dataset)
        except Malformed as error:
            raise DataError(f"{file.filename}: dataset '{name}' is damaged: {error}", field=field) from None
    with np.errstate(over="ignore"):
        return dataset[...].astype(np.float32)  # type: ignore[no-any-return]


@register_layer("HDF5Output", bottoms=2, tops=0, once=True, waits=True)
class HDF5Output(nn.Module):
    """Store two bottoms as the datasets `data` and `label` of a new HDF5 file, four axes each; in one forward pass only."""

    def __init__(self, param: HDF5OutputParameter, shapes: list[tuple[int, ...]]) -> None:
        super().__init__()
        if not param.file_name:
            raise ConfigError("file_name is not set: it names the file to write", field="hdf5_output_param.file_name")
        if any(len(shape) > 4 for shape in shapes):
            raise ConfigError(f"HDF5Output stores at most four axes, not {' and '.join(map(by, shapes))}", field="bottom")
        if len({shape[:1] for shape in shapes}) > 1:
            raise ConfigError(
                f"the bottoms must have equally many rows, not {' and '.join(map(by, shapes))}", field="bottom"
            )
        self.path = param.file_name
        self.stored = False

    def forward(self, data: Tensor, label: Tensor) -> tuple[()]:
        if data.is_meta:
            return ()
        if self.stored:
            raise DataError(
                f"{self.path}: is written already: HDF5Output stores a single forward pass",
                field="hdf5_output_param.file_name",
            )
        say(f"Saving HDF5 file {self.path}", "hdf5_output_layer.cpp:33")
        try:
            with h5py.File(self.path, "w") as file:
                for name, blob in (("data", data), ("label", label)):
                    file[name] = blob.detach().reshape(*blob.shape, *(1,) * (4 - blob.dim())).float().cpu().numpy()
        except OSError as error:
            raise DataError(f"{self.path}: cannot be written ({error})", field="hdf5_output_param.file_name") from None
        self.stored = True
        say(f"Successfully saved {len(data)} rows", "hdf5_output_layer.cpp:38")
        return ()
