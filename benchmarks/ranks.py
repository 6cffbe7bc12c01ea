"""Updates on one rank and on two, of one thread or one GPU each; and what the code for several costs a single one.

    python benchmarks/ranks.py [--only TEXT] [--rounds 15] [--device cpu|cuda] [--single] [--count]

one: a rank alone, with the whole batch. apart: two processes at once that do not know each other; ranks: the same two as
ranks. weak: each has the whole batch; strong: half of it. All three run in turn, in blocks of about half a second; figures
are medians over the rounds during which other programs took less than a tenth of a processor, or, if these are too few,
over those that they disturbed least.
x one: records a second of two ranks over those of one. x apart: over those of the two apart, so what ranks lose to each
other. by cpu: the same of processor time, which what else runs disturbs least (CPU only).
model: x apart, if the sum took as long as one of 64 MiB alone for each of its bytes, and nothing else ran meanwhile.
sent: what a rank hands over for the sum, an update. agree, sum: the time that the first rank waits in what ranks tell each
other before an update, which is where a slower one is waited for, and in the sum of the gradients (CPU only).

--single: LeNet as it is, and with a loop that knows nothing of ranks, the same solver in turn.
--count: the instructions of both by valgrind (minutes).
"""

from __future__ import annotations

import argparse
import logging
import multiprocessing
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median
from typing import Any

import torch
from layers import machine
from torch import Tensor, distributed
from train import CASES, Case, write

from solver_cli import Solver
from solver_cli.net.debug_info import debug_info
from solver_cli.net.layout import keep_memory
from solver_cli.parallel.ranks import ALONE, Ranks, joined
from solver_cli.solver.signals import Action

QUIET = 0.1  # processors that others may take in a block that counts
NETS = {
    "LeNet": CASES["LeNet"],
    "CaffeNet": replace(CASES["CaffeNet"], batch=8),
    "ResNet-50": replace(CASES["ResNet-50"], batch=2),
}
LONE = 1 << 24  # values of the sum that is measured alone


@dataclass
class Block:
    """What one rank tells of a block of updates: seconds on the wall and of the processor, bytes, and seconds waited."""

    wall: float = 0.0
    cpu: float = 0.0
    sent: int = 0
    agree: float = 0.0
    sum: float = 0.0
    busy: float = 0.0  # processors that other programs took


class Meter:
    """Stands around torch.distributed.all_reduce: how much is handed over, and how long it is waited for."""

    def __init__(self) -> None:
        self.reduce = distributed.all_reduce
        self.block = Block()
        distributed.all_reduce = self.all_reduce

    def all_reduce(self, tensor: Tensor, *args: Any, **settings: Any) -> Any:
        if not settings.get("async_op"):
            begun = time.perf_counter()
            self.reduce(tensor, *args, **settings)
            self.block.agree += time.perf_counter() - begun
            return None
        self.block.sent += tensor.nbytes
        return Waiting(self.reduce(tensor, *args, **settings), self.block)


@dataclass
class Waiting:
    """A sum on its way."""

    work: Any
    block: Block

    def __getattr__(self, name: str) -> Any:
        return getattr(self.work, name)

    def wait(self, *args: Any) -> Any:
        begun = time.perf_counter()
        done = self.work.wait(*args)
        self.block.sum += time.perf_counter() - begun
        return done


# -- one rank and two ---------------------------------------------------------------------------------------------------


def work(rank: int, meeting: str, case: Case, batch: int, device: str, pipe: Any) -> None:
    """A process: one of two ranks, alone, apart or as a rank as it is told, for some updates; it answers with a Block."""
    logging.getLogger("solver_cli").setLevel(logging.ERROR)
    torch.set_num_threads(1)
    place = torch.device("cuda", rank) if device == "cuda" else torch.device("cpu")
    if device == "cuda":
        torch.cuda.set_device(place)
    kept = keep_memory() if device == "cpu" else nullcontext()
    meter = Meter()
    with ExitStack() as stack:
        stack.enter_context(kept)
        ranks = stack.enter_context(joined(place, Ranks(rank, 2, rank), meeting))
        solvers = {}
        for kind, size, own in (("one", case.batch, ALONE), ("apart", batch, ALONE), ("ranks", batch, ranks)):
            folder = stack.enter_context(tempfile.TemporaryDirectory())
            write(replace(case, batch=size), Path(folder))
            solvers[kind] = stack.enter_context(closing(Solver(f"{folder}/solver.prototxt", device=place, ranks=own)))
            solvers[kind].step(2)
        gradients = sum(x.blob.nbytes for x in solvers["one"].net.learned if x.blob.requires_grad)
        pipe.send((lone_sum(place), gradients))
        while told := pipe.recv():
            kind, count = told
            meter.block = block = Block()
            wall, cpu = settled(device), time.process_time()
            solvers[kind].step(count)
            block.wall, block.cpu = settled(device) - wall, time.process_time() - cpu
            pipe.send(block)


def settled(device: str) -> float:
    if device == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter()


