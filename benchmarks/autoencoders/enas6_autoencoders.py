"""What the graph autoencoders learn from D-VAE's 19,020 six-layer ENAS graphs, by the published measures.

Every model has the papers' sizes, is trained on the published 17,118 graphs with Muon or Adam for some
minutes of one core, and is measured on the 1,902 test graphs: abilities (Table 1 of both papers), regression
on the latents by a sparse process (Table 2), rounds T = 1 to 4 with an embedding that is kept from one to
the next, and exact reconstruction over core-seconds.

It can be stopped at any time: started again with the same settings, it continues from the checkpoints in
``--folder`` and ends with the same figures. Several processes may share folder and record, each with its own
arms.

    python -m benchmarks.autoencoders.enas6_autoencoders
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.autoencoders.enas6_arms import ARMS, PUBLISHED, Run, settings_of
from benchmarks.autoencoders.enas6_data import Data
from benchmarks.harness.records import (
    missing_runs,
    publish,
    run_on_one_thread,
    script_parser,
    stored_runs,
    write_record,
)
from benchmarks.harness.sections import Section, Table, by_arm, mean_sd

PLOT = "enas6_autoencoders.png"
PAPER_UPDATES = 300 * 535
"""300 epochs of 17,118 graphs in batches of 32."""
PAPER_HOURS = 49
"""Of two cores, for D-VAE's public code: 1.09 s for each of these updates, measured on one such machine."""


def over_seeds(runs: list[dict[str, Any]], *path: str, number: int = 0, digits: int = 2) -> str:
    """Mean and deviation of one figure of a round."""
    values = []
    for run in runs:
        found: Any = run["rounds"][number]
        for key in path:
            found = found[key]
        values.append(found)
    return mean_sd(values, digits)


def abilities_table(record: dict[str, Any]) -> Table:
    """Table 1 of both papers, with the cost."""
    rows = []
    for name, runs in by_arm(record, ARMS).items():
        paper = PUBLISHED[ARMS[name].model]
        minutes = [run["rounds"][0]["cpu_seconds"] / 60 for run in runs]
        rows.append(
            [
                name,
                str(len(runs)),
                mean_sd(minutes, 1),
                over_seeds(runs, "sampled", "accuracy"),
                over_seeds(runs, "likeliest", "accuracy"),
                f"{paper['accuracy']:.2f}",
                over_seeds(runs, "sampled", "validity"),
                f"{paper['validity']:.2f}",
                over_seeds(runs, "sampled", "uniqueness"),
                f"{paper['uniqueness']:.2f}",
                over_seeds(runs, "sampled", "novelty"),
            ]
        )
    columns = ("", "seeds", "core-minutes", "exact", "p > .5", "paper", "valid", "paper", "unique", "paper")
    return Table(
        "Percent, by D-VAE's protocol, after one round: test graphs reconstructed exactly, by sampling and "
        "by the likeliest types and edges; decoded latents of the prior that are valid, different and new.",
        (*columns, "novel"),
        rows,
    )


def regression_table(record: dict[str, Any]) -> Table:
    """Table 2 of both papers."""
    rows = []
    for name, runs in by_arm(record, ARMS).items():
        other = next((run["rounds"][0]["gpytorch"] for run in runs if "gpytorch" in run["rounds"][0]), {})
        row = [name]
        for key in ("rmse", "pearson"):
            row += [
                over_seeds(runs, "sparse_process", key, digits=3),
                f"{other[key]:.3f}" if other else "",
                f"{PUBLISHED[ARMS[name].model][key]:.3f}",
            ]
        rows.append(row)
    return Table(
        "Accuracy predicted from the latent means by a process with 500 inducing points, whose seeds are "
        "averaged: error in standard deviations and Pearson's r, mean ± deviation over trainings; beside it "
        "GPyTorch's stochastic process on one of them.",
        ("", "RMSE", "GPyTorch", "paper", "r", "GPyTorch", "paper"),
        rows,
    )


def rounds_table(record: dict[str, Any]) -> Table | None:
    """T = 1 to 4."""
    rows = []
    for name, runs in by_arm(record, ARMS).items():
        rounds = len(runs[0]["rounds"])
        # Without an embedding a round takes nothing over: it is a training from another seed.
        if rounds == 1 and name != "D-VAE":
            continue
        for number in range(rounds):
            rows.append(
                [
                    f"{name}, T = {number + 1}" if rounds > 1 else f"{name}, any T",
                    over_seeds(runs, "sampled", "accuracy", number=number),
                    over_seeds(runs, "sampled", "uniqueness", number=number),
                    over_seeds(runs, "sparse_process", "rmse", number=number, digits=3),
                    over_seeds(runs, "sparse_process", "pearson", number=number, digits=3),
                ]
            )
    caption = (
        "Rounds: each starts from new weights; DVAE-EMB keeps its embedding, D-VAE nothing, so that each of "
        "its rounds is a training from another seed, and one row stands for any T. Exact and unique in "
        "percent."
    )
    return Table(caption, ("", "exact", "unique", "RMSE", "r"), rows) if len(rows) > 1 else None


