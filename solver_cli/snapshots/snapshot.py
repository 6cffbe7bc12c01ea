"""Snapshots: weights and solver states between a solver and its files."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Event
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from solver_cli import log
from solver_cli.caffe_pb2 import NetParameter, SolverParameter
from solver_cli.errors import ConfigError, SnapshotError, Where
from solver_cli.formats import caffemodel, runstate, solverstate
from solver_cli.formats.atomic import atomic_write, check_place
from solver_cli.formats.caffemodel import LayerWeights
from solver_cli.net.net import Net
from solver_cli.net.plan import Learned, Node, shape_string
from solver_cli.snapshots import archive
from solver_cli.snapshots.archive import Summed, identity
from solver_cli.text import dialects

Array = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Names:
    """The two files of a snapshot: `<prefix>_iter_<N>.caffemodel` and `.solverstate`, with `.h5` behind both for HDF5."""

    prefix: str
    hdf5: bool

    def weights(self, iteration: int) -> str:
        """The weights file's name."""
        return f"{self.prefix}_iter_{iteration}.caffemodel" + ".h5" * self.hdf5

    def state(self, iteration: int) -> str:
        """The solver state's name."""
        return f"{self.prefix}_iter_{iteration}.solverstate" + ".h5" * self.hdf5

    def best(self) -> tuple[str, str]:
        """The two files of the snapshot with the best test output."""
        return f"{self.prefix}_best.caffemodel" + ".h5" * self.hdf5, f"{self.prefix}_best.solverstate" + ".h5" * self.hdf5

    def check_writable(self, last: int = 0) -> None:
        """Raise ConfigError unless files of these names, up to iteration `last`, can be written: it is tried."""
        if found := self._refusal(max(last, 0)):
            raise ConfigError(f"cannot write snapshots to '{self.prefix}': {found}", field="snapshot_prefix")

    def _refusal(self, last: int) -> str:
        folder = os.path.dirname(self.prefix) or "."  # noqa: PTH120 - Path takes 'a/' for 'a'
        if os.path.isdir(folder):  # noqa: PTH112 - no error for names that no system takes
            if not os.access(folder, os.W_OK | os.X_OK):
                return f"the folder '{folder}' is not writable"
        elif os.path.exists(folder):  # noqa: PTH110
            return f"'{folder}' is a file, not a folder"
        elif "\0" not in folder:
            return f"the folder '{folder}' does not exist; create it"
        try:
            check_place(self.state(last))
        except SnapshotError as error:
            return error.message.removeprefix("cannot be written: ")
        return ""


# -- weights --------------------------------------------------------------------------------------------------------


def load_weights(net: Net, path: str) -> None:
    """Copy the blobs of the weights file `path` into the layers of the same name.

    Layers that only the file has are ignored with a log line. Raises SnapshotError, with nothing copied, where a file
    cannot be read or a blob does not fit.
    """
    copies = list(_matches(net, caffemodel.read(path), path))
    with torch.no_grad():
        for blob, array in copies:
            blob.copy_(torch.from_numpy(np.ascontiguousarray(array).reshape(blob.shape)))


def _matches(net: Net, weights: caffemodel.Weights, path: str) -> Iterable[tuple[Tensor, Array]]:
    """(learned blob, array of the file) for every layer that both have."""
    for layer, node in _of_one_name(net, weights):
        layer = _arranged(node, layer)
        if not _complete(node, layer, weights.hdf5):
            raise SnapshotError(
                f"layer '{layer.name}' has {len(layer.blobs)} blob(s) in the file, the net's ({node.spec.where()}) has "
                f"{len(node.learned)}: rename the layer to learn it from scratch"
                + f", or say whose {node.param.type} it is (--dialect)"
                * (node.param.type in dialects.WORDS),
                Where(path),
            )
        for index, (blob, array) in enumerate(zip(node.blobs(), layer.blobs, strict=False)):
            if array is None:
                continue
            any_shape = not node.param.strict_dim and array.size == blob.numel()  # DeepLab's: only the count matters
            if not layer.fits(index, blob.shape) and not any_shape:
                raise SnapshotError(
                    f"layer '{layer.name}', blob {index}: its shape is {shape_string(array.shape)} in the file, "
                    f"{shape_string(tuple(blob.shape))} in the net ({node.spec.where()}): rename the layer to learn it from "
                    "scratch, or give it the file's shape",
                    Where(path),
                )
            yield blob, array


