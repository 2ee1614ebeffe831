"""``graphnas import``: results in a file become trials of a study, or a prior task kept with it."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from graphnas.cli.arguments import add_space_arguments, make_space
from graphnas.cli.storages import file_url, open_storage, without_password
from graphnas.cli.studies import SETTINGS, quiet_optuna
from graphnas.errors import InvalidArgument
from graphnas.graph.space import GraphSpace
from graphnas.optional import require

if TYPE_CHECKING:
    import optuna

    from graphnas.surrogate.prior import PriorTask

DIRECTIONS = ("maximize", "minimize")


def add_parser(commands: Any) -> None:
    """Add the command to ``commands``, the sub-parsers of ``graphnas``."""
    parser = commands.add_parser(
        "import",
        help="add results in a file to a study, or keep them with it as prior data",
        description="Add results in a file to a study. Without --task they are of what the study searches "
        "for and become finished trials. With --task they are of something else, such as another data set or "
        "fewer epochs: they are kept with the study as prior data, which graphbo uses, and are "
        "no trials. The file is CSV with a header, or a JSON list of objects: 'architecture' (our JSON, or "
        "the string form of the space) or one column per parameter of the space, and the values.",
    )
    parser.add_argument("file", type=Path, metavar="FILE", help="results: .json, anything else is CSV")
    add_space_arguments(parser, required=True)
    parser.add_argument("--task", metavar="NAME", help="the other task that the results are of")
    parser.add_argument(
        "--value-column",
        action="append",
        metavar="COLUMN",
        help="column of the value; once for each objective (default: value)",
    )
    parser.add_argument(
        "--constraint-column",
        action="append",
        default=[],
        metavar="COLUMN",
        help="column of a constraint, satisfied where at most 0, for trials of the study",
    )
    parser.add_argument(
        "--direction",
        action="append",
        choices=DIRECTIONS,
        help="which values are better; once for each objective (default: as in the study, or maximize)",
    )
    parser.add_argument("--skip-invalid", action="store_true", help="leave out rows that cannot be read")
    parser.add_argument("--output", type=Path, metavar="DIR", help="output directory of a search")
    parser.add_argument("--storage", metavar="URL", help="database of the study, such as sqlite:///study.db")
    parser.add_argument(
        "--study-name", metavar="NAME", help="the study, new or not (default: the only one there is)"
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Read the whole file, then add what it holds.

    Raises:
        GraphNASError: The file, the study and the arguments do not fit; nothing is added then.
    """
    require("optuna", "optuna")
    if (args.output is None) == (args.storage is None):
        raise InvalidArgument("give either --output or --storage (see graphnas import --help)")
    if args.task is not None and args.constraint_column:
        raise InvalidArgument("--constraint-column is for trials of the study, not for --task")
    from graphnas.graph.results_file import read_results

    space = make_space(args)
    columns = args.value_column or ["value"]
    results = read_results(
        args.file,
        space,
        values=columns,
        constraints=args.constraint_column,
        skip_invalid=args.skip_invalid,
    )
    study = _study(args, len(columns))
    searched = (study.user_attrs.get(SETTINGS) or {}).get("space")
    given = json.loads(json.dumps({"name": space.name, "arguments": space.arguments()}))
    if searched not in (None, given):
        raise InvalidArgument(
            f"the study {study.study_name!r} searches {json.dumps(searched)}, not {json.dumps(given)}"
        )
    for problem in results.skipped:
        print(f"left out: {problem}", file=sys.stderr)
    with quiet_optuna():
        if args.task is None:
            _add_trials(args, space, study, results)
        else:
            _add_task(args, space, study, results)
    return 0


def _add_trials(args: argparse.Namespace, space: GraphSpace, study: optuna.Study, results: Any) -> None:
    from optuna_graphnas import add_results

    known = _directions(study)
    if args.direction is not None and args.direction != known:
        raise InvalidArgument(f"--direction: the study {study.study_name!r} is to {' and '.join(known)}")
    added = add_results(study, space, results.rows, args.constraint_column, args.file.name)
    already = len(results.rows) - added
    print(
        f"{added} results of {args.file} are trials of the study {study.study_name!r} now"
        + (f"; {already} were already there, or twice in the file" if already else "")
    )


def _add_task(args: argparse.Namespace, space: GraphSpace, study: optuna.Study, results: Any) -> None:
    from graphnas.surrogate.prior import PriorTask
    from optuna_graphnas import add_prior

    directions = args.direction or _directions(study)
    if len(directions) != len(study.directions):
        raise InvalidArgument(
            f"--direction is given {len(directions)} times, but the study has {len(study.directions)} "
            "objectives"
        )
    signs = [1.0 if direction == "maximize" else -1.0 for direction in directions]
    values = [[s * v for s, v in zip(signs, row.values, strict=True)] for row in results.rows]
    task = PriorTask(args.task, [row.architecture for row in results.rows], values)
    add_prior(study, space, task)
    print(f"{len(task)} results of {args.file} are kept with the study {study.study_name!r} as {args.task!r}")


def _directions(study: optuna.Study) -> list[str]:
    return [direction.name.lower() for direction in study.directions]


def _study(args: argparse.Namespace, objectives: int) -> optuna.Study:
    library = require("optuna", "optuna")
    if args.output is not None:
        try:
            args.output.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InvalidArgument(f"cannot create the directory --output {args.output}: {error}") from error
    url = args.storage or file_url(args.output / "study.db")
    storage = open_storage(url)
    with quiet_optuna():
        names = library.get_all_study_names(storage)
        if args.study_name is None and len(names) != 1:
            raise InvalidArgument(
                f"{without_password(url)} holds {len(names)} studies"
                + (f" ({', '.join(names)})" if names else "")
                + ": name one with --study-name"
                + ("" if names else ", and give graphnas search the same name")
            )
        name = args.study_name or names[0]
        if name in names:
            study: optuna.Study = library.load_study(study_name=name, storage=storage)
            if len(study.directions) != objectives:
                raise InvalidArgument(
                    f"{objectives} value columns are named, but the study {name!r} has "
                    f"{len(study.directions)} objectives"
                )
            return study
        directions = args.direction if args.direction and args.task is None else ["maximize"] * objectives
        if len(directions) != objectives:
            raise InvalidArgument(f"--direction is given {len(directions)} times for {objectives} values")
        created: optuna.Study = library.create_study(
            study_name=name, storage=storage, directions=directions, load_if_exists=True
        )
        return created


def prior_file(text: str, space: GraphSpace) -> PriorTask:
    """The prior task that ``FILE`` or ``FILE:COLUMN`` names, whose values are to be maximised.

    Raises:
        GraphNASError: The file cannot be read.
    """
    from graphnas.surrogate.prior import PriorTask

    path, sign, column = text.rpartition(":")
    if Path(text).exists() or not sign or not Path(path).exists():
        return PriorTask.from_file(text, space)
    return PriorTask.from_file(path, space, name=f"{Path(path).stem}:{column}", values=column)
