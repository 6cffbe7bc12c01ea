"""Forward and backward time of the forks' layers beside the best plain PyTorch expression of the same.

    python benchmarks/fork_layers.py [--only TEXT] [--repeats 15]

One row for each layer, at a shape of the nets that use it. Where torch has no kernel for the same, the plain side is what
one writes with its operators (torchvision's compiled ones are not at hand everywhere), with the same gradient where the
fork's is the derivative. Read `layers.py` for how it is measured; a row marked `no gradient` measures the forward pass.
"""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Callable, Iterable, Iterator
from statistics import median
from typing import Any

import torch
import torch.nn.functional as F
from layers import Row, Run, machine, measure
from torch import Tensor

from solver_cli import Net
from solver_cli.net.layout import keep_memory

Make = Callable[[Any], Run]  # the plain side, of our module


def case(what: str, text: str, bottoms: list[Tensor], plain: Make) -> Row:
    """A row of one layer of this text, with these bottoms."""
    names = [f"b{i}" for i in range(len(bottoms))]
    shapes = " ".join("shape { " + " ".join(f"dim: {n}" for n in x.shape) + " }" for x in bottoms)
    tops = " ".join(f'top: "{name}"' for name in names)
    below = " ".join(f'bottom: "{name}"' for name in names)
    top = 'top: "y"' if "top:" not in text else ""
    net = Net.from_text(
        f'layer {{ name: "in" type: "Input" {tops} input_param {{ {shapes} }} }}\n'
        f'layer {{ name: "own" {below} {top} {text} }}',
        seed=1,
    )
    node = net.nodes[-1]
    assert node.run is not None
    sizes = ", ".join("x".join(map(str, x.shape)) for x in bottoms)
    return Row(f"{what}  {sizes}", node.run, plain(node.run), bottoms, [entry.blob for entry in node.learned])


def picture(*shape: int) -> Tensor:
    return torch.randn(shape).requires_grad_()


def labels(classes: int, *shape: int) -> Tensor:
    return torch.randint(classes, shape).float()


def rois(count: int, side: int, pictures: int = 1) -> Tensor:
    corner, size = torch.rand(count, 2) * side * 0.6, torch.rand(count, 2) * side * 0.35 + 16
    return torch.cat((torch.randint(pictures, (count, 1)).float(), corner, corner + size), 1)


# -- pooling of regions -------------------------------------------------------------------------------------------------


def each_roi(pooled: int, scale: float) -> Make:
    """ROIPooling as one writes it: an adaptive max pool of each roi's part of the map."""

    def run(x: Tensor, boxes: Tensor) -> Tensor:
        tops = []
        for row in boxes.tolist():
            x1, y1, x2, y2 = (round(v * scale) for v in row[1:])
            part = x[int(row[0]), :, y1 : max(y2, y1) + 1, x1 : max(x2, x1) + 1]
            tops.append(F.adaptive_max_pool2d(part, pooled))
        return torch.stack(tops)

    return lambda module: run


def by_samples(pooled: int, scale: float, samples: int) -> Make:
    """ROIAlign with a fixed number of samples: one grid_sample for all rois of a picture, and means of samples."""

    def run(x: Tensor, boxes: Tensor) -> Tensor:
        size = x.new_tensor([x.shape[3], x.shape[2]])
        low, high = boxes[:, 1:3] * scale, boxes[:, 3:] * scale
        share = (torch.arange(pooled * samples) + 0.5) / (pooled * samples)
        at = low[:, None] + (high - low).clamp(min=1)[:, None] * share[:, None]
        at = at * 2 / (size - 1) - 1  # corners on corners
        n = len(share)
        x_at, y_at = at[:, None, :, 0].expand(-1, n, -1), at[:, :, None, 1].expand(-1, -1, n)
        grid = torch.stack((x_at, y_at), -1).view(1, -1, n, 2)
        found = F.grid_sample(x, grid, "bilinear", "border", align_corners=True)
        return F.avg_pool2d(found, samples).view(x.shape[1], len(boxes), pooled, pooled).transpose(0, 1)

    return lambda module: run


