"""The model of an update's time: figures that can be made by hand."""

from __future__ import annotations

from math import ceil, log2
from pathlib import Path

import pytest
from running import NET, changed

from solver_cli.data.absent import AbsentData
from solver_cli.net.net import Net
from solver_cli.parallel.ranks import BUCKET
from solver_cli.passes import pace
from solver_cli.passes.pace import CARRIED, HOP, REACHED, Cluster, Gpu, Load, Work
from solver_cli.solver.solverspec import read_solver, train_net

GPU = Gpu("of one's own", {"fp32": 1e12, "fp16": 4e12}, 1e9, "link", 1e9)


def work(net: str = NET, times: float = 1.0) -> list[Work]:
    return pace.work_of(Net.from_text(net, device="meta"), times)


def test_work_of_each_layer() -> None:
    """A convolution that needs no gradient of its bottom; ReLU; an inner product, which needs both; the loss."""
    conv, relu, ip, loss = work()
    products = 2 * 4 * 4 * 36 * 27
    assert conv.forward == Load(products, 4 * 3 * 64 + 4 * 4 * 36 + 112)
    assert conv.backward == Load(products, 4 * 4 * 36 + 4 * 3 * 64 + 2 * 112)
    assert (conv.gradients, ip.gradients) == (4 * 112, 4 * 725)
    assert (relu.forward.flops, relu.gradients, loss.gradients) == (0, 0, 0)
    assert ip.backward.flops == 2 * ip.forward.flops == 4 * 4 * 5 * 144


def test_work_grows_with_the_batch_and_gradients_do_not() -> None:
    for one, three in zip(work(), work(times=3), strict=True):
        assert three.forward.flops == 3 * one.forward.flops
        assert three.gradients == one.gradients


def test_frozen_and_shared_blobs() -> None:
    frozen = changed(NET, ('type: "InnerProduct"', 'type: "InnerProduct" param { lr_mult: 0 } param { lr_mult: 0 }'))
    assert [each.gradients for each in work(frozen)] == [448, 0, 0, 0]
    twin = NET[NET.index('layer {\n  name: "conv"') : NET.index('layer {\n  name: "relu"')]
    twin = changed(twin, ('name: "conv"', 'name: "twin" param { name: "w" }'), ('top: "conv"', 'top: "twin"'))
    shared = changed(NET, ('name: "conv"', 'name: "conv" param { name: "w" }')) + twin
    assert sum(each.gradients for each in work(shared)) == 4 * (837 + 4)  # the twin's own bias


def test_a_layer_takes_the_longer_of_arithmetic_and_memory() -> None:
    assert Load(1e12, 0).seconds(GPU, "fp32") == pytest.approx(1 / REACHED)
    assert Load(1e12, 1e9).seconds(GPU, "fp32") == pytest.approx(4 / REACHED)
    assert Load(1e12, 1e9).seconds(GPU, "fp16") == pytest.approx(2 / REACHED)


@pytest.mark.parametrize(("values", "bound"), [(0.3e9, "memory"), (0.2e9, "arithmetic")])
def test_what_bounds_a_pass(values: float, bound: str) -> None:
    assert pace.bound_of([Work(Load(1e12, values), Load(0, 1e6), 0)], GPU, "fp32") == bound


@pytest.mark.parametrize(
    ("full", "name"),
    [
        ("Tesla V100-SXM2-16GB", "V100"),
        ("NVIDIA A100-SXM4-80GB", "A100"),
        ("NVIDIA H100 80GB HBM3", "H100"),
        ("NVIDIA GeForce RTX 4090", "RTX 4090"),
        ("NVIDIA H100 PCIe", ""),
        ("NVIDIA T400", ""),
        ("", ""),
    ],
)
def test_gpus_by_their_names(full: str, name: str) -> None:
    assert [gpu.name for gpu in pace.GPUS if gpu.has_name(full)] == [name] * bool(name)


def test_several_passes_send_once() -> None:
    steps = [Work(Load(0, 1e6), Load(0, 2e6), 4_000_000)]
    one, four = (pace.pace(steps, GPU, "fp32", Cluster(2), passes) for passes in (1, 4))
    assert (four.passes, four.sending, four.waited) == (4 * one.passes, one.sending, one.waited)
    assert one.passes == pytest.approx(3e6 * 4 / 1e9 / REACHED)
    assert one.waited == one.sending == pytest.approx(4e6 / (1e9 * CARRIED) + 2 * HOP)


@pytest.mark.parametrize(("ranks", "times"), [(1, 0.0), (2, 1.0), (4, 1.5), (8, 1.75)])
def test_a_ring(ranks: int, times: float) -> None:
    hops = 2 * ceil(log2(ranks)) * HOP
    assert pace.sending_time(10**9, GPU, Cluster(ranks)) == pytest.approx(times / CARRIED + hops)


def test_the_slowest_link_counts() -> None:
    assert Cluster(8, 1, 1.0).slowest(GPU) == 1e9  # one machine needs no network
    assert Cluster(8, 2, 1e8).slowest(GPU) == 1e8
    assert Cluster(8, 2, 1e10).slowest(GPU) == 1e9
    assert Cluster(8, 8, 1e10).slowest(GPU) == 1e10  # one GPU on each: no link within


def test_sending_hides_behind_the_way_back() -> None:
    """The second layer's gradients fill a bucket; the first layer's way back takes longer than they are on theirs."""
    long, wide = Work(Load(), Load(0, 1e9), 1000), Work(Load(), Load(0, 1e6), BUCKET)
    hidden, after = (pace.pace([long, wide], GPU, "fp32", Cluster(2), 1, overlap) for overlap in (True, False))
    assert hidden.waited == pytest.approx(pace.sending_time(1000, GPU, Cluster(2)))
    assert after.waited == pytest.approx(after.sending) and after.sending == hidden.sending


PUBLISHED = [("V100", "fp32", 367), ("V100", "fp16", 1200), ("A100", "tf32", 938), ("A100", "fp16", 2470)]


def test_published_speeds_of_resnet_50() -> None:
    """Within a third of the pictures a second that NVIDIA's DeepLearningExamples tell of their ResNet-50 v1.5 in PyTorch."""
    spec = train_net(read_solver(str(Path(__file__).parents[2] / "configs/resnet50/solver.prototxt")))
    net = Net(spec, device="meta", absent=lambda node, error: AbsentData(node.param, error))
    steps = pace.work_of(net, 256 / 32)
    gpus = {gpu.name: gpu for gpu in pace.GPUS}
    found = [256 / pace.pace(steps, gpus[name], precision).update for name, precision, _ in PUBLISHED]
    assert found == pytest.approx([speed for *_, speed in PUBLISHED], rel=1 / 3)
