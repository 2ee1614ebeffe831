"""The tuners for ``nnictl create``: each is a GraphTuner with one search method."""

from __future__ import annotations

import inspect
import logging
import os
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

from graphnas.errors import GraphNASError, InvalidArchitecture, InvalidArgument
from graphnas.graph.architecture import Architecture
from graphnas.graph.space import GraphSpace
from nni_graphnas.host import require_nni
from search_spaces import get_space, space_names

require_nni()

from nni import ClassArgsValidator  # noqa: E402
from nni.tuner import Tuner  # noqa: E402

from nni_graphnas import repairs, search_space  # noqa: E402
from nni_graphnas.arguments import checked_arguments  # noqa: E402
from nni_graphnas.inner import InnerTuner  # noqa: E402
from nni_graphnas.journal import FILE_NAME, Result, best_of, checked_mode, metric_of  # noqa: E402
from nni_graphnas.session import Session  # noqa: E402

_logger = logging.getLogger(__name__)


class GraphTuner(Tuner):
    """NNI tuner that chooses the architecture by a search method, and everything else by another tuner.

    The search space of the experiment holds the parameters of the space, which
    :func:`nni_graphnas.search_space` or ``graphnas nni export-space`` writes, and whatever else is tuned. In
    the trial, :func:`nni_graphnas.architecture` reads the architecture, and
    :func:`nni_graphnas.report_final_result` reports the value together with it.

    * Architectures that are finished or running are not proposed again (up to isomorphism) while unseen ones
      remain. After that they repeat, since NNI cannot end an experiment whose tuner has nothing left.
    * A trial that fails, or reports NaN or nothing, counts as a failure. The method also learns from
      intermediate results, those of trials that an assessor ended early included.
    * Every result is written to a journal in the experiment's checkpoint directory as it comes; a resumed
      experiment continues from it. Read it with :func:`nni_graphnas.results` and :func:`nni_graphnas.best`.
    * An error of the method is logged and a random architecture proposed. An error in the configuration ends
      the experiment with status ERROR and a message that says why.

    Args:
        space: Name of the search space, as ``graphnas spaces`` lists them, or ``package.module:Class`` of
            your own.
        space_options: Arguments of the space, such as ``{num_nodes: 8}``.
        method: Name of the search method.
        preset: A preset of the method's configuration.
        config: Single fields of the configuration to replace.
        seed: Seed of everything random; None: drawn, or that of the journal.
        optimize_mode: ``"maximize"`` or ``"minimize"``.
        inner_tuner: Name of the NNI tuner for all other hyper-parameters.
        inner_tuner_args: Its class arguments.
        journal: Another file for the journal.
        prior: Files of results of other tasks, which GraphBO can use; their values are better or worse as
            those of the experiment (:meth:`graphnas.methods.PriorTask.from_file`).

    Raises:
        InvalidArgument: A value out of range. Inside NNI's dispatcher, which would hang, it is raised by the
            first command instead, and NNI shows it.
    """

    def __init__(
        self,
        space: str,
        *,
        space_options: Mapping[str, Any] | None = None,
        method: str,
        preset: str | None = None,
        config: Mapping[str, Any] | None = None,
        seed: int | None = None,
        optimize_mode: str = "maximize",
        inner_tuner: str = "TPE",
        inner_tuner_args: Mapping[str, Any] | None = None,
        journal: str | None = None,
        prior: Sequence[str] = (),
    ) -> None:
        super().__init__()
        repairs.apply()
        self._inner_tuner = inner_tuner
        self._inner_tuner_args = dict(inner_tuner_args or {})
        self._journal = journal
        self._checked: dict[str, Any] = {
            "method": method,
            "space": space,
            "space_options": space_options,
            "preset": preset,
            "config": config,
            "seed": seed,
            "optimize_mode": optimize_mode,
            "prior": prior,
        }
        self._session: Session | None = None
        self._lock = threading.Lock()
        # NNI gives its dispatcher ten seconds to connect, too few to load torch on a busy machine. And an
        # error before that would leave the experiment waiting for ever.
        if os.environ.get("SDK_PROCESS") != "dispatcher":
            _ = self.session

    @property
    def session(self) -> Session:
        """What was proposed and what came back; where NNI runs the tuner, made by the first command.

        Raises:
            InvalidArgument: An argument of the constructor is out of range.
            CorruptData: The journal is no journal.
        """
        with self._lock:
            if self._session is None:
                space, method = checked_arguments(**self._checked)
                minimize = checked_mode(self._checked["optimize_mode"])
                seed = self._checked["seed"]
                made = Session(space, method, seed=seed, minimize=minimize, fall_back=True)
                path = self._journal_path()
                if path is not None:
                    made.open_journal(path)
                self._session = made
            return self._session

    def _journal_path(self) -> Path | None:
        if self._journal is not None:
            return Path(self._journal).expanduser()
        directory = self.get_checkpoint_path()
        return None if directory is None else Path(directory) / FILE_NAME

    # ---------------------------------------------------------------- NNI's contract

    def update_search_space(self, search_space: dict[str, Any]) -> None:
        """Take the search space: the architecture's parameters, if named, must be those of the space.

        Raises:
            InvalidArgument: It holds other parameters of the space or other choices, or a type that the
                inner tuner does not take.
        """
        session = self.session
        others = other_parameters(search_space, session.space)
        session.use_inner(InnerTuner(others, self._inner_tuner, self._inner_tuner_args))

    def generate_parameters(self, parameter_id: int, **kwargs: Any) -> dict[str, Any]:
        """Parameters of one trial: the architecture's and all others."""
        proposal = self.session.propose(parameter_id)
        assert proposal is not None  # it repeats rather than give nothing
        return {**self.session.space.to_parameters(proposal.architecture), **proposal.parameters}

    def receive_trial_result(
        self, parameter_id: int, parameters: dict[str, Any], value: Any, **kwargs: Any
    ) -> None:
        """Take the final metric of a trial: a number, or a dictionary with the number under ``default``."""
        number, echoed = metric_of(value)
        trial = str(kwargs.get("trial_job_id") or "")
        self.session.finish(parameter_id, number, echoed=echoed, trial=trial)

    def receive_intermediate_result(
        self, parameter_id: int, value: Any, sequence: int, trial_job_id: str
    ) -> None:
        """Take an intermediate result; see :mod:`nni_graphnas.repairs`."""
        if self._session is not None:
            self._session.report(parameter_id, metric_of(value)[0], step=sequence, trial=trial_job_id)

    def trial_stopped(self, trial_job_id: str) -> None:
        """Note that the assessor ends a trial; see :mod:`nni_graphnas.repairs`."""
        if self._session is not None:
            self._session.stop(trial_job_id)

    def trial_end(self, parameter_id: int, success: bool, **kwargs: Any) -> None:
        """Note that a job has ended; NNI calls it from another thread, and may name another's parameters."""
        if self._session is not None:
            self._session.end(parameter_id)

    def import_data(self, data: Sequence[Any]) -> None:
        """Take results of other trials, of an experiment that is resumed or that a user imports.

        Architectures that the journal has are left out, because NNI's own pairs may be wrong. So are entries
        without an architecture of the space.
        """
        space = self.session.space
        results: list[Result] = []
        for entry in data:
            try:
                parameters = dict(entry["parameter"])
                value, echoed = metric_of(entry["value"])
                if echoed is not None:
                    architecture = space.completed(Architecture.from_json(echoed))
                else:
                    architecture = space.from_parameters(parameters)
            except (GraphNASError, KeyError, TypeError, ValueError) as error:
                _logger.warning("an imported result is ignored: %s", error)
                continue
            names = space.parameters()
            others = {name: parameters[name] for name in parameters if name not in names}
            results.append(Result(architecture, value, others))
        _logger.info("%d of %d imported results are new", self.session.add(results), len(data))

    def expect_resumed_trials(self, parameters: Mapping[int, Any]) -> None:
        """Note that a resumed experiment runs these again; see :mod:`nni_graphnas.repairs`."""
        for chosen in parameters.values():
            try:
                self.session.expect(self.session.space.from_parameters(chosen))
            except InvalidArchitecture as error:
                _logger.warning("a resumed trial is ignored: %s", error)

    def _on_exit(self) -> None:
        if self._session is not None:
            self._session.settle(final=True)

    # ---------------------------------------------------------------- results

    def results(self) -> list[Result]:
        """Every finished trial in the order they came, those before a resumption included."""
        return self.session.results()

    def best(self) -> Result:
        """The best finished trial.

        Raises:
            DataNotFound: No trial has a value yet.
        """
        return best_of(self.results(), self.session.minimize)


