"""The losses of YOLO's nets beyond the recorded cases: Yolov3 against the fork's rules, gone through box by box."""

from __future__ import annotations

import math

import pytest
import torch
from one_layer import OneLayer, dims

from solver_cli import Net
from solver_cli.errors import Error

ANCHORS = [10, 14, 23, 27, 37, 58, 81, 82]
MASKS = ([0, 1, 2], [1, 2, 3], [3, 1, 0])
FITS = {"IOU": "iou", "MSE": "iou", "GIOU": "giou", "DIOU": "diou", "CIOU": "ciou"}
TEXT = (
    'type: "Yolov3" yolov3_param {{ num: 3 num_class: 4 anchors_scale: 16 thresh: 0.3 coord_scale: 0.9 class_scale: 0.7 '
    "object_scale: 2.5 max_delta: 1.5 {anchors} {more} }}"
)


def text(mask: list[int], more: str) -> str:
    numbers = [*(f"biases: {b}" for b in ANCHORS), *(f"mask: {m}" for m in mask)]
    return TEXT.format(anchors=" ".join(numbers), more=more)


def fit(kind: str, a: list[float], b: list[float]) -> float:
    """How well box a fits box b."""
    spans = [[(box[i] - box[i + 2] / 2, box[i] + box[i + 2] / 2) for i in (0, 1)] for box in (a, b)]
    shared = [min(p[1], q[1]) - max(p[0], q[0]) for p, q in zip(*spans, strict=True)]
    around = [max(p[1], q[1]) - min(p[0], q[0]) for p, q in zip(*spans, strict=True)]
    inter = 0.0 if min(shared) < 0 else shared[0] * shared[1]
    union = a[2] * a[3] + b[2] * b[3] - inter
    iou, hull, diagonal = inter / union, around[0] * around[1], around[0] ** 2 + around[1] ** 2
    distance = ((a[0] - b[0]) ** 2 + (a[1] - b[1]) ** 2) / diagonal
    if kind == "giou":
        return iou - (hull - union) / hull
    if kind == "diou":
        return iou - distance**0.6
    if kind == "ciou":
        ratio = 4 / math.pi**2 * (math.atan(b[2] / b[3]) - math.atan(a[2] / a[3])) ** 2
        return iou - distance - ratio / (1 - iou + ratio + 1e-6) * ratio
    return iou


class Slowly:
    """The fork's pass, a box at a time: `deltas`, `loss`, `gradient` of N = 1 picture."""

    def __init__(self, x, labels, mask, kind, accumulate, logic, focal, smooth, share):
        self.kind, self.mask, self.accumulate = kind, mask, accumulate
        self.x = [[[[v.item() for v in row] for row in plane] for plane in box] for box in x.reshape(3, 9, *x.shape[2:])]
        self.h, self.w = x.shape[2:]
        self.p = torch.where(torch.arange(9)[:, None, None].sub(2.5).abs() < 1, x.reshape(3, 9, *x.shape[2:]), 0)
        self.p = torch.where(self.p != 0, self.p, x.reshape(3, 9, *x.shape[2:]).sigmoid())
        self.deltas = torch.zeros_like(self.p)
        self.focal, self.smooth = focal, smooth
        self.count, self.misfit = 0, 0.0
        measure = FITS[kind]
        for k in range(3):
            for j in range(self.h):
                for i in range(self.w):
                    best = max([0.0, *(fit(measure, self.box(k, i, j), row[1:]) for row in labels)])
                    self.deltas[k, 4, j, i] = 0 if best > 0.3 else self.p[k, 4, j, i]
        for row in labels:
            self.learn(row, measure, share, 2.5 if logic else 1.0)
        counted = self.deltas if kind == "MSE" else self.deltas[:, 4:]
        self.loss = counted.square().sum().item()
        if kind != "MSE" and self.count:
            self.loss += 0.25 * self.misfit / self.count
        slope = self.p * (1 - self.p)
        slope[:, 2:4] = 1
        self.gradient = (self.deltas * slope if logic else self.deltas).reshape(x.shape)

    def box(self, k: int, i: int, j: int) -> list[float]:
        v = [n.item() for n in self.p[k, :4, j, i]]
        a = ANCHORS[2 * self.mask[k] : 2 * self.mask[k] + 2]
        sides = [math.exp(v[2 + axis]) * a[axis] / ((self.w, self.h)[axis] * 16) for axis in (0, 1)]
        return [(i + v[0]) / self.w, (j + v[1]) / self.h, *sides]

    def learn(self, row, measure, share, objectness):
        label, (x, y, w, h) = int(row[0]), row[1:]
        i, j = int(x * self.w), int(y * self.h)
        fits = [
            fit(measure, [0, 0, ANCHORS[2 * n] / (self.w * 16), ANCHORS[2 * n + 1] / (self.h * 16)], [0, 0, w, h])
            for n in range(4)
        ]
        best = max(range(4), key=lambda n: fits[n]) if max(fits) > 0 else -1
        if best in self.mask:
            best = self.mask.index(best)  # the slip: from here on a place in the mask is held against anchors
            self.visit(best, i, j, label, row[1:], objectness)
        for n in range(4):
            if n in self.mask and n != best and share < 1 and fits[n] > share:
                self.visit(self.mask.index(n), i, j, label, row[1:], objectness)

    def visit(self, k, i, j, label, box, objectness):
        made, d = self.box(k, i, j), self.deltas[k, :, j, i]
        p = self.p[k, :, j, i].clone()
        anchor = ANCHORS[2 * self.mask[k] : 2 * self.mask[k] + 2]
        if self.kind == "MSE":
            goal = [box[0] * self.w - i, box[1] * self.h - j]
            goal += [math.log(box[2] * self.w * 16 / anchor[0]), math.log(box[3] * self.h * 16 / anchor[1])]
            d[:4] = 0.9 * (2 - box[2] * box[3]) * (p[:4] - torch.tensor(goal))
        else:
            way = ways(self.kind, made, box)
            way[2] *= math.exp(p[2])
            way[3] *= math.exp(p[3])
            if not self.accumulate:
                d[:4] = 0
            d[:4] -= torch.tensor([max(-1.5, min(1.5, 0.25 * step)) for step in way])
        self.count += 1
        self.misfit += 1 - fit(FITS[self.kind] if self.kind in ("GIOU", "CIOU") else "diou", made, box)
        d[4] = -objectness * (1 - p[4])
        high, low = 1 - self.smooth / 2, self.smooth / 2
        if d[5 + label] != 0:
            d[5 + label] = -0.7 * (high - p[5 + label])
        elif self.focal:
            q = p[5 + label].item()
            slope = -(1 - q) * (2 * q * math.log(q) + q - 1)
            for n in range(4):
                d[5 + n] = -0.7 * (float(n == label) - p[5 + n]) * 0.5 * slope
        else:
            for n in range(4):
                d[5 + n] = -0.7 * ((high if n == label else low) - p[5 + n])


