"""The efficiency score of NASGEM, eq. 5."""

from __future__ import annotations

import math

import numpy as np
import pytest

from graphnas.errors import InvalidArgument
from graphnas.evaluate import efficiency_score


def test_equals_the_paper_on_fractions_times_a_hundred():
    paper = 0.93 - 0.01 * math.log(463.0)  # ACC in 0..1, MAC in millions
    assert efficiency_score(93.0, 463_000_000) == pytest.approx(100 * paper)


def test_doubling_the_cost_takes_0_69_points():
    difference = efficiency_score(90.0, 10**7) - efficiency_score(90.0, 2 * 10**7)
    assert difference == pytest.approx(100 * 0.01 * math.log(2)) == pytest.approx(0.693, abs=1e-3)


def test_arrays_equal_numbers_and_broadcast():
    accuracy = np.array([10.0, 55.5, 100.0])
    macs = np.array([[1_000], [5_000_000]])
    scores = efficiency_score(accuracy, macs, weight=0.05)
    assert scores.shape == (2, 3)
    for i, j in np.ndindex(2, 3):
        single = efficiency_score(float(accuracy[j]), int(macs[i, 0]), weight=0.05)
        assert isinstance(single, float)
        assert scores[i, j] == single


def test_no_weight_is_the_accuracy():
    assert efficiency_score(71.25, 123, weight=0) == 71.25


@pytest.mark.parametrize(
    ("accuracy", "macs", "weight", "message"),
    [
        (101.0, 10, 0.01, "accuracy must be in percent"),
        (math.nan, 10, 0.01, "accuracy must be in percent.*nan"),
        (50.0, 0, 0.01, "macs must be above 0.*0"),
        (50.0, math.inf, 0.01, "macs must be above 0"),
        (50.0, 10, -1, "weight must be .* got -1"),
        (50.0, 10, math.nan, "weight must be"),
        (50.0, 10, "much", "weight must be .* 'much'"),
        ("good", 10, 0.01, "must be numbers"),
        (np.array([1.0, 2.0]), np.array([1, 2, 3]), 0.01, r"broadcast.*\(2,\) and \(3,\)"),
        (np.array([1.0, -2.0]), 5, 0.01, "percent.*-2"),
    ],
)
def test_bad_input_is_named(accuracy, macs, weight, message):
    with pytest.raises(InvalidArgument, match=message):
        efficiency_score(accuracy, macs, weight=weight)
