"""A net's learned blobs by name: read from weights files, written to them, and as torch names them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from solver_cli import log
from solver_cli.caffe_pb2 import NetParameter
from solver_cli.errors import SnapshotError, Where
from solver_cli.formats import caffemodel
from solver_cli.formats.atomic import atomic_write
from solver_cli.formats.caffemodel import LayerWeights
from solver_cli.net.plan import Node, shape_string
from solver_cli.text import dialects

Array = npt.NDArray[np.float32]


def by_name(nodes: Sequence[Node]) -> dict[str, Node]:
    """{layer name: the layer that weights of this name are for}: of several the first with learned blobs."""
    result: dict[str, Node] = {}
    for node in nodes:
        if node.learned and not result.get(node.name, node).learned:
            result[node.name] = node
        result.setdefault(node.name, node)
    return result


def load(nodes: Sequence[Node], path: str) -> None:
    """Copy the blobs of the weights file `path` into the layers of the same name.

    Layers that only the file has are ignored with a log line. Raises SnapshotError, with nothing copied, where a file
    cannot be read or a blob does not fit.
    """
    copies = list(_matches(nodes, caffemodel.read(path), path))
    with torch.no_grad():
        for blob, array in copies:
            blob.copy_(torch.from_numpy(np.ascontiguousarray(array).reshape(blob.shape)))


def _matches(nodes: Sequence[Node], weights: caffemodel.Weights, path: str) -> Iterable[tuple[Tensor, Array]]:
    """(learned blob, array of the file) for every layer that both have."""
    for layer, node in _of_one_name(nodes, weights):
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


def _of_one_name(nodes: Sequence[Node], weights: caffemodel.Weights) -> Iterator[tuple[LayerWeights, Node]]:
    """(layer of the file, the net's). Of several of one name those with blobs count: one by one, where both have as many, so
    that a run finds its own again; else each is for the first that it fits, and the last one stays, as with Caffe."""
    found: dict[str, list[LayerWeights]] = {}
    for layer in weights.layers:
        found.setdefault(layer.name, []).append(layer)
    learned: dict[str, list[Node]] = {}
    for node in nodes:
        if node.learned:
            learned.setdefault(node.name, []).append(node)
    meant = by_name(nodes)
    for name, layers in found.items():
        if name not in meant:
            for _ in layers:
                log.info("net.cpp:746", f"Ignoring source layer {name}")
            continue
        layers = [layer for layer in layers if layer.blobs] or layers[:1]
        own = learned.get(name, [meant[name]])
        if len(layers) == len(own):
            yield from zip(layers, own, strict=True)
        else:
            first = {x: next((node for node in own if _complete(node, x, weights.hdf5)), None) for x in layers}
            yield from [(x, node) for x, node in first.items() if node] or [(layers[0], own[0])]


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


def save(nodes: Sequence[Node], message: NetParameter, path: str, hdf5: bool) -> None:
    """Write the weights as Caffe does, binary or as HDF5; `message` is the net. Raises SnapshotError."""
    blobs = [[array(blob) for blob in node.blobs()] for node in nodes]
    with atomic_write(path) as out:
        if hdf5:
            caffemodel.write_hdf5(out, message, blobs, None, shared(nodes))
        else:
            caffemodel.write(out, message, blobs)


def shared(nodes: Sequence[Node]) -> frozenset[tuple[int, int]]:
    """The (layer, blob) that other layers own."""
    return frozenset((i, j) for i, n in enumerate(nodes) for j, x in enumerate(n.learned) if (x.node, x.index) != (n, j))


def array(blob: Tensor) -> Array:
    """The blob's values on the host; on a CPU they are not copied."""
    return blob.detach().cpu().numpy()


# -- state dicts ----------------------------------------------------------------------------------------------------


def titles(nodes: Sequence[Node]) -> list[str]:
    """What a state dict calls each layer: its name, `name#2` where a layer before has both this name and learned blobs."""
    seen: dict[str, int] = {}
    result = []
    for node in nodes:
        seen[node.name] = seen.get(node.name, 0) + bool(node.learned)
        result.append(node.name if seen[node.name] < 2 else f"{node.name}#{seen[node.name]}")
    return result


def by_layer(net: Any, state: dict[str, Any], prefix: str, _: Any) -> None:
    """A state dict's keys by layer name and blob: `conv1.weight`, not `layers.0.weight`."""
    for key in [key for key in state if key.startswith(f"{prefix}layers.")]:
        number, _, blob = key[len(f"{prefix}layers.") :].partition(".")
        state[f"{prefix}{net.titles[int(number)]}.{blob}"] = state.pop(key)


def by_number(net: Any, state: dict[str, Any], prefix: str, _: Any, __: bool, *problems: list[str]) -> None:
    """The way back, `layers.0.weight` as well; what is missing or of another shape is named as the caller knows it."""
    missing, _, errors = problems
    for number, title in enumerate(net.titles):
        for blob, own in net.layers[number].state_dict(keep_vars=True).items():
            name, inner = f"{prefix}{title}.{blob}", f"{prefix}layers.{number}.{blob}"
            given = state.pop(name, state.get(inner))
            if given is None:
                missing.append(name)
            elif given.shape != own.shape:
                errors.append(f"{name}: its shape is {tuple(given.shape)}, {tuple(own.shape)} is wanted")
            state[inner] = own if given is None or given.shape != own.shape else given
