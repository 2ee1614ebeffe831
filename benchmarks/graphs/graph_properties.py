"""Graph properties: seconds for all cells of NAS-Bench-101, and Figs. 7-8 of the operation-embeddings paper.

Chatzianastasis et al. (ICCV Workshops 2021) relate the accuracy of 19,020 ENAS architectures to average path
length (Pearson r .32) and to the clustering coefficient (-.39). Needs the compact tables of NAS-Bench-101 and
of ENAS in the data directory.

    python -m benchmarks.graphs.graph_properties
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any

import numpy as np
from benchmarks.harness.records import RESULTS, run_on_one_thread, write_record
from benchmarks.harness.drawing import label, panels, save
from numpy.typing import NDArray
from benchmarks.harness.sections import Section, Table

from graphnas import ArchitectureBatch
from graphnas.data_directory import find_data
from graphnas.graph.properties import GraphProperties, graph_properties
from graphnas.plots.style import INK, colour

PAPER = {"average_path_length": 0.32, "clustering": -0.39}
LABELS = {"average_path_length": "average path length (eq. 12)", "clustering": "clustering coefficient"}


def nasbench101(path: Path) -> ArchitectureBatch:
    """All cells; edge x -> y is bit ``x + y (y - 1) / 2``."""
    with np.load(path) as table:
        bits, sizes = table["adj_bits"], table["n_nodes"].astype(np.int64)
    adjacency = np.zeros((len(bits), 7, 7), np.int8)
    for target in range(1, 7):
        for source in range(target):
            adjacency[:, source, target] = bits >> (source + target * (target - 1) // 2) & 1
    return ArchitectureBatch.from_arrays(adjacency, np.zeros((len(bits), 7), np.int16), sizes)


def enas6(path: Path) -> tuple[ArchitectureBatch, NDArray[np.float64]]:
    """All architectures as 8 nodes, input and output included, and their accuracy in percent.

    Bit ``i (i - 1) / 2 + j`` of layer ``i = 0..5`` (node ``i + 1``) says that node ``j`` feeds it too.
    """
    with np.load(path) as table:
        skip, accuracy = table["skip"], table["ws_acc"].astype(np.float64)
    adjacency = np.zeros((len(skip), 8, 8), np.int8)
    chain = np.arange(7)
    adjacency[:, chain, chain + 1] = 1
    for layer in range(1, 6):
        for earlier in range(layer):
            adjacency[:, earlier, layer + 1] = skip[:, layer * (layer - 1) // 2 + earlier]
    batch = ArchitectureBatch.from_arrays(adjacency, np.zeros((len(skip), 8), np.int16))
    return batch, 100 * accuracy


def scatter(values: NDArray[np.float64], accuracy: NDArray[np.float64], name: str, path: Path) -> None:
    """Accuracy against one property: every architecture, the mean of each tenth, and the linear fit."""
    slope, intercept = np.polyfit(values, accuracy, 1)
    r = np.corrcoef(values, accuracy)[0, 1]
    tenths = np.array_split(np.argsort(values, kind="stable"), 10)
    figure, (axes,) = panels(1, 5.0, 3.6)
    axes.scatter(values, accuracy, s=3, alpha=0.15, linewidths=0, color=colour(0), rasterized=True)
    axes.plot(
        [values[part].mean() for part in tenths],
        [accuracy[part].mean() for part in tenths],
        "o",
        color=INK,
        markersize=4,
        label="mean of each tenth",
    )
    ends = np.array([values.min(), values.max()])
    axes.plot(ends, slope * ends + intercept, color=colour(5), label=f"linear fit, r = {r:.3f}")
    title = f"{len(values):,} ENAS architectures of 6 layers"
    label(axes, LABELS[name], "weight-sharing accuracy (%)", title)
    axes.legend(frameon=False, fontsize=8)
    print(f"drawn to {path.parent / save(figure, path.parent, path.name)}")


def section(record: dict[str, Any]) -> Section:
    """The correlations beside the published ones."""
    found, cells = record["enas6"], record["nasbench101"]
    rows = [
        [
            name.replace("_", " "),
            "constant" if r is None else f"{r:+.3f}",
            f"{found['paper'][name]:+.2f}" if name in found["paper"] else "",
        ]
        for name, r in found["pearson_r"].items()
    ]
    table = Table(
        f"Pearson's r with the weight-sharing accuracy of {found['architectures']:,} ENAS architectures.",
        ("", "ours", "paper"),
        rows,
    )
    return Section(
        "Graph properties and accuracy",
        [table],
        "no difference is known; average path length is that of eq. 12, clustering ignores directions.",
        [f"All properties of {cells['cells']:,} cells of NAS-Bench-101: {cells['seconds']:.1f} s, one core."],
        [plot_name(name) for name in found["paper"]],
    )


def plot_name(name: str) -> str:
    """The file of a property's scatter plot, which is drawn when the figures are made."""
    return f"enas_{name}.png"


def main() -> int:
    """Time, correlate, draw, print and store."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--output", type=Path, default=RESULTS / "graph_properties.json")
    given = parser.parse_args()
    how = "It is one of graphnas' compact tables."
    cells = nasbench101(find_data(["nasbench101/nasbench101.npz"], what="NAS-Bench-101", how_to_get=how))
    batch, accuracy = enas6(find_data(["enas/enas6.npz"], what="The ENAS table", how_to_get=how))

    started = time.process_time()
    cell_properties = graph_properties(cells)
    seconds = time.process_time() - started
    print(f"{len(cells):,} cells of NAS-Bench-101: {seconds:.1f} s for all properties, one core")
    figures: dict[str, Any] = {
        "nasbench101": {"cells": len(cells), "seconds": round(seconds, 2), "mean": means(cell_properties)}
    }

    properties = graph_properties(batch)
    correlations = {}
    print(f"{len(batch):,} ENAS architectures: Pearson r with accuracy")
    for name, values in properties._asdict().items():
        correlations[name] = None if np.ptp(values) == 0 else float(np.corrcoef(values, accuracy)[0, 1])
        shown = "constant" if correlations[name] is None else f"{correlations[name]:+.4f}"
        print(f"  {name:32}{shown}" + (f"  (paper {PAPER[name]:+.2f})" if name in PAPER else ""))
    figures["enas6"] = {"architectures": len(batch), "pearson_r": correlations, "paper": PAPER}
    for name in PAPER:
        scatter(getattr(properties, name), accuracy, name, given.output.parent / plot_name(name))
    write_record(given.output, figures, packages=("graphnas", "numpy", "matplotlib"))
    return 0


def means(properties: GraphProperties) -> dict[str, float]:
    """The mean of each property over the cells for which it is defined."""
    return {name: round(float(np.nanmean(values)), 6) for name, values in properties._asdict().items()}


if __name__ == "__main__":
    run_on_one_thread(main)
