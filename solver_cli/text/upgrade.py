"""Old formats -> today's messages, in place, with Caffe's log lines: V0, V1, `input` fields, BatchNorm, solver types.

The tree of places follows the message: afterwards its `layer` children stand one for one beside the net's layers, and a
field that got a new name is found under it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from google.protobuf.message import Message

from solver_cli import log
from solver_cli.caffe_pb2 import LayerParameter, NetParameter, SolverParameter, V1LayerParameter
from solver_cli.errors import ConfigError, nearest
from solver_cli.text.prototxt import Place

SITE = "upgrade_proto.cpp:"


def upgrade_net(net: NetParameter, file: str, place: Place | None = None) -> bool:
    """Upgrade `net`, read from `file`, and the places of its fields; False if something in it had to be left out.

    Raises ConfigError where Caffe aborts, where it would read past a list's end, and where it would lose whole layers.
    """
    place = Place() if place is None else place
    clean = True
    for step in _STEPS:
        if not step.needed(net):
            continue
        log.info(step.attempt[0], f"Attempting to upgrade {step.attempt[1]}: {file}")
        if step.upgrade(net, file, place):
            log.info(step.success[0], f"Successfully upgraded {step.success[1]}")
        else:
            clean = False
            log.error(f"{SITE}33", f"Warning: had one or more problems upgrading {_V0_PROBLEM}")
        if step.note:
            log.warning(step.note[0], f"Note that future Caffe releases will {step.note[1]}")
    return clean


def net_needs_upgrade(net: NetParameter) -> bool:
    """Whether anything in `net` is of an old format."""
    return any(step.needed(net) for step in _STEPS)


def upgrade_solver(solver: SolverParameter, file: str) -> bool:
    """Turn `solver_type` into `type`. Raises ConfigError if both are set."""
    if not solver_needs_upgrade(solver):
        return True
    old = "'solver_type' field (enum)"
    log.info(f"{SITE}1084", f"Attempting to upgrade input file specified using deprecated {old}': {file}")
    if solver.HasField("type"):
        raise ConfigError("solver_type and type are both set: keep type, remove solver_type", field="solver_type")
    solver.type = _SOLVER_TYPES[solver.solver_type]
    solver.ClearField("solver_type")
    log.info(f"{SITE}1091", f"Successfully upgraded file specified using deprecated {old} to 'type' field (string).")
    log.warning(
        f"{SITE}1093", "Note that future Caffe releases will only support 'type' field (string) for a solver's type."
    )
    return True


def solver_needs_upgrade(solver: SolverParameter) -> bool:
    """Whether `solver` names its type by number."""
    return solver.HasField("solver_type")


_SOLVER_TYPES = {
    SolverParameter.SGD: "SGD",
    SolverParameter.NESTEROV: "Nesterov",
    SolverParameter.ADAGRAD: "AdaGrad",
    SolverParameter.RMSPROP: "RMSProp",
    SolverParameter.ADADELTA: "AdaDelta",
    SolverParameter.ADAM: "Adam",
    SolverParameter.SAG: "SAG",  # NVCaffe's
}


# -- V0: `layers { layer { ... } }` --------------------------------------------------------------------------------

_SAME_IN_V1 = (
    "accuracy bnll concat data dropout euclidean_loss flatten hdf5_data hdf5_output im2col infogain_loss lrn "
    "multinomial_logistic_loss relu sigmoid softmax softmax_loss split tanh window_data"
)
# type -> V1 type, whose message took over the type's fields
_V0_TYPES = {name: name.upper() for name in _SAME_IN_V1.split()} | {
    "conv": "CONVOLUTION",
    "images": "IMAGE_DATA",
    "innerproduct": "INNER_PRODUCT",
    "pool": "POOLING",
}

ANY = ("any",)  # in place of types: all may have it, and its new home is transform_param

# field -> (its new name in the type's message, the types it belongs to, Caffe's line that says it belongs to no other)
_V0_FIELDS: dict[str, tuple[str, tuple[str, ...], int]] = {
    "num_output": ("num_output", ("conv", "innerproduct"), 237),
    "biasterm": ("bias_term", ("conv", "innerproduct"), 249),
    "weight_filler": ("weight_filler", ("conv", "innerproduct"), 261),
    "bias_filler": ("bias_filler", ("conv", "innerproduct"), 273),
    "pad": ("pad", ("conv", "pool"), 283),
    "kernelsize": ("kernel_size", ("conv", "pool"), 295),
    "group": ("group", ("conv",), 304),
    "stride": ("stride", ("conv", "pool"), 316),
    "pool": ("pool", ("pool",), 341),
    "dropout_ratio": ("dropout_ratio", ("dropout",), 350),
    "local_size": ("local_size", ("lrn",), 359),
    "alpha": ("alpha", ("lrn",), 367),
    "beta": ("beta", ("lrn",), 375),
    "k": ("k", ("lrn",), 383),
    "scale": ("scale", ANY, 0),
    "meanfile": ("mean_file", ANY, 0),
    "cropsize": ("crop_size", ANY, 0),
    "mirror": ("mirror", ANY, 0),
    "source": ("source", ("data", "hdf5_data", "images", "window_data", "infogain_loss"), 403),
    "batchsize": ("batch_size", ("data", "hdf5_data", "images", "window_data"), 429),
    "rand_skip": ("rand_skip", ("data", "images"), 449),
    "shuffle_images": ("shuffle", ("images",), 458),
    "new_height": ("new_height", ("images",), 467),
    "new_width": ("new_width", ("images",), 476),
    "concat_dim": ("concat_dim", ("concat",), 485),
    "det_fg_threshold": ("fg_threshold", ("window_data",), 494),
    "det_bg_threshold": ("bg_threshold", ("window_data",), 504),
    "det_fg_fraction": ("fg_fraction", ("window_data",), 514),
    "det_context_pad": ("context_pad", ("window_data",), 524),
    "det_crop_mode": ("crop_mode", ("window_data",), 534),
    "hdf5_output_param": ("", ("hdf5_output",), 544),  # becomes the type's message
    "new_num": ("new_num", (), 467),  # of a reshape that V0 never had: Caffe drops these two without a word
    "new_channels": ("new_channels", (), 467),
}
_V0_SAME = ("name", "blobs", "blobs_lr", "weight_decay")


def _is_v0(net: NetParameter) -> bool:
    return any(layer.HasField("layer") for layer in net.layers)


def _upgrade_v0(net: NetParameter, file: str, place: Place) -> bool:
    """`layers` of V0 become `layers` of V1; their include rules and loss weights get lost, as in Caffe."""
    if net.layer:
        raise _two_styles(file, place)
    places = _aligned(place, "layers", len(net.layers))
    _fold_padding(net, file, places)
    old = NetParameter(layers=net.layers)
    net.ClearField("layers")
    place.children["layers"] = kept = []
    clean = True
    for layer, at in zip(old.layers, places, strict=True):
        if layer.layer.type != "padding":
            clean &= _upgrade_v0_layer(layer, net.layers.add(), file, at)
            kept.append(at)
    return clean


def _fold_padding(net: NetParameter, file: str, places: list[Place]) -> None:
    """A conv or pool layer above a padding layer takes over its pad and its bottom."""
    maker: dict[str, V1LayerParameter | None] = dict.fromkeys(net.input)
    for layer, place in zip(net.layers, places, strict=True):
        who = f"layer '{layer.layer.name or layer.name}' ({layer.layer.type})"
        if not layer.HasField("layer"):
            text = f"layer '{layer.name}': its settings must be inside layer {{ }}, as in the other layers of this V0 net"
            raise ConfigError(text, place.where(file))
        for index, blob in enumerate(layer.bottom):
            if blob not in maker:
                text = f"{who}: unknown bottom blob '{blob}'{nearest(blob, maker)}"
                raise ConfigError(text, place.where(file, f"bottom[{index}]"))
            source = maker[blob]
            if source is None or source.layer.type != "padding":
                continue
            problem = ""
            if layer.layer.type not in ("conv", "pool"):
                problem = f"bottom '{blob}' is the top of a padding layer, which only conv and pool take"
            elif not len(layer.bottom) == len(source.bottom) == len(source.top) == 1:
                problem = f"with the padding layer '{source.layer.name}' below, both must take one bottom and give one top"
            if problem:
                raise ConfigError(f"{who}: {problem}", place.where(file, f"bottom[{index}]"))
            layer.layer.pad = source.layer.pad
            layer.bottom[index] = source.bottom[0]
        maker |= dict.fromkeys(layer.top, layer)


def _upgrade_v0_layer(layer: V1LayerParameter, new: V1LayerParameter, file: str, place: Place) -> bool:
    """Fill `new` from the V0 settings inside `layer`; False, and an error in the log, for fields of other types."""
    old = layer.layer
    outer, inner = place.children, place.find("layer").children if "layer" in place.children else {}
    place.children = {name: inner[name] for name in (*_V0_SAME, "type") if name in inner}
    for name in ("bottom", "top"):
        _copy(layer, name, new, name)
        place.children[name] = outer.get(name, [])
    for name in _V0_SAME:
        _copy(old, name, new, name)
    param = ""
    if old.HasField("type"):
        if old.type not in _V0_TYPES:
            text = f"layer '{old.name}' ({old.type}): unknown layer type '{old.type}'{nearest(old.type, _V0_TYPES)}"
            raise ConfigError(text, place.where(file, "type"))
        new.type = V1LayerParameter.LayerType.Value(_V0_TYPES[old.type])
        param = f"{_V0_TYPES[old.type].lower()}_param"
    clean = True
    for name in filter(old.HasField, _V0_FIELDS):
        new_name, types, line = _V0_FIELDS[name]
        if types is ANY or old.type in types:
            _move(old, name, new, ("transform_param" if types is ANY else param, new_name), place, inner.get(name, []))
        else:
            told = "shuffle" if name == "shuffle_images" else name
            log.error(f"{SITE}{line}", f"Unknown parameter {told} for layer type {old.type}")
            clean = False
    return clean


# -- transformation fields of V1 data layers ------------------------------------------------------------------------

_DATA_PARAMS = {
    V1LayerParameter.DATA: "data_param",
    V1LayerParameter.IMAGE_DATA: "image_data_param",
    V1LayerParameter.WINDOW_DATA: "window_data_param",
}
_TRANSFORM = ("scale", "mean_file", "crop_size", "mirror")


def _has_old_transform(net: NetParameter) -> bool:
    return any(
        getattr(layer, _DATA_PARAMS[layer.type]).HasField(name)
        for layer in net.layers
        if layer.type in _DATA_PARAMS
        for name in _TRANSFORM
    )


def _upgrade_transform(net: NetParameter, file: str, place: Place) -> bool:
    """scale, mean_file, crop_size and mirror move to transform_param."""
    for layer, at in zip(net.layers, _aligned(place, "layers", len(net.layers)), strict=True):
        if layer.type not in _DATA_PARAMS:
            continue
        param = _DATA_PARAMS[layer.type]
        old = getattr(layer, param)
        old.SetInParent()
        layer.transform_param.SetInParent()
        for name in _TRANSFORM:
            if old.HasField(name):
                inside = at.children.get(param, [Place()])[0]
                _move(old, name, layer, ("transform_param", name), at, inside.children.pop(name, []))
                old.ClearField(name)
    return True


# -- V1: `layers` ---------------------------------------------------------------------------------------------------

_TODAY = (
    "AbsVal Accuracy ArgMax BNLL Concat ContrastiveLoss Convolution Data Deconvolution Dropout DummyData Eltwise "
    "EuclideanLoss Exp Flatten HDF5Data HDF5Output HingeLoss Im2col ImageData InfogainLoss InnerProduct LRN MVN "
    "MemoryData MultinomialLogisticLoss Pooling Power ReLU Sigmoid SigmoidCrossEntropyLoss Silence Slice Softmax Split "
    "TanH Threshold WindowData"
)
_FORKS = (
    "AdaptiveBiasChannel BN BatchNorm BiasChannel CensorLabel ChannelAggregator Crop DeformableConvolution DenseCRF "
    "DominantChannel DropoutChannel EltwiseAccuracy EltwiseAffine FrcnnAnchorTarget FrcnnProposal FrcnnProposalTarget "
    "GainChannel Histogram IgnoreOverlay ImageSegData Insanity Interp Local MatRead MatWrite Normalize OneHot Padding "
    "ParseEvaluate ParseOutput ROIPooling ReLU6 ReLUX RedAccuracy RelativeError SeLu SeLuDropout SegAccuracy "
    "SelectSegBinary TripletLoss UniqueLabel Unpooling WindowClsData WindowInstSegData WindowSegBinary WindowSegData"
)
_V1_TYPES = {name.upper(): name for name in f"{_TODAY} {_FORKS}".split()} | {
    **{"SOFTMAXLOSS": "SoftmaxWithLoss", "BINACCURACY": "BinaryAccuracy", "DICELOSS": "DiceCoefLoss", "NONE": ""},
    "REDSOFTMAXLOSS": "RedSoftmaxWithLoss",
}
_V1_SPECS = {"param": "name", "blob_share_mode": "share_mode", "blobs_lr": "lr_mult", "weight_decay": "decay_mult"}


def _is_v1(net: NetParameter) -> bool:
    return len(net.layers) > 0


def _upgrade_v1(net: NetParameter, file: str, place: Place) -> bool:
    """`layers` become `layer`: types by name, one `param` for each learned blob."""
    if net.layer:
        raise _two_styles(file, place)
    for layer, at in zip(net.layers, _aligned(place, "layers", len(net.layers)), strict=True):
        _upgrade_v1_layer(layer, net.layer.add(), at)
    net.ClearField("layers")
    place.children["layer"] = place.children.pop("layers")
    return True


def _upgrade_v1_layer(old: V1LayerParameter, new: LayerParameter, place: Place) -> None:
    """Fields keep their names, but for the type and the lists beside the blobs."""
    for field, _ in old.ListFields():
        if field.name not in _V1_SPECS and field.name != "type":
            _copy(old, field.name, new, field.name)
    if old.HasField("type"):
        new.type = _V1_TYPES[V1LayerParameter.LayerType.Name(old.type).replace("_", "")]
    specs: list[Place] = []
    for name, new_name in _V1_SPECS.items():
        values, places = getattr(old, name), place.children.pop(name, [])
        for index, value in enumerate(values):
            at = places[index] if index < len(places) else place
            if index == len(new.param):
                new.param.add()
                specs.append(replace(at, children={}))
            setattr(new.param[index], new_name, value)
            specs[index].children[new_name] = [at]
    if specs:
        place.children["param"] = specs


# -- `input` fields, BatchNorm --------------------------------------------------------------------------------------


def _has_input(net: NetParameter) -> bool:
    return len(net.input) > 0


def _upgrade_input(net: NetParameter, file: str, place: Place) -> bool:
    """An Input layer in front replaces the fields; without any shape they just go, as in old files of weights."""
    count, shapes, dims = len(net.input), len(net.input_shape), len(net.input_dim)
    found, name, wanted = (shapes, "input_shape", count) if shapes else (dims, "input_dim", 4 * count)
    if found:
        if found < wanted:
            text = f"{count} input needs {wanted} {name}, but there are {found}"
            raise ConfigError(text, place.where(file, name))
        if found > wanted:
            log.warning(f"{SITE}69", f"{file}: only the first {wanted} of {found} {name} are used, for {count} input")
        layer = LayerParameter(name="input", type="Input", top=net.input)
        for i in range(count):
            shape = layer.input_param.shape.add()
            if shapes:
                shape.CopyFrom(net.input_shape[i])
            else:
                shape.dim.extend(net.input_dim[4 * i : 4 * i + 4])
        net.layer.insert(0, layer)
        _place_input(place, len(net.layer) - 1, name, wanted // count)
    for old in ("input", "input_shape", "input_dim"):
        net.ClearField(old)
        place.children.pop(old, None)
    return True


def _place_input(place: Place, layers: int, name: str, step: int) -> None:
    """The Input layer stands where the first `input` field does."""
    tops, shapes = place.children.get("input", []), place.children.get(name, [])[::step]
    first = replace(tops[0], children={"top": tops}) if tops else Place()
    if shapes:
        first.children["input_param"] = [replace(shapes[0], children={"shape": shapes})]
    place.children["layer"] = [first, *_aligned(place, "layer", layers)]


def _has_old_batch_norm(net: NetParameter) -> bool:
    return any(map(_is_old_batch_norm, net.layer))


def _is_old_batch_norm(layer: LayerParameter) -> bool:
    return layer.type == "BatchNorm" and len(layer.param) == 3


def _upgrade_batch_norm(net: NetParameter, file: str, place: Place) -> bool:
    """Three `param` were the way to keep the statistics from being learned; their factors become 0."""
    for layer in filter(_is_old_batch_norm, net.layer):
        for spec in layer.param:
            spec.lr_mult = spec.decay_mult = 0
    return True


# -- all steps, fields, places --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Step:
    """One upgrade and what Caffe logs around it: (place in Caffe's source, words)."""

    needed: Callable[[NetParameter], bool]
    upgrade: Callable[[NetParameter, str, Place], bool]
    attempt: tuple[str, str]
    success: tuple[str, str]
    note: tuple[str, str] | None = None


_V0_PROBLEM = "V0NetParameter to NetParameter (see above); continuing anyway."
_V0_NOTE = (
    "not support V0NetParameter; use ./build/tools/upgrade_net_proto_text for prototxt and "
    "./build/tools/upgrade_net_proto_binary for model weights upgrade this and any other net protos to the new format."
)
_STEPS = (
    _Step(
        _is_v0,
        _upgrade_v0,
        (f"{SITE}28", "input file specified using deprecated V0LayerParameter"),
        (f"{SITE}36", "file specified using deprecated V0LayerParameter"),
        (f"{SITE}39", _V0_NOTE),
    ),
    _Step(
        _has_old_transform,
        _upgrade_transform,
        (f"{SITE}46", "input file specified using deprecated transformation parameters"),
        (f"{SITE}49", "file specified using deprecated data transformation parameters."),
        (f"{SITE}51", "only support transform_param messages for transformation fields."),
    ),
    _Step(
        _is_v1,
        _upgrade_v1,
        (f"{SITE}55", "input file specified using deprecated V1LayerParameter"),
        (f"{SITE}63", "file specified using deprecated V1LayerParameter"),
    ),
    _Step(
        _has_input,
        _upgrade_input,
        (f"{SITE}69", "input file specified using deprecated input fields"),
        (f"{SITE}72", "file specified using deprecated input fields."),
        (f"{SITE}74", "only support input layers and not input fields."),
    ),
    _Step(
        _has_old_batch_norm,
        _upgrade_batch_norm,
        (f"{SITE}79", "batch norm layers using deprecated params"),
        (f"{SITE}82", "batch norm layers using deprecated params."),
    ),
)


def _copy(old: Message, name: str, new: Message, new_name: str) -> None:
    """Set `new_name` of `new` if `name` of `old` is set; it may be repeated where the old one is not."""
    value: Any = getattr(old, name)
    target: Any = getattr(new, new_name)
    if not (hasattr(value, "append") or old.HasField(name)):
        return
    many = hasattr(target, "append")
    for item in value if hasattr(value, "append") else [value]:
        if isinstance(item, Message):
            (target.add() if many else target).CopyFrom(item)
        elif many:
            target.append(item)
        else:
            setattr(new, new_name, item)


def _move(old: Message, name: str, new: V1LayerParameter, path: tuple[str, str], place: Place, places: list[Place]) -> None:
    """Copy a field that stands at `places` to the field `path` of a layer and of its `place`."""
    message, new_name = path
    if not new_name:
        _copy(old, name, new, message)
        place.children[message] = places
        return
    _copy(old, name, getattr(new, message), new_name)
    if places:
        inside = place.children.setdefault(message, [replace(places[0], children={})])
        inside[0].children[new_name] = places


def _aligned(place: Place, name: str, count: int) -> list[Place]:
    """The `count` places of the field `name`; the place around them for those that are not known."""
    places = place.children.setdefault(name, [])
    places += [Place(place.line, place.column) for _ in range(count - len(places))]
    return places


def _two_styles(file: str, place: Place) -> ConfigError:
    text = 'the net has both `layer` and `layers`: write all as layer { type: "Name" ... }, or all in one old style'
    return ConfigError(text, place.where(file, "layers"))
