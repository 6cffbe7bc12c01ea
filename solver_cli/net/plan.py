"""From LayerSpecs to a plan: each layer built, its blobs connected, its shapes known."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
import torch
from google.protobuf.message import Message
from torch import Tensor, nn

from solver_cli import data as _data  # noqa: F401 - registers the data layers
from solver_cli import layers as _layers  # noqa: F401 - registers the compute layers
from solver_cli import log, schema
from solver_cli.caffe_pb2 import LayerParameter, NetParameter, ParamSpec, Phase
from solver_cli.data.source import Source
from solver_cli.errors import ConfigError, DataError, Error
from solver_cli.fillers import FillerError
from solver_cli.net import own
from solver_cli.net.divided import divided
from solver_cli.registry import SAME, LayerType, Says, Shape, layer, lookup
from solver_cli.text.netspec import LayerSpec

Absent = Callable[["Node", DataError], Source]
LARGEST = 2**31 - 1  # values in a blob of Caffe's
MOST_AXES = 32


@dataclass
class Learned:
    """One distinct learned blob, its owner and its multipliers (a sharing layer may set those that the owner leaves)."""

    blob: nn.Parameter
    node: Node
    index: int
    spec: ParamSpec
    statistic: bool = False  # not learned at all, but counted among the learned blobs, as in Caffe

    @property
    def lr_mult(self) -> float:
        return self.spec.lr_mult

    @property
    def decay_mult(self) -> float:
        return self.spec.decay_mult


@dataclass(eq=False)
class Node:
    """One layer of the plan.

    A compute layer has a `run` (a function with its settings bound, or a module); a data layer has a `source`; an Input
    layer has neither. `tops` of "" are made up and cannot be read.
    """

    spec: LayerSpec
    kind: LayerType
    param: LayerParameter
    bottoms: tuple[str, ...]
    tops: tuple[str, ...]
    loss_weights: tuple[float, ...]
    below: list[Shape]  # the bottoms' shapes
    shapes: list[Shape]
    run: Callable[..., Any] | None = None
    quick: Callable[..., Any] | None = None  # runs instead where nobody looks between the layers: see `fusion`
    fused: Node | None = None  # the layer before, which `quick` runs as well
    source: Source | None = None
    propagates: tuple[bool, ...] = ()  # none, or for each bottom whether it gets a gradient
    blob_names: tuple[str, ...] = ()  # the module's learned blobs, in Caffe's blob order
    blob_shapes: tuple[Shape, ...] = ()
    learned: list[Learned] = field(default_factory=list)

    @property
    def name(self) -> str:
        return self.param.name

    @property
    def module(self) -> nn.Module | None:
        return self.run if isinstance(self.run, nn.Module) else None

    @property
    def drawing(self) -> Any:
        """The module if it draws a mask in each pass: its `draw` makes one, its `mask` takes one made beforehand."""
        return self.module if getattr(self.module, "draws", False) else None

    def holds(self, says: Says) -> bool:
        """Whether a trait of the layer's type holds for this layer, with its settings and bottoms."""
        return says(self.param, self.below) if callable(says) else says

    def blobs(self) -> list[Tensor]:
        """The learned blobs in Caffe's order; a blob shared in another shape is a detached view of its owner's."""
        pairs = zip(self.learned, self.blob_shapes, strict=True)
        return [x.blob if tuple(x.blob.shape) == shape else x.blob.detach().view(shape) for x, shape in pairs]


