"""The graph generator of GraphPNAS: its likelihood against a slow one, its probabilities, its samples."""

from __future__ import annotations

import itertools
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
import torch
from graphpnas_reference import slow_log_likelihood
from scipy.stats import chi2

from graphnas import Architecture, ArchitectureBatch, GraphSpace
from graphnas.errors import InvalidArchitecture, InvalidArgument
from graphnas.methods.graphpnas.graph_generator import GeneratorConfig, GraphGenerator
from graphnas.methods.graphpnas.likelihood import decision_weights
from search_spaces import ENASMacro, ENASMacro6, GEMNet, NASBench101, NASBench201, RandWire

SMALL = GeneratorConfig(hidden_size=24, steps=3, mixtures=4)


class TinySpace(GraphSpace):
    """Any labels, choices and sizes."""

    name = "tiny"

    def __init__(self, nodes, node_ops=1, edge_ops=2, terminal=None, node_choices=None, edge_choices=None):
        self.max_nodes = nodes
        self.node_ops = tuple(f"op{k}" for k in range(node_ops))
        self.edge_ops = tuple(f"edge{k}" for k in range(edge_ops))
        self.terminal = terminal
        self._nodes, self._edges = node_choices or {}, edge_choices or {}

    def node_choices(self, node):
        default = [k for k in range(len(self.node_ops)) if k != self.terminal]
        return self._nodes.get(node, default)

    def edge_choices(self, source, target):
        return self._edges.get((source, target), range(len(self.edge_ops)))

    def build(self, architecture, num_classes, **shape):
        return torch.nn.Identity()

    def all_graphs(self):
        """Every graph that the choices allow, of every size."""
        sizes = range(2, self.max_nodes + 1) if self.terminal is not None else [self.max_nodes]
        for n in sizes:
            nodes = [list(self.node_choices(i)) for i in range(n)]
            if self.terminal is not None:
                nodes[-1] = [self.terminal]
            pairs = [(i, j) for j in range(n) for i in range(j)]
            for operations in itertools.product(*nodes):
                for labels in itertools.product(*(self.edge_choices(i, j) for i, j in pairs)):
                    adjacency = np.zeros((n, n), int)
                    for (i, j), label in zip(pairs, labels, strict=True):
                        adjacency[i, j] = label
                    yield Architecture(adjacency, operations)


TINY = {
    "edges": TinySpace(4),
    "operations": TinySpace(3, node_ops=3, node_choices={0: [0], 1: [1, 2]}),
    "labels": TinySpace(3, edge_ops=5),
    "sizes": TinySpace(4, node_ops=3, terminal=2, node_choices={0: [0]}),
    "sizes, labels": TinySpace(3, node_ops=3, edge_ops=3, terminal=0),
    "forced": TinySpace(
        4, edge_ops=4, edge_choices={(0, 1): [2], (1, 2): [1, 3], (0, 2): [0], (0, 3): [0, 3], (2, 3): [1]}
    ),
}


def make(space, config=SMALL, seed=0):
    return GraphGenerator(space, config, generator=torch.Generator().manual_seed(seed))


def sharpened(generator):
    """The same with larger weights, so that probabilities are far from even."""
    with torch.no_grad():
        for parameter in generator.parameters():
            parameter.mul_(2.0)
    return generator


@pytest.mark.parametrize("config", ["code", "printed"])
@pytest.mark.parametrize("name", TINY)
def test_probabilities_sum_to_one(name, config):
    space = TINY[name]
    graphs = list(space.all_graphs())
    generator = sharpened(make(space, CONFIGS[config]).double())
    probability = generator.log_prob(ArchitectureBatch.from_architectures(graphs)).exp()
    assert len(graphs) > 8
    assert float(probability.detach().sum()) == pytest.approx(1, abs=1e-9)
    assert float(probability.detach().max() / probability.detach().min()) > 1.5


