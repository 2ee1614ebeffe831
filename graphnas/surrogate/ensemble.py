"""FeatureEnsemble: a stronger and slower predictor, the Gaussian process of a search with boosted trees."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.ensemble import GradientBoostingRegressor

from graphnas.errors import InvalidArgument
from graphnas.surrogate.graph_kernels import GraphKernels
from graphnas.surrogate.kernels import Inputs
from graphnas.surrogate.regression import GaussianProcess

MAX_FIT = 500
"""Points that the process's kernel is fitted to; a search, which fits for every proposal, uses fewer."""


class FeatureEnsemble:
    """The mean of a :class:`.GaussianProcess` and gradient boosted trees on the same features.

    Trees find steps and the process slopes, and the mean of both ranks better than either
    (``benchmarks/REPORT.md``, predictor quality). It takes seconds to fit, so it is for ranking many
    architectures once; a search uses the process alone.

    Trees are shallow, each sees half of the points and a twelfth of the features per split (Friedman,
    "Stochastic gradient boosting", 2002).

    Args:
        features: The features, already fitted, operation features among them.
        forests: Boosted models that are averaged.
        seed: Seed of the trees.

    Raises:
        InvalidArgument: ``forests`` is not positive.
    """

    def __init__(self, features: GraphKernels, forests: int = 3, seed: int = 0) -> None:
        if forests < 1:
            raise InvalidArgument(f"forests must be at least 1, got {forests}")
        self.process = GaussianProcess(features.kernel(), MAX_FIT)
        self.forests = [
            GradientBoostingRegressor(
                n_estimators=300,
                learning_rate=0.05,
                max_depth=4,
                subsample=0.5,
                max_features=1 / 12,
                random_state=seed + number,
            )
            for number in range(forests)
        ]

    def fit(self, train: Inputs, targets: ArrayLike) -> FeatureEnsemble:
        """Fit on features of ``n`` architectures and their standardised ``targets`` (n,).

        Raises:
            InvalidArgument: Fewer than 2 points, or lengths that differ.
        """
        self.process.fit(train, targets)
        return self.fit_forests(train, targets)

    def fit_forests(self, train: Inputs, targets: ArrayLike) -> FeatureEnsemble:
        """Fit the trees only; the process is fitted already."""
        for forest in self.forests:
            forest.fit(train[-1], np.asarray(targets, float))
        return self

    def predict(self, features: Inputs) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Mean prediction, and the process's standard deviation, both (B,).

        Raises:
            InvalidArgument: Nothing was fitted.
        """
        mean, deviation = self.process.predict(features)
        return (mean + self.forest_mean(features)) / 2, deviation

    def forest_mean(self, features: Inputs) -> NDArray[np.float64]:
        """The trees' mean prediction (B,)."""
        return np.asarray(np.mean([forest.predict(features[-1]) for forest in self.forests], axis=0), float)
