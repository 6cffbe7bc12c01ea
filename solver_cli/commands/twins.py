"""Caffe's tools under their old names and with their command lines, each of which runs what does the same here."""

from __future__ import annotations

import argparse
import os
import shlex
import stat
import sys
from collections.abc import Callable, Container, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

import click

from solver_cli.commands import caffe, glog
from solver_cli.commands.gflags import BUILT_IN, Flag, Given, Wrong, parse, usage
from solver_cli.commands.running import ended, reported
from solver_cli.errors import ConfigError, Where
from solver_cli.formats.atomic import atomic_write

MARK = "# A twin of Caffe's tool, made by solver-tools twins."
SCRIPT = """#!/bin/sh
'''exec' {python} "$0" "$@"
' '''
{mark}
from solver_cli.commands.twins import main

main({name!r})
"""
IMAGESET = (
    Flag("backend", "lmdb", "the database: lmdb or leveldb"),
    Flag("check_size", False, "refuse pictures of several sizes"),
    Flag("encode_type", "", "encode the pictures as this: png, jpg"),
    Flag("encoded", False, "keep the pictures encoded"),
    Flag("gray", False, "read the pictures as grey ones"),
    Flag("resize_height", 0, "height to resize to"),
    Flag("resize_width", 0, "width to resize to"),
    Flag("shuffle", False, "shuffle the pictures"),
)
MEAN = (Flag("backend", "lmdb", "the database: lmdb or leveldb"),)
CHARTS = [(y, x) for y in ("accuracy", "loss", "learning rate", "loss") for x in ("iterations", "seconds")]
Run = Callable[[Sequence[str]], int]


@dataclass(frozen=True)
class Twin:
    """An old tool: what it does with its arguments, and the command of `solver-tools` that it needs, if any."""

    run: Run
    needs: str = ""


def main(name: str) -> NoReturn:
    """Be the tool `name`: the process ends here."""
    ended(TWINS[name].run, sys.argv[1:])


def write(folder: str) -> list[str]:
    """Write a program for each twin into `folder`, which is made if it is not there; their names. Raises Error.

    Nothing is written if one of the names is taken by something else.
    """
    names = list(available())
    target = Path(folder)
    try:
        for name in names:
            if (file := target / name).exists() and MARK not in file.read_text(errors="replace"):
                raise ConfigError("is there and is no twin of ours: name another folder", Where(str(file)))
        target.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"cannot be used: {error.strerror}", Where(error.filename or folder)) from None
    for name in names:
        with atomic_write(target / name) as out:
            out.write(SCRIPT.format(python=shlex.quote(sys.executable), mark=MARK, name=name).encode())
        mode = (target / name).stat().st_mode
        (target / name).chmod(mode | stat.S_IXUSR | stat.S_IXGRP | stat.S_IXOTH)
    return names


def available() -> Iterator[str]:
    """The names of the twins whose tool is there."""
    from solver_cli.commands.tools import tools

    there = {"", *tools.list_commands(click.Context(tools))}
    yield from (name for name, twin in TWINS.items() if twin.needs in there)


def tool(*words: str) -> int:
    """Run a command of `solver-tools`; it ends the process."""
    from solver_cli.commands.tools import tools

    tools.main(list(words), prog_name="solver-tools")
    return 0


# -- the tools --------------------------------------------------------------------------------------------------------


def _ordered(name: str, words: str, least: int, run: Run) -> Run:
    """A tool that is told by the order of its arguments, called `words` in its usage line."""

    def start(args: Sequence[str]) -> int:
        if not least <= len(args) <= len(words.split()):
            print(f"Usage: {name} {words}", file=sys.stderr)
            return 1
        return run(args)

    return start


def _flagged(
    name: str, about: str, flags: Sequence[Flag], counts: Container[int], words: Callable[[Given], list[str]]
) -> Run:
    """A tool of gflags' flags and as many arguments as `counts` has; `words` are those of the command that does the same."""

    def start(args: Sequence[str]) -> int:
        try:
            given = parse(args, [*flags, *glog.flags()])
        except Wrong as wrong:
            print(f"ERROR: {wrong}", file=sys.stderr)
            return 1
        if len(given.words) not in counts or given.yes("help") or given.yes("helpfull") or given.yes("helpshort"):
            print(usage(name, about, {f"of {name}": flags, "of the command line": BUILT_IN}))
            return 1
        _heed(given)
        return tool(*words(given))

    return start


def _heed(given: Given) -> None:
    """The flags of glog, for a command that logs to stderr by itself."""
    if "minloglevel" in given.named:
        os.environ["GLOG_minloglevel"] = given.text("minloglevel")  # noqa: SIM112 - glog spells it so
    heeded = ("minloglevel", "alsologtostderr", "logtostderr")
    names = {flag.name for flag in glog.FLAGS} - set(heeded)
    if idle := [f"-{name}" for name in dict.fromkeys(given.named) if name in names]:
        print(f"{', '.join(idle)}: without effect here", file=sys.stderr)


def _as_options(given: Given) -> list[str]:
    """The flags that a command line names, as options."""
    found = []
    glogs = {flag.name for flag in glog.FLAGS}
    for name in (each for each in dict.fromkeys(given.named) if each not in glogs):
        value, option = given.values[name], "--" + name.replace("_", "-")
        if value is not False:
            found += [option] if value is True else [option, str(value)]
    return found


def _upgrade(args: Sequence[str]) -> int:
    return tool("upgrade", *args)


def _gpu(args: Sequence[str]) -> list[str]:
    """`-gpu` of an old tool's last arguments, [CPU|GPU [number]]."""
    return ["-gpu", args[1] if len(args) > 1 else "0"] if args and args[0] == "GPU" else []


