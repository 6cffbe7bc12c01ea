"""Every layer type by its Caffe name: a function, an `nn.Module`, or a data source.

A layer is written once, in its family's file, and named there:

    @layer("Power")
    def power(x, *, power, scale, shift):
        return (shift + scale * x) ** power

A function takes its bottoms and, as keyword-only arguments, the fields of its message that it uses. A class is built with
(message, bottom shapes) and called with its bottoms. Both may ask, keyword-only, for `num_tops` or for another message of
the layer by its field's name (`loss_param`).

What the net, the passes and the commands need to know of a type is said there too, by traits (see LayerType), such as
`@layer("Power", apart=True)`: they name no type, so a new one is one place. What a module does beside `forward` it shows by
having

    draws, draw, mask    whether it draws a mask in each pass, what makes one, and one made beforehand
    generator            what it draws from, on its device
    reset, state         what goes on from one batch to the next, and what ends that
    repeating            true while a batch that has been counted runs once more
    from_batch           whether it takes statistics, blobs that require no gradient, from the batch, which joins the records
    use_stored           the same as its settings say, None if that is left to the phase
    absorbs(following)   what does the work of the module behind as well, if anything does
    mean                 of a loss: its `mode` (LossParameter) and the label that is `ignored`

Types of a user's own are written alike, in a file (`--layers`) or in an installed package, which names the modules that
register some through the entry point group `solver_cli.layers`; so does Python, which lies above the net (see `pycaffe`).
Their settings are a message that a schema has (see `schema`), or what their keyword-only arguments say by annotations and
defaults (`*, margin: float = 1.0`): then the message is made of these.
"""

from __future__ import annotations

import inspect
import re
import typing
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import metadata
from typing import Any

from torch import Tensor

from solver_cli import schema
from solver_cli.caffe_pb2 import LayerParameter
from solver_cli.elsewhere import has_type
from solver_cli.errors import ConfigError, nearest

Count = int | tuple[int, int | None]
SAME = -1  # as many tops as bottoms


Shape = tuple[int, ...]
Shapes = Sequence[Shape]
Says = bool | Callable[[LayerParameter, Shapes], bool]  # a trait that the settings or the bottoms' shapes may decide
Overwrite = Callable[[LayerParameter], Callable[[Tensor], Tensor] | None]
Labels = Callable[[LayerParameter, Shape], tuple[int, int | None]]  # by the shape of the scores, bottom 0
Work = Callable[[LayerParameter, Shapes, Shapes, Shapes], int]  # by the shapes of learned blobs, bottoms and tops


