"""What the recorded cases of SSD's layers do not show: refusals, sizes beyond theirs, files, matching without waiting."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from one_layer import OneLayer, dims
from torch import Tensor

from solver_cli import Net
from solver_cli.errors import ConfigError, DataError
from solver_cli.layers import boxes
from solver_cli.layers.multibox import bipartite

CODES, SCORES, PRIORS, TRUTH = (2, 24), (2, 18), (1, 2, 24), (1, 1, 3, 8)
LOSS = 'type: "MultiBoxLoss" multibox_loss_param {{ num_classes: 3 {} }}'
OUTPUT = 'type: "DetectionOutput" detection_output_param {{ num_classes: 3 {} }}'


def priors() -> Tensor:
    """Six boxes in two rows, with variances."""
    box = [[x / 3, y / 2, (x + 1) / 3, (y + 1) / 2] for y in range(2) for x in range(3)]
    return torch.stack((torch.tensor(box).flatten(), torch.tensor([0.1, 0.1, 0.2, 0.2]).repeat(6))).unsqueeze(0)


def truth(*rows: list[float]) -> Tensor:
    return torch.tensor(rows, dtype=torch.float32).view(1, 1, -1, 8)


@pytest.mark.parametrize(
    ("text", "named"),
    [
        (LOSS.format("background_label_id: 3"), "background_label_id"),
        (LOSS.format("share_location: false"), "share_location"),
        (LOSS.format("do_neg_mining: false"), "do_neg_mining"),
        (LOSS.format("mining_type: HARD_EXAMPLE sample_size: 0"), "sample_size"),
        (LOSS.format("map_object_to_agnostic: true"), "map_object_to_agnostic"),
        ('type: "MultiBoxLoss"', "num_classes"),
        (LOSS.replace("3", "4").format(""), "scores"),
    ],
)
def test_multibox_loss_refuses(text, named):
    with pytest.raises(ConfigError, match=f"^<text>:.*: layer 'test' .*{named}"):
        OneLayer(text, CODES, SCORES, PRIORS, TRUTH)


@pytest.mark.parametrize(
    ("text", "named"),
    [
        (OUTPUT.format("visualize: true"), "visualize draws into a window"),
        (OUTPUT.format("nms_param { nms_threshold: -1 }"), "nms_threshold must be 0 or more"),
        (OUTPUT.format("nms_param { eta: 0 }"), "eta must be above 0"),
        ('type: "DetectionOutput"', "num_classes"),
    ],
)
def test_detection_output_refuses(text, named):
    with pytest.raises(ConfigError, match=named):
        OneLayer(text, CODES, SCORES, PRIORS)


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ("", "min_size is missing"),
        ("min_size: 0", "min_size must be positive"),
        ("min_size: 9 max_size: 9", "max_size 9 must be greater"),
        ("min_size: 9 max_size: 20 max_size: 30", "2 max_size for 1 min_size"),
        ("min_size: 9 variance: 1 variance: 1", "variance is given 2 times"),
        ("min_size: 9 img_size: 5 img_h: 5", "img_size and img_h are both given"),
        ("min_size: 9 img_h: 5", "img_w must be given"),
        ("min_size: 9 step: 0", "step must be given and be positive"),
        ("min_size: 9 aspect_ratio: 0", "aspect_ratio must be positive"),
    ],
)
def test_prior_box_refuses(settings, named):
    with pytest.raises(ConfigError, match=named):
        OneLayer(f'type: "PriorBox" prior_box_param {{ {settings} }}', (1, 2, 3, 4), (1, 3, 30, 40))


@pytest.mark.parametrize(("order", "named"), [("order: 3", "out of range"), ("order: 1 order: 1", "given twice")])
def test_permute_refuses(order, named):
    with pytest.raises(ConfigError, match=named):
        OneLayer(f'type: "Permute" permute_param {{ {order} }}', (2, 3, 4))


def test_a_label_that_is_no_class_is_named():
    layer = OneLayer(LOSS.format(""), CODES, SCORES, PRIORS, (1, 1, 2, 8))
    inputs = [torch.zeros(shape, dtype=torch.float64) for shape in (CODES, SCORES)]
    for label, words in ((3, "label 3 of object 1 of the batch is not in 0..2"), (0, "label 0 .* is the background's")):
        rows = truth([0, 1, 0, 0.1, 0.1, 0.3, 0.4, 0], [1, label, 0, 0.1, 0.1, 0.3, 0.4, 0]).double()
        with pytest.raises(DataError, match=words):
            layer(*inputs, priors().double(), rows)


def test_gradients_of_prior_boxes_are_refused_as_by_the_fork():
    net = f"""
        layer {{ name: "in" type: "Input" top: "x" top: "truth" input_param {{
          shape {{ {dims((2, 1, 2, 3))} }} shape {{ {dims(TRUTH)} }} }} }}
        layer {{ name: "c" type: "Convolution" bottom: "x" top: "f" convolution_param {{ num_output: 4 kernel_size: 1 }} }}
        layer {{ name: "s" type: "Convolution" bottom: "x" top: "g" convolution_param {{ num_output: 3 kernel_size: 1 }} }}
        layer {{ name: "cf" type: "Flatten" bottom: "f" top: "ff" }}
        layer {{ name: "sf" type: "Flatten" bottom: "g" top: "gf" }}
        layer {{ name: "p" type: "PriorBox" bottom: "f" bottom: "x" top: "p" prior_box_param {{ min_size: 1 }} }}
        layer {{ name: "l" type: "MultiBoxLoss" bottom: "ff" bottom: "gf" bottom: "p" bottom: "truth" top: "l"
          multibox_loss_param {{ num_classes: 3 }} }}
    """
    with pytest.raises(ConfigError, match=r"no gradient for bottom 2 \('p'\).*set propagate_down: false"):
        Net.from_text(net, phase="TRAIN")


def greedy(overlaps: Tensor, group: Tensor) -> list[int]:
    """The fork's rule, pair by pair."""
    won, free = [-1] * len(group), {(int(g), p) for g in group for p in range(overlaps.shape[1])}
    pairs = sorted((-float(overlaps[g, p]), p, g) for g in range(len(group)) for p in range(overlaps.shape[1]))
    for value, p, g in pairs:
        if value < 0 and won[g] < 0 and (int(group[g]), p) in free:
            won[g] = p
            free.remove((int(group[g]), p))
    return won