@pytest.mark.parametrize(
    ("config", "precision"), [("code", "float32"), ("code", "bfloat16"), ("printed", "float32")]
)
@pytest.mark.parametrize("name", TINY)
def test_samples_follow_the_likelihood(name, config, precision):
    space = TINY[name]
    graphs = list(space.all_graphs())
    generator = sharpened(make(space, replace(CONFIGS[config], sampling_precision=precision)))
    expected = generator.log_prob(ArchitectureBatch.from_architectures(graphs)).exp().detach().double()
    draws = 20_000
    batch = generator.sample(draws, torch.Generator().manual_seed(1))
    counts = Counter(batch)
    assert set(counts) <= set(graphs)
    expected = expected.numpy() / float(expected.sum()) * draws
    observed = np.array([counts[graph] for graph in graphs])
    common = expected >= 5  # the rest is one class, as the test wants
    expected = np.append(expected[common], expected[~common].sum())
    observed = np.append(observed[common], observed[~common].sum())
    statistic = ((observed - expected) ** 2 / np.maximum(expected, 1e-9)).sum()
    assert statistic < chi2.ppf(0.9999, len(expected) - 1)


SPACES = {
    "nasbench201": NASBench201(),
    "nasbench101": NASBench101(),
    "enas6": ENASMacro6(),
    "randwire": RandWire(9),
    "gemnet": GEMNet(7),
    **TINY,
}
CONFIGS = {
    "code": SMALL,
    "paper": GeneratorConfig(
        hidden_size=24,
        steps=2,
        mixtures=3,
        head_layers=2,
        node_input="operation",
        mixture_logits="sum",
        self_pair=False,
    ),
    "printed": GeneratorConfig(
        hidden_size=24,
        steps=2,
        mixtures=3,
        head_layers=2,
        message_passing="printed",
        node_input="operation",
        mixture_logits="sum",
        self_pair=False,
    ),
    "both": GeneratorConfig(hidden_size=30, steps=2, mixtures=2, head_layers=4, node_input="both"),
}


def random_graphs(space, count, seed=0):
    if isinstance(space, TinySpace):
        graphs = list(space.all_graphs())
        return [graphs[k] for k in np.random.default_rng(seed).integers(len(graphs), size=count)]
    graphs = list(space.sample_batch(np.random.default_rng(seed), count))
    return [space.prune(graph) for graph in graphs] if isinstance(space, NASBench101) else graphs


@pytest.mark.parametrize("config", CONFIGS)
@pytest.mark.parametrize("name", SPACES)
def test_likelihood_is_that_of_the_slow_reference(name, config):
    space = SPACES[name]
    generator = sharpened(make(space, CONFIGS[config]).double())
    graphs = random_graphs(space, 5)
    found = generator.log_likelihood(ArchitectureBatch.from_architectures(graphs))
    for k, graph in enumerate(graphs):
        n = graph.num_nodes
        edges, operations, labels, chosen = slow_log_likelihood(generator, graph)
        torch.testing.assert_close(found.edges[k, :n], edges)
        torch.testing.assert_close(found.operations[k, :n], operations)
        torch.testing.assert_close(found.labels[k, :n], labels)
        for part in (found.edges, found.operations, found.labels):
            assert not part[k, n:].any()
        shares = decision_weights(torch.tensor([n]), torch.tensor([chosen]), torch.float32)
        torch.testing.assert_close(found.weights[:, k, :n], shares[:, 0])


@pytest.mark.parametrize("config", ["code", "printed"])
@pytest.mark.parametrize("name", SPACES)
def test_gradients_are_those_of_the_slow_reference(name, config):
    space = SPACES[name]
    generator = sharpened(make(space, CONFIGS[config]).double())
    graphs = random_graphs(space, 3, seed=1)
    weights = torch.tensor([1.0, -0.5, 2.0], dtype=torch.float64)
    fast = (weights * generator.log_prob(ArchitectureBatch.from_architectures(graphs))).sum()
    slow = sum(
        w * sum(p.sum() for p in slow_log_likelihood(generator, g)[:3])
        for w, g in zip(weights, graphs, strict=True)
    )
    names, parameters = zip(*generator.named_parameters(), strict=True)
    found = torch.autograd.grad(fast, parameters)
    expected = torch.autograd.grad(slow, parameters, allow_unused=True)
    for name_, a, b in zip(names, found, expected, strict=True):
        torch.testing.assert_close(
            a, torch.zeros_like(a) if b is None else b, msg=lambda m, n=name_: f"{n}: {m}"
        )
    assert sum(float(a.abs().sum()) for a in found) > 1


