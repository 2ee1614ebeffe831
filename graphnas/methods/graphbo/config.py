"""GraphBOConfig: one object that says how GraphBO searches."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from graphnas.configuration import check_choices, check_integers, from_preset
from graphnas.errors import InvalidArgument

KERNELS = ("features", "graph")
NOISE = ("alternate", "included", "excluded")
TWO_OBJECTIVES = ("hypervolume", "scalarized")
PRESETS: Mapping[str, Mapping[str, Any]] = {"default": {}}


@dataclass(frozen=True)
class GraphBOConfig:
    """Settings of :class:`graphnas.methods.GraphBO`; the default is what searches best in our benchmarks.

    Attributes:
        kernel: ``"graph"``, the Weisfeiler-Lehman kernel and one on the flattened bits; or ``"features"``,
            the same with a learned kernel on features of the graph beside them.
        n_startup_trials: Random architectures before the first prediction.
        batch_size: Proposals between two updates of the process.
        candidates: Random architectures scored per update; a space of at most so many is scored whole.
        refresh: Evaluations after which other random architectures are drawn; what they are described by is
            computed once for all proposals between.
        local_candidates: Changes of the best architectures scored beside them, in spaces not scored whole.
        depths: Weisfeiler-Lehman depths, each a kernel of its own.
        noise: Whether the expected improvement is that of a value with the process's noise
            (``"included"``), of the noise-free function (``"excluded"``), or of one and the other in turn
            (``"alternate"``); see :func:`graphnas.surrogate.kernel_surrogate.counts_noise`.
        two_objectives: What is improved where there are two objectives: the ``"hypervolume"``, with a
            process for each, or one ``"scalarized"`` score. More than two are scalarised.
    """

    kernel: str = "features"
    n_startup_trials: int = 5
    batch_size: int = 1
    candidates: int = 20_000
    refresh: int = 10
    local_candidates: int = 2_000
    depths: tuple[int, ...] = (0, 1)
    noise: str = "alternate"
    two_objectives: str = "hypervolume"

    def __post_init__(self) -> None:
        check_choices(self, {"kernel": KERNELS, "noise": NOISE, "two_objectives": TWO_OBJECTIVES})
        check_integers(
            self,
            {"n_startup_trials": 0, "batch_size": 1, "candidates": 1, "refresh": 1, "local_candidates": 0},
        )
        if not self.depths or min(self.depths) < 0:
            raise InvalidArgument(f"depths must be non-negative and not empty, got {self.depths}")

    @classmethod
    def preset(cls, name: str, **changes: Any) -> GraphBOConfig:
        """A named setting, with single fields changed.

        Raises:
            InvalidArgument: An unknown preset.
        """
        return from_preset(cls, PRESETS, name, changes)
