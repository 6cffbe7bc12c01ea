"""What only an added schema (`--schema`) knows: said in a line where nothing looks at it, refused where a layer sets it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from google.protobuf.message import Message

from solver_cli import log, schema
from solver_cli.caffe_pb2 import SolverParameter
from solver_cli.errors import ConfigError, Where, nearest
from solver_cli.registry import find
from solver_cli.text.netspec import LayerSpec, NetSpec
from solver_cli.text.prototxt import Place

NETS = ("layer", "layers", "net_param", "train_net_param", "test_net_param")  # looked at one by one
Mark = tuple[Place, str, str]  # where, Message.field (or Message.field: VALUE), the file that has it


def check_net(net: NetSpec, layers: Sequence[LayerSpec]) -> None:
    """Refuse what a layer of the net sets and nothing looks at, but what is accepted; say the rest. Raises ConfigError."""
    said = tell(net.place, net.file, net.accept)
    for layer in layers:
        for place, name, source in _of_layer(layer, net.place):
            if not _accepted(name, net.accept):
                raise ConfigError(
                    f"layer '{layer.param.name}' ({layer.param.type}): {name} is {source}'s, and nothing here does what "
                    f"it asks for: take it out, bring a layer that does (--layers), or --accept {_path(name)}",
                    place.where(layer.file),
                )
            _say(place, layer.file, name, source, said)
        _tell_defaults(layer, said)


def _tell_defaults(layer: LayerSpec, said: set[str]) -> None:
    kind = find(layer.kind or layer.param.type, packages=False)
    fields = layer.param.DESCRIPTOR.fields_by_name
    for name in filter(None, (kind.param, *kind.asks) if kind is not None else ()):
        if name in fields and fields[name].message_type is not None:
            _tell_unset(getattr(layer.param, name), layer.where(name), said)


def _tell_unset(message: Message, where: Where, said: set[str]) -> None:
    """Say in a line each which settings the text leaves out whose defaults differ between the schema and here."""
    for field, (theirs, ours, source) in schema.SCHEMA.unset.get(message.DESCRIPTOR.name, {}).items():
        name = f"{message.DESCRIPTOR.name}.{field}"
        if not message.HasField(field) and name not in said:
            said.add(name)
            log.warning("net.cpp", f"{where}: {name} is {theirs} by default in {source}, {ours} here: give it to be sure")


def tell_solver(param: SolverParameter, place: Place, file: str, accept: Sequence[str]) -> None:
    """Say what a solver sets and nothing looks at, and what it leaves out and a schema means otherwise."""
    _tell_unset(param, Where(file), tell(place, file, accept))


def tell(place: Place, file: str, accept: Sequence[str]) -> set[str]:
    """Say in one line of the log each what a solver or a net sets outside of layers and nothing looks at; their names."""
    said: set[str] = set()
    for name, places in place.children.items():
        for mark in _topmost(places) if name not in NETS else ():
            _say(mark[0], file, *mark[1:], said, warns=not _accepted(mark[1], accept))
    return said


def check_accept(accept: Sequence[str], places: Sequence[Place]) -> None:
    """Refuse names of `accept` that no field has which is set in one of the texts and known to a schema only."""
    known = {_path(mark) for place in places for _, mark, _ in _marks([place])}
    for name in accept:
        if not any(_accepted(mark, [name]) for mark in known):
            names = known | {mark.rpartition(".")[2] for mark in known}
            raise ConfigError(f"--accept {name}: no such field of a schema's is set here{nearest(name, names)}")


def _say(place: Place, file: str, name: str, source: str, said: set[str], warns: bool = False) -> None:
    if name not in said:
        said.add(name)
        text = f"{place.where(file)}: {name} is {source}'s: read, and not used"
        (log.warning if warns else log.info)("net.cpp", text)


def _accepted(mark: str, accept: Sequence[str]) -> bool:
    path = _path(mark)
    return path in accept or path.rpartition(".")[2] in accept


def _path(mark: str) -> str:
    return mark.partition(":")[0]


def _marks(places: Sequence[Place]) -> Iterator[Mark]:
    for place in places:
        if place.theirs:
            yield place, *place.theirs
        for inner in place.children.values():
            yield from _marks(inner)


def _topmost(places: Sequence[Place]) -> Iterator[Mark]:
    """The marks that stand in no other one."""
    for place in places:
        if place.theirs:
            yield place, *place.theirs
        else:
            for inner in place.children.values():
                yield from _topmost(inner)


def _of_layer(layer: LayerSpec, net: Place) -> Iterator[Mark]:
    """What a layer sets and its type does not look at; a type of the user's own knows its message and what it asks for."""
    kind = find(layer.kind or layer.param.type, packages=False)
    if layer.place is net:
        return
    if kind is None:  # refused as such, unless it is a number of theirs in an old text
        yield from _topmost(layer.place.children.get("type", []))
        return
    for name, places in layer.place.children.items():
        if not kind.knows(name):
            yield from _topmost(places)
        elif name == kind.param and not kind.is_class:
            for inner, found in ((inner, found) for place in places for inner, found in place.children.items()):
                yield from _topmost(found) if inner not in kind.asks else ()
