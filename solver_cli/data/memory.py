"""MemoryData: arrays that a program sets."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.random import Generator
from numpy.typing import ArrayLike
from torch import Tensor

from solver_cli.caffe_pb2 import LayerParameter
from solver_cli.data.source import by, check_fields, log, state_field
from solver_cli.errors import ConfigError, DataError
from solver_cli.registry import source

FIELD = "memory_data_param"
FIELDS = ("batch_size", "channels", "height", "width")


@source("MemoryData", tops=2, ahead=False)
class MemoryData:
    """The rows of two arrays, round and round; `reset` sets them.

    Tops: pictures [N, channels, height, width], labels [N, 1, 1, 1] ([N] while no array is set, as in Caffe).
    """

    def __init__(self, layer: LayerParameter, training: bool, generator: Generator) -> None:
        param = layer.memory_data_param
        check_fields(param, FIELD, FIELDS)
        for name in FIELDS:
            if not getattr(param, name):
                raise ConfigError(f"{name} must be set and positive", field=f"{FIELD}.{name}")
        self._batch_size = param.batch_size
        self._transforms = layer.HasField("transform_param")
        self._data: Tensor | None = None
        self._labels = torch.empty(0)
        self._row = 0
        self.shapes: list[tuple[int, ...]] = [
            (param.batch_size, param.channels, param.height, param.width),
            (param.batch_size,),
        ]

    def reset(self, data: ArrayLike, labels: ArrayLike) -> None:
        """Take `data` [rows, channels, height, width] and `labels` [rows, ...], rows a multiple of batch_size, as they are.

        Arrays of float32 are not copied. Raises DataError.
        """
        pictures, numbers = np.ascontiguousarray(data, np.float32), np.ascontiguousarray(labels, np.float32)
        if pictures.ndim != 4 or pictures.shape[1:] != self.shapes[0][1:]:
            raise DataError(f"data must be rows x {by(self.shapes[0][1:])}, not {by(pictures.shape)}", field=FIELD)
        if numbers.size != len(pictures):
            raise DataError(f"{len(pictures)} rows of data need {len(pictures)} labels, not {numbers.size}", field=FIELD)
        if not len(pictures) or len(pictures) % self._batch_size:
            raise DataError(
                f"the number of rows must be a multiple of batch_size {self._batch_size}, not {len(pictures)}", field=FIELD
            )
        if self._transforms:
            log.warning("MemoryData does not transform array data on Reset()", extra={"site": "memory_data_layer.cpp:90"})
        self._data, self._labels = torch.from_numpy(pictures), torch.from_numpy(numbers).view(-1, 1, 1, 1)
        self._row = 0

    def next_batch(self) -> tuple[Tensor, Tensor]:
        if self._data is None:
            raise DataError("MemoryData has no arrays yet: call reset(data, labels) first", field=FIELD)
        rows = slice(self._row, self._row + self._batch_size)
        self._row = (self._row + self._batch_size) % len(self._data)
        return self._data[rows].clone(), self._labels[rows].clone()

    def state_dict(self) -> dict[str, Any]:
        return {"row": self._row}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on at the row of `state`, in the arrays that are set now."""
        self._row = state_field(state, "row")
        if self._data is not None and self._row >= len(self._data):
            raise DataError(f"cannot go on at row {self._row}: the arrays have {len(self._data)}", field=FIELD)

    def close(self) -> None:
        self._data = None
