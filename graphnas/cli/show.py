"""``graphnas show``: a study's results, a learned distribution or one architecture, as text and drawing."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from graphnas.cli.architectures import described_architecture, is_file
from graphnas.cli.arguments import add_space_arguments, integer, make_space
from graphnas.cli.distributions import is_tensor_file, show_distribution
from graphnas.cli.report import TOP, print_comparison
from graphnas.cli.storages import file_url, url_of, without_password
from graphnas.cli.studies import SETTINGS, load_studies, minimizes, read_outcome, search_the_same, space_of
from graphnas.cli.text import architecture_text, figure, table
from graphnas.errors import InvalidArgument
from graphnas.graph.architecture import Architecture
from graphnas.graph.space import GraphSpace
from graphnas.optional import require


def add_parser(commands: Any) -> None:
    """Add the command to ``commands``, the sub-parsers of ``graphnas``."""
    parser = commands.add_parser(
        "show",
        help="show a study, a learned distribution or an architecture",
        description="Show the best of a study (give --storage, or the output directory of a search), the "
        "most probable architectures of a learned distribution, or one architecture.",
    )
    parser.add_argument(
        "what",
        nargs="?",
        metavar="WHAT",
        help="an output directory, a database or journal of studies (a file or a URL), the directory of a "
        "saved model, the file of a distribution, a JSON file of an architecture or a model, or the text "
        "itself: JSON, or the official string form of the space",
    )
    parser.add_argument("--storage", metavar="URL", help="database of studies, such as sqlite:///study.db")
    parser.add_argument("--study-name", metavar="NAME", help="which of its studies, if there are several")
    parser.add_argument(
        "--top", type=integer(1), default=TOP, metavar="N", help=f"architectures listed (default: {TOP})"
    )
    parser.add_argument(
        "--plot",
        type=Path,
        metavar="FILE",
        help="also draw the architecture, or samples of the distribution: .png, .svg or .pdf",
    )
    add_space_arguments(parser, required=False)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Print, and draw if asked.

    Raises:
        GraphNASError: There is nothing to show, or it cannot be read.
    """
    if (args.what is None) == (args.storage is None):
        raise InvalidArgument("give either WHAT to show or --storage (see graphnas show --help)")
    if args.plot is not None:
        require("matplotlib", "plots")
    path = None if args.what is None else Path(args.what)
    if path is not None and is_file(path) and is_tensor_file(path):
        space = make_space(args) if args.space else None
        show_distribution(path, space=space, top=args.top, plot=args.plot)
        return 0
    url = args.storage if path is None else url_of(args.what)
    if path is not None and is_file(path / "study.db"):
        url = file_url(path / "study.db")
    if url is not None:
        shown = _show_study(args, url)
    else:
        assert path is not None  # either is given
        found = described_architecture(args, path)
        if found.dataset is not None:
            print(f"{found.space.name}, trained on {found.dataset}")
        shown = found.architecture, found.space
    if shown is None:
        return 0
    architecture, space = shown
    print(architecture_text(architecture, space))
    if args.plot is not None:
        _plot(architecture, space, args.plot)
    return 0


# ---------------------------------------------------------------- studies


def _show_study(args: argparse.Namespace, url: str) -> tuple[Architecture, GraphSpace] | None:
    """Print the best of a study, or of all if they search the same; otherwise the list of them."""
    studies = load_studies(url, args.study_name)
    if not studies or not search_the_same(studies):
        rows = [[study.study_name, str(len(study.get_trials(deepcopy=False)))] for study in studies]
        print(f"{len(studies)} studies in {without_password(url)}; choose one with --study-name\n")
        print(table(["study", "trials"], rows, right=[False, True]))
        return None
    space = space_of(studies[0], make_space(args) if args.space else None)
    outcomes = [read_outcome(study, space) for study in studies]
    leaders = [outcome.best[0] for outcome in outcomes if outcome.best]
    if not leaders:
        print(f"no trial of {', '.join(study.study_name for study in studies)} has given a value yet")
        return None
    title = f"Best architectures of {space.name}"
    best = (min if minimizes(studies[0]) else max)(leaders, key=lambda leader: leader.value)
    settings = studies[0].user_attrs.get(SETTINGS)
    if settings is None:  # a user's own study: we do not know what its values are
        title, unit = f"{title} by value", ""
    else:
        metric, unit = str(settings["metric"]).replace("_", " "), str(settings["unit"])
        title = f"{title} by {metric} ({unit}) on {settings['dataset']}"
    print_comparison(outcomes, title=title, unit=unit, top=args.top)
    print(f"\nThe best, {f'{figure(best.value, unit)} {unit}'.strip()} in trial {best.trial}:")
    return best.architecture, space


def _plot(architecture: Architecture, space: GraphSpace, path: Path) -> None:
    from graphnas.plots import plot_architecture

    try:
        plot_architecture(architecture, space).savefig(path, dpi=150)
    except (OSError, ValueError) as error:  # no such directory; a format that matplotlib does not know
        raise InvalidArgument(f"cannot write --plot {path}: {error}") from error
    print(f"\nWritten to {path}")
