"""Forward and backward time of each layer beside the best plain PyTorch expression of the same.

    python benchmarks/layers.py [--only TEXT] [--repeats 15] [--threads 1] [--nets caffenet,googlenet,resnet50,lstm,ssd]

One row for each distinct layer and shape of CaffeNet (batch 16), GoogLeNet (8), ResNet-50 (8), an LSTM (T 50, N 32, D = H =
256), and the loss of SSD300 (batch 32, 8732 prior boxes, 96 objects), in both memory formats. Both sides run in turn in
one process; times are medians (with one thread of CPU time, which other processes disturb less), the ratio is the median of
plain / ours in neighbouring samples: 1 or more is as fast or faster. Rows marked `+` are layers that follow one another.
"""

from __future__ import annotations

import argparse
import logging
import os
import platform
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from solver_cli import Net
from solver_cli.caffe_pb2 import LayerParameter, NetParameter, PoolingParameter, PriorBoxParameter
from solver_cli.net.plan import Node, as_tuple
from solver_cli.text import prototxt

CONFIGS = Path(__file__).parent.parent / "configs"
PICTURES = {"caffenet": (16, 3, 227, 227), "googlenet": (8, 3, 224, 224), "resnet50": (8, 3, 224, 224)}
LSTM = """
layer { name: "in" type: "Input" top: "x" top: "cont" input_param {
  shape { dim: 50 dim: 32 dim: 256 } shape { dim: 50 dim: 32 } } }
layer { name: "lstm" type: "LSTM" bottom: "x" bottom: "cont" top: "y" recurrent_param { num_output: 256
  weight_filler { type: "uniform" min: -0.06 max: 0.06 } } }
"""
SSD_MAPS = [  # cells a side, min_size, max_size, aspect ratios, step
    (38, 30, 60, (2,), 8),
    (19, 60, 111, (2, 3), 16),
    (10, 111, 162, (2, 3), 32),
    (5, 162, 213, (2, 3), 64),
    (3, 213, 264, (2,), 100),
    (1, 264, 315, (2,), 300),
]
SSD_BATCH, SSD_CLASSES, SSD_OBJECTS = 32, 21, 96
LEAST = 4e-3  # seconds a sample should take at least: short layers run several times in one

Run = Callable[..., Any]


@dataclass
class Row:
    """What is compared: ours and plain take the same bottoms; both work with the weights that `params` lists."""

    what: str
    ours: Run
    plain: Run
    bottoms: list[Tensor]
    params: list[Tensor]

    def passes(self) -> tuple[Callable[[], None], Callable[[], None]]:
        """One forward and backward pass of each side."""
        wanted = [x for x in (*self.bottoms, *self.params) if x.requires_grad]
        top = as_tuple(self.ours(*self.bottoms))[0]
        layout = torch.channels_last if is_channels_last(top) else torch.contiguous_format
        grad = torch.randn(top.shape).to(memory_format=layout) if top.dim() == 4 else torch.randn(top.shape)

        def run(side: Run) -> None:
            y = as_tuple(side(*self.bottoms))[0]
            if wanted and y.requires_grad:
                torch.autograd.grad(y, wanted, grad, allow_unused=True)

        return lambda: run(self.ours), lambda: run(self.plain)


def is_channels_last(x: Tensor) -> bool:
    return x.dim() == 4 and x.is_contiguous(memory_format=torch.channels_last) and not x.is_contiguous()


# -- plain PyTorch ------------------------------------------------------------------------------------------------------


def plain(node: Node) -> Run | None:
    """The layer as one writes it in plain PyTorch, with the node's own weights; None where there is nothing to compare."""
    write = globals().get(f"plain_{node.param.type.lower()}")
    return write(node) if write else None


def plain_convolution(node: Node) -> Run:
    m: Any = node.run
    w = m.windows
    return lambda x: F.conv2d(x, m.weight, m.bias, w.stride, w.pad, w.dilation, m.group)


def plain_innerproduct(node: Node) -> Run:
    m: Any = node.run
    return lambda x: F.linear(x.flatten(1), m.weight, m.bias)


