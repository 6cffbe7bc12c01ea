"""Protobuf's wire format, walked in place, and the one message that weights and solver states share: BlobProto.

Numbers never pass through Python objects: a packed field is one slice of the file. What the forks of Caffe have in common is
the numbers of the fields, so the walk reads files that no single schema describes.
"""

from __future__ import annotations

import mmap
import os
import struct
from collections.abc import Iterable, Iterator, Sequence
from math import prod
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float32]
Buffer = bytes | mmap.mmap
Piece = bytes | Array

VARINT, FIXED64, LENGTH, FIXED32 = 0, 1, 2, 5
MAX_AXES = 32
MANY = 50_000  # layers or blobs: more than any net has
CHUNK = 16 << 20


class Malformed(ValueError):
    """Bytes that are not protobuf, or not the message that was expected."""


class Truncated(Malformed):
    """A field that is longer than what is left; `number` and `kind` say which."""

    def __init__(self, message: str, number: int = 0, kind: int = LENGTH):
        super().__init__(message)
        self.number, self.kind = number, kind


class Field(NamedTuple):
    """A field of a message: its tag begins at `at`, its payload is [start, end); `value` is that of a varint."""

    number: int
    kind: int
    at: int
    start: int
    end: int
    value: int


def fields(buffer: Buffer, start: int = 0, end: int | None = None) -> Iterator[Field]:
    """The fields of the message in buffer[start:end], in the order of the file."""
    end = len(buffer) if end is None else end
    at = start
    while at < end:
        tag, start = _varint(buffer, at, end)
        number, kind, value, size = tag >> 3, tag & 7, 0, 0
        if number == 0:
            raise Malformed(f"byte {at} begins no field")
        if kind == VARINT:
            value, stop = _varint(buffer, start, end)
            size = stop - start
        elif kind == LENGTH:
            size, start = _varint(buffer, start, end)
        elif kind in (FIXED32, FIXED64):
            size = 4 if kind == FIXED32 else 8
        else:
            raise Malformed(f"byte {at} begins a field of the unused kind {kind}")
        if size > end - start:
            raise Truncated(f"the field at byte {at} is {size} bytes long, {end - start} are left", number, kind)
        yield Field(number, kind, at, start, start + size, value)
        at = start + size


def _varint(buffer: Buffer, at: int, end: int) -> tuple[int, int]:
    value = shift = 0
    while at < end:
        byte = buffer[at]
        at += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value & (1 << 64) - 1, at
        shift += 7
        if shift >= 70:
            raise Malformed(f"the number that ends at byte {at} is longer than 10 bytes")
    raise Truncated(f"a number is cut off at byte {end}")


def signed(value: int) -> int:
    """A varint as the int64 that it stands for."""
    return value - (1 << 64) if value >> 63 else value


def text(buffer: Buffer, field: Field) -> str:
    """The payload of a string field; bytes that are not UTF-8 are shown as escapes."""
    return buffer[field.start : field.end].decode("utf-8", "backslashreplace")


# --- BlobProto, read -------------------------------------------------------------------------------------------------

_DATA, _SHAPE, _DOUBLES, _RAW_TYPE, _RAW = 5, 7, 8, 10, 12  # the last two: NVCaffe's store_blobs_in_old_format: false
_LEGACY = (1, 2, 3, 4)  # num, channels, height, width
_RAW_TYPES = {0: "<f8", 1: "<f4", 2: "<f2"}


def read_blob(buffer: Buffer, start: int, end: int) -> tuple[Array, bool]:
    """A BlobProto's data as float32, and whether its shape is the legacy num x channels x height x width."""
    dims: list[int] = []
    legacy: dict[int, int] = {}
    found: dict[int, _Numbers] = {}
    raw_type = 1
    for field in fields(buffer, start, end):
        if field.number in (_DATA, _DOUBLES, _RAW) and field.kind != VARINT:
            found.setdefault(field.number, _Numbers(buffer)).add(field)
        elif field.number == _SHAPE and field.kind == LENGTH:
            dims += _dims(buffer, field, MAX_AXES - len(dims))
        elif field.number in _LEGACY and field.kind == VARINT:
            legacy[field.number] = signed(field.value)
        elif field.number == _RAW_TYPE and field.kind == VARINT:
            raw_type = field.value
    if legacy:
        dims = [legacy.get(number, 0) for number in _LEGACY]
    if raw_type not in _RAW_TYPES:
        raise Malformed(f"raw_data_type is {raw_type}: only DOUBLE, FLOAT and FLOAT16 can be read")
    for number, dtype in ((_DOUBLES, "<f8"), (_DATA, "<f4"), (_RAW, _RAW_TYPES[raw_type])):
        if number in found and found[number].size:
            return found[number].array(dtype, dims), bool(legacy)
    return _Numbers(buffer).array("<f4", dims), bool(legacy)


