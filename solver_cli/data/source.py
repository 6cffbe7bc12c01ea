"""What every data layer is."""

from __future__ import annotations

import logging
from typing import Any, Protocol

from numpy.random import Generator
from torch import Tensor

from solver_cli.caffe_pb2 import LayerParameter

log = logging.getLogger("solver_cli")


class Source(Protocol):
    """A data layer: reader position, transform, batch. Never an nn.Module.

    `shapes`: the shape of each top, known once it is built (it peeks at the first record, as Caffe does).
    Building and reading raise ConfigError and DataError.
    """

    shapes: list[tuple[int, ...]]

    def __init__(self, layer: LayerParameter, training: bool, generator: Generator) -> None: ...

    def next_batch(self) -> tuple[Tensor, ...]:
        """The next batch: a fresh float32 CPU tensor for each top."""
        ...

    def state_dict(self) -> dict[str, Any]:
        """Position, order and generator state as plain values: enough to go on exactly."""
        ...

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from where `state` was taken."""
        ...

    def close(self) -> None:
        """Give back files and threads."""
        ...
