"""What VS-GAE learns from NAS-Bench-101's cells, by its own measures: reconstruction and validity (Table 2).

Trained on 90 % of all cells and tested on the others, with the loss as the paper prints it (eq. 15-17: sums
over the edges, each graph's divergence weighted by .005) and as its code has it (means over the edges, the
divergence summed over the batch), with and without the code's mistake in the rows of edges. The latents'
histogram and spectrum are those of Fig. 3.

It can be stopped at any time: started again with the same settings, it continues from the checkpoints in
``--folder``.

    python -m benchmarks.autoencoders.vsgae_abilities
"""

from __future__ import annotations

import argparse
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.autoencoders.noted_training import file_stem, train_with_notes
from benchmarks.harness.records import (
    missing_runs,
    publish,
    run_on_one_thread,
    script_parser,
    stored_runs,
    write_record,
)
from benchmarks.harness.sections import Section, Table, by_arm, counted, mean_sd
from graphnas import ArchitectureBatch
from graphnas.autoencoders import VSGAE, GraphAutoencoder, TrainingConfig, VSGAEConfig
from graphnas.autoencoders.measures import abilities, reconstruction_accuracy
from search_spaces import NASBench101
from search_spaces.tables import open_table

PUBLISHED = {"accuracy": 99.99, "well_formed": 95.09}
ARMS: dict[str, dict[str, Any]] = {
    "as printed": {"edge_reduction": "sum", "kl_reduction": "mean"},
    "as coded, right rows": {"edge_reduction": "mean", "kl_reduction": "sum"},
    "as coded": {"edge_reduction": "mean", "kl_reduction": "sum", "released_tiling": True},
}
TRAIN_SHARE = 0.9
PLOT = "vsgae_abilities.png"
BINS = np.linspace(-4, 4, 81)
"""Of the histogram of latents, in units of the posterior means' deviation over all dimensions."""


class Data:
    """All cells, nine tenths for training."""

    def __init__(self, cells: int | None, test: int) -> None:
        self.space = NASBench101()
        table = open_table(self.space)
        rows = np.random.default_rng(0).permutation(len(table))[:cells]
        cut = round(TRAIN_SHARE * len(rows))
        self.train, self.test = (
            ArchitectureBatch.from_architectures(table.architectures(np.sort(part)), 7)
            for part in (rows[:cut], rows[cut:][:test])
        )


def run(arm: str, seed: int, data: Data, options: argparse.Namespace) -> dict[str, Any]:
    """Train, or continue, and measure."""
    training = TrainingConfig(
        epochs=options.epochs, batch_size=128, learning_rate=options.learning_rate, precision="bfloat16"
    )
    config = VSGAEConfig(hidden=options.hidden, training=training, **ARMS[arm])
    model = VSGAE(data.space, config, seed=seed, device=options.device)
    stem = options.folder / file_stem(arm, seed)

    def look(trained: GraphAutoencoder) -> dict[str, float]:
        return {"exact": 100 * reconstruction_accuracy(trained, data.test, 1, stochastic=False)}

    curve = train_with_notes(model, partial(model.fit, data.train), stem, look, fresh=options.fresh)
    measured = {
        name: abilities(
            model,
            data.train,
            data.test,
            seed=seed,
            reconstructions=options.decodings,
            decodings=options.decodings,
            stochastic=stochastic,
        ).to_dict()
        for name, stochastic in (("sampled", True), ("likeliest", False))
    }
    latents = model.encode(data.test)[0].double().cpu().numpy()
    spread = latents.std(0)
    histogram = np.histogram((latents - latents.mean(0)) / spread.mean(), BINS, density=True)[0]
    return {
        "arm": arm,
        "seed": seed,
        "config": config.to_dict(),
        "parameters": model.parameter_count(),
        "curve": curve,
        **measured,
        "histogram": histogram.tolist(),
        "spectrum": np.linalg.eigvalsh(np.cov(latents.T))[::-1].tolist(),
    }


