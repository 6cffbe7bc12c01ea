"""How PyTorch says detectors: prior boxes, what is found, pooled regions, and the loss of SSD, each a function of a page."""

from __future__ import annotations

from typing import Any

from solver_cli.caffe_pb2 import LayerParameter, LossParameter, MultiBoxLossParameter
from solver_cli.export import torch_losses
from solver_cli.export.pieces import Writer, number, says
from solver_cli.export.reading import refuse
from solver_cli.layers.boxes import CENTER_SIZE
from solver_cli.net.plan import Node
from solver_cli.registry import Shape

OVERLAP = '''
def overlap(a: Tensor, b: Tensor) -> Tensor:
    """Intersection over union of boxes (..., 4) of xmin, ymin, xmax, ymax."""
    sides = (torch.minimum(a[..., 2:], b[..., 2:]) - torch.maximum(a[..., :2], b[..., :2])).clamp(min=0)
    shared = sides.prod(-1)
    union = (a[..., 2:] - a[..., :2]).prod(-1) + (b[..., 2:] - b[..., :2]).prod(-1) - shared
    return torch.where(shared > 0, shared / union, 0)
'''
PRIOR_BOXES = '''
def prior_boxes(
    features: Tensor,
    picture: tuple[float, ...],
    sizes: list[tuple[float, float]],
    variance: list[float],
    step: tuple[float, float] | None = None,
    offset: float = 0.5,
    clip: bool = False,
) -> Tensor:
    """Boxes of these widths and heights around each cell, as shares of the picture, and their variances: (1, 2, 4 n)."""
    rows, columns = features.shape[2:]
    down, right = step or (picture[0] / rows, picture[1] / columns)
    y = (torch.arange(rows, dtype=torch.float64, device=features.device) + offset) * down / picture[0]
    x = (torch.arange(columns, dtype=torch.float64, device=features.device) + offset) * right / picture[1]
    centres = torch.stack((x.expand(rows, -1), y.unsqueeze(1).expand(-1, columns)), 2).unsqueeze(2)
    half = centres.new_tensor(sizes) / 2 / centres.new_tensor((picture[1], picture[0]))
    boxes = torch.cat((centres - half, centres + half), 3).flatten()
    boxes = boxes.clamp(0, 1) if clip else boxes
    return torch.stack((boxes, boxes.new_tensor(variance).repeat(len(boxes) // 4)))[None].to(features.dtype)
'''
DETECTION = '''
def detection_output(
    codes: Tensor,
    conf: Tensor,
    prior_blob: Tensor,
    classes: int,
    background: int = 0,
    threshold: float = 0.3,
    top_k: int | None = None,
    keep_top_k: int | None = None,
    least: float = -torch.inf,
) -> Tensor:
    """Rows picture, class, score, xmin, ymin, xmax, ymax of what is found: (1, 1, n, 7).

    Codes (N, 4 P) of centre and size, probabilities (N, P classes), prior boxes (1, 2, 4 P). Of a class the `top_k` best
    above `least` count, and fall that overlap a better one by more than `threshold`; `keep_top_k` of a picture stay.
    """
    priors, variances = prior_blob.reshape(2, -1, 4)
    codes, scores = codes.reshape(len(codes), -1, 4) * variances, conf.reshape(len(conf), -1, classes)
    side = priors[:, 2:] - priors[:, :2]
    centre = codes[..., :2] * side + (priors[:, :2] + priors[:, 2:]) / 2
    half = codes[..., 2:].exp() * side / 2
    boxes = torch.cat((centre - half, centre + half), -1)
    rows = []
    for picture in range(len(codes)):
        found = []
        for label in (label for label in range(classes) if label != background):
            score = scores[picture, :, label]
            order = score.argsort(descending=True, stable=True)
            order = order[score[order] > least][:top_k]
            while len(order):
                first, order = order[0], order[1:]
                head = codes.new_tensor((picture, label))
                found.append(torch.cat((head, score[first, None], boxes[picture, first])))
                order = order[overlap(boxes[picture, first], boxes[picture, order]) <= threshold]
        if found:
            best = torch.stack(found)[:, 2].argsort(descending=True, stable=True)[:keep_top_k]
            rows += [found[i] for i in best.sort().values.tolist()]
    if not rows:
        rows = [torch.cat((codes.new_tensor([picture]), codes.new_full((6,), -1))) for picture in range(len(codes))]
    return torch.stack(rows)[None, None]
'''
ROI_POOLING = '''
def roi_cells(first: Tensor, last: Tensor, count: int, size: int) -> Tensor:
    """Which of `size` places each of `count` cells of each region has: (R, count, size)."""
    step = ((last - first + 1).clamp(min=1) / count)[:, None]
    cell = torch.arange(count, device=first.device)
    begin, end = (cell * step).floor() + first[:, None], ((cell + 1) * step).ceil() + first[:, None]
    place = torch.arange(size, device=first.device)
    return (place >= begin[..., None]) & (place < end[..., None])


def roi_pooling(x: Tensor, rois: Tensor, height: int, width: int, scale: float) -> Tensor:
    """The greatest value of each of height x width cells of each region, 0 of an empty one: (R, C, height, width).

    Regions (R, 5) are picture, x1, y1, x2, y2, whose corners are scaled and rounded; the last pixels are in.
    """
    rois = rois.detach().reshape(-1, 5)
    corners = rois[:, 1:] * scale
    whole = corners.trunc()
    x1, y1, x2, y2 = (whole + ((corners - whole) * 2).trunc()).unbind(1)
    rows, columns = roi_cells(y1, y2, height, x.shape[2]), roi_cells(x1, x2, width, x.shape[3])
    tops = []
    for picture, row, column in zip(x[rois[:, 0].long()], rows, columns, strict=True):
        lines = picture.masked_fill(~column[:, None, None], -torch.inf).max(3).values  # (width, C, H)
        tops.append(lines.masked_fill(~row[:, None, None], -torch.inf).max(3).values.permute(2, 0, 1))
    top = torch.stack(tops)
    return top.masked_fill(top == -torch.inf, 0)
'''
MULTIBOX = '''
def multibox_loss(
    loc: Tensor,
    conf: Tensor,
    prior_blob: Tensor,
    truth: Tensor,
    classes: int,
    background: int = 0,
    threshold: float = 0.5,
    ratio: float = 3.0,
    neg_overlap: float = 0.5,
    loc_weight: float = 1.0,
    difficult: bool = True,
    normaliser: str = "valid",
) -> Tensor:
    """SSD's loss: of the codes of matched prior boxes, and of the classes of these and of the hardest others.

    Codes (N, 4 P), scores (N, P classes), prior boxes (1, 2, 4 P), objects (1, 1, G, 8) of picture, label, instance, xmin,
    ymin, xmax, ymax, difficult. A prior box is matched with the object that it overlaps most, by `threshold` at least; each
    object has the one that overlaps it most in any case.
    """
    priors, variances = prior_blob.detach().reshape(2, -1, 4)
    codes, scores = loc.reshape(len(loc), -1, 4), conf.reshape(len(conf), -1, classes)
    side = priors[:, 2:] - priors[:, :2]
    total, count = loc.new_zeros(()), 0
    for picture in range(len(loc)):
        rows = truth.detach().reshape(-1, 8)
        rows = rows[(rows[:, 0] == picture) & (difficult | (rows[:, 7] == 0))]
        labels, boxes = rows[:, 1].long(), rows[:, 3:7]
        overlaps = overlap(priors[:, None], boxes)
        overlaps = overlaps.where(overlaps > 1e-6, 0)
        best, match = overlaps.max(1) if len(rows) else (priors.new_zeros(len(priors)), labels.new_zeros(len(priors)))
        match = match.masked_fill((best < threshold) | (best == 0), -1)
        for _ in range(len(rows)):
            prior, thing = divmod(int(overlaps.argmax()), len(rows))
            if overlaps[prior, thing] > 0:
                match[prior] = thing
            overlaps[prior], overlaps[:, thing] = 0, 0
        positive = match >= 0
        target = torch.full_like(match, background)
        target[positive] = labels[match[positive]]
        losses = F.cross_entropy(scores[picture], target, reduction="none")
        able = ~positive & (best < neg_overlap)
        hardest = losses.detach().masked_fill(~able, -torch.inf).argsort(descending=True)
        hardest = hardest[: min(int(positive.sum() * ratio), int(able.sum()))]
        total = total + losses[positive].sum() + losses[hardest].sum()
        wanted, own = boxes[match[positive]], side[positive]
        centre = (wanted[:, :2] + wanted[:, 2:] - priors[positive, :2] - priors[positive, 2:]) / 2 / own
        wanted = torch.cat((centre, ((wanted[:, 2:] - wanted[:, :2]) / own).log()), 1) / variances[positive]
        total = total + loc_weight * F.smooth_l1_loss(codes[picture, positive], wanted, reduction="sum")
        count += int(positive.sum())
    by = {"valid": count, "full": len(loc) * len(priors), "batch": len(loc), "none": 1}
    return total / max(1, by[normaliser])
'''
SMOOTH_L1 = '''
def smooth_l1_loss(x: Tensor, target: Tensor, inside: Tensor, outside: Tensor, sigma: float) -> Tensor:
    """Fast R-CNN's: outside * s(inside * (x - target)), s(d) = sigma^2 d^2 / 2 below 1 / sigma^2, else linear."""
    d = inside.reshape(x.shape) * (x - target.reshape(x.shape))
    losses = F.smooth_l1_loss(d, torch.zeros_like(d), beta=sigma**-2, reduction="none")
    return (outside.reshape(x.shape) * losses).sum() / len(x)
'''
FIXED = {  # settings of MultiBoxLoss that the function above has no other way for
    "loc_loss_type": MultiBoxLossParameter.SMOOTH_L1,
    "conf_loss_type": MultiBoxLossParameter.SOFTMAX,
    "share_location": True,
    "match_type": MultiBoxLossParameter.PER_PREDICTION,
    "use_prior_for_matching": True,
    "code_type": CENTER_SIZE,
    "encode_variance_in_target": False,
    "map_object_to_agnostic": False,
    "ignore_cross_boundary_bbox": False,
    "bp_inside": False,
    "mining_type": MultiBoxLossParameter.MAX_NEGATIVE,
}