class Planner:
    """Builds nodes one after the other, over the blobs made so far. `rng` seeds the data layers.

    `python_layers`: whether layers whose code the user brings along are welcome. `absent`: makes what stands in for a data
    layer whose data are not there. `parts`: of how many parts of a batch data layers make one.
    """

    def __init__(
        self,
        phase: int,
        rng: np.random.Generator,
        python_layers: bool = True,
        absent: Absent | None = None,
        parts: int = 1,
    ):
        self.phase, self.parts = phase, parts
        self.rng = rng
        self.python_layers = python_layers
        self.absent = absent
        self.shapes: dict[str, Shape] = {}
        self.available: set[str] = set()
        self.memory = 0

    def add(self, spec: LayerSpec) -> Node:
        """Build the layer of `spec` and connect it. Raises Error with the layer's place."""
        log.info("layer_factory.hpp:77", f"Creating layer {spec.param.name}")
        try:
            return self._add(spec)
        except Error as error:
            raise spec.locate(error) from None

    def _add(self, spec: LayerSpec) -> Node:
        param = LayerParameter()
        param.CopyFrom(spec.param)
        if not param.HasField("phase"):
            param.phase = self.phase
        kind = lookup(spec.kind or param.type, self.python_layers)
        if (kind.user_code or kind.brought) and not self.python_layers:
            code = kind.user_code(param) if kind.user_code else kind.origin
            raise ConfigError(f"is code ({code}), and Python layers are refused (--no-python-layers)", field="type")
        if param.propagate_down and len(param.propagate_down) != len(param.bottom):
            raise ConfigError(
                f"propagate_down is given {len(param.propagate_down)} times for {len(param.bottom)} bottoms: "
                "give it once for each bottom or not at all",
                field="propagate_down",
            )
        log.info("net.cpp:86", f"Creating Layer {param.name}")
        bottoms = tuple(self._take(param, i) for i in range(len(param.bottom)))
        tops = tuple(self._make(param, i, kind) for i in range(len(param.top)))
        check_counts(kind, param)
        least = kind.tops[0]
        if kind.loss and least != SAME:
            tops += ("",) * (least - len(tops))
        node = Node(spec, kind, param, bottoms, tops, (), [self.shapes[blob] for blob in bottoms], [])
        self._build(node, kind)
        node.loss_weights = (0.0,) * len(tops) if spec.weight_moved else loss_weights(kind, param, len(tops))
        self._finish(node)
        return node

    def _take(self, param: LayerParameter, index: int) -> str:
        blob = param.bottom[index]
        if blob not in self.available:
            raise ConfigError(
                f"unknown bottom blob '{blob}' (bottom {index}): it was changed in place, or no layer before makes it",
                field=f"bottom[{index}]",
            )
        self.available.remove(blob)
        log.info("net.cpp:408", f"{param.name} <- {blob}")
        return blob

    def _make(self, param: LayerParameter, index: int, kind: LayerType) -> str:
        blob = param.top[index]
        if not blob:
            raise ConfigError(f"top {index} has no name", field=f"top[{index}]")
        in_place = index < len(param.bottom) and param.bottom[index] == blob
        if in_place and not kind.in_place:
            raise ConfigError(f"cannot work in place: give top '{blob}' another name", field=f"top[{index}]")
        if blob in self.shapes and not in_place:
            raise ConfigError(
                f"top blob '{blob}' is made by more than one layer: rename it, or let this layer read it as its "
                f"bottom {index} to work in place",
                field=f"top[{index}]",
            )
        log.info("net.cpp:369" if in_place else "net.cpp:382", f"{param.name} -> {blob}" + " (in-place)" * in_place)
        self.shapes.setdefault(blob, ())
        self.available.add(blob)
        return blob

    def _build(self, node: Node, kind: LayerType) -> None:
        """Make the node's function, module or source, and find its tops' shapes."""
        training = node.param.phase == Phase.Value("TRAIN")
        if kind.name == "Input":
            node.shapes = input_shapes(node.param)
        elif kind.source:
            generator = np.random.default_rng(self.rng.integers(2**63))
            try:
                param = divided(schema.widened(node.param) if kind.brought else node.param, kind, self.parts)
                source: Source = kind.build(param, training, generator)
            except DataError as error:
                if self.absent is None:
                    raise
                source = self.absent(node, error)
            except RuntimeError as error:
                raise ConfigError(f"cannot make its tops: {first_line(error)}") from None
            node.source, node.shapes = source, [tuple(shape) for shape in source.shapes]
        elif kind.brought:
            self._build_own(node, training)
        else:
            with torch.device("meta"):
                node.run = instantiate(kind, node.param, node.below, len(node.tops))
                if node.module is not None:
                    if hasattr(type(node.module), "spec"):
                        node.module.spec = node.spec  # type: ignore[assignment]
                    node.module.train(training)
                    name_blobs(node, node.module)
                node.shapes = node.below if kind.same_shape else infer_shapes(node)

    def _build_own(self, node: Node, training: bool) -> None:
        """Make the function or module of a user's own type, and run it once without data."""
        make = partial(instantiate, node.kind, node.param, node.below, len(node.tops))
        with own.telling("cannot be made", node.kind):
            node.run = own.made(make, training, int(self.rng.integers(2**63)))
        with own.telling("fails on tensors without data", node.kind), torch.device("meta"):
            tops = as_tuple(own.on_meta(node.run)(*(torch.empty(shape) for shape in node.below)))
        node.shapes = [tuple(top.shape) for top in own.checked(tops, len(node.tops))]
        if node.module is not None:
            own.forget_values(node.module)
            name_blobs(node, node.module)

    def _finish(self, node: Node) -> None:
        for what, shapes in (("top", node.shapes), ("learned blob", node.blob_shapes)):
            for index, shape in enumerate(shapes):
                if len(shape) > MOST_AXES:
                    raise ConfigError(f"{what} {index} has {len(shape)} axes: a blob has {MOST_AXES} at most")
                if math.prod(shape) > LARGEST:
                    raise ConfigError(f"{what} {index} of shape {shape} has more values than a blob may, {LARGEST}")
        log.info("net.cpp:124", f"Setting up {node.name}")
        for blob, shape, weight in zip(node.tops, node.shapes, node.loss_weights, strict=True):
            self.shapes[blob] = shape
            log.info("net.cpp:131", f"Top shape: {shape_string(shape)}")
            if weight:
                log.info("net.cpp:134", f"    with loss weight {log.number(weight)}")
            self.memory += math.prod(shape)
        log.info("net.cpp:139", f"Memory required for data: {self.memory * 4}")


