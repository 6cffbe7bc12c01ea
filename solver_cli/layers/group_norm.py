"""GroupNorm: each record normalised over groups of its channels."""

from __future__ import annotations

from collections.abc import Sequence

import torch.nn.functional as F
from torch import Tensor, nn

from solver_cli.caffe_pb2 import FillerParameter, GroupNormParameter
from solver_cli.errors import ConfigError
from solver_cli.fillers import filled
from solver_cli.registry import Shape, layer

COUNTS = ("group_num", "group", "group_ratio", "num_groups")  # what forks call the number of groups


@layer("GroupNorm", origin="community", same_shape=True, apart=True)
class GroupNorm(nn.Module):
    """top = (bottom - mean) / sqrt(variance + eps), over each group of channels of each record, times scale plus bias.

    How many groups: `group_num`, or by other forks' names `group`, `group_ratio`, `num_groups`. Blobs scale and bias,
    (1, C, 1, 1) each, where the text says `group`, `affine`, `scale_filler` or `bias_filler`; else there are none.
    """

    def __init__(self, param: GroupNormParameter, shapes: Sequence[Shape]):
        super().__init__()
        (bottom,) = shapes
        given = [name for name in COUNTS if param.HasField(name)]  # type: ignore[arg-type]
        if len(given) > 1:
            text = f"{given[0]} and {given[1]} mean the same: give one of them"
            raise ConfigError(text, field=f"group_norm_param.{given[1]}")
        name = given[0] if given else COUNTS[0]
        self.groups, self.eps = getattr(param, name), param.eps
        if len(bottom) < 2 or self.groups < 1 or bottom[1] % self.groups:
            text = f"{name} {self.groups} does not divide the channels of a bottom of shape {tuple(bottom)}"
            raise ConfigError(text, field=f"group_norm_param.{name}")
        self.scale: nn.Parameter | None = None
        self.bias: nn.Parameter | None = None
        fillers = param.HasField("scale_filler") or param.HasField("bias_filler")
        if param.affine if param.HasField("affine") else fillers or param.HasField("group"):
            one = param.scale_filler if param.HasField("scale_filler") else FillerParameter(value=1)
            self.scale, self.bias = (filled(filler, 1, bottom[1], 1, 1) for filler in (one, param.bias_filler))

    def forward(self, x: Tensor) -> Tensor:
        scale, bias = (None if blob is None else blob.flatten() for blob in (self.scale, self.bias))
        return F.group_norm(x, self.groups, scale, bias, self.eps)
