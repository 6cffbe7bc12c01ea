"""How PyTorch says each layer type: one function for each, which gives the expression of its tops."""

from __future__ import annotations

import math
from typing import Any

import torch

from solver_cli.caffe_pb2 import EltwiseParameter, LRNParameter, ReductionParameter
from solver_cli.export.pieces import RULES, Rule, Writer, number, says, sides
from solver_cli.export.reading import inferred, refuse, settings, statistics
from solver_cli.layers.convolution import Windows
from solver_cli.layers.fork_norm import SEGNET_EPS
from solver_cli.net.plan import Node

CEIL = "Pooling rounds its output size up (ceil_mode)."
MOMENTS = (
    "Caffe's running statistics are sums that a factor divides, so they are right from the first batch on; a BatchNorm"
    " here starts at mean 0 and variance 1. From then on both forget alike."
)
SCALE = '''
class Scale(nn.Module):
    """Each channel times a learned factor, plus a learned offset."""

    def __init__(self, channels: int, bias: bool = True) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels)) if bias else None

    def forward(self, x: Tensor) -> Tensor:
        shape = (-1,) + (1,) * (x.dim() - 2)
        y = x * self.weight.view(shape)
        return y if self.bias is None else y + self.bias.view(shape)
'''
NORMALIZE = '''
class Normalize(nn.Module):
    """Each place's values brought to length 1, times learned factors."""

    def __init__(self, channels: int, axes: tuple[int, ...] = (1,), eps: float = 1e-10) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels))
        self.axes, self.eps = axes, eps

    def forward(self, x: Tensor) -> Tensor:
        factor = self.weight.view((-1,) + (1,) * (x.dim() - 2))
        # SSD's gradient: the factors count behind the part of the length
        x = x.detach() + factor.detach() * (x - x.detach())
        unit = x / (x.square().sum(self.axes, keepdim=True) + self.eps).sqrt()
        return unit + (factor - 1) * unit.detach()
'''


def plainly(kind: str, text: str) -> None:
    """A type that one expression of {0} says; {setting} stands for a number of the text's."""
    rule: Rule = lambda w, node: text.format("{0}", **{k: number(v) for k, v in settings(node).items()})  # noqa: E731
    RULES[kind] = rule


plainly("AbsVal", "{0}.abs()")
plainly("BNLL", "F.softplus({0})")
plainly("Sigmoid", "{0}.sigmoid()")
plainly("TanH", "{0}.tanh()")
plainly("HSwish", "F.hardswish({0})")
plainly("HardSwish", "F.hardswish({0})")
plainly("Mish", "F.mish({0})")
plainly("Softmax", "{0}.softmax({axis})")
plainly("Threshold", "({0} > {threshold}).to({0}.dtype)")


@says("ReLU")
def relu(w: Writer, node: Node) -> str:
    slope = settings(node)["negative_slope"]
    return f"F.leaky_relu({{0}}, {number(slope)})" if slope else "F.relu({0})"


@says("ELU")
def elu(w: Writer, node: Node) -> str:
    return f"F.elu({{0}}, {number(node.param.elu_param.alpha)})"


@says("PReLU")
def prelu(w: Writer, node: Node) -> str:
    slope = node.blobs()[0]
    return w.module(node, f"nn.PReLU({slope.numel()})", weight=slope.reshape(-1)) + "({0})"


@says("Power")
def power(w: Writer, node: Node) -> str:
    exponent, scale, shift = (settings(node)[name] for name in ("power", "scale", "shift"))
    x = "{0}" if scale == 1 else f"{number(scale)} * {{0}}"
    x = x if shift == 0 else f"({number(shift)} + {x})"
    return x if exponent == 1 else f"({x}) ** {number(exponent)}"


@says("Exp")
def exp(w: Writer, node: Node) -> str:
    base = 1.0 if settings(node)["base"] == -1 else math.log(settings(node)["base"])
    return f"({base * settings(node)['shift']!r} + {base * settings(node)['scale']!r} * {{0}}).exp()"


@says("Log")
def log(w: Writer, node: Node) -> str:
    base = 1.0 if settings(node)["base"] == -1 else math.log(settings(node)["base"])
    return f"({number(settings(node)['shift'])} + {number(settings(node)['scale'])} * {{0}}).log() / {base!r}"


