"""Why architectures are good: the motifs that raise and lower a value, by the Gaussian process of GraphBO."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike, NDArray

from graphnas.errors import InvalidArgument
from graphnas.graph.architecture import Architecture
from graphnas.graph.batch import ArchitectureBatch
from graphnas.graph.space import GraphSpace
from graphnas.graph.wl_motifs import Motifs
from graphnas.surrogate.common_motifs import common_motifs
from graphnas.surrogate.effects import average_effects, count_gradients, slopes
from graphnas.surrogate.graph_kernels import GraphKernels
from graphnas.surrogate.improvement import MAX_POINTS
from graphnas.surrogate.kernels import Inputs, Matrix, Vector, take
from graphnas.surrogate.regression import GaussianProcess, evenly_by_rank

LEAST_VALUES = 10
"""Architectures with a value that an explanation needs."""

LOWEST = {"least": 1, "samples": 100, "refits": 0}
"""Smallest values of the settings."""

WIDTH = 1.96
"""Standard deviations from the middle to each end of a 95 % interval."""


@dataclass(frozen=True)
class MotifEffect:
    """What one more occurrence of a motif does.

    Attributes:
        name: The motif in words, see :meth:`graphnas.graph.wl_motifs.Motifs.name`.
        depth: Rounds of refinement: 0 is an operation alone, 1 an operation with its neighbours.
        count: Evaluated architectures that have it.
        effect: Mean change of the value with one more occurrence, in the unit of the value.
        error: Standard deviation of that, see :func:`explain`.
        gradient: Derivative of the process in the count of the motif, all else fixed, in the unit of the
            value.
        gradient_error: Posterior standard deviation of that.
    """

    name: str
    depth: int
    count: int
    effect: float
    error: float
    gradient: float
    gradient_error: float

    @property
    def low(self) -> float:
        """Lower end of the 95 % interval of the effect."""
        return self.effect - WIDTH * self.error

    @property
    def high(self) -> float:
        """Upper end of that interval."""
        return self.effect + WIDTH * self.error


@dataclass(frozen=True, eq=False)
class Explanation:
    """The motifs of a search and their effects.

    Attributes:
        effects: Ordered by effect, what raises the value most first.
        rare: Number of motifs left out because hardly any random architecture has them.
        space: The search space.
        architectures: The evaluated architectures with a value.
        values: ``(n,)`` one each.
        value_name: Meaning of the values.
        minimize: Whether smaller is better.
        depths: The Weisfeiler-Lehman depths of the process.
    """

    effects: tuple[MotifEffect, ...]
    rare: int
    space: GraphSpace
    architectures: tuple[Architecture, ...]
    values: NDArray[np.float64]
    value_name: str
    minimize: bool
    depths: tuple[int, ...]
    _places: Mapping[int, int] = field(repr=False)

    def extremes(self, count: int) -> list[MotifEffect]:
        """At most ``count`` effects: those that raise the value most, then those that lower it most."""
        raising = [effect for effect in self.effects if effect.effect > 0]
        lowering = [effect for effect in self.effects if effect.effect <= 0]
        half = count // 2
        first = raising[: max(count - len(lowering), count - half)]
        return first + lowering[len(lowering) - min(len(lowering), count - len(first)) :]

    def of_nodes(self, architecture: Architecture) -> tuple[Architecture, NDArray[np.float64]]:
        """Which effect each part of an architecture has.

        Returns:
            The graph with operations on nodes, of what computes; and for each of its nodes ``(n,)`` the
            effect of the largest motif in its middle that is known, NaN where none is.
        """
        batch = ArchitectureBatch.from_architectures([architecture], self.space.max_nodes)
        motifs = Motifs(self.space, batch, max(self.depths))
        graph = motifs.active.architecture(0)
        effects = np.full(graph.num_nodes, np.nan)
        for labels in motifs.labels[0]:
            for node, label in enumerate(labels[: graph.num_nodes].tolist()):
                if label in self._places:
                    effects[node] = self.effects[self._places[label]].effect
        return graph, effects


def explain(
    architectures: Sequence[Architecture],
    values: ArrayLike,
    space: GraphSpace,
    *,
    depths: Sequence[int] = (0, 1),
    least: int = 3,
    samples: int = 2000,
    refits: int = 12,
    seed: int = 0,
    value_name: str = "value",
    minimize: bool = False,
) -> Explanation:
    """Find the operations and sub-graphs that raise and lower the value.

    The process has the features, the kernel and the priors of GraphBO's. GraphBO fits it to ranks, which is
    all that a search needs; here it is fitted to the values, so that effects have their unit. It predicts
    ``samples`` random architectures of the space, and the effect of a motif is the slope of what it
    predicts over how often the motif occurs there; for one that is there or not, by how much those that
    have it are better on average (:func:`graphnas.surrogate.effects.average_effects`). The random
    architectures make up for where the search looked: of a search that found good regions, the evaluated
    architectures alone say little about what is good, because nearly all of them have it.

    The kernel sums correlations of the bits, of the normalised counts of each Weisfeiler-Lehman depth and
    of operation features, and a motif changes all of them. So the derivative in a count alone, by which Ru
    et al. (ICLR 2021, section 3.3) explain a process that has nothing but counts, is a part of the effect
    only, and agrees less with a whole table (``benchmarks/surrogates/motif_effects.py``). It is given
    beside it, averaged over the evaluated architectures
    (:func:`graphnas.surrogate.effects.count_gradients`).

    An effect is an average over random architectures, with all that usually comes with the motif in them;
    it is no proof of a cause. Its variance is that of the posterior, and that among processes fitted to the
    evaluations drawn again with replacement (Efron, "Bootstrap methods", Annals of Statistics, 1979): the
    posterior takes its kernel, and the few very bad values that are there by chance, for given, and alone
    is too sure of itself.

    Args:
        architectures: The evaluated architectures.
        values: One number each; what is not finite does not count.
        space: Their space.
        depths: Weisfeiler-Lehman depths of the process; motifs have up to the largest number of rounds.
        least: Architectures that must have a motif another number of times than most have.
        samples: Random architectures that effects are averaged over.
        refits: Processes fitted to resampled evaluations, by which effects are less certain than by one
            process; with fewer than 2 the interval is that of the one.
        seed: Seed of the random architectures and of the resampling.
        value_name: Meaning of the values.
        minimize: Whether smaller is better; effects are changes of the value all the same.

    Of more than :data:`.MAX_POINTS` architectures with a value, so many are taken, evenly over the ranks.

    Raises:
        InvalidArgument: A bad setting, fewer than :data:`LEAST_VALUES` architectures with a value, values
            that are all the same, or no motif that some have and others lack.
    """
    numbers = _checked(architectures, values, depths, least=least, samples=samples, refits=refits)
    known = np.flatnonzero(np.isfinite(numbers))
    if len(known) > MAX_POINTS:
        known = np.sort(known[evenly_by_rank(numbers[known], MAX_POINTS)])
    members, numbers = tuple(architectures[k] for k in known.tolist()), numbers[known]
    batch = ArchitectureBatch.from_architectures(members, space.max_nodes)
    rng = np.random.default_rng(seed)
    pool = space.sample_batch(rng, samples)
    found = common_motifs(space, batch, pool, max(depths), least)
    kernels = GraphKernels(space, tuple(depths)).fit(ArchitectureBatch.cat([batch, pool]))
    inputs, points = kernels(batch), kernels(pool)
    process, unit = _fitted(kernels, inputs, numbers)
    effects, errors = average_effects(process, points, found.sampled)
    spread = np.zeros(len(effects))
    if refits > 1:
        again = [_refitted(kernels, inputs, numbers, points, found.sampled, rng) for _ in range(refits)]
        spread = np.std(again, axis=0, ddof=1)
    errors = np.hypot(unit * errors, spread)
    gradients = count_gradients(process, kernels, batch, inputs, found.labels, found.counts)
    rows = [
        MotifEffect(
            name=found.names[k],
            depth=found.depths[k],
            count=int((found.counts[:, k] > 0).sum()),
            effect=unit * float(effects[k]),
            error=float(errors[k]),
            gradient=unit * float(gradients[0][k]),
            gradient_error=unit * float(gradients[1][k]),
        )
        for k in range(len(found.names))
    ]
    order = sorted(range(len(rows)), key=lambda k: -rows[k].effect)
    rank = {k: place for place, k in enumerate(order)}
    return Explanation(
        effects=tuple(rows[k] for k in order),
        rare=found.rare,
        space=space,
        architectures=members,
        values=numbers,
        value_name=value_name,
        minimize=minimize,
        depths=tuple(depths),
        _places={label: rank[k] for label, k in found.places.items()},
    )


def _fitted(kernels: GraphKernels, inputs: Inputs, values: Vector) -> tuple[GaussianProcess, float]:
    """A process fitted to standardised values, and the unit of its targets."""
    unit = float(values.std())
    return GaussianProcess(kernels.kernel()).fit(inputs, (values - values.mean()) / unit), unit


def _refitted(
    kernels: GraphKernels,
    inputs: Inputs,
    values: Vector,
    points: Inputs,
    counts: Matrix,
    rng: np.random.Generator,
) -> Vector:
    """The effects (J,) by a process that is fitted to evaluations drawn again, with replacement."""
    rows = rng.integers(len(values), size=len(values))
    while np.ptp(values[rows]) == 0:
        rows = rng.integers(len(values), size=len(values))
    process, unit = _fitted(kernels, take(inputs, rows), values[rows])
    return slopes(counts, unit * process.mean(points))


def _checked(
    architectures: Sequence[Architecture], values: ArrayLike, depths: Sequence[int], **settings: int
) -> NDArray[np.float64]:
    """The values (n,), after checking them and the settings; see :func:`explain`."""
    numbers = np.asarray(values, float)
    if numbers.shape != (len(architectures),):
        raise InvalidArgument(f"{len(architectures)} architectures need as many values, got {numbers.shape}")
    for name, lowest in LOWEST.items():
        if settings[name] < lowest:
            raise InvalidArgument(f"{name} must be at least {lowest}, got {settings[name]}")
    if not depths or min(depths) < 0:
        raise InvalidArgument(f"depths must be non-negative and not empty, got {tuple(depths)}")
    known = numbers[np.isfinite(numbers)]
    if len(known) < LEAST_VALUES:
        raise InvalidArgument(
            f"an explanation needs at least {LEAST_VALUES} architectures with a value, got {len(known)}"
        )
    if np.ptp(known) == 0:
        raise InvalidArgument(f"all {len(known)} values are {known[0]:g}: there is nothing to explain")
    return numbers
