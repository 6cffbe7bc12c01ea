"""What the model of docs/ranks.md foresees: ResNet-50, VGG-16 and SSD300 on 8 GPUs and on 4 machines of 8.

    python benchmarks/ranks_model.py [--iter-size 1]

Nothing is measured here, and no GPU is needed: the nets are built without values. The first table lays the model beside the
pictures a second that NVIDIA's DeepLearningExamples publish of ResNet-50 v1.5 (PyTorch, 256 a batch, container 21.03).
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

from solver_cli import Net
from solver_cli.data.absent import AbsentData
from solver_cli.passes import pace
from solver_cli.passes.pace import NETWORKS, Cluster, Work
from solver_cli.solver.solverspec import read_solver, train_net

CONFIGS = Path(__file__).parent.parent / "configs"
PUBLISHED = [  # GPU, precision, pictures a second of one and of eight
    ("V100", "fp32", 367, 2855),
    ("V100", "fp16", 1200, 8322),
    ("A100", "tf32", 938, 7248),
    ("A100", "fp16", 2470, 16621),
]
GPUS = {gpu.name: gpu for gpu in pace.GPUS}
WAYS = [("V100", "fp32"), ("A100", "tf32"), ("A100", "bf16"), ("H100", "bf16"), ("RTX 4090", "tf32")]
VGG = ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3))
EXTRA = ((256, 1, 1, 0), (512, 3, 2, 1), (128, 1, 1, 0), (256, 3, 2, 1), (128, 1, 1, 0), (256, 3, 1, 0), (128, 1, 1, 0))
EXTRA += ((256, 3, 1, 0),)  # channels, kernel, stride, pad of conv6_1 to conv9_2
PRIORS = {"norm4_3": 4, "fc7": 6, "extra1": 6, "extra3": 6, "extra5": 4, "extra7": 4}  # boxes a cell, by blob


def ssd300(batch: int, classes: int = 21) -> str:
    """The net of SSD's paper for 300 x 300 (VGG-16, fc6 dilated), its heads as they are before MultiBoxLoss."""
    shape = " ".join(f"dim: {n}" for n in (batch, 3, 300, 300))
    data = f'layer {{ name: "data" type: "Input" top: "data" input_param {{ shape {{ {shape} }} }} }}'
    return data + "".join(_ssd(classes))


def _ssd(classes: int) -> Iterator[str]:
    blob = "data"
    for block, (channels, count) in enumerate(VGG, 1):
        for i in range(1, count + 1):
            yield _conv(f"conv{block}_{i}", blob, f"num_output: {channels} kernel_size: 3 pad: 1")
            blob = f"conv{block}_{i}"
        if blob == "conv4_3":
            yield f'layer {{ name: "norm4_3" type: "Normalize" bottom: "{blob}" top: "norm4_3" }}'
        size = "kernel_size: 3 stride: 1 pad: 1" if block == 5 else "kernel_size: 2 stride: 2"
        pool = f"pool{block}"
        yield f'layer {{ name: "{pool}" type: "Pooling" bottom: "{blob}" top: "{pool}" pooling_param {{ {size} }} }}'
        blob = pool
    yield _conv("fc6", blob, "num_output: 1024 kernel_size: 3 pad: 6 dilation: 6")
    yield _conv("fc7", "fc6", "num_output: 1024 kernel_size: 1")
    blob = "fc7"
    for i, (channels, kernel, stride, pad) in enumerate(EXTRA):
        yield _conv(f"extra{i}", blob, f"num_output: {channels} kernel_size: {kernel} stride: {stride} pad: {pad}")
        blob = f"extra{i}"
    for blob, boxes in PRIORS.items():
        for what, values in (("loc", 4), ("conf", classes)):
            yield _conv(f"{blob}_{what}", blob, f"num_output: {boxes * values} kernel_size: 3 pad: 1", head=True)


def _conv(name: str, bottom: str, settings: str, head: bool = False) -> str:
    relu = "" if head else f'layer {{ name: "{name}_relu" type: "ReLU" bottom: "{name}" top: "{name}" }}'
    weight = "loss_weight: 1" if head else ""
    told = f'name: "{name}" type: "Convolution" bottom: "{bottom}" top: "{name}" {weight}'
    return f"layer {{ {told} convolution_param {{ {settings} }} }} {relu}\n"


def config(name: str, times: float) -> list[Work]:
    spec = train_net(read_solver(str(CONFIGS / name / "solver.prototxt")))
    net = Net(spec, device="meta", absent=lambda node, error: AbsentData(node.param, error))
    return pace.work_of(net, times)


def table(name: str, work: list[Work], batch: int, passes: int) -> Iterator[str]:
    """A net's rows, one for each way: alone, on 8 GPUs, on 4 machines of 8."""
    flops = sum(each.forward.flops + each.backward.flops for each in work) / batch / 1e9
    values = sum(each.forward.values + each.backward.values for each in work) / batch / 1e6
    size = sum(each.gradients for each in work) / 2**20
    yield f"{name}, {batch} a rank: {flops:.1f} GFLOP and {values:.0f} M values a record, {size:.1f} MiB of gradients"
    for gpu, precision in WAYS:
        cells = []
        for ranks, machines, network in [(1, 1, ""), (8, 1, ""), *((32, 4, network) for network in NETWORKS)]:
            cluster = Cluster(ranks, machines, NETWORKS.get(network, float("inf")))
            found = pace.pace(work, GPUS[gpu], precision, cluster, passes)
            alone = pace.pace(work, GPUS[gpu], precision, Cluster(), passes)
            cells.append(f"{1e3 * found.update:8.1f} {1e3 * found.waited:6.1f} {ranks * alone.update / found.update:5.2f}")
        bound = pace.bound_of(work, GPUS[gpu], precision)
        yield f"{gpu:>9} {precision}  {cells[0].split()[0]:>7}  {' |'.join(cells[1:])}  {bound}"
    yield ""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--iter-size", type=int, default=1)
    passes = parser.parse_args().iter_size
    print(f"$ python benchmarks/ranks_model.py{f' --iter-size {passes}' if passes > 1 else ''}\n")
    resnet = config("resnet50", 256 / 32)
    print("ResNet-50, 256 a GPU: pictures a second\n      GPU         model  published  ratio  x 8: model  published")
    for gpu, precision, one, eight in PUBLISHED:
        alone, all8 = (pace.pace(resnet, GPUS[gpu], precision, Cluster(n)).update for n in (1, 8))
        speeds = f"{256 / alone:8.0f} {one:10} {256 / alone / one:6.2f}"
        print(f"{gpu:>9} {precision} {speeds} {8 * alone / all8:11.2f} {eight / one:10.2f}")
    print("\nAn update: milliseconds, those of it that gradients are waited for, and records a second over those of one")
    heads = ("8 on one machine", "4 x 8, 10 Gbit/s", "4 x 8, 100 Gbit/s", "4 x 8, 8 x 200 Gbit/s")
    print(f"{'':>14}      one  {'  '.join(f'{head:>21}' for head in heads)}")
    for line in table("ResNet-50", config("resnet50", 1), 32, passes):
        print(line)
    for line in table("VGG-16", config("vgg16", 1), 32, passes):
        print(line)
    for line in table("SSD300", pace.work_of(Net.from_text(ssd300(32), device="meta")), 32, passes):
        print(line)


if __name__ == "__main__":
    main()
