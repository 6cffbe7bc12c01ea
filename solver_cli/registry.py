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

An installed package adds types through the entry point group `solver_cli.layers`, each entry naming a module that registers
some. It is imported when a type is asked for that is not there, as Python is, which lies above the net (see `pycaffe`).
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import metadata
from typing import Any

from torch import Tensor

from solver_cli.caffe_pb2 import LayerParameter
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

    # what the net needs
    loss: bool = False  # the first top has loss_weight 1 unless told; missing tops are made up
    in_place: bool = True  # whether a top may have its bottom's name
    same_shape: bool = False  # the top always has the bottom's shape: quicker to know than to find out
    no_gradient: tuple[int, ...] = ()  # bottoms for which Caffe's backward pass stops; -1 is the last one
    spared: tuple[int, ...] = ()  # those of them that force_backward leaves alone
    ahead: bool = True  # of a source: a thread reads its batches while the net computes
    transforms: bool = False  # of a source: it does what transform_param says
    reads: tuple[str, ...] = ()  # other types' settings that it reads too
    user_code: Callable[[LayerParameter], str] | None = None  # the user's class of which the module has an `instance`

    # how it may be run otherwise; where nothing is said, what is always right
    apart: Says = False  # row n of each top (but a loss) depends on row n of each bottom alone: a batch may run in pieces
    half: Says = False  # it works on halves; all others get and give float32
    dynamic: bool = False  # values decide the tops' shapes
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
    def doc(self) -> str:
        return (inspect.getdoc(self.build) or "").partition("\n")[0]


_types: dict[str, LayerType] = {}


def layer(name: str, *, param: str | None = "", bottoms: Count = 1, tops: Count = 1, **traits: Any) -> Callable[[Any], Any]:
    """Register a compute layer.

    `param`: the field with its settings (default: the one named after the type, `inner_product_param`, if there is one).
    `bottoms`, `tops`: how many, a number or (least, most), most None for any; tops SAME: one for each bottom.
    `traits`: see LayerType.
    """
    return lambda build: _register(name, build, param, bottoms, tops, source=False, **traits)


def source(name: str, *, param: str | None = "", tops: Count = 1, **traits: Any) -> Callable[[Any], Any]:
    """Register a data source: a class built with (LayerParameter, training, numpy Generator); see `data.source.Source`."""
    return lambda build: _register(name, build, param, 0, tops, source=True, **traits)


def _register(name: str, build: Any, param: str | None, bottoms: Count, tops: Count, **traits: Any) -> Any:
    if name in _types:
        raise ValueError(f"layer type {name} is registered twice")
    if param == "":
        param = _param_field(name)
    _types[name] = LayerType(name, build, param, _range(bottoms), _range(tops), **traits)
    return build


def by_axis(field: str) -> Callable[[LayerParameter, Shapes], bool]:
    """`apart` for a layer that works along the axis in `field`, or from there on: unless that is the first."""
    message, _, name = field.partition(".")
    return lambda param, bottoms: bool(getattr(getattr(param, message), name) % len(bottoms[0]))


def _range(count: Count) -> tuple[int, int | None]:
    return (count, count) if isinstance(count, int) else count


def _param_field(name: str) -> str | None:
    """`inner_product_param` for InnerProduct, None where no field is named after the type."""
    wanted = name.partition("/")[0].lower() + "param"
    return next((f for f in LayerParameter.DESCRIPTOR.fields_by_name if f.replace("_", "") == wanted), None)


def layer_types() -> dict[str, LayerType]:
    """All registered types, in alphabetical order."""
    _load_packages()
    return dict(sorted(_types.items()))


def find(name: str) -> LayerType | None:
    """The type called `name`, if there is one."""
    if name not in _types:
        _load_packages()
    return _types.get(name)


def lookup(name: str) -> LayerType:
    """The type called `name`; ConfigError with the nearest name otherwise."""
    if not name:
        raise ConfigError('has no type: it says what the layer does, such as type: "InnerProduct"', field="type")
    if (kind := find(name)) is None:
        word, _, dialect = name.partition("/")
        if dialect:
            raise ConfigError(f"layer type '{word}' as {dialect} means it is not supported yet", field="type")
        raise ConfigError(f"unknown layer type '{name}'{nearest(name, _types)}", field="type")
    return kind


@cache
def _load_packages() -> None:
    """Import the modules that installed packages, this one included, name for types of theirs."""
    for entry in metadata.entry_points(group="solver_cli.layers"):
        entry.load()
