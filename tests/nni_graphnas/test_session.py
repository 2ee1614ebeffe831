"""The session: who is lost and who only seems to be, late results, repeats, and threads."""

from __future__ import annotations

import threading
from itertools import pairwise

import nni_cases as cases
import numpy as np
import pytest

from graphnas.errors import CorruptData, InvalidArgument
from graphnas.methods import GraphBO, RandomSearch
from nni_graphnas.journal import Result, read_journal
from nni_graphnas.session import Session
from search_spaces import GEMNet


def session(**options):
    options.setdefault("seed", 0)
    return Session(cases.SPACE, cases.random_search, **options)


def lost(made):
    return [result.architecture for result in made.results() if result.value is None]


def test_one_after_the_other_a_trial_that_ends_without_a_value_is_lost():
    made = session()
    first = made.propose(0)
    made.end(0)
    second = made.propose(1)
    assert lost(made) == [first.architecture]
    assert cases.SPACE.key(second.architecture) != cases.SPACE.key(first.architecture)
    assert [o.values for o in made.method.observations] == [None]


def test_what_was_counted_as_lost_and_reports_a_failure_late_has_failed_once():
    made = session()
    first = made.propose(0)
    made.end(0)
    made.propose(1)
    made.finish(0, None, trial="late")
    assert lost(made) == [first.architecture]
    assert [o.values for o in made.method.observations] == [None]
    made.finish(1, 3.0)
    assert len(made.results()) == 2


def test_a_swapped_pair_is_not_taken_for_lost():
    """Jobs 0 and 1 started together and took each other's parameters; the one that ends first is called 0."""
    made = session()
    proposals = [made.propose(0), made.propose(1)]
    made.finish(1, 5.0)  # the job that NNI calls 0
    made.end(0)
    made.propose(2)
    assert lost(made) == []
    assert proposals[0].architecture in made.pending()
    made.finish(0, 4.0)
    made.end(1)
    made.propose(3)
    assert lost(made) == []
    assert [(r.architecture, r.value) for r in made.results()] == [
        (proposals[1].architecture, 5.0),
        (proposals[0].architecture, 4.0),
    ]


def test_after_a_death_before_the_parameters_were_asked_for_every_name_is_shifted():
    """Job 0 dies at once, so job k evaluates what was meant for job k - 1, and nothing is lost by that."""
    made = session()
    for number in range(12):
        made.propose(number)
        if number:
            made.finish(number - 1, float(number - 1))
        made.end(number)
    assert [r.value for r in made.results()] == [float(k) for k in range(11)]
    assert lost(made) == []


def test_with_two_workers_the_dead_are_found_while_the_search_runs():
    made = session()
    running, dead = [made.propose(0), made.propose(1)], []
    for number in range(2, 60):
        ended = number - 2
        if ended % 5 == 4:
            dead.append(running[ended].architecture)
        else:
            made.finish(ended, 1.0)
        made.end(ended)
        running.append(made.propose(number))
    assert set(lost(made)) <= set(dead)
    assert len(lost(made)) >= len(dead) // 2
    for number in (58, 59):
        made.end(number)
    made.settle()
    assert set(lost(made)) == {*dead, running[58].architecture, running[59].architecture}


def test_at_the_end_all_that_ended_is_settled_and_what_was_cut_off_is_not():
    made = session()
    first, second, _third = (made.propose(number) for number in range(3))
    made.end(0)
    made.end(1)
    made.settle()
    assert lost(made) == []
    assert made.running() == 1
    made.settle(final=True)
    assert lost(made) == [first.architecture, second.architecture]
    assert len(made.pending()) == 1


def test_a_value_that_comes_after_all_is_taken():
    made = session()
    proposal = made.propose(0)
    made.end(0)
    made.settle()
    assert lost(made) == [proposal.architecture]
    made.finish(0, 3.0)
    assert [(r.architecture, r.value) for r in made.results()] == [(proposal.architecture, 3.0)]


def test_a_second_result_and_one_of_a_stranger_are_ignored(caplog):
    made = session()
    made.propose(0)
    made.finish(0, 3.0)
    made.finish(0, 4.0)
    made.finish(7, 4.0)
    made.end(7)
    assert [result.value for result in made.results()] == [3.0]
    assert "trial 7" in caplog.text


def test_what_a_trial_says_that_it_evaluated_has_the_last_word():
    made = session()
    proposal = made.propose(0)
    other = next(a for a in cases.SPACE.enumerate() if a != proposal.architecture)
    made.finish(0, 3.0, echoed=other.to_json())
    made.propose(1)
    made.finish(1, 4.0, echoed="no architecture")
    assert made.results()[0].architecture == other
    assert made.results()[1].value == 4.0


def test_minimising_negates_what_the_method_is_told_and_nothing_else():
    made = session(minimize=True)
    made.propose(0)
    made.finish(0, 3.0)
    assert made.method.observations[0].values == (-3.0,)
    assert made.results()[0].value == 3.0


def test_when_nothing_is_left_proposals_repeat_or_stop():
    space = GEMNet(3)
    made = Session(space, cases.random_search, seed=0)
    count = 0
    while (proposal := made.propose(count, repeats=False)) is not None:
        made.finish(count, 1.0)
        count += 1
    assert count == len({space.key(architecture) for architecture in space.enumerate()})
    space.validate(made.propose(count).architecture)
    assert proposal is None


def test_an_error_of_the_method_can_be_lived_with(caplog):
    class Broken(RandomSearch):
        def ask(self, n=1, pending=()):
            raise RuntimeError("broken method")

    made = Session(cases.SPACE, Broken, seed=0, fall_back=True)
    keys = set()
    for number in range(30):
        proposal = made.propose(number)
        keys.add(cases.SPACE.key(proposal.architecture))
        made.finish(number, 1.0)
    assert len(keys) == 30
    assert "broken method" in caplog.text
    strict = Session(cases.SPACE, Broken, seed=0)
    with pytest.raises(RuntimeError, match="broken method"):
        strict.propose(0)


