"""docs/commands.md: made of the commands, and held against them.

    PYTHONPATH=tests python tests/commands/test_reference.py

brings the page up to date.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from pathlib import Path

import click

from solver_cli.commands import caffe, glog
from solver_cli.commands.gflags import BUILT_IN, Flag
from solver_cli.commands.tools import tools
from solver_cli.commands.train import train
from solver_cli.commands.twins import TWINS
from solver_cli.solver.options import GROUPS

PAGE = Path(__file__).parents[2] / "docs" / "commands.md"
REMEDY = "run PYTHONPATH=tests python tests/commands/test_reference.py"
HEAD = """# Commands

Made by `tests/commands/test_reference.py` of the commands themselves, whose `--help` says the same. The first lines of an
error tell its place; the log goes to the standard error, tables and texts to the standard output.

## Exit codes

| code | when |
| --- | --- |
| 0 | all done; also a run that Ctrl-C or SIGHUP has ended after its snapshot |
| 1 | an error, which one line tells: a file, a device, numbers that went NaN, a full disk; Ctrl-C in `solver-tools`; something that `solver-tools upgrade` cannot upgrade |
| 2 | options or arguments that cannot be (`solver-train`, `solver-tools`, and the twins of scripts in Python) |
| 130 | a second Ctrl-C while `solver-train` was ending: stopped at once; any Ctrl-C in the other commands of `solver-caffe` |
| 143 | SIGTERM: a snapshot was written, then the run ended |

`solver-caffe` and the twins of Caffe's programs end with 1 where gflags does: flags that cannot be, and `-help`.

## Completion

For bash (4.4 or later), in `~/.bashrc`; zsh and fish have `zsh_source` and `fish_source`:

```
eval "$(_SOLVER_TRAIN_COMPLETE=bash_source solver-train)"
eval "$(_SOLVER_TOOLS_COMPLETE=bash_source solver-tools)"
```

Commands, options, their choices, layer types and names of files are completed.
"""  # noqa: E501


def page() -> str:
    context = click.Context(tools)
    commands = [tools.get_command(context, name) for name in tools.list_commands(context)]
    parts = [HEAD, *_command("solver-train", train)]
    for command in commands:
        assert command
        parts += _command(f"solver-tools {command.name}", command)
    return "\n".join([*parts, *_caffe(), *_twins()]) + "\n"


def _command(name: str, command: click.Command) -> Iterator[str]:
    context = click.Context(command, info_name=name, **command.context_settings)
    yield f"## {name}\n"
    yield f"```\n{name} {' '.join(command.collect_usage_pieces(context))}\n```\n"
    yield inspect.cleandoc(command.help or "") + "\n"
    records = [
        (getattr(param, "group", ""), *record)
        for param in command.get_params(context)
        if isinstance(param, click.Option) and "--help" not in param.opts and (record := param.get_help_record(context))
    ]
    if records:
        yield "| option | what it does |\n| --- | --- |"
        for group in (*GROUPS, ""):
            yield from (_row(names, text) for place, names, text in records if place == group)
        yield ""
    yield f"```\n{getattr(command, 'examples', '').strip()}\n```\n"


def _row(names: str, text: str) -> str:
    cells = (f"`{names}`", re.sub(r"\s+", " ", text))
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _caffe() -> Iterator[str]:
    yield "## solver-caffe\n"
    yield (
        "The command line of the `caffe` binary: with `alias caffe=solver-caffe` old scripts run. Flags are read as\n"
        "gflags does (`-flag=value`, `--flag value`, `-boolean`, `-noboolean`); GLOG_minloglevel and its like set the\n"
        "log's. What a command does not read, or what has no effect here, is named in a line.\n"
    )
    yield "```\n" + caffe.USAGE.partition("\n")[2] + "\n```\n"
    yield "| flag | of which | what it does |\n| --- | --- | --- |"
    for flag in caffe.FLAGS:
        yield _flag(flag, ", ".join(sorted(command for command, read in caffe.READ.items() if flag.name in read)))
    yield from (_flag(flag, "the log") for flag in glog.HONOURED)
    yield from (_flag(flag, "all") for flag in BUILT_IN)
    idle = ", ".join(f"`-{name}`" for name in glog.WITHOUT_EFFECT)
    yield f"\nWithout effect, and said so: {idle}.\n"


def _flag(flag: Flag, whose: str) -> str:
    default = f" [default: {flag.default!s}]" if flag.default not in ("", False) else ""
    return f"| `-{flag.name}` | {whose} | {flag.help.replace('|', chr(92) + '|')}{default.replace('True', 'true')} |"


def _twins() -> Iterator[str]:
    yield "## Twins of Caffe's tools\n"
    yield (
        "`solver-tools twins FOLDER` writes programs with the names and the command lines of Caffe's tools, those in C++\n"
        "also as NAME.bin; with the path of the folder, or in `build/tools`, scripts find them.\n"
    )
    yield "| twin | runs |\n| --- | --- |"
    for name, twin in TWINS.items():
        if not name.endswith(".bin"):
            yield f"| `{name}` | {f'`solver-tools {twin.needs}`' if twin.needs else RUNS[name]} |"


RUNS = {
    "caffe": "`solver-caffe`",
    **dict.fromkeys(("train_net", "finetune_net"), "`solver-caffe train`"),
    "test_net": "`solver-caffe test`",
    "net_speed_benchmark": "`solver-caffe time`",
    "device_query": "`solver-caffe device_query`",
    "draw_net.py": "the `draw` of pycaffe",
}


def test_the_page_is_made_of_the_commands() -> None:
    assert PAGE.read_text() == page(), REMEDY


def test_the_page_names_every_command_and_exit_code() -> None:
    text = PAGE.read_text()
    names = ["solver-train", *(f"solver-tools {name}" for name in tools.list_commands(click.Context(tools))), "solver-caffe"]
    assert [line[3:] for line in text.splitlines() if line.startswith("## ")] == [
        "Exit codes", "Completion", *names, "Twins of Caffe's tools",
    ]  # fmt: skip
    assert re.findall(r"^\| (\d+) \|", text, re.M) == ["0", "1", "2", "130", "143"]


if __name__ == "__main__":
    PAGE.write_text(page())
