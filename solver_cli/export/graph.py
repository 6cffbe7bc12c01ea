"""An ONNX graph as it grows: its operators, constants and weights, under Caffe's names."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from torch import Tensor

from solver_cli.errors import ConfigError
from solver_cli.net.plan import Node

Value = str  # the name of a value of the graph


def onnx() -> Any:
    """The package onnx. Raises ConfigError that names the extra."""
    try:
        import onnx
    except ImportError:
        raise ConfigError("writing ONNX needs the package onnx: pip install 'solver-train[onnx]'") from None
    return onnx


class Graph:
    """Operators in order, and the values that they need; `title` and `blobs` are of the layer that is being written."""

    def __init__(self) -> None:
        self.helper = onnx().helper
        self.numpy_helper = onnx().numpy_helper
        self.operators: list[Any] = []
        self.initializers: dict[str, Any] = {}
        self.names: set[str] = set()
        self.title = ""
        self.weights: dict[int, str] = {}  # {id of a learned blob: its initializer}

    def add(self, kind: str, *inputs: Value, **attributes: Any) -> Value:
        """An operator with one output. Attributes that are None are left out."""
        return self.several(kind, *inputs, outputs=1, **attributes)[0]

    def several(self, kind: str, *inputs: Value, outputs: int, **attributes: Any) -> list[Value]:
        """An operator; its outputs."""
        made = [self.name(self.title if outputs == 1 else f"{self.title}/{i}") for i in range(outputs)]
        told = {key: value for key, value in attributes.items() if value is not None}
        self.operators.append(self.helper.make_node(kind, list(inputs), made, self.name(f"{self.title}/{kind}"), **told))
        return made

    def constant(self, values: Any, what: str = "constant") -> Value:
        """A constant, as it is if it is an array or a tensor, of float32 or int64 if it is numbers."""
        if isinstance(values, Tensor):
            values = values.detach().cpu().numpy()
        array = np.asarray(values)
        if array.dtype == np.float64:
            array = array.astype(np.float32)
        name = self.name(f"{self.title}.{what}")
        self.initializers[name] = self.numpy_helper.from_array(np.ascontiguousarray(array).reshape(array.shape), name)
        return name

    def blob(self, node: Node, index: int) -> Value:
        """A learned blob of the layer, which several may share."""
        learned = node.learned[index]
        blob = node.blobs()[index]
        if tuple(learned.blob.shape) != tuple(blob.shape):
            return self.constant(blob, node.blob_names[index])
        if id(learned) not in self.weights:
            self.weights[id(learned)] = self.constant(blob, node.blob_names[index])
        return self.weights[id(learned)]

    def reshape(self, x: Value, shape: Sequence[int]) -> Value:
        """x in another shape, in which 0 keeps an axis and -1 is inferred."""
        return self.add("Reshape", x, self.constant(np.array(shape, np.int64), "shape"))

    def rename(self, old: Value, new: Value) -> Value:
        """Let the value `old`, which nothing reads yet, be called `new`; a value that something made before is copied."""
        for operator in reversed(self.operators):
            if old in operator.input:
                break
            if old in operator.output:
                operator.output[list(operator.output).index(old)] = new
                return new
        self.operators.append(self.helper.make_node("Identity", [old], [new], self.name(f"{self.title}/Identity")))
        return new

    def name(self, name: str) -> str:
        """The name, with a number where it is taken."""
        found, number = name, 1
        while found in self.names:
            number += 1
            found = f"{name}_{number}"
        self.names.add(found)
        return found
