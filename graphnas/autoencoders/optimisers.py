"""The optimisers of the graph models: Adam for all weights, or Muon for matrices and Adam for the rest."""

from __future__ import annotations

import torch
from torch import nn

from graphnas.autoencoders.networks import GatedMessage


def make_optimizers(model: nn.Module, name: str, learning_rate: float) -> list[torch.optim.Optimizer]:
    """The optimisers that together step all parameters of ``model``.

    Args:
        model: A graph model.
        name: ``"adam"``; or ``"muon"``: ``torch.optim.Muon`` without weight decay, or ours where torch has
            none, for two-dimensional weights that are no embeddings, and Adam for the others. Its steps are
            scaled to be as large as Adam's, so that both have the same rate.
        learning_rate: The rate of all of them.
    """
    if name == "adam":
        return [torch.optim.Adam(model.parameters(), lr=learning_rate, fused=True)]
    looked_up = _embeddings(model)
    matrices: list[nn.Parameter] = []
    rest: list[nn.Parameter] = []
    for parameter in model.parameters():
        (matrices if parameter.ndim == 2 and id(parameter) not in looked_up else rest).append(parameter)
    found: list[torch.optim.Optimizer] = []
    if matrices:
        found.append(_muon(matrices, learning_rate))
    if rest:
        found.append(torch.optim.Adam(rest, lr=learning_rate, fused=True))
    return found


def _muon(matrices: list[nn.Parameter], learning_rate: float) -> torch.optim.Optimizer:
    if hasattr(torch.optim, "Muon"):
        return torch.optim.Muon(matrices, lr=learning_rate, weight_decay=0.0, adjust_lr_fn="match_rms_adamw")
    from graphnas.autoencoders.muon import Muon

    return Muon(matrices, learning_rate)


def _embeddings(model: nn.Module) -> set[int]:
    """Weights of which a graph reads single rows: a step on all rows at once would not be theirs."""
    found = {id(module.weight) for module in model.modules() if isinstance(module, nn.Embedding)}
    return found | {id(module.label_weight) for module in model.modules() if isinstance(module, GatedMessage)}
