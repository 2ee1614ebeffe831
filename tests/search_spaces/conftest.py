"""Runs every test that takes ``case`` or ``space`` with each search space."""

from __future__ import annotations

import pytest
from space_cases import CASES, IMAGE_CASES, Case

from graphnas import GraphSpace


@pytest.fixture(params=CASES, ids=lambda case: case.name)
def case(request: pytest.FixtureRequest) -> Case:
    return request.param


@pytest.fixture(params=IMAGE_CASES, ids=lambda case: case.name)
def image_case(request: pytest.FixtureRequest) -> Case:
    return request.param


@pytest.fixture
def space(case: Case) -> GraphSpace:
    return case.space()