def section(record: dict[str, Any]) -> Section:
    """Table 2, by the form of the loss."""
    rows, arms = [], by_arm(record, ARMS)
    for arm, runs in arms.items():

        def over(kind: str, key: str, runs: list[dict[str, Any]] = runs) -> str:
            return mean_sd([run[kind][key] for run in runs])

        last = [run["curve"][-1] for run in runs]
        rows.append(
            [
                arm,
                str(len(runs)),
                mean_sd([entry["cpu_seconds"] / 60 for entry in last], 1),
                over("sampled", "accuracy"),
                over("likeliest", "accuracy"),
                over("sampled", "well_formed"),
                over("likeliest", "well_formed"),
                over("sampled", "uniqueness"),
                over("sampled", "novelty"),
                mean_sd([entry["kl"] for entry in last], 1),
                mean_sd([float(np.sum(np.array(run["spectrum"]) > 0.1)) for run in runs], 0),
            ]
        )
    paper = [f"{PUBLISHED[key]:.2f}" for key in ("accuracy", "well_formed")]
    rows.append(["paper", "1", "", paper[0], "", paper[1], *[""] * 5])
    columns = ("loss", "seeds", "core-minutes", "exact", "p > .5", "well-formed", "p > .5", "unique", "novel")
    missing = [arm for arm in ARMS if arm not in arms]
    settings = f"{record['train']:,} cells, {counted(record['epochs'], 'epoch')} of Muon"
    return Section(
        "NAS-Bench-101: VS-GAE's reconstruction and validity",
        [
            Table(
                f"Percent after {settings}: test cells reconstructed exactly, by sampling and by the "
                "likeliest types and edges, and decoded latents of the prior that are well-formed, as "
                "VS-GAE's code checks it; divergence in nats; dimensions of the latents whose variance "
                "exceeds .1.",
                (*columns, "KL", "dimensions"),
                rows,
            )
        ],
        "the paper trains for 300 epochs of Adam at 1e-4 (its code decodes each test cell 100 times); here "
        f"{counted(record['test'], 'test cell')}, {record['decodings']} decodings of each.",
        [f"Not run yet: {', '.join(missing)}."] if missing else [],
        [PLOT],
    )


def draw(record: dict[str, Any], folder: Path) -> list[str]:
    """Fig. 3: histogram of the latents and spectrum of their covariance."""
    from benchmarks.harness.drawing import label, legend_above, panels, save
    from graphnas.plots.style import colour

    figure, axes = panels(2, height=3.4)
    middles = (BINS[1:] + BINS[:-1]) / 2
    axes[0].plot(
        middles, np.exp(-(middles**2) / 2) / np.sqrt(2 * np.pi), ":", color="#666666", label="normal"
    )
    for k, (arm, runs) in enumerate(by_arm(record, ARMS).items()):
        axes[0].plot(middles, np.mean([run["histogram"] for run in runs], 0), color=colour(k), label=arm)
        spectrum = np.mean([run["spectrum"] for run in runs], 0)
        axes[1].plot(np.arange(1, len(spectrum) + 1), spectrum, color=colour(k), label=arm)
    axes[1].set_yscale("log")
    label(axes[0], "latent (mean deviations)", "density")
    label(axes[1], "principal component", "variance")
    legend_above(figure, 4)
    return [save(figure, folder, PLOT)]


def main() -> int:
    """Train, measure, print and store, one training after the other."""
    parser = script_parser(__doc__, "vsgae_abilities")
    parser.add_argument(
        "--arms", nargs="+", default=list(ARMS), choices=ARMS, metavar="ARM", help="only these"
    )
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--cells", type=int, help="a random part of the cells; by default all")
    parser.add_argument("--test-cells", type=int, default=5000, help="at most so many test cells")
    parser.add_argument("--decodings", type=int, default=10, help="of each test cell, and of each latent")
    parser.add_argument("--epochs", type=int, default=1)
    parser.add_argument("--hidden", type=int, default=250)
    parser.add_argument("--learning-rate", type=float, default=VSGAEConfig().training.learning_rate)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--folder", type=Path, default=Path("runs/vsgae_abilities"))
    parser.add_argument("--fresh", action="store_true", help="train again what --folder already holds")
    options = parser.parse_args()

    data = Data(options.cells, options.test_cells)
    settings = {name: getattr(options, name) for name in ("decodings", "epochs", "hidden", "learning_rate")}
    settings.update(train=len(data.train), test=len(data.test))
    runs = stored_runs(options.output, settings, "trainings", fresh=options.fresh)
    for arm, seed in missing_runs(runs, options.arms, options.seeds):
        runs.append(run(arm, seed, data, options))
        write_record(options.output, {**settings, "runs": runs}, quiet=True)
    publish(options.output, {**settings, "runs": runs}, section)
    return 0


if __name__ == "__main__":
    run_on_one_thread(main)
