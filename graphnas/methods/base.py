"""SearchMethod: propose and learn (ask / tell), as a function of (seed, what it was told, what is pending)."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from graphnas.errors import InvalidArgument
from graphnas.graph.architecture import Architecture
from graphnas.graph.space import GraphSpace

STATE_VERSION = 1


@dataclass(frozen=True)
class Observation:
    """One finished evaluation as a method was told of it.

    Attributes:
        architecture: What was evaluated.
        values: One number per objective, each to be maximised; None when the trial failed.
        constraints: One number per constraint, satisfied where it is at most 0.
    """

    architecture: Architecture
    values: tuple[float, ...] | None
    constraints: tuple[float, ...] = ()

    @property
    def feasible(self) -> bool:
        """Whether it did not fail and every constraint is satisfied."""
        return self.values is not None and all(c <= 0 for c in self.constraints)


class SearchMethod(ABC):
    """Base of every search method.

    A method maximises. The host translates directions, stores the values and decides when to stop. What a
    method proposes depends only on its configuration, ``seed``, the sequence of observations it was told and
    the architectures pending, so a method rebuilt from a study's trials proposes what the original would.

    Args:
        space: The search space.
        seed: Seed of every random choice.

    Raises:
        InvalidArgument: ``seed`` is negative.
    """

    def __init__(self, space: GraphSpace, *, seed: int = 0) -> None:
        if seed < 0:
            raise InvalidArgument(f"seed must be a non-negative integer, got {seed}")
        self.space = space
        self.seed = seed
        self._observations: list[Observation] = []
        self._told_keys: dict[str, int] = {}

    # ---------------------------------------------------------------- the contract

    def ask(self, n: int = 1, pending: Sequence[Architecture] = ()) -> list[Architecture]:
        """Propose ``n`` architectures to evaluate next.

        Architectures that were told or are pending are not proposed again (up to isomorphism) while unseen
        ones remain; after that, repeats are proposed rather than nothing.

        Args:
            n: Number of proposals.
            pending: Architectures proposed earlier whose value is not known yet.

        Raises:
            InvalidArgument: ``n`` is not positive.
        """
        if n < 1:
            raise InvalidArgument(f"n must be at least 1, got {n}")
        waiting = list(pending)
        proposals: list[Architecture] = []
        for _ in range(n):
            seen = set(self._told_keys) | {self.space.key(a) for a in waiting}
            proposal = self._propose(waiting, seen)
            proposals.append(proposal)
            waiting.append(proposal)
        return proposals

    def tell(
        self,
        architecture: Architecture,
        value: float | Sequence[float] | None,
        constraints: Sequence[float] = (),
    ) -> None:
        """Report the value of an architecture, proposed by this method or not.

        Args:
            architecture: What was evaluated.
            value: To be maximised; one number per objective where there are several. None, or a value that
                is not finite: the trial failed.
            constraints: Violations; satisfied where at most 0.

        Raises:
            InvalidArchitecture: The architecture is not in the space.
            InvalidArgument: The number of objectives differs from what was told before.
        """
        self.space.validate(architecture)
        values: tuple[float, ...] | None = None
        if value is not None:
            values = (float(value),) if np.isscalar(value) else tuple(float(v) for v in value)  # type: ignore
            if not all(math.isfinite(v) for v in values):
                values = None
        known = next((o.values for o in self._observations if o.values is not None), values)
        if values is not None and known is not None and len(known) != len(values):
            raise InvalidArgument(f"got {len(values)} objectives, but {len(known)} were told before")
        self._told_keys.setdefault(self.space.key(architecture), len(self._observations))
        self._observations.append(
            Observation(architecture, values, tuple(float(c) for c in constraints))
        )

    @abstractmethod
    def _propose(self, pending: Sequence[Architecture], seen: set[str]) -> Architecture:
        """One proposal whose key is not in ``seen`` while unseen architectures remain."""

    # ---------------------------------------------------------------- what was told

    @property
    def observations(self) -> Sequence[Observation]:
        """Everything told so far, in order."""
        return tuple(self._observations)

    def rng(self, *purpose: int) -> np.random.Generator:
        """A generator that depends on the seed and ``purpose`` only."""
        return np.random.default_rng([self.seed, *purpose])

    def unseen_sample(self, rng: np.random.Generator, seen: set[str], tries: int = 1000) -> Architecture:
        """A random architecture whose key is not in ``seen``; any random one when none is left to find."""
        for _ in range(tries):
            architecture = self.space.sample(rng)
            if self.space.key(architecture) not in seen:
                return architecture
        size = self.space.size()
        if size is not None and size <= 200_000:
            rest = [a for a in self.space.enumerate() if self.space.key(a) not in seen]
            if rest:
                return rest[int(rng.integers(len(rest)))]
        return self.space.sample(rng)

    # ---------------------------------------------------------------- state

    def state_dict(self) -> dict[str, Any]:
        """JSON-ready state: enough to continue in another process exactly as this one would."""
        return {
            "version": STATE_VERSION,
            "method": type(self).__name__,
            "space": self.space.name,
            "seed": self.seed,
            "observations": [
                {
                    "architecture": o.architecture.to_dict(),
                    "values": None if o.values is None else list(o.values),
                    "constraints": list(o.constraints),
                }
                for o in self._observations
            ],
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Replace the state by one from :meth:`state_dict`.

        Raises:
            InvalidArgument: The state is of another version, method or space.
        """
        expected = {"version": STATE_VERSION, "method": type(self).__name__, "space": self.space.name}
        for field, value in expected.items():
            if state.get(field) != value:
                raise InvalidArgument(f"state has {field} {state.get(field)!r}, expected {value!r}")
        self.seed = int(state["seed"])
        self._observations, self._told_keys = [], {}
        for item in state["observations"]:
            self.tell(Architecture.from_dict(item["architecture"]), item["values"], item["constraints"])

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.space!r}, seed={self.seed})"
