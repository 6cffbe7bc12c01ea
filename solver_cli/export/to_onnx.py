"""A net as an ONNX model: its operators under the layers' names, values under the blobs', any batch size."""

from __future__ import annotations

from typing import Any

from solver_cli.errors import ConfigError, Error, Where
from solver_cli.export import onnx_found as _found  # noqa: F401 - registers its rules
from solver_cli.export import onnx_regions as _regions  # noqa: F401 - registers its rules
from solver_cli.export import onnx_steps as _steps  # noqa: F401 - registers its rules
from solver_cli.export import onnx_weights as _weights  # noqa: F401 - registers its rules
from solver_cli.export.graph import Graph, onnx
from solver_cli.export.onnx_layers import RULES
from solver_cli.export.reading import check_said, inferred
from solver_cli.formats.atomic import atomic_write
from solver_cli.net.net import Net
from solver_cli.net.plan import Node
from solver_cli.net.weights import titles

OPSET = 18
IR = 9  # the file's version that goes with it
BATCH = "batch"
REGIONS = ("PSROIPooling", "ROIAlign", "ROIPooling")  # whose tops have a row for each region
ANY_BATCH = ("DetectionOutput", "PriorBox", *REGIONS)  # they join records, but as many as there are


def write(net: Net, path: str) -> None:
    """Write the deploy net `net` as an ONNX model. Raises ConfigError, with the layer's place, for what ONNX cannot say."""
    with atomic_write(path) as out:
        out.write(model(net).SerializeToString())


def model(net: Net) -> Any:
    """The net as an onnx.ModelProto. The batch size is free unless a layer mixes the records of a batch."""
    helper = onnx().helper
    free = all(node.run is None or node.holds(node.kind.apart) or _takes_any(node) for node in net.nodes)
    named = any(node.kind.name in REGIONS for node in net.nodes)  # each input has a number of rows of its own
    if not net.outputs:
        raise ConfigError("the net has no output", Where(net.nodes[-1].spec.file))
    graph = Graph()
    values: dict[str, str] = {}
    inputs = []
    last = {blob: node for node in net.nodes for blob in node.tops}
    graph.names.update(last)
    for node, title in zip(net.nodes, titles(net.nodes), strict=True):
        if node.run is None:
            pairs = zip(node.tops, node.shapes, strict=True)
            inputs += [_value(blob, shape, free and (f"{blob}_rows" if named else BATCH)) for blob, shape in pairs]
            values.update({blob: blob for blob in node.tops})
            continue
        graph.title = title
        for blob, value in zip(node.tops, _tops(graph, node, [values[blob] for blob in node.bottoms]), strict=True):
            final = last[blob] is node and (node.kind.name != "Split" or blob in net.outputs)
            values[blob] = graph.rename(value, blob if blob not in net.inputs else f"{blob}_out") if final else value
    counted = _counted(net)
    rows = free and (None if named else BATCH)
    outputs = [_value(values[blob], net.blob_shapes[blob], rows, blob in counted) for blob in net.outputs]
    made = helper.make_graph(graph.operators, net.name or "net", inputs, outputs, list(graph.initializers.values()))
    return helper.make_model(
        made, producer_name="solver-train", ir_version=IR, opset_imports=[helper.make_opsetid("", OPSET)]
    )


def _tops(graph: Graph, node: Node, bottoms: list[str]) -> list[str]:
    """The values of the layer's tops. Raises ConfigError with its place."""
    try:
        rule = RULES.get(node.kind.name)
        if rule is None:
            remedy = "solver-tools deploy takes losses out" if node.kind.loss else "end the net before it"
            raise ConfigError(f"cannot be said in ONNX: {remedy}", field="type")
        check_said(node.param)
        made = rule(graph, node, *bottoms)
    except Error as error:
        raise node.spec.locate(error) from None
    return made if isinstance(made, list) else [made]


def _counted(net: Net) -> set[str]:
    """The blobs whose sizes the data decide: what is found, and what comes of that."""
    found: set[str] = set()
    for node in net.nodes:
        if node.kind.dynamic or found & set(node.bottoms):
            found |= set(node.tops)
    return found


def _takes_any(node: Node) -> bool:
    """Whether the layer joins records in a way that goes for any number of them."""
    return node.kind.name in ANY_BATCH or (node.kind.name == "Reshape" and inferred(node))


def _value(name: str, shape: tuple[int, ...], rows: str | bool | None, counted: bool = False) -> Any:
    """A float32 value of the graph from outside or to it; `rows`: what its first size is called, False for as it is."""
    dims: list[int | str | bool | None] = [None] * len(shape) if counted else list(shape)
    if rows is not False and dims and not counted:
        dims[0] = rows
    helper = onnx().helper
    return helper.make_tensor_value_info(name, onnx().TensorProto.FLOAT, dims)
