"""No setting of a layer type is ignored without a word: each field is read, refused, warned of, or listed with a reason.

Read means: the layer's code asks the message for the field, or its function takes it by name and uses it, in at least one
of the recorded configurations of real Caffe. For what is left, the field is set, and the net has to speak of it.
"""

from __future__ import annotations

import ast
import functools
import inspect
import json
import logging
import textwrap
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from golden_layers import fork_texts, registered
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

from solver_cli import Net, registry
from solver_cli.caffe_pb2 import FillerParameter, LayerParameter, NetParameter
from solver_cli.commands import catalogue
from solver_cli.errors import Error
from solver_cli.registry import LayerType, layer_types
from solver_cli.text import forks, prototxt

GOLDEN = Path(__file__).parents[1] / "golden"
FORKS = GOLDEN / "forks" / "data_layers"
PAIRS = """
layer { name: "data" type: "ImageSegData" top: "data" top: "label" transform_param { crop_size: 16 scale_factors: 2 }
  image_data_param { source: "../data/pairs/list.txt" label_type: PIXEL } }
"""
FRAMES = """
layer { name: "data" type: "VideoData" top: "data" top: "label" transform_param { crop_size: 16 }
  video_data_param { source: "../data/video.txt" batch_size: 2 modality: RGB name_pattern: "p%d.png" new_height: 20
    new_width: 18 } }
"""
OBJECTS = """
layer { name: "data" type: "ImageGtData" top: "data" top: "label" image_gt_data_param { source: "../data/pairs/windows.txt"
  root_folder: "../data/pairs/" batch_size: 2 downsample_rate: 4 field_w: 8 field_h: 8 do_multiple_scale: true min_scale: 4
  max_scale: 16 min_whaspect: 0.5 max_whaspect: 2 } }
"""
LABELMAPS = """
layer { name: "data" type: "ImageLabelmapData" top: "data" top: "label" transform_param { crop_size: 16 }
  image_data_param { source: "../data/pairs/list.txt" %s } }
"""
BY_HAND = {"Python": "its settings go to the user's class: see test_python_layers.py"}
ONE_IMPLEMENTATION = "chooses one of Caffe's implementations; there is one here"
VISUALIZE = "says how visualize draws, which is refused"
CONVOLUTIONS = "belongs to the convolution whose settings Im2col shares; Caffe's Im2col has no use for it either"
ENGINES = [
    *("Convolution", "Deconvolution", "Im2col", "LRN", "Pooling", "ReLU", "SPP", "Sigmoid", "Softmax", "SoftmaxWithLoss"),
    *("TanH", "ConvolutionDepthwise", "DepthwiseConvolution", "ReLU6", "SoftmaxWithLoss/segnet"),
    *("FocalLoss", "SoftmaxWithLoss/rfcn", "SoftmaxWithLossOHEM"),
]
CONVOLVING = ("Convolution", "ConvolutionDepthwise", "Deconvolution", "DepthwiseConvolution", "Im2col")
DARKNET = "stands in texts of YOLO's nets; the forks' layers do not look at it, and know the size from the bottom"
IDLE = {
    **{("RegionLoss", field): DARKNET for field in ("side", "jitter", "absolute", "random")},
    **{("Yolov3", field): DARKNET for field in ("side", "noobject_scale")},
    **{("YoloDetectionOutput", field): DARKNET for field in ("side", "coords")},
    ("YoloDetectionOutput", "label_map_file"): "names the classes for files that the fork's layer does not write",
    ("AnnotatedData", "label_map_file"): "names the classes for tools; SSD's layer only remembers it",
    ("DetectNetTransformation", "coverage_type"): "has one value",
    **{(kind, "engine"): ONE_IMPLEMENTATION for kind in ENGINES},
    **{(kind, "force_nd_im2col"): ONE_IMPLEMENTATION for kind in CONVOLVING},
    **{("DetectionOutput", field): VISUALIZE for field in ("visualize_threshold", "save_file")},
    **{("Im2col", field): CONVOLUTIONS for field in ("num_output", "bias_term", "group", "weight_filler", "bias_filler")},
}


