"""GraphBOConfig: one object that says how GraphBO searches."""

from __future__ import annotations

from dataclasses import dataclass

from graphnas.configuration import Configuration, check_choices, check_integers, check_numbers
from graphnas.errors import InvalidArgument
from graphnas.surrogate.improvement import NOISE, TWO_OBJECTIVES


@dataclass(frozen=True)
class GraphBOConfig(Configuration):
    """Settings of :class:`graphnas.methods.GraphBO`; the default is what searches best in our benchmarks.

    Attributes:
        operation_features: Whether the kernel has a part on operation features, whose relevances it learns,
            beside the Weisfeiler-Lehman kernels and the one on the flattened bits.
        n_startup_trials: Random architectures before the first prediction; none where there are prior tasks.
        batch_size: Proposals between two updates of the process.
        candidates: Random architectures scored per update; a space of at most so many is scored whole.
        refresh: Evaluations after which new random architectures are drawn; until then their features are
            computed only once.
        local_candidates: Changed copies of the best architectures, scored too in spaces not scored whole.
        depths: Weisfeiler-Lehman depths, each a kernel of its own.
        noise: Whether the expected improvement is that of a value, noise included (``"included"``), of the
            noise-free function (``"excluded"``), or of either in turn (``"alternate"``); see
            :class:`graphnas.surrogate.ImprovementModel`.
        two_objectives: What is improved where there are two objectives: the ``"hypervolume"``, with a process
            for each, or one ``"scalarized"`` score. More than two are scalarised.
        refit_growth: Share by which the evaluations must grow before the kernels are fitted again, which
            takes most of the time of a proposal: with 0.02, each time up to 100 and every sixth time at 300.
    """

    operation_features: bool = True
    n_startup_trials: int = 5
    batch_size: int = 1
    candidates: int = 20_000
    refresh: int = 10
    local_candidates: int = 2_000
    depths: tuple[int, ...] = (0, 1)
    noise: str = "alternate"
    two_objectives: str = "hypervolume"
    refit_growth: float = 0.02

    def __post_init__(self) -> None:
        check_choices(self, {"noise": NOISE, "two_objectives": TWO_OBJECTIVES})
        check_integers(
            self,
            {"n_startup_trials": 0, "batch_size": 1, "candidates": 1, "refresh": 1, "local_candidates": 0},
        )
        check_numbers(self, {"refit_growth": "[0, inf)"})
        if not self.depths or min(self.depths) < 0:
            raise InvalidArgument(f"depths must be non-negative and not empty, got {self.depths}")
