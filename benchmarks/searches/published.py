"""Figures on tables that others have published, each with where it is printed.

GraphPNAS's paper (TMLR 11/2023) prints tables. FLAN's authors (Akhauri and Abdelfattah, 2024) have files with
the figures of their searches in their repository ``abdelfattah-lab/flan_nas``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

PAPER = "GraphPNAS, TMLR 11/2023"
FLAN = "FLAN (Akhauri and Abdelfattah, 2024)"


@dataclass(frozen=True)
class Known:
    """A row of figures from elsewhere, as they are printed there.

    Attributes:
        name: Name of the row.
        source: Where it is printed: the paper, and the number of the table.
        value: Figures of the searched value by number of queries.
        reported: Figures of what is reported beside it by number of queries.
        validation: Validation accuracies after all epochs by number of queries, where the searched value is
            of fewer epochs.
        runs: Number of runs that are stated; None: not stated.
    """

    name: str
    source: str
    value: Mapping[int, str] = field(default_factory=dict)
    reported: Mapping[int, str] = field(default_factory=dict)
    validation: Mapping[int, str] = field(default_factory=dict)
    runs: int | None = None


TABLE_4 = {
    "paper: GraphPNAS": {150: "94.070 ± 0.143", 300: "94.193 ± 0.072"},
    "paper: RNN": {300: "93.972 ± 0.228"},
    "paper: BANANAS": {300: "94.094 ± 0.296"},
    "paper: local search": {300: "94.121 ± 0.371"},
    "paper: random": {300: "93.587 ± 0.422"},
}
"""NAS-Bench-101: mean test accuracy by queries, 100 minus the printed error. At 150 GraphPNAS only."""

TABLE_4_PRINTED = {
    "paper: GraphPNAS": {150: "5.930 ± 0.143", 300: "5.807 ± 0.072"},
    "paper: RNN": {300: "6.028 ± 0.228"},
    "paper: BANANAS": {300: "5.906 ± 0.296"},
    "paper: local search": {300: "5.879 ± 0.371"},
    "paper: random": {300: "6.413 ± 0.422"},
}
"""The same as printed: test error in percent."""

TABLE_5 = {
    "cifar10": Known(
        "paper: GraphPNAS (10 runs)",
        f"{PAPER}, Table 5",
        reported={100: "94.34 ± 0.04"},
        validation={100: "91.50 ± 0.09"},
        runs=10,
    ),
    "cifar100": Known(
        "paper: GraphPNAS (10 runs)",
        f"{PAPER}, Table 5",
        value={100: "73.41 ± 0.09"},
        reported={100: "73.35 ± 0.21"},
        runs=10,
    ),
    "imagenet16-120": Known(
        "paper: GraphPNAS (10 runs)",
        f"{PAPER}, Table 5",
        reported={40: "45.39", 60: "45.79", 100: "46.50 ± 0.20"},
        validation={100: "46.29 ± 0.27"},
        runs=10,
    ),
}
"""NAS-Bench-201 by data set. CIFAR-10 and ImageNet16-120 are searched by 12-epoch accuracy."""

TABLE_5_BEST = {
    "cifar10": ("91.61", "94.37"),
    "cifar100": ("73.49", "73.51"),
    "imagenet16-120": ("46.73", "47.31"),
}
"""Its row "optimal": the best validation and the best test accuracy in the table of each data set."""

FLAN_NASBENCH201 = tuple(
    Known(name, f"{FLAN}, nas_search/search_results/allnas/nb201_search_eff.csv", value=values, runs=3)
    for name, values in {
        "published: FLAN": {32: "91.486", 48: "91.553", 96: "91.589", 128: "91.607"},
        "published: FLAN with arch2vec": {96: "91.607"},
    }.items()
)
"""NAS-Bench-201, CIFAR-10: the mean validation accuracy of the seeds, by queries."""
FLAN_CLASS_SCENE = Known(
    "published: FLAN",
    f"{FLAN}, nas_search/search_results/allnas/tb101_search_eff.csv",
    value={32: "54.62", 64: "54.89", 128: "54.936"},
    runs=3,
)
"""TransNAS-Bench-101, class_scene: validation accuracy by queries."""
