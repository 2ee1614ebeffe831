"""SearchMethod: propose and learn (ask / tell), around a pure function of the history."""

from __future__ import annotations

import functools
import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterable, Sequence
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar, runtime_checkable

import numpy as np

from graphnas.errors import GraphNASError, InvalidArgument, SpaceExhausted
from graphnas.graph.architecture import Architecture
from graphnas.graph.changes import walked
from graphnas.graph.evaluation import Observation, Proposal
from graphnas.graph.space import GraphSpace
from graphnas.hyperparameters import HyperParameters
from graphnas.seeds import checked_seed

if TYPE_CHECKING:
    from graphnas.surrogate.prior import PriorTask

STATE_VERSION = 2

ENUMERABLE = 200_000
"""Size of the largest space that is enumerated once random draws find nothing new."""

WALKED = 2000
"""States of walks from known architectures among which an unseen one is sought."""

_WALK = 1 << 20
"""Purpose of the generator of such walks; methods use smaller numbers."""

T = TypeVar("T")


class Latest(Generic[T]):
    """Remembers the latest result of a costly pure function, by the arguments that it depends on."""

    def __init__(self) -> None:
        self._known: tuple[object, T] | None = None

    def __call__(self, arguments: object, compute: Callable[[], T]) -> T:
        """``compute()``, or its last result if ``arguments`` equal those of the last call."""
        if self._known is None or self._known[0] != arguments:
            self._known = None  # an error must not leave the result for other arguments
            self._known = arguments, compute()
        return self._known[1]


@runtime_checkable
class JointSearch(Protocol):
    """A search method that can choose hyper-parameters together with an architecture."""

    def ask_joint(self, parameters: HyperParameters, pending: Sequence[Proposal] = ()) -> Proposal:
        """Propose an architecture and values of ``parameters``, learned from the observations' settings.

        An architecture may be proposed again with other hyper-parameters.

        Args:
            parameters: What to choose beside the architecture.
            pending: What is being evaluated.
        """


