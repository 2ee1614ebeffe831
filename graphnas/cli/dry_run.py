"""``graphnas search --dry-run``: what the search would do, and how long it would take."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

import numpy as np

from graphnas.cli.features import feature_work
from graphnas.cli.methods import make_search_method
from graphnas.cli.text import big_number, count
from graphnas.dry_run import DryRun, Work
from graphnas.graph.space import GraphSpace

if TYPE_CHECKING:
    from graphnas.evaluate import Evaluator, ZeroCostFeatures

DRAWN = 20
"""Random architectures among which one of middling cost is measured."""


def dry_run_of_search(
    args: argparse.Namespace,
    space: GraphSpace,
    evaluator: Evaluator,
    settings: dict[str, Any],
    methods: list[str],
    features: ZeroCostFeatures | None = None,
) -> DryRun:
    """The dry run of a search with Optuna.

    Args:
        args: The command's arguments.
        space: The part of the space that is searched.
        evaluator: What measures.
        settings: What :func:`graphnas.cli.evaluators.make_evaluator` says of it.
        methods: The method, and the one to compare with.
        features: Whose prior tasks the method begins with.
    """
    from graphnas.evaluate import OracleEvaluator
    from graphnas.evaluate.dry_run import evaluation_work
    from graphnas.methods.dry_run import proposal_work

    trials, facts, notes = args.trials, facts_of(space, settings), []
    architecture = space.sample(np.random.default_rng(0))
    if isinstance(evaluator, OracleEvaluator):
        architecture, cost = middling(space, evaluator)
        facts |= facts_of_training(evaluator) | cost
        if args.output is not None and args.retrain_epochs != 0:
            notes.append("The final training of the best (--retrain-epochs) is not counted.")
    facts |= {"trials": trials, "methods": ", ".join(methods)}
    work = evaluation_work(evaluator, architecture, trials * len(methods))
    for position, method in enumerate(methods):
        if method == "tpe":
            work.append(Work("tpe: proposal", trials, None))
            continue
        own = (
            {
                "preset": args.preset,
                "startup": args.startup,
                "model": args.model,
                "settings": dict(args.config),
            }
            if position == 0
            else {}
        )
        made = make_search_method(method, space, seed=args.seed, **own)
        work += [Work(f"{method}: {w.name}", w.times, w.seconds) for w in proposal_work(made, trials)]
    if features is not None:
        work.append(feature_work(args, space, features))
    notes.append("Optuna's own work for each trial, and the start of the program, are not counted.")
    if args.workers > 1:
        notes.append(f"--workers {args.workers} is not counted: the times are those of one worker.")
    if args.n_jobs > 1:
        notes.append(f"--n-jobs {args.n_jobs} is not counted: the times are those of one trial at a time.")
    return DryRun(f"a search of {space.name} on {settings['dataset']}", facts, work, notes)


def facts_of(space: GraphSpace, settings: dict[str, Any]) -> dict[str, object]:
    """Counts and sizes of the space, and what is measured."""
    return {
        "space": repr(space),
        "architectures": big_number(space.size()),
        "parameters of the host": len(space.parameters()),
        "data set": settings["dataset"],
        "value": f"{settings['metric'].replace('_', ' ')} ({settings['unit']})",
    }


def facts_of_training(evaluator: Any) -> dict[str, object]:
    """Counts of the images and the settings of a training."""
    config = evaluator.config
    return {
        "images": "x".join(map(str, evaluator.data.train.shape)),
        "classes": evaluator.data.num_classes,
        "images trained on": len(evaluator.train_indices),
        "images measured on": len(evaluator.validation_indices),
        "epochs": config.epochs,
        "batch size": config.batch_size,
        "device": str(evaluator.device),
    }


def middling(space: GraphSpace, evaluator: Any) -> tuple[Any, dict[str, object]]:
    """Of some random architectures the one with the median number of parameters, and the facts on it."""
    from graphnas.training.network import built_network

    drawn = space.sample_batch(np.random.default_rng(0), DRAWN).to_architectures()
    data = evaluator.data
    sizes = [
        built_network(
            space, one, data.num_classes, data.train.shape, evaluator.shape, seed=0, device=evaluator.device
        )[1]
        for one in drawn
    ]
    order = sorted(range(len(drawn)), key=lambda k: (sizes[k].parameters or 0, sizes[k].macs or 0))
    chosen = order[len(order) // 2]
    smallest, largest = sizes[order[0]].parameters, sizes[order[-1]].parameters
    return drawn[chosen], {
        f"parameters of {DRAWN} networks": f"{count(smallest)} to {count(largest)}",
        "multiply-accumulates of one": count(sizes[chosen].macs),
    }