def other_parameters(experiment: Mapping[str, Any], space: GraphSpace) -> dict[str, Any]:
    """What the experiment's search space holds besides the architecture's parameters.

    The architecture's may be left out, since the tuner knows them.

    Raises:
        InvalidArgument: Some of them are missing, unknown, or have other choices than the space, or there are
            those of another space.
    """
    if not isinstance(experiment, Mapping):
        raise InvalidArgument(f"the search space must be a dictionary, got {type(experiment).__name__}")
    wanted = search_space(space)
    block = {
        name: spec for name, spec in experiment.items() if name in wanted or space.layout.resembles(name)
    }
    if block and block != wanted:
        name = next(n for n in [*wanted, *block] if block.get(n) != wanted.get(n))
        raise InvalidArgument(
            f"search space: {name} is {block.get(name, 'missing')}, but {space!r} has "
            f"{wanted.get(name, 'no such parameter')}; write it with graphnas nni export-space and the "
            "arguments that the tuner has"
        )
    others = {name: spec for name, spec in experiment.items() if name not in block}
    for name in others:
        other = str(name).partition("/")[0]
        if other in space_names() and get_space(other).layout.resembles(name):
            raise InvalidArgument(
                f"search space: {name} is a parameter of the space {other!r}, but the tuner searches "
                f"{space.name!r}: give it the search space of that, or space: {other}"
            )
    return others


