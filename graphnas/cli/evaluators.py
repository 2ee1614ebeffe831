"""The evaluator that a search's arguments ask for, and the settings that make its values comparable."""

from __future__ import annotations

import argparse
import dataclasses
from typing import TYPE_CHECKING, Any

import numpy as np

from graphnas.cli.arguments import add_assignments, integer
from graphnas.configuration import close_match
from graphnas.errors import DataNotFound, InvalidArgument
from graphnas.graph.space import GraphSpace
from search_spaces.tables import SPACES_WITH_TABLES

if TYPE_CHECKING:
    from graphnas.evaluate import Evaluator, OracleEvaluator

OPTIONS = {
    "seed": "--seed",
    "device": "--device",
    "shape": "--shape",
    "dataset": "--dataset",
    "data_dir": "--data-dir",
    "image_size": "--image-size",
    "download": "--download",
    "progress": "nothing: a search shows its own",
    "space": "--space",
}
"""Arguments of the evaluator that are no training settings, and where they are given."""

IMAGE_SETS = ("digits", "tinyimagenet", "tiny-imagenet")
"""Names of image sets that no table has; those with a colon are others."""

METRICS = ("validation_accuracy", "test_accuracy", "validation_score")


def add_evaluator_arguments(parser: argparse.ArgumentParser) -> None:
    """What to measure, and how."""
    parser.add_argument(
        "--dataset",
        metavar="DATASET",
        help="a data set of the table, or digits, cifar10, cifar100, tiny-imagenet[:PATH], torchvision:NAME, "
        "imagefolder:PATH to train on (default: the first of the space's table if it has one, otherwise "
        "digits)",
    )
    parser.add_argument(
        "--evaluator",
        choices=("auto", "table", "train", "supernet"),
        default="auto",
        help="look values up in the table of the space, train every network, or measure all of them with "
        "shared weights; auto takes the table where there is one for the space and the data set",
    )
    table = parser.add_argument_group("values from a table")
    table.add_argument(
        "--budget", type=integer(0), metavar="EPOCHS", help="training epochs of the table's values"
    )
    table.add_argument("--metric", choices=METRICS, help="what to search for (default: the table's first)")
    training = parser.add_argument_group("training")
    training.add_argument(
        "--recipe",
        metavar="NAME",
        help="how to train, such as oracle, GraphPNAS's; see graphnas train --recipes (default: by the data "
        "set)",
    )
    training.add_argument("--epochs", type=integer(1), metavar="N", help="epochs of each training")
    add_data_arguments(training)
    training.add_argument("--device", metavar="DEVICE", help="auto (CUDA where there is one), cpu, cuda, ...")
    add_assignments(
        training,
        "--training",
        "other training settings, such as train_fraction=0.3 or batch_size=64",
    )
    add_assignments(
        training,
        "--shape",
        "arguments of the space's build, such as width=8",
    )


def add_data_arguments(parser: argparse._ActionsContainer) -> None:
    """How the images to train on are read; without the option, its argument is None."""
    parser.add_argument(
        "--image-size",
        type=integer(1),
        metavar="PIXELS",
        help="side to which images from files or torchvision are scaled; needed if they differ in size",
    )
    parser.add_argument(
        "--download",
        action="store_const",
        const=True,
        help="let torchvision download cifar10, cifar100 or torchvision:NAME if it is missing",
    )


def make_evaluator(args: argparse.Namespace, space: GraphSpace) -> tuple[Evaluator, dict[str, Any]]:
    """The evaluator, and the settings to keep with the study.

    Raises:
        InvalidArgument: Arguments that do not fit each other, the space or the data set.
        DataNotFound: The table or the images are not there; the message says how to get them.
        CorruptData: A file is damaged.
    """
    has_table = space.name in SPACES_WITH_TABLES
    images_only = args.dataset is not None and (args.dataset in IMAGE_SETS or ":" in args.dataset)
    if args.evaluator == "table" or (args.evaluator == "auto" and has_table and not images_only):
        return _table(args, space)
    return _training(args, space, args.dataset or "digits")


