"""Layers of the R-CNN family beyond the recorded cases: against plain rules, roi by roi, and what is refused."""

from __future__ import annotations

import math

import pytest
import torch
from one_layer import OneLayer, normal, spread

from solver_cli import Net
from solver_cli.errors import DataError, Error
from solver_cli.layers.proposal import anchors

POOL = 'type: "ROIPooling" roi_pooling_param {{ pooled_h: {h} pooled_w: {w} spatial_scale: 0.25 {more} }}'


def some_rois(count: int, pictures: int, size: float, seed: int = 0) -> torch.Tensor:
    """Rois that may stick out of pictures of this size."""
    generator = torch.Generator().manual_seed(seed)
    corners = torch.rand(count, 2, 2, generator=generator, dtype=torch.float64) * size * 1.3 - size * 0.15
    low, high = corners.amin(1), corners.amax(1)
    picture = torch.randint(pictures, (count, 1), generator=generator).double()
    return torch.cat([picture, low, high], 1)


def away(x: float) -> int:
    return int(math.copysign(math.floor(abs(x) + 0.5), x))


def pooled(x: torch.Tensor, rois: torch.Tensor, h: int, w: int, pad: float) -> torch.Tensor:
    """Max pooling, a cell at a time."""
    top = torch.zeros(len(rois), x.shape[1], h, w, dtype=x.dtype)
    for r, (picture, *box) in enumerate(rois.tolist()):
        grow = [(box[2 + i] - box[i] + 1) * pad for i in (0, 1)]
        first = [away((box[i] - grow[i]) * 0.25) for i in (0, 1)]
        size = [max(away((box[2 + i] + grow[i]) * 0.25) - first[i] + 1, 1) for i in (0, 1)]
        for row in range(h):
            for column in range(w):
                cell = [
                    slice(
                        min(max(math.floor(k * size[i] / n) + first[i], 0), x.shape[3 - i]),
                        min(max(math.ceil((k + 1) * size[i] / n) + first[i], 0), x.shape[3 - i]),
                    )
                    for i, k, n in ((0, column, w), (1, row, h))
                ]
                part = x[int(picture), :, cell[1], cell[0]]
                top[r, :, row, column] = part.amax((1, 2)) if part.numel() else 0
    return top


@pytest.mark.parametrize(("h", "w", "pad"), [(7, 7, 0), (2, 3, 0), (1, 1, 0), (3, 2, 0.3)])
def test_roi_pooling_cell_by_cell(h, w, pad):
    x, rois = spread(2, 3, 21, 17), some_rois(40, 2, 80)
    layer = OneLayer(POOL.format(h=h, w=w, more=f"pad_ratio: {pad}"), x.shape, rois.shape)
    top, wanted = layer(x, rois), pooled(x, rois, h, w, pad)
    torch.testing.assert_close(top, wanted, rtol=0, atol=0)
    grad = normal(*top.shape, grad=False)
    torch.testing.assert_close(*(torch.autograd.grad(y, x, grad)[0] for y in (top, wanted)))


def test_pooled_size_is_height_and_width():
    rois = some_rois(5, 2, 80)
    x = spread(2, 3, 21, 17)
    ours = OneLayer(
        'type: "ROIPooling" roi_pooling_param { pooled_size: 2 pooled_size: 3 spatial_scale: 0.25 }', x.shape, rois.shape
    )
    assert torch.equal(ours(x, rois), OneLayer(POOL.format(h=2, w=3, more=""), x.shape, rois.shape)(x, rois))


def test_large_maps_are_pooled_in_pieces(monkeypatch):
    monkeypatch.setattr("solver_cli.layers.roi.TABLE", 1)
    x, rois = spread(2, 3, 21, 17), some_rois(9, 2, 80)
    assert torch.equal(OneLayer(POOL.format(h=2, w=3, more=""), x.shape, rois.shape)(x, rois), pooled(x, rois, 2, 3, 0))


def test_no_rois_give_no_cells():
    layer = OneLayer(POOL.format(h=2, w=3, more=""), (2, 3, 21, 17), (4, 5))
    x = spread(2, 3, 21, 17)
    top = layer(x, torch.zeros(0, 5, dtype=torch.float64))
    assert top.shape == (0, 3, 2, 3)
    assert not torch.autograd.grad(top.sum(), x)[0].any()


def test_a_roi_in_no_picture_is_refused():
    layer = OneLayer(POOL.format(h=2, w=3, more=""), (2, 3, 21, 17), (1, 5))
    with pytest.raises(DataError, match="roi 0 lies in picture 2, but bottom 0 holds 2 pictures"):
        layer(spread(2, 3, 21, 17), torch.tensor([[2.0, 0, 0, 5, 5]]))


