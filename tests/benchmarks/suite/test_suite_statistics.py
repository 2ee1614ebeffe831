"""The suite's statistics against numbers worked out by hand or printed elsewhere."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.suite.statistics import (
    bootstrap_interval,
    critical_difference,
    from_steps,
    mean_over_tasks,
    normalised_regret,
    paired_differences,
    ranking,
    to_steps,
)
from graphnas.errors import InvalidArgument

# ---------------------------------------------------------------- normalised regret


def test_the_best_is_0_and_what_is_typical_or_worse_1():
    found = normalised_regret([[90.0, 95.0, 80.0], [10.0, 100.0, 85.0]], 100.0, 80.0)
    assert found.tolist() == [[0.5, 0.25, 1.0], [1.0, 0.0, 0.75]]


def test_negative_values_and_negated_ones():
    """Losses of 0.6 and 0.7 are searched as -0.6 and -0.7: only differences count."""
    losses = normalised_regret([-0.65, -0.60, -0.9], -0.6, -0.7)
    assert losses == pytest.approx([0.5, 0.0, 1.0])
    shifted = normalised_regret([99.35, 99.40, 99.1], 99.4, 99.3)
    assert losses == pytest.approx(shifted)


def test_nothing_found_yet_counts_as_typical():
    assert normalised_regret(-np.inf, 5.0, 1.0) == 1


@pytest.mark.parametrize(
    ("found", "best", "typical", "said"),
    [
        (1.0, 2.0, 2.0, "above the typical one, 2.0"),
        (1.0, 2.0, np.nan, "typical one, nan"),
        (1.0, np.inf, 0.0, "inf"),
        ([1.0, 2.1], 2.0, 0.0, r"found 2\.1, not a number up to the best of the table, 2\.0"),
        ([np.nan], 2.0, 0.0, "found nan"),
    ],
)
def test_impossible_values_are_refused(found, best, typical, said):
    with pytest.raises(InvalidArgument, match=said):
        normalised_regret(found, best, typical)


# ---------------------------------------------------------------- means and intervals


def test_a_task_counts_once_however_many_seeds_it_has():
    assert mean_over_tasks({"a": np.array([1.0, 3.0]), "b": np.array([5.0] * 7)}) == 3.5
    curves = {"a": np.array([[1.0, 0.0], [3.0, 0.0]]), "b": np.array([[5.0, 1.0]])}
    assert mean_over_tasks(curves).tolist() == [3.5, 0.5]


def slow_bootstrap(regrets, rng, resamples):
    means = []
    rows = list(regrets.values())
    for _ in range(resamples):
        drawn = [rows[k] for k in rng.integers(len(rows), size=len(rows))]
        means.append(np.mean([row[rng.integers(len(row), size=len(row))].mean() for row in drawn]))
    return np.quantile(means, [0.025, 0.975])


def test_the_interval_is_that_of_drawing_tasks_and_seeds_again():
    rng = np.random.default_rng(0)
    regrets = {str(k): rng.normal(k, 1.0, size) for k, size in enumerate((4, 9, 2, 6))}
    fast = bootstrap_interval(regrets, np.random.default_rng(1), 20_000)
    slow = slow_bootstrap(regrets, np.random.default_rng(2), 20_000)
    assert fast == pytest.approx(slow, abs=0.05)
    # Tasks alone would vary less than tasks and seeds together.
    alone = bootstrap_interval({k: row.mean(keepdims=True) for k, row in regrets.items()}, rng, 20_000)
    assert fast[1] - fast[0] > alone[1] - alone[0]


def test_an_interval_of_curves_is_that_of_each_point():
    rng = np.random.default_rng(0)
    curves = {"a": rng.random((3, 5)), "b": rng.random((4, 5))}
    low, high = bootstrap_interval(curves, np.random.default_rng(1))
    one = bootstrap_interval({k: row[:, 2] for k, row in curves.items()}, np.random.default_rng(1))
    assert (low[2], high[2]) == pytest.approx(one)
    assert (low <= high).all()


def test_equal_seeds_have_no_spread():
    low, high = bootstrap_interval({"a": np.full(3, 0.25), "b": np.full(5, 0.25)}, np.random.default_rng(0))
    assert (low, high) == (0.25, 0.25)


def test_differences_are_those_of_shared_seeds():
    ours = {"a": {0: 1.0, 1: 2.0, 3: 9.0}, "b": {0: 1.0}, "c": {0: 4.0}}
    theirs = {"a": {1: 5.0, 0: 3.0, 2: 0.0}, "b": {7: 0.0}, "d": {0: 0.0}}
    differences = paired_differences(ours, theirs)
    assert {task: row.tolist() for task, row in differences.items()} == {"a": [-2.0, -3.0]}


# ---------------------------------------------------------------- ranks


def test_ranks_and_friedman_of_a_published_example():
    """Demšar (JMLR 2006), Table 6: AUC of C4.5 with and without two parameters tuned, on 14 data sets."""
    names = ("C4.5", "C4.5+m", "C4.5+cf", "C4.5+m+cf")
    table = [
        (0.763, 0.768, 0.771, 0.798),
        (0.599, 0.591, 0.590, 0.569),
        (0.954, 0.971, 0.968, 0.967),
        (0.628, 0.661, 0.654, 0.657),
        (0.882, 0.888, 0.886, 0.898),
        (0.936, 0.931, 0.916, 0.931),
        (0.661, 0.668, 0.609, 0.685),
        (0.583, 0.583, 0.563, 0.625),
        (0.775, 0.838, 0.866, 0.875),
        (1.000, 1.000, 1.000, 1.000),
        (0.940, 0.962, 0.965, 0.962),
        (0.619, 0.666, 0.614, 0.669),
        (0.972, 0.981, 0.9751, 0.975),
        (0.957, 0.978, 0.946, 0.970),
    ]
    regrets = {
        name: {str(row): 1 - values[k] for row, values in enumerate(table)} for k, name in enumerate(names)
    }
    found = ranking(regrets)
    assert found.tasks == 14
    assert [round(found.ranks[name], 3) for name in names] == [3.143, 2.0, 2.893, 1.964]
    assert found.critical_difference == pytest.approx(1.25, abs=0.005)
    # The paper's statistic is 9.28 without the correction for ties that scipy makes.
    assert found.p_value == pytest.approx(0.0257, abs=0.01)
    # Its figure 1a: the best two against the worst, and who is not told apart.
    assert found.groups() == [("C4.5+m+cf", "C4.5+m", "C4.5+cf", "C4.5")]


def test_critical_differences_as_printed():
    """Demšar, Table 5(a): q at 5 % is 1.960, 2.569 and 3.164 for 2, 4 and 10 methods."""
    for methods, q in ((2, 1.960), (4, 2.569), (10, 3.164)):
        expected = q * np.sqrt(methods * (methods + 1) / (6 * 25))
        assert critical_difference(methods, 25) == pytest.approx(expected, rel=1e-3)


def test_groups_overlap_and_none_is_within_another():
    regrets = {name: {str(t): float(rank) for t in range(40)} for rank, name in enumerate("abcd")}
    found = ranking(regrets)
    assert list(found.ranks.values()) == [1, 2, 3, 4]
    assert found.critical_difference < 1
    assert found.groups() == []
    few = ranking({name: dict(list(row.items())[:8]) for name, row in regrets.items()})
    assert 1 < few.critical_difference < 2
    assert few.groups() == [("a", "b"), ("b", "c"), ("c", "d")]


def test_only_shared_tasks_are_ranked_and_ties_share():
    found = ranking({"a": {"x": 0.1, "y": 0.0}, "b": {"x": 0.1}, "c": {"x": 0.5, "z": 0.0}})
    assert found.ranks == {"a": 1.5, "b": 1.5, "c": 3.0}
    assert (found.tasks, found.p_value, found.critical_difference) == (1, None, None)
    assert ranking({name: {"x": 0.0, "y": 0.0} for name in "abc"}).p_value == 1
    with pytest.raises(InvalidArgument, match="a task in common"):
        ranking({"a": {"x": 0.1}, "b": {"y": 0.1}})


# ---------------------------------------------------------------- curves as steps


@pytest.mark.parametrize("curve", [[1.0, 1, 3, 3, 3, 4], [0.0], [-2.0, -2.0], [1.0, 2.0, 3.0]])
def test_a_curve_is_where_it_rises(curve):
    at, best = to_steps(np.array(curve))
    assert at[0] == 1
    assert best == sorted(set(curve))
    assert from_steps(at, best, len(curve)).tolist() == curve
    assert from_steps(at, best, 1).tolist() == curve[:1]
    assert from_steps(at, best, len(curve) + 2).tolist() == [*curve, curve[-1], curve[-1]]
