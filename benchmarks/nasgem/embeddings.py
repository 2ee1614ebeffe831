"""What NASGEM's embedding says about scores: similarity against difference (Fig. 1), score surface (Fig. 4).

On the cells of NAS-Bench-101 whose inner operations are all conv3x3. Score is the paper's efficiency score,
the mean test accuracy of three repeats minus a price on multiply-accumulates.

- Fig. 1: by how much the scores of two cells differ against the cosine of their embeddings, with the kernel's
  guidance and without, as a rank correlation over random pairs.
- Fig. 4: the score over the first two principal components of the embeddings, as P predicts it from 200 cells
  and as the table has it; and how much of its order the plane alone tells, by leave-one-out smoothing.

It can be stopped at any time: finished seeds are kept in the record.

    python -m benchmarks.nasgem.embeddings
    python -m benchmarks.nasgem.embeddings --seeds 2 --iterations 300
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.harness.records import run_on_one_thread
from benchmarks.harness.sections import Section, Table, mean_sd
from benchmarks.nasgem.arms import (
    ADJACENCY,
    AUTOENCODER,
    ENCODER_TEXT,
    ENCODERS,
    KERNEL,
    SHALLOW,
    Cells,
    Matrix,
    Vector,
    conv3x3_rows,
    each_seed,
    nasbench101_cells,
    paired,
    seeds_parser,
    still_to_run,
    train_encoder,
    trained_perceptron,
)

if TYPE_CHECKING:
    from graphnas.methods.nasgem import MLPPredictor

PAIRS, TRAIN, SHOWN = 20_000, 200, 300
SEEDS = 5
RAW = ADJACENCY.removesuffix(" + P")
EMBEDDINGS = {RAW: RAW, **{name: name.removesuffix(" + P") for name in ENCODERS}}
"""Names of the embeddings by those of the arms; the raw bits beside them."""
GUIDED, PLAIN, SHALLOW_GUIDED = (EMBEDDINGS[name] for name in (KERNEL, AUTOENCODER, SHALLOW))


def one_seed(cells: Cells, scores: Vector, seed: int, settings: dict[str, int]) -> dict[str, Any]:
    """Both figures for every embedding; the first seed keeps what the plots need."""
    vectors, kernel = {}, {}
    for name, changes in ENCODERS.items():
        encoder = train_encoder(cells, seed, changes, node_ops="none", **settings)
        vectors[EMBEDDINGS[name]] = encoder.embed(cells.batch).numpy()
        kernel[EMBEDDINGS[name]] = encoder.kernel
    vectors = {RAW: encoder.flatten(cells.batch), **vectors}
    rng = np.random.default_rng(seed)
    first, second = rng.integers(len(scores), size=(2, PAIRS))
    different = first != second
    first, second = first[different], second[different]
    distance = np.abs(scores[first] - scores[second])
    figures: dict[str, Any] = {"similarity": {}, "predicted": {}, "plane": {}, "lipschitz": {}}
    for name, table in vectors.items():
        cosine = (table[first] * table[second]).sum(1) / np.linalg.norm(table[first], axis=1)
        figures["similarity"][name] = rank_correlation(
            cosine / np.linalg.norm(table[second], axis=1), distance
        )
    figures["similarity"]["S_g itself"] = rank_correlation(
        kernel[GUIDED].pairwise(cells.batch[first], cells.batch[second]), distance
    )
    figures["similarity"]["S_g itself, depth 1"] = rank_correlation(
        kernel[SHALLOW_GUIDED].pairwise(cells.batch[first], cells.batch[second]), distance
    )
    train = rng.permutation(len(scores))[:TRAIN]
    test = np.setdiff1d(np.arange(len(scores)), train)
    for name, table in vectors.items():
        predictor = trained_perceptron(table[train], scores[train], seed)
        predicted = predictor.predict(torch.from_numpy(table))[:, 0]
        figures["lipschitz"][name] = steepness(table, predicted, scores, (first, second), predictor)
        points, share = plane(table)
        figures["predicted"][name] = rank_correlation(predicted[test], scores[test])
        figures["plane"][name] = {
            "share": round(share, 4),
            "predicted": rank_correlation(smoothed(points, predicted), predicted),
            "score": rank_correlation(smoothed(points, scores), scores),
        }
        if seed == 0 and name == GUIDED:
            columns = {"x": points[:, 0], "y": points[:, 1], "predicted": predicted, "score": scores}
            figures["surface"] = {key: packed(values, 4) for key, values in columns.items()}
    if seed == 0:
        some = rng.permutation(len(scores))[:SHOWN]
        figures["shown"] = {name: packed(vectors[name][some].ravel(), 3) for name in (GUIDED, PLAIN)}
        figures["shown_scores"] = packed(scores[some], 4)
    return figures


def rank_correlation(first: Vector, second: Vector) -> float:
    """Spearman's, to four digits; 0 where one of them does not vary."""
    from scipy.stats import spearmanr

    if not (np.ptp(first) > 0 and np.ptp(second) > 0):
        return 0.0
    return round(float(spearmanr(first, second)[0]), 4)


