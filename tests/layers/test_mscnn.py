"""MS-CNN's layers against its formulas, place by place, and what is drawn or refused."""

from __future__ import annotations

from math import exp, log
from typing import Any

import pytest
import torch
from one_layer import OneLayer, normal
from torch import Tensor

from solver_cli.errors import ConfigError, DataError

STD = (0.1, 0.1, 0.2, 0.2)
SPREAD = "bbox_mean: 0 bbox_mean: 0 bbox_mean: 0 bbox_mean: 0 " + " ".join(f"bbox_std: {std}" for std in STD)
LOSS = "cls_num: 3 field_w: 20 field_h: 10 downsample_rate: 8 lambda: 0.5 bg_threshold: 0.4 bg_multiple: 1 "


def labelled(n: int = 2, height: int = 4, width: int = 5) -> Tensor:
    """Labels of maps (n, 6, height, width): some objects of two classes, overlaps of all sizes."""
    draw = torch.Generator().manual_seed(2)
    labels = torch.rand(n, 6, height, width, generator=draw, dtype=torch.float64)
    labels[:, 0] = (labels[:, 0] * 5 - 3).floor().clamp(min=0)
    labels[:, 1:3] *= 40
    labels[:, 3:5] = labels[:, 3:5] * 30 + 1
    return labels


def of_places(x: Tensor, labels: Tensor, kept: Tensor, weights: Tensor, stds: Any, smooth: bool) -> tuple[float, Tensor]:
    """The loss of DetectionLoss and its gradient, place by place; `kept` and `weights` (N, H, W)."""
    total, boxes = 0.0, 0.0
    grad = torch.zeros_like(x)
    counts = (labels[:, 0] != 0) | kept
    objects = int((labels[:, 0] != 0).sum())
    for n, h, w in counts.nonzero().tolist():
        label = int(labels[n, 0, h, w])
        p = x[n, :3, h, w].softmax(0)
        weight = weights[n, h, w] / counts.sum()
        total -= float(p[label].log() * weight)
        grad[n, :3, h, w] = weight * (p - torch.eye(3, dtype=x.dtype)[label])
        if not label:
            continue
        _, cx, cy, wide, high, _ = labels[n, :, h, w].tolist()
        wanted = (cx - (w + 0.5) * 8) / 20, (cy - (h + 0.5) * 8) / 10, log(max(wide, 2) / 20), log(max(high, 2) / 10)
        for i, (goal, most) in enumerate(zip(wanted, (0.5, 0.5, log(2), log(2)), strict=True)):
            found = x[n, 3 + i, h, w].item()
            distance = max(-most / stds[i], min(most / stds[i], found)) - goal / stds[i]
            small = abs(distance) < 1 or not smooth
            boxes += (distance**2 / 2 if small else abs(distance) - 0.5) * 0.5 / (4 * objects)
            grad[n, 3 + i, h, w] = (distance if small else distance / abs(distance)) * 0.5 / (4 * objects)
    return total + boxes, grad


@pytest.mark.parametrize("smooth", [True, False])
@pytest.mark.parametrize("weighted", [True, False])
@pytest.mark.parametrize("mode", ["all", "bootstrap"])
def test_detection_loss_is_the_sum_over_its_places(mode: str, weighted: bool, smooth: bool) -> None:
    more = f'sample_mode: "{mode}" bb_smooth: {str(smooth).lower()} '
    more += "iou_weighted: true pos_neg_weighted: true" * weighted
    text = f'type: "DetectionLoss" loss_weight: 2 detection_loss_param {{ {LOSS}{more} }} bbox_reg_param {{ {SPREAD} }}'
    layer, x, labels = OneLayer(text, (2, 7, 4, 5), (2, 6, 4, 5)), normal(2, 7, 4, 5), labelled()
    objects = labels[:, 0] != 0
    kept = ~objects & (labels[:, 5] < 0.4)
    if mode == "bootstrap":
        free, kept = kept, torch.zeros_like(kept)
        for n in range(2):
            for k in (1, 2):
                count = max(4, int((labels[n, 0] == k).sum()))
                places = sorted(free[n].nonzero().tolist(), key=lambda at: -x[n, k, at[0], at[1]].item())[:count]
                for h, w in places:
                    kept[n, h, w] = True
    weights = torch.ones(2, 4, 5, dtype=torch.float64)
    if weighted:
        weights[objects] = labels[:, 5][objects]
        counted = 0.5 * (kept.sum() + objects.sum())
        weights = torch.where(objects, weights * counted / weights[objects].sum(), counted / kept.sum())
    wanted, gradient = of_places(x.detach(), labels, kept, weights, STD, smooth)
    top = layer(x, labels)
    assert top.shape == (1, 1, 1, 2) and top.flatten()[0].item() == pytest.approx(wanted)
    (3 * top.flatten()[0] + 5 * top.flatten()[1]).backward()  # the second one has no gradient
    torch.testing.assert_close(x.grad, 3 * gradient)