@says("Dropout")
def dropout(w: Writer, node: Node) -> str:
    m: Any = node.module
    if m.always or not m.scale_train:
        refuse("drops values in another way than PyTorch's (sample_weights_test, scale_train)", "dropout_param")
    return f"F.dropout({{0}}, {number(m.ratio)}, self.training)"


# -- weights --------------------------------------------------------------------------------------------------------


@says("Convolution", "DepthwiseConvolution", "ConvolutionDepthwise")
def convolution(w: Writer, node: Node) -> str:
    return _filters(w, node, "Conv")


@says("Deconvolution")
def deconvolution(w: Writer, node: Node) -> str:
    return _filters(w, node, "ConvTranspose")


def _filters(w: Writer, node: Node, kind: str) -> str:
    m: Any = node.module
    windows: Windows = m.windows
    axes = len(windows.kernel)
    if m.axis != 1 or not 1 <= axes <= 3 or len(node.bottoms) != 1:
        refuse("PyTorch has channels on axis 1, 1 to 3 spatial axes behind, and one bottom: Reshape the blobs around it")
    padded = zip(node.below[0][2:], windows.pad, windows.extent, strict=True)
    if kind == "Conv" and any(n + 2 * p < extent for n, p, extent in padded):
        refuse("its kernel is larger than the padded input", "convolution_param.kernel_size")
    blobs = node.blobs()
    inputs, outputs = node.below[0][1], node.shapes[0][1]
    told = [str(inputs), str(outputs), sides(windows.kernel)]
    usual = {"stride": windows.stride, "padding": windows.pad, "dilation": windows.dilation}
    told += [f"{name}={sides(v)}" for name, v in usual.items() if set(v) != {0 if name == "padding" else 1}]
    told += [f"groups={m.group}"] * (m.group != 1) + ["bias=False"] * (len(blobs) == 1)
    state = dict(zip(("weight", "bias"), blobs, strict=False))
    return w.module(node, f"nn.{kind}{axes}d({', '.join(told)})", **state) + "({0})"


@says("InnerProduct")
def inner_product(w: Writer, node: Node) -> str:
    m: Any = node.module
    if len(node.bottoms) > 1 or m.rewrites:
        refuse("takes its weight from below, or scales it in every pass")
    weight, *rest = node.blobs()
    weight = weight.t() if m.transpose else weight
    outputs, inputs = weight.shape
    module = w.module(
        node,
        f"nn.Linear({inputs}, {outputs}{'' if rest else ', bias=False'})",
        weight=weight,
        **({"bias": rest[0]} if rest else {}),
    )
    flat = len(node.below[0]) == m.axis + 1
    return f"{module}({{0}})" if flat else f"{module}({{0}}.flatten({m.axis}))"


@says("BatchNorm")
def batch_norm(w: Writer, node: Node) -> str:
    m: Any = node.module
    mean, variance = statistics(node)
    scale = w.normalised
    told = [str(len(mean))]
    told += [f"eps={number(m.eps)}"] * (number(m.eps) != "1e-05") + [f"momentum={number(1 - round(m.fraction, 7))}"]
    state = {"running_mean": mean, "running_var": variance, "num_batches_tracked": torch.tensor(0)}
    if scale is None:
        told.append("affine=False")
    else:
        blobs = scale.blobs()
        state |= {"weight": blobs[0], "bias": blobs[1] if len(blobs) > 1 else torch.zeros_like(blobs[0])}
    w.comment(MOMENTS)
    axes = {2: "1d", 3: "1d", 4: "2d", 5: "3d"}.get(len(node.below[0])) or refuse("has more than 5 axes: Reshape it before")
    module = w.module(node, f"nn.BatchNorm{axes}({', '.join(told)})", **state)
    if m.use_stored is None:
        return f"{module}({{0}})"
    affine = "" if scale is None else f", {module}.weight, {module}.bias"
    if m.use_stored:
        return f"F.batch_norm({{0}}, {module}.running_mean, {module}.running_var{affine}, eps={module}.eps)"
    return refuse("takes the batch's statistics in testing too: leave use_global_stats out", "batch_norm_param")


