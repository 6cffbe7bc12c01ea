"""Net: pycaffe's interface to a net. It runs the layers of a `solver_cli.Net` one by one, between the memories of Blobs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import zip_longest
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor, nn

from solver_cli import errors
from solver_cli.caffe_pb2 import Phase
from solver_cli.data.memory import MemoryData
from solver_cli.net import net as core
from solver_cli.net.plan import Node
from solver_cli.pycaffe import mode
from solver_cli.pycaffe.blob import Array, Blob, BlobVec, gradient
from solver_cli.pycaffe.layer import Layer, NetLayer
from solver_cli.pycaffe.passes import Captured, Pass, kept_tops
from solver_cli.pycaffe.python_layer import PythonLayer
from solver_cli.registry import load_packages
from solver_cli.text.netspec import read_net
from solver_cli.text.user_code import UserCodeError

Callback = Callable[[int], object]


class Net:
    """A net of a file in one phase.

    Net(file, phase, level=0, stages=None, weights=None), or as of old Net(file, weights, phase).

    `blobs`, `params`, `layer_dict`, `top_names`, `bottom_names`, `blob_loss_weights`: dicts in the order of the net.
    Raises RuntimeError for files that are not there, errors.Error for nets that cannot be built, and whatever a Python
    layer's `setup` and `reshape` raise.
    """

    def __init__(self, network_file: str, *args: Any, **kwargs: Any):
        phase, level, stages, weights = _arguments(*args, **kwargs)
        for path in (network_file, weights):
            if path is not None and not Path(path).is_file():
                raise RuntimeError(f"Could not open file {path}")
        load_packages()
        spec = read_net(str(network_file))
        with unwrapped():
            built = core.Net(
                core.in_state(spec, Phase.Name(phase), level, tuple(stages or ())),
                device=mode.device(),
                seed=mode.next_seed(),
            )
        self._wrap(built)
        if weights is not None:
            self.copy_from(weights)

    @classmethod
    def of(cls, net: core.Net) -> Net:
        """pycaffe's interface to a net that is there already."""
        self = cls.__new__(cls)
        self._wrap(net)
        return self

    def _wrap(self, net: core.Net) -> None:
        self.core = net
        self.name = net.name
        self.blobs: dict[str, Blob] = {}
        self._captured = Captured(net, self.blobs)
        self.blobs.update({name: Blob(shape, self._captured.settle) for name, shape in net.blob_shapes.items() if name})
        self._adopt_python_tops()
        self._layer_names = [node.name for node in net.nodes]
        learned = [[_learned_blob(node, i) for i in range(len(node.learned))] for node in net.nodes]
        self.layers: list[Layer | NetLayer] = [
            node.module.instance if isinstance(node.module, PythonLayer) else NetLayer(node.param.type, blobs)
            for node, blobs in zip(net.nodes, learned, strict=True)
        ]
        self.layer_dict = dict(zip(self._layer_names, self.layers, strict=True))
        self.params = {name: layer.blobs for name, layer in zip(self._layer_names, self.layers, strict=True) if layer.blobs}
        self.inputs = list(net.inputs)
        self.outputs = net.outputs
        self.top_names = {node.name: [top for top in node.tops if top] for node in net.nodes}
        self.bottom_names = {node.name: list(node.bottoms) for node in net.nodes}
        self.blob_loss_weights = {name: net.loss_weights.get(name, 0.0) for name in self.blobs}
        self._callbacks: dict[str, list[Callback]] = {when: [] for when in _MOMENTS}
        self._pass = Pass(net, self.blobs)
        for name, tensor in kept_tops(net).items():
            self.blobs[name].set_data(tensor)

    def _adopt_python_tops(self) -> None:
        """A Python layer's tops are the blobs that its `setup` was given: what it wrote there counts."""
        for node in self.core.nodes:
            if isinstance(node.module, PythonLayer):
                for name, blob in zip(node.tops, node.module.tops, strict=True):
                    if name not in node.bottoms:
                        blob._settle = self._captured.settle
                        self.blobs[name] = blob

    # -- passes ---------------------------------------------------------------------------------------------------------

    def forward(
        self, blobs: Iterable[str] | None = None, start: str | None = None, end: str | None = None, **kwargs: Any
    ) -> dict[str, Array]:
        """Run the layers from `start` to `end` (names, both included); return {output: its data}.

        `kwargs`: arrays for the inputs, all of them or none. `blobs`: names of more blobs to return. With `end` the outputs
        are that layer's tops.
        """
        first = self._layer_names.index(start) if start is not None else 0
        last = self._layer_names.index(end) if end is not None else len(self.layers) - 1
        wanted = {*(self.top_names[end] if end is not None else self.outputs), *(blobs or ())}
        if kwargs:
            if set(kwargs) != set(self.inputs):
                raise Exception(f"the arrays given are for {_list(kwargs)}, the net's inputs are {_list(self.inputs)}")
            for name, array in kwargs.items():
                self._fill(name, self.blobs[name].data, np.asarray(array), "input")
        self._forward(first, last)
        return {name: self.blobs[name].data for name in wanted}

    def backward(
        self, diffs: Iterable[str] | None = None, start: str | None = None, end: str | None = None, **kwargs: Any
    ) -> dict[str, Array]:
        """Run the layers backward from `start` down to `end` (names, both included); return {input: its diff}.

        `kwargs`: arrays for the diffs of the outputs, all of them or none. `diffs`: names of more blobs whose diffs to
        return. With `end` those of that layer's bottoms are returned. Diffs of learned blobs add up until they are cleared.
        """
        first = self._layer_names.index(start) if start is not None else len(self.layers) - 1
        last = self._layer_names.index(end) if end is not None else 0
        wanted = {*(self.bottom_names[end] if end is not None else self.inputs), *(diffs or ())}
        if kwargs:
            if set(kwargs) != set(self.outputs):
                raise Exception(f"the diffs given are for {_list(kwargs)}, the net's outputs are {_list(self.outputs)}")
            for name, array in kwargs.items():
                self._fill(name, self.blobs[name].diff, np.asarray(array), "diff")
        self._backward(first, last)
        return {name: self.blobs[name].diff for name in wanted}

    @staticmethod
    def _fill(name: str, own: Array, array: Any, what: str) -> None:
        if array.shape[:1] != own.shape[:1]:
            raise Exception(f"{what} '{name}' has a batch of {array.shape[:1]}, the net's is {own.shape[:1]}")
        own[...] = array

    def _forward(self, start: int, end: int) -> float:
        """Run the layers number `start` to `end`; return their loss."""
        self._prepare()
        loss = 0.0
        for index in range(start, end + 1):
            self._call("before_forward", index)
            loss += self._pass.forward(index)
            self._call("after_forward", index)
        return loss

    def _backward(self, start: int, end: int) -> None:
        """Run the layers number `start` down to `end` backward."""
        self._prepare()
        for index in range(start, end - 1, -1):
            self._call("before_backward", index)
            self._pass.backward(index)
            self._call("after_backward", index)

    def _prepare(self) -> None:
        """Bring blobs and device up to date before layers run."""
        self._captured.settle()
        if self.core.device != mode.device():
            self.core.to(mode.device())
        for blobs in self.params.values():
            for blob in blobs:
                blob.flush()

    def _call(self, when: str, index: int) -> None:
        for function in self._callbacks[when]:
            function(index)

    def before_forward(self, function: Callback) -> None:
        """Call `function(layer's number)` before each layer's forward pass."""
        self._callbacks["before_forward"].append(function)

    def after_forward(self, function: Callback) -> None:
        """Call `function(layer's number)` after each layer's forward pass."""
        self._callbacks["after_forward"].append(function)

    def before_backward(self, function: Callback) -> None:
        """Call `function(layer's number)` before each layer's backward pass, whether or not it computes anything."""
        self._callbacks["before_backward"].append(function)

    def after_backward(self, function: Callback) -> None:
        """Call `function(layer's number)` after each layer's backward pass."""
        self._callbacks["after_backward"].append(function)

    def reshape(self) -> None:
        """Let the shapes of the inputs reach all blobs, without computing anything."""
        self._prepare()
        for index in range(len(self.layers)):
            self._pass.reshape(index)

    # -- many batches ---------------------------------------------------------------------------------------------------

    def forward_all(self, blobs: Sequence[str] | None = None, **kwargs: Any) -> dict[str, Array]:
        """`forward` for arrays of any length, batch by batch; the outputs of all records."""
        found: dict[str, list[Array]] = {name: [] for name in {*self.outputs, *(blobs or ())}}
        for batch in self._batch(kwargs):
            for name, array in self.forward(blobs=blobs, **batch).items():
                found[name].extend(array.copy())
        return _joined(found, kwargs)

    def forward_backward_all(
        self, blobs: Sequence[str] | None = None, diffs: Sequence[str] | None = None, **kwargs: Any
    ) -> tuple[dict[str, Array], dict[str, Array]]:
        """`forward` and `backward` for arrays of any length, batch by batch: ({output: data}, {input: diff}) of all records.

        `kwargs`: arrays for the inputs and for the outputs' diffs.
        """
        found: dict[str, list[Array]] = {name: [] for name in {*self.outputs, *(blobs or ())}}
        gradients: dict[str, list[Array]] = {name: [] for name in {*self.inputs, *(diffs or ())}}
        forward = self._batch({name: kwargs[name] for name in self.inputs if name in kwargs})
        backward = self._batch({name: kwargs[name] for name in self.outputs if name in kwargs})
        nothing: dict[str, Any] = {}
        for inputs, above in zip_longest(forward, backward, fillvalue=nothing):
            for name, array in self.forward(blobs=blobs, **inputs).items():
                found[name].extend(array.copy() if array.ndim else [array.copy()])
            for name, array in self.backward(diffs=diffs, **above).items():
                gradients[name].extend(array.copy())
        return _joined(found, kwargs), _joined(gradients, kwargs)

    def _batch(self, arrays: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
        """Batches of the net's size; the last one is filled up with zeros."""
        if not arrays:
            return
        count = len(next(iter(arrays.values())))
        size = next(iter(self.blobs.values())).shape[0]
        for at in range(0, count, size):
            batch = {name: np.asarray(array[at : at + size]) for name, array in arrays.items()}
            yield {name: _padded(array, size) for name, array in batch.items()}

    def set_input_arrays(self, data: Array, labels: Array) -> None:
        """Let the MemoryData layer that the net begins with read `data` [n, channels, height, width] and `labels` [n]."""
        self._set_input_arrays(data, labels)

    def _set_input_arrays(self, data: Array, labels: Array) -> None:
        source = self.core.nodes[0].source if self.core.nodes else None
        if not isinstance(source, MemoryData):
            raise RuntimeError("set_input_arrays is for nets whose first layer is a MemoryData layer")
        labels = labels.reshape(-1, 1, 1, 1) if labels.ndim == 1 else labels
        for name, array in (("data", data), ("labels", labels)):
            if array.dtype != np.float32 or array.ndim != 4 or not array.flags.c_contiguous:
                found = f"{array.dtype} [{' x '.join(map(str, array.shape))}]"
                raise RuntimeError(f"{name} must be a C-contiguous float32 array of four axes, not {found}")
        if len(data) != len(labels):
            raise RuntimeError(f"{len(data)} rows of data need as many labels, not {len(labels)}")
        try:
            source.reset(data, labels)
        except errors.DataError as error:
            raise RuntimeError(error.message) from None

    # -- weights --------------------------------------------------------------------------------------------------------

    def copy_from(self, path: str) -> None:
        """Copy the weights of the file `path`, binary or HDF5, into the layers of the same name. Raises SnapshotError."""
        self._prepare()
        self.core.load(str(path))
        self._pass.forget()

    load_hdf5 = copy_from

    def save(self, path: str) -> None:
        """Write the weights to the binary file `path`."""
        self._prepare()
        self.core.save(str(path), hdf5=False)

    def save_hdf5(self, path: str) -> None:
        """Write the weights to the HDF5 file `path`."""
        self._prepare()
        self.core.save(str(path), hdf5=True)

    def share_with(self, other: Net) -> None:
        """Use the learned blobs of `other` in the layers of the same name; the diffs stay separate. Raises ConfigError."""
        self._prepare()
        before = {id(learned.blob) for learned in self.core.learned}
        self.core.share_with(other.core)
        for learned in self.core.learned:
            if id(learned.blob) not in before:
                learned.blob = nn.Parameter(learned.blob.detach(), learned.blob.requires_grad)
        self.core.install()
        self._pass.forget()

    def clear_param_diffs(self) -> None:
        """Set the diffs of all learned blobs to zero."""
        clear_gradients(self)

    # -- the names of old -------------------------------------------------------------------------------------------------

    @property
    def _blobs(self) -> BlobVec:
        return BlobVec(self.blobs.values())

    @property
    def _blob_names(self) -> list[str]:
        return list(self.blobs)

    @property
    def _blob_loss_weights(self) -> list[float]:
        return list(self.blob_loss_weights.values())

    @property
    def _inputs(self) -> list[int]:
        return [self._blob_names.index(name) for name in self.inputs]

    @property
    def _outputs(self) -> list[int]:
        return [self._blob_names.index(name) for name in self.outputs]

    def _top_ids(self, layer: int) -> list[int]:
        return [self._blob_names.index(name) for name in self.core.nodes[layer].tops if name]

    def _bottom_ids(self, layer: int) -> list[int]:
        return [self._blob_names.index(name) for name in self.core.nodes[layer].bottoms]


_MOMENTS = ("before_forward", "after_forward", "before_backward", "after_backward")


class unwrapped:
    """Let what a Python layer raised while a net was built come out as it was raised."""

    def __enter__(self) -> None:
        """Nothing to prepare."""

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, UserCodeError):
            if hasattr(error.error, "add_note"):
                error.error.add_note(str(error))
            raise error.error from None