@dataclass(frozen=True)
class LayerType:
    """One registered type: how it is built, where its settings stand, how many blobs it takes and gives, and its traits."""

    name: str
    build: Callable[..., Any]
    param: str | None  # the LayerParameter field with its settings; None: it has none, or takes the LayerParameter itself
    bottoms: tuple[int, int | None]
    tops: tuple[int, int | None]
    source: bool
    origin: str  # the Caffe that has it: BVLC, or the fork that had it first or is followed; a module of the user's own
    brought: bool = False  # whether it is no type of this package's, but a user's own

    # what the net needs
    loss: bool = False  # the first top has loss_weight 1 unless told; missing tops are made up
    unweighted: bool = False  # a loss that has loss_weight 0 unless told: its fork leaves the usual 1 out
    in_place: bool = True  # whether a top may have its bottom's name
    same_shape: bool = False  # the top always has the bottom's shape: quicker to know than to find out
    no_gradient: tuple[int, ...] = ()  # bottoms for which Caffe's backward pass stops; -1 is the last one
    spared: tuple[int, ...] = ()  # those of them that force_backward leaves alone
    goes_on: Says = False  # Caffe's backward pass fills the bottom's gradient whatever propagate_down says
    each: bool = False  # top i wants a gradient if bottom i does, and not whenever any bottom does
    ahead: bool = True  # of a source: a thread reads its batches while the net computes
    transforms: bool = False  # of a source: it does what transform_param says
    reads: tuple[str, ...] = ()  # other types' settings that it reads too
    user_code: Callable[[LayerParameter], str] | None = None  # the user's class of which the module has an `instance`

    # how it may be run otherwise; where nothing is said, what is always right
    apart: Says = False  # row n of each top (but a loss) depends on row n of each bottom alone: a batch may run in pieces
    half: Says = False  # it works on halves; all others get and give float32
    dynamic: bool = False  # values decide the tops' shapes
    waits: Says = False  # it reads values while it works, for which a GPU is waited for; so do all that are dynamic
    once: bool = False  # it does more than to make its tops, so it is neither compiled nor run again
    view: bool = False  # its tops lie in its bottoms' memory
    convolves: bool = False  # a CPU's weights are best with channels last, and cuDNN takes scratch memory
    lets_go: Says = False  # autograd keeps no top of it, so that the layer behind may overwrite that
    overwrite: Overwrite | None = None  # what does the same in the bottom's memory, if anything does

    # what is told of it
    labels: Labels | None = None  # bottom 1 are labels: of how many classes, and which one is ignored
    overflow: float | None = None  # what the loss is when the scores of all records have overflowed
    work: Work | None = None  # the multiplications in its products of matrices, forward

    @property
    def is_class(self) -> bool:
        return inspect.isclass(self.build)

    @property
    def asks(self) -> list[str]:
        """The names of its keyword-only arguments."""
        return [name for name, p in inspect.signature(self.build).parameters.items() if p.kind is p.KEYWORD_ONLY]

    def knows(self, field: str) -> bool:
        """Whether a user's own type looks itself at what stands in this field of its layer."""
        return self.brought and field in (self.param, *self.asks)

    @property
    def doc(self) -> str:
        return (inspect.getdoc(self.build) or "").partition("\n")[0]


_types: dict[str, LayerType] = {}


def layer(
    name: str, *, param: str | None = "", bottoms: Count | None = None, tops: Count = 1, origin: str = "", **traits: Any
) -> Callable[[Any], Any]:
    """Register a compute layer.

    `param`: the field with its settings (default: the one named after the type, `inner_product_param`, if there is one).
    `bottoms`, `tops`: how many, a number or (least, most), most None for any; tops SAME: one for each bottom. Bottoms that
    are not given are a function's arguments, and one for a class. `origin`, `traits`: see LayerType.
    """
    return lambda build: _register(name, build, param, bottoms, tops, origin, source=False, **traits)


def source(
    name: str, *, param: str | None = "", tops: Count = 1, origin: str = "", **traits: Any
) -> Callable[[Any], Any]:
    """Register a data source: a class built with (LayerParameter, training, numpy Generator); see `data.source.Source`."""
    return lambda build: _register(name, build, param, 0, tops, origin, source=True, **traits)


def _register(
    name: str, build: Any, param: str | None, bottoms: Count | None, tops: Count, origin: str, **traits: Any
) -> Any:
    if name in _types:
        there = _types[name]
        raise ConfigError(f"layer type '{name}' is there already, {there.origin}'s: give yours another name")
    if param == "":
        param = _param_field(name) or (None if _ours(build) else _declared(name, build))
    counts = _range(_arguments(build) if bottoms is None else bottoms), _range(tops)
    origin = origin or ("BVLC" if _ours(build) else build.__module__.partition(".")[0])
    _types[name] = LayerType(name, build, param, *counts, origin=origin, brought=not _ours(build), **traits)
    return build


def _ours(build: Any) -> bool:
    return str(build.__module__).partition(".")[0] == __name__.partition(".")[0]


def _arguments(build: Any) -> Count:
    """How many bottoms a function takes; one for a class."""
    if inspect.isclass(build):
        return 1
    places = [p for p in inspect.signature(build).parameters.values() if p.kind is not p.KEYWORD_ONLY]
    least = sum(p.default is p.empty and p.kind is not p.VAR_POSITIONAL for p in places)
    return least, None if any(p.kind is p.VAR_POSITIONAL for p in places) else len(places)


