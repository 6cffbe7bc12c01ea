"""The state of a run that Caffe forgets, as JSON text: data positions, random generators, recurrent states, loss window.

It travels inside the .solverstate (see `formats.solverstate`). Plain values stay what they are; bytes and tensors become
base64. Nothing in it is ever executed.
"""

from __future__ import annotations

import base64
import copy
import json
from typing import Any

import numpy as np
import torch
from torch import Tensor

from solver_cli import log
from solver_cli.net import Net
from solver_cli.plan import Node
from solver_cli.registry import lookup


def dumps(state: dict[str, Any]) -> str:
    """The state as JSON text."""
    return json.dumps(state, default=_encoded, separators=(",", ":"))


def loads(text: str) -> dict[str, Any]:
    """The state of a JSON text; {} for none. Raises ValueError for anything that `dumps` cannot have written."""
    try:
        state = json.loads(text, object_hook=_decoded) if text else {}
    except (ValueError, TypeError, OverflowError, RuntimeError) as error:
        raise ValueError(f"what it says of the run cannot be read ({error})") from None
    if not isinstance(state, dict):
        raise ValueError("what it says of the run is not a JSON object")
    return state


def _encoded(value: Any) -> Any:
    if isinstance(value, bytes):
        return {"bytes": base64.b64encode(value).decode()}
    if isinstance(value, np.integer):
        return int(value)
    if isinstance(value, Tensor):
        value = value.detach().cpu().numpy()
    if isinstance(value, np.ndarray):
        data = base64.b64encode(np.ascontiguousarray(value).tobytes()).decode()
        return {"array": data, "dtype": value.dtype.name, "shape": list(value.shape)}
    raise TypeError(f"a run's state cannot hold a {type(value).__name__}")


def _decoded(entry: dict[str, Any]) -> Any:
    if entry.keys() == {"bytes"}:
        return base64.b64decode(entry["bytes"], validate=True)
    if entry.keys() == {"array", "dtype", "shape"}:
        data = np.frombuffer(bytearray(base64.b64decode(entry["array"], validate=True)), np.dtype(str(entry["dtype"])))
        return torch.from_numpy(data.reshape([int(size) for size in entry["shape"]]))
    return entry


# -- nets -----------------------------------------------------------------------------------------------------------


def of_net(net: Net) -> dict[str, Any]:
    """Where the net's data, random generator and recurrent layers stand."""
    state: dict[str, Any] = {"sources": {}, "recurrent": {}}
    for node in net.stateful:
        module: Any = node.module
        if node.source is not None:
            state["sources"][node.name] = {"of": _identity(node), "at": node.source.state_dict()}
        elif hasattr(module, "reset") and module.state is not None:
            state["recurrent"][node.name] = list(module.state)
        elif node.param.type == "Python" and _resumes(module.instance):
            state.setdefault("python", {})[node.name] = copy.deepcopy(module.instance.state_dict())
    if net.draws is not None:
        state["generator"] = net.draws.get_state()
    return state


def into_net(net: Net, state: dict[str, Any]) -> None:
    """Go on from `state`. A layer whose data are others now starts anew, with one line. Raises DataError."""
    for node in net.nodes:
        if node.source is not None:
            saved = state["sources"].get(node.name)
            if saved is not None and saved["of"] == _identity(node):
                node.source.load_state_dict(saved["at"])
            else:
                log.warning("solver.cpp", f"layer '{node.name}' reads other data than the snapshot's: it begins anew")
        elif (carried := state["recurrent"].get(node.name)) is not None and hasattr(node.module, "reset"):
            node.module.state = tuple(tensor.to(net.device) for tensor in carried)  # type: ignore[union-attr, assignment]
    if net.draws is not None:
        try:
            net.draws.set_state(state["generator"])
        except (KeyError, RuntimeError):
            log.warning("solver.cpp", "the snapshot is of another device or net: dropout draws other masks from here on")
    for node in net.nodes:
        if node.name in state.get("python", {}) and _resumes(net.python_layers.get(node.name)):
            node.module.call("load_state_dict", _arrays(state["python"][node.name]))  # type: ignore[union-attr, operator]


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
                dumps(layer.state_dict())
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
    param = getattr(node.param, lookup(node.param.type).param or "", None)
    return f"{node.param.type} {getattr(param, 'source', '')}".strip()
