"""How PyTorch says layers of forks, and of BVLC's those that are seldom used: see `torch_layers`."""

from __future__ import annotations

from typing import Any

from solver_cli.caffe_pb2 import HingeLossParameter, LayerParameter
from solver_cli.export import torch_losses
from solver_cli.export.pieces import Writer, number, says
from solver_cli.export.reading import refuse, settings
from solver_cli.net.plan import Node
from solver_cli.registry import Shape

BIAS = '''
class Bias(nn.Module):
    """Each channel plus a learned offset."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.bias = nn.Parameter(torch.zeros(channels))

    def forward(self, x: Tensor) -> Tensor:
        return x + self.bias.view((-1,) + (1,) * (x.dim() - 2))
'''
EMBED = '''
class Embed(nn.Module):
    """A learned row for each index, plus a learned offset."""

    def __init__(self, indices: int, outputs: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(indices, outputs))
        self.bias = nn.Parameter(torch.zeros(outputs))

    def forward(self, x: Tensor) -> Tensor:
        return F.embedding(x.long(), self.weight) + self.bias
'''
REORG = '''
def reorg(x: Tensor, stride: int) -> Tensor:
    """YOLO's: the memory counts as (N, C / s^2, H s, W s), of which each s x s block goes to s^2 groups of channels."""
    n, c, h, w = x.shape
    parts = x.reshape(n, c // stride**2, h, stride, w, stride)
    return parts.permute(0, 3, 5, 1, 2, 4).reshape(n, c * stride**2, h // stride, w // stride)
'''
HINGE = '''
def hinge_loss(scores: Tensor, labels: Tensor, power: int = 1) -> Tensor:
    """The sum over the classes of max(0, 1 - y score), y = 1 for the label's class, else -1; its mean over the records."""
    rows = scores.flatten(1)
    side = torch.ones_like(rows).scatter(1, labels.long().reshape(-1, 1), -1)
    return (1 + side * rows).relu().pow(power).sum() / len(rows)
'''
MVN = '''
def mvn(x: Tensor, axes: tuple[int, ...], eps: float) -> Tensor:
    """Mean 0 and deviation 1 over these axes; Caffe's gradient leaves eps out, and is finite where all values are equal."""
    centred = x - x.mean(axes, keepdim=True)
    variance = centred.square().mean(axes, keepdim=True)
    deviation = variance.detach().sqrt() + eps
    return centred / (deviation + (variance - variance.detach()) / (2 * deviation))
'''
MULTINOMIAL = '''
def multinomial_loss(probabilities: Tensor, labels: Tensor) -> Tensor:
    """The mean of -log p of the labels; p counts as 1e-20 at least, with a gradient all the same."""
    rows = probabilities.flatten(1)
    held = rows.detach().clamp(min=1e-20)
    return F.nll_loss(held.log() + (rows - rows.detach()) / held, labels.long().flatten())
'''
ROI_ALIGN = '''
def roi_weights(start: Tensor, end: Tensor, count: int, size: int, samples: int) -> Tensor:
    """What each of `size` places counts for in each of `count` cells of each region: (R, count, size)."""
    cell = (end - start).clamp(min=1) / count
    many = torch.full_like(cell, samples) if samples > 0 else cell.ceil()
    sample = torch.arange(int(many.max()), device=cell.device)
    corner = start[:, None] + torch.arange(count, device=cell.device) * cell[:, None]
    at = corner[..., None] + (sample + 0.5) * (cell / many)[:, None, None]
    counts = (sample < many[:, None, None]) & (at >= -1) & (at <= size)
    near = (at.clamp(0, size - 1)[..., None] - torch.arange(size, device=cell.device)).abs()
    return ((1 - near).relu() * counts[..., None]).sum(2) / many[:, None, None]


def roi_align(x: Tensor, rois: Tensor, height: int, width: int, scale: float, samples: int) -> Tensor:
    """The mean of bilinear samples in each of height x width cells of each region: (R, C, height, width).

    Regions (R, 5) are picture, x1, y1, x2, y2, whose corners are scaled; 0 samples: one for each place of a cell's side.
    """
    rois = rois.detach().reshape(-1, 5)
    x1, y1, x2, y2 = (rois[:, 1:] * scale).unbind(1)
    rows = roi_weights(y1, y2, height, x.shape[2], samples)
    columns = roi_weights(x1, x2, width, x.shape[3], samples)
    pairs = zip(x[rois[:, 0].long()], rows, columns, strict=True)
    return torch.stack([row @ picture @ column.t() for picture, row, column in pairs])
'''


