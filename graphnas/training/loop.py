"""The training loop: SGD with a cosine schedule, with validation after every epoch."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import dataclass

import torch
from torch import nn
from torch.nn.functional import cross_entropy

from graphnas.seeds import derived_seed, torch_generator
from graphnas.training.augment import augmented
from graphnas.training.images import ImageSet, Normalisation
from graphnas.training.randomness import SeededRandomness
from graphnas.training.training_config import TrainingConfig

STEPS_BETWEEN_CHECKS = 50
"""Steps between two checks that the loss is finite; each check makes a GPU wait for its result."""


class Diverged(ArithmeticError):
    """The loss or the network's output is no longer finite."""


@dataclass(frozen=True)
class EpochResult:
    """The result of one epoch.

    Attributes:
        epoch: Number of the epoch, from 1.
        train_loss: Mean loss over the augmented images of the epoch, during training.
        validation_accuracy: In percent, after the epoch; NaN without validation images.
    """

    epoch: int
    train_loss: float
    validation_accuracy: float


def cosine_learning_rate(step: int, steps: int, peak: float, warmup_steps: int = 0) -> float:
    """Learning rate of step ``step`` of ``0..steps - 1``: a linear rise, then half a cosine down to 0.

    ``peak * (1 + cos(pi * t)) / 2`` with ``t`` the fraction of the steps after the rise that are done
    (Loshchilov and Hutter 2017, SGDR, eq. 5, without restarts).
    """
    if step < warmup_steps:
        return peak * (step + 1) / (warmup_steps + 1)
    passed = (step - warmup_steps) / (steps - warmup_steps)
    return peak * 0.5 * (1 + math.cos(math.pi * passed))


def train_epochs(
    module: nn.Module,
    images: ImageSet,
    indices: torch.Tensor,
    config: TrainingConfig,
    normalisation: Normalisation,
    *,
    seed: int,
    validation: torch.Tensor | None = None,
) -> Iterator[EpochResult]:
    """Train ``module`` in place, one epoch per item of the iterator.

    The order of the images, their augmentation and dropout depend on ``seed`` alone; torch's global random
    state is not touched.

    Args:
        module: The network, on the device to train on; it returns ``(B, classes)`` logits.
        images: All images, on the same device if they are in memory.
        indices: The images to train on.
        config: The recipe; its ``patience`` and ``reward_epochs`` are left to the caller.
        normalisation: Applied to every batch.
        seed: An integer of at least 0.
        validation: Images to measure the accuracy on after every epoch; None: no measurement.

    Raises:
        Diverged: The loss or the output is no longer finite.
    """
    device = device_of(module)
    layout = fastest_layout(module, images.shape)
    labels = images.labels.to(device)
    order = torch_generator(seed, "order")
    changes = torch_generator(seed, "augmentation")
    randomness = SeededRandomness(derived_seed(seed, "dropout"))
    optimiser = torch.optim.SGD(
        module.parameters(),
        lr=config.learning_rate,
        momentum=config.momentum,
        weight_decay=config.weight_decay,
        nesterov=config.momentum > 0,
        fused=device.type in ("cpu", "cuda"),
    )
    mixed = config.mixed_precision and device.type == "cuda"
    scaler = torch.amp.GradScaler("cuda", enabled=mixed)
    batches_per_epoch = math.ceil(len(indices) / config.batch_size)
    steps = batches_per_epoch * config.epochs
    warmup = round(config.warmup_epochs * batches_per_epoch)
    step = 0
    for epoch in range(1, config.epochs + 1):
        with torch.enable_grad():
            module.train()
            shuffled = indices[torch.randperm(len(indices), generator=order)]
            # Equal parts: batch normalisation fails on a last batch with a single image.
            batches = shuffled.tensor_split(batches_per_epoch)
            loss_sum = torch.zeros((), device=device)
            for chosen, pixels in zip(batches, images.batches(batches), strict=True):
                rate = cosine_learning_rate(step, steps, config.learning_rate, warmup)
                for group in optimiser.param_groups:
                    group["lr"] = rate
                inputs = augmented(pixels.to(device), config, normalisation, changes)
                inputs = inputs.contiguous(memory_format=layout)
                # Redirecting random numbers takes time, so do so only for networks that draw any.
                if step == 0 or randomness.used:
                    with randomness:
                        output = _forward(module, inputs, mixed)
                else:
                    output = _forward(module, inputs, mixed)
                loss = cross_entropy(
                    output, labels[chosen.to(device)], label_smoothing=config.label_smoothing
                )
                optimiser.zero_grad(set_to_none=True)
                scaler.scale(loss).backward()  # type: ignore[no-untyped-call]
                if config.gradient_clip is not None:
                    scaler.unscale_(optimiser)
                    nn.utils.clip_grad_norm_(module.parameters(), config.gradient_clip)
                scaler.step(optimiser)
                scaler.update()
                loss_sum += loss.detach() * len(chosen)
                step += 1
                if step % STEPS_BETWEEN_CHECKS == 0:
                    check_finite(loss_sum, epoch)
            check_finite(loss_sum, epoch)
        accuracy = math.nan
        if validation is not None:
            accuracy = measure_accuracy(module, images, validation, normalisation, mixed=mixed, layout=layout)
        yield EpochResult(epoch, float(loss_sum) / len(indices), accuracy)