class SearchMethod(ABC):
    """Base of every search method.

    A method maximises. The host translates directions, stores the values and decides when to stop. A method
    is the pure function :meth:`propose` of its configuration, its seed, the observations and the pending
    architectures; the rest of this class is a shell around it. So a method that is rebuilt from a study's
    trials proposes what the original would. Everything else that a method keeps is a cache.

    Args:
        space: The search space.
        seed: Seed of every random choice.

    Raises:
        InvalidArgument: ``seed`` is not a non-negative integer.
    """

    def __init__(self, space: GraphSpace, *, seed: int = 0) -> None:
        self.space = space
        self.seed = checked_seed(seed)
        self._observations: list[Observation] = []
        self._keys: set[str] = set()

    @abstractmethod
    def propose(
        self, observations: Sequence[Observation], pending: Sequence[Architecture], seen: Collection[str]
    ) -> Architecture:
        """The architecture to evaluate next, a pure function of the arguments, configuration and seed.

        Args:
            observations: Everything evaluated so far, in order.
            pending: Architectures proposed earlier whose value is not known yet.
            seen: The keys of all of these. The proposal's key is none of them while unseen ones remain.
        """

    def use_prior(self, tasks: Sequence[PriorTask]) -> None:
        """Search with what is known of other tasks, in place of any that was given before.

        Like the configuration, prior tasks are no part of the state: a method that is rebuilt needs them too.

        Args:
            tasks: Tasks of the same space; none: search without.

        Raises:
            InvalidArgument: This method cannot use prior tasks, or they do not fit together.
            InvalidArchitecture: An architecture is not in the space.
        """
        if tasks:
            raise InvalidArgument(f"{type(self).__name__} cannot use prior tasks; GraphBO can")

    # ---------------------------------------------------------------- the shell

    def ask(self, n: int = 1, pending: Sequence[Architecture] = ()) -> list[Architecture]:
        """Propose ``n`` architectures to evaluate next.

        Architectures that were evaluated or are pending, and others of their key, are not proposed again
        while unseen ones remain; after that, repeats are proposed rather than nothing.

        Args:
            n: Number of proposals.
            pending: Architectures proposed earlier whose value is not known yet.

        Raises:
            InvalidArgument: ``n`` is not positive.
        """
        if n < 1:
            raise InvalidArgument(f"n must be at least 1, got {n}")
        waiting = list(pending)
        seen = {*self._keys, *map(self.space.key, waiting)}
        for _ in range(n):
            waiting.append(self._proposal(tuple(waiting), seen))
            seen.add(self.space.key(waiting[-1]))
        return waiting[len(pending) :]

    def _proposal(self, pending: Sequence[Architecture], seen: Collection[str]) -> Architecture:
        try:
            return self.propose(self._observations, pending, seen)
        except SpaceExhausted:
            # The space finds no random architecture, but some may have been told or enqueued.
            known = [*(o.architecture for o in self._observations), *pending]
            if not known:
                raise
            return self._walked(self.rng(_WALK, len(seen)), seen, known)

    def tell(
        self,
        architecture: Architecture,
        value: float | Sequence[float] | None,
        constraints: Sequence[float] = (),
        *,
        curve: Sequence[tuple[int, float]] = (),
        pruned: bool = False,
    ) -> None:
        """Report the value of an architecture, proposed by this method or not.

        Args:
            architecture: What was evaluated.
            value: To be maximised; one number per objective where there are several. None, or a value that
                is not finite: the trial failed, or was pruned.
            constraints: Violations; satisfied where at most 0.
            curve: Steps, rising, and the values reported at them, to be maximised like ``value``.
            pruned: Whether the trial was ended early because of its curve; it then has no ``value``.

        Raises:
            InvalidArchitecture: The architecture is not in the space.
            InvalidArgument: ``value`` or ``constraints`` are not numbers, the number of objectives differs
                from that of earlier reports, or the trial is pruned and has a value or no curve.
        """
        self.learn(
            Observation(
                architecture, _values(value), _numbers(constraints, "constraints"), _curve(curve), pruned
            )
        )

    def learn(self, observation: Observation) -> None:
        """Add a finished evaluation, as :meth:`tell` does.

        Raises:
            InvalidArchitecture: Its architecture is not in the space.
            InvalidArgument: Its number of objectives differs from that of earlier ones, or it is pruned and
                has values or no curve.
        """
        self.space.validate(observation.architecture)
        if observation.pruned and (observation.values is not None or not observation.curve):
            raise InvalidArgument(f"a pruned trial has a curve and no value, got {observation}")
        if observation.values is not None:
            known = next((o.values for o in self._observations if o.values is not None), observation.values)
            if len(known) != len(observation.values):
                raise InvalidArgument(
                    f"got {len(observation.values)} objectives, but {len(known)} were reported before"
                )
        self._keys.add(self.space.key(observation.architecture))
        self._observations.append(observation)

    def replay(self, observations: Sequence[Observation]) -> None:
        """Replace the history by ``observations``; if it only grew, just the new ones are learned.

        Raises:
            InvalidArchitecture: As :meth:`learn`; nothing is changed then.
            InvalidArgument: As :meth:`learn`; nothing is changed then.
        """
        before = self._observations, self._keys
        count = len(before[0])
        grown = list(observations[:count]) == before[0]
        self._observations, self._keys = (list(before[0]), set(before[1])) if grown else ([], set())
        try:
            for observation in observations[count if grown else 0 :]:
                self.learn(observation)
        except GraphNASError:
            self._observations, self._keys = before
            raise

    @property
    def observations(self) -> Sequence[Observation]:
        """Everything evaluated so far, in order."""
        return tuple(self._observations)

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
                    "curve": [list(point) for point in o.curve],
                    "pruned": o.pruned,
                    "settings": dict(o.settings),
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
        try:
            seed = checked_seed(state["seed"])
            self.replay(
                [
                    Observation(
                        Architecture.from_dict(item["architecture"]),
                        _values(item["values"]),
                        _numbers(item["constraints"], "constraints"),
                        _curve(item["curve"]),
                        bool(item["pruned"]),
                        tuple(sorted(item["settings"].items())),
                    )
                    for item in state["observations"]
                ]
            )
        except (KeyError, TypeError, ValueError, AttributeError, GraphNASError) as error:
            raise InvalidArgument(f"the state is damaged: {error!r}") from error
        self.seed = seed

    # ---------------------------------------------------------------- for proposals

    def rng(self, *purpose: int) -> np.random.Generator:
        """A generator that depends on the seed and ``purpose`` only."""
        return np.random.default_rng([self.seed, *purpose])

    def unseen_sample(
        self,
        rng: np.random.Generator,
        seen: Collection[str],
        tries: int = 1000,
        known: Sequence[Architecture] = (),
    ) -> Architecture:
        """A random architecture whose key is not in ``seen``; any random one when none is left.

        Args:
            rng: Source of all draws.
            seen: Keys that it must not have.
            tries: Random architectures to draw before a small space is enumerated.
            known: Architectures of the space, from which walks along valid changes start if the space itself
                finds no random one.

        Raises:
            SpaceExhausted: There is no random architecture and none is known.
        """
        try:
            for _ in range(tries):
                architecture = self.space.sample(rng)
                if self.space.key(architecture) not in seen:
                    return architecture
        except SpaceExhausted:
            if not known:
                raise
            return self._walked(rng, seen, known)
        rest = [architecture for architecture, key in self._small_space if key not in seen]
        return rest[int(rng.integers(len(rest)))] if rest else self.space.sample(rng)

    def _walked(
        self, rng: np.random.Generator, seen: Collection[str], known: Sequence[Architecture]
    ) -> Architecture:
        """An unseen architecture on walks from known ones; a known one when they meet no other."""
        states = dict.fromkeys(walked(self.space, known, WALKED, rng))
        unseen = [architecture for architecture in states if self.space.key(architecture) not in seen]
        found = unseen or list(known)
        return found[int(rng.integers(len(found)))]

    @functools.cached_property
    def _small_space(self) -> list[tuple[Architecture, str]]:
        """Every architecture of a small space, with its key."""
        members = small_space(self.space)
        return list(zip(members, self.space.keys(members), strict=True)) if len(members) else []

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.space!r}, seed={self.seed})"


def small_space(space: GraphSpace) -> Sequence[Architecture]:
    """Every architecture of a space of at most :data:`ENUMERABLE`, and none of a larger one.

    A space that does not know its size counts by its combinations of labels.
    """
    members = space.members(ENUMERABLE, ENUMERABLE)
    return [] if members is None else members.to_architectures()


def _values(value: object) -> tuple[float, ...] | None:
    """The objectives of a finished evaluation; None for a failed one."""
    if value is None:
        return None
    values = _numbers(value, "value")
    if not values:
        raise InvalidArgument("value must be a number or at least one number, got none")
    return values if all(map(math.isfinite, values)) else None


def _curve(points: Iterable[tuple[int, float]]) -> tuple[tuple[int, float], ...]:
    return tuple((int(step), float(value)) for step, value in points)


def _numbers(given: object, what: str) -> tuple[float, ...]:
    try:
        return tuple(np.asarray(given, dtype=float).reshape(-1).tolist())
    except (TypeError, ValueError) as error:
        raise InvalidArgument(f"{what} must be a number or a sequence of numbers, got {given!r}") from error