INPUT = 'layer { name: "in" type: "Input" top: "x" input_param { shape { dim: 4 dim: 3 dim: 2 dim: 2 } } }'
TWO = 'layer { name: "in" type: "Input" top: "x" top: "z" input_param { shape { dim: %s } shape { dim: %s } } }'
BALANCED = TWO % ("2 dim: 1 dim: 3 dim: 4", "2 dim: 1 dim: 3 dim: 4") + (
    'layer { name: "other" type: "%s" include { stage: "never" } } '
    'layer { name: "test" type: "SigmoidCrossEntropyLoss" bottom: "x" bottom: "z" top: "y" }'
)
EXAMPLES = {  # nets of types that nobody has recorded
    "AutoCrop": INPUT + 'layer { name: "test" type: "AutoCrop" bottom: "x" bottom: "x" top: "y" }',
    "SigmoidCrossEntropyLoss/hed": BALANCED % "ImageLabelmapData",
    "SigmoidCrossEntropyLoss/rcf": BALANCED % "AutoCrop",
    "FocalLoss": TWO % ("4 dim: 3", "4") + 'layer { name: "test" type: "FocalLoss" bottom: "x" bottom: "z" top: "y" }',
    "Proposal": TWO
    % ("1 dim: 2 dim: 3 dim: 4", "1 dim: 4 dim: 3 dim: 4")
    + 'layer { name: "info" type: "Input" top: "i" input_param { shape { dim: 1 dim: 3 } } } '
    'layer { name: "test" type: "Proposal" bottom: "x" bottom: "z" bottom: "i" top: "y" '
    "proposal_param { ratio: 1 scale: 8 } }",
    "ROIAlign": TWO % ("1 dim: 2 dim: 5 dim: 5", "3 dim: 5")
    + 'layer { name: "test" type: "ROIAlign" bottom: "x" bottom: "z" top: "y" roi_align_param { pooled_h: 2 pooled_w: 2 } }',
    "SmoothL1Loss/normface": TWO % ("4 dim: 3", "4 dim: 3")
    + 'layer { name: "test" type: "SmoothL1Loss" bottom: "x" bottom: "z" top: "y" smoothl1_param { turn_point: 0.5 } }',
    "SmoothL1Loss/rfcn": TWO % ("4 dim: 3", "4 dim: 3")
    + 'layer { name: "test" type: "SmoothL1Loss" bottom: "x" bottom: "z" top: "y" top: "e" loss_weight: 1 loss_weight: 0 }',
    "Yolov3": TWO
    % ("1 dim: 7 dim: 3 dim: 3", "1 dim: 1 dim: 9 dim: 5")
    + 'layer { name: "test" type: "Yolov3" bottom: "x" bottom: "z" top: "y" '
    "yolov3_param { use_logic_gradient: true num: 1 num_class: 2 mask: 0 biases: 10 biases: 14 } }",
    "BatchNorm/normface": INPUT
    + 'layer { name: "test" type: "BatchNorm" bottom: "x" top: "y" batch_norm_param { disable_mean: true } }',
    "BatchNorm/intel": INPUT
    + 'layer { name: "test" type: "BatchNorm" bottom: "x" top: "y" batch_norm_param { use_weight_bias: true } }',
    "CtcLoss": TWO
    % ("3 dim: 2 dim: 4", "2 dim: 2")
    + 'layer { name: "test" type: "CtcLoss" bottom: "x" bottom: "z" top: "y" '
    "ctc_loss_param { alphabet_size: 4 time_step: 3 } }",
    "DetectNetTransformation": TWO
    % ("2 dim: 3 dim: 8 dim: 9", "2 dim: 1 dim: 3 dim: 16")
    + 'layer { name: "test" type: "DetectNetTransformation" bottom: "x" bottom: "z" top: "y" top: "w" '
    "transform_param { mean_value: 1 } detectnet_augmentation_param { crop_prob: 1 scale_prob: 1 } }",
    "DiceCoefLoss": TWO % ("2 dim: 3 dim: 2", "2 dim: 1 dim: 2")
    + 'layer { name: "test" type: "DiceCoefLoss" bottom: "x" bottom: "z" top: "y" }',
    "ContinuationIndicator": INPUT + 'layer { name: "test" type: "ContinuationIndicator" bottom: "x" top: "y" '
    "continuation_indicator_param { time_step: 2 } }",
    "Gather": INPUT + 'layer { name: "test" type: "Gather" bottom: "x" top: "y" }',
    "Scatter": INPUT + 'layer { name: "test" type: "Scatter" bottom: "x" top: "y" }',
    "SegAccuracy": TWO % ("1 dim: 2 dim: 3 dim: 4", "1 dim: 1 dim: 3 dim: 4")
    + 'layer { name: "test" type: "SegAccuracy" bottom: "x" bottom: "z" top: "y" }',
    "LabelsequenceAccuracy": TWO % ("2 dim: 3 dim: 4", "2 dim: 2")
    + 'layer { name: "test" type: "LabelsequenceAccuracy" bottom: "x" bottom: "z" top: "y" }',
    "GroupNorm": INPUT + 'layer { name: "test" type: "GroupNorm" bottom: "x" top: "y" group_norm_param { num_groups: 3 } }',
    **{kind: INPUT + f'layer {{ name: "test" type: "{kind}" bottom: "x" top: "y" }}' for kind in ("HSwish", "HardSwish")},
    **{kind: INPUT + f'layer {{ name: "test" type: "{kind}" bottom: "x" top: "y" }}' for kind in ("Insanity", "Mish")},
    **{
        f"Detection{name}": TWO
        % ("2 dim: 6 dim: 3 dim: 4", "2 dim: 6 dim: 3 dim: 4")
        + f'layer {{ name: "test" type: "Detection{name}" bottom: "x" bottom: "z" top: "y" {tops} detection_{low}_param {{ '
        "cls_num: 2 field_w: 8 field_h: 8 downsample_rate: 8 } }"
        for name, low, tops in (("Loss", "loss", ""), ("Accuracy", "accuracy", 'top: "i"'))
    },
    "BboxAccuracy": TWO
    % ("3 dim: 8", "3 dim: 5")
    + 'layer { name: "m" type: "Input" top: "m" input_param { shape { dim: 3 dim: 6 } } } '
    'layer { name: "test" type: "BboxAccuracy" bottom: "x" bottom: "z" bottom: "m" top: "y" }',
    "BoxOutput": TWO
    % ("1 dim: 6 dim: 3 dim: 4", "1")
    + 'layer { name: "test" type: "BoxOutput" bottom: "x" top: "y" box_output_param { '
    "field_w: 8 field_h: 8 downsample_rate: 8 } }",
    "DecodeBBox": TWO % ("3 dim: 8", "3 dim: 5")
    + 'layer { name: "test" type: "DecodeBBox" bottom: "x" bottom: "z" top: "y" }',
    "ProposalTarget": TWO
    % ("3 dim: 5", "2 dim: 7")
    + 'layer { name: "test" type: "ProposalTarget" bottom: "x" bottom: "z" top: "a" top: "b" top: "c" top: "d" top: "e" '
    'top: "f" top: "g" proposal_target_param { cls_num: 2 img_width: 64 img_height: 64 } }',
    "ROIAlign/mscnn": TWO % ("1 dim: 2 dim: 5 dim: 5", "3 dim: 5")
    + 'layer { name: "test" type: "ROIAlign" bottom: "x" bottom: "z" top: "y" '
    "roi_pooling_param { pooled_h: 2 pooled_w: 2 } }",
    "Reverse": INPUT + 'layer { name: "test" type: "Reverse" bottom: "x" top: "y" reverse_param { axis: 1 } }',
    "Transpose": INPUT + 'layer { name: "test" type: "Transpose" bottom: "x" top: "y" '
    "transpose_param { dim: [3, 2, 0, 1] } }",
    "SeLu": INPUT + 'layer { name: "test" type: "SeLu" bottom: "x" top: "y" }',
    "SpatialDropout": INPUT + 'layer { name: "test" type: "SpatialDropout" bottom: "x" top: "y" }',
}


