"""Iterations of solver-train beside the same training written by hand in PyTorch.

    python benchmarks/train.py [--only TEXT] [--rounds 7] [--threads 1] [--passes]

Ours is `solver_cli.Solver` as `solver-train` runs it: a data set read from LMDB or HDF5, its transform, net, update, log.
By hand: an nn.Module, torch.optim.SGD(foreach=True), torch's own layers, the data as a tensor in memory, cropped and
mirrored alike, no log; once in torch's usual memory format, once in channels_last. Each side has a process of its own, and
they run in turn; times are medians (with one thread of CPU time, which other processes disturb less), ratios are medians
over the rounds.
The bound: for each layer the longer of its arithmetic at this machine's speed of a matrix product and its memory traffic at
its speed of a copy.
"""

from __future__ import annotations

import argparse
import logging
import multiprocessing
import os
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from math import prod
from pathlib import Path
from statistics import median
from typing import Any

import h5py
import lmdb
import numpy as np
import torch
import torch.nn.functional as F
from layers import machine
from torch import Tensor, nn

from solver_cli import Net, Solver
from solver_cli.caffe_pb2 import DataParameter, Datum, LayerParameter, NetParameter
from solver_cli.net import layout as cpu
from solver_cli.passes.passes import forward_backward
from solver_cli.text import prototxt

CONFIGS = Path(__file__).parent.parent / "configs"
SOLVER = """
net: "{folder}/net.prototxt"  base_lr: 0.00001  momentum: 0.9  weight_decay: 0.0005  lr_policy: "fixed"
display: 20  max_iter: 1000000  random_seed: 1  solver_mode: CPU  snapshot_after_train: false
"""
RECORDS = 128


@dataclass(frozen=True)
class Case:
    """A net, its batch, its pictures as they lie on the disk, the side of the crops, and Caffe's milliseconds if measured.

    `caffe`: forward and backward with OpenBLAS on two cores of such a machine.
    """

    config: str
    module: Callable[[], nn.Module]
    batch: int
    picture: tuple[int, ...]
    crop: int = 0
    classes: int = 1000
    caffe: float | None = None

    @property
    def segments(self) -> bool:
        return self.config.startswith("unet")


# -- by hand ------------------------------------------------------------------------------------------------------------


def conv(a: int, b: int, k: int, **options: Any) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(a, b, k, **options), nn.ReLU(inplace=True))


def pool(k: int = 3, s: int = 2, p: int = 0) -> nn.MaxPool2d:
    return nn.MaxPool2d(k, s, p, ceil_mode=True)


def lenet() -> nn.Module:
    return nn.Sequential(
        *(nn.Conv2d(1, 20, 5), nn.MaxPool2d(2), nn.Conv2d(20, 50, 5), nn.MaxPool2d(2), nn.Flatten()),
        *(nn.Linear(800, 500), nn.ReLU(inplace=True), nn.Linear(500, 10)),
    )


class WithinChannel(nn.Module):
    """Caffe's LRN within a channel."""

    def forward(self, x: Tensor) -> Tensor:
        return x * (1 + 5e-5 * F.avg_pool2d(x * x, 3, 1, 1)) ** -0.75


def cifar10() -> nn.Module:
    average = lambda: nn.AvgPool2d(3, 2, ceil_mode=True)  # noqa: E731
    return nn.Sequential(
        *(nn.Conv2d(3, 32, 5, padding=2), pool(), nn.ReLU(inplace=True), WithinChannel()),
        *(conv(32, 32, 5, padding=2), average(), WithinChannel(), conv(32, 64, 5, padding=2), average()),
        *(nn.Flatten(), nn.Linear(1024, 10)),
    )


def caffenet() -> nn.Module:
    norm = lambda: nn.LocalResponseNorm(5)  # noqa: E731
    return nn.Sequential(
        *(conv(3, 96, 11, stride=4), pool(), norm(), conv(96, 256, 5, padding=2, groups=2), pool(), norm()),
        *(conv(256, 384, 3, padding=1), conv(384, 384, 3, padding=1, groups=2), conv(384, 256, 3, padding=1, groups=2)),
        *(pool(), nn.Flatten(), nn.Linear(9216, 4096), nn.ReLU(inplace=True), nn.Dropout()),
        *(nn.Linear(4096, 4096), nn.ReLU(inplace=True), nn.Dropout(), nn.Linear(4096, 1000)),
    )


