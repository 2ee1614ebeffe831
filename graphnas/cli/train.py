"""``graphnas train``: train a found network by a recipe and keep it; run again, it continues."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from graphnas.cli.architectures import WHAT, Found, find_architecture, is_file
from graphnas.cli.arguments import add_assignments, add_dry_run, add_space_arguments, integer, make_space
from graphnas.cli.distributions import is_tensor_file
from graphnas.cli.evaluators import add_data_arguments, check_training
from graphnas.cli.text import architecture_text, count, table
from graphnas.dry_run import DryRun, Work
from graphnas.errors import InvalidArgument
from graphnas.graph.architecture import Architecture


def add_parser(commands: Any) -> None:
    """Add the command to ``commands``, the sub-parsers of ``graphnas``."""
    parser = commands.add_parser(
        "train",
        help="train a found network to keep it; run again, it continues",
        description="Train the best network of a study, or another architecture, by a recipe, and keep its "
        "weights, figures, curve and log. Interrupted and run again, it continues from its last epoch. Start "
        "it with torchrun to train in several processes or on several cards.",
    )
    parser.add_argument("what", nargs="?", metavar="WHAT", help=WHAT)
    parser.add_argument("--study-name", metavar="NAME", help="which study, if there are several")
    parser.add_argument(
        "--trial", type=integer(0), metavar="N", help="which of its trials (default: the best)"
    )
    add_space_arguments(parser, required=False)
    parser.add_argument(
        "--recipe", metavar="NAME", help="how to train; see --recipes (default: by the data set)"
    )
    parser.add_argument("--recipes", action="store_true", help="list the recipes and what they come from")
    parser.add_argument(
        "--dataset", metavar="DATASET", help="images (default: those of the search or recipe)"
    )
    add_data_arguments(parser)
    parser.add_argument("--data-dir", metavar="DIR", help="image sets (default: $GRAPHNAS_DATA)")
    parser.add_argument("--epochs", type=integer(1), metavar="N", help="epochs (default: the recipe's)")
    add_assignments(
        parser,
        "--training",
        "other settings of the recipe, such as batch_size=64, mixup=0.2, compile=true",
    )
    add_assignments(
        parser,
        "--shape",
        "arguments of the space's build, such as width=36 (default: those of the search)",
    )
    parser.add_argument(
        "--holdout",
        type=float,
        default=0.0,
        metavar="F",
        help="fraction of the training images to choose the best epoch on (default: 0, the last is kept)",
    )
    parser.add_argument("--seed", type=integer(0), default=0, metavar="N", help="seed of everything random")
    parser.add_argument("--device", default="auto", metavar="DEVICE", help="auto, cpu, cuda, cuda:1 ...")
    parser.add_argument(
        "--output",
        type=Path,
        metavar="DIR",
        help="folder of the model (default: the folder best in the output directory of the search)",
    )
    add_dry_run(parser)
    chosen = parser.add_argument_group("samples of a learned distribution")
    chosen.add_argument("--samples", type=integer(1), metavar="N", help="architectures to draw")
    chosen.add_argument(
        "--short-epochs", type=integer(1), metavar="N", help="epochs by which they are compared"
    )
    chosen.add_argument("--keep", type=integer(1), metavar="N", help="how many are then trained in full")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Train and print the figures.

    Raises:
        GraphNASError: Arguments that do not fit, data that is missing, or a training that failed.
    """
    if args.recipes:
        _list_recipes()
        return 0
    if args.what is None:
        raise InvalidArgument("give WHAT to train (see graphnas train --help)")
    from graphnas.training.processes import joined

    path = Path(args.what)
    distribution = is_file(path) and is_tensor_file(path)
    if not distribution and args.samples is not None:
        raise InvalidArgument(f"--samples is for the file of a learned distribution, not for {args.what}")
    with joined(args.device) as device:
        try:
            if distribution:
                return _train_samples(args, path, device)
            found = find_architecture(args)
            if args.dry_run:
                _say(str(_dry_run(args, found, device, args.epochs, args.holdout)))
                return 0
            output = args.output or _default_output(path)
            text = architecture_text(found.architecture, found.space)
            _say(f"{found.where} of {found.space.name}:\n{text}\n")
            _print_figures([_train(args, found, device, output, args.epochs, args.holdout)], [str(output)])
        except KeyboardInterrupt:
            kept = "run the same command again to continue from the last finished epoch"
            print(f"\ngraphnas: interrupted; {kept}", file=sys.stderr)
            return 130
    return 0


def _default_output(path: Path) -> Path:
    if path.is_dir():
        return path if is_file(path / "model.json") else path / "best"
    if is_file(path) and path.name == "results.json":
        return path.parent / "best"
    raise InvalidArgument("add --output DIR, where the model is to be kept")


def _train(
    args: argparse.Namespace, found: Found, device: str, output: Path, epochs: int | None, holdout: float
) -> Any:
    from graphnas.training import train

    return train(**_arguments(args, found, device, epochs, holdout), output=output)


def _dry_run(
    args: argparse.Namespace,
    found: Found,
    device: str,
    epochs: int | None,
    holdout: float,
    trainings: int = 1,
) -> DryRun:
    from graphnas.training.dry_run import dry_run_of_training
    from graphnas.training.plan import plan_training

    plan = plan_training(**_arguments(args, found, device, epochs, holdout))
    return dry_run_of_training(plan, trainings=trainings)