def lone_sum(device: torch.device) -> float:
    """Bytes a second of a sum of LONE values, nothing else being done: of what it is of, not of what a ring sends."""
    values, taken = torch.ones(LONE, device=device), []
    for _ in range(5):
        begun = settled(device.type)
        distributed.all_reduce(values)
        taken.append(settled(device.type) - begun)
    return values.nbytes / min(taken)


class Two:
    """The two processes."""

    def __init__(self, case: Case, batch: int, device: str, folder: str):
        context = multiprocessing.get_context("spawn")
        meeting = (Path(folder) / "meeting").as_uri()
        self.pipes, self.processes = [], []
        for rank in range(2):
            own, other = context.Pipe()
            self.pipes.append(own)
            arguments = (rank, meeting, case, batch, device, other)
            self.processes.append(context.Process(target=work, args=arguments, daemon=True))
            self.processes[-1].start()
        self.speed, self.gradients = [pipe.recv() for pipe in self.pipes][-1]

    def block(self, kind: str, count: int) -> Block:
        """`count` updates: the slowest one's wall, their mean processor time, the first one's rest, all for one update."""
        pipes = self.pipes[:1] if kind == "one" else self.pipes
        others, begun = busy(), time.perf_counter()
        for pipe in pipes:
            pipe.send((kind, count))
        blocks = [pipe.recv() for pipe in pipes]
        lapse, own = time.perf_counter() - begun, sum(block.cpu for block in blocks)
        first, taken = blocks[0], max(busy() - others - own, 0.0) / lapse
        wall = max(block.wall for block in blocks) / count
        return Block(wall, own / len(blocks) / count, first.sent // count, first.agree / count, first.sum / count, taken)

    def close(self) -> None:
        for pipe, process in zip(self.pipes, self.processes, strict=True):
            pipe.send(None)
            process.join()


def busy() -> float:
    """Seconds that this machine's processors have worked, for whomever."""
    user, nice, system, _, _, irq, soft, *_ = map(int, Path("/proc/stat").read_text().split("\n")[0].split()[1:])
    return (user + nice + system + irq + soft) / os.sysconf("SC_CLK_TCK")


def scale(name: str, case: Case, device: str, rounds: int) -> None:
    """The two rows of a net: weak and strong."""
    for kind, batch in (("weak", case.batch), ("strong", case.batch // 2)):
        with tempfile.TemporaryDirectory() as folder:
            two = Two(case, batch, device, folder)
            count = max(1, round(0.5 / two.block("one", 2).wall))
            found = [{each: two.block(each, count) for each in ("one", "apart", "ranks")} for _ in range(rounds)]
            print(row(kind, f"{name}, {case.batch}", found, two), flush=True)
            two.close()


def row(kind: str, name: str, found: list[dict[str, Block]], two: Two) -> str:
    found.sort(key=lambda blocks: max(block.busy for block in blocks.values()))
    quiet = sum(max(block.busy for block in blocks.values()) < QUIET for blocks in found)
    counted = found[: max(quiet, 3, len(found) // 3)]

    def over(side: str, what: str, rounds: list[dict[str, Block]]) -> float:
        """`side` / two ranks, of this measure."""
        return median(getattr(blocks[side], what) / getattr(blocks["ranks"], what) for blocks in rounds)

    walls = [1e3 * median(blocks[side].wall for blocks in counted) for side in ("one", "apart", "ranks")]
    apart = median(blocks["apart"].cpu for blocks in found)
    ratios = [(2 if kind == "weak" else 1) * over("one", "wall", counted), over("apart", "wall", counted)]
    ratios += [over("apart", "cpu", found), apart / (apart + two.gradients / two.speed)]
    waits = [1e3 * median(getattr(blocks["ranks"], what) for blocks in counted) for what in ("agree", "sum")]
    sizes = [size / 2**20 for size in (found[0]["ranks"].sent, two.gradients)]
    cells = [f"{x:8.1f}" for x in walls] + [f"{x:7.2f}" for x in ratios] + [f"{x:7.2f}" for x in sizes]
    cells += [f"{x:7.1f}" for x in waits] + [f"{two.speed / 1e9:6.2f}", f"{quiet:3}/{len(found)}"]
    return f"{kind:>6} {' '.join(cells)}  {name}"


# -- a single rank ------------------------------------------------------------------------------------------------------


class Nothing:
    """Does nothing at all, whatever it is asked for."""

    def __getattr__(self, name: str) -> Callable[..., None]:
        return self.nothing

    def nothing(self, *args: Any) -> None:
        pass


class Plain(Solver):
    """The loop without any rank: no word to others, no mean. A Solver may become one, and a Solver again: see `become`."""

    def _forward_backward(self) -> tuple[Tensor, dict[str, Tensor]]:
        with debug_info(self.net, self.param.debug_info and self.due(self.param.display)) as after:
            count = self.schedule.passes(self.iter)
            return self.fit.run(self.net, self.saving.boundary["train"], lambda: self.passes(count, after))


def become(solver: Solver, kind: type[Solver]) -> None:
    """Change the loop of a solver that is there: its memory, and so its speed, stay what they are."""
    solver.__class__ = kind
    if not hasattr(solver, "kept"):
        solver.kept = solver.outside.poll, getattr(solver.passes, "sending", None)  # type: ignore[attr-defined]
    quiet = (lambda saving: solver.outside.action() is Action.NONE), Nothing()
    solver.outside.poll, solver.passes.sending = quiet if kind is Plain else solver.kept  # type: ignore[attr-defined]


@contextmanager
def solver_of(kind: type[Solver], device: str, case: Case) -> Iterator[Solver]:
    with tempfile.TemporaryDirectory() as folder:
        write(case, Path(folder))
        with closing(Solver(f"{folder}/solver.prototxt", device=device)) as solver:
            become(solver, kind)
            solver.step(5)
            yield solver


def single(device: str, rounds: int) -> None:
    """LeNet's loop as it is, and without ranks: blocks in turn."""
    for batch in (64, 1):
        case = replace(CASES["LeNet"], batch=batch)
        kept = keep_memory() if device == "cpu" else nullcontext()
        kinds = (Solver, Plain)
        with kept, solver_of(Solver, device, case) as solver:
            order = (kinds[:: 1 if i % 2 else -1] for i in range(10 * rounds))
            taken = [{kind: seconds(solver, kind, 20 if batch == 1 else 3) for kind in pair} for pair in order]
        ratio = median(each[Solver] / each[Plain] for each in taken)
        least = [min(each[kind] for each in taken) * 1e3 for kind in kinds]
        print(f"LeNet, {batch}: with ranks / without {ratio:.4f}, the median of {len(taken)} pairs of blocks; the shortest: "
              f"{least[0]:.3f} and {least[1]:.3f} ms an update", flush=True)  # fmt: skip


def seconds(solver: Solver, kind: type[Solver], count: int) -> float:
    become(solver, kind)
    clock: Callable[[], float] = time.process_time if solver.device.type == "cpu" else time.perf_counter
    begun = clock()
    solver.step(count)
    return (clock() - begun) / count


def count(sizes: Mapping[int, int]) -> None:
    """The instructions of so many updates of each batch size after five, in processes of their own under valgrind."""
    for batch, updates in sizes.items():
        found = {}
        for kind in ("Solver", "Plain"):
            with tempfile.TemporaryDirectory() as folder:
                tool = ["valgrind", "--tool=callgrind", "--instr-atstart=no", f"--callgrind-out-file={folder}/out"]
                command = [*tool, sys.executable, __file__, "--under", kind, str(batch), str(updates)]
                subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
                lines = [line for path in Path(folder).glob("out*") for line in path.read_text().splitlines()]
            found[kind] = sum(int(line.split()[1]) for line in lines if line.startswith("totals:"))
        ours, plain = (found[kind] / updates for kind in ("Solver", "Plain"))
        print(f"LeNet, {batch}, {updates} updates: {ours:,.0f} instructions each with ranks, {plain:,.0f} without: "
              f"{ours / plain:.5f}", flush=True)  # fmt: skip


def under(kind: str, batch: int, updates: int) -> None:
    """What --count runs."""
    logging.getLogger("solver_cli").setLevel(logging.ERROR)
    torch.set_num_threads(1)
    case, own = replace(CASES["LeNet"], batch=batch), str(os.getpid())
    with keep_memory(), solver_of(Plain if kind == "Plain" else Solver, "cpu", case) as solver:
        subprocess.run(["callgrind_control", "-i", "on", own], check=True, stdout=subprocess.DEVNULL)
        solver.step(updates)
        subprocess.run(["callgrind_control", "-i", "off", own], check=True, stdout=subprocess.DEVNULL)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", help="nets whose name has this text")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    parser.add_argument("--single", action="store_true")
    parser.add_argument("--count", action="store_true")
    parser.add_argument("--under", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    logging.getLogger("solver_cli").setLevel(logging.ERROR)
    torch.set_num_threads(1)
    if options.under:
        return under(options.under[0], *map(int, options.under[1:]))
    print(f"$ python benchmarks/ranks.py {' '.join(sys.argv[1:])}".rstrip())
    print(f"{machine()}; one thread a rank", flush=True)
    if options.single:
        single(options.device, options.rounds)
    if options.count:
        count({1: 20})
    if not (options.single or options.count):
        if options.device == "cpu":
            os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo")
        print("one, apart, ranks, agree, sum: milliseconds an update; sent, grads: MiB an update, and of all gradients;")
        print("GB/s: of a lone sum; quiet: rounds without others, of all\n")
        heads = [f"{head:>8}" for head in ("one", "apart", "ranks")]
        heads += [f"{head:>7}" for head in ("x one", "x apart", "by cpu", "model", "sent", "grads", "agree", "sum")]
        print(f"       {' '.join(heads)}   GB/s quiet  net, batch of one")
        for name, case in NETS.items():
            if options.only.lower() in name.lower():
                scale(name, case, options.device, options.rounds)
    print(f"load {os.getloadavg()[0]:.1f} at the end")


if __name__ == "__main__":
    main()
