"""OracleEvaluator: measure an architecture by training its network from scratch."""

from __future__ import annotations

import dataclasses
import logging
import time
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import torch
from torch import nn
from tqdm.auto import tqdm

from graphnas.configuration import replaced
from graphnas.errors import GraphNASError, TrainingFailed
from graphnas.evaluate.network_evaluator import NetworkEvaluator
from graphnas.graph.architecture import Architecture
from graphnas.graph.evaluation import Evaluation
from graphnas.seeds import derived_seed
from graphnas.training.failures import network_errors
from graphnas.training.loop import EpochResult, measure_accuracy, train_epochs
from graphnas.training.randomness import SeededRandomness
from graphnas.training.splits import stratified_split
from graphnas.training.trained_model import TrainedModel
from graphnas.training.training_config import TrainingConfig
from search_spaces.complexity import count_complexity

_logger = logging.getLogger(__name__)

Report = Callable[[int, float], bool]
"""``report(epoch, accuracy) -> stop``, called after each epoch; returning True ends the training."""


class OracleEvaluator(NetworkEvaluator[TrainingConfig]):
    """Trains the network of an architecture from scratch and measures it on validation images.

    The low-data split of GraphPNAS (its RandWire experiments): a fraction of the training images of each
    class is trained on, the others validate, and the value is the mean validation accuracy of the last three
    epochs, in percent. Test images take no part in it; :meth:`train` measures on them.

    The same architecture under the same seed gives the same result to the last bit on a CPU with the same
    number of threads, in any process and beside other threads. Neither torch's global random numbers nor its
    number of threads are changed. On CUDA the draws are the same, but torch's sums are repeatable only if the
    user asks torch for that.

    The arguments are those of :class:`.NetworkEvaluator`; ``config`` is a
    :class:`~graphnas.training.training_config.TrainingConfig`.
    """

    config_class = TrainingConfig

    def _builder(self) -> Callable[..., nn.Module]:
        return self.space.build

    def _split(self) -> tuple[torch.Tensor, torch.Tensor]:
        return stratified_split(
            self.data.train.labels,
            self.config.train_fraction,
            seed=derived_seed(self.seed, "split"),
            rest_limit=self.config.validation_limit,
        )

    def evaluate(self, architecture: Architecture, *, report: Report | None = None) -> Evaluation:
        """Train on the low-data split and measure the validation accuracy.

        If training diverges, memory runs out or the network raises an error, the evaluation is a failed one
        that says why, so that a search can continue. Interrupts and errors of ``report`` are raised.

        Args:
            architecture: A member of the space.
            report: Called with the accuracy after each epoch; returning True ends the training there, and the
                value is the mean over the last epochs that were run.

        Returns:
            The value in percent, parameters, multiply-accumulates, seconds, and the metrics ``train_loss``
            (of the last epoch), ``best_validation_accuracy``, ``last_validation_accuracy``, ``epochs``.

        Raises:
            InvalidArchitecture: The architecture is not in the space.
        """
        self.space.validate(architecture)
        started = time.perf_counter()
        history: list[EpochResult] = []
        size = Size(None, None)
        reason = ""
        module: nn.Module | None = None
        try:
            module, size = self._network(architecture)
            with tqdm(
                total=self.config.epochs, desc="training", leave=False, disable=not self.progress
            ) as bar:
                for result in self._epochs(module, self.config, self.train_indices, self.validation_indices):
                    history.append(result)
                    bar.update()
                    accuracy = result.validation_accuracy
                    bar.set_postfix(accuracy=f"{accuracy:.2f}", refresh=False)
                    if report is not None and report(result.epoch, accuracy):
                        break
                    if _stalled(history, self.config.patience):
                        break
        except TrainingFailed as failure:
            reason = str(failure)
        seconds = time.perf_counter() - started
        if reason:
            if self.device.type == "cuda":  # only now: the error held the network's tensors
                module = None
                torch.cuda.empty_cache()
            _logger.warning("%s: an evaluation failed: %s", self.space.name, reason)
            return Evaluation.failure(reason, parameters=size.parameters, macs=size.macs, seconds=seconds)
        accuracies = [result.validation_accuracy for result in history]
        last = accuracies[-self.config.reward_epochs :]
        return Evaluation(
            value=sum(last) / len(last),
            parameters=size.parameters,
            macs=size.macs,
            seconds=seconds,
            metrics={
                "train_loss": history[-1].train_loss,
                "last_validation_accuracy": accuracies[-1],
                "best_validation_accuracy": max(accuracies),
                "epochs": float(len(history)),
            },
        )

    def train(
        self, architecture: Architecture, *, full: bool = True, epochs: int | None = None, **training: Any
    ) -> TrainedModel:
        """Train the network to keep it, and measure it on the test images.

        Args:
            architecture: A member of the space.
            full: Train on all training images; False trains on the search's part of them only, and also
                reports the validation accuracy.
            epochs: Number of epochs, instead of the configuration's.
            **training: Other fields of the configuration to replace. ``patience`` and ``reward_epochs`` have
                no effect here.

        Returns:
            The network, with the test accuracy in percent as the value of its evaluation.

        Raises:
            InvalidArchitecture: The architecture is not in the space.
            InvalidArgument: An unknown or invalid field.
            TrainingFailed: It diverged, ran out of memory, or the network raised an error.
        """
        self.space.validate(architecture)
        config = replaced(self.config, **({} if epochs is None else {"epochs": epochs}), **training)
        test = self.data.test
        started = time.perf_counter()
        indices = torch.arange(len(self.data.train)) if full else self.train_indices
        module, size = self._network(architecture)
        passes = self._epochs(module, config, indices, None)
        for result in tqdm(passes, "training", config.epochs, leave=False, disable=not self.progress):
            metrics = {"train_loss": result.train_loss, "epochs": float(result.epoch)}
        # The layout that a loaded model has, so that both give the same output to the last bit.
        module.to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]
        with network_errors():
            if not full:
                metrics["validation_accuracy"] = measure_accuracy(
                    module, self._images, self.validation_indices, self.data.normalisation
                )
            metrics["test_accuracy"] = measure_accuracy(
                module, test, torch.arange(len(test)), self.data.normalisation
            )
        evaluation = Evaluation(
            value=metrics["test_accuracy"],
            parameters=size.parameters,
            macs=size.macs,
            seconds=time.perf_counter() - started,
            metrics=metrics,
        )
        return TrainedModel(
            module=module.cpu().eval(),
            space=self.space,
            architecture=architecture,
            evaluation=evaluation,
            num_classes=self.data.num_classes,
            image_shape=self.data.train.shape,
            shape=dict(self.shape),
            normalisation=self.data.normalisation,
            dataset=self.data.name,
            class_names=self.data.class_names,
            training={**dataclasses.asdict(config), "seed": self.seed},
        )

    # ---------------------------------------------------------------- parts

    def _network(self, architecture: Architecture) -> tuple[nn.Module, Size]:
        """The network on the device, with initial weights that follow the seed."""

        def build() -> nn.Module:
            return self.space.build(architecture, self.data.num_classes, **self.shape)

        with network_errors():
            with SeededRandomness(derived_seed(self.seed, "weights")):
                module = build()
            parameters = sum(p.numel() for p in module.parameters() if p.requires_grad)
            try:
                macs = count_complexity(build, self.data.train.shape).macs
            except GraphNASError:
                raise
            except Exception as error:
                # A user's own network may be trainable although it cannot be run without weights.
                _logger.warning("%s: multiply-accumulates not counted: %s", self.space.name, error)
                macs = None
            return module.to(self.device), Size(parameters, macs)

    def _epochs(
        self,
        module: nn.Module,
        config: TrainingConfig,
        indices: torch.Tensor,
        validation: torch.Tensor | None,
    ) -> Iterator[EpochResult]:
        """The epochs of training; errors in them are raised as TrainingFailed."""
        results = train_epochs(
            module,
            self._images,
            indices,
            config,
            self.data.normalisation,
            seed=self.seed,
            validation=validation,
        )
        while True:
            with network_errors():
                result = next(results, None)
            if result is None:
                return
            yield result

    def __repr__(self) -> str:
        return f"OracleEvaluator({self.space!r}, dataset={self.data.name!r}, seed={self.seed}, {self.config})"


class Size(NamedTuple):
    """Trainable parameters and multiply-accumulates of a network, each None if unknown."""

    parameters: int | None
    macs: int | None


def _stalled(history: list[EpochResult], patience: int | None) -> bool:
    """Whether the last ``patience`` epochs did not improve the validation accuracy."""
    if patience is None or len(history) <= patience:
        return False
    accuracies = [result.validation_accuracy for result in history]
    return max(accuracies[-patience:]) <= max(accuracies[:-patience])
