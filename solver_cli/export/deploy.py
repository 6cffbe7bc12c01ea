"""The deploy net of a train net: Input for data, what losses end in for losses, nothing that only training needs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from solver_cli.caffe_pb2 import LayerParameter, NetParameter
from solver_cli.data.absent import AbsentData
from solver_cli.errors import ConfigError, DataError, Where
from solver_cli.net import plan as _plan  # noqa: F401 - registers every layer
from solver_cli.registry import LayerType, Shape, lookup
from solver_cli.text import dialects
from solver_cli.text.netspec import LayerSpec, NetSpec, filter_layers, insert_splits
from solver_cli.text.prototxt import Place

ENDS = {  # what a loss ends in where nobody learns any more; others end in their scores
    "SoftmaxWithLoss": "Softmax",
    "SoftmaxWithLossOHEM": "Softmax",
    "InfogainLoss": "Softmax",
    "FocalLoss": "Softmax",
    "SigmoidCrossEntropyLoss": "Sigmoid",
}
SCORES = {"ContrastiveLoss": 2, "TripletLoss": 3, "MultiBoxLoss": 3}  # bottoms of a loss that the net makes: 1 unless said
MEASURES = {"Accuracy", "DetectionEvaluate"}
TRAINING = ("param", "loss_weight", "include", "exclude", "propagate_down", "phase")  # what only training looks at

Layer = tuple[LayerParameter, Place]
Blob = tuple[str, int]  # its name, and how many layers have made it before: those that work in place are some


@dataclass(eq=False)
class Step:
    """A layer that the rules kept, and the blobs that it reads and makes."""

    spec: LayerSpec
    kind: LayerType
    bottoms: list[Blob]
    tops: list[Blob]

    @property
    def is_entry(self) -> bool:
        return self.kind.source or self.kind.name == "Input"

    @property
    def measures(self) -> bool:
        return self.kind.loss or self.kind.name in MEASURES

    @property
    def silences(self) -> bool:
        """Whether all it does is that its bottoms are no results."""
        return self.kind.name == "Silence"

    @property
    def weight(self) -> float:
        return next(iter(self.spec.param.loss_weight), 1.0)

    @property
    def scores(self) -> list[Blob]:
        """The bottoms of a loss that the net has worked out."""
        return self.bottoms[: SCORES.get(self.spec.param.type, 1)]


def deploy(net: NetSpec, shapes: Sequence[Shape] = (), only: str | None = None) -> NetSpec:
    """The net as people write it by hand to use it: what it makes of its data in its state, up to the probabilities.

    Of several losses the heaviest count; heads of lighter ones go. `shapes`: of its inputs, in order; left out they are
    those of one record of the data layers. `only`: the one blob that it will be given; all that comes of it stays, all else
    goes. Raises ConfigError.
    """
    steps = list(_steps(net))
    if only is not None:
        steps = list(_made_of(steps, only))
    losses = [step for step in steps if step.kind.loss]
    main = [step for step in losses if only is not None or step.weight == max(step.weight for step in losses)]
    kept = _kept(steps, main)
    wanted = {blob for step in kept for blob in step.bottoms} | {blob for step in main for blob in step.scores}
    if not any(not step.is_entry for step in kept):
        raise ConfigError("no layer is left: none computes anything of its data in the TEST phase", Where(net.file))
    layers = list(_inputs([step for step in steps if step.is_entry], wanted, shapes))
    layers += [(_plain(step.spec.param), step.spec.place) for step in kept if not step.is_entry]
    layers += _silent(steps, kept)
    for step in main:
        layers += _end(step, [layer for layer, _ in layers])
    _without_dropout(layers)
    made = _net_of(net, layers)
    _check_words(made, kept)
    return made


@dataclass
class Trunk:
    """What a net computes of its data in its state, and the losses and measures that it ends in.

    `net` holds, beside, the layers (`aside`) that make ready what only the heads read, such as labels. `unread`: layers that
    have gone.
    """

    net: NetSpec
    heads: list[Step]
    aside: set[str]
    unread: list[Step]


def trunk(net: NetSpec, shapes: Sequence[Shape] = ()) -> Trunk:
    """The trunk of the net. `shapes`: of its inputs, in order. Raises ConfigError."""
    steps = list(_steps(net))
    heads = [step for step in steps if step.measures]
    losses = [step for step in heads if step.kind.loss]
    core = _kept(steps, losses)
    behind = _behind([blob for step in heads for blob in step.bottoms], {blob: step for step in steps for blob in step.tops})
    aside = [step for step in steps if step in behind and not step.is_entry and step not in core and not step.measures]
    kept = [step for step in steps if not step.is_entry and (step in core or step in aside)]
    wanted = {blob for step in kept for blob in step.bottoms} | {blob for step in losses for blob in step.scores}
    layers = list(_inputs([step for step in steps if step.is_entry], wanted, shapes))
    for step in kept:
        layer = LayerParameter()
        layer.CopyFrom(step.spec.param)
        for name in ("include", "exclude", "loss_weight"):
            layer.ClearField(name)
        _without_results(layer)
        layers.append((layer, step.spec.place))
    layers += _silent(steps, kept)
    unread = [step for step in steps if not (step.is_entry or step in kept or step.measures or step.silences)]
    return Trunk(_net_of(net, layers), heads, {step.spec.param.name for step in aside}, unread)


def joined(train: Trunk, test: Trunk) -> tuple[NetSpec, set[str], set[str]]:
    """One net of both phases, and the names of its layers aside and of those that only testing has.

    Raises ConfigError where the net is another one in testing, but for layers behind it and its inputs' batches.
    """
    learned, used = (
        [layer for layer, _ in _layers(each) if layer.name not in each.aside and layer.type != "Silence"]
        for each in (train, test)
    )
    more = [layer for layer in used if layer not in learned]
    tops = {top for layer in learned for top in layer.top}
    alike = [layer for layer in used if layer in learned] == learned and not any(tops & set(x.top) for x in more)
    known = {layer.name: layer for layer, _ in _layers(test)}
    ready = [pair for pair in _layers(train) if pair[0].name in train.aside]
    if not alike or any(known.get(layer.name, layer) != layer for layer, _ in ready):
        where = Where(train.net.file)
        raise ConfigError("the net has other layers in testing than in training: export its deploy net", where)
    names = {layer.name for layer in test.net.param.layer}
    entries = [pair for pair in _layers(train, True) if pair[0].name not in names]
    added = [pair for pair in ready if pair[0].name not in names]
    net = _net_of(test.net, [*entries, *_layers(test, True), *_layers(test), *added])
    return net, train.aside | test.aside, {layer.name for layer in more}


def _layers(trunk: Trunk, entries: bool = False) -> list[Layer]:
    """The layers with their places: the Input layers, or the others."""
    places = trunk.net.place.children["layer"]
    pairs = zip(trunk.net.param.layer, places, strict=True)
    return [(layer, place) for layer, place in pairs if (layer.type == "Input") == entries]


def _net_of(net: NetSpec, layers: Sequence[Layer]) -> NetSpec:
    """A net of `layers` with the name, file and dialect of `net`."""
    param = NetParameter(name=net.param.name, layer=[layer for layer, _ in layers])
    return replace(net, param=param, place=Place(children={"layer": [place for _, place in layers]}))


def _steps(net: NetSpec) -> Iterator[Step]:
    """The layers that the net's state keeps, their blobs told apart. Raises ConfigError."""
    made: Counter[str] = Counter()
    layers = filter_layers(net)
    insert_splits(layers, net.param)  # says which bottom nobody makes
    for spec in dialects.tell(net, layers):
        try:
            kind = lookup(spec.kind or spec.param.type)
        except ConfigError as error:
            raise spec.locate(error) from None
        bottoms = [(name, made[name]) for name in spec.param.bottom]
        made.update(spec.param.top)
        yield Step(spec, kind, bottoms, [(name, made[name]) for name in spec.param.top])