def test_single_precision_is_close_at_the_papers_size():
    space = NASBench101()
    generator = make(space, GeneratorConfig())
    graphs = random_graphs(space, 4)
    found = generator.log_prob(ArchitectureBatch.from_architectures(graphs))
    for k, graph in enumerate(graphs):
        slow = sum(part.sum() for part in slow_log_likelihood(generator, graph)[:3])
        assert float(found[k].detach()) == pytest.approx(float(slow.detach()), abs=1e-5)


class LogProb(torch.nn.Module):
    """``log_prob`` as a module's forward, which is what ``functional_call`` calls."""

    def __init__(self, generator):
        super().__init__()
        self.generator = generator

    def forward(self, batch):
        return self.generator.log_prob(batch)


def test_gradcheck():
    space = TINY["labels"]
    module = LogProb(make(space, GeneratorConfig(hidden_size=6, steps=2, mixtures=2)).double())
    batch = ArchitectureBatch.from_architectures(random_graphs(space, 2))
    names, parameters = zip(*module.named_parameters(), strict=True)

    def log_prob(*values):
        return torch.func.functional_call(module, dict(zip(names, values, strict=True)), (batch,))

    values = tuple(p.detach().clone().requires_grad_() for p in parameters)
    assert torch.autograd.gradcheck(log_prob, values, fast_mode=True)


def test_minibatches_are_parts_of_the_batch():
    space = NASBench101()
    generator = make(space)
    batch = ArchitectureBatch.from_architectures(random_graphs(space, 7))
    prepared = generator.prepare(batch)
    whole = generator.log_likelihood(prepared)
    order = torch.tensor([3, 0, 6, 6, 2, 5, 1])
    for size in (1, 2, 3, 10):
        parts = list(prepared.minibatches(order, size))
        assert [len(part) for part in parts] == [len(index) for index in order.split(size)]
        for part, index in zip(parts, order.split(size), strict=True):
            found = generator.log_likelihood(part)
            torch.testing.assert_close(found.edges, whole.edges[index])
            torch.testing.assert_close(found.operations, whole.operations[index])
            assert torch.equal(found.weights, whole.weights[:, index])
            assert list(part.batch) == list(batch[index])
    again = next(parts[0].minibatches(torch.tensor([1, 1]), 2))
    torch.testing.assert_close(generator.log_prob(again), whole.total()[[0, 0]])


def test_training_learns_the_graphs_it_is_shown():
    space = NASBench201()
    generator = make(space)
    # Labels of one row are chosen independently of each other: these graphs differ in the first row.
    shown = [
        Architecture([[0, k, a, b], [0, 0, c, d], [0, 0, 0, e], [0, 0, 0, 0]])
        for k, (a, b, c, d, e) in enumerate(np.random.default_rng(0).integers(5, size=(4, 5)), start=1)
    ]
    prepared = generator.prepare(ArchitectureBatch.from_architectures(shown))
    optimizer = torch.optim.Adam(generator.parameters(), lr=5e-3)
    source = torch.Generator().manual_seed(0)
    for _ in range(250):
        for part in prepared.minibatches(torch.randperm(4, generator=source), 2):
            optimizer.zero_grad()
            (-generator.log_prob(part)).mean().backward()
            optimizer.step()
    assert float(generator.log_prob(prepared).detach().exp().sum()) > 0.9
    samples = Counter(generator.sample(1000, source))
    assert sum(samples[graph] for graph in shown) > 850
    assert min(samples[graph] for graph in shown) > 100