def clear_gradients(net: Net) -> None:
    """Set learned blobs' diffs to zero; arrays of them that were handed out stay theirs."""
    shown = {id(blob._data._get()) for blobs in net.params.values() for blob in blobs if blob._diff.exposed}
    for learned in net.core.learned:
        if learned.blob.grad is not None and id(learned.blob) in shown:
            learned.blob.grad.zero_()
        else:
            learned.blob.grad = None


def _learned_blob(node: Node, index: int) -> Blob:
    def data() -> Tensor:
        return node.learned[index].blob

    return Blob().bind(data, lambda: gradient(data()), node.blob_shapes[index])


def _arguments(*args: Any, **kwargs: Any) -> tuple[int, int, Any, str | None]:
    """Phase, level, stages and weights, from either form of the constructor."""
    if args and isinstance(args[0], (str, Path)):
        weights, phase = _legacy(*args, **kwargs)
        return phase, 0, None, str(weights)
    return _named(*args, **kwargs)


def _legacy(weights: str | Path, phase: int) -> tuple[str | Path, int]:
    return weights, phase


def _named(phase: int, level: int = 0, stages: Any = None, weights: str | None = None) -> tuple[int, int, Any, str | None]:
    return phase, level, stages, weights


def _padded(array: Any, size: int) -> Any:
    missing = np.zeros((size - len(array), *array.shape[1:]), array.dtype)
    return np.concatenate([array, missing])


def _joined(found: Mapping[str, list[Array]], given: Mapping[str, Any]) -> dict[str, Array]:
    """Arrays of the records' results, without those of the padding."""
    count = len(next(iter(given.values()))) if given else None
    return {name: np.asarray(arrays)[:count] for name, arrays in found.items()}


def _list(names: Iterable[str]) -> str:
    return ", ".join(sorted(names)) or "none"
