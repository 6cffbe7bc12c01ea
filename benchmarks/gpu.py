"""All that waits for a GPU, in one command of about 8 minutes: is it right, does it fit, does it wait, how fast is it.

    python benchmarks/gpu.py [--device cuda] [--small] [--only STEP[,STEP]] [--minutes 8] [--to benchmarks/results/gpu.txt]

Each step is a process of its own with a time limit of its own (below); one that fails is said, and the others go on. The
steps that tell most come first, for those that find no time are left out. `--device cpu --small` tries it where no GPU is.
CIFAR-10 joins `accuracy` where `solver-tools data cifar10` has been run.
"""

from __future__ import annotations

import argparse
import logging
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT / folder) for folder in ("tests", "tests/layers", "benchmarks")]
os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # cuBLAS repeats itself only so

import torch  # noqa: E402

from solver_cli import Net, Solver  # noqa: E402


@dataclass(frozen=True)
class Step:
    """What is done, and the seconds that it may take."""

    run: Callable[[str, bool], None]
    limit: float


STEPS: dict[str, Step] = {}


def step(limit: float) -> Callable[[Callable[[str, bool], None]], Callable[[str, bool], None]]:
    """Register a step, which takes (device, small), prints its lines, and raises what is wrong."""

    def register(run: Callable[[str, bool], None]) -> Callable[[str, bool], None]:
        STEPS[run.__name__] = Step(run, limit)
        return run

    return register


@contextmanager
def written(name: str, batch: int = 0) -> Iterator[str]:
    """The solver of a net of train.py, with its data, in a folder of its own."""
    import train

    case = train.CASES[name]
    with tempfile.TemporaryDirectory() as folder:
        train.write(replace(case, batch=batch or case.batch), Path(folder))
        yield f"{folder}/solver.prototxt"


def settled(device: str) -> float:
    """The time when the device has done what it was told."""
    if device == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter()


# -- is it right --------------------------------------------------------------------------------------------------------


@step(60)
def layers(device: str, small: bool) -> None:
    """Recorded layer cases of real Caffe and the forks, in float32."""
    from golden_layers import FORK_TYPES, FORKS, GOLDEN, TYPES, Case, assert_case, feed, named, names, set_params
    from test_golden_forks import QUIRK

    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
    kinds = [kind for kind in [*TYPES, *FORK_TYPES] if "_graphs" not in kind]
    wrong: list[str] = []
    count = 0

    def check(case: Case) -> None:
        net = Net.from_text(case["prototxt"], phase=case["phase"], seed=1, device=device)
        set_params(net.params.get("test", []), case)
        inputs = {name: x.detach().to(device).requires_grad_(x.requires_grad) for name, x in feed(case).items()}
        for _ in range(case.get("n_forward", 1)):
            _, blobs = net(inputs)
        if device != "cpu":
            case.__class__ = type(
                "OnDevice", (Case,), {"__getitem__": lambda self, name: _moved(Case.__getitem__(self, name))}
            )
        assert_case(case, inputs, net.params.get("test", []), [blobs[top] for top in case["tops"]])

    for name in names(False, kinds[::12] if small else kinds):
        if QUIRK in name:
            continue
        os.chdir(FORKS if name.startswith("forks/") else GOLDEN)
        count += 1
        try:
            check(named(name))
        except Exception as error:
            wrong.append(f"{name}: {type(error).__name__}: {' '.join(str(error).split())[:160]}")
    print(f"{count} cases, {len(wrong)} wrong", *wrong, sep="\n  ")
    assert not wrong


def _moved(value: Any) -> Any:
    return value.cuda() if isinstance(value, torch.Tensor) else value


@step(120)
def tests(device: str, small: bool) -> None:
    """tests/test_cuda.py: golden runs, waits, data that come ahead."""
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--show-capture=no", "--tb=line"]
    ended = subprocess.run([*command, "tests/test_cuda.py"], cwd=ROOT, capture_output=True, text=True, check=False)
    print(*ended.stdout.splitlines()[-25:], sep="\n")
    assert ended.returncode == 0


@step(40)
def resume(device: str, small: bool) -> None:
    """A run of 20 iterations, and one that is stopped and resumed in the middle: bit for bit the same, deterministically."""
    torch.use_deterministic_algorithms(True)
    for name in ("LeNet",) if small else ("LeNet", "CIFAR-10 full", "ResNet-50"):
        with written(name) as path, closing(Solver(path, device=device)) as whole:
            prefix = str(Path(path).with_name("snap"))
            whole.param.snapshot_prefix = prefix
            whole.snapshots.names = replace(whole.snapshots.names, prefix=prefix)
            whole.step(10)
            state = whole.snapshot()
            whole.step(10)
            with closing(Solver(path, device=device)) as again:
                again.restore(state)
                again.step(10)
                pairs = zip(whole.net.learned, again.net.learned, strict=True)
                same = [torch.equal(a.blob, b.blob) for a, b in pairs]
        print(f"{name}: {sum(same)} of {len(same)} learned blobs are the same")
        assert all(same)