def by_axis(field: str) -> Callable[[LayerParameter, Shapes], bool]:
    """`apart` for a layer that works along the axis in `field`, or from there on: unless that is the first."""
    message, _, name = field.partition(".")
    return lambda param, bottoms: bool(getattr(getattr(param, message), name) % len(bottoms[0]))


def _range(count: Count) -> tuple[int, int | None]:
    return (count, count) if isinstance(count, int) else count


def _param_field(name: str) -> str | None:
    """`inner_product_param` for InnerProduct, None where no field is named after the type."""
    wanted = name.partition("/")[0].lower() + "param"
    return next((field for field in _layer_fields() if field.replace("_", "") == wanted), None)


def _layer_fields() -> list[str]:
    return list(schema.wide(LayerParameter).DESCRIPTOR.fields_by_name)


def _declared(name: str, build: Any) -> str | None:
    """The new field with a message of what the arguments of a user's own layer say; None where it has no settings."""
    places = inspect.signature(build).parameters
    hints = typing.get_type_hints(build.__init__ if inspect.isclass(build) else build)
    asked = [p for p in places.values() if p.kind is p.KEYWORD_ONLY and p.name not in (*_layer_fields(), "num_tops")]
    if not asked:
        return None
    word = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name).lower()
    settings = {p.name: _setting(p, hints.get(p.name), f"{word}_param") for p in asked}
    schema.declare(f"{name}Parameter", f"{word}_param", settings, build.__module__)
    return f"{word}_param"


def _setting(argument: inspect.Parameter, hint: Any, field: str) -> tuple[type, bool, Any]:
    """(type, repeated, default) of one setting, by its annotation (`float`, `tuple[float, ...]`) or its default."""
    default = None if argument.default is argument.empty else argument.default
    inner = [kind for kind in typing.get_args(hint) if kind not in (type(None), ...)]
    repeated = typing.get_origin(hint) in (tuple, list)
    kind = hint or type(default)
    kind = inner[0] if len(inner) == 1 else kind
    if kind not in schema.SIMPLE:
        raise ConfigError(
            f"argument '{argument.name}' says no setting of a text: annotate it as float, int, bool, str or a tuple of "
            f"these (`{argument.name}: float = 1.0`), or give a schema (--schema) whose LayerParameter has a field {field}"
        )
    return kind, repeated, default


def layer_types() -> dict[str, LayerType]:
    """All registered types, in alphabetical order."""
    _load(ours=True)
    load_packages()
    return dict(sorted(_types.items()))


def find(name: str, packages: bool = True) -> LayerType | None:
    """The type called `name`, if there is one. `packages`: whether to look for it in those that bring types of their own."""
    if name not in _types:
        _load(ours=True)
    if name not in _types and packages:
        load_packages()
    return _types.get(name)


def lookup(name: str, packages: bool = True) -> LayerType:
    """The type called `name`; ConfigError with the nearest name otherwise."""
    if not name:
        raise ConfigError('has no type: it says what the layer does, such as type: "InnerProduct"', field="type")
    if (kind := find(name, packages)) is None:
        word, _, dialect = name.partition("/")
        if dialect:
            raise ConfigError(f"layer type '{word}' as {dialect} means it is not supported yet", field="type")
        near = has_type(name) or nearest(name, _types)
        remedy = "" if near.startswith(" (did") else ": --layers brings types of your own, written in Python"
        raise ConfigError(f"unknown layer type '{name}'{near}{remedy}", field="type")
    return kind


def load_packages() -> None:
    """Import the modules that installed packages other than this one name for types of theirs. Raises ConfigError."""
    _load(ours=False)


@cache
def _load(ours: bool) -> None:
    for entry in metadata.entry_points(group="solver_cli.layers"):
        if (entry.value.partition(".")[0] == __name__.partition(".")[0]) != ours:
            continue
        try:
            entry.load()
        except Exception as error:
            if ours:
                raise
            words = error if isinstance(error, ConfigError) else f"{type(error).__name__}: {error}"
            raise ConfigError(f"the layer types of the installed package {entry.value} cannot be had: {words}") from error
