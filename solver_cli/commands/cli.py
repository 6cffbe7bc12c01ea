"""The commands: parse, call one library function, print. Torch is imported inside, so that --help answers at once."""

from __future__ import annotations

import logging
import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

import click

from solver_cli import errors, log
from solver_cli.caffe_pb2 import SolverParameter
from solver_cli.errors import ConfigError
from solver_cli.text import prototxt

EFFECTS = click.Choice(["snapshot", "stop", "none"])


@contextmanager
def reported(level: int = logging.INFO) -> Iterator[None]:
    """Log to stderr, from `level` on; end with one line and exit code 1 on an error that the user can act on."""
    log.to_stderr(level=level)
    try:
        yield
    except errors.Error as error:
        click.echo(getattr(error, "traceback", "") + (str(error) if error.where else f"error: {error}"), err=True)
        _leave(1)
    except (RuntimeError, MemoryError) as error:
        if line := _device_trouble(error):
            click.echo(f"error: {line}", err=True)
            sys.exit(1)
        raise


def _device_trouble(error: RuntimeError | MemoryError) -> str:
    """The line for what a user's machine may do to any step; "" for anything else, which is a bug of ours."""
    text = str(error).partition("\n")[0]
    if errors.out_of_memory(error):
        return f"out of memory: lower batch_size, and raise iter_size by the same factor to train alike ({text})"
    if "device-side assert" in text:
        return f"the GPU refused an index, mostly a label out of range: --cpu names it ({text})"
    return f"the GPU failed: {text}" if text.startswith("CUDA error") else ""


def _settings(ctx: click.Context, option: click.Parameter, values: tuple[str, ...]) -> list[tuple[str, str]]:
    """(field, value) of every --set, tried on an empty solver."""
    settings = []
    for text in values:
        name, equals, value = (part.strip() for part in text.partition("="))
        if not (name and equals):
            raise click.BadParameter(f"'{text}': expected field=value, such as momentum=0.99")
        try:
            prototxt.set_field(SolverParameter(), name, value)
        except ConfigError as error:
            raise click.BadParameter(f"'{text}': {error}") from None
        settings.append((name, value))
    return settings


def _memory(ctx: click.Context, option: click.Parameter, text: str | None) -> int | None:
    """Bytes of a text such as 4G, 512M or 3.5GiB."""
    if text is None:
        return None
    match = re.fullmatch(r"(\d+\.?\d*)\s*([KMGT]?)(iB|B)?", text, re.IGNORECASE)
    if not match or not float(match[1]):
        raise click.BadParameter(f"'{text}': expected an amount of memory, such as 4G or 512M")
    return int(float(match[1]) * 1024 ** " KMGT".index(match[2].upper() or " "))


