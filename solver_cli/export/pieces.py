"""Layers as lines of PyTorch: the module that holds a layer's weights, and the expression of its top."""

from __future__ import annotations

import keyword
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from torch import Tensor

from solver_cli.export.reading import check_said, refuse
from solver_cli.net.plan import Learned, Node


@dataclass
class Piece:
    """One layer: `text` is an expression of {0}, {1} ... (`ins`) and {m}, the module `attr` that `init` makes.

    `state`: {name in the module's state dict: values}.
    """

    title: str
    ins: list[str]
    outs: list[str]
    text: str
    attr: str = ""
    init: str = ""
    state: dict[str, Tensor] = field(default_factory=dict)
    learned: dict[str, Learned] = field(default_factory=dict)  # {name: the blob that it is}, for what is learned

    @property
    def in_place(self) -> bool:
        """Whether it is an expression of its own top alone, which may stand around the one before."""
        return self.ins == self.outs and len(self.ins) == 1 and self.text.count("{0}") == 1


STATISTICS = ("running_", "num_batches_tracked")  # in a state dict what is not learned
Rule = Callable[["Writer", Node], str]  # the expression of the tops
RULES: dict[str, Rule] = {}


def says(*kinds: str) -> Callable[[Rule], Rule]:
    """Register how PyTorch says the types `kinds`."""

    def register(rule: Rule) -> Rule:
        RULES.update(dict.fromkeys(kinds, rule))
        return rule

    return register


class Writer:
    """Makes the pieces of a net, one layer after the other; `helpers` are the classes and functions that they need."""

    def __init__(self) -> None:
        self.pieces: list[Piece] = []
        self.helpers: dict[str, str] = {}
        self.comments: dict[str, None] = {}
        self.owners: dict[int, str] = {}  # {id of a learned blob: the module that holds it}
        self.normalised: Node | None = None  # whose factor and offset stand in the module before
        self.used: set[str] = set()

    def add(self, node: Node, title: str, ins: list[str], outs: list[str]) -> None:
        """Add the layer's piece. Raises ConfigError for a type that has no rule."""
        rule = RULES.get(node.kind.name)
        if rule is None:
            refuse("has no counterpart in PyTorch's own modules: end the net before it, or train it here")
        check_said(node.param)
        self.pieces.append(Piece(title, ins, outs, "{0}"))
        self.pieces[-1].text = rule(self, node)

    def module(self, node: Node, init: str, **state: Tensor) -> str:
        """The module of a layer with weights: that of their owner, where several layers share them."""
        piece = self.pieces[-1]
        known = [self.owners.get(id(learned)) for learned in node.learned]
        if any(known):
            if len(set(known)) > 1 or init != next(p.init for p in self.pieces if p.attr == known[0]):
                refuse("shares some of its weights with a layer of other settings: PyTorch shares whole modules", "param")
            piece.attr = str(known[0])
            return "{m}"
        piece.attr, piece.init = self.name(piece.title), init
        piece.state = {name: value.detach().clone() for name, value in state.items()}
        owners = (self.normalised or node).learned
        piece.learned = dict(zip((name for name in state if not name.startswith(STATISTICS)), owners, strict=False))
        self.owners.update({id(learned): piece.attr for learned in node.learned})
        return "{m}"

    def name(self, text: str) -> str:
        """An identifier of the text that nothing has yet."""
        name = unused = identifier(text)
        number = 1
        while name in self.used:
            number += 1
            name = f"{unused}_{number}"
        self.used.add(name)
        return name

    def comment(self, text: str) -> None:
        """Something about Caffe's arithmetic that the head of the file says once."""
        self.comments[text] = None


def identifier(text: str) -> str:
    """The text as a name of Python's."""
    name = re.sub(r"\W+", "_", text, flags=re.ASCII).strip("_") or "blob"
    if name[0].isdigit():
        name = f"_{name}"
    return f"{name}_" if keyword.iskeyword(name) or name in ("self", "torch", "nn", "F", "Tensor") else name


def number(value: float) -> str:
    """A float32 as a person writes it: 1e-05, 0.75, 3."""
    found = float(str(np.float32(value)))
    return str(int(found)) if found.is_integer() and abs(found) < 1e6 else repr(found)


def sides(values: Any) -> str:
    """One number if all are equal, else a tuple."""
    values = tuple(int(value) for value in values)
    return str(values[0]) if len(set(values)) == 1 else str(values)
