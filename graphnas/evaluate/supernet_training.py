"""One epoch of training shared weights, and the accuracy of many sub-networks on the same images."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import nn
from torch.nn.functional import cross_entropy

from graphnas.evaluate.supernet_config import SupernetConfig
from graphnas.graph.architecture import Architecture
from graphnas.seeds import derived_seed, torch_generator
from graphnas.training.augment import lightly_augmented
from graphnas.training.images import ImageSet, Normalisation
from graphnas.training.loop import STEPS_BETWEEN_CHECKS, check_finite
from graphnas.training.measuring import device_of
from graphnas.training.randomness import SeededRandomness


class SharedWeights(Protocol):
    """What the module of a space's ``supernet`` must offer."""

    def __call__(self, images: torch.Tensor, architecture: Architecture) -> torch.Tensor:
        """Logits ``(B, classes)`` of one sub-network."""

    def forward_many(self, images: torch.Tensor, architectures: Sequence[Architecture]) -> torch.Tensor:
        """Logits ``(A, B, classes)`` of ``A`` sub-networks on the same images, in evaluation mode."""

    def complexity(self, architecture: Architecture, image_size: tuple[int, int]) -> tuple[int, int]:
        """Trainable parameters of a sub-network and its multiply-accumulates."""


@dataclass(frozen=True)
class SupernetEpoch:
    """The result of one epoch.

    Attributes:
        epoch: Its number, from 1.
        train_loss: Mean loss over the images of the epoch, as they were seen in training.
        learning_rate: Learning rate of the epoch.
        seconds: Wall-clock seconds it took.
    """

    epoch: int
    train_loss: float
    learning_rate: float
    seconds: float


def batches_of_epoch(indices: torch.Tensor, config: SupernetConfig, seed: int) -> list[torch.Tensor]:
    """The images of each step of an epoch, in a random order that ``seed`` gives.

    Without ``steps_per_epoch``, every image once, in equal parts: a last batch of a single image would have
    no variance to normalise with. With it, as many passes as are needed, the last one cut short.
    """
    order = torch.Generator().manual_seed(seed)
    if config.steps_per_epoch is None:
        shuffled = indices[torch.randperm(len(indices), generator=order)]
        return list(shuffled.tensor_split(math.ceil(len(indices) / config.batch_size)))
    needed = config.steps_per_epoch * config.batch_size
    passes = [
        indices[torch.randperm(len(indices), generator=order)]
        for _ in range(math.ceil(needed / len(indices)))
    ]
    return list(torch.split(torch.cat(passes)[:needed], config.batch_size))


def train_epoch(
    network: nn.Module,
    optimiser: torch.optim.Optimizer,
    scaler: torch.amp.GradScaler,
    images: ImageSet,
    batches: Sequence[torch.Tensor],
    architectures: Sequence[Architecture],
    config: SupernetConfig,
    normalisation: Normalisation,
    *,
    seed: int,
    epoch: int,
    tick: Callable[[], object],
) -> float:
    """Train for one epoch and return the mean loss.

    Every random number of the epoch follows from ``seed`` and ``epoch``: repeating an epoch from the same
    state gives the same weights. Torch's own random numbers are not touched.

    Args:
        network: The shared weights, trained in place.
        optimiser: Optimiser of its parameters.
        scaler: Scales the loss in mixed precision.
        images: All images.
        batches: Indices of each step; see :func:`batches_of_epoch`.
        architectures: ``config.architectures_per_step`` for each step, one after the other.
        config: Settings of the training.
        normalisation: Applied to every batch.
        seed: An integer of at least 0.
        epoch: Its number, from 1.
        tick: Called after each step.

    Raises:
        Diverged: The loss is no longer finite.
    """
    device = device_of(network)
    labels = images.labels.to(device)
    changes = torch_generator(seed, f"augmentation {epoch}")
    randomness = SeededRandomness(derived_seed(seed, f"dropout {epoch}"))
    rate, share = config.learning_rate_at(epoch), config.architectures_per_step
    for group in optimiser.param_groups:
        group["lr"] = rate
    loss_sum, seen = torch.zeros((), device=device), 0
    network.train()
    for step, (chosen, pixels) in enumerate(zip(batches, images.batches(batches), strict=True)):
        inputs = lightly_augmented(pixels.to(device), config, normalisation, changes)
        inputs = inputs.contiguous(memory_format=torch.channels_last)
        targets = labels[chosen.to(device)]
        # With gradients of None instead of zero, the operations that a step does not run keep their weights.
        optimiser.zero_grad(set_to_none=True)
        for architecture in architectures[step * share : (step + 1) * share]:
            # Redirecting random numbers costs time: only networks that draw any keep paying for it.
            redirected = randomness if step == 0 or randomness.used else nullcontext()
            with torch.enable_grad(), redirected, precision(scaler.is_enabled()):
                output = network(inputs, architecture)
            with torch.enable_grad():
                loss = cross_entropy(output.float(), targets) / share
            scaler.scale(loss).backward()  # type: ignore[no-untyped-call]
            loss_sum += loss.detach() * len(chosen)
        if config.gradient_clip is not None:
            scaler.unscale_(optimiser)
            nn.utils.clip_grad_norm_(network.parameters(), config.gradient_clip)
        scaler.step(optimiser)
        scaler.update()
        seen += len(chosen)
        if (step + 1) % STEPS_BETWEEN_CHECKS == 0 or step + 1 == len(batches):
            check_finite(loss_sum, epoch)
        tick()
    optimiser.zero_grad(set_to_none=True)
    return float(loss_sum) / seen


