"""Blob: the numbers and gradients of one blob as numpy arrays, over the tensors that the net computes with."""

from __future__ import annotations

import math
import weakref
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

Array = npt.NDArray[np.float32]
Shape = tuple[int, ...]


def on_host(device: torch.device) -> bool:
    """Whether numpy can look at a tensor on `device` without a copy."""
    return device.type == "cpu"


class Memory:
    """The data or the diff of a blob: an array on the host and, where the net is on a GPU, a tensor there; the newer counts.

    On the CPU both are the same memory. While somebody holds an array of it, it stays the blob's memory, and results are
    copied into it; else the blob takes the tensors that a pass makes as they are.
    """

    def __init__(self, shape: Shape = ()):
        self.shape = shape
        self._shown: weakref.ref[Array] | None = None  # what all arrays that were handed out are views of
        self._host: Tensor | None = None  # flat, perhaps longer than the shape needs
        self._device: Tensor | None = None
        self._newer = False  # whether the host's numbers are newer than the device's

    def array(self) -> Array:
        """The numbers, to be read and written."""
        host = self.host()
        flat = self._shown() if self._shown else None
        if flat is None:
            assert self._host is not None
            flat = self._host.numpy()
            self._shown = weakref.ref(flat)
        return flat[: host.numel()].reshape(self.shape)

    @property
    def exposed(self) -> bool:
        """Whether somebody holds an array of it."""
        return self._shown is not None and self._shown() is not None

    def host(self) -> Tensor:
        """The numbers as a tensor on the host; who writes into it writes into the blob."""
        host = self._room()
        if self._device is not None and not self._newer:
            host.copy_(self._device)
        self._newer = True
        return host

    def tensor(self, device: torch.device) -> Tensor:
        """The numbers on `device`."""
        if on_host(device):
            return self.host()
        if self._device is None or self._device.device != device or self._device.shape != self.shape:
            self._device = self.host().to(device, copy=True)
        elif self._newer:
            self._device.data.copy_(self._room())  # what autograd holds changes with it, as a layer's bottom does in Caffe
        self._newer = False
        return self._device

    def assign(self, tensor: Tensor) -> None:
        """Take the numbers and the shape of `tensor`, which nobody changes from now on."""
        tensor = tensor.detach().contiguous()
        self.shape = tuple(tensor.shape)
        if not on_host(tensor.device):
            self._device, self._newer = tensor, False
            return
        if self.exposed:
            self.copy(tensor)
        else:
            self._host, self._device, self._shown = tensor.view(-1), None, None

    def copy(self, tensor: Tensor) -> None:
        """Copy the numbers of `tensor` to the host, and take its shape. From a GPU the copy may still be under way."""
        self.shape, self._newer = tuple(tensor.shape), True
        room = self._room()
        if not on_host(tensor.device):
            room.copy_(tensor, non_blocking=True)
        elif room.data_ptr() != tensor.data_ptr():
            np.copyto(room.numpy(), tensor.numpy())  # not by torch: autograd holds what the last pass read here

    def reshape(self, shape: Shape) -> None:
        """Take another shape, in the same memory if it is large enough; zeros otherwise."""
        if shape == self.shape:
            return
        if self._device is not None:
            self.host()
        self.shape, self._device = shape, None

    def release(self) -> None:
        """Give the memory back unless somebody holds it; what is looked at next reads zeros."""
        if not self.exposed:
            self._host = self._device = None

    def _room(self) -> Tensor:
        count = math.prod(self.shape)
        if self._host is None or self._host.numel() < count:
            self._host, self._shown = torch.zeros(count), None
        return self._host[:count].view(self.shape)


class LearnedMemory:
    """The data or the diff of a learned blob: the net's own tensor, which `get` returns."""

    def __init__(self, get: Callable[[], Tensor], shape: Shape):
        self.shape = shape
        self._get = get
        self._shown: weakref.ref[Array] | None = None
        self._copy: Tensor | None = None  # of a tensor on a GPU; what is written into it goes there with `flush`

    def array(self) -> Array:
        """The numbers, to be read and written."""
        tensor = self._get().detach().view(self.shape)
        if not on_host(tensor.device):
            if self._copy is None:
                self._copy = torch.empty(self.shape)
            self._dirty = True
            tensor = self._copy.copy_(tensor)
        array: Array = tensor.numpy()
        self._shown = weakref.ref(array)
        return array

    @property
    def exposed(self) -> bool:
        """Whether somebody holds an array of it."""
        return self._shown is not None and self._shown() is not None

    def tensor(self, device: torch.device) -> Tensor:
        """The net's tensor."""
        self.flush()
        return self._get().detach().view(self.shape)

    def assign(self, tensor: Tensor) -> None:
        """Copy the numbers of `tensor`."""
        with torch.no_grad():
            self._get().detach().copy_(tensor.view_as(self._get()))

    copy = assign

    def flush(self) -> None:
        """Bring what was written on the host to the GPU."""
        if self._copy is not None and self._dirty:
            self._dirty = False
            self.assign(self._copy)

    def reshape(self, shape: Shape) -> None:
        """Learned blobs keep their count."""
        if math.prod(shape) != math.prod(self.shape):
            raise ValueError(f"a learned blob of {self.shape} cannot become {shape}: the solver keeps a history of its size")
        self.shape = shape

    _dirty = False