def plain_pooling(node: Node) -> Run:
    m: Any = node.run
    if node.param.pooling_param.pool == PoolingParameter.MAX:
        return lambda x: F.max_pool2d(x, m.kernel, m.stride, m.pad, ceil_mode=True)
    return lambda x: (
        F.adaptive_avg_pool2d(x, 1)
        if m.kernel in (None, x.shape[2:])
        else F.avg_pool2d(x, m.kernel, m.stride, m.pad, ceil_mode=True)
    )


def plain_lrn(node: Node) -> Run:
    p = node.param.lrn_param
    return lambda x: F.local_response_norm(x, p.local_size, p.alpha, p.beta, p.k)


def plain_relu(node: Node) -> Run:
    return F.relu


def plain_dropout(node: Node) -> Run:
    return lambda x: F.dropout(x, node.param.dropout_param.dropout_ratio)


def plain_batchnorm(node: Node) -> Run:
    m: Any = node.run
    mean, variance = torch.zeros_like(m.mean), torch.zeros_like(m.variance)
    return lambda x: F.batch_norm(x, mean, variance, training=True, eps=m.eps)


def plain_scale(node: Node) -> Run:
    m: Any = node.run
    return lambda x: x * m.scale.view(1, -1, 1, 1) + m.bias.view(1, -1, 1, 1)


def plain_eltwise(node: Node) -> Run:
    return lambda a, b: a + b


def plain_concat(node: Node) -> Run:
    return lambda *xs: torch.cat(xs, node.param.concat_param.axis)


def plain_softmaxwithloss(node: Node) -> Run:
    return lambda x, label: F.cross_entropy(x, label.long())


def plain_accuracy(node: Node) -> Run:
    k = node.param.accuracy_param.top_k
    return lambda x, label: (x.detach().topk(k, 1).indices == label.long().unsqueeze(1)).any(1).float().mean()


def plain_lstm(node: Node) -> Run:
    """The loop over the steps, with the markers, as autograd takes it."""
    m: Any = node.run

    def run(x: Tensor, cont: Tensor) -> Tensor:
        inputs = F.linear(x, m.weight_x, m.bias)
        h = c = x.new_zeros(x.shape[1], m.size)
        tops = []
        for step, marker in zip(inputs.unbind(0), cont.unsqueeze(2).unbind(0), strict=True):
            i, f, o, g = torch.addmm(step, h * marker, m.weight_h.t()).chunk(4, 1)
            c = f.sigmoid() * (c * marker) + i.sigmoid() * g.tanh()
            h = o.sigmoid() * c.tanh()
            tops.append(h)
        return torch.stack(tops)

    return run


def markerless_lstm(node: Node) -> Run:
    """nn.LSTM: no markers, so not the same, but its one kernel for all steps is the mark to reach."""
    m: Any = node.run
    twin = nn.LSTM(m.weight_x.shape[1], m.size)
    twin.weight_ih_l0, twin.weight_hh_l0, twin.bias_ih_l0 = m.weight_x, m.weight_h, m.bias
    return lambda x, cont: twin(x)[0]


