"""DummyData: blobs made by fillers."""

from __future__ import annotations

from math import prod
from typing import Any

import torch
from numpy.random import Generator
from torch import Tensor

from solver_cli.caffe_pb2 import DummyDataParameter, FillerParameter, LayerParameter
from solver_cli.data.dealing import Dealing
from solver_cli.data.source import by, check_fields, draw_seed, log, random_words, state_field
from solver_cli.errors import ConfigError
from solver_cli.fillers import fill
from solver_cli.registry import source

FIELD = "dummy_data_param"
AXES = ("num", "channels", "height", "width")


@source("DummyData", tops=(1, None), ahead=False)
class DummyData:
    """Blobs of the given shapes, made by fillers.

    Constant ones are filled once and handed out again and again, the same tensor; random ones are drawn anew for each batch.
    """

    def __init__(self, layer: LayerParameter, training: bool, generator: Generator) -> None:
        param = layer.dummy_data_param
        check_fields(param, FIELD, ("data_filler", "shape", *AXES))
        if layer.HasField("transform_param"):
            log.warning("transform_param has no effect in DummyData")
        self.shapes = shapes(param, len(layer.top))
        for shape in self.shapes:
            if prod(shape) >= 2**31:
                raise ConfigError(f"shape {shape} has more values than a blob may, {2**31 - 1}", field=f"{FIELD}.shape")
        for shape in self.shapes:
            if any(size < 1 for size in shape):
                raise ConfigError(f"every size must be 1 or more, not {by(shape)}", field=f"{FIELD}.shape")
        fillers = list(param.data_filler) or [FillerParameter()]
        if len(fillers) not in (1, len(self.shapes)):
            raise count_error("data_filler", len(fillers), len(self.shapes))
        self._fillers = fillers * (len(self.shapes) // len(fillers))
        self._seed = draw_seed(generator)
        self.dealing = Dealing()
        self._batches = 0
        self._generator = torch.Generator()
        self._constants = {i: self._filled(i) for i, f in enumerate(self._fillers) if f.type == "constant"}
        for i in range(len(self.shapes)):
            self._filled(i)  # a filler that does not suit its shape is refused now

    def _filled(self, index: int) -> Tensor:
        blob = torch.empty(self.shapes[index])
        try:
            fill(blob, self._fillers[index], self._generator)
        except ConfigError as error:
            raise ConfigError(error.message, field=f"{FIELD}.data_filler") from None
        return blob

    def next_batch(self) -> tuple[Tensor, ...]:
        number, self._batches = self.dealing.turn(self._batches, 1)
        self._generator.manual_seed(int(random_words(self._seed, number, 1)[0, 0] >> 1))
        return tuple(self._constants[i] if i in self._constants else self._filled(i) for i in range(len(self.shapes)))

    def state_dict(self) -> dict[str, Any]:
        return {"seed": self._seed, "batches": self._batches}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.dealing.restart()
        self._seed, self._batches = state_field(state, "seed"), state_field(state, "batches")

    def close(self) -> None:
        """Nothing is held."""


def shapes(param: DummyDataParameter, tops: int) -> list[tuple[int, ...]]:
    """The shape of each top, from `shape` or from the four old fields; one serves all. Raises ConfigError."""
    old = [list(getattr(param, axis)) for axis in AXES]
    if not any(old):
        if len(param.shape) not in (1, tops):
            raise count_error("shape", len(param.shape), tops)
        return [tuple(shape.dim) for shape in param.shape] * (tops // len(param.shape))
    if param.shape:
        raise ConfigError("shape and num, channels, height, width exclude each other", field=f"{FIELD}.shape")
    for axis, values in zip(AXES, old, strict=True):
        if len(values) not in (1, tops):
            raise count_error(axis, len(values), tops)
    return list(zip(*(values * (tops // len(values)) for values in old), strict=True))


def count_error(field: str, found: int, tops: int) -> ConfigError:
    wanted = f"once, or once for each of the {tops} tops" if tops > 1 else "once"
    return ConfigError(f"{field} must be given {wanted}, not {found} times", field=f"{FIELD}.{field}")
