"""Fields that forks of Caffe have added: which of them choose how an old engine works, and which are not honoured yet.

Whoever teaches a layer, a data source or the solver a field takes it out of NOT_YET. Where some types that share a message
know a field and others do not, it stays there, and KNOWN_TO names the types that do.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

from solver_cli import log
from solver_cli.caffe_pb2 import LayerParameter, NetParameter, SolverParameter
from solver_cli.errors import ConfigError, Where
from solver_cli.registry import find
from solver_cli.text.netspec import LayerSpec, NetSpec

Rows = dict[str, dict[str, str]]  # {fork: {message: its fields}}

# Chosen here by the hardware, the options of the command line, or not at all.
ENGINE: Rows = {
    "NVCaffe": {
        "BatchNormParameter": "engine",
        "ConvolutionParameter": "cudnn_convolution_algo_seeker conv_algos_override",
        "DataParameter": "threads parser_threads cache precache",
        "DropoutParameter": "engine",
        "ImageDataParameter": "threads cache precache",
        "LayerParameter": "debug",
        "NetParameter": "default_conv_algos_override reduce_buckets eltwise_mem_sharing",
        "SolverParameter": "solver_data_type store_blobs_in_old_format per_parameter_reduce",
        "TransformationParameter": "display",
    },
    "Intel": {
        "ConcatParameter": "engine",
        "ConvolutionParameter": "conv_algorithm",
        "EltwiseParameter": "engine",
        "InnerProductParameter": "engine",
        "LayerParameter": "engine multinode mn_grad_compress_param quantization_param",
        "NetParameter": "engine multinode compile_net_state",
        "ReLUParameter": "fuse",
        "SolverParameter": "engine",
        "SplitParameter": "engine",
    },
    "yjxiong": {
        "BNParameter": "engine",
        "NetParameter": "mem_param",
        "SolverParameter": "group_id richness",
    },
    "jolibrain": {
        "ConvolutionParameter": "cudnn_flavor",
        "FocalLossParameter": "engine",
    },
    "FlowNet2": {
        "DataParameter": "disk_reader_threads verbose",
        "LayerParameter": "reshape_every_iter",
    },
    "ParseNet": {
        "SolverParameter": "log_avg_gradient_norm",
    },
    "chuanqi305": {
        "ReLU6Parameter": "engine",
    },
    "py-RFCN-priv": {
        "DeformableConvolutionParameter": "engine",
    },
    "DeconvNet": {
        "UnpoolingParameter": "engine",
    },
}

# In the forks' lists of fields, but their code never looks at them, or only where it makes no difference to what is learned.
UNREAD: Rows = {
    "DeepLab": {"ImageDataParameter": "has_label", "SegAccuracyParameter": "metric"},
    "FlowNet2": {"DataParameter": "huge_video_dataset limit_samples"},
    "NVCaffe": {
        "DetectNetAugmentationParameter": "resize_param noise_param distort_param expand_param emit_constraint",
        "MultiBoxLossParameter": "ignore_difficult_gt",
        "PoolingParameter": "torch_pooling",
        "TransformationParameter": "num_labels",
    },
    "ParseNet": {"SolverParameter": "test_before_snapshot"},
}

# The net or the solver that sets one is refused.
NOT_YET: Rows = {
    "Cascade R-CNN": {
        "ProposalTargetParameter": "bbox_thr_lw bbox_thr_hg pickup_discard append_gtbox",
    },
    "DeconvNet": {
        "ImageDataParameter": "other_object_label",
    },
    "DeepLab": {
        "BatchNormParameter": "update_global_stats",
        "EuclideanLossParameter": "type",
        "ImageDataParameter": "max_labels",
        "LayerParameter": "softmaxloss_param",
    },
    "FlowNet2": {
        "DataParameter": (
            "preselection_file preselection_label range_start range_end rand_permute "
            "rand_permute_order rand_permute_seed slice_point encoding subtract permute_every_iter block_size"
        ),
        "FillerParameter": "diag_val",
    },
    "Intel": {
        "BatchNormParameter": "use_weight_bias bias_term filler stats_batch_size relu",
        "ConcatParameter": "per_fla_fuse",
        "ConvolutionParameter": "relu negative_slope coeff fusion_type",
        "DataParameter": "side",
        "PoolingParameter": "pad_3d kernel_size_3d stride_3d avg_include_pad axis",
        "ReshapeParameter": "pixelshuffler",
        "TransformationParameter": "bgr2rgb pad",
    },
    "MobileNet-YOLO": {
        "AnnotatedDataParameter": "difficult_label_warmup",
        "TransformationParameter": (
            "enable_classf_aug min_scaling_factor max_scaling_factor max_rotation_angle contrast_brightness_adjustment "
            "smooth_filtering min_contrast max_contrast max_brightness_shift max_smooth max_color_shift min_side_min "
            "min_side_max min_side apply_probability debug_params cvt_bgr2rgb"
        ),
    },
    "NVCaffe": {
        "BatchNormParameter": "scale_filler bias_filler scale_bias",
        "DropoutParameter": "random_seed",
        "ImageDataParameter": "dataset_share_per_node",
        "LossParameter": "label_smoothing",
        "SolverParameter": "larc_turbo test_and_snapshot_last_epochs",
    },
    "NormFace": {
        "BatchNormParameter": "disable_mean disable_variance",
        "CenterLossParameter": "distance_type",
        "ConvolutionParameter": "shape_offset",
        "DropoutParameter": "sqrt_scale",
        "ImageDataParameter": (
            "face_transform max_shear_ratio max_aspect_ratio max_rotate_angle min_random_scale max_random_scale "
            "max_random_shift face_mirror face_point_num balance_class balance_by label_cut_start label_cut_end"
        ),
        "MemoryDataParameter": "transpose",
        "PoolingParameter": "blobs_lr blobs_a_min",
        "SoftmaxParameter": "hard_ratio class_weight hard_mining_label cutting_point normalize_type label_smooth_factor",
        "TransformationParameter": "center_crop erase_ratio scale_min scale_max aspect_min aspect_max",
    },
    "ParseNet": {
        "BNParameter": "var_eps moving_average decay across_spatial",
        "ConvolutionParameter": "filter_stride filter_stride_h filter_stride_w",
        "DataParameter": "shuffle_buffer_size",
        "NormalizeParameter": "fix_scale",
        "PoolingParameter": "bin_size bin_h bin_w",
        "ResizeParameter": "center_object max_angle",
        "SaltPepperParameter": "type",
        "TransformationParameter": "vertical_mirror random_90_deg_rot",
        "UnpoolingParameter": (
            "out_pad out_pad_h out_pad_w out_kernel_size out_kernel_h out_kernel_w out_stride out_stride_h out_stride_w"
        ),
    },
    "R-FCN": {
        "LossParameter": "pre_fixed_normalizer",
    },
    "SegNet": {
        "LossParameter": "weight_by_label_freqs class_weighting",
    },
    "YOLO2": {
        "DataParameter": "num_label",
        "DetectionOutputParameter": "side classes num_box coords nms_threshold biases label_map_file",
        "RegionLossParameter": "num_label",
        "RegionParameter": "num biases",
    },
    "caffe-pro": {
        "ConvolutionParameter": "filterwise_ratio",
        "FilterParamter": "axis num_output",
        "TransposeParameter": "n c h w",
    },
    "chuanqi305": {
        "ConvolutionParameter": "tf_pad",
        "PriorBoxParameter": "reduce_boxes",
    },
    "community": {
        "FocalLossParameter": "gama",
        "ROIAlignParameter": "position_sensitive num_roi_per_image roi_end_mode",
    },
    "jolibrain": {
        "DenseImageDataParameter": "rotate one_hot_nclasses",
        "DiceCoefLossParameter": "weights contour_shape contour_size contour_amplitude",
        "DetectionEvaluateParameter": "output_logits",
        "DetectionOutputParameter": "objectness_score output_logits",
        "DistortionParameter": "prob brightness contrast hue saturation random_order all_effects",
        "FocalLossParameter": "axis",
        "HDF5DataParameter": "image",
        "ImageDataParameter": "label_size",
        "InterpParameter": "mode",
        "MultiBoxLossParameter": "objectness_score",
        "NoiseParameter": "all_effects",
        "NonMaximumSuppressionParameter": "soft_nms theta",
        "SoftmaxParameter": "scaling_temperature",
        "SolverParameter": "lr_dropout",
        "TransformationParameter": "geometry_param rotate untransformed_top",
    },
    "warp-ctc": {
        "CtcLossParameter": "output_delay blank_index preprocess_collapse_repeated ctc_merge_repeated loss_calculation_t",
        "DataParameter": "task_class_num",
        "ImageDataParameter": "task_class_num regression",
        "MemoryDataParameter": "label_size",
        "TransformationParameter": "add_noise noise_ratio",
    },
    "yjxiong": {
        "ReductionParameter": "k",
        "TransformationParameter": "original_image stride upper_size upper_height upper_width",
    },
}

# Values of BVLC's enums, by the field that takes them.
NOT_YET_VALUES: Rows = {
    "jolibrain": {"DiceCoefLossParameter.generalization": "MULTICLASS_WEIGHTED_ALL"},
    "NormFace": {
        "EltwiseParameter.operation": "SORT",
        "PoolingParameter.pool": "DEF DEF_ALL DEF_ALL2 DEF_ALL3 DEF_ALL4 LOWRES",
    },
    "ParseNet": {"DataParameter.backend": "DATUMFILE"},
    "R-FCN": {"LossParameter.normalization": "PRE_FIXED"},
    "yjxiong": {"EltwiseParameter.operation": "STOCHASTIC_SUM", "ReductionParameter.operation": "TOPK"},
}

# {field of NOT_YET: types, by the names that the registry has, that honour it all the same}
_CONVOLUTIONS = {"Convolution", "ConvolutionDepthwise", "DepthwiseConvolution"}
_OHEM = {"SmoothL1LossOHEM", "SmoothL1Loss/rfcn", "SoftmaxWithLossOHEM", "SoftmaxWithLoss/rfcn"}
KNOWN_TO: dict[str, set[str]] = {
    "BatchNormParameter.scale_filler": {"BatchNorm/nvcaffe"},
    "BatchNormParameter.bias_filler": {"BatchNorm/nvcaffe", "BatchNorm/intel"},
    "BatchNormParameter.scale_bias": {"BatchNorm/nvcaffe"},
    "BatchNormParameter.disable_mean": {"BatchNorm/normface"},
    "BatchNormParameter.disable_variance": {"BatchNorm/normface"},
    "BatchNormParameter.use_weight_bias": {"BatchNorm/intel"},
    "BatchNormParameter.bias_term": {"BatchNorm/intel"},
    "BatchNormParameter.filler": {"BatchNorm/intel"},
    "BatchNormParameter.stats_batch_size": {"BatchNorm/intel"},
    "BatchNormParameter.relu": {"BatchNorm/intel"},
    **{f"ConvolutionParameter.{name}": _CONVOLUTIONS for name in ("relu", "negative_slope")},
    "DropoutParameter.sqrt_scale": {"Dropout"},
    "LossParameter.label_smoothing": {"SoftmaxWithLoss"},
    "SoftmaxParameter.scaling_temperature": {"Softmax"},
    "TransformationParameter.bgr2rgb": {"ImageData"},
    "LossParameter.weight_by_label_freqs": {"SoftmaxWithLoss/segnet"},
    "LossParameter.class_weighting": {"SoftmaxWithLoss/segnet"},
    "LossParameter.normalization": _OHEM,
    "LossParameter.pre_fixed_normalizer": _OHEM,
}
# What more there is to say of a field or value that is refused: why, or what to do instead.
WHY = {
    "AnnotatedDataParameter.difficult_label_warmup": "what a record gives does not hang on the iteration here: "
    "train_diffcult says whether difficult objects count",
    "BatchNormParameter.update_global_stats": "statistics that are used cannot be learned in the same pass here: set lr and "
    "use_global_stats for one of them",
    "ConcatParameter.per_fla_fuse": "it is of graphs that Intel's own tools have fused for 8-bit inference: train the net "
    "that they were made from",
    "ConvolutionParameter.coeff": "it is of sums that Intel's tools have fused into a convolution: write the Eltwise layer",
    "ConvolutionParameter.fusion_type": "it is of sums that Intel's tools have fused into a convolution: write the Eltwise "
    "layer",
    "DropoutParameter.random_seed": "it seeds cuDNN's own draws: the solver's random_seed makes all draws repeatable",
    "ImageDataParameter.dataset_share_per_node": "it shares a list among machines: give this one a list of its own",
    "LayerParameter.softmaxloss_param": "in SoftmaxWithLoss one ignore_label is taken, without a weight_source",
    "LossParameter.label_smoothing": "NVCaffe knows it in SoftmaxWithLoss",
    "LossParameter.normalization": "R-FCN knows it in SoftmaxWithLoss, SmoothL1Loss and their OHEM kinds",
    "LossParameter.pre_fixed_normalizer": "R-FCN knows it in SoftmaxWithLoss, SmoothL1Loss and their OHEM kinds",
    "PoolingParameter.pad_3d": "pooling over three spatial axes is not there",
    "PoolingParameter.kernel_size_3d": "pooling over three spatial axes is not there",
    "PoolingParameter.stride_3d": "pooling over three spatial axes is not there",
    "SolverParameter.larc_turbo": "it makes larc follow how gradients and their history agree, on GPUs only, with a factor "
    "that NVCaffe marks as unfinished: leave it out, or set larc alone",
    "SolverParameter.test_and_snapshot_last_epochs": "it counts epochs of NVCaffe's readers: set test_interval and snapshot",
    "TransformationParameter.bgr2rgb": "Intel knows it in ImageData",
    "TransformationParameter.original_image": "it needs pictures of their own sizes in one database: resize them beforehand",
    "TransformationParameter.pad": "it pads for a convolution that Intel's tools have changed: train the net that they were "
    "made from",
}
FORKS_VALUES = 1001  # numbers from here on, in enums of BVLC's, are forks' values
APART = ("layer", "layers", "blobs", "net_param", "train_net_param", "test_net_param")  # no settings, or looked at alone


def check_net(net: NetSpec, layers: Sequence[LayerSpec]) -> None:
    """Refuse what is not honoured yet, at its place; say in one line what needs nothing done. Raises ConfigError."""
    for path, words in refused(net.param):
        where = net.place.where(net.file, path) if net.place.line or net.place.children else Where(net.file)
        raise ConfigError(words, where)
    for layer in layers:
        kind = find(layer.kind or layer.param.type, packages=False)
        for path, words in refused(layer.param, layer.kind or layer.param.type):
            if kind is None or not kind.knows(re.split(r"[.\[]", path)[0]):
                layer.fail(words, path)
    tell(net.param, *(layer.param for layer in layers))


def refused(message: Message, kind: str = "") -> Iterator[tuple[str, str]]:
    """(path, words) of each field that is set and not honoured yet; `kind`: the registry's name of a layer's type."""
    for path, owner, field, value in _fields(message):
        if kind in KNOWN_TO.get(f"{owner}.{field.name}", ()):
            continue
        if fork := NOT_YET_FIELDS.get((owner, field.name)):
            yield path, f"field '{field.name}' (of {fork}'s fork) is not supported{_why(owner, field)}"
        elif field.enum_type is not None and not _repeated(value):
            name = field.enum_type.values_by_number[value].name
            if fork := _VALUES.get((f"{owner}.{field.name}", name)):
                yield path, f"{field.name}: {name} (of {fork}'s fork) is not supported{_why(owner, field)}"


def _why(owner: str, field: FieldDescriptor) -> str:
    why = WHY.get(f"{owner}.{field.name}")
    return f": {why}" if why else " yet"


def tell(*messages: Message) -> None:
    """Log in one line the fields that are set and choose how an old engine works; in another those that mean nothing."""
    if which := _named(ENGINE_FIELDS, messages):
        does = "choose" if which[1] > 1 else "chooses"
        log.info("net.cpp", f"Of {which[0]} {does} how an old engine works; nothing to do here")
    if which := _named(UNREAD_FIELDS, messages):
        does = "have" if which[1] > 1 else "has"
        log.warning("net.cpp", f"Of {which[0]} {does} no effect, as in the fork, whose code never looks there")


def _named(fields: dict[tuple[str, str], str], messages: Sequence[Message]) -> tuple[str, int] | None:
    """Which of `fields` are set, with the names of their forks, and how many."""
    found = {
        (fields[owner, field.name], field.name)
        for message in messages
        for _, owner, field, _ in _fields(message)
        if (owner, field.name) in fields
    }
    if not found:
        return None
    forks, names = ({pair[i] for pair in found} for i in (0, 1))
    return f"{'/'.join(sorted(forks))}: field{'s' * (len(names) > 1)} {', '.join(sorted(names))}", len(names)


def means_something(kind: str, message: str, field: str) -> bool:
    """Whether a layer of this registered type looks at the message's field: False for what is accepted or refused here."""
    known = kind in KNOWN_TO.get(f"{message}.{field}", ())
    idle = (message, field) in ENGINE_FIELDS or (message, field) in UNREAD_FIELDS
    return not idle and (known or (message, field) not in NOT_YET_FIELDS)