# -- neurons --------------------------------------------------------------------------------------------------------


@says("ReLU6")
def relu6(w: Writer, node: Node) -> str:
    slope = settings(node)["negative_slope"]
    return f"F.leaky_relu({{0}}, {number(slope)}).clamp(max=6)" if slope else "F.relu6({0})"


@says("Clip")
def clip(w: Writer, node: Node) -> str:
    low, high = settings(node)["min"] or 0.0, settings(node)["max"] or 0.0
    return f"{{0}}.clamp({number(low)}, {number(high)})"


@says("Swish")
def swish(w: Writer, node: Node) -> str:
    beta = settings(node)["beta"]
    return "F.silu({0})" if beta == 1 else f"{{0}} * ({number(beta)} * {{0}}).sigmoid()"


@says("SeLu")
def selu(w: Writer, node: Node) -> str:
    m: Any = node.module
    return f"{number(m.factor)} * F.elu({{0}}, {number(m.alpha)})"


@says("SpatialDropout")
def spatial_dropout(w: Writer, node: Node) -> str:
    m: Any = node.module
    if m.always or not m.scale_train or len(node.below[0]) != 4:
        refuse("drops values in another way than PyTorch's (scale_train, or no 4 axes)", "dropout_param")
    return f"F.dropout2d({{0}}, {number(m.ratio)}, self.training)"


# -- weights --------------------------------------------------------------------------------------------------------


@says("Bias")
def bias(w: Writer, node: Node) -> str:
    m: Any = node.module
    if m.bias is None or m.bias.dim() != 1 or m.axis % len(node.below[0]) != 1:
        refuse("adds to other axes than the channels, or another blob: write it as Eltwise", "bias_param")
    w.helpers["Bias"] = BIAS
    return w.module(node, f"Bias({len(m.bias)})", bias=m.bias) + "({0})"


@says("Embed")
def embed(w: Writer, node: Node) -> str:
    weight, *rest = node.blobs()
    if not rest:
        return w.module(node, f"nn.Embedding({weight.shape[0]}, {weight.shape[1]})", weight=weight) + "({0}.long())"
    w.helpers["Embed"] = EMBED
    return w.module(node, f"Embed({weight.shape[0]}, {weight.shape[1]})", weight=weight, bias=rest[0]) + "({0})"


@says("GroupNorm")
def group_norm(w: Writer, node: Node) -> str:
    m: Any = node.module
    told = [str(m.groups), str(node.below[0][1])] + [f"eps={number(m.eps)}"] * (number(m.eps) != "1e-05")
    if m.scale is None:
        return f"F.group_norm({{0}}, {m.groups}, eps={number(m.eps)})"
    return w.module(node, f"nn.GroupNorm({', '.join(told)})", weight=m.scale.flatten(), bias=m.bias.flatten()) + "({0})"


@says("MVN")
def mvn(w: Writer, node: Node) -> str:
    told = settings(node)
    if len(node.below[0]) != 4:
        refuse("is written for blobs of 4 axes: Reshape it before", "bottom")
    axes = (1, 2, 3) if told["across_channels"] else (2, 3)
    if not told["normalize_variance"]:
        return f"{{0}} - {{0}}.mean({axes}, keepdim=True)"
    w.helpers["mvn"] = MVN
    return f"mvn({{0}}, {axes}, {number(told['eps'])})"


# -- joined, put elsewhere, regions ---------------------------------------------------------------------------------


@says("Axpy")
def axpy(w: Writer, node: Node) -> str:
    missing = len(node.below[1]) - len(node.below[0])
    factor = f"{{0}}.reshape(*{{0}}.shape{', 1' * missing})" if missing else "{0}"
    return f"{factor} * {{1}} + {{2}}"


@says("Flip")
def flip(w: Writer, node: Node) -> str:
    axes = [axis for axis, name in ((2, "flip_height"), (3, "flip_width")) if settings(node)[name]]
    return f"{{0}}.flip({axes})"


