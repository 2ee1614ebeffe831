"""``graphnas search --evaluator supernet``: a method and weights that all architectures share, in turns."""

from __future__ import annotations

import argparse
import dataclasses
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from graphnas.cli.arguments import add_assignments
from graphnas.cli.dry_run import facts_of, facts_of_training
from graphnas.cli.methods import CLASSES, make_search_method
from graphnas.cli.report import draw, print_comparison, write_results
from graphnas.cli.studies import Evaluated, Outcome
from graphnas.cli.text import architecture_text, figure
from graphnas.configuration import close_match
from graphnas.dry_run import DryRun, Work
from graphnas.errors import InvalidArgument
from graphnas.graph.space import GraphSpace

if TYPE_CHECKING:
    from graphnas.evaluate import SupernetEvaluator
    from graphnas.methods import SearchMethod, SupernetSearchConfig
    from graphnas.methods.graphpnas.supernet_search import SearchStep, SupernetSearchResult

PRESETS = {"enas": "paper", "enas-rnn": "paper", "enas-small": "small"}
"""Presets of the shared weights and of the turns that go with a preset of the method."""


def add_supernet_arguments(parser: argparse.ArgumentParser) -> None:
    """The turns of the search; ``--training`` has the settings of the shared weights."""
    group = parser.add_argument_group("shared weights (--evaluator supernet)")
    add_assignments(
        group,
        "--turns",
        "the turns of method and shared weights: steps, epochs_per_step, trained, evaluated, finalists, "
        "samples, such as steps=10 (default: by the method's preset)",
    )


def search_with_supernet(args: argparse.Namespace, space: GraphSpace) -> int:
    """Search on shared weights: print each step and the best, and write the files.

    Raises:
        GraphNASError: Arguments that do not fit, data that is missing, or a training that failed.
    """
    _check(args)
    turns = _turns(args)
    names = [args.method, *([args.compare] if args.compare else [])]
    methods = {name: _method(args, space, name) for name in names}
    evaluator, settings = _evaluator(args, space)
    if args.dry_run:
        print(_dry_run(args, space, evaluator, settings, turns, methods))
        return 0
    if args.output is not None:
        args.output.mkdir(parents=True, exist_ok=True)
    outcomes, steps, results = [], {}, {}
    for position, (name, method) in enumerate(methods.items()):
        if position:  # each method has weights of its own
            evaluator, _ = _evaluator(args, space)
        checkpoint = None if args.output is None else args.output / f"search-{name}.pt"
        try:
            results[name] = _run(name, method, evaluator, turns, checkpoint)
        except KeyboardInterrupt:
            kept = f"; run again to continue from {checkpoint}" if checkpoint is not None else ""
            print(f"\ngraphnas: interrupted{kept}", file=sys.stderr)
            return 130
        steps[name] = [step.values for step in results[name].steps]
        outcomes.append(_outcome(name, results[name]))
    print_comparison(
        outcomes, title=f"Best architectures by the final shared weights (%) on {args.dataset}", unit="%"
    )
    best = outcomes[0].best[0]
    print(f"\nThe best, {figure(best.value, '%')} % with the shared weights:")
    print(architecture_text(best.architecture, space))
    if args.output is not None:
        _write(args.output, space, outcomes, settings, steps, methods)
    return 0


def _check(args: argparse.Namespace) -> None:
    elsewhere = {
        "--budget": args.budget,
        "--metric": args.metric,
        "--recipe": args.recipe,
        "--score-weight": args.score_weight,
        "--prior": args.prior,
        "--features": args.features,
        "--storage": args.storage,
        "--study-name": args.study_name,
        "--retrain-epochs": args.retrain_epochs,
    }
    for option, value in elsewhere.items():
        if value not in (None, []):
            raise InvalidArgument(f"{option} {value} has no meaning with --evaluator supernet")
    for name in (args.method, args.compare):
        if name is not None and name not in CLASSES:
            raise InvalidArgument(f"--evaluator supernet searches with {', '.join(CLASSES)}, not {name}")
    args.dataset = args.dataset or ("cifar10" if args.preset in PRESETS else "digits")


def _method(args: argparse.Namespace, space: GraphSpace, name: str) -> SearchMethod:
    """The first method has the options, the second one its defaults."""
    if name != args.method:
        return make_search_method(name, space, seed=args.seed)
    settings = dict(args.config)
    if name == "graphpnas" and args.device is not None:
        settings.setdefault("device", args.device)
    return make_search_method(
        name,
        space,
        seed=args.seed,
        preset=args.preset,
        startup=args.startup,
        model=args.model,
        settings=settings,
    )


def _turns(args: argparse.Namespace) -> SupernetSearchConfig:
    from graphnas.methods import SupernetSearchConfig

    given = dict(args.turns)
    known = [field.name for field in dataclasses.fields(SupernetSearchConfig)]
    for name in given:
        if name not in known:
            raise InvalidArgument(f"--turns {name}: {close_match(name, known)}")
    return SupernetSearchConfig.preset(PRESETS.get(args.preset, "default"), **given)