def values(field: FieldDescriptor) -> list[str]:
    """The names of an enum field's values, without those of forks that are refused or only choose an engine."""
    assert field.enum_type is not None and field.containing_type is not None
    owner = f"{field.containing_type.name}.{field.name}"
    engine = field.enum_type.name == "Engine"
    return [
        value.name
        for value in field.enum_type.values
        if (owner, value.name) not in _VALUES and not (engine and value.number >= FORKS_VALUES)
    ]


def _fields(message: Message, path: str = "") -> Iterator[tuple[str, str, FieldDescriptor, Any]]:
    """(path, name of its message, field, value) of all settings that are not what they are without being set."""
    for field, value in message.ListFields():
        if field.name in APART and isinstance(message, (NetParameter, LayerParameter, SolverParameter)):
            continue
        if field.has_default_value and not _repeated(value) and value == field.default_value:
            continue
        at = path + field.name
        yield at, message.DESCRIPTOR.name, field, value
        if field.message_type is not None:
            for i, inner in enumerate(value if _repeated(value) else [value]):
                yield from _fields(inner, f"{at}[{i}].")


def _repeated(value: Any) -> bool:
    return hasattr(value, "MergeFrom") and not isinstance(value, Message)


def _by_field(rows: Rows) -> dict[tuple[str, str], str]:
    found = ((fork, message, fields) for fork, messages in rows.items() for message, fields in messages.items())
    return {(message, field): fork for fork, message, fields in found for field in fields.split()}


ENGINE_FIELDS, UNREAD_FIELDS = _by_field(ENGINE), _by_field(UNREAD)
NOT_YET_FIELDS, _VALUES = _by_field(NOT_YET), _by_field(NOT_YET_VALUES)
