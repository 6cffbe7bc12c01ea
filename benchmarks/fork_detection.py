"""Forward and backward time of the forks' layers for detection beside a plain PyTorch expression of the same.

    python benchmarks/fork_detection.py [--only TEXT] [--repeats 15]

One row for each layer, with predictions as nets make them that have begun to learn. The plain side is vectorised where one
would write it so; it suppresses boxes as `batched_nms` does, with torchvision's compiled kernel where that can be imported.
That both sides say the same is checked before they are timed. Read `layers.py` for how it is measured.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import torch
import torch.nn.functional as F
from fork_layers import case, picture, report
from layers import SSD_CLASSES, SSD_MAPS, Row
from torch import Tensor

from solver_cli.net.plan import as_tuple

try:
    from torchvision.ops import batched_nms, nms
except (ImportError, RuntimeError):  # not there, or built for another torch

    def nms(boxes: Tensor, scores: Tensor, threshold: float) -> Tensor:
        """Which boxes are kept, best first."""
        order = scores.argsort(descending=True)
        overlaps, kept = overlap(boxes[order], boxes[order]) > threshold, []
        standing = torch.ones(len(order), dtype=torch.bool)
        for i in range(len(order)):
            if standing[i]:
                kept.append(i)
                standing &= ~overlaps[i]
        return order[kept]

    def batched_nms(boxes: Tensor, scores: Tensor, classes: Tensor, threshold: float) -> Tensor:
        apart = classes.to(boxes) * (boxes.max() + 1)
        return nms(boxes + apart[:, None], scores, threshold)


def overlap(a: Tensor, b: Tensor) -> Tensor:
    """Intersection over union of boxes (K, 4) with boxes (L, 4), corners."""
    low, high = torch.maximum(a[:, None, :2], b[:, :2]), torch.minimum(a[:, None, 2:], b[:, 2:])
    shared = (high - low).clamp(min=0).prod(2)
    return shared / ((a[:, 2:] - a[:, :2]).prod(1)[:, None] + (b[:, 2:] - b[:, :2]).prod(1) - shared)


# -- SSD ----------------------------------------------------------------------------------------------------------------


def priors_of(cells: int, least: int, most: int, ratios: tuple[int, ...], step: int) -> Tensor:
    """(1, 2, 4 n): the prior boxes of a map of SSD300, and their variances."""
    sides = [(least, least), ((least * most) ** 0.5,) * 2]
    sides += [(least * r**0.5, least / r**0.5) for ratio in ratios for r in (ratio, 1 / ratio)]
    at = (torch.arange(cells) + 0.5) * step / 300
    centre = torch.stack(torch.meshgrid(at, at, indexing="xy"), 2)[:, :, None]
    half = torch.tensor(sides) / 600
    boxes = torch.cat((centre - half, centre + half), 3).flatten()
    return torch.stack((boxes, torch.tensor([0.1, 0.1, 0.2, 0.2]).repeat(len(boxes) // 4)))[None]


def plain_detections(loc: Tensor, conf: Tensor, prior_blob: Tensor) -> Tensor:
    """Picture by picture: decoded, of each class the 400 best above 0.01, suppressed by class, of all the 200 best."""
    priors, variances = prior_blob.view(2, -1, 4)
    size, centre = priors[:, 2:] - priors[:, :2], (priors[:, :2] + priors[:, 2:]) / 2
    found = []
    for i, (code, scores) in enumerate(zip(loc.view(len(loc), -1, 4), conf.view(len(conf), len(priors), -1), strict=True)):
        middle = code[:, :2] * variances[:, :2] * size + centre
        half = (code[:, 2:] * variances[:, 2:]).exp() * size / 2
        boxes = torch.cat((middle - half, middle + half), 1)
        best, places = scores[:, 1:].topk(400, 0)
        best, places = best.t().flatten(), places.t().flatten()
        classes = torch.arange(1, scores.shape[1]).repeat_interleave(400)
        counts = best > 0.01
        best, places, classes = best[counts], places[counts], classes[counts]
        kept = batched_nms(boxes[places], best, classes, 0.45)[:200]
        kept = kept[classes[kept].argsort(stable=True)]
        head = torch.stack((torch.full_like(best[kept], i), classes[kept].to(best), best[kept]), 1)
        found.append(torch.cat((head, boxes[places[kept]]), 1))
    return torch.cat(found)[None, None]


def detections(pictures: int) -> list[Tensor]:
    """Codes, probabilities and prior boxes of SSD300, a tenth of which find something."""
    priors = torch.cat([priors_of(*row) for row in SSD_MAPS], 2)
    count = priors.shape[2] // 4
    scores = torch.randn(pictures, count, SSD_CLASSES) * 1.5
    scores[..., 0] += 8
    return [torch.randn(pictures, 4 * count), scores.softmax(2).flatten(1), priors]


# -- Faster R-CNN -------------------------------------------------------------------------------------------------------

ANCHORS = torch.tensor(  # py-faster-rcnn's, ratios 0.5, 1, 2 and scales 8, 16, 32
    [[-84, -40, 99, 55], [-176, -88, 191, 103], [-360, -184, 375, 199], [-56, -56, 71, 71], [-120, -120, 135, 135],
     [-248, -248, 263, 263], [-36, -80, 51, 95], [-80, -168, 95, 183], [-168, -344, 183, 359]]
).float()  # fmt: skip


def plain_proposals(scores: Tensor, deltas: Tensor, info: Tensor) -> Tensor:
    """py-faster-rcnn's proposal layer of one picture, in torch."""
    height, width = scores.shape[2:]
    y, x = torch.meshgrid(torch.arange(height) * 16, torch.arange(width) * 16, indexing="ij")
    boxes = (torch.stack((x, y, x, y), 2)[:, :, None] + ANCHORS).view(-1, 4)
    moves = deltas[0].permute(1, 2, 0).reshape(-1, 4)
    objects = scores[0, len(ANCHORS) :].permute(1, 2, 0).flatten()
    size = boxes[:, 2:] - boxes[:, :2] + 1
    centre, half = boxes[:, :2] + size / 2 + moves[:, :2] * size, moves[:, 2:].exp() * size / 2
    limit = torch.stack((info[0, 1], info[0, 0]) * 2) - 1
    boxes = torch.minimum(torch.cat((centre - half, centre + half), 1).clamp(min=0), limit)
    large = ((boxes[:, 2:] - boxes[:, :2] + 1) >= 16 * info[0, 2]).all(1)
    boxes, objects = boxes[large], objects[large]
    objects, order = objects.sort(descending=True, stable=True)
    boxes, objects = boxes[order[:6000]], objects[:6000]
    edge = torch.tensor([0.0, 0, 1, 1])  # the last pixels are inside
    return F.pad(boxes[nms(boxes + edge, objects, 0.7)[:300]], (1, 0))


