"""Intel's schedules of solvers (params_pair): phases of one net, each with a batch size, rates and snapshots of its own."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from running import PICTURES, Ended, call, changed

from solver_cli.caffe_pb2 import Datum
from solver_cli.commands.datasets import write_lmdb
from solver_cli.commands.tools import tools
from solver_cli.commands.train import train
from solver_cli.errors import ConfigError
from solver_cli.formats import caffemodel
from solver_cli.solver.phases import read_phases

PHASE = """  solver_params {
    net: "net.prototxt" base_lr: 0.1 momentum: 0.9 lr_policy: "fixed" max_iter: 4 snapshot: 2 snapshot_prefix: "snap"
    display: 3 random_seed: 1 test_iter: 2 test_interval: 2 solver_mode: CPU
  }
"""
SECOND = changed(PHASE, ("base_lr: 0.1", "base_lr: 0.01"), ("max_iter: 4", "max_iter: 6"), ("seed: 1", "seed: 2"))
SCHEDULE = f"params_pair {{\n{PHASE}  batch_size: 3\n}}\nparams_pair {{\n{SECOND}  batch_size: 6\n}}\nparams_pair {{ }}\n"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    pictures = np.random.default_rng(3).integers(0, 256, (20, 3, 12, 12), np.uint8)
    records = [Datum(channels=3, height=12, width=12, data=x.tobytes(), label=i % 3) for i, x in enumerate(pictures)]
    write_lmdb(tmp_path / "db", [(b"%04d" % i, record.SerializeToString()) for i, record in enumerate(records)])
    (tmp_path / "net.prototxt").write_text(PICTURES)
    (tmp_path / "solver.prototxt").write_text(SCHEDULE)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def weights(path: str) -> list[np.ndarray]:
    return [np.asarray(blob) for layer in caffemodel.read(path).layers for blob in layer.blobs]


def trained(*args: str) -> Ended:
    ended = call(train, "solver.prototxt", "--cpu", *args)
    assert ended.code == 0, ended.stderr
    return ended


def test_each_phase_begins_with_the_weights_of_the_one_before(folder: Path) -> None:
    ended = trained()
    sizes = re.findall(r"Top shape: (\d+) 3 10 10", ended.stderr)
    assert [line for line in ended.log if line.startswith("Phase")] == [f"Phase {i} of 3" for i in range(3)]
    assert sizes == ["3", "5", "6", "5", "6", "5"]  # the first Data layer's; the third phase keeps the second's
    (folder / "net6.prototxt").write_text((folder / "net.prototxt").read_text().replace("batch_size: 7", "batch_size: 6"))
    alone = SECOND[SECOND.index("{") + 1 : SECOND.rindex("}")]
    (folder / "alone.prototxt").write_text(changed(alone, ("net.prototxt", "net6.prototxt"), ('"snap"', '"alone"')))
    assert call(train, "alone.prototxt", "--cpu", "--weights", "snap_phase_0_iter_4.caffemodel").code == 0
    for mine, theirs in zip(weights("snap_phase_1_iter_6.caffemodel"), weights("alone_iter_6.caffemodel"), strict=True):
        np.testing.assert_array_equal(mine, theirs)


@pytest.mark.parametrize(("phase", "iteration"), [(0, 2), (1, 2), (1, 6)])
def test_a_run_that_was_killed_goes_on_in_its_phase_to_the_same_end(folder: Path, phase: int, iteration: int) -> None:
    trained()
    end = Path("snap_phase_2_iter_6.caffemodel").read_bytes()
    for file in folder.glob("snap_*"):
        number, at = map(int, re.findall(r"\d+", file.name))
        if (number, at) > (phase, iteration):
            file.unlink()
    ended = trained("--snapshot", "auto")
    assert next(line for line in ended.log if line.startswith("Phase")) == f"Phase {phase} of 3"
    assert Path("snap_phase_2_iter_6.caffemodel").read_bytes() == end
    ended = trained("--snapshot", f"snap_phase_{phase}_iter_{iteration}.solverstate", "--csv", "run")
    assert Path("snap_phase_2_iter_6.caffemodel").read_bytes() == end
    assert sorted(path.name for path in folder.glob("run*")) == [
        f"run_phase_{i}.{kind}" for i in range(phase, 3) for kind in ("test", "train")
    ]


def test_a_snapshot_of_no_phase_is_refused(folder: Path) -> None:
    (folder / "other_iter_2.solverstate").write_bytes(b"")
    ended = call(train, "solver.prototxt", "--cpu", "--snapshot", "other_iter_2.solverstate")
    assert ended.code == 1 and "of none of the phases; those of the first are snap_phase_0_iter_*" in ended.stderr


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ((PHASE, ""), r"solver.prototxt:1:1: the first params_pair has no solver_params"),
        (('net: "net.prototxt" base_lr: 0.1', "base_lr: 0.1"), "the first phase of params_pair names the net of all"),
        (
            ('net: "net.prototxt" base_lr: 0.01', 'net: "x" base_lr: 0.01'),
            r":10:5: all phases of params_pair train the first",
        ),
    ],
)
def test_schedules_that_cannot_be_run_are_refused_at_their_place(folder: Path, change: tuple[str, str], words: str) -> None:
    (folder / "solver.prototxt").write_text(changed(SCHEDULE, change))
    with pytest.raises(ConfigError, match=words):
        read_phases("solver.prototxt")


def test_a_batch_size_without_a_data_layer_is_refused(folder: Path) -> None:
    (folder / "net.prototxt").write_text('layer { name: "in" type: "Input" top: "x" input_param { shape { dim: 1 } } }')
    ended = call(train, "solver.prototxt", "--cpu")
    assert ended.code == 1 and "params_pair has a batch_size, but its net has no Data layer" in ended.stderr


def test_commands_that_take_one_solver_say_what_to_do() -> None:
    ended = call(tools, "plan", "solver.prototxt")
    assert (
        ended.code == 1 and "no field 'params_pair' (of Intel's fork): solver-train trains such a schedule" in ended.stderr
    )
