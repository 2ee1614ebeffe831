"""Graph autoencoders: sizes, exactness against the slow reference, what their encoders cannot tell apart."""

from __future__ import annotations

from dataclasses import replace

import latent_reference as reference
import numpy as np
import pytest
import torch

from graphnas import Architecture, ArchitectureBatch, autoencoders
from graphnas.autoencoders import DVAE, GCN, SVAE, AutoencoderConfig, DVAEConfig, DVAEEmb, GCNConfig, GCNEmb
from graphnas.autoencoders.drawing import GraphDrawing
from graphnas.autoencoders.repeated import RepeatedLinear
from graphnas.errors import InvalidArgument
from search_spaces import ENASMacro6, NASBench101, NASBench201, RandWire

SPACES = {
    "enas6": ENASMacro6,
    "nasbench101": NASBench101,  # graphs of different sizes
    "nasbench201": NASBench201,  # operations on edges
    "randwire": lambda: RandWire(5),  # start and end are added
}
RELEASED = {
    "DVAE": 6_937_969,
    "GCN": 6_440_476,
    "DVAEEmb": 6_915_448,
    "GCNEmb": 6_415_450,
    "SVAE": 2_882_881,
    "GraphRNN": 3_161_939,
}


def small(name, space, **changes):
    model_class = getattr(autoencoders, name)
    return model_class(space, model_class.config_class(hidden=7, latent=3, **changes), seed=4)


VARIANTS = [
    *[(name, {}) for name in RELEASED],
    ("DVAE", {"message": "state"}),
    ("DVAE", {"message": "type"}),
    ("DVAEEmb", {"message": "type"}),
    ("DVAE", {"bidirectional": False}),
    ("GCN", {"propagation": "simultaneous"}),
    ("GCN", {"levels": 1, "message": "type"}),
]


@pytest.mark.parametrize("name", RELEASED)
def test_parameter_counts_are_the_published_ones(name):
    model_class = getattr(autoencoders, name)
    model = model_class(ENASMacro6(), model_class.config_class.preset("paper"))
    assert model.parameter_count(released=True) == RELEASED[name]
    assert model.parameter_count() == RELEASED[name] - sum(model.unused_in_release().values())
    assert model.parameter_count() == sum(p.numel() for p in model.parameters())


@pytest.mark.parametrize("name", RELEASED)
def test_every_parameter_is_trained(name):
    space = ENASMacro6()
    model = small(name, space)
    elbo = model.elbo(space.sample_batch(np.random.default_rng(0), 50), torch.Generator().manual_seed(0))
    model.loss(elbo).backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in model.parameters())


