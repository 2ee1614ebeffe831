"""Functions whose derivative is written by hand: gradients flow through, what they cannot do is an error."""

from __future__ import annotations

import pytest
import torch

from graphnas.methods.graphpnas.by_hand import by_hand, sum_rows


def cubed(weight):
    """The cube of ``weight``."""

    def function():
        return weight**3, lambda d_value: [3 * weight**2 * d_value]

    return by_hand(function, [weight])


def test_gradients_flow_through():
    weight = torch.tensor([1.0, -2.0], requires_grad=True)
    (2 * cubed(weight)).sum().backward()
    assert weight.grad.tolist() == [6.0, 24.0]
    with torch.no_grad():
        assert not cubed(weight).requires_grad


def test_a_weight_that_changed_in_between_is_an_error():
    weight = torch.tensor([1.0, -2.0], requires_grad=True)
    value = cubed(weight)
    with torch.no_grad():
        weight.add_(1)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        value.sum().backward()


def test_there_is_no_second_derivative():
    weight = torch.tensor([1.0, -2.0], requires_grad=True)
    (gradient,) = torch.autograd.grad((cubed(weight) ** 2).sum(), weight, create_graph=True)
    with pytest.raises(RuntimeError, match="once_differentiable"):
        gradient.sum().backward()


def test_sums_of_rows():
    table = torch.arange(8.0).view(4, 2)
    index, begin = torch.tensor([0, 3, 1]), torch.tensor([0, 2, 2])
    assert sum_rows(table, index, begin).tolist() == [[6, 8], [0, 0], [2, 3]]
    signs = torch.tensor([1.0, -1.0, 2.0])
    assert sum_rows(table, index, begin, signs).tolist() == [[-6, -6], [0, 0], [4, 6]]
