"""The text of a Caffe net from a PyTorch module, for the layers that Caffe has."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod
from typing import Any, NoReturn

import torch
from torch import Tensor, nn

from solver_cli.caffe_pb2 import EltwiseParameter, LayerParameter, NetParameter, PoolingParameter
from solver_cli.errors import ConfigError
from solver_cli.net.net import Net
from solver_cli.text import prototxt

Rule = Callable[..., None]  # (trace, node, *arguments of the operator)
RULES: dict[str, Rule] = {}


def to_prototxt(module: nn.Module, example: Tensor | Sequence[Tensor], weights: str | None = None) -> str:
    """The text of the deploy net that computes what `module` does, read by torch.export on `example`, its inputs.

    Layers are called like the modules, so the net's state dict has the module's names, but for normalisations, which are a
    BatchNorm and a Scale. `weights`: where to write the module's weights, a .caffemodel. Raises ConfigError, by the
    module's name, for what Caffe's layers do not say.
    """
    inputs = (example,) if isinstance(example, Tensor) else tuple(example)
    training = module.training
    try:
        program = torch.export.export(module.train(False), inputs)
    except (RuntimeError, ValueError, TypeError) as error:
        raise ConfigError(f"torch.export cannot read the module: {str(error).partition(chr(10))[0]}") from None
    finally:
        module.train(training)
    trace = Trace(program, type(module).__name__)
    for node in program.graph.nodes:
        trace.visit(node)
    text = prototxt.to_text(trace.net)
    if weights is not None:
        net = Net.from_text(text, "TEST")
        with torch.no_grad():
            for name, blobs in trace.blobs.items():
                for own, given in zip(net.params[name], blobs, strict=True):
                    own.copy_(given)
        net.save(weights)
    return text


class Trace:
    """A module's graph on its way to a net: `blobs` of each layer, and what the values of the graph are called."""

    def __init__(self, program: Any, name: str):
        signature = program.graph_signature
        self.net = NetParameter(name=name)
        self.blobs: dict[str, list[Tensor]] = {}
        self.tensors = {**program.state_dict, **program.constants}
        self.held = {**signature.inputs_to_parameters, **signature.inputs_to_buffers}
        self.values: dict[Any, str] = {}  # {node: its blob}
        self.node: Any = None

    def visit(self, node: Any) -> None:
        """Add the layers of one node of the graph."""
        self.node = node
        if node.op == "placeholder":
            if node.name not in self.held:
                layer = self.net.layer.add(name=node.name, type="Input", top=[node.name])
                layer.input_param.shape.add(dim=list(node.meta["val"].shape))
                self.values[node] = node.name
        elif node.op == "call_function":
            name = getattr(node.target, "overloadpacket", node.target).__name__
            in_place = name.endswith("_") and not name.endswith("__")
            rule = RULES.get(name.rstrip("_") if in_place else name)
            if rule is None:
                self.refuse("Caffe has no such layer")
            rule(self, node, *node.args, **node.kwargs)
            if in_place:  # whoever reads what it changed reads what it made
                self.values[node.args[0]] = self.values[node]

    @property
    def path(self) -> str:
        """The module that the node stands in, "" for the outermost."""
        stack = list((self.node.meta.get("nn_module_stack") or {}).values())
        return str(stack[-1][0]) if stack else ""

    def refuse(self, why: str) -> NoReturn:
        """Raise that the node cannot be said."""
        place = f"module '{self.path}'" if self.path else "the outermost module"
        raise ConfigError(f"{place}, {self.node.target}: {why}")

    def layer(self, kind: str, *inputs: Any, name: str = "", blobs: Sequence[Tensor] = ()) -> LayerParameter:
        """A new layer on the blobs of `inputs`, whose top is the node's value."""
        taken = {layer.name for layer in self.net.layer}
        own = name or (self.path if blobs else "") or self.node.name
        unused, number = own, 1
        while own in taken:
            number += 1
            own = f"{unused}_{number}"
        bottoms = [self.values.get(x) or self.refuse("reads a constant, where a blob is wanted") for x in inputs]
        made = self.net.layer.add(name=own, type=kind, bottom=bottoms, top=[own])
        if blobs:
            self.blobs[own] = list(blobs)
        self.values[self.node] = own
        return made

    def tensor(self, node: Any) -> Tensor | None:
        """A weight of the module."""
        if node is None:
            return None
        if node.name not in self.held:
            self.refuse("its weight is worked out, not learned")
        found: Tensor = self.tensors[self.held[node.name]]
        return found.detach()

    def shape(self, node: Any) -> list[int]:
        return [int(n) for n in node.meta["val"].shape]


def says(*names: str) -> Callable[[Rule], Rule]:
    """Register how Caffe says the operators `names` of torch."""

    def register(rule: Rule) -> Rule:
        RULES.update(dict.fromkeys(names, rule))
        return rule

    return register


def plainly(name: str, kind: str) -> None:
    RULES[name] = lambda t, node, x, *_, **__: t.layer(kind, x)


