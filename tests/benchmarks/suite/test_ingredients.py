"""What each ingredient is worth: the forms, the section made of a record, and a tiny run."""

from __future__ import annotations

import numpy as np
import pytest
from benchmark_run import run

from benchmarks.suite import ingredients
from benchmarks.suite.ingredients import ARMS, TASKS, WHOLE
from benchmarks.suite.statistics import to_steps
from benchmarks.suite.tasks import PARTS
from graphnas.methods import GraphBOConfig

ONE_OF_EACH = ("enas6", "transnasbench101-jigsaw")
LEFT_OUT = "no operation features"


def test_every_form_is_another_one():
    assert ARMS[WHOLE] == GraphBOConfig()
    assert len(set(ARMS.values())) == len(ARMS)
    assert {part for part in PARTS for task in TASKS if task in PARTS[part]} == set(PARTS)


def record_of(whole: float, without: float) -> dict:
    """Both forms find a value at once on each task, a little more with each seed, and keep it."""
    runs = []
    for arm, value in ((WHOLE, whole), (LEFT_OUT, without)):
        for task in ONE_OF_EACH:
            for seed in range(3):
                at, best = to_steps(np.full(30, value + 0.01 * seed))
                run_ = ingredients.Search(f"{task}: {arm}", seed, 30, at, best, 30, 1.0)
                runs.append(vars(run_))
    return {"scale": dict.fromkeys(ONE_OF_EACH, (10.0, 0.0)), "runs": runs}


def test_the_section_has_both_parts_and_says_what_pays():
    section = ingredients.section(record_of(whole=8.0, without=7.0))
    assert [table.caption.split(" (")[0] for table in section.tables] == [
        f"The {part} tasks with one objective" for part in PARTS
    ]
    for table in section.tables:
        rows = {row[0]: row for row in table.rows}
        assert rows[LEFT_OUT][-1] == "+0.100 [+0.100, +0.100]"
        assert rows[WHOLE][-1] == ""
        assert {len(row) for row in table.rows} == {len(table.columns)}
    assert any(
        note == f"On the validation tasks these do worse than the whole beyond chance: {LEFT_OUT} (20), "
        f"{LEFT_OUT} (30)."
        for note in section.notes
    )
    turned = ingredients.section(record_of(whole=7.0, without=8.0)).notes
    assert any(note.startswith("On the tuning tasks these do better") and "(30)" in note for note in turned)


@pytest.mark.slow
@pytest.mark.usefixtures("enas_table")
def test_forms_search_the_same_tasks(tmp_path):
    arguments = ["--tasks", "enas6", "--seeds", "1", "--queries", "20", "--arms", WHOLE, LEFT_OUT]
    printed, record = run("suite.ingredients", *arguments, output=tmp_path / "ingredients.json")
    assert "what each ingredient of GraphBO is worth" in printed
    first, second = record["runs"]
    assert [first["method"], second["method"]] == [f"enas6: {arm}" for arm in (WHOLE, LEFT_OUT)]
    best, typical = record["scale"]["enas6"]
    assert all(typical < max(one["best"]) <= best for one in record["runs"])
    again = ingredients.run(first["method"], 0, 20)
    assert (again.at, again.best) == (first["at"], first["best"])
    again = ingredients.run(second["method"], 0, 20)
    assert (again.at, again.best) == (second["at"], second["best"])
