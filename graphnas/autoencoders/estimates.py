"""Training of the perceptrons that estimate a target from an architecture's bits."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from tqdm.auto import tqdm

from graphnas.autoencoders.networks import initialise

BATCH_SIZE = 256
LEARNING_RATE = 3e-3
WEIGHT_DECAY = 0.01


def fit_estimates(
    estimators: nn.ModuleList,
    rows: Tensor,
    targets: Tensor,
    generator: torch.Generator,
    *,
    epochs: int,
    progress: bool = False,
) -> None:
    """Train each perceptron on its own, from its own weights and in its own order, and freeze it.

    AdamW with a rate that rises over a third of the updates and falls to nothing, on the mean squared error.

    Args:
        estimators: Perceptrons ``(n, width) -> (n, 1)``.
        rows: (n, width) inputs.
        targets: (n,) of zero mean and unit variance.
        generator: Of weights and orders, on the CPU.
        epochs: Passes over the data for each.
        progress: Show a bar.
    """
    size = min(BATCH_SIZE, len(rows))
    steps = len(rows) // size
    for estimator in tqdm(estimators, desc="estimates", leave=False, disable=None if progress else True):
        estimator.requires_grad_(True)
        initialise(estimator, generator)
        optimizer = torch.optim.AdamW(
            estimator.parameters(), lr=LEARNING_RATE, weight_decay=WEIGHT_DECAY, fused=True
        )
        for update in range(epochs * steps):
            if update % steps == 0:
                order = torch.randperm(len(rows), generator=generator).to(rows.device)
            position = (update + 1) / (epochs * steps)
            share = min(position / 0.3, 0.5 * (1 + math.cos(math.pi * max(position - 0.3, 0) / 0.7)))
            for group in optimizer.param_groups:
                group["lr"] = LEARNING_RATE * share
            index = order[update % steps * size :][:size]
            loss = (estimator(rows[index]).squeeze(1) - targets[index]).square().mean()
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
        estimator.requires_grad_(False)
