"""Evaluation: results and failures."""

from __future__ import annotations

import dataclasses
import math

import pytest

from graphnas import Evaluation


def test_a_result_keeps_its_figures_and_cannot_be_changed():
    evaluation = Evaluation(91.5, parameters=1000, macs=2000, seconds=1.5, metrics={"test_accuracy": 90.0})
    assert not evaluation.failed
    assert evaluation.metrics["test_accuracy"] == 90.0
    assert evaluation.reason == ""
    with pytest.raises(dataclasses.FrozenInstanceError):
        evaluation.value = 0.0


def test_a_failure_has_a_reason_and_what_was_known_before():
    failure = Evaluation.failure("out of memory", parameters=5, seconds=0.1)
    assert failure.failed
    assert math.isnan(failure.value)
    assert (failure.reason, failure.parameters, failure.seconds) == ("out of memory", 5, 0.1)
    assert failure.metrics == {}


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_values_that_are_not_finite_are_failures(value):
    assert Evaluation(value).failed