@step(30)
def ranks(device: str, small: bool) -> None:
    """One rank, by NCCL and gloo as several have them: collectives of tensors here and there, and of objects."""
    from torch import distributed

    if device == "cuda":
        torch.cuda.set_device(0)
    backend = "cpu:gloo,cuda:nccl" if device == "cuda" else "gloo"
    distributed.init_process_group(backend, store=distributed.HashStore(), rank=0, world_size=1)
    for place in {device, "cpu"}:
        sent = torch.arange(1000.0, device=place)
        distributed.all_reduce(sent, async_op=True).wait()
        distributed.broadcast(sent, 0)
        assert torch.equal(sent.cpu(), torch.arange(1000.0))
    found: list[Any] = [None]
    distributed.all_gather_object(found, {"a": torch.ones(3)})
    distributed.broadcast_object_list(found)
    distributed.destroy_process_group()
    print(f"{backend}: all_reduce, broadcast, all_gather_object, broadcast_object_list")


@step(60)
def accuracy(device: str, small: bool) -> None:
    """The test accuracy of LeNet, and of CIFAR-10 where its data are, in each precision."""
    precisions = ["fp32", "bf16", "fp16"] + ["tf32"] * (device == "cuda")
    with tempfile.TemporaryDirectory() as folder:
        tool = "from solver_cli.commands.tools import tools; tools()"
        Path(folder, "configs/mnist").mkdir(parents=True)
        made = [sys.executable, "-c", tool, "data", "mnist", "--to", f"{folder}/configs/mnist"]
        subprocess.run(made, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
        nets = {"LeNet": ("mnist", "lenet_solver", folder)}
        if list((ROOT / "configs/cifar10").glob("*lmdb")):
            nets["CIFAR-10 quick"] = ("cifar10", "cifar10_quick_solver", str(ROOT))
        for name, (config, solver, place) in nets.items():
            here = Path(folder) / "configs" / config
            here.mkdir(parents=True, exist_ok=True)
            for file in (ROOT / "configs" / config).glob("*.prototxt"):
                (here / file.name).write_text(file.read_text().replace(f"configs/{config}/", f"{place}/configs/{config}/"))
            for precision in precisions[: 1 if small else None]:
                with closing(Solver(f"{here}/{solver}.prototxt", device=device, precision=precision)) as run:
                    run.param.snapshot_after_train, run.param.snapshot = False, 0
                    run.step(100 if small else run.param.max_iter)
                    print(
                        f"{name}, {precision}: accuracy {run.test(0)['accuracy'][0]:.4f} after {run.iter} iterations",
                        flush=True,
                    )


# -- does it fit, does it wait --------------------------------------------------------------------------------------------


@step(40)
def memory(device: str, small: bool) -> None:
    """The forecast of an iteration against the allocator's peak."""
    from solver_cli.passes.memory import Tracker, forecast, mebi

    sizes = {"LeNet": 64} if small else {"LeNet": 64, "CaffeNet": 128, "GoogLeNet": 64, "ResNet-50": 64, "VGG-16": 16}
    for name, batch in sizes.items():
        options = {"precision": "fp32", "cuda_graphs": False}  # a graph keeps its memory
        with written(name, batch) as path, closing(Solver(path, device=device, **options)) as solver:
            told = forecast(solver.net, solver.param)
            solver.step(2)
            if device == "cuda":
                torch.cuda.reset_peak_memory_stats()
                solver.step(3)
                peak = torch.cuda.max_memory_allocated()
            else:
                tracker = Tracker()
                tracker.count([x.blob for x in solver.net.learned] + solver.history)
                with tracker:
                    solver.step(3)
                peak = tracker.peak
            print(f"{name}, {batch}: forecast {mebi(told.total)}, {mebi(told.workspace)} of it scratch; peak {mebi(peak)}, "
                  f"forecast / peak {told.total / peak:.2f}", flush=True)  # fmt: skip


@step(40)
def fit(device: str, small: bool) -> None:
    """With --fit a batch is cut where the memory ends, by forecast and where it runs out: at half of what it takes whole."""
    from solver_cli.passes.memory import forecast

    name, batch, part = ("LeNet", 64, 0.9) if small else ("ResNet-50", 64, 0.5)
    with written(name, batch) as path:
        with closing(Solver(path, device=device, precision="fp32")) as solver:
            whole = forecast(solver.net, solver.param).total
        if device == "cuda":
            total = torch.cuda.get_device_properties(0).total_memory
            torch.cuda.empty_cache()
            torch.cuda.set_per_process_memory_fraction(part * whole / total)
        for told in (int(part * whole), 2 * whole):  # the second believes in more than there is: it must find out by itself
            with closing(Solver(path, device=device, precision="fp32", fit=True, memory=told)) as solver:
                solver.step(3)
                size = solver.fit.splitting.micro_batch or batch
                print(f"{name}, {batch}, told of {told >> 20} MiB: ran in micro-batches of {size}", flush=True)


@step(40)
def waits(device: str, small: bool) -> None:
    """What the profiler counts in 10 iterations without a display: synchronisations, launches, replays of graphs."""
    from torch.profiler import ProfilerActivity, profile

    kinds = [ProfilerActivity.CPU] + [ProfilerActivity.CUDA] * (device == "cuda")
    ways: list[tuple[str, dict[str, Any]]] = [("LeNet", {}), ("LeNet", {"cuda_graphs": False})]
    ways += [("LeNet", {"precision": "fp16"})]
    if not small:
        ways += [("ResNet-50", {}), ("LeNet", {"compile": True})]
    for name, options in ways:
        with written(name) as path, closing(Solver(path, device=device, **options)) as solver:
            solver.param.display = 0
            solver.step(5)
            settled(device)
            with profile(activities=kinds) as seen:
                solver.step(10)
            counts = {event.key: event.count for event in seen.key_averages()}
            of = {what: sum(n for key, n in counts.items() if what in key) / 10
                  for what in ("Synchronize", "cudaMemcpy", "LaunchKernel", "GraphLaunch", "aten::item")}  # fmt: skip
            print(
                f"{name} {options or ''}: an iteration has", ", ".join(f"{n:g} {what}" for what, n in of.items()), flush=True
            )


@step(40)
def data(device: str, small: bool) -> None:
    """What part of the time training waits for its data layers."""
    for name, batch in {"LeNet": 64}.items() if small else {"LeNet": 64, "CaffeNet": 256, "ResNet-50": 256}.items():
        with written(name, batch) as path, closing(Solver(path, device=device)) as solver:
            solver.step(5)
            (source,) = solver.net.sources.values()
            before, begun, first = source.waited, settled(device), solver.iter  # type: ignore[attr-defined]
            while time.perf_counter() < begun + (1 if small else 6):
                solver.step(5)
            lapse, count = settled(device) - begun, solver.iter - first
            part = (source.waited - before) / lapse  # type: ignore[attr-defined]
            print(
                f"{name}, {batch}: {lapse / count * 1e3:.2f} ms an iteration, waiting for data {part:.1%} of it", flush=True
            )


# -- how fast is it -------------------------------------------------------------------------------------------------------


def speed(name: str, batch: int, limit: float) -> None:
    """A step that trains `name` beside loops by hand: see train_gpu.py."""

    def run(device: str, small: bool) -> None:
        options = ["--only", name, "--batch", str(batch), "--rounds", "1" if small else "3", "--device", device]
        command = [sys.executable, "benchmarks/train_gpu.py", *options, *["--plain"] * small]
        subprocess.run(command, cwd=ROOT, check=True)

    STEPS[f"speed-{name}"] = Step(run, limit)


speed("LeNet", 64, 70)
speed("ResNet-50", 256, 120)
speed("CaffeNet", 256, 80)
speed("GoogLeNet", 128, 100)
speed("VGG-16", 64, 80)


# -- one after the other --------------------------------------------------------------------------------------------------


def outcome(name: str, options: argparse.Namespace, limit: float) -> str:
    """Run a step in a process of its own; its lines, and how it ended."""
    command = [sys.executable, __file__, "--step", name, "--device", options.device, *["--small"] * options.small]
    begun = time.perf_counter()
    with tempfile.TemporaryFile("w+") as out:
        process = subprocess.Popen(command, stdout=out, stderr=subprocess.STDOUT, cwd=ROOT, start_new_session=True)
        try:
            code = process.wait(limit)
            end = "done" if code == 0 else f"FAILED with exit code {code}"
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            end = f"STOPPED after {limit:.0f} s"
        out.seek(0)
        lines = out.read().strip().splitlines()[-40:]
    head = f"## {name}: {end}, {time.perf_counter() - begun:.0f} s"
    return "\n".join([head, *(line[:400] for line in lines), ""])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", choices=["cuda", "cpu"], default="cuda")
    parser.add_argument("--small", action="store_true", help="little of everything, to try the command itself")
    parser.add_argument("--only", default="", help="steps, separated by commas")
    parser.add_argument("--minutes", type=float, default=8)
    parser.add_argument("--to", help="the file for what is found; always printed as well")
    parser.add_argument("--step", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.step:
        logging.getLogger("solver_cli").setLevel(logging.ERROR)
        STEPS[options.step].run(options.device, options.small)
        return
    from solver_cli.commands.devices import describe

    chosen = [name for name in STEPS if not options.only or name in options.only.split(",")]
    if options.small and not options.only:
        chosen = [name for name in chosen if not name.startswith("speed-") or name == "speed-LeNet"]
    until = time.monotonic() + 60 * options.minutes
    given = " ".join(arg for arg in sys.argv[1:])
    parts = ["\n".join([f"$ python benchmarks/gpu.py {given}".rstrip(), *describe(), ""])]
    print(parts[0], flush=True)
    for name in chosen:
        left = until - time.monotonic()
        parts.append(outcome(name, options, min(STEPS[name].limit, left)) if left > 5 else f"## {name}: no time left\n")
        print(parts[-1], flush=True)
        if options.to:
            Path(options.to).write_text("\n".join(parts))


if __name__ == "__main__":
    main()
