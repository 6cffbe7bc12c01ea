"""A net as boxes and arrows: a box for each layer, with those that work in place behind it, and shapes on the arrows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from textwrap import wrap
from typing import Any

from google.protobuf.message import Message

from solver_cli import log
from solver_cli.caffe_pb2 import LayerParameter
from solver_cli.data.absent import AbsentData
from solver_cli.errors import Error
from solver_cli.net.net import Net
from solver_cli.registry import LayerType, Shape, find, layer_types
from solver_cli.text.netspec import LayerSpec, NetSpec, filter_layers, state

PHASES = ("TRAIN", "TEST")
SHORT = {"num_output": "out", "kernel_size": "kernel", "batch_size": "batch", "dropout_ratio": "ratio"}
UNTOLD = {"engine", "source", "backend", "root_folder", "mean_file", "bias_term"}
WIDTH = 30  # characters of a line of settings
Shapes = dict[tuple[str, str], Shape]  # of the top of a layer, both by name


@dataclass
class Arrow:
    """The blob `blob` that comes from the box `source`; `shape` is its, `minor` says that it is data such as labels, for
    which there is no gradient."""

    source: int
    blob: str
    shape: str
    minor: bool = False


@dataclass
class Box:
    """A layer: its name, type and settings, the types of those folded into it, and what it reads."""

    name: str
    type: str
    settings: list[str]
    family: str
    phases: frozenset[str]
    inputs: list[Arrow] = field(default_factory=list)
    folded: list[str] = field(default_factory=list)
    group: str = ""  # of boxes that belong together

    @property
    def lines(self) -> list[str]:
        """What stands in it below the name."""
        only = [f"{phase} only" for phase in self.phases] if len(self.phases) == 1 else []
        behind = wrap("+ " + ", ".join(self.folded), WIDTH) if self.folded else []
        return [self.type, *self.settings, *behind, *only]


def boxes(spec: NetSpec, phase: str, python_layers: bool = True) -> list[Box]:
    """The boxes of the net's layers in their order: those of one `phase`, or of both with "ALL". Raises ConfigError.

    Shapes are those of the plan; a net that cannot be built is drawn without, and the log says why.
    """
    phases = PHASES if phase == "ALL" else (phase,)
    specs = {each: spec.with_state(state(each), state(each)) for each in phases}
    kept = {each: filter_layers(one) for each, one in specs.items()}
    shapes: Shapes = {}
    for each in reversed(phases):
        shapes |= _shapes(specs[each], python_layers)
    return _connected(list(_in_order(spec, kept)), shapes, frozenset(phases))


def _shapes(spec: NetSpec, python_layers: bool) -> Shapes:
    """The shapes of all tops; none where the net cannot be built."""
    try:
        with log.silent():
            net = Net(
                spec, device="meta", python_layers=python_layers, absent=lambda node, error: AbsentData(node.param, error)
            )
        with closing(net):
            return {(node.name, top): shape for node in net.nodes for top, shape in zip(node.tops, node.shapes, strict=True)}
    except Error as error:
        log.warning("net.cpp", f"drawn without shapes: {error}")
        return {}


def _in_order(spec: NetSpec, kept: dict[str, list[LayerSpec]]) -> Iterator[tuple[LayerParameter, frozenset[str]]]:
    """Every layer that a phase keeps, with the phases that do."""
    left = {phase: [layer.param for layer in layers] for phase, layers in kept.items()}
    for layer in spec.param.layer:
        phases = frozenset(phase for phase, layers in left.items() if layers and layers[0] == layer)
        for phase in phases:
            left[phase].pop(0)
        if phases:
            yield layer, phases


def _connected(layers: Sequence[tuple[LayerParameter, frozenset[str]]], shapes: Shapes, every: frozenset[str]) -> list[Box]:
    """Boxes of `layers`, each with arrows from those that last made its bottoms in its phases."""
    found: list[Box] = []
    makers: dict[str, list[tuple[int, frozenset[str], str]]] = {}  # {blob: by which boxes, in which phases, of which shape}
    read: set[str] = set()
    for param, phases in layers:
        sources = {blob: [m for m in makers.get(blob, []) if m[1] & phases] for blob in param.bottom}
        in_place = list(param.bottom) == list(param.top) and len(param.top) == 1 and param.top[0] not in read
        (only,) = next(iter(sources.values())) if in_place and len(next(iter(sources.values()))) == 1 else (None,)
        if only and only[1] == phases:
            found[only[0]].folded.append(param.type)
            continue
        box = _box(param, phases if len(every) > 1 and phases != every else frozenset())
        quiet = {i % len(param.bottom) for i in _no_gradient(param) if param.bottom}
        for number, (blob, made) in enumerate(sources.items()):
            read.add(blob)
            for index, _, shape in made:
                box.inputs.append(Arrow(index, blob, shape, number in quiet and found[index].family == "data"))
        for blob in param.top:
            others = [m for m in makers.get(blob, []) if not m[1] <= phases]
            makers[blob] = [*others, (len(found), phases, _shape(shapes.get((param.name, blob))))]
            read.discard(blob)
        found.append(box)
    return found


def _kind(param: LayerParameter) -> LayerType | None:
    """The layer's type, of a dialect whose settings it has: they hardly differ in what is drawn."""
    dialects = [kind for name, kind in layer_types().items() if name.partition("/")[0] == param.type]
    fitting = max(dialects, key=lambda kind: bool(kind.param and param.HasField(kind.param)), default=None)
    return find(param.type) or fitting


def _box(param: LayerParameter, phases: frozenset[str]) -> Box:
    kind = _kind(param)
    package, _, name = (kind.build.__module__ if kind else "").rpartition(".")
    family = "loss" if kind and kind.loss else "data" if package.endswith((".data", ".net")) else name
    message: Message | None = getattr(param, kind.param) if kind and kind.param else None
    told = ", ".join(_settings(message)) if message else ""
    return Box(param.name, param.type, wrap(told, WIDTH), family, phases)


def _settings(message: Message) -> Iterator[str]:
    """Every plain setting that the text gives: `kernel 3`."""
    for settled, value in message.ListFields():
        if settled.message_type is not None or settled.name in UNTOLD:
            continue
        values: list[Any] = [value] if isinstance(value, (str, int, float, bytes)) else list(value)
        if settled.enum_type is not None:
            values = [settled.enum_type.values_by_number[each].name for each in values]
        words = (f"{each:g}" if isinstance(each, float) else str(each) for each in values)
        shown = "x".join(word.lower() if word in ("True", "False") else word for word in words)
        yield f"{SHORT.get(settled.name, settled.name)} {shown if len(shown) < WIDTH else '...'}"


def _no_gradient(param: LayerParameter) -> tuple[int, ...]:
    kind = _kind(param)
    return kind.no_gradient if kind else ()


def _shape(shape: Shape | None) -> str:
    """`64×56×56`: the first axis, mostly the batch, is the same everywhere and left out."""
    return "×".join(map(str, shape[1:])) if shape else ""