def ways(kind: str, a: list[float], b: list[float]) -> list[float]:
    """Where x, y, w, h of box a should go, by its edges."""
    lo, hi = ([a[i] + s * a[i + 2] / 2 for i in (0, 1)] for s in (-1, 1))
    blo, bhi = ([b[i] + s * b[i + 2] / 2 for i in (0, 1)] for s in (-1, 1))
    inner = [min(hi[i], bhi[i]) - max(lo[i], blo[i]) for i in (0, 1)]
    outer = [max(hi[i], bhi[i]) - min(lo[i], blo[i]) for i in (0, 1)]
    both = inner[0] * inner[1]
    union = a[2] * a[3] + b[2] * b[3] - both
    hull, diagonal = outer[0] * outer[1], outer[0] ** 2 + outer[1] ** 2
    squared = (a[0] - b[0]) ** 2 + (a[1] - b[1]) ** 2
    apart = min(inner) <= 0
    result = [0.0] * 4
    for i in (0, 1):
        other = 1 - i
        edges = []
        for sign, moves, widens in ((-1, lo[i] > blo[i], lo[i] < blo[i]), (1, hi[i] < bhi[i], hi[i] > bhi[i])):
            d_both = sign * inner[other] if moves else 0.0
            d_union = sign * a[2 + other] - d_both
            d_hull = sign * outer[other] if widens else 0.0
            step = (union * d_both - both * d_union) / union**2
            if kind == "GIOU":
                step = (0 if apart else step) + (hull * d_union - union * d_hull) / hull**2
            edges.append(step)
        far = [float(lo[i] < blo[i]), float(hi[i] > bhi[i])]
        result[i], result[2 + i] = edges[0] + edges[1], edges[1] - edges[0]
        if kind in ("DIOU", "CIOU"):
            centre = (2 * (b[i] - a[i]) * diagonal - 2 * outer[i] * (far[1] - far[0]) * squared) / diagonal**2
            side = outer[i] * (far[0] + far[1]) * squared / diagonal**2
            if kind == "CIOU":
                turn = math.atan(b[2] / b[3]) - math.atan(a[2] / a[3])
                ratio = 4 / math.pi**2 * turn**2
                side += ratio / (1 - both / union + ratio + 1e-6) * 8 / math.pi**2 * turn * (a[3] if i == 0 else -a[2])
            result[i] = centre + (0 if apart else result[i])
            result[2 + i] = side + (0 if apart else result[2 + i])
    return result