def _of_one_name(net: Net, weights: caffemodel.Weights) -> Iterator[tuple[LayerWeights, Node]]:
    """(layer of the file, the net's). Of several of one name those with blobs count: one by one, where both have as many, so
    that a run finds its own again; else each is for the first that it fits, and the last one stays, as with Caffe."""
    found: dict[str, list[LayerWeights]] = {}
    for layer in weights.layers:
        found.setdefault(layer.name, []).append(layer)
    learned: dict[str, list[Node]] = {}
    for node in net.nodes:
        if node.learned:
            learned.setdefault(node.name, []).append(node)
    for name, layers in found.items():
        if name not in net.by_name:
            for _ in layers:
                log.info("net.cpp:746", f"Ignoring source layer {name}")
            continue
        layers = [layer for layer in layers if layer.blobs] or layers[:1]
        nodes = learned.get(name, [net.by_name[name]])
        if len(layers) == len(nodes):
            yield from zip(layers, nodes, strict=True)
        else:
            first = {x: next((node for node in nodes if _complete(node, x, weights.hdf5)), None) for x in layers}
            yield from [(x, node) for x, node in first.items() if node] or [(layers[0], nodes[0])]


def _arranged(node: Node, layer: LayerWeights) -> LayerWeights:
    """The file's layer with its blobs in the order of the net's, where a fork has had them in several orders."""
    order = node.module.order([blob.size for blob in layer.blobs]) if hasattr(node.module, "order") else None  # type: ignore
    if order is None:
        return layer
    return replace(layer, blobs=tuple(layer.blobs[i] for i in order), legacy=tuple(layer.legacy[i] for i in order))


def _complete(node: Node, layer: LayerWeights, hdf5: bool) -> bool:
    """Whether the file has all blobs of the node, and no more, or leaves them to their owners (HDF5)."""
    blobs = list(layer.blobs) + [None] * (len(node.learned) - len(layer.blobs))
    return len(blobs) == len(node.learned) and all(
        blob is not None or (hdf5 and learned.node is not node)
        for blob, learned in zip(blobs, node.learned, strict=True)
    )  # fmt: skip


# -- pairs ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Pair:
    """Everything that a snapshot holds. Training may go on up to its next update, or for good if the pair is `copied`."""

    weights: str
    state: str
    net: NetParameter
    blobs: list[list[Tensor]]
    diffs: list[list[Tensor]] | None
    history: list[Tensor]
    shared: frozenset[tuple[int, int]]  # (layer, blob) that other layers own
    solver: solverstate.State
    run: dict[str, Any]
    stream: torch.cuda.Stream | None  # on which a GPU copies it, while training's goes on

    @property
    def learned(self) -> list[tuple[str, int]]:
        """(layer, blob) of every distinct learned blob, in the order of the history."""
        places = [(i, j) for i, own in enumerate(self.blobs) for j in range(len(own))]
        return [(self.net.layer[i].name, j) for i, j in places if (i, j) not in self.shared]

    def copied(self) -> Pair:
        """The pair in memory of its own, on the host."""
        with torch.cuda.stream(self.stream):
            blobs = [[_copy(blob) for blob in own] for own in self.blobs]
            diffs = None if self.diffs is None else [[_copy(diff) for diff in own] for own in self.diffs]
            return replace(self, blobs=blobs, diffs=diffs, history=[_copy(blob) for blob in self.history])

    def write(self) -> None:
        """Write the weights and the state with their checksum; raises SnapshotError.

        Only when both are written do they get their names, the weights first: a kill at any byte leaves an older pair
        whole, even one of the same names (see `archive.sweep`).
        """
        with atomic_write(self.state) as state_out, atomic_write(self.weights) as out:
            run = runstate.dumps({**self.run, "weights": self._write_weights(out)})
            write = solverstate.write_hdf5 if self.state.endswith(".h5") else solverstate.write
            with torch.cuda.stream(self.stream):
                history = [array(blob) for blob in self.history]
            write(state_out, replace(self.solver, learned_net=self.weights, history=history, run=run))
            state_out.flush()
            os.fsync(state_out.fileno())

    def _write_weights(self, out: BinaryIO) -> dict[str, int]:
        """Write the weights; their `archive.identity`."""
        with torch.cuda.stream(self.stream):
            blobs = [[array(blob) for blob in own] for own in self.blobs]
            diffs = None if self.diffs is None else [[array(diff) for diff in own] for own in self.diffs]
        if self.weights.endswith(".h5"):
            caffemodel.write_hdf5(out, self.net, blobs, diffs, self.shared)
            out.flush()
            return identity(out)  # HDF5 goes back and forth in its file
        summed = Summed(out)
        caffemodel.write(summed, self.net, blobs, diffs)
        out.flush()
        return summed.identity


def collect(
    net: Net,
    paths: tuple[str, str],
    state: solverstate.State,
    history: list[Tensor],
    run: dict[str, Any],
    steps: dict[int, Tensor] | None,
) -> Pair:
    """What a snapshot holds; what a pass changes is copied. `paths`: of weights and state; `steps` ({id of a blob: its last
    update}) become diffs."""
    layers = [list(zip(node.learned, node.blobs(), strict=True)) for node in net.nodes]
    diffs = None
    if steps is not None:
        diffs = [[_step(steps, learned.blob, blob) for learned, blob in own] for own in layers]
    return Pair(
        *paths,
        net.to_message(),
        [[_held(net, learned, blob.detach()) for learned, blob in own] for own in layers],
        diffs,
        history,
        frozenset((i, j) for i, n in enumerate(net.nodes) for j, x in enumerate(n.learned) if (x.node, x.index) != (n, j)),
        state,
        run,
        _stream(net.device),
    )


