"""Data layers of forks against what they delivered, and the rules of what they draw at random."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from google.protobuf import text_format

from solver_cli.caffe_pb2 import LayerParameter, NetParameter
from solver_cli.data.prefetch import Prefetcher
from solver_cli.data.source import Source
from solver_cli.errors import ConfigError, DataError
from solver_cli.registry import lookup

cv2 = pytest.importorskip("cv2")
GOLDEN = Path(__file__).parents[1] / "golden" / "forks" / "data_layers"
CASES: dict[str, Any] = json.loads((GOLDEN / "cases.json").read_text())
EXACT = ("plain", "raw", "empty", "no_label", "wrap", "crop", "warp_nearest", "noise_inverse", "noise_posterize")


@pytest.fixture(autouse=True)
def beside_the_data(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(GOLDEN)


@pytest.fixture(scope="module")
def expected() -> dict[str, np.ndarray]:
    with np.load(GOLDEN / "expected.npz") as arrays:
        return dict(arrays)


def build(text: str, phase: str = "TEST", seed: int = 1) -> tuple[LayerParameter, Source]:
    (layer,) = text_format.Parse(text, NetParameter()).layer
    return layer, lookup(layer.type).build(layer, phase == "TRAIN", np.random.default_rng(seed))


@pytest.mark.parametrize("name", CASES)
def test_batches_are_the_forks(name: str, expected: dict[str, np.ndarray]) -> None:
    case = CASES[name]
    layer, source = build(case["net"], case["phase"])
    source = Prefetcher(source, 2)
    for k in range(case["batches"]):
        for top, blob in zip(layer.top, source.next_batch(), strict=True):
            want = expected[f"{name}/b{k}_{top}"].astype(np.float32)
            assert blob.shape == want.shape and blob.is_floating_point()
            if top == "data" and name == "sampler_whole_picture":  # through a JPEG file of another library
                continue
            levels = 0 if top != "data" or name.startswith(EXACT) else 2 if name in ("warp_cubic", "warp_lanczos4") else 1
            np.testing.assert_allclose(blob.numpy(), want, atol=levels + 1e-5 * max(1, np.abs(want).max()))
    source.close()


def annotated(transform: str = "", own: str = "", data: str = "boxes_train_lmdb", size: int = 4) -> str:
    return f"""layer {{ name: "data" type: "AnnotatedData" top: "data" top: "label" transform_param {{ {transform} }}
      annotated_data_param {{ {own} }} data_param {{ source: "../data/{data}" batch_size: {size} backend: LMDB }} }}"""


def seg(transform: str = "", more: str = "", source: str = "../data/pairs/list.txt", size: int = 5) -> str:
    return f"""layer {{ name: "data" type: "ImageSegData" top: "data" top: "label" top: "size"
      transform_param {{ {transform} }}
      image_data_param {{ source: "{source}" batch_size: {size} {more} }} }}"""


def dense(transform: str = "", more: str = "", size: int = 5) -> str:
    return f"""layer {{ name: "data" type: "DenseImageData" top: "data" top: "label" transform_param {{ {transform} }}
      dense_image_data_param {{ source: "../data/pairs/list.txt" batch_size: {size} {more} }} }}"""


SSD = """mirror: true mean_value: 104 mean_value: 117 mean_value: 123
  resize_param { height: 24 width: 20 interp_mode: LINEAR interp_mode: AREA interp_mode: NEAREST }
  emit_constraint { emit_type: CENTER } expand_param { prob: 0.5 max_expand_ratio: 3 }
  distort_param { brightness_prob: 0.5 brightness_delta: 32 contrast_prob: 0.5 contrast_lower: 0.5 contrast_upper: 1.5
    hue_prob: 0.5 hue_delta: 18 saturation_prob: 0.5 saturation_lower: 0.5 saturation_upper: 1.5 random_order_prob: 0.1 }"""
SAMPLERS = """batch_sampler { max_sample: 1 max_trials: 1 }
  batch_sampler { max_sample: 1 max_trials: 50 sampler { min_scale: 0.3 min_aspect_ratio: 0.5 max_aspect_ratio: 2 }
    sample_constraint { min_jaccard_overlap: 0.5 } }"""
RANDOM = {
    "annotated": annotated(SSD, SAMPLERS, size=5),
    "shuffled": annotated("crop_size: 20 mirror: true").replace("data_param { source", "data_param { shuffle: true source"),
    "dense": dense(more="shuffle: true mirror: true crop_height: 12 crop_width: 10", size=3),
    "seg": seg("crop_size: 18 mirror: true scale_factors: 0.5 scale_factors: 1.5", "label_type: PIXEL", size=3),
}


@pytest.mark.parametrize("name", RANDOM)
def test_all_that_is_random_hangs_on_seed_and_record_and_goes_on_exactly(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    _, source = build(RANDOM[name], "TRAIN")
    batches = [source.next_batch() for _ in range(8)]
    _, one = build(RANDOM[name], "TRAIN", seed=2)
    assert not np.array_equal(one.next_batch()[0], batches[0][0])
    _, first = build(RANDOM[name], "TRAIN")
    for _ in range(5):
        first.next_batch()
    one.load_state_dict(first.state_dict())
    monkeypatch.setattr("os.cpu_count", lambda: 1)
    _, single = build(RANDOM[name], "TRAIN")
    for k, batch in enumerate(batches):
        alone = single.next_batch()
        again = one.next_batch() if k >= 5 else alone
        for want, *found in zip(batch, alone, again, strict=True):
            for each in found:
                np.testing.assert_array_equal(each.numpy(), want.numpy())


def labels_of(text: str, batches: int, phase: str = "TRAIN") -> list[np.ndarray]:
    _, source = build(text, phase)
    return [source.next_batch()[1].numpy().reshape(-1, 8) for _ in range(batches)]


def test_samplers_expansion_and_mirror_keep_boxes_in_the_picture() -> None:
    for rows in labels_of(annotated(SSD, SAMPLERS), 50):
        boxes = rows[rows[:, 0] >= 0, 3:7]
        assert ((boxes >= 0) & (boxes <= 1)).all() and (boxes[:, :2] < boxes[:, 2:]).all()
        assert (np.diff(rows[:, 0]) >= 0).all()


def test_expansion_makes_boxes_smaller_with_its_probability() -> None:
    """Ratios are uniform from 1 to 3: the side of a box is divided by 2 on average."""
    plain = np.concatenate(labels_of(annotated(), 60))
    expand = "expand_param { prob: 0.5 max_expand_ratio: 3 } resize_param { height: 48 width: 48 }"
    found = np.concatenate(labels_of(annotated(expand), 60, "TEST"))
    ratio = (plain[:, 5] - plain[:, 3]) / (found[:, 5] - found[:, 3])
    grown = ratio > 1.005
    assert ratio.max() <= 3 and abs(grown.mean() - 0.5) < 6 * (0.25 / 240) ** 0.5
    assert abs(ratio[grown].mean() - 2) < 6 * (1 / 3 / 120) ** 0.5


def test_a_mirrored_picture_has_mirrored_boxes() -> None:
    plain, mirrored = (build(annotated(transform, size=24))[1] for transform in ("", "mirror: true"))
    (data, label), (found, rows) = plain.next_batch(), mirrored.next_batch()
    flips = [not np.array_equal(a, b) for a, b in zip(data, found, strict=True)]
    assert 4 <= sum(flips) <= 20
    for i, flip in enumerate(flips):
        want, (boxes, own) = data[i].flip(2) if flip else data[i], (x[0, 0][x[0, 0, :, 0] == i] for x in (label, rows))
        np.testing.assert_array_equal(found[i], want)
        if flip:
            boxes = boxes[:, [0, 1, 2, 5, 4, 3, 6, 7]] * boxes.new_tensor([1, 1, 1, -1, 1, -1, 1, 1])
            boxes[:, [3, 5]] += 1
        np.testing.assert_allclose(own, boxes, atol=1e-6)


def test_of_several_interpolations_each_is_drawn_equally_often() -> None:
    modes = ("LINEAR", "AREA", "NEAREST")
    text = "resize_param {{ height: 30 width: 20 {} }}"
    want = [build(annotated(text.format(f"interp_mode: {mode}"), size=24))[1].next_batch()[0] for mode in modes]
    _, source = build(annotated(text.format(" ".join(f"interp_mode: {mode}" for mode in modes)), size=24))
    counts = np.zeros(3, int)
    for _ in range(20):
        batch = source.next_batch()[0]
        equal = np.array([[np.array_equal(x, y) for x, y in zip(batch, each, strict=True)] for each in want])
        assert (equal.sum(0) == 1).all()
        counts += equal.sum(1)
    assert (abs(counts - 160) < 6 * (480 * 2 / 9) ** 0.5).all()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (annotated("resize_param { height: 20 }"), "width must be 1 or more"),
        (annotated("expand_param { max_expand_ratio: 1 }"), "must be above 1"),
        (annotated("noise_param { saltpepper: true }"), "saltpepper needs values"),
        (annotated("noise_param { convert_to_lab: true }"), "convert_to_lab is not supported"),
        (annotated("force_gray: true noise_param { jpeg: 50 }"), "does not go with force_gray"),
        (annotated("force_gray: true noise_param { decolorize: true }"), "of 1 channels cannot be treated"),
        (annotated("force_gray: true distort_param { hue_prob: 1 hue_delta: 9 }"), "need pictures of 3 channels"),
        (annotated("distort_param { contrast_prob: 1 contrast_lower: 2 }"), "are no range"),
        (annotated(own="batch_sampler { sampler { min_scale: 0 } }"), "min_scale 0 and max_scale 1 are no range"),
        (annotated(own="batch_sampler { sampler { max_scale: 2 } }"), "expected 0 < min_scale <= max_scale <= 1"),
        (annotated(own="anno_type: LANE"), "LANE are not supported"),
        (annotated("resize_param { resize_mode: FIT_SMALL_SIZE height: 20 width: 20 }"), "batch_size of 1"),
        (annotated("crop_size: 60"), "is larger than record '00000000"),
        (annotated(data="boxes_sizes_lmdb"), "needs pictures of one size"),
        (dense("mirror: true"), "say it in dense_image_data_param"),
        (dense(more="crop_height: 12"), "must be set together"),
        (dense(more="crop_height: 12 crop_width: 99"), "is larger than picture"),
        (seg("scale_factors: 2"), "scale_factors need a crop"),
        (seg("crop_height: 12"), "give crop_size, or crop_height and crop_width"),
        (seg(source="cases.json"), "cases.json:1: expected a picture and its label, found '{'"),
    ],
)  # fmt: skip
def test_what_cannot_be_done_is_refused(text: str, words: str) -> None:
    with pytest.raises((ConfigError, DataError)) as caught:
        build(text, "TRAIN")[1].next_batch()
    assert words in str(caught.value)
    assert caught.value.field and "\n" not in str(caught.value)


def test_labels_of_images_and_of_nothing_fill_the_picture(tmp_path: Path) -> None:
    pairs = GOLDEN.parent / "data" / "pairs"
    (tmp_path / "list.txt").write_text(f"{pairs}/p0.png 7\n{pairs}/p1.png 300\n")
    for kind, want in (("IMAGE", [7, 255]), ("NONE", [9, 9])):
        text = seg("crop_size: 22 mean_value: 100.5", f"label_type: {kind} ignore_label: 9", str(tmp_path / "list.txt"), 2)
        data, label, size = build(text)[1].next_batch()
        assert label[:, 0, 0, 0].tolist() == want and (label[:, 0, 20:] == 9).all()
        assert (data[:, :, 20:] == 0).all() and data[:, :, :20].abs().min() >= 0.5
        assert size.tolist() == [[[[20, 22]]], [[[20, 22]]]]


def test_picture_and_label_are_cut_and_mirrored_alike(tmp_path: Path) -> None:
    picture = np.arange(12 * 16, dtype=np.uint8).reshape(12, 16)
    cv2.imwrite(str(tmp_path / "a.png"), picture)
    (tmp_path / "list.txt").write_text(f"{tmp_path}/a.png {tmp_path}/a.png\n")
    texts = [
        dense(more="is_color: false mirror: true crop_height: 5 crop_width: 6").replace("../data/pairs", str(tmp_path)),
        seg("crop_size: 5 mirror: true", "label_type: PIXEL is_color: false", str(tmp_path / "list.txt")),
    ]
    for text in texts:
        source = build(text, "TRAIN")[1]
        corners = set()
        for _ in range(20):
            data, label, *_ = source.next_batch()
            np.testing.assert_array_equal(data, label)
            corners |= {tuple(x[0, 0, :2].tolist()) for x in label}
        assert len(corners) > 60 and {second - first for first, second in corners} == {1, -1}


def test_labels_of_enet_are_smaller() -> None:
    plain = "new_height: 16 new_width: 24"
    folder = "../data/pairs/"
    listed = Path(folder, "list.txt").read_text().split()
    (_, whole), (_, source) = build(dense("", plain)), build(dense("", f"{plain} label_divide_factor: 4"))
    assert source.shapes[1] == (5, 1, 4, 6)
    data, label = source.next_batch()
    np.testing.assert_array_equal(data, whole.next_batch()[0])
    grey = cv2.imread(listed[1], cv2.IMREAD_GRAYSCALE)
    np.testing.assert_array_equal(label[0, 0], cv2.resize(grey, (6, 4), interpolation=cv2.INTER_NEAREST))
    with pytest.raises(ConfigError, match="label_divide_factor must be 1 or more, and 1 with a crop, not 2"):
        build(dense("", "crop_height: 8 crop_width: 8 label_divide_factor: 2"))
