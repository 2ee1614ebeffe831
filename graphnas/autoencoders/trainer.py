"""The trainer of the autoencoders and the predictor; it resumes from its checkpoints to the last bit."""

from __future__ import annotations

import copy
import hashlib
import math
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor
from torch.optim.lr_scheduler import ConstantLR, OneCycleLR, ReduceLROnPlateau
from tqdm.auto import tqdm

from graphnas.autoencoders.config import TrainingConfig
from graphnas.autoencoders.model import GraphModel
from graphnas.autoencoders.optimisers import make_optimizers
from graphnas.errors import InvalidArgument, TrainingFailed
from graphnas.graph.batch import ArchitectureBatch
from graphnas.training.tensor_file import read_tensor_file, write_tensor_file

FORMAT = "graphnas.autoencoder.checkpoint"
VERSION = 3

Model = TypeVar("Model", bound=GraphModel)
Schedule = OneCycleLR | ReduceLROnPlateau | ConstantLR


class AnnotatedBatch(ArchitectureBatch):
    """Graphs with further tensors, one row per graph, that are moved and indexed along with them.

    Attributes:
        columns: The tensors by name.
    """

    __slots__ = ("columns",)

    def __init__(self, batch: ArchitectureBatch, **columns: Tensor) -> None:
        super().__init__(batch.adjacency, batch.operations, batch.num_nodes)
        self.columns = columns

    def to(self, device: torch.device | str) -> AnnotatedBatch:
        """The same batch on ``device``."""
        return AnnotatedBatch(super().to(device), **{k: v.to(device) for k, v in self.columns.items()})

    def __getitem__(self, index: Any) -> AnnotatedBatch:
        """A part of the batch."""
        return AnnotatedBatch(super().__getitem__(index), **{k: v[index] for k, v in self.columns.items()})


def checked_targets(targets: ArrayLike, count: int) -> NDArray[np.float64]:
    """``targets`` as ``(count,)`` doubles.

    Raises:
        InvalidArgument: They have another shape, or are not all finite.
    """
    values = np.asarray(targets, np.float64)
    if values.shape != (count,) or not np.isfinite(values).all():
        raise InvalidArgument(
            f"targets must be {count} finite numbers, one per architecture, got shape {values.shape}"
            + (f" with {int((~np.isfinite(values)).sum())} that are not finite" if values.size else "")
        )
    return values


def make_schedule(optimizer: torch.optim.Optimizer, config: TrainingConfig, updates: int) -> Schedule:
    """The scheduler that ``config`` names; that of ``"plateau"`` steps per epoch, the others per update."""
    if config.schedule == "plateau":
        return ReduceLROnPlateau(optimizer, factor=config.factor, patience=config.patience)
    if config.schedule == "constant":
        return ConstantLR(optimizer, factor=1.0, total_iters=0)
    # OneCycleLR divides by zero unless the rate rises for a step and falls for another.
    steps = max(updates, 3)
    return OneCycleLR(
        optimizer,
        config.learning_rate,
        total_steps=steps,
        pct_start=max(config.warmup, 2 / steps),
        cycle_momentum=False,
        final_div_factor=400,
    )


