"""State dicts in files, .pt and .safetensors: written of a net, and read into one."""

from __future__ import annotations

import io
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from solver_cli import files
from solver_cli.errors import ConfigError, Error, SnapshotError, Where
from solver_cli.formats.atomic import atomic_write
from solver_cli.net.net import Net
from solver_cli.net.weights import titles

PICKLED = (".pt", ".pth")
SHOWN = 20  # names in an error


def owned(net: Net) -> dict[str, Tensor]:
    """{layer.blob: its values}, as in `net.state_dict()`, a blob that several layers share under its owner's name only."""
    names = dict(zip(net.nodes, titles(net.nodes), strict=True))
    return {f"{names[x.node]}.{x.node.blob_names[x.index]}": x.blob.detach().cpu() for x in net.learned}


def write(state: Mapping[str, Tensor], path: str) -> None:
    """Write a state dict; the name's ending tells how. Raises Error."""
    with atomic_write(path) as out:
        if Path(path).suffix in PICKLED:
            held = io.BytesIO()
            torch.save({name: tensor.clone() for name, tensor in state.items()}, held)
            out.write(held.getbuffer())
        else:
            out.write(_safetensors().save({name: tensor.contiguous() for name, tensor in state.items()}))


def read(path: str) -> dict[str, Tensor]:
    """The tensors of a .safetensors file, or of a .pt file, which is read without running code from it. Raises Error."""
    try:
        with files.reading(path):
            pass
        if Path(path).suffix in PICKLED:
            found = torch.load(path, map_location="cpu", weights_only=True)
        else:
            found = _safetensors().load_file(path)
    except Error:
        raise
    except OSError as error:
        raise SnapshotError(f"cannot read it: {error.strerror or error}", Where(path)) from None
    except Exception as error:  # whatever torch and safetensors say of files that are none of theirs
        kind = "state dict of tensors alone" if Path(path).suffix in PICKLED else "safetensors file"
        why = str(error).partition("\n")[0]
        raise SnapshotError(f"not a {kind}: {why}", Where(path)) from None
    return _tensors(found, path)


def _tensors(found: Any, path: str) -> dict[str, Tensor]:
    """The state dict, also one that stands in a checkpoint beside other things."""
    for key in ("state_dict", "model_state_dict", "model"):
        if isinstance(found, dict) and isinstance(found.get(key), dict):
            found = found[key]
    if not isinstance(found, dict) or not found or not all(isinstance(value, Tensor) for value in found.values()):
        raise SnapshotError("not a state dict: expected {name: tensor}", Where(path))
    return dict(found)


def fill(net: Net, state: Mapping[str, Tensor], path: str) -> list[str]:
    """Copy the tensors of `state` into the net's blobs of the same names; the names that nothing took.

    Raises SnapshotError, with nothing copied, that lists all that is missing or has another shape.
    """
    wanted = owned(net)
    missing = [name for name in wanted if name not in state]
    odd = [
        f"{name} is {tuple(state[name].shape)}, {tuple(blob.shape)} is wanted"
        for name, blob in wanted.items()
        if name in state and state[name].shape != blob.shape
    ]
    if missing or odd:
        told = [f"{_listed(odd)}"] * bool(odd) + [f"there is no {_listed(missing)}"] * bool(missing)
        unused = [name for name in state if name not in wanted]
        hint = f"; not used: {_listed(unused)} (--map FILE says what is what)" if unused and missing else ""
        raise SnapshotError(f"does not fit the net: {'; '.join(told)}{hint}", Where(path))
    with torch.no_grad():
        for name, learned in zip(wanted, net.learned, strict=True):
            learned.blob.copy_(state[name])
    return [name for name in state if name not in wanted]


def _listed(names: list[str]) -> str:
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more


def mapped(state: Mapping[str, Tensor], path: str) -> dict[str, Tensor]:
    """The state dict with the names that the file `path` gives: lines of `theirs ours`; # begins a comment."""
    renamed = dict(state)
    for number, line in enumerate(_lines(path), 1):
        words = line.partition("#")[0].split()
        if not words:
            continue
        if len(words) != 2 or words[0] not in state:
            found = f"the file has no '{words[0]}'" if len(words) == 2 else f"expected two names, not {len(words)}"
            raise ConfigError(found, Where(path, number, 1))
        renamed.pop(words[0], None)
        renamed[words[1]] = state[words[0]]
    return renamed


def _lines(path: str) -> list[str]:
    try:
        return Path(path).read_text(encoding="utf-8").splitlines()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "it is not a text"
        raise ConfigError(f"cannot read it: {reason}", Where(os.fspath(path))) from None


def _safetensors() -> Any:
    try:
        import safetensors.torch
    except ImportError:
        raise ConfigError("safetensors files need the package: pip install 'solver-train[safetensors]'") from None
    return safetensors.torch
