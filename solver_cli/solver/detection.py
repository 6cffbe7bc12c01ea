"""Tests of detection nets (`eval_type: "detection"`): the average precision of each class, from judged detections."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial

import numpy as np
from torch import Tensor

from solver_cli import log
from solver_cli.errors import ConfigError
from solver_cli.net.net import Net

Floats = np.ndarray[tuple[int], np.dtype[np.float32]]
Precisions = Mapping[int, float | None]  # by class; None: nothing was found of it
EPS = 1e-6  # a step in recall of so little is none


def integral(precision: Floats, recall: Floats) -> float:
    """The sum of precision times step in recall."""
    steps = np.diff(recall, prepend=np.float32(0))
    return float((precision * steps)[steps > EPS].sum())


def max_integral(precision: Floats, recall: Floats) -> float:
    """The same with the greatest precision at this recall or a larger one, as VOC 2012 has it."""
    greatest = np.maximum.accumulate(precision[::-1])[::-1]
    steps = np.diff(recall)
    return float((greatest[:-1] * steps)[steps > EPS].sum() + recall[0] * greatest[0])


def at_recalls(precision: Floats, recall: Floats, steps: int = 10) -> float:
    """The mean over the recalls 0, 1 / steps ... 1 of the greatest precision there or beyond, as VOC 2007 has it.

    With 100 steps COCO's (Cascade R-CNN).
    """
    recall = recall.astype(np.float64)  # as the fork compares: the float32 0.7 is less than the double
    return float(np.mean([precision[recall >= i / steps].max(initial=0) for i in range(steps + 1)]))


AP_VERSIONS: dict[str, Callable[[Floats, Floats], float]] = {
    "Integral": integral,
    "MaxIntegral": max_integral,
    "11point": at_recalls,
    "101point": partial(at_recalls, steps=100),
}


def check(net: Net) -> None:
    """Refuse a test net of which an output is no list of judged detections. Raises ConfigError."""
    for name in net.outputs:
        shape = net.blob_shapes[name]
        if len(shape) != 4 or shape[3] != 5:
            raise ConfigError(
                f"output '{name}' of a test net is {shape}, but eval_type: \"detection\" tests judged detections, "
                "(1, 1, n, 5): let a DetectionEvaluate layer read it, or a Silence layer if it is not to be tested",
                field="eval_type",
            )


def precisions(batches: Sequence[Tensor], version: str) -> Precisions:
    """The average precision of each class of which objects are counted, from a test's rows (1, 1, n, 5) of each batch."""
    rows = np.concatenate([batch.cpu().numpy().reshape(-1, 5) for batch in batches] or [np.empty((0, 5), np.float32)])
    counts, found = rows[rows[:, 0] == -1], rows[rows[:, 0] != -1]
    found = found[(found[:, 3] != 0) | (found[:, 4] != 0)]  # not on a difficult object that is left out
    return {
        int(label): _precision(found[found[:, 1] == label], int(counts[counts[:, 1] == label, 2].sum()), version)
        for label in np.unique(counts[:, 1])
    }


def _precision(found: Floats, objects: int, version: str) -> float | None:
    if not len(found) or not objects:
        return 0.0 if len(found) else None
    found = found[np.argsort(-found[:, 2], kind="stable")]
    hits, misses = found[:, 3].cumsum(dtype=np.int64), found[:, 4].cumsum(dtype=np.int64)
    return AP_VERSIONS[version]((hits / (hits + misses)).astype(np.float32), (hits / objects).astype(np.float32))


def mean(found: Precisions) -> float:
    """Over all classes, 0 where nothing was found."""
    return sum(each or 0.0 for each in found.values()) / max(1, len(found))


def log_precisions(found: Mapping[str, Precisions], by_class: bool) -> None:
    """The lines of each output; none where nothing was found at all, as in the fork."""
    for index, (name, classes) in enumerate(found.items()):
        if all(each is None for each in classes.values()):
            continue
        for label, each in classes.items():
            if each is None:
                log.warning("solver.cpp:524", f"Missing true_pos for label: {label}")
            elif by_class:
                log.info("solver.cpp:540", f"class{label}: {log.number(each)}")
        log.info("solver.cpp:546", f"    Test net output #{index}: {name} = {log.number(mean(classes))}")