def test_seeds_decide_and_global_state_is_untouched():
    space = NASBench101()
    torch.manual_seed(123)
    before = torch.random.get_rng_state()
    first, again, other = make(space, seed=1), make(space, seed=1), make(space, seed=2)
    draw = first.sample(20, torch.Generator().manual_seed(5)).to_architectures()
    assert draw == again.sample(20, torch.Generator().manual_seed(5)).to_architectures()
    assert draw != first.sample(20, torch.Generator().manual_seed(6)).to_architectures()
    batch = ArchitectureBatch.from_architectures(draw)
    assert torch.equal(first.log_prob(batch), again.log_prob(batch))
    assert not torch.equal(first.log_prob(batch), other.log_prob(batch))
    assert torch.equal(torch.random.get_rng_state(), before)


def test_state_dict_round_trip():
    space = NASBench201()
    first, other = make(space, seed=1), make(space, seed=2)
    other.load_state_dict(first.state_dict())
    batch = space.sample_batch(np.random.default_rng(0), 5)
    assert torch.equal(first.log_prob(batch), other.log_prob(batch))


def test_samples_are_members_of_spaces_without_further_rules():
    for space in (NASBench201(), ENASMacro(5), RandWire(10)):
        batch = make(space).sample(50, torch.Generator().manual_seed(0))
        for architecture in batch:
            space.validate(architecture)


def test_nasbench101_ends_at_the_first_output():
    space = NASBench101()
    batch = make(space).sample(300, torch.Generator().manual_seed(0))
    sizes = set(batch.num_nodes.tolist())
    assert {2, 3, 4, 7} <= sizes
    for architecture in batch:
        operations = architecture.operations.tolist()
        assert operations.index(4) == len(operations) - 1
        assert operations[0] == 0


def test_smaller_graphs_are_completed_where_the_size_is_fixed():
    space = TinySpace(3)
    space.completed = lambda graph: (
        graph if graph.num_nodes == 3 else Architecture(np.pad(graph.adjacency, (0, 1)))
    )
    generator = make(space)
    small, full = Architecture([[0, 1], [0, 0]]), Architecture([[0, 1, 0], [0, 0, 0], [0, 0, 0]])
    found = generator.log_prob(ArchitectureBatch.from_architectures([small, full]))
    assert found[0] == found[1]


def test_many_nodes_and_few_hidden_units():
    space = RandWire(20)
    generator = make(space, GeneratorConfig(hidden_size=16, steps=2, mixtures=2))
    batch = generator.sample(3, torch.Generator().manual_seed(0))
    for k, architecture in enumerate(batch):
        slow = sum(part.sum() for part in slow_log_likelihood(generator, architecture)[:3])
        found = float(generator.log_prob(batch).detach()[k])
        assert found == pytest.approx(float(slow.detach()), rel=1e-5)


def test_bad_input():
    space = ENASMacro(3)
    generator = make(space)
    with pytest.raises(InvalidArgument, match="n must be at least 1, got 0"):
        generator.sample(0, torch.Generator())
    broken = Architecture(np.zeros((5, 5), int), [0, 2, 3, 4, 1])
    with pytest.raises(InvalidArchitecture, match="edge 0 -> 1"):
        generator.log_prob(ArchitectureBatch.from_architectures([broken]))
    with pytest.raises(InvalidArchitecture):
        make(NASBench101()).log_prob(
            ArchitectureBatch.from_architectures([Architecture(np.zeros((3, 3)), [0, 1, 1])])
        )
    with pytest.raises(InvalidArgument, match="nothing to choose"):
        make(TinySpace(2, edge_choices={(0, 1): [1]}))


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("hidden_size", 1),
        ("steps", 0),
        ("mixtures", 0),
        ("head_layers", 1),
        ("node_input", "x"),
        ("mixture_logits", "x"),
        ("sampling_precision", "float16"),
    ],
)
def test_bad_settings(field, value):
    with pytest.raises(InvalidArgument, match=field):
        GeneratorConfig(**{field: value})
