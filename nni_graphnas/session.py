"""Session: a search method between NNI's threads, with proposals, results, lost trials and a journal."""

from __future__ import annotations

import functools
import logging
import secrets
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from graphnas.configuration import Configuration, configured, replaced
from graphnas.errors import GraphNASError, InvalidArgument
from graphnas.graph.architecture import Architecture
from graphnas.graph.space import GraphSpace
from graphnas.methods.base import SearchMethod
from graphnas.methods.registry import configuration_of, make_method
from graphnas.surrogate.prior import PriorTask
from nni_graphnas.inner import InnerTuner
from nni_graphnas.journal import Journal, Result, read_journal, without_corrected

STATE_VERSION = 1
_FALLBACK = 7
_logger = logging.getLogger(__name__)

MethodMaker = Callable[..., SearchMethod]
"""Makes a search method when called with a space and ``seed=...``, as the class of a method does."""


def method_maker(
    name: str,
    config: Configuration | None = None,
    preset: str | None = None,
    changes: Mapping[str, Any] | None = None,
    prior: Sequence[PriorTask] = (),
) -> MethodMaker:
    """Makes the search method called ``name``, whose configuration is checked here.

    Args:
        name: As in :func:`graphnas.methods.registry.make_method`.
        config: The method's configuration; cannot be combined with ``preset``.
        preset: The name of one of its settings.
        changes: Single fields of the configuration to replace.
        prior: What is known of other tasks.

    Raises:
        InvalidArgument: An unknown method, preset or field, or a value out of range.
    """
    kind = configuration_of(name)
    if kind is None and (config is not None or preset is not None or changes):
        raise InvalidArgument(f"{name} has no configuration")
    if kind is None:
        return functools.partial(make_method, name, prior=prior)
    settings = replaced(configured(kind, config, preset), **(changes or {}))
    return functools.partial(make_method, name, config=settings, prior=prior)


@dataclass
class Proposal:
    """One trial that NNI asked for.

    Attributes:
        architecture: The architecture to evaluate.
        parameters: The other hyper-parameters.
        ended: Whether NNI reported the end of its job; with several workers NNI may mean another job.
        resolved: Whether its value is known, or that it will have none.
        reported: Whether a final metric came.
    """

    architecture: Architecture
    parameters: dict[str, Any] = field(default_factory=dict)
    ended: bool = False
    resolved: bool = False
    reported: bool = False