def train(
    model: Model,
    graphs: ArchitectureBatch,
    *,
    progress: bool = False,
    checkpoint: str | os.PathLike[str] | None = None,
    on_epoch: Callable[[Model, dict[str, float]], None] | None = None,
    also_decided_by: Sequence[NDArray[Any]] = (),
    scores: Callable[[float], dict[str, float]] | None = None,
    keep_best: str | None = None,
) -> None:
    """Train ``model`` from fresh weights as ``model.config.training`` says.

    Args:
        model: The model, trained in place.
        graphs: The training set; its parts are passed to ``model.batch_losses``.
        progress: Show a bar.
        checkpoint: A file written after every epoch. If it exists, training resumes from it and, on the CPU,
            ends with the same weights to the last bit as without the interruption.
        on_epoch: Called after each epoch with the model, in evaluation mode, and the entry of its history.
        also_decided_by: Further data that the training depends on, such as targets; a checkpoint from
            training on other data is refused.
        scores: Called after each epoch with the loss; its result is added to the entry of the history.
        keep_best: Name of a score; the model ends with the weights of the epoch where it was lowest.

    Raises:
        InvalidArgument: The checkpoint belongs to another training.
        CorruptData: The checkpoint is damaged.
        TrainingFailed: The loss is no longer finite.
    """
    rounds, epochs = model.rounds, model.config.training.epochs
    path = None if checkpoint is None else Path(checkpoint)
    identity = _identity(model, [*graphs.to_arrays(), *also_decided_by])
    saved, best = None, None
    model.history = []
    if path is not None and path.exists():
        saved = read_tensor_file(path, FORMAT, VERSION)
        if saved["identity"] != identity:
            raise InvalidArgument(
                f"{path} is the checkpoint of another training (other settings, seed, graphs or targets); "
                "remove it or name another file"
            )
        model.history, best = saved["history"], saved["best"]
    graphs = graphs.to(model.device)
    with tqdm(
        total=rounds * epochs,
        initial=len(model.history),
        desc=type(model).__name__,
        unit="epoch",
        leave=False,
        disable=None if progress else True,  # None: only show it on a terminal
    ) as bar:
        for number in range(min(len(model.history) // epochs, rounds - 1), rounds):
            run = _Round(model, graphs, number)
            if saved is not None:
                run.resume(saved)
                saved = None
            while run.epoch < epochs:
                entry = run.train_epoch()
                if rounds > 1:
                    entry = {"round": number + 1, **entry}
                if scores is not None:
                    entry.update(scores(entry["loss"]))
                if keep_best is not None and (best is None or entry[keep_best] < best[0]):
                    best = entry[keep_best], copy.deepcopy(model.state_dict())
                model.history.append(entry)
                if path is not None:
                    content = {"identity": identity, "history": model.history, "best": best, **run.state()}
                    write_tensor_file(path, FORMAT, VERSION, content)
                if on_epoch is not None:
                    on_epoch(model, entry)
                bar.update()
                bar.set_postfix({name: f"{entry[name]:.4f}" for name in (keep_best or "loss",)})
    if best is not None:
        model.load_state_dict(best[1])
    model.eval()


class _Round:
    """One training from fresh weights."""

    def __init__(self, model: GraphModel, graphs: ArchitectureBatch, number: int) -> None:
        self.model, self.graphs, self.number = model.restart(number), graphs, number
        self.config = model.config.training
        self.epoch = 0
        updates = self.config.epochs * math.ceil(len(graphs) / self.config.batch_size)
        self.optimizers = make_optimizers(model, self.config.optimizer, self.config.learning_rate)
        self.schedules = [make_schedule(optimizer, self.config, updates) for optimizer in self.optimizers]
        self.order = model.generator(2, number)
        self.noise = model.generator(3, number)

    def train_epoch(self) -> dict[str, float]:
        """Make one pass over the graphs and return its entry of the history."""
        model, config, device = self.model, self.config, self.model.device
        mixed = config.precision == "bfloat16"
        model.train()
        order = torch.randperm(len(self.graphs), generator=self.order).to(device)
        sums: dict[str, Tensor] = {}
        for index in torch.split(order, config.batch_size):
            with torch.autocast(device.type, torch.bfloat16, enabled=mixed):
                losses = model.batch_losses(self.graphs[index], self.noise)
            model.zero_grad(set_to_none=True)
            losses["loss"].backward()  # type: ignore[no-untyped-call]
            if config.clip is not None:
                torch.nn.utils.clip_grad_norm_(model.parameters(), config.clip)
            rate = self.optimizers[0].param_groups[0]["lr"]
            for optimizer, schedule in zip(self.optimizers, self.schedules, strict=True):
                optimizer.step()
                if not isinstance(schedule, ReduceLROnPlateau):
                    schedule.step()
            for name, value in losses.items():
                sums[name] = sums.get(name, 0) + value.detach().double() * len(index)
        model.eval()
        self.epoch += 1
        means = {name: float(value) / len(self.graphs) for name, value in sums.items()}
        loss = means["loss"]
        if not math.isfinite(loss):
            raise TrainingFailed(
                f"the loss of epoch {self.epoch} is {loss}; a smaller learning_rate or a clip may help"
            )
        for schedule in self.schedules:
            if isinstance(schedule, ReduceLROnPlateau):
                schedule.step(loss)
        return {"epoch": self.epoch, **means, "learning_rate": rate}

    def state(self) -> dict[str, Any]:
        """Everything the next epoch depends on."""
        return {
            "epoch": self.epoch,
            "weights": self.model.state_dict(),
            "optimizers": [optimizer.state_dict() for optimizer in self.optimizers],
            "schedules": [schedule.state_dict() for schedule in self.schedules],
            "order": self.order.get_state(),
            "noise": self.noise.get_state(),
        }

    def resume(self, saved: dict[str, Any]) -> None:
        """Continue after the epoch that was saved, which may have been the last one of the round before."""
        if len(self.model.history) == self.number * self.config.epochs:
            kept = {name: saved["weights"][name] for name in self.model.kept_between_rounds()}
            self.model.load_state_dict(kept, strict=False)
            return
        self.epoch = saved["epoch"]
        self.model.load_state_dict(saved["weights"])
        for optimizer, state in zip(self.optimizers, saved["optimizers"], strict=True):
            optimizer.load_state_dict(state)
        for schedule, state in zip(self.schedules, saved["schedules"], strict=True):
            schedule.load_state_dict(state)
        self.order.set_state(saved["order"])
        self.noise.set_state(saved["noise"])


def _identity(model: GraphModel, arrays: Sequence[NDArray[Any]]) -> str:
    """A digest of everything that decides a training."""
    settings = (type(model).__name__, model.config.to_dict(), model.seed, model.space.name)
    digest = hashlib.sha256(repr(settings).encode())
    for array in arrays:
        digest.update(repr(array.shape).encode() + np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()
