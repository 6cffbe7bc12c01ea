"""What a run can be told beyond its solver file: each option once, with its type, default and help.

The command line is made of these fields (`commands.options`), and `Solver(file, micro_batch=8)` takes them by their names.
Nothing heavy is imported here: `--help` shall answer at once.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

GROUPS = ("What to train on", "How it fits the memory", "How it computes", "What is kept and shown", "On signals")
DATA, FITS, COMPUTES, KEPT, SIGNALS = GROUPS
EFFECTS = ("snapshot", "stop", "none")
INT32 = range(-(2**31), 2**31)  # what a field of a solver holds
MOST = 2**63  # bytes: more than any machine has


def option(
    default: Any,
    help: str,
    group: str,
    *,
    metavar: str | None = None,
    choices: Sequence[str] = (),
    parse: Callable[[str], Any] | None = None,
    names: Sequence[str] = (),
) -> Any:
    """A field: `parse` makes its value of a text (ValueError says what is wrong), `names` are those on the command line
    where they are not the field's own. A tuple may be given several times."""
    extra = {"metavar": metavar, "choices": tuple(choices), "parse": parse or text, "names": tuple(names)}
    return field(default=default, metadata={"help": help, "group": group, **extra})


def text(value: str) -> str:
    """A text as it is. Raises ValueError for bytes of the command line that are not UTF-8."""
    try:
        value.encode()
    except UnicodeEncodeError:
        raise ValueError("these bytes are not UTF-8: rename the file, or correct the name") from None
    return value


def whole(least: int = INT32[0]) -> Callable[[str], int]:
    """What reads a whole number from `least` on that a solver's fields can hold; ValueError otherwise."""

    def parse(value: str) -> int:
        if not re.fullmatch(r"[+-]?[0-9]{1,10}", value) or int(value) not in INT32[least - INT32[0] :]:
            raise ValueError(f"expected a whole number from {least} to {INT32[-1]}")
        return int(value)

    return parse


def memory(value: str) -> int:
    """Bytes of a text such as 4G, 512M or 3.5GiB. Raises ValueError."""
    match = re.fullmatch(r"(\d+\.?\d*)\s*([KMGT]?)(iB|B)?", value, re.IGNORECASE)
    amount = float(match[1]) * 1024.0 ** " KMGT".index(match[2].upper() or " ") if match else 0
    if not 1 <= amount < MOST:
        raise ValueError("expected an amount of memory, such as 4G or 512M")
    return int(amount)


def assignment(value: str) -> tuple[str, str]:
    """(field, value) of a text such as momentum=0.99, tried on an empty solver. Raises ValueError."""
    from solver_cli.caffe_pb2 import SolverParameter
    from solver_cli.errors import ConfigError
    from solver_cli.text import prototxt

    name, equals, content = (part.strip() for part in text(value).partition("="))
    if not (name and equals):
        raise ValueError("expected field=value, such as momentum=0.99")
    try:
        prototxt.set_field(SolverParameter(), name, content)
    except ConfigError as error:
        raise ValueError(str(error)) from None
    return name, content


@dataclass(frozen=True)
class Options:
    """How a solver trains, beyond what its file says; None and false leave it to the file, or to Caffe's way."""

    micro_batch: int | None = option(None, "Run batches in pieces of N, to equal effect.", FITS, metavar="N", parse=whole(1))
    recompute: bool = option(False, "Make activations once more on the way back: less memory, more time.", FITS)
    offload: bool = option(False, "With --micro-batch: keep blobs between a net's parts in the host's memory.", FITS)
    fit: bool = option(False, "Choose the largest --micro-batch that the memory allows.", FITS)
    memory: int | None = option(
        None, "What --fit is to fit into.  [default: what is free]", FITS, metavar="4G", parse=memory
    )
    batch_norm_window: str | None = option(
        None, "Take BatchNorm's statistics from each pass (as Caffe does), or from all passes of an iteration.", FITS,
        choices=("pass", "iter_size"),
    )  # fmt: skip
    grow_batch: int | None = option(
        None, "Raise iter_size, up to N, where lr_policy step or multistep would lower the rate.", FITS,
        metavar="N", parse=whole(2),
    )  # fmt: skip
    precision: str | None = option(
        None, "What layers compute in; weights stay float32.  [default: tf32 on a GPU that has it, else fp32]", COMPUTES,
        choices=("fp32", "tf32", "bf16", "fp16"),
    )  # fmt: skip
    split_batch: bool = option(False, "Divide batch_size among the ranks: each takes its part, none a whole batch.", DATA)
    compile: bool = option(False, "Let torch.compile make the net faster, at the start of the run.", COMPUTES)
    cuda_graphs: bool = option(
        True, "Launch the kernels of a pass one by one, and not as one CUDA graph.", COMPUTES, names=["--no-cuda-graphs"]
    )
    allow_nan: bool = option(False, "Go on when the loss is NaN or infinite.", COMPUTES)
    python_layers: bool = option(
        True, "Refuse layers of type Python, which run code of their own.", COMPUTES, names=["--no-python-layers"]
    )
    layers: tuple[str, ...] = option(
        (), "Bring layer types of your own, written in this Python file: docs/own-layers.md. Repeatable.", DATA,
        metavar="FILE.py",
    )  # fmt: skip
    schema: tuple[str, ...] = option(
        (), "Read what the caffe.proto of a fork has beside Caffe's. Repeatable.", DATA, metavar="FILE.proto"
    )
    accept: tuple[str, ...] = option(
        (), "Train without what a layer's field of such a schema asks for. Repeatable.", DATA, metavar="FIELD"
    )
    keep: int | None = option(None, "Keep the last N snapshots only.", KEPT, metavar="N", parse=whole(1))
    keep_best: str = option("", "Keep a snapshot of the best value of this test output.", KEPT, metavar="OUTPUT")
    csv: str = option("", "Write displays and tests into FILE.train, FILE.test, as Caffe's parse_log.", KEPT, metavar="FILE")
    plot: str = option("", "Draw the curves into this .png, .svg or .pdf, again and again.", KEPT, metavar="FILE")
    tensorboard: str = option("", "Write events for TensorBoard into this folder.", KEPT, metavar="FOLDER")


