"""Where tables and image sets are found: one setting, ``GRAPHNAS_DATA`` or ``data_dir=``, or a package."""

from __future__ import annotations

import os
import shlex
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path

from graphnas.errors import DataNotFound

ENVIRONMENT_VARIABLE = "GRAPHNAS_DATA"
DEFAULT_DIRECTORY = Path("~/.cache/graphnas")


def data_directory(data_dir: str | os.PathLike[str] | None = None) -> Path:
    """The directory that holds tables and image sets.

    Args:
        data_dir: Used as it is when given; otherwise ``$GRAPHNAS_DATA``, otherwise ``~/.cache/graphnas``.
    """
    chosen = data_dir or os.environ.get(ENVIRONMENT_VARIABLE) or DEFAULT_DIRECTORY
    return Path(chosen).expanduser()


def find_data(
    candidates: Sequence[str],
    *,
    what: str,
    how_to_get: str,
    data_dir: str | os.PathLike[str] | None = None,
    command: str | None = None,
    installed: tuple[str, str] | None = None,
) -> Path:
    """The first of ``candidates`` that exists in the data directory, otherwise a file of a package.

    Args:
        candidates: Relative paths or globs.
        what: What is looked for.
        how_to_get: Sentences that say where it comes from and how large it is.
        data_dir: As for :func:`data_directory`.
        command: A shell command that gets it; ``{directory}`` in it is the data directory.
        installed: A distribution that has it, and the path of the file in it; see :func:`installed_file`.

    Raises:
        DataNotFound: None exists. The first line names the command, if there is one, the second one
            ``how_to_get``, the directory and the names tried.
    """
    directory = data_directory(data_dir)
    for candidate in candidates:
        for path in sorted(directory.glob(candidate)):
            return path
    packaged = installed_file(*installed) if installed else None
    if packaged is not None:
        return packaged
    run = f"; run: {command.format(directory=shlex.quote(str(directory)))}\n" if command else ". "
    raise DataNotFound(
        f"{what} not found{run}{how_to_get} "
        f"Put it into {directory}, or set {ENVIRONMENT_VARIABLE} (or data_dir=) to the directory that holds "
        f"it (looked for {', '.join(candidates)})."
    )


def installed_file(distribution: str, path: str) -> Path | None:
    """The file ``path`` of an installed distribution, whose code is not imported; None if it is not there."""
    try:
        found = Path(str(metadata.distribution(distribution).locate_file(path)))
    except metadata.PackageNotFoundError:
        return None
    return found if found.is_file() else None
