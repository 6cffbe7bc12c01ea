"""What `solver-train` does, as one function."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing, nullcontext
from dataclasses import replace
from pathlib import Path

import torch

from solver_cli import log
from solver_cli.caffe_pb2 import SolverParameter
from solver_cli.commands.devices import gpu_numbers
from solver_cli.commands.progress import progress
from solver_cli.commands.running import leave, reported
from solver_cli.errors import ConfigError, DeviceError
from solver_cli.formats.solverstate import check_there
from solver_cli.net.layout import keep_memory
from solver_cli.parallel.launch import launch
from solver_cli.parallel.ranks import ALONE, Ranks, from_environment, joined
from solver_cli.passes.memory import batch_of
from solver_cli.solver import phases
from solver_cli.solver.building import bring
from solver_cli.solver.options import RunOptions
from solver_cli.solver.signals import Action, SignalHandler
from solver_cli.solver.solver import Solver
from solver_cli.solver.solverspec import SolverSpec, fill_in_prefix, read_solver, test_nets
from solver_cli.solver.tensorboard import TensorBoard
from solver_cli.solver.watchers import Watcher
from solver_cli.text import prototxt

AUTO = "auto"


def train(path: str, run: RunOptions) -> int:
    """Train the solver file `path` as `run` says, on several ranks if it names them, or as the rank that torchrun made this
    process; the exit code. Raises Error."""
    if own := from_environment():
        return train_rank(path, run, own, "env://")
    size = ranks_wanted(path, run)
    if size == 1:
        return train_rank(path, run, ALONE)
    with log.silent():  # the first rank says it all
        bring(run.schema, run.layers, run.python_layers)
        choose_device(solvers(path, run)[0], run.gpu, run.cpu, Ranks(size - 1, size, size - 1))
    return launch(start_rank, size, size, path, run)


def ranks_wanted(path: str, run: RunOptions) -> int:
    """How many ranks the options, else the solver file's device_id: [0, 1], ask for. Raises Error."""
    if run.gpu is not None:
        return len(gpu_numbers(run.gpu) or [0])
    if run.cpu or run.ranks > 1 or not torch.cuda.is_available():
        return run.ranks
    with log.silent():
        bring(run.schema, run.layers, run.python_layers)
        spec = solvers(path, run)[0]
    several = spec.param.device_ids if spec.param.solver_mode == SolverParameter.SolverMode.Value("GPU") else []
    if len(set(several)) < len(several):
        spec.fail("device_id names a GPU twice: name each once, or say --gpu 0,1", "device_id")
    return len(several) or 1


def start_rank(rank: int, meeting: str, size: int, path: str, run: RunOptions) -> None:
    """Be one of `size` ranks, in a process of its own."""
    with reported(quiet=run.quiet, rank=str(rank)):
        leave(train_rank(path, run, Ranks(rank, size, rank, watched=True), meeting))


def train_rank(path: str, run: RunOptions, ranks: Ranks, meeting: str = "") -> int:
    """Train as one of the ranks, which meet at `meeting`; the process's exit code. Raises Error.

    --snapshot auto goes on from the newest whole snapshot of the file's snapshot_prefix; where there is none it starts, from
    --weights if they are given.
    """
    if ranks.size > 1 and run.batch_norm_window == "iter_size":
        raise ConfigError("--batch-norm-window iter_size does not reach over several ranks: leave it out")
    ranks = replace(ranks, patience=run.patience)
    bring(run.schema, run.layers, run.python_layers)
    specs = solvers(path, run)
    first, snapshot = beginning(specs, run.snapshot)
    if snapshot:
        check_there(snapshot)
        specs[first].param.ClearField("weights")  # the snapshot's count
    device = choose_device(specs[first], run.gpu, run.cpu, ranks)
    if device.type == "cuda":
        torch.cuda.set_device(device)  # NCCL and pinned memory take the current one: else all ranks were on GPU 0 as well
    kept = keep_memory() if device.type == "cpu" else nullcontext()
    signals = SignalHandler(Action(run.sigint_effect), Action(run.sighup_effect), last=ranks.watched)
    weights: phases.Weights = {}
    with kept, signals, joined(device, ranks, meeting) as ranks:
        for number, spec in enumerate(specs[first:], first):
            if len(specs) > 1:
                log.info("caffe.cpp", f"Phase {number} of {len(specs)}")
            with closing(build(spec, of_phase(run, number, len(specs)), device, ranks)) as solver:
                phases.carry(weights, solver.net)
                _solve(solver, run, signals, snapshot if number == first else None)
                if solver.outside.stopping:
                    break
                weights = phases.weights_of(solver.net) if spec is not specs[-1] else {}
    return signals.exit_code


def _solve(solver: Solver, run: RunOptions, signals: SignalHandler, snapshot: str | None) -> None:
    """Train to the end, from the snapshot if there is one. Raises Error."""
    solver.watchers += samples(solver, run.python_layers)
    solver.outside.action, solver.outside.ending = signals, signals.ending
    if snapshot:
        log.info("caffe.cpp:235", f"Resuming from {snapshot}")
        with solver.ranks.together():
            solver.restore(snapshot)
    log.info("caffe.cpp:239", "Starting Optimization")
    with progress(solver) if solver.ranks.first else nullcontext():
        solver.solve()
    log.info("caffe.cpp:250", "Optimization Done.")


