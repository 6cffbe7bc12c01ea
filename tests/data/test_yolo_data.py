"""AnnotatedData as MobileNet-YOLO has it: boxes by their middle, pictures of several sizes, jitter."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from google.protobuf import text_format

from solver_cli import Net
from solver_cli.caffe_pb2 import LayerParameter
from solver_cli.data.annotated import AnnotatedData
from solver_cli.errors import ConfigError

pytest.importorskip("cv2")
GOLDEN = Path(__file__).parents[1] / "golden" / "forks" / "data_layers"
WARP = "resize_param { height: 24 width: 20 }"
THREE = " ".join(f"resize_param {{ prob: {p} height: {n} width: {n} }}" for p, n in ((0.5, 16), (0.25, 24), (0.25, 32)))


@pytest.fixture(autouse=True)
def beside_the_data(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(GOLDEN)


def text(own: str, transform: str = WARP) -> str:
    return f"""name: "data" type: "AnnotatedData" top: "data" top: "label" transform_param {{ {transform} }}
      annotated_data_param {{ {own} }} data_param {{ source: "../data/boxes_train_lmdb" batch_size: 4 backend: LMDB }}"""


def batches(own: str, transform: str = WARP, count: int = 3, training: bool = True) -> list[tuple[Any, Any]]:
    layer = text_format.Parse(text(own, transform), LayerParameter())
    source = AnnotatedData(layer, training, np.random.default_rng(2))
    return [tuple(top.numpy() for top in source.next_batch()) for _ in range(count)]


def rows(labels: np.ndarray) -> list[list[np.ndarray]]:
    """Of each picture the rows that hold something."""
    assert labels.shape[1:] == (1, 300, 5)
    return [[row for row in picture[0] if row.any()] for picture in labels]


@pytest.mark.parametrize("difficult", [True, False])
def test_boxes_by_their_middle(difficult: bool) -> None:
    """The same boxes as SSD's label has, which golden figures are about; no jitter."""
    own = f"yolo_data_type: 1 yolo_data_jitter: 0 train_diffcult: {str(difficult).lower()}"
    several = 0
    for (_, plain), (_, label) in zip(batches(""), batches(own), strict=True):
        for i, found in enumerate(rows(label)):
            boxes = [row for row in plain[0, 0] if row[0] == i and (difficult or not row[7])]
            wanted = [(c - 1, (a + x) / 2, (b + y) / 2, x - a, y - b) for _, c, _, a, b, x, y, _ in boxes]
            np.testing.assert_allclose(np.reshape(found, (-1, 5)), np.reshape(wanted, (-1, 5)), rtol=1e-5, atol=1e-6)
            several += len(found)
    assert several > 5


def test_pictures_of_one_size_stay_together() -> None:
    sizes = [data.shape[2] for data, _ in batches("yolo_data_type: 1 yolo_data_jitter: 0", THREE, count=200)]
    runs = [set(sizes[i : i + 10]) for i in range(0, 200, 10)]
    assert all(len(run) == 1 for run in runs) and set(sizes) == {16, 24, 32}


def test_jitter_cuts_sides_off() -> None:
    """Where a box lies moves, unless it is the whole picture's turn; without a word of it 0.3 may go."""
    whole = rows(batches("yolo_data_type: 1 yolo_data_jitter: 0", count=1)[0][1])
    moved = [rows(label) for _, label in batches("yolo_data_type: 1", count=40)]
    sizes = [len(found) for label in moved for found in label]
    assert any(sizes) and sum(map(len, whole))
    widths = np.array([row[3] for label in moved for found in label for row in found])
    assert widths.max() <= max(row[3] for found in whole for row in found) / 0.7 + 1e-3 or widths.max() <= 1
    assert len(np.unique(widths.round(3))) > 20


def test_what_it_says_of_sizes_and_jitter_is_checked() -> None:
    with pytest.raises(ConfigError, match="the prob of 3 resize_params must add up to 1"):
        batches("", THREE.replace("0.5", "0.25"))
    with pytest.raises(ConfigError, match="yolo_data_jitter must be from 0 to below 1, not 1"):
        batches("yolo_data_jitter: 1")
    with pytest.raises(ConfigError, match=r"'difficult_label_warmup' .* does not hang on the iteration here"):
        Net.from_text(f"layer {{ {text('difficult_label_warmup: true')} }}")