for _name, _kind in {"relu": "ReLU", "sigmoid": "Sigmoid", "tanh": "TanH", "abs": "AbsVal", "silu": "Swish"}.items():
    plainly(_name, _kind)


def _pair(values: Any) -> list[int]:
    found = [int(v) for v in values] if isinstance(values, (list, tuple)) else [int(values)]
    return found * 2 if len(found) == 1 else found


@says("conv2d", "conv1d", "conv3d")
def convolution(t: Trace, node: Any, x: Any, weight: Any, bias: Any = None, *more: Any, **told: Any) -> None:
    told = dict(zip(("stride", "padding", "dilation", "groups"), more, strict=False)) | told
    if isinstance(told.get("padding"), str):
        t.refuse("its padding is a word: give numbers")
    _filters(t, "Convolution", x, weight, bias, told)


@says("conv_transpose2d")
def deconvolution(t: Trace, node: Any, x: Any, weight: Any, bias: Any = None, *more: Any, **told: Any) -> None:
    told = dict(zip(("stride", "padding", "output_padding", "groups", "dilation"), more, strict=False)) | told
    if any(_pair(told.get("output_padding", 0))):
        t.refuse("Deconvolution has no output_padding: crop instead")
    _filters(t, "Deconvolution", x, weight, bias, told)


def _filters(t: Trace, kind: str, x: Any, weight: Any, bias: Any, told: dict[str, Any]) -> None:
    blobs = [blob for blob in (t.tensor(weight), t.tensor(bias)) if blob is not None]
    axes, groups = blobs[0].dim() - 2, told.get("groups", 1)
    param = t.layer(kind, x, blobs=blobs).convolution_param
    param.num_output = blobs[0].shape[0] if kind == "Convolution" else blobs[0].shape[1] * groups
    param.bias_term = len(blobs) > 1
    param.kernel_size.extend(_once(blobs[0].shape[2:]))
    for field, name, usual in (("stride", "stride", 1), ("pad", "padding", 0), ("dilation", "dilation", 1)):
        each = (_pair(told.get(name, usual)) * axes)[:axes]
        if set(each) != {usual}:
            getattr(param, field).extend(_once(each))
    if groups != 1:
        param.group = groups


def _once(values: Sequence[int]) -> list[int]:
    """The values, one of them if all are equal."""
    return [values[0]] if len(set(values)) == 1 else list(values)


@says("linear")
def linear(t: Trace, node: Any, x: Any, weight: Any, bias: Any = None) -> None:
    blobs = [blob for blob in (t.tensor(weight), t.tensor(bias)) if blob is not None]
    told = t.layer("InnerProduct", x, blobs=blobs).inner_product_param
    told.num_output, told.bias_term = blobs[0].shape[0], len(blobs) > 1
    if len(t.shape(x)) != 2:
        told.axis = -1


@says("batch_norm")
def batch_norm(t: Trace, node: Any, x: Any, weight: Any, bias: Any, mean: Any, variance: Any, *more: Any) -> None:
    _, momentum, eps, *_ = more
    moments = [blob for blob in (t.tensor(mean), t.tensor(variance)) if blob is not None]
    if not moments:
        t.refuse("it keeps no running statistics: Caffe's BatchNorm tests by them")
    layer = t.layer("BatchNorm", x, blobs=[*moments, torch.ones(1)])
    layer.batch_norm_param.eps, layer.batch_norm_param.moving_average_fraction = eps, 1 - momentum
    factors = [blob for blob in (t.tensor(weight), t.tensor(bias)) if blob is not None]
    if factors:
        scale = t.layer("Scale", node, name=f"{layer.name}_scale", blobs=factors)
        scale.scale_param.bias_term = len(factors) > 1