@dataclass(frozen=True)
class RunOptions(Options):
    """What `solver-train` can be told: how the solver trains, where the run begins, on what it runs, what signals do."""

    snapshot: str | None = option(
        None, "Resume from this .solverstate; auto: from the newest whole one, if any.", DATA, metavar="FILE"
    )
    weights: str | None = option(None, "Start from these weights instead of the solver's.", DATA, metavar="FILE[,FILE]")
    gpu: str | None = option(
        None, "Train on this GPU, or on several, each with batch_size records of its own.", DATA, metavar="LIST|all"
    )
    cpu: bool = option(False, "Train on the CPU, whatever solver_mode says.", DATA)
    ranks: int = option(
        1, "With --cpu: train in N processes, each with batch_size records of its own.", DATA, metavar="N", parse=whole(1)
    )
    patience: int = option(
        600, "Seconds that ranks wait for one that does not answer.  [default: 600]", DATA, metavar="N", parse=whole(1)
    )
    level: int = option(0, "Level of the train net's state.  [default: 0]", DATA, metavar="N", parse=whole())
    stage: str = option("", "Stages of the train net's state.", DATA, metavar="NAME[,NAME]")
    dialect: str | None = option(
        None, "Whose words the nets use where they do not tell: ssd, segnet, nvcaffe ...", DATA, metavar="NAME"
    )
    settings: tuple[tuple[str, str], ...] = option(
        (), "Override a solver field for this run, such as base_lr=0.001 or train_state.level=1. Repeatable.", DATA,
        metavar="FIELD=VALUE", parse=assignment, names=["--set"],
    )  # fmt: skip
    quiet: bool = option(False, "Log displays, tests, snapshots and warnings only.", KEPT)
    sigint_effect: str = option(
        "stop", "What Ctrl-C does.", SIGNALS, choices=EFFECTS, names=["--sigint-effect", "--sigint_effect"]
    )
    sighup_effect: str = option(
        "snapshot", "What SIGHUP does.", SIGNALS, choices=EFFECTS, names=["--sighup-effect", "--sighup_effect"]
    )

    @property
    def stages(self) -> list[str]:
        """The stages, one by one; Caffe's tool splits an empty text into one empty stage."""
        return self.stage.split(",")

    def conflict(self) -> str:
        """What does not go together; "" if all does."""
        if self.snapshot and self.snapshot != "auto" and self.weights:
            return "give --snapshot to resume training or --weights to finetune, but not both"
        if self.layers and not self.python_layers:
            return "--layers brings Python layers, and --no-python-layers refuses them"
        if self.gpu and self.cpu:
            return "give --gpu or --cpu, but not both"
        if self.ranks > 1 and not self.cpu:
            return "--ranks goes with --cpu; on GPUs --gpu 0,1 names them, a rank each"
        if self.ranks > (most := 4 * (os.cpu_count() or 1)):
            return f"--ranks {self.ranks}: this machine has {os.cpu_count()} processors, on which {most} ranks may run"
        if self.memory and not self.fit:
            return "--memory says what --fit is to fit into: give both"
        if self.offload and not (self.micro_batch or self.fit):
            return "--offload goes with --micro-batch or --fit"
        return ""