@says("PriorBox")
def prior_box(w: Writer, node: Node) -> str:
    m: Any = node.module
    w.helpers["prior_boxes"] = PRIOR_BOXES
    told = ["{0}", str(tuple(m.picture)) if m.picture else "tuple({1}.shape[2:])"]
    told += [str([tuple(row) for row in m.boxes.tolist()]), f"[{', '.join(number(v) for v in m.variance.tolist())}]"]
    told += [f"step=({', '.join(map(number, m.step or ()))})"] * (m.step is not None)
    told += [f"offset={number(m.offset)}"] * (m.offset != 0.5) + ["clip=True"] * bool(m.clip)
    return f"prior_boxes({', '.join(told)})"


@says("DetectionOutput")
def detection_output(w: Writer, node: Node) -> str:
    m: Any = node.module
    if m.code != CENTER_SIZE or m.in_target or m.columns > 1 or m.eta < 1:
        refuse(
            "finds boxes in another way: use share_location: true, code_type: CENTER_SIZE, and no eta",
            "detection_output_param",
        )
    w.helpers |= {"overlap": OVERLAP, "detection_output": DETECTION}
    background = node.param.detection_output_param.background_label_id
    told = [str(m.classes)] + [f"background={background}"] * (background != 0) + [f"threshold={number(m.threshold)}"]
    told += [f"{name}={value}" for name, value in (("top_k", m.top_k), ("keep_top_k", m.keep_top_k)) if value is not None]
    told += [f"least={number(m.least)}"] * node.param.detection_output_param.HasField("confidence_threshold")
    return f"detection_output({{0}}, {{1}}, {{2}}, {', '.join(told)})"