def _train_net(args: Sequence[str]) -> int:
    return caffe.run(["train", "-solver", args[0], *(("-snapshot", args[1]) if len(args) > 1 else ())])


def _finetune_net(args: Sequence[str]) -> int:
    return caffe.run(["train", "-solver", args[0], "-weights", args[1]])


def _test_net(args: Sequence[str]) -> int:
    return caffe.run(["test", "-model", args[0], "-weights", args[1], "-iterations", args[2], *_gpu(args[3:])])


def _net_speed_benchmark(args: Sequence[str]) -> int:
    return caffe.run(["time", "-model", args[0], "-iterations", args[1] if len(args) > 1 else "50", *_gpu(args[2:])])


def _device_query(args: Sequence[str]) -> int:
    return caffe.run(["device_query", "-gpu", args[0] if args else "0"])


def _parse_log(args: Sequence[str]) -> int:
    parser = argparse.ArgumentParser("parse_log.py", description="Write a log as two CSV files.")
    parser.add_argument("logfile_path")
    parser.add_argument("output_dir")
    parser.add_argument("--verbose", action="store_true", help="name the files, which is done anyhow")
    parser.add_argument("--delimiter", default=",", help="of the columns: only the comma is written")
    told = parser.parse_args(args)
    if told.delimiter != ",":
        parser.error(f"--delimiter '{told.delimiter}': columns are separated by commas here")
    return tool("log", told.logfile_path, "--to", told.output_dir)


def _plot_training_log(args: Sequence[str]) -> int:
    parser = argparse.ArgumentParser("plot_training_log.py", description="Draw what training logs say.")
    kinds = ", ".join(f"{number}: {y} by {x}" for number, (y, x) in enumerate(CHARTS))
    parser.add_argument("chart_type", type=int, choices=range(len(CHARTS)), help=kinds)
    parser.add_argument("path_to_png")
    parser.add_argument("path_to_log", nargs="+")
    told = parser.parse_args(args)
    y, x = CHARTS[told.chart_type]
    return tool("plot", *told.path_to_log, "--to", told.path_to_png, "--x", x, "--y", y)


def _draw_net(args: Sequence[str]) -> int:
    """The drawing of pycaffe's draw module, as the original's."""
    parser = argparse.ArgumentParser("draw_net.py", description="Draw a net.")
    parser.add_argument("input_net_proto_file")
    parser.add_argument("output_image_file")
    parser.add_argument("--rankdir", default="LR", help="TB, LR ...: where the arrows go")
    parser.add_argument("--phase", choices=("TRAIN", "TEST", "ALL"), default="ALL", help="the layers of which phase")
    parser.add_argument("--display_lrm", action="store_true", help="show the layers' lr_mult")
    told = parser.parse_args(args)
    with reported():
        from solver_cli.caffe_pb2 import Phase
        from solver_cli.pycaffe import draw
        from solver_cli.text.netspec import read_net

        net = read_net(told.input_net_proto_file).param
        print(f"Drawing net to {told.output_image_file}")
        phase = None if told.phase == "ALL" else Phase.Value(told.phase)
        draw.draw_net_to_file(net, told.output_image_file, told.rankdir, phase, told.display_lrm)
    return 0


def _cpp(name: str, run: Run, needs: str = "") -> dict[str, Twin]:
    """A tool in C++: its program is also called NAME.bin."""
    return {each: Twin(run, needs) for each in (name, f"{name}.bin")}


def _old(name: str, words: str, least: int, run: Run, needs: str = "") -> dict[str, Twin]:
    return _cpp(name, _ordered(name, words, least, run), needs)


TWINS: dict[str, Twin] = {
    **_cpp("caffe", caffe.run),
    **_cpp(
        "convert_imageset",
        _flagged(
            "convert_imageset", "Write pictures to a database.\n"
            "usage: convert_imageset [FLAGS] ROOTFOLDER/ LISTFILE DB_NAME",
            IMAGESET, [3], lambda given: ["convert-imageset", *_as_options(given), "--", *given.words],
        ),
        "convert-imageset",
    ),
    **_cpp(
        "compute_image_mean",
        _flagged(
            "compute_image_mean", "Compute the mean of a database's pictures.\n"
            "usage: compute_image_mean [FLAGS] INPUT_DB [OUTPUT_FILE]",
            MEAN, [1, 2], lambda given: ["compute-mean", *_as_options(given), "--", *given.words],
        ),
        "compute-mean",
    ),
    **_old(
        "extract_features", "WEIGHTS NET BLOB[,BLOB] DB[,DB] BATCHES lmdb|leveldb [CPU|GPU] [DEVICE_ID]", 6,
        lambda args: tool("features", *args), "features",
    ),
    **_old("upgrade_net_proto_text", "NET_IN NET_OUT", 2, _upgrade, "upgrade"),
    **_old("upgrade_net_proto_binary", "WEIGHTS_IN WEIGHTS_OUT", 2, _upgrade, "upgrade"),
    **_old("upgrade_solver_proto_text", "SOLVER_IN SOLVER_OUT", 2, _upgrade, "upgrade"),
    **_old("train_net", "SOLVER [SNAPSHOT]", 1, _train_net),
    **_old("finetune_net", "SOLVER WEIGHTS", 2, _finetune_net),
    **_old("test_net", "NET WEIGHTS ITERATIONS [CPU|GPU] [DEVICE_ID]", 3, _test_net),
    **_old("net_speed_benchmark", "NET [ITERATIONS] [CPU|GPU] [DEVICE_ID]", 1, _net_speed_benchmark),
    **_old("device_query", "[DEVICE_ID]", 0, _device_query),
    "parse_log.py": Twin(_parse_log, "log"),
    "plot_training_log.py": Twin(_plot_training_log, "plot"),
    "draw_net.py": Twin(_draw_net),
}  # fmt: skip
