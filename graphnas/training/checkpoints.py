"""The files of a training that can be continued: checkpoints, its curve and its log."""

from __future__ import annotations

import csv
import io
import json
import math
import os
import shutil
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from graphnas.errors import CorruptData, InvalidArgument
from graphnas.files import replacing
from graphnas.training.loop import EpochResult, Training
from graphnas.training.tensor_file import read_tensor_file, write_tensor_file

FORMAT = "graphnas.checkpoint"
VERSION = 1
LAST = "last.pt"
BEST = "best.pt"
CURVE = "curve.csv"
LOG = "train.log"


class Checkpoints:
    """The folder that one training writes to.

    ``last.pt`` is written after every epoch, ``best.pt`` is the copy of it with the best accuracy on the held
    out images (without those, of the last epoch), ``curve.csv`` has a row per epoch, ``train.log`` a line. A
    file appears complete or not at all.

    Args:
        directory: Created if it does not exist.
        identity: What is trained and how, in plain JSON; a checkpoint of another training is refused.

    Raises:
        InvalidArgument: The folder cannot be created or written to.
    """

    def __init__(self, directory: Path, identity: Mapping[str, Any]) -> None:
        self.directory = directory
        self.identity = json.loads(json.dumps(identity))
        self.history: list[EpochResult] = []
        self.best = -math.inf
        make_folder(directory)

    def resume(self, training: Training) -> bool:
        """Continue ``training`` from the last checkpoint, if there is one.

        Raises:
            InvalidArgument: It is of another training; the message names what differs.
            CorruptData: It is damaged.
        """
        path = self.directory / LAST
        if not path.is_file():
            return False
        content = read_tensor_file(path, FORMAT, VERSION)
        self._check(content.get("identity"), path)
        try:
            training.load_state_dict(content["training"])
            self.history = [EpochResult(**row) for row in content["history"]]
            self.best = content["best"]
        except (KeyError, TypeError, ValueError, RuntimeError) as error:
            raise CorruptData(f"{path} does not fit the network: {error}") from error
        return True

    def load_best(self, training: Training) -> None:
        """Give ``training`` the weights of the best epoch."""
        training.load_state_dict(read_tensor_file(self.directory / BEST, FORMAT, VERSION)["training"])

    def _check(self, stored: object, path: Path) -> None:
        if not isinstance(stored, dict):
            raise CorruptData(f"{path} does not say what it is a checkpoint of")
        for name in sorted({*stored, *self.identity}):
            old, new = stored.get(name), self.identity.get(name)
            if old != new and isinstance(old, dict) and isinstance(new, dict):
                name, old, new = next(
                    (f"{name} {key}", old.get(key), new.get(key))
                    for key in sorted({*old, *new})
                    if old.get(key) != new.get(key)
                )
            if old != new:
                raise InvalidArgument(
                    f"the training in {self.directory} has {name} {_short(old)}, not {_short(new)}; continue "
                    "it with the same arguments, or choose another folder"
                )

    def save(self, training: Training, result: EpochResult) -> None:
        """Write everything after an epoch."""
        self.history.append(result)
        value = result.validation_accuracy
        better = value > self.best or self.best == -math.inf  # without held out images every epoch
        self.best = value if value > self.best else self.best
        last = write_tensor_file(
            self.directory / LAST,
            FORMAT,
            VERSION,
            {
                "identity": self.identity,
                "training": training.state_dict(),
                "history": [vars(row) for row in self.history],
                "best": self.best,
            },
        )
        if better:
            with replacing(self.directory / BEST) as part:
                shutil.copyfile(last, part)
        self._write_curve()
        self.log(
            f"epoch {result.epoch}/{training.config.epochs}: loss {result.train_loss:.4f}, "
            + (f"held out {value:.2f} %, " if not math.isnan(value) else "")
            + f"learning rate {training.learning_rate:.3g}, {result.seconds:.1f} s"
        )

    def log(self, line: str) -> None:
        """Add a line with the time to the log."""
        with (self.directory / LOG).open("a", encoding="utf-8") as file:
            file.write(f"{time.strftime('%Y-%m-%d %H:%M:%S')} {line}\n")

    def _write_curve(self) -> None:
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        names = list(vars(self.history[0]))
        writer.writerow(names)
        for row in self.history:
            writer.writerow(["" if math.isnan(value) else value for value in vars(row).values()])
        with replacing(self.directory / CURVE) as part:
            part.write_text(text.getvalue(), encoding="utf-8")


def make_folder(directory: Path) -> None:
    """Create a folder to write to, unless it is there.

    Raises:
        InvalidArgument: It cannot be created or written to.
    """
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InvalidArgument(f"cannot create the folder {directory}: {error}") from error
    if not os.access(directory, os.W_OK):
        raise InvalidArgument(f"cannot write into the folder {directory}")


def read_curve(directory: str | os.PathLike[str]) -> list[dict[str, float]]:
    """The rows of a training's curve, NaN where nothing was measured.

    Raises:
        CorruptData: The file holds something else.
    """
    path = Path(directory) / CURVE
    rows: Sequence[Mapping[str, str]] = list(csv.DictReader(path.read_text(encoding="utf-8").splitlines()))
    try:
        return [{name: float(value or "nan") for name, value in row.items()} for row in rows]
    except (TypeError, ValueError) as error:
        raise CorruptData(f"{path} is not the curve of a training: {error}") from error


def _short(value: object) -> str:
    text = json.dumps(value)
    return text if len(text) <= 80 else f"{text[:77]}..."
