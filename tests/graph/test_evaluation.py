"""Evaluation: results and failures."""

from __future__ import annotations

import dataclasses
import json
import math
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest
import torch

from graphnas import Architecture, Evaluation
from graphnas.errors import InvalidArgument
from graphnas.graph.evaluation import Observation


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


@pytest.mark.parametrize(
    "scalar",
    [
        np.float32(2.0),
        np.float16(2.0),
        np.longdouble(2.0),
        np.int64(2),
        np.uint8(2),
        np.array(2.0),
        np.array([2]),
        torch.tensor(2.0),
        torch.tensor([2], dtype=torch.int32),
        torch.tensor(2.0, dtype=torch.bfloat16),
        torch.nn.Parameter(torch.tensor(2.0)),
        Decimal("2"),
        Fraction(2, 1),
        2,
    ],
    ids=repr,
)
def test_scalars_of_every_library_become_plain_numbers(scalar):
    evaluation = Evaluation(
        scalar, scalar, scalar, scalar, {"test_accuracy": scalar, np.str_("top5"): scalar}
    )
    figures = dataclasses.asdict(evaluation)
    assert [type(figures[name]) for name in ("value", "parameters", "macs", "seconds")] == [
        float,
        int,
        int,
        float,
    ]
    assert {type(figure) for figure in figures["metrics"].values()} <= {int, float}
    expected = {"value": 2.0, "parameters": 2, "macs": 2, "seconds": 2.0, "reason": ""}
    assert json.loads(json.dumps(figures)) == expected | {"metrics": {"test_accuracy": 2, "top5": 2}}


def test_what_is_not_whole_is_not_rounded():
    evaluation = Evaluation(1.0, parameters=np.float64(1.25), macs=math.nan)
    assert evaluation.parameters == 1.25
    assert math.isnan(evaluation.macs)


@pytest.mark.parametrize(
    "bad",
    ["0.9", [0.9, 0.8], np.array([0.9, 0.8]), torch.zeros(2), 1j, {}, pytest.param(10**400, id="10**400")],
)
@pytest.mark.parametrize("field", ["value", "seconds"])
def test_what_is_no_number_is_refused_with_its_name(field, bad):
    with pytest.raises(InvalidArgument, match=f"{field} must be a number, got"):
        Evaluation(**{"value": 0.5, field: bad})


def test_a_metric_that_is_no_number_does_not_cost_the_value(caplog):
    evaluation = Evaluation(0.5, metrics={"confusion": np.eye(2), "note": "good", "loss": np.float32(0.25)})
    assert evaluation == Evaluation(0.5, metrics={"loss": 0.25})
    assert [record.message.split(" must")[0] for record in caplog.records] == [
        "a metric is left out: confusion",
        "a metric is left out: note",
    ]


def test_what_an_observation_says():
    architecture, nan = Architecture(np.zeros((2, 2), int)), math.nan
    measured = Observation(architecture, (1.0,), (0.0, -1.0))
    pruned = Observation(architecture, None, (nan, -1.0), ((1, 0.5),), pruned=True)
    failed = Observation(architecture, None, (nan,))
    assert [o.informative for o in (measured, pruned, failed)] == [True, True, False]
    assert [o.feasible for o in (measured, pruned, failed)] == [True, False, False]
    assert [o.violating for o in (measured, pruned, failed)] == [False, False, False]
    assert Observation(architecture, (1.0,), (nan,)).violating
    assert Observation(architecture, None, (2.0,), ((1, 0.5),), pruned=True).violating
    assert not Observation(architecture, (1.0,), (1.0,)).feasible
