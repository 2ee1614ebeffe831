"""Training of graph autoencoders: updates, learning rate, checkpoints from which it goes on bit for bit."""

from __future__ import annotations

import hashlib
import math
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import torch
from tqdm.auto import tqdm

from graphnas.autoencoders.base import GraphAutoencoder
from graphnas.autoencoders.config import TrainingConfig
from graphnas.errors import InvalidArgument, TrainingFailed
from graphnas.graph.batch import ArchitectureBatch
from graphnas.training.tensor_file import read_tensor_file, write_tensor_file

FORMAT = "graphnas.autoencoder.checkpoint"
VERSION = 1

Model = TypeVar("Model", bound=GraphAutoencoder)


class LearningRate:
    """The learning rate of each update.

    Args:
        config: Schedule and its settings.
        updates: Updates of the whole training.
    """

    def __init__(self, config: TrainingConfig, updates: int) -> None:
        self.config, self.updates = config, updates
        self.rate = config.learning_rate
        self.best, self.waited = math.inf, 0

    def before(self, update: int) -> float:
        """The rate of update number ``update`` (from 0)."""
        if self.config.schedule == "one_cycle":
            # Cosine from 1/25 of the maximum up and from there down to 1/10,000 of it.
            rise = max(self.config.warmup * self.updates, 1.0)
            low, position = (1 / 25, update / rise) if update < rise else (1e-4, 0.0)
            if update >= rise:
                position = 1 - (update - rise) / max(self.updates - rise, 1.0)
            self.rate = self.config.learning_rate * (low + (1 - low) * (1 - math.cos(math.pi * position)) / 2)
        return self.rate

    def after_epoch(self, loss: float) -> None:
        """Reduce the rate where the loss has stopped falling, as PyTorch's ReduceLROnPlateau does."""
        if self.config.schedule != "plateau":
            return
        if loss < self.best * (1 - 1e-4):
            self.best, self.waited = loss, 0
            return
        self.waited += 1
        if self.waited > self.config.patience:
            self.waited = 0
            if self.rate * (1 - self.config.factor) > 1e-8:  # PyTorch's smallest step
                self.rate *= self.config.factor

    def state(self) -> dict[str, float]:
        """What :meth:`load` needs."""
        return {"rate": self.rate, "best": self.best, "waited": self.waited}

    def load(self, state: dict[str, Any]) -> None:
        """Go on where :meth:`state` was taken."""
        self.rate, self.best, self.waited = state["rate"], state["best"], state["waited"]


