"""InnerProduct and Embed: weights that meet a whole vector, or the row that an index names."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

import torch.nn.functional as F
from torch import Tensor, nn

from solver_cli.caffe_pb2 import EmbedParameter, InnerProductParameter, LayerParameter
from solver_cli.errors import ConfigError, DataError
from solver_cli.fillers import filled
from solver_cli.layers.common import Shape, canonical_axis
from solver_cli.registry import Shapes, by_axis, layer


def _work(param: LayerParameter, blobs: Shapes, bottoms: Shapes, tops: Shapes) -> int:
    return prod(tops[0]) // param.inner_product_param.num_output * prod(blobs[0])


@layer("InnerProduct", apart=by_axis("inner_product_param.axis"), half=True, lets_go=True, work=_work)
class InnerProduct(nn.Module):
    """top = bottom, flattened from `axis` on, times weight^T, plus bias.

    Weight (num_output, K), or (K, num_output) with `transpose`; top (batch..., num_output).
    """

    def __init__(self, param: InnerProductParameter, shapes: Sequence[Shape]):
        super().__init__()
        (bottom,) = shapes
        if param.num_output == 0:
            raise ConfigError("num_output must be positive", field="inner_product_param.num_output")
        self.axis = canonical_axis(param.axis, bottom, "inner_product_param.axis")
        self.transpose = param.transpose
        sizes = (param.num_output, prod(bottom[self.axis :]))
        self.weight = filled(param.weight_filler, *(reversed(sizes) if self.transpose else sizes))
        self.bias = filled(param.bias_filler, param.num_output) if param.bias_term else None

    def forward(self, x: Tensor) -> Tensor:
        return F.linear(x.flatten(self.axis), self.weight.t() if self.transpose else self.weight, self.bias)


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
