"""``graphnas search``: search a space with one method, or two to compare, and keep the results."""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from graphnas.cli.arguments import add_assignments, add_dry_run, add_space_arguments, integer, make_space
from graphnas.cli.dry_run import dry_run_of_search
from graphnas.cli.evaluators import add_evaluator_arguments, known_part, make_evaluator
from graphnas.cli.features import add_feature_arguments, keep_features, make_features
from graphnas.cli.import_results import prior_file
from graphnas.cli.methods import METHODS, WITH_PRIOR, make_sampler
from graphnas.cli.report import draw, print_comparison, write_results
from graphnas.cli.running import run_trials
from graphnas.cli.storages import file_url, in_memory, open_storage, storage_errors, without_password
from graphnas.cli.studies import Evaluated, Outcome, open_study, read_outcome
from graphnas.cli.supernet import add_supernet_arguments, search_with_supernet
from graphnas.cli.text import architecture_text, count, figure
from graphnas.cli.workers import add_worker_arguments, check_workers, end_with_parent, search_together
from graphnas.errors import InvalidArgument, TrainingFailed
from graphnas.graph.space import GraphSpace
from graphnas.optional import require

if TYPE_CHECKING:
    import optuna

    from graphnas.evaluate import Evaluator
    from optuna_graphnas import DashboardCallback, Objective

FILES = ("study.db", "results.json", "best_cell.png", "search_curve.png", "distribution.pt")
"""What a search may write into its output directory, beside the model in ``best``."""

ARTIFACTS = "artifacts"
"""Where in the output directory the drawings for the dashboard are."""

RETRAIN_FACTOR = 3
"""Times the epochs of the search that the best architecture is trained, unless ``--retrain-epochs`` says."""


