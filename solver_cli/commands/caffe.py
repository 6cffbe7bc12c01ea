"""`solver-caffe`: the command line of the `caffe` binary, so that `alias caffe=solver-caffe` lets old scripts run."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from importlib.metadata import version
from typing import NoReturn

from solver_cli.commands import glog
from solver_cli.commands.gflags import BUILT_IN, Flag, Given, Wrong, parse, usage
from solver_cli.commands.running import ended, reported
from solver_cli.errors import nearest
from solver_cli.solver.options import EFFECTS, RunOptions

PROGRAM = "caffe"
USAGE = """Caffe's command line, run by solver-train
usage: caffe <command> <args>

commands:
  train           train a solver, from scratch, from weights or from a snapshot
  test            score a net with learned weights
  device_query    show the GPUs
  time            time the layers of a net

example:
  caffe train -solver examples/mnist/lenet_solver.prototxt -gpu 0"""
FLAGS = (
    Flag("gpu", "", "run on this GPU, on several (0,1) or on all"),
    Flag("iterations", 50, "how many batches test and time run"),
    Flag("level", 0, "level of the net's state"),
    Flag("model", "", "the net's file, for test and time"),
    Flag("phase", "", "phase of the net, TRAIN or TEST, for time"),
    Flag("sighup_effect", "snapshot", "what SIGHUP does in train: snapshot, stop or none"),
    Flag("sigint_effect", "stop", "what SIGINT does in train: snapshot, stop or none"),
    Flag("snapshot", "", "the solver state that train goes on from"),
    Flag("solver", "", "the solver's file, for train"),
    Flag("stage", "", "stages of the net's state, separated by ','"),
    Flag("weights", "", "learned weights, files separated by ',', that train or test starts from"),
)
READ = {  # what each command reads; Caffe is silent about the others
    "train": {"gpu", "level", "sighup_effect", "sigint_effect", "snapshot", "solver", "stage", "weights"},
    "test": {"gpu", "iterations", "level", "model", "stage", "weights"},
    "time": {"gpu", "iterations", "level", "model", "phase", "stage"},
    "device_query": {"gpu"},
}
NEEDED = {
    "train": {"solver": "a solver file"},
    "test": {"model": "a net file", "weights": "learned weights"},
    "time": {"model": "a net file"},
    "device_query": {},
}


def main(args: Sequence[str] | None = None) -> NoReturn:
    """Run the command that `args`, by default the process's own, name; the process ends here, with 0 or 1."""
    ended(run, sys.argv[1:] if args is None else args)


def run(args: Sequence[str]) -> int:
    """Run the command of `args`; the exit code."""
    try:
        log_flags = glog.flags()
        given = parse(args, [*FLAGS, *log_flags])
    except Wrong as wrong:
        return _refuse(str(wrong))
    if given.yes("version"):
        print(f"{PROGRAM} version {version('solver-train')} (solver-train)")
        return 0
    if given.yes("help") or given.yes("helpfull") or given.yes("helpshort") or not given.words:
        print(usage(PROGRAM, USAGE, {"of caffe": FLAGS, "of the log": log_flags, "of the command line": BUILT_IN}))
        return 1 if given.words or given.named else 0  # as gflags does
    return _start(given.words, given)


def _start(words: list[str], given: Given) -> int:
    """Run the one command that `words` are to be."""
    command, *rest = words
    if rest:
        return _refuse(f"{command} takes no arguments without a name, such as '{rest[0]}' (-help lists the flags)")
    if command not in COMMANDS:
        return _refuse(f"unknown action '{command}'{nearest(command, COMMANDS)}: there are {', '.join(sorted(COMMANDS))}")
    if problem := _problem(command, given):
        return _refuse(problem)
    with reported(), glog.set_up(PROGRAM, given):
        from solver_cli import log

        idle = [f"-{flag.name}" for flag in FLAGS if flag.name in given.named and flag.name not in READ[command]]
        if idle:
            log.warning("caffe.cpp", f"{', '.join(idle)}: not read by {command}")
        return COMMANDS[command](given)
    return 0


def _refuse(problem: str) -> int:
    """Say what is wrong as gflags does; its exit code."""
    print(f"ERROR: {problem}", file=sys.stderr)
    return 1


def _problem(command: str, given: Given) -> str:
    """What is missing or does not go together, "" if nothing."""
    for name, what in NEEDED[command].items():
        if not given.text(name):
            return f"{command} needs {what}: -{name} FILE"
    if command == "train":
        if given.text("snapshot") and given.text("weights"):
            return "give -snapshot to resume training or -weights to finetune, but not both"
        for name in ("sigint_effect", "sighup_effect"):
            if given.text(name) not in EFFECTS:
                return f"-{name} {given.text(name)}: it must be one of {', '.join(EFFECTS)}"
    if command == "time" and given.text("phase") not in ("", "TRAIN", "TEST"):
        return f"-phase {given.text('phase')}: it must be TRAIN or TEST"
    if command in ("test", "time") and given.number("iterations") < 1:
        return f"-iterations {given.number('iterations')}: it must be 1 or more"
    return ""


def _options(given: Given) -> RunOptions:
    """The flags as options of a run."""
    return RunOptions(
        snapshot=given.text("snapshot") or None,
        weights=given.text("weights") or None,
        gpu=given.text("gpu") or None,
        level=given.number("level"),
        stage=given.text("stage"),
        sigint_effect=given.text("sigint_effect"),
        sighup_effect=given.text("sighup_effect"),
    )


def _train(given: Given) -> int:
    from solver_cli.commands import training

    return training.train(given.text("solver"), _options(given))


def _test(given: Given) -> int:
    from solver_cli.commands import scoring

    scoring.score(given.text("model"), given.text("weights"), given.number("iterations"), _options(given))
    return 0


def _time(given: Given) -> int:
    from solver_cli.commands import timing

    timing.time_layers(given.text("model"), given.number("iterations"), _options(given), given.text("phase") or "TRAIN")
    return 0


def _device_query(given: Given) -> int:
    from solver_cli.commands import devices

    devices.report(given.text("gpu"))
    return 0


COMMANDS: dict[str, Callable[[Given], int]] = {
    "train": _train,
    "test": _test,
    "time": _time,
    "device_query": _device_query,
}

if __name__ == "__main__":
    main()
