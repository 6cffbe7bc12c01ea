"""Whether a run may go on from a solver state: of which rule and net its history is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from solver_cli import log
from solver_cli.errors import SnapshotError, Where
from solver_cli.formats import runstate, solverstate
from solver_cli.net.plan import shape_string
from solver_cli.snapshots.archive import weights_of
from solver_cli.updates.rules import RULES
from solver_cli.updates.update import Update


def load_state(path: str, update: Update) -> tuple[solverstate.State, str]:
    """Read the state `path` and check that its history is one of `update`'s; return it and the weights file it names, "" for
    none. Raises SnapshotError."""
    state = solverstate.read(path)
    try:
        told = runstate.loads(state.run).get("origin")
        origin = None if told is None else Origin.of(told)
    except ValueError as error:
        raise SnapshotError(f"the file is damaged: {error}", Where(path)) from None
    if origin:
        _check_origin(origin, state, update, path)
    _check_history(state, update, path)
    if not origin:
        _guess_rule(state, update, path)
    if state.iter >= update.param.max_iter:
        left = f"max_iter is {update.param.max_iter}: nothing is left to train"
        log.warning("solver.cpp", f"{path} is of iteration {state.iter}, {left}")
    steps = len(update.param.stepvalue)
    if update.param.lr_policy == "multistep" and state.current_step > steps:
        found = f"current_step is {state.current_step}, but there are {steps} stepvalues"
        log.warning("solver.cpp", f"{path}: {found}: the rate is base_lr * gamma ^ {state.current_step}, as with Caffe")
    return state, weights_of(state, path)


@dataclass(frozen=True)
class Origin:
    """What a state of ours says of the run that wrote it: the solver type, the solver file's name, random_seed, and (layer,
    blob) of every learned blob in the order of the history."""

    type: str
    file: str
    random_seed: int
    blobs: list[tuple[str, int]]

    @classmethod
    def of(cls, told: Any) -> Origin:
        """Raises ValueError for anything that no state of ours says."""
        try:
            kind, file, seed, blobs = (told[name] for name in ("type", "file", "random_seed", "blobs"))
            return cls(str(kind), str(file), int(seed), [(str(layer), int(index)) for layer, index in blobs])
        except (TypeError, LookupError, ValueError, OverflowError) as error:
            raise ValueError(f"what it says of its origin cannot be read ({error!r})") from None


def _check_origin(origin: Origin, state: solverstate.State, update: Update, path: str) -> None:
    """Raise SnapshotError for the history of another rule or of blobs in another order."""
    param, start = update.param, f"start from its weights with --weights {state.learned_net}".rstrip()
    if origin.type != param.type:
        found = f"its history is one of {origin.type} ({origin.file}), not of {param.type}"
        raise SnapshotError(f"{found}: resume with --set type={origin.type}, or {start}", Where(path))
    own = [(learned.node.name, learned.index) for learned in update.net.learned]
    for index, (told, wanted) in enumerate(zip(origin.blobs, own, strict=False)):
        if told != wanted:
            place = f"'{wanted[0]}', blob {wanted[1]} ({update.net.learned[index].node.spec.where()})"
            there = f"history blob {index} is of layer '{told[0]}', blob {told[1]}, the net's of layer {place}"
            raise SnapshotError(f"{there}: the snapshot is of another net; {start}", Where(path))
    if origin.random_seed != param.random_seed:
        log.warning(
            "solver.cpp",
            f"random_seed is {param.random_seed}, the snapshot's run had {origin.random_seed}: its random numbers go on",
        )


def _check_history(state: solverstate.State, update: Update, path: str) -> None:
    """Raise SnapshotError where number or shapes of the history blobs are not those of the rule and the net."""
    if len(state.history) != len(update.history):
        needed = f"{update.param.type} on this net needs {len(update.history)}"
        raise SnapshotError(
            f"the history has {len(state.history)} blobs, {needed}: it is of another solver type or net; resume with the "
            "solver that wrote it, or start from its weights with --weights",
            Where(path),
        )
    for index, (found, own) in enumerate(zip(state.history, update.history, strict=True)):
        shape = tuple(own.shape)
        if found.shape not in (shape, (1,) * (4 - len(shape)) + shape):  # old files have four axes
            raise SnapshotError(
                f"history blob {index} has the shape {shape_string(found.shape)}, the net's is {shape_string(shape)}: the "
                "snapshot is of another net",
                Where(path),
            )


def _guess_rule(state: solverstate.State, update: Update, path: str) -> None:
    """Raise SnapshotError where a state that does not tell its rule cannot be one of ours; name what else it may be."""
    count = len(update.net.learned)
    negative = {i // count for i, blob in enumerate(state.history) if (blob < 0).any()}
    fitting = [name for name, rule in RULES.items() if rule.slots == update.rule.slots and not negative & rule.squares]
    wanted = update.param.type
    if wanted not in fitting:
        found = f"its history has negative values where {wanted} keeps squares"
        remedy = f"resume with --set type={' or '.join(fitting)}, or start from its weights with --weights"
        raise SnapshotError(f"{found}: it is of another solver type; {remedy}", Where(path))
    others = [name for name in fitting if name != wanted]
    if others and count:
        also = " or ".join(others)
        log.warning("solver.cpp", f"{path} does not say its solver type: taken for {wanted}, but {also} fits as well")


def copy_history(state: solverstate.State, history: list[Tensor]) -> None:
    """Copy the history of a state that has been checked."""
    with torch.no_grad():
        for own, found in zip(history, state.history, strict=True):
            own.copy_(torch.from_numpy(found.reshape(own.shape)))
