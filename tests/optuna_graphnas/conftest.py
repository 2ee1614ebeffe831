"""Fixtures of the tests of the door to Optuna."""

from __future__ import annotations

from collections.abc import Iterator

import optuna
import pytest
from sampler_cases import sampler_names


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Every test with an argument ``method`` runs with every sampler."""
    if "method" in metafunc.fixturenames and "url" not in metafunc.fixturenames:
        metafunc.parametrize("method", sampler_names(), scope="session")


@pytest.fixture(autouse=True)
def _quiet_optuna() -> Iterator[None]:
    level = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    yield
    optuna.logging.set_verbosity(level)