def steepness(
    table: Matrix,
    predicted: Vector,
    scores: Vector,
    pairs: tuple[NDArray[np.int64], NDArray[np.int64]],
    predictor: MLPPredictor,
) -> dict[str, float]:
    """How P's Lipschitz bound (eq. 6-13) compares with what it predicts, and near codes' scores with others'.

    Args:
        table: Embeddings.
        predicted: P's scores of them.
        scores: The true ones.
        pairs: Random pairs of rows.
        predictor: P.
    """
    from scipy.spatial import cKDTree

    distance, nearest = cKDTree(table).query(table, k=2)
    near = distance[:, 1] > 0
    neighbours = np.arange(len(table))[near], nearest[near, 1]
    first, second = (np.concatenate(rows) for rows in zip(pairs, neighbours, strict=True))
    apart = np.linalg.norm(table[first] - table[second], axis=1)
    slopes = np.abs(predicted[first] - predicted[second])[apart > 0] / apart[apart > 0]
    bound = float(predictor.lipschitz_bound()[0])
    random, close = (np.abs(scores[a] - scores[b]).mean() for a, b in (pairs, neighbours))
    return {
        "within": float((slopes <= 1.0001 * bound).mean()),
        "used": round(float(slopes.max() / bound), 4),
        "close": round(float(close / random), 4),
    }


def plane(table: Vector) -> tuple[Vector, float]:
    """Places along the first two principal components, and the share of the variance that they hold."""
    centred = np.asarray(table, float) - table.mean(0)
    _, sizes, directions = np.linalg.svd(centred, full_matrices=False)
    return centred @ directions[:2].T, float((sizes[:2] ** 2).sum() / (sizes**2).sum())


def smoothed(points: Vector, values: Vector) -> Vector:
    """At each point the mean of the others' values, weighted by a Gaussian of Scott's width."""
    width = points.std(0) * len(points) ** (-1 / 6)
    scaled = points / width
    squares = (scaled**2).sum(1)
    weights = np.exp(-0.5 * np.maximum(squares[:, None] + squares - 2 * scaled @ scaled.T, 0))
    np.fill_diagonal(weights, 0)
    return (weights @ values + 1e-12 * values.mean()) / (weights.sum(1) + 1e-12)


def packed(values: Vector, digits: int) -> str:
    """Numbers as one line of text, which keeps a record small."""
    return " ".join(f"{value:.{digits}g}" for value in values)


def unpacked(text: str) -> Vector:
    """The numbers again."""
    return np.array(text.split(), float)


def section(record: dict[str, Any]) -> Section:
    """The part of the report that this record makes."""
    runs = record["runs"]
    similarity = [
        [name, mean_sd([run["similarity"][name] for run in runs], 3)] for name in runs[0]["similarity"]
    ]
    rows = []
    for name in runs[0]["plane"]:
        planes = [run["plane"][name] for run in runs]
        cells = [mean_sd([plane[key] for plane in planes], 3) for key in ("share", "predicted", "score")]
        rows.append([name, mean_sd([run["predicted"][name] for run in runs], 3), *cells])
    slopes = []
    for name in runs[0]["lipschitz"]:
        found = [run["lipschitz"][name] for run in runs]
        slopes.append(
            [
                name,
                f"{min(one['within'] for one in found):.0%}",
                mean_sd([one["used"] for one in found], 3),
                mean_sd([one["close"] for one in found], 3),
            ]
        )
    seeds = f"{len(runs)} seeds"
    return Section(
        "NASGEM, Figs. 1 and 4: what the embedding says about scores",
        [
            Table(
                "Fig. 1: Spearman's correlation of cosine similarity and difference of scores over random "
                f"pairs; the paper's claim is that it is clearly negative with the kernel only; {seeds}",
                ["embedding", "correlation"],
                similarity,
            ),
            Table(
                f"Fig. 4: Spearman's correlation of the score that P predicts from {TRAIN} cells with the "
                "true one; share of the embedding's variance on its first two components; and correlation of "
                "the predicted and of the true score with their mean over the neighbours on that plane; "
                f"{seeds}",
                ["embedding", "P and score", "variance share", "plane and predicted", "plane and score"],
                rows,
            ),
            Table(
                "The argument of eq. 6-13, that a Lipschitz P gives near codes near scores, on random pairs "
                "and nearest neighbours: pairs whose predictions differ by no more than the product of P's "
                "spectral norms allows; the steepest slope as a share of that bound; and the mean difference "
                "of the true scores of nearest neighbours as a share of random pairs', of which the bound "
                f"says nothing; {seeds}",
                ["embedding", "within the bound", "steepest of the bound", "nearest of random"],
                slopes,
            ),
        ],
        protocol=(
            "The paper shows both figures without numbers, for networks and 50,000 matrices of its own. Ours "
            f"are the {record['known']:,} conv3x3 cells of NAS-Bench-101 and the score of lambda 0.01, so "
            "that twice the multiply-accumulates cost 0.69 points. "
            + ENCODER_TEXT.format(**record["encoder"])
        ),
        notes=[*notes(record), *still_to_run(record, SEEDS)],
        plots=plot_names(record),
    )