def training_table(record: dict[str, Any]) -> Table:
    """How far the training went."""
    rows = []
    for name, runs in by_arm(record, ARMS).items():
        training = runs[0]["config"]["training"]
        updates = training["epochs"] * -(-record["train"] // training["batch_size"])
        ends = [run["curve"][training["epochs"] - 1] for run in runs]
        rows.append(
            [
                name,
                f"{runs[0]['parameters']:,}",
                f"{training['optimizer']}, {training['learning_rate']:g}",
                str(training["epochs"]),
                f"{updates:,} ({updates / PAPER_UPDATES:.1%})",
                mean_sd([end["reconstruction"] for end in ends], 3),
                mean_sd([end["kl"] for end in ends], 1),
            ]
        )
    return Table(
        "One round of training and where it ended, in nats per training graph.",
        ("", "parameters", "optimiser, rate", "epochs", "updates (of the paper's)", "reconstruction", "KL"),
        rows,
    )


def section(record: dict[str, Any]) -> Section:
    """Tables 1 and 2 of both papers, rounds, and how they were trained."""
    tables = [abilities_table(record), regression_table(record), rounds_table(record), training_table(record)]
    notes = []
    dvae = by_arm(record, ARMS).get("D-VAE")
    if dvae and record["hidden"] is None:
        minutes = float(np.mean([run["rounds"][0]["cpu_seconds"] for run in dvae])) / 60
        exact = over_seeds(dvae, "sampled", "accuracy")
        notes.append(
            f"D-VAE: {exact} % exact after {minutes:.1f} core-minutes; the public code takes about "
            f"{PAPER_HOURS} hours of two cores for its 300 epochs."
        )
    if any(ARMS[name].optimizer == "adam" for name in by_arm(record, ARMS)):
        notes.append("Adam's rows have as many core-minutes as Muon's, and so more updates.")
    return Section(
        "ENAS-6: graph autoencoders",
        [table for table in tables if table is not None],
        "the papers train for 300 epochs of Adam in batches of 32 (DVAE-EMB four times); here batches of 64 "
        "in bfloat16, a one-cycle schedule and the epochs of the last table. Graphs, split, sizes and "
        "measures are the papers', whose spread is that of the process, not of trainings.",
        notes,
        [PLOT],
    )


def draw(record: dict[str, Any], folder: Path) -> list[str]:
    """Reconstruction error and exact reconstructions of the test set over the core-seconds of one round."""
    from benchmarks.harness.drawing import label, legend_above, panels, save
    from graphnas.plots.style import colour

    figure, axes = panels(2, height=3.6)
    keys = {"reconstruction": "reconstruction (nats per graph)", "exact": "test graphs decoded exactly (%)"}
    for panel, (key, text) in zip(axes, keys.items(), strict=True):
        for k, (name, runs) in enumerate(by_arm(record, ARMS).items()):
            epochs = runs[0]["config"]["training"]["epochs"]
            seconds = np.mean([[row["cpu_seconds"] for row in run["curve"][:epochs]] for run in runs], 0)
            values = np.mean([[row[key] for row in run["curve"][:epochs]] for run in runs], 0)
            style = "--" if ARMS[name].optimizer == "adam" else "-"
            panel.plot(seconds, values, style, color=colour(k), marker="o", markersize=3, label=name)
        label(panel, "core-seconds", text)
    axes[0].set_yscale("log")
    legend_above(figure, 5)
    return [save(figure, folder, PLOT)]


def main() -> int:
    """Train, measure, print and store, one training after the other."""
    parser = script_parser(__doc__, "enas6_autoencoders")
    parser.add_argument(
        "--arms", nargs="+", default=list(ARMS), choices=ARMS, metavar="ARM", help="only these"
    )
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--epochs", type=int, help="other than the arm's")
    parser.add_argument("--hidden", type=int, help="other than the paper's 501")
    parser.add_argument("--graphs", type=int, help="fewer training and test graphs, for a trial run")
    parser.add_argument("--latents", type=int, default=1000, help="latents decoded for validity")
    parser.add_argument("--gp-seeds", type=int, default=10)
    parser.add_argument("--gpytorch-seeds", type=int, default=10, help="of GPyTorch's process; 0: without it")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--folder", type=Path, default=Path("runs/enas6_autoencoders"))
    parser.add_argument("--fresh", action="store_true", help="train again what --folder already holds")
    options = parser.parse_args()

    data = Data(options.graphs)
    names = ("epochs", "hidden", "graphs", "latents", "gp_seeds")
    settings = {name: getattr(options, name) for name in names}
    settings.update(train=len(data.train), test=len(data.test))
    made: dict[tuple[str, int], dict[str, Any]] = {}
    order = list(ARMS)

    def record(what: str | None = None) -> dict[str, Any]:
        # Read again each time: other processes may have added their trainings meanwhile.
        stored = stored_runs(options.output, settings, what, fresh=options.fresh and len(made) <= 1)
        current = [run for run in stored if run["config"] == settings_of(run["arm"], options)[1].to_dict()]
        runs = {**{(run["arm"], run["seed"]): run for run in current}, **made}
        return {**settings, "runs": [runs[k] for k in sorted(runs, key=lambda k: (order.index(k[0]), k[1]))]}

    for arm, seed in missing_runs(record("trainings")["runs"], options.arms, options.seeds):
        made[arm, seed] = Run(arm, seed, data, options).figures()
        write_record(options.output, record(), quiet=True)
    publish(options.output, record(), section)
    return 0


if __name__ == "__main__":
    run_on_one_thread(main)
