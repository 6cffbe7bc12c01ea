"""Nets as pictures: layers and blobs as nodes, drawn by Graphviz. Needs the extra `draw` and Graphviz's program `dot`."""

from __future__ import annotations

import importlib
import os
import re
from pathlib import Path
from typing import Any

from solver_cli import caffe_pb2 as caffe_pb2
from solver_cli.caffe_pb2 import LayerParameter, NetParameter, PoolingParameter
from solver_cli.errors import ConfigError
from solver_cli.pycaffe import elsewhere
from solver_cli.text.upgrade import net_needs_upgrade, upgrade_net

__getattr__ = elsewhere.names(__name__, pydot="pydot")

LAYER_STYLE_DEFAULT = {"shape": "record", "fillcolor": "#6495ED", "style": "filled"}
NEURON_LAYER_STYLE = {"shape": "record", "fillcolor": "#90EE90", "style": "filled"}
BLOB_STYLE = {"shape": "octagon", "fillcolor": "#E0E0E0", "style": "filled"}
_COLOURS = {"Convolution": "#FF5050", "Deconvolution": "#FF5050", "Pooling": "#FF9900", "InnerProduct": "#CC33FF"}
_LEARNING = ("Convolution", "Deconvolution", "InnerProduct")


def _pydot() -> Any:
    """The module pydot (or pydotplus); ConfigError that names the extra if neither is installed."""
    for name in ("pydot", "pydotplus"):
        try:
            return importlib.import_module(name)
        except ImportError:
            continue
    raise ConfigError("drawing nets needs pydot: pip install 'solver-train[draw]', and Graphviz")


def get_pooling_types_dict() -> dict[int, str]:
    """{number: name} of the pooling methods."""
    return {number: name for name, number in PoolingParameter.PoolMethod.items()}


def get_edge_label(layer: LayerParameter) -> str:
    """What a layer's outgoing edges say: its batch size or number of outputs, or an empty label."""
    if layer.type == "Data":
        return f"Batch {layer.data_param.batch_size}"
    if layer.type in ("Convolution", "Deconvolution"):
        return str(layer.convolution_param.num_output)
    if layer.type == "InnerProduct":
        return str(layer.inner_product_param.num_output)
    return '""'


def get_layer_lr_mult(layer: LayerParameter) -> tuple[float, float]:
    """The rate multipliers of weights and bias. Raises ValueError for layers that learn neither."""
    if layer.type not in _LEARNING:
        raise ValueError(f"{layer.type} layers do not have a learning rate multiplier")
    if len(layer.param) > 2:
        raise ValueError(f"layer '{layer.name}' has {len(layer.param)} param entries, not a weight's and a bias's")
    rates = [spec.lr_mult for spec in layer.param] + [1.0, 1.0]
    return rates[0], rates[1]


def get_layer_label(layer: LayerParameter, rankdir: str, display_lrm: bool = False) -> str:
    """A layer's label: name, type, kernel, stride and padding, and with `display_lrm` its rate multipliers."""
    kind = layer.type
    if kind == "Pooling":
        kind += f" {get_pooling_types_dict()[layer.pooling_param.pool]}"
    parts = [re.sub(r"([{}|<>])", r"\\\1", layer.name), f"({kind})"]  # signs that divide a record into fields
    separator = " " if rankdir in ("TB", "BT") else r"\n"  # a vertical drawing has room beside the words
    if layer.type in ("Convolution", "Deconvolution", "Pooling"):
        sizes = zip(("kernel size", "stride", "pad"), _window(layer), strict=True)
        parts.append(separator.join(f"{what}: {size}" for what, size in sizes))
    if display_lrm and layer.type in _LEARNING:
        rates = get_layer_lr_mult(layer)
        if any(rates):
            parts.append("lr mult: {:.1f}, {:.1f}".format(*rates))
    return _quoted(separator.join(parts))


def _window(layer: LayerParameter) -> tuple[str, str, str]:
    """Kernel size, stride and padding: one number, or height x width where they differ."""
    pooling = layer.type == "Pooling"
    settings: Any = layer.pooling_param if pooling else layer.convolution_param

    def size(both: str, default: int, prefix: str) -> str:
        sides = [prefix + "_h", prefix + "_w"]
        if any(settings.HasField(side) for side in sides):
            return " x ".join(str(getattr(settings, side)) for side in sides)
        value = getattr(settings, both)
        return str(value) if pooling else " x ".join(map(str, value)) or str(default)

    return size("kernel_size", 1, "kernel"), size("stride", 1, "stride"), size("pad", 0, "pad")


