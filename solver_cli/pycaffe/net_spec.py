"""Nets written in Python: `L.Convolution(bottom, kernel_size=3)` makes a layer, NetSpec names the blobs.

A net of one layer: `n = NetSpec(); n.data = L.Input(shape=dict(dim=[1, 3, 8, 8])); n.relu = L.ReLU(n.data)`; its text is
`str(n.to_proto())`. The settings are the fields of the layer's message, or whole messages (`convolution_param=dict(...)`).
"""

from __future__ import annotations

from collections import Counter
from collections import OrderedDict as OrderedDict
from collections.abc import Callable, Iterable
from typing import Any

from google import protobuf as protobuf
from google.protobuf.message import Message

from solver_cli import caffe_pb2
from solver_cli.caffe_pb2 import LayerParameter, NetParameter
from solver_cli.pycaffe import elsewhere

__getattr__ = elsewhere.names(__name__, six="six")

_DESCRIPTOR: Any = LayerParameter.DESCRIPTOR


def param_name_dict() -> dict[str, str]:
    """{message name without 'Parameter': field name without '_param'} of the layers' settings: {'ReLU': 'relu', ...}."""
    settings = [field for field in _DESCRIPTOR.fields if field.name.endswith("_param")]
    return {f.message_type.name.removesuffix("Parameter"): f.name.removesuffix("_param") for f in settings}


# {type: (its settings' field, the names in it)}
_SETTINGS = {
    kind: (f"{name}_param", set(_DESCRIPTOR.fields_by_name[f"{name}_param"].message_type.fields_by_name))
    for kind, name in param_name_dict().items()
}


def assign_proto(proto: Message, name: str, val: Any) -> None:
    """Set field `name` of `proto`: dicts fill messages, lists extend repeated fields, one value is a list of one."""
    field = getattr(proto, name)
    if hasattr(field, "extend"):
        for entry in val if isinstance(val, list | tuple) else [val]:
            if isinstance(entry, dict):
                _fill(field.add(), entry)
            else:
                field.append(entry)
    elif isinstance(val, dict):
        _fill(field, val)
    else:
        setattr(proto, name, val)


def _fill(message: Message, values: dict[str, Any]) -> None:
    for key, value in values.items():
        assign_proto(message, key, value)


class Top:
    """One blob: top `n` of the layer `fn`."""

    def __init__(self, fn: Function, n: int):
        self.fn = fn
        self.n = n

    def to_proto(self) -> NetParameter:
        """The net of all layers that this blob needs, with made-up names."""
        return to_proto(self)


class Function:
    """One layer: its type, the Tops that it reads, its settings. Raises TypeError for an input that is no Top.

    `ntop` (1 if not given) says how many tops it has, `in_place` that it writes over its bottoms.
    """

    def __init__(self, type_name: str, inputs: tuple[Top, ...], params: dict[str, Any]):
        for index, bottom in enumerate(inputs):
            if not isinstance(bottom, Top):
                raise TypeError(f"{type_name} input {index} is not a Top (type is {type(bottom)})")
        self.type_name = type_name
        self.inputs = inputs
        self.params = params
        self.ntop: int = params.pop("ntop", 1)
        self.in_place: bool = params.pop("in_place", False)
        self.tops = tuple(Top(self, n) for n in range(self.ntop))

    def _message(self, bottoms: Iterable[str], names: _Names) -> LayerParameter:
        """The layer's text, with its tops and itself named."""
        layer = LayerParameter(type=self.type_name, bottom=bottoms)
        layer.top.extend(layer.bottom if self.in_place else [names.of(top) for top in self.tops])
        layer.name = names.of(self) if self in names.given or not self.tops else names.of(self.tops[0])
        settings, own = _SETTINGS.get(self.type_name, ("", set()))
        for key, value in self.params.items():
            try:
                assign_proto(getattr(layer, settings) if key in own else layer, key, value)
            except (AttributeError, TypeError, ValueError) as error:
                place = f"layer '{layer.name}' ({self.type_name})"
                raise type(error)(f"{place}: cannot set {key} = {value!r}: {error}") from None
        return layer


class _Names:
    """Names of tops and layers: those given, and made-up ones: the type and a running number."""

    def __init__(self, given: dict[Top | Function, str]):
        self.given = given
        self._count: Counter[str] = Counter()

    def of(self, item: Top | Function) -> str:
        if item not in self.given:
            kind = item.type_name if isinstance(item, Function) else item.fn.type_name
            self._count[kind] += 1
            self.given[item] = f"{kind}{self._count[kind]}"
        return self.given[item]


def _net(wanted: Iterable[Top | Function], given: dict[Top | Function, str]) -> NetParameter:
    """The layers that `wanted` need, each after the layers that it reads; no recursion, for nets may be deep."""
    names, done = _Names(given), dict[Function, LayerParameter]()
    for item in wanted:
        waiting = [item if isinstance(item, Function) else item.fn]
        while waiting:
            fn = waiting[-1]
            first = next((bottom.fn for bottom in fn.inputs if bottom.fn not in done), None)
            if fn not in done and first is not None:
                waiting.append(first)
                continue
            if fn not in done:
                done[fn] = fn._message([done[bottom.fn].top[bottom.n] for bottom in fn.inputs], names)
            waiting.pop()
    return NetParameter(layer=list(done.values()))


def to_proto(*tops: Top) -> NetParameter:
    """The net of all layers that `tops` need, with made-up names: the type and a number."""
    return _net(tops, {})


class NetSpec:
    """The blobs of a net, named by assignment: `n.conv1 = layers.Convolution(...)` or `n['conv1'] = ...`."""

    tops: dict[str, Top | Function]

    def __init__(self) -> None:
        super().__setattr__("tops", {})

    def __setattr__(self, name: str, value: Top | Function) -> None:
        self.tops[name] = value

    def __getattr__(self, name: str) -> Any:
        try:
            return self.__dict__["tops"][name]
        except KeyError:
            raise AttributeError(f"the net has no top '{name}'") from None

    def __setitem__(self, key: str, value: Top | Function) -> None:
        self.tops[key] = value

    def __getitem__(self, item: str) -> Any:
        return self.tops[item]

    def to_proto(self) -> NetParameter:
        """The net of all layers that the assigned tops need, under the assigned names."""
        return _net(self.tops.values(), {top: name for name, top in self.tops.items()})


class Layers:
    """`layers.Type(*bottoms, **settings)`: the layer's Top, a tuple of Tops with `ntop=2`..., the Function with `ntop=0`."""

    def __getattr__(self, name: str) -> Callable[..., Any]:
        if name.startswith("__"):
            raise AttributeError(name)

        def make(*bottoms: Top, **settings: Any) -> Any:
            fn = Function(name, bottoms, settings)
            return fn if fn.ntop == 0 else fn.tops[0] if fn.ntop == 1 else fn.tops

        return make


class _Enum:
    """The values of the enums in a message, by name."""

    def __init__(self, message: Any):
        self._message = message

    def __getattr__(self, name: str) -> Any:
        return getattr(self._message, name)


class Parameters:
    """`params.Pooling.MAX`: the value MAX of the enums in PoolingParameter."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return _Enum(getattr(caffe_pb2, f"{name}Parameter"))


_param_names = param_name_dict()  # BVLC's own name for it, which some scripts use
layers = Layers()
params = Parameters()
