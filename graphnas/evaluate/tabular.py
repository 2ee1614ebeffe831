"""TabularEvaluator: look up what an architecture reached, in a table of results."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from graphnas.errors import InvalidArgument
from graphnas.graph.architecture import Architecture
from graphnas.graph.evaluation import Evaluation
from graphnas.graph.space import GraphSpace
from search_spaces.tables import open_table

if TYPE_CHECKING:
    from graphnas.graph.batch import ArchitectureBatch


class TabularEvaluator:
    """Values from a table of results, larger where they are better: most in percent, see :attr:`unit`.

    For ENASMacro6 the value is the weight-sharing accuracy on CIFAR-10 in D-VAE's table: 19,020 networks with
    the weights of one supernet and no training of their own (a budget of 0 epochs). An architecture that is
    not in the table is a failed evaluation.

    For NAS-Bench-201 the value is the mean over the seeds in the table. CIFAR-10's 200-epoch validation
    accuracy in the compact file is that of one seed, with a maximum of 91.57; the papers' 91.61 is a mean.

    For NAS-Bench-101 the test accuracy is the mean of three repeats and known for every cell at 108 epochs.
    The compact file has a validation accuracy (of one repeat) for 30,001 cells only: a search on it must use
    ``space.restricted_to(evaluator)``.

    For TransNAS-Bench-101 the data set is one of seven tasks and the metric ``validation_score``: an accuracy
    in percent, a negative loss or a structural similarity. For NAS-Bench-Graph it is one of nine graph data
    sets; values are the mean of three seeds in percent (proteins: ROC-AUC, and 2,021 architectures only, so
    that a search on it must use ``space.restricted_to(evaluator)``).

    Where the data directory has no table, that of an installed package is used: ``graphnas[tables]`` has the
    validation accuracies of NAS-Bench-201 after 200 epochs, mean over the seeds, and NAS-Bench-Graph.

    Args:
        space: The space of the table.
        dataset: A data set or task of the table, by default the first; NAS-Bench-201 has ``cifar10``,
            ``cifar100`` and ``imagenet16-120``.
        budget: Training epochs, by default the largest in the table; NAS-Bench-201 has 12 and 200,
            NAS-Bench-101 4, 12, 36 and 108.
        metric: Meaning of ``Evaluation.value``, by default the first of the table's ``metrics``:
            ``validation_accuracy`` or ``test_accuracy``, ``validation_score`` for TransNAS-Bench-101.
        data_dir: Directory of the table; by default ``$GRAPHNAS_DATA``, otherwise ``~/.cache/graphnas``.
        device: One of :attr:`devices`, such as ``hwnb_c10_edgegpu``: the metrics of an evaluation then hold
            its ``latency`` (milliseconds) and, where it was measured, ``energy`` (millijoules) on it, for
            searches with several objectives.

    Raises:
        InvalidArgument: There is no table for the space, or it lacks the data set, budget, metric or device.
        DataNotFound: The table is not in the data directory; the message says how to get it.
        CorruptData: The file is truncated, damaged or of another kind.
    """

    def __init__(
        self,
        space: GraphSpace,
        dataset: str | None = None,
        budget: int | None = None,
        metric: str | None = None,
        data_dir: str | os.PathLike[str] | None = None,
        *,
        device: str | None = None,
    ) -> None:
        self.space = space
        self.table = open_table(space, data_dir)
        self.dataset = self.table.datasets[0] if dataset is None else dataset.lower()
        if self.dataset not in self.table.datasets:
            raise InvalidArgument(f"data set {dataset!r} is not one of {', '.join(self.table.datasets)}")
        self.metric = self.table.metrics[0] if metric is None else metric
        if self.metric not in self.table.metrics:
            raise self._not_recorded("metric", metric, ", ".join(self.table.metrics))
        budgets = self.table.budgets_of(self.dataset)
        self.budget = max(budgets) if budget is None else budget
        if self.budget not in budgets:
            raise self._not_recorded("budget", budget, f"{', '.join(map(str, budgets))} epochs")
        self.device = device
        if device is not None:
            self._check_device(device)

    def _not_recorded(self, what: str, value: object, known: str) -> InvalidArgument:
        return InvalidArgument(
            f"{what} {value!r} is not in the table of {self.space.name} on {self.dataset} "
            f"({self.table.path}), which has {known}"
        )

    @property
    def unit(self) -> str:
        """The unit of the values: ``%``, or for tasks of TransNAS-Bench-101 ``SSIM`` and ``-loss``."""
        return self.table.unit(self.dataset, self.metric)

    def evaluate(self, architecture: Architecture) -> Evaluation:
        """Look up ``architecture``.

        ``seconds`` is the recorded training time of the run behind the value, ``macs`` counts the
        convolutions and the classifier (the official API calls the same number FLOPs), and ``metrics`` holds
        the table's metrics that are known, and the latency and energy on :attr:`device`.

        Raises:
            InvalidArchitecture: The architecture is not in the space.
        """
        self.space.validate(architecture)
        rows = self.table.rows([architecture])
        row = int(rows[0])
        if row < 0:
            return Evaluation.failure(f"the table of {self.space.name} has no such architecture")
        at = self.dataset, self.budget
        metrics = {m: float(self.table.figures(*at, m, rows)[0]) for m in self.table.metrics}
        parameters, macs = self.table.complexity(self.dataset, row)
        value = metrics[self.metric]
        if self.device is not None:
            metrics["latency"] = float(self.table.latency(self.device, rows)[0])
            energy = self.table.energy(self.device, rows)
            if energy is not None:
                metrics["energy"] = float(energy[0])
        metrics = {name: figure for name, figure in metrics.items() if not math.isnan(figure)}
        missing = math.isnan(value)
        return Evaluation(
            value=value,
            parameters=parameters,
            macs=macs,
            seconds=self.table.seconds(self.dataset, self.budget, self.metric, row),
            metrics=metrics,
            reason=f"the table has no {self.metric} of it on {self.dataset}" if missing else "",
        )

    def values(self, architectures: Sequence[Architecture] | ArchitectureBatch) -> NDArray[np.float64]:
        """The value of each architecture, ``(B,)``, in their :attr:`unit`; NaN where none is recorded.

        Raises:
            InvalidArchitecture: An architecture is not in the space.
        """
        rows = self.table.rows(architectures)
        return self.table.figures(self.dataset, self.budget, self.metric, rows)

    def all(self) -> tuple[list[Architecture], NDArray[np.float64]]:
        """Every architecture of the table and its value, in a fixed order."""
        return self.table.architectures(), self.table.figures(self.dataset, self.budget, self.metric)

    def architectures(self) -> list[Architecture]:
        """The architectures whose value is known, in a fixed order; ``space.restricted_to`` takes them."""
        values = self.table.figures(self.dataset, self.budget, self.metric)
        return [self.table.architecture(row) for row in np.flatnonzero(~np.isnan(values)).tolist()]

    def best(self) -> tuple[Architecture, float]:
        """The architecture of the highest value, and that value."""
        values = self.table.figures(self.dataset, self.budget, self.metric)
        row = int(np.nanargmax(values))
        return self.table.architecture(row), float(values[row])

    @property
    def knows_all(self) -> bool:
        """Whether the table has the value of every architecture of the space."""
        values = self.table.figures(self.dataset, self.budget, self.metric)
        return len(values) == self.space.size() and not np.isnan(values).any()

    @property
    def optimum(self) -> float:
        """The highest value in the table."""
        return float(np.nanmax(self.table.figures(self.dataset, self.budget, self.metric)))

    @property
    def devices(self) -> tuple[str, ...]:
        """Names of the devices that :meth:`latency` knows.

        Raises:
            DataNotFound: The file of latencies is not in the data directory.
        """
        return self.table.devices

    def latency(self, architecture: Architecture, device: str) -> float:
        """Measured latency of ``architecture`` in milliseconds; NaN if the device could not run it.

        Args:
            architecture: A member of the space.
            device: One of :attr:`devices`, such as ``hwnb_c10_edgegpu`` or ``help_pixel2``.

        Raises:
            InvalidArchitecture: The architecture is not in the space.
            InvalidArgument: The device is not known.
            DataNotFound: The file of latencies is not in the data directory.
        """
        self.space.validate(architecture)
        self._check_device(device)
        return float(self.table.latency(device, self.table.rows([architecture]))[0])

    def _check_device(self, device: str) -> None:
        if device not in self.devices:
            known = ", ".join(self.devices) or "none: this table has no latencies"
            raise InvalidArgument(f"device {device!r} is not one of {known}")

    def __repr__(self) -> str:
        return (
            f"TabularEvaluator({self.space!r}, dataset={self.dataset!r}, budget={self.budget}, "
            f"metric={self.metric!r})"
        )