@says("max_pool2d", "avg_pool2d")
def pooling(t: Trace, node: Any, x: Any, kernel: Any, stride: Any = (), padding: Any = 0, *more: Any, **told: Any) -> None:
    mean = "avg" in str(node.target)
    names = ("ceil_mode", "count_include_pad", "divisor_override") if mean else ("dilation", "ceil_mode")
    told |= dict(zip(names, more, strict=False))
    pad, kernel = _pair(padding), _pair(kernel)
    stride = _pair(stride) if stride else kernel
    if _pair(told.get("dilation", 1)) != [1, 1]:
        t.refuse("Pooling has no dilation")
    if mean and (told.get("divisor_override") or (any(pad) and not told.get("count_include_pad", True))):
        t.refuse("Caffe's means count the padding: use pad 0")
    below, size = t.shape(x)[2:], t.shape(node)[2:]
    layer = t.layer("Pooling", x).pooling_param
    layer.pool = PoolingParameter.AVE if mean else PoolingParameter.MAX
    _sides(layer, "kernel", kernel)
    if stride != [1, 1]:
        _sides(layer, "stride", stride)
    if pad != [0, 0]:
        _sides(layer, "pad", pad)
    up = [-(-(n + 2 * p - k) // s) + 1 for n, p, k, s in zip(below, pad, kernel, stride, strict=True)]
    if up != size:
        layer.round_mode = PoolingParameter.FLOOR


def _sides(layer: PoolingParameter, name: str, values: list[int]) -> None:
    if values[0] == values[1]:
        setattr(layer, "kernel_size" if name == "kernel" else name, values[0])
    else:
        setattr(layer, f"{name}_h", values[0])
        setattr(layer, f"{name}_w", values[1])


@says("adaptive_avg_pool2d", "adaptive_max_pool2d")
def adaptive(t: Trace, node: Any, x: Any, size: Any) -> None:
    below, size = t.shape(x)[2:], _pair(size)
    if below == size:
        t.values[node] = t.values[x]
        return
    if any(n % out for n, out in zip(below, size, strict=True)):
        t.refuse(f"{below} pixels in {size} windows are windows of several sizes, which Pooling does not have")
    told = t.layer("Pooling", x).pooling_param
    told.pool = PoolingParameter.AVE if "avg" in str(node.target) else PoolingParameter.MAX
    if size == [1, 1]:
        told.global_pooling = True
    else:
        for name in ("kernel", "stride"):
            _sides(told, name, [n // out for n, out in zip(below, size, strict=True)])


@says("mean")
def mean(t: Trace, node: Any, x: Any, dim: Any = None, keepdim: bool = False, **_: Any) -> None:
    axes = len(t.shape(x))
    if dim is None or sorted(d % axes for d in dim) != [2, 3] or axes != 4:
        t.refuse("only means over all pixels, (2, 3), are a layer")
    told = t.layer("Pooling", x).pooling_param
    told.pool, told.global_pooling = PoolingParameter.AVE, True
    if not keepdim:
        t.layer("Flatten", node)


@says("dropout")
def dropout(t: Trace, node: Any, x: Any, p: float = 0.5, *_: Any) -> None:
    t.layer("Dropout", x).dropout_param.dropout_ratio = p


@says("leaky_relu")
def leaky_relu(t: Trace, node: Any, x: Any, slope: float = 0.01) -> None:
    t.layer("ReLU", x).relu_param.negative_slope = slope


@says("elu")
def elu(t: Trace, node: Any, x: Any, alpha: float = 1.0, *_: Any) -> None:
    t.layer("ELU", x).elu_param.alpha = alpha


@says("prelu")
def prelu(t: Trace, node: Any, x: Any, weight: Any) -> None:
    slope = t.tensor(weight)
    assert slope is not None
    shared = slope.numel() == 1
    t.layer("PReLU", x, blobs=[slope.reshape(()) if shared else slope]).prelu_param.channel_shared = shared


@says("hardtanh")
def hardtanh(t: Trace, node: Any, x: Any, low: float = -1.0, high: float = 1.0) -> None:
    if (low, high) == (0, 6):
        t.layer("ReLU6", x)
    else:
        told = t.layer("Clip", x).clip_param
        told.min, told.max = low, high


@says("softmax")
def softmax(t: Trace, node: Any, x: Any, dim: int, *_: Any) -> None:
    t.layer("Softmax", x).softmax_param.axis = dim


@says("flatten", "view", "reshape")
def reshape(t: Trace, node: Any, x: Any, *_: Any) -> None:
    below, shape = t.shape(x), t.shape(node)
    if below == shape:
        t.values[node] = t.values[x]
    elif shape == [below[0], prod(below[1:])]:
        t.layer("Flatten", x)
    else:
        kept = below[:1] == shape[:1]
        t.layer("Reshape", x).reshape_param.shape.dim.extend([0, *shape[1:]] if kept else shape)


@says("cat")
def cat(t: Trace, node: Any, xs: Any, dim: int = 0) -> None:
    t.layer("Concat", *xs).concat_param.axis = dim


@says("add", "sub")
def add(t: Trace, node: Any, x: Any, y: Any, alpha: float = 1) -> None:
    sign = -alpha if "sub" in str(node.target) else alpha
    if isinstance(y, (int, float)):
        t.layer("Power", x).power_param.shift = sign * y
        return
    told = _eltwise(t, x, y)
    if sign != 1:
        told.coeff.extend([1, sign])


@says("mul")
def mul(t: Trace, node: Any, x: Any, y: Any) -> None:
    if isinstance(y, (int, float)):
        t.layer("Power", x).power_param.scale = y
    else:
        _eltwise(t, x, y).operation = EltwiseParameter.PROD


def _eltwise(t: Trace, x: Any, y: Any) -> EltwiseParameter:
    if t.shape(x) != t.shape(y):
        t.refuse(f"Eltwise does not broadcast {t.shape(x)} and {t.shape(y)}")
    return t.layer("Eltwise", x, y).eltwise_param


@says("contiguous", "detach", "clone", "alias")
def same(t: Trace, node: Any, x: Any, *_: Any, **__: Any) -> None:
    t.values[node] = t.values[x]