class Inception(nn.Module):
    def __init__(self, a: int, b1: int, b3r: int, b3: int, b5r: int, b5: int, bp: int):
        super().__init__()
        self.one, self.pooled = conv(a, b1, 1), nn.Sequential(pool(3, 1, 1), conv(a, bp, 1))
        self.three = nn.Sequential(conv(a, b3r, 1), conv(b3r, b3, 3, padding=1))
        self.five = nn.Sequential(conv(a, b5r, 1), conv(b5r, b5, 5, padding=2))

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([self.one(x), self.three(x), self.five(x), self.pooled(x)], 1)


class GoogLeNet(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            *(conv(3, 64, 7, stride=2, padding=3), pool(), nn.LocalResponseNorm(5), conv(64, 64, 1)),
            *(conv(64, 192, 3, padding=1), nn.LocalResponseNorm(5), pool()),
        )
        self.third = nn.Sequential(
            Inception(192, 64, 96, 128, 16, 32, 32), Inception(256, 128, 128, 192, 32, 96, 64), pool()
        )
        self.fourth_a = Inception(480, 192, 96, 208, 16, 48, 64)
        self.fourth_bcd = nn.Sequential(
            *(Inception(512, 160, 112, 224, 24, 64, 64), Inception(512, 128, 128, 256, 24, 64, 64)),
            Inception(512, 112, 144, 288, 32, 64, 64),
        )
        self.rest = nn.Sequential(
            *(Inception(528, 256, 160, 320, 32, 128, 128), pool(), Inception(832, 256, 160, 320, 32, 128, 128)),
            *(Inception(832, 384, 192, 384, 48, 128, 128), nn.AvgPool2d(7), nn.Dropout(0.4), nn.Flatten()),
            nn.Linear(1024, 1000),
        )
        self.heads = nn.ModuleList(
            nn.Sequential(
                *(nn.AvgPool2d(5, 3, ceil_mode=True), conv(channels, 128, 1), nn.Flatten(), nn.Linear(2048, 1024)),
                *(nn.ReLU(inplace=True), nn.Dropout(0.7), nn.Linear(1024, 1000)),
            )
            for channels in (512, 528)
        )

    def forward(self, x: Tensor) -> list[Tensor]:
        a = self.fourth_a(self.third(self.stem(x)))
        d = self.fourth_bcd(a)
        return [self.rest(d), self.heads[0](a), self.heads[1](d)]


def vgg16() -> nn.Module:
    layers: list[nn.Module] = []
    channels = 3
    for width, count in ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3)):
        for _ in range(count):
            layers.append(conv(channels, width, 3, padding=1))
            channels = width
        layers.append(nn.MaxPool2d(2))
    return nn.Sequential(
        *(*layers, nn.Flatten(), nn.Linear(25088, 4096), nn.ReLU(inplace=True), nn.Dropout()),
        *(nn.Linear(4096, 4096), nn.ReLU(inplace=True), nn.Dropout(), nn.Linear(4096, 1000)),
    )


def normed(a: int, b: int, k: int, **options: Any) -> list[nn.Module]:
    return [nn.Conv2d(a, b, k, bias=False, **options), nn.BatchNorm2d(b)]


class Bottleneck(nn.Module):
    def __init__(self, a: int, inner: int, out: int, stride: int):
        super().__init__()
        self.straight = nn.Sequential(*normed(a, out, 1, stride=stride)) if a != out else nn.Identity()
        self.bent = nn.Sequential(
            *(*normed(a, inner, 1, stride=stride), nn.ReLU(inplace=True)),
            *(*normed(inner, inner, 3, padding=1), nn.ReLU(inplace=True), *normed(inner, out, 1)),
        )

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.bent(x) + self.straight(x), inplace=True)