def test_psroi_pooling_is_the_derivative():
    rois = some_rois(6, 2, 32)
    layer = OneLayer(
        'type: "PSROIPooling" psroi_pooling_param { spatial_scale: 0.25 output_dim: 2 group_size: 2 }',
        (2, 8, 7, 8),
        rois.shape,
    )
    assert layer.gradcheck(normal(2, 8, 7, 8), rois)


def sample(plane: torch.Tensor, y: float, x: float) -> torch.Tensor:
    """The planes' (C, H, W) values between four places."""
    h, w = plane.shape[1:]
    if not (-1 <= y <= h and -1 <= x <= w):
        return plane.new_zeros(len(plane))
    y, x = min(max(y, 0), h - 1), min(max(x, 0), w - 1)
    top, left = int(y), int(x)
    bottom, right = min(top + 1, h - 1), min(left + 1, w - 1)
    upper = plane[:, top, left] * (1 - x + left) + plane[:, top, right] * (x - left)
    lower = plane[:, bottom, left] * (1 - x + left) + plane[:, bottom, right] * (x - left)
    return upper * (1 - y + top) + lower * (y - top)


@pytest.mark.parametrize("ratio", [-1, 2])
def test_roi_align_sample_by_sample(ratio, monkeypatch):
    monkeypatch.setattr("solver_cli.layers.roi_align.PIECE", 200)
    x, rois, (h, w) = normal(2, 3, 9, 8), some_rois(12, 2, 34), (2, 3)
    layer = OneLayer(
        f'type: "ROIAlign" roi_align_param {{ pooled_h: {h} pooled_w: {w} spatial_scale: 0.25 sampling_ratio: {ratio} }}',
        x.shape,
        rois.shape,
    )
    wanted = torch.zeros(len(rois), 3, h, w, dtype=x.dtype)
    for r, (picture, *box) in enumerate(rois.tolist()):
        sizes = [max((box[2 + i] - box[i]) * 0.25, 1) / n for i, n in ((0, w), (1, h))]
        counts = [ratio if ratio > 0 else math.ceil(size) for size in sizes]
        for row in range(h):
            for column in range(w):
                for i in range(counts[1]):
                    for j in range(counts[0]):
                        y = box[1] * 0.25 + (row + (i + 0.5) / counts[1]) * sizes[1]
                        at = box[0] * 0.25 + (column + (j + 0.5) / counts[0]) * sizes[0]
                        wanted[r, :, row, column] += sample(x[int(picture)].detach(), y, at) / (counts[0] * counts[1])
    torch.testing.assert_close(layer(x, rois), wanted)
    assert layer.gradcheck(x, rois)


def test_anchors_are_those_of_py_faster_rcnn():
    wanted = [
        *([-84, -40, 99, 55], [-176, -88, 191, 103], [-360, -184, 375, 199], [-56, -56, 71, 71], [-120, -120, 135, 135]),
        *([-248, -248, 263, 263], [-36, -80, 51, 95], [-80, -168, 95, 183], [-168, -344, 183, 359]),
    ]
    assert anchors(16, (0.5, 1, 2), (8, 16, 32)).tolist() == wanted


def proposals(scores, deltas, info, before, after, thresh):
    """Box by box: (box, score) of one picture."""
    found = []
    for j in range(scores.shape[1]):
        for i in range(scores.shape[2]):
            for a, anchor in enumerate(anchors(16, (0.5, 1), (2,)).tolist()):
                w, h = anchor[2] - anchor[0] + 1, anchor[3] - anchor[1] + 1
                dx, dy, dw, dh = deltas[4 * a : 4 * a + 4, j, i].tolist()
                x, y = anchor[0] + 16 * i + w / 2 + dx * w, anchor[1] + 16 * j + h / 2 + dy * h
                w, h = w * math.exp(dw), h * math.exp(dh)
                box = [x - w / 2, y - h / 2, x + w / 2, y + h / 2]
                box = [max(0.0, min(n, (info[1], info[0])[k % 2] - 1)) for k, n in enumerate(box)]
                large = box[2] - box[0] + 1 >= 16 * info[2] and box[3] - box[1] + 1 >= 16 * info[2]
                found.append((box, scores[2 + a, j, i].item() * large))
    found.sort(key=lambda pair: -pair[1])
    kept = []
    for box, score in found[:before]:
        if all(pixel_overlap(box, other) <= thresh for other, _ in kept):
            kept.append((box, score))
    return kept[:after]


def pixel_overlap(a, b):
    w, h = (max(0.0, min(a[2 + i], b[2 + i]) - max(a[i], b[i]) + 1) for i in (0, 1))
    areas = [(box[2] - box[0] + 1) * (box[3] - box[1] + 1) for box in (a, b)]
    return w * h / (sum(areas) - w * h)


