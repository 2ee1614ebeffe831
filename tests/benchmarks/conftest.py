"""Fixtures that skip where a table of results or a data set is missing."""

from __future__ import annotations

import pytest

from graphnas.errors import DataNotFound
from search_spaces import get_space
from search_spaces.tables import open_table


def _need(name: str) -> None:
    try:
        open_table(get_space(name))
    except DataNotFound as error:
        pytest.skip(str(error))


@pytest.fixture
def table201() -> None:
    _need("nasbench201")


@pytest.fixture
def table101() -> None:
    _need("nasbench101")


@pytest.fixture
def enas_table() -> None:
    _need("enas6")


@pytest.fixture
def cifar10() -> None:
    from graphnas.training.cifar10 import find_cifar10

    try:
        find_cifar10()
    except DataNotFound as error:
        pytest.skip(str(error))
