"""Weights files (.caffemodel, .caffemodel.h5): layers by name, each with its arrays.

>>> weights = read("lenet_iter_1000.caffemodel")
>>> weights.layers[1].name, weights.layers[1].blobs[0].shape
('conv1', (20, 1, 5, 5))
"""

from __future__ import annotations

import math
import os
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from solver_cli import caffe_pb2
from solver_cli.errors import SnapshotError, Where
from solver_cli.formats import hdf5, identify, wire
from solver_cli.formats.wire import LENGTH, MANY, VARINT, Array, Buffer, Field, Malformed, Piece, Truncated, Writable, fields

Arrays = Sequence[Sequence[npt.NDArray[Any]]]
DEEPEST = 50  # slashes in a layer's name in HDF5, where each makes a group


@dataclass(frozen=True, eq=False)
class LayerWeights:
    """The blobs of one layer of a weights file, in Caffe's order, as float32.

    `type` is today's name of the layer's type, or None where the file does not tell (HDF5, unknown V0 and V1 types).
    `legacy[i]`: blob i has the four old dimensions num x channels x height x width, from which leading ones may be dropped.
    A blob is None where an HDF5 file leaves it out, because another layer owns it.
    """

    name: str
    type: str | None
    blobs: tuple[Array | None, ...] = ()
    legacy: tuple[bool, ...] = ()

    def fits(self, index: int, shape: Sequence[int]) -> bool:
        """Whether blob `index` can be copied to a blob of this shape, as Caffe compares them.

        Forks write the numbers of channels as (C), (1, C) or (1, C, 1, 1): all of these go into each other.
        """
        blob = self.blobs[index]
        if blob is None:
            return False
        if max(shape, default=1) == blob.size == max(blob.shape, default=1) and math.prod(shape) == blob.size:
            return True
        if self.legacy[index]:
            return len(shape) <= 4 and blob.shape == (1,) * (4 - len(shape)) + tuple(shape)
        return blob.shape == tuple(shape)


@dataclass(frozen=True, eq=False)
class Weights:
    """A weights file: its layers in the order of the file, names that occur twice included.

    `hdf5`: shared blobs stand under their owner only, so a layer may have fewer blobs than the net's.
    """

    layers: tuple[LayerWeights, ...]
    hdf5: bool = False


def read(path: str | os.PathLike[str]) -> Weights:
    """The weights in a binary file of any generation or fork, or in an HDF5 file (told by its first bytes).

    Raises SnapshotError: no such file, empty, cut short, damaged, or something else than weights (it says what).
    """
    buffer = identify.map_file(path)
    found = identify.kind(buffer)
    if found == identify.HDF5:
        with hdf5.reading(path) as file:
            identify.expect(identify.WEIGHTS, identify.kind_hdf5(file), path)
            return Weights(tuple(_hdf5_layers(file["data"], path, hdf5.Arrays(file))), hdf5=True)
    identify.expect(identify.WEIGHTS, found, path)
    try:
        return Weights(tuple(_layers(buffer)))
    except Truncated as error:
        raise SnapshotError(f"the file is cut short: {error}; copy it again", Where(os.fspath(path))) from None
    except Malformed as error:
        raise SnapshotError(f"the file is damaged: {error}", Where(os.fspath(path))) from None


# --- binary, read ----------------------------------------------------------------------------------------------------


def _layers(buffer: Buffer) -> Iterator[LayerWeights]:
    """Today's layers (field 100), or V1 ones (2), which may hold V0 ones."""
    numbers = set()
    count = 0
    for field in fields(buffer):
        if field.kind != LENGTH or field.number not in (2, 100):
            continue
        numbers.add(field.number)
        if len(numbers) > 1:
            raise Malformed("it has both 'layer' and 'layers'")
        layer = _layer(buffer, field, 1, 2, 7) if field.number == 100 else _old_layer(buffer, field)
        count += 1 + len(layer.blobs)
        if count > MANY:
            raise Malformed(f"it has more than {MANY} layers and blobs")
        yield layer