# -- YOLO ---------------------------------------------------------------------------------------------------------------

BIASES = torch.tensor([1.08, 1.19, 3.42, 4.41, 6.63, 11.38, 9.42, 5.11, 16.62, 10.52]).view(-1, 2)
OBJECTS = 4  # in a picture


def truths(pictures: int, classes: int, places: int = 30) -> Tensor:
    """Labels (N, places, 5), the first few of which are there, each in its own quarter of the picture."""
    quarters = torch.tensor([[0.0, 0.0], [0.0, 0.5], [0.5, 0.0], [0.5, 0.5]])
    rows = torch.zeros(pictures, places, 5)
    rows[:, :OBJECTS, 0] = torch.randint(classes, (pictures, OBJECTS)).float()
    rows[:, :OBJECTS, 1:3] = torch.rand(pictures, OBJECTS, 2) * 0.4 + 0.05 + quarters
    rows[:, :OBJECTS, 3:] = torch.rand(pictures, OBJECTS, 2) * 0.4 + 0.05
    return rows


def with_corners(boxes: Tensor) -> Tensor:
    return torch.cat((boxes[..., :2] - boxes[..., 2:] / 2, boxes[..., :2] + boxes[..., 2:] / 2), -1)


def predicted(x: Tensor, anchors: Tensor, scale: float) -> Tensor:
    """Boxes (N, A, H, W, 4) of values (N, A, 5 + classes, H, W)."""
    height, width = x.shape[3:]
    cx = (x[:, :, 0].sigmoid() + torch.arange(width)) / width
    cy = (x[:, :, 1].sigmoid() + torch.arange(height)[:, None]) / height
    sides = anchors.view(-1, 2, 1, 1) / scale * x[:, :, 2:4].exp()
    return torch.stack((cx, cy, sides[:, :, 0], sides[:, :, 1]), -1)


