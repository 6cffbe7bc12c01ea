"""The state of a run that Caffe forgets, as JSON text: data positions, random generators, recurrent states, loss window.

It travels inside the .solverstate (see `solverstate`). Plain values stay what they are; bytes and tensors become
base64. Nothing in it is ever executed.
"""

from __future__ import annotations

import base64
import json
from typing import Any

import numpy as np
import torch
from torch import Tensor


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
    if isinstance(value, np.floating):
        return float(value)
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
