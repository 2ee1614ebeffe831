"""Reads and writes our compact files: gzipped CSV without quoted fields, as text columns and numbers."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from graphnas.errors import CorruptData


def read_columns(path: Path, required: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """The columns of a file as text.

    Raises:
        CorruptData: It is truncated, damaged, or has no column of a name in ``required``.
    """
    try:
        lines = gzip.decompress(path.read_bytes()).decode("ascii").splitlines()
    except (OSError, EOFError, zlib.error, UnicodeDecodeError) as error:
        raise CorruptData(f"{path} is not a complete gzipped CSV file ({error}); copy it again") from error
    header = lines[0].split(",") if lines else []
    missing = [name for name in required if name not in header]
    if missing:
        raise CorruptData(f"{path} is another file: it has no column {', '.join(missing)}")
    fields = [line.split(",") for line in lines[1:]]
    short = next((k for k, row in enumerate(fields, start=2) if len(row) != len(header)), None)
    if short is not None or not fields:
        raise CorruptData(
            f"{path}: line {short or 2} does not have {len(header)} fields; copy the file again"
        )
    return dict(zip(header, zip(*fields, strict=True), strict=True))


def read_numbers(path: Path, name: str, values: Sequence[str]) -> NDArray[np.float64]:
    """The values of the column ``name`` as numbers.

    Raises:
        CorruptData: They are none.
    """
    try:
        return np.array(values, np.float64)
    except ValueError as error:
        raise CorruptData(f"{path}: column {name!r} does not hold numbers ({error})") from error


def write_columns(path: Path, columns: Mapping[str, Sequence[Any]]) -> None:
    """Write columns of equal length; the same content gives the same bytes."""
    lines = [",".join(columns), *(",".join(map(str, row)) for row in zip(*columns.values(), strict=True))]
    path.write_bytes(gzip.compress("\n".join(lines).encode("ascii"), mtime=0))