@pytest.mark.parametrize("mode", ["random", "mixture"])
def test_places_that_are_drawn_are_free_ones_and_others_each_time(mode: str) -> None:
    layer = OneLayer(
        f'type: "DetectionLoss" detection_loss_param {{ {LOSS} sample_mode: "{mode}" }}', (1, 7, 16, 16), (1, 6, 16, 16)
    )
    layer.net.draws.manual_seed(1)  # places are drawn with replacement: now and then too few are different
    labels, seen = labelled(1, 16, 16), set()
    for _ in range(4):
        x = normal(1, 7, 16, 16)
        layer(x, labels).flatten()[0].backward()
        places = (x.grad[:, :3] != 0).any(1)
        objects = labels[:, 0] != 0
        assert places[objects].all() and not (places & ~objects & (labels[:, 5] >= 0.4)).any()
        assert 8 <= (places & ~objects).sum() <= max(8, int(objects.sum())) + 8
        seen.add(tuple(places.flatten().tolist()))
    assert len(seen) > 1


def test_no_object_and_nothing_free_cost_nothing() -> None:
    layer = OneLayer(
        f'type: "DetectionLoss" detection_loss_param {{ {LOSS} pos_neg_weighted: true }}', (1, 7, 2, 2), (1, 6, 2, 2)
    )
    x, labels = normal(1, 7, 2, 2), torch.zeros(1, 6, 2, 2, dtype=torch.float64)
    labels[:, 5] = 1
    top = layer(x, labels)
    top.sum().backward()
    assert top.flatten().tolist() == [0, 0] and not x.grad.any()


def test_accuracy_counts_places_and_overlaps() -> None:
    text = 'type: "DetectionAccuracy" detection_accuracy_param { cls_num: 2 field_w: 8 field_h: 8 downsample_rate: 8 }'
    layer = OneLayer(text, (1, 6, 1, 4), (1, 6, 1, 4), tops=2)
    scores = torch.tensor([[1.0, 0, 1, 0], [0, 1, 0, 1]], dtype=torch.float64)
    x = torch.cat((scores, torch.zeros(4, 4, dtype=torch.float64)))[None, :, None]
    labels = torch.zeros(1, 6, 1, 4, dtype=torch.float64)
    labels[0, :, 0, 0] = torch.tensor([1, 4, 4, 8, 8, 1])  # an object, taken for ground; its box is right
    labels[0, :, 0, 1] = torch.tensor([1, 12, 8, 8, 8, 1])  # an object, found; its box is half too low
    labels[0, 5, 0, 3] = 0.6  # no object, taken for one, but not counted
    accuracy, overlap = layer(x, labels)
    assert accuracy.flatten().tolist() == pytest.approx([2 / 3, 1 / 2])
    assert overlap.item() == pytest.approx((1 + 1 / 3) / 2)


def test_boxes_that_stand_come_out_with_their_scores() -> None:
    text = 'type: "BoxOutput" box_output_param { field_w: 16 field_w: 16 field_h: 16 field_h: 16 downsample_rate: 8 '
    text += "downsample_rate: 16 fg_thr: 0 iou_thr: 0.6 min_size: 9 }"
    layer = OneLayer(text, (2, 6, 2, 2), (2, 6, 1, 1), tops=2)
    first, second = (torch.zeros(2, 6, n, n, dtype=torch.float64) for n in (2, 1))
    first[:, 0] = 1  # background everywhere ...
    second[:, 0] = 1
    first[0, 1, 0, 0], first[0, 1, 1, 1], second[0, 1, 0, 0] = 4, 5, 3
    rois, scored = layer(first, second)
    # the field at (0, 0) is moved into the picture, that at (1, 1) cut; the large map's is that at (0, 0) once more
    assert rois[:, :, 0, 0].tolist() == [[0, 4, 4, 16, 16], [0, 0, 0, 16, 16]]
    assert scored[:, 5, 0, 0].tolist() == [4, 3]
    first[:, 1:], second[:, 1:] = 0, 0
    rois, scored = layer(first, second)
    assert rois.flatten().tolist() == [0, 1, 1, 10, 10] and not scored.any()


