"""JointKernel: the kernel of architectures and hyper-parameters that are searched together."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from graphnas.surrogate.kernels import Contraction, Correlation, Inputs, Kernel, Matrix, Vector

PRODUCT_PRIOR = (0.0, 1.0)
SETTINGS_PRIOR = (0.0, 2.0)
"""Mean and standard deviation of the priors of the logarithms of ``b`` and ``w``."""


class JointKernel(Kernel):
    """``k(x, x') (1 + b c(h, h')) + w c(h, h')`` for architectures ``x`` with hyper-parameters ``h``.

    Its terms are an effect of the architecture, one of the hyper-parameters, and their interaction, the
    product kernel; the weights ``b`` and ``w`` are learned. Its log-parameters are those of ``k`` and of
    ``c``, then the logarithms of ``b`` and ``w``.

    Args:
        architecture: The kernel ``k``, of all inputs but the first.
        settings: The correlation ``c``, of the first input.
    """

    def __init__(self, architecture: Kernel, settings: Correlation) -> None:
        super().__init__(settings, *architecture.correlations)
        self.architecture, self.settings = architecture, settings
        self._end = 0

    def extended(self, *correlations: Correlation) -> JointKernel:
        """The kernel with further correlations of architectures, of as many further inputs."""
        return JointKernel(self.architecture.extended(*correlations), self.settings)

    def start(self, inputs: Inputs) -> tuple[Vector, Vector]:
        """Means and standard deviations of the normal priors of the log-parameters."""
        means, spreads = self.architecture.start(inputs[1:])
        self._end = len(means)
        own = self.settings.start(inputs[0])
        last = np.array([PRODUCT_PRIOR, SETTINGS_PRIOR])
        means = np.concatenate([means, np.zeros(len(own)), last[:, 0]])
        return means, np.concatenate([spreads, own, last[:, 1]])

    def _split(self, theta: Vector) -> tuple[Vector, Vector, float, float]:
        b, w = np.exp(theta[-2:]).tolist()
        return theta[: self._end], theta[self._end : -2], b, w

    def diagonal(self, theta: Vector, inputs: Inputs) -> Vector:
        """Variances (n,) of ``n`` points."""
        first, second, b, w = self._split(theta)
        settings = self.settings.diagonal(second, inputs[0])
        return self.architecture.diagonal(first, inputs[1:]) * (1 + b * settings) + w * settings

    def matrix(self, theta: Vector, a: Inputs, b: Inputs) -> Matrix:
        """Covariances ``(len(a), len(b))``."""
        first, second, product, weight = self._split(theta)
        settings = self.settings.matrix(second, a[0], b[0])
        covariance = self.architecture.matrix(first, a[1:], b[1:]) * (1 + product * settings)
        covariance += weight * settings
        return covariance

    def bind(self, inputs: Inputs) -> Callable[[Vector], tuple[Matrix, Contraction]]:
        """The function from ``theta`` to the covariances ``(n, n)`` of ``inputs`` and their derivative."""
        bound = self.architecture.bind(inputs[1:])

        def evaluate(theta: Vector) -> tuple[Matrix, Contraction]:
            first, second, b, w = self._split(theta)
            covariance, contract = bound(first)
            similar, contract_settings = self.settings.with_contraction(second, inputs[0])
            factor = 1 + b * similar

            def contraction(slope: Matrix) -> Vector:
                pulled = slope * covariance
                own = [b * (pulled * similar).sum(), w * (slope * similar).sum()]
                settings = contract_settings(b * pulled + w * slope)
                return np.concatenate([contract(slope * factor), settings, own])

            return covariance * factor + w * similar, contraction

        return evaluate
