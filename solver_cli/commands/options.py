"""From options, which are fields of a dataclass, to click's: names, types and help in groups, examples below."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import Field, fields
from typing import Any, TypeVar

import click
from click.shell_completion import CompletionItem

from solver_cli.solver.options import GROUPS, text

F = TypeVar("F", bound=Callable[..., Any])
Complete = Callable[[str], list[CompletionItem]]
HELP: dict[str, Any] = {"help_option_names": ["-h", "--help"]}


class Option(click.Option):
    """An option that stands in a group of the help."""

    def __init__(self, *args: Any, group: str = "", **settings: Any):
        super().__init__(*args, **settings)
        self.group = group


class Examples(click.Command):
    """A command whose help ends with `examples`, as they are typed."""

    examples = ""

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        if self.examples:
            with formatter.section("Examples"):
                formatter.write("".join(f"  {line}\n" for line in self.examples.strip().splitlines()))


class Command(Examples):
    """A command whose help has its options in groups, and examples as they are typed."""

    def __init__(self, *args: Any, examples: str = "", **settings: Any):
        super().__init__(*args, **{"context_settings": HELP, **settings})
        self.examples = examples

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        rows: dict[str, list[tuple[str, str]]] = {}
        for param in self.get_params(ctx):
            if isinstance(param, click.Option) and (record := param.get_help_record(ctx)):
                rows.setdefault(getattr(param, "group", ""), []).append(record)
        for group in (*GROUPS, ""):
            if group in rows:
                with formatter.section(group or "Other options"):
                    formatter.write_dl(rows[group])


def options(kind: type, *names: str, **help: str) -> Callable[[F], F]:
    """Give a command the fields of `kind` as options; only those of `names`, if any. `help` replaces a field's own."""
    chosen = [field for field in fields(kind) if not names or field.name in names]

    def decorate(function: F) -> F:
        for field in reversed(chosen):
            function = _option(field, help.get(field.name, field.metadata["help"]))(function)
        return function

    return decorate


def _option(field: Field[Any], help: str) -> Callable[[F], F]:
    """click's option for a field: a flag for a bool, which says the contrary of the default."""
    told = field.metadata
    names = told["names"] or ["--" + field.name.replace("_", "-")]
    settings: dict[str, Any] = {"default": field.default, "help": help, "group": told["group"], "metavar": told["metavar"]}
    if isinstance(field.default, bool):
        settings |= {"is_flag": True, "flag_value": not field.default}
    elif told["choices"]:
        settings |= {"type": click.Choice(told["choices"]), "show_default": field.default is not None}
    else:
        kind = Parsed(told["parse"], COMPLETE.get(told["metavar"], lambda typed: []))
        settings |= {"type": kind, "multiple": isinstance(field.default, tuple)}
    return click.option(*names, field.name, cls=Option, **settings)


class Parsed(click.ParamType):  # type: ignore[type-arg]
    """A value that a function makes of a text; its ValueError is a usage error. `complete` is for the shell."""

    name = "text"

    def __init__(self, parse: Callable[[str], Any], complete: Complete = lambda typed: []):
        self.parse = parse
        self.complete = complete

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if not isinstance(value, str):
            return value  # a default
        try:
            return self.parse(value)
        except ValueError as error:
            shown = value.encode("utf-8", "backslashreplace").decode()
            self.fail(f"'{shown if len(shown) < 60 else shown[:50] + '...'}': {error}", param, ctx)

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        return self.complete(incomplete)


def files(typed: str) -> list[CompletionItem]:
    """What lets the shell complete the name of a file."""
    return [CompletionItem(typed, type="file")]


def folders(typed: str) -> list[CompletionItem]:
    """What lets the shell complete the name of a folder."""
    return [CompletionItem(typed, type="dir")]


TEXT = Parsed(text)
FILE = Parsed(text, files)
FOLDER = Parsed(text, folders)
COMPLETE: dict[str, Complete] = {"FILE": files, "FILE[,FILE]": files}  # by an option's metavar
