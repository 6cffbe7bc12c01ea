"""Fields of DeepLab's first fork that say what a field of BVLC's says."""

from __future__ import annotations

from dataclasses import replace

from solver_cli.caffe_pb2 import LayerParameter
from solver_cli.text.netspec import LayerSpec


def translated(layer: LayerSpec) -> LayerSpec:
    """The layer with `softmaxloss_param { ignore_label: 255 }` as `loss_param` says it; what that cannot say stays there."""
    found = layer.param.softmaxloss_param
    both = layer.param.loss_param.HasField("ignore_label")
    if layer.param.type != "SoftmaxWithLoss" or both or found.HasField("weight_source") or len(found.ignore_label) > 1:
        return layer
    param = LayerParameter()
    param.CopyFrom(layer.param)
    param.ClearField("softmaxloss_param")
    if found.ignore_label:
        param.loss_param.ignore_label = found.ignore_label[0]
    return replace(layer, param=param)