@click.command()
@click.argument("solver")
@click.option("--snapshot", metavar="FILE", help="Resume from this .solverstate; auto: from the newest whole one, if any.")
@click.option("--keep", type=click.IntRange(min=1), metavar="N", default=None, help="Keep the last N snapshots only.")
@click.option("--keep-best", metavar="OUTPUT", default="", help="Keep a snapshot of the best value of this test output.")
@click.option(
    "--grow-batch",
    type=click.IntRange(min=2),
    metavar="N",
    default=None,
    help="Raise iter_size, up to N, where lr_policy step or multistep would lower the rate.",
)
@click.option("--micro-batch", type=click.IntRange(min=1), metavar="N", help="Run batches in pieces of N, to equal effect.")
@click.option("--recompute", is_flag=True, help="Make activations once more on the way back: less memory, more time.")
@click.option("--offload", is_flag=True, help="With --micro-batch: keep blobs between a net's parts in the host's memory.")
@click.option("--fit", is_flag=True, help="Choose the largest --micro-batch that the memory allows.")
@click.option("--memory", metavar="4G", callback=_memory, help="What --fit is to fit into.  [default: what is free]")
@click.option(
    "--batch-norm-window",
    type=click.Choice(["pass", "iter_size"]),
    help="Take BatchNorm's statistics from each pass (as Caffe does), or from all passes of an iteration.",
)
@click.option(
    "--precision",
    type=click.Choice(["fp32", "tf32", "bf16", "fp16"]),
    help="What layers compute in; weights stay float32.  [default: tf32 on a GPU that has it, else fp32]",
)
@click.option("--compile", "compiled", is_flag=True, help="Let torch.compile make the net faster, at the start of the run.")
@click.option("--allow-nan", is_flag=True, help="Go on when the loss is NaN or infinite.")
@click.option("--weights", metavar="FILE[,FILE]", help="Start from these weights instead of the solver's.")
@click.option("--gpu", metavar="LIST|all", help="Train on this GPU; an error if there is none.")
@click.option("--cpu", is_flag=True, help="Train on the CPU, whatever solver_mode says.")
@click.option("--level", type=int, default=0, show_default=True, help="Level of the train net's state.")
@click.option("--stage", default="", metavar="NAME[,NAME]", help="Stages of the train net's state.")
@click.option(
    "--sigint-effect", "--sigint_effect", type=EFFECTS, default="stop", show_default=True, help="What Ctrl-C does."
)
@click.option(
    "--sighup-effect", "--sighup_effect", type=EFFECTS, default="snapshot", show_default=True, help="What SIGHUP does."
)
@click.option(
    "--set",
    "settings",
    multiple=True,
    metavar="FIELD=VALUE",
    callback=_settings,
    help="Override a solver field for this run, such as base_lr=0.001 or train_state.level=1. Repeatable.",
)
@click.option("--no-python-layers", is_flag=True, help="Refuse layers of type Python, which run code of their own.")
@click.version_option(package_name="solver-train")
def train(
    solver: str,
    snapshot: str | None,
    keep: int | None,
    keep_best: str,
    grow_batch: int | None,
    micro_batch: int | None,
    recompute: bool,
    offload: bool,
    fit: bool,
    memory: int | None,
    batch_norm_window: str | None,
    precision: str | None,
    compiled: bool,
    allow_nan: bool,
    weights: str | None,
    gpu: str | None,
    cpu: bool,
    level: int,
    stage: str,
    sigint_effect: str,
    sighup_effect: str,
    settings: list[tuple[str, str]],
    no_python_layers: bool,
) -> None:
    """Train the Caffe solver file SOLVER.

    Paths inside the solver and net count from the working folder, as with Caffe.
    """
    if snapshot and snapshot != "auto" and weights:
        raise click.UsageError("give --snapshot to resume training or --weights to finetune, but not both")
    if gpu and cpu:
        raise click.UsageError("give --gpu or --cpu, but not both")
    if memory and not fit:
        raise click.UsageError("--memory says what --fit is to fit into: give both")
    if offload and not (micro_batch or fit):
        raise click.UsageError("--offload goes with --micro-batch or --fit")
    window = None if batch_norm_window is None else batch_norm_window == "iter_size"
    with reported():
        from solver_cli.commands import training
        from solver_cli.passes.fit import Splitting
        from solver_cli.solver.signals import Action

        code = training.train(
            solver,
            snapshot=snapshot,
            keep=keep or 0,
            keep_best=keep_best,
            grow_batch=grow_batch,
            splitting=Splitting(micro_batch or 0, recompute, window, offload),
            fit=fit,
            memory=memory,
            precision=precision,
            compile=compiled,
            allow_nan=allow_nan,
            weights=weights,
            gpu=gpu,
            cpu=cpu,
            level=level,
            stages=stage.split(","),
            settings=settings,
            sigint=Action(sigint_effect),
            sighup=Action(sighup_effect),
            python_layers=not no_python_layers,
        )
        _leave(code)


def _leave(code: int) -> NoReturn:
    """End the process, also where a reader is stuck for ever: Python would wait for some of its threads."""
    prefetch = sys.modules.get("solver_cli.data.prefetch")
    if prefetch and prefetch.stuck():
        sys.stderr.flush()
        os._exit(code)
    sys.exit(code)


