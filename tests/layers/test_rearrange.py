"""Reverse and Transpose, of nets that read text."""

from __future__ import annotations

import pytest
from one_layer import OneLayer, normal

from solver_cli.errors import ConfigError


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_reverse_puts_the_last_first(axis: int) -> None:
    layer = OneLayer(f'type: "Reverse" reverse_param {{ axis: {axis} }}', (4, 3, 2))
    x = normal(4, 3, 2)
    y = layer(x)
    for i in range(x.shape[axis]):
        assert y.select(axis, i).equal(x.select(axis, x.shape[axis] - 1 - i))
    assert layer.gradcheck(x)


def test_transpose_makes_axis_dim_i_axis_i() -> None:
    layer = OneLayer('type: "Transpose" transpose_param { dim: [3, 2, 0, 1] }', (2, 3, 4, 5))
    x = normal(2, 3, 4, 5)
    y = layer(x)
    assert y.shape == (5, 4, 2, 3) and y[4, 2, 1, 0] == x[1, 0, 2, 4]
    assert layer.gradcheck(x)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('type: "Reverse" reverse_param { axis: 3 }', r"axis 3 is out of range for a bottom of shape \(2, 3, 4\)"),
        ('type: "Transpose" transpose_param { dim: [0, 2] }', r"dim \[0, 2\] must name each axis of a bottom of shape"),
        ('type: "Transpose" transpose_param { dim: [0, 2, 2] }', r"dim \[0, 2, 2\] must name each axis of a bottom"),
    ],
)
def test_axes_that_are_not_there_are_refused(text: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        OneLayer(text, (2, 3, 4))