def of_objects(x: Tensor, labels: Tensor, anchors: Tensor, scale: float, thresh: float) -> tuple[Any, ...]:
    """As ports of YOLO build targets: places of the objects' boxes, what they should be, and boxes that are no object."""
    n, count, _, height, width = x.shape
    boxes = with_corners(predicted(x, anchors, scale))
    none = torch.ones(n, count, height, width, dtype=torch.bool)
    places, wanted, fits, classes = [], [], [], []
    for i, rows in enumerate(labels):
        rows = rows[rows[:, 3] > 0]
        none[i] = overlap(boxes[i].view(-1, 4), with_corners(rows[:, 1:])).amax(1).view(none[i].shape) <= thresh
        sides = F.pad(anchors / scale, (2, 0))
        best = overlap(with_corners(F.pad(rows[:, 3:], (2, 0))), with_corners(sides)).argmax(1)
        for row, a in zip(rows, best.tolist(), strict=True):
            column, line = int(row[1] * width), int(row[2] * height)
            places.append((i, a, line, column))
            wanted.append(
                torch.stack((row[1] * width - column, row[2] * height - line, *(row[3:] * scale / anchors[a]).log()))
            )
            fits.append(overlap(boxes[i, a, line, column][None], with_corners(row[1:])[None])[0, 0])
            classes.append(row[0])
    return tuple(torch.tensor(places).t()), torch.stack(wanted), torch.stack(fits), torch.stack(classes).long(), none, labels


def plain_region(x: Tensor, labels: Tensor) -> Tensor:
    """YOLOv2's loss, whose derivative is the layer's gradient."""
    n, side = len(x), x.shape[2]
    values = x.view(n, len(BIASES), -1, side, side)
    with torch.no_grad():
        at, wanted, fits, classes, none, _ = of_objects(values, labels, BIASES, side, 0.6)
    i, a, line, column = at
    none[at] = False
    chosen = values[i, a, :, line, column]
    loss = values[:, :, 4].sigmoid()[none].square().sum()
    loss = loss + 5 * (chosen[:, 4].sigmoid() - fits).square().sum()
    moves = torch.cat((chosen[:, :2].sigmoid(), chosen[:, 2:4]), 1)
    loss = loss + (moves - wanted).square().sum()
    return (loss + 2 * F.cross_entropy(chosen[:, 5:], classes, reduction="sum")) / (2 * n)


YOLO3 = torch.tensor([116.0, 90, 156, 198, 373, 326]).view(-1, 2)  # of the coarsest map


def plain_yolov3(x: Tensor, labels: Tensor) -> Tensor:
    """YOLOv3's loss by squares of places, whose derivative is the layer's gradient."""
    n, side = len(x), x.shape[2]
    values = x.view(n, len(YOLO3), -1, side, side)
    with torch.no_grad():
        at, wanted, _, classes, none, rows = of_objects(values, labels, YOLO3, 32 * side, 0.7)
        weight = 2 - (rows[rows[..., 3] > 0][:, 3] * rows[rows[..., 3] > 0][:, 4])[:, None]
    i, a, line, column = at
    none[at] = False
    chosen = values[i, a, :, line, column]
    bce = F.binary_cross_entropy_with_logits
    loss = bce(values[:, :, 4][none], torch.zeros(int(none.sum())), reduction="sum")
    loss = loss + bce(chosen[:, 4], torch.ones(len(chosen)), reduction="sum")
    loss = loss + bce(chosen[:, :2], wanted[:, :2], weight.expand(-1, 2), reduction="sum")
    loss = loss + (weight * (chosen[:, 2:4] - wanted[:, 2:]).square()).sum() / 2
    return (loss + bce(chosen[:, 5:], F.one_hot(classes, chosen.shape[1] - 5).float(), reduction="sum")) / n


