"""Types that two Caffes know under one name: whose is meant is told from the text, and from --dialect where the text cannot.

A row gives the name under which the registry has that implementation, such as BN/segnet; logs, errors and snapshots go on
saying BN. Where one implementation serves several forks, their rows give the same name.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

from google.protobuf.message import Message

from solver_cli import log
from solver_cli.caffe_pb2 import LayerParameter, NetParameter
from solver_cli.errors import ConfigError, nearest
from solver_cli.text import aligned, deeplab
from solver_cli.text.netspec import LayerSpec, NetSpec

BVLC = "bvlc"


@dataclass(frozen=True)
class Row:
    """One meaning of a word. A layer has it if it sets one of `fields`, or has as many bottoms or tops.

    A field may end in `=VALUE`. Of several rows that fit, the first counts. `usual`: the meaning where nothing tells.
    """

    word: str
    dialect: str
    fields: str = ""
    bottoms: int | None = None
    tops: int | None = None
    usual: bool = False
    beside: str = ""  # `Type` or `Type:field` of any layer of the file, several of which must be there joined by `+`
    registered: str = ""  # the name in the registry, where it is not word/dialect

    @property
    def name(self) -> str:
        return self.registered or (self.word if self.dialect == BVLC else f"{self.word}/{self.dialect}")

    def sign(self, layer: LayerParameter, net: NetParameter) -> str:
        """What in the layer's text, or in the other layers', tells that this is meant; "" if nothing does."""
        for field in self.fields.split():
            if _has(layer, field):
                return f"{field.rpartition('.')[2]} in layer '{layer.name}'"
        for role, count in (("bottom", self.bottoms), ("top", self.tops)):
            if count is not None and len(getattr(layer, role)) == count:
                return f"{count} {role}{'s' * (count > 1)} in layer '{layer.name}'"
        for signs in self.beside.split():
            if all(any(_is(other, sign) for other in net.layer) for sign in signs.split("+")):
                return f"beside {signs.replace('+', ' and ').replace(':', ' with ')}"
        return ""


RCF = "AutoCrop ImageLabelmapData+Crop:crop_param"  # HED's Crop has no settings
ROWS = (
    Row("BN", "parsenet", "bn_param.var_eps bn_param.moving_average bn_param.decay bn_param.across_spatial"),
    Row("BN", "segnet", "bn_param.scale_filler bn_param.shift_filler bn_param.bn_mode"),
    Row(
        "BN",
        "yjxiong",  # PSPNet's too
        "bn_param.slope_filler bn_param.bias_filler bn_param.momentum bn_param.eps bn_param.frozen bn_param.engine",
        usual=True,
    ),
    Row(
        "BatchNorm",
        "intel",
        "batch_norm_param.use_weight_bias batch_norm_param.bias_term batch_norm_param.filler batch_norm_param.relu "
        "batch_norm_param.stats_batch_size",
    ),
    Row(
        "BatchNorm",
        "nvcaffe",
        "batch_norm_param.scale_bias batch_norm_param.scale_filler batch_norm_param.bias_filler",
    ),
    Row("BatchNorm", "normface", "batch_norm_param.disable_mean batch_norm_param.disable_variance"),
    Row("BatchNorm", BVLC, usual=True),
    Row("Crop", BVLC, "crop_param", beside="ImageLabelmapData:image_data_param.normalize"),
    Row("Crop", "hed", beside="ImageLabelmapData", registered="Crop"),
    Row("Crop", BVLC, usual=True),
    Row(
        "DetectionOutput",
        "yolo2",
        "detection_output_param.side detection_output_param.classes detection_output_param.num_box "
        "detection_output_param.coords detection_output_param.biases",
    ),
    Row("DetectionOutput", "ssd", usual=True, registered="DetectionOutput"),
    Row("ImageLabelmapData", "dss", "image_data_param.normalize"),
    Row("ImageLabelmapData", "rcf", beside=RCF),
    Row("ImageLabelmapData", "hed", usual=True),
    Row("L1Loss", "flownet2", "l1_loss_param"),
    Row("L1Loss", "nvcaffe", usual=True, registered="L1Loss"),
    Row("Normalize", "normface", "normalize_param"),
    Row("Normalize", "ssd", "norm_param", usual=True),
    Row("ROIAlign", "mscnn", "roi_pooling_param"),
    Row("ROIAlign", "py-rfcn-priv", usual=True, registered="ROIAlign"),
    Row("SigmoidCrossEntropyLoss", BVLC, "loss_param", beside="ImageLabelmapData:image_data_param.normalize"),
    Row("SigmoidCrossEntropyLoss", "rcf", beside=RCF),
    Row("SigmoidCrossEntropyLoss", "hed", beside="ImageLabelmapData"),
    Row("SigmoidCrossEntropyLoss", BVLC, usual=True),
    Row("SmoothL1Loss", "normface", "smoothl1_param"),
    Row("SmoothL1Loss", "rcnn", "smooth_l1_loss_param", bottoms=4),
    Row("SmoothL1Loss", "rfcn", "loss_param", tops=2),
    Row("SmoothL1Loss", "ssd"),
    Row("SmoothL1Loss", "rcnn", usual=True),
    Row("SoftmaxWithLoss", "segnet", "loss_param.weight_by_label_freqs loss_param.class_weighting"),
    Row("SoftmaxWithLoss", "rfcn", "loss_param.normalization=PRE_FIXED loss_param.pre_fixed_normalizer", tops=3),
    Row("SoftmaxWithLoss", BVLC, usual=True),
    Row("Upsample", "segnet", bottoms=2),
    Row("Upsample", "yolo", bottoms=1, usual=True),
)
WORDS = dict.fromkeys(row.word for row in ROWS)
DIALECTS = sorted({row.dialect for row in ROWS})
# Types that only one fork has: which dialect the other layers of a net speak.
ONLY_OF = {
    "AnnotatedData": "ssd",
    "BoxAnnotatorOHEM": "rfcn",
    "DenseImageData": "segnet",
    "DetectionEvaluate": "ssd",
    "FlowWarp": "flownet2",
    "LabelSpecificAdd": "normface",
    "MultiBoxLoss": "ssd",
    "PSROIPooling": "rfcn",
    "PriorBox": "ssd",
    "ROIPooling": "rcnn",
    "RegionLoss": "yolo",
    "Yolov3": "yolo",
}


def tell(net: NetSpec, layers: Sequence[LayerSpec]) -> list[LayerSpec]:
    """The layers with the names that the registry has for their types; how they were told is logged in one line.

    Raises ConfigError for a dialect (`net.dialect`) that there is not.
    """
    if net.dialect is not None and net.dialect not in DIALECTS:
        raise ConfigError(
            f"unknown dialect '{net.dialect}': expected one of {', '.join(DIALECTS)}{nearest(net.dialect, DIALECTS)}"
        )
    layers = [deeplab.translated(layer) if layer.param.HasField("softmaxloss_param") else layer for layer in layers]
    layers = _handed_down(net, layers)
    own = [_own(layer.param, net.param) for layer in layers]
    spoken = Counter(row.dialect for row, _ in filter(None, own))
    spoken.update(ONLY_OF[layer.param.type] for layer in layers if layer.param.type in ONLY_OF)
    told, notes, misfits = list[LayerSpec](), dict[str, None](), dict[str, list[int]]()
    for layer, found in zip(layers, own, strict=True):
        word = layer.param.type
        if word == "AutoCrop":
            layer = aligned.with_offset(layer, told)
        if word not in WORDS:
            told.append(layer)
            continue
        row, why = found or _by_the_net(word, own, layers, spoken) or _by_choice(word, net.dialect)
        if word == "Crop" and row.dialect != BVLC:
            layer = aligned.with_offset(layer, told)
        elif word == "Crop" and not layer.param.HasField("crop_param"):
            misfits[layer.param.name] = aligned.misfit(layer, told)
        told.append(replace(layer, kind=row.name))
        if row.dialect != BVLC:
            notes[f"{word} is {row.dialect}'s ({why})"] = None
    aligned.say({name: offsets for name, offsets in misfits.items() if offsets})
    if notes:
        log.info("net.cpp", f"Of types that more than one Caffe has, {', '.join(notes)}")
    return told


def _handed_down(net: NetSpec, layers: Sequence[LayerSpec]) -> list[LayerSpec]:
    """The layers with what the net says for all of a type: Intel's bn_stats_batch_size becomes each BatchNorm's own."""
    if not net.param.HasField("bn_stats_batch_size"):
        return list(layers)
    return [_with_statistics(layer, net.param) if layer.param.type == "BatchNorm" else layer for layer in layers]


def _with_statistics(layer: LayerSpec, net: NetParameter) -> LayerSpec:
    param = LayerParameter()
    param.CopyFrom(layer.param)
    param.batch_norm_param.stats_batch_size = net.bn_stats_batch_size
    return replace(layer, param=param)


def _own(layer: LayerParameter, net: NetParameter) -> tuple[Row, str] | None:
    """The meaning that the layer's own text tells, or a layer that only one fork has, and what tells it."""
    for row in ROWS:
        if row.word == layer.type and (sign := row.sign(layer, net)):
            return row, sign
    return None


