"""The entry point: reads the arguments, runs the command, and turns errors into one line and an exit code."""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
import traceback
from collections.abc import Sequence
from typing import Any, NoReturn

import graphnas
from graphnas.cli import (
    autoencoder,
    bench,
    compare,
    data,
    detect,
    doctor,
    explain,
    export,
    import_results,
    nni_tools,
    search,
    show,
    spaces,
    train,
)
from graphnas.cli.storages import of_database, reason
from graphnas.errors import DataNotFound, GraphNASError, StorageFailed, WorkersLost

BAD_ARGUMENTS = 2
LOST = (StorageFailed, WorkersLost)
INTERRUPTED = 130  # what shells report for a program ended by Ctrl-C


class _Parser(argparse.ArgumentParser):
    """Says what is wrong in one line, without the usage that argparse puts before it.

    Every command takes ``--verbose``, wherever it stands.
    """

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.add_argument(
            "--verbose",
            action="store_true",
            default=argparse.SUPPRESS,
            help="before the line that says what went wrong, show where it did",
        )

    def error(self, message: str) -> NoReturn:
        print(f"graphnas: error: {message} (see {self.prog} --help)", file=sys.stderr)
        sys.exit(BAD_ARGUMENTS)


def build_parser() -> argparse.ArgumentParser:
    """The parser of all commands."""
    parser = _Parser(prog="graphnas", description="Graph-based neural architecture search.")
    parser.add_argument("--version", action="version", version=f"graphnas {graphnas.__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True, parser_class=_Parser)
    actions = (
        search,
        train,
        export,
        detect,
        autoencoder,
        import_results,
        spaces,
        show,
        explain,
        compare,
        data,
        nni_tools,
        bench,
        doctor,
    )
    for command in actions:
        command.add_parser(commands)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command that ``argv`` (by default the process's arguments) asks for.

    Returns:
        The exit code: 0; 1 if a search found nothing or lost its workers, a core part is missing, or a file
        or a database cannot be read or written; 2 for bad arguments or another error that graphnas raises on
        purpose (one line on stderr, or two if data is missing); 130 after Ctrl-C.
    """
    args = build_parser().parse_args(argv)
    args.argv = list(sys.argv[1:] if argv is None else argv)  # for processes that do a part of the same
    try:
        code: int = args.run(args)
        sys.stdout.flush()  # here, so that a reader that has gone away is noticed inside of this block
    except BrokenPipeError:
        # As in "graphnas spaces | head -1". Python would complain once more when it closes stdout.
        with contextlib.suppress(OSError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except Exception as error:
        if not isinstance(error, GraphNASError | OSError) and not of_database(error):
            raise  # a fault of ours or of the user's own code, which has to be seen whole
        if getattr(args, "verbose", False):
            traceback.print_exc()
        print("\n".join(_lines(error)), file=sys.stderr)
        return BAD_ARGUMENTS if isinstance(error, GraphNASError) and not isinstance(error, LOST) else 1
    except KeyboardInterrupt:
        print("\ngraphnas: interrupted", file=sys.stderr)
        return INTERRUPTED
    return code


def _lines(error: Exception) -> list[str]:
    """What is said of an error: one line, or two if data is missing."""
    if isinstance(error, DataNotFound):
        # The first line says what to do, the second one where it was looked for and what else there is.
        first, _, details = str(error).partition("\n")
    elif isinstance(error, GraphNASError):
        first, details = str(error), ""
    elif not isinstance(error, OSError) or not error.strerror:
        first, details = reason(error), ""
    else:  # of the system: without its number
        names = [str(name) for name in (error.filename, error.filename2) if name is not None]
        first, details = ": ".join([*names, error.strerror]), ""
    return list(filter(None, [f"graphnas: error: {' '.join(first.split())}", " ".join(details.split())]))
