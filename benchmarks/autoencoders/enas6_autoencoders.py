"""What the graph autoencoders learn from D-VAE's 19,020 six-layer ENAS graphs, by the published measures.

Every model is trained on the published 17,118 training graphs for the same number of epochs, with the same
schedule, and measured on the 1,902 test graphs. D-VAE's paper trains for 300 epochs in batches of 32; the
default here is a shorter schedule that fits a processor, and the record says which.

It can be stopped at any time: started again with the same settings, it continues from the checkpoints in
``--folder`` and ends with the same figures. Several processes may share a folder, each with its own models.

    python -m benchmarks.autoencoders.enas6_autoencoders --epochs 30
    python -m benchmarks.autoencoders.enas6_autoencoders --preset paper --device cuda --precision bfloat16
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.autoencoders.variational_gp import VariationalGP
from benchmarks.harness.records import publish, run_on_one_thread, script_parser
from benchmarks.harness.sections import Section, Table, counted, spread
from graphnas import ArchitectureBatch, autoencoders
from graphnas.autoencoders import GraphAutoencoder, TrainingConfig, same_graphs
from graphnas.autoencoders.measures import abilities, latent_regression
from graphnas.files import replacing
from graphnas.surrogate import SparseGP
from search_spaces import ENASMacro6
from search_spaces.tables import open_table

PAPER_MODELS = ("DVAE", "DVAEEmb", "GCN", "GCNEmb", "SVAE", "GraphRNN")
PUBLISHED = {
    "DVAE": {"accuracy": 99.96, "validity": 100.0, "uniqueness": 37.26, "rmse": 0.384, "pearson": 0.920},
    "DVAEEmb": {"accuracy": 99.99, "validity": 100.0, "uniqueness": 39.15, "rmse": 0.371, "pearson": 0.925},
    "GCN": {"accuracy": 98.70, "validity": 99.53, "uniqueness": 34.00, "rmse": 0.485, "pearson": 0.870},
    "GCNEmb": {"accuracy": 98.87, "validity": 99.95, "uniqueness": 32.63, "rmse": 0.441, "pearson": 0.892},
    "SVAE": {"accuracy": 99.98, "validity": 100.0, "uniqueness": 37.03, "rmse": 0.478, "pearson": 0.873},
    "GraphRNN": {"accuracy": 99.85, "validity": 99.84, "uniqueness": 29.77, "rmse": 0.726, "pearson": 0.669},
}
"""Tables 1 and 2 of D-VAE and of the operation embeddings; 300 epochs (DVAE-EMB: four times 300)."""

PAPER_UPDATES = 300 * 535
"""300 epochs of 17,118 graphs in batches of 32."""

PLOT = "enas6_autoencoders.png"
CURVES = {
    "reconstruction": "reconstruction (nats per graph)",
    "kl": "KL divergence (nats per graph)",
    "test_accuracy": "test graphs decoded exactly (%)",
}
"""What is drawn for every epoch; the last is measured only in some."""


class Data:
    """The published split."""

    def __init__(self) -> None:
        self.space = ENASMacro6()
        table = open_table(self.space)
        rows, held_out = table.split()
        everything = ArchitectureBatch.from_architectures(table.architectures())
        self.train, self.test = everything[rows], everything[held_out]
        targets = table.standardised_targets()
        self.train_targets, self.test_targets = targets[rows], targets[held_out]

    def cut(self, graphs: int | None) -> None:
        """Keep only so many of each set, for a trial run."""
        if graphs is not None:
            self.train, self.train_targets = self.train[:graphs], self.train_targets[:graphs]
            self.test, self.test_targets = self.test[:graphs], self.test_targets[:graphs]


def chosen(options: argparse.Namespace, *names: str) -> dict[str, Any]:
    """Those of the arguments ``names`` that are not None."""
    return {name: getattr(options, name) for name in names if getattr(options, name) is not None}


class Run:
    """One model's training, with a file beside its checkpoint that holds curve, seconds and measures."""

    def __init__(self, name: str, data: Data, options: argparse.Namespace, settings: dict[str, Any]) -> None:
        self.name, self.data, self.options = name, data, options
        training = TrainingConfig.preset(
            options.preset,
            precision=options.precision,
            **chosen(options, "epochs", "batch_size", "learning_rate"),
        )
        model_class = getattr(autoencoders, name)
        changes: dict[str, Any] = chosen(options, "hidden", "latent")
        if name.endswith("Emb"):
            # Equal training for all; --rounds 4 shows what the published repetitions add.
            changes["rounds"] = options.rounds
        config = model_class.config_class.preset("paper", training=training, **changes)
        self.model: GraphAutoencoder = model_class(
            data.space, config, seed=options.seed, device=options.device
        )
        self.folder = options.folder
        self.notes_path = self.folder / f"{name}.json"
        self.checkpoint = self.folder / f"{name}.checkpoint.pt"
        self.notes: dict[str, Any] = {"settings": settings, "curve": [], "seconds": 0.0}

    def forget(self) -> None:
        """Remove what an earlier start left."""
        for path in (self.notes_path, self.checkpoint):
            path.unlink(missing_ok=True)

    def train(self) -> None:
        """Train or continue, and record the curve."""
        self.folder.mkdir(parents=True, exist_ok=True)
        if self.notes_path.exists():
            settings, self.notes = self.notes["settings"], json.loads(self.notes_path.read_text())
            if self.notes["settings"] != settings:
                raise SystemExit(f"{self.notes_path} has other settings: name another --folder")
        self.started = time.perf_counter()
        self.model.fit(
            self.data.train,
            progress=True,
            checkpoint=self.checkpoint,
            on_epoch=self.note,
        )
        self.model.save(self.folder / f"{self.name}.pt")

    def note(self, model: GraphAutoencoder, entry: dict[str, float]) -> None:
        """Called after every epoch."""
        self.notes["seconds"] += time.perf_counter() - self.started
        number = len(model.history)
        kept = [row for row in self.notes["curve"] if row["number"] < number]  # repeated after a crash
        row = {"number": number, **entry}
        total = model.rounds * model.config.training.epochs
        if number % self.options.every == 0 or number == total:
            means = model.encode(self.data.test)[0]
            rng = torch.Generator().manual_seed(number)
            decoded = model.decode(means, rng)
            exact = same_graphs(decoded.graphs, model.adapter.to_vertices(self.data.test))
            row["test_accuracy"] = 100 * float(exact.float().mean())
            np.save(self.folder / f"{self.name}.latents-{number}.npy", means.cpu().numpy())
            print(f"{self.name}, epoch {number}: {row}", flush=True)
        self.notes["curve"] = [*kept, row]
        self.write_notes()
        self.started = time.perf_counter()

    def measure(self) -> dict[str, Any]:
        """The published measures, once."""
        if "measures" not in self.notes:
            start = time.perf_counter()
            measured = abilities(
                self.model,
                self.data.train,
                self.data.test,
                seed=self.options.seed,
                latents=self.options.latents,
            )
            measures: dict[str, Any] = measured.to_dict()
            measures.update(self.regression(SparseGP, self.options.gp_seeds))
            measures["seconds"] = time.perf_counter() - start
            self.notes["measures"] = measures
            self.write_notes()
        if len(self.notes.get("gpytorch", {}).get("rmse_of_seeds", [])) < self.options.gpytorch_seeds:
            self.notes["gpytorch"] = self.regression(VariationalGP, self.options.gpytorch_seeds)
            self.write_notes()
        return {
            "config": self.model.config.to_dict(),
            "parameters": self.model.parameter_count(),
            "parameters_of_release": self.model.parameter_count(released=True),
            "published": PUBLISHED[self.name],
            **{key: value for key, value in self.notes.items() if key != "settings"},
        }

    def regression(self, process: type[Any], seeds: int) -> dict[str, Any]:
        """RMSE and Pearson's r of a process with 500 inducing points on the latent means."""
        return latent_regression(
            self.latents(self.data.train),
            self.data.train_targets,
            self.latents(self.data.test),
            self.data.test_targets,
            seeds=range(seeds),
            process=process,
        ).to_dict()

    def latents(self, graphs: ArchitectureBatch) -> NDArray[np.float64]:
        """Posterior means in double precision."""
        return self.model.encode(graphs)[0].cpu().numpy().astype(np.float64)

    def write_notes(self) -> None:
        """Replace the file in one go."""
        with replacing(self.notes_path) as part:
            part.write_text(json.dumps(self.notes))


