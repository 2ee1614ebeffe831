"""The journal: what is written is what is read, also after a crash, and the best is the best."""

from __future__ import annotations

import json

import numpy as np
import pytest

import nni_graphnas
from graphnas.errors import CorruptData, DataNotFound
from nni_graphnas.journal import FILE_NAME, Journal, Result, find_journal, metric_of, read_journal
from search_spaces import GEMNet

SPACE = GEMNet(5)
RNG = np.random.default_rng(0)
RESULTS = [
    Result(SPACE.sample(RNG), 3.5, {"rate": 0.1}, "abc"),
    Result(SPACE.sample(RNG), None),
    Result(SPACE.sample(RNG), 7.0, {}, "def", ((0, 1.5), (1, 4.0))),
    Result(SPACE.sample(RNG), 7.0, {}, "later"),
]


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "experiment" / "checkpoint" / FILE_NAME
    journal = Journal(path, SPACE, 3)
    for result in RESULTS:
        journal.append(result)
    return path


def test_what_is_written_is_what_is_read(path):
    contents = read_journal(path)
    assert contents.results == RESULTS
    assert (contents.space, contents.arguments, contents.seed) == ("gemnet", SPACE.arguments(), 3)
    assert json.loads(path.read_text().splitlines()[1])["value"] == 3.5


def test_results_and_best_are_found_by_file_directory_and_id(path, monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "nni-experiments").mkdir()
    (path.parents[1]).rename(tmp_path / "nni-experiments" / "ab12cd34")
    directory = tmp_path / "nni-experiments" / "ab12cd34"
    for where in (directory / "checkpoint" / FILE_NAME, directory, directory / "checkpoint", "ab12cd34"):
        assert nni_graphnas.results(where) == RESULTS
        assert nni_graphnas.best(where) == RESULTS[2]
    with pytest.raises(DataNotFound, match=r"ab12.*nni-experiments"):
        nni_graphnas.best("ab12")


def test_a_trial_that_was_ended_early_keeps_its_curve(tmp_path):
    journal = Journal(tmp_path / "j", SPACE, 3)
    result = Result(SPACE.sample(RNG), None, {}, "abc", ((0, 0.5), (2, 0.25)), pruned=True)
    journal.append(result)
    assert read_journal(tmp_path / "j").results == [result]
    observation = result.observation(-1.0)
    assert (observation.values, observation.pruned) == (None, True)
    assert observation.curve == ((0, -0.5), (2, -0.25))


def test_an_experiment_with_its_own_working_directory_is_found_by_its_id(path, monkeypatch, tmp_path):
    home, elsewhere = tmp_path / "home", tmp_path / "elsewhere"
    (home / "nni-experiments").mkdir(parents=True)
    elsewhere.mkdir()
    path.parents[1].rename(elsewhere / "ab12cd34")
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DataNotFound, match=r"experimentWorkingDirectory .* as in DIRECTORY/ID"):
        nni_graphnas.results("ab12cd34")
    listed = home / "nni-experiments" / ".experiment"  # as nnictl and Experiment.start write it
    for damaged in ("", "[]", "{}", '{"ab12cd34": {}}', '{"ab12cd34": {"logDir": null}}'):
        listed.write_text(damaged)
        with pytest.raises(DataNotFound, match="ab12cd34"):
            nni_graphnas.results("ab12cd34")
    listed.write_text(json.dumps({"ab12cd34": {"logDir": str(elsewhere)}}))
    assert nni_graphnas.results("ab12cd34") == RESULTS
    assert nni_graphnas.results(elsewhere / "ab12cd34") == RESULTS


def test_the_smallest_is_the_best_where_that_is_wanted(tmp_path):
    journal = Journal(tmp_path / "j", SPACE, 3, minimize=True)
    for result in RESULTS:
        journal.append(result)
    assert nni_graphnas.best(tmp_path / "j") == RESULTS[0]


def test_there_is_no_best_without_a_value(tmp_path):
    Journal(tmp_path / "j", SPACE, 3).append(RESULTS[1])
    with pytest.raises(DataNotFound, match="none of the 1"):
        nni_graphnas.best(tmp_path / "j")
    with pytest.raises(DataNotFound, match="no trial has finished"):
        read_journal(tmp_path / "absent")


def test_half_a_line_costs_that_line_only(path, caplog):
    whole = path.read_bytes()
    path.write_bytes(whole[:-30])
    Journal(path, SPACE, 3).append(RESULTS[0])
    assert read_journal(path).results == [*RESULTS[:3], RESULTS[0]]
    assert "line 5 is skipped" in caplog.text


def test_an_empty_file_becomes_a_journal(tmp_path):
    (tmp_path / "j").touch()
    Journal(tmp_path / "j", SPACE, 3).append(RESULTS[0])
    assert read_journal(tmp_path / "j").results == RESULTS[:1]


@pytest.mark.parametrize("text", ["", "{}", "[]", "text", '{"format": "graphnas.nni_journal", "version": 2}'])
def test_what_is_no_journal_is_refused(tmp_path, text):
    (tmp_path / "j").write_text(text)
    with pytest.raises(CorruptData, match=r"no graphnas\.nni_journal"):
        read_journal(tmp_path / "j")


@pytest.mark.parametrize(
    "change", [{"value": "high"}, {"value": float("nan")}, {"architecture": 3}, {"trial": ...}]
)
def test_a_line_that_is_no_result_is_skipped(path, change):
    entry = {key: value for key, value in {**RESULTS[0].to_dict(), **change}.items() if value is not ...}
    with path.open("a") as file:
        file.write(json.dumps(entry) + "\n")
    assert read_journal(path).results == RESULTS


def test_a_failure_that_got_a_value_after_all_is_no_failure(path):
    Journal(path, SPACE, 3).append(Result(RESULTS[1].architecture, 4.0))
    assert [result.value for result in read_journal(path).results] == [3.5, 7.0, 7.0, 4.0]


@pytest.mark.parametrize(
    ("reported", "value", "echoed"),
    [
        (3, 3.0, None),
        ("3.5", 3.5, None),
        ({"default": 2, "loss": 1}, 2.0, None),
        ({"default": 2, "architecture": "{}"}, 2.0, "{}"),
        ({"default": 2, "architecture": {"a": 1}}, 2.0, '{"a": 1}'),
        ({"default": 2, "architecture": 7}, 2.0, None),
        (float("nan"), None, None),
        (float("-inf"), None, None),
        (None, None, None),
        ("high", None, None),
        ({"loss": 1}, None, None),
        ([1, 2], None, None),
    ],
)
def test_metrics(reported, value, echoed):
    assert metric_of(reported) == (value, echoed)


def test_an_experiment_without_a_journal_says_where_it_looked(tmp_path):
    with pytest.raises(DataNotFound, match="checkpoint"):
        find_journal(tmp_path)
