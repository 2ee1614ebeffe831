"""Bayesian optimisation in the latents of D-VAE and DVAE-EMB with real images: shared weights on CIFAR-10.

A small form of the papers' search (DVAE-EMB, section 4.3), whose architectures are evaluated by the weights
of a supernet: here ours, narrow and briefly trained on random architectures. A search knows some random
architectures with their accuracies on images held out, and evaluates a few rounds of its own choice. The
models are those of benchmarks.autoencoders.enas6_search, so are the other methods.

It can be stopped at any time: the supernet and finished searches are kept.

    python -m benchmarks.autoencoders.enas6_supernet
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.autoencoders.enas6_methods import (
    SKIPS,
    Searches,
    all_searches,
    chosen_models,
    search_arguments,
)
from benchmarks.autoencoders.enas6_search import arms_of, models_table, rounds_table, summary_table, values_of
from benchmarks.autoencoders.enas6_surrogate import SPACE
from benchmarks.harness.records import publish, run_on_one_thread, script_parser
from benchmarks.harness.sections import Section, counted
from graphnas import Architecture
from graphnas.evaluate import SupernetEvaluator
from search_spaces import ENASMacro6


class Supernet:
    """The accuracy of architectures by shared weights, in percent.

    Attributes:
        start: Random architectures, from the worst to the best.
        start_values: Their accuracies.
    """

    def __init__(self, options: argparse.Namespace) -> None:
        self.evaluator = SupernetEvaluator(
            SPACE,
            "cifar10",
            shape={"width": options.width},
            epochs=options.epochs,
            steps_per_epoch=options.steps,
            validation_limit=options.images,
            device=options.device,
        )
        file = (
            options.folder / f"supernet-{options.width}-{options.epochs}x{options.steps}-{options.images}.pt"
        )
        if file.is_file() and not options.fresh:
            self.evaluator.load(file)
        while self.evaluator.epoch < options.epochs:
            self.evaluator.train()
            options.folder.mkdir(parents=True, exist_ok=True)
            self.evaluator.save(file)
        space = ENASMacro6(skip_probability=SKIPS)
        start = space.sample_batch(np.random.default_rng(0), options.known).to_architectures()
        values = self(start)
        order = np.argsort(values, kind="stable")
        self.start, self.start_values = [start[k] for k in order.tolist()], values[order]

    def __call__(self, architectures: Sequence[Architecture]) -> NDArray[np.float64]:
        """Accuracies ``(B,)`` on the images held out."""
        found = self.evaluator.evaluate_batch(list(architectures))
        return np.array([0.0 if e.value is None else e.value for e in found])

    def spread(self) -> dict[str, float]:
        """The best and the deviation of the start."""
        return {"of_start": float(self.start_values.max()), "deviation": float(self.start_values.std())}


def section(record: dict[str, Any]) -> Section:
    """The searches, and how the supernet was trained."""
    arms, spread = arms_of(record), record["supernet"]
    means = {arm: float(values_of(record, arm).max(1).mean()) for arm in arms}
    leader = max(means, key=lambda arm: means[arm])
    error = float(np.sqrt(max(means.values()) * (100 - max(means.values())) / record["images"]))
    models = models_table(record)
    return Section(
        "ENAS-6: Bayesian optimisation in latent spaces by shared weights on CIFAR-10",
        [
            rounds_table(record, "shared weights"),
            summary_table(record, spread["of_start"]),
            *([models] if models else []),
        ],
        "the papers start from 17,118 architectures, evaluate 10 rounds of 50, train their supernet fully; "
        f"here {record['known']} random architectures, {counted(record['rounds'], 'round')} of "
        f"{record['batch_size']}, and a supernet of width {record['width']} trained for "
        f"{record['epochs'] * record['steps']:,} steps, measured on {record['images']:,} images, whose error "
        f"alone is {error:.2f} points. The models are trained on D-VAE's 17,118 architectures.",
        [
            f"Accuracies of the start: deviation {spread['deviation']:.2f}, best {spread['of_start']:.2f} %.",
            f"Highest mean of the best: {leader} ({means[leader]:.2f} %).",
        ],
    )


def main() -> int:
    """Train the supernet, search, print and store."""
    parser = script_parser(__doc__, "enas6_supernet")
    search_arguments(parser, seeds=5, rounds=5, batch_size=20)
    parser.add_argument("--known", type=int, default=300, help="random architectures to start from")
    parser.add_argument("--width", type=int, default=8, help="channels of the supernet")
    parser.add_argument("--epochs", type=int, default=8, help="of the supernet")
    parser.add_argument("--steps", type=int, default=350, help="of an epoch, each of 128 images")
    parser.add_argument("--images", type=int, default=1000, help="held out, to measure on")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--folder", type=Path, default=Path("runs/enas6_supernet"))
    options = parser.parse_args()
    models, order = chosen_models(parser, options)
    supernet = Supernet(options)
    names = ("rounds", "batch_size", "known", "decodings", "width", "epochs", "steps", "images")
    settings = {name: getattr(options, name) for name in names}
    searches = Searches(supernet, options.rounds, options.batch_size, options.decodings)
    record = all_searches(searches, models, order, options, settings, {"supernet": supernet.spread()})
    publish(options.output, record, section)
    return 0


if __name__ == "__main__":
    run_on_one_thread(main)
