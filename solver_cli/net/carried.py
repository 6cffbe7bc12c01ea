"""What a net carries from one batch to the next beside its learned blobs: data positions, random numbers, layers' states."""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Iterator
from typing import Any

from torch import Tensor

from solver_cli import log
from solver_cli.formats import runstate
from solver_cli.net.net import Net
from solver_cli.net.plan import Node


class Carried:
    """Where the data, random generator, recurrent and Python layers of `net` stand, as a part of a run's state."""

    def __init__(self, net: Net):
        self.net = net

    def state(self) -> dict[str, Any]:
        """Plain values, bytes and tensors."""
        state: dict[str, Any] = {"sources": {}, "recurrent": {}}
        for name, node in self._named():
            module: Any = node.module
            if node.source is not None:
                state["sources"][name] = {"of": _identity(node), "at": node.source.state_dict()}
            elif hasattr(module, "reset") and module.state is not None:
                state["recurrent"][name] = list(module.state)
            elif node.kind.user_code and _resumes(module.instance):
                state.setdefault("python", {})[name] = copy.deepcopy(module.instance.state_dict())
        if self.net.draws is not None:
            state["generator"] = self.net.draws.get_state()
        return state

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from `state`. A layer whose data are others now starts anew, with one line. Raises DataError."""
        for name, node in self._named():
            if node.source is not None:
                saved = state["sources"].get(name)
                if saved is not None and saved["of"] == _identity(node):
                    node.source.load_state_dict(saved["at"])
                else:
                    log.warning("solver.cpp", f"layer '{node.name}' reads other data than the snapshot's: it begins anew")
            elif (carried := state["recurrent"].get(name)) is not None and hasattr(node.module, "reset"):
                node.module.state = tuple(tensor.to(self.net.device) for tensor in carried)  # type: ignore[union-attr, assignment]
        if self.net.draws is not None:
            try:
                self.net.draws.set_state(state["generator"])
            except (KeyError, RuntimeError):
                log.warning("solver.cpp", "the snapshot is of another device or net: dropout draws other masks from here on")
        for name, node in self._named():
            if name in state.get("python", {}) and node.kind.user_code and _resumes(node.module.instance):  # type: ignore[union-attr]
                node.module.call("load_state_dict", _arrays(state["python"][name]))  # type: ignore[union-attr, operator]

    def _named(self) -> Iterator[tuple[str, Node]]:
        """The layers that carry something, each with a name of its own: its layer's, numbered from the second bearer on."""
        bearers: Counter[str] = Counter()
        for node in self.net.stateful:
            bearers[node.name] += 1
            yield node.name + f" #{bearers[node.name]}" * (bearers[node.name] > 1), node


def log_forgetful(net: Net) -> None:
    """Name the Python layers that begin anew when a run is resumed, for want of a state that can be saved."""
    names = [name for name, layer in net.python_layers.items() if not _resumes(layer)]
    if names:
        missing = "without state_dict and load_state_dict begin anew when a run is resumed"
        log.info("solver.cpp", f"Python layers {missing}: {', '.join(names)}")


def _resumes(layer: Any) -> bool:
    """Whether a Python layer's state can be saved, in plain values and arrays, and taken up again; found out once."""
    known: bool | None = getattr(layer, "_resumes", None)
    if known is None:
        known = hasattr(layer, "state_dict") and hasattr(layer, "load_state_dict")
        if known:
            try:
                runstate.dumps(layer.state_dict())
            except TypeError as error:
                log.warning("solver.cpp", f"a {type(layer).__name__} cannot be resumed: {error}")
                known = False
            layer._resumes = known
    return known


def _arrays(value: Any) -> Any:
    """A state with numpy arrays in place of tensors."""
    if isinstance(value, dict):
        return {key: _arrays(entry) for key, entry in value.items()}
    if isinstance(value, list):
        return [_arrays(entry) for entry in value]
    return value.numpy() if isinstance(value, Tensor) else value


def _identity(node: Node) -> str:
    """What a data layer reads: its type and source."""
    param = getattr(node.param, node.kind.param or "", None)
    return f"{node.param.type} {getattr(param, 'source', '')}".strip()
