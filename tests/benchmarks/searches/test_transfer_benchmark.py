"""The searches with prior data: their figures, their prior data, and a short run as a person starts it."""

from __future__ import annotations

import numpy as np
import pytest
from benchmark_run import run

from benchmarks.searches import transfer
from benchmarks.searches.runs import Run
from graphnas.errors import DataNotFound
from search_spaces.tables import open_table


@pytest.fixture(autouse=True)
def needs_table():
    try:
        open_table(transfer.SPACE)
    except DataNotFound as error:
        pytest.skip(str(error))


def test_queries_to_close():
    runs = [
        Run("a", seed, 4, values, [], 4, 1.0) for seed, values in enumerate([[1, 3.9, 4, 2], [3, 2, 1, 0]])
    ]
    found = transfer.figures_of(runs, 4.0)
    assert found["queries"] == [2, 4]
    assert found["found"] == 0.5
    assert found["curve"] == pytest.approx([2, 0.55, 0.5, 0.5])
    assert found["close"] == [0, 0.5, 0.5, 0.5]


def test_values_are_those_of_functions():
    """The mean of a function's trainings; tasks that are not in percent are a hundred times their figure."""
    values = transfer.values_of("autoencoder")
    assert len(values.cells) == len(values.by_key) == len({transfer.SPACE.key(cell) for cell in values.cells})
    assert 50 < values.best < 58
    cell = values.cells[7]
    same = [c for c in transfer.SPACE.enumerate() if transfer.SPACE.key(c) == transfer.SPACE.key(cell)]
    table = transfer.TabularEvaluator(transfer.SPACE, "autoencoder")
    assert values(cell)[0] == pytest.approx(100 * table.values(same).mean(), abs=1e-4)


def test_prior_data_of_each_arm():
    whole, wrong, mixed = (transfer.prior_of(arm, "jigsaw", 3) for arm in transfer.ARMS[2:])
    assert len(set(whole.architectures)) == transfer.POINTS
    assert [transfer.values_of("jigsaw")(cell)[0] for cell in whole.architectures] == whole.values[
        :, 0
    ].tolist()
    assert (wrong.values == -whole.values).all()
    assert (mixed.values != whole.values).any()
    assert np.sort(mixed.values[:, 0]).tolist() == np.sort(whole.values[:, 0]).tolist()


def test_a_short_run(tmp_path):
    output = tmp_path / "transfer.json"
    arguments = ("--tasks", "jigsaw", "--seeds", "1", "--queries", "12", "--arms")
    printed, record = run("searches.transfer", *arguments, transfer.NONE, transfer.TABLES, output=output)
    assert set(record["summary"]) == {f"jigsaw: {arm}" for arm in (transfer.NONE, transfer.TABLES)}
    assert all(len(one["values"]) == 12 for one in record["runs"])
    assert "with the other tasks as prior data" in printed
