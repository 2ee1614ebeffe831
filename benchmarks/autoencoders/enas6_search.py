"""Bayesian optimisation in the latents of D-VAE and DVAE-EMB on ENAS-6 (DVAE-EMB, section 4.3, Figs. 5-6).

As in both papers the search knows the 17,118 training architectures with their accuracies, and evaluates
ten rounds of 50 architectures of the whole space. A surrogate says how good these are, since the supernet
that evaluated the papers' is not public. Random search and evolution know the same and evaluate as many. The
models are those that benchmarks.autoencoders.enas6_autoencoders leaves in its folder; where a model was
trained with several seeds, the searches' seeds take them in turn.

It can be stopped at any time: finished searches are kept in the record. Several processes may share it, each
with its own arms.

    python -m benchmarks.autoencoders.enas6_search
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.autoencoders.enas6_methods import (
    SKIPS,
    TOP,
    Searches,
    all_searches,
    chosen_models,
    search_arguments,
)
from benchmarks.autoencoders.enas6_surrogate import FOLDS, SPACE, TREES, EnasSurrogate
from benchmarks.harness.records import publish, run_on_one_thread, script_parser
from benchmarks.harness.sections import Section, Table, counted, mean_sd

PLOT, TOP_PLOT = "enas6_search.png", "enas6_search_top.png"


def arms_of(record: dict[str, Any]) -> list[str]:
    """The arms of the record in its order."""
    return list(dict.fromkeys(run["arm"] for run in record["runs"]))


def values_of(record: dict[str, Any], arm: str) -> NDArray[np.float64]:
    """``(seeds, evaluations)``: what the searches of an arm found, in order."""
    return np.array([run["values"] for run in record["runs"] if run["arm"] == arm])


def top_of(record: dict[str, Any], arm: str) -> list[tuple[str, float]]:
    """The best architectures that the searches of an arm found, no two the same."""
    found = {text: value for run in record["runs"] if run["arm"] == arm for text, value in run["top"]}
    return sorted(found.items(), key=lambda entry: -entry[1])[:TOP]


def rounds_table(record: dict[str, Any], by: str) -> Table:
    """The best after each round; ``by`` says what measures."""
    arms, batch = arms_of(record), record["batch_size"]
    best = {arm: np.maximum.accumulate(values_of(record, arm), axis=1) for arm in arms}
    rows = [
        [
            f"{number} ({number * batch})",
            *(mean_sd(best[arm][:, number * batch - 1].tolist(), 3) for arm in arms),
        ]
        for number in range(1, record["rounds"] + 1)
    ]
    columns = [f"{arm} ({len(best[arm])})" for arm in arms]
    return Table(
        f"The best accuracy by {by}, in percent, among what a search evaluated up to each round "
        "(evaluations in brackets), mean ± deviation over the seeds (number in brackets).",
        ("round", *columns),
        rows,
    )


def summary_table(record: dict[str, Any], to_beat: float) -> Table:
    """What the searches found, how often better than ``to_beat``, the best of the start, and their cost."""
    rows = []
    batch = record["batch_size"]
    for arm in arms_of(record):
        values = values_of(record, arm)
        minutes = [run["cpu_seconds"] / 60 for run in record["runs"] if run["arm"] == arm]
        rows.append(
            [
                arm,
                f"{values.max():.3f}",
                mean_sd(np.sort(values, axis=1)[:, -TOP:].mean(1).tolist(), 3),
                mean_sd(values[:, :batch].mean(1).tolist(), 3),
                mean_sd(values[:, -batch:].mean(1).tolist(), 3),
                mean_sd((values > to_beat).sum(1).tolist(), 1),
                mean_sd(minutes, 1),
            ]
        )
    return Table(
        f"The same searches: the best of all, the mean of a search's {TOP} best, of its first and of its "
        f"last round, how many of its architectures are better than all of the start ({to_beat:.3f}), "
        "core-minutes.",
        ("", "best", f"best {TOP}", "first round", "last round", "better", "core-minutes"),
        rows,
    )


def models_table(record: dict[str, Any]) -> Table | None:
    """How the models were trained."""
    models = {run["model"]["sha256"]: run["model"] for run in record["runs"] if run["model"]}
    rows = [
        [
            model["file"],
            str(model["hidden"]),
            f"{model['rounds']:.0f} x {model['epochs']}",
            f"{model['optimizer']}, {model['learning_rate']:g}, {model['batch_size']}",
            f"{model['reconstruction']:.3f}",
        ]
        for model in models.values()
    ]
    columns = ("", "hidden", "rounds x epochs", "optimiser, rate, batch", "reconstruction (nats)")
    return Table("The models, and where their training ended.", columns, rows) if rows else None


def section(record: dict[str, Any]) -> Section:
    """Searches, models, and what the surrogate is worth."""
    fit, climbed = record["surrogate"], record["climbed"]
    arms = arms_of(record)
    means = {arm: float(values_of(record, arm).max(1).mean()) for arm in arms}
    leader = max(means, key=lambda arm: means[arm])
    close = [arm for arm in arms if arm != leader and means[leader] - means[arm] < fit["rmse"]]
    ahead = f"Ahead by the mean of their best: {leader} ({means[leader]:.3f})"
    if close:
        ahead += f"; less than the surrogate's error behind: {', '.join(close)}"
    notes = [
        f"All values are a surrogate's: {counted(record['trees'], 'boosted tree')} on 51 bits, fitted to "
        f"all 19,020 accuracies. On rows left out of the fit ({FOLDS} folds) r is {fit['pearson']:.3f}, the "
        f"error {fit['rmse']:.3f} percent points, the accuracies' deviation {fit['deviation']:.3f}. What is "
        "unlike the table's architectures may be far worse predicted.",
        f"The best accuracy of the start is {fit['best_of_start']:.2f}, the surrogate's largest value there "
        f"{fit['of_start']:.3f}. Hill climbing from the {climbed['starts']} best of the start reaches "
        f"{climbed['best']:.3f} with {climbed['evaluations']:,} evaluations.",
        f"{ahead}.",
    ]
    tables = [
        rounds_table(record, "the surrogate"),
        summary_table(record, fit["of_start"]),
        models_table(record),
    ]
    return Section(
        "ENAS-6: Bayesian optimisation in latent spaces",
        [table for table in tables if table is not None],
        "start, space, rounds, acquisition and decoding are the papers', which evaluate by a supernet of "
        "ENAS (their best has 75.16 % with shared weights) and train five of the found ones to the end: "
        "94.80 to 94.63 % for D-VAE, 95.35 to 95.10 % for DVAE-EMB. Here no architecture is evaluated "
        "twice, the sparse process is fitted to all data at once, and the models are trained as the last "
        "table says, not for 300 epochs. "
        f"Random search draws skips with the table's probability, {SKIPS}. Evolution, from the 20 best of "
        "the start, learns after each evaluation.",
        notes,
        [PLOT, TOP_PLOT],
    )


def draw(record: dict[str, Any], folder: Path) -> list[str]:
    """The best by evaluations, and the best architectures of each arm."""
    from benchmarks.harness.drawing import label, legend_above, panels, save
    from graphnas.plots import plot_architectures
    from graphnas.plots.style import FAINT, INK, colour

    figure, (axes,) = panels(1, 6.4, 4.2)
    arms = arms_of(record)
    for k, arm in enumerate(arms):
        best = np.maximum.accumulate(values_of(record, arm), axis=1)
        evaluations, mean, deviation = np.arange(1, best.shape[1] + 1), best.mean(0), best.std(0)
        axes.plot(evaluations, mean, color=colour(k), label=arm, drawstyle="steps-post")
        axes.fill_between(
            evaluations, mean - deviation, mean + deviation, color=colour(k), alpha=0.15, lw=0, step="post"
        )
    start, climbed = record["surrogate"]["of_start"], record["climbed"]["best"]
    axes.axhline(start, color=INK, ls="--", lw=0.8, label="best of the start")
    axes.axhline(climbed, color=FAINT, ls="-.", lw=0.8, label="long hill climbing")
    label(axes, "evaluations", "best by the surrogate (%)")
    legend_above(figure, 3)
    names = [save(figure, folder, PLOT)]

    best_of = [(arm, text, value) for arm in arms for text, value in top_of(record, arm)]
    grid = plot_architectures(
        [SPACE.from_string(text) for _, text, _ in best_of],
        SPACE,
        captions=[f"{arm}: {value:.3f}" for arm, _, value in best_of],
        columns=TOP,
        title=f"The {TOP} best of each method by the surrogate (%)",
    )
    return [*names, save(grid, folder, TOP_PLOT)]


def main() -> int:
    """Search, print and store, one search after the other."""
    parser = script_parser(__doc__, "enas6_search")
    search_arguments(parser)
    parser.add_argument("--known", type=int, help="fewer architectures to start from, for a trial run")
    parser.add_argument("--trees", type=int, default=TREES, help="of the surrogate")
    parser.add_argument("--climbs", type=int, default=500, help="starts of the long hill climbing")
    options = parser.parse_args()
    models, order = chosen_models(parser, options)
    surrogate = EnasSurrogate(options.trees, options.known)
    names = ("rounds", "batch_size", "known", "trees", "decodings")
    settings = {name: getattr(options, name) for name in names}
    figures = {"surrogate": surrogate.held_out_fit(), "climbed": surrogate.climbed(options.climbs)}
    searches = Searches(surrogate, options.rounds, options.batch_size, options.decodings)
    record = all_searches(searches, models, order, options, settings, figures)
    publish(options.output, record, section)
    return 0


if __name__ == "__main__":
    run_on_one_thread(main)
