"""The pictures and labels in Datum messages."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod

import numpy as np
from google.protobuf.message import DecodeError

from solver_cli.caffe_pb2 import Datum
from solver_cli.data.crops import Encoded, Picture
from solver_cli.data.decode import decode
from solver_cli.data.source import by
from solver_cli.data.transform import THREADED
from solver_cli.errors import DataError

Value = bytes | memoryview


class Datums:
    """Reads the values of records: raw bytes, floats, or encoded files (read as colour or grey if `force` says so).

    With `floats` raw bytes become floats, as NVCaffe has them before it resizes.
    """

    def __init__(self, force: bool | None, field: str, floats: bool = False) -> None:
        self._force = force
        self._floats = floats
        self._field = field
        self._layout: Layout | None = None

    def read(
        self, values: list[Value], name: Callable[[int], str]
    ) -> tuple[Sequence[Picture] | Picture | Encoded, list[int]]:
        """The pictures (one array if they are small and alike) and labels; `name` gives what errors call each record."""
        if self._layout is None or not self._layout.fits(values[0]):
            self._layout = layout_of(values[0])
        if self._layout and not self._floats and (found := self._layout.read(values)):
            return found
        try:
            datums = [Datum.FromString(bytes(value)) for value in values]
        except DecodeError:
            datums = [self.parse(value, name(i)) for i, value in enumerate(values)]  # tells which
        labels = [datum.label for datum in datums]
        pictures = Encoded(lambda i: self.picture(datums[i], name(i)), len(datums))
        encoded = any(datum.encoded for datum in datums)
        return pictures if encoded else list(map(pictures.read, range(len(datums)))), labels

    def parse(self, value: Value, name: str) -> Datum:
        """The Datum in `value`. Raises DataError."""
        try:
            return Datum.FromString(bytes(value))
        except DecodeError:
            raise DataError(f"{name} is not a Datum ({len(value)} bytes)", field=self._field) from None

    def picture(self, datum: Datum, name: str) -> Picture:
        """The picture [channels, height, width] in a Datum. Raises DataError."""
        data = datum.data
        if datum.encoded:
            return decode(data, name, self._force, self._field)
        shape = (datum.channels, datum.height, datum.width)
        values = np.frombuffer(data, np.uint8) if data else np.array(datum.float_data, np.float32)
        if min(shape) < 1 or values.size != prod(shape):
            raise DataError(f"{name} is {by(shape)}, but holds {values.size} values", field=self._field)
        return values.reshape(shape).astype(np.float32, copy=False) if self._floats else values.reshape(shape)


class Layout:
    """Raw Datums of one size as bytes: the same `head`, then the pixels, then a tail with the label.

    Read this way they need not be parsed one by one, which is several times faster.
    """

    def __init__(self, head: bytes, shape: tuple[int, int, int]) -> None:
        self.head = head
        self._shape = shape
        self._size = prod(shape)
        self._labels: dict[Value, int] = {}  # of each tail that came along

    def fits(self, value: Value) -> bool:
        """Whether a value begins as this layout does."""
        return value[: len(self.head)] == self.head

    def read(self, values: list[Value]) -> tuple[list[Picture] | Picture, list[int]] | None:
        """The pictures (one array if they are small) and labels, or None if a value is of another layout."""
        pictures = self._pictures(values)
        labels = None if pictures is None else self._labels_of(values)
        return None if pictures is None or labels is None else (pictures, labels)

    def _pictures(self, values: list[Value]) -> list[Picture] | Picture | None:
        """The pixels; None if a value is of another layout."""
        start, size, end = len(self.head), self._size, len(self.head) + self._size
        lengths = set(map(len, values))
        if min(lengths) < end:
            return None
        if size >= THREADED:
            fit = all(map(self.fits, values))
            return [np.frombuffer(value, np.uint8, size, start).reshape(self._shape) for value in values] if fit else None
        joined = b"".join(values if len(lengths) == 1 else [value[:end] for value in values])
        rows = np.frombuffer(joined, np.uint8).reshape(len(values), -1)
        fit = rows[:, :start].tobytes() == self.head * len(values)
        return rows[:, start:end].reshape(-1, *self._shape) if fit else None

    def _labels_of(self, values: list[Value]) -> list[int] | None:
        """The labels of values that have pictures; None if what is behind a picture changes it."""
        end = len(self.head) + self._size
        tails = [value[end:] for value in values]
        try:
            return [self._labels[tail] for tail in tails]
        except KeyError:
            pass
        for value, tail in zip(values, tails, strict=True):
            if (other := layout_of(value)) is None or other.head != self.head:
                return None
            self._labels[bytes(tail)] = Datum.FromString(bytes(value)).label
        return self._labels_of(values)


def layout_of(value: Value) -> Layout | None:
    """The layout of a raw Datum of bytes, None for any other value."""
    whole = bytes(value)
    try:
        datum = Datum.FromString(whole)
    except DecodeError:
        return None
    shape, data = (datum.channels, datum.height, datum.width), datum.data
    if datum.encoded or min(shape) < 1 or len(data) != prod(shape):
        return None
    field = Datum(data=data).SerializeToString()
    start = whole.find(field)
    return Layout(whole[: start + len(field) - len(data)], shape) if start >= 0 else None
