"""``graphnas nni``: register the tuners with NNI, write a search space for it, read its results."""

from __future__ import annotations

import argparse
import contextlib
import json
from typing import Any

from graphnas.cli.arguments import add_space_arguments, integer, make_space
from graphnas.cli.report import TOP
from graphnas.cli.text import architecture_text, table
from graphnas.errors import GraphNASError
from search_spaces import get_space


def add_parser(commands: Any) -> None:
    """Add the command to ``commands``, the sub-parsers of ``graphnas``."""
    parser = commands.add_parser(
        "nni", help="use NNI: register tuners, write a search space, read results", description=__doc__
    )
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    register = actions.add_parser("register", help="make the tuners known to NNI by name")
    register.set_defaults(run=run_register)
    export = actions.add_parser("export-space", help="print a space in NNI's search space format")
    export.add_argument("name", metavar="SPACE", help="search space, as graphnas spaces lists them")
    add_space_arguments(export, required=False)
    export.set_defaults(run=run_export)
    results = actions.add_parser("results", help="print the results of an experiment with one of our tuners")
    results.add_argument("where", metavar="EXPERIMENT", help="its id, its directory, or its journal")
    results.add_argument(
        "--top", type=integer(1), default=TOP, metavar="N", help=f"trials listed (default: {TOP})"
    )
    results.set_defaults(run=run_results)


def run_register(args: argparse.Namespace) -> int:
    """Register every tuner under the name of its method.

    Raises:
        MissingExtra: NNI is not installed.
    """
    from nni_graphnas.registration import register

    for name, class_name, file in register():
        print(f"{name}: {class_name}, in {file}")
    return 0


def run_export(args: argparse.Namespace) -> int:
    """Print the search space as JSON, one parameter on each line.

    Raises:
        InvalidArgument: There is no such space, or it does not take these arguments.
    """
    from nni_graphnas import search_space

    args.space = args.space or args.name
    lines = [
        f"  {json.dumps(name)}: {json.dumps(spec)}" for name, spec in search_space(make_space(args)).items()
    ]
    print("{\n" + ",\n".join(lines) + "\n}")
    return 0


def run_results(args: argparse.Namespace) -> int:
    """Print the best trials as a table and the best architecture; 1 where no trial has a value.

    Raises:
        DataNotFound: There is no journal.
        CorruptData: It is no journal.
    """
    from nni_graphnas.journal import best_of, find_journal, read_journal

    contents = read_journal(find_journal(args.where))
    ranked = [result for result in contents.results if result.value is not None]
    pruned = sum(result.pruned for result in contents.results)
    failed = len(contents.results) - len(ranked) - pruned
    ended = f", {pruned} ended early" if pruned else ""
    print(f"{contents.space}: {len(ranked)} trials with a value, {failed} failed{ended}")
    if not ranked:
        return 1
    ranked.sort(key=lambda result: result.value or 0.0, reverse=not contents.minimize)
    rows = [
        [
            f"{result.value:.4f}",
            result.trial or "-",
            ", ".join(f"{name}={value}" for name, value in result.parameters.items()) or "-",
        ]
        for result in ranked[: args.top]
    ]
    print(table(["value", "trial", "other parameters"], rows, right=[True, False, False]))
    best = best_of(contents.results, contents.minimize)
    print(f"\n{best.architecture.to_json()}")
    with contextlib.suppress(GraphNASError):  # the user's own space has no name here
        print(architecture_text(best.architecture, get_space(contents.space, **contents.arguments)))
    return 0