class Recorder:
    """A message that remembers which of its fields were asked for, and hands on everything else."""

    def __init__(self, message: Message, asked: set[str], name: str = ""):
        self.__dict__.update(message=message, asked=asked, name=name)

    def __getattr__(self, field: str) -> Any:
        value = getattr(self.message, field)
        if field not in self.message.DESCRIPTOR.fields_by_name:
            return value
        self.asked.add(f"{self.name}{field}")
        if isinstance(self.message, LayerParameter) and field.endswith("_param"):
            return Recorder(value, self.asked, f"{field}.")
        return value

    def HasField(self, field: str) -> bool:
        self.asked.add(f"{self.name}{field}")
        return bool(self.message.HasField(field))


def recording(kind: LayerType, asked: set[str]) -> LayerType:
    """The type with a class that looks at its settings through a Recorder."""
    init = kind.build.__init__

    @functools.wraps(init)
    def watched(self: Any, message: Message, *more: Any, **settings: Any) -> None:
        settings = {
            name: Recorder(value, asked, f"{name}.") if isinstance(value, Message) else value
            for name, value in settings.items()
        }
        name = "" if isinstance(message, LayerParameter) else f"{kind.param}."
        init(self, Recorder(message, asked, name), *more, **settings)

    return replace(kind, build=type(kind.build.__name__, (kind.build,), {"__init__": watched}))


