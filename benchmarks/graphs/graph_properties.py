"""How accuracy relates to graph properties (the operation-embeddings paper's Figs. 7-8), and what they cost.

Chatzianastasis et al. (ICCV Workshops 2021) relate the accuracy of 19,020 ENAS architectures to average path
length (Pearson r .32) and to the clustering coefficient (-.39). The time is that of all properties of all
cells of NAS-Bench-101. Needs the tables of both spaces in the data directory.

    python -m benchmarks.graphs.graph_properties
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.harness.drawing import label, panels, save
from benchmarks.harness.records import publish, run_on_one_thread, script_parser
from benchmarks.harness.sections import Section, Table
from graphnas import ArchitectureBatch
from graphnas.evaluate import TabularEvaluator
from graphnas.graph import GraphProperties, graph_properties
from graphnas.plots.style import colour
from search_spaces import ENASMacro6, NASBench101
from search_spaces.tables import open_table

PAPER = {"average_path_length": 0.32, "clustering": -0.39}
LABELS = {"average_path_length": "average path length (eq. 12)", "clustering": "clustering coefficient"}
PLOT = "graph_properties.png"


def by_value(values: NDArray[np.float64], accuracy: NDArray[np.float64]) -> list[list[float]]:
    """Value, count, mean and deviation of the accuracy for each value that the property takes."""
    levels, index = np.unique(np.round(values, 6), return_inverse=True)
    groups = [accuracy[index == k] for k in range(len(levels))]
    return [
        [float(level), len(group), round(float(group.mean()), 4), round(float(group.std()), 4)]
        for level, group in zip(levels, groups, strict=True)
    ]


def section(record: dict[str, Any]) -> Section:
    """The correlations beside the published ones."""
    enas, cells = record["enas6"], record["nasbench101"]
    rows = [
        [
            name.replace("_", " "),
            "constant" if r is None else f"{r:+.3f}",
            f"{enas['paper'][name]:+.2f}" if name in enas["paper"] else "",
        ]
        for name, r in enas["pearson_r"].items()
    ]
    table = Table(
        f"Pearson's r with the weight-sharing accuracy of {enas['architectures']:,} ENAS architectures.",
        ("", "ours", "paper"),
        rows,
    )
    return Section(
        "Graph properties and accuracy",
        [table],
        "the authors' script reads only the 17,118 training graphs, and divides path lengths by the pairs "
        "that are connected, not by all, which on these graphs is twice eq. 12; r is the same, and "
        "clustering ignores directions in both.",
        [
            f"All properties of {cells['cells']:,} cells of NAS-Bench-101 take {cells['seconds']:.1f} s.",
            "The plot shows mean accuracy ± deviation at each value of a property; larger dots mean more "
            "architectures.",
        ],
        [PLOT],
    )


def draw(record: dict[str, Any], folder: Path) -> list[str]:
    """Accuracy against each property of the paper's figures, with the linear fit."""
    enas = record["enas6"]
    figure, axes = panels(len(PAPER), 4.2)
    for panel, name in zip(axes, PAPER, strict=True):
        value, count, mean, deviation = np.array(enas["by_value"][name]).T
        panel.errorbar(value, mean, deviation, ls="", lw=0.6, color=colour(0), alpha=0.35)
        panel.scatter(value, mean, s=60 * count / count.max() + 3, color=colour(0), linewidths=0)
        slope, intercept = np.polyfit(value, mean, 1, w=np.sqrt(count))
        ends = value[[0, -1]]
        r = enas["pearson_r"][name]
        panel.plot(ends, slope * ends + intercept, color=colour(5), label=f"linear fit, r = {r:.3f}")
        panel.legend(frameon=False, fontsize=8)
        label(panel, LABELS[name], "weight-sharing accuracy (%)")
    return [save(figure, folder, PLOT)]


def means(properties: GraphProperties) -> dict[str, float]:
    """The mean of each property over the cells for which it is defined."""
    return {name: round(float(np.nanmean(values)), 6) for name, values in properties._asdict().items()}


def main() -> int:
    """Time, correlate, print and store."""
    options = script_parser(__doc__, "graph_properties").parse_args()
    results = open_table(NASBench101()).results
    cells = ArchitectureBatch.from_arrays(results.adjacency, results.operations, results.num_nodes)
    started = time.process_time()
    cell_properties = graph_properties(cells)
    seconds = time.process_time() - started

    space = ENASMacro6()
    batch = ArchitectureBatch.from_architectures(open_table(space).architectures())
    accuracy = TabularEvaluator(space).values(batch)
    properties = graph_properties(batch)._asdict()
    correlations = {
        name: None if np.ptp(values) == 0 else float(np.corrcoef(values, accuracy)[0, 1])
        for name, values in properties.items()
    }
    figures = {
        "nasbench101": {"cells": len(cells), "seconds": round(seconds, 2), "mean": means(cell_properties)},
        "enas6": {
            "architectures": len(batch),
            "pearson_r": correlations,
            "paper": PAPER,
            "by_value": {name: by_value(properties[name], accuracy) for name in PAPER},
        },
    }
    publish(options.output, figures, section, ("graphnas", "numpy"))
    return 0


if __name__ == "__main__":
    run_on_one_thread(main)