def _evaluator(args: argparse.Namespace, space: GraphSpace) -> tuple[SupernetEvaluator, dict[str, Any]]:
    from graphnas.evaluate import SupernetConfig, SupernetEvaluator

    training = dict(args.training)
    known = [field.name for field in dataclasses.fields(SupernetConfig)]
    for name in training:
        if name not in known:
            raise InvalidArgument(
                f"--training {name}: {name} is no setting of shared weights; {close_match(name, known)}"
            )
    if args.epochs is not None:
        training["epochs"] = args.epochs
    shape = dict(args.shape)
    if args.preset == "enas-small":
        shape.setdefault("width", 8)
    evaluator = SupernetEvaluator(
        space,
        args.dataset,
        config=PRESETS.get(args.preset),
        data_dir=args.data_dir,
        shape=shape,
        image_size=args.image_size,
        download=bool(args.download),
        seed=args.seed,
        device=args.device or "auto",
        progress=False,
        **training,
    )
    settings = {
        "space": {"name": space.name, "arguments": space.arguments()},
        "evaluator": "supernet",
        "dataset": args.dataset,
        "image_size": args.image_size,
        "training": dataclasses.asdict(evaluator.config),
        "shape": dict(evaluator.shape),
        "metric": "validation_accuracy",
        "unit": "%",
        "seed": args.seed,
    }
    return evaluator, settings


def _run(
    name: str,
    method: SearchMethod,
    evaluator: SupernetEvaluator,
    turns: SupernetSearchConfig,
    checkpoint: Path | None,
) -> SupernetSearchResult:
    from graphnas.methods import SupernetSearch

    search = SupernetSearch(method, evaluator, turns, checkpoint=checkpoint)
    if search.steps:
        print(f"{name}: continues after {len(search.steps)} steps")

    def report(step: SearchStep) -> None:
        known = [value for value in step.values if np.isfinite(value)]
        accuracy = f"mean {np.mean(known):5.2f} %, best {max(known):5.2f} %" if known else "none"
        print(
            f"{name}: step {step.step} of {turns.steps}, epoch {step.epoch}, loss {step.train_loss:.3f}, "
            f"accuracy {accuracy}",
            flush=True,
        )

    return search.run(report)


def _outcome(name: str, result: SupernetSearchResult) -> Outcome:
    values = [value for step in result.steps for value in step.values]
    best = [
        Evaluated(
            position, architecture, found.value, found.parameters, found.macs, found.seconds, found.metrics
        )
        for position, (architecture, found) in enumerate(result.ranking)
        if not found.failed
    ]
    reason = next((found.reason for _, found in result.ranking if found.failed), "")
    return Outcome(name, name, values, best, reason or "")


def _write(
    directory: Path,
    space: GraphSpace,
    outcomes: list[Outcome],
    settings: dict[str, Any],
    steps: dict[str, list[tuple[float, ...]]],
    methods: dict[str, SearchMethod],
) -> None:
    from graphnas.methods import GraphPNAS
    from graphnas.plots import plot_search_steps

    write_results(directory / "results.json", outcomes, settings, {"steps": _without_nan(steps)})
    draw(directory, space, outcomes[0].best[0].architecture, outcomes, "accuracy with shared weights (%)")
    plot_search_steps(steps, value_name="accuracy with shared weights (%)").savefig(
        directory / "learning_curve.png", dpi=150
    )
    written = ["results.json", "best_cell.png", "search_curve.png", "learning_curve.png"]
    method = next(iter(methods.values()))
    if isinstance(method, GraphPNAS):
        method.distribution().save(directory / "distribution.pt")
        written.append("distribution.pt")
    print(f"\nWritten to {directory}: {', '.join(written)}, and search-METHOD.pt to continue from")
    if "distribution.pt" in written:
        print(
            f"To train samples of what was learned: graphnas train {directory / 'distribution.pt'} "
            "--samples 8 --short-epochs 100 --keep 4 --recipe enas-cifar10 --output DIR"
        )


def _without_nan(steps: dict[str, list[tuple[float, ...]]]) -> dict[str, list[list[float | None]]]:
    return {
        name: [[value if np.isfinite(value) else None for value in step] for step in own]
        for name, own in steps.items()
    }


def _dry_run(
    args: argparse.Namespace,
    space: GraphSpace,
    evaluator: SupernetEvaluator,
    settings: dict[str, Any],
    turns: SupernetSearchConfig,
    methods: dict[str, SearchMethod],
) -> DryRun:
    from graphnas.evaluate.dry_run import supernet_work
    from graphnas.methods.dry_run import proposal_work

    rng = np.random.default_rng(args.seed)
    trained, measured = (
        space.sample_batch(rng, count).to_architectures() for count in (turns.trained, turns.evaluated)
    )
    per_epoch = evaluator.config.steps_per_epoch
    facts = facts_of(space, settings) | facts_of_training(evaluator)
    facts |= {
        "steps of the search": turns.steps,
        "epochs of training": turns.steps * turns.epochs_per_step,
        "batches of an epoch": per_epoch or "as many as there are images",
        "evaluations": turns.steps * turns.evaluated,
        "methods": ", ".join(methods),
    }
    facts["epochs"] = f"{evaluator.config.epochs} (length of the rate's cosine)"
    work = []
    shared = supernet_work(
        evaluator,
        trained,
        measured,
        steps=turns.steps,
        epochs_per_step=turns.epochs_per_step,
        final=turns.finalists + turns.samples,
    )
    for name, method in methods.items():
        work += [Work(f"{name}: {one.name}", one.times, one.seconds) for one in shared]
        proposals = proposal_work(method, turns.steps * turns.evaluated)
        work += [Work(f"{name}: {one.name}", one.times, one.seconds) for one in proposals]
    notes = [f"The {turns.trained} proposals of a step for training are not counted."]
    return DryRun(f"a search of {space.name} with shared weights on {args.dataset}", facts, work, notes)