def plain_multiboxloss(node: Node) -> Run:
    """Picture by picture, as detection libraries write it: objects matched, hard negatives by a sort of a sort."""

    def run(loc: Tensor, conf: Tensor, prior_blob: Tensor, truth: Tensor) -> Tensor:
        priors, variances = prior_blob.view(2, -1, 4)
        codes, scores = loc.view(len(loc), -1, 4), conf.view(len(conf), len(priors), -1)
        centre, size = (priors[:, :2] + priors[:, 2:]) / 2, priors[:, 2:] - priors[:, :2]
        places, labels = [], []
        for i in range(len(loc)):
            rows = truth.view(-1, 8)[truth.view(-1, 8)[:, 0] == i]
            box = rows[:, 3:7].unsqueeze(1)
            low, high = torch.maximum(box[..., :2], priors[:, :2]), torch.minimum(box[..., 2:], priors[:, 2:])
            shared = (high - low).clamp(min=0).prod(2)
            overlap = shared / ((box[..., 2:] - box[..., :2]).prod(2) + size.prod(1) - shared)
            best, at = overlap.max(0)
            own = overlap.argmax(1)
            best[own], at[own] = 2, torch.arange(len(rows))
            label = rows[at, 1].long().masked_fill(best < 0.5, 0)
            labels.append(label)
            found = rows[at, 3:7][label > 0]
            middle, sides = (found[:, :2] + found[:, 2:]) / 2 - centre[label > 0], found[:, 2:] - found[:, :2]
            wanted = torch.cat((middle / size[label > 0], (sides / size[label > 0]).log()), 1) / variances[label > 0]
            places.append(F.smooth_l1_loss(codes[i][label > 0], wanted, reduction="sum"))
        label = torch.stack(labels)
        losses = F.cross_entropy(scores.flatten(0, 1), label.flatten(), reduction="none").view(label.shape)
        rank = losses.detach().masked_fill(label > 0, -torch.inf).sort(1, descending=True).indices.sort(1).indices
        chosen = (label > 0) | (rank < 3 * (label > 0).sum(1, keepdim=True))
        return (torch.stack(places).sum() + losses[chosen].sum()) / (label > 0).sum().clamp(min=1)

    return run


def plain_chain(nodes: list[Node]) -> Run:
    """BatchNorm and Scale as one F.batch_norm with its affine part, and the ReLU behind it."""
    norm: Any = nodes[0].run
    scale: Any = nodes[1].run
    mean, variance = torch.zeros_like(norm.mean), torch.zeros_like(norm.variance)

    def run(x: Tensor) -> Tensor:
        y = F.batch_norm(x, mean, variance, scale.scale, scale.bias, training=True, eps=norm.eps)
        return F.relu(y) if len(nodes) == 3 else y

    return run


# -- rows ---------------------------------------------------------------------------------------------------------------


def nets(names: list[str]) -> Iterator[Net]:
    for name in names:
        text = {"lstm": lambda: LSTM, "ssd": ssd}.get(name, lambda name=name: fed_by_inputs(name))()
        yield Net.from_text(text, seed=1)


def fed_by_inputs(name: str) -> str:
    """The training net of a config, its data layer replaced by an Input layer; Accuracy layers of the test net as well."""
    net, _ = prototxt.read(str(CONFIGS / name / "train_val.prototxt"), NetParameter, "net")
    shape = PICTURES[name]
    layers = [layer for layer in net.layer if layer.bottom]
    for layer in layers:
        if layer.type == "Accuracy":
            layer.ClearField("include")
    entry = LayerParameter(name="data", type="Input", top=["data", "label"])
    entry.input_param.shape.add(dim=shape)
    entry.input_param.shape.add(dim=shape[:1])
    return prototxt.to_text(NetParameter(name=net.name, layer=[entry, *layers]))


def ssd() -> str:
    """The prior boxes and the loss of SSD300."""
    boxes = sum(n * n * (2 + 2 * len(ratios)) for n, *_, ratios, _ in SSD_MAPS)
    shapes = [(SSD_BATCH, 4 * boxes), (SSD_BATCH, SSD_CLASSES * boxes), (1, 1, SSD_OBJECTS, 8), (1, 3, 300, 300)]
    shapes += [(1, 1, n, n) for n, *_ in SSD_MAPS]
    names = ["loc", "conf", "truth", "data", *(f"map{i}" for i in range(len(SSD_MAPS)))]
    entry = LayerParameter(name="in", type="Input", top=names)
    for shape in shapes:
        entry.input_param.shape.add(dim=shape)
    layers = [entry]
    for i, (_, low, high, ratios, step) in enumerate(SSD_MAPS):
        layer = LayerParameter(name=f"prior{i}", type="PriorBox", bottom=[f"map{i}", "data"], top=[f"prior{i}"])
        layer.prior_box_param.MergeFrom(
            PriorBoxParameter(min_size=[low], max_size=[high], aspect_ratio=ratios, step=step, variance=[0.1, 0.1, 0.2, 0.2])
        )
        layers.append(layer)
    concat = LayerParameter(name="priors", type="Concat", bottom=[layer.top[0] for layer in layers[1:]], top=["priors"])
    concat.concat_param.axis = 2
    loss = LayerParameter(name="loss", type="MultiBoxLoss", bottom=["loc", "conf", "priors", "truth"], top=["loss"])
    loss.multibox_loss_param.num_classes = SSD_CLASSES
    loss.multibox_loss_param.code_type = PriorBoxParameter.CENTER_SIZE
    loss.propagate_down.extend([True, True, False, False])
    return prototxt.to_text(NetParameter(name="ssd", layer=[*layers, concat, loss]))


