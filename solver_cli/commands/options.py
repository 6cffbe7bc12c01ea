"""From options, which are fields of a dataclass, to click's: names, types and help in groups, examples below."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import Field, fields
from typing import Any, TypeVar

import click

from solver_cli.solver.options import GROUPS

F = TypeVar("F", bound=Callable[..., Any])
HELP: dict[str, Any] = {"help_option_names": ["-h", "--help"]}


class Option(click.Option):
    """An option that stands in a group of the help."""

    def __init__(self, *args: Any, group: str = "", **settings: Any):
        super().__init__(*args, **settings)
        self.group = group


class Command(click.Command):
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

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        if self.examples:
            with formatter.section("Examples"):
                formatter.write("".join(f"  {line}\n" for line in self.examples.strip().splitlines()))


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
    elif told["parse"]:
        settings |= {"callback": _parsing(told["parse"]), "multiple": isinstance(field.default, tuple)}
    elif "int" in str(field.type):
        settings |= {"type": click.IntRange(min=told["least"]) if told["least"] is not None else int}
        settings |= {"show_default": field.default is not None}
    return click.option(*names, field.name, cls=Option, **settings)


def _parsing(parse: Callable[[str], Any]) -> Callable[[click.Context, click.Parameter, Any], Any]:
    def callback(ctx: click.Context, param: click.Parameter, value: Any) -> Any:
        if value is None or isinstance(value, tuple):
            return value if value is None else tuple(map(one, value))
        return one(value)

    def one(text: str) -> Any:
        try:
            return parse(text)
        except ValueError as error:
            raise click.BadParameter(f"'{text}': {error}") from None

    return callback
