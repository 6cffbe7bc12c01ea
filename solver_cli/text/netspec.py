"""Which layers a net has in one state: the phase, level and stage rules, and the copies where a blob is read twice."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import NoReturn

from solver_cli import log
from solver_cli.caffe_pb2 import LayerParameter, NetParameter, NetState, NetStateRule, Phase
from solver_cli.errors import ConfigError, Error, Where, nearest
from solver_cli.text import prototxt
from solver_cli.text.prototxt import Place
from solver_cli.text.upgrade import upgrade_net

Use = tuple[int, int]  # (layer, top): the blob's producer


@dataclass(frozen=True)
class LayerSpec:
    """One layer that the rules kept, with its place in the file."""

    param: LayerParameter
    file: str = "<text>"
    place: Place = field(default_factory=Place)
    kind: str = ""  # the registry's name of its type, where several Caffes have one of that name: see dialects.py
    weight_moved: bool = False  # its loss weight stands at the Split behind it, and it has none itself

    def where(self, path: str | None = None) -> Where:
        """The place of the field `path` of this layer."""
        return self.place.where(self.file, path)

    def locate(self, error: Error) -> Error:
        """The same error with this layer's place and name, unless it has a place already."""
        if error.where is None:
            error.where = self.where(error.field)
            error.message = f"layer '{self.param.name}' ({self.param.type}): {error.message}"
        return error

    def fail(self, message: str, path: str | None = None) -> NoReturn:
        """Raise a ConfigError at the field `path` of this layer."""
        raise self.locate(ConfigError(message, field=path))


@dataclass(frozen=True)
class NetSpec:
    """A net text, read and upgraded, with the places of its fields."""

    param: NetParameter
    file: str = "<text>"
    place: Place = field(default_factory=Place)
    dialect: str | None = None  # whose types are meant where the text does not tell
    accept: tuple[str, ...] = ()  # fields that only an added schema has and that may go unused: see theirs.py

    def with_state(self, *states: NetState) -> NetSpec:
        """The same net in another state: each of `states` merged over the ones before, the net's own the first but one."""
        merged = NetState()
        first, *rest = states
        for state in (first, self.param.state, *rest):
            merged.MergeFrom(state)
        param = NetParameter()
        param.CopyFrom(self.param)
        param.state.CopyFrom(merged)
        return replace(self, param=param)


def read_net(path: str) -> NetSpec:
    """Read the net file `path`, old formats included. Raises ConfigError."""
    param, place = prototxt.read(path, NetParameter, "net")
    return upgraded(param, path, place)


def read_test_net(path: str, level: int = 0, stages: Sequence[str] = (), dialect: str | None = None) -> NetSpec:
    """The net file `path` in the phase TEST, at this level and with these stages. Raises ConfigError."""
    return replace(read_net(path).with_state(state("TEST", level, tuple(stages))), dialect=dialect)


def parse_net(text: str, file: str = "<text>") -> NetSpec:
    """Parse a net's text, old formats included. Raises ConfigError."""
    param, place = prototxt.parse(text, NetParameter, file)
    return upgraded(param, file, place)


def upgraded(param: NetParameter, file: str, place: Place) -> NetSpec:
    """The net in today's form. Caffe goes on after problems that it has logged, and so do we."""
    upgrade_net(param, file, place)
    return NetSpec(param, file, place)


def filter_layers(net: NetSpec) -> list[LayerSpec]:
    """The layers whose include and exclude rules the net's state meets, in order. Raises ConfigError."""
    places = net.place.children.get("layer", [])
    kept = []
    for index, param in enumerate(net.param.layer):
        spec = LayerSpec(param, net.file, places[index] if index < len(places) else net.place)
        if param.include and param.exclude:
            spec.fail("specify either include rules or exclude rules, not both", "exclude")
        if param.include:
            included = any(meets(net.param.state, rule, param.name) for rule in param.include)
        else:
            included = not any(meets(net.param.state, rule, param.name) for rule in param.exclude)
        if not included:
            continue
        try:
            prototxt.check_numbers(param)
        except ConfigError as error:
            raise spec.locate(error) from None
        kept.append(spec)
    return kept


def meets(state: NetState, rule: NetStateRule, layer: str) -> bool:
    """Whether `state` meets all conditions of `rule`; logs the first that it does not."""
    reason = _unmet(state, rule)
    if reason:
        log.info(reason[0], f"The NetState {reason[1]} specified by a rule in layer {layer}")
    return reason is None