@pytest.mark.parametrize("seed", range(20))
def test_bipartite_matching_takes_the_pairs_in_their_order(seed):
    generator = torch.Generator().manual_seed(seed)
    overlaps = torch.randint(0, 5, (12, 6), generator=generator) / 4.0  # many of them equal
    group = torch.randint(0, 3, (12,), generator=generator)
    assert bipartite(overlaps, group).tolist() == greedy(overlaps, group)


@pytest.mark.parametrize("settings", ["", "mining_type: HARD_EXAMPLE sample_size: 4", "conf_loss_type: LOGISTIC"])
def test_the_way_that_reads_nothing_back_gives_the_same(settings, monkeypatch):
    """A GPU cannot tell how many boxes are matched without waiting; its way, here on the CPU."""
    layer = OneLayer(LOSS.format(f"code_type: CENTER_SIZE {settings}"), CODES, SCORES, PRIORS, TRUTH)
    generator = torch.Generator().manual_seed(1)
    codes, scores = (torch.randn(shape, generator=generator, dtype=torch.float64) for shape in (CODES, SCORES))
    rows = truth([0, 1, 0, 0.0, 0.1, 0.4, 0.5, 0], [1, 2, 0, 0.3, 0.3, 0.9, 0.9, 0], [-1] * 8).double()

    def results() -> list[Tensor]:
        inputs = codes.clone().requires_grad_(), scores.clone().requires_grad_()
        loss = layer(*inputs, priors().double(), rows)
        return [loss, *torch.autograd.grad(loss, inputs)]

    expected = results()
    monkeypatch.setattr("solver_cli.layers.multibox._rows", lambda mask: (torch.arange(len(mask)), mask))
    for found, wanted in zip(results(), expected, strict=True):
        torch.testing.assert_close(found, wanted)


