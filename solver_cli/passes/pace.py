"""How long an update takes on GPUs that are known by their name, alone and with others: a model, no measurement.

A layer takes the longer of its arithmetic and its memory traffic. Its gradients are sent in buckets while the last pass goes
back: a ring, in which each of N ranks sends 2 (N - 1) / N of them over the slowest link. What is still on its way when the
pass is over is waited for. docs/ranks.md compares it with published figures.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import ceil, inf, log2, prod

from solver_cli.net.needs import backward_needs
from solver_cli.net.net import Net
from solver_cli.net.plan import Node
from solver_cli.parallel.ranks import BUCKET
from solver_cli.registry import Shape

REACHED = 0.7  # of the arithmetic and the memory that a GPU's data sheet tells
CARRIED = 0.8  # of a link's bytes a second
HOP = 10e-6  # seconds from one rank to the next
SINGLE, HALF = 4, 2  # bytes of a value
NETWORKS = {"10 Gbit/s": 1.25e9, "100 Gbit/s": 12.5e9, "8 x 200 Gbit/s": 200e9}  # of a machine, bytes a second each way


@dataclass(frozen=True)
class Gpu:
    """What a data sheet says: FLOP/s by precision (of dense matrices), byte/s of memory and, each way, of its links."""

    name: str
    flops: dict[str, float]
    memory: float
    link: str
    width: float

    def has_name(self, full: str) -> bool:
        """Whether this is the GPU that CUDA calls so; a card for PCIe is another than its sister with NVLink."""
        return bool(re.search(rf"\b{self.name}\b", full)) and ("PCI" in self.link or "PCI" not in full)


GPUS = (
    Gpu("T4", {"fp32": 8.1e12, "fp16": 65e12}, 320e9, "PCIe 3", 16e9),
    Gpu("V100", {"fp32": 15.7e12, "fp16": 125e12}, 900e9, "NVLink", 150e9),
    Gpu("A100", {"fp32": 19.5e12, "tf32": 156e12, "bf16": 312e12, "fp16": 312e12}, 2039e9, "NVLink", 300e9),
    Gpu("H100", {"fp32": 67e12, "tf32": 494e12, "bf16": 989e12, "fp16": 989e12}, 3350e9, "NVLink", 450e9),
    Gpu("RTX 3090", {"fp32": 35.6e12, "tf32": 35.6e12, "bf16": 71e12, "fp16": 71e12}, 936e9, "PCIe 4", 32e9),
    Gpu("RTX 4090", {"fp32": 82.6e12, "tf32": 82.6e12, "bf16": 165e12, "fp16": 165e12}, 1008e9, "PCIe 4", 32e9),
)


@dataclass(frozen=True)
class Load:
    """What is to be done: floating point operations, and values read and written."""

    flops: float = 0.0
    values: float = 0.0

    def parts(self, gpu: Gpu, precision: str) -> dict[str, float]:
        """The seconds that the GPU's arithmetic takes for it, and those that its memory takes."""
        moved = self.values * (HALF if precision in ("bf16", "fp16") else SINGLE)
        return {"arithmetic": self.flops / gpu.flops[precision] / REACHED, "memory": moved / gpu.memory / REACHED}

    def seconds(self, gpu: Gpu, precision: str) -> float:
        """How long the GPU takes for it."""
        return max(self.parts(gpu, precision).values())


@dataclass(frozen=True)
class Work:
    """What a layer does in a pass, and the bytes of its gradients."""

    forward: Load
    backward: Load
    gradients: int


@dataclass(frozen=True)
class Cluster:
    """`ranks` in all, as many on each of `machines`, whose networks carry `network` bytes a second each way."""

    ranks: int = 1
    machines: int = 1
    network: float = inf

    def slowest(self, gpu: Gpu) -> float:
        """Bytes a second of the slowest link that a ring over all ranks has."""
        return min(gpu.width if self.ranks > self.machines else inf, self.network if self.machines > 1 else inf)


ALONE = Cluster()


@dataclass(frozen=True)
class Pace:
    """Seconds of an update: its passes, the rule, all sending, and what of that the passes do not hide."""

    passes: float
    rule: float
    sending: float
    waited: float

    @property
    def update(self) -> float:
        return self.passes + self.waited + self.rule


