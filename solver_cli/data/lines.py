"""Where a reader stands in a list of pictures: round and round, in the order of the lines or in a random one."""

from __future__ import annotations

from typing import Any, Generic, TypeVar

from numpy.random import Generator

from solver_cli.caffe_pb2 import DenseImageDataParameter, ImageDataParameter, VideoDataParameter
from solver_cli.data.dealing import Dealing
from solver_cli.data.pool import Pool
from solver_cli.data.source import draw_seed, log, random_words, say, shuffled, state_field
from solver_cli.data.transform import Transform
from solver_cli.errors import ConfigError

Row = TypeVar("Row")


class Lines(Generic[Row]):
    """The rows of a list; with `shuffle` those of each round have an order of their own.

    `record`: the number of the row to come, counted through all rounds.
    """

    def __init__(
        self,
        rows: list[Row],
        param: ImageDataParameter | DenseImageDataParameter | VideoDataParameter,
        field: str,
        generator: Generator,
        noun: str = "images",
    ) -> None:
        self._rows, self._param, self._field = rows, param, field
        self._seed = draw_seed(generator)
        if param.shuffle:
            say("Shuffling data", "image_data_layer.cpp:53")
        say(f"A total of {len(rows)} {noun}.", "image_data_layer.cpp:63")
        self.record = self._skip()
        self._order = (-1, range(len(rows)))

    def __len__(self) -> int:
        return len(self._rows)

    def _skip(self) -> int:
        """How many lines to leave out at the start: a number below rand_skip."""
        most = self._param.rand_skip
        if not most:
            return 0
        skip = int(random_words(self._seed, range(1), 1)[0, 0]) % most
        say(f"Skipping first {skip} data points.", "image_data_layer.cpp:70")
        if skip >= len(self._rows):
            raise ConfigError(
                f"rand_skip {most} skipped {skip} pictures, but the list has {len(self._rows)}",
                field=f"{self._field}.rand_skip",
            )
        return skip

    def row(self, record: int) -> Row:
        """The row of the running number `record`."""
        epoch, index = divmod(record, len(self._rows))
        if self._param.shuffle and self._order[0] != epoch:
            self._order = (epoch, shuffled(len(self._rows), self._seed, epoch).tolist())
        return self._rows[self._order[1][index]]

    def take(self, dealing: Dealing, count: int) -> tuple[range, list[Row]]:
        """The next rows of a rank and their numbers; then stand before the one that follows all ranks' rows."""
        numbers, self.record = dealing.turn(self.record, count)
        return numbers, [self.row(number) for number in numbers]

    def state_dict(self) -> dict[str, Any]:
        return {"record": self.record, "lines": len(self._rows), "seed": self._seed}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.record = self._moved(state_field(state, "record"), state_field(state, "lines") if "lines" in state else 0)
        self._seed = state_field(state, "seed")
        self._order = (-1, range(len(self._rows)))

    def _moved(self, record: int, lines: int) -> int:
        """The record of the same round and line as `record` of a list of so many lines (0: as many as now)."""
        now = len(self._rows)
        if lines in (0, now):
            return record
        found = f"{self._param.source}: the list has {now} lines, it had {lines} when the state was saved"
        log.warning("%s: goes on at line %d", found, min(record % lines, now) % now + 1)
        return record // lines * now + min(record % lines, now)


class Listed:
    """What data layers of a list have in common: whose rows are whose, threads, and where they go on.

    They have their list in `_lines`, and in `transform` what makes a batch of pictures.
    """

    transform: Transform
    _lines: Lines[Any]

    def __init__(self) -> None:
        self.dealing = Dealing()
        self._pool = Pool()

    @property
    def records(self) -> int:
        """The rows of the list."""
        return len(self._lines)

    def state_dict(self) -> dict[str, Any]:
        return {**self._lines.state_dict(), "transform_seed": self.transform.seed}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.dealing.restart()
        self._lines.load_state_dict(state)
        self.transform.seed = state_field(state, "transform_seed")

    def close(self) -> None:
        self._pool.close()
