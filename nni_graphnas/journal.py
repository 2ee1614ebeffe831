"""Journal: every finished trial with the architecture it really evaluated, one line of JSON each.

NNI's own lists and exports pair parameters with other trials' metrics when trials run side by side, or when
one dies before it asks for its parameters. But its tuners and strategies always receive the right pairs, so
they write them here, and :func:`results` and :func:`best` read them.
"""

from __future__ import annotations

import json
import logging
import math
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from graphnas.errors import CorruptData, DataNotFound, GraphNASError, InvalidArgument
from graphnas.graph.architecture import Architecture
from graphnas.graph.evaluation import Observation
from graphnas.graph.space import GraphSpace

FORMAT = "graphnas.nni_journal"
VERSION = 2
FILE_NAME = "graphnas.jsonl"
"""Name of the journal in the checkpoint directory of an experiment."""

_logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Result:
    """One finished trial.

    Attributes:
        architecture: The evaluated architecture.
        value: The final metric as the trial reported it; None where the trial failed.
        parameters: The hyper-parameters other than the architecture.
        trial: NNI's id of the trial, empty where it is not known.
        curve: Numbers, rising, and values of its intermediate results, as the trial reported them.
        pruned: Whether an assessor ended it early because of these.
    """

    architecture: Architecture
    value: float | None
    parameters: Mapping[str, Any] = field(default_factory=dict)
    trial: str = ""
    curve: tuple[tuple[int, float], ...] = ()
    pruned: bool = False

    def observation(self, sign: float) -> Observation:
        """What a search method learns from the trial.

        Args:
            sign: -1 where the smallest value is the best, else 1.
        """
        return Observation(
            self.architecture,
            None if self.value is None else (sign * self.value,),
            curve=tuple((number, sign * value) for number, value in self.curve),
            pruned=self.pruned,
        )

    def to_dict(self) -> dict[str, Any]:
        """A JSON-ready dictionary."""
        return {
            "architecture": self.architecture.to_dict(),
            "value": self.value,
            "parameters": dict(self.parameters),
            "trial": self.trial,
            "curve": [list(point) for point in self.curve],
            "pruned": self.pruned,
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Result:
        """The inverse of :meth:`to_dict`.

        Raises:
            CorruptData: ``data`` is not of this form.
        """
        try:
            value = data["value"]
            if value is not None and not (isinstance(value, int | float) and math.isfinite(value)):
                raise ValueError(f"value {value!r} is no number")
            return cls(
                Architecture.from_dict(data["architecture"]),
                None if value is None else float(value),
                dict(data["parameters"]),
                str(data["trial"]),
                tuple((int(number), float(reported)) for number, reported in data["curve"]),
                bool(data["pruned"]),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise CorruptData(f"not a result: {error}: {str(data)[:200]}") from error


class Journal:
    """A file of results that is only ever added to.

    Args:
        path: The file; it is made with the first result.
        space: The space of the architectures.
        seed: Seed of the search, kept so that a later process continues with it.
        minimize: Whether the smallest value is the best.
    """

    def __init__(self, path: Path, space: GraphSpace, seed: int, minimize: bool = False) -> None:
        self.path = path
        self._header = {
            "format": FORMAT,
            "version": VERSION,
            "space": space.name,
            "arguments": space.arguments(),
            "seed": seed,
            "minimize": minimize,
        }

    def append(self, result: Result) -> None:
        """Write ``result`` so that it outlives this process, even if that is killed the moment after."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        lines = [json.dumps(result.to_dict())]
        written = self.path.read_bytes() if self.path.exists() else b""
        if not written:
            lines.insert(0, json.dumps(self._header))
        elif not written.endswith(b"\n"):
            lines.insert(0, "")  # a killed process left half a line
        with self.path.open("a", encoding="utf-8") as file:
            file.write("\n".join(lines) + "\n")
            file.flush()
            os.fsync(file.fileno())


@dataclass(frozen=True)
class Contents:
    """What a journal holds.

    Attributes:
        space: Name of the search space.
        arguments: Arguments of the search space.
        seed: Seed of the search.
        minimize: Whether the smallest value is the best.
        results: In the order they came, without the failures of trials that reported a value after all.
    """

    space: str
    arguments: dict[str, Any]
    seed: int
    minimize: bool
    results: list[Result]


def read_journal(path: Path) -> Contents:
    """The contents of a journal. A line that a killed process left unfinished is skipped.

    Raises:
        DataNotFound: There is no such file.
        CorruptData: The file is no journal, or of another version.
    """
    try:
        first, *lines = path.read_text(encoding="utf-8").splitlines() or [""]
    except FileNotFoundError as error:
        raise DataNotFound(f"{path} does not exist: no trial has finished yet") from error
    try:
        header = json.loads(first)
        if header["format"] != FORMAT or header["version"] != VERSION:
            raise ValueError(f"format {header['format']!r}, version {header['version']!r}")
        space, arguments, seed = header["space"], header["arguments"], int(header["seed"])
        minimize = bool(header["minimize"])
    except (ValueError, KeyError, TypeError) as error:
        raise CorruptData(f"{path} is no {FORMAT} of version {VERSION}: {error}") from error
    results: list[Result] = []
    for number, line in enumerate(lines, 2):
        try:
            if line:
                results.append(Result.from_dict(json.loads(line)))
        except (ValueError, GraphNASError) as error:
            _logger.warning("%s, line %d is skipped: %s", path, number, error)
    return Contents(space, arguments, seed, minimize, without_corrected(results))


def without_corrected(results: list[Result]) -> list[Result]:
    """``results`` without the failures of architectures that have a value later."""
    last = {result.architecture: k for k, result in enumerate(results) if result.value is not None}
    return [
        result
        for k, result in enumerate(results)
        if result.value is not None or last.get(result.architecture, -1) < k
    ]


def find_journal(where: str | os.PathLike[str]) -> Path:
    """The journal that ``where`` names: the file itself, an experiment's directory, or its id.

    An id is looked up where NNI noted that the experiment keeps its files, in ``~/nni-experiments`` by
    default, and in that directory itself.

    Raises:
        DataNotFound: There is none, saying where it was looked for.
    """
    path = Path(where).expanduser()
    if path.is_file():
        return path
    homes = [path] if len(path.parts) > 1 else [path, *_homes_of(path.name)]
    tried = [home / part for home in dict.fromkeys(homes) for part in (f"checkpoint/{FILE_NAME}", FILE_NAME)]
    for path in tried:
        if path.is_file():
            return path
    raise DataNotFound(
        f"no journal of an experiment at {where}; looked for {', '.join(map(str, tried))}. Where the "
        "experiment has a working directory of its own (experimentWorkingDirectory in its configuration), "
        "name that directory with the id, as in DIRECTORY/ID"
    )


def _homes_of(experiment: str) -> list[Path]:
    """The directories in which the experiment with this id may keep its files, the most certain first."""
    default = Path("~/nni-experiments").expanduser()
    homes = [default / experiment]
    try:
        # NNI keeps a list of all experiments that it started, whatever their working directories.
        noted = json.loads((default / ".experiment").read_text(encoding="utf-8"))
        directory = Path(noted[experiment]["logDir"])
        homes = [directory / experiment, directory, *homes]
    except (OSError, ValueError, KeyError, TypeError):
        pass
    return homes


def results(where: str | os.PathLike[str]) -> list[Result]:
    """The finished trials of an experiment that one of our tuners or strategies ran.

    Args:
        where: The experiment's id, its directory, or the journal itself.

    Raises:
        DataNotFound: There is no journal; the message says where it was looked for.
        CorruptData: The file is no journal.
    """
    return read_journal(find_journal(where)).results


def best(where: str | os.PathLike[str]) -> Result:
    """The best finished trial of an experiment; the first one where several are equal.

    Raises:
        DataNotFound: There is no journal, or no trial in it has a value.
        CorruptData: The file is no journal.
    """
    contents = read_journal(find_journal(where))
    return best_of(contents.results, contents.minimize)


def best_of(results: list[Result], minimize: bool = False) -> Result:
    """The best of ``results``; the first one where several are equal.

    Raises:
        DataNotFound: None has a value.
    """
    values = [result.value for result in results if result.value is not None]
    if not values:
        raise DataNotFound(f"none of the {len(results)} finished trials has a value")
    wanted = min(values) if minimize else max(values)
    return next(result for result in results if result.value == wanted)


def metric_of(value: Any) -> tuple[float | None, str | None]:
    """The number and the architecture (JSON) in a reported final metric, each None where it is missing.

    A metric is a number, or a dictionary with the number under ``default``, as NNI requires. A number that is
    not finite is a failure.
    """
    echoed = None
    if isinstance(value, Mapping):
        echoed = value.get("architecture")
        value = value.get("default")
    if isinstance(echoed, Mapping):
        echoed = json.dumps(echoed)
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None, echoed if isinstance(echoed, str) else None
    return (number if math.isfinite(number) else None), echoed if isinstance(echoed, str) else None


def checked_mode(optimize_mode: str) -> bool:
    """Whether ``optimize_mode`` is ``"minimize"``.

    Raises:
        InvalidArgument: It is neither that nor ``"maximize"``.
    """
    if optimize_mode not in ("maximize", "minimize"):
        raise InvalidArgument(f"optimize_mode must be 'maximize' or 'minimize', got {optimize_mode!r}")
    return optimize_mode == "minimize"