def each_cell(group: int, outputs: int, scale: float) -> Make:
    """PSROIPooling as one writes it: a mean for each cell of each roi."""

    def run(x: Tensor, boxes: Tensor) -> Tensor:
        maps = x.view(len(x), outputs, group, group, *x.shape[2:])
        starts = (boxes[:, 1:3].round() * scale).tolist()
        ends = ((boxes[:, 3:].round() + 1) * scale).tolist()
        tops = []
        for index, (x0, y0), (x1, y1) in zip(boxes[:, 0].long().tolist(), starts, ends, strict=True):
            wide, high = (x1 - x0) / group, (y1 - y0) / group
            for i in range(group):
                rows = slice(int(y0 + i * high), -int(-(y0 + (i + 1) * high) // 1))
                for j in range(group):
                    columns = slice(int(x0 + j * wide), -int(-(x0 + (j + 1) * wide) // 1))
                    tops.append(maps[index, :, i, j, rows, columns].mean((1, 2)))
        return torch.stack(tops).view(len(boxes), group, group, outputs).permute(0, 3, 1, 2)

    return lambda module: run


# -- norms, losses ------------------------------------------------------------------------------------------------------


def plain_norm(scale: str, bias: str, eps: float) -> Make:
    def make(m: Any) -> Run:
        weight, shift = getattr(m, scale), getattr(m, bias)
        mean, variance = torch.zeros(weight.numel()), torch.ones(weight.numel())
        return lambda x: F.batch_norm(x, mean, variance, weight.flatten(), shift.flatten(), training=True, eps=eps)

    return make


def plain_focal(x: Tensor, label: Tensor) -> Tensor:
    logs = -F.cross_entropy(x, label.long().view(len(x), *x.shape[2:]), reduction="none")
    return -(0.25 * (1 - logs.exp()) ** 2 * logs).mean()


def plain_centres(m: Any) -> Run:
    return lambda x, label: (x - m.centres[label.long()]).square().sum() / (2 * len(x))


def plain_margin(m: Any) -> Run:
    """SphereFace's with margin 4 as ports to PyTorch write it."""

    def run(x: Tensor, label: Tensor) -> Tensor:
        weight = F.normalize(m.weight, dim=1)
        scores, length = x @ weight.t(), x.norm(dim=1, keepdim=True)
        cos = (scores / length).clamp(-1, 1)
        many = 8 * cos**4 - 8 * cos**2 + 1
        turns = (cos.detach().acos() * 4 / torch.pi).floor()
        psi = (1 - 2 * (turns % 2)) * many - 2 * turns
        hot = F.one_hot(label.long(), scores.shape[1]).to(scores)
        return scores + hot * (psi * length - scores) / (1 + 5)

    return run


def smooth(x: Tensor, target: Tensor) -> Tensor:
    return F.smooth_l1_loss(x, target, reduction="sum") / len(x)


def smooth_with_weights(x: Tensor, target: Tensor, inside: Tensor, outside: Tensor) -> Tensor:
    away = inside * (x - target)  # in the fork's order: x * inside, target * inside would be other numbers
    return (F.smooth_l1_loss(away, torch.zeros_like(away), beta=1 / 9, reduction="none") * outside).sum() / len(x)


def rows() -> Iterator[Callable[[], Row]]:
    def same(run: Run) -> Make:
        return lambda module: run

    r128, r16 = rois(128, 600), rois(16, 600)
    yield lambda: case("Permute", 'type: "Permute" permute_param { order: 0 order: 2 order: 3 order: 1 }',
                       [picture(32, 84, 38, 38)], same(lambda x: x.permute(0, 2, 3, 1)))  # fmt: skip
    yield lambda: case("Normalize/ssd", 'type: "Normalize" norm_param { across_spatial: false channel_shared: false }',
                       [picture(8, 512, 38, 38)],
                       lambda m: lambda x: F.normalize(x, dim=1) * m.scale.view(1, -1, 1, 1))  # fmt: skip
    yield lambda: case("Normalize/normface", 'type: "Normalize" normalize_param { normalize_type: "L2" }',
                       [picture(256, 512, 1, 1)],
                       same(lambda x: x / (x.square().sum(1, keepdim=True) + 1e-6).sqrt()))  # fmt: skip
    yield lambda: case("ROIPooling", 'type: "ROIPooling" roi_pooling_param { pooled_w: 7 pooled_h: 7 '
                       "spatial_scale: 0.0625 }", [picture(1, 512, 38, 38), r128], each_roi(7, 0.0625))  # fmt: skip
    yield lambda: case("ROIAlign", 'type: "ROIAlign" roi_align_param { pooled_w: 7 pooled_h: 7 spatial_scale: 0.0625 '
                       "sampling_ratio: 2 }", [picture(1, 256, 38, 38), r128], by_samples(7, 0.0625, 2))  # fmt: skip
    yield lambda: case("PSROIPooling", 'type: "PSROIPooling" psroi_pooling_param { output_dim: 21 group_size: 7 '
                       "spatial_scale: 0.0625 }", [picture(1, 1029, 38, 38), r16], each_cell(7, 21, 0.0625))  # fmt: skip
    yield lambda: case("SmoothL1Loss/ssd", 'type: "SmoothL1Loss"', [picture(3000, 4), torch.randn(3000, 4)],
                       same(smooth))  # fmt: skip
    yield lambda: case("SmoothL1Loss/rcnn", 'type: "SmoothL1Loss" smooth_l1_loss_param { sigma: 3 }',
                       [picture(1, 36, 38, 38), torch.randn(1, 36, 38, 38), torch.ones(1, 36, 38, 38),
                        torch.rand(1, 36, 38, 38)], same(smooth_with_weights))  # fmt: skip
    yield lambda: case("Interp", 'type: "Interp" interp_param { height: 60 width: 60 }', [picture(2, 512, 15, 15)],
                       same(lambda x: F.interpolate(x, (60, 60), mode="bilinear", align_corners=True)))  # fmt: skip
    yield lambda: case("Interp", 'type: "Interp" interp_param { zoom_factor: 8 }', [picture(2, 21, 60, 60)],
                       same(lambda x: F.interpolate(x, (473, 473), mode="bilinear", align_corners=True)))  # fmt: skip
    for channels, side in ((32, 112), (256, 28), (512, 14)):
        yield lambda c=channels, s=side: case(
            f"depthwise Convolution (group={c})", f'type: "Convolution" convolution_param {{ num_output: {c} group: {c} '
            'kernel_size: 3 pad: 1 bias_term: false weight_filler { type: "msra" } }', [picture(8, c, s, s)],
            lambda m: lambda x: F.conv2d(x, m.weight, None, 1, 1, 1, m.group))  # fmt: skip
    yield lambda: case("ConvolutionDepthwise", 'type: "ConvolutionDepthwise" convolution_param { num_output: 256 '
                       'kernel_size: 3 pad: 1 weight_filler { type: "msra" } }', [picture(8, 256, 28, 28)],
                       lambda m: lambda x: F.conv2d(x, m.weight, m.bias, 1, 1, 1, 256))  # fmt: skip
    yield lambda: case("Axpy", 'type: "Axpy"', [picture(8, 256, 1, 1), picture(8, 256, 56, 56), picture(8, 256, 56, 56)],
                       same(lambda a, x, y: torch.addcmul(y, a, x)))  # fmt: skip
    yield lambda: case("ShuffleChannel", 'type: "ShuffleChannel" shuffle_channel_param { group: 3 }',
                       [picture(8, 240, 28, 28)], same(lambda x: F.channel_shuffle(x, 3)))  # fmt: skip
    yield lambda: case("FocalLoss", 'type: "FocalLoss" focal_loss_param { alpha: 0.25 gamma: 2 }',
                       [picture(2, 21, 120, 120), labels(21, 2, 1, 120, 120)], same(plain_focal))  # fmt: skip
    yield lambda: case("CenterLoss", 'type: "CenterLoss" center_loss_param { num_output: 10572 center_filler { type: '
                       '"xavier" } }', [picture(256, 512), labels(10572, 256)], plain_centres)  # fmt: skip
    yield lambda: case("MarginInnerProduct", 'type: "MarginInnerProduct" margin_inner_product_param { num_output: 10572 '
                       'type: QUADRUPLE base: 1000 gamma: 0.12 power: 1 lambda_min: 5 weight_filler { type: "xavier" } }',
                       [picture(128, 512), labels(10572, 128)], plain_margin)  # fmt: skip
    yield lambda: case("BN/segnet", 'type: "BN" bn_param { scale_filler { type: "constant" value: 1 } }',
                       [picture(4, 64, 180, 240)], plain_norm("scale", "shift", 1e-9))  # fmt: skip
    yield lambda: case("BN/yjxiong", 'type: "BN" bn_param { slope_filler { type: "constant" value: 1 } }',
                       [picture(8, 256, 28, 28)], plain_norm("slope", "bias", 1e-5))  # fmt: skip
    yield lambda: case("Upsample/yolo", 'type: "Upsample" upsample_param { scale: 2 }', [picture(8, 256, 13, 13)],
                       same(lambda x: F.interpolate(x, scale_factor=2, mode="nearest")))  # fmt: skip
    mask = F.max_pool2d(torch.randn(4, 64, 180, 240), 2, return_indices=True)[1].float()
    yield lambda: case("Upsample/segnet", 'type: "Upsample" upsample_param { scale: 2 }', [picture(4, 64, 90, 120), mask],
                       same(lambda x, at: F.max_unpool2d(x, at.long(), 2)))  # fmt: skip
    yield lambda: case("Flip", 'type: "Flip" flip_param { flip_width: true flip_height: false }',
                       [picture(8, 64, 56, 56)], same(lambda x: x.flip(3)))  # fmt: skip
    yield lambda: case("Reorg", 'type: "Reorg" reorg_param { stride: 2 reverse: true }', [picture(8, 256, 26, 26)],
                       same(lambda x: x.view(8, 2, 2, 64, 26, 26).permute(0, 3, 4, 1, 5, 2)
                            .reshape(8, 64, 52, 52)))  # fmt: skip


def report(about: str | None, script: str, rows: Iterable[Callable[[], Row]]) -> None:
    """Measure the rows that the command line asks for, and print them."""
    parser = argparse.ArgumentParser(description=(about or "").partition("\n")[0])
    parser.add_argument("--only", default="", help="rows whose description has this text")
    parser.add_argument("--repeats", type=int, default=15)
    options = parser.parse_args()
    logging.getLogger("solver_cli").setLevel(logging.ERROR)
    torch.manual_seed(0)
    torch.set_num_threads(1)
    print(f"$ python benchmarks/{script}.py {' '.join(sys.argv[1:])}".rstrip())
    print(f"{machine()}; 1 thread")
    print("milliseconds of CPU time, forward + backward, medians; ratio = plain / ours\n")
    print(f"{'ours':>9} {'plain':>9} {'ratio':>6}  layer")
    ratios = []
    with keep_memory():  # as `solver-train` does
        for make in rows:
            row = make()
            if options.only.lower() not in row.what.lower():
                continue
            ours, other, ratio = measure(row, options.repeats)
            ratios.append((ratio, row.what))
            print(f"{ours * 1e3:9.3f} {other * 1e3:9.3f} {ratio:6.2f}  {row.what}", flush=True)
    if ratios:
        least, what = min(ratios)
        print(f"\n{len(ratios)} rows, median ratio {median(r for r, _ in ratios):.2f}, ", end="")
        print(f"{sum(r < 0.9 for r, _ in ratios)} below 0.9, least {least:.2f}: {what}")


if __name__ == "__main__":
    report(__doc__, "fork_layers", rows())
