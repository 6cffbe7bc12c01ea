"""HED, RCF and DSS: whose words a net speaks, the balanced loss, crops that only the net tells, pictures of labels."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from one_layer import OneLayer, normal

from solver_cli import Net
from solver_cli.errors import ConfigError

cv2 = pytest.importorskip("cv2")
SIDE = """
layer { name: "up1" type: "Convolution" bottom: "data" top: "c1" convolution_param { num_output: 1 pad: 9 kernel_size: 3 } }
layer { name: "relu" type: "ReLU" bottom: "c1" top: "c1" }
layer { name: "pool" type: "Pooling" bottom: "c1" top: "p1" pooling_param { pool: MAX kernel_size: 2 stride: 2 } }
layer { name: "score" type: "Convolution" bottom: "p1" top: "s1" convolution_param { num_output: 1 kernel_size: 1 } }
layer { name: "big" type: "Deconvolution" bottom: "s1" top: "u1"
  convolution_param { kernel_size: 4 stride: 2 num_output: 1 } }
"""
CROP = 'layer { name: "cut" type: "Crop" bottom: "u1" bottom: "data" top: "y" }'
LOSS = 'layer { name: "loss" type: "SigmoidCrossEntropyLoss" bottom: "y" bottom: "label" top: "loss" }'


def pictures(folder: Path, label: int = 200, more: str = "", transform: str = "") -> str:
    """A data layer of two pictures whose labels are `label` in the left half, and 0."""
    folder.mkdir(exist_ok=True)
    for i in range(2):
        grey = np.zeros((8, 10), np.uint8)
        grey[:, :5] = label
        cv2.imwrite(str(folder / f"{i}.png"), np.full((8, 10, 3), 10 * (i + 1), np.uint8))
        cv2.imwrite(str(folder / f"{i}_label.png"), grey)
    (folder / "list.txt").write_text("0.png 0_label.png\n1.png 1_label.png\n")
    return f"""layer {{ name: "data" type: "ImageLabelmapData" top: "data" top: "label" transform_param {{ {transform} }}
      image_data_param {{ root_folder: "{folder}/" source: "{folder}/list.txt" batch_size: 2 {more} }} }}"""


def kinds(net: Net) -> dict[str, str]:
    return {node.name: node.kind.name for node in net.nodes}


def offset(net: Net) -> list[int]:
    return list(net.nodes[[node.name for node in net.nodes].index("cut")].param.crop_param.offset)


# 18 more rows than data; half of it, rounded up, doubled, and 2: places lie 8 and (2 - 1) / 2 + (4 - 1) / 2 - 1 within it
@pytest.mark.parametrize(
    ("crop", "more", "kind", "begins"),
    [
        (CROP, "", "hed", [9, 9]),
        (CROP.replace('"Crop"', '"AutoCrop"'), "", "rcf", [9, 9]),
        (CROP.replace("}", "crop_param { offset: 2 } }"), "", "rcf", [2]),
        (CROP, "normalize: true", "dss", []),
    ],
)
def test_a_net_is_read_as_its_fork_does(tmp_path: Path, crop: str, more: str, kind: str, begins: list[int]) -> None:
    net = Net.from_text(pictures(tmp_path, more=more) + SIDE + crop + LOSS)
    loss = "SigmoidCrossEntropyLoss" if kind == "dss" else f"SigmoidCrossEntropyLoss/{kind}"
    assert (kinds(net)["data"], kinds(net)["loss"], offset(net)) == (f"ImageLabelmapData/{kind}", loss, begins)
    net.close()


def test_a_crop_that_says_nothing_begins_at_0_and_the_log_says_where_it_would_fit(caplog: pytest.LogCaptureFixture) -> None:
    text = 'layer { name: "in" type: "Input" top: "data" input_param { shape { dim: [1, 1, 8, 10] } } }' + SIDE + CROP
    net = Net.from_text(text)
    assert offset(net) == []
    assert "what it cuts would fit 'cut' at 9 and 9, where FCN's and HED's forks begin: --dialect hed" in caplog.text


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (CROP.replace('"u1"', '"p1"'), "'p1' begins 7.5 places before 'data', and its places are 2 apart: a crop needs"),
        (CROP.replace('"u1"', '"flat"'), r"places do not correspond through layer 'flat' \(InnerProduct\): write a Crop"),
    ],
)
def test_bottoms_that_do_not_fit_are_refused(text: str, words: str) -> None:
    flat = 'layer { name: "flat" type: "InnerProduct" bottom: "u1" top: "flat" inner_product_param { num_output: 1 } }'
    head = 'layer { name: "in" type: "Input" top: "data" input_param { shape { dim: [1, 1, 8, 10] } } }'
    with pytest.raises(ConfigError, match=words):
        Net.from_text(head + SIDE + flat + text.replace('"Crop"', '"AutoCrop"'))


@pytest.mark.parametrize(("kind", "zeros", "others"), [("hed", 1.0, 1.0), ("rcf", 1.1, 0.0)])
def test_the_loss_weighs_ones_by_zeros_and_zeros_by_ones(tmp_path: Path, kind: str, zeros: float, others: float) -> None:
    beside = CROP.replace('"Crop"', '"AutoCrop"') if kind == "rcf" else CROP
    net = Net.from_text(pictures(tmp_path) + SIDE + beside + LOSS)
    loss = next(node for node in net.nodes if node.name == "loss")
    x = normal(2, 1, 2, 3)
    target = torch.tensor([1, 0, 0, 0, 1, 0.5, 1, 1, 0, 1, 1, 1], dtype=torch.float64).reshape(2, 1, 2, 3)
    wanted, gradient = 0.0, torch.zeros_like(x)
    for n in range(2):
        ones, nones = ((target[n] == value).sum().item() for value in (1, 0))
        for t, score, grad in zip(target[n].flatten(), x[n].flatten(), gradient[n].view(-1).split(1), strict=True):
            p = 1 / (1 + math.exp(-score.item()))
            share = {1.0: nones, 0.0: zeros * ones}.get(t.item())
            weight = others if share is None else share / (ones + nones)
            wanted -= 0 if share is None else weight * math.log(p if t == 1 else 1 - p) / 2
            grad[0] = weight * (p - t.item()) / 2
    assert loss.run is not None
    top = loss.run(x, target)
    top.backward()
    assert top.item() == pytest.approx(wanted)
    torch.testing.assert_close(x.grad, gradient)
    net.close()


def test_the_plain_loss_is_bvlcs() -> None:
    assert type(OneLayer('type: "SigmoidCrossEntropyLoss"', (2, 3), (2, 3)).module).__name__ == "SigmoidCrossEntropyLoss"


@pytest.mark.parametrize(
    ("crop", "more", "label", "value"),
    [
        (CROP, "", 128, 1.0),
        (CROP, "", 127, 0.0),
        (CROP.replace('"Crop"', '"AutoCrop"'), "", 102, 102 / 255),
        (CROP, "normalize: true", 128, 1.0),
        (CROP, "normalize: false", 128, 128.0),
    ],
)
def test_labels_are_what_the_fork_makes_of_grey_values(
    tmp_path: Path, crop: str, more: str, label: int, value: float
) -> None:
    net = Net.from_text(pictures(tmp_path, label, more) + SIDE + crop + LOSS)
    data, labels = net.nodes[0].source.next_batch()  # type: ignore[union-attr]
    assert data.shape == (2, 3, 8, 10) and labels.shape == (2, 1, 8, 10)
    assert data[:, 0, 0, 0].tolist() == [10, 20]
    torch.testing.assert_close(labels[0, 0, 0], torch.tensor([value] * 5 + [0.0] * 5))
    net.close()


def test_pictures_and_labels_are_cut_and_mirrored_alike(tmp_path: Path) -> None:
    both = pictures(tmp_path, 255, transform="mirror: true crop_size: 6 mean_value: 10")
    for i in range(2):  # each picture shows its label
        cv2.imwrite(str(tmp_path / f"{i}.png"), np.repeat(cv2.imread(str(tmp_path / f"{i}_label.png"))[..., :1], 3, 2))
    net = Net.from_text(both, phase="TEST", seed=3)
    seen = set()
    for _ in range(8):
        data, labels = net.nodes[0].source.next_batch()  # type: ignore[union-attr]
        torch.testing.assert_close((data[:, :1] + 10) / 255, labels)
        seen |= {tuple(row[0, 0].tolist()) for row in labels}
    assert len(seen) > 4 and all(len(row) == 6 for row in seen)
    net.close()