def ssd_bottoms(net: Net) -> list[Tensor]:
    """Random predictions, the prior boxes, and random objects, as many in each picture."""
    priors = torch.cat(
        [n.run(*(torch.zeros(s) for s in n.below)) for n in net.nodes if n.param.type == "PriorBox" and n.run], 2
    )
    corner, size = torch.rand(SSD_OBJECTS, 2) * 0.6, torch.rand(SSD_OBJECTS, 2) * 0.35 + 0.05
    picture = torch.arange(SSD_OBJECTS).unsqueeze(1) * SSD_BATCH // SSD_OBJECTS
    label, zero = torch.randint(1, SSD_CLASSES, (SSD_OBJECTS, 1)), torch.zeros(SSD_OBJECTS, 1)
    truth = torch.cat((picture, label, zero, corner, corner + size, zero), 1).view(1, 1, -1, 8)
    predictions = [torch.randn(net.blob_shapes[blob]).requires_grad_() for blob in ("loc", "conf")]
    return [*predictions, priors, truth]


def rows(net: Net, only: str, layout: torch.memory_format, seen: set[str]) -> Iterator[Row]:
    """A row for each distinct layer, and for each distinct BatchNorm + Scale (+ ReLU) in place."""
    net.to(memory_format=layout)
    for i, node in enumerate(net.nodes):
        for nodes in ([node], *chains(net.nodes, i)):
            write = plain_chain(nodes) if len(nodes) > 1 else plain(node)
            what = describe(net, nodes)
            if write is None or what in seen or only.lower() not in what.lower():
                continue
            seen.add(what)
            row = Row(what, chained(net, nodes), write, inputs(net, node, layout), learned(nodes))
            yield row
            if node.param.type == "LSTM":
                yield replace(row, what=f"{what}, beside nn.LSTM without markers", plain=markerless_lstm(node))
                broken = [row.bottoms[0], (torch.rand_like(row.bottoms[1]) > 0.05).float()]
                yield replace(row, what=f"{what}, 5 % of the markers 0", bottoms=broken)
                yield replace(
                    row, what=f"{what}, 5 % of ours 0, beside nn.LSTM", bottoms=broken, plain=markerless_lstm(node)
                )


def chains(nodes: list[Node], i: int) -> Iterator[list[Node]]:
    types = [node.param.type for node in nodes[i : i + 3]]
    if types[:2] == ["BatchNorm", "Scale"]:
        yield nodes[i : i + (3 if types[2:] == ["ReLU"] else 2)]


def chained(net: Net, nodes: list[Node]) -> Run:
    def run(*tops: Any) -> Any:
        for node in nodes:
            assert node.run is not None
            tops = as_tuple((node.quick or node.run)(*tops))
        return tops

    return run if len(nodes) > 1 else nodes[0].run  # type: ignore[return-value]


def describe(net: Net, nodes: list[Node]) -> str:
    """Type, settings but fillers, and the bottoms' shapes."""
    shapes = ", ".join("x".join(map(str, net.blob_shapes[blob])) for blob in nodes[0].bottoms)
    return f"{' + '.join(f'{n.param.type}{settings(n)}' for n in nodes)}  {shapes}"


def settings(node: Node) -> str:
    words = []
    for field, message in node.param.ListFields():
        if field.name.endswith("_param") and field.name not in ("transform_param", "loss_param"):
            words += [f"{f.name}={format_value(f, v)}" for f, v in message.ListFields() if "filler" not in f.name]
    return f" ({' '.join(words)})" if words else ""


