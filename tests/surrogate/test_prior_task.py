"""PriorTask: what it refuses, its text, and how it is thinned."""

from __future__ import annotations

import base64
import json
import zlib

import numpy as np
import pytest
from small_space import SmallSpace, quality

from graphnas.errors import CorruptData, DataNotFound, InvalidArchitecture, InvalidArgument
from graphnas.surrogate import PriorTask
from graphnas.surrogate.prior import best_of, check_prior
from search_spaces import GEMNet

SPACE = SmallSpace()
ALL = list(SPACE.enumerate())
VALUES = [quality(architecture) for architecture in ALL]


@pytest.mark.parametrize(
    ("name", "architectures", "values", "message"),
    [
        ("", ALL[:3], [1, 2, 3], "name"),
        (3, ALL[:3], [1, 2, 3], "name"),
        ("other", ALL[:1], [1], "at least 2 architectures, got 1"),
        ("other", ALL[:3], [1, 2], "'other' has 3 architectures and values of shape"),
        ("other", ALL[:2], [[], []], "values of shape"),
        ("other", ALL[:3], [1, np.nan, 2], "that of architecture 1 is nan"),
        ("other", ALL[:3], [1, 2, -np.inf], "that of architecture 2 is -inf"),
        ("other", ALL[:2], ["a", "b"], "must be numbers"),
    ],
)
def test_what_is_no_task(name, architectures, values, message):
    with pytest.raises(InvalidArgument, match=message):
        PriorTask(name, architectures, values)


def test_the_text_makes_the_task_again():
    task = PriorTask("other", ALL[:40], np.column_stack([VALUES[:40], range(40)]))
    again = PriorTask.from_text(task.to_text())
    assert again == task
    assert again.architectures == task.architectures
    assert (again.values == task.values).all()
    assert task != PriorTask("another", task.architectures, task.values)
    assert task != PriorTask("other", task.architectures, task.values + 1e-9)
    assert len(task.to_text()) < 40 * 60


def packed(content) -> str:
    return base64.b64encode(zlib.compress(json.dumps(content).encode())).decode()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "???",
        PriorTask("other", ALL[:9], VALUES[:9]).to_text()[:-8],
        packed([1, 2]),
        packed({"format": "graphnas.prior", "version": 2}),
        packed({"format": "graphnas.prior", "version": 1, "name": "a", "architectures": [{}], "values": [1]}),
        packed({"format": "graphnas.prior", "version": 1, "name": "a", "architectures": [], "values": []}),
    ],
)
def test_damaged_text(text):
    with pytest.raises(CorruptData, match=r"prior data"):
        PriorTask.from_text(text)


def test_thinned_keeps_the_best_half_and_the_worst():
    task = PriorTask("other", ALL, np.arange(len(ALL)))
    few = task.thinned(20)
    assert len(few) == 20
    assert few.values[:, 0].tolist()[-10:] == list(range(len(ALL) - 10, len(ALL)))
    assert few.values[0, 0] == 0
    assert task.thinned(len(ALL)) is task
    assert [quality(a) for a in few.architectures] == [VALUES[int(v)] for v in few.values[:, 0]]


def test_tasks_must_fit_together():
    task = PriorTask("other", ALL[:9], VALUES[:9])
    with pytest.raises(InvalidArgument, match="names of prior tasks must differ"):
        check_prior([task, task], SPACE)
    with pytest.raises(InvalidArgument, match=r"same number of objectives, got \[1, 2\]"):
        check_prior([task, PriorTask("two", ALL[:2], [[1, 2], [3, 4]])], SPACE)
    with pytest.raises(InvalidArgument, match="PriorTask, got dict"):
        check_prior([{}], SPACE)
    with pytest.raises(InvalidArchitecture, match="architecture 0 of prior task 'other'"):
        check_prior([task], GEMNet(num_nodes=9))
    # A part of a space learns from all of it.
    assert check_prior([task], SPACE.restricted_to(ALL[50:])) == (task,)


def test_the_best_of_each_task_come_first():
    first = PriorTask("first", ALL[:10], range(10))
    second = PriorTask("second", ALL[5:10], range(5))
    assert best_of([first, second], 3) == [ALL[9], ALL[8], ALL[7]]  # those of both once
    assert best_of([second, PriorTask("third", ALL[:2], [2, 1])], 2) == [ALL[9], ALL[0]]
    assert len(best_of([first, second], 99)) == 10


def test_from_file(tmp_path):
    path = tmp_path / "results.json"
    path.write_text(json.dumps([{"architecture": a.to_dict(), "loss": -quality(a)} for a in ALL[:5]]))
    task = PriorTask.from_file(path, SPACE, values="loss", minimize=True)
    assert task == PriorTask("results", ALL[:5], VALUES[:5])
    assert PriorTask.from_file(path, SPACE, values=["loss", "loss"], name="x").values.shape == (5, 2)
    with pytest.raises(DataNotFound, match=r"no file .*absent.csv"):
        PriorTask.from_file(tmp_path / "absent.csv", SPACE)
