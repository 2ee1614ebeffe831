"""The example of a user's own space is short, and really searches."""

from __future__ import annotations

import inspect
import math

import numpy as np
import pytest
from space_cases import load_example

from graphnas.errors import InvalidArchitecture


def test_the_space_is_about_thirty_lines():
    assert len(inspect.getsource(load_example().SmallCells).splitlines()) <= 35


def test_it_searches(capsys):
    values = load_example().main(trials=2, epochs=1)
    assert len(values) == 2
    assert all(math.isfinite(value) and 0 <= value <= 100 for value in values)
    assert f"best validation accuracy: {max(values):.2f} %" in capsys.readouterr().out


def test_its_rule_is_kept():
    space = load_example().SmallCells()
    unused = np.zeros((5, 5), int)
    unused[0, 1] = unused[1, 4] = unused[0, 2] = unused[0, 3] = 1
    with pytest.raises(InvalidArchitecture, match="path from input to output"):
        space.from_matrix(unused, ["input", "conv3x3", "conv3x3", "conv5x5", "output"])
    assert set(space.parameters()) >= {"small/op_1", "small/edge_0_1"}