def _arguments(
    args: argparse.Namespace, found: Found, device: str, epochs: int | None, holdout: float
) -> dict[str, Any]:
    """Arguments of :func:`graphnas.training.train`."""
    from graphnas.training import RECIPES

    recipe, dataset = args.recipe, args.dataset or found.dataset
    if recipe is None:
        recipe = dataset if dataset in RECIPES else "cifar10"
    settings = dict(args.training)
    check_training(settings)
    if epochs is not None:
        settings["epochs"] = epochs
    return {
        "space": found.space,
        "architecture": found.architecture,
        "dataset": dataset,
        "recipe": recipe,
        "holdout": holdout,
        "shape": {**found.shape, **dict(args.shape)},
        "data_dir": args.data_dir,
        "image_size": args.image_size or (None if args.dataset else found.image_size),
        "download": bool(args.download),
        "seed": args.seed,
        "device": device,
        **settings,
    }


def _train_samples(args: argparse.Namespace, path: Path, device: str) -> int:
    """GraphPNAS's selection: sample, compare by short trainings, train the best in full."""
    from graphnas.methods import LearnedDistribution
    from graphnas.training.selection import HOLDOUT, ranked_by_training

    if args.samples is None:
        raise InvalidArgument(f"{path} is a distribution: give --samples, and --short-epochs and --keep")
    if args.output is None and not args.dry_run:
        raise InvalidArgument("add --output DIR, where the models are to be kept")
    keep = args.keep or args.samples
    if keep > args.samples:
        raise InvalidArgument(f"--keep {keep} is more than --samples {args.samples}")
    if keep < args.samples and args.short_epochs is None:
        raise InvalidArgument("--keep needs --short-epochs, by which the samples are compared")
    learned = LearnedDistribution.load(path, space=make_space(args) if args.space else None)
    drawn = learned.sample(args.samples, seed=args.seed)
    space = learned.space

    def found(architecture: Architecture) -> Found:
        return Found(space, architecture, "a sample")

    if args.dry_run:
        _say(str(_dry_run_of_samples(args, found(drawn[0]), device, keep)))
        return 0
    if args.short_epochs is not None:
        epochs = "1 epoch" if args.short_epochs == 1 else f"{args.short_epochs} epochs"
        _say(f"{len(drawn)} samples, {epochs} each")
        holdout = args.holdout or HOLDOUT
        ranked = ranked_by_training(
            drawn,
            lambda number, architecture: _train(
                args,
                found(architecture),
                device,
                args.output / f"short-{number}",
                args.short_epochs,
                holdout,
            ),
        )
        rows = [
            [str(drawn.index(c.architecture)), "failed" if c.accuracy is None else f"{c.accuracy:.2f}"]
            for c in ranked
        ]
        _say(table(["sample", "held out (%)"], rows, right=[True, True]))
        drawn = [candidate.architecture for candidate in ranked if candidate.accuracy is not None][:keep]
    outputs = [args.output / f"network-{number}" for number in range(len(drawn))]
    models = [
        _train(args, found(architecture), device, output, args.epochs, args.holdout)
        for architecture, output in zip(drawn, outputs, strict=True)
    ]
    _print_figures(models, [str(output) for output in outputs])
    return 0


def _dry_run_of_samples(args: argparse.Namespace, found: Found, device: str, keep: int) -> DryRun:
    """That of the short trainings and the full ones together."""
    from graphnas.training.selection import HOLDOUT

    full = _dry_run(args, found, device, args.epochs, args.holdout, keep)
    work = [Work(f"full: {one.name}", one.times, one.seconds) for one in full.work]
    facts = {"samples": args.samples, "trained in full": keep, **full.facts}
    if args.short_epochs is not None:
        holdout = args.holdout or HOLDOUT
        short = _dry_run(args, found, device, args.short_epochs, holdout, args.samples)
        work = [*(Work(f"short: {one.name}", one.times, one.seconds) for one in short.work), *work]
        facts["epochs of a short training"] = args.short_epochs
    return DryRun(full.title, facts, work, ["All networks are taken to be of the size of the first sample."])


def _say(text: str) -> None:
    from graphnas.training.processes import rank

    if rank() == 0:
        print(text, flush=True)


def _print_figures(models: list[Any], places: list[str]) -> None:
    rows = []
    for model, place in zip(models, places, strict=True):
        evaluation, metrics = model.evaluation, model.evaluation.metrics
        rows.append(
            [
                place,
                f"{metrics['test_accuracy']:.2f}",
                f"{metrics['test_top5']:.2f}" if "test_top5" in metrics else "-",
                count(evaluation.parameters),
                count(evaluation.macs),
                f"{metrics['epochs']:.0f}",
                f"{evaluation.seconds:.0f}",
            ]
        )
    header = ["model", "top-1 (%)", "top-5 (%)", "parameters", "MACs", "epochs", "seconds"]
    _say(table(header, rows, right=[False, *[True] * 6]))
    _draw(places)


def _draw(places: list[str]) -> None:
    from graphnas.errors import MissingExtra
    from graphnas.training.processes import rank

    if rank() != 0:
        return
    try:
        from graphnas.plots import plot_training
    except MissingExtra:  # the curve is in curve.csv too
        return
    for place in places:
        plot_training(place).savefig(Path(place) / "curve.png", dpi=150)


def _list_recipes() -> None:
    from graphnas.training import RECIPES

    for name, recipe in RECIPES.items():
        print(f"{name}: {recipe.summary}\n  from: {recipe.source}\n  open: {recipe.open}\n")
