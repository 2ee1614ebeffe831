"""SupernetEvaluator: measure architectures with weights that all of them share."""

from __future__ import annotations

import dataclasses
import logging
import math
import os
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

import numpy as np
import torch
from torch import nn
from tqdm.auto import tqdm

from graphnas.errors import CorruptData, InvalidArgument, TrainingFailed
from graphnas.evaluate.network_evaluator import NetworkEvaluator
from graphnas.evaluate.supernet_config import SupernetConfig
from graphnas.evaluate.supernet_training import (
    SharedWeights,
    SupernetEpoch,
    batches_of_epoch,
    measure_many,
    measuring_view,
    train_epoch,
)
from graphnas.graph.architecture import Architecture
from graphnas.graph.evaluation import Evaluation
from graphnas.seeds import derived_seed, torch_generator
from graphnas.training.failures import network_errors
from graphnas.training.randomness import SeededRandomness
from graphnas.training.splits import last_part, stratified_split
from graphnas.training.tensor_file import load_weights, read_tensor_file, write_tensor_file

_logger = logging.getLogger(__name__)

FORMAT = "graphnas.supernet"
VERSION = 1

Source = Sequence[Architecture] | Callable[[int, np.random.Generator], Sequence[Architecture]]
"""What to train: random architectures of a list, or those that ``source(count, rng)`` returns."""