def _dims(buffer: Buffer, shape: Field, room: int) -> list[int]:
    dims: list[int] = []
    for field in fields(buffer, shape.start, shape.end):
        if field.number == 1 and field.kind == VARINT:
            dims.append(signed(field.value))
        elif field.number == 1 and field.kind == LENGTH:
            at = field.start
            while at < field.end and len(dims) <= room:
                dim, at = _varint(buffer, at, field.end)
                dims.append(signed(dim))
        if len(dims) > room:
            raise Malformed(f"its shape has more than {MAX_AXES} axes")
    return dims


class _Numbers:
    """The bytes of a repeated field of numbers: packed runs, or loose ones as writers without `packed` leave them."""

    def __init__(self, buffer: Buffer):
        self.buffer = buffer
        self.runs: list[tuple[int, int]] = []
        self.loose = bytearray()
        self.size = 0

    def add(self, field: Field) -> None:
        self.size += field.end - field.start
        if field.kind == LENGTH:
            self.runs.append((field.start, field.end))
        else:
            self.loose += self.buffer[field.start : field.end]
        if len(self.runs) > 1000 or (self.runs and self.loose):
            raise Malformed("its data lie in too many pieces")

    def array(self, dtype: str, dims: Sequence[int]) -> Array:
        """The numbers as float32; the shape is checked before anything is allocated."""
        count, rest = divmod(self.size, np.dtype(dtype).itemsize)
        if rest or min(dims, default=0) < 0 or max(dims, default=0) >= 1 << 31 or prod(dims) != count:
            shape = " x ".join(map(str, dims)) or "of one number"
            raise Malformed(f"its shape is {shape}, which is {prod(dims)} numbers, but it holds {count}")
        result = np.empty(count, np.float32)
        with np.errstate(over="ignore", invalid="ignore"):  # doubles beyond float32 become infinite
            if self.loose:
                result[:] = np.frombuffer(self.loose, dtype)
            at = 0
            for start, end in self.runs:
                at += _copy(self.buffer, start, end, dtype, result[at:])
        return result.reshape(tuple(dims))


def _copy(buffer: Buffer, start: int, end: int, dtype: str, out: Array) -> int:
    """Copy the run to the front of `out`, chunk by chunk, giving the file's pages back on the way."""
    size = np.dtype(dtype).itemsize
    if (end - start) % size:
        raise Malformed(f"its data end inside a number at byte {end}")
    for at in range(start, end, CHUNK):
        stop = min(at + CHUNK, end)
        count, done = (stop - at) // size, (at - start) // size
        out[done : done + count] = np.frombuffer(buffer, dtype, count, at)
        _release(buffer, at, stop)
    return (end - start) // size


def _release(buffer: Buffer, start: int, end: int) -> None:
    first, last = -(-start // mmap.PAGESIZE) * mmap.PAGESIZE, end // mmap.PAGESIZE * mmap.PAGESIZE
    if last > first and isinstance(buffer, mmap.mmap) and hasattr(mmap, "MADV_DONTNEED"):
        buffer.madvise(mmap.MADV_DONTNEED, first, last - first)


# --- written ---------------------------------------------------------------------------------------------------------


def varint(value: int) -> bytes:
    """A number as protobuf writes it; negative ones as int64."""
    value &= (1 << 64) - 1
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    out.append(value)
    return bytes(out)


def number_field(number: int, value: int) -> bytes:
    """A varint field."""
    return varint(number << 3 | VARINT) + varint(value)


def float_field(number: int, value: float) -> bytes:
    """A field of a float32."""
    return varint(number << 3 | FIXED32) + struct.pack("<f", value)


def message(number: int, pieces: Iterable[Piece]) -> list[Piece]:
    """The pieces as the payload of one length-delimited field."""
    pieces = list(pieces)
    size = sum(len(piece) if isinstance(piece, bytes) else piece.nbytes for piece in pieces)
    return [varint(number << 3 | LENGTH) + varint(size), *pieces]


def blob(number: int, data: npt.NDArray[Any], diff: npt.NDArray[Any] | None = None) -> list[Piece]:
    """A BlobProto field as C++ writes it: data, diff, shape."""
    pieces: list[Piece] = []
    for inner, values in ((_DATA, data), (_DATA + 1, diff)):
        if values is not None and values.size:
            pieces += message(inner, [np.ascontiguousarray(values, "<f4")])
    if data.ndim:
        pieces += message(_SHAPE, message(1, [b"".join(varint(dim) for dim in data.shape)]))
    return message(number, pieces)


class Writable(Protocol):
    """What takes bytes one block after the other."""

    def write(self, block: Any, /) -> object: ...


def write(destination: str | os.PathLike[str] | Writable, pieces: Iterable[Piece]) -> None:
    """Write the pieces to a file object, or to a path (made or replaced, not atomically: see `atomic`)."""
    if isinstance(destination, (str, os.PathLike)):
        with Path(destination).open("wb") as out:
            write(out, pieces)
        return
    for piece in pieces:
        destination.write(piece if isinstance(piece, bytes) else piece.reshape(-1).view(np.uint8).data)