def _unmet(state: NetState, rule: NetStateRule) -> tuple[str, str] | None:
    """The first unmet condition: (site, words), in Caffe's words, its "above the min_level" included."""
    if rule.HasField("phase") and rule.phase != state.phase:
        return "net.cpp:296", f"phase ({state.phase}) differed from the phase ({rule.phase})"
    if rule.HasField("min_level") and state.level < rule.min_level:
        return "net.cpp:306", f"level ({state.level}) is above the min_level ({rule.min_level})"
    if rule.HasField("max_level") and state.level > rule.max_level:
        return "net.cpp:316", f"level ({state.level}) is above the max_level ({rule.max_level})"
    for stage in rule.stage:
        if stage not in state.stage:
            return "net.cpp:332", f"did not contain stage '{stage}'"
    for stage in rule.not_stage:
        if stage in state.stage:
            return "net.cpp:347", f"contained a not_stage '{stage}'"
    return None


def insert_splits(layers: list[LayerSpec], net: NetParameter | None = None) -> list[LayerSpec]:
    """Put a Split layer behind every top that is read more than once, as Caffe names them.

    Autograd would add the gradients without them; they are here because logs, debug_info and weights files show them.
    A loss weight on a blob counts as one more reader and moves to the Split's first top. `net`, with the layers that the
    rules left out, helps to explain errors. Raises ConfigError.
    """
    sources, readers, weights = _count_readers(layers, net or NetParameter())
    taken: Counter[Use] = Counter()
    result: list[LayerSpec] = []
    for i, spec in enumerate(layers):
        param = LayerParameter()
        param.CopyFrom(spec.param)
        for j, blob in enumerate(spec.param.bottom):
            use = sources[i, j]
            if readers[use] > 1:
                param.bottom[j] = f"{_split_name(layers[use[0]], blob, use[1])}_{taken[use]}"
                taken[use] += 1
        at = len(result)
        result.append(replace(spec, param=param))
        for j, blob in enumerate(spec.param.top):
            use = (i, j)
            if readers[use] > 1:
                split = _split(spec, blob, j, readers[use], weights.get(use, 0.0))
                result.append(replace(spec, param=split, kind=""))
                if weights.get(use):
                    param.ClearField("loss_weight")
                    result[at] = replace(result[at], weight_moved=True)
                    taken[use] += 1
    return result


def _count_readers(layers: list[LayerSpec], net: NetParameter) -> tuple[dict[Use, Use], Counter[Use], dict[Use, float]]:
    """For each (layer, bottom) its source; for each (layer, top) how many read it; and its loss weight."""
    last: dict[str, Use] = {}
    sources: dict[Use, Use] = {}
    readers: Counter[Use] = Counter()
    weights: dict[Use, float] = {}
    for i, spec in enumerate(layers):
        for j, blob in enumerate(spec.param.bottom):
            if blob not in last:
                spec.fail(f"unknown bottom blob '{blob}' (bottom {j}): {_missing(blob, last, layers, net)}", f"bottom[{j}]")
            sources[i, j] = last[blob]
            readers[last[blob]] += 1
        for j, blob in enumerate(spec.param.top):
            last[blob] = (i, j)
        for blob, weight in zip(spec.param.top, spec.param.loss_weight, strict=False):
            weights[last[blob]] = weight
            if weight:
                readers[last[blob]] += 1
    return sources, readers, weights


def _missing(blob: str, known: dict[str, Use], layers: list[LayerSpec], net: NetParameter) -> str:
    """Why no layer gives `blob`: it comes later, the rules left it out, or there is none."""
    for layer in net.layer:
        if blob in layer.top:
            if any(spec.param is layer or spec.param == layer for spec in layers):
                return f"layer '{layer.name}' makes it, but only after this one"
            phase = Phase.Name(net.state.phase)
            return f"layer '{layer.name}' makes it, but its include or exclude rules leave it out of this {phase} net"
    near = nearest(blob, known) or (f" (made so far: {', '.join(known)})" if known else " (none makes any blob)")
    return f"no layer before it has such a top{near}"


def _split_name(producer: LayerSpec, blob: str, top: int) -> str:
    return f"{blob}_{producer.param.name}_{top}_split"


def _split(producer: LayerSpec, blob: str, top: int, readers: int, weight: float) -> LayerParameter:
    """The Split layer that hands `blob` to its readers."""
    name = _split_name(producer, blob, top)
    param = LayerParameter(name=name, type="Split", bottom=[blob], top=[f"{name}_{k}" for k in range(readers)])
    if weight:
        param.loss_weight.extend([weight] + [0.0] * (readers - 1))
    return param


def state(phase: str, level: int = 0, stages: tuple[str, ...] = ()) -> NetState:
    """A NetState from plain values; phase is "TRAIN" or "TEST". Raises ConfigError."""
    if phase not in Phase.keys():  # noqa: SIM118 - an enum, not a dict
        raise ConfigError(f"phase must be TRAIN or TEST, not '{phase}'")
    return NetState(phase=Phase.Value(phase), level=level, stage=stages)
