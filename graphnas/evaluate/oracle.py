"""OracleEvaluator: measure an architecture by training its network from scratch."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import nn
from tqdm.auto import tqdm

from graphnas.configuration import replaced
from graphnas.errors import TrainingFailed
from graphnas.evaluate.network_evaluator import NetworkEvaluator
from graphnas.graph.architecture import Architecture
from graphnas.graph.evaluation import Evaluation
from graphnas.seeds import derived_seed
from graphnas.training.failures import network_errors, network_errors_in
from graphnas.training.final import train_network
from graphnas.training.loop import EpochResult, Training, train_epochs
from graphnas.training.network import Size, built_network
from graphnas.training.plan import TrainingPlan
from graphnas.training.splits import stratified_split
from graphnas.training.trained_model import TrainedModel
from graphnas.training.training_config import TrainingConfig

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

        Only epochs that count are measured: the last ones, which make the value, and where there is a
        ``report`` or a patience, every ``validate_every``-th.

        Args:
            architecture: A member of the space.
            report: Called with the accuracy after each measured epoch; returning True ends the training
                there, and the value is the mean over the last epochs that were measured.

        Returns:
            The value in percent, parameters, multiply-accumulates, seconds, and the metrics ``train_loss``
            (of the last epoch), ``best_validation_accuracy`` (of the measured epochs),
            ``last_validation_accuracy``, ``top5`` (with more than five classes), ``epochs``.

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
            module, size = built_network(
                self.space,
                architecture,
                self.data.num_classes,
                self.data.train.shape,
                self.shape,
                seed=self.seed,
                device=self.device,
            )
            with tqdm(
                total=self.config.epochs, desc="training", leave=False, disable=not self.progress
            ) as bar:
                for result in self._epochs(module, self._validated(report is not None)):
                    history.append(result)
                    bar.update()
                    accuracy = result.validation_accuracy
                    if math.isnan(accuracy):
                        continue
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
        accuracies = _measured(history)
        last = accuracies[-self.config.reward_epochs :]
        top5 = [r.validation_top5 for r in history if not math.isnan(r.validation_top5)][-len(last) :]
        return Evaluation(
            value=sum(last) / len(last),
            parameters=size.parameters,
            macs=size.macs,
            seconds=seconds,
            metrics={
                "train_loss": history[-1].train_loss,
                "last_validation_accuracy": accuracies[-1],
                "best_validation_accuracy": max(accuracies),
                **({"top5": sum(top5) / len(top5)} if top5 else {}),
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
        config = replaced(self.config, **({} if epochs is None else {"epochs": epochs}), **training)
        self.space.validate(architecture)
        everything = torch.arange(len(self.data.train))
        plan = TrainingPlan(
            space=self.space,
            architecture=architecture,
            data=self.data,
            config=config,
            shape=self.shape,
            split=(everything, None) if full else (self.train_indices, self.validation_indices),
            seed=self.seed,
            device=self.device,
        )
        return train_network(plan, progress=self.progress)

    # ---------------------------------------------------------------- parts

    def _epochs(self, module: nn.Module, validated: Callable[[int], bool]) -> Iterator[EpochResult]:
        """The epochs of training; errors in them are raised as TrainingFailed."""
        with network_errors():
            results = train_epochs(
                Training(
                    module,
                    self._images,
                    self.train_indices,
                    self.config,
                    self.data.normalisation,
                    seed=self.seed,
                    num_classes=self.data.num_classes,
                ),
                validation=self.validation_indices,
                validated=validated,
            )
        return network_errors_in(results)

    def _validated(self, watched: bool) -> Callable[[int], bool]:
        """Whether an epoch counts: always those of the value, others only if somebody watches them."""
        config = self.config
        every = config.validate_every if watched or config.patience is not None else None
        first = config.epochs - config.reward_epochs
        return lambda epoch: epoch > first or (every is not None and epoch % every == 0)

    def __repr__(self) -> str:
        return f"OracleEvaluator({self.space!r}, dataset={self.data.name!r}, seed={self.seed}, {self.config})"


def _measured(history: list[EpochResult]) -> list[float]:
    """The accuracies of the epochs in which it was measured."""
    accuracies = [result.validation_accuracy for result in history]
    return [accuracy for accuracy in accuracies if not math.isnan(accuracy)]


def _stalled(history: list[EpochResult], patience: int | None) -> bool:
    """Whether the last ``patience`` measured epochs did not improve the validation accuracy."""
    accuracies = _measured(history)
    if patience is None or len(accuracies) <= patience:
        return False
    return max(accuracies[-patience:]) <= max(accuracies[:-patience])
