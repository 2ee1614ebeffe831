"""The training loop: one network, epoch by epoch, with a state that can be kept between any two."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.nn.functional import cross_entropy

from graphnas.seeds import derived_seed, torch_generator
from graphnas.training import processes
from graphnas.training.augment import augmented, check_changes
from graphnas.training.images import ImageSet, Normalisation
from graphnas.training.measuring import Accuracy, Diverged, device_of, logits, measure_accuracy
from graphnas.training.mixing import mixed
from graphnas.training.optimisation import (
    averaged_weights,
    cosine_learning_rate,
    densify,
    make_optimiser,
    set_drop_path,
)
from graphnas.training.precision import arithmetic, narrow, widen
from graphnas.training.randomness import SeededRandomness
from graphnas.training.training_config import TrainingConfig

STEPS_BETWEEN_CHECKS = 50
"""Steps between two checks that the loss is finite; each check makes a GPU wait for its result."""


@dataclass(frozen=True)
class EpochResult:
    """The result of one epoch.

    Attributes:
        epoch: Number of the epoch, from 1.
        train_loss: Mean loss over the augmented images of the epoch, during training.
        validation_accuracy: In percent, after the epoch; NaN where it was not measured.
        validation_top5: The same for the five most probable classes; NaN also where there are only five.
        seconds: Duration of the training, without the validation.
    """

    epoch: int
    train_loss: float
    validation_accuracy: float
    validation_top5: float = math.nan
    seconds: float = 0.0


class Training:
    """The training of one network in place.

    The order of the images, their augmentation and dropout depend on ``seed`` and the number of the epoch
    alone, so that a training continued from :meth:`state_dict` is the same to the bit as one that was not
    interrupted, on a CPU with the same number of threads. torch's global random state is not touched. Among
    several processes each takes its part of every batch.

    Args:
        module: The network, on the device to train on; it returns ``(B, classes)`` logits.
        images: All images, on the same device if they are in memory.
        indices: The images to train on, two or more.
        config: The recipe; its ``patience`` and ``reward_epochs`` are left to the caller.
        normalisation: Applied to every batch.
        seed: An integer of at least 0.
        num_classes: Number of outputs, for mixed images; by default one more than the largest label.

    Attributes:
        epoch: Epochs that are done.

    Raises:
        InvalidArgument: The network has none of the layers that ``drop_path`` is for, or an augmentation is
            not defined for such images.
    """

    def __init__(
        self,
        module: nn.Module,
        images: ImageSet,
        indices: torch.Tensor,
        config: TrainingConfig,
        normalisation: Normalisation,
        *,
        seed: int,
        num_classes: int | None = None,
    ) -> None:
        self.module, self.images, self.indices, self.config = module, images, indices, config
        self.normalisation, self.seed = normalisation, seed
        self.num_classes = num_classes or int(images.labels.max()) + 1
        self.device = device_of(module)
        check_changes(config, images.shape, images.dtype)
        set_drop_path(module, config.drop_path)
        self._half = arithmetic(config.precision, module, self.device)
        self._narrow = widen(module)
        self._layout = fastest_layout(module, images.shape, self._half)
        self._labels = images.labels.to(self.device)
        self._optimiser = make_optimiser(module, config, self.device)
        self._scaler = torch.amp.GradScaler(self.device.type, enabled=self._half == torch.float16)
        self._average = averaged_weights(module, config.ema_decay)
        self._forward = processes.together(module, images.shape)
        if config.compile:
            self._forward = torch.compile(self._forward)  # type: ignore[assignment]
        # No batch of a single image for any process: batch normalisation has no variance of it.
        smallest = 2 * processes.count()
        self.steps_per_epoch = max(
            1, min(math.ceil(len(indices) / config.batch_size), len(indices) // smallest)
        )
        self.epoch = 0

    @property
    def learning_rate(self) -> float:
        """The learning rate of the last step."""
        return float(self._optimiser.param_groups[0]["lr"])

    def run_epoch(self, on_step: Callable[[], object] | None = None) -> float:
        """Train for one epoch.

        Args:
            on_step: Called after each step.

        Returns:
            The mean loss over its augmented images.

        Raises:
            Diverged: The loss is no longer finite.
        """
        number = self.epoch + 1
        changes = torch_generator(self.seed, "augmentation", number, processes.rank())
        randomness = SeededRandomness(derived_seed(self.seed, "dropout", number, processes.rank()))
        order = torch_generator(self.seed, "order", number)
        shuffled = self.indices[torch.randperm(len(self.indices), generator=order)]
        whole = shuffled.tensor_split(self.steps_per_epoch)
        parts = [processes.share(batch) for batch in whole]
        loss_sum = torch.zeros((), device=self.device)
        with torch.enable_grad():
            self.module.train()
            for position, pixels in enumerate(self.images.batches(parts)):
                chosen = parts[position]
                self._set_learning_rate(self.epoch * self.steps_per_epoch + position)
                inputs = augmented(pixels.to(self.device), self.config, self.normalisation, changes)
                targets = self._labels[chosen.to(self.device)]
                inputs, targets = mixed(inputs, targets, self.config, self.num_classes, changes)
                inputs = inputs.contiguous(memory_format=self._layout)
                # Redirecting random numbers takes time, so do so only for networks that draw any.
                if position == 0 or randomness.used:
                    with randomness:
                        output = logits(self._forward, inputs, self._half)
                else:
                    output = logits(self._forward, inputs, self._half)
                loss = cross_entropy(output, targets, label_smoothing=self.config.label_smoothing)
                # The gradients of all processes are averaged, whose parts may differ in size by one.
                weight = len(chosen) * processes.count() / len(whole[position])
                self._step(loss if weight == 1 else loss * weight)
                loss_sum += loss.detach() * len(chosen)
                if on_step is not None:
                    on_step()
                if (position + 1) % STEPS_BETWEEN_CHECKS == 0:
                    check_finite(loss_sum, number)
        loss_sum = processes.total(loss_sum)
        check_finite(loss_sum, number)
        self.epoch = number
        return float(loss_sum) / len(self.indices)

    def _set_learning_rate(self, step: int) -> None:
        steps = self.steps_per_epoch * self.config.epochs
        warmup = round(self.config.warmup_epochs * self.steps_per_epoch)
        rate = cosine_learning_rate(step, steps, self.config.learning_rate, warmup)
        for group in self._optimiser.param_groups:
            group["lr"] = rate

    def _step(self, loss: torch.Tensor) -> None:
        self._optimiser.zero_grad(set_to_none=True)
        self._scaler.scale(loss).backward()  # type: ignore[no-untyped-call]
        densify(self.module.parameters())
        if self.config.gradient_clip is not None:
            self._scaler.unscale_(self._optimiser)
            nn.utils.clip_grad_norm_(self.module.parameters(), self.config.gradient_clip)
        self._scaler.step(self._optimiser)
        self._scaler.update()
        if self._average is not None:
            self._average.update_parameters(self.module)

    @property
    def measured(self) -> nn.Module:
        """The network that counts: with averaged weights where they are averaged."""
        return self.module if self._average is None else self._average.module

    def measure(self, images: ImageSet, indices: torch.Tensor) -> Accuracy:
        """Accuracy of :attr:`measured` on the images at ``indices``.

        Raises:
            Diverged: The output is not finite.
        """
        return measure_accuracy(
            self.measured, images, indices, self.normalisation, half=self._half, layout=self._layout
        )

    def finished(self) -> nn.Module:
        """:attr:`measured` as it was built: in its own precision and in the plain memory layout.

        A loaded network has that layout, so that both give the same output to the last bit.
        """
        module = self.measured
        module.to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]
        narrow(module, self._narrow)
        return module.eval()

    def state_dict(self) -> dict[str, Any]:
        """Everything that the next epoch depends on beside the arguments."""
        return {
            "epoch": self.epoch,
            "module": self.module.state_dict(),
            "optimiser": self._optimiser.state_dict(),
            "scaler": self._scaler.state_dict(),
            "average": {} if self._average is None else self._average.state_dict(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from ``state``."""
        self.module.load_state_dict(state["module"])
        self._optimiser.load_state_dict(state["optimiser"])
        if state["scaler"]:
            self._scaler.load_state_dict(state["scaler"])
        if self._average is not None:
            self._average.load_state_dict(state["average"])
        self.epoch = int(state["epoch"])


