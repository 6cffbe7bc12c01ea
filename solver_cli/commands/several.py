"""What a plan says of several ranks: what they send, what so large a batch asks of the rate, how fast they may be."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import inf

import torch

from solver_cli.caffe_pb2 import SolverParameter
from solver_cli.errors import DeviceError
from solver_cli.net.net import Net
from solver_cli.passes import pace
from solver_cli.passes.memory import available, batch_of, mebi
from solver_cli.passes.pace import GPUS, NETWORKS, Cluster, Gpu, Work
from solver_cli.solver.building import default_device
from solver_cli.solver.options import RunOptions

HEADS = ["ms an update", "network", "in", "passes", "sending", "waiting", "in all", "records/s", "x one rank", "bound by"]
ASSUMED = (
    f"a model, nothing was measured: {pace.REACHED:.0%} of the data sheets' FLOP/s and byte/s, {pace.CARRIED:.0%} of links",
    "gradients are sent while the last pass goes back; data are never late, no rank is slower: docs/ranks.md",
)
NOTICED = 0.05  # the part of an update from which on waiting for gradients is what bounds it


@dataclass(frozen=True)
class Several:
    """The ranks that a plan is made for: so many on each of `machines`; on GPUs, present or not, where `on` says cuda, on
    CPUs where it says cpu, and else where the solver would train here."""

    each: int = 1
    machines: int = 1
    on: str = ""

    @property
    def size(self) -> int:
        return self.each * self.machines

    def device(self, param: SolverParameter) -> torch.device:
        """What a rank trains on; on a GPU that is not there, nothing but its memory can be foreseen."""
        return torch.device(self.on) if self.on else default_device(param)

    def share(self, device: torch.device) -> int:
        """What a rank may take of the memory that is free here: those on CPUs have it in common. Raises ConfigError."""
        return available(device) // (1 if device.type == "cuda" else self.each)

    def lines(self, param: SolverParameter, net: Net) -> Iterator[str]:
        """What is sent, and what the batch of all ranks asks of the rate, where there are several."""
        if self.size == 1:
            return
        sent = sum(work.gradients for work in pace.work_of(net))
        where = f" on {self.machines} machines of {self.each}" if self.machines > 1 else ""
        yield f"\nRanks: {self.size}{where}"
        own, count, base = mebi(round(sent * pace.ring(self.size))), self.size, param.base_lr
        yield f"  gradients: {mebi(sent)}, once an update whatever iter_size is; by each rank {own}, 2 (N - 1) / N of them"
        yield f"  an update takes {count} times the records of one rank; the rate stays the file's, base_lr {base:g}"
        if param.type in ("SGD", "Nesterov"):
            rate = f"base_lr {base * count:g}, approached in the first epochs"
            yield f"  in proportion it would be {rate} (Goyal et al., 2017): that is for you to say in the file"
        fewer = -(-param.max_iter // count)
        yield f"  {fewer:,} iterations see what max_iter {param.max_iter:,} sees on one rank; stepvalues and intervals alike"

    def forecast(self, param: SolverParameter, net: Net, batch: int) -> list[list[str]]:
        """A table of how fast GPUs are at an update of `batch` records a pass and rank: the one that is here, if its figures
        are known, else all that are known; nothing for CPUs."""
        if self.device(param).type != "cuda":
            return []
        work = pace.work_of(net, batch / batch_of(net))
        here = torch.cuda.get_device_name() if torch.cuda.is_available() else ""
        gpus = [gpu for gpu in GPUS if gpu.has_name(here)] or GPUS
        networks = NETWORKS if self.machines > 1 else {"": inf}
        rows = [HEADS, *(self._row(work, gpu, name, param.iter_size, batch) for gpu in gpus for name in networks)]
        return rows if self.machines > 1 else [[first, *more] for first, _, *more in rows]

    def _row(self, work: Sequence[Work], gpu: Gpu, network: str, passes: int, batch: int) -> list[str]:
        precision = "tf32" if "tf32" in gpu.flops else "fp32"  # what training takes without --precision
        cluster = Cluster(self.size, self.machines, NETWORKS.get(network, inf))
        found, alone = (pace.pace(work, gpu, precision, ranks, passes) for ranks in (cluster, Cluster()))
        bound = pace.bound_of(work, gpu, precision)
        if found.waited > NOTICED * found.update:
            bound = network if cluster.slowest(gpu) < gpu.width else gpu.link
        milliseconds = [f"{1e3 * x:,.1f}" for x in (found.passes, found.sending, found.waited, found.update)]
        speed = f"{self.size * passes * batch / found.update:,.0f}"
        times = f"{self.size * alone.update / found.update:.2f}"
        return [f"{gpu.name}, {gpu.link}", network, precision, *milliseconds, speed, times, bound]


ONE = Several()


def wanted(run: RunOptions, each: int, machines: int) -> Several:
    """The ranks that the options ask for, `each` so many on each of `machines`. Raises DeviceError."""
    if run.gpu == "all" and not torch.cuda.is_available():
        raise DeviceError("--gpu all: there is no GPU here: --ranks N plans for N of them")
    return Several(each, machines, "cpu" if run.cpu else "cuda" if run.gpu is not None or run.ranks > 1 else "")