def test_results_from_elsewhere_are_taken_once():
    made = session()
    known = made.propose(0).architecture
    made.finish(0, 3.0)
    fresh = next(a for a in cases.SPACE.enumerate() if cases.SPACE.key(a) != cases.SPACE.key(known))
    foreign = GEMNet(6).sample(np.random.default_rng(0))
    assert made.add([Result(known, 9.0), Result(fresh, 5.0), Result(foreign, 1.0), Result(fresh, 6.0)]) == 1
    assert [result.value for result in made.results()] == [3.0, 5.0]


def test_a_trial_that_nni_runs_again_is_pending_until_its_result_comes():
    made = session()
    again = made.method.ask()[0]
    made.expect(again)
    assert made.propose(0).architecture != again
    assert again in made.pending()
    made.add([Result(again, 2.0)])
    assert again not in made.pending()


def test_threads_do_not_disturb_each_other():
    made = Session(cases.SPACE, GraphBO, seed=0)
    numbers, failures = iter(range(60)), []
    lock = threading.Lock()

    def work():
        try:
            while True:
                with lock:
                    number = next(numbers, None)
                if number is None:
                    return
                proposal = made.propose(number)
                made.end(number)
                made.finish(number, cases.quality(proposal.architecture))
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    results = made.results()
    assert len({cases.SPACE.key(result.architecture) for result in results}) == len(results) == 60
    assert all(result.value == cases.quality(result.architecture) for result in results)


def test_a_journal_goes_on_and_keeps_the_seed(tmp_path):
    path = tmp_path / "deep" / "journal.jsonl"
    whole = session(seed=9)
    expected = []
    for number in range(10):
        expected.append(whole.propose(number).architecture)
        whole.finish(number, cases.quality(expected[-1]))
    found = []
    for start, stop in pairwise((0, 4, 7, 10)):
        part = session(seed=9 if start == 0 else None)
        part.open_journal(path)
        for number in range(start, stop):
            found.append(part.propose(number).architecture)
            part.finish(number, cases.quality(found[-1]), trial=f"t{number}")
    assert found == expected
    contents = read_journal(path)
    assert (contents.space, contents.seed, contents.minimize) == ("small", 9, False)
    assert [result.trial for result in contents.results] == [f"t{k}" for k in range(10)]
    with pytest.raises(InvalidArgument, match="imizes"):
        session(minimize=True).open_journal(path)
    path.write_text("something else\n")
    with pytest.raises(CorruptData):
        session().open_journal(path)


def test_a_journal_that_cannot_be_written_does_not_end_the_search(tmp_path, caplog):
    made = session()
    (tmp_path / "file").write_text("")
    made.open_journal(tmp_path / "file" / "below" / "journal.jsonl")
    made.propose(0)
    made.finish(0, 1.0)
    assert len(made.results()) == 1
    assert "could not be written" in caplog.text


def test_intermediate_results_reach_the_method_with_the_value():
    made = session(minimize=True)
    first, second = made.propose(0), made.propose(1)
    for step, value in ((1, 0.5), (0, 0.75), (2, None)):  # as threads deliver them; NaN is None
        made.report(0, value, step=step, trial="a")
    made.report(1, 2.0)
    made.report(1, 3.0)
    made.report(7, 1.0)  # of a stranger
    made.finish(0, 0.25)
    made.finish(1, None)
    assert [r.curve for r in made.results()] == [((0, 0.75), (1, 0.5)), ((0, 2.0), (1, 3.0))]
    assert [r.trial for r in made.results()] == ["a", ""]
    told = [(o.architecture, o.values, o.curve, o.pruned) for o in made.method.observations]
    assert told == [
        (first.architecture, (-0.25,), ((0, -0.75), (1, -0.5)), False),
        (second.architecture, None, ((0, -2.0), (1, -3.0)), False),
    ]


def test_what_an_assessor_stops_is_pruned_at_once_whatever_nni_calls_it():
    made = session()
    first, second = made.propose(0), made.propose(1)
    made.report(0, 0.5, step=0, trial="a")
    made.report(1, 0.75, step=0, trial="b")
    made.stop("a")
    made.stop("unknown")
    assert [(r.architecture, r.value, r.curve, r.pruned) for r in made.results()] == [
        (first.architecture, None, ((0, 0.5),), True)
    ]
    assert made.pending() == [second.architecture]
    made.end(1)  # the wrong name for the end of the first
    made.finish(1, 1.0, trial="b")
    made.end(0)
    made.settle(final=True)
    assert [(r.value, r.pruned) for r in made.results()] == [(None, True), (1.0, False)]


def test_a_stopped_trial_is_still_one_in_the_next_process(tmp_path):
    made = session()
    made.open_journal(tmp_path / "j")
    made.propose(0)
    made.report(0, 0.5, step=3, trial="a")
    made.stop("a")
    again = session()
    again.open_journal(tmp_path / "j")
    assert again.method.observations == made.method.observations
    assert again.method.observations[0].pruned
    loaded = session()
    loaded.load_state_dict(made.state_dict())
    assert loaded.method.observations == made.method.observations


def test_a_value_that_comes_after_the_assessor_has_the_last_word():
    made = session()
    made.propose(0)
    made.report(0, 0.5, step=0, trial="a")
    made.stop("a")
    made.finish(0, 2.0, trial="a")
    assert [(r.value, r.pruned) for r in made.results()] == [(2.0, False)]
