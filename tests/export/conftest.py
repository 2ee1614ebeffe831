"""Fixtures: trained models of every space."""

from __future__ import annotations

import pytest
from trained_models import SPACES, made

from graphnas.training import TrainedModel
from search_spaces import GEMNet


@pytest.fixture(scope="session")
def models() -> dict[str, TrainedModel]:
    return {name: made(make(), shape, (3, 32, 32)) for name, (make, shape) in SPACES.items()}


@pytest.fixture(scope="session", params=SPACES)
def trained(request, models) -> TrainedModel:
    return models[request.param]


@pytest.fixture
def small() -> TrainedModel:
    return made(GEMNet(5), {"widths": (3, 4)}, (1, 8, 8))