@pytest.mark.parametrize("space_name", SPACES)
@pytest.mark.parametrize(("name", "changes"), VARIANTS)
def test_equals_the_reference(name, changes, space_name):
    """Means, log-variances, loss and the gradient of every parameter."""
    space = SPACES[space_name]()
    model = small(name, space, **changes)
    batch = space.sample_batch(np.random.default_rng(1), 6)
    if space_name == "nasbench101":
        chain = Architecture(np.eye(3, k=1, dtype=int), [0, 2, 4])
        batch = ArchitectureBatch.cat([batch, ArchitectureBatch.from_architectures([chain])])
    vertices = model.adapter.to_vertices(batch)
    noise = torch.Generator().manual_seed(3)

    elbo = model.elbo(batch, torch.Generator().manual_seed(3))
    mean, log_variance = model._encode(vertices)
    model.loss(elbo).backward()
    fast = {key: p.grad.clone() for key, p in model.named_parameters()}
    model.zero_grad()

    slow = [reference.encode(model, graph) for graph in reference.graphs_of(vertices)]
    means, variances = (torch.stack(parts) for parts in zip(*slow, strict=True))
    torch.testing.assert_close(mean, means, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(log_variance, variances, atol=1e-5, rtol=1e-5)
    z = means + 0.01 * torch.exp(variances / 2) * torch.randn(means.shape, generator=noise)
    losses = []
    for graph, code in zip(reference.graphs_of(vertices), z, strict=True):
        losses.append(sum(reference.reconstruction(model, graph, code)))
    torch.testing.assert_close(elbo.reconstruction, torch.stack(losses), atol=1e-5, rtol=1e-5)
    posterior = torch.distributions.Normal(means, torch.exp(variances / 2))
    kl = torch.distributions.kl_divergence(posterior, torch.distributions.Normal(0.0, 1.0)).sum(1)
    torch.testing.assert_close(elbo.kl, kl, atol=1e-5, rtol=1e-5)

    ((torch.stack(losses) + 0.005 * kl).mean()).backward()
    for key, parameter in model.named_parameters():
        torch.testing.assert_close(fast[key], parameter.grad, atol=1e-5, rtol=1e-4, msg=key)


class Replay(GraphDrawing):
    """Draws given graphs, and adds up what the decoder says of each choice."""

    def __init__(self, adapter, graphs):
        super().__init__(adapter, len(graphs), torch.Generator(), torch.device("cpu"))
        self.truth = graphs
        self.loss = torch.zeros(len(graphs))

    def draw_types(self, v, logits):
        wanted = self.truth.operations[:, v].long()
        self.loss += torch.nn.functional.cross_entropy(logits, wanted, reduction="none")
        return wanted

    def draw_edges(self, u, v, logits):
        wanted = self.truth.adjacency[:, u, v].bool()
        self.loss += torch.nn.functional.softplus(torch.where(wanted, -logits, logits))
        return wanted


@pytest.mark.parametrize("name", RELEASED)
def test_generation_scores_as_training_does(name):
    """Step by step, generation sees the same scores as the loss, which sees the whole graph at once."""
    space = ENASMacro6()
    model = small(name, space)
    graphs = model.adapter.to_vertices(space.sample_batch(np.random.default_rng(2), 5))
    z = torch.randn(5, 3, generator=torch.Generator().manual_seed(0))
    replay = Replay(model.adapter, graphs)
    with torch.no_grad():
        model._generate(z, replay)
        pairs = zip(reference.graphs_of(graphs), z, strict=True)
        drawable = torch.stack([reference.reconstruction(model, graph, code)[0] for graph, code in pairs])
    torch.testing.assert_close(replay.loss, drawable, atol=1e-5, rtol=1e-5)


def test_same_weights_as_torch_layers():
    """A GRU step with looked-up inputs is ``nn.GRUCell``, from any state and from zero."""
    cell = small("DVAE", ENASMacro6()).encoder
    theirs = torch.nn.GRUCell(8, 7)
    theirs.load_state_dict(cell.state_dict())
    types = torch.tensor([3, 0, 7])
    state = torch.randn(3, 7, generator=torch.Generator().manual_seed(0))
    table = cell.table(torch.eye(8))
    inputs = torch.eye(8)[types]
    torch.testing.assert_close(cell(table[types], state), theirs(inputs, state))
    torch.testing.assert_close(cell.from_zero(table[types]), theirs(inputs))


# ---------------------------------------------------------------- what an encoder cannot tell apart


def relabelled_pairs(count):
    """NAS-Bench-101 cells and the same cells in another topological order."""
    space, rng = NASBench101(), np.random.default_rng(5)
    first, second = [], []
    while len(first) < count:
        cell = space.prune(space.sample(rng))
        n = cell.num_nodes
        order, left = [0], set(range(1, n - 1))
        while left:
            ready = [j for j in left if not any(cell.adjacency[i, j] for i in left)]
            order.append(ready[int(rng.integers(len(ready)))])
            left.remove(order[-1])
        order.append(n - 1)
        other = Architecture(cell.adjacency[np.ix_(order, order)], cell.operations[order])
        if other != cell:
            first.append(cell)
            second.append(other)
    return space, first, second


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("DVAE", {"message": "state"}),
        ("DVAE", {"message": "state", "bidirectional": False}),
        ("DVAEEmb", {"message": "state"}),
        ("DVAEEmb", {"message": "type"}),
        ("GCN", {}),  # vertices are updated in topological order, whichever it is
        ("GCN", {"propagation": "simultaneous"}),
    ],
)
def test_isomorphic_graphs_have_the_same_encoding(name, changes):
    space, first, second = relabelled_pairs(20)
    model = small(name, space, **changes)
    for a, b in zip(model.encode(first), model.encode(second), strict=True):
        torch.testing.assert_close(a, b, atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize("name", ["DVAE", "SVAE", "GraphRNN"])
def test_vertex_numbers_break_the_invariance(name):
    """With the sender's number in its messages, and in a sequence, the order of the vertices counts."""
    space, first, second = relabelled_pairs(20)
    model = small(name, space)
    assert ((model.encode(first)[0] - model.encode(second)[0]).abs().amax(1) > 1e-4).all()


def test_different_graphs_have_different_encodings():
    space = NASBench101()
    cells = [space.prune(space.sample(np.random.default_rng(k))) for k in range(60)]
    distinct = list({space.key(cell): cell for cell in cells}.values())
    means, _ = small("DVAE", space, message="state").encode(distinct)
    distance = torch.cdist(means.double(), means.double()) + torch.eye(len(means))
    assert distance.min() > 1e-6


def test_in_place_convolutions_differ_from_simultaneous_ones():
    space = ENASMacro6()
    batch = space.sample_batch(np.random.default_rng(0), 20)
    in_place = small("GCN", space)
    other = small("GCN", space, propagation="simultaneous")
    other.load_state_dict(in_place.state_dict())
    assert not torch.allclose(in_place.encode(batch)[0], other.encode(batch)[0], atol=1e-3)


# ---------------------------------------------------------------- batches, seeds, arguments


@pytest.mark.parametrize("name", RELEASED)
def test_encoding_does_not_depend_on_the_batch(name):
    space = NASBench101()
    model = small(name, space)
    cells = [space.sample(np.random.default_rng(k)) for k in range(9)]
    mean, log_variance = model.encode(cells)
    assert mean.shape == log_variance.shape == (9, 3)
    assert not mean.requires_grad
    for k, cell in enumerate(cells):
        torch.testing.assert_close(model.encode([cell])[0][0], mean[k])


def test_seed_decides_the_weights_and_nothing_global_changes():
    before = torch.random.get_rng_state()
    config = DVAEConfig(hidden=5, latent=2)
    first, again, other = (DVAE(ENASMacro6(), config, seed=seed) for seed in (1, 1, 2))
    assert all(torch.equal(a, b) for a, b in zip(first.parameters(), again.parameters(), strict=True))
    assert not any(torch.equal(a, b) for a, b in zip(first.parameters(), other.parameters(), strict=True))
    assert torch.equal(torch.random.get_rng_state(), before)


def test_weights_are_drawn_as_torch_draws_them():
    model = DVAE(ENASMacro6(), DVAEConfig(hidden=64))
    for weight, bound in (
        (model.mean.weight, 64**-0.5),
        (model.encoder.weight_ih, 64**-0.5),
        (model.message.weight, 72**-0.5),
        (model.decoder.edge_scorer.source.weight, 128**-0.5),
        (model.decoder.edge_scorer.target.weight, 128**-0.5),
        (model.decoder.edge_scorer.output.weight, 256**-0.5),
    ):
        assert 0.95 * bound < float(weight.detach().abs().max()) <= bound
        assert float(weight.detach().std()) == pytest.approx(bound / 3**0.5, rel=0.1)


def test_noise_is_scaled_and_absent_in_evaluation():
    space = ENASMacro6()
    batch = space.sample_batch(np.random.default_rng(0), 4)
    model = small("SVAE", space)
    quiet = model.elbo(batch).reconstruction
    assert torch.equal(quiet, model.elbo(batch).reconstruction)
    usual = (model.elbo(batch, torch.Generator().manual_seed(0)).reconstruction - quiet).abs().max()
    model.config = replace(model.config, noise=1.0)
    loud = (model.elbo(batch, torch.Generator().manual_seed(0)).reconstruction - quiet).abs().max()
    assert 0 < 20 * usual < loud


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: GCN(ENASMacro6(), DVAEConfig()), "GCNConfig"),
        (lambda: SVAE(ENASMacro6(), DVAEConfig()), "AutoencoderConfig"),
        (lambda: SVAE(ENASMacro6(), AutoencoderConfig(hidden=4), seed=-1), "seed"),
        (lambda: GCNConfig(propagation="both"), "propagation"),
        (lambda: GCNConfig(levels=0), "levels"),
        (lambda: AutoencoderConfig(hidden=0), "hidden"),
        (lambda: AutoencoderConfig(latent=2.5), "latent"),
        (lambda: AutoencoderConfig(beta=-1), "beta"),
        (lambda: DVAEConfig(embedding=0), "embedding"),
        (lambda: DVAEConfig(rounds=0), "rounds"),
        (lambda: DVAEConfig.preset("thesis"), "preset"),
    ],
)
def test_bad_settings(make, message):
    with pytest.raises(InvalidArgument, match=message):
        make()


