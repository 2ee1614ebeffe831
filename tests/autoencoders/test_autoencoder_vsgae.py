"""VS-GAE: published sizes, exactness against the slow reference, its tiling and its losses."""

from __future__ import annotations

import latent_reference as plain
import numpy as np
import pytest
import torch
import vsgae_reference as reference

from graphnas import Architecture, ArchitectureBatch
from graphnas.autoencoders import VSGAE, TrainingConfig, VSGAEConfig, same_graphs
from graphnas.autoencoders.drawing import GraphDrawing
from graphnas.autoencoders.vsgae import first_edge_given
from graphnas.errors import InvalidArgument
from search_spaces import ENASMacro, ENASMacro6, GEMNet, NASBench101, NASBench201, RandWire

SPACES = {
    "nasbench101": NASBench101,  # graphs of different sizes
    "enas6": ENASMacro6,
    "nasbench201": NASBench201,  # operations on edges, the first edge is not given
    "randwire": lambda: RandWire(5),  # start and end are added
}


def small(space, **changes):
    return VSGAE(space, VSGAEConfig(**{"hidden": 7, "latent": 3, **changes}), seed=4)


def sizes(part):
    return sum(p.numel() for p in part.parameters())


def graphs_of(space, count=6):
    """A batch; that of NAS-Bench-101 has the smallest cells in the middle."""
    batch = space.sample_batch(np.random.default_rng(1), count)
    if space.name != "nasbench101":
        return batch
    chain = Architecture(np.eye(3, k=1, dtype=int), [0, 2, 4])
    direct = Architecture(np.eye(2, k=1, dtype=int), [0, 4])
    few = ArchitectureBatch.from_architectures([chain, direct])
    return ArchitectureBatch.cat([batch[:2], few, batch[2:]])


def test_parameter_counts_are_the_published_ones():
    model = VSGAE(NASBench101(), VSGAEConfig.preset("paper"))
    assert sizes(model.encoder) == 2_159_864
    assert sizes(model.decoder) == 2_712_882
    assert model.parameter_count() == model.parameter_count(released=True) == 4_872_746


@pytest.mark.parametrize(("tiling", "edges"), [(False, "sum"), (False, "mean"), (True, "mean")])
@pytest.mark.parametrize(
    ("space_name", "layers"), [*[(name, 2) for name in SPACES], ("nasbench101", 1), ("nasbench101", 3)]
)
def test_equals_the_reference(space_name, layers, tiling, edges):
    """Means, log-variances, loss and the gradient of every parameter."""
    space = SPACES[space_name]()
    model = small(space, layers=layers, released_tiling=tiling, edge_reduction=edges, kl_reduction="sum")
    batch = graphs_of(space)
    vertices = model.adapter.to_vertices(batch)
    noise = torch.Generator().manual_seed(3)

    elbo = model.elbo(batch, torch.Generator().manual_seed(3))
    mean, log_variance = model._encode(vertices)
    model.loss(elbo).backward()
    fast = {key: p.grad.clone() for key, p in model.named_parameters()}
    model.zero_grad()

    graphs = plain.graphs_of(vertices)
    means, variances = (
        torch.stack(parts) for parts in zip(*[reference.encode(model, g) for g in graphs], strict=True)
    )
    torch.testing.assert_close(mean, means, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(log_variance, variances, atol=1e-5, rtol=1e-5)
    z = means + 0.01 * torch.exp(variances / 2) * torch.randn(means.shape, generator=noise)
    losses = reference.losses(model, graphs, z, tiling=tiling)
    torch.testing.assert_close(elbo.reconstruction, losses, atol=1e-5, rtol=1e-5)
    posterior = torch.distributions.Normal(means, torch.exp(variances / 2))
    kl = torch.distributions.kl_divergence(posterior, torch.distributions.Normal(0.0, 1.0)).sum(1)
    torch.testing.assert_close(elbo.kl, kl, atol=1e-5, rtol=1e-5)

    (losses.mean() + 0.005 * kl.sum()).backward()
    for key, parameter in model.named_parameters():
        torch.testing.assert_close(fast[key], parameter.grad, atol=1e-5, rtol=1e-4, msg=key)


def test_only_the_smallest_graph():
    """Only input and output: one type and no edge to score."""
    space = NASBench101()
    model = small(space)
    direct = Architecture(np.eye(2, k=1, dtype=int), [0, 4])
    elbo = model.elbo([direct])
    (graph,) = plain.graphs_of(model.adapter.to_vertices([direct]))
    expected = reference.losses(model, [graph], model.encode([direct])[0])
    torch.testing.assert_close(elbo.reconstruction, expected, atol=1e-6, rtol=1e-6)


def test_every_parameter_is_trained():
    space = ENASMacro6()
    model = small(space)
    model.loss(model.elbo(space.sample_batch(np.random.default_rng(0), 50))).backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in model.parameters())


class Replay(GraphDrawing):
    """Draws given graphs, and adds up what the decoder says of each choice."""

    def __init__(self, adapter, graphs):
        super().__init__(adapter, len(graphs), torch.Generator(), torch.device("cpu"))
        self.truth = graphs
        self.loss = torch.zeros(len(graphs))

    def draw_types(self, v, logits):
        wanted = self.truth.operations[:, v].long()
        real = self.truth.num_nodes > v
        self.loss += torch.nn.functional.cross_entropy(logits, wanted, reduction="none") * real
        return wanted

    def draw_edges(self, u, v, logits):
        wanted = self.truth.adjacency[:, u, v].bool()
        real = self.truth.num_nodes > v
        self.edges[:, u, v] = wanted
        self.loss += torch.nn.functional.softplus(torch.where(wanted, -logits, logits)) * real
        return wanted