def check_counts(kind: LayerType, param: LayerParameter) -> None:
    """Refuse a number of bottoms or tops that the type does not take. Missing tops of losses are made up."""
    wanted = {"bottom": kind.bottoms, "top": (0, kind.tops[1]) if kind.loss else kind.tops}
    if kind.tops[0] == SAME:
        wanted["top"] = (len(param.bottom), len(param.bottom))
    for role, (least, most) in wanted.items():
        found = len(getattr(param, role))
        if found < least or (most is not None and found > most):
            only = f"{least}" if least == most else f"{least} or more" if most is None else f"{least} to {most}"
            more = " (one for each bottom)" if kind.tops[0] == SAME and role == "top" else ""
            raise ConfigError(f"takes {only} {role} blob(s){more}, not {found}", field=role)


def loss_weights(kind: LayerType, param: LayerParameter, tops: int) -> tuple[float, ...]:
    """The weight of each top in the loss: as given, else 1 for the first top of most loss layers and 0."""
    given = list(param.loss_weight)
    if not given and kind.loss and not kind.unweighted:
        given = [1.0]
    if given and len(given) != tops:
        raise ConfigError(
            f"loss_weight is given {len(param.loss_weight)} times for {tops} tops: give it once for each top",
            field="loss_weight",
        )
    return tuple(given) or (0.0,) * tops


@layer("Input", bottoms=0, tops=(1, None))
def input_shapes(param: LayerParameter) -> list[Shape]:
    """Tops of declared shapes, one for each or one for all, that whoever runs the net fills."""
    shapes = [tuple(shape.dim) for shape in param.input_param.shape]
    if len(shapes) not in (1, len(param.top)):
        raise ConfigError(
            f"has {len(shapes)} shapes for {len(param.top)} tops: give one for all or one for each",
            field="input_param.shape",
        )
    for shape in shapes:
        if any(dim < 0 for dim in shape):
            raise ConfigError(f"shape {shape} has a negative size", field="input_param.shape")
    return shapes * len(param.top) if len(shapes) == 1 else shapes


