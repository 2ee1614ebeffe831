"""GraphPNAS, its RNN and random search on ENAS with shared weights: the learning curve (GraphPNAS, Table 3).

The published search is 300 steps of 100 architectures, with five epochs of the shared weights between them;
``graphnas search --space enas --evaluator supernet --method graphpnas --preset enas --device cuda`` starts
it. This is the same in small, with the preset ``enas-small``: narrow layers, and a few epochs of a part of
CIFAR-10. Every arm trains shared weights of its own; at the end the best network by its final weights is
trained from scratch. It can be stopped at any time: finished searches are kept.

    python -m benchmarks.graphpnas.enas_supernet --dry-run
    python -m benchmarks.graphpnas.enas_supernet
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from benchmarks.graphpnas.randwire import images
from benchmarks.harness.drawing import label, panels, save
from benchmarks.harness.records import (
    missing_runs,
    publish,
    run_on_one_thread,
    script_parser,
    stored_runs,
    write_record,
)
from benchmarks.harness.sections import Section, Table, by_arm, mean_sd
from graphnas import SearchMethod
from graphnas.dry_run import DryRun, Work
from graphnas.evaluate import OracleEvaluator, SupernetEvaluator
from graphnas.evaluate.dry_run import evaluation_work, supernet_work
from graphnas.methods import GraphPNAS, GraphPNASConfig, RandomSearch, SupernetSearch, SupernetSearchConfig
from graphnas.methods.dry_run import proposal_work
from graphnas.plots.style import colour
from graphnas.training.images import ImageData
from search_spaces import ENASMacro

ARMS = ("random search", "RNN", "GraphPNAS")
SPACE = ENASMacro(skip_probability=0.4)
SHAPE = {"width": 8}
PAPER = {"RNN": ("4.18, 4.00", ""), "GraphPNAS": ("3.93 ± 0.098", "3.73")}
"""GraphPNAS, Table 3: test error (%) on CIFAR-10 after 600 epochs, mean and best of the trained samples. It
prints two figures for the RNN."""


def method(arm: str, seed: int) -> SearchMethod:
    """One of the arms, in the small form of the published setting."""
    if arm == "random search":
        return RandomSearch(SPACE, seed=seed)
    # The paper's RNN on ENAS is ENAS's controller; here it is in the same loop.
    own = {"generator": "pham", "hidden_size": 64} if arm == "RNN" else {}
    return GraphPNAS(SPACE, GraphPNASConfig.preset("enas-small", **own), seed=seed)


def shared(options: argparse.Namespace, data: ImageData, seed: int) -> SupernetEvaluator:
    """New shared weights."""
    return SupernetEvaluator(
        SPACE,
        data,
        config="small",
        shape=SHAPE,
        seed=seed,
        device="cpu",
        progress=False,
        epochs=options.steps,
        steps_per_epoch=options.batches,
    )


def turns(options: argparse.Namespace) -> SupernetSearchConfig:
    """The turns of the small form, with the number of steps that was asked for."""
    return SupernetSearchConfig.preset("small", steps=options.steps)


def final(options: argparse.Namespace, data: ImageData, seed: int) -> OracleEvaluator:
    """The training from scratch: the recipe of the paper with fewer epochs."""
    return OracleEvaluator(
        SPACE,
        data,
        config="enas-cifar10",
        shape=SHAPE,
        seed=seed,
        device="cpu",
        progress=False,
        epochs=options.final_epochs,
        batch_size=64,
    )


def one_run(arm: str, seed: int, options: argparse.Namespace, data: ImageData) -> dict[str, Any]:
    """The search of one arm, and the training of the best network from scratch."""
    started = time.process_time()
    search = SupernetSearch(method(arm, seed), shared(options, data, seed), turns(options), progress=False)
    result = search.run()
    trained = final(options, data, seed).train(result.best).evaluation
    return {
        "arm": arm,
        "seed": seed,
        "means": [round(float(np.nanmean(step.values)), 3) for step in result.steps],
        "bests": [round(float(np.nanmax(step.values)), 3) for step in result.steps],
        "losses": [round(step.train_loss, 4) for step in result.steps],
        "found": round(result.ranking[0][1].value, 3),
        "architecture": result.best.to_dict(),
        "error": round(100 - trained.metrics["test_accuracy"], 3),
        "size": trained.parameters,
        "seconds": round(time.process_time() - started, 1),
    }


def section(record: dict[str, Any]) -> Section:
    """The steps and what they led to, beside the paper's figures."""
    rows = []
    arms = by_arm(record, ARMS)
    for arm, runs in arms.items():
        average, best = PAPER.get(arm, ("", ""))
        last = [float(np.mean(run["means"][-3:])) for run in runs]
        rows.append(
            [
                arm,
                str(len(runs)),
                mean_sd([run["means"][0] for run in runs]),
                mean_sd(last),
                mean_sd([run["found"] for run in runs]),
                mean_sd([run["error"] for run in runs]),
                f"{np.mean([run['size'] for run in runs]) / 1e3:.1f} k",
                average,
                best,
                f"{np.mean([run['seconds'] for run in runs]):.0f}",
            ]
        )
    columns = (
        *("arm", "seeds", "first step", "last 3 steps", "best found", "test error", "parameters"),
        *("paper: mean error", "paper: best error", "seconds"),
    )
    caption = (
        "Accuracy (%) by the shared weights: mean of the proposals of the first and of the last steps, and "
        f"of the best by the final weights; its test error (%) after {record['final_epochs']} epochs from "
        f"scratch on {record['images']:,} images; mean ± deviation over seeds. Paper: {record['source']}."
    )
    return Section(
        "ENAS with shared weights: what is proposed as the search goes on",
        [Table(caption, columns, rows)],
        "The paper takes 300 steps of 100 architectures, five epochs each, at 20.47 M parameters, and trains "
        f"samples for 600 epochs; here {record['steps']} steps of "
        f"{SupernetSearchConfig.preset('small').evaluated} at width {SHAPE['width']}. It selects by the test "
        "set; here by images held out of the training set.",
        [_note(arms)],
        ["graphpnas_enas_supernet.png"],
    )