def precision(mixed: bool) -> AbstractContextManager[object]:
    """The context in which a forward pass computes."""
    return torch.autocast("cuda", dtype=torch.float16) if mixed else nullcontext()


def measuring_view(network: nn.Module, statistics: str) -> nn.Module:
    """A second module on the same weights that stays in evaluation mode, so that measuring switches nothing.

    With ``statistics="batch"`` its batch normalisations have no running averages and use the batch at hand.
    """
    shared = {id(tensor): tensor for tensor in (*network.parameters(), *network.buffers())}
    space = getattr(network, "space", None)
    view = copy.deepcopy(network, {**shared, id(space): space})
    if statistics == "batch":
        for module in view.modules():
            if isinstance(module, nn.modules.batchnorm._BatchNorm):
                module.running_mean = module.running_var = module.num_batches_tracked = None
    return view.eval()


def measure_many(
    view: SharedWeights,
    device: torch.device,
    architectures: Sequence[Architecture],
    images: ImageSet,
    indices: torch.Tensor,
    config: SupernetConfig,
    normalisation: Normalisation,
    *,
    seed: int,
    mixed: bool,
) -> list[float]:
    """Accuracy in percent of each sub-network on the images at ``indices``; NaN where it is not finite.

    Each batch of images is read, changed and normalised once for all architectures.

    Args:
        view: See :func:`measuring_view`.
        device: Device of the weights.
        architectures: The sub-networks, at least one.
        images: All images.
        indices: Images to measure on.
        config: Source of the batch size and of the random changes.
        normalisation: Applied to every batch.
        seed: Seed of the random changes.
        mixed: Whether to compute in mixed precision.
    """
    labels = images.labels.to(device)
    changes = torch_generator(seed, "validation changes")
    correct = torch.zeros(len(architectures), dtype=torch.int64, device=device)
    finite = torch.ones(len(architectures), dtype=torch.bool, device=device)
    # Equal parts: batch statistics of a small last batch would be poorer than those of the others.
    parts = indices.tensor_split(math.ceil(len(indices) / config.validation_batch_size))
    with torch.no_grad():
        for chosen, pixels in zip(parts, images.batches(parts), strict=True):
            pixels = pixels.to(device)
            if config.validation_augmentation:
                inputs = lightly_augmented(pixels, config, normalisation, changes)
            else:
                inputs = normalisation(pixels)
            with precision(mixed):
                logits = view.forward_many(
                    inputs.contiguous(memory_format=torch.channels_last), architectures
                )
            correct += (logits.argmax(2) == labels[chosen.to(device)]).sum(1)
            finite &= torch.isfinite(logits).all(2).all(1)
    accuracies = 100 * correct.double() / len(indices)
    accuracies[~finite] = math.nan
    percent: list[float] = accuracies.tolist()
    return percent
