"""D-VAE's published split of the 19,020 ENAS-6 graphs, and their bits."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from graphnas import ArchitectureBatch
from search_spaces import ENASMacro6
from search_spaces.tables import open_table


class Data:
    """17,118 graphs to train on and 1,902 to test, with standardised accuracies.

    Args:
        graphs: At most so many of either.
    """

    def __init__(self, graphs: int | None = None) -> None:
        self.space = ENASMacro6()
        table = open_table(self.space)
        rows, held_out = (part[:graphs] for part in table.split())
        everything = ArchitectureBatch.from_architectures(table.architectures())
        self.train, self.test = everything[rows], everything[held_out]
        targets = table.standardised_targets()
        self.train_targets, self.test_targets = targets[rows], targets[held_out]

    @cached_property
    def bits(self) -> NDArray[np.float64]:
        """Those of the training graphs."""
        return bits_of(*self.space.to_codes(self.train))

    @cached_property
    def test_bits(self) -> NDArray[np.float64]:
        """Those of the test graphs."""
        return bits_of(*self.space.to_codes(self.test))


def bits_of(codes: NDArray[Any], skips: NDArray[Any]) -> NDArray[np.float64]:
    """``(B, 51)``: six one-hot operations and 15 skip bits."""
    return np.concatenate([np.eye(6)[codes].reshape(len(codes), -1), skips], axis=1)
