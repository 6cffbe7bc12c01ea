"""--tensorboard draws what a net that tells of places sees in the first pictures of its test data."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from running import call

from solver_cli.commands.train import train

NET = """
layer { name: "data" type: "DenseImageData" top: "data" top: "label"
  dense_image_data_param { source: "list.txt" batch_size: 2 } }
layer { name: "conv" type: "Convolution" bottom: "data" top: "conv"
  convolution_param { num_output: 3 kernel_size: 1 weight_filler { type: "xavier" } } }
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "conv" bottom: "label" top: "loss" }
"""
SOLVER = """
net: "net.prototxt" base_lr: 0.0001 lr_policy: "fixed" max_iter: 1 test_iter: 1 test_interval: 1 snapshot_prefix: "s"
random_seed: 1 snapshot_after_train: false
"""


def samples(folder: Path) -> list[tuple[str, int, bytes]]:
    """(tag, iteration, PNG) of the samples in the events of a folder."""
    loader = pytest.importorskip("tensorboard.backend.event_processing.event_file_loader")
    (events,) = folder.iterdir()
    values = [(event.step, value) for event in loader.EventFileLoader(str(events)).Load() for value in event.summary.value]
    return [(value.tag, step, value.tensor.string_val[2]) for step, value in values if value.tag.startswith("samples/")]


def test_masks_over_the_first_pictures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    draw = np.random.default_rng(1)
    for name, shape in (("a", (12, 16, 3)), ("b", (12, 16, 3))):
        cv2.imwrite(f"{name}.png", draw.integers(0, 256, shape, np.uint8))
        cv2.imwrite(f"{name}_label.png", draw.integers(0, 3, shape[:2], np.uint8))
    Path("list.txt").write_text("a.png a_label.png\nb.png b_label.png\n")
    Path("net.prototxt").write_text(NET)
    Path("solver.prototxt").write_text(SOLVER)
    ended = call(train, "solver.prototxt", "--cpu", "--tensorboard", "tb")
    assert ended.code == 0, ended.stderr
    found = [(tag, png) for tag, step, png in samples(Path("tb")) if step == 0]
    assert [tag for tag, _ in found] == ["samples/0", "samples/1"]
    shown = cv2.imdecode(np.frombuffer(found[0][1], np.uint8), cv2.IMREAD_COLOR)
    scale = shown.shape[1] // 16
    assert shown.shape[1] == 16 * scale and shown.shape[0] > 12 * scale  # the classes stand below
    assert np.abs(shown[: 12 * scale : scale, ::scale].astype(int) - cv2.imread("a.png")).mean() < 128


def test_a_net_of_classes_draws_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    cv2.imwrite("a.png", np.zeros((12, 16, 3), np.uint8))
    Path("list.txt").write_text("a.png 1\n")
    data = 'type: "ImageData" top: "data" top: "label"\n  image_data_param { source: "list.txt" batch_size: 2 } }'
    net = NET.replace(NET[NET.index('type: "Dense') : NET.index("\nlayer { name: \"conv")], data)
    net = net.replace('"Convolution"', '"InnerProduct"').replace("convolution_param", "inner_product_param")
    net = net.replace(" kernel_size: 1", "")
    Path("net.prototxt").write_text(net)
    Path("solver.prototxt").write_text(SOLVER)
    ended = call(train, "solver.prototxt", "--cpu", "--tensorboard", "tb")
    assert ended.code == 0, ended.stderr
    assert samples(Path("tb")) == []