@says("ROIPooling")
def roi_pooling(w: Writer, node: Node) -> str:
    m: Any = node.module
    if m.pad:
        refuse("pools regions that are larger than given: take pad_ratio out", "roi_pooling_param.pad_ratio")
    w.helpers["roi_pooling"] = ROI_POOLING
    return f"roi_pooling({{0}}, {{1}}, {m.size[0]}, {m.size[1]}, {number(m.scale)})"


@torch_losses.says("MultiBoxLoss")
def multibox_loss(param: LayerParameter, ins: list[str], shape: Shape, w: Writer) -> str:
    told = param.multibox_loss_param
    for name, wanted in FIXED.items():
        if getattr(told, name) != wanted:
            refuse(f"has no counterpart in PyTorch with this {name}: train it here", f"multibox_loss_param.{name}")
    if told.HasField("nms_param") and told.nms_param.nms_threshold > 0:
        refuse("has no counterpart in PyTorch with an nms_param: take it out", "multibox_loss_param.nms_param")
    if list(param.propagate_down[:2]) not in ([], [True, True]):
        refuse("learns a part only: leave propagate_down out", "propagate_down")
    w.helpers |= {"overlap": OVERLAP, "multibox_loss": MULTIBOX}
    usual = {
        "background_label_id": ("background", 0),
        "overlap_threshold": ("threshold", 0.5),
        "neg_pos_ratio": ("ratio", 3.0),
    }
    usual |= {"neg_overlap": ("neg_overlap", 0.5), "loc_weight": ("loc_weight", 1.0)}
    more = [f"{say}={number(getattr(told, name))}" for name, (say, value) in usual.items() if getattr(told, name) != value]
    more += ["difficult=False"] * (not told.use_difficult_gt)
    chosen = torch_losses.mode(param, LossParameter.VALID)
    name = {0: "full", 1: "valid", 2: "batch", 3: "none"}.get(chosen) or refuse(
        "is divided by a number: use VALID", "loss_param"
    )
    more += [f'normaliser="{name}"'] * (name != "valid")
    return f"multibox_loss({', '.join([*ins, str(told.num_classes), *more])})"


@torch_losses.says("SmoothL1Loss/rcnn")
def smooth_l1_loss(param: LayerParameter, ins: list[str], shape: Shape, w: Writer) -> str:
    sigma, x = param.smooth_l1_loss_param.sigma, ins[0]
    if len(ins) == 3 or param.loss_param.HasField("normalization"):
        refuse("is written with both weights or none, and without a normalization", "bottom")
    if len(ins) == 2:
        edge = "" if sigma == 1 else f", beta={number(sigma**-2)}"
        return f'F.smooth_l1_loss({x}, {ins[1]}.reshape({x}.shape), reduction="sum"{edge}) / len({x})'
    w.helpers["smooth_l1_loss"] = SMOOTH_L1
    return f"smooth_l1_loss({x}, {', '.join(ins[1:])}, sigma={number(sigma)})"