def _made_of(steps: list[Step], entry: str) -> Iterator[Step]:
    """The layer that gives the blob `entry`, what can be made of that alone, and the losses and measures of what is made."""
    made: set[Blob] = set()
    for step in steps:
        if step.is_entry and entry in step.spec.param.top and not made:
            step.tops = [blob for blob in step.tops if blob[0] == entry]
        elif step.is_entry or not (step.silences or set(step.scores if step.kind.loss else step.bottoms) <= made):
            continue
        made.update(step.tops)
        yield step


def _kept(steps: list[Step], main: list[Step]) -> list[Step]:
    """What the scores of the losses `main` come from, and what else is a result of the same data."""
    made = {blob: step for step in steps for blob in step.tops}
    read = {blob for step in steps if not (step.measures or step.silences) for blob in step.bottoms}
    silenced = {blob for step in steps if step.silences for blob in step.bottoms}
    aside = {blob for step in steps if step.kind.loss and step not in main and step.weight for blob in step.scores}
    scores = [blob for step in main for blob in step.scores]
    core = _behind(scores, made)
    data = _entries(scores, core, made)
    for step in steps:
        result = set(step.tops) - silenced and not (read | aside) & set(step.tops)
        if result and not (step.measures or step.is_entry):
            behind = _behind(step.tops, made)
            if not main or _entries(step.tops, behind, made) <= data:
                core |= behind
    return [step for step in steps if step in core]


def _silent(steps: list[Step], kept: list[Step]) -> Iterator[Layer]:
    """The Silence layers, for those of their bottoms that are still made."""
    made = {blob for step in kept for blob in step.tops}
    for step in steps:
        if step.silences and (bottoms := [blob[0] for blob in step.bottoms if blob in made]):
            yield LayerParameter(name=step.spec.param.name, type="Silence", bottom=bottoms), step.spec.place


def _behind(blobs: Iterable[Blob], made: dict[Blob, Step]) -> set[Step]:
    """The layers that `blobs` come from."""
    found: set[Step] = set()
    todo = list(blobs)
    while todo:
        step = made.get(todo.pop())
        if step and step not in found:
            found.add(step)
            todo += step.bottoms
    return found