def texts(kind: LayerType) -> Iterator[tuple[str, str]]:
    """Recorded nets with a layer of this type: (phase, text)."""
    if kind.name in EXAMPLES:
        yield "TRAIN", EXAMPLES[kind.name]
        return
    if "/" in kind.name and (found := fork_texts(kind.name)):  # other cases of the word mean another type
        yield from found
        return
    if (path := recorded_at(kind)).exists():
        with np.load(path) as file:
            recorded = json.loads(file["cases"].tobytes()).values()
        yield from ((case["phase"], case["prototxt"]) for case in recorded)
        return
    if kind.name == "ImageGtData":
        yield "TRAIN", OBJECTS
        return
    if word(kind) == "ImageLabelmapData":
        rcf = 'layer { name: "cut" type: "AutoCrop" bottom: "data" bottom: "data" top: "y" }' * kind.name.endswith("rcf")
        yield "TRAIN", LABELMAPS % ("normalize: true" * kind.name.endswith("dss")) + rcf
        return
    if kind.name in ("ImageSegData", "VideoData"):  # of which nothing is recorded
        yield "TRAIN", PAIRS if kind.name == "ImageSegData" else FRAMES
    if found := fork_texts(kind.name):
        yield from found
        return
    for recorded in (GOLDEN / "data_layers", FORKS):
        for case in json.loads((recorded / "cases.json").read_text()).values():
            if f'type: "{word(kind)}"' in case["net"]:
                yield case.get("phase", "TEST"), case["net"]


def folder(kind: LayerType) -> Path:
    if word(kind) in ("AnnotatedData", "DenseImageData", "ImageGtData", "ImageLabelmapData", "ImageSegData", "VideoData"):
        return FORKS
    return recorded_at(kind).parent if recorded_at(kind).exists() else GOLDEN / "data_layers" / "source"


def word(kind: LayerType) -> str:
    """The type as texts name it: BN, also for BN/segnet."""
    return kind.name.partition("/")[0]


def recorded_at(kind: LayerType) -> Path:
    """`BN_segnet.npz` for BN/segnet, or `BN.npz`; of BVLC's cases or the forks'."""
    stems = (kind.name.replace("/", "_"), word(kind))
    paths = [GOLDEN / folder / f"{stem}.npz" for stem in stems for folder in ("layers", "forks/layers")]
    return next((path for path in paths if path.exists()), paths[0])


