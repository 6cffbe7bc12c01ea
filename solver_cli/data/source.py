"""What every data layer is, and what they share: log lines, checks of fields, orders fixed by a seed."""

from __future__ import annotations

import logging
from collections.abc import Collection
from typing import Any, Protocol

import numpy as np
from google.protobuf.message import Message
from numpy.random import Generator
from numpy.typing import NDArray
from torch import Tensor

from solver_cli.caffe_pb2 import LayerParameter
from solver_cli.errors import ConfigError, DataError

log = logging.getLogger("solver_cli")


class Source(Protocol):
    """A data layer: reader position, transform, batch. Never an nn.Module.

    `shapes`: the shape of each top, known once it is built (it peeks at the first record, as Caffe does). `records`, where
    there is such a number: how many records one round through the data has. `transform`, where there is one: what makes the
    batch out of pictures, and may be told to do so on a GPU. `dealing`, where several ranks may share the records: which are
    this one's.
    Building and reading raise ConfigError and DataError.
    """

    shapes: list[tuple[int, ...]]

    def __init__(self, layer: LayerParameter, training: bool, generator: Generator) -> None: ...

    def next_batch(self) -> tuple[Tensor, ...]:
        """The next batch: a fresh float32 tensor for each top, on the CPU unless `transform` was told otherwise."""
        ...

    def state_dict(self) -> dict[str, Any]:
        """Position and seed as plain values: enough to go on exactly."""
        ...

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from where `state` was taken."""
        ...

    def close(self) -> None:
        """Give back files and threads."""
        ...


def say(message: str, site: str) -> None:
    """Log `message` as Caffe does, with the file and line that its tools look for."""
    log.info(message, extra={"site": site})


def by(shape: Collection[int]) -> str:
    """`3 x 32 x 40`"""
    return " x ".join(map(str, shape)) or "a single number"


def draw_seed(generator: Generator) -> int:
    """A seed from which all later draws of a source follow, so that its state is a number and a position."""
    return int(generator.integers(2**63))


def random_words(seed: int, numbers: range, each: int) -> NDArray[np.uint64]:
    """[records, each] random words for the records of these numbers (splitmix64): the same however they are batched."""
    first = np.arange(numbers.start, numbers.stop, numbers.step, dtype=np.uint64) * np.uint64(each)
    words: NDArray[np.uint64] = np.add.outer(first, np.arange(each, dtype=np.uint64))
    x = words * np.uint64(0x9E3779B97F4A7C15) + np.uint64(seed)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


def shuffled(count: int, *seed: int) -> NDArray[np.int64]:
    """The numbers below `count` in the random order that `seed` stands for."""
    return np.random.default_rng(seed).permutation(count)


def check_batch_size(param: Message, field: str) -> int:
    """The batch_size of `param`, which stands in `field`; ConfigError unless it is 1 or more."""
    size: int = param.batch_size  # type: ignore[attr-defined]
    if size < 1:
        raise ConfigError("batch_size must be 1 or more, not 0", field=f"{field}.batch_size")
    return size


def check_source(param: Message, field: str) -> str:
    """The source of `param`, which stands in `field`; ConfigError if it is not set."""
    path: str = param.source  # type: ignore[attr-defined]
    if not path:
        raise ConfigError("source is not set: it names where the data are", field=f"{field}.source")
    return path


def check_fields(param: Message, field: str, used: Collection[str], idle: Collection[str] = ()) -> None:
    """Refuse every set field of `param` that is not `used`; one log line for each `idle` one (Caffe accepts them)."""
    for descriptor, _ in param.ListFields():
        name = f"{field}.{descriptor.name}"
        if descriptor.name in idle:
            log.warning("%s has no effect here", name)
        elif descriptor.name not in used:
            raise ConfigError(f"{name} is not supported (supported here: {', '.join(sorted(used))})", field=name)


def state_field(state: dict[str, Any], name: str, kind: type = int) -> Any:
    """An entry of a saved state, a position, a seed or (`kind`) bytes; DataError if it was not taken from such a source."""
    if name not in state:
        raise DataError(
            f"cannot go on in the data: the saved state has no '{name}' (it holds {', '.join(state) or 'nothing'})"
        )
    value = state[name]
    most = 2**63 if "seed" in name else 2**48
    if not isinstance(value, kind) or (isinstance(value, int) and not 0 <= value < most):
        raise DataError(f"cannot go on in the data: the saved '{name}' is no position: {value!r}")
    return value
