"""Training of the perceptrons with which FeatureVAE estimates a target from an architecture's bits."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from tqdm.auto import tqdm

from graphnas.autoencoders.networks import initialise

BATCH_SIZE = 256
LEARNING_RATE = 3e-3
WEIGHT_DECAY = 0.01
WARMUP = 0.3


def fit_estimates(
    estimators: nn.ModuleList,
    rows: Tensor,
    targets: Tensor,
    generator: torch.Generator,
    *,
    epochs: int,
    progress: bool = False,
) -> None:
    """Train each perceptron independently, with its own initial weights and batches, and freeze it.

    AdamW on the mean squared error; the learning rate rises linearly and falls along a cosine.

    Args:
        estimators: Perceptrons ``(n, width) -> (n, 1)``.
        rows: (n, width) inputs.
        targets: (n,) of zero mean and unit variance.
        generator: CPU generator of the weights and the batches.
        epochs: Passes over the data for each perceptron.
        progress: Show a bar.
    """
    size = min(BATCH_SIZE, len(rows))
    steps = len(rows) // size

    def share(update: int) -> float:
        position = (update + 1) / (epochs * steps)
        fall = math.pi * max(position - WARMUP, 0) / (1 - WARMUP)
        return min(position / WARMUP, 0.5 * (1 + math.cos(fall)))

    for estimator in tqdm(estimators, desc="estimates", leave=False, disable=None if progress else True):
        estimator.requires_grad_(True)
        initialise(estimator, generator)
        optimizer = torch.optim.AdamW(
            estimator.parameters(), lr=LEARNING_RATE, weight_decay=WEIGHT_DECAY, fused=True
        )
        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, share)
        for _ in range(epochs):
            order = torch.randperm(len(rows), generator=generator).to(rows.device)
            for index in torch.split(order[: steps * size], size):
                loss = (estimator(rows[index]).squeeze(1) - targets[index]).square().mean()
                optimizer.zero_grad(set_to_none=True)
                loss.backward()
                optimizer.step()
                schedule.step()
        estimator.requires_grad_(False)
