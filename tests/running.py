"""What the tests of the commands share: a small net and solver, runs of the commands, and what they print."""

from __future__ import annotations

import contextlib
import io
import os
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from solver_cli import log

LOG_LINE = re.compile(r"[IWE]\d{4} \d\d:\d\d:\d\d\.\d{6} +\d+ [\w.]+:\d+\] ")
TEXT_LINE = re.compile(r' *(\w+ \{|\}|\w+: ("(\\.|[^"\\])*"|[-+.\w]+))$|$')  # of a net or solver that the log shows

ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1"}  # tests run side by side

SOLVER = """\
net: "net.prototxt"
base_lr: 0.1
lr_policy: "fixed"
max_iter: 2
snapshot_prefix: "snap"
solver_mode: CPU
random_seed: 1
"""

NET = """\
name: "small"
layer {
  name: "data"
  type: "DummyData"
  top: "data"
  top: "label"
  dummy_data_param {
    shape { dim: 4 dim: 3 dim: 8 dim: 8 }
    shape { dim: 4 }
    data_filler { type: "gaussian" }
    data_filler { type: "constant" value: 1 }
  }
}
layer {
  name: "conv"
  type: "Convolution"
  bottom: "data"
  top: "conv"
  convolution_param {
    num_output: 4
    kernel_size: 3
    weight_filler { type: "xavier" }
  }
}
layer {
  name: "relu"
  type: "ReLU"
  bottom: "conv"
  top: "conv"
}
layer {
  name: "ip"
  type: "InnerProduct"
  bottom: "conv"
  top: "ip"
  inner_product_param {
    num_output: 5
    weight_filler { type: "xavier" }
  }
}
layer {
  name: "loss"
  type: "SoftmaxWithLoss"
  bottom: "ip"
  bottom: "label"
  top: "loss"
}
"""

# pictures of 12 x 12 or more in a database `db`: crops and mirror images, BatchNorm, Dropout, tests
PICTURES = """
layer { name: "data" type: "Data" top: "data" top: "label" include { phase: TRAIN }
  transform_param { scale: 0.0039 mirror: true crop_size: 10 } data_param { source: "db" batch_size: 7 backend: LMDB } }
layer { name: "data" type: "Data" top: "data" top: "label" include { phase: TEST }
  transform_param { scale: 0.0039 mirror: true crop_size: 10 } data_param { source: "db" batch_size: 5 backend: LMDB } }
layer { name: "conv" type: "Convolution" bottom: "data" top: "conv"
  convolution_param { num_output: 8 kernel_size: 3 weight_filler { type: "xavier" } } }
layer { name: "bn" type: "BatchNorm" bottom: "conv" top: "conv" }
layer { name: "relu" type: "ReLU" bottom: "conv" top: "conv" }
layer { name: "drop" type: "Dropout" bottom: "conv" top: "drop" }
layer { name: "fc" type: "InnerProduct" bottom: "drop" top: "fc"
  inner_product_param { num_output: 3 weight_filler { type: "gaussian" std: 0.1 } } }
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "fc" bottom: "label" top: "loss" }
layer { name: "accuracy" type: "Accuracy" bottom: "fc" bottom: "label" top: "accuracy" include { phase: TEST } }
"""


@dataclass
class Ended:
    """A command that has ended: its exit code, what it printed, and the lines of stderr that are not the log's."""

    code: int
    stdout: str
    stderr: str

    @property
    def complaints(self) -> list[str]:
        return [line for line in self.stderr.splitlines() if not (LOG_LINE.match(line) or TEXT_LINE.match(line))]

    @property
    def log(self) -> list[str]:
        """The messages of the log."""
        return [LOG_LINE.sub("", line) for line in self.stderr.splitlines() if LOG_LINE.match(line)]


def run(command: str, *args: str, folder: Path) -> Ended:
    """Run the real command in a process of its own."""
    done = subprocess.run(
        [program(command), *args], cwd=folder, env=ENVIRONMENT, capture_output=True, text=True, timeout=100, check=False
    )
    return Ended(done.returncode, done.stdout, done.stderr)


def program(command: str) -> str:
    """The path of an installed command."""
    path = Path(sys.executable).with_name(command)
    return str(path) if path.exists() else command


def call(command: Callable[..., Any], *args: str) -> Ended:
    """Run a click command in this process, in the current folder."""
    out, err = io.StringIO(), io.StringIO()
    handlers, propagate = log.logger.handlers[:], log.logger.propagate
    code: Any = 0
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            command.main(list(args), prog_name="command")  # type: ignore[attr-defined]
    except SystemExit as end:
        code = end.code
    finally:
        log.logger.handlers[:], log.logger.propagate = handlers, propagate
    return Ended(int(code or 0), out.getvalue(), err.getvalue())


def write(folder: Path, net: str = NET, solver: str = SOLVER) -> None:
    """Put a net and a solver into the folder."""
    (folder / "net.prototxt").write_text(net)
    (folder / "solver.prototxt").write_text(solver)


def changed(text: str, *changes: tuple[str, str]) -> str:
    """`text` with each (old, new) replaced once; every old must be there."""
    for old, new in changes:
        assert old in text, old
        text = text.replace(old, new, 1)
    return text


def assert_like(line: str, expected: str) -> None:
    """`line` begins and goes on as `expected`, in which `...` stands for anything."""
    pattern = ".*".join(re.escape(part) for part in expected.split("..."))
    assert re.match(pattern, line), f"expected {expected!r}, found {line!r}"