def _step(steps: dict[int, Tensor], learned: Tensor, blob: Tensor) -> Tensor:
    step = steps.get(id(learned))
    return torch.zeros(blob.shape) if step is None else step.reshape(blob.shape)


def _held(net: Net, learned: Learned, blob: Tensor) -> Tensor:
    """A learned blob that stays as it is until the next update: a copy of BatchNorm's statistics, of a Python layer's blobs
    and of those that a layer `rewrites` in its passes."""
    rewritten = learned.node.name in net.python_layers or getattr(learned.node.module, "rewrites", False)
    stays = learned.blob.requires_grad and not rewritten
    return blob if stays else blob.clone()


def _stream(device: torch.device) -> torch.cuda.Stream | None:
    """A new stream of a GPU that goes on from what the current one has been given so far."""
    if device.type != "cuda":
        return None
    stream = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
    stream.wait_stream(torch.cuda.current_stream(device))
    return stream


def array(blob: Tensor) -> Array:
    """The blob's values on the host; on a CPU they are not copied."""
    return blob.detach().cpu().numpy()


def _copy(blob: Tensor) -> Tensor:
    """A copy on the host. Numpy takes one thread, and of the kernel large pages."""
    return torch.from_numpy(array(blob).copy("K")) if blob.device.type == "cpu" else blob.detach().cpu()


# -- a run's --------------------------------------------------------------------------------------------------------


class Checkpoints:
    """The snapshots of one run: their names, the thread that writes them, which is the last one.

    `saved`: the state of the last one that was begun, "" if it failed; `good`: of the last one that is on the disk.
    """

    def __init__(self, param: SolverParameter, keep: int, file: str = "", best: bool = False, writes: bool = True):
        """`keep`: how many stay on the disk (0: all); `file`: the solver's; `best`: whether the best one is kept as well;
        `writes`: whether this process is the one that writes them.

        Raises ConfigError where snapshots that are asked for could not be written.
        """
        self.origin = {"type": param.type, "file": Path(file).name, "random_seed": param.random_seed}
        self.names = Names(param.snapshot_prefix, param.snapshot_format == SolverParameter.SnapshotFormat.Value("HDF5"))
        self.keep = keep
        self.writer = archive.Writer()
        self.saved = self.good = ""
        self._begun, self._own = time.time(), set[str]()
        self._copied = Event()
        self._copied.set()
        if not writes:
            return
        archive.sweep(self.names.prefix)
        if param.snapshot or param.snapshot_after_train or best:
            self.names.check_writable(param.max_iter)

    def check_layers(self, net: Net) -> None:
        """Raise ConfigError where the weights of `net` cannot be written in this format."""
        try:
            if self.names.hdf5:
                caffemodel.check_names([node.name for node in net.nodes], [len(node.learned) for node in net.nodes])
        except SnapshotError as error:
            named = [str(node.spec.where("name")) for node in net.nodes if f"'{node.name}'" in error.message]
            raise ConfigError(f"{error.message} ({', '.join(named)})", field="snapshot_format") from None

    def write(self, pair: Pair, retry: str, copy: bool) -> None:
        """Write `pair` in the background, then remove what is more than `keep`; for `retry` see `archive.Writer`.

        With `copy` training may go on: its next update waits for `copied`. Else it must wait for the writer.
        """
        pair = replace(pair, run={**pair.run, "origin": {**self.origin, "blobs": pair.learned}})

        def job() -> None:
            try:
                self._look_for_others(pair.state)
                (self._copy(pair) if copy else pair).write()
            except BaseException:
                self.saved = ""
                raise
            self.good = pair.state
            if self.keep:
                archive.thin_out(self.names.prefix, self.keep, pair.solver.iter)

        if copy:
            self._copied.clear()
        self.writer.submit(job, retry)

    def _look_for_others(self, path: str) -> None:
        """Warn of a second run of the same names: the state `path` is there, younger than this run, and not its own."""
        with suppress(OSError):
            if path not in self._own and os.stat(path).st_mtime > self._begun:  # noqa: PTH116
                remedy = "each needs a snapshot_prefix of its own, or they overwrite each other's snapshots"
                log.warning("solver.cpp", f"{path}: another run has written it since this one began: {remedy}")
        self._own.add(path)

    def _copy(self, pair: Pair) -> Pair:
        try:
            return pair.copied()
        finally:
            self._copied.set()

    def copied(self) -> None:
        """Return when weights and history may change."""
        self._copied.wait()