def beginning(specs: Sequence[SolverSpec], snapshot: str | None) -> tuple[int, str | None]:
    """The phase to begin with, 0 but for several solvers in one file, and the snapshot to go on from. Raises ConfigError."""
    if snapshot != AUTO:
        return (phases.phase_of(snapshot, specs), snapshot) if snapshot else (0, None)
    first, snapshot = phases.newest(specs)
    found = f"the newest whole snapshot is {snapshot}" if snapshot else "there is no whole snapshot: starting anew"
    log.info("solver.cpp", f"{specs[first].param.snapshot_prefix}_iter_*: {found}")
    return first, snapshot


def of_phase(run: RunOptions, number: int, count: int) -> RunOptions:
    """The options for one of `count` phases, each of which writes down what it shows under a name of its own."""
    if count == 1:
        return run
    mark, plot = f"_phase_{number}", Path(run.plot)
    return replace(
        run,
        csv=run.csv and run.csv + mark,
        tensorboard=run.tensorboard and run.tensorboard + mark,
        plot=run.plot and str(plot.with_name(plot.stem + mark + plot.suffix)),
    )


def solvers(path: str, run: RunOptions) -> list[SolverSpec]:
    """The solver file `path` as `run` changes it; several where it holds a schedule of Intel's. Raises Error."""
    specs = [
        _changed(spec, run.weights if number == 0 else None, run.level, run.stages, run.settings, run.dialect)
        for number, spec in enumerate(phases.read_phases(path))
    ]
    phases.name_snapshots(specs)
    return specs


def build(spec: SolverSpec, run: RunOptions, device: torch.device, ranks: Ranks) -> Solver:
    """The solver of a rank. Raises Error, on all of them."""
    with ranks.together():
        solver = Solver(spec, run, device=device, ranks=ranks)
    if ranks.size > 1:
        batch, passes = batch_of(solver.net), solver.param.iter_size
        whole = f"{batch} x {passes} x {ranks.size} = {batch * passes * ranks.size}"
        size = f"a rank's part of batch_size {batch * ranks.size}" if run.split_batch else "batch_size"
        log.info("parallel.cpp", f"An update takes {whole} records ({size} x iter_size x ranks); the rate is the file's")
    return solver


def samples(solver: Solver, python_layers: bool) -> list[Watcher]:
    """What draws samples of detection or segmentation for TensorBoard, where both are there."""
    board = next((watcher for watcher in solver.watchers if isinstance(watcher, TensorBoard)), None)
    if board is None or not solver.test_nets:
        return []
    from solver_cli.tools.samples import watched  # few runs need it

    _, spec = next(iter(test_nets(solver.spec)))
    return [*watched(spec, solver.net, board, python_layers)]


def effective(
    path: str,
    *,
    weights: str | None = None,
    level: int = 0,
    stages: Sequence[str] = ("",),
    settings: Sequence[tuple[str, str]] = (),
    dialect: str | None = None,
) -> SolverSpec:
    """The solver file `path` with what the options change in it; `weights` of "" takes the file's own away. Raises Error."""
    return _changed(read_solver(path), weights, level, stages, settings, dialect)


def _changed(
    spec: SolverSpec,
    weights: str | None,
    level: int,
    stages: Sequence[str],
    settings: Sequence[tuple[str, str]],
    dialect: str | None,
) -> SolverSpec:
    for name, value in settings:
        prototxt.set_field(spec.param, name, value)
        if name == "device_id":
            spec.param.ClearField("device_ids")
    fill_in_prefix(spec.param, spec.file)
    spec.param.train_state.level = level
    spec.param.train_state.stage.extend(stages)
    if weights is not None:
        spec.param.ClearField("weights")
    if weights:
        spec.param.weights.append(weights)
    return replace(spec, dialect=dialect)


def choose_device(spec: SolverSpec, gpu: str | None, cpu: bool, ranks: Ranks = ALONE) -> torch.device:
    """The device of a rank that the options, else the solver file, ask for. Raises DeviceError, ConfigError."""
    wants_gpu = spec.param.solver_mode == SolverParameter.SolverMode.Value("GPU")
    said = spec.param.HasField("solver_mode") or len(spec.param.device_ids) > 1
    if gpu is None and not cpu and wants_gpu and not torch.cuda.is_available() and said:
        log.warning("caffe.cpp:197", "solver_mode is GPU, but there is no GPU here: training on the CPU (--cpu says so).")
    if cpu or (gpu is None and not (wants_gpu and torch.cuda.is_available())):
        log.info("caffe.cpp:197", "Use CPU.")
        return torch.device("cpu")
    several = list(spec.param.device_ids) or [spec.param.device_id]
    if gpu is not None:
        several = gpu_numbers(gpu) or [0]
    elif len(several) < ranks.size:
        several = list(range(ranks.size))
    if ranks.local >= len(several):
        raise DeviceError(f"--gpu {gpu}: rank {ranks.rank}, number {ranks.local} on its machine, has no GPU there")
    index = several[ranks.local]
    if index < 0:
        spec.fail(f"device_id must be 0 or more, not {index}", "device_id")
    if index >= torch.cuda.device_count():
        found = f"there is no GPU {index}: this machine has {torch.cuda.device_count()}"
        if gpu is None:
            spec.fail(found, "device_id")
        raise DeviceError(f"--gpu {gpu}: {found} (leave it out to train on the CPU)")
    spec.param.device_id = index
    log.info("caffe.cpp:203", f"Using GPUs {index}")
    log.info("caffe.cpp:208", f"GPU {index}: {torch.cuda.get_device_name(index)}")
    return torch.device("cuda", index)