class Session:
    """A search method between NNI's threads.

    Only a final metric says for certain which architecture it belongs to. NNI also reports when a job has
    ended, but may name the wrong one: it hands parameters to jobs in the order in which they ask, so the ids
    of jobs and parameters get mixed up when several start together, and stay mixed up when a job dies before
    it asks. So a trial without a value is pending until it must have been lost: its own job has ended, and
    so many later ones have ended that no remaining job can be running it. If a value comes after all, it is
    taken.

    Args:
        space: The search space.
        method: Makes the search method when called with the space and ``seed=...``.
        seed: Seed of everything random; None: that of the journal, or else drawn.
        inner: Chooses the hyper-parameters that do not belong to the architecture, if there are any.
        minimize: Whether the smallest value is the best; the method then learns negated values.
        fall_back: Whether an error of the method is logged and a random architecture proposed instead.
    """

    def __init__(
        self,
        space: GraphSpace,
        method: MethodMaker,
        *,
        seed: int | None = None,
        inner: InnerTuner | None = None,
        minimize: bool = False,
        fall_back: bool = False,
    ) -> None:
        self.space = space
        self.minimize = minimize
        self.lock = threading.RLock()
        self._sign = -1.0 if minimize else 1.0
        self._factory = method
        self._seed_is_fixed = seed is not None
        self.seed = secrets.randbelow(2**32) if seed is None else seed
        self._fall_back = fall_back
        self._inner = inner
        self._journal: Journal | None = None
        self._journal_path: Path | None = None
        self._results: list[Result] = []
        self._keys: set[str] = set()
        self._proposals: dict[int, Proposal] = {}
        self._elsewhere: list[Architecture] = []
        self._metrics = 0
        self._most_alive = 1
        self._restart()

    def _restart(self) -> None:
        """Make the method anew and let it learn the known results."""
        self.method = self._factory(self.space, seed=self.seed)
        self._keys = set(self.space.keys([result.architecture for result in self._results]))
        self.method.replay([result.observation(self._sign) for result in self._results])
        if self._inner is not None:
            self._inner.replay(self.seed, self._results, self._sign)

    def use_inner(self, inner: InnerTuner) -> None:
        """Let ``inner`` choose the other hyper-parameters from now on."""
        with self.lock:
            self._inner = inner
            inner.replay(self.seed, self._results, self._sign)

    # ---------------------------------------------------------------- proposals

    def propose(self, number: int, *, repeats: bool = True) -> Proposal | None:
        """What trial ``number`` is to evaluate.

        Args:
            number: Numbers ascend in the order in which trials are submitted.
            repeats: Whether to propose a known architecture again when none is left.

        Returns:
            None where no unknown architecture is left and ``repeats`` is false.
        """
        with self.lock:
            self.settle()
            pending = self.pending()
            architecture = self._ask(pending)
            if self.space.key(architecture) in self._seen(pending):
                if not repeats:
                    return None
                _logger.warning("%s: every architecture was proposed; they repeat now", self.space.name)
            parameters = self._inner.suggest(number) if self._inner is not None else {}
            proposal = Proposal(self.space.completed(architecture), parameters)
            self._proposals[number] = proposal
            self._most_alive = max(self._most_alive, self.running())
            return proposal

    def _ask(self, pending: list[Architecture]) -> Architecture:
        try:
            return self.method.ask(1, pending)[0]
        except Exception:
            if not self._fall_back:
                raise
            _logger.exception("%r failed; a random architecture is proposed instead", self.method)
        rng = np.random.default_rng([self.seed, _FALLBACK, len(self._results), len(pending)])
        return self.method.unseen_sample(rng, self._seen(pending))

    def _seen(self, pending: Iterable[Architecture]) -> set[str]:
        return {*self._keys, *map(self.space.key, pending)}

    def pending(self) -> list[Architecture]:
        """The architectures whose value may still come."""
        with self.lock:
            running = [p.architecture for p in self._proposals.values() if not p.resolved]
            return [*running, *self._elsewhere]

    def expect(self, architecture: Architecture) -> None:
        """Note that NNI runs ``architecture``, which an earlier process proposed, again."""
        with self.lock:
            if self.space.is_valid(architecture):
                self._elsewhere.append(architecture)

    # ---------------------------------------------------------------- results

    def finish(self, number: int, value: float | None, *, echoed: str | None = None, trial: str = "") -> None:
        """Take the final metric of trial ``number``.

        Args:
            number: As given to :meth:`propose`.
            value: As the trial reported it; None where that is no finite number.
            echoed: The architecture (JSON) that the trial says it evaluated, which overrides the proposal.
            trial: NNI's id of the trial.
        """
        with self.lock:
            proposal = self._proposals.get(number)
            if proposal is None:
                _logger.warning("a result came for trial %d, which was not proposed here", number)
                return
            if proposal.reported:
                _logger.info("trial %d reported a second final result, which is ignored: %r", number, value)
                return
            self._metrics += 1
            lost, proposal.reported, proposal.resolved = proposal.resolved, True, True
            architecture, parameters = self._echoed(proposal, echoed), proposal.parameters
            if lost and value is None and architecture == proposal.architecture:
                return  # it was counted as failed, and has failed
            if self._inner is not None:
                self._inner.tell(number, parameters, None if value is None else self._sign * value)
            self._take(Result(architecture, value, parameters, trial))

    def _echoed(self, proposal: Proposal, echoed: str | None) -> Architecture:
        if echoed is not None:
            try:
                architecture = self.space.completed(Architecture.from_json(echoed))
            except GraphNASError as error:
                _logger.warning("the architecture that a trial echoed is ignored: %s", error)
            else:
                return architecture
        return proposal.architecture

    def end(self, number: int, *, lost: bool = False) -> None:
        """Note that the job of trial ``number`` has ended.

        Args:
            number: As given to :meth:`propose`.
            lost: Whether it is certain that this trial gives no value.
        """
        with self.lock:
            proposal = self._proposals.get(number)
            if proposal is None:
                return
            proposal.ended = True
            if lost:
                self._lose(number)

    def running(self) -> int:
        """Number of trials whose job has not ended."""
        with self.lock:
            return sum(not proposal.ended for proposal in self._proposals.values())

    def settle(self, *, final: bool = False) -> None:
        """Count as failed what can no longer give a value.

        Args:
            final: Whether nothing runs any more. Proposals that never ended are not counted: they were cut
                off, or NNI asked for one more than it could run.
        """
        with self.lock:
            numbers = sorted(self._proposals)
            ended = [number for number in numbers if self._proposals[number].ended]
            if final or len(ended) == len(numbers):
                window = 0
            else:  # at most this many later jobs can have taken each other's parameters
                window = self._most_alive + max(0, len(ended) - self._metrics)
            for place, number in enumerate(numbers):
                later = numbers[place : place + window + 1]
                if len(later) == window + 1 and all(self._proposals[n].ended for n in later):
                    self._lose(number)

    def _lose(self, number: int) -> None:
        proposal = self._proposals[number]
        if proposal.resolved:
            return
        proposal.resolved = True
        if self._inner is not None:
            self._inner.tell(number, proposal.parameters, None)
        self._take(Result(proposal.architecture, None, proposal.parameters))

    def add(self, results: Iterable[Result]) -> int:
        """Take results from elsewhere, unless their architecture is known already.

        Returns:
            How many were new and are in the space.
        """
        with self.lock:
            new = 0
            for result in results:
                if not self.space.is_valid(result.architecture):
                    _logger.warning("a result is ignored: %s refuses its architecture", self.space.name)
                    continue
                key = self.space.key(result.architecture)
                self._elsewhere = [a for a in self._elsewhere if self.space.key(a) != key]
                if key not in self._keys:
                    new += 1
                    self._take(result)
            if new and self._inner is not None:
                self._inner.replay(self.seed, self._results, self._sign)
            return new

    def _take(self, result: Result) -> None:
        self._results.append(result)
        self._keys.add(self.space.key(result.architecture))
        self.method.learn(result.observation(self._sign))
        if self._journal is not None:
            try:
                self._journal.append(result)
            except OSError:  # a full disk costs the journal, not the search
                _logger.exception("the journal could not be written")

    def results(self) -> list[Result]:
        """The finished trials in the order they came."""
        with self.lock:
            return without_corrected(self._results)

    # ---------------------------------------------------------------- continuing

    def open_journal(self, path: Path) -> None:
        """Continue from the results in the journal, if it exists, and write to it from now on.

        Raises:
            InvalidArgument: It is of another space, or of the other direction.
            CorruptData: It is no journal.
        """
        with self.lock:
            if path.exists() and path.stat().st_size:
                contents = read_journal(path)
                self._check(contents.space, contents.minimize, path)
                if not self._seed_is_fixed:
                    self.seed = contents.seed
                self._merge(contents.results)
            self._journal = Journal(path, self.space, self.seed, self.minimize)

    def state_dict(self) -> dict[str, Any]:
        """JSON-ready state; the running trials are listed without results, since they run again."""
        with self.lock:
            return {
                "version": STATE_VERSION,
                "space": self.space.name,
                "minimize": self.minimize,
                "seed": self.seed,
                "results": [result.to_dict() for result in self.results()],
                "running": [architecture.to_dict() for architecture in self.pending()],
            }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue from a state of :meth:`state_dict` and from what the journal holds beyond it.

        Raises:
            InvalidArgument: It is damaged, or of another version, space or direction; nothing has changed.
        """
        with self.lock:
            if not isinstance(state, Mapping) or state.get("version") != STATE_VERSION:
                raise InvalidArgument(f"not a state of version {STATE_VERSION}: {str(state)[:100]}")
            try:
                seed, results = int(state["seed"]), [Result.from_dict(entry) for entry in state["results"]]
                space, minimize = state["space"], bool(state["minimize"])
            except (KeyError, TypeError, ValueError, GraphNASError) as error:
                raise InvalidArgument(f"the state is damaged: {error!r}") from error
            self._check(space, minimize, "the state")
            for result in results:
                if not self.space.is_valid(result.architecture):
                    raise InvalidArgument(
                        f"the state is damaged: {self.space!r} refuses {result.architecture!r}"
                    )
            if not self._seed_is_fixed:
                self.seed = seed
            before, self._results = self._results, []
            self._merge([*results, *before])

    def _merge(self, results: Iterable[Result]) -> None:
        """Add ``results`` that are not known yet, and make the method anew from all of them."""
        merged: list[Result] = []
        for result in [*self._results, *results]:
            if result not in merged:
                self.space.validate(result.architecture)
                merged.append(result)
        self._results = without_corrected(merged)
        self._restart()

    def _check(self, space: object, minimize: bool, where: object) -> None:
        if space != self.space.name:
            raise InvalidArgument(f"{where} is of the space {space!r}, not of {self.space.name!r}")
        if minimize != self.minimize:
            raise InvalidArgument(f"{where} is of a search that {'mini' if minimize else 'maxi'}mizes")
