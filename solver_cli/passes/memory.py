"""How much memory training takes: the run itself, on tensors without data.

A tracker counts the bytes of all tensors that live, and their peak. On meta tensors, which have shapes and no data, a pass
costs no memory and little time, but makes and drops the same tensors in the same order as the real one.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import count
from math import prod
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from solver_cli.caffe_pb2 import SolverParameter
from solver_cli.errors import ConfigError
from solver_cli.net.net import Net
from solver_cli.net.plan import LARGEST
from solver_cli.passes.passes import forward, forward_backward
from solver_cli.updates.update import Update

Batch = Mapping[str, Tensor]
Train = Callable[[Net, list[Batch]], object]
Test = Callable[[Net, Batch], object]

BLOCK = 512  # bytes: what the GPU's allocator rounds up to
CUBLAS = 32 << 20  # bytes of scratch that torch gives cuBLAS on a GPU of today
GUESSES = 8  # batches tried by the line through the last two, before halving the interval


class Tracker(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Counts the bytes of the tensors made while it is on, as long as they live: `live` now, `peak` at most.

    Several tensors in one storage count once. Scratch memory inside an operation is not seen.
    """

    def __init__(self, block: int = 1):
        """`block`: what the size of each storage is rounded up to."""
        super().__init__()  # type: ignore[no-untyped-call]
        self.live = self.peak = 0
        self._block = block
        self._known: set[int] = set()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        self.count(result if isinstance(result, list | tuple) else (result,))
        return result

    def count(self, values: Iterable[Any]) -> None:
        """Count the tensors among `values`, those in lists included, that are not counted yet."""
        for value in values:
            if isinstance(value, Tensor):
                self._add(value.untyped_storage())
            elif isinstance(value, list | tuple):
                self.count(value)

    def _add(self, storage: torch.UntypedStorage) -> None:
        key = storage._cdata
        if key not in self._known:
            size = -(-storage.nbytes() // self._block) * self._block
            self._known.add(key)
            self.live += size
            self.peak = max(self.peak, self.live)
            weakref.finalize(storage, self._drop, key, size).atexit = False

    def _drop(self, key: int, size: int) -> None:
        self._known.discard(key)
        self.live -= size


def measure(fn: Callable[[], object], before: Iterable[Tensor] = ()) -> int:
    """The most bytes that the tensors made by `fn()` take at once, together with those `before` it."""
    tracker = Tracker()
    tracker.count(before)
    with tracker:
        fn()
    return tracker.peak


@dataclass(frozen=True)
class Forecast:
    """Bytes at the moment of a run at which most are taken, for one net with `batch` items."""

    batch: int
    weights: int
    gradients: int
    history: int
    data: int  # the batch at work
    ahead: int  # batches that are read ahead
    activations: int  # everything else that is alive at the peak
    workspace: int  # cuDNN's and cuBLAS's scratch memory, an estimate; 0 on the CPU

    @property
    def total(self) -> int:
        parts = (self.weights, self.gradients, self.history, self.data, self.ahead, self.activations, self.workspace)
        return sum(parts)


# -- what runs ------------------------------------------------------------------------------------------------------


def iterate(net: Net, param: SolverParameter, batch: Batch, run: Train, block: int = 1) -> tuple[int, int, int]:
    """One iteration of training, from cleared gradients to the update: bytes of (gradients, history) and the peak."""
    for learned in net.learned:
        learned.blob.grad = None
    tracker = Tracker(block)
    tracker.count((*(learned.blob for learned in net.learned), *batch.values()))
    with tracker:
        update = Update(net, param)
        for _ in range(min(param.iter_size, 2)):  # from the second pass on, nothing but the first one's gradients is new
            run(net, [batch])
        gradients = _bytes(x.blob.grad for x in net.learned if x.blob.grad is not None)
        update(0.0, 0, param.iter_size)
    return gradients, _bytes(update.history), tracker.peak


# -- forecasts ------------------------------------------------------------------------------------------------------


def forecast(
    net: Net, param: SolverParameter, batch: int | None = None, run: Train = forward_backward, device: str | None = None
) -> Forecast:
    """What training `net` by the settings of `param` takes. The net, its weights and random numbers stay as they are.

    `batch`: items in the batch, None for the file's; `run`: what is done with the batches of a pass; `device`: the type
    of the device to forecast for, None for the net's. Raises Error where the net cannot work on such a batch.
    """
    device = device or net.device.type
    with without_data(net):
        inputs = meta_batch(net, batch)
        gradients, history, peak = iterate(net, param, inputs, run, BLOCK if device == "cuda" else 1)
        weights, data = _bytes(x.blob for x in net.learned), _bytes(inputs.values())
    return Forecast(
        batch=batch or batch_of(net),
        weights=weights,
        gradients=gradients,
        history=history,
        data=data,
        ahead=_ahead(net, inputs),
        activations=peak - weights - gradients - history - data,
        workspace=_workspace(net, batch) if device == "cuda" else 0,
    )


def forecast_test(net: Net, train: Net, training: Forecast, run: Test = forward, device: str | None = None) -> Forecast:
    """What a test of `net` takes in the middle of training `train`, whose forecast is `training`.

    Gradients and history are there then, too. Raises Error.
    """
    device = device or net.device.type
    shared = {id(learned.blob) for learned in train.learned}
    own = _bytes(x.blob for x in net.learned if id(x.blob) not in shared)
    with without_data(net):
        inputs = meta_batch(net)
        weights, data = _bytes(x.blob for x in net.learned), _bytes(inputs.values())
        tracker = Tracker(BLOCK if device == "cuda" else 1)
        tracker.count((*(x.blob for x in net.learned), *inputs.values()))
        with tracker:
            run(net, inputs)
    return Forecast(
        batch=batch_of(net),
        weights=training.weights + own,
        gradients=training.gradients,
        history=training.history,
        data=data,
        ahead=_ahead(net, inputs),
        activations=tracker.peak - weights - data,
        workspace=_workspace(net, None) if device == "cuda" else 0,
    )


def largest_batch(
    net: Net, param: SolverParameter, budget: int, run: Train = forward_backward, device: str | None = None
) -> int:
    """The most items a batch may have for training to fit into `budget` bytes, 0 if not even one does. Raises Error."""
    values = max((prod(shape) for shape in net.blob_shapes.values()), default=1)
    low, high = 0, max(LARGEST * batch_of(net) // max(values, 1), 1) + 1  # this many fit, this many do not
    guess, points = min(batch_of(net), high - 1), [(0, 0), (0, 0)]
    for tried in count(1):
        total = forecast(net, param, guess, run, device).total
        low, high = (guess, high) if total <= budget else (low, guess)
        if high - low <= 1:
            return low
        points = [points[-1], (guess, total)]
        guess = _crossing(points, budget) if 1 < tried < GUESSES else 2 * guess if tried == 1 else (low + high) // 2
        guess = min(max(guess, low + 1), high - 1)
    raise AssertionError


def _crossing(points: list[tuple[int, int]], budget: int) -> int:
    """Where the line through two points meets `budget`, rounded down."""
    (first, before), (second, after) = points
    if (after - before) * (second - first) <= 0:
        return 2 * max(first, second)
    return first + (budget - before) * (second - first) // (after - before)


# -- nets without data ----------------------------------------------------------------------------------------------


@contextmanager
def without_data(net: Net) -> Iterator[None]:
    """Let `net` compute on meta tensors inside: its learned blobs have shapes, but no values."""
    device, blobs = net.device, [learned.blob for learned in net.learned]
    empty = {id(blob): nn.Parameter(torch.empty_like(blob, device="meta"), blob.requires_grad) for blob in blobs}
    try:
        for learned in net.learned:
            learned.blob = empty[id(learned.blob)]
        net.device = torch.device("meta")
        net.install()
        with net.device:
            yield
    finally:
        for learned, blob in zip(net.learned, blobs, strict=True):
            learned.blob = blob
        net.device = device
        net.install()


def batch_of(net: Net) -> int:
    """The batch size as the net's file has it: the first axis of the first blob that is made from nothing; 1 without any."""
    made = (node.shapes[0] for node in net.nodes if not node.bottoms and not node.learned and node.shapes)
    return next((shape[0] for shape in made if shape), 1)


def meta_batch(net: Net, batch: int | None = None) -> dict[str, Tensor]:
    """A tensor without data for every top of data and Input layers, with `batch` items where the file has its batch size.

    Raises ConfigError where the tops of a layer of the user's would have to follow.
    """
    own = batch_of(net)
    for node in net.nodes:
        if node.kind.user_code and batch not in (None, own):
            node.spec.fail(f"is the user's code: what it does with a batch of {batch} instead of {own} cannot be foreseen")
    shapes = {top: shape for n in net.nodes if n.run is None for top, shape in zip(n.tops, n.shapes, strict=True)}
    if batch:
        shapes = {top: (batch, *shape[1:]) if shape[:1] == (own,) else shape for top, shape in shapes.items()}
    return {top: torch.empty(shape, device="meta") for top, shape in shapes.items()}


def _ahead(net: Net, batch: Batch) -> int:
    """The bytes of the batches that data layers keep ready, and of the one that waits to join them."""
    reading = (n for n in net.nodes if n.source is not None and n.kind.ahead)
    return sum((n.param.data_param.prefetch + 1) * _bytes(batch[top] for top in n.tops) for n in reading)


def _workspace(net: Net, batch: int | None) -> int:
    """cuDNN's scratch memory is mostly copies in another layout: as much as the largest convolution's blobs, at a guess."""
    convolutions = [node for node in net.nodes if node.kind.convolves]
    values = max((prod(net.blob_shapes[n.bottoms[0]]) + prod(n.shapes[0]) for n in convolutions), default=0)
    own = batch_of(net)
    return 4 * values * (batch or own) // own + CUBLAS


def _bytes(tensors: Iterable[Tensor]) -> int:
    """The bytes of the storages of `tensors`, each counted once."""
    return sum({s._cdata: s.nbytes() for s in (t.untyped_storage() for t in tensors)}.values())


# -- what there is --------------------------------------------------------------------------------------------------


def available(device: torch.device) -> int:
    """The bytes that this process may have on the GPU, or may still take in this machine. Raises ConfigError."""
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0] + torch.cuda.memory_reserved(device)
    found = [*_of_machine(), *_of_container(), *_of_process()]
    if not found:
        raise ConfigError("how much memory is free cannot be found out here: give --memory, such as --memory 8G")
    return max(min(found), 0)


def _of_machine() -> Iterator[int]:
    with suppress(OSError, LookupError, ValueError):
        yield _kilobytes("/proc/meminfo", "MemAvailable")


def _of_container() -> Iterator[int]:
    """What the control group leaves, if there is a limit."""
    with suppress(OSError, ValueError):
        limit, used = (int(Path(f"/sys/fs/cgroup/memory.{name}").read_text()) for name in ("max", "current"))
        yield limit - used


def _of_process() -> Iterator[int]:
    """What `ulimit -v` leaves."""
    with suppress(ImportError, OSError, LookupError, ValueError):
        import resource

        limit = resource.getrlimit(resource.RLIMIT_AS)[0]
        if limit != resource.RLIM_INFINITY:
            yield limit - _kilobytes("/proc/self/status", "VmSize")


def _kilobytes(file: str, entry: str) -> int:
    """The bytes of an entry in kB of a file of the kernel's."""
    lines = dict(line.split(":", 1) for line in Path(file).read_text().splitlines())
    return int(lines[entry].split()[0]) * 1024


def mebi(value: int) -> str:
    """Bytes as `12.3 MiB`"""
    return f"{value / 2**20:,.{1 if value >= 2**20 else 3}f} MiB"
