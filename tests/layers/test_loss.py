"""Losses and Accuracy: their gradients, normalisation, ignored labels, ties, labels out of range."""

from __future__ import annotations

import math

import pytest
import torch
from one_layer import OneLayer, normal
from torch import Tensor

from solver_cli.errors import ConfigError, DataError

MODES = {"FULL": 12, "VALID": 9, "BATCH_SIZE": 3, "NONE": 1}
LABELS = torch.tensor([[0, 1, 2, 9], [9, 0, 1, 2], [1, 1, 9, 0]], dtype=torch.float64)  # 9: ignored


def labels(*values: float) -> Tensor:
    return torch.tensor(values, dtype=torch.float64)


@pytest.mark.parametrize(
    ("text", "bottoms"),
    [
        ('type: "SoftmaxWithLoss"', [normal(3, 4), labels(0, 3, 1)]),
        ('type: "SoftmaxWithLoss" loss_param { ignore_label: 9 }', [normal(3, 3, 2, 2), LABELS.reshape(3, 1, 2, 2)]),
        ('type: "SoftmaxWithLoss" softmax_param { axis: -1 }', [normal(2, 2, 3), labels(0, 2, 1, 1).reshape(2, 2)]),
        ('type: "InfogainLoss"', [normal(3, 4), labels(0, 3, 1), normal(4, 4, grad=False)]),
        (
            'type: "InfogainLoss" loss_param { ignore_label: 9 }',
            [normal(3, 3, 4), LABELS, normal(3, 3, grad=False)],
        ),
        ('type: "MultinomialLogisticLoss"', [normal(3, 4, grad=False).abs().requires_grad_(), labels(0, 3, 1)]),
        ('type: "HingeLoss"', [normal(3, 4), labels(0, 3, 1)]),
        ('type: "HingeLoss" hinge_loss_param { norm: L2 }', [normal(3, 2, 2), labels(0, 3, 1)]),
        ('type: "SigmoidCrossEntropyLoss"', [normal(3, 4), normal(3, 4, seed=1, grad=False)]),
        ('type: "SigmoidCrossEntropyLoss" loss_param { ignore_label: 9 }', [normal(3, 4), LABELS]),
        ('type: "EuclideanLoss"', [normal(3, 4), normal(3, 2, 2, seed=1)]),
        ('type: "ContrastiveLoss"', [normal(3, 4), normal(3, 4, seed=1), labels(1, 0, 0)]),
        (
            'type: "ContrastiveLoss" contrastive_loss_param { margin: 4 }',
            [normal(3, 4), normal(3, 4, seed=1), labels(1, 0, 0)],
        ),
        (
            'type: "ContrastiveLoss" contrastive_loss_param { margin: 9 legacy_version: true }',
            [normal(3, 4), normal(3, 4, seed=1), labels(1, 0, 0)],
        ),
    ],
)
def test_gradient(text, bottoms):
    layer = OneLayer(text, *(tuple(x.shape) for x in bottoms))
    assert layer.gradcheck(*bottoms)
    assert layer(*bottoms).shape == ()


@pytest.mark.parametrize(
    ("kind", "bottoms"),
    [
        ("SoftmaxWithLoss", [(2, 3), (2,)]),
        ("InfogainLoss", [(2, 3), (2,), (3, 3)]),
        ("MultinomialLogisticLoss", [(2, 3), (2,)]),
        ("HingeLoss", [(2, 3), (2,)]),
        ("SigmoidCrossEntropyLoss", [(2, 3), (2, 3)]),
        ("ContrastiveLoss", [(2, 3), (2, 3), (2,)]),
    ],
)
def test_labels_get_no_gradient(kind, bottoms):
    inputs = [torch.ones(shape, dtype=torch.float64, requires_grad=True) for shape in bottoms]
    loss = OneLayer(f'type: "{kind}"', *bottoms)(*inputs)
    features = 2 if kind == "ContrastiveLoss" else 1
    found = torch.autograd.grad(loss, inputs, allow_unused=True)
    assert [g is not None for g in found] == [i < features for i in range(len(inputs))]