@pytest.mark.parametrize("space_name", SPACES)
def test_generation_scores_as_training_does(space_name):
    """Step by step, generation sees the same scores as the loss; also of a model trained with the mistake."""
    space = SPACES[space_name]()
    batch = graphs_of(space)
    model, mistaken = small(space), small(space, released_tiling=True)
    graphs = model.adapter.to_vertices(batch)
    z = torch.randn(len(graphs), 3, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        expected = model._reconstruction(graphs, z)
        assert not torch.allclose(mistaken._reconstruction(graphs, z), expected)
        for each in (model, mistaken):
            replay = Replay(each.adapter, graphs)
            each._generate(z, replay)
            torch.testing.assert_close(replay.loss, expected, atol=1e-5, rtol=1e-5)


def test_released_tiling_is_right_for_one_graph():
    space = NASBench101()
    right, mistaken = small(space), small(space, released_tiling=True)
    for k in range(4):
        cell = [space.sample(np.random.default_rng(k))]
        torch.testing.assert_close(right.elbo(cell).reconstruction, mistaken.elbo(cell).reconstruction)


def test_right_losses_do_not_depend_on_the_batch():
    space = NASBench101()
    batch = graphs_of(space)
    for tiling in (False, True):
        model = small(space, released_tiling=tiling)
        together = model.elbo(batch).reconstruction
        alone = torch.cat([model.elbo(batch[[k]]).reconstruction for k in range(len(batch))])
        assert torch.allclose(together, alone, atol=1e-5) != tiling


def test_isomorphic_cells_have_the_same_encoding():
    space = NASBench101()
    chain = [[0, 1, 1, 0], [0, 0, 0, 1], [0, 0, 0, 1], [0, 0, 0, 0]]
    first, second = Architecture(chain, [0, 1, 2, 4]), Architecture(chain, [0, 2, 1, 4])
    means, variances = small(space).encode([first, second])
    torch.testing.assert_close(means[0], means[1])
    torch.testing.assert_close(variances[0], variances[1])
    other = small(space).encode([Architecture(chain, [0, 2, 2, 4])])[0]
    assert (other[0] - means[0]).abs().max() > 1e-4


def test_where_the_first_edge_is_given():
    given = {"nasbench201": False}
    for name, make in SPACES.items():
        model = small(make())
        assert model.decoder.first_edge_given == given.get(name, True)
        if model.decoder.first_edge_given:
            batch = model.adapter.to_vertices(model.space.sample_batch(np.random.default_rng(0), 60))
            assert (batch.adjacency[:, 0, 1] == 1).all()
    assert first_edge_given(small(GEMNet(5)).adapter) == (0 not in GEMNet(5).edge_choices(0, 1))
    known = [NASBench101().sample(np.random.default_rng(k)) for k in range(3)]
    assert small(NASBench101().restricted_to(known)).decoder.first_edge_given


def test_divergence_is_reduced_as_asked():
    space = ENASMacro6()
    batch = space.sample_batch(np.random.default_rng(0), 10)
    for reduction, factor in (("mean", 1), ("sum", 10)):
        model = small(space, kl_reduction=reduction)
        elbo = model.elbo(batch)
        expected = elbo.reconstruction.mean() + 0.005 * factor * elbo.kl.mean()
        torch.testing.assert_close(model.loss(elbo), expected)


def test_learns_to_reconstruct():
    """From nothing to nearly every graph of its training set, decoded from the posterior mean."""
    space = ENASMacro(2)
    training = TrainingConfig(epochs=70, batch_size=20, learning_rate=1e-2)
    model = VSGAE(space, VSGAEConfig(hidden=32, latent=12, training=training), seed=0)
    batch = space.sample_batch(np.random.default_rng(0), 40)
    truth = model.adapter.to_vertices(batch)

    def accuracy():
        decoded = model.decode(model.encode(batch)[0], torch.Generator().manual_seed(0), stochastic=False)
        return float(same_graphs(decoded.graphs, truth).float().mean())

    before = accuracy()
    model.fit(batch)
    assert before < 0.1
    assert accuracy() > 0.9
    assert model.history[-1]["loss"] < 0.1 * model.history[0]["loss"]


def test_presets():
    paper = VSGAEConfig.preset("paper")
    assert (paper.hidden, paper.latent, paper.layers, paper.beta, paper.noise) == (250, 56, 2, 0.005, 0.01)
    assert (paper.kl_reduction, paper.released_tiling) == ("sum", False)
    training = paper.training
    assert (training.epochs, training.batch_size, training.learning_rate) == (300, 128, 1e-4)
    assert (training.schedule, training.patience, training.factor) == ("plateau", 10, 0.1)
    assert VSGAEConfig.preset("paper", released_tiling=True).released_tiling
    assert VSGAEConfig.preset("default").hidden == 250


@pytest.mark.parametrize(
    ("field", "value"), [("layers", 0), ("kl_reduction", "median"), ("hidden", 0), ("layers", True)]
)
def test_bad_settings(field, value):
    with pytest.raises(InvalidArgument, match=field):
        VSGAEConfig(**{field: value})
