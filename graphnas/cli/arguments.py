"""Arguments that several commands take, and how their values are read."""

from __future__ import annotations

import argparse
import ast
import json
from collections.abc import Callable
from typing import Any

from graphnas.errors import InvalidArgument
from graphnas.graph.space import GraphSpace
from search_spaces import get_space, space_names


def integer(least: int) -> Callable[[str], int]:
    """An argparse type: an integer of at least ``least``."""

    def read(text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            value = least - 1
        if value < least:
            raise argparse.ArgumentTypeError(f"must be an integer of at least {least}, got {text!r}")
        return value

    return read


def assignment(text: str) -> tuple[str, Any]:
    """An argparse type: ``NAME=VALUE`` with a number, a word, or a list as in JSON or Python."""
    name, sign, value = text.partition("=")
    if not sign or not name.isidentifier():
        raise argparse.ArgumentTypeError(f"must be NAME=VALUE, got {text!r}")
    for read in (json.loads, ast.literal_eval):
        try:
            return name, read(value)
        except (ValueError, SyntaxError):
            continue
    return name, value


def add_assignments(parser: argparse._ActionsContainer, option: str, description: str) -> None:
    """An option that may be given several times, each time with one ``NAME=VALUE``."""
    parser.add_argument(
        option, type=assignment, action="append", default=[], metavar="NAME=VALUE", help=description
    )


def add_dry_run(parser: argparse.ArgumentParser) -> None:
    """``--dry-run``, which prints a :class:`graphnas.dry_run.DryRun`."""
    parser.add_argument(
        "--dry-run",
        action="store_true",
        help="print counts, sizes and how long it would take here, from a short measurement; keep nothing",
    )


def add_space_arguments(parser: argparse.ArgumentParser, *, required: bool) -> None:
    """``--space``, ``--nodes`` and ``--space-option``."""
    parser.add_argument(
        "--space", required=required, metavar="SPACE", help=f"search space: {', '.join(space_names())}"
    )
    parser.add_argument(
        "--nodes", type=integer(1), metavar="N", help="nodes of a graph, where the space leaves that open"
    )
    add_assignments(
        parser,
        "--space-option",
        'further argument of the space, such as operations=\'["conv1x1","conv3x3"]\' of gemnet',
    )


def make_space(args: argparse.Namespace, default_nodes: int | None = None) -> GraphSpace:
    """The space that the arguments of :func:`add_space_arguments` describe.

    Args:
        args: The parsed arguments.
        default_nodes: Number of nodes without ``--nodes``, if the space leaves it open.

    Raises:
        InvalidArgument: There is no such space, or it does not take these arguments.
    """
    options = dict(args.space_option)
    takes_nodes = "num_nodes" in get_space(args.space).arguments()
    if args.nodes is not None and not takes_nodes:
        raise InvalidArgument(f"--nodes {args.nodes}: the space {args.space!r} has a fixed number of nodes")
    nodes = default_nodes if args.nodes is None else args.nodes
    if nodes is not None and takes_nodes:
        options["num_nodes"] = nodes
    return get_space(args.space, **options)
