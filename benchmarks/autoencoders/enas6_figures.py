"""Graph properties by performance, and latent spaces in training, on ENAS-6 (Figs. 7-10 of DVAE-EMB).

Average path length and clustering coefficient are shown in six groups of equal size, from the worst to the
best of the 19,020 architectures; the latents of the 1,902 test architectures by t-SNE after the first, a
middle and the last epoch, coloured by accuracy. How well neighbours in a latent space agree in accuracy is
measured besides. The latents are those that benchmarks.autoencoders.enas6_autoencoders leaves in its folder,
of the last round of a training.

    python -m benchmarks.autoencoders.enas6_figures
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.manifold import TSNE
from sklearn.neighbors import NearestNeighbors

from benchmarks.autoencoders.noted_training import file_stem
from benchmarks.harness.drawing import label, panels, save
from benchmarks.harness.records import publish, run_on_one_thread, script_parser
from benchmarks.harness.sections import Section, Table, spread
from graphnas import ArchitectureBatch
from graphnas.autoencoders import load_autoencoder
from graphnas.autoencoders.measures import errors_of
from graphnas.graph import graph_properties
from graphnas.plots.style import INK, colour, new_figure
from search_spaces.tables import open_enas6

Matrix = NDArray[np.float64]
PROPERTIES = {"average_path_length": "average path length (eq. 12)", "clustering": "clustering coefficient"}
GROUPS, BINS, NEIGHBOURS = 6, 24, 10
GRID = 999
"""Points of a plane are stored as whole numbers up to it: distances in it have no unit."""
GROUPS_PLOT, LATENTS_PLOT = "enas6_figures_groups.png", "enas6_figures_latents.png"


def by_performance(values: Matrix, accuracy: Matrix) -> dict[str, Any]:
    """Histograms, means and deviations of a property in groups of equal size, the worst first."""
    groups = [values[rows] for rows in np.array_split(np.argsort(accuracy, kind="stable"), GROUPS)]
    edges = np.linspace(values.min(), values.max(), BINS + 1)
    return {
        "edges": edges.round(4).tolist(),
        "histograms": [np.histogram(group, edges)[0].tolist() for group in groups],
        "mean": [round(float(group.mean()), 5) for group in groups],
        "deviation": [round(float(group.std()), 5) for group in groups],
    }


def agreement(points: Matrix, values: Matrix) -> float:
    """Pearson's r of each value (n,) with the mean of its nearest neighbours' among the points (n, d)."""
    count = min(NEIGHBOURS, len(points) - 1)
    nearest = NearestNeighbors(n_neighbors=count).fit(points).kneighbors(return_distance=False)
    return errors_of(values[nearest].mean(1), values)[1]


def plane(latents: Matrix) -> Matrix:
    """``(n, 2)``: the latents by t-SNE, scaled to whole numbers up to :data:`GRID`."""
    perplexity = min(30.0, (len(latents) - 1) / 3)
    points = TSNE(2, init="pca", perplexity=perplexity, random_state=0).fit_transform(latents).astype(float)
    return np.rint(GRID * (points - points.min(0)) / np.maximum(np.ptp(points, axis=0), 1e-12))


def course(folder: Path, stem: str, accuracy: Matrix) -> dict[str, Any]:
    """The latents of a training after the first, a middle and the last epoch of its last round.

    Args:
        folder: Where the training left its files.
        stem: Beginning of their names, such as ``DVAE-EMB-0``.
        accuracy: Of the test architectures, in the order of the latents.
    """
    last = len(list(folder.glob(f"{stem}.round-*.pt")))
    history = load_autoencoder(folder / f"{stem}.round-{last}.pt").history
    numbers = [k for k, entry in enumerate(history, start=1) if entry.get("round", 1) == last]
    shown = sorted({numbers[0], numbers[(len(numbers) - 1) // 2], numbers[-1]})
    epochs = []
    for number in shown:
        latents = np.load(folder / f"{stem}.latents-{number}.npy").astype(float)
        points = plane(latents)
        epochs.append(
            {
                "epoch": number - numbers[0] + 1,
                "reconstruction": history[number - 1]["reconstruction"],
                "latents": agreement(latents, accuracy[: len(latents)]),
                "plane": agreement(points, accuracy[: len(latents)]),
                "x": points[:, 0].astype(int).tolist(),
                "y": points[:, 1].astype(int).tolist(),
            }
        )
    return {"stem": stem, "round": last, "epochs": epochs}


# ---------------------------------------------------------------- the report


def section(record: dict[str, Any]) -> Section:
    """The groups' means, and how neighbours agree in the course of training."""
    bounds, properties = record["bounds"], record["properties"]
    groups = [
        [
            f"{bounds[k]:.2f} to {bounds[k + 1]:.2f}",
            *(
                spread(properties[name]["mean"][k], properties[name]["deviation"][k], 3)
                for name in PROPERTIES
            ),
        ]
        for k in range(GROUPS)
    ]
    courses = [
        [
            f"{arm}, epoch {epoch['epoch']}",
            f"{epoch['reconstruction']:.3f}",
            f"{epoch['latents']:.3f}",
            f"{epoch['plane']:.3f}",
        ]
        for arm, found in record["courses"].items()
        for epoch in found["epochs"]
    ]
    notes = []
    for name, text in PROPERTIES.items():
        means = properties[name]["mean"]
        steps = np.sign(np.diff(means))
        way = "from each group to the next" if abs(steps.sum()) == GROUPS - 1 else "not in every step"
        notes.append(
            f"Mean {text}: {means[0]:.3f} in the worst group, {means[-1]:.3f} in the best; it "
            f"{'rises' if means[-1] > means[0] else 'falls'}, {way}."
        )
    for arm, found in record["courses"].items():
        first, last = found["epochs"][0], found["epochs"][-1]
        notes.append(
            f"{arm}: neighbours agree with r = {first['latents']:.3f} after the first epoch and "
            f"{last['latents']:.3f} after the last."
        )
    return Section(
        "ENAS-6: properties by performance, and latents in training",
        [
            Table(
                f"Average path length and clustering coefficient in {GROUPS} groups of equal size by "
                "accuracy (%), mean ± deviation.",
                ("accuracy", "average path length", "clustering coefficient"),
                groups,
            ),
            Table(
                f"Pearson's r of a test architecture's accuracy with the mean of its {NEIGHBOURS} nearest "
                "neighbours', by distance of the latents and in the plane of t-SNE; reconstruction is that "
                "of the training graphs, in nats.",
                ("", "reconstruction", "r, latents", "r, t-SNE"),
                courses,
            ),
        ],
        "the paper's figures give no numbers and do not say how its six groups are cut; its latents are "
        "those of a training of 300 epochs.",
        notes,
        [GROUPS_PLOT, LATENTS_PLOT],
    )


