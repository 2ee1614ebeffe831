"""Muon and Adam: which weights each steps, and that our Muon is torch's."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from graphnas.autoencoders import DVAE, DVAEConfig, DVAEEmb, DVAEEmbConfig
from graphnas.autoencoders import optimisers as module
from graphnas.autoencoders.muon import Muon, orthogonal
from graphnas.autoencoders.optimisers import make_optimizers
from search_spaces import ENASMacro6


def named(model: nn.Module, optimizer: torch.optim.Optimizer) -> set[str]:
    own = {id(parameter) for group in optimizer.param_groups for parameter in group["params"]}
    return {name for name, parameter in model.named_parameters() if id(parameter) in own}


def test_muon_steps_matrices_and_adam_the_rest():
    model = DVAEEmb(ENASMacro6(), DVAEEmbConfig(hidden=8, latent=4))
    muon, adam = (named(model, optimizer) for optimizer in make_optimizers(model, "muon", 0.01))
    assert not muon & adam
    assert muon | adam == set(dict(model.named_parameters()))
    assert all(model.get_parameter(name).ndim == 2 for name in muon)
    others = {name for name in adam if model.get_parameter(name).ndim == 2}
    assert others == {n for n in others if "embedding" in n or n.endswith("label_weight")} != set()
    (only,) = make_optimizers(model, "adam", 0.01)
    assert named(model, only) == set(dict(model.named_parameters()))


@pytest.mark.skipif(not hasattr(torch.optim, "Muon"), reason="this torch has no Muon")
def test_our_muon_is_that_of_torch():
    generator = torch.Generator().manual_seed(0)
    start = [torch.randn(shape, generator=generator) for shape in ((6, 4), (3, 9))]
    ours, torchs = ([nn.Parameter(value.clone()) for value in start] for _ in range(2))
    optimizers = (
        Muon(ours, lr=0.05),
        torch.optim.Muon(torchs, lr=0.05, weight_decay=0.0, adjust_lr_fn="match_rms_adamw"),
    )
    for _ in range(5):
        gradients = [torch.randn(value.shape, generator=generator) for value in start]
        for parameters, optimizer in zip((ours, torchs), optimizers, strict=True):
            for parameter, gradient in zip(parameters, gradients, strict=True):
                parameter.grad = gradient.clone()
            optimizer.step()
    for one, other, before in zip(ours, torchs, start, strict=True):
        assert torch.allclose(one, other, atol=1e-3)
        assert (one - before).abs().max() > 0.02


def test_orthogonal_matrices_have_singular_values_near_one():
    matrix = torch.randn(30, 12, generator=torch.Generator().manual_seed(1))
    values = torch.linalg.svdvals(orthogonal(matrix).float())
    assert (values > 0.5).all()
    assert (values < 1.4).all()


def test_muon_refuses_vectors():
    with pytest.raises(ValueError, match=r"shape \(3,\)"):
        Muon([nn.Parameter(torch.zeros(3))], lr=0.1)


def test_training_without_the_muon_of_torch(monkeypatch):
    space = ENASMacro6()
    rng = np.random.default_rng(0)
    graphs = [space.sample(rng) for _ in range(40)]
    losses = {}
    for torchs in (True, False):
        with monkeypatch.context() as patch:
            if not torchs:
                patch.delattr(torch.optim, "Muon", raising=False)
                assert isinstance(module._muon([nn.Parameter(torch.zeros(2, 2))], 0.1), Muon)
            config = DVAEConfig(hidden=16, latent=4)
            model = DVAE(space, config)
            model.fit(graphs)
            losses[torchs] = model.history[-1]["loss"]
    assert losses[True] == pytest.approx(losses[False], rel=0.05)
    assert losses[False] < model.history[0]["loss"]