def test_decoded_boxes_are_where_the_numbers_say() -> None:
    text = f'type: "DecodeBBox" bbox_reg_param {{ {SPREAD} }}'
    layer = OneLayer(text, (2, 8), (2, 5), (2, 6))
    moves = torch.zeros(2, 8, dtype=torch.float64)
    moves[:, 4:] = torch.tensor([1.0, -2, 0.5, 0])
    rois = torch.tensor([[0, 10, 20, 29, 39], [1, 0, 0, 9, 9]], dtype=torch.float64)
    matches = torch.zeros(2, 6, dtype=torch.float64)
    matches[1, 5] = 0.96  # a roi that is the object itself
    found = layer(moves, rois, matches)
    wide = 20 * exp(0.1)
    left, top = 19.5 + 0.1 * 20 - (wide - 1) / 2, 29.5 - 0.2 * 20 - 9.5
    assert found[:, :, 0, 0].flatten().tolist() == pytest.approx([0, left, top, left + wide - 1, top + 19])
    matches[0, 5] = 0.96
    with pytest.raises(DataError, match="none of the boxes is left"):
        layer(moves, rois, matches)


TARGET = "cls_num: 3 num_img_per_batch: 2 img_width: 100 img_height: 80 "
OBJECTS = torch.tensor(
    [[0, 10, 10, 29, 29, 2, 0], [0, 60, 50, 79, 69, 1, 1], [1, 40, 40, 59, 69, 1, 0]], dtype=torch.float64
)


def proposals() -> Tensor:
    draw = torch.Generator().manual_seed(0)
    near = OBJECTS[[0, 0, 0, 2, 2, 1], :5].clone()
    near[:, 1:] += torch.randint(-3, 4, (6, 4), generator=draw)
    far = torch.tensor([[0, 12, 12, 40, 60], [1, 0, 0, 9, 9], [1, 45, 0, 70, 60]], dtype=torch.float64)
    return torch.cat((near, far))


@pytest.mark.parametrize("aware", [True, False])
def test_targets_lead_from_rois_to_their_objects(aware: bool) -> None:
    text = f'type: "ProposalTarget" proposal_target_param {{ {TARGET} batch_size: 12 fg_fraction: 0.5 bg_thr_lw: 0.1 }} '
    text += f"bbox_reg_param {{ cls_aware: {str(aware).lower()} {SPREAD} }}"
    layer = OneLayer(text, (9, 5), (3, 7), tops=7)
    rois, labels, targets, inside, outside, matches, weights = (top.flatten(1) for top in layer(proposals(), OBJECTS))
    assert rois.shape == (12, 5) and targets.shape == (12, 12 if aware else 8) and inside.equal(outside)
    positive = labels[:, 0] > 0
    assert positive.sum() == 6 and positive[:6].all()
    assert weights[:6].sum().item() == pytest.approx(6) and weights[6:].sum().item() == pytest.approx(6)
    assert not (targets[6:].any() or inside[6:].any() or matches[6:].any())
    for i in range(6):
        kind = int(labels[i]) if aware else 1
        assert inside[i].view(-1, 4).any(1).nonzero().item() == kind
        dx, dy, dw, dh = (targets[i, 4 * kind : 4 * kind + 4] * torch.tensor(STD)).tolist()
        _, x1, y1, x2, y2 = rois[i].tolist()
        w, h = x2 - x1 + 1, y2 - y1 + 1
        cx, cy, wide, high = x1 + w / 2 + dx * w, y1 + h / 2 + dy * h, w * exp(dw), h * exp(dh)
        corners = [cx - wide / 2, cy - high / 2, cx + wide / 2 - 1, cy + high / 2 - 1]
        owner = OBJECTS[2 if int(labels[i]) == 1 else 0]
        assert corners == pytest.approx(owner[1:5].tolist(), abs=1e-4)
        assert matches[i, 1:5].tolist() == owner[1:5].tolist() and matches[i, 5] >= 0.5
    assert {int(row[0]) for row in rois[6:]} <= {0, 1}


