"""Solver states (.solverstate, .solverstate.h5): where a run stands, without its weights.

Beside Caffe's own fields a state of ours holds two that Caffe skips: the text RUN, with what Caffe forgets (see `runstate`),
and the number CHECKSUM, by which a damaged file is told. In HDF5 they are datasets `run` and `checksum`.
"""

from __future__ import annotations

import math
import os
import struct
import zlib
from dataclasses import dataclass, field
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from solver_cli.errors import SnapshotError, Where
from solver_cli.formats import hdf5, identify, wire
from solver_cli.formats.wire import FIXED32, LENGTH, MANY, VARINT, Array, Buffer, Malformed, Piece, Truncated, fields

Event = tuple[float, int]  # SSD's minimum_loss and iter_last_event
RUN, CHECKSUM = 1000, 1001  # field numbers that no fork uses


@dataclass(frozen=True, eq=False)
class State:
    """The state of a solver after `iter` iterations.

    `learned_net` is the path of the weights file as the run wrote it, empty if there is none. `history` holds one float32
    array per distinct learned blob and slot of the update rule, slot by slot; old files give them four dimensions. `event`
    is there where the learning rate follows the losses (policy plateau) or restarts (sgdr), in states of forks always.
    """

    iter: int
    learned_net: str = ""
    current_step: int = 0
    history: list[npt.NDArray[Any]] = field(default_factory=list)
    run: str = ""
    event: Event | None = None

    def checksum(self) -> int:
        """CRC-32 over everything in the state."""
        text = f"{self.iter} {self.learned_net} {self.current_step} {self.run}" + (f" {self.event}" if self.event else "")
        crc = zlib.crc32(text.encode("utf-8", "surrogateescape"))
        for blob in self.history:
            crc = zlib.crc32(np.ascontiguousarray(blob, "<f4").data, crc)
        return crc


def check_there(path: str | os.PathLike[str]) -> None:
    """Raise SnapshotError unless `path` can be read and begins as a solver state does."""
    buffer = identify.map_file(path)
    found = identify.kind(buffer)
    if found == identify.HDF5:
        with hdf5.reading(path) as file:
            found = identify.kind_hdf5(file)
    identify.expect(identify.STATE, found, path)


def read(path: str | os.PathLike[str]) -> State:
    """The state in a binary or HDF5 file; what it does not know it passes over, as Caffe does.

    Raises SnapshotError: no such file, empty, cut short, damaged, or something else than a solver state (it says what).
    """
    buffer = identify.map_file(path)
    found = identify.kind(buffer)
    if found == identify.HDF5:
        with hdf5.reading(path) as file:
            identify.expect(identify.STATE, identify.kind_hdf5(file), path)
            try:
                return _read_hdf5(file, path)
            except Malformed as error:
                raise SnapshotError(f"the file is damaged: {error}", Where(os.fspath(path))) from None
    identify.expect(identify.STATE, found, path)
    try:
        return _read_binary(buffer)
    except Truncated as error:
        raise SnapshotError(f"the file is cut short: {error}; copy it again", Where(os.fspath(path))) from None
    except Malformed as error:
        raise SnapshotError(f"the file is damaged: {error}", Where(os.fspath(path))) from None


def _read_binary(buffer: Buffer) -> State:
    numbers = {1: 0, 4: 0, 6: -1, CHECKSUM: -1}
    learned_net = run = ""
    minimum_loss = 1e38
    history: list[npt.NDArray[Any]] = []
    for item in fields(buffer):
        if item.kind == VARINT and item.number in numbers:
            numbers[item.number] = wire.signed(item.value)
        elif item.kind == FIXED32 and item.number == 5:
            (minimum_loss,) = struct.unpack("<f", buffer[item.start : item.end])
        elif item.kind == LENGTH and item.number == 2:
            learned_net = wire.text(buffer, item)
        elif item.kind == LENGTH and item.number == RUN:
            run = wire.text(buffer, item)
        elif item.kind == LENGTH and item.number == 3:
            if len(history) == MANY:
                raise Malformed(f"its history has more than {MANY} blobs")
            try:
                history.append(wire.read_blob(buffer, item.start, item.end)[0])
            except Malformed as error:
                raise Malformed(f"history blob {len(history)}: {error}") from None
    state = State(numbers[1], learned_net, numbers[4], history, run, _event(minimum_loss, numbers[6]))
    return _checked(state, numbers[CHECKSUM])


