"""Every layer type by its Caffe name: a function, an `nn.Module`, or a data source.

A layer is written once, in its family's file, and named there:

    @layer("Power")
    def power(x, *, power, scale, shift):
        return (shift + scale * x) ** power

A function takes its bottoms and, as keyword-only arguments, the fields of its message that it uses. A class is built with
(message, bottom shapes) and called with its bottoms. Both may ask, keyword-only, for `num_tops` or for another message of
the layer by its field's name (`loss_param`).

An installed package adds types through the entry point group `solver_cli.layers`, each entry naming a module that registers
some. It is imported when a type is asked for that is not there, as Python is, which lies above the net (see `pycaffe`).
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from importlib import metadata
from typing import Any

from solver_cli.caffe_pb2 import LayerParameter
from solver_cli.errors import ConfigError, nearest

Count = int | tuple[int, int | None]
SAME = -1  # as many tops as bottoms


@dataclass(frozen=True)
class LayerType:
    """One registered type: how it is built, where its settings stand, how many blobs it takes and gives."""

    name: str
    build: Callable[..., Any]
    param: str | None  # the LayerParameter field with its settings; None: it has none, or takes the LayerParameter itself
    bottoms: tuple[int, int | None]
    tops: tuple[int, int | None]
    loss: bool = False  # the first top has loss_weight 1 unless told; missing tops are made up
    source: bool = False
    in_place: bool = True  # whether a top may have its bottom's name
    same_shape: bool = False  # the top always has the bottom's shape: quicker to know than to find out
    no_gradient: tuple[int, ...] = ()  # bottoms for which Caffe's backward pass stops; -1 is the last one
    spared: tuple[int, ...] = ()  # those of them that force_backward leaves alone

    @property
    def is_class(self) -> bool:
        return inspect.isclass(self.build)

    @property
    def doc(self) -> str:
        return (inspect.getdoc(self.build) or "").partition("\n")[0]


_types: dict[str, LayerType] = {}


def layer(
    name: str,
    *,
    param: str | None = "",
    bottoms: Count = 1,
    tops: Count = 1,
    loss: bool = False,
    in_place: bool = True,
    same_shape: bool = False,
    no_gradient: tuple[int, ...] = (),
    spared: tuple[int, ...] = (),
) -> Callable[[Any], Any]:
    """Register a compute layer.

    `param`: the field with its settings (default: the one named after the type, `inner_product_param`, if there is one).
    `bottoms`, `tops`: how many, a number or (least, most), most None for any; tops SAME: one for each bottom.
    The others: see LayerType.
    """
    kind: dict[str, Any] = {"loss": loss, "in_place": in_place, "same_shape": same_shape}
    kind |= {"no_gradient": no_gradient, "spared": spared}
    return lambda build: _register(name, build, param, bottoms, tops, **kind)


def source(name: str, *, tops: Count = 1) -> Callable[[Any], Any]:
    """Register a data source: a class built with (LayerParameter, training, numpy Generator); see `data.source.Source`."""
    return lambda build: _register(name, build, _param_field(name), 0, tops, source=True)


def _register(name: str, build: Any, param: str | None, bottoms: Count, tops: Count, **kind: Any) -> Any:
    if name in _types:
        raise ValueError(f"layer type {name} is registered twice")
    if param == "":
        param = _param_field(name)
    _types[name] = LayerType(name, build, param, _range(bottoms), _range(tops), **kind)
    return build


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


def lookup(name: str) -> LayerType:
    """The type called `name`; ConfigError with the nearest name otherwise."""
    if not name:
        raise ConfigError('has no type: it says what the layer does, such as type: "InnerProduct"', field="type")
    if name not in _types:
        _load_packages()
    try:
        return _types[name]
    except KeyError:
        word, _, dialect = name.partition("/")
        if dialect:
            raise ConfigError(f"layer type '{word}' as {dialect} means it is not supported yet", field="type") from None
        raise ConfigError(f"unknown layer type '{name}'{nearest(name, _types)}", field="type") from None


@cache
def _load_packages() -> None:
    """Import the modules that installed packages, this one included, name for types of theirs."""
    for entry in metadata.entry_points(group="solver_cli.layers"):
        entry.load()
