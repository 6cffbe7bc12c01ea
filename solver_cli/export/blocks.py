"""Parts of a net that repeat: stretches between two places where one blob alone goes on, alike but for numbers."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from solver_cli.export.pieces import Piece, identifier

LEAST = 4  # layers of a block that is worth a class
NUMBER = r"(?<![\w.])\d+(?![\w.])"


@dataclass
class Stretch:
    """Layers in a row that read one blob and hand on one."""

    pieces: list[Piece]
    given: str
    result: str

    @property
    def title(self) -> str:
        """What its layers have in common in their names, else the blob that it hands on."""
        shared = common_head([piece.title for piece in self.pieces]).rstrip("/_-.")
        return identifier(shared if len(shared) > 1 else self.result)

    @property
    def modules(self) -> list[Piece]:
        return [piece for piece in self.pieces if piece.init]

    @property
    def variables(self) -> list[str]:
        """The blobs in the order in which they come up, the given one first."""
        return list(dict.fromkeys([self.given, *(name for p in self.pieces for name in (*p.ins, *p.outs))]))

    @property
    def shape(self) -> object:
        """What two stretches have in common that differ in names and numbers only."""
        variables = self.variables
        return tuple(
            (
                p.text,
                tuple(map(variables.index, p.ins)),
                tuple(map(variables.index, p.outs)),
                re.sub(NUMBER, "#", strided(p.init)),
            )
            for p in self.pieces
        )

    @property
    def numbers(self) -> list[str]:
        return [n for p in self.modules for n in re.findall(NUMBER, strided(p.init))]


@dataclass
class Block:
    """A class for stretches that are alike: `params` are its arguments, {name: its value for each of them}."""

    name: str
    members: list[Stretch]
    attrs: list[str]
    variables: list[str]
    inits: list[str]
    params: dict[str, list[str]]

    def call(self, member: Stretch) -> str:
        """What makes one of its members."""
        at = next(i for i, other in enumerate(self.members) if other is member)
        return f"{self.name}({', '.join(f'{name}={values[at]}' for name, values in self.params.items())})"


def strided(init: str) -> str:
    """A convolution with its stride written out, so that those with and without one are alike."""
    if "stride=" in init:
        return init
    return re.sub(r"(nn\.Conv\w*\(\d+, \d+, (?:\d+|\([^)]*\)))", r"\1, stride=1", init)


def stretches(pieces: Sequence[Piece], returned: Sequence[str]) -> Iterator[list[Piece] | Stretch]:
    """The pieces cut where one blob alone goes on; what is no Stretch is a list."""
    live: set[str] = set()
    behind: list[set[str]] = []  # each piece: what is read after it
    for piece in reversed(pieces):
        behind.append(set(live))
        live = (live - set(piece.outs)) | set(piece.ins)
    behind.reverse()
    start, before = 0, live
    for i, after in enumerate(behind):
        if len(after) > 1 or (i + 1 < len(pieces) and pieces[i + 1].in_place and pieces[i + 1].ins[0] in pieces[i].outs):
            continue
        part = list(pieces[start : i + 1])
        made = {name for piece in part for name in piece.outs} & (after | set(returned))
        if len(before) == len(made) == 1 and not any(p.attr and not p.init for p in part):
            yield Stretch(part, next(iter(before)), next(iter(made)))
        else:
            yield part
        start, before = i + 1, after


def find(parts: Sequence[list[Piece] | Stretch]) -> list[Block]:
    """A class for each kind of stretch that comes up more than once."""
    alike: dict[object, list[Stretch]] = {}
    for part in parts:
        if isinstance(part, Stretch) and len(part.pieces) >= LEAST:
            alike.setdefault(part.shape, []).append(part)
    blocks: list[Block] = []
    for members in alike.values():
        if len(members) > 1:
            blocks.append(_block(members, {block.name for block in blocks}))
    return blocks


def _block(members: list[Stretch], taken: set[str]) -> Block:
    attrs = _names([[p.attr for p in m.modules] for m in members], [p.init for p in members[0].modules])
    variables = ["x", *_names([m.variables[1:] for m in members])]
    params: dict[str, list[str]] = {}
    columns = list(zip(*(m.numbers for m in members), strict=True))
    named: dict[tuple[str, ...], str] = {}
    inits, at = [], 0
    for attr, piece in zip(attrs, members[0].modules, strict=True):
        init = strided(piece.init)

        def argument(match: re.Match[str], attr: str = attr, init: str = init) -> str:
            nonlocal at
            column, at = columns[at], at + 1
            if len(set(column)) == 1:
                return match[0]
            if column not in named:
                word = re.search(r"(\w+)=\(?$", init[: match.start()])
                name = word[1] if word else "inputs" if not params else attr
                while name in params:
                    name += "_"
                named[column] = name
                params[name] = list(column)
            return named[column]

        inits.append(re.sub(NUMBER, argument, init).replace(", stride=1", ""))
    return Block(_class_name(members, taken), members, attrs, variables, inits, params)


def common_head(names: Sequence[str]) -> str:
    """What all names begin with."""
    least, most = min(names), max(names)
    same = next((i for i, (a, b) in enumerate(zip(least, most, strict=False)) if a != b), min(len(least), len(most)))
    return least[:same]


def _names(columns: list[list[str]], inits: Sequence[str] = ()) -> list[str]:
    """Names for what has another name in each member: what these have in common, the head that all share left out."""
    found = []
    for names in zip(*columns, strict=True):
        head = common_head(list(names))
        tail = common_head([name[len(head) :][::-1] for name in names])[::-1]
        found.append(re.sub(r"_+", "_", f"{head.rstrip('_')}_{tail.lstrip('_')}").strip("_") or "blob")
    shared = common_head(found)
    cut = len(shared[: shared.rfind("_") + 1])
    found = [name[cut:] for name in found] if all(name[cut:] for name in found) else found
    result: list[str] = []
    for i, name in enumerate(found):
        if name[0].isdigit():
            name = f"{'conv' if inits and 'Conv' in inits[i] else 'y'}_{name}"
        name, number = identifier(name), 1
        unused = name
        while name in result or name == "x":
            number += 1
            name = f"{unused}_{number}"
        result.append(name)
    return result


def _class_name(members: list[Stretch], taken: set[str]) -> str:
    head = re.sub(r"[\d_]+$", "", common_head([member.title for member in members]))
    name = "".join(word.capitalize() for word in re.findall(r"[A-Za-z]+", head)) or "Block"
    return next(
        found for found in (name, *(f"{name}{letter}" for letter in "BCDEFGHIJKLMNOPQRSTUVWXYZ")) if found not in taken
    )
