"""Graph-based architecture search in NNI: tuners, strategies, model spaces, and what a trial needs.

:func:`search_space` writes the search space of an experiment, and :func:`architecture` reads in a trial what
the tuner chose, ours or NNI's own; :func:`report_final_result` reports a value together with it.
:func:`results` and :func:`best` read the results of an experiment. Tuners are in :mod:`nni_graphnas.tuner`,
strategies for ``NasExperiment`` in :mod:`nni_graphnas.strategy`, and model spaces in
:mod:`nni_graphnas.space`. The names are imported on first use; only what talks to NNI needs it installed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from graphnas.errors import InvalidArgument
from graphnas.lazy import lazy_names

if TYPE_CHECKING:
    from graphnas.graph.architecture import Architecture
    from graphnas.graph.space import GraphSpace
    from nni_graphnas.journal import Result as Result
    from nni_graphnas.journal import best as best
    from nni_graphnas.journal import results as results
    from nni_graphnas.space import model_space as model_space

_HOMES = {
    "Result": "nni_graphnas.journal",
    "best": "nni_graphnas.journal",
    "model_space": "nni_graphnas.space",
    "results": "nni_graphnas.journal",
}
__all__ = [
    "Result",
    "architecture",
    "best",
    "model_space",
    "report_final_result",
    "results",
    "search_space",
]

__getattr__, __dir__ = lazy_names(__name__, _HOMES, __all__)


def search_space(space: GraphSpace) -> dict[str, dict[str, Any]]:
    """``space`` in NNI's search space format, ready for ``json.dump`` or ``experiment.config.search_space``.

    Every parameter of the space becomes one ``choice``, under the name it also has in Optuna, such as
    ``nasbench201/op_0_1``.

    Args:
        space: The search space.
    """
    return {
        name: {"_type": "choice", "_value": list(choices)} for name, choices in space.parameters().items()
    }


def architecture(parameters: Mapping[str, Any], space: GraphSpace) -> Architecture:
    """The architecture that a tuner chose.

    Args:
        parameters: The result of ``nni.get_next_parameter()``; further parameters are ignored.
        space: The space that :func:`search_space` was called with.

    Raises:
        InvalidArgument: There are no parameters, because the trial runs outside NNI.
        InvalidArchitecture: A parameter is missing or has another value, or the rule of the space refuses
            the combination. NNI's tuners choose each parameter on its own, so that can happen in a space
            with such a rule; report a bad value then.
    """
    if not parameters and space.parameters():
        raise InvalidArgument(
            "nni.get_next_parameter() gave no parameters: this trial runs outside NNI. Start it with "
            "'nnictl create --config config.yml'; to try it by hand, use a random architecture in place of "
            "the tuner's: space.sample(np.random.default_rng())"
        )
    return space.from_parameters(parameters)


def report_final_result(value: float, architecture: Architecture) -> None:
    """Report the value of a trial to NNI together with the architecture that it belongs to.

    NNI mixes up the parameters of trials that run side by side, in its lists, its exports and when it
    resumes; reported together, the pairs stay right. ``nni.report_final_result(value)`` works too.

    Args:
        value: The objective of the search; NaN where the evaluation failed.
        architecture: The evaluated architecture.

    Raises:
        MissingExtra: NNI is not installed.
    """
    from nni_graphnas.host import require_nni

    require_nni().report_final_result({"default": value, "architecture": architecture.to_json()})