def train(
    model: Model,
    graphs: ArchitectureBatch,
    progress: bool = False,
    checkpoint: str | os.PathLike[str] | None = None,
    on_epoch: Callable[[Model, dict[str, float]], None] | None = None,
) -> None:
    """Train ``model`` on vertex graphs; see :meth:`GraphAutoencoder.fit`."""
    rounds, epochs = model.rounds, model.config.training.epochs
    path = None if checkpoint is None else Path(checkpoint)
    identity = _identity(model, graphs)
    saved = None
    if path is not None and path.exists():
        saved = read_tensor_file(path, FORMAT, VERSION)
        if saved["identity"] != identity:
            raise InvalidArgument(
                f"{path} is the checkpoint of another training (other settings, seed or graphs); "
                "remove it or name another file"
            )
    graphs = graphs.to(model.device)
    model.history = [] if saved is None else saved["history"]
    done = len(model.history)
    with tqdm(
        total=rounds * epochs,
        initial=done,
        desc=type(model).__name__,
        unit="epoch",
        leave=False,
        disable=None if progress else True,  # None: only where somebody watches
    ) as bar:
        for round_number in range(done // epochs if done < rounds * epochs else rounds, rounds):
            run = _Round(model, graphs, round_number)
            if saved is not None:
                run.load(saved)
                saved = None
            while run.epoch < epochs:
                entry = run.train_epoch()
                if rounds > 1:
                    entry = {"round": round_number + 1, **entry}
                model.history.append(entry)
                if path is not None:
                    content = {**run.state(), "identity": identity, "history": model.history}
                    write_tensor_file(path, FORMAT, VERSION, content)
                if on_epoch is not None:
                    on_epoch(model, entry)
                bar.update()
                bar.set_postfix(loss=f"{entry['loss']:.4f}")
        if saved is not None:  # it was finished
            model.load_state_dict(saved["weights"])
    model.eval()


class _Round:
    """One training from fresh weights."""

    def __init__(self, model: GraphAutoencoder, graphs: ArchitectureBatch, number: int) -> None:
        self.model, self.graphs, self.number = model.restart(number), graphs, number
        self.config = model.config.training
        self.epoch = 0
        self.batches = math.ceil(len(graphs) / self.config.batch_size)
        self.rate = LearningRate(self.config, self.config.epochs * self.batches)
        self.optimizer = torch.optim.Adam(model.parameters(), lr=self.config.learning_rate, fused=True)
        self.order_rng = model._generator(2, number)
        self.noise_rng = model._generator(3, number)

    def train_epoch(self) -> dict[str, float]:
        """One pass over the graphs; the entry of the history."""
        model, config = self.model, self.config
        model.train()
        order = torch.randperm(len(self.graphs), generator=self.order_rng).to(model.device)
        sums = torch.zeros(3, device=model.device, dtype=torch.float64)
        for batch, index in enumerate(torch.split(order, config.batch_size)):
            rate = self.rate.before(self.epoch * self.batches + batch)
            for group in self.optimizer.param_groups:
                group["lr"] = rate
            with torch.autocast(
                model.device.type, torch.bfloat16, enabled=config.precision == "bfloat16", cache_enabled=True
            ):
                elbo = model._elbo(self.graphs[index], self.noise_rng)
            loss = model._loss(elbo)
            self.optimizer.zero_grad(set_to_none=True)
            loss.backward()  # type: ignore[no-untyped-call]
            if config.clip is not None:
                torch.nn.utils.clip_grad_norm_(model.parameters(), config.clip)
            self.optimizer.step()
            parts = torch.stack([loss, elbo.reconstruction.mean(), elbo.kl.mean()])
            sums += parts.detach() * len(index)
        model.eval()
        self.epoch += 1
        loss_mean, reconstruction, kl = (sums / len(self.graphs)).tolist()
        if not math.isfinite(loss_mean):
            raise TrainingFailed(
                f"the loss of epoch {self.epoch} is {loss_mean}; a smaller learning_rate or a clip may help"
            )
        self.rate.after_epoch(loss_mean)
        return {
            "epoch": self.epoch,
            "loss": loss_mean,
            "reconstruction": reconstruction,
            "kl": kl,
            "learning_rate": rate,
        }

    def state(self) -> dict[str, Any]:
        """Everything the next epoch depends on."""
        return {
            "epoch": self.epoch,
            "weights": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "rate": self.rate.state(),
            "order_rng": self.order_rng.get_state(),
            "noise_rng": self.noise_rng.get_state(),
        }

    def load(self, saved: dict[str, Any]) -> None:
        """Go on after the epoch that was saved; after the last one there is only the embedding to carry."""
        kept = self.model._kept_between_rounds()
        if saved["epoch"] == self.config.epochs:
            self.model.load_state_dict({name: saved["weights"][name] for name in kept}, strict=False)
            return
        self.epoch = saved["epoch"]
        self.model.load_state_dict(saved["weights"])
        self.optimizer.load_state_dict(saved["optimizer"])
        self.rate.load(saved["rate"])
        self.order_rng.set_state(saved["order_rng"])
        self.noise_rng.set_state(saved["noise_rng"])


def _identity(model: GraphAutoencoder, graphs: ArchitectureBatch) -> str:
    """A digest of all that decides a training."""
    digest = hashlib.sha256()
    settings = (type(model).__name__, model.config.to_dict(), model.seed, model.space.name)
    digest.update(repr(settings).encode())
    for array in graphs.to_arrays():
        digest.update(repr(array.shape).encode() + array.tobytes())
    return digest.hexdigest()
