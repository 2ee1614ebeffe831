"""``graphnas compare``: what several searches found and learned, side by side in figures."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from graphnas.cli.architectures import is_file
from graphnas.cli.arguments import integer
from graphnas.cli.distributions import is_tensor_file
from graphnas.cli.storages import file_url, url_of
from graphnas.cli.studies import load_studies, minimizes, read_outcome, search_the_same, space_of
from graphnas.cli.text import figure, table
from graphnas.errors import DataNotFound, InvalidArgument
from graphnas.graph.architecture import Architecture
from graphnas.graph.space import GraphSpace
from graphnas.optional import require

if TYPE_CHECKING:
    from graphnas.methods import LearnedDistribution

SAMPLES = 200
"""Samples of a learned distribution in the plane of graph properties."""


@dataclass(frozen=True)
class Group:
    """One column of the comparison.

    Attributes:
        name: Name of the method, or of the file.
        space: Its space.
        architectures: What was evaluated, or samples of what was learned.
        values: Their values, or their log-probabilities.
        learned: The distribution that they are samples of; None: they were evaluated.
    """

    name: str
    space: GraphSpace
    architectures: Sequence[Architecture]
    values: Sequence[float]
    learned: LearnedDistribution | None = None


def add_parser(commands: Any) -> None:
    """Add the command to ``commands``, the sub-parsers of ``graphnas``."""
    parser = commands.add_parser(
        "compare",
        help="compare what searches found and learned, in figures",
        description="Draw, for each of several searches or learned distributions of one space: where its "
        "architectures lie in the plane of average path length and clustering, coloured by their value (as "
        "GraphPNAS's Fig. 3), its best architectures, and samples of what was learned.",
    )
    parser.add_argument(
        "what",
        nargs="+",
        metavar="[NAME=]WHAT",
        help="output directories of searches, databases of studies, and files of distributions",
    )
    parser.add_argument("--output", type=Path, required=True, metavar="DIR", help="folder of the figures")
    parser.add_argument("--top", type=integer(1), default=4, metavar="N", help="architectures drawn of each")
    parser.add_argument("--seed", type=integer(0), default=0, metavar="N", help="seed of the samples")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Print the table and write the figures.

    Raises:
        GraphNASError: Something is missing, damaged, or of another space than the first.
    """
    require("matplotlib", "plots")
    groups = [group for text in args.what for group in _read(text, args.seed)]
    _check(groups)
    try:
        args.output.mkdir(parents=True, exist_ok=True)
        written = _draw(groups, args.output, args.top)
    except OSError as error:
        raise InvalidArgument(f"cannot write into --output {args.output}: {error}") from error
    print(_table(groups))
    print(f"\nWritten to {args.output}: {', '.join(written)}")
    return 0


def _read(text: str, seed: int) -> list[Group]:
    """The studies, or the distribution, that an argument names."""
    name, sign, rest = text.partition("=")
    if not sign or not name.replace("-", "_").isidentifier():
        name, rest = "", text
    path = Path(rest)
    if is_file(path) and is_tensor_file(path):
        from graphnas.methods import LearnedDistribution

        learned = LearnedDistribution.load(path)
        samples = learned.sample(SAMPLES, seed)
        values = learned.log_prob(samples).tolist()
        return [Group(name or path.stem, learned.space, samples, values, learned)]
    url = file_url(path / "study.db") if is_file(path / "study.db") else url_of(rest)
    if url is None:
        raise DataNotFound(f"{rest!r} is no directory of a search, no database and no learned distribution")
    studies = load_studies(url, None)
    if studies and not search_the_same(studies):
        raise InvalidArgument(f"the studies in {rest} search different things")
    found = []
    for study in studies:
        space = space_of(studies[0], None)
        outcome = read_outcome(study, space)
        if minimizes(study):
            raise InvalidArgument(f"study {study.study_name} minimises; only values to be maximised compare")
        if outcome.best:
            label = f"{name}, {outcome.method}" if name and len(studies) > 1 else name or outcome.method
            architectures = [entry.architecture for entry in outcome.best]
            found.append(Group(label, space, architectures, [entry.value for entry in outcome.best]))
    if not found:
        raise InvalidArgument(f"{rest} has no evaluated architecture")
    return found


def _check(groups: Sequence[Group]) -> None:
    first = groups[0].space.whole
    for group in groups:
        other = group.space.whole
        if (other.name, other.arguments()) != (first.name, first.arguments()):
            raise InvalidArgument(f"{group.name} is of {other!r}, but {groups[0].name} of {first!r}")
    names = [group.name for group in groups]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise InvalidArgument(f"several are called {', '.join(twice)}; give names, as in NAME=WHAT")


def _draw(groups: Sequence[Group], directory: Path, top: int) -> list[str]:
    from graphnas.plots import plot_architectures, plot_graph_properties, plot_samples

    figures: dict[str, Any] = {}
    evaluated = [group for group in groups if group.learned is None]
    learned = [group for group in groups if group.learned is not None]
    for kind, members, unit in (
        ("properties", evaluated, "value"),
        ("properties_learned", learned, "log p"),
    ):
        if members:
            points = {group.name: (group.architectures, group.values) for group in members}
            figures[f"{kind}.png"] = plot_graph_properties(points, value_name=unit)
    if evaluated:
        best = [
            (architecture, f"{group.name}: {value:.2f}")
            for group in evaluated
            for architecture, value in list(zip(group.architectures, group.values, strict=True))[:top]
        ]
        drawn, captions = zip(*best, strict=True)
        figures["best.png"] = plot_architectures(
            drawn, evaluated[0].space, captions=captions, columns=top, title="The best of each"
        )
    for group in learned:
        assert group.learned is not None
        figures[f"samples_{group.name}.png"] = plot_samples(group.learned, max(4, 2 * top))
    for name, drawing in figures.items():
        drawing.savefig(directory / name, dpi=150)
    return list(figures)


def _table(groups: Sequence[Group]) -> str:
    """Counts, the best, and the mean graph properties of each."""
    from graphnas.graph.batch import ArchitectureBatch
    from graphnas.graph.properties import graph_properties

    rows = []
    for group in groups:
        properties = graph_properties(ArchitectureBatch.from_architectures(list(group.architectures)))
        rows.append(
            [
                group.name,
                f"{len(group.architectures)} {'samples' if group.learned else 'evaluated'}",
                "-" if group.learned else figure(max(group.values), "%"),
                figure(float(np.mean([a.num_edges for a in group.architectures])), "%"),
                figure(float(np.mean(properties.average_path_length)), ""),
                figure(float(np.mean(properties.clustering)), ""),
            ]
        )
    header = ["", "architectures", "best", "mean edges", "mean path length", "mean clustering"]
    return table(header, rows, right=[False, True, True, True, True, True])
