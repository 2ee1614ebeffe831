"""SearchMethod: propose and learn (ask / tell), as a function of the seed, what was told and is pending."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from graphnas.errors import GraphNASError, InvalidArgument
from graphnas.graph.architecture import Architecture
from graphnas.graph.evaluation import Observation
from graphnas.graph.space import GraphSpace

STATE_VERSION = 1

ENUMERABLE = 200_000
"""Spaces of at most this size are walked through to find what random draws no longer find."""


class SearchMethod(ABC):
    """Base of every search method.

    A method maximises. The host translates directions, stores the values and decides when to stop. What a
    method proposes depends only on its configuration, ``seed``, the sequence of observations it was told and
    the architectures pending, so a method rebuilt from a study's trials proposes what the original would.

    Args:
        space: The search space.
        seed: Seed of every random choice.

    Raises:
        InvalidArgument: ``seed`` is not a non-negative integer.
    """

    def __init__(self, space: GraphSpace, *, seed: int = 0) -> None:
        if isinstance(seed, bool) or not isinstance(seed, int | np.integer) or seed < 0:
            raise InvalidArgument(f"seed must be a non-negative integer, got {seed!r}")
        self.space = space
        self.seed = int(seed)
        self._observations: list[Observation] = []
        self._told_keys: dict[str, int] = {}

    # ---------------------------------------------------------------- the contract

    def ask(self, n: int = 1, pending: Sequence[Architecture] = ()) -> list[Architecture]:
        """Propose ``n`` architectures to evaluate next.

        Architectures that were told or are pending, and others of their key, are not proposed again while
        unseen ones remain; after that, repeats are proposed rather than nothing.

        Args:
            n: Number of proposals.
            pending: Architectures proposed earlier whose value is not known yet.

        Raises:
            InvalidArgument: ``n`` is not positive.
        """
        if n < 1:
            raise InvalidArgument(f"n must be at least 1, got {n}")
        waiting = list(pending)
        seen = {*self._told_keys, *map(self.space.key, waiting)}
        proposals: list[Architecture] = []
        for _ in range(n):
            proposal = self._propose(waiting, seen)
            proposals.append(proposal)
            waiting.append(proposal)
            seen.add(self.space.key(proposal))
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
            InvalidArgument: ``value`` or ``constraints`` are not numbers, or the number of objectives differs
                from what was told before.
        """
        self.learn(Observation(architecture, _values(value), _numbers(constraints, "constraints")))

    def learn(self, observation: Observation) -> None:
        """Add a finished evaluation, as :meth:`tell` does.

        Raises:
            InvalidArchitecture: Its architecture is not in the space.
            InvalidArgument: It has another number of objectives than those before.
        """
        self.space.validate(observation.architecture)
        if observation.values is not None:
            known = next((o.values for o in self._observations if o.values is not None), observation.values)
            if len(known) != len(observation.values):
                raise InvalidArgument(
                    f"got {len(observation.values)} objectives, but {len(known)} were told before"
                )
        self._told_keys.setdefault(self.space.key(observation.architecture), len(self._observations))
        self._observations.append(observation)

    def replay(self, observations: Sequence[Observation]) -> None:
        """Know exactly ``observations``; of a sequence that only grew, what is new is learned.

        Raises:
            InvalidArchitecture: As :meth:`learn`; nothing is changed then.
            InvalidArgument: As :meth:`learn`; nothing is changed then.
        """
        before = self._observations, self._told_keys
        count = len(before[0])
        grown = list(observations[:count]) == before[0]
        self._observations, self._told_keys = (list(before[0]), dict(before[1])) if grown else ([], {})
        try:
            for observation in observations[count if grown else 0 :]:
                self.learn(observation)
        except GraphNASError:
            self._observations, self._told_keys = before
            raise
        if not grown:
            self._forget()

    @abstractmethod
    def _propose(self, pending: Sequence[Architecture], seen: set[str]) -> Architecture:
        """One proposal whose key is not in ``seen`` (which is only read) while unseen ones remain."""

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
        rest = [a for a in small_space(self.space) if self.space.key(a) not in seen]
        return rest[int(rng.integers(len(rest)))] if rest else self.space.sample(rng)

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
            InvalidArgument: The state is damaged, or of another version, method or space; nothing is changed.
        """
        expected = {"version": STATE_VERSION, "method": type(self).__name__, "space": self.space.name}
        if not isinstance(state, dict):
            raise InvalidArgument(f"a state is a dictionary, got {type(state).__name__}")
        for field, value in expected.items():
            if state.get(field) != value:
                raise InvalidArgument(f"state has {field} {state.get(field)!r}, expected {value!r}")
        before = self.seed, self._observations, self._told_keys
        try:
            seed, items = state["seed"], state["observations"]
            SearchMethod.__init__(self, self.space, seed=seed)
            for item in items:
                self.tell(Architecture.from_dict(item["architecture"]), item["values"], item["constraints"])
        except (KeyError, TypeError, GraphNASError) as error:
            self.seed, self._observations, self._told_keys = before
            raise InvalidArgument(f"the state is damaged: {error!r}") from error
        self._forget()

    def _forget(self) -> None:  # noqa: B027 - nothing to drop is the common case
        """Drop whatever was derived from the seed and the observations; called when the state is replaced."""

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.space!r}, seed={self.seed})"


def small_space(space: GraphSpace) -> Iterable[Architecture]:
    """Every architecture of a space of at most :data:`ENUMERABLE`, and none of a larger one."""
    size = space.size()
    if size is None:  # a bound that every space states
        size = math.prod(len(choices) for choices in space.parameters().values())
    return space.enumerate() if size <= ENUMERABLE else ()


def _values(value: object) -> tuple[float, ...] | None:
    """The objectives of a finished evaluation; None for a failed one."""
    if value is None:
        return None
    values = _numbers(value, "value")
    if not values:
        raise InvalidArgument("value must be a number or at least one number, got none")
    return values if all(map(math.isfinite, values)) else None


def _numbers(given: object, what: str) -> tuple[float, ...]:
    try:
        return tuple(np.asarray(given, dtype=float).reshape(-1).tolist())
    except (TypeError, ValueError) as error:
        raise InvalidArgument(f"{what} must be a number or a sequence of numbers, got {given!r}") from error