def resnet50() -> nn.Module:
    layers = [*normed(3, 64, 7, stride=2, padding=3), nn.ReLU(inplace=True), pool()]
    channels = 64
    for stage, count in enumerate((3, 4, 6, 3)):
        for i in range(count):
            out = 256 << stage
            layers.append(Bottleneck(channels, out // 4, out, 2 if stage and not i else 1))
            channels = out
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(2048, 1000))


class LSTM(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.lstm, self.scores = nn.LSTM(256, 256, num_layers=2), nn.Linear(256, 256)

    def forward(self, x: Tensor) -> Tensor:
        return self.scores(self.lstm(x)[0]).flatten(0, 1)


class UNet(nn.Module):
    """Levels of `widths` channels; with padding 0 each convolution takes two rows and columns off."""

    def __init__(self, *widths: int, padding: int, dropped: int):
        super().__init__()
        pair = lambda a, b: nn.Sequential(conv(a, b, 3, padding=padding), conv(b, b, 3, padding=padding))  # noqa: E731
        steps = list(pairwise(widths))
        self.down = nn.ModuleList(pair(a, b) for a, b in [(1, widths[0]), *steps])
        self.up = nn.ModuleList(nn.ConvTranspose2d(b, a, 2, 2) for a, b in steps)
        self.joined = nn.ModuleList(pair(b, a) for a, b in steps)
        self.dropout, self.scores = nn.Dropout(), nn.Conv2d(widths[0], 2, 1)
        self.dropped = len(widths) - dropped

    def forward(self, x: Tensor) -> Tensor:
        levels: list[Tensor] = []
        for i, down in enumerate(self.down):
            y = down(F.max_pool2d(levels[-1], 2) if levels else x)
            levels.append(self.dropout(y) if i >= self.dropped else y)
        y = levels.pop()
        for up, joined in zip(reversed(self.up), reversed(self.joined), strict=True):
            y, straight = F.relu(up(y), inplace=True), levels.pop()
            cut = (straight.shape[2] - y.shape[2]) // 2
            y = joined(torch.cat([y, F.pad(straight, [-cut] * 4) if cut else straight], 1))
        return self.scores(y)


CASES = {
    "LeNet": Case("mnist/lenet_train_test", lenet, 64, (1, 28, 28), classes=10, caffe=23.5),
    "CIFAR-10 full": Case("cifar10/cifar10_full_train_test", cifar10, 100, (3, 32, 32), classes=10, caffe=316),
    "CaffeNet": Case("caffenet/train_val", caffenet, 16, (3, 256, 256), 227, caffe=1213),
    "GoogLeNet": Case("googlenet/train_val", GoogLeNet, 8, (3, 256, 256), 224, caffe=1353),
    "VGG-16": Case("vgg16/train_val", vgg16, 2, (3, 256, 256), 224),
    "ResNet-50": Case("resnet50/train_val", resnet50, 8, (3, 256, 256), 224),
    "LSTM, 2 layers": Case("", LSTM, 50, (32, 256)),
    "U-Net": Case("unet/unet", partial(UNet, 64, 128, 256, 512, 1024, padding=0, dropped=2), 1, (1, 316, 316), classes=2),
    "U-Net, small": Case("unet/unet_small", partial(UNet, 8, 16, 32, padding=1, dropped=1), 1, (1, 96, 96), classes=2),
}


class ByHand:
    """The hand-written loop over pictures in memory."""

    def __init__(self, case: Case, layout: torch.memory_format):
        torch.manual_seed(0)
        self.case, self.layout, self.net = case, layout, case.module().to(memory_format=layout)
        self.optimizer = torch.optim.SGD(self.net.parameters(), 1e-5, 0.9, weight_decay=5e-4, foreach=True)
        pictures, labels = records(case)
        self.pictures, self.labels = torch.from_numpy(pictures), torch.from_numpy(labels).long()
        self.at = 0

    def batch(self) -> tuple[Tensor, Tensor]:
        case, count = self.case, self.case.batch
        chosen = [(self.at + i) % len(self.pictures) for i in range(count)]
        self.at += count
        y = self.labels[chosen].flatten(0, 1) if case.module is LSTM else self.labels[chosen]
        if not case.crop:
            x = self.pictures[chosen].float()
            return (x if x.dim() == 3 else x.to(memory_format=self.layout)), y
        x = torch.empty((count, 3, case.crop, case.crop), memory_format=self.layout)
        for i, index in enumerate(chosen):
            top, left = torch.randint(self.pictures.shape[2] - case.crop, (2,)).tolist()
            part = self.pictures[index, :, top : top + case.crop, left : left + case.crop]
            x[i] = part.flip(2) if torch.rand(()) < 0.5 else part
        return x.sub_(torch.tensor([104.0, 117.0, 123.0]).view(3, 1, 1)), y

    def step(self, count: int) -> None:
        for _ in range(count):
            x, y = self.batch()
            self.optimizer.zero_grad()
            scores = self.net(x)
            first, *more = scores if isinstance(scores, list) else [scores]
            loss = F.cross_entropy(first, y, ignore_index=255 if self.case.segments else -100)
            for head in more:
                loss = loss + 0.3 * F.cross_entropy(head, y)
            loss.backward()
            self.optimizer.step()


# -- ours ---------------------------------------------------------------------------------------------------------------

TWO_LSTMS = """
layer { name: "in" type: "HDF5Data" top: "data" top: "label" top: "cont" hdf5_data_param { source: "" batch_size: 50 } }
layer { name: "lstm1" type: "LSTM" bottom: "data" bottom: "cont" top: "h1"
  recurrent_param { num_output: 256 weight_filler { type: "uniform" min: -0.06 max: 0.06 } } }
layer { name: "lstm2" type: "LSTM" bottom: "h1" bottom: "cont" top: "h2"
  recurrent_param { num_output: 256 weight_filler { type: "uniform" min: -0.06 max: 0.06 } } }
layer { name: "ip" type: "InnerProduct" bottom: "h2" top: "scores"
  inner_product_param { num_output: 256 axis: 2 weight_filler { type: "xavier" } } }
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "scores" bottom: "label" top: "loss" softmax_param { axis: 2 } }
"""


def records(case: Case) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Random pictures and labels; floats where the data are HDF5."""
    rng = np.random.default_rng(0)
    if case.module is LSTM:
        return rng.standard_normal((200, *case.picture), np.float32), rng.integers(256, size=(200, 32)).astype(np.float32)
    if case.segments:
        side = case.picture[-1] - (184 if case.config == "unet/unet" else 0)
        pictures = rng.standard_normal((RECORDS, *case.picture), np.float32)
        return pictures, rng.integers(2, size=(RECORDS, side, side)).astype(np.float32)
    pictures = rng.integers(256, size=(RECORDS, *case.picture), dtype=np.uint8)
    return pictures, rng.integers(case.classes, size=RECORDS)


def write(case: Case, folder: Path) -> None:
    """The data set, the net with its data layer, and the solver."""
    pictures, labels = records(case)
    if case.module is LSTM or case.segments:
        with h5py.File(folder / "data.h5", "w") as file:
            file["data"], file["label"], file["cont"] = pictures, labels, np.ones((len(labels), 32), np.float32)
        (folder / "data.txt").write_text(f"{folder}/data.h5\n")
    else:
        with lmdb.open(str(folder / "lmdb"), map_size=1 << 30) as environment, environment.begin(write=True) as entries:
            for i, (picture, label) in enumerate(zip(pictures, labels, strict=True)):
                channels, height, width = picture.shape
                datum = Datum(channels=channels, height=height, width=width, data=picture.tobytes(), label=int(label))
                entries.put(f"{i:08}".encode(), datum.SerializeToString())
    (folder / "net.prototxt").write_text(prototxt.to_text(net(case, folder)))
    (folder / "solver.prototxt").write_text(SOLVER.format(folder=folder))


def net(case: Case, folder: Path) -> NetParameter:
    """The config's training net, its data layer turned to `folder`."""
    text = prototxt.parse(TWO_LSTMS, NetParameter)[0] if not case.config else None
    whole = text or prototxt.read(str(CONFIGS / f"{case.config}.prototxt"), NetParameter, "net")[0]
    layers = [layer for layer in whole.layer if not (layer.include and layer.include[0].phase == 1)]
    data: LayerParameter = layers[0]
    if data.type == "HDF5Data":
        data.hdf5_data_param.source, data.hdf5_data_param.shuffle = f"{folder}/data.txt", False
    else:
        data.data_param.CopyFrom(DataParameter(source=f"{folder}/lmdb", batch_size=case.batch, backend=DataParameter.LMDB))
        data.transform_param.Clear()
        if case.crop:
            data.transform_param.crop_size, data.transform_param.mirror = case.crop, True
            data.transform_param.mean_value.extend([104, 117, 123])
    return NetParameter(name=whole.name, layer=layers)


class OnlyPasses:
    """Forward and backward over one batch, again and again: what was measured of Caffe."""

    def __init__(self, solver: Solver):
        self.net = solver.net
        self.batch = self.net.next_batch()

    def step(self, count: int) -> None:
        for _ in range(count):
            for learned in self.net.learned:
                learned.blob.grad = None
            forward_backward(self.net, [self.batch])


# -- measuring ----------------------------------------------------------------------------------------------------------


def work(name: str, side: str, threads: int, pipe: Any) -> None:
    """A process: build one side, then run as many iterations as asked for and answer with their seconds, until told 0."""
    logging.getLogger("solver_cli").setLevel(logging.ERROR)
    torch.set_num_threads(threads)
    clock = clock_for(threads)
    kept = cpu.keep_memory() if side in ("ours", "passes") else nullcontext()
    with tempfile.TemporaryDirectory() as folder, kept:
        if side in ("ours", "passes"):
            write(CASES[name], Path(folder))
            runner: Any = Solver(f"{folder}/solver.prototxt")
            runner = OnlyPasses(runner) if side == "passes" else runner
        else:
            runner = ByHand(CASES[name], torch.channels_last if side == "channels_last" else torch.contiguous_format)
        runner.step(2)
        while count := pipe.recv():
            begin = clock()
            runner.step(count)
            pipe.send((clock() - begin) / count)


def sides(case: Case) -> list[str]:
    return ["ours", "usual"] if case.module is LSTM else ["ours", "usual", "channels_last"]


def measure(work: Callable[..., None], sides: Mapping[str, tuple[Any, ...]], rounds: int) -> dict[str, list[float]]:
    """Seconds of an iteration of each side, round by round; each has a process of its own, which does `work`."""
    context = multiprocessing.get_context("spawn")
    pipes, processes = {}, []
    for side, arguments in sides.items():
        pipes[side], other = context.Pipe()
        processes.append(context.Process(target=work, args=(*arguments, other), daemon=True))
        processes[-1].start()

    def ask(side: str, count: int) -> float:
        pipes[side].send(count)
        return float(pipes[side].recv())

    count = max(1, round(0.5 / max(ask(side, 1) for side in pipes)))
    taken: dict[str, list[float]] = {side: [] for side in pipes}
    for i in range(rounds):
        for side in list(pipes)[:: 1 if i % 2 else -1]:
            taken[side].append(ask(side, count))
    for pipe, process in zip(pipes.values(), processes, strict=True):
        pipe.send(0)
        process.join()
    return taken


def bound(case: Case, speed: float, width: float) -> tuple[float, float, float]:
    """GFLOP and GB of an iteration, and the seconds that its layers need at least, `speed` in FLOP/s, `width` in byte/s."""
    with tempfile.TemporaryDirectory() as folder:
        write(case, Path(folder))
        built = Net.from_file(f"{folder}/net.prototxt")
    flops, moved, seconds = 0.0, 0.0, 0.0
    for node in built.nodes:
        if node.run is None or node.param.type == "Split":
            continue
        bottoms = sum(prod(built.blob_shapes[blob]) for blob in node.bottoms)
        tops = sum(map(prod, node.shapes))
        weights = sum(map(prod, node.blob_shapes))
        gradient = not any(blob in ("data", "label") for blob in node.bottoms[:1])
        work = arithmetic(node, built) * (3 if gradient else 2)
        # Forth and back: bottoms are read and tops written; tops' gradients and bottoms read, bottoms' gradients written;
        # weights are read twice, their gradients written, and the update goes over five arrays.
        traffic = 4 * (bottoms + tops + tops + bottoms + (bottoms if gradient else 0) + 8 * weights)
        flops, moved, seconds = flops + work, moved + traffic, seconds + max(work / speed, traffic / width)
    built.close()
    return flops / 1e9, moved / 1e9, seconds


def arithmetic(node: Any, built: Net) -> float:
    """Floating point operations of a layer's matrix products, forth."""
    top = prod(node.shapes[0])
    if node.param.type == "Convolution":
        return 2.0 * top * prod(node.blob_shapes[0][1:])
    if node.param.type == "Deconvolution":
        return 2.0 * prod(built.blob_shapes[node.bottoms[0]]) * prod(node.blob_shapes[0][1:])
    if node.param.type == "InnerProduct":
        return 2.0 * top * node.blob_shapes[0][1]
    if node.param.type == "LSTM":
        return 2.0 * top * 4 * (node.blob_shapes[0][1] + node.blob_shapes[2][1])
    return 0.0


def speeds() -> tuple[float, float]:
    """FLOP/s of a large matrix product, and byte/s of a large copy, with torch's threads."""
    a, b = torch.randn(2048, 2048), torch.randn(2048, 2048)
    x, y = torch.randn(2**25), torch.empty(2**25)
    return 2 * 2048**3 / shortest(lambda: a @ b), 8 * 2**25 / shortest(lambda: y.copy_(x))


def shortest(run: Callable[[], object]) -> float:
    clock, taken = clock_for(torch.get_num_threads()), []
    for _ in range(7):
        begin = clock()
        run()
        taken.append(clock() - begin)
    return min(taken)


def clock_for(threads: int) -> Callable[[], float]:
    return time.process_time if threads == 1 else time.perf_counter


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--only", default="", help="nets whose name has this text")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--passes", action="store_true", help="forward and backward alone, beside Caffe's")
    options = parser.parse_args()
    logging.getLogger("solver_cli").setLevel(logging.ERROR)
    torch.set_num_threads(options.threads)
    speed, width = speeds()
    print(f"$ python benchmarks/train.py {' '.join(sys.argv[1:])}".rstrip())
    print(f"{machine()}; {options.threads} thread(s)")
    print(f"matrix product {speed / 1e9:.0f} GFLOP/s, copy {width / 1e9:.1f} GB/s (read + written)")
    clock = "CPU" if options.threads == 1 else "wall-clock"
    if options.passes:
        return beside_caffe(options.only, options.rounds, options.threads, clock)
    print(f"milliseconds of {clock} time an iteration, medians; ratio = best of the two by hand / ours")
    print("bound: what the arithmetic and the memory of this machine take at least; Caffe: its forward + backward / ours\n")
    print("    ours  by hand  ch.last  ratio   bound  GFLOP    GB  Caffe  net, batch")
    for name, case in CASES.items():
        if options.only.lower() in name.lower():
            report(
                name,
                case,
                measure(work, {side: (name, side, options.threads) for side in sides(case)}, options.rounds),
                bound(case, speed, width),
            )
    print(f"load {os.getloadavg()[0]:.1f} at the end")


def beside_caffe(only: str, rounds: int, threads: int, clock: str) -> None:
    """Forward and backward alone: all rounds, from the shortest on, since Caffe had its machine for itself."""
    print(f"milliseconds of {clock} time of forward and backward; Caffe: its / the shortest, its / the median\n")
    for name, case in CASES.items():
        if case.caffe and only.lower() in name.lower():
            taken = sorted(
                1e3 * seconds for seconds in measure(work, {"passes": (name, "passes", threads)}, rounds)["passes"]
            )
            ratios = f"{case.caffe / taken[0]:6.2f} {case.caffe / median(taken):6.2f}"
            print(f"{ratios}  {name}, {case.batch}: {' '.join(f'{x:.1f}' for x in taken)}", flush=True)


def report(name: str, case: Case, taken: dict[str, list[float]], limits: tuple[float, float, float]) -> None:
    ours, *others = taken.values()
    ratio = min(median(p / o for o, p in zip(ours, other, strict=True)) for other in others)
    figures = [f"{median(values) * 1e3:8.1f}" for values in taken.values()]
    figures += [f"{'-':>8}"] * (3 - len(figures))
    gflop, gbyte, least = limits
    caffe = f"{case.caffe / 1e3 / median(ours):6.2f}" if case.caffe else f"{'-':>6}"
    print(
        f"{' '.join(figures)} {ratio:6.2f} {least * 1e3:7.1f} {gflop:6.1f} {gbyte:5.2f} {caffe}  {name}, {case.batch}",
        flush=True,
    )


if __name__ == "__main__":
    main()