def _entries(blobs: Iterable[Blob], behind: set[Step], made: dict[Blob, Step]) -> set[Blob]:
    """The blobs of data that `blobs` come from."""
    return {b for b in [*blobs, *(b for step in behind for b in step.bottoms)] if b in made and made[b].is_entry}


def _check_words(made: NetSpec, kept: list[Step]) -> None:
    """Refuse a net whose words mean something else without the layers that have gone."""
    meant = {step.spec.param.name: step for step in kept}
    for step in _steps(made):
        before = meant.get(step.spec.param.name, step)
        if before.kind is not step.kind and not before.is_entry:
            before.spec.fail(
                f"it is {before.kind.name}, but in the deploy net the text says {step.kind.name}: give --dialect"
            )


# -- inputs ---------------------------------------------------------------------------------------------------------


def _inputs(entries: list[Step], wanted: set[Blob], shapes: Sequence[Shape]) -> Iterator[Layer]:
    """An Input layer for each blob of data that is wanted. Raises ConfigError."""
    tops = [(step, i) for step in entries for i, blob in enumerate(step.tops) if blob in wanted]
    names = [step.tops[i][0] for step, i in tops]
    if shapes and len(shapes) != len(tops):
        raise ConfigError(f"{len(shapes)} shape(s) for the {len(tops)} input(s) ({', '.join(names)}): give one for each")
    for number, ((step, i), name) in enumerate(zip(tops, names, strict=True)):
        layer = LayerParameter(name=name, type="Input", top=[name])
        layer.input_param.shape.add(dim=shapes[number] if shapes else _shape(step, i))
        yield layer, step.spec.place


def _shape(step: Step, top: int) -> Shape:
    """The shape of one record of a data layer's top, or of an Input layer's as it stands."""
    param = step.spec.param
    if step.kind.name == "Input":
        declared = param.input_param.shape
        return tuple(declared[top if len(declared) > 1 else 0].dim)
    try:
        try:
            source = step.kind.build(param, False, np.random.default_rng(0))
        except DataError as error:
            source = AbsentData(param, error)
        source.close()
    except DataError as error:
        step.spec.fail(f"its shapes are not known without its data: give --shape ({error.message})")
    return (1, *source.shapes[top][1:])


# -- layers ---------------------------------------------------------------------------------------------------------


def _plain(param: LayerParameter) -> LayerParameter:
    """The layer without what only training looks at; names of shared blobs stay."""
    layer = LayerParameter()
    layer.CopyFrom(param)
    for name in TRAINING:
        layer.ClearField(name)
    _without_results(layer)
    if any(spec.name for spec in param.param):
        for spec in param.param:
            layer.param.add().CopyFrom(spec)
            layer.param[-1].ClearField("lr_mult")
            layer.param[-1].ClearField("decay_mult")
    for field, message in layer.ListFields() if param.type not in dialects.WORDS else ():  # fillers tell whose word it is
        if field.message_type is not None and field.name.endswith("_param"):
            for inner, _ in message.ListFields():
                if inner.name == "filler" or inner.name.endswith("_filler"):
                    message.ClearField(inner.name)
    return layer


def _without_results(layer: LayerParameter) -> None:
    """Take out what a test writes for its judges."""
    if layer.HasField("detection_output_param"):
        layer.detection_output_param.ClearField("save_output_param")


def _end(loss: Step, layers: list[LayerParameter]) -> Iterator[Layer]:
    """What the loss ends in, unless the net has it already."""
    kind = ENDS.get(loss.spec.param.type)
    (bottom, _), *_ = loss.scores
    if kind is None or any(layer.type == kind and list(layer.bottom) == [bottom] for layer in layers):
        return
    taken = {layer.name for layer in layers} | {top for layer in layers for top in layer.top}
    name = "prob" if "prob" not in taken else f"{loss.spec.param.name}_prob"
    name = loss.spec.param.top[1] if len(loss.spec.param.top) > 1 else name  # the loss gives them itself
    layer = LayerParameter(name=name, type=kind, bottom=[bottom], top=[name])
    if (axis := _class_axis(loss.spec.param)) != 1:
        layer.softmax_param.axis = axis
    yield layer, loss.spec.place


def _class_axis(param: LayerParameter) -> int:
    if param.type == "InfogainLoss":
        return param.infogain_loss_param.axis
    return param.softmax_param.axis if param.type == "SoftmaxWithLoss" else 1


def _without_dropout(layers: list[Layer]) -> None:
    """Take out the Dropout layers that pass values on as they are."""
    for pair in [pair for pair in layers if pair[0].type in ("Dropout", "SpatialDropout")]:
        layer, settings = pair[0], pair[0].dropout_param
        (bottom,), (top,) = layer.bottom, layer.top
        others = sum(bottom in other.bottom for other, _ in layers)
        if settings.sample_weights_test or not settings.scale_train or (top != bottom and others > 1):
            continue
        layers.remove(pair)
        for other, _ in layers:
            for blobs in (other.bottom, other.top):
                blobs[:] = [bottom if name == top else name for name in blobs]
