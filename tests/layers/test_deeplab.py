"""Fields of DeepLab's first fork: which weights fit a layer, which labels do not count."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from solver_cli import Net
from solver_cli.errors import SnapshotError
from solver_cli.formats import caffemodel

SCORES = 'layer { name: "in" type: "Input" top: "x" top: "label" input_param { shape { %s } shape { %s } } } '
LOSS = 'layer { name: "loss" type: "SoftmaxWithLoss" bottom: "x" bottom: "label" top: "loss" %s }'


@pytest.mark.parametrize("old", [False, True])
def test_a_label_that_does_not_count(old: bool) -> None:
    """-log of 1/4 for the two labels that count, over two: whatever the third says."""
    said = "softmaxloss_param { ignore_label: 255 }"
    loss = LOSS % said
    if old:
        loss = loss.replace("layer {", "layers {").replace('"SoftmaxWithLoss"', "SOFTMAX_LOSS")
    head = SCORES % ("dim: 3 dim: 4 dim: 1 dim: 1", "dim: 3 dim: 1 dim: 1 dim: 1")
    if old:
        head = 'input: "x" input_dim: [3, 4, 1, 1] input: "label" input_dim: [3, 1, 1, 1] '
    net = Net.from_text(head + loss)
    x = torch.zeros(3, 4, 1, 1)
    x[2, 1] = 9
    x.requires_grad_()
    value, _ = net({"x": x, "label": torch.tensor([0.0, 3, 255]).reshape(3, 1, 1, 1)})
    assert value.item() == pytest.approx(torch.tensor(4.0).log().item())
    value.backward()
    assert x.grad is not None
    assert x.grad[:, :, 0, 0].tolist() == [[-0.375, 0.125, 0.125, 0.125], [0.125, 0.125, 0.125, -0.375], [0, 0, 0, 0]]


def layer(text: str) -> Net:
    return Net.from_text(
        'layer { name: "in" type: "Input" top: "x" input_param { shape { dim: 1 dim: 2 dim: 3 dim: 3 } } } '
        f'layer {{ name: "fc6" bottom: "x" top: "y" {text} }}'
    )


def test_without_strict_dim_weights_of_the_same_count_fit(tmp_path: Path) -> None:
    """An InnerProduct's weights become those of the convolution that does the same."""
    flat = layer('type: "InnerProduct" inner_product_param { num_output: 4 weight_filler { type: "xavier" } }')
    path = str(tmp_path / "flat.caffemodel")
    caffemodel.write(path, flat.to_message(), [[blob.detach().numpy() for blob in node.blobs()] for node in flat.nodes])
    text = 'type: "Convolution" convolution_param { num_output: 4 kernel_size: 3 }'
    with pytest.raises(SnapshotError, match="layer 'fc6', blob 0: its shape is 4 18"):
        layer(text).load(path)
    wide = layer(f"{text} strict_dim: false")
    wide.load(path)
    x = torch.randn(1, 2, 3, 3, generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(wide({"x": x})[1]["y"].flatten(), flat({"x": x})[1]["y"].flatten())
    with pytest.raises(SnapshotError, match="layer 'fc6', blob 0: its shape is"):
        layer(f"{text.replace('4', '5')} strict_dim: false").load(path)
