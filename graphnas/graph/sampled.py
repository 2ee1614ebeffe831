"""SampledSpace: random architectures of a space, changes of one, and all of a small space."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import NDArray

from graphnas.errors import InvalidArgument
from graphnas.graph.architecture import Architecture
from graphnas.graph.drawing import Drawing

if TYPE_CHECKING:
    from graphnas.graph.batch import ArchitectureBatch
    from graphnas.graph.space import GraphSpace


class SampledSpace:
    """The part of :class:`GraphSpace` that moves about in the space, by its layout and its rule alone."""

    @functools.cached_property
    def _drawing(self) -> Drawing:
        return Drawing(cast("GraphSpace", self))

    def __getstate__(self) -> dict[str, Any]:
        """Without what follows from the rest."""
        return {name: value for name, value in self.__dict__.items() if name != "_drawing"}

    def sample(self, rng: np.random.Generator) -> Architecture:
        """A random architecture; by default uniform over valid parameter values.

        Values are drawn until they are valid, as long as about one of 200 random combinations is. Where fewer
        are, a space of few combinations is enumerated once, and its architectures are drawn uniformly. In any
        other one a random walk leads to the architecture, along valid changes of one to four parameters. Such
        walks start from states of longer ones, and those began at the first valid combinations that turned
        up, drawn uniformly or else with all densities of edges; a warning is logged once. The stationary
        distribution of a walk is uniform over what it can reach, but it need not get there in few steps.

        The rule is asked a bounded number of times in each case.

        Raises:
            SpaceExhausted: No valid combination was found within the bound.
        """
        return self._drawing.sample(rng)

    def sample_batch(self, rng: np.random.Generator, size: int) -> ArchitectureBatch:
        """``size`` random architectures, each distributed as :meth:`sample` says, as a batch.

        By default the rule is asked for at most some 20,000 architectures more than ``size``, or 200,000 if
        it is :meth:`check_batch`. If fewer than ``size`` of them are valid, the others are states of walks
        that start from those: architectures of a large batch need not be independent, and may repeat.

        Raises:
            InvalidArgument: ``size`` is not positive.
            SpaceExhausted: As for :meth:`sample`.
        """
        from graphnas.graph.batch import ArchitectureBatch

        if size < 1:
            raise InvalidArgument(f"size must be at least 1, got {size}")
        return ArchitectureBatch.from_arrays(*self._sample_arrays(rng, size))

    def _sample_arrays(self, rng: np.random.Generator, size: int) -> tuple[NDArray[Any], ...]:
        """What :meth:`sample_batch` wraps; spaces override it with a vectorised sampler."""
        return self._drawing.arrays(rng, size)

    def neighbors(self, architecture: Architecture) -> list[Architecture]:
        """All valid architectures that differ in one parameter, in a fixed order.

        Raises:
            InvalidArchitecture: ``architecture`` is not in the space.
        """
        return self._drawing.neighbors(architecture)

    def mutate(self, architecture: Architecture, rng: np.random.Generator) -> Architecture:
        """A valid architecture that differs in one random parameter, or in a few if no such one is valid.

        Raises:
            InvalidArchitecture: ``architecture`` is not in the space.
            SpaceExhausted: No change of one parameter is valid, nor any of up to four that was tried.
        """
        return self._drawing.mutate(architecture, rng)

    @property
    def samples_by_rule(self) -> bool:
        """Whether random architectures come from the rule alone, not from a sampler of the space's own."""
        return type(self)._sample_arrays is SampledSpace._sample_arrays

    def size(self) -> int | None:
        """Number of architectures where it is known, else None."""
        return None

    def enumerate(self) -> Iterator[Architecture]:
        """Every architecture once, in a fixed order; for spaces small enough to be walked through."""
        return self._drawing.enumerate()

    def members(self, limit: int, combinations: int | None = None) -> ArchitectureBatch | None:
        """Every architecture as one batch, in the order of :meth:`enumerate`; enumerated once and kept.

        Args:
            limit: The largest number of architectures.
            combinations: The most combinations of labels that may be gone through in a space that does not
                know its size; by default 50,000, or about a million if the rule is :meth:`check_batch`.

        Returns:
            The batch; None if there are more, or if it would take too many calls of the rule to find out.
        """
        return self._drawing.members(limit, combinations)