def train_epochs(
    training: Training,
    *,
    validation: torch.Tensor | None = None,
    validated: Callable[[int], bool] = lambda _epoch: True,
    on_step: Callable[[], object] | None = None,
) -> Iterator[EpochResult]:
    """The remaining epochs of a training, one per item.

    Args:
        training: The training.
        validation: Images to measure the accuracy on; None: no measurement.
        validated: Whether to measure after an epoch, from 1.
        on_step: Called after each step.

    Raises:
        Diverged: The loss or the output is no longer finite.
    """
    while training.epoch < training.config.epochs:
        started = time.perf_counter()
        loss = training.run_epoch(on_step)
        seconds = time.perf_counter() - started
        accuracy = Accuracy(math.nan, math.nan)
        if validation is not None and validated(training.epoch):
            accuracy = training.measure(training.images, validation)
        yield EpochResult(training.epoch, loss, accuracy.top1, accuracy.top5, seconds)


def fastest_layout(
    module: nn.Module, shape: tuple[int, int, int], half: torch.dtype | None = None
) -> torch.memory_format:
    """Convert the weights of ``module`` to the memory layout in which it trains fastest, and return it.

    Channels last saves a third of the time of small convolutions on a CPU, and more with mixed precision on
    CUDA. A network that reshapes with ``view`` can fail with it, so one pass is tried first.
    """
    training = module.training
    inputs = torch.zeros((2, *shape), device=device_of(module))
    try:
        module.to(memory_format=torch.channels_last).eval()  # type: ignore[call-overload]
        with torch.no_grad():
            logits(module, inputs.contiguous(memory_format=torch.channels_last), half)
        return torch.channels_last
    except Exception:  # training will report whatever is wrong with the network itself
        module.to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]
        return torch.contiguous_format
    finally:
        module.train(training)


def check_finite(loss_sum: torch.Tensor, epoch: int) -> None:
    """Check that the sum of an epoch's losses so far is finite.

    Raises:
        Diverged: It is not.
    """
    if not math.isfinite(float(loss_sum)):
        raise Diverged(f"the training loss is not finite in epoch {epoch}")