def add_parser(commands: Any) -> None:
    """Add the command to ``commands``, the sub-parsers of ``graphnas``."""
    parser = commands.add_parser(
        "search",
        help="search a space; run again, it continues",
        description="Search a space. Run again with the same storage or output, it continues the study with "
        "--trials more trials.",
    )
    add_space_arguments(parser, required=True)
    parser.add_argument(
        "--method", choices=METHODS, default="graphbo", help="search method (default: graphbo)"
    )
    parser.add_argument(
        "--preset",
        metavar="NAME",
        help="configuration of the method: default, or paper for nasgem, graphpnas, latentbo as published",
    )
    add_assignments(
        parser,
        "--config",
        "single settings of the method beside its preset, such as generator=rnn of graphpnas",
    )
    parser.add_argument(
        "--startup",
        type=integer(0),
        metavar="N",
        help="random trials at the beginning, for methods with a model (default: the method's own)",
    )
    parser.add_argument(
        "--model",
        metavar="MODEL",
        help="autoencoder of latentbo: features (default), dvae, dvae_emb, gcn, svae, graphrnn, vsgae ..., "
        "or a file that graphnas autoencoder train wrote",
    )
    parser.add_argument(
        "--prior",
        action="append",
        default=[],
        metavar="FILE[:COLUMN]",
        help="results of another task or a cheaper proxy, kept with the study (see graphnas import --help)",
    )
    add_feature_arguments(parser)
    parser.add_argument(
        "--trials",
        type=integer(0),
        default=20,
        metavar="N",
        help="trials to run now (default: 20); with --workers, those of the whole study",
    )
    parser.add_argument(
        "--compare",
        choices=METHODS,
        metavar="METHOD",
        help="also search with this method, in a study of its own, up to as many trials as the first has",
    )
    parser.add_argument(
        "--seed", type=integer(0), default=0, metavar="N", help="seed of everything random (default: 0)"
    )
    parser.add_argument(
        "--n-jobs", type=integer(1), metavar="N", help="trials at a time, in threads (default: 1)"
    )
    add_worker_arguments(parser)
    parser.add_argument(
        "--storage",
        metavar="URL",
        help="database of the study, such as sqlite:///study.db (default: in --output)",
    )
    parser.add_argument("--study-name", metavar="NAME", help="default: SPACE-DATASET-METHOD")
    parser.add_argument(
        "--output",
        type=Path,
        metavar="DIR",
        help="directory for results, drawings, the study and the best model",
    )
    parser.add_argument("--data-dir", metavar="DIR", help="tables and images (default: $GRAPHNAS_DATA)")
    add_evaluator_arguments(parser)
    add_supernet_arguments(parser)
    parser.add_argument(
        "--score-weight",
        type=float,
        metavar="W",
        help="search for accuracy less the cost of multiply-accumulates, NASGEM's efficiency score, with "
        "this lambda, such as .01",
    )
    parser.add_argument(
        "--retrain-epochs",
        type=integer(0),
        metavar="N",
        help="epochs of the final training of the best on all training images; 0: none "
        f"(default: {RETRAIN_FACTOR} times the epochs of the search)",
    )
    add_dry_run(parser)
    parser.add_argument(
        "--dashboard",
        action="store_true",
        help="keep drawings, notes and plots with the study, for optuna-dashboard (needs --output)",
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Search, print the table, write the files; in a worker, only search.

    Raises:
        GraphNASError: Arguments that do not fit, data or packages that are missing; before any trial is run.
    """
    if args.as_worker is None:
        return _run(args)
    args.interrupts = end_with_parent()
    try:
        return _run(args)
    except KeyboardInterrupt:  # the process that started it says so
        return 130


def _run(args: argparse.Namespace) -> int:
    require("optuna", "optuna")
    from graphnas.evaluate import EfficiencyScore
    from optuna_graphnas import Objective, add_prior

    check_workers(args)
    dashboard = _dashboard(args)
    if args.compare == args.method:
        raise InvalidArgument(f"--compare {args.compare} is the method itself; choose another one")
    if args.output is not None:
        require("matplotlib", "plots")
    space = make_space(args)
    if args.evaluator == "supernet":
        return search_with_supernet(args, space)
    if args.turns:
        raise InvalidArgument("--turns is for --evaluator supernet")
    methods = [args.method, *([args.compare] if args.compare else [])]
    evaluator, settings = make_evaluator(args, space)
    score = None
    if args.score_weight is not None:
        score = EfficiencyScore(args.score_weight)
        settings |= {"score_weight": args.score_weight, "metric": "efficiency_score", "unit": "points"}
    features = make_features(args, space, evaluator)
    space = known_part(space, evaluator)
    # --preset, --config, --startup and --model are for --method alone; --compare runs with its defaults.
    samplers = [
        make_sampler(
            args.method,
            space,
            seed=args.seed,
            preset=args.preset,
            startup=args.startup,
            model=args.model,
            settings=dict(args.config),
        )
    ]
    samplers += [make_sampler(method, space, seed=args.seed) for method in methods[1:]]
    prior = [prior_file(text, space) for text in args.prior]
    if prior and args.method not in WITH_PRIOR:
        raise InvalidArgument(f"--prior is for {', '.join(WITH_PRIOR)}, not for {args.method}")
    if args.dry_run:
        print(dry_run_of_search(args, space, evaluator, settings, methods, features))
        return 0
    url = _storage_url(args)
    storage = open_storage(url, heartbeat=args.workers > 1)
    stem = f"{space.name}-{settings['dataset']}"
    names = [args.study_name or f"{stem}-{args.method}"]
    if args.compare:
        names.append(f"{args.study_name or stem}-{args.compare}")
    where = without_password(url) if url is not None and not in_memory(url) else None
    kept = (
        f"kept in {where}; run the same command again to continue"
        if where is not None
        else "lost, because there is neither --output nor a --storage on disk"
    )
    try:
        with storage_errors(f"the study in {where or 'memory'}", f"the finished trials are {kept}"):
            studies = [
                open_study(storage, name, settings, method, sampler)
                for name, method, sampler in zip(names, methods, samplers, strict=True)
            ]
            objective = Objective(space, evaluator, score=score)
            if args.as_worker is not None:
                shown = [] if dashboard is None else [dashboard]
                args.as_worker.run(studies, objective, args.interrupts, shown)
                return 0
            for task in prior:
                add_prior(studies[0], space, task)
            if features is not None:
                keep_features(args, studies[0], space, features)
            outcomes = _search(args, objective, studies, methods, dashboard)
    except KeyboardInterrupt:
        if args.as_worker is not None:
            raise
        print(f"\ngraphnas: interrupted; the finished trials are {kept}", file=sys.stderr)
        return 130
    metric = settings["metric"].replace("_", " ")
    unit = settings["unit"]
    print_comparison(
        outcomes, title=f"Best architectures by {metric} ({unit}) on {settings['dataset']}", unit=unit
    )
    if not outcomes[0].best:
        reason = outcomes[0].reason or "no trial was run"
        print(f"graphnas: error: no evaluation gave a value: {reason}", file=sys.stderr)
        return 1
    best = outcomes[0].best[0]
    print(f"\nThe best, {figure(best.value, unit)} {unit} in trial {best.trial}:")
    print(architecture_text(best.architecture, space))
    if args.output is not None:
        with storage_errors(f"what belongs in {args.output}", f"the finished trials are {kept}"):
            _write(args, space, evaluator, outcomes, settings, best, studies[0])
    if where is not None:
        print(f"\nThe study is in {where}. Run again, it continues from there.")
        if dashboard is not None:
            print(f"See it with: optuna-dashboard {where} --artifact-dir {args.output / ARTIFACTS}")
    elif url is not None:
        print(f"\nThe study in {url} was in memory and is not kept; see --output and --storage.")
    return 0


def _storage_url(args: argparse.Namespace) -> str | None:
    if args.output is not None:
        try:
            args.output.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InvalidArgument(f"cannot create the directory --output {args.output}: {error}") from error
        _check_output(args.output)
        if args.dashboard:
            (args.output / ARTIFACTS).mkdir(exist_ok=True)
    if in_memory(args.storage) and args.storage is not None:
        print(f"graphnas: warning: --storage {args.storage} is in memory; it is not kept", file=sys.stderr)
    if args.storage is not None or args.output is None:
        storage: str | None = args.storage
        return storage
    return file_url(args.output / "study.db")


def _check_output(directory: Path) -> None:
    """See, before any work is spent, that everything can be written into ``directory``."""
    if (directory / ARTIFACTS).exists() and not (directory / ARTIFACTS).is_dir():
        raise InvalidArgument(f"--output {directory}: {ARTIFACTS} is a file, but is to be a directory")
    for name in FILES:
        if (directory / name).is_dir():
            raise InvalidArgument(f"--output {directory}: {name} is a directory, but is to be a file")
    if (directory / "best").exists() and not (directory / "best").is_dir():
        raise InvalidArgument(f"--output {directory}: best is a file, but is to be a directory")
    try:
        with tempfile.TemporaryFile(dir=directory):
            pass
    except OSError as error:
        raise InvalidArgument(f"cannot write into --output {directory}: {error.strerror}") from error


def _dashboard(args: argparse.Namespace) -> DashboardCallback | None:
    """What keeps drawings and plots, if that is asked for."""
    if not args.dashboard:
        return None
    if args.output is None:
        raise InvalidArgument("--dashboard needs --output DIR, where the drawings are kept")
    from optuna_graphnas import DashboardCallback

    store = require("optuna.artifacts", "optuna").FileSystemArtifactStore(args.output / ARTIFACTS)
    return DashboardCallback(store)


def _search(
    args: argparse.Namespace,
    objective: Objective,
    studies: list[optuna.Study],
    methods: list[str],
    dashboard: DashboardCallback | None,
) -> list[Outcome]:
    space = objective.space
    outcomes: list[Outcome] = []
    for study, method in zip(studies, methods, strict=True):
        done = len(read_outcome(study, space).values)
        # The second method catches up with the first, so that both are compared at the same budget.
        todo = max(0, len(outcomes[0].values) - done) if outcomes else args.trials
        if args.workers > 1:
            total = max(args.trials, len(outcomes[0].values)) if outcomes else args.trials
            search_together(args, study, len(outcomes), objective.evaluator, total, title=method)
        else:
            if todo:
                print(
                    f"{method}: "
                    + (f"continues after {done} trials with {todo} more" if done else f"{todo} trials")
                )
            shown = [] if dashboard is None else [dashboard]
            run_trials(study, objective, todo, jobs=args.n_jobs, title=method, callbacks=shown)
        if dashboard is not None:
            dashboard.publish(study)
        outcomes.append(read_outcome(study, space))
    return outcomes


def _write(
    args: argparse.Namespace,
    space: GraphSpace,
    evaluator: Evaluator,
    outcomes: list[Outcome],
    settings: dict[str, Any],
    best: Evaluated,
    study: optuna.Study,
) -> None:
    from optuna_graphnas import GraphPNASSampler

    directory: Path = args.output
    extra: dict[str, Any] = {}
    # First what costs nothing, so that it is there if what follows is interrupted.
    write_results(directory / "results.json", outcomes, settings, extra)
    metric = f"{settings['metric'].replace('_', ' ')} ({settings['unit']})"
    draw(directory, space, best.architecture, outcomes, metric)
    written = ["results.json", "best_cell.png", "search_curve.png"]
    sampler = study.sampler
    if isinstance(sampler, GraphPNASSampler) and len(outcomes[0].values) - outcomes[0].failed >= 2:
        sampler.distribution(study).save(directory / "distribution.pt")
        written.append("distribution.pt")
    if settings["evaluator"] == "train" and args.retrain_epochs != 0:
        try:
            extra["retrained"] = _retrain(args, space, evaluator, settings, best)
            written.append("best/ (model.pt, model.json)")
            write_results(directory / "results.json", outcomes, settings, extra)
        except TrainingFailed as error:  # the search itself succeeded
            print(f"not kept: {error}", file=sys.stderr)
        except KeyboardInterrupt:
            print(f"\nWritten to {directory}, without the best model: {', '.join(written)}", flush=True)
            raise
    print(f"\nWritten to {directory}: {', '.join(written)}")


def _retrain(
    args: argparse.Namespace, space: GraphSpace, evaluator: Any, settings: dict[str, Any], best: Evaluated
) -> dict[str, Any]:
    from graphnas.training import save_model

    epochs = args.retrain_epochs or RETRAIN_FACTOR * settings["training"]["epochs"]
    print(f"\nTraining the best on all training images, {epochs} epochs", flush=True)
    trained = evaluator.train(best.architecture, full=True, epochs=epochs)
    accuracy = trained.evaluation.metrics["test_accuracy"]
    print(f"test accuracy {accuracy:.2f} %, {count(trained.evaluation.parameters)} parameters")
    save_model(args.output / "best", trained)
    return {"trial": best.trial, "epochs": epochs, "test_accuracy": accuracy}
