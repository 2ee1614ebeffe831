"""A stand-in for the accuracies of all 1.5 billion ENAS-6 architectures: boosted trees on the table's rows.

D-VAE's and DVAE-EMB's searches evaluate new architectures with the weights of a supernet that is not public.
Trees fitted on all 19,020 known accuracies take its place. They are no measurement: what a search finds
is known only as well as :func:`held_out_fit` says, and no value is above the largest of the trees.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.model_selection import KFold

from benchmarks.autoencoders.enas6_data import bits_of
from graphnas import Architecture, ArchitectureBatch
from graphnas.autoencoders.measures import errors_of
from search_spaces import ENASMacro6
from search_spaces.tables import open_enas6

Matrix = NDArray[np.float64]
TREES = 600
FOLDS = 5
SPACE = ENASMacro6()


def new_trees(trees: int) -> HistGradientBoostingRegressor:
    """Trees that are all grown, without early stopping."""
    return HistGradientBoostingRegressor(
        max_iter=trees, learning_rate=0.1, early_stopping=False, random_state=0
    )


class EnasSurrogate:
    """The accuracy that trees predict, in percent, and the architectures that a search starts from.

    Args:
        trees: Number of trees.
        known: Architectures of the published training set to start from, the first of it; None: all 17,118.
    """

    def __init__(self, trees: int = TREES, known: int | None = None) -> None:
        table = open_enas6()
        everything = ArchitectureBatch.from_architectures(table.architectures())
        self.accuracies = table.figures("cifar10", 0, "validation_accuracy")
        self._bits = bits_of(*SPACE.to_codes(everything))
        self._trees = new_trees(trees).fit(self._bits, self.accuracies)
        rows = table.split()[0][:known]
        # In rising order, so that evolution, which keeps the youngest, has the best in its population.
        rows = rows[np.argsort(self.accuracies[rows], kind="stable")]
        self.start = [table.architecture(int(row)) for row in rows]
        self.start_values = self.accuracies[rows]

    def __call__(self, architectures: Sequence[Architecture]) -> Matrix:
        """Predicted accuracies ``(B,)`` in percent."""
        return np.asarray(self._trees.predict(bits_of(*SPACE.to_codes(list(architectures)))))

    def held_out_fit(self) -> dict[str, float]:
        """Error and correlation on rows that trees of the same kind were not fitted on, by cross-validation.

        ``rmse`` is in percent points. ``of_start`` is the largest prediction for an architecture of the
        start, ``best_of_start`` the accuracy of its best.
        """
        predicted = np.empty_like(self.accuracies)
        for fitted, left_out in KFold(FOLDS, shuffle=True, random_state=0).split(self._bits):
            trees = new_trees(self._trees.max_iter).fit(self._bits[fitted], self.accuracies[fitted])
            predicted[left_out] = trees.predict(self._bits[left_out])
        rmse, pearson = errors_of(predicted, self.accuracies)
        return {
            "rmse": rmse,
            "pearson": pearson,
            "deviation": float(self.accuracies.std()),
            "best_of_start": float(self.start_values.max()),
            "of_start": float(self(self.start).max()),
        }

    def climbed(self, starts: int) -> dict[str, float]:
        """The best that hill climbing finds from the best of the start, all neighbours at each step.

        It evaluates far more architectures than a search may, and shows how much is left to find.
        """
        codes, skips = (part.astype(np.int64) for part in SPACE.to_codes(self.start[-starts:]))
        values = self._trees.predict(bits_of(codes, skips))
        evaluations, improved = len(codes), True
        while improved:
            near_codes, near_skips = neighbours(codes, skips)
            width = near_codes.shape[1]
            near = self._trees.predict(
                bits_of(near_codes.reshape(-1, codes.shape[1]), near_skips.reshape(-1, skips.shape[1]))
            ).reshape(-1, width)
            evaluations += near.size
            best, rows = near.argmax(1), np.arange(len(codes))
            better = near[rows, best] > values
            improved = bool(better.any())
            codes = np.where(better[:, None], near_codes[rows, best], codes)
            skips = np.where(better[:, None], near_skips[rows, best], skips)
            values = np.where(better, near[rows, best], values)
        return {"best": float(values.max()), "evaluations": evaluations, "starts": starts}


def neighbours(codes: NDArray[Any], skips: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    """All graphs with one other operation or one other skip: codes ``(B, 45, 6)``, bits ``(B, 45, 15)``."""
    layers, bits = codes.shape[1], skips.shape[1]
    count = 5 * layers + bits
    near_codes = np.repeat(codes[:, None], count, axis=1)
    near_skips = np.repeat(skips[:, None], count, axis=1)
    for layer in range(layers):
        for k in range(5):
            near_codes[:, 5 * layer + k, layer] = (codes[:, layer] + 1 + k) % 6
    for bit in range(bits):
        near_skips[:, 5 * layers + bit, bit] ^= 1
    return near_codes, near_skips