@click.group()
@click.version_option(package_name="solver-train")
def tools() -> None:
    """Tools around Caffe's files: data sets, layer types, old formats."""


@tools.command()
@click.argument("name", type=click.Choice(["mnist"]))
@click.option("--to", "folder", metavar="FOLDER", help="Where to put the databases.  [default: configs/NAME]")
@click.option("--full", is_flag=True, help="Fetch the whole data set (60,000 + 10,000 digits) through torchvision.")
def data(name: str, folder: str | None, full: bool) -> None:
    """Build the train and test LMDBs of a data set, beside its config."""
    with reported():
        from pathlib import Path

        from solver_cli.commands import datasets

        target = Path(folder or f"configs/{name}")
        if not target.is_dir():
            raise ConfigError(f"the folder '{target}' does not exist: run this where the configs are, or name one with --to")
        datasets.mnist(target, full)
        click.echo(f"wrote {target / 'mnist_train_lmdb'} and {target / 'mnist_test_lmdb'}")


@tools.command()
@click.argument("name", metavar="[TYPE]", required=False)
@click.option("--markdown", is_flag=True, help="The table of docs/layers.md.")
def layers(name: str | None, markdown: bool) -> None:
    """List the supported layer types, or say all about one TYPE: its blobs and settings, with types and defaults."""
    with reported():
        from solver_cli.commands import catalogue

        lines = catalogue.page(name) if name else catalogue.markdown() if markdown else catalogue.table()
        click.echo("\n".join(lines))


@tools.command()
@click.argument("solver")
@click.option("--batch", type=click.IntRange(min=1), metavar="N", help="Plan with this batch size for the train net.")
@click.option(
    "--memory", metavar="4G", callback=_memory, help="What the largest batch is to fit into.  [default: what is free]"
)
@click.option("--level", type=int, default=0, show_default=True, help="Level of the train net's state.")
@click.option("--stage", default="", metavar="NAME[,NAME]", help="Stages of the train net's state.")
@click.option("--set", "settings", multiple=True, metavar="FIELD=VALUE", callback=_settings, help="As in solver-train.")
@click.option("--no-python-layers", is_flag=True, help="Refuse layers of type Python, which run code of their own.")
def plan(
    solver: str,
    batch: int | None,
    memory: int | None,
    level: int,
    stage: str,
    settings: list[tuple[str, str]],
    no_python_layers: bool,
) -> None:
    """Say what the solver file SOLVER asks for: layers, memory, epochs, learning rate, noise, and what looks wrong.

    Nothing is trained and nothing is written.
    """
    with reported(logging.WARNING):
        from solver_cli.commands import report, training

        spec = training.effective(solver, level=level, stages=stage.split(","), settings=settings)
        lines = report.plan(spec, batch=batch, memory=memory, python_layers=not no_python_layers)
        click.echo("\n".join(lines))


@tools.command(context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})
@click.option("--ours", is_flag=True, help="Do so even where another caffe can be imported.")
@click.option("-m", "module", metavar="MODULE", default="", help="Run a module instead of a script.")
@click.option("-c", "code", metavar="CODE", default="", help="Run a line of Python instead of a script.")
@click.argument("script", nargs=-1, type=click.UNPROCESSED, metavar="SCRIPT [ARGS]...")
def python(ours: bool, module: str, code: str, script: tuple[str, ...]) -> None:
    """Run the Python script SCRIPT, whose `import caffe` gives pycaffe's interface over this program."""
    if not (script or module or code):
        raise click.UsageError("give a script, -m MODULE or -c CODE")
    from solver_cli.pycaffe.script import run

    sys.exit(run(script, module=module, code=code, ours=ours))


@tools.command()
@click.argument("source")
@click.argument("target")
def upgrade(source: str, target: str) -> None:
    """Bring the net, solver or weights file SOURCE, of any Caffe generation, to today's form in TARGET."""
    with reported():
        from solver_cli.commands import upgrading

        ok = upgrading.upgrade_file(source, target)
    sys.exit(0 if ok else 1)
