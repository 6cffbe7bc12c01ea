"""Layers of a user's own types: made with values where torch makes them, and what their code raises told as the user's."""

from __future__ import annotations

import copy
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from solver_cli.errors import ConfigError, Error
from solver_cli.registry import LayerType
from solver_cli.text.user_code import UserCodeError, line_of


@contextmanager
def telling(what: str, kind: LayerType) -> Iterator[None]:
    """Tell what the user's code raises with its line. Raises UserCodeError."""
    try:
        yield
    except Error:
        raise
    except Exception as error:
        raise failed(error, kind, what) from error


def failed(error: Exception, kind: LayerType, what: str = "fails") -> UserCodeError:
    """The error that the code of a user's own type has raised, with its innermost line in the file of the type."""
    file = getattr(sys.modules.get(kind.build.__module__), "__file__", None) or ""
    line = line_of(error, file)
    return UserCodeError(error, what + f" ({Path(file).name}:{line})" * (line is not None), "type")


def made(make: Callable[[], Any], training: bool, seed: int) -> Any:
    """The function or module that `make` builds, its values drawn with `seed`. Raises ConfigError."""
    with torch.device("cpu"), torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        run = make()
    if isinstance(run, nn.Module):
        run.train(training)
        learned = dict(run.named_parameters())
        if lost := [name for name in run.state_dict() if name not in learned]:
            raise ConfigError(
                f"has the buffer '{lost[0]}', which no snapshot would hold: make it an nn.Parameter with "
                "requires_grad=False, or a buffer with persistent=False if it never changes",
                field="type",
            )
    return run


def on_meta(run: Any) -> Any:
    """The same without values: a copy if it is a module."""
    return copy.deepcopy(run).to("meta") if isinstance(run, nn.Module) else run


def checked(tops: tuple[Any, ...], count: int) -> tuple[Tensor, ...]:
    """The tops, which must be `count` tensors. Raises ConfigError."""
    if len(tops) != count or not all(isinstance(top, Tensor) for top in tops):
        found = ", ".join(type(top).__name__ for top in tops) or "nothing"
        wanted = "one Tensor" if count == 1 else f"a tuple of {count} Tensors"
        raise ConfigError(f"gives {found}: expected {wanted}", field="top")
    return tops


def forget_values(module: nn.Module) -> None:
    """Put parameters without values in the place of the module's, which remember them, or their filler."""
    for name, blob in list(module.named_parameters()):
        path, _, leaf = name.rpartition(".")
        empty = nn.Parameter(torch.empty_like(blob, device="meta"), requires_grad=blob.requires_grad)
        vars(empty).update(vars(blob) if hasattr(blob, "filler") else {"initial": blob.detach()})
        setattr(module.get_submodule(path), leaf, empty)
