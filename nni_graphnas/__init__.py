"""Graph-based architecture search in NNI: a space as NNI's search space, and its samples as architectures.

With these two functions any tuner of NNI searches our spaces: :func:`search_space` writes the search space of
the experiment, and :func:`architecture` reads in a trial what the tuner chose. Neither needs NNI itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from graphnas.graph.architecture import Architecture
    from graphnas.graph.space import GraphSpace

__all__ = ["architecture", "search_space"]


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
        parameters: What ``nni.get_next_parameter()`` gave the trial; further parameters are ignored.
        space: The space that :func:`search_space` was called with.

    Raises:
        InvalidArchitecture: A parameter is missing or has another value, or the rule of the space refuses
            the combination. NNI's tuners choose each parameter on its own, so that can happen in a space
            with such a rule; report a bad value then.
    """
    return space.from_parameters(parameters)
