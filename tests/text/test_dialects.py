"""Types that several Caffes know under one name: whose is meant."""

from __future__ import annotations

from dataclasses import replace

import pytest

from solver_cli import Net, registry
from solver_cli.errors import ConfigError
from solver_cli.text import dialects
from solver_cli.text.netspec import filter_layers, parse_net


def told(*layers: str, dialect: str | None = None) -> list[str]:
    """The names that the registry has for the types of the layers."""
    text = "".join(f'layer {{ name: "l{i}" {layer} }}' for i, layer in enumerate(layers))
    spec = replace(parse_net(text), dialect=dialect)
    return [layer.kind or layer.param.type for layer in dialects.tell(spec, filter_layers(spec))]


BOTTOM = 'bottom: "a" '
TOP = 'top: "t" '
BESIDE = {  # what other types of the net tell: see tests/layers/test_edges.py
    *(f"ImageLabelmapData/{dialect}" for dialect in ("dss", "hed", "rcf")),
    *("SigmoidCrossEntropyLoss", "SigmoidCrossEntropyLoss/hed", "SigmoidCrossEntropyLoss/rcf"),
}
INPUT = 'layer { name: "in" type: "Input" top: "a" input_param { shape { dim: 1 } } }'


@pytest.mark.parametrize(
    ("layer", "name"),
    [
        ('type: "BN" bn_param { scale_filler { } }', "BN/segnet"),
        ('type: "BN" bn_param { shift_filler { } }', "BN/segnet"),
        ('type: "BN" bn_param { bn_mode: INFERENCE }', "BN/segnet"),
        ('type: "BN" bn_param { scale_filler { } var_eps: 1 }', "BN/parsenet"),
        ('type: "BN" bn_param { slope_filler { } }', "BN/yjxiong"),
        ('type: "BN" bn_param { frozen: false }', "BN/yjxiong"),
        ('type: "BN" bn_param { engine: CUDNN }', "BN/yjxiong"),
        ('type: "BN"', "BN/yjxiong"),
        ('type: "BatchNorm"', "BatchNorm"),
        ('type: "BatchNorm" batch_norm_param { use_global_stats: true }', "BatchNorm"),
        ('type: "BatchNorm" batch_norm_param { engine: MKLDNN }', "BatchNorm"),
        ('type: "BatchNorm" batch_norm_param { scale_bias: true }', "BatchNorm/nvcaffe"),
        ('type: "BatchNorm" batch_norm_param { bias_filler { } }', "BatchNorm/nvcaffe"),
        ('type: "BatchNorm" batch_norm_param { bias_filler { } use_weight_bias: true }', "BatchNorm/intel"),
        ('type: "BatchNorm" batch_norm_param { disable_variance: true }', "BatchNorm/normface"),
        ('type: "Crop"', "Crop"),
        ('type: "DetectionOutput" detection_output_param { num_classes: 2 }', "DetectionOutput"),
        ('type: "DetectionOutput" detection_output_param { side: 13 }', "DetectionOutput/yolo2"),
        ('type: "L1Loss"', "L1Loss"),
        ('type: "L1Loss" l1_loss_param { }', "L1Loss/flownet2"),
        ('type: "Normalize"', "Normalize/ssd"),
        ('type: "Normalize" norm_param { }', "Normalize/ssd"),
        ('type: "Normalize" normalize_param { normalize_type: "L2" }', "Normalize/normface"),
        ('type: "ROIAlign" roi_align_param { pooled_h: 2 }', "ROIAlign"),
        ('type: "ROIAlign" roi_pooling_param { pooled_h: 2 }', "ROIAlign/mscnn"),
        ('type: "SmoothL1Loss" ' + 2 * BOTTOM, "SmoothL1Loss/rcnn"),
        ('type: "SmoothL1Loss" ' + 4 * BOTTOM, "SmoothL1Loss/rcnn"),
        ('type: "SmoothL1Loss" smooth_l1_loss_param { sigma: 3 }' + 2 * BOTTOM, "SmoothL1Loss/rcnn"),
        ('type: "SmoothL1Loss" loss_param { }' + 3 * BOTTOM, "SmoothL1Loss/rfcn"),
        ('type: "SmoothL1Loss" ' + 3 * BOTTOM + 2 * TOP, "SmoothL1Loss/rfcn"),
        ('type: "SmoothL1Loss" smoothl1_param { }', "SmoothL1Loss/normface"),
        ('type: "SoftmaxWithLoss" ' + 2 * BOTTOM, "SoftmaxWithLoss"),
        ('type: "SoftmaxWithLoss" loss_param { normalize: true }', "SoftmaxWithLoss"),
        ('type: "SoftmaxWithLoss" loss_param { normalization: VALID }', "SoftmaxWithLoss"),
        ('type: "SoftmaxWithLoss" loss_param { class_weighting: [1, 2] }', "SoftmaxWithLoss/segnet"),
        ('type: "SoftmaxWithLoss" loss_param { weight_by_label_freqs: true }', "SoftmaxWithLoss/segnet"),
        ('type: "SoftmaxWithLoss" loss_param { normalization: PRE_FIXED }', "SoftmaxWithLoss/rfcn"),
        ('type: "SoftmaxWithLoss" ' + 3 * TOP, "SoftmaxWithLoss/rfcn"),
        ('type: "Upsample" ' + BOTTOM, "Upsample/yolo"),
        ('type: "Upsample" ' + 2 * BOTTOM, "Upsample/segnet"),
        ('type: "Convolution" convolution_param { num_output: 1 }', "Convolution"),
    ],
)
def test_the_layers_own_text_tells(layer: str, name: str) -> None:
    assert told(layer) == [name]