@says("BN/segnet")
def segnet_bn(w: Writer, node: Node) -> str:
    m: Any = node.module
    if len(node.below[0]) != 4 or m.num_tops > 1:
        refuse("is written for blobs of 4 axes and with one top: take the others out", "top")
    state = {"weight": m.scale.flatten(), "bias": m.shift.flatten()}
    if m.from_batch:
        w.comment("SegNet's BN takes the batch's statistics in testing too (track_running_stats).")
        init = f"nn.BatchNorm2d({node.below[0][1]}, eps={number(SEGNET_EPS)}, track_running_stats=False)"
    else:
        w.helpers["Scale"] = SCALE
        init = f"Scale({node.below[0][1]})"
    return w.module(node, init, **state) + "({0})"


@says("Normalize/ssd")
def normalize(w: Writer, node: Node) -> str:
    m: Any = node.module
    w.helpers["Normalize"] = NORMALIZE
    told = [str(m.scale.numel())] + [f"axes={m.axes}"] * (m.axes != (1,)) + [f"eps={number(m.eps)}"] * (m.eps != 1e-10)
    return w.module(node, f"Normalize({', '.join(told)})", weight=m.scale.reshape(-1)) + "({0})"


@says("Scale")
def scale(w: Writer, node: Node) -> str:
    m: Any = node.module
    if not m.per_channel:
        refuse("multiplies other axes than the channels, or another blob: write it as Eltwise", "scale_param")
    w.helpers["Scale"] = SCALE
    blobs = node.blobs()
    told = f"Scale({len(blobs[0])}{'' if len(blobs) > 1 else ', bias=False'})"
    return w.module(node, told, **dict(zip(("weight", "bias"), blobs, strict=False))) + "({0})"


# -- pooling and normalisation --------------------------------------------------------------------------------------


@says("Pooling")
def pooling(w: Writer, node: Node) -> str:
    m: Any = node.module
    if m.stochastic:
        refuse("draws by chance: use pool: MAX or AVE", "pooling_param.pool")
    if m.num_tops > 1 and m.kernel is None:
        refuse("gives the index of a whole picture: give a kernel_size", "pooling_param.global_pooling")
    if m.kernel is None or (m.mean and tuple(m.kernel) == tuple(node.below[0][2:]) and not any(m.pad)):
        return f"{{0}}.{'mean' if m.mean else 'amax'}((2, 3), keepdim=True)"
    if any(2 * p > k for p, k in zip(m.pad, m.kernel, strict=True)) or any(
        s > k for s, k in zip(m.stride, m.kernel, strict=True)
    ):
        refuse("has a stride beyond its kernel, or a pad beyond half of it, which PyTorch does not do", "pooling_param")
    told = [sides(m.kernel), sides(m.stride)] + [f"padding={sides(m.pad)}"] * any(m.pad) + ["ceil_mode=True"] * m.ceil
    told += ["return_indices=True"] * (m.num_tops > 1)
    if m.ceil:
        w.comment(CEIL)
    return f"F.{'avg' if m.mean else 'max'}_pool2d({{0}}, {', '.join(told)})"


@says("LRN")
def lrn(w: Writer, node: Node) -> str:
    told = settings(node)
    numbers = ", ".join(f"{name}={number(told[name])}" for name in ("alpha", "beta", "k"))
    size, half = told["local_size"], told["local_size"] // 2
    if told["norm_region"] == LRNParameter.ACROSS_CHANNELS:
        w.comment("LRN divides alpha by local_size, as PyTorch does; the paper does not.")
        return f"F.local_response_norm({{0}}, {size}, {numbers})"
    mean = f"F.avg_pool2d({{0}} * {{0}}, {size}, 1, {half}, ceil_mode=True)"
    return f"{{0}} * (1 + {number(told['alpha'])} * {mean}) ** -{number(told['beta'])}"


# -- joined, cut, put elsewhere -------------------------------------------------------------------------------------


@says("Concat")
def concat(w: Writer, node: Node) -> str:
    names = ", ".join(f"{{{i}}}" for i in range(len(node.bottoms)))
    return f"torch.cat(({names}{',' * (len(node.bottoms) == 1)}), {node.module.axis})"  # type: ignore[union-attr]


@says("Slice")
def slice_(w: Writer, node: Node) -> str:
    m: Any = node.module
    return f"torch.split({{0}}, {[shape[m.axis] for shape in node.shapes]}, {m.axis})"


