"""NASGEMConfig: one object that says how NASGEM searches, with the paper's setting as a preset."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from graphnas.errors import InvalidArgument
from graphnas.methods.configuration import check_choices, check_least, from_preset

if TYPE_CHECKING:
    from graphnas.methods.nasgem.encoder import EncoderConfig
    from graphnas.methods.nasgem.predictor import PredictorConfig

PREDICTORS = ("features", "kernel", "encoder")
UPDATES = ("refit", "fine_tune")
NOISE = ("alternate", "included", "excluded")
TWO_OBJECTIVES = ("hypervolume", "scalarized")
PRESETS: Mapping[str, Mapping[str, Any]] = {
    "default": {},
    "paper": {
        "predictor": "encoder",
        "n_startup_trials": 100,
        "batch_size": 10,
        "candidates": 50_000,
        "refresh": 1,
        "local_candidates": 0,
    },
}


@dataclass(frozen=True)
class NASGEMConfig:
    """Settings of :class:`graphnas.methods.nasgem.NASGEM`.

    The default is what searches best in our benchmark. ``NASGEMConfig.preset("paper")`` is the method as
    published; the counts of its search loop (100 random architectures, then 10 rounds of 10) are ours,
    since the paper gives only the 50,000 candidates.

    Attributes:
        predictor: ``"kernel"``, a Gaussian process on the Weisfeiler-Lehman kernel and the flattened bits
            with expected improvement; ``"features"``, the same with a learned kernel on features of the
            graph beside them; or ``"encoder"``, the paper's frozen kernel-guided encoder and perceptron with
            the arg max of the predicted score.
        n_startup_trials: Random architectures before the first prediction.
        batch_size: Proposals between two updates of the predictor.
        candidates: Random architectures scored per update; a space of at most so many is scored whole.
        refresh: Evaluations after which other random architectures are drawn; what they are described by is
            computed once for all proposals between.
        local_candidates: Changes of the best architectures scored beside them, in spaces not scored whole.
        depths: Weisfeiler-Lehman depths of the first two predictors, each a kernel of its own.
        noise: Whether the expected improvement of the first two predictors is that of a value with the
            process's noise (``"included"``), of the noise-free function (``"excluded"``), or of one and the
            other in turn (``"alternate"``); see :func:`graphnas.methods.nasgem.surrogates.counts_noise`.
        two_objectives: What is improved by the first two predictors where there are two objectives: the
            ``"hypervolume"``, with a process for each, or one ``"scalarized"`` score. More than two are
            scalarised.
        update: ``"refit"`` trains the perceptron anew, ``"fine_tune"`` goes on from its weights.
        encoder: Settings of the encoder; None means 10 dimensions for graphs of at most 7 nodes, else 20.
        perceptron: Settings of the perceptron; None means its defaults.
    """

    predictor: str = "features"
    n_startup_trials: int = 5
    batch_size: int = 1
    candidates: int = 20_000
    refresh: int = 10
    local_candidates: int = 2_000
    depths: tuple[int, ...] = (0, 1)
    noise: str = "alternate"
    two_objectives: str = "hypervolume"
    update: str = "refit"
    encoder: EncoderConfig | None = field(default=None)
    perceptron: PredictorConfig | None = field(default=None)

    def __post_init__(self) -> None:
        check_choices(
            self,
            {
                "predictor": PREDICTORS,
                "noise": NOISE,
                "two_objectives": TWO_OBJECTIVES,
                "update": UPDATES,
            },
        )
        check_least(
            self,
            {"n_startup_trials": 0, "batch_size": 1, "candidates": 1, "refresh": 1, "local_candidates": 0},
        )
        if not self.depths or min(self.depths) < 0:
            raise InvalidArgument(f"depths must be non-negative and not empty, got {self.depths}")

    @classmethod
    def preset(cls, name: str, **changes: Any) -> NASGEMConfig:
        """A named setting, with single fields changed.

        Raises:
            InvalidArgument: An unknown preset.
        """
        return from_preset(cls, PRESETS, name, changes)
