"""The strategies for ``NasExperiment``: each is a GraphStrategy with one search method."""

from __future__ import annotations

import logging
import math
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, TypedDict, Unpack

from graphnas.errors import InvalidArgument
from graphnas.seeds import checked_seed
from graphnas.surrogate.prior import PriorTask
from nni_graphnas.host import require_nas

require_nas()

from nni.mutable import Categorical, MutableSymbol, Numerical  # noqa: E402
from nni.nas.execution.event import ModelEventType  # noqa: E402
from nni.nas.space import ExecutableModelSpace, ModelStatus  # noqa: E402
from nni.nas.strategy.base import Strategy  # noqa: E402

from nni_graphnas import repairs  # noqa: E402
from nni_graphnas.arguments import MethodMaker, method_maker  # noqa: E402
from nni_graphnas.inner import InnerTuner  # noqa: E402
from nni_graphnas.journal import FILE_NAME, Result, best_of, metric_of  # noqa: E402
from nni_graphnas.session import Session  # noqa: E402
from nni_graphnas.space import ArchitectureConstraint  # noqa: E402

LAST_EVENTS_SECONDS = 5.0
"""How long the end of a search waits for the events of its last trials."""

_logger = logging.getLogger(__name__)


class GraphStrategy(Strategy):
    """NNI strategy that explores a space of :func:`nni_graphnas.space.model_space` by a search method.

    * It submits while workers are idle, and maximises, as every strategy of NNI does. It learns from final
      metrics, and from intermediate ones where its method does. A metric is a number, or a dictionary with
      the number under ``default``.
    * An architecture that is finished or running is not submitted again (up to isomorphism); when none is
      left, the strategy ends before the budget does. A trial that fails, or reports NaN or nothing, counts as
      a failure, and its architecture is not tried again.
    * Mutables of the evaluator (a learning rate, a batch size) are chosen by one of NNI's tuners.
    * With the training service, the journal is in the experiment's checkpoint directory, and a resumed
      experiment continues from it, even if it was killed. With other engines, name a file.
    * :meth:`list_models`, and so ``export_top_models``, lists what was really measured: NNI's own list mixes
      up the results of trials that ran side by side.

    Args:
        method: Makes the search method when called with a space and ``seed=...``; a class, for example.
        seed: Seed of everything random; None: drawn, or that of the journal.
        inner_tuner: Name of the NNI tuner for mutables other than the architecture.
        inner_tuner_args: Its class arguments.
        journal: File of results, which is read where it exists; None: see above.

    Raises:
        InvalidArgument: ``seed`` is no non-negative integer.
    """

    def __init__(
        self,
        method: MethodMaker,
        *,
        seed: int | None = None,
        inner_tuner: str = "TPE",
        inner_tuner_args: Mapping[str, Any] | None = None,
        journal: str | os.PathLike[str] | None = None,
    ) -> None:
        super().__init__()
        if seed is not None:
            checked_seed(seed)
        repairs.apply(nas=True)
        self._method = method
        self._seed = seed
        self._inner_tuner = inner_tuner
        self._inner_tuner_args = dict(inner_tuner_args or {})
        self._journal = None if journal is None else Path(journal)
        self._session: Session | None = None
        self._submitted = 0
        # The engine holds weak references only, and an event names its trial by the model submitted.
        self._models: list[ExecutableModelSpace] = []
        self._numbers: dict[int, int] = {}
        self._earlier: list[Result] = []

    def extra_repr(self) -> str:
        """What the strategy was made with."""
        name = getattr(self._method, "__name__", repr(self._method))
        return f"method={name}, seed={self._seed}"

    @property
    def session(self) -> Session:
        """What was proposed and what came back.

        Raises:
            RuntimeError: The strategy has not been initialised with a model space.
        """
        if self._session is None:
            raise RuntimeError("the strategy is not initialised: it has no model space yet")
        return self._session

    # ---------------------------------------------------------------- NNI's contract

    def _initialize(self, model_space: ExecutableModelSpace, engine: Any) -> ExecutableModelSpace:
        mutables = model_space.simplify()
        rules = [mutable for mutable in mutables.values() if isinstance(mutable, ArchitectureConstraint)]
        if len(rules) != 1:
            raise InvalidArgument(
                f"the model space holds {len(rules)} architectures, but must hold one: make it with "
                "nni_graphnas.space.model_space(space, num_classes=...)"
            )
        space = rules[0].space
        self._session = Session(space, self._method, seed=self._seed)
        names = space.parameters().keys()
        others = {
            str(name): search_space_of(mutable)
            for name, mutable in mutables.items()
            if isinstance(mutable, MutableSymbol) and name not in names
        }
        if others:
            self._session.use_inner(InnerTuner(others, self._inner_tuner, self._inner_tuner_args))
        path = self._journal or _experiment_journal(engine)
        if path is not None:
            self._session.open_journal(path)
            self._earlier = self._session.results()
        engine.register_model_event_callback(ModelEventType.FinalMetric, self._on_final_metric)
        engine.register_model_event_callback(ModelEventType.IntermediateMetric, self._on_intermediate_metric)
        engine.register_model_event_callback(ModelEventType.TrainingEnd, self._on_training_end)
        return model_space

    def _cleanup(self) -> None:
        self.engine.unregister_model_event_callback(ModelEventType.FinalMetric, self._on_final_metric)
        self.engine.unregister_model_event_callback(
            ModelEventType.IntermediateMetric, self._on_intermediate_metric
        )
        self.engine.unregister_model_event_callback(ModelEventType.TrainingEnd, self._on_training_end)

    def _run(self) -> None:
        while self.wait_for_resource():
            model = self._next_model()
            if model is None:
                _logger.info("every architecture was tried; the search ends before its budget")
                break
            self.engine.submit_models(model)
        self.engine.wait_models()
        # The last events come from another thread, perhaps a moment after the status that ended the wait.
        deadline = time.monotonic() + LAST_EVENTS_SECONDS
        while self.session.running() and time.monotonic() < deadline:
            time.sleep(0.05)
        self.session.settle(final=True)

    def _next_model(self) -> ExecutableModelSpace | None:
        """The next model to submit; None when no untried architecture is left."""
        number = self._submitted
        proposal = self.session.propose(number, repeats=False)
        if proposal is None:
            return None
        sample = {**self.session.space.to_parameters(proposal.architecture), **proposal.parameters}
        model = self.model_space.freeze(sample)
        self._submitted += 1
        self._models.append(model)
        self._numbers[id(model)] = number
        return model

    # ---------------------------------------------------------------- events, from the engine's thread

    def _on_final_metric(self, event: Any) -> None:
        self._guarded(self._take_metric, event)

    def _on_intermediate_metric(self, event: Any) -> None:
        self._guarded(self._take_intermediate, event)

    def _on_training_end(self, event: Any) -> None:
        self._guarded(self._take_end, event)

    def _guarded(self, take: Callable[[int, Any], None], event: Any) -> None:
        # An exception would end the thread that listens to NNI, and the experiment would wait for ever.
        number = self._numbers.get(id(event.model))
        if number is None:
            return  # submitted by a middleware, or by another strategy on the same engine
        try:
            take(number, event)
        except Exception:
            _logger.exception("an event of trial %d could not be taken: %s", number, event)

    def _take_metric(self, number: int, event: Any) -> None:
        value, echoed = metric_of(event.metric)
        self.session.finish(number, value, echoed=echoed)

    def _take_intermediate(self, number: int, event: Any) -> None:
        self.session.report(number, metric_of(event.metric)[0])

    def _take_end(self, number: int, event: Any) -> None:
        if event.status == ModelStatus.Interrupted:
            return  # by the user: no failure, and it runs again when the search is resumed
        # Invalid comes from a middleware and is about this model; NNI's own statuses may be another job's.
        self.session.end(number, lost=event.status == ModelStatus.Invalid)

    # ---------------------------------------------------------------- results

    def results(self) -> list[Result]:
        """Every finished trial in the order they came, those before a resumption included."""
        return self.session.results()

    def best(self) -> Result:
        """The best finished trial.

        Raises:
            DataNotFound: No trial has a value yet.
        """
        return best_of(self.results())

    def list_models(self, sort: bool = True, limit: int | None = None) -> Iterator[ExecutableModelSpace]:
        """The models searched, those before a resumption included.

        Args:
            sort: Whether to list only those with a value, the best first.
            limit: The largest number of models.
        """
        models = [*map(self._model_of, self._earlier), *self._models]
        if sort:
            models = [model for model in models if metric_of(model.metric)[0] is not None]
            models.sort(key=lambda model: metric_of(model.metric)[0] or 0.0, reverse=True)
        yield from models[:limit]

    def _model_of(self, result: Result) -> ExecutableModelSpace:
        sample = {**self.session.space.to_parameters(result.architecture), **result.parameters}
        model = self.model_space.freeze(sample)
        if result.value is not None:
            model.metrics.final = result.value
        model.status = ModelStatus.Failed if result.value is None else ModelStatus.Trained
        return model

    # ---------------------------------------------------------------- state

    def state_dict(self) -> dict[str, Any]:
        """JSON-ready state, from which another process continues; running trials are then run again."""
        return self.session.state_dict()

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Continue from a state; call it between ``initialize`` and ``run``.

        Raises:
            InvalidArgument: The state is damaged, or of another space.
        """
        self.session.load_state_dict(state_dict)
        self._earlier = self.session.results()


def search_space_of(mutable: Any) -> dict[str, Any]:
    """A mutable other than the architecture's, in the form in which NNI's tuners take it.

    Raises:
        InvalidArgument: It is neither a choice nor a (log-)uniformly or (log-)normally distributed number.
    """
    if isinstance(mutable, Categorical):
        return {"_type": "choice", "_value": list(mutable.values)}
    if isinstance(mutable, Numerical):
        normal = mutable.mu is not None and mutable.sigma is not None
        values = [mutable.mu, mutable.sigma] if normal else [mutable.low, mutable.high]
        if all(math.isfinite(value) for value in values):
            name = ("log" if mutable.log_distributed else "") + ("normal" if normal else "uniform")
            if mutable.quantize is not None:
                return {"_type": f"q{name}", "_value": [*values, mutable.quantize]}
            return {"_type": name, "_value": values}
    raise InvalidArgument(f"only choices and uniform or normal numbers can be searched, not {mutable!r}")


def _experiment_journal(engine: Any) -> Path | None:
    """The journal of the experiment that ``engine`` works for, below any middleware; None without one."""
    while getattr(engine, "_engine", None) is not None:
        engine = engine._engine
    experiment = getattr(engine, "nodejs_binding", None)
    directory = getattr(experiment, "_checkpoint_directory", None)
    return None if directory is None else Path(directory) / FILE_NAME


class StrategyOptions(TypedDict, total=False):
    """The options that every strategy takes; see :class:`GraphStrategy`."""

    seed: int | None
    inner_tuner: str
    inner_tuner_args: Mapping[str, Any] | None
    journal: str | os.PathLike[str] | None


class MethodStrategy(GraphStrategy):
    """Base of the strategies whose method has a configuration with presets.

    Args:
        config: Settings of the method; by default those that search best in our benchmarks.
        preset: The name of a setting, instead of ``config``: ``"default"``, ``"paper"`` for the method as
            published, or another one that the configuration's class lists.
        prior: What is known of other tasks, for :class:`GraphBO`; see :class:`graphnas.methods.PriorTask`.
        **options: See :class:`GraphStrategy`.

    Raises:
        InvalidArgument: Both ``config`` and ``preset``, or a value out of range.
    """

    method_name: ClassVar[str]

    def __init__(
        self,
        config: Any = None,
        *,
        preset: str | None = None,
        prior: Sequence[PriorTask] = (),
        **options: Unpack[StrategyOptions],
    ) -> None:
        super().__init__(method_maker(self.method_name, config, preset, prior=prior), **options)
        self._settings = f"preset={preset or 'default'!r}" if config is None else f"config={config!r}"

    def extra_repr(self) -> str:
        """The configuration and the seed."""
        return f"{self._settings}, seed={self._seed}"


class GraphBO(MethodStrategy):
    """Bayesian optimisation with a Gaussian process on graph features; the strategy that we recommend."""

    method_name = "GraphBO"


class NASGEM(MethodStrategy):
    """NASGEM (arXiv 2007.04452): a kernel-guided encoder, and a perceptron on its embeddings."""

    method_name = "NASGEM"


class GraphPNAS(MethodStrategy):
    """GraphPNAS (TMLR 2023): samples of a generator of graphs that is fitted to the best so far."""

    method_name = "GraphPNAS"


class LatentBO(MethodStrategy):
    """Bayesian optimisation in the latent space of a graph autoencoder (D-VAE, arXiv 1904.11088; ours)."""

    method_name = "LatentBO"
