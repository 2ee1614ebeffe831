"""Dry runs: durations in words, measured times, and the sum of the work."""

from __future__ import annotations

import time

import pytest

from graphnas.dry_run import DryRun, Work, duration, measured_seconds


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.0, "0 s"),
        (0.0000801, "80.1 us"),
        (0.0125, "12.5 ms"),
        (1.25, "1.25 s"),
        (12.4, "12 s"),
        (60, "1 min"),
        (200, "3 min 20 s"),
        (3599.6, "1 h"),
        (7_260, "2 h 1 min"),
        (190_800, "2 d 5 h"),
        (86_400 * 1234.0, "1,234 d"),
    ],
)
def test_durations_in_words(seconds, text):
    assert duration(seconds) == text


def test_the_first_call_is_not_measured():
    calls = []

    def work():
        calls.append(len(calls))
        time.sleep(0.2 if len(calls) == 1 else 0.01)

    assert 0.01 <= measured_seconds(work, calls=3) < 0.1
    assert len(calls) == 4


def test_measuring_ends_when_it_took_long_enough():
    calls = []

    def work():
        calls.append(0)
        time.sleep(0.02)

    measured_seconds(work, calls=100, enough=0.03, warm_up=False)
    assert len(calls) == 2


def test_a_busy_machine_is_told(monkeypatch):
    run = DryRun("a search", {}, [])
    monkeypatch.setattr("os.cpu_count", lambda: 2)
    monkeypatch.setattr("os.getloadavg", lambda: (7.3, 1.0, 1.0), raising=False)
    assert str(run).endswith(
        "- Other programs run: 7.3 of them for 2 cores, so that an idle machine is faster."
    )
    monkeypatch.setattr("os.getloadavg", lambda: (1.2, 1.0, 1.0))
    assert "Other programs" not in str(run)


def test_the_estimate_is_the_sum_of_what_was_measured(monkeypatch):
    monkeypatch.setattr("os.getloadavg", lambda: (0.0, 0.0, 0.0), raising=False)
    run = DryRun(
        "a search",
        {"trials": 12_000, "space": "small"},
        [Work("evaluation", 12_000, 0.5), Work("proposal", 12_000, None), Work("update", 30, 60.0)],
        ["Optuna is not counted."],
    )
    assert run.seconds == 12_000 * 0.5 + 30 * 60
    text = str(run)
    assert "trials  12,000" in text
    assert "not measured" in text
    assert "Estimate, measured on this machine as it is now: 2 h 10 min." in text
    assert text.endswith("- Optuna is not counted.")
