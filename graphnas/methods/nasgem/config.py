"""NASGEMConfig: one object that says how NASGEM searches, with the paper's setting as a preset."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

from graphnas.configuration import Configuration, Presets, check_choices, check_integers

if TYPE_CHECKING:
    from graphnas.methods.nasgem.encoder import EncoderConfig
    from graphnas.methods.nasgem.predictor import PredictorConfig

UPDATES = ("refit", "fine_tune")


@dataclass(frozen=True)
class NASGEMConfig(Configuration):
    """Settings of :class:`graphnas.methods.nasgem.NASGEM`.

    The default is what searches best in our benchmark. ``NASGEMConfig.preset("paper")`` is the method as
    published; the counts of its search loop (100 random architectures, then 10 rounds of 10) are ours,
    since the paper gives only the 50,000 candidates.

    Attributes:
        n_startup_trials: Random architectures before the first prediction.
        batch_size: Proposals between two updates of the predictor.
        candidates: Random architectures scored per update; a space of at most so many is scored whole.
        refresh: Evaluations after which new random architectures are drawn; until then their features are
            computed only once.
        local_candidates: Changed copies of the best architectures, scored too in spaces not scored whole.
        rank_scores: Whether the perceptron learns normal scores of the ranks, so that a few broken
            networks far below the others do not take all of its attention; the paper's learns the scores.
        update: ``"refit"`` trains the perceptron anew, ``"fine_tune"`` continues from its weights.
        max_points: Evaluations that the perceptron learns from, the best and the most recent, so that the
            time of a proposal stays bounded in a long search; None for all.
        encoder: Settings of the encoder; None means its defaults.
        perceptron: Settings of the perceptron; None means its defaults.
    """

    presets: ClassVar[Presets] = {
        "default": {},
        "paper": {
            "n_startup_trials": 100,
            "batch_size": 10,
            "candidates": 50_000,
            "refresh": 1,
            "local_candidates": 0,
            "rank_scores": False,
            "max_points": None,
        },
    }

    n_startup_trials: int = 10
    batch_size: int = 1
    candidates: int = 20_000
    refresh: int = 10
    local_candidates: int = 2_000
    rank_scores: bool = True
    update: str = "refit"
    max_points: int | None = 1000
    encoder: EncoderConfig | None = field(default=None)
    perceptron: PredictorConfig | None = field(default=None)

    def __post_init__(self) -> None:
        check_choices(self, {"update": UPDATES})
        check_integers(
            self,
            {
                "n_startup_trials": 0,
                "batch_size": 1,
                "candidates": 1,
                "refresh": 1,
                "local_candidates": 0,
            },
        )
        check_integers(self, {"max_points": 2}, optional=True)