def test_all_that_fit_are_taken_where_batch_size_is_minus_1() -> None:
    text = f'type: "ProposalTarget" proposal_target_param {{ {TARGET} batch_size: -1 bg_thr_lw: 0 }}'
    rois, labels, *_ = OneLayer(text, (9, 5), (3, 7), tops=6)(proposals(), OBJECTS)
    assert len(rois) == 5 + 2 + 3  # near two objects, these themselves, the far ones; not what the ignored one matches
    assert int((labels > 0).sum()) == 7


def test_found_boxes_are_measured_against_their_matches() -> None:
    text = 'type: "BboxAccuracy" bbox_reg_param { cls_aware: false ' + SPREAD + " }"
    boxes = torch.zeros(3, 8, dtype=torch.float64)
    boxes[0, 4] = 5  # half a width to the right
    rois = torch.tensor([[0, 0, 0, 9, 9]] * 3, dtype=torch.float64)
    matches = torch.tensor([[2, 5, 0, 14, 9, 1 / 3], [1, 0, 0, 9, 9, 1], [0, 0, 0, 0, 0, 0]], dtype=torch.float64)
    after, before = OneLayer(text, (3, 8), (3, 5), (3, 6), tops=2)(boxes, rois, matches)
    assert (after.item(), before.item()) == (pytest.approx(1), pytest.approx(1 / 3))


def test_the_grid_of_a_roi_samples_between_places() -> None:
    text = 'type: "ROIAlign" roi_pooling_param { pooled_h: 2 pooled_w: 3 spatial_scale: 0.5 }'
    layer = OneLayer(text, (1, 2, 8, 10), (3, 5))
    y, x = torch.meshgrid(torch.arange(8.0), torch.arange(10.0), indexing="ij")
    rois = torch.tensor([[0, 3, 5, 15, 13], [0, -7, 3, 5, 7], [0, 5, 5, 5, 9]], dtype=torch.float64)
    top = layer(torch.stack((x, y))[None].double(), rois)
    assert top.shape == (3, 2, 3, 4)
    torch.testing.assert_close(top[0, 0, 0], torch.tensor([1.0, 3, 5, 7], dtype=torch.float64))
    torch.testing.assert_close(top[0, 1, :, 0], torch.tensor([2.0, 4, 6], dtype=torch.float64))
    torch.testing.assert_close(top[1, 1, 0], torch.tensor([0, 0, 1.0, 1.0], dtype=torch.float64))  # beyond the map: 0
    assert not top[2].any()  # no width
    assert layer.gradcheck(normal(1, 2, 8, 10), rois)


@pytest.mark.parametrize(
    ("text", "shapes", "words"),
    [
        (
            f'type: "DetectionLoss" detection_loss_param {{ {LOSS} sample_mode: "hard" }}',
            [(1, 7, 2, 2), (1, 6, 2, 2)],
            "unknown sample_mode 'hard'",
        ),
        (f'type: "DetectionLoss" detection_loss_param {{ {LOSS} }}', [(1, 6, 2, 2), (1, 6, 2, 2)], "3 classes need"),
        ('type: "BoxOutput" box_output_param { field_w: 8 }', [(1, 6, 2, 2)], "field_h is given 0 times for 1 maps"),
        (f'type: "ProposalTarget" proposal_target_param {{ {TARGET} fg_thr: 0.4 }}', [(1, 5), (1, 7)], "fg_thr 0.4 must be"),
        ('type: "DecodeBBox" bbox_reg_param { bbox_mean: 0 bbox_std: 1 }', [(1, 8), (1, 5)], "give four bbox_mean"),
    ],
)
def test_settings_that_do_not_fit_are_refused(text: str, shapes: list[tuple[int, ...]], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        OneLayer(text, *shapes, tops=6 if "Proposal" in text else 1)
