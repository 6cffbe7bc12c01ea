"""Parts of a picture drawn at random around its objects: SSD's batch_sampler."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from solver_cli.caffe_pb2 import BatchSampler, SampleConstraint, Sampler
from solver_cli.data.boxes import Boxes, Flags, Objects, area, ratio, shared
from solver_cli.errors import ConfigError

FIELD = "annotated_data_param.batch_sampler"
TRIALS = 64  # that are drawn at once
KINDS = ("jaccard_overlap", "sample_coverage", "object_coverage")


def check(samplers: Sequence[BatchSampler]) -> None:
    """Refuse ranges from which nothing can be drawn. Raises ConfigError."""
    for i, each in enumerate(samplers):
        sampler = each.sampler
        for name, low, high in (
            ("scale", sampler.min_scale, sampler.max_scale),
            ("aspect_ratio", sampler.min_aspect_ratio, sampler.max_aspect_ratio),
        ):
            most = 1.0 if name == "scale" else float(np.finfo(np.float32).max)
            if not 0 < low <= high <= most:
                text = f"0 < min_{name} <= max_{name}" + (" <= 1" if name == "scale" else "")
                raise ConfigError(
                    f"min_{name} {low:g} and max_{name} {high:g} are no range: expected {text}",
                    field=f"{FIELD}[{i}].sampler.{'max' if low > 0 else 'min'}_{name}",
                )


def samples(samplers: Sequence[BatchSampler], objects: Objects, random: Generator) -> Boxes:
    """The parts [n, 4] that fit, of all samplers: any of them may be taken."""
    found = [_fitting(each, objects, random) for each in samplers if each.use_original_image]
    return np.concatenate([np.zeros((0, 4), np.float32), *found])


def jittered(jitter: float, square: bool, random: Generator) -> Boxes:
    """A part [1, 4] that MobileNet-YOLO draws: the whole picture (one time in five), or without up to `jitter` of each side
    (half of that, one time in five); `square`: the same of both.
    """
    change = random.random()
    most = 0.0 if change < 0.2 else jitter / 2 if change < 0.4 else jitter
    wide = random.uniform(1 - most, 1)
    tall = wide if square else random.uniform(1 - most, 1)
    left, top = random.uniform(0, 1 - wide), random.uniform(0, 1 - tall)
    return np.array([[left, top, left + wide, top + tall]], np.float32)


def _fitting(each: BatchSampler, objects: Objects, random: Generator) -> Boxes:
    """The first `max_sample` parts that fit, of `max_trials` at most."""
    most = each.max_sample if each.HasField("max_sample") else each.max_trials
    found = np.zeros((0, 4), np.float32)
    for start in range(0, each.max_trials, TRIALS):
        if len(found) >= most:
            break
        parts = draw(each.sampler, min(TRIALS, each.max_trials - start), random)
        found = np.concatenate([found, parts[fits(parts, objects, each.sample_constraint)]])
    return found[:most]


def draw(sampler: Sampler, count: int, random: Generator) -> Boxes:
    """`count` parts of a picture [count, 4] with a scale, a ratio of the sides, and a place, each drawn uniformly."""

    def uniform(low: float | NDArray[np.float32], high: float | NDArray[np.float32]) -> NDArray[np.float32]:
        return random.uniform(low, high, count).astype(np.float32)

    scale = uniform(sampler.min_scale, sampler.max_scale)
    aspect = uniform(sampler.min_aspect_ratio, sampler.max_aspect_ratio).clip(scale**2, 1 / scale**2)
    sides = np.stack([scale * np.sqrt(aspect), scale / np.sqrt(aspect)], 1)
    corners = np.stack([uniform(0, (1 - side).clip(min=0)) for side in sides.T], 1)
    return np.concatenate([corners, corners + sides], 1)


def fits(parts: Boxes, objects: Objects, constraint: SampleConstraint) -> Flags:
    """Which parts the constraint allows: those for which an object satisfies it.

    Of several kinds of constraint only the first counts, as in SSD, which forgets to look at the others for the next object.
    """
    kinds = [kind for kind in KINDS if any(constraint.HasField(f"{end}_{kind}") for end in ("min", "max"))]  # type: ignore[arg-type]
    if not kinds:
        return np.ones(len(parts), bool)
    measures = _measures(kinds[0], parts[:, None], objects)
    fitting = np.ones(measures.shape, bool)
    if constraint.HasField(f"min_{kinds[0]}"):  # type: ignore[arg-type]
        fitting &= measures >= np.float32(getattr(constraint, f"min_{kinds[0]}"))
    if constraint.HasField(f"max_{kinds[0]}"):  # type: ignore[arg-type]
        fitting &= measures <= np.float32(getattr(constraint, f"max_{kinds[0]}"))
    found: Flags = np.any(fitting, axis=1)
    return found


def _measures(kind: str, parts: Boxes, objects: Objects) -> NDArray[np.float32]:
    """[parts, objects]: how far each part [parts, 1, 4] and each object cover each other."""
    both = shared(parts, objects.boxes)
    sizes, areas = np.broadcast_to(area(parts), both.shape), np.broadcast_to(objects.areas, both.shape)
    whole = {"jaccard_overlap": sizes + areas - both, "sample_coverage": sizes, "object_coverage": areas}[kind]
    return ratio(both, whole)