def format_value(field: Any, value: Any) -> str:
    if field.enum_type:
        return str(field.enum_type.values_by_number[value].name)
    return "x".join(map(str, value)) if hasattr(value, "append") else f"{value:g}"


def inputs(net: Net, node: Node, layout: torch.memory_format) -> list[Tensor]:
    """Random bottoms; labels and markers, and the pictures, want no gradient."""
    if node.param.type == "MultiBoxLoss":
        return ssd_bottoms(net)
    bottoms = []
    for blob in node.bottoms:
        shape = net.blob_shapes[blob]
        if blob == "cont":
            x = torch.ones(shape)
        elif len(shape) == 1:
            x = torch.randint(1000, shape).float()
        else:
            x = torch.randn(shape)
            x = (x.to(memory_format=layout) if len(shape) == 4 else x).requires_grad_(blob not in net.inputs)
        bottoms.append(x)
    return bottoms


def learned(nodes: list[Node]) -> list[Tensor]:
    return [entry.blob for node in nodes for entry in node.learned]


# -- measuring ----------------------------------------------------------------------------------------------------------


def measure(row: Row, repeats: int) -> tuple[float, float, float]:
    """Median seconds of one pass, ours and plain, taken in turn, and the median of the ratios of neighbours."""
    passes = row.passes()
    for run in passes:
        run()
    once = min(timed(run, 1) for run in passes)
    count = max(1, round(LEAST / once))
    taken: tuple[list[float], list[float]] = ([], [])
    for i in range(repeats):
        for side in (0, 1) if i % 2 else (1, 0):
            taken[side].append(timed(passes[side], count))
    return median(taken[0]), median(taken[1]), median(p / o for o, p in zip(*taken, strict=True))


def timed(run: Callable[[], None], count: int) -> float:
    """Seconds of one pass: CPU time with one thread, which other processes disturb less, else wall-clock time."""
    clock = time.process_time if torch.get_num_threads() == 1 else time.perf_counter
    begin = clock()
    for _ in range(count):
        run()
    return (clock() - begin) / count


def machine() -> str:
    load = os.getloadavg()[0]
    name = next(
        (
            line.split(":")[1].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if line.startswith("model name")
        ),
        "",
    )
    return f"{platform.machine()} {name}, {os.cpu_count()} cores, load {load:.1f} at the start; torch {torch.__version__}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--only", default="", help="rows whose description has this text")
    parser.add_argument("--repeats", type=int, default=15)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--nets", default="caffenet,googlenet,resnet50,lstm,ssd")
    options = parser.parse_args()
    logging.getLogger("solver_cli").setLevel(logging.ERROR)
    torch.manual_seed(0)
    torch.set_num_threads(options.threads)
    print(f"$ python benchmarks/layers.py {' '.join(sys.argv[1:])}".rstrip())
    print(f"{machine()}; {options.threads} thread(s)")
    clock = "CPU" if options.threads == 1 else "wall-clock"
    print(f"milliseconds of {clock} time, forward + backward, medians; ratio = plain / ours\n")
    print(f"{'ours':>9} {'plain':>9} {'ratio':>6}  layer")
    ratios = []
    for layout in (torch.contiguous_format, torch.channels_last):
        print(f"-- {'NCHW' if layout == torch.contiguous_format else 'channels_last'}")
        seen: set[str] = set()
        for net in nets(options.nets.split(",")):
            for row in rows(net, options.only, layout, seen):
                ours, other, ratio = measure(row, options.repeats)
                ratios.append((ratio, row.what))
                print(f"{ours * 1e3:9.3f} {other * 1e3:9.3f} {ratio:6.2f}  {row.what}", flush=True)
    if ratios:
        slow = [r for r, _ in ratios if r < 0.9]
        least, what = min(ratios)
        print(f"\n{len(ratios)} rows, median ratio {median(r for r, _ in ratios):.2f}, {len(slow)} below 0.9, ", end="")
        print(f"least {least:.2f}: {what}")


if __name__ == "__main__":
    main()
