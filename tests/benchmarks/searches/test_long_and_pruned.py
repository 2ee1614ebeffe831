"""Searches with a pruner by epochs spent, and what a trial of a long study takes."""

from __future__ import annotations

import math

import numpy as np
import pytest
from benchmark_run import run

from benchmarks.searches import pruning, sampling_seconds


def test_epochs_and_best_values_of_a_search():
    values = [None, 3.0, None, 2.0, 5.0]
    assert pruning.spent(values).tolist() == [12, 212, 224, 424, 624]
    best = pruning.best_so_far(values)
    assert math.isnan(best[0])
    assert best[1:].tolist() == [3, 3, 3, 5]
    assert pruning.best_within(values, 623) == 3
    assert pruning.best_within(values, 624) == 5


def test_figures_are_of_the_first_trials_and_of_the_epochs_that_count():
    """70 % of what 3 trials cost without a pruner are 420 epochs; of 4 trials, 560."""
    runs = [{"values": [1.0, None, 4.0, 2.0]}, {"values": [None, None, 3.0, 9.0, 10.0]}]
    found = pruning.figures_of(runs, 3)
    assert found["seeds"] == 2
    assert found["pruned"] == pytest.approx((1.5, np.std([1, 2], ddof=1)))
    assert found["share_of_epochs"][0] == pytest.approx((412 + 224) / 2 / 600)
    assert found["best"][0] == 3.5
    assert found["best_within"][0] == 3.5
    runs[1]["values"][2] = None
    assert pruning.figures_of(runs, 4)["best_within"][0] == (4 + 10) / 2


@pytest.mark.slow
@pytest.mark.usefixtures("table201")
def test_pruning_benchmark_goes_on_where_it_stopped(tmp_path):
    output = tmp_path / "pruning.json"
    arguments = ["--trials", "12", "--datasets", "cifar10", "--samplers", "GraphBOSampler"]
    _, first = run("searches.pruning", *arguments, "--seeds", "1", output=output)
    assert [one["pruner"] for one in first["runs"]] == ["none", "median", "hyperband"]
    for one in first["runs"]:
        pruned = sum(value is None for value in one["values"])
        assert len(one["values"]) >= 12
        assert pruned == 0 if one["pruner"] == "none" else pruned > 0
        assert one["pruner"] == "none" or pruning.spent(one["values"])[-1] >= 0.7 * 12 * 200
    _, second = run("searches.pruning", *arguments, "--seeds", "2", output=output)
    assert second["runs"][:3] == first["runs"]
    assert [one["seed"] for one in second["runs"]] == [0, 0, 0, 1, 1, 1]


def test_the_seconds_of_the_default_stand_beside_those_of_optuna():
    def runs(sampler, seconds):
        return [
            {"sampler": sampler, "trials": size, "first": 1.0, "seconds": [own] * 3, "memory": 100}
            for size, own in zip((100, 1000), seconds, strict=True)
        ]

    def note(own, other):
        made = [*runs("GraphBOSampler", own), *runs("Optuna GP", other)]
        return sampling_seconds.section({"repeats": 3, "runs": made}).notes[-1]

    assert note((0.1, 0.2), (0.3, 0.4)) == (
        "GraphBOSampler is quicker than Optuna GP at every number of trials that both were measured at: "
        "0.100 and 0.300 s after 100; 0.200 and 0.400 s after 1,000."
    )
    assert note((0.1, 0.5), (0.3, 0.4)).startswith(
        "GraphBOSampler is not quicker than Optuna GP after 1,000 trials:"
    )


@pytest.mark.slow
@pytest.mark.usefixtures("table201")
def test_sampling_benchmark(tmp_path):
    names = ["GraphBOSampler", "GraphBOSampler, SQLite", "Optuna TPE"]
    arguments = ["--samplers", *names, "--sizes", "12", "--repeats", "2"]
    printed, record = run("searches.sampling_seconds", *arguments, output=tmp_path / "sampling.json")
    assert [one["sampler"] for one in record["runs"]] == names
    for one in record["runs"]:
        assert one["trials"] == 12
        assert len(one["seconds"]) == 2
        assert one["memory"] > 50
        assert f"{np.median(one['seconds']):.3f}" in printed