@says("Reorg")
def reorg(w: Writer, node: Node) -> str:
    if settings(node)["reverse"]:
        refuse("puts channels back into places, which is not written: take reverse out", "reorg_param.reverse")
    w.helpers["reorg"] = REORG
    return f"reorg({{0}}, {settings(node)['stride']})"


@says("BatchReindex")
def batch_reindex(w: Writer, node: Node) -> str:
    return "{0}[{1}.long()]"


@says("ArgMax")
def argmax(w: Writer, node: Node) -> str:
    told = settings(node)
    if told["top_k"] != 1 or told["out_max_val"] or told["axis"] is None:
        refuse("is written along an axis, with top_k: 1 and without values", "argmax_param")
    w.comment("Of equal values ArgMax takes the last.")
    axis = told["axis"] % len(node.below[0])
    return f"({node.below[0][axis] - 1} - {{0}}.flip({axis}).argmax({axis}, keepdim=True)).to({{0}}.dtype)"


@says("Filter")
def filter_(w: Writer, node: Node) -> str:
    *kept, last = (f"{{{i}}}" for i in range(len(node.bottoms)))
    return ", ".join(f"{x}[{last}.flatten() != 0]" for x in kept)


@says("Im2col")
def im2col(w: Writer, node: Node) -> str:
    m: Any = node.module
    if m.axis != 1 or len(m.windows.kernel) != 2:
        refuse("is written for channels on axis 1 and 2 spatial axes: Reshape it before", "convolution_param.axis")
    told = ", ".join(map(str, (m.windows.kernel, m.windows.dilation, m.windows.pad, m.windows.stride)))
    return f"F.unfold({{0}}, {told}).unflatten(2, {tuple(node.shapes[0][2:])})"


@says("SPP")
def spp(w: Writer, node: Node) -> str:
    m: Any = node.module
    levels, (height, width) = [], node.below[0][2:]
    for bins in (2**level for level in range(m.height)):
        kernel = -(-height // bins), -(-width // bins)
        pad = tuple((k * bins - n + 1) // 2 for k, n in zip(kernel, (height, width), strict=True))
        if any(2 * p > k for p, k in zip(pad, kernel, strict=True)):
            refuse("pads by more than half a bin, which PyTorch does not do: give it a larger picture", "spp_param")
        told = f"{kernel}, {kernel}, {pad}, ceil_mode=True"
        levels.append(f"F.{'avg' if m.mean else 'max'}_pool2d({{0}}, {told})")
    return levels[0] if m.height == 1 else f"torch.cat([{', '.join(f'{x}.flatten(1)' for x in levels)}], 1)"


@says("ROIAlign")
def roi_align(w: Writer, node: Node) -> str:
    m: Any = node.module
    w.helpers["roi_align"] = ROI_ALIGN
    return f"roi_align({{0}}, {{1}}, {m.size[0]}, {m.size[1]}, {number(m.scale)}, {max(m.samples, 0)})"


# -- losses ---------------------------------------------------------------------------------------------------------


@torch_losses.says("HingeLoss")
def hinge_loss(param: LayerParameter, ins: list[str], shape: Shape, w: Writer) -> str:
    w.helpers["hinge_loss"] = HINGE
    squared = param.hinge_loss_param.norm == HingeLossParameter.L2
    return f"hinge_loss({', '.join(ins)}{', power=2' if squared else ''})"


@torch_losses.says("MultinomialLogisticLoss")
def multinomial_loss(param: LayerParameter, ins: list[str], shape: Shape, w: Writer) -> str:
    w.helpers["multinomial_loss"] = MULTINOMIAL
    return f"multinomial_loss({', '.join(ins)})"


@torch_losses.says("L1Loss")
def l1_loss(param: LayerParameter, ins: list[str], shape: Shape, w: Writer) -> str:
    return _of_difference("l1_loss", ins)


@torch_losses.says("SmoothL1Loss/ssd")
def smooth_l1_loss(param: LayerParameter, ins: list[str], shape: Shape, w: Writer) -> str:
    return _of_difference("smooth_l1_loss", ins)


def _of_difference(function: str, ins: list[str]) -> str:
    x, target = ins
    return f'F.{function}({x}, {target}.reshape({x}.shape), reduction="sum") / len({x})'
