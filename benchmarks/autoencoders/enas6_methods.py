"""The searches that benchmarks.autoencoders.enas6_search compares, in the latents of models and without.

A search knows a start with its accuracies, and what it evaluates itself has the surrogate's values.
"""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.autoencoders.enas6_surrogate import SPACE, EnasSurrogate
from graphnas import SearchMethod
from graphnas.autoencoders import GraphAutoencoder, load_autoencoder
from graphnas.methods import LatentBO, LatentBOConfig, RandomSearch, RegularizedEvolution
from search_spaces import ENASMacro6

BASELINES: dict[str, Callable[[int], SearchMethod]] = {
    "random search": lambda seed: RandomSearch(ENASMacro6(skip_probability=SKIPS), seed=seed),
    "evolution": lambda seed: RegularizedEvolution(SPACE, seed=seed),
}
SKIPS = 0.3
"""Share of the possible skips that the table's architectures have; the space's half gives far worse ones."""
TOP = 5
"""Of a search, as many of the best architectures are stored and drawn."""


@dataclass(frozen=True)
class Model:
    """A trained autoencoder.

    Attributes:
        arm: Its name in the tables, from the name of its file.
        autoencoder: Itself.
        origin: What the record holds of it.
    """

    arm: str
    autoencoder: GraphAutoencoder
    origin: dict[str, Any]


def opened(path: Path) -> Model:
    """The model in a file such as ``D-VAE-0.round-1.pt``, and how it was trained."""
    autoencoder = load_autoencoder(path)
    config, last = autoencoder.config, autoencoder.history[-1]
    training = config.training
    origin = {
        "file": path.name,
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest()[:16],
        "model": type(autoencoder).__name__,
        "hidden": config.to_dict()["hidden"],
        "rounds": autoencoder.history[-1].get("round", 1),
        "epochs": training.epochs,
        "batch_size": training.batch_size,
        "optimizer": training.optimizer,
        "learning_rate": training.learning_rate,
        "seed": autoencoder.seed,
        "reconstruction": last["reconstruction"],
    }
    return Model(re.sub(r"-\d+(\.round-\d+)?$", "", path.stem), autoencoder, origin)


class Searches:
    """The searches of one record.

    Args:
        surrogate: Start and values.
        rounds: Rounds of each.
        batch_size: Architectures in a round.
        decodings: Times that a selected point is decoded.
    """

    def __init__(self, surrogate: EnasSurrogate, rounds: int, batch_size: int, decodings: int) -> None:
        self.surrogate, self.rounds, self.batch_size = surrogate, rounds, batch_size
        self.config = LatentBOConfig.preset(
            "paper", n_startup_trials=len(surrogate.start), batch_size=batch_size, decodings=decodings
        )

    def run(self, arm: str, seed: int, model: Model | None) -> dict[str, Any]:
        """One search, as the record holds it."""
        surrogate = self.surrogate
        started = time.process_time()
        method: SearchMethod
        if model is None:
            method = BASELINES[arm](seed)
        else:
            method = LatentBO(
                SPACE, self.config, seed=seed, autoencoder=model.autoencoder, trained_on=surrogate.start
            )
        for architecture, value in zip(surrogate.start, surrogate.start_values, strict=True):
            method.tell(architecture, float(value))
        # The papers' search works in rounds; methods that learn from each value may.
        together = self.batch_size if model else 1
        values: list[float] = []
        while len(values) < self.rounds * self.batch_size:
            proposed = method.ask(together)
            for architecture, value in zip(proposed, surrogate(proposed).tolist(), strict=True):
                method.tell(architecture, value)
                values.append(round(value, 4))
        found = [o.architecture for o in method.observations[len(surrogate.start) :]]
        best = np.argsort(-np.array(values), kind="stable")[:TOP].tolist()
        return {
            "arm": arm,
            "seed": seed,
            "model": None if model is None else model.origin,
            "cpu_seconds": round(time.process_time() - started, 1),
            "top": [[SPACE.to_string(found[k]), values[k]] for k in best],
            "values": values,
        }


def taken(models: Sequence[Model], arm: str, seed: int) -> Model | None:
    """The model of a search: those of its arm in turn; None for a baseline."""
    own = [model for model in models if model.arm == arm]
    return own[seed % len(own)] if own else None