def measure_accuracy(
    module: nn.Module,
    images: ImageSet,
    indices: torch.Tensor,
    normalisation: Normalisation,
    *,
    batch_size: int = 512,
    mixed: bool = False,
    layout: torch.memory_format = torch.contiguous_format,
) -> float:
    """Accuracy in percent of ``module`` in evaluation mode on the images at ``indices``.

    Raises:
        Diverged: The output is not finite.
    """
    device = device_of(module)
    module.eval()
    correct = torch.zeros((), dtype=torch.int64, device=device)
    finite = torch.ones((), dtype=torch.bool, device=device)
    parts = torch.split(indices, batch_size)
    with torch.no_grad():
        for chosen, pixels in zip(parts, images.batches(parts), strict=True):
            inputs = normalisation(pixels.to(device)).contiguous(memory_format=layout)
            output = _forward(module, inputs, mixed)
            correct += (output.argmax(1) == images.labels[chosen].to(device)).sum()
            finite &= torch.isfinite(output).all()
    if not finite:
        raise Diverged("the network's output on validation images is not finite")
    return 100 * int(correct) / len(indices)


def device_of(module: nn.Module) -> torch.device:
    """Device of the parameters of ``module``; the CPU if it has none."""
    return next((parameter.device for parameter in module.parameters()), torch.device("cpu"))


def fastest_layout(module: nn.Module, shape: tuple[int, int, int]) -> torch.memory_format:
    """Convert the weights of ``module`` to the memory layout in which it trains fastest, and return it.

    Channels last saves a third of the time of small convolutions on a CPU, and more with mixed precision on
    CUDA. A network that reshapes with ``view`` can fail with it, so one pass is tried first.
    """
    training = module.training
    inputs = torch.zeros((2, *shape), device=device_of(module))
    try:
        module.to(memory_format=torch.channels_last).eval()  # type: ignore[call-overload]
        with torch.no_grad():
            _forward(module, inputs.contiguous(memory_format=torch.channels_last), False)
        return torch.channels_last
    except Exception:  # training will report whatever is wrong with the network itself
        module.to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]
        return torch.contiguous_format
    finally:
        module.train(training)


def _forward(module: nn.Module, inputs: torch.Tensor, mixed: bool) -> torch.Tensor:
    with torch.autocast("cuda", dtype=torch.float16) if mixed else nullcontext():
        output = module(inputs if mixed else inputs.to(_precision(module)))
    if not isinstance(output, torch.Tensor) or output.ndim != 2 or len(output) != len(inputs):
        got = tuple(output.shape) if isinstance(output, torch.Tensor) else type(output).__name__
        raise TypeError(f"the network must give logits of shape ({len(inputs)}, classes), got {got}")
    return output.float()


def _precision(module: nn.Module) -> torch.dtype:
    return next((p.dtype for p in module.parameters() if p.dtype.is_floating_point), torch.float32)


def check_finite(loss_sum: torch.Tensor, epoch: int) -> None:
    """Check that the sum of an epoch's losses so far is finite.

    Raises:
        Diverged: It is not.
    """
    if not math.isfinite(float(loss_sum)):
        raise Diverged(f"the training loss is not finite in epoch {epoch}")
