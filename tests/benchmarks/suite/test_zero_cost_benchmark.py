"""The comparison with and without scores: what is said of a record, and a short run of the script."""

from __future__ import annotations

import pytest
from benchmark_run import run

from benchmarks.suite import zero_cost
from graphnas.errors import DataNotFound
from search_spaces.tables import open_table


def record_with(gain):
    """Searches of two validation tasks that start at 1, and go on better with scores by ``gain``."""
    runs = [
        {
            "method": f"{task}: {arm}",
            "seed": seed,
            "queries": 30,
            "at": [1, 5],
            "best": [
                1.0,
                2.0
                + (gain if arm == zero_cost.WITH else 0.5 if arm == zero_cost.SHUFFLED else 0.0)
                + seed / 100,
            ],
            "trials": 30,
            "seconds": 1.0,
        }
        for task in zero_cost.TASKS["validation"][:2]
        for arm in zero_cost.ARMS
        for seed in range(4)
    ]
    scale = dict.fromkeys(zero_cost.TASKS["validation"][:2], (5.0, 1.0))
    return {
        "runs": runs,
        "scale": scale,
        "seconds": {"transnasbench101": 0.03},
        "scores": ["synflow"],
        "count": 9,
    }


@pytest.mark.parametrize(
    ("gain", "words"), [(1.0, "lower the regret"), (-1.0, "raise the regret"), (0.0, "holds zero")]
)
def test_the_verdict_is_that_of_the_record(gain, words):
    section = zero_cost.section(record_with(gain))
    assert [note.startswith(f"After {b} queries") for b, note in zip((20, 30), section.notes, strict=False)]
    assert all(words in note for note in section.notes[:2])
    assert "transnasbench101 30 ms" in section.notes[-1]
    means, by_task = section.tables
    assert [row[0] for row in means.rows] == ["20", "30"]
    assert "Shuffled scores change it by -0.125" in section.notes[0]
    assert means.rows[0][4].startswith(f"{-gain / 4:+.3f}" if gain else "+0.000")
    assert len(by_task.rows) == 2


def test_a_short_run(tmp_path):
    try:
        open_table(zero_cost.get_space("transnasbench101"))
    except DataNotFound as error:
        pytest.skip(str(error))
    output, scores = tmp_path / "zero_cost.json", tmp_path / "scores"
    arguments = (
        "--tasks",
        "transnasbench101-jigsaw",
        "--seeds",
        "1",
        "--queries",
        "6",
        "--scores",
        str(scores),
    )
    printed, record = run("suite.zero_cost", *arguments, output=output)
    assert [run["method"].split(": ")[1] for run in record["runs"]] == list(zero_cost.ARMS)
    assert (scores / "transnasbench101.json").is_file()
    assert "scores of untrained networks" in printed