def _layer(buffer: Buffer, layer: Field, name_at: int, type_at: int, blobs_at: int) -> LayerWeights:
    """A layer whose name, type and blobs have these field numbers."""
    name, type_name = "", None
    places = []
    for field in _inner(buffer, layer):
        if field.number == name_at and field.kind == LENGTH:
            name = wire.text(buffer, field)
        elif field.number == type_at:
            type_name = _V1_TYPES.get(field.value) if field.kind == VARINT else wire.text(buffer, field)
        elif field.number == blobs_at and field.kind == LENGTH:
            places.append(field)
            if len(places) > MANY:
                raise Malformed(f"layer '{name}' has more than {MANY} blobs")
    blobs = [_blob(buffer, field, name, i) for i, field in enumerate(places)]
    return LayerWeights(name, type_name, tuple(b for b, _ in blobs), tuple(legacy for _, legacy in blobs))


def _old_layer(buffer: Buffer, layer: Field) -> LayerWeights:
    for field in _inner(buffer, layer):
        if field.number == 1 and field.kind == LENGTH:
            oldest = _layer(buffer, field, 1, 2, 50)
            return replace(oldest, type=_V0_TYPES.get(oldest.type or ""))
    return _layer(buffer, layer, 4, 5, 6)


def _inner(buffer: Buffer, outer: Field) -> Iterator[Field]:
    """The fields inside a field that the file holds whole: one that is too long is damage, not a cut."""
    try:
        yield from fields(buffer, outer.start, outer.end)
    except Truncated as error:
        raise Malformed(str(error)) from None


def _blob(buffer: Buffer, field: Field, name: str, index: int) -> tuple[Array, bool]:
    try:
        return wire.read_blob(buffer, field.start, field.end)
    except Malformed as error:
        raise Malformed(f"layer '{name}', blob {index}: {error}") from None


_V0_TYPES = {"conv": "Convolution", "innerproduct": "InnerProduct"}  # the ones with blobs

# fmt: off
_V1_TYPES = dict(enumerate((
    "Accuracy", "BNLL", "Concat", "Convolution", "Data", "Dropout", "EuclideanLoss", "Flatten", "HDF5Data", "HDF5Output",
    "Im2col", "ImageData", "InfogainLoss", "InnerProduct", "LRN", "MultinomialLogisticLoss", "Pooling", "ReLU", "Sigmoid",
    "Softmax", "SoftmaxWithLoss", "Split", "TanH", "WindowData", "Eltwise", "Power", "SigmoidCrossEntropyLoss", "HingeLoss",
    "MemoryData", "ArgMax", "Threshold", "DummyData", "Slice", "MVN", "AbsVal", "Silence", "ContrastiveLoss", "Exp",
    "Deconvolution",
), start=1))
# fmt: on


# --- HDF5, read ------------------------------------------------------------------------------------------------------


def _hdf5_layers(
    group: Any, path: str | os.PathLike[str], arrays_of: hdf5.Arrays, prefix: str = "", seen: set[int] | None = None
) -> Iterator[LayerWeights]:
    """One layer a group; a slash in a layer's name makes a group inside a group, which may be a layer as well.

    A group of several names, which Caffe never makes, counts under the first: links may go in circles.
    """
    seen = {hdf5.address(group)} if seen is None else seen
    for name, member in hdf5.links(group):
        if hdf5.is_dataset(member) or hdf5.address(member) in seen or prefix.count("/") > DEEPEST:
            continue
        seen.add(hdf5.address(member))
        blobs = {
            int(key): _dataset(path, prefix + name, key, value, arrays_of)
            for key, value in hdf5.links(member)
            if hdf5.is_dataset(value) and key.isdecimal() and len(key) < 6
        }
        below = tuple(_hdf5_layers(member, path, arrays_of, f"{prefix}{name}/", seen))
        if blobs or not below:
            arrays = tuple(blobs.get(i) for i in range(max(blobs, default=-1) + 1))
            yield LayerWeights(prefix + name, None, arrays, (False,) * len(arrays))
        yield from below


def _dataset(path: str | os.PathLike[str], name: str, key: str, dataset: Any, arrays_of: hdf5.Arrays) -> Array:
    try:
        return arrays_of.read(dataset)
    except Malformed as error:
        raise SnapshotError(f"layer '{name}', blob {key}: {error}", Where(os.fspath(path))) from None


