"""Imputation: pruned evaluations rank as what they were compared with suggests, failed ones last."""

from __future__ import annotations

import numpy as np
import pytest

from graphnas.graph.evaluation import Observation
from graphnas.surrogate.imputation import corresponding, imputed_values
from search_spaces import GEMNet

ARCHITECTURE = GEMNet(4).sample(np.random.default_rng(0))


def complete(value, *curve):
    return Observation(ARCHITECTURE, (value,), (), curve)


def pruned(*curve):
    return Observation(ARCHITECTURE, None, (), curve, pruned=True)


FAILED = Observation(ARCHITECTURE, None)


def estimates(*observations):
    return imputed_values(observations)[:, 0].tolist()


def test_measured_values_stay_and_failures_get_the_worst():
    assert estimates(complete(3.0), FAILED, complete(-2.0), FAILED) == [3.0, -2.0, -2.0, -2.0]
    assert estimates(FAILED, FAILED) == [0.0, 0.0]
    two = [Observation(ARCHITECTURE, (1.0, 5.0)), FAILED, Observation(ARCHITECTURE, (2.0, 4.0))]
    assert imputed_values(two).tolist() == [[1, 5], [1, 4], [2, 4]]


def test_a_pruned_value_is_translated_by_those_that_went_on():
    went_on = [complete(90.0, (3, 0.5)), complete(92.0, (3, 0.7)), complete(91.0, (3, 0.6))]
    assert estimates(*went_on, pruned((3, 0.65)))[3] == pytest.approx(91.5)
    below = estimates(*went_on, pruned((3, 0.4)), pruned((3, 0.3)), FAILED)[3:]
    assert below[0] == pytest.approx(89.0)  # one of ten steps of the reports is one of the values
    assert below[1] == below[2] == pytest.approx(88.0)


def test_only_the_last_report_counts_and_only_against_the_same_step():
    went_on = [complete(9.0, (1, 5.0), (2, 6.0)), complete(8.0, (1, 4.0), (2, 7.0))]
    assert estimates(*went_on, pruned((1, 1.0), (2, 6.0)))[2] == 8.0
    assert estimates(*went_on, pruned((1, 5.0)))[2] == 9.0


def test_what_was_pruned_later_counts_among_those_that_went_on():
    values = estimates(
        complete(90.0, (1, 10.0), (3, 30.0)),
        pruned((1, 8.0), (3, 20.0)),
        pruned((1, 7.0)),
        pruned((1, 9.0)),
    )
    assert values[0] > values[3] > values[1] > values[2]


def test_where_nothing_is_complete_those_that_got_further_rank_higher():
    values = estimates(pruned((1, 9.0)), pruned((3, 2.0)), pruned((1, 8.0)), pruned((3, 1.0)), FAILED)
    assert values[1] > values[3] > values[0] > values[2] == values[4]


@pytest.mark.parametrize("seed", range(5))
def test_the_translation_is_monotone_whatever_is_reported(seed):
    rng = np.random.default_rng(seed)
    before, after = rng.integers(0, 6, 12).astype(float), rng.normal(size=12)
    reported = np.sort(rng.normal(2.5, 4, 30))
    values = corresponding(reported, before, after)
    assert (np.diff(values) >= 0).all()
    assert np.isfinite(values).all()
    assert corresponding(reported, np.ones(3), np.ones(3)).shape == (30,)