def _note(arms: dict[str, list[dict[str, Any]]]) -> str:
    """How the proposals change, beside what better weights alone give to random ones."""
    change = {
        arm: float(np.mean([np.mean(run["means"][-3:]) - run["means"][0] for run in runs]))
        for arm, runs in arms.items()
    }
    parts = ", ".join(f"{points:+.2f} points for {arm}" for arm, points in change.items())
    return (
        f"From the first step to the last three the proposals change by {parts}. What random search gains "
        "comes from better weights alone."
    )


def draw(record: dict[str, Any], folder: Path) -> list[str]:
    """The learning curve: mean accuracy of the proposals of each step, and one deviation over the seeds."""
    figure, (axes,) = panels(1, 7.0, 4.2)
    for k, (arm, runs) in enumerate(by_arm(record, ARMS).items()):
        means = np.array([run["means"] for run in runs])
        steps, mean = np.arange(1, means.shape[1] + 1), means.mean(0)
        axes.plot(steps, mean, color=colour(k), linewidth=2, label=arm)
        axes.fill_between(
            steps, mean - means.std(0), mean + means.std(0), color=colour(k), alpha=0.15, linewidth=0
        )
    label(axes, "steps", "mean accuracy with shared weights (%)")
    figure.legend(loc="outside upper center", ncols=3, frameon=False, fontsize=8)
    return [save(figure, folder, "graphpnas_enas_supernet.png")]


def dry_run(options: argparse.Namespace) -> DryRun:
    """Counts, sizes and time."""
    data, own = images(options.images, options.test_images), turns(options)
    rng = np.random.default_rng(0)
    trained, measured = (
        SPACE.sample_batch(rng, count).to_architectures() for count in (own.trained, own.evaluated)
    )
    searches = options.seeds * len(options.arms)
    work = supernet_work(
        shared(options, data, 0),
        trained,
        measured,
        steps=own.steps,
        epochs_per_step=own.epochs_per_step,
        final=own.finalists + own.samples,
    )
    work = [Work(one.name, one.times * searches, one.seconds) for one in work]
    evaluator = final(options, data, 0)
    step, measuring = evaluation_work(evaluator, measured[0], searches)
    steps = -(-options.images // 64) * options.final_epochs
    work += [
        Work("training step from scratch", searches * steps, step.seconds),
        Work("test image", searches * options.test_images, measuring.seconds),
    ]
    for arm in options.arms:
        proposals = proposal_work(method(arm, 0), own.steps * own.evaluated)
        work += [Work(f"{arm}: {w.name}", w.times * options.seeds, w.seconds) for w in proposals]
    facts = {
        "arms": ", ".join(options.arms),
        "seeds": options.seeds,
        "steps": f"{own.steps}, of {own.evaluated} architectures each",
        "batches of an epoch": options.batches,
        "images": options.images,
        "width": SHAPE["width"],
        "final epochs": options.final_epochs,
    }
    return DryRun("the ENAS benchmark", facts, work)


def main() -> int:
    """Run what the record does not hold, and store it after each search."""
    parser = script_parser(__doc__, "graphpnas_enas_supernet", dry_run=True)
    parser.add_argument("--arms", nargs="+", choices=ARMS, default=list(ARMS))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=12)
    parser.add_argument("--batches", type=int, default=120, help="of an epoch of the shared weights")
    parser.add_argument("--final-epochs", type=int, default=4)
    parser.add_argument("--images", type=int, default=10_000, help="of the training images")
    parser.add_argument("--test-images", type=int, default=2000)
    parser.add_argument("--fresh", action="store_true", help="run again what the record holds")
    options = parser.parse_args()
    options.arms = [arm for arm in ARMS if arm in options.arms]
    if options.dry_run:
        print(dry_run(options))
        return 0
    names = ("steps", "batches", "final_epochs", "images", "test_images")
    settings = {name: getattr(options, name) for name in names}
    runs = stored_runs(options.output, settings, "searches", fresh=options.fresh)
    todo = missing_runs(runs, options.arms, options.seeds)
    data = images(options.images, options.test_images)
    figures = {**settings, "source": "GraphPNAS, TMLR 11/2023, Table 3", "runs": runs}
    for arm, seed in tqdm(todo, unit="search", disable=None):
        runs.append(one_run(arm, seed, options, data))
        runs.sort(key=lambda run: (ARMS.index(run["arm"]), run["seed"]))
        write_record(options.output, figures, quiet=True)
    publish(options.output, figures, section)
    return 0


if __name__ == "__main__":
    run_on_one_thread(main)
