"""Files of results: architectures of a space and their values, in CSV or JSON; every bad row is reported."""

from __future__ import annotations

import csv
import io
import json
import math
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from graphnas.configuration import close_match
from graphnas.errors import CorruptData, DataNotFound, GraphNASError, InvalidArchitecture, InvalidArgument
from graphnas.graph.architecture import Architecture
from graphnas.graph.space import GraphSpace

ARCHITECTURE = "architecture"
"""The column of the architecture; without it, each parameter of the space has a column."""

SHOWN = 5
"""Bad rows that an error names."""


@dataclass(frozen=True)
class Result:
    """One row.

    Attributes:
        place: Where it is in the file, such as ``line 3``.
        architecture: The architecture.
        values: The numbers of the columns of values, finite.
        constraints: Those of the columns of constraints, finite.
    """

    place: str
    architecture: Architecture
    values: tuple[float, ...]
    constraints: tuple[float, ...]


@dataclass(frozen=True)
class Results:
    """A file that was read.

    Attributes:
        name: The file's name without its ending.
        rows: The rows that could be read.
        skipped: What is wrong with each of the others.
    """

    name: str
    rows: tuple[Result, ...]
    skipped: tuple[str, ...]


def read_results(
    path: str | os.PathLike[str],
    space: GraphSpace,
    *,
    values: str | Sequence[str] = "value",
    constraints: Sequence[str] = (),
    skip_invalid: bool = False,
) -> Results:
    """Architectures and their values.

    A file whose name ends with ``.json`` holds a list of objects, any other is CSV with a header line. In
    both, ``architecture`` is :meth:`.Architecture.to_json`, the official string form where the space has one,
    or, in JSON, an object of the space's parameters. Without ``architecture`` each of these parameters has a
    column of its own. Other columns are ignored.

    Args:
        path: The file.
        space: The space of the architectures.
        values: The column of the values, or several.
        constraints: The columns of constraint values.
        skip_invalid: Whether rows that cannot be read are left out.

    Raises:
        DataNotFound: There is no such file.
        CorruptData: It is not CSV or JSON of this form, or rows cannot be read and are not to be left out;
            the message names them.
        InvalidArgument: A named column is not in the file.
    """
    path = Path(path)
    columns = [values] if isinstance(values, str) else list(values)
    if not columns:
        raise InvalidArgument("at least one column of values must be named")
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError as error:
        raise DataNotFound(f"there is no file {path}") from error
    except (OSError, UnicodeDecodeError) as error:
        raise CorruptData(f"{path} cannot be read as text: {error}") from error
    read = _json_rows if path.suffix.lower() == ".json" else _csv_rows
    rows, problems = [], []
    named = [*columns, *constraints]
    table = list(read(path, text))
    if not table:
        raise CorruptData(f"{path} holds no results")
    known = list(dict.fromkeys(name for _, row in table if isinstance(row, Mapping) for name in row))
    for name in named:
        if known and name not in known:
            raise InvalidArgument(f"{path} has no column {name!r}; {close_match(name, known)}")
    for place, row in table:
        try:
            if not isinstance(row, Mapping):
                raise CorruptData(str(row))
            numbers = tuple(_number(row, name) for name in named)
            architecture = space.completed(_architecture(row, space))
        except GraphNASError as error:
            problems.append(f"{place}: {error}")
        else:
            rows.append(Result(place, architecture, numbers[: len(columns)], numbers[len(columns) :]))
    if problems and not (skip_invalid and rows):
        more = f"; and {len(problems) - SHOWN} more" if len(problems) > SHOWN else ""
        raise CorruptData(
            f"{path}: {len(problems)} of {len(table)} rows cannot be read: "
            f"{'; '.join(problems[:SHOWN])}{more}"
            + (
                ""
                if skip_invalid
                else " (skip_invalid=True, or graphnas import --skip-invalid, leaves them out)"
            )
        )
    return Results(path.stem, tuple(rows), tuple(problems))


Row = tuple[str, Any]
"""Where a row is, and a mapping from columns to entries; a text that says what is wrong with it otherwise."""


def _json_rows(path: Path, text: str) -> Iterator[Row]:
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise CorruptData(f"{path} is not JSON: {error}") from error
    if not isinstance(content, list):
        raise CorruptData(f"{path} must hold a list of objects, got {type(content).__name__}")
    for number, item in enumerate(content, start=1):
        yield f"entry {number}", item if isinstance(item, dict) else f"not an object: {str(item)[:60]!r}"


def _csv_rows(path: Path, text: str) -> Iterator[Row]:
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        header = [name.strip() for name in next(reader, [])]
        if len(set(header)) < len(header):
            raise CorruptData(f"{path}: the header names a column twice: {', '.join(header)}")
        for cells in reader:
            if not cells:
                continue
            place = f"line {reader.line_num}"
            if len(cells) != len(header):
                yield place, f"{len(cells)} cells, but the header has {len(header)}"
            else:
                yield place, dict(zip(header, cells, strict=True))
    except csv.Error as error:
        raise CorruptData(f"{path}, line {reader.line_num}: not CSV: {error}") from error


def _number(row: Mapping[str, Any], name: str) -> float:
    """The finite number in the column ``name``."""
    entry = row.get(name)
    try:
        if isinstance(entry, bool) or entry is None:
            raise ValueError
        value = float(entry)
    except (TypeError, ValueError) as error:
        raise CorruptData(f"{name} must be a number, got {entry!r}") from error
    if not math.isfinite(value):
        raise CorruptData(f"{name} must be finite, got {entry!r}")
    return value


def _architecture(row: Mapping[str, Any], space: GraphSpace) -> Architecture:
    if ARCHITECTURE not in row:
        return _from_parameters(row, space)
    form = row[ARCHITECTURE]
    if isinstance(form, str) and form.lstrip().startswith("{"):
        try:
            form = json.loads(form)
        except ValueError as error:
            raise InvalidArchitecture(f"not JSON: {error}") from error
    if isinstance(form, Mapping):
        return Architecture.from_dict(dict(form)) if "format" in form else _from_parameters(form, space)
    if not isinstance(form, str):
        raise InvalidArchitecture(f"an architecture is an object or a text, got {form!r}")
    if not hasattr(space, "from_string"):
        raise InvalidArchitecture(f"the space {space.name!r} has no string form; got {form[:60]!r}")
    architecture: Architecture = space.from_string(form)
    return architecture


def _from_parameters(row: Mapping[str, Any], space: GraphSpace) -> Architecture:
    """The architecture of the space's parameters in ``row``, whose entries may be texts."""
    values: dict[str, Any] = {}
    for name, choices in space.parameters().items():
        if name not in row:
            raise InvalidArchitecture(f"neither {ARCHITECTURE!r} nor the parameter {name!r} is there")
        entry = row[name]
        by_text = {str(choice): choice for choice in choices}
        values[name] = by_text.get(entry.strip(), entry) if isinstance(entry, str) else entry
    return space.from_parameters(values)