# -- normalisation


@pytest.mark.parametrize(("mode", "divisor"), MODES.items())
def test_softmax_loss_is_divided_by(mode, divisor):
    scores = normal(3, 3, 4, grad=False)
    logs = scores.log_softmax(1)
    total = -sum(logs[n, int(LABELS[n, i]), i] for n in range(3) for i in range(4) if LABELS[n, i] != 9)
    layer = OneLayer(f'type: "SoftmaxWithLoss" loss_param {{ ignore_label: 9 normalization: {mode} }}', (3, 3, 4), (3, 4))
    torch.testing.assert_close(layer(scores, LABELS), total / divisor)


@pytest.mark.parametrize(("mode", "divisor"), MODES.items())
def test_sigmoid_loss_is_divided_by(mode, divisor):
    scores = normal(3, 4, grad=False)
    losses = torch.log1p(scores.exp()) - scores * LABELS
    total = losses[LABELS != 9].sum()
    text = f'type: "SigmoidCrossEntropyLoss" loss_param {{ ignore_label: 9 normalization: {mode} }}'
    torch.testing.assert_close(OneLayer(text, (3, 4), (3, 4))(scores, LABELS), total / divisor)


@pytest.mark.parametrize(
    ("settings", "divisor"),
    [
        ("", {"SoftmaxWithLoss": 9, "SigmoidCrossEntropyLoss": 3}),
        ("normalize: true", {"SoftmaxWithLoss": 9, "SigmoidCrossEntropyLoss": 9}),
        ("normalize: false", {"SoftmaxWithLoss": 3, "SigmoidCrossEntropyLoss": 3}),
        ("normalize: false normalization: FULL", {"SoftmaxWithLoss": 12, "SigmoidCrossEntropyLoss": 12}),
    ],
)
@pytest.mark.parametrize(("kind", "shape"), [("SoftmaxWithLoss", (3, 3, 4)), ("SigmoidCrossEntropyLoss", (3, 4))])
def test_default_and_old_switch(kind, shape, settings, divisor):
    scores = normal(*shape, grad=False)
    found, total = (
        OneLayer(f'type: "{kind}" loss_param {{ ignore_label: 9 {text} }}', shape, (3, 4))(scores, LABELS)
        for text in (settings, "normalization: NONE")
    )
    torch.testing.assert_close(found, total / divisor[kind])


def test_nothing_but_ignored_labels_gives_0():
    scores = normal(3, 4)
    loss = OneLayer('type: "SoftmaxWithLoss" loss_param { ignore_label: 1 }', (3, 4), (3,))(scores, labels(1, 1, 1))
    assert loss.item() == 0
    assert not torch.autograd.grad(loss, scores)[0].any()


def test_softmax_loss_is_bounded_but_not_its_gradient():
    scores = torch.tensor([[0.0, 1000, -math.inf]], requires_grad=True)
    for label in (0, 2):
        loss = OneLayer('type: "SoftmaxWithLoss"', (1, 3), (1,))(scores, torch.tensor([label]))
        assert loss.item() == pytest.approx(87.3365, abs=1e-4)
        wanted = [-1.0 if i == label else 1.0 if i == 1 else 0.0 for i in range(3)]
        assert torch.autograd.grad(loss, scores)[0].tolist() == [wanted]


def test_contrastive_loss_of_equal_vectors_has_gradient_0():
    a = torch.ones(1, 3, requires_grad=True)
    loss = OneLayer('type: "ContrastiveLoss"', (1, 3), (1, 3), (1,))(a, torch.ones(1, 3), torch.zeros(1))
    assert loss.item() == 0.5
    assert torch.autograd.grad(loss, a)[0].tolist() == [[0, 0, 0]]