def draw(record: dict[str, Any], folder: Path) -> list[str]:
    """The distributions of both properties by group, and the planes."""
    return [_draw_groups(record, folder), _draw_latents(record, folder)]


def _draw_groups(record: dict[str, Any], folder: Path) -> str:
    figure, axes = panels(len(PROPERTIES), 4.4)
    for panel, (name, text) in zip(axes, PROPERTIES.items(), strict=True):
        found = record["properties"][name]
        edges, counts = np.array(found["edges"]), np.array(found["histograms"], float)
        shares = counts / counts.sum(1, keepdims=True)
        widths = 0.45 * shares / shares.max()
        for k, (width, mean) in enumerate(zip(widths, found["mean"], strict=True)):
            panel.stairs(
                1 + k + width,
                edges,
                baseline=1 + k - width,
                orientation="horizontal",
                fill=True,
                color=colour(0),
                alpha=0.45,
            )
            panel.plot(1 + k, mean, "o", color=colour(5), markersize=5)
        panel.plot(range(1, GROUPS + 1), found["mean"], color=colour(5), lw=1)
        panel.set_xticks(
            range(1, GROUPS + 1), [f"{low:.1f}-\n{high:.1f}" for low, high in _ranges(record)], fontsize=8
        )
        label(panel, "group by accuracy (%)", text)
    return save(figure, folder, GROUPS_PLOT)