@pytest.mark.parametrize("mask", MASKS)
@pytest.mark.parametrize("kind", FITS)
@pytest.mark.parametrize(
    ("accumulate", "logic", "focal", "smooth", "share"), [(1, 0, 0, 0.1, 0.2), (0, 1, 1, 0, 0.4), (1, 1, 1, 0.2, 1)]
)
def test_yolov3_is_the_forks(mask, kind, accumulate, logic, focal, smooth, share):
    generator = torch.Generator().manual_seed(3)
    x = torch.randn(1, 27, 3, 4, generator=generator, dtype=torch.float64)
    rows = torch.zeros(1, 1, 12, 5, dtype=torch.float64)
    rows[0, 0, :8] = torch.rand(8, 5, generator=generator, dtype=torch.float64) * 0.5 + 0.2
    rows[0, 0, :8, 0] = torch.tensor([0, 1, 2, 3, 2, 1, 2, 2])
    rows[0, 0, 4:8, 1:] = rows[0, 0, 0, 1:]  # the same box as other classes, and again
    rows[0, 0, 6, 3:] *= 0.5
    slow = Slowly(x, rows[0, 0, :8].tolist(), mask, kind, accumulate, logic, focal, smooth, share)
    flags = {"accumulate": accumulate, "use_logic_gradient": logic, "use_focal_loss": focal}
    more = " ".join(f"{name}: {'true' if on else 'false'}" for name, on in flags.items())
    layer = OneLayer(
        text(mask, f"iou_loss: {kind} {more} label_smooth_eps: {smooth} iou_thresh: {share}"), x.shape, rows.shape
    )
    x.requires_grad_()
    loss = layer(x, rows)
    assert loss.item() == pytest.approx(slow.loss, rel=1e-6)
    (gradient,) = torch.autograd.grad(3 * loss, x)
    torch.testing.assert_close(gradient, 3 * slow.gradient, rtol=1e-6, atol=1e-7)
    assert slow.count > 8 or share >= 0.4


def net(layer: str, *shapes: tuple[int, ...]) -> Net:
    inputs = "".join(
        f'layer {{ name: "i{i}" type: "Input" top: "x{i}" input_param {{ shape {{ {dims(shape)} }} }} }} '
        for i, shape in enumerate(shapes)
    )
    bottoms = " ".join(f'bottom: "x{i}"' for i in range(len(shapes)))
    return Net.from_text(f'{inputs} layer {{ name: "test" {bottoms} top: "y" {layer} }}', phase="TRAIN")


@pytest.mark.parametrize(
    ("layer", "shapes", "words"),
    [
        (text([0, 1], ""), [(1, 27, 3, 3), (1, 1, 5, 5)], "2 mask for num: 3 boxes"),
        (text([0, 1, 9], ""), [(1, 27, 3, 3), (1, 1, 5, 5)], "8 biases: give two for each anchor, 10 at least"),
        (text([0, 1, 2], ""), [(1, 26, 3, 3), (1, 1, 5, 5)], "must be (N, 27, H, W)"),
        ('type: "RegionLoss"', [(1, 125, 3, 3), (1, 1, 5, 5)], "0 biases: at least 10 are needed"),
        ('type: "Reorg"', [(1, 4, 4, 4)], "stride must be given"),
        ('type: "Reorg" reorg_param { stride: 3 }', [(1, 4, 4, 4)], "divisible by 9"),
        ('type: "YoloDetectionOutput"', [(1, 4, 4, 4)], "num_classes must be given"),
        (
            'type: "Yolov3DetectionOutput" yolov3_detection_output_param { num_classes: 2 }',
            [(1, 4, 4, 4)],
            "mask_group_num 2 for 1",
        ),
    ],
)
def test_what_is_refused(layer, shapes, words):
    with pytest.raises(Error, match=words.replace("(", r"\(").replace(")", r"\)")):
        net(layer, *shapes)


def test_a_label_that_names_no_class_is_refused():
    layer = OneLayer(text([0, 1, 2], ""), (1, 27, 3, 3), (1, 1, 2, 5))
    with pytest.raises(Error, match="there are 4 classes"):
        layer(torch.zeros(1, 27, 3, 3), torch.full((1, 1, 2, 5), 4.0) * torch.tensor([1, 0.1, 0.1, 0.1, 0.1]))


def test_uncertain_boxes_score_less():
    biases = " ".join(f"biases: {b}" for b in (10, 14))
    layer = OneLayer(
        'type: "Yolov3DetectionOutput" yolov3_detection_output_param { num_classes: 1 num_box: 1 mask: 0 anchors_scale: 8 '
        f"mask_group_num: 1 confidence_threshold: 0.01 gaussian_box: true {biases} }}",
        (1, 10, 1, 1),
        phase="TEST",
    )
    values = torch.tensor([0.1, 2, 0.3, -1, 0.5, 0.2, -0.6, 0.7, 1.5, 0.4], dtype=torch.float64)
    s = values.sigmoid()
    score = s[8] * (4 - s[1] - s[3] - s[5] - s[7]) / 4 * s[9]
    w, h = math.exp(0.5) * 10 / 8, math.exp(-0.6) * 14 / 8
    wanted = torch.tensor([0, 1, score, s[0] - w / 2, s[2] - h / 2, s[0] + w / 2, s[2] + h / 2], dtype=torch.float64)
    torch.testing.assert_close(layer(values.reshape(1, 10, 1, 1)).flatten(), wanted, rtol=1e-6, atol=1e-7)
