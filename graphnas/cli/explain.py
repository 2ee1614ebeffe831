"""``graphnas explain``: which operations and sub-graphs raise and lower the value in a study."""

from __future__ import annotations

import argparse
import csv
import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import graphnas
from graphnas.cli.architectures import is_file
from graphnas.cli.arguments import add_space_arguments, integer, make_space
from graphnas.cli.storages import file_url, url_of, without_password
from graphnas.cli.studies import SETTINGS, load_studies, space_of
from graphnas.cli.text import figure, table
from graphnas.errors import DataNotFound, InvalidArgument
from graphnas.files import replacing
from graphnas.optional import require

if TYPE_CHECKING:
    import optuna

    from graphnas.surrogate import Explanation, MotifEffect

TOP = 8
"""Sub-graphs listed that raise the value, and that lower it."""

COLUMNS = ("name", "depth", "count", "effect", "low", "high", "gradient", "gradient_error")


def add_parser(commands: Any) -> None:
    """Add the command to ``commands``, the sub-parsers of ``graphnas``."""
    parser = commands.add_parser(
        "explain",
        help="say which operations and sub-graphs raise and lower the value in a study",
        description="Fit the Gaussian process of GraphBO to the trials of a study, and list by how much one "
        "more of an operation, or of an operation with its neighbours, changes the mean value of random "
        "architectures, with a 95 % interval. a, b → c → d is operation c, whose inputs are a and b and "
        "whose output goes to d. Any sampler may have made the study.",
    )
    parser.add_argument(
        "study",
        metavar="STUDY",
        help="an output directory, or a database or journal of studies (a file or a URL)",
    )
    parser.add_argument("--study-name", metavar="NAME", help="which of its studies, if there are several")
    parser.add_argument(
        "--objective", type=integer(0), default=0, metavar="N", help="which of several objectives, from 0"
    )
    parser.add_argument(
        "--name", metavar="NAME", help="which architecture, where suggest_architecture was given a name"
    )
    parser.add_argument(
        "--top",
        type=integer(1),
        default=TOP,
        metavar="N",
        help=f"sub-graphs listed that raise the value, and that lower it (default: {TOP})",
    )
    parser.add_argument(
        "--depth", type=integer(0), default=1, metavar="N", help="how far sub-graphs reach (default: 1)"
    )
    parser.add_argument(
        "--least",
        type=integer(1),
        default=3,
        metavar="N",
        help="trials that must have a sub-graph, and must lack it (default: 3)",
    )
    parser.add_argument(
        "--samples",
        type=integer(100),
        default=2000,
        metavar="N",
        help="random architectures that effects are averaged over (default: 2000)",
    )
    parser.add_argument(
        "--seed", type=integer(0), default=0, metavar="N", help="seed of all draws (default: 0)"
    )
    parser.add_argument(
        "--output",
        type=Path,
        metavar="DIR",
        help="also write effects.csv, effects.json, effects.png and contributions.png, the best "
        "architectures with nodes in the colour of their effect",
    )
    add_space_arguments(parser, required=False)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Print the tables, and write the files if asked.

    Raises:
        GraphNASError: There is no such study, or it has nothing to explain.
    """
    require("optuna", "optuna")
    if args.output is not None:
        require("matplotlib", "plots")
    from optuna_graphnas import explain

    study = _study(args)
    space = space_of(study, make_space(args) if args.space else None)
    explanation = explain(
        study,
        space,
        name=args.name,
        objective=args.objective,
        depths=range(args.depth + 1),
        least=args.least,
        samples=args.samples,
        seed=args.seed,
    )
    settings = study.user_attrs.get(SETTINGS)
    unit = ""
    if isinstance(settings, dict) and args.objective == 0:
        unit = str(settings["unit"])
        name = f"{settings['metric']} ({unit})".replace("_", " ")
        explanation = dataclasses.replace(explanation, value_name=name)
    print(_text(explanation, study.study_name, unit, args.top))
    if args.output is not None:
        try:
            args.output.mkdir(parents=True, exist_ok=True)
            written = _write(args.output, explanation, study.study_name, 2 * args.top)
        except OSError as error:
            raise InvalidArgument(f"cannot write into --output {args.output}: {error}") from error
        print(f"\nWritten to {args.output}: {', '.join(written)}")
    return 0


def _study(args: argparse.Namespace) -> optuna.Study:
    path = Path(args.study)
    url = file_url(path / "study.db") if is_file(path / "study.db") else url_of(args.study)
    if url is None:
        raise DataNotFound(f"{args.study!r} is no directory of a search and no database of studies")
    studies = load_studies(url, args.study_name)
    if not studies:
        raise InvalidArgument(f"no study in {without_password(url)}")
    if len(studies) > 1:
        names = ", ".join(study.study_name for study in studies)
        raise InvalidArgument(f"several studies; choose one with --study-name: {names}")
    return studies[0]


def _text(explanation: Explanation, study: str, unit: str, top: int) -> str:
    """What is printed: the operations, then the sub-graphs that raise and lower the value most."""
    total, direction = len(explanation.architectures), "smaller" if explanation.minimize else "larger"
    parts = [
        f"Effects on {explanation.value_name} ({direction} is better) in {study}: "
        f"{total} evaluated architectures of {explanation.space.name}"
    ]
    operations = [effect for effect in explanation.effects if effect.depth == 0]
    larger = [effect for effect in explanation.effects if effect.depth > 0]
    raising = [effect for effect in larger if effect.effect > 0][:top]
    lowering = [effect for effect in reversed(larger) if effect.effect <= 0][:top]
    for title, effects in (
        ("One more of an operation", operations),
        ("Sub-graphs that raise it most", raising),
        ("Sub-graphs that lower it most", lowering),
    ):
        if effects:
            parts.append(f"\n{title}\n\n{_rows(effects, unit)}")
    notes = ["An effect is an average over random architectures of the space, and no proof of a cause."]
    if explanation.rare:
        notes.append(f"Left out, because hardly any random architecture has them: {explanation.rare}.")
    return "\n".join([*parts, "", *notes])


def _rows(effects: Sequence[MotifEffect], unit: str) -> str:
    rows = [
        [
            effect.name,
            _signed(effect.effect, unit),
            f"{_signed(effect.low, unit)} to {_signed(effect.high, unit)}",
            str(effect.count),
        ]
        for effect in effects
    ]
    return table(["", "effect", "95 % interval", "trials"], rows, right=[False, True, True, True])


def _signed(value: float, unit: str) -> str:
    return f"{'+' if value > 0 else ''}{figure(value, unit)}"


def _write(directory: Path, explanation: Explanation, study: str, count: int) -> list[str]:
    from graphnas.plots import plot_contributions, plot_effects

    rows = [{column: getattr(effect, column) for column in COLUMNS} for effect in explanation.effects]
    with replacing(directory / "effects.csv") as part, part.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        writer.writerows(rows)
    content = {
        "format": "graphnas.explanation",
        "version": 1,
        "graphnas": graphnas.__version__,
        "study": study,
        "space": {"name": explanation.space.name, "arguments": explanation.space.arguments()},
        "value": explanation.value_name,
        "minimize": explanation.minimize,
        "depths": list(explanation.depths),
        "architectures": len(explanation.architectures),
        "left_out": explanation.rare,
        "effects": rows,
    }
    with replacing(directory / "effects.json") as part:
        part.write_text(json.dumps(content, indent=1, allow_nan=False) + "\n", encoding="utf-8")
    plot_effects(explanation, count=count).savefig(directory / "effects.png", dpi=150)
    plot_contributions(explanation).savefig(directory / "contributions.png", dpi=150)
    return ["effects.csv", "effects.json", "effects.png", "contributions.png"]
