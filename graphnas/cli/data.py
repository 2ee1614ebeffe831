"""``graphnas data``: lists the known tables and image sets, checks them, and converts official files."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from graphnas.cli.data_sets import known_data, where
from graphnas.cli.text import table
from graphnas.data_directory import ENVIRONMENT_VARIABLE, data_directory
from graphnas.errors import GraphNASError, InvalidArgument


def add_parser(commands: Any) -> None:
    """Add the command to ``commands``, the sub-parsers of ``graphnas``."""
    parser = commands.add_parser(
        "data", help="list, check and convert tables and image sets", description=__doc__
    )
    parser.add_argument("--data-dir", metavar="DIR", help="tables and images (default: $GRAPHNAS_DATA)")
    parser.set_defaults(run=run)
    actions = parser.add_subparsers(dest="action", metavar="ACTION", parser_class=type(parser))
    check = actions.add_parser("check", help="read files whole and say what they hold")
    check.add_argument("name", nargs="?", metavar="NAME", help="one of the list (default: all that is found)")
    check.set_defaults(run=run_check)
    check.add_argument("--data-dir", metavar="DIR", default=argparse.SUPPRESS, help=argparse.SUPPRESS)
    convert = actions.add_parser("convert", help="write the compact file of an official one")
    convert.add_argument("name", metavar="NAME", help="enas6, nasbench101 or nasbench201")
    convert.add_argument("path", type=Path, metavar="PATH", help="the official file or unpacked directory")
    convert.add_argument("--output", type=Path, metavar="DIR", help="data directory (default: --data-dir)")
    convert.add_argument("--force", action="store_true", help="replace an existing file")
    convert.set_defaults(run=run_convert)
    convert.add_argument("--data-dir", metavar="DIR", default=argparse.SUPPRESS, help=argparse.SUPPRESS)


def run(args: argparse.Namespace) -> int:
    """Print the list, and how to get what is missing."""
    print(f"data directory: {describe_directory(args.data_dir)}\n")
    print_list(args.data_dir)
    return 0


def run_check(args: argparse.Namespace) -> int:
    """Read what is found, or the one that is named; 1 if something is damaged."""
    chosen = known_data()
    if args.name is not None:
        chosen = [data for data in chosen if data.name == args.name]
        if not chosen:
            names = ", ".join(data.name for data in known_data())
            raise InvalidArgument(f"no table or image set {args.name!r}; known: {names}")
    damaged = 0
    for data in chosen:
        if args.name is None and where(data, args.data_dir)[0] is None:
            print(f"{data.name}: not found")
            continue
        try:
            lines = data.check(args.data_dir)
        except GraphNASError as error:
            if args.name is not None:
                raise
            print(f"graphnas: error: {data.name}: {' '.join(str(error).split())}", file=sys.stderr)
            damaged += 1
            continue
        print("\n  ".join([f"{data.name}: {lines[0]}", *lines[1:]]), flush=True)
    return 1 if damaged else 0


def run_convert(args: argparse.Namespace) -> int:
    """Write the compact file."""
    from search_spaces.tables.convert import convert

    output = args.output or data_directory(args.data_dir)
    path = convert(args.name, args.path, output, overwrite=args.force)
    print(f"written to {path} ({path.stat().st_size / 1e6:.1f} MB)")
    return 0


def print_list(data_dir: str | None) -> None:
    """Print what is known, where it is, and for what is missing how to get it."""
    found = [(data, *where(data, data_dir)) for data in known_data()]
    rows = [[data.name, data.what, data.size, str(path or "missing")] for data, path, _ in found]
    print(table(["name", "what", "size", "where"], rows))
    for data, path, message in found:
        if path is None:
            print(f"\n{data.name}: {message}")


def describe_directory(data_dir: str | None) -> str:
    """The data directory, whether it exists, and how to choose another."""
    directory = data_directory(data_dir)
    there = "" if directory.is_dir() else ", which does not exist"
    return f"{directory}{there} (set {ENVIRONMENT_VARIABLE} to use another)"
