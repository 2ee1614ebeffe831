"""Training of the performance predictor: updates, validation, and checkpoints from which it goes on."""

from __future__ import annotations

import hashlib
import math
import os
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from tqdm.auto import tqdm

from graphnas.autoencoders.performance import PerformancePredictor, rmse
from graphnas.autoencoders.training import LearningRate
from graphnas.errors import InvalidArgument, TrainingFailed
from graphnas.graph.batch import ArchitectureBatch
from graphnas.training.tensor_file import read_tensor_file, write_tensor_file

FORMAT = "graphnas.predictor.checkpoint"
VERSION = 1

Values = NDArray[np.float64]
Model = TypeVar("Model", bound=PerformancePredictor)


def train_predictor(
    model: Model,
    graphs: ArchitectureBatch,
    targets: Values,
    validation: tuple[ArchitectureBatch, Values] | None,
    progress: bool,
    checkpoint: str | os.PathLike[str] | None,
    on_epoch: Callable[[Model, dict[str, float]], None] | None,
) -> None:
    """Train on vertex graphs; see :meth:`PerformancePredictor.fit`."""
    path = None if checkpoint is None else Path(checkpoint)
    run = _Run(model, graphs, targets, validation)
    if path is not None and path.exists():
        saved = read_tensor_file(path, FORMAT, VERSION)
        if saved["identity"] != run.identity:
            raise InvalidArgument(
                f"{path} is the checkpoint of another training (other settings, seed, graphs or targets); "
                "remove it or name another file"
            )
        run.load(saved)
    epochs = model.config.training.epochs
    with tqdm(
        total=epochs,
        initial=len(model.history),
        desc=type(model).__name__,
        unit="epoch",
        leave=False,
        disable=None if progress else True,  # None: only where somebody watches
    ) as bar:
        while len(model.history) < epochs:
            entry = run.train_epoch()
            if path is not None:
                write_tensor_file(path, FORMAT, VERSION, run.state())
            if on_epoch is not None:
                on_epoch(model, entry)
            bar.update()
            bar.set_postfix(rmse=f"{entry.get('validation_rmse', entry['train_rmse']):.4f}")
    run.finish()


class _Run:
    """One training from fresh weights."""

    def __init__(
        self,
        model: PerformancePredictor,
        graphs: ArchitectureBatch,
        targets: Values,
        validation: tuple[ArchitectureBatch, Values] | None,
    ) -> None:
        self.model, self.config = model.restart(), model.config.training
        self.identity = _identity(model, graphs, targets, validation)
        self.graphs, self.validation = graphs.to(model.device), validation
        scaled = (targets - model._offset) / model._scale
        self.targets = torch.from_numpy(scaled).float().to(model.device)
        self.batches = math.ceil(len(graphs) / self.config.batch_size)
        self.rate = LearningRate(self.config, self.config.epochs * self.batches)
        self.optimizer = torch.optim.Adam(model.parameters(), lr=self.config.learning_rate, fused=True)
        self.order_rng = model._generator(2)
        self.best: tuple[float, dict[str, torch.Tensor]] | None = None
        model.history = []

    def train_epoch(self) -> dict[str, float]:
        """One pass over the graphs; the entry of the history."""
        model, config = self.model, self.config
        done = len(model.history)
        order = torch.randperm(len(self.graphs), generator=self.order_rng).to(model.device)
        squares = torch.zeros((), device=model.device, dtype=torch.float64)
        for batch, index in enumerate(torch.split(order, config.batch_size)):
            rate = self.rate.before(done * self.batches + batch)
            for group in self.optimizer.param_groups:
                group["lr"] = rate
            with torch.autocast(model.device.type, torch.bfloat16, enabled=config.precision == "bfloat16"):
                predicted = model(self.graphs[index])
            errors = (predicted.float() - self.targets[index]).square()
            self.optimizer.zero_grad(set_to_none=True)
            errors.mean().backward()
            if config.clip is not None:
                torch.nn.utils.clip_grad_norm_(model.parameters(), config.clip)
            self.optimizer.step()
            squares += errors.detach().sum()
        loss = float(squares) / len(self.graphs)
        if not math.isfinite(loss):
            raise TrainingFailed(
                f"the loss of epoch {done + 1} is {loss}; a smaller learning_rate or a clip may help"
            )
        self.rate.after_epoch(loss)
        entry = {"epoch": done + 1, "train_rmse": math.sqrt(loss) * model._scale, "learning_rate": rate}
        if self.validation is not None:
            error = rmse(model._predict(self.validation[0]), self.validation[1])
            entry["validation_rmse"] = error
            if model.config.keep_best and (self.best is None or error < self.best[0]):
                self.best = error, {name: value.clone() for name, value in model.state_dict().items()}
        model.history.append(entry)
        return entry

    def finish(self) -> None:
        """Take the weights of the best epoch, where they are asked for."""
        if self.best is not None:
            self.model.load_state_dict(self.best[1])

    def state(self) -> dict[str, Any]:
        """Everything the next epoch depends on."""
        return {
            "identity": self.identity,
            "history": self.model.history,
            "weights": self.model.state_dict(),
            "best": self.best,
            "optimizer": self.optimizer.state_dict(),
            "rate": self.rate.state(),
            "order_rng": self.order_rng.get_state(),
        }

    def load(self, saved: dict[str, Any]) -> None:
        """Go on after the epoch that was saved."""
        self.model.history = saved["history"]
        self.model.load_state_dict(saved["weights"])
        self.best = saved["best"]
        self.optimizer.load_state_dict(saved["optimizer"])
        self.rate.load(saved["rate"])
        self.order_rng.set_state(saved["order_rng"])


def _identity(
    model: PerformancePredictor,
    graphs: ArchitectureBatch,
    targets: Values,
    validation: tuple[ArchitectureBatch, Values] | None,
) -> str:
    """A digest of all that decides a training."""
    digest = hashlib.sha256(repr((asdict(model.config), model.seed, model.space.name)).encode())
    for batch, values in [(graphs, targets)] + ([] if validation is None else [validation]):
        for array in (*batch.to_arrays(), values):
            digest.update(repr(array.shape).encode() + np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()
