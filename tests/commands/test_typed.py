"""Every command line that a help text, the README or a page of docs/ shows can be typed: its options are there."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from solver_cli.commands.tools import tools
from solver_cli.commands.train import train

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")), *sorted((ROOT / "configs").glob("*/README.md"))]
PROGRAMS: dict[str, click.Command] = {"solver-train": train, "solver-tools": tools}


def shown(text: str) -> Iterator[str]:
    """The command lines in blocks and between backticks, without what is piped or told behind them; no usage lines."""
    blocks = "\n".join(re.findall(r"```\w*\n(.*?)```", text, re.S)).replace("\\\n", " ")
    within = re.findall(r"`([^`\n]+)`", re.sub(r"```.*?```", "", text, flags=re.S))
    for part in re.findall(r"(?:^|&& )(solver-(?:train|tools) .*)$", "\n".join([blocks, *within]), re.M):
        line = re.split(r" +#| {3,}|&&|[|>]", part)[0].strip()
        arguments = line.removeprefix("solver-tools").split()[1:]
        usage = re.search(r"\[|\.\.\.|\b[A-Z]{3,}\b(?!-)", line.partition("--phase")[0])
        if arguments and "--help" not in arguments and not usage:
            yield line


LINES = sorted({line for page in PAGES for line in shown(page.read_text())})


def test_lines_are_found() -> None:
    assert len(LINES) > 40


@pytest.mark.parametrize("line", LINES)
def test_a_line_that_is_shown_can_be_typed(line: str) -> None:
    name, *words = shlex.split(line, comments=True)
    program = PROGRAMS[name]
    if program is tools:
        found = tools.get_command(click.Context(tools), words[0])
        assert found, f"no command {words[0]}"
        program, words = found, words[1:]
    program.make_context(name, words)
