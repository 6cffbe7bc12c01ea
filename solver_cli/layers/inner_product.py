"""InnerProduct and Embed: weights that meet a whole vector, or the row that an index names."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from solver_cli.caffe_pb2 import EmbedParameter, InnerProductParameter, LayerParameter
from solver_cli.errors import ConfigError, DataError
from solver_cli.fillers import filled
from solver_cli.layers.common import Shape, canonical_axis
from solver_cli.registry import Shapes, by_axis, layer

LEAST = 1e-6  # added to the square of a row's length


def _work(param: LayerParameter, blobs: Shapes, bottoms: Shapes, tops: Shapes) -> int:
    axis = param.inner_product_param.axis % len(bottoms[0])
    return prod(tops[0]) * prod(bottoms[0][axis:])


def _apart(param: LayerParameter, bottoms: Shapes) -> bool:
    """Apart unless the axis of the records is multiplied, or the weight changes in every pass or is no row of records."""
    changes = param.inner_product_param.normalize or len(bottoms) > 1
    return not changes and by_axis("inner_product_param.axis")(param, bottoms)


def _keeps_nothing(param: LayerParameter, bottoms: Shapes) -> bool:
    return not param.inner_product_param.relu


@layer("InnerProduct", bottoms=(1, 3), apart=_apart, half=True, lets_go=_keeps_nothing, work=_work)
class InnerProduct(nn.Module):
    """top = bottom 0, flattened from `axis` on, times weight^T, plus bias.

    Weight (num_output, K), or (K, num_output) with `transpose`; top (batch..., num_output). NormFace's: with `normalize` the
    weight's rows get length 1 in every pass, and bottoms 1 and 2, if there are, are the weight and the bias. Intel's: with
    `relu` what is negative is multiplied by `negative_slope`, as by a ReLU behind.
    """

    repeating = False  # the last pass runs once more

    def __init__(self, param: InnerProductParameter, shapes: Sequence[Shape]):
        super().__init__()
        bottom, *given = shapes
        self.axis = canonical_axis(param.axis, bottom, "inner_product_param.axis")
        self.transpose = param.transpose
        inputs = prod(bottom[self.axis :])
        outputs = _outputs(given, inputs, self.transpose, param.bias_term) if given else param.num_output
        if outputs == 0:
            raise ConfigError("num_output must be positive", field="inner_product_param.num_output")
        sizes = (inputs, outputs) if self.transpose else (outputs, inputs)
        self.weight = filled(param.weight_filler, *sizes) if not given else None
        self.bias = filled(param.bias_filler, outputs) if param.bias_term and len(given) < 2 else None
        self.rewrites = param.normalize and not given  # a weight from below stays as it is, as in NormFace
        self.outputs = outputs
        self.slope = param.negative_slope if param.relu else 1.0
        if param.negative_slope and not param.relu:
            raise ConfigError("negative_slope is relu's, which is not true", field="inner_product_param.negative_slope")

    def forward(self, x: Tensor, weight: Tensor | None = None, bias: Tensor | None = None) -> Tensor:
        if weight is None:
            assert self.weight is not None
            weight = self.weight
            if self.rewrites and not (x.is_meta or self.repeating):
                with torch.no_grad():
                    rows = weight.view(self.outputs, -1)
                    rows.div_((rows.square().sum(1, keepdim=True) + LEAST).sqrt())
        weight = weight.flatten(1)
        bias = self.bias if bias is None else bias.flatten()
        y = F.linear(x.flatten(self.axis), weight.t() if self.transpose else weight, bias)
        return y if self.slope == 1 else F.leaky_relu(y, self.slope) if self.slope else y.relu()


def _outputs(given: Sequence[Shape], inputs: int, transpose: bool, bias: bool) -> int:
    """How many outputs a weight, and a bias, from below make. Raises ConfigError."""
    weight = (given[0][0], prod(given[0][1:])) if given[0] else (1, 1)
    if weight[0 if transpose else 1] != inputs:
        raise ConfigError(
            f"the weight (bottom 1) of shape {tuple(given[0])} does not fit the {inputs} values of each row of bottom 0",
            field="bottom[1]",
        )
    outputs = weight[1 if transpose else 0]
    if len(given) > 1 and (not bias or prod(given[1]) != outputs):
        wanted = f"must have {outputs} values" if bias else "goes with bias_term: true"
        raise ConfigError(f"the bias (bottom 2) of shape {tuple(given[1])} {wanted}", field="bottom[2]")
    return outputs


@layer("Embed", no_gradient=(0,), apart=True)
class Embed(nn.Module):
    """top = the weight's row for each index of bottom, plus bias; weight (input_dim, num_output).

    Bottom: indices of any shape, as floats; top has one more axis. Raises DataError for an index beyond input_dim.
    """

    def __init__(self, param: EmbedParameter, shapes: Sequence[Shape]):
        super().__init__()
        for name in ("num_output", "input_dim"):
            if getattr(param, name) == 0:
                raise ConfigError(f"{name} must be positive", field=f"embed_param.{name}")
        self.weight = filled(param.weight_filler, param.input_dim, param.num_output)
        self.bias = filled(param.bias_filler, param.num_output) if param.bias_term else None

    def forward(self, indices: Tensor) -> Tensor:
        try:
            rows = F.embedding(indices.long(), self.weight)
        except IndexError:
            least, most = int(indices.min()), int(indices.max())
            raise DataError(
                f"indices {least} .. {most}: they must be from 0 to input_dim - 1 = {self.weight.shape[0] - 1}",
                field="embed_param.input_dim",
            ) from None
        return rows if self.bias is None else rows + self.bias