# -- rows ---------------------------------------------------------------------------------------------------------------


def rows() -> Iterator[Callable[[], Row]]:
    def same(run: Any) -> Any:
        return lambda module: run

    cells, least, most, ratios, step = SSD_MAPS[0]
    yield lambda: case(
        "PriorBox", f'type: "PriorBox" prior_box_param {{ min_size: {least} max_size: {most} aspect_ratio: {ratios[0]} '
        f"step: {step} variance: 0.1 variance: 0.1 variance: 0.2 variance: 0.2 }}",
        [torch.zeros(1, 1, cells, cells), torch.zeros(1, 3, 300, 300)],
        same(lambda x, size: priors_of(*SSD_MAPS[0])))  # fmt: skip
    yield lambda: case(
        "DetectionOutput", f'type: "DetectionOutput" detection_output_param {{ num_classes: {SSD_CLASSES} keep_top_k: 200 '
        "confidence_threshold: 0.01 code_type: CENTER_SIZE nms_param { nms_threshold: 0.45 top_k: 400 } }",
        detections(4), same(plain_detections))  # fmt: skip
    yield lambda: case(
        "Proposal", 'type: "Proposal" proposal_param { ratio: 0.5 ratio: 1 ratio: 2 scale: 8 scale: 16 scale: 32 }',
        [torch.rand(1, 18, 38, 50), torch.randn(1, 36, 38, 50) * 0.3, torch.tensor([[600.0, 800, 1.5]])],
        same(plain_proposals))  # fmt: skip
    biases = " ".join(f"biases: {value:g}" for value in BIASES.flatten().tolist())
    yield lambda: case(
        "RegionLoss", f'type: "RegionLoss" region_loss_param {{ num_class: 20 num: 5 object_scale: 5 noobject_scale: 1 '
        f"coord_scale: 1 class_scale: 1 thresh: 0.6 rescore: 1 {biases} }}",
        [picture(8, 125, 13, 13), truths(8, 20)], same(plain_region))  # fmt: skip
    biases = " ".join(f"biases: {value:g}" for value in YOLO3.flatten().tolist())
    yield lambda: case(
        "Yolov3", f'type: "Yolov3" yolov3_param {{ num_class: 80 num: 3 thresh: 0.7 iou_thresh: 1 coord_scale: 1 '
        f"noobject_scale: 1 label_smooth_eps: 0 {biases} mask: 0 mask: 1 mask: 2 }}",
        [picture(8, 255, 13, 13), truths(8, 80)], same(plain_yolov3))  # fmt: skip


def checked(make: Callable[[], Row]) -> Callable[[], Row]:
    """The row, once both sides have given the same, or the same gradient."""

    def made() -> Row:
        row = make()
        wanted = [x for x in row.bottoms if x.requires_grad]
        for ours, plain in zip(*(outcome(side, row, wanted) for side in (row.ours, row.plain)), strict=True):
            torch.testing.assert_close(ours, plain, rtol=1e-3, atol=1e-5, msg=lambda text: f"{row.what}: {text}")
        return row

    return made


def outcome(side: Callable[..., Any], row: Row, wanted: list[Tensor]) -> tuple[Tensor, ...]:
    top = as_tuple(side(*row.bottoms))[0]
    return torch.autograd.grad(top, wanted) if wanted else (top,)


if __name__ == "__main__":
    report(__doc__, "fork_detection", map(checked, rows()))