def _event(minimum_loss: float, last_event: int) -> Event | None:
    """Both, unless they mean nothing: SSD's Caffe writes whatever was in its memory where the policy is another one."""
    return None if math.isnan(minimum_loss) or not 0 <= last_event < 2**31 else (minimum_loss, last_event)


def _checked(state: State, checksum: int) -> State:
    """The state, unless it is one of ours (it has a checksum, else -1, and tells of the run) and damaged."""
    if checksum != state.checksum() and (checksum != -1 or state.run):
        raise Malformed("its checksum does not fit its content")
    for name, value in (("iteration", state.iter), ("current_step", state.current_step)):
        if not 0 <= value < 2**31:
            raise Malformed(f"its {name} is {value}")
    return state


def _read_hdf5(file: Any, path: str | os.PathLike[str]) -> State:
    members = dict(hdf5.links(file))
    blobs = {name: member for name, member in hdf5.links(members["history"]) if name.isdecimal() and hdf5.is_dataset(member)}
    history: list[Array] = []
    arrays = hdf5.Arrays(file)
    for i in range(len(blobs)):
        try:
            history.append(arrays.read(blobs[str(i)]))
        except KeyError:
            raise SnapshotError(f"history blob {i} is missing", Where(os.fspath(path))) from None
        except Malformed as error:
            raise SnapshotError(f"history blob {i}: {error}", Where(os.fspath(path))) from None
    learned_net, run = (hdf5.text(hdf5.member(file, name)) if name in members else b"" for name in ("learned_net", "run"))
    iteration, step = (hdf5.number(hdf5.member(file, name)) for name in ("iter", "current_step"))
    checksum = hdf5.number(hdf5.member(file, "checksum")) if "checksum" in members else -1
    net = learned_net.rstrip(b"\0").decode("utf-8", "backslashreplace")
    event = None
    if "iter_last_event" in members:
        loss = hdf5.real(hdf5.member(file, "minimum_loss")) if "minimum_loss" in members else 1e38
        event = _event(loss, hdf5.number(hdf5.member(file, "iter_last_event")))
    return _checked(State(iteration, net, step, history, run.decode("utf-8", "backslashreplace"), event), checksum)


def write(destination: str | os.PathLike[str] | BinaryIO, state: State) -> None:
    """Write a binary state, byte by byte as C++ serialises it."""
    pieces: list[Piece] = [wire.number_field(1, state.iter)]
    if state.run:  # ahead of the rest, so that no cut leaves what looks like a state of Caffe's
        pieces += [wire.number_field(CHECKSUM, state.checksum()), *wire.message(RUN, [state.run.encode()])]
    if state.learned_net:
        pieces += wire.message(2, [state.learned_net.encode()])
    for blob in state.history:
        pieces += wire.blob(3, blob)
    pieces.append(wire.number_field(4, state.current_step))
    if state.event:
        pieces += [wire.float_field(5, state.event[0]), wire.number_field(6, state.event[1])]
    wire.write(destination, pieces)


def write_hdf5(destination: str | os.PathLike[str] | BinaryIO, state: State) -> None:
    """Write an HDF5 state with Caffe's datasets: iter, learned_net, current_step, history/<i>."""
    with hdf5.writing(destination) as file:
        file.create_dataset("iter", data=np.array([state.iter], np.int32))
        if state.learned_net:
            _write_string(file, b"learned_net", state.learned_net.encode())
        file.create_dataset("current_step", data=np.array([state.current_step], np.int32))
        if state.event:
            file.create_dataset("iter_last_event", data=np.array([state.event[1]], np.int32))
            file.create_dataset("minimum_loss", data=np.array([state.event[0]], np.float32))
        history = file.create_group("history")
        for i, blob in enumerate(state.history):
            history.create_dataset(str(i), data=np.asarray(blob, np.float32))
        if state.run:
            _write_string(file, b"run", state.run.encode())  # in the heap of free lengths damage can hang the library
            file.create_dataset("checksum", data=np.uint32(state.checksum()))


def _write_string(file: Any, name: bytes, text: bytes) -> None:
    """A string of fixed length that ends with a zero byte: Caffe reads on until it finds one."""
    import h5py

    kind = h5py.h5t.C_S1.copy()
    kind.set_size(len(text) + 1)
    timeless = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    timeless.set_obj_track_times(False)  # the same state gives the same bytes
    dataset = h5py.h5d.create(file.id, name, kind, h5py.h5s.create(h5py.h5s.SCALAR), timeless)
    dataset.write(h5py.h5s.ALL, h5py.h5s.ALL, np.array(text, f"S{len(text) + 1}"), kind)