@pytest.mark.parametrize("eta", [1.0, 0.9])
def test_suppression_is_the_greedy_one(eta):
    generator = torch.Generator().manual_seed(0)
    corner = torch.rand(5, 40, 2, generator=generator)
    box = torch.cat((corner, corner + 0.4 * torch.rand(5, 40, 2, generator=generator)), 2)
    there = torch.rand(5, 40, generator=generator) > 0.2
    found = boxes.suppress(box, there, 0.6, eta)
    for i in range(5):
        kept: list[int] = []
        limit = 0.6
        for k in range(40):
            if there[i, k] and all(boxes.overlap(box[i, k], box[i, j]) <= limit for j in kept):
                kept.append(k)
                limit = limit * eta if eta < 1 and limit > 0.5 else limit
        assert found[i].nonzero().flatten().tolist() == kept


def saving(folder: Path, form: str) -> OneLayer:
    """A DetectionOutput of two pictures of 200 x 100 pixels that writes into out/ below the folder."""
    (folder / "names.prototxt").write_text(
        'item { name: "none" label: 0 } item { name: "cat" label: 1 } item { name: "dog" label: 2 }'
    )
    (folder / "sizes.txt").write_text("first 100 200\nsecond 100 200\n")
    save = (
        f'output_directory: "{folder}/out/deep" output_name_prefix: "det_" output_format: "{form}" '
        f'label_map_file: "{folder}/names.prototxt" name_size_file: "{folder}/sizes.txt"'
    )
    settings = f"confidence_threshold: 0.5 save_output_param {{ {save} }}"
    return OneLayer(OUTPUT.format(settings), (1, 24), (1, 18), PRIORS, phase="TEST")


def probabilities(*found: tuple[int, int, float]) -> Tensor:
    """Of (box, class, score), else 0."""
    scores = torch.zeros(1, 6, 3, dtype=torch.float64)
    for box, label, score in found:
        scores[0, box, label] = score
    return scores.view(1, 18)


@pytest.mark.parametrize(
    ("form", "files"),
    [
        ("VOC", {"det_cat.txt": "first 0.75 0 0 66 50\n", "det_dog.txt": "second 0.875 66 50 132 100\n"}),
        ("ILSVRC", {"det_.txt": "first 1 0.75 0 0 66 50\nsecond 2 0.875 66 50 132 100\n"}),
    ],
)
def test_files_of_detections(tmp_path, form, files):
    layer = saving(tmp_path, form)
    codes = torch.zeros(1, 24, dtype=torch.float64)
    layer(codes, probabilities((0, 1, 0.75)), priors().double())
    assert not (tmp_path / "out").exists()  # the second picture is not there yet
    state = layer.module.state
    layer = saving(tmp_path, form)  # as of a resumed run
    layer.module.state = state
    layer(codes, probabilities((4, 2, 0.875)), priors().double())
    assert {path.name: path.read_text() for path in (tmp_path / "out" / "deep").iterdir()} == files


def test_a_coco_file_of_detections(tmp_path):
    layer = saving(tmp_path, "COCO")
    for found in ((0, 1, 0.75), (4, 2, 0.875)):
        layer(torch.zeros(1, 24, dtype=torch.float64), probabilities(found), priors().double())
    rows = json.loads((tmp_path / "out" / "deep" / "det_.json").read_text())
    assert rows[1] == {"image_id": "second", "category_id": "dog", "bbox": [66.67, 50.0, 66.67, 50.0], "score": 0.875}


def test_detections_are_compared_in_pixels_by_the_sizes_of_the_pictures(tmp_path):
    (tmp_path / "sizes.txt").write_text("first 10 20\nsecond 30 10\n")
    layer = OneLayer(
        f'type: "DetectionEvaluate" detection_evaluate_param {{ num_classes: 2 name_size_file: "{tmp_path}/sizes.txt" }}',
        (1, 1, 1, 7),
        (1, 1, 1, 8),
        phase="TEST",
    )
    found = torch.tensor([0, 1, 0.9, 0, 0, 0.5, 0.45], dtype=torch.float64).view(1, 1, 1, 7)
    rows = truth([0, 1, 0, 0, 0, 1, 0.5, 0]).double()
    # 11 x 5.5 of 21 x 6 pixels, then 6 x 14.5 of 11 x 16
    assert layer(found, rows)[0, 0].tolist() == [[-1, 1, 1, -1, -1], [0, 1, pytest.approx(0.9), 0, 1]]
    assert layer.module.at == 1
    layer(found, rows)
    assert layer.module.at == 0
