"""Transfer: prior tasks become the mean, and parts of the kernel, of the process of a new task.

The process of the new task is ``f(x) = a + b m(x) + sum_t b_t m_t(x) + g(x)``. ``m_t`` is the posterior mean
of a process that was fitted to prior task ``t`` alone, and ``m`` their average; ``g`` is the process of a
search without prior data. The coefficients are normal and integrated out, so that ``f`` is a Gaussian process
too, whose mean is ``E[b] m`` and whose kernel gains a constant and the products ``m m'`` and ``m_t m_t'``
(Rasmussen and Williams, "Gaussian Processes for Machine Learning", 2006, section 2.7). The variances of the
coefficients are learned with the rest of the kernel: a task that says nothing about the new one is left
out, and one that says the opposite is used the other way round.

Every ``m_t`` is fitted to normal scores of ranks and is not rescaled: a task whose values its process cannot
explain, being noise or too few, has a mean near zero and with it no weight.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from graphnas.graph.batch import ArchitectureBatch
from graphnas.surrogate.graph_kernels import GraphKernels
from graphnas.surrogate.kernels import Correlation, Inputs, Kernel, Matrix, Vector
from graphnas.surrogate.prior import PriorTask
from graphnas.surrogate.regression import GaussianProcess
from graphnas.surrogate.training_set import normal_scores

Means = NDArray[np.float32]

MAX_POINTS = 500
"""Architectures of a prior task that its process learns from; see :meth:`.PriorTask.thinned`."""

EXPECTED = 1.0
"""``E[b]``: until it is known better, the new task is like the average of the prior ones."""

COMMON, OWN = (-1.0, 1.5), (-2.0, 1.5)
"""Means and deviations of the priors of the logarithms of the variances of ``b`` and of each ``b_t``."""


class PriorMeans:
    """The posterior means of prior tasks, each by a process on :class:`.GraphKernels` of its own.

    Args:
        kernels: Features of the new task's process, whose settings are taken over.
        tasks: At least one prior task.
    """

    def __init__(self, kernels: GraphKernels, tasks: Sequence[PriorTask]) -> None:
        tasks = [task.thinned(MAX_POINTS) for task in tasks]
        self._kernels = kernels.sibling()
        batches = [
            ArchitectureBatch.from_architectures(task.architectures, kernels.space.max_nodes)
            for task in tasks
        ]
        self._kernels.fit(ArchitectureBatch.cat(batches))
        self._processes: list[list[GaussianProcess]] = []
        for task, batch in zip(tasks, batches, strict=True):
            features = self._kernels(batch)
            self._processes.append(
                [
                    GaussianProcess(self._kernels.kernel()).fit(features, normal_scores(column))
                    for column in task.values.T
                ]
            )
        self._latest: tuple[ArchitectureBatch, Means] | None = None

    def __call__(self, batch: ArchitectureBatch) -> Means:
        """The means ``(B, T, m)`` of ``B`` architectures, of ``T`` tasks in ``m`` objectives."""
        # Keep the rows of the largest batch: a search asks for its candidates again at every proposal.
        if self._latest is not None and self._latest[0] is batch:
            return self._latest[1]
        features = self._kernels(batch)
        columns = [np.stack([p.mean(features) for p in own], axis=1) for own in self._processes]
        means = np.stack(columns, axis=1).astype(np.float32)
        if self._latest is None or len(batch) >= len(self._latest[0]):
            self._latest = batch, means
        return means


class Product(Correlation):
    """``m m'``, the covariance of a function with a slope of unit variance over the numbers ``m``.

    Args:
        weight_prior: Mean and standard deviation of the prior of the logarithm of its weight.
    """

    def __init__(self, weight_prior: tuple[float, float]) -> None:
        self.weight_prior = weight_prior

    def matrix(self, theta: Vector, a: Vector, b: Vector) -> Matrix:
        """Products ``(len(a), len(b))``."""
        return np.outer(a, b)

    def diagonal(self, theta: Vector, rows: Any) -> Vector:
        """Squares (n,)."""
        return np.asarray(rows**2, float)


class TransferProcess:
    """A Gaussian process of the new task; its inputs are those of ``kernel``, then the prior means.

    Args:
        kernel: The kernel of a search without prior data.
        tasks: Number of prior tasks.
        objective: Which objective of the prior tasks it is about; None averages them.
    """

    def __init__(self, kernel: Kernel, tasks: int, objective: int | None) -> None:
        self._objective = objective
        # One task is its own average.
        self._own = tasks if tasks > 1 else 0
        added = [Product((0.0, 1.0)), Product(COMMON), *(Product(OWN) for _ in range(self._own))]
        self._process = GaussianProcess(kernel.extended(*added))

    def fit(self, inputs: Inputs, targets: ArrayLike) -> Self:
        """Fit the kernel and the posterior."""
        self._process.fit(self._inputs(inputs), np.asarray(targets, float) - self._expected(inputs))
        return self

    def condition(self, inputs: Inputs, targets: ArrayLike) -> Self:
        """Replace the data, keeping the fitted kernel."""
        self._process.condition(self._inputs(inputs), np.asarray(targets, float) - self._expected(inputs))
        return self

    def believe(self, inputs: Inputs) -> Self:
        """Add points, with their predicted means as their values."""
        self._process.believe(self._inputs(inputs))
        return self

    def predict(self, inputs: Inputs, *, noisy: bool = False) -> tuple[Vector, Vector]:
        """Posterior mean and standard deviation."""
        mean, deviation = self._process.predict(self._inputs(inputs), noisy=noisy)
        return mean + self._expected(inputs), deviation

    def _means(self, inputs: Inputs) -> Vector:
        """The prior means (n, T) of one objective."""
        means = inputs[-1].astype(float)
        return np.asarray(means.mean(2) if self._objective is None else means[:, :, self._objective])

    def _expected(self, inputs: Inputs) -> Vector:
        return np.asarray(EXPECTED * self._means(inputs).mean(1))

    def _inputs(self, inputs: Inputs) -> list[Any]:
        means = self._means(inputs)
        return [*inputs[:-1], np.ones(len(means)), means.mean(1), *means.T[: self._own]]


class PlainProcess:
    """A Gaussian process that ignores the prior means, its last input: of a constraint.

    Args:
        kernel: The kernel of a search without prior data.
    """

    def __init__(self, kernel: Kernel) -> None:
        self._process = GaussianProcess(kernel)

    def fit(self, inputs: Inputs, targets: ArrayLike) -> Self:
        """Fit the kernel and the posterior."""
        self._process.fit(inputs[:-1], targets)
        return self

    def condition(self, inputs: Inputs, targets: ArrayLike) -> Self:
        """Replace the data, keeping the fitted kernel."""
        self._process.condition(inputs[:-1], targets)
        return self

    def believe(self, inputs: Inputs) -> Self:
        """Add points, with their predicted means as their values."""
        self._process.believe(inputs[:-1])
        return self

    def predict(self, inputs: Inputs, *, noisy: bool = False) -> tuple[Vector, Vector]:
        """Posterior mean and standard deviation."""
        return self._process.predict(inputs[:-1], noisy=noisy)