class MethodTuner(GraphTuner):
    """Base of the tuners with a fixed method; the other arguments are those of :class:`GraphTuner`."""

    method_name: ClassVar[str]

    def __init__(self, space: str, **arguments: Any) -> None:
        super().__init__(space, method=self.method_name, **arguments)


ARGUMENTS = tuple(name for name in inspect.signature(GraphTuner).parameters if name != "method")
"""What ``classArgs`` may name."""


class MethodArgumentsValidator(ClassArgsValidator):
    """What ``nnictl create`` checks of a tuner's ``classArgs`` before it starts anything."""

    method_name: ClassVar[str]

    def validate_class_args(self, **arguments: Any) -> None:
        """Check the arguments of the tuner.

        Raises:
            InvalidArgument: A value out of range, which NNI prints.
        """
        repairs.apply()
        unknown = sorted(arguments.keys() - set(ARGUMENTS))
        if unknown:
            raise InvalidArgument(f"unknown classArgs {unknown}; known: {', '.join(ARGUMENTS)}")
        if "space" not in arguments:
            raise InvalidArgument("classArgs must name the search space, such as space: nasbench201")
        inner = {
            "name": arguments.pop("inner_tuner", "TPE"),
            "arguments": arguments.pop("inner_tuner_args", None),
        }
        arguments.pop("journal", None)
        checked_arguments(self.method_name, **arguments)
        InnerTuner({}, **inner)


class GraphBOTuner(MethodTuner):
    """Bayesian optimisation with a Gaussian process on graph features; the tuner that we recommend."""

    method_name = "GraphBO"


class GraphBOArgumentsValidator(MethodArgumentsValidator):
    """Checks the arguments of :class:`GraphBOTuner`."""

    method_name = "GraphBO"


class NASGEMTuner(MethodTuner):
    """NASGEM (arXiv 2007.04452): a kernel-guided encoder, and a perceptron on its embeddings."""

    method_name = "NASGEM"


class NASGEMArgumentsValidator(MethodArgumentsValidator):
    """Checks the arguments of :class:`NASGEMTuner`."""

    method_name = "NASGEM"


class GraphPNASTuner(MethodTuner):
    """GraphPNAS (TMLR 2023): samples of a generator of graphs that is fitted to the best so far."""

    method_name = "GraphPNAS"


class GraphPNASArgumentsValidator(MethodArgumentsValidator):
    """Checks the arguments of :class:`GraphPNASTuner`."""

    method_name = "GraphPNAS"


class LatentBOTuner(MethodTuner):
    """Bayesian optimisation in the latent space of a graph autoencoder (D-VAE, arXiv 1904.11088; ours)."""

    method_name = "LatentBO"


class LatentBOArgumentsValidator(MethodArgumentsValidator):
    """Checks the arguments of :class:`LatentBOTuner`."""

    method_name = "LatentBO"


TUNERS: tuple[type[MethodTuner], ...] = (GraphBOTuner, NASGEMTuner, GraphPNASTuner, LatentBOTuner)
"""What ``graphnas nni register`` registers, each under the name of its method."""
