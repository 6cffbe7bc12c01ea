"""Command lines as gflags reads them: what `caffe` and Caffe's other tools are told, in one place for all of them."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from solver_cli.errors import nearest

TRUE, FALSE = ("1", "t", "true", "y", "yes"), ("0", "f", "false", "n", "no")
NUMBER = re.compile(r"[+-]?(0[xX][0-9a-fA-F]+|\d+)")
MOST_FILES = 100
Value = str | int | bool


@dataclass(frozen=True)
class Flag:
    """A flag: its name, its default, which shows its kind (string, int32, bool), and what it does."""

    name: str
    default: Value
    help: str

    @property
    def kind(self) -> str:
        return {bool: "bool", int: "int32", str: "string"}[type(self.default)]

    def read(self, text: str) -> Value:
        """The value that a text stands for. Raises Wrong."""
        if isinstance(self.default, str):
            return text
        if isinstance(self.default, bool) and text.lower() in (*TRUE, *FALSE):
            return text.lower() in TRUE
        if not isinstance(self.default, bool) and NUMBER.fullmatch(text):
            value = int(text, 16 if "x" in text.lower() else 10)
            if -(2**31) <= value < 2**31:
                return value
        raise Wrong(f"illegal value '{text}' specified for {self.kind} flag '{self.name}'")

    def __str__(self) -> str:
        shown = f'"{self.default}"' if isinstance(self.default, str) else str(self.default).lower()
        text = f"-{self.name} ({self.help}) type: {self.kind} default: {shown}"
        return textwrap.fill(text, 80, initial_indent="    ", subsequent_indent="      ", break_on_hyphens=False)


BUILT_IN = (
    Flag("help", False, "show this text"),
    Flag("helpfull", False, "the same as -help"),
    Flag("helpshort", False, "the same as -help"),
    Flag("version", False, "show the version and exit"),
    Flag("flagfile", "", "read flags from these files, one a line, lists of files separated by ','"),
)


class Wrong(ValueError):
    """A command line that cannot be read: the text is what gflags prints behind `ERROR: `."""


@dataclass(frozen=True)
class Given:
    """What a command line says: the words that are no flags, the value of every flag, and the flags that it names."""

    words: list[str]
    values: Mapping[str, Value]
    named: list[str]

    def text(self, name: str) -> str:
        return str(self.values[name])

    def number(self, name: str) -> int:
        return int(self.values[name])

    def yes(self, name: str) -> bool:
        return bool(self.values[name])


def parse(args: Sequence[str], flags: Sequence[Flag]) -> Given:
    """Read `args`: -f=v, --f=v, -f v, -boolean, -noboolean, wherever they stand; `--` ends the flags. Raises Wrong."""
    known = {flag.name: flag for flag in (*flags, *BUILT_IN)}
    values: dict[str, Value] = {name: flag.default for name, flag in known.items()}
    words: list[str] = []
    named: list[str] = []
    files: list[str] = []
    left = list(args)
    while left:
        arg = left.pop(0)
        if arg == "--":
            words += left
            break
        if not arg.startswith("-") or arg == "-":
            words.append(arg)
            continue
        key, equals, value = arg[2 if arg.startswith("--") else 1 :].partition("=")
        flag, negated = _find(key, known)
        if negated:
            value = "0"
        elif not equals and isinstance(flag.default, bool):
            value = "1"
        elif not equals:
            if not left:
                raise Wrong(f"flag '{arg}' is missing its argument; flag description: {flag.help}")
            value = left.pop(0)
        values[flag.name] = flag.read(value)
        named.append(flag.name)
        if flag.name == "flagfile":
            files += value.split(",")
            if len(files) > MOST_FILES:
                raise Wrong(f"flagfile '{value}' is one of more than {MOST_FILES}: does it name itself?")
            left[:0] = [line for file in value.split(",") for line in _lines(file)]
    return Given(words, values, named)


def _find(key: str, known: Mapping[str, Flag]) -> tuple[Flag, bool]:
    """The flag that is meant, and whether it is a boolean that `no` turns off. Raises Wrong."""
    if key in known:
        return known[key], False
    flag = known.get(key.removeprefix("no")) if key.startswith("no") else None
    if flag is None:
        raise Wrong(f"unknown command line flag '{key}'{nearest(key, known)}")
    if not isinstance(flag.default, bool):
        raise Wrong(f"boolean value ({key}) specified for {flag.kind} command line flag")
    return flag, True


def _lines(file: str) -> list[str]:
    """The flags in a file: lines that begin with a dash; a flag for one program alone (a line with its name) is none."""
    try:
        with open(file, encoding="utf-8") as opened:
            found = [line.strip() for line in opened]
    except (OSError, ValueError) as error:
        raise Wrong(f"cannot read the flagfile '{file}': {getattr(error, 'strerror', None) or 'it is no text'}") from None
    wrong = [line for line in found if line and line[0] not in "-#"]
    if wrong:
        raise Wrong(f"flagfile '{file}': '{wrong[0]}' is no flag")
    return [line for line in found if line.startswith("-")]


def usage(program: str, text: str, groups: Mapping[str, Sequence[Flag]]) -> str:
    """What `-help` prints: what the program is for, then the flags of each group in alphabetical order."""
    parts = [f"{program}: {text}"]
    for title, flags in groups.items():
        parts.append("\n".join([f"\n  Flags {title}:", *map(str, sorted(flags, key=lambda flag: flag.name))]))
    return "\n".join(parts)