# --- written ---------------------------------------------------------------------------------------------------------


def write(
    destination: str | os.PathLike[str] | Writable,
    net: caffe_pb2.NetParameter,
    blobs: Arrays,
    diffs: Arrays | None = None,
) -> None:
    """Write binary weights, byte by byte as C++ serialises them: `blobs[i]` go into net.layer[i].

    `net` itself holds no blobs. A file of more than 2 GiB is written as well, though Caffe's own reader refuses it.
    """
    _check(net, blobs, diffs)
    wire.write(destination, _net(net, blobs, diffs))


def write_hdf5(
    destination: str | os.PathLike[str] | BinaryIO,
    net: caffe_pb2.NetParameter,
    blobs: Arrays,
    diffs: Arrays | None = None,
    shared: Collection[tuple[int, int]] = (),
) -> None:
    """Write HDF5 weights: /data/<layer>/<blob>, and /diff where `diffs` are given.

    `shared` names the (layer, blob) indices that other layers own: their data are left out, their diffs are not.
    Raises SnapshotError for layer names that HDF5 cannot hold; nothing has been written then.
    """
    _check(net, blobs, diffs)
    names = [layer.name for layer in net.layer]
    check_names(names, [len(own) for own in blobs])
    with hdf5.writing(destination) as file:
        for group, arrays in (("data", blobs), ("diff", diffs)):
            if arrays is None:
                continue
            file.create_group(group)
            for i, name in enumerate(names):
                layer = file[group].require_group(name)
                for j, array in enumerate(arrays[i]):
                    if group == "diff" or (i, j) not in shared:
                        layer.create_dataset(str(j), data=np.asarray(array, np.float32))


def _check(net: caffe_pb2.NetParameter, blobs: Arrays, diffs: Arrays | None) -> None:
    if len(blobs) != len(net.layer) or any(layer.blobs for layer in net.layer):
        raise ValueError(f"{len(net.layer)} layers, which must hold no blobs, and blobs for {len(blobs)}")
    for data, diff in zip(blobs, diffs if diffs is not None else blobs, strict=True):
        if [a.shape for a in data] != [a.shape for a in diff]:
            raise ValueError("a blob and its diff must have the same shape")


def _net(net: caffe_pb2.NetParameter, blobs: Arrays, diffs: Arrays | None) -> Iterator[Piece]:
    content = net.SerializeToString()
    data, diff = iter(blobs), iter(diffs if diffs is not None else [None] * len(blobs))
    for field in sorted(fields(content), key=lambda field: field.number):
        if field.number == 100:
            yield from wire.message(100, _with_blobs(content, field, next(data), next(diff)))
        else:
            yield content[field.at : field.end]


def _with_blobs(
    content: bytes, layer: Field, blobs: Sequence[npt.NDArray[Any]], diffs: Sequence[npt.NDArray[Any]] | None
) -> list[Piece]:
    """The layer's fields in the order of their numbers, its blobs (7) among them."""
    inner = sorted(fields(content, layer.start, layer.end), key=lambda field: field.number)
    pieces: list[Piece] = [content[f.at : f.end] for f in inner if f.number < 7]
    for i, array in enumerate(blobs):
        pieces += wire.blob(7, array, diffs[i] if diffs is not None else None)
    return pieces + [content[f.at : f.end] for f in inner if f.number > 7]


def check_names(names: Sequence[str], counts: Sequence[int]) -> None:
    """Raise SnapshotError unless HDF5 can hold layers of these names with so many blobs each."""
    taken = {f"{name}/{i}" for name, count in zip(names, counts, strict=True) for i in range(count)}
    learned: set[str] = set()
    for name, count in zip(names, counts, strict=True):
        parts = name.split("/")
        if "" in parts or "." in parts or "\0" in name or len(parts) - 1 > DEEPEST:
            found = "is no name there"
        elif count and name in learned:
            found = "is that of two layers with learned blobs"
        elif taken & {"/".join(parts[: i + 1]) for i in range(len(parts))}:
            found = "is the place of another layer's blob"
        else:
            learned |= {name} if count else set()
            continue
        raise SnapshotError(f"layer '{name}' cannot be stored in HDF5: its name {found}; use snapshot_format: BINARYPROTO")