def _ranges(record: dict[str, Any]) -> list[tuple[float, float]]:
    return list(zip(record["bounds"][:-1], record["bounds"][1:], strict=True))


def _draw_latents(record: dict[str, Any], folder: Path) -> str:
    courses, accuracy = record["courses"], np.array(record["accuracy"])
    columns = max(len(found["epochs"]) for found in courses.values())
    figure = new_figure(2.5 * columns + 0.9, 2.6 * len(courses))
    figure.set_layout_engine("constrained")
    grid = figure.subplots(len(courses), columns, squeeze=False)
    low = float(np.quantile(accuracy, 0.02))
    drawn: Any = None
    for row, (arm, found) in zip(grid, courses.items(), strict=True):
        for axes in row[len(found["epochs"]) :]:
            axes.set_axis_off()
        for axes, epoch in zip(row, found["epochs"], strict=False):
            x, y = np.array(epoch["x"]), np.array(epoch["y"])
            values = accuracy[: len(x)]
            order = np.argsort(values, kind="stable")
            # Squares without smooth edges: the file of 11,000 round points would be too large.
            drawn = axes.scatter(
                x[order],
                y[order],
                c=values[order],
                s=4,
                marker="s",
                vmin=low,
                vmax=accuracy.max(),
                linewidths=0,
                antialiased=False,
            )
            axes.set_title(f"{arm}, epoch {epoch['epoch']}", fontsize=10, color=INK)
            axes.set(xticks=[], yticks=[])
            axes.spines[:].set_visible(False)
    figure.colorbar(drawn, ax=list(grid.ravel()), label="accuracy (%)", extend="min", shrink=0.85)
    return save(figure, folder, LATENTS_PLOT)


def checked_stems(parser: argparse.ArgumentParser, options: argparse.Namespace) -> dict[str, str]:
    """Beginnings of the files of each arm; ends the program where there are none."""
    stems = {arm: file_stem(arm, options.seed) for arm in options.arms}
    for stem in stems.values():
        if not (options.folder / f"{stem}.round-1.pt").is_file():
            parser.error(
                f"{options.folder} has no {stem}.round-1.pt: benchmarks.autoencoders.enas6_autoencoders "
                "leaves it there"
            )
    return stems


def main() -> int:
    """Measure, print and store."""
    parser = script_parser(__doc__, "enas6_figures")
    parser.add_argument("--arms", nargs="+", default=["D-VAE", "DVAE-EMB"], metavar="ARM")
    parser.add_argument("--seed", type=int, default=0, help="of the training whose latents are shown")
    parser.add_argument("--folder", type=Path, default=Path("runs/enas6_autoencoders"))
    options = parser.parse_args()
    stems = checked_stems(parser, options)
    table = open_enas6()
    accuracy = table.figures("cifar10", 0, "validation_accuracy")
    properties = graph_properties(ArchitectureBatch.from_architectures(table.architectures()))
    test_accuracy = accuracy[table.split()[1]]
    parts = np.array_split(np.sort(accuracy), GROUPS)
    figures = {
        "bounds": [*(float(part[0]) for part in parts), float(parts[-1][-1])],
        "properties": {name: by_performance(getattr(properties, name), accuracy) for name in PROPERTIES},
        "accuracy": test_accuracy.tolist(),
        "courses": {arm: course(options.folder, stem, test_accuracy) for arm, stem in stems.items()},
    }
    publish(options.output, figures, section, ("graphnas", "numpy", "scikit-learn", "torch"))
    return 0


if __name__ == "__main__":
    run_on_one_thread(main)
