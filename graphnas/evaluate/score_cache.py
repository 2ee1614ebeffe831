"""ScoreCache: scores of architectures that took time to compute, in memory and, if wanted, in a file."""

from __future__ import annotations

import itertools
import json
import math
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from graphnas.errors import CorruptData, GraphNASError, InvalidArgument
from graphnas.files import replacing
from graphnas.graph.architecture import Architecture

FORMAT, VERSION = "graphnas.scores", 1

KEPT = 100_000
"""Architectures kept; the oldest are dropped, and would be computed again. Some 100 MB."""

NEW_SHARE = 0.05
"""The share of new scores at which the file is written again, which takes time for all of them."""

Scores = dict[str, float]


class ScoreCache:
    """Named scores by architecture.

    The file is JSON, takes the place of the one before only when it is complete, and holds what the scores
    depend on. Several processes may share it: each adds what the others have written.

    Args:
        settings: What the scores depend on besides the architecture, ready for JSON; for a file.
        file: Where they are kept; None: in memory only. Its folder exists.

    Raises:
        InvalidArgument: The file holds scores of other settings, or its folder does not exist.
        CorruptData: The file is damaged.
    """

    def __init__(
        self, settings: Mapping[str, Any] | None = None, file: str | os.PathLike[str] | None = None
    ) -> None:
        self._settings = json.loads(json.dumps(settings, default=repr))
        self._file = None if file is None else Path(file).expanduser()
        self._scores: dict[Architecture, Scores] = {}
        self._new = 0
        if self._file is not None:
            if not self._file.parent.is_dir():
                raise InvalidArgument(f"the folder of {self._file} does not exist")
            self._scores = self._read()

    def __len__(self) -> int:
        return len(self._scores)

    def get(self, architecture: Architecture) -> Scores:
        """What is known of an architecture, by name; empty where it is nothing."""
        return self._scores.get(architecture, {})

    def add(self, architecture: Architecture, scores: Scores) -> None:
        """Add scores of an architecture to those that are known, and now and then write the file."""
        self._scores[architecture] = self.get(architecture) | scores
        self._new += 1
        if self._new > NEW_SHARE * len(self._scores):
            self.save()
        for oldest in list(itertools.islice(self._scores, max(0, len(self._scores) - KEPT))):
            del self._scores[oldest]

    def save(self) -> None:
        """Write the file, if there is one and anything is new."""
        if self._file is not None and self._new:
            self._scores = self._read() | self._scores
            self._write()
        self._new = 0

    def _write(self) -> None:
        assert self._file is not None
        content = {
            "format": FORMAT,
            "version": VERSION,
            "settings": self._settings,
            "scores": [[a.to_dict(), {k: _plain(v) for k, v in s.items()}] for a, s in self._scores.items()],
        }
        with replacing(self._file) as part:
            part.write_text(json.dumps(content, allow_nan=False, separators=(",", ":")), "utf-8")

    def _read(self) -> dict[Architecture, Scores]:
        assert self._file is not None
        try:
            content = json.loads(self._file.read_text("utf-8"))
        except FileNotFoundError:
            return {}
        except (OSError, ValueError) as error:
            raise CorruptData(f"{self._file} cannot be read: {error}") from error
        if not isinstance(content, dict) or (content.get("format"), content.get("version")) != (
            FORMAT,
            VERSION,
        ):
            raise CorruptData(f"{self._file} is no file of scores ({FORMAT}, version {VERSION})")
        stored = content.get("settings")
        if stored != self._settings:
            differing = ", ".join(sorted(_differing(stored, self._settings)))
            raise InvalidArgument(
                f"{self._file} holds scores of other settings ({differing} differ); name another file"
            )
        try:
            return {
                Architecture.from_dict(architecture): {name: _number(value) for name, value in scores.items()}
                for architecture, scores in content["scores"]
            }
        except (KeyError, TypeError, ValueError, AttributeError, GraphNASError) as error:
            raise CorruptData(f"{self._file} is damaged: {error!r}") from error


def _differing(stored: object, own: Mapping[str, Any]) -> Iterable[str]:
    known = stored if isinstance(stored, dict) else {}
    return (name for name in known.keys() | own.keys() if known.get(name) != own.get(name))


def _plain(value: float) -> float | str | None:
    """``value`` as JSON has it, which knows neither NaN nor infinity."""
    if math.isnan(value):
        return None
    return value if math.isfinite(value) else str(value)


def _number(value: float | str | None) -> float:
    return math.nan if value is None else float(value)
