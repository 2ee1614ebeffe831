"""Where tables and image sets are found: one setting, ``GRAPHNAS_DATA`` or ``data_dir=``."""

from __future__ import annotations

import os
from collections.abc import Sequence
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
    candidates: Sequence[str], *, what: str, how_to_get: str, data_dir: str | os.PathLike[str] | None = None
) -> Path:
    """The first of ``candidates`` (relative paths or globs) that exists in the data directory.

    Raises:
        DataNotFound: None exists; the message names the directory, the names tried and ``how_to_get``.
    """
    directory = data_directory(data_dir)
    for candidate in candidates:
        for path in sorted(directory.glob(candidate)):
            return path
    tried = ", ".join(candidates)
    raise DataNotFound(
        f"{what} not found in {directory} (looked for {tried}). {how_to_get} "
        f"Put it there, or set {ENVIRONMENT_VARIABLE} (or data_dir=) to the directory that holds it."
    )