def instantiate(kind: LayerType, param: LayerParameter, bottoms: list[Shape], num_tops: int) -> Callable[..., Any]:
    """The layer's function with its settings bound, or its module."""
    param = schema.widened(param) if kind.brought else param
    message = getattr(param, kind.param) if kind.param else param
    settings = {name: setting(name, message, param, num_tops) for name in kind.asks if not _left(kind, name, message)}
    if not kind.is_class:
        return partial(kind.build, **settings) if settings else kind.build
    try:
        return kind.build(message, bottoms, **settings)  # type: ignore[no-any-return]
    except (RuntimeError, OverflowError) as error:
        shapes = ", ".join(map(str, bottoms)) or "(none)"
        raise ConfigError(f"cannot be built on bottoms of shape {shapes}: {first_line(error)}") from None
    except FillerError as error:
        holder = next((field.name for field, value in message.ListFields() if value == error.filler), "")
        error.field = f"{kind.param}.{holder}.{error.field}"
        raise


def setting(name: str, message: Message, param: LayerParameter, num_tops: int) -> Any:
    """What a layer's keyword-only argument `name` stands for: see `registry`."""
    if name == "num_tops":
        return num_tops
    field = message.DESCRIPTOR.fields_by_name.get(name)
    if field is None or message is param:
        if not hasattr(param, name):
            raise ConfigError(f"asks for '{name}', which {schema.name_of(message.DESCRIPTOR)} has not", field="type")
        return getattr(param, name)
    value = getattr(message, name)
    if hasattr(value, "append") or hasattr(value, "add"):
        return tuple(value)
    if field.message_type is None and not field.has_default_value and not message.HasField(name):
        return None
    return value


def _left(kind: LayerType, name: str, message: Message) -> bool:
    """Whether a setting that the text does not give is left to the default that the layer's own argument has."""
    argument = inspect.signature(kind.build).parameters[name]
    known = name in message.DESCRIPTOR.fields_by_name and name != "num_tops"
    return known and argument.default is not argument.empty and name not in {field.name for field, _ in message.ListFields()}


def name_blobs(node: Node, module: nn.Module) -> None:
    """Note the names and shapes of the module's learned blobs."""
    blobs = dict(module.named_parameters())
    node.blob_names, node.blob_shapes = tuple(blobs), tuple(tuple(blob.shape) for blob in blobs.values())


def infer_shapes(node: Node) -> list[Shape]:
    """Run the layer once without data: its tops' shapes, with no shape rule of its own."""
    assert node.run is not None
    try:
        tops = as_tuple(node.run(*(torch.empty(shape) for shape in node.below)))
    except (RuntimeError, IndexError, ValueError) as error:
        shapes = ", ".join(map(str, node.below))
        raise ConfigError(f"cannot work on bottoms of shape {shapes}: {first_line(error)}") from None
    if len(tops) != len(node.tops):
        raise ConfigError(f"makes {len(tops)} top blob(s), not {len(node.tops)}", field="top")
    return [tuple(top.shape) for top in tops]


def as_tuple(tops: Any) -> tuple[Tensor, ...]:
    """A layer's result as a tuple, of none (None), one or several tensors."""
    if isinstance(tops, tuple):
        return tops
    return () if tops is None else (tops,)


def first_line(error: Exception) -> str:
    """The first line of torch's words; the others are about torch itself."""
    return str(error).partition("\n")[0].partition("DefaultCPUAllocator: ")[2] or str(error).partition("\n")[0]


def shape_string(shape: Shape) -> str:
    """`32 1 28 28 (25088)`, as Caffe writes shapes."""
    return "".join(f"{dim} " for dim in shape) + f"({math.prod(shape)})"


def describe(param: NetParameter, layers: list[LayerSpec]) -> NetParameter:
    """The net as its state leaves it: the text that the log shows."""
    shown = NetParameter()
    shown.CopyFrom(param)
    shown.ClearField("layer")
    shown.layer.extend(spec.param for spec in layers)
    return shown
