"""Python: a layer whose class the user writes, with pycaffe's interface. Such a config runs code."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from solver_cli.caffe_pb2 import LayerParameter, PythonParameter
from solver_cli.errors import ConfigError, nearest
from solver_cli.pycaffe import standin
from solver_cli.pycaffe.blob import Blob, gradient
from solver_cli.pycaffe.layer import Layer, PhaseNumber
from solver_cli.registry import layer
from solver_cli.text import user_code
from solver_cli.text.netspec import LayerSpec
from solver_cli.text.user_code import UserCodeError

FIELD = "python_param"


def _named(param: LayerParameter) -> str:
    return f"{param.python_param.module}.{param.python_param.layer}"


@layer("Python", bottoms=(0, None), tops=(0, None), once=True, waits=True, user_code=_named)
class PythonLayer(nn.Module):
    """What the class `layer` of the Python module `module` computes.

    `instance` is the user's object, `bottoms` and `tops` the Blobs that it is called with. `setup` and `reshape` run once at
    build, on bottoms of zeros, as in Caffe; their tops' shapes are those that the net is planned with.
    """

    spec: LayerSpec | None = None  # set by the planner: a backward pass that fails has nobody else to name its place

    def __init__(
        self,
        param: PythonParameter,
        shapes: Sequence[tuple[int, ...]],
        *,
        name: str,
        phase: int,
        bottom: Sequence[str],
        top: Sequence[str],
    ):
        super().__init__()
        with torch.device("cpu"):
            message = LayerParameter(name=name, type="Python", phase=phase, python_param=param)  # type: ignore[arg-type]
            self.device, self.dtype = torch.device("cpu"), torch.float32
            self.bottoms = [Blob(shape) for shape in shapes]
            in_place = [i < len(bottom) and bottom[i] == blob for i, blob in enumerate(top)]
            self.tops = [self.bottoms[i] if same else Blob() for i, same in enumerate(in_place)]
            self.instance: Layer = self._call(layer_class(param), message)
            self.instance.param_str = param.param_str
            self.instance.phase = PhaseNumber(phase)
            self.call("setup", self.bottoms, self.tops)
            self.call("reshape", self.bottoms, self.tops)
            for index, blob in enumerate(self.instance.blobs):
                learned = nn.Parameter(torch.empty(blob.shape, device="meta"))
                learned.initial = blob.data_on(torch.device("cpu"))  # type: ignore[attr-defined]
                self.register_parameter(f"blob{index}", learned)
                get = partial(getattr, self, f"blob{index}")
                blob.bind(get, lambda get=get: gradient(get()), blob.shape)

    def forward(self, *bottoms: Tensor) -> tuple[Tensor, ...]:
        tensors = (*bottoms, *self.parameters())
        if self.tops and torch.is_grad_enabled() and any(tensor.requires_grad for tensor in tensors):
            tops: tuple[Tensor, ...] = _Run.apply(self, len(bottoms), *tensors)  # type: ignore[no-untyped-call]
            return tops
        return self.run_forward(bottoms)

    def run_forward(self, bottoms: Sequence[Tensor]) -> tuple[Tensor, ...]:
        """The tops as fresh tensors on the net's device."""
        if torch.empty(0).is_meta:  # only shapes are asked for
            return tuple(torch.empty(top.shape) for top in self.tops)
        for blob, tensor in zip(self.bottoms, bottoms, strict=True):
            blob.copy_data(tensor)
        wait(bottoms)
        self.call("reshape", self.bottoms, self.tops)
        self.call("forward", self.bottoms, self.tops)
        return tuple(self._fresh(top.data_on(torch.device("cpu"))) for top in self.tops)

    def run_backward(self, grads: Sequence[Tensor], propagate_down: Sequence[bool]) -> tuple[Tensor | None, ...]:
        """The bottoms' gradients, None where they are not wanted; those of learned blobs are added in place."""
        if any(tensor.is_meta for tensor in grads):
            empty = [torch.empty(blob.shape, device="meta") for blob in self.bottoms]
            return tuple(x if wanted else None for x, wanted in zip(empty, propagate_down, strict=True))
        for blob, tensor in zip(self.tops, grads, strict=True):
            blob.copy_diff(tensor)
        wait(grads)
        self.call("backward", self.tops, list(propagate_down), self.bottoms)
        return tuple(
            self._fresh(blob.diff_on(torch.device("cpu"))) if wanted else None
            for blob, wanted in zip(self.bottoms, propagate_down, strict=True)
        )

    def call(self, method: str, *blobs: Any) -> None:
        """Call a method of the user's object. Raises UserCodeError with the layer's place if that is known."""
        self._call(lambda: getattr(self.instance, method)(*blobs), what=f"fails in its {method}")
        for blob in self.instance.blobs:
            blob.flush()

    def _call(self, function: Any, *args: Any, what: str = "cannot be made") -> Any:
        try:
            return function(*args)
        except Exception as error:
            failed = UserCodeError(error, what, f"{FIELD}.layer")
            raise (self.spec.locate(failed) if self.spec else failed) from error

    def _fresh(self, tensor: Tensor) -> Tensor:
        return tensor.to(self.device, self.dtype, copy=True)

    def _apply(self, fn: Any, recurse: bool = True) -> PythonLayer:
        """Follow the net to its device."""
        super()._apply(fn, recurse)  # type: ignore[no-untyped-call]
        probe = fn(torch.zeros(0))
        self.device, self.dtype = probe.device, probe.dtype
        return self


class _Run(torch.autograd.Function):
    """The user's forward and backward."""

    @staticmethod
    def forward(ctx: Any, module: PythonLayer, bottoms: int, *tensors: Tensor) -> tuple[Tensor, ...]:
        ctx.module, ctx.bottoms = module, bottoms
        return module.run_forward(tensors[:bottoms])

    @staticmethod
    @once_differentiable  # type: ignore[untyped-decorator]
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        needed = ctx.needs_input_grad[2:]
        bottoms = ctx.module.run_backward(grads, needed[: ctx.bottoms])
        return (None, None, *bottoms, *(None for _ in needed[ctx.bottoms :]))


def wait(tensors: Sequence[Tensor]) -> None:
    """Wait until the copies of `tensors` from a GPU are here."""
    if any(tensor.is_cuda for tensor in tensors):
        torch.cuda.current_stream(tensors[0].device).synchronize()


def layer_class(param: PythonParameter) -> type[Layer]:
    """The class that `param` names. Raises ConfigError, UserCodeError."""
    user_code.look_in(".")
    caffe = standin.settle()
    module = user_code.load(param.module, f"{FIELD}.module")
    found = getattr(module, param.layer, None)
    if not isinstance(found, type):
        classes = [name for name, value in vars(module).items() if isinstance(value, type)]
        raise ConfigError(
            f"{module.__file__} has no class '{param.layer}'{nearest(param.layer, classes)}", field=f"{FIELD}.layer"
        )
    if not issubclass(found, Layer):
        why = "is no layer: it must derive from caffe.Layer"
        if any(base.__module__.partition(".")[0] in ("caffe", "_caffe") for base in found.__mro__):
            why = f"is a layer of {caffe.__file__}, another Caffe, and runs in that one only: take it off PYTHONPATH"
        raise ConfigError(f"class {param.layer} {why}", field=f"{FIELD}.layer")
    return found