class Blob:
    """A named array of a net with its gradient: `data` and `diff` are numpy arrays that the next pass reads.

    `settle` is called before every look at it, so that whoever owns it can bring it up to date first.
    """

    def __init__(self, shape: Iterable[int] = (), settle: Callable[[], None] | None = None):
        self._data: Memory | LearnedMemory = Memory(tuple(shape))
        self._diff: Memory | LearnedMemory = Memory(tuple(shape))
        self._settle = settle or _nothing

    @property
    def data(self) -> Array:
        """The numbers; float32, writable."""
        self._settle()
        return self._data.array()

    @property
    def diff(self) -> Array:
        """Their gradients; float32, writable."""
        self._settle()
        return self._diff.array()

    @property
    def shape(self) -> Shape:
        """The sizes of its axes."""
        self._settle()
        return self._data.shape

    @property
    def count(self) -> int:
        """How many numbers it has."""
        return math.prod(self.shape)

    @property
    def num(self) -> int:
        """The size of axis 0, as in blobs of four axes."""
        return self._legacy(0)

    @property
    def channels(self) -> int:
        """The size of axis 1."""
        return self._legacy(1)

    @property
    def height(self) -> int:
        """The size of axis 2."""
        return self._legacy(2)

    @property
    def width(self) -> int:
        """The size of axis 3."""
        return self._legacy(3)

    def _legacy(self, axis: int) -> int:
        shape = self.shape
        if len(shape) > 4:
            raise ValueError(f"num, channels, height and width are of blobs of four axes or fewer; this one is {shape}")
        return shape[axis] if axis < len(shape) else 1

    def reshape(self, *shape: int) -> None:
        """Take another shape, one number for each axis. What was in it stays as far as it fits."""
        self._settle()
        sizes = tuple(int(size) for size in shape)
        if any(size < 0 for size in sizes):
            raise ValueError(f"a blob cannot have the shape {sizes}")
        self._data.reshape(sizes)
        self._diff.reshape(sizes)

    def bind(self, data: Callable[[], Tensor], diff: Callable[[], Tensor], shape: Shape) -> Blob:
        """Make it a view of a learned blob of the net."""
        self._data, self._diff = LearnedMemory(data, shape), LearnedMemory(diff, shape)
        return self

    def flush(self) -> None:
        """Bring what was written into a learned blob on the host to the GPU."""
        for memory in (self._data, self._diff):
            if isinstance(memory, LearnedMemory):
                memory.flush()

    def set_data(self, tensor: Tensor) -> None:
        """Take the numbers and the shape of `tensor`."""
        self._data.assign(tensor)
        self._diff.reshape(self._data.shape)

    def set_diff(self, tensor: Tensor) -> None:
        """Take the gradients of `tensor`, which has the blob's shape."""
        self._diff.assign(tensor)

    def release(self) -> None:
        """Give the memory back where nobody holds it: a pass is about to fill the blob anew."""
        for memory in (self._data, self._diff):
            if isinstance(memory, Memory):
                memory.release()

    def copy_data(self, tensor: Tensor) -> None:
        """Copy the numbers of `tensor`, and take its shape. From a GPU the copy may still be under way."""
        self._data.copy(tensor.detach())
        self._diff.reshape(self._data.shape)

    def copy_diff(self, tensor: Tensor) -> None:
        """Copy the gradients of `tensor`, which has the blob's shape, likewise."""
        self._diff.copy(tensor.detach())

    def data_on(self, device: torch.device) -> Tensor:
        """The numbers as a tensor on `device`."""
        return self._data.tensor(device)

    def diff_on(self, device: torch.device) -> Tensor:
        """The gradients as a tensor on `device`."""
        return self._diff.tensor(device)

    @property
    def exposed(self) -> bool:
        """Whether somebody holds an array of it, which must follow what passes compute."""
        return self._data.exposed or self._diff.exposed

    def __repr__(self) -> str:
        return f"<Blob {' x '.join(map(str, self.shape)) or 'of one number'}>"


class BlobVec(list[Any]):
    """The blobs of a layer."""

    def add_blob(self, *shape: int) -> None:
        """Append a blob of zeros."""
        self.append(Blob(int(size) for size in shape))


def gradient(parameter: Tensor) -> Tensor:
    """The gradient of a learned blob, which is there from now on."""
    if parameter.grad is None:
        parameter.grad = torch.zeros_like(parameter)
    return parameter.grad


def _nothing() -> None:
    """A blob that nobody owns is always up to date."""
