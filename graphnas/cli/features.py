"""``--features``: what is known of random architectures without training, as prior tasks of a search."""

from __future__ import annotations

import argparse
import time
from typing import TYPE_CHECKING, Any

import numpy as np

from graphnas.cli.arguments import add_assignments, integer
from graphnas.cli.methods import WITH_PRIOR
from graphnas.dry_run import Work, duration
from graphnas.errors import InvalidArgument
from graphnas.graph.space import GraphSpace
from graphnas.surrogate.feature_prior import COUNT, prior_of_features

if TYPE_CHECKING:
    import optuna

    from graphnas.evaluate import Evaluator, ZeroCostFeatures

MEASURED = 5
"""Random architectures whose features are timed for an estimate."""


def add_feature_arguments(parser: argparse.ArgumentParser) -> None:
    """Which features, of how many architectures, and of what networks."""
    parser.add_argument(
        "--features",
        nargs="+",
        metavar="NAME",
        help="prior tasks without a training: synflow, naswot, parameters, macs, paths of random "
        "architectures, for methods that take --prior (all but paths build networks)",
    )
    parser.add_argument(
        "--features-count",
        type=integer(2),
        metavar="N",
        help=f"random architectures whose features are computed (default: {COUNT})",
    )
    add_assignments(
        parser,
        "--features-shape",
        "arguments of the space's build for the networks of --features, such as channels=16 (default: those "
        "of --shape); small ones take less time",
    )


def make_features(
    args: argparse.Namespace, space: GraphSpace, evaluator: Evaluator
) -> ZeroCostFeatures | None:
    """The features that the arguments ask for, of networks like those that are trained; None: none.

    Raises:
        InvalidArgument: A method without prior tasks, an unknown feature, or networks that cannot be built.
    """
    if args.features is None:
        for option in ("features_count", "features_shape"):
            if getattr(args, option):
                raise InvalidArgument(f"--{option.replace('_', '-')} is for --features")
        return None
    if args.method not in WITH_PRIOR:
        raise InvalidArgument(f"--features is for {', '.join(WITH_PRIOR)}, not for {args.method}")
    from graphnas.evaluate import OracleEvaluator, ZeroCostFeatures

    options: dict[str, Any] = {"shape": dict(args.features_shape)}
    if isinstance(evaluator, OracleEvaluator):
        options["num_classes"] = evaluator.data.num_classes
        options["image_shape"] = tuple(evaluator.data.train.shape)
        options["shape"] = {**evaluator.shape, **options["shape"]}
    return ZeroCostFeatures(space, args.features, seed=args.seed, **options)


def keep_features(
    args: argparse.Namespace, study: optuna.Study, space: GraphSpace, features: ZeroCostFeatures
) -> None:
    """Compute the prior tasks of ``features`` and keep them with the study, unless it has them already."""
    from optuna_graphnas import add_prior
    from optuna_graphnas.prior import prior_of

    names = ", ".join(features.names)
    if set(features.names) <= {task.name for task in prior_of(study, space)}:
        print(f"{names}: as the study has them; another --study-name computes them anew")
        return
    count, started = args.features_count or COUNT, time.perf_counter()
    print(f"{names} of {count} random architectures", end="", flush=True)
    tasks = prior_of_features(space, features, count, seed=args.seed)
    print(f": {duration(time.perf_counter() - started)}")
    for task in tasks:
        add_prior(study, space, task)


def feature_work(args: argparse.Namespace, space: GraphSpace, features: ZeroCostFeatures) -> Work:
    """How long :func:`keep_features` would take."""
    drawn = space.sample_batch(np.random.default_rng(1), MEASURED).to_architectures()
    started = time.perf_counter()
    features(drawn)
    seconds = (time.perf_counter() - started) / MEASURED
    return Work("features of an architecture", args.features_count or COUNT, seconds)
