"""Optuna's own conformance tests, as shipped in its wheel, with nothing overridden."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from optuna.samplers import BaseSampler
from optuna.testing.pytest_samplers import (
    BasicSamplerTestCase,
    MultiObjectiveSamplerTestCase,
    RelativeSamplerTestCase,
)
from sampler_cases import make_sampler


class SamplerUnderTest:
    @pytest.fixture
    def sampler(self, method: str) -> Callable[[], BaseSampler]:
        return lambda: make_sampler(method, n_startup_trials=0)


class TestBasic(SamplerUnderTest, BasicSamplerTestCase):
    pass


class TestRelative(SamplerUnderTest, RelativeSamplerTestCase):
    pass


class TestMultiObjective(SamplerUnderTest, MultiObjectiveSamplerTestCase):
    pass
