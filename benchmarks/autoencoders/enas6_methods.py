"""The searches that benchmarks.autoencoders.enas6_search compares, in the latents of models and without.

A search knows a start with its accuracies; an objective gives the values of what it evaluates itself.
"""

from __future__ import annotations

import argparse
import hashlib
import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from benchmarks.autoencoders.enas6_surrogate import SPACE
from benchmarks.harness.records import missing_runs, stored_runs, write_record
from graphnas import Architecture, SearchMethod
from graphnas.autoencoders import GraphAutoencoder, load_autoencoder
from graphnas.methods import LatentBO, LatentBOConfig, RandomSearch, RegularizedEvolution
from search_spaces import ENASMacro6

MODELS = [
    Path("runs/enas6_autoencoders") / f"{name}-{seed}.round-{last}.pt"
    for name, last in (("D-VAE", 1), ("DVAE-EMB", 4))
    for seed in range(3)
]
"""D-VAE is trained once and DVAE-EMB four times, as in the papers."""
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


class Objective(Protocol):
    """What is searched.

    Attributes:
        start: Architectures that a search knows, from the worst to the best.
        start_values: Their values.
    """

    start: list[Architecture]
    start_values: NDArray[np.float64]

    def __call__(self, architectures: Sequence[Architecture]) -> NDArray[np.float64]:
        """Values ``(B,)``, larger is better."""


class Searches:
    """The searches of one record.

    Args:
        objective: Start and values.
        rounds: Rounds of each.
        batch_size: Architectures in a round.
        decodings: Times that a selected point is decoded.
    """

    def __init__(self, objective: Objective, rounds: int, batch_size: int, decodings: int) -> None:
        self.objective, self.rounds, self.batch_size = objective, rounds, batch_size
        self.config = LatentBOConfig.preset(
            "paper", n_startup_trials=len(objective.start), batch_size=batch_size, decodings=decodings
        )

    def run(self, arm: str, seed: int, model: Model | None) -> dict[str, Any]:
        """One search, as the record holds it."""
        objective = self.objective
        started = time.process_time()
        method: SearchMethod
        if model is None:
            method = BASELINES[arm](seed)
        else:
            method = LatentBO(
                SPACE, self.config, seed=seed, autoencoder=model.autoencoder, trained_on=objective.start
            )
        for architecture, value in zip(objective.start, objective.start_values, strict=True):
            method.tell(architecture, float(value))
        # The papers' search works in rounds; methods that learn from each value may.
        together = self.batch_size if model else 1
        values: list[float] = []
        while len(values) < self.rounds * self.batch_size:
            proposed = method.ask(together)
            for architecture, value in zip(proposed, objective(proposed).tolist(), strict=True):
                method.tell(architecture, value)
                values.append(round(value, 4))
        found = [o.architecture for o in method.observations[len(objective.start) :]]
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


# ---------------------------------------------------------------- scripts


def search_arguments(
    parser: argparse.ArgumentParser, *, seeds: int = 10, rounds: int = 10, batch_size: int = 50
) -> None:
    """The arguments that scripts of such searches have."""
    parser.add_argument(
        "--models", nargs="*", type=Path, default=MODELS, metavar="FILE", help="autoencoders saved on ENAS-6"
    )
    parser.add_argument("--arms", nargs="+", metavar="ARM", help="only these, such as D-VAE or evolution")
    parser.add_argument("--seeds", type=int, default=seeds)
    parser.add_argument("--rounds", type=int, default=rounds)
    parser.add_argument("--batch-size", type=int, default=batch_size, help="architectures in a round")
    parser.add_argument("--decodings", type=int, default=500, help="of a selected point")
    parser.add_argument("--fresh", action="store_true", help="run again what --output already holds")


def chosen_models(
    parser: argparse.ArgumentParser, options: argparse.Namespace
) -> tuple[list[Model], list[str]]:
    """The models of the command line, and all arms in their order; ``options.arms`` is checked and filled."""
    missing = [str(path) for path in options.models if not path.is_file()]
    if missing:
        parser.error(
            f"there is no {', '.join(missing)}: benchmarks.autoencoders.enas6_autoencoders trains the "
            "models, and --models names others"
        )
    models = [opened(path) for path in options.models]
    order = [*dict.fromkeys(model.arm for model in models), *BASELINES]
    options.arms = options.arms or order
    if unknown := [arm for arm in options.arms if arm not in order]:
        parser.error(f"there is no arm {', '.join(unknown)}; there are: {', '.join(order)}")
    return models, order


def all_searches(
    searches: Searches,
    models: Sequence[Model],
    order: Sequence[str],
    options: argparse.Namespace,
    settings: Mapping[str, Any],
    figures: Mapping[str, Any],
) -> dict[str, Any]:
    """Run what the record of ``options.output`` lacks, storing it after each search; the record.

    Args:
        searches: Makes them.
        models: The trained autoencoders.
        order: All arms in the report's order.
        options: Of the command line.
        settings: Entries of the record that must be the same for its searches to count.
        figures: Its other entries.
    """
    arms, seeds = options.arms, range(options.seeds)
    wanted = {(arm, seed): taken(models, arm, seed) for seed in seeds for arm in arms}
    made: dict[tuple[str, int], dict[str, Any]] = {}

    def record(what: str | None = None) -> dict[str, Any]:
        # Read again each time: other processes may have added their searches meanwhile.
        stored = stored_runs(options.output, settings, what, fresh=options.fresh and len(made) <= 1)
        runs = {**still_wanted(stored, wanted), **made}
        named = [*order, *(arm for arm, _ in runs if arm not in order)]
        listed = sorted(runs, key=lambda key: (named.index(key[0]), key[1]))
        return {**settings, **figures, "runs": [runs[key] for key in listed]}

    for arm, seed in missing_runs(record("searches")["runs"], options.arms, options.seeds):
        made[arm, seed] = run = searches.run(arm, seed, wanted[arm, seed])
        write_record(options.output, record(), quiet=True)
        print(f"{arm}, seed {seed}: {max(run['values']):.3f} in {run['cpu_seconds']:.0f} s", flush=True)
    return record()


def still_wanted(
    runs: Sequence[dict[str, Any]], wanted: Mapping[tuple[str, int], Model | None]
) -> dict[tuple[str, int], dict[str, Any]]:
    """Stored searches by arm and seed, without those of other models than the ones asked for."""
    kept = {}
    for run in runs:
        key = run["arm"], run["seed"]
        model = wanted.get(key)
        if key not in wanted or run["model"] == (None if model is None else model.origin):
            kept[key] = run
    return kept