def test_proposals_box_by_box():
    scores, deltas = normal(2, 4, 5, 6, seed=5, grad=False).sigmoid(), normal(2, 8, 5, 6, grad=False) * 0.3
    info = torch.tensor([[80.0, 96, 1.5], [70, 90, 1]], dtype=torch.float64)
    layer = OneLayer(
        'type: "Proposal" proposal_param { ratio: 0.5 ratio: 1 scale: 2 pre_nms_topn: 40 post_nms_topn: 12 '
        "nms_thresh: 0.5 }",
        scores.shape,
        deltas.shape,
        info.shape,
        tops=2,
    )
    rois, best = layer(scores, deltas, info)
    wanted = [
        (float(n), *box, score)
        for n in (0, 1)
        for box, score in proposals(scores[n], deltas[n], info[n].tolist(), 40, 12, 0.5)
    ]
    found = torch.cat([rois, best[:, None]], 1)
    torch.testing.assert_close(found, torch.tensor(wanted, dtype=torch.float64), rtol=1e-6, atol=1e-5)


def test_focal_loss_is_the_rule_and_its_derivative():
    labels = torch.tensor([[0.0, 2, 1, 2]]).double().T
    layer = OneLayer('type: "FocalLoss" focal_loss_param { gamma: 1.5 } loss_param { ignore_label: 1 }', (4, 3), (4, 1))
    x = normal(4, 3)
    p = x.softmax(1)[[0, 1, 3], [0, 2, 2]]
    torch.testing.assert_close(layer(x, labels), -(0.25 * (1 - p) ** 1.5 * p.log()).sum() / 3)
    assert layer.gradcheck(x, labels)


@pytest.mark.parametrize(("ratio", "train", "test"), [(0.25, 1.0, 0.75), (1.0, 0.0, 0.0)])
def test_dropout_scales_when_testing_if_it_does_not_when_training(ratio, train, test):
    text = f'type: "Dropout" dropout_param {{ dropout_ratio: {ratio} scale_train: false }}'
    x = torch.ones(400, dtype=torch.float64)
    kept = OneLayer(text, (400,), phase="TRAIN")(x)
    assert set(kept.tolist()) <= {0.0, train}
    assert torch.equal(OneLayer(text, (400,), phase="TEST")(x), x * test)


def test_smooth_l1_of_normface_bends_at_its_turn_point():
    layer = OneLayer('type: "SmoothL1Loss" smoothl1_param { turn_point: 0.5 }', (4, 1), (4, 1))
    x = torch.tensor([[0.2], [-0.4], [0.7], [-3.0]], dtype=torch.float64, requires_grad=True)
    loss = layer(x, torch.zeros_like(x))
    torch.testing.assert_close(loss.item(), (0.02 + 0.08 + 0.7 - 0.5 + 0.125 + 3 - 0.5 + 0.125) / 4)
    (gradient,) = torch.autograd.grad(loss, x)
    torch.testing.assert_close(gradient, torch.tensor([[0.2], [-0.4], [1], [-1]], dtype=torch.float64) / 4)


@pytest.mark.parametrize(
    ("text", "shapes", "words"),
    [
        (POOL.format(h=0, w=2, more=""), [(1, 2, 5, 5), (3, 5)], "pooled_h must be given and positive"),
        (POOL.format(h=2, w=2, more=""), [(1, 2, 5, 5), (3, 4)], "must hold rois"),
        ('type: "ROIAlign" roi_align_param { pooled_h: 2 }', [(1, 2, 5, 5), (3, 5)], "pooled_w must be given"),
        ('type: "Proposal" proposal_param { ratio: 1 }', [(1, 2, 5, 5), (1, 4, 5, 5), (1, 3)], "scale: give at least one"),
        ('type: "FocalLoss" focal_loss_param { type: LINEAR }', [(4, 3), (4,)], "belongs to NormFace's FocalLoss"),
        ('type: "SmoothL1Loss" smooth_l1_loss_param { sigma: 0 }', [(4, 3), (4, 3)], "sigma must not be 0"),
        ('type: "SmoothL1Loss" smooth_l1_loss_param { sigma: 2 }', [(4, 3), (4, 2)], "must be equal"),
        (
            'type: "PSROIPooling" psroi_pooling_param { spatial_scale: 1 output_dim: 2 group_size: 2 }',
            [(1, 9, 5, 5), (3, 5)],
            "must have 8 channels",
        ),
    ],
)
def test_what_is_refused(text, shapes, words):
    with pytest.raises(Error, match=words):
        OneLayer(text, *shapes)


def test_losses_of_rows_have_no_gradient():
    net = Net.from_text(
        'layer { name: "x" type: "Input" top: "x" top: "t" input_param { shape { dim: 4 dim: 3 } } }\n'
        'layer { name: "l" type: "SmoothL1LossOHEM" bottom: "x" bottom: "t" top: "loss" top: "rows" '
        "loss_weight: 1 loss_weight: 0 }",
        phase="TRAIN",
    )
    _, blobs = net({"x": torch.randn(4, 3, requires_grad=True), "t": torch.zeros(4, 3)})
    assert blobs["loss"].requires_grad
    assert not blobs["rows"].requires_grad