def test_every_row_can_be_told() -> None:
    cases = next(mark for mark in test_the_layers_own_text_tells.pytestmark if mark.name == "parametrize").args[1]  # type: ignore[attr-defined]
    assert {row.name for row in dialects.ROWS} - {name for _, name in cases} == {"SmoothL1Loss/ssd"} | BESIDE


def test_one_word_of_each_is_usual() -> None:
    for word in dialects.WORDS:
        assert sum(row.usual for row in dialects.ROWS if row.word == word) == 1


def test_other_layers_of_the_same_type_tell() -> None:
    assert told('type: "BN"', 'type: "BN" bn_param { bn_mode: LEARN }') == ["BN/segnet"] * 2


def test_other_types_of_the_net_tell() -> None:
    assert told('type: "BN"', 'type: "Upsample" ' + 2 * BOTTOM) == ["BN/segnet", "Upsample/segnet"]
    assert told('type: "SmoothL1Loss"', 'type: "PriorBox"') == ["SmoothL1Loss/ssd", "PriorBox"]
    assert told('type: "SoftmaxWithLoss"', 'type: "PSROIPooling"') == ["SoftmaxWithLoss", "PSROIPooling"]


def test_where_the_net_tells_both_the_choice_decides() -> None:
    both = ('type: "BN"', 'type: "BN" bn_param { bn_mode: LEARN }', 'type: "BN" bn_param { frozen: true }')
    assert told(*both) == ["BN/yjxiong", "BN/segnet", "BN/yjxiong"]
    assert told(*both, dialect="segnet") == ["BN/segnet", "BN/segnet", "BN/yjxiong"]


def test_the_choice_decides_where_nothing_tells() -> None:
    layers = ('type: "BN"', 'type: "BatchNorm"', 'type: "Normalize" norm_param { }')
    assert told(*layers, dialect="segnet") == ["BN/segnet", "BatchNorm", "Normalize/ssd"]
    assert told(*layers, dialect="nvcaffe") == ["BN/yjxiong", "BatchNorm/nvcaffe", "Normalize/ssd"]


def test_an_unknown_choice_is_refused_with_the_nearest() -> None:
    with pytest.raises(ConfigError, match=r"unknown dialect 'segnett': expected one of .*\(did you mean 'segnet'\?\)"):
        told('type: "BN"', dialect="segnett")


def test_what_was_told_is_logged_in_one_line(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("INFO"):
        told('type: "BN" bn_param { bn_mode: LEARN }', 'type: "BN"', 'type: "BatchNorm"', 'type: "Upsample" ' + BOTTOM)
    line = "BN is segnet's (bn_mode in layer 'l0'), Upsample is yolo's (1 bottom in layer 'l3')"
    assert [r.getMessage() for r in caplog.records] == [f"Of types that more than one Caffe has, {line}"]


def test_a_net_of_bvlcs_says_nothing(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("INFO"):
        told('type: "BatchNorm"', 'type: "SoftmaxWithLoss"', 'type: "Convolution"')
    assert not caplog.records


def test_a_meaning_that_is_not_there_is_refused_by_the_word() -> None:
    words = r"layer 'x' \(L1Loss\): layer type 'L1Loss' as flownet2 means it is not supported yet"
    with pytest.raises(ConfigError, match=words):
        Net.from_text(f'{INPUT} layer {{ name: "x" type: "L1Loss" bottom: "a" top: "b" l1_loss_param {{ epsilon: 1 }} }}')


def test_the_registry_is_asked_for_the_told_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "_types", dict(registry._types))
    registry._types.pop("BN/segnet", None)
    registry.layer("BN/segnet", in_place=False)(lambda x: x + 1)
    net = Net.from_text(f'{INPUT} layer {{ name: "x" type: "BN" bottom: "a" top: "b" bn_param {{ bn_mode: LEARN }} }}')
    assert (net.nodes[1].kind.name, net.nodes[1].kind.param, net.nodes[1].param.type) == ("BN/segnet", "bn_param", "BN")