class SupernetEvaluator(NetworkEvaluator[SupernetConfig]):
    """Trains one network whose weights all architectures share, and measures each with its part of them.

    Weight sharing of ENAS (Pham et al., ICML 2018) as GraphPNAS uses it for the ENAS macro space: each step
    trains the sub-network of an architecture drawn from a given distribution (a method's samples, or the
    space's), and an architecture is measured, without training of its own, on images held out of the training
    set. GraphPNAS measures on the test set; that would leak it into the search, so no test image is read
    here. The caller decides how training and measuring alternate; see
    :class:`graphnas.methods.graphpnas.SupernetSearch` for the turns of GraphPNAS.

    Every epoch's randomness follows from ``seed`` and its number. So the same seed and the same architectures
    give the same weights, and training resumed from a checkpoint gives the same weights as training without a
    break, to the last bit on a CPU with the same number of threads. Neither torch's global random numbers nor
    its number of threads are changed. :meth:`evaluate` may be called from several threads, but not while
    :meth:`train` runs.

    The arguments are those of :class:`.NetworkEvaluator`, for a space that has a ``supernet``, such as
    ENASMacro; ``config`` is a :class:`~graphnas.evaluate.supernet_config.SupernetConfig`.
    """

    config_class = SupernetConfig

    def _builder(self) -> Callable[..., nn.Module]:
        make: Callable[..., nn.Module] | None = getattr(self.space, "supernet", None)
        if make is None:
            raise InvalidArgument(
                f"the architectures of {self.space.name} share no weights: the space has no supernet(); "
                "enas and enas6 have"
            )
        return make

    def _prepare(self) -> None:
        with SeededRandomness(derived_seed(self.seed, "weights")):
            network = self._builder()(self.data.num_classes, **self.shape)
        # Channels last saves a third of the time of small convolutions on a CPU, and more on CUDA.
        self.network = network.to(self.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self._view = measuring_view(self.network, self.config.statistics)
        self._mixed = self.config.mixed_precision and self.device.type == "cuda"
        self._scaler = torch.amp.GradScaler("cuda", enabled=self._mixed)
        self._optimiser = _optimiser(self.network, self.config, self.device)
        self.epoch = 0
        """Epochs trained so far."""

    # ---------------------------------------------------------------- training

    def train(self, epochs: int = 1, architectures: Source | None = None) -> list[SupernetEpoch]:
        """Train the shared weights for further epochs.

        Args:
            epochs: Number of epochs.
            architectures: A list of architectures, of which each step trains one at random, or a function
                ``source(count, rng)`` that gives the ``count`` architectures of an epoch; by default random
                architectures of the space.

        Returns:
            The result of each epoch.

        Raises:
            InvalidArchitecture: An architecture is not in the space.
            InvalidArgument: No epoch, no architecture, or a source that gives another number of them.
            TrainingFailed: It diverged or ran out of memory. The weights are useless then: load a checkpoint.
        """
        if isinstance(epochs, bool) or not isinstance(epochs, int) or epochs < 1:
            raise InvalidArgument(f"epochs must be an integer of at least 1, got {epochs!r}")
        if architectures is not None and not callable(architectures):
            self._validate(architectures)
        results: list[SupernetEpoch] = []
        steps = len(batches_of_epoch(self.train_indices, self.config, 0))
        with tqdm(
            total=epochs * steps, desc="supernet", leave=False, disable=None if self.progress else True
        ) as bar:
            for _ in range(epochs):
                results.append(self._train_epoch(architectures, bar))
        return results

    def _train_epoch(self, source: Source | None, bar: Any) -> SupernetEpoch:
        started = time.perf_counter()
        epoch = self.epoch + 1
        batches = batches_of_epoch(self.train_indices, self.config, derived_seed(self.seed, f"order {epoch}"))
        chosen = self._chosen(source, len(batches) * self.config.architectures_per_step, epoch)
        with network_errors():
            loss = train_epoch(
                self.network,
                self._optimiser,
                self._scaler,
                self._images,
                batches,
                chosen,
                self.config,
                self.data.normalisation,
                seed=self.seed,
                epoch=epoch,
                tick=bar.update,
            )
        self.epoch = epoch
        rate = self.config.learning_rate_at(epoch)
        bar.set_postfix(epoch=epoch, loss=f"{loss:.3f}", refresh=False)
        return SupernetEpoch(epoch, loss, rate, time.perf_counter() - started)

    def _chosen(self, source: Source | None, count: int, epoch: int) -> Sequence[Architecture]:
        """The architectures that the steps of an epoch train, in order."""
        rng = np.random.default_rng(derived_seed(self.seed, f"architectures {epoch}"))
        if source is None:
            return self.space.sample_batch(rng, count).to_architectures()
        if not callable(source):
            return [source[int(k)] for k in rng.integers(len(source), size=count)]
        chosen = source(count, rng)
        if len(chosen) != count:
            raise InvalidArgument(f"the source of architectures gave {len(chosen)} instead of {count}")
        self._validate(chosen)
        return chosen

    # ---------------------------------------------------------------- measuring

    def evaluate(self, architecture: Architecture) -> Evaluation:
        """Measure one architecture; see :meth:`evaluate_batch`."""
        return self.evaluate_batch([architecture])[0]

    def evaluate_batch(self, architectures: Sequence[Architecture]) -> list[Evaluation]:
        """Measure architectures with their parts of the shared weights, on the images held out.

        Layers that they have in common from the first one on are computed only once, with the same result.

        Args:
            architectures: Members of the space.

        Returns:
            For each, in order: the accuracy in percent as value, parameters, multiply-accumulates, its share
            of the seconds, and the metric ``supernet_epochs``. If the output is not finite or memory runs
            out, the evaluation is a failed one that says why.

        Raises:
            InvalidArchitecture: An architecture is not in the space.
            InvalidArgument: There is none.
        """
        self._validate(architectures)
        if self.epoch == 0:
            _logger.warning("%s: the shared weights are untrained; call train first", self.space.name)
        started = time.perf_counter()
        reason = "diverged: the network's output on validation images is not finite"
        accuracies = [math.nan] * len(architectures)
        try:
            with network_errors():
                accuracies = measure_many(
                    cast(SharedWeights, self._view),
                    self.device,
                    architectures,
                    self._images,
                    self.validation_indices,
                    self.config,
                    self.data.normalisation,
                    seed=self.seed,
                    mixed=self._mixed,
                )
        except TrainingFailed as error:
            reason = str(error)
        seconds = (time.perf_counter() - started) / len(architectures)
        shared, evaluations = cast(SharedWeights, self.network), []
        for architecture, accuracy in zip(architectures, accuracies, strict=True):
            parameters, macs = shared.complexity(architecture, self.data.train.shape[1:])
            if math.isnan(accuracy):
                failure = Evaluation.failure(reason, parameters=parameters, macs=macs, seconds=seconds)
                evaluations.append(failure)
            else:
                metrics = {"supernet_epochs": float(self.epoch)}
                evaluations.append(Evaluation(accuracy, parameters, macs, seconds, metrics))
        return evaluations

    # ---------------------------------------------------------------- state

    def state_dict(self) -> dict[str, Any]:
        """Everything needed to resume training: tensors, numbers and text only."""
        return {
            **self._identity(),
            "epoch": self.epoch,
            "weights": self.network.state_dict(),
            "optimiser": self._optimiser.state_dict(),
            "scaler": self._scaler.state_dict(),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Resume from a state of :meth:`state_dict`.

        Raises:
            InvalidArgument: It is the state of another space, data set, shape, configuration or seed.
            CorruptData: It is damaged.
        """
        try:
            for name, ours in self._identity().items():
                if state[name] != ours:
                    raise InvalidArgument(
                        f"the shared weights were trained with {name} {state[name]!r}, not {ours!r}"
                    )
            epoch, optimiser, scaler = state["epoch"], state["optimiser"], state["scaler"]
            weights = state["weights"]
        except (KeyError, TypeError) as error:
            raise CorruptData(f"the state of a supernet lacks {error}") from error
        if type(epoch) is not int or epoch < 0:
            raise CorruptData(f"the state of a supernet has trained epochs {epoch!r}")
        _check_momentum(optimiser, list(self.network.parameters()))
        load_weights(self.network, weights)
        self._optimiser.load_state_dict(optimiser)
        if scaler:  # empty if written without mixed precision: the loss's scale then starts anew
            self._scaler.load_state_dict(scaler)
        self.epoch = epoch

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write a checkpoint; the file appears complete or not at all."""
        write_tensor_file(path, FORMAT, VERSION, self.state_dict())

    def load(self, path: str | os.PathLike[str]) -> None:
        """Resume from a checkpoint of :meth:`save`.

        Raises:
            DataNotFound: There is no such file.
            CorruptData: It is damaged, or of another kind or version.
            InvalidArgument: It is that of another space, data set, shape, configuration or seed.
        """
        self.load_state_dict(read_tensor_file(path, FORMAT, VERSION))

    # ---------------------------------------------------------------- parts

    def _identity(self) -> dict[str, Any]:
        """What must be the same for a state to be loaded; the device and the precision may differ."""
        config = dataclasses.asdict(self.config)
        del config["mixed_precision"]
        return {
            "space": self.space.name,
            "arguments": self.space.arguments(),
            "dataset": self.data.name,
            "images": len(self.data.train),
            "shape": dict(self.shape),
            "config": config,
            "seed": self.seed,
        }

    def _split(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Indices of the training images that are trained on, and of those that are measured on."""
        labels, config = self.data.train.labels, self.config
        if config.validation_split == "last":
            trained, held = last_part(labels, config.validation_fraction)
        else:
            seed = derived_seed(self.seed, "split")
            held, trained = stratified_split(labels, config.validation_fraction, seed=seed)
        if config.validation_limit is not None and config.validation_limit < len(held):
            # Spread evenly, so that a limit does not change which part of the set is measured on.
            places = torch.arange(config.validation_limit) * len(held) // config.validation_limit
            held = held[places]
        # In sorted files, batches in their order would be of one class each, with statistics of its own.
        order = torch_generator(self.seed, "order of the images held out")
        return trained, held[torch.randperm(len(held), generator=order)]

    def _validate(self, architectures: Sequence[Architecture]) -> None:
        if len(architectures) == 0:
            raise InvalidArgument("architectures must hold at least one, got none")
        for architecture in architectures:
            self.space.validate(architecture)

    def __repr__(self) -> str:
        return (
            f"SupernetEvaluator({self.space!r}, dataset={self.data.name!r}, seed={self.seed}, "
            f"{self.epoch} epochs, {self.config})"
        )


def _optimiser(network: nn.Module, config: SupernetConfig, device: torch.device) -> torch.optim.SGD:
    optimiser = torch.optim.SGD(
        network.parameters(),
        lr=config.learning_rate,
        momentum=config.momentum,
        weight_decay=config.weight_decay,
        fused=device.type in ("cpu", "cuda"),
    )
    if config.momentum:
        # An operation may get its first gradient in any step, but torch's fused SGD expects all of them in
        # the first one. Starting from zero gives the same momentum after one gradient: that gradient.
        for parameter in network.parameters():
            optimiser.state[parameter]["momentum_buffer"] = torch.zeros_like(parameter)
    return optimiser


def _check_momentum(optimiser: object, parameters: Sequence[nn.Parameter]) -> None:
    """Refuse, before loading it, the state of an optimiser of other parameters.

    Raises:
        CorruptData: It is not that of SGD on ``parameters``.
    """
    try:
        groups, momentum = optimiser["param_groups"], optimiser["state"]  # type: ignore[index]
        fits = len(groups) == 1 and list(groups[0]["params"]) == list(range(len(parameters)))
        for index, entry in momentum.items():
            buffer = entry["momentum_buffer"]
            fits &= buffer is None or buffer.shape == parameters[index].shape
    except (KeyError, TypeError, IndexError, AttributeError) as error:
        raise CorruptData(f"the state of the optimiser is damaged: {error!r}") from error
    if not fits:
        raise CorruptData("the state of the optimiser is that of other parameters")
