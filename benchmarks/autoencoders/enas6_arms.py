"""The trainings that benchmarks.autoencoders.enas6_autoencoders compares, from the start to their figures."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.autoencoders.enas6_data import Data
from benchmarks.autoencoders.noted_training import file_stem, train_with_notes
from benchmarks.autoencoders.variational_gp import VariationalGP
from graphnas import autoencoders
from graphnas.autoencoders import GraphAutoencoder, TrainingConfig
from graphnas.autoencoders.config import AutoencoderConfig, VertexConfig
from graphnas.autoencoders.measures import abilities, latent_regression, reconstruction_accuracy
from graphnas.surrogate import SparseGP

PUBLISHED = {
    "DVAE": {"accuracy": 99.96, "validity": 100.0, "uniqueness": 37.26, "rmse": 0.384, "pearson": 0.920},
    "DVAEEmb": {"accuracy": 99.99, "validity": 100.0, "uniqueness": 39.15, "rmse": 0.371, "pearson": 0.925},
    "GCN": {"accuracy": 98.70, "validity": 99.53, "uniqueness": 34.00, "rmse": 0.485, "pearson": 0.870},
    "GCNEmb": {"accuracy": 98.87, "validity": 99.95, "uniqueness": 32.63, "rmse": 0.441, "pearson": 0.892},
    "SVAE": {"accuracy": 99.98, "validity": 100.0, "uniqueness": 37.03, "rmse": 0.478, "pearson": 0.873},
    "GraphRNN": {"accuracy": 99.85, "validity": 99.84, "uniqueness": 29.77, "rmse": 0.726, "pearson": 0.669},
}
"""Tables 1 and 2 of D-VAE and of the operation embeddings; 300 epochs (DVAE-EMB: four times 300)."""


@dataclass(frozen=True)
class Arm:
    """A model and how it is trained.

    Attributes:
        model: Name of its class.
        epochs: Passes over the training graphs in one round.
        learning_rate: The largest of the schedule, chosen on other seeds than those of the record; DVAE-EMB's
            is smaller because of what its first training by another rate showed.
        optimizer: ``"muon"`` or ``"adam"``.
        changes: Settings other than the paper's sizes.
    """

    model: str
    epochs: int
    learning_rate: float
    optimizer: str = "muon"
    changes: Mapping[str, Any] = field(default_factory=dict)


ARMS = {
    "S-VAE": Arm("SVAE", 15, 5e-3),
    "GraphRNN": Arm("GraphRNN", 9, 1e-2),
    "GCN": Arm("GCN", 12, 1e-2),
    "GCN-EMB": Arm("GCNEmb", 12, 1e-2),
    "D-VAE": Arm("DVAE", 5, 1e-2),
    "DVAE-EMB": Arm("DVAEEmb", 5, 5e-3, changes={"rounds": 4}),
    "D-VAE by Adam": Arm("DVAE", 13, 8e-3, "adam"),
    "D-VAE, types": Arm("DVAE", 5, 1e-2, changes={"message": "type"}),
    "DVAE-EMB, types": Arm("DVAEEmb", 5, 1e-2, changes={"message": "type"}),
}
"""By the names in the report, in its order. Adam has more epochs, so as many core-minutes as Muon."""


def settings_of(arm: str, options: argparse.Namespace) -> tuple[type[GraphAutoencoder], AutoencoderConfig]:
    """Class and configuration of an arm's model."""
    chosen = ARMS[arm]
    training = TrainingConfig(
        epochs=options.epochs or chosen.epochs,
        optimizer=chosen.optimizer,
        learning_rate=chosen.learning_rate,
        precision="bfloat16",
    )
    model_class = getattr(autoencoders, chosen.model)
    changes: dict[str, Any] = {} if options.hidden is None else {"hidden": options.hidden}
    if issubclass(model_class.config_class, VertexConfig):
        changes |= {"rounds": 1, **chosen.changes}
    return model_class, model_class.config_class.preset("paper", training=training, **changes)


class Run:
    """The training of an arm with a seed, which continues where it was stopped.

    Beside its checkpoint lie a file with the curve and the seconds, the latents of the test graphs after each
    epoch, and the model as it was at the end of each round.
    """

    def __init__(self, arm: str, seed: int, data: Data, options: argparse.Namespace) -> None:
        self.name, self.seed, self.data, self.options = arm, seed, data, options
        model_class, config = settings_of(arm, options)
        self.model: GraphAutoencoder = model_class(data.space, config, seed=seed, device=options.device)
        self.epochs = config.training.epochs
        self.stem = file_stem(arm, seed)

    def file(self, suffix: str) -> Path:
        """A file of this training."""
        return Path(self.options.folder) / f"{self.stem}{suffix}"

    def figures(self) -> dict[str, Any]:
        """Train or continue, measure, and return what the record holds of it."""
        curve = train_with_notes(
            self.model,
            partial(self.model.fit, self.data.train),
            self.file(""),
            self.look,
            fresh=self.options.fresh,
        )
        return {
            "arm": self.name,
            "seed": self.seed,
            "parameters": self.model.parameter_count(),
            "parameters_of_release": self.model.parameter_count(released=True),
            "config": self.model.config.to_dict(),
            "curve": curve,
            "rounds": [self.measured(number, curve) for number in range(1, self.model.rounds + 1)],
        }

    def look(self, model: GraphAutoencoder) -> dict[str, float]:
        """Called after every epoch."""
        number = len(model.history)
        np.save(self.file(f".latents-{number}.npy"), model.encode(self.data.test)[0].cpu().numpy())
        if number % self.epochs == 0:
            model.save(self.file(f".round-{number // self.epochs}.pt"))
        return {"exact": 100 * reconstruction_accuracy(model, self.data.test, 1, stochastic=False)}

    def measured(self, number: int, curve: list[dict[str, float]]) -> dict[str, Any]:
        """The published measures of the model at the end of a round."""
        options, data = self.options, self.data
        model = type(self.model).load(self.file(f".round-{number}.pt"), device=options.device)
        found: dict[str, Any] = {
            "round": number,
            "cpu_seconds": curve[number * self.epochs - 1]["cpu_seconds"],
        }
        for name, stochastic in (("sampled", True), ("likeliest", False)):
            found[name] = abilities(
                model, data.train, data.test, seed=self.seed, latents=options.latents, stochastic=stochastic
            ).to_dict()
        train, test = (model.encode(graphs)[0].double().cpu().numpy() for graphs in (data.train, data.test))
        # GPyTorch's process takes minutes: only of one training of each arm.
        for name, process, seeds in (
            ("sparse_process", SparseGP, options.gp_seeds),
            ("gpytorch", gpytorch_process, options.gpytorch_seeds if (number, self.seed) == (1, 0) else 0),
        ):
            if seeds:
                found[name] = latent_regression(
                    train, data.train_targets, test, data.test_targets, seeds=range(seeds), process=process
                ).to_dict()
        return found


def gpytorch_process(inducing: int, *, seed: int) -> VariationalGP:
    """GPyTorch's process, trained for 20 of the published 100 passes."""
    return VariationalGP(inducing, seed=seed, passes=20)