def multiply_adds(node: Node, bottoms: Sequence[Shape], tops: Sequence[Shape]) -> int:
    """The multiplications in a layer's products of matrices, forward; 0 for layers without any."""
    work = node.kind.work
    return work(node.param, node.blob_shapes, bottoms, tops) if work else 0


def work_of(net: Net, times: float = 1.0) -> list[Work]:
    """What the layers of `net` do in a pass, `times` as many records as its file has; Splits and data layers do nothing.

    Back: a product of matrices for the bottoms and one for the weights; tops' gradients and bottoms are read, and theirs
    written. Weights are read both times and their gradients written.
    """
    shapes: dict[str, Shape] = {}
    found, known = [], set[int]()
    for node, (need, wanted) in zip(net.nodes, backward_needs(net.nodes, net.param.force_backward), strict=True):
        bottoms = [shapes[name] for name in node.bottoms]
        shapes.update(zip(node.tops, node.shapes, strict=True))
        if node.run is None or node.param.type == "Split":
            continue
        flops = 2.0 * times * multiply_adds(node, bottoms, node.shapes)
        read, made, weights = times * _values(bottoms), times * _values(node.shapes), _values(node.blob_shapes)
        own = {id(x.blob): x.blob for x in node.learned if x.blob.requires_grad and id(x.blob) not in known}
        known.update(own)
        back = any(wanted)
        backward = Load(flops * (back + bool(own)), made + read + back * read + 2 * weights) if need else Load()
        gradients = SINGLE * sum(blob.numel() for blob in own.values())
        found.append(Work(Load(flops, read + made + weights), backward, gradients))
    return found


def _values(shapes: Sequence[Shape]) -> int:
    return sum(map(prod, shapes))


def ring(ranks: int) -> float:
    """How often its gradients' bytes each rank of a ring sends, and receives, until all have the sum."""
    return 2 * (ranks - 1) / ranks


def pace(
    work: Sequence[Work], gpu: Gpu, precision: str, cluster: Cluster = ALONE, passes: int = 1, overlap: bool = True
) -> Pace:
    """The pace of updates of `passes` passes each; without `overlap` nothing is sent before the last pass is over."""
    forward = sum(each.forward.seconds(gpu, precision) for each in work)
    steps = [(each.backward.seconds(gpu, precision), each.gradients) for each in reversed(work)]
    backward = sum(seconds for seconds, _ in steps)
    sending = left = 0.0  # `left`: when the link is free, from the last pass's turn on
    for ready, size in buckets(steps):
        taken = sending_time(size, gpu, cluster)
        sending += taken
        left = max(left, ready if overlap else backward) + taken
    weights = sum(gradients for _, gradients in steps)
    rule = 5 * weights / gpu.memory / REACHED  # gradient, weight and history are read, weight and history written
    return Pace(passes * (forward + backward), rule, sending, max(left - backward, 0.0))


def bound_of(work: Sequence[Work], gpu: Gpu, precision: str) -> str:
    """What takes the larger part of a pass: arithmetic or memory."""
    found = {"arithmetic": 0.0, "memory": 0.0}
    for load in (load for each in work for load in (each.forward, each.backward)):
        seconds, name = max((seconds, name) for name, seconds in load.parts(gpu, precision).items())
        found[name] += seconds
    return max(found, key=lambda name: found[name])


def buckets(steps: Sequence[tuple[float, int]]) -> Iterator[tuple[float, int]]:
    """When each bucket of gradients is full, and its bytes; each step of the way back takes seconds and gives some bytes."""
    now, size = 0.0, 0
    for seconds, given in steps:
        now, size = now + seconds, size + given
        if size >= BUCKET:
            yield now, size
            size = 0
    if size:
        yield now, size


def sending_time(size: int, gpu: Gpu, cluster: Cluster) -> float:
    """The seconds that all ranks take to add up `size` bytes."""
    if cluster.ranks == 1:
        return 0.0
    return ring(cluster.ranks) * size / (cluster.slowest(gpu) * CARRIED) + 2 * ceil(log2(cluster.ranks)) * HOP
