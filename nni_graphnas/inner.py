"""InnerTuner: one of NNI's own tuners for the hyper-parameters that do not belong to the architecture."""

from __future__ import annotations

import importlib
import inspect
import logging
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from graphnas.errors import InvalidArgument
from nni_graphnas.host import require_nni
from nni_graphnas.journal import Result

require_nni()

from nni.common.hpo_utils import Deduplicator, validate_search_space  # noqa: E402
from nni.tools.package_utils import config_manager  # noqa: E402
from nni.tools.package_utils.tuner_factory import (  # noqa: E402
    create_builtin_class_instance,
    get_builtin_module_class_name,
)

_logger = logging.getLogger(__name__)


class _Repeats:
    """Replaces the inner tuner's deduplication, since a trial is new if its architecture is."""

    def __call__(self, parameters: Any) -> Any:
        return parameters

    def add_history(self, parameters: Any) -> None:
        """Nothing is remembered."""


class InnerTuner:
    """Chooses the hyper-parameters of a search space that do not belong to the architecture.

    An error of the inner tuner never ends the experiment: it is logged, and NNI's random tuner takes that
    trial. Values may repeat, since a trial is new if its architecture is.

    Args:
        search_space: Names and domains in NNI's form, of every type that the tuner takes.
        name: Name of a tuner that comes with NNI or is registered with it.
        arguments: Its class arguments; :meth:`replay` adds ``seed`` where it has one.

    Raises:
        InvalidArgument: The search space is not in NNI's form, there is no such tuner, or it does not take
            the arguments.
    """

    def __init__(
        self,
        search_space: Mapping[str, Any],
        name: str = "TPE",
        arguments: Mapping[str, Any] | None = None,
    ) -> None:
        try:
            validate_search_space(dict(search_space), raise_exception=True)
        except (ValueError, IndexError) as error:
            raise InvalidArgument(str(error)) from error
        self.search_space = dict(search_space)
        self._name, self._arguments = name, dict(arguments or {})
        self._restart(0, 0)

    def _restart(self, seed: int, known: int) -> None:
        # With the number of results in its seed, so that a resumed search does not draw the same again.
        seed = int(np.random.SeedSequence([seed, known]).generate_state(1)[0] % 2**31)
        self._tuner = self._make(self._name, self._arguments, seed)
        self._random = self._make("Random", {}, seed)

    def _make(self, name: str, arguments: Mapping[str, Any], seed: int) -> Any:
        try:
            tuner = create_builtin_class_instance(
                name, {"optimize_mode": "maximize", **_seed_for(name, seed), **arguments}, "tuners"
            )
            tuner.update_search_space(self.search_space)
        except Exception as error:  # a tuner may raise anything about its arguments
            raise InvalidArgument(f"inner tuner {name!r} with {dict(arguments)}: {error}") from error
        if isinstance(getattr(tuner, "dedup", None), Deduplicator):
            tuner.dedup = _Repeats()
        return tuner

    def suggest(self, number: int) -> dict[str, Any]:
        """Values for trial ``number``."""
        if not self.search_space:
            return {}
        for tuner in (self._tuner, self._random):
            try:
                return dict(tuner.generate_parameters(number))
            except Exception:  # an experiment whose tuner raises would stay RUNNING for ever
                _logger.exception("%s failed; values are drawn at random instead", type(tuner).__name__)
        raise AssertionError("NNI's random tuner draws from every valid search space")

    def tell(self, number: int, parameters: Mapping[str, Any], value: float | None) -> None:
        """Report the value of trial ``number``, larger is better; None: it failed."""
        if not self.search_space:
            return
        try:
            if value is None:
                self._tuner.trial_end(number, False)
            else:
                self._tuner.receive_trial_result(number, dict(parameters), value)
        except Exception:
            _logger.exception("%s did not take the result of trial %d", self._name, number)

    def replay(self, seed: int, known: Sequence[Result], sign: float) -> None:
        """Start again with what is known from before.

        Args:
            seed: Seed of everything random.
            known: Finished trials; those with other hyper-parameters than the search space has are left out.
            sign: -1 where the smallest value is the best.
        """
        if not self.search_space:
            return
        self._restart(seed, len(known))
        usable = [
            {"parameter": dict(result.parameters), "value": sign * result.value}
            for result in known
            if result.value is not None and result.parameters.keys() == self.search_space.keys()
        ]
        try:
            if usable:
                self._tuner.import_data(usable)
        except Exception:
            _logger.exception("%s did not take the results from before", self._name)


def _seed_for(name: str, seed: int) -> dict[str, int]:
    """``{"seed": seed}`` where the tuner has such an argument."""
    module, class_name = get_builtin_module_class_name("tuners", name)
    if module is None:
        known = [meta.name for meta in config_manager.get_all_algo_meta() if meta.algo_type == "tuner"]
        raise InvalidArgument(f"there is no tuner {name!r}; known: {', '.join(sorted(known))}")
    tuner = getattr(importlib.import_module(module), class_name)
    return {"seed": seed} if "seed" in inspect.signature(tuner).parameters else {}