def stored(path: Path, settings: dict[str, Any]) -> dict[str, Any]:
    """Models that the record at ``path`` already holds, if it was made with the same settings."""
    try:
        record = json.loads(path.read_text())
    except (OSError, ValueError):
        return {}
    return dict(record["models"]) if record.get("settings") == settings else {}


def section(record: dict[str, Any]) -> Section:
    """The published measures, how far the training went, and the curves."""
    models, train = record["models"], record["graphs"]["train"]
    abilities_of = Table(
        "Percent, by D-VAE's protocol: test graphs reconstructed exactly, and decoded latents of the prior "
        "that are valid, different and new; one training each.",
        ("", "exact", "paper", "valid", "paper", "unique", "paper", "novel"),
        [
            [
                name,
                *(
                    text
                    for key in ("accuracy", "validity", "uniqueness")
                    for text in (f"{model['measures'][key]:.2f}", f"{model['published'][key]:.2f}")
                ),
                f"{model['measures']['novelty']:.2f}",
            ]
            for name, model in models.items()
        ],
    )
    seeds = len(next(iter(models.values()))["measures"]["rmse_of_seeds"])
    regression = Table(
        "Accuracy predicted from the latent means by a process with 500 inducing points: error in standard "
        f"deviations and Pearson's r, {counted(seeds, 'seed')}; beside it GPyTorch's, of minibatches.",
        ("", "RMSE", "GPyTorch", "paper", "r", "GPyTorch", "paper"),
        [
            [name, *(text for key in ("rmse", "pearson") for text in _three(model, key))]
            for name, model in models.items()
        ],
    )
    rows, lengths = [], set()
    for name, model in models.items():
        training, curve = model["config"]["training"], model["curve"]
        updates = len(curve) * -(-train // training["batch_size"])
        lengths.add((len(curve), training["batch_size"], training["precision"]))
        last = curve[-1]
        rows.append(
            [
                name,
                f"{model['parameters']:,}",
                str(len(curve)),
                f"{updates:,} ({updates / PAPER_UPDATES:.1%})",
                f"{last['reconstruction']:.3f}",
                f"{last['kl']:.2f}",
                f"{model['seconds'] / 60:,.0f}",
            ]
        )
    training_table = Table(
        "How far the training went, and where it ended: nats per graph, minutes of a shared processor.",
        ("", "parameters", "epochs", "updates (of the paper's)", "reconstruction", "KL", "minutes"),
        rows,
    )
    here = "; ".join(f"{e} epochs in batches of {b} in {p}" for e, b, p in sorted(lengths))
    return Section(
        "ENAS-6: graph autoencoders",
        [abilities_of, regression, training_table],
        f"the papers train for 300 epochs in batches of 32 (DVAE-EMB four times), here all train for {here}, "
        "with another learning rate and schedule; graphs, split and measures are the papers'.",
        [
            "So short a run is still improving, as its curves show: its figures are no verdict on the models."
            if max(length for length, *_ in lengths) < 300
            else "Trained for as many epochs as the papers'."
        ],
        [PLOT],
    )


def _three(model: dict[str, Any], key: str) -> tuple[str, str, str]:
    """Ours, GPyTorch's if it was run, and the paper's."""
    other = model.get("gpytorch")
    return (
        spread(model["measures"][key], model["measures"][f"{key}_sd"], 3),
        f"{other[key]:.3f}" if other else "",
        f"{model['published'][key]:.3f}",
    )


def draw(record: dict[str, Any], folder: Path) -> list[str]:
    """Reconstruction, divergence and exact reconstructions of the test set, epoch by epoch."""
    from benchmarks.harness.drawing import label, legend_above, panels, save, whole_numbers
    from graphnas.plots.style import colour

    figure, axes = panels(len(CURVES), height=3.6)
    for panel, (key, text) in zip(axes, CURVES.items(), strict=True):
        for k, (name, model) in enumerate(record["models"].items()):
            rows = [(row["number"], row[key]) for row in model["curve"] if key in row]
            marker = "o" if key == "test_accuracy" else None
            panel.plot(*zip(*rows, strict=True), color=colour(k), marker=marker, markersize=3, label=name)
        whole_numbers(panel)
        label(panel, "epoch", text)
    legend_above(figure, 6)
    return [save(figure, folder, PLOT)]


def main() -> int:
    """Train, measure, print and store, model by model."""
    parser = script_parser(__doc__, "enas6_autoencoders")
    parser.add_argument("--models", nargs="+", default=list(PAPER_MODELS), choices=PAPER_MODELS)
    parser.add_argument("--preset", default="default", choices=("default", "paper"), help="of the training")
    parser.add_argument("--epochs", type=int, help="other than the preset's")
    parser.add_argument("--batch-size", type=int, help="other than the preset's")
    parser.add_argument("--learning-rate", type=float, help="other than the preset's")
    parser.add_argument("--rounds", type=int, default=1, help="trainings of the models with an embedding")
    parser.add_argument("--precision", default="float32", choices=("float32", "bfloat16"))
    parser.add_argument("--hidden", type=int, help="other than the paper's 501")
    parser.add_argument("--latent", type=int, help="other than the paper's 56")
    parser.add_argument("--graphs", type=int, help="fewer training and test graphs, for a trial run")
    parser.add_argument("--every", type=int, default=5, help="epochs between two looks at the test graphs")
    parser.add_argument("--latents", type=int, default=1000, help="latents decoded for validity")
    parser.add_argument("--gp-seeds", type=int, default=10)
    parser.add_argument("--gpytorch-seeds", type=int, default=1, help="of GPyTorch's process; 0: without it")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--folder", type=Path, default=Path("runs/enas6_autoencoders"))
    parser.add_argument("--fresh", action="store_true", help="train again what --folder already holds")
    options = parser.parse_args()

    data = Data()
    data.cut(options.graphs)
    inert = ("models", "every", "gpytorch_seeds", "device", "folder", "fresh", "output")
    settings = {key: value for key, value in vars(options).items() if key not in inert}
    for name in options.models:
        run = Run(name, data, options, settings)
        if options.fresh:
            run.forget()
        run.train()
        figures_of_model = run.measure()
        # Read again just before writing: other processes may have added their models meanwhile.
        models = {**stored(options.output, settings), name: figures_of_model}
        models = {key: models[key] for key in PAPER_MODELS if key in models}
        figures = {
            "settings": settings,
            "graphs": {"train": len(data.train), "test": len(data.test)},
            "models": models,
        }
        publish(options.output, figures, section)
    return 0


if __name__ == "__main__":
    run_on_one_thread(main)
