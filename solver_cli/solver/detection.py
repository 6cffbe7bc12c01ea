"""Tests of detectors, as SSD's fork makes them: average precisions from the rows of DetectionEvaluate of all batches.

A row is (image, label, score, true positive, false positive), or (-1, label, boxes to be found, -1, -1).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt
from torch import Tensor

from solver_cli.errors import nearest
from solver_cli.net.net import Net
from solver_cli.solver.solverspec import SolverSpec

Array = npt.NDArray[np.float32]
Precisions = dict[int, float | None]  # by label; None where nothing is detected
TYPES = ("classification", "detection")
EQUAL = 1e-6  # recalls that differ by no more are one


def check(spec: SolverSpec, nets: Sequence[Net]) -> None:
    """Refuse an unknown eval_type or ap_version, and test nets whose outputs are no rows. Raises ConfigError."""
    param = spec.param
    for name, known in (("eval_type", TYPES), ("ap_version", VERSIONS)):
        value = getattr(param, name)
        if value not in known:
            spec.fail(f"unknown {name} '{value}': expected one of {', '.join(known)}{nearest(value, known)}", name)
    if param.eval_type != "detection":
        return
    for net in nets:
        for output in net.outputs:
            if (shape := net.blob_shapes[output])[3:] != (5,):
                found = f"output '{output}' of the test net has the shape {shape}"
                spec.fail(f"eval_type 'detection' needs rows of 5 as DetectionEvaluate gives them: {found}", "eval_type")


def precisions(rows: Tensor, version: str) -> Precisions:
    """The average precision of every label that `rows` ((N, 5), of all batches) tell the number of boxes of."""
    found = rows.float().cpu().numpy()
    counts, detections = found[found[:, 0] == -1], found[found[:, 0] != -1]
    detections = detections[(detections[:, 3] != 0) | (detections[:, 4] != 0)]  # else of a difficult box: left out
    result: Precisions = {}
    for label in np.unique(counts[:, 1]):
        own = detections[detections[:, 1] == label]
        boxes = counts[counts[:, 1] == label][:, 2].sum()
        result[int(label)] = _average(own, float(boxes), version) if len(own) else None
    return result


def mean(found: Precisions) -> float:
    """The mean average precision: labels without detections count as 0; NaN where there is no label."""
    return sum(x or 0.0 for x in found.values()) / len(found) if found else float("nan")


def _average(detections: Array, boxes: float, version: str) -> float:
    if not boxes:
        return 0.0
    ordered = detections[np.argsort(-detections[:, 2], kind="stable")]
    true, false = (ordered[:, i].cumsum(dtype=np.float32) for i in (3, 4))
    precision, recall = true / (true + false), (true / boxes).astype(np.float32)
    return float(VERSIONS[version](precision.astype(np.float32), recall))


def eleven_points(precision: Array, recall: Array) -> float:
    """The mean of the largest precisions at recalls of at least 0, 0.1, ... 1 (VOC 2007)."""
    exact = recall.astype(np.float64)  # a float32 of 0.7 is below 0.7
    return sum(float(precision[exact >= i / 10].max(initial=0)) for i in range(11)) / 11


def max_integral(precision: Array, recall: Array) -> float:
    """The area under the largest precision at this recall or beyond (VOC 2012, ILSVRC)."""
    return integral(np.maximum.accumulate(precision[::-1])[::-1], recall)


def integral(precision: Array, recall: Array) -> float:
    """The area under the precision."""
    steps = np.diff(recall, prepend=np.float32(0))
    return float((precision * steps)[steps > EQUAL].sum())


VERSIONS: dict[str, Callable[[Array, Array], float]] = {
    "Integral": integral,
    "MaxIntegral": max_integral,
    "11point": eleven_points,
}