def known_part(space: GraphSpace, evaluator: Evaluator) -> GraphSpace:
    """The space, or the part of it whose values are known where a table does not know all of them."""
    from graphnas.evaluate import TabularEvaluator

    if not isinstance(evaluator, TabularEvaluator) or evaluator.knows_all:
        return space
    return space.restricted_to(evaluator)


def _refuse(arguments: dict[str, Any], why: str) -> None:
    for name, value in arguments.items():
        if value not in (None, []):
            raise InvalidArgument(f"--{name.replace('_', '-')} is for {why}")


def _table(args: argparse.Namespace, space: GraphSpace) -> tuple[Evaluator, dict[str, Any]]:
    from graphnas.evaluate import TabularEvaluator

    names = ("recipe", "epochs", "devices", "device", "training", "shape", "image_size", "download")
    training = {name: getattr(args, name) for name in names}
    _refuse(training, "training, but the values come from the table; add --evaluator train to train")
    try:
        evaluator = TabularEvaluator(space, args.dataset, args.budget, args.metric, args.data_dir)
    except DataNotFound as error:
        if args.evaluator == "table":
            raise
        raise DataNotFound(f"{error} Or add --evaluator train to train the networks instead.") from error
    settings = {
        "evaluator": "table",
        "dataset": evaluator.dataset,
        "budget": evaluator.budget,
        "metric": evaluator.metric,
        "unit": evaluator.unit,
    }
    return evaluator, {**_space_settings(space), **settings}


def _training(args: argparse.Namespace, space: GraphSpace, dataset: str) -> tuple[Evaluator, dict[str, Any]]:
    from graphnas.evaluate import OracleEvaluator
    from graphnas.training.recipes import get_recipe

    _refuse(
        {"budget": args.budget, "metric": args.metric}, "values from a table, but the networks are trained"
    )
    training = dict(args.training)
    check_training(training)
    if args.epochs is not None:
        training["epochs"] = args.epochs
    recipe = None if args.recipe is None else get_recipe(args.recipe)
    # A recipe's size is that of its own data set.
    size = args.image_size
    if size is None and recipe is not None and dataset.partition(":")[0].replace("-", "") == recipe.dataset:
        size = recipe.image_size
    evaluator = OracleEvaluator(
        space,
        dataset,
        config=args.recipe,
        data_dir=args.data_dir,
        shape=dict(args.shape),
        image_size=size,
        download=bool(args.download),
        seed=args.seed,
        device=args.device or "auto",
        progress=False,
        **training,
    )
    _check_network(space, evaluator)
    settings = {
        "evaluator": "train",
        "dataset": dataset,
        "image_size": size,
        "training": dataclasses.asdict(evaluator.config),
        "shape": dict(evaluator.shape),
        "metric": METRICS[0],
        "unit": "%",
        "seed": args.seed,
    }
    return evaluator, {**_space_settings(space), **settings}


def check_training(given: dict[str, Any]) -> None:
    """Refuse what belongs elsewhere or is unknown, by the name of the option that it belongs to."""
    from graphnas.training import TrainingConfig

    settings = [field.name for field in dataclasses.fields(TrainingConfig)]
    for name in given:
        if name in settings:
            continue
        use = OPTIONS.get(name)
        known = f"use {use}" if use else close_match(name, settings)
        raise InvalidArgument(f"--training {name}: {name} is not a training setting; {known}")


def _check_network(space: GraphSpace, evaluator: OracleEvaluator) -> None:
    """Build one network now, rather than fail in every trial."""
    architecture = space.sample(np.random.default_rng(0))
    try:
        space.build(architecture, evaluator.data.num_classes, **evaluator.shape)
    except Exception as error:  # the builder is called with whatever was typed
        given = {name: value for name, value in evaluator.shape.items() if name != "in_channels"}
        raise InvalidArgument(f"--shape: {space.name} cannot be built with {given}: {error}") from error


def _space_settings(space: GraphSpace) -> dict[str, Any]:
    return {"space": {"name": space.name, "arguments": space.arguments()}}