def test_presets():
    paper = DVAEConfig.preset("paper")
    assert (paper.hidden, paper.latent, paper.beta, paper.noise) == (501, 56, 0.005, 0.01)
    assert (paper.training.epochs, paper.training.batch_size, paper.training.learning_rate) == (300, 32, 1e-4)
    assert (paper.training.schedule, paper.training.patience, paper.training.factor) == ("plateau", 10, 0.1)
    assert DVAEEmb.config_class.preset("paper").rounds == 4
    assert GCNEmb.config_class.preset("paper").rounds == 1
    assert DVAEConfig.preset("paper", latent=8).latent == 8


def test_repeated_layer_is_a_linear_layer():
    """Its results and gradients are those of single applications, also where one of them is not used."""
    generator = torch.Generator().manual_seed(0)
    weight, bias = (torch.randn(*shape, generator=generator) for shape in ((4, 3), (4,)))
    rows = [torch.randn(n, 3, generator=generator) for n in (2, 1, 5)]
    found = []
    for repeated in (False, True):
        parts = [t.clone().requires_grad_() for t in (weight, bias, *rows)]
        layer = RepeatedLinear(parts[0], parts[1])
        outputs = [layer(x) if repeated else x @ parts[0].T + parts[1] for x in parts[2:]]
        (outputs[0].square().sum() + outputs[2].sin().sum()).backward()
        found.append([*outputs, *(p.grad for p in parts if p.grad is not None)])
        assert parts[3].grad is None
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(one, other)
    with torch.no_grad():
        torch.testing.assert_close(RepeatedLinear(weight, bias)(rows[0]), rows[0] @ weight.T + bias)