def _by_the_net(
    word: str, own: Sequence[tuple[Row, str] | None], layers: Sequence[LayerSpec], spoken: Counter[str]
) -> tuple[Row, str] | None:
    """What the word's other layers tell, else, if BVLC has no such type, what the other types of the net tell.

    None if they tell nothing, or differ.
    """
    meanings = {row.dialect: row for row in reversed(ROWS) if row.word == word}
    same = {row.dialect: why for (row, why), layer in _told(own, layers) if layer.param.type == word}
    others = [dialect for dialect in meanings if spoken[dialect] and BVLC not in meanings]
    found = same or dict.fromkeys(others, "as other layers of the net are")
    if len(found) != 1:
        return None
    ((dialect, why),) = found.items()
    return meanings[dialect], why


def _told(own: Sequence[tuple[Row, str] | None], layers: Sequence[LayerSpec]) -> list[tuple[tuple[Row, str], LayerSpec]]:
    return [(found, layer) for found, layer in zip(own, layers, strict=True) if found]


def _by_choice(word: str, dialect: str | None) -> tuple[Row, str]:
    """The dialect that the user chose, if it has the word, else what the word usually means."""
    rows = [row for row in ROWS if row.word == word]
    for row in rows:
        if row.dialect == dialect:
            return row, "--dialect"
    return next(row for row in rows if row.usual), "nothing tells: --dialect chooses"


def _is(layer: LayerParameter, sign: str) -> bool:
    """Whether the layer has the type, and with `Type:field` sets the field."""
    word, _, field = sign.partition(":")
    return layer.type == word and (not field or _has(layer, field))


def _has(message: Message, path: str) -> bool:
    """Whether the message has the field of this path, with this value if it ends in `=VALUE`."""
    path, _, wanted = path.partition("=")
    name, _, rest = path.partition(".")
    value = getattr(message, name)
    if hasattr(value, "MergeFrom") and not isinstance(value, Message):  # repeated
        return len(value) > 0
    if not message.HasField(name):
        return False
    if rest:
        return _has(value, f"{rest}={wanted}" if wanted else rest)
    enum = message.DESCRIPTOR.fields_by_name[name].enum_type
    return not wanted or (enum is not None and enum.values_by_name[wanted].number == value)