def test_infogain_loss_reads_its_matrix_from_a_file(tmp_path):
    from solver_cli.caffe_pb2 import BlobProto

    path = tmp_path / "H.binaryproto"
    matrix = normal(3, 3, grad=False).float()
    path.write_bytes(BlobProto(shape={"dim": [3, 3]}, data=matrix.flatten().tolist()).SerializeToString())
    bottoms = [normal(2, 3, grad=False), labels(0, 2)]
    read = OneLayer(f'type: "InfogainLoss" infogain_loss_param {{ source: "{path}" }}', (2, 3), (2,))(*bottoms)
    given = OneLayer('type: "InfogainLoss"', (2, 3), (2,), (3, 3))(*bottoms, matrix.double())
    torch.testing.assert_close(read, given)
    with pytest.raises(DataError, match=r":\d+:\d+: .*nowhere"):
        OneLayer('type: "InfogainLoss" infogain_loss_param { source: "/nowhere" }', (2, 3), (2,))


# -- accuracy


@pytest.mark.parametrize(("top_k", "share"), [(1, 1 / 4), (2, 3 / 4), (3, 1)])
def test_accuracy_counts_an_equal_rival_as_better(top_k, share):
    scores = torch.tensor([[1.0, 1, 0], [1, 1, 0], [0, 2, 1], [1, 1, 1]])
    layer = OneLayer(f'type: "Accuracy" accuracy_param {{ top_k: {top_k} }}', (4, 3), (4,))
    assert layer(scores, torch.tensor([0.0, 1, 1, 2])).item() == share


def test_accuracy_by_class():
    scores = torch.eye(4)[[0, 0, 1, 2, 2]]
    layer = OneLayer('type: "Accuracy" accuracy_param { ignore_label: 2 }', (5, 4), (5,), tops=2)
    share, by_class = layer(scores, torch.tensor([0.0, 1, 1, 2, 1]))
    assert share.item() == 0.5  # of four, one being ignored
    assert by_class.tolist() == pytest.approx([1, 1 / 3, 0, 0])


def test_accuracy_of_nothing_is_0():
    layer = OneLayer('type: "Accuracy" accuracy_param { ignore_label: 0 }', (2, 3), (2,))
    assert layer(normal(2, 3), labels(0, 0)).item() == 0


# -- labels and shapes that do not fit


@pytest.mark.parametrize("kind", ["SoftmaxWithLoss", "HingeLoss", "MultinomialLogisticLoss", "Accuracy"])
@pytest.mark.parametrize("wrong", [3, -1])
def test_label_out_of_range_is_named(kind, wrong):
    layer = OneLayer(f'type: "{kind}"', (3, 3), (3,))
    with pytest.raises(DataError, match=rf"label {wrong} of item 1 of the batch .* 0\.\.2: there are 3 classes"):
        layer(normal(3, 3), labels(0, wrong, 2))


@pytest.mark.parametrize(
    ("text", "shapes", "message"),
    [
        (
            'type: "SoftmaxWithLoss"',
            [(2, 3, 2), (2,)],
            r"2 labels, of shape \(2,\), for scores of shape \(2, 3, 2\).*axis 1",
        ),
        ('type: "EuclideanLoss"', [(2, 3), (2, 4)], r"\(2, 3\) and bottom 1 of shape \(2, 4\)"),
        ('type: "EuclideanLoss"', [(2, 3, 1, 1, 1), (2, 3)], r"more than the four axes"),
        ('type: "HingeLoss"', [(2, 3), (2, 2)], r"4 labels, of shape \(2, 2\)"),
        ('type: "MultinomialLogisticLoss"', [(2, 3), (2, 2)], r"one label for each item"),
        ('type: "ContrastiveLoss"', [(2, 3), (2, 4), (2,)], r"must be equal and \(N, C\)"),
        ('type: "ContrastiveLoss"', [(2, 3), (2, 3), (3,)], r"bottom 2 of shape \(3,\) must agree in axis 0"),
        ('type: "SigmoidCrossEntropyLoss"', [(), ()], r"must agree in axis 0"),
        ('type: "Accuracy" accuracy_param { top_k: 4 }', [(2, 3), (2,)], r"top_k 4 is more than the 3 classes"),
    ],
)
def test_what_does_not_fit_is_named(text, shapes, message):
    with pytest.raises(ConfigError, match=message):
        OneLayer(text, *shapes)