def choose_color_by_layertype(layertype: str) -> str:
    """The colour in which a layer of this type is filled."""
    return _COLOURS.get(layertype, LAYER_STYLE_DEFAULT["fillcolor"])


def get_pydot_graph(
    caffe_net: NetParameter,
    rankdir: str,
    label_edges: bool = True,
    phase: int | None = None,
    display_lrm: bool = False,
) -> Any:
    """The net as a pydot.Dot: `rankdir` LR, TB or BT; all its layers, or those of one `phase`.

    Nets of old formats are upgraded in a copy first. Raises ConfigError where the extra is missing, ValueError for a layer
    with both include and exclude.
    """
    pydot = _pydot()
    net = _of_today(caffe_net)
    graph = pydot.Dot(_quoted(net.name or "Net"), graph_type="digraph", rankdir=rankdir)
    nodes: dict[str, Any] = {}
    edges = []
    for layer in net.layer:
        if phase is not None and not _included(layer, phase):
            continue
        key = _quoted(f"{layer.name}_{layer.type}")
        nodes[key] = pydot.Node(key, label=get_layer_label(layer, rankdir, display_lrm), **_style(layer))
        for blob in [*layer.bottom, *layer.top]:
            name = _quoted(f"{blob}_blob")
            nodes[name] = pydot.Node(name, label=_quoted(blob), **BLOB_STYLE)
        edges += [pydot.Edge(_quoted(f"{blob}_blob"), key, label='""') for blob in layer.bottom]
        label = get_edge_label(layer) if label_edges else '""'
        edges += [pydot.Edge(key, _quoted(f"{blob}_blob"), label=label) for blob in layer.top]
    for node in nodes.values():
        graph.add_node(node)
    for edge in edges:
        graph.add_edge(edge)
    return graph


def _of_today(net: NetParameter) -> NetParameter:
    """The net in today's format."""
    if not net_needs_upgrade(net):
        return net
    upgraded = NetParameter()
    upgraded.CopyFrom(net)
    upgrade_net(upgraded, net.name or "net")
    return upgraded


def _style(layer: LayerParameter) -> dict[str, str]:
    """Shape and colour of a layer: green where it works in place."""
    if len(layer.bottom) == len(layer.top) == 1 and layer.bottom[0] == layer.top[0]:
        return NEURON_LAYER_STYLE
    return LAYER_STYLE_DEFAULT | {"fillcolor": choose_color_by_layertype(layer.type)}


def _included(layer: LayerParameter, phase: int) -> bool:
    """Whether the layer's rules let it into `phase`; levels and stages do not count here."""
    if layer.include and layer.exclude:
        raise ValueError(f"layer {layer.name} has both include and exclude specified.")
    rules = layer.include or layer.exclude
    met = any(not rule.HasField("phase") or rule.phase == phase for rule in rules)
    return met == bool(layer.include)


def _quoted(text: str) -> str:
    """The text as one string of Graphviz's language, in which a colon would name a port."""
    return '"' + text.replace('"', r"\"") + '"'


def draw_net(
    caffe_net: NetParameter, rankdir: str, ext: str = "png", phase: int | None = None, display_lrm: bool = False
) -> bytes:
    """The drawing as the bytes of a file of type `ext` (png, pdf, svg, ...; raw: Graphviz's text)."""
    graph = get_pydot_graph(caffe_net, rankdir, phase=phase, display_lrm=display_lrm)
    if ext == "raw":
        return bytes(graph.to_string(), "utf-8")
    try:
        drawing: bytes = graph.create(format=ext)
    except FileNotFoundError:
        raise ConfigError("drawing nets needs Graphviz's program dot on the PATH: install Graphviz") from None
    return drawing


def draw_net_to_file(
    caffe_net: NetParameter,
    filename: str | os.PathLike[str],
    rankdir: str = "LR",
    phase: int | None = None,
    display_lrm: bool = False,
) -> None:
    """Write the drawing to a file, whose ending says in which format."""
    kind = Path(filename).suffix[1:] or Path(filename).name
    Path(filename).write_bytes(draw_net(caffe_net, rankdir, kind, phase, display_lrm))
