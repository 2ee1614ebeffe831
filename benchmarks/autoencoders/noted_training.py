"""The training of a graph model that notes each epoch's core-seconds and continues where it was stopped."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from graphnas.autoencoders.model import GraphModel
from graphnas.files import replacing


def file_stem(arm: str, seed: int) -> str:
    """Beginning of the names of a training's files."""
    return f"{arm.replace(',', '').replace(' ', '-')}-{seed}"


def train_with_notes(
    model: GraphModel,
    fit: Callable[..., Any],
    stem: Path,
    look: Callable[[Any], dict[str, float]],
    *,
    fresh: bool,
) -> list[dict[str, float]]:
    """Train, or continue; one row per epoch: losses, ``cpu_seconds`` so far, and what ``look`` saw.

    Args:
        model: Trained in place.
        fit: Its method ``fit`` with the training set given.
        stem: Beginning of the names of its checkpoint and of its file of notes.
        look: Called after each epoch; its time does not count.
        fresh: Remove what an earlier start left.

    Raises:
        SystemExit: The file of notes belongs to a model of other settings.
    """
    stem.parent.mkdir(parents=True, exist_ok=True)
    path, checkpoint = stem.with_name(f"{stem.name}.json"), stem.with_name(f"{stem.name}.checkpoint.pt")
    if fresh:
        path.unlink(missing_ok=True)
        checkpoint.unlink(missing_ok=True)
    config = json.loads(json.dumps(model.config.to_dict()))
    rows: list[dict[str, float]] = []
    if path.exists():
        notes = json.loads(path.read_text())
        if notes["config"] != config:
            raise SystemExit(f"{path} has other settings: name another --folder, or --fresh")
        rows = notes["curve"]
    started = time.process_time()

    def note(trained: GraphModel, entry: dict[str, float]) -> None:
        nonlocal rows, started
        number = len(trained.history)
        rows = [row for row in rows if row["number"] < number]  # an epoch may be repeated after a crash
        seconds = (rows[-1]["cpu_seconds"] if rows else 0.0) + time.process_time() - started
        figures: dict[str, Any] = {**entry, "number": number, "cpu_seconds": seconds, **look(trained)}
        rows.append(figures)
        with replacing(path) as part:
            part.write_text(json.dumps({"config": config, "curve": rows}))
        started = time.process_time()

    fit(progress=True, checkpoint=checkpoint, on_epoch=note)
    return rows