def notes(record: dict[str, Any]) -> list[str]:
    """What the figures say about the paper's claims."""
    runs = record["runs"]
    lines = []
    for name, words in ((GUIDED, "h = 3"), (SHALLOW_GUIDED, "h = 1")):
        guided = [run["similarity"][name] for run in runs]
        difference = paired(guided, [run["similarity"][PLAIN] for run in runs])
        verdict = {"smaller": "holds", "larger": "does not hold"}.get(difference.verdict, "is not decided")
        strength = "" if np.mean(guided) < -0.3 else ", though the correlation is weak in itself"
        lines.append(
            f"Fig. 1, {words}: that the kernel's guidance makes similar codes score alike {verdict} here "
            f"(correlation {difference.mean:+.3f} ± {difference.error:.3f} against the plain "
            f"autoencoder{strength})."
        )
    kernel, shallow = (
        float(np.mean([run["similarity"][name] for run in runs]))
        for name in ("S_g itself", "S_g itself, depth 1")
    )
    lines.append(
        f"The kernel that guides has a correlation of {kernel:+.3f} with the difference of scores itself, "
        f"{shallow:+.3f} at depth 1."
    )
    smooth, plain, raw = (
        float(np.mean([run["plane"][name]["score"] for run in runs])) for name in (GUIDED, PLAIN, RAW)
    )
    lines.append(
        f"Fig. 4: the plane of the guided embedding orders the true score by {smooth:.3f}, that of the plain "
        f"autoencoder by {plain:.3f}, that of the raw adjacency by {raw:.3f}: its surface is "
        + ("smoother than both." if smooth > max(plain, raw) + 0.02 else "no smoother than the smoothest.")
    )
    return lines


def plot_names(record: dict[str, Any]) -> list[str]:
    """The files that :func:`draw` writes."""
    return [f"{record['name']}_similarity.png", f"{record['name']}_surface.png"]


def draw(record: dict[str, Any], folder: Path) -> list[str]:
    """Both figures, of the first seed."""
    from benchmarks.harness.drawing import save
    from graphnas.plots import plot_score_surface, plot_similarity

    run = next(run for run in record["runs"] if "surface" in run)
    scores = unpacked(run["shown_scores"])
    tables = {name: unpacked(text).reshape(len(scores), -1) for name, text in run["shown"].items()}
    similarity = plot_similarity(tables, scores, score_name="efficiency score (points)")
    surface = {key: unpacked(text) for key, text in run["surface"].items()}
    figure = plot_score_surface(
        np.stack([surface["x"], surface["y"]], 1),
        {f"predicted from {TRAIN} cells": surface["predicted"], "from the table": surface["score"]},
        axis_names=("component 1", "component 2"),
        score_name="efficiency score (points)",
    )
    names = plot_names(record)
    return [save(similarity, folder, names[0]), save(figure, folder, names[1])]


def main() -> int:
    """Run the missing seeds, store and print."""
    parser = seeds_parser(__doc__, "nasgem_embeddings", SEEDS)
    options = parser.parse_args()

    from graphnas.evaluate import efficiency_score

    everything = nasbench101_cells()
    cells = everything.select(conv3x3_rows(everything))
    scores = efficiency_score(cells.accuracy, cells.macs)
    each_seed(
        lambda seed, encoder: one_seed(cells, scores, seed, encoder),
        cells,
        options,
        {},
        section,
        encoders=len(ENCODERS),
        node_ops="none",
    )
    return 0


if __name__ == "__main__":
    run_on_one_thread(main)