@says("Eltwise")
def eltwise(w: Writer, node: Node) -> str:
    told, names = settings(node), [f"{{{i}}}" for i in range(len(node.bottoms))]
    if told["operation"] == EltwiseParameter.SUM:
        coeff = told["coeff"] or (1.0,) * len(names)
        return " + ".join(x if c == 1 else f"{number(c)} * {x}" for x, c in zip(names, coeff, strict=True))
    if told["operation"] == EltwiseParameter.PROD:
        return " * ".join(names)
    first, *rest = names
    for x in rest:
        first = f"torch.where({first} > {x}, {first}, {x})"  # the gradient of equals goes to the second, as in Caffe
    return first


@says("AutoCrop", "Crop")
def crop(w: Writer, node: Node) -> str:
    told, axes = settings(node), len(node.below[0])
    start = told["axis"] % axes
    offsets = told["offset"] if len(told["offset"]) > 1 else (told["offset"] or (0,)) * (axes - start)
    ends = [f"{{1}}.shape[{start + i}]" for i in range(axes - start)]
    cuts = [f"{skip} : {skip} + {end}" if skip else f": {end}" for skip, end in zip(offsets, ends, strict=True)]
    return f"{{0}}[{', '.join([':'] * start + cuts)}]"


@says("Flatten")
def flatten(w: Writer, node: Node) -> str:
    told = settings(node)
    end = "" if told["end_axis"] == -1 else f", {told['end_axis']}"
    return f"{{0}}.flatten({told['axis']}{end})"


@says("Reshape")
def reshape(w: Writer, node: Node) -> str:
    (below,), (shape,) = node.below, node.shapes
    if inferred(node):
        return f"{{0}}.reshape({', '.join(map(str, (-1, *shape[1:])))})"
    keeps = bool(shape and below and shape[0] == below[0] and node.holds(node.kind.apart))
    return f"{{0}}.reshape({', '.join(map(str, ['len({0})', *shape[1:]] if keeps else shape))})"


@says("Permute")
def permute(w: Writer, node: Node) -> str:
    order, axes = settings(node)["order"], range(len(node.below[0]))
    return f"{{0}}.permute({', '.join(map(str, [*order, *(a for a in axes if a not in order)]))})"


@says("ShuffleChannel")
def shuffle_channel(w: Writer, node: Node) -> str:
    return f"F.channel_shuffle({{0}}, {settings(node)['group']})"


@says("Tile")
def tile(w: Writer, node: Node) -> str:
    axes = len(node.below[0])
    times = [settings(node)["tiles"] if i == settings(node)["axis"] % axes else 1 for i in range(axes)]
    return f"{{0}}.repeat({', '.join(map(str, times))})"


@says("Reduction")
def reduction(w: Writer, node: Node) -> str:
    told, axes = settings(node), len(node.below[0])
    over = tuple(range(told["axis"] % axes if axes else 0, axes))
    what = {ReductionParameter.ASUM: "{0}.abs()", ReductionParameter.SUMSQ: "{0}.square()"}.get(told["operation"], "{0}")
    mean = told["operation"] == ReductionParameter.MEAN
    return f"{'' if told['coeff'] == 1 else number(told['coeff']) + ' * '}{what}.{'mean' if mean else 'sum'}({over})"


@says("Interp")
def interp(w: Writer, node: Node) -> str:
    m: Any = node.module
    first, last = m.cut
    w.comment("Interp sets the corner pixels on each other (align_corners).")
    cut = f"[:, :, {first}:{-last or None}, {first}:{-last or None}]".replace("None", "") if first or last else ""
    return f'F.interpolate({{0}}{cut}, {tuple(m.size)}, mode="bilinear", align_corners=True)'


@says("Upsample/segnet")
def unpool(w: Writer, node: Node) -> str:
    m: Any = node.module
    size, below = m.size, node.below[0][2:]
    scale = tuple(-(-n // of) for n, of in zip(size, below, strict=True))
    whole = tuple(n * s for n, s in zip(below, scale, strict=True)) == tuple(size)
    places = w.pieces[-1].ins[1]
    whole_numbers = any("return_indices" in piece.text and piece.outs[-1] == places for piece in w.pieces)
    mask = "{1}" if whole_numbers else "{1}.long()"
    return f"F.max_unpool2d({{0}}, {mask}, {scale}{'' if whole else f', output_size={list(size)}'})"


@says("Upsample/yolo")
def upsample(w: Writer, node: Node) -> str:
    return f'F.interpolate({{0}}, scale_factor={node.module.scale}, mode="nearest")'  # type: ignore[union-attr]