def used_names(kind: LayerType) -> set[str]:
    """The keyword-only arguments that a function's body mentions."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(kind.build)))
    wanted = {p.name for p in inspect.signature(kind.build).parameters.values() if p.kind is p.KEYWORD_ONLY}
    return wanted & {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}


def asked_fields(kind: LayerType, monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """`pooling_param.stride`, ...: what the type's code reads over all recorded configurations."""
    if not kind.is_class:
        text = inspect.getsource(kind.build)
        direct = {f"{kind.param}.{field.name}" for field in parameters(kind) if f"{kind.param}.{field.name}" in text}
        return direct | {f"{kind.param}.{name}" for name in used_names(kind)}
    asked: set[str] = set()
    monkeypatch.setitem(registry._types, kind.name, recording(kind, asked))
    for phase, text in texts(kind):
        net = Net.from_text(text, phase=phase)
        if kind.source and kind.name != "MemoryData":
            net.next_batch()
        net.close()
    return asked


def parameters(kind: LayerType) -> list[FieldDescriptor]:
    return list(catalogue.messages(kind)[kind.param].fields) if kind.param else []


def another(field: FieldDescriptor) -> Any:
    """A value that is not the field's default."""
    if field.enum_type is not None:
        return next(value.number for value in field.enum_type.values if value.number != field.default_value)
    if field.cpp_type == field.CPPTYPE_STRING:
        return "x"
    if field.cpp_type == field.CPPTYPE_BOOL:
        return not field.default_value
    return 1 if catalogue.is_repeated(field) else field.default_value + 1


def with_field(kind: LayerType, message: str, field: FieldDescriptor) -> tuple[str, str]:
    """The first recorded net, with a value for the field that is not its default."""
    phase, text = next(texts(kind))
    net, _ = prototxt.parse(text, NetParameter)
    layer = next(layer for layer in net.layer if layer.type == word(kind))
    target = getattr(layer, message)
    if field.message_type is not None and catalogue.is_repeated(field):
        getattr(target, field.name).add()
    elif field.message_type is FillerParameter.DESCRIPTOR:
        getattr(target, field.name).CopyFrom(FillerParameter(type="gaussian"))
    elif field.message_type is not None:
        getattr(target, field.name).SetInParent()
    elif catalogue.is_repeated(field):
        getattr(target, field.name).append(another(field))
    else:
        setattr(target, field.name, another(field))
    return phase, prototxt.to_text(net)


@pytest.mark.parametrize("name", [name for name in layer_types() if name not in BY_HAND])
def test_every_field(name, monkeypatch, caplog):
    kind = layer_types()[name]
    monkeypatch.chdir(folder(kind))
    asked = asked_fields(kind, monkeypatch)
    for message, descriptor in catalogue.messages(kind).items():
        for field in descriptor.fields:
            if (name, field.name) in IDLE or (descriptor.name, field.name) in forks.ENGINE_FIELDS:
                assert f"{message}.{field.name}" not in asked, f"{name} reads {field.name} after all: take it out of IDLE"
            elif f"{message}.{field.name}" not in asked:
                phase, text = with_field(kind, message, field)
                if name not in registered(text):  # the field makes it another Caffe's type
                    continue
                caplog.clear()
                try:
                    with closing(Net.from_text(text, phase=phase)) as net:
                        if name not in {node.kind.name for node in net.nodes}:
                            continue  # the field tells that another dialect's type of this name is meant
                except Error as error:
                    assert field.name in error.message, f"{message}.{field.name} is not named: {error}"
                else:
                    warned = [r.getMessage() for r in caplog.records if r.levelno >= logging.WARNING]
                    assert any(field.name in line for line in warned), f"{name} ignores {message}.{field.name}"


@pytest.mark.parametrize("name", [name for name, kind in layer_types().items() if not kind.is_class])
def test_functions_use_what_they_take(name):
    kind = layer_types()[name]
    taken = {p.name for p in inspect.signature(kind.build).parameters.values() if p.kind is p.KEYWORD_ONLY}
    assert used_names(kind) == taken


def test_the_reasons_are_about_fields_that_there_are():
    for name, field in IDLE:
        assert field in {f.name for f in parameters(layer_types()[name])}
