"""The recurrent generator: an exact likelihood, samples that follow it, nothing that the space forbids."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from graphnas import Architecture, ArchitectureBatch, GraphSpace
from graphnas.errors import InvalidArchitecture, InvalidArgument
from graphnas.methods import GraphPNAS, GraphPNASConfig, LearnedDistribution
from graphnas.methods.graphpnas import PhamGenerator, RNNGenerator
from search_spaces import ENASMacro, NASBench101, NASBench201, RandWire


class Labelled(GraphSpace):
    """Three nodes with operations and labelled edges; one edge is forced, one has a single label."""

    name = "labelled"
    node_ops = ("input", "conv", "pool")
    edge_ops = ("none", "plain", "skip")
    max_nodes = 3

    def node_choices(self, node):
        return (0,) if node == 0 else (1, 2)

    def edge_choices(self, source, target):
        return {(0, 1): (1, 2), (0, 2): (0, 2), (1, 2): (0, 1, 2)}[source, target]

    def build(self, architecture, num_classes, **shape):
        raise NotImplementedError


class Sized(GraphSpace):
    """Graphs of 2 to 4 nodes."""

    name = "sized"
    node_ops = ("input", "conv", "pool", "output")
    max_nodes = 4
    terminal = 3

    def node_choices(self, node):
        return (0,) if node == 0 else (3,) if node == 3 else (1, 2)

    def build(self, architecture, num_classes, **shape):
        raise NotImplementedError


SPACES = {
    "nasbench101": NASBench101,
    "nasbench201": NASBench201,
    "enas": lambda: ENASMacro(5),
    "randwire": lambda: RandWire(5),
    "stages": lambda: RandWire(3, stages=2),
    "labelled": Labelled,
}


def make(space, seed=0, **options):
    return RNNGenerator(space, hidden_size=12, generator=torch.Generator().manual_seed(seed), **options)


@pytest.fixture(params=SPACES)
def space(request):
    return SPACES[request.param]()


def everything(space):
    return ArchitectureBatch.from_architectures(list(space.enumerate()), space.max_nodes)


@pytest.mark.parametrize("tanh_constant", [2.5, None])
def test_probabilities_of_all_architectures_sum_to_one(tanh_constant):
    for space in (Labelled(), RandWire(4), NASBench201()):
        generator = make(space, tanh_constant=tanh_constant).double()
        with torch.no_grad():
            assert generator.log_prob(everything(space)).exp().sum() == pytest.approx(1.0, abs=1e-9)


def test_probabilities_of_graphs_of_all_sizes_sum_to_one():
    """A space with a terminal operation: every graph of 2 to 4 nodes, which no rule forbids."""
    space = Sized()
    graphs = []
    for n in (2, 3, 4):
        pairs = np.triu_indices(n, 1)
        for edges in itertools.product(range(2), repeat=len(pairs[0])):
            for inner in itertools.product((1, 2), repeat=n - 2):
                adjacency = np.zeros((n, n), int)
                adjacency[pairs] = edges
                graphs.append(Architecture(adjacency, [0, *inner, 3]))
    with torch.no_grad():
        total = make(space).double().log_prob(ArchitectureBatch.from_architectures(graphs)).exp().sum()
    assert total == pytest.approx(1.0, abs=1e-9)


def test_samples_follow_the_likelihood():
    space = Labelled()
    generator = make(space, seed=3)
    with torch.no_grad():  # far from uniform
        for parameter in generator.parameters():
            parameter *= 3
    every = everything(space)
    probability = generator.log_prob(every).exp().detach().numpy()
    position = {architecture: k for k, architecture in enumerate(every)}
    count = 20_000
    drawn = generator.sample(count, torch.Generator().manual_seed(1))
    found = np.bincount([position[a] for a in drawn], minlength=len(every))
    deviation = (found - count * probability) / np.sqrt(count * probability * (1 - probability))
    assert probability.max() > 4 * probability.min()
    assert np.abs(deviation).max() < 4.5
    assert deviation.std() < 1.3


def test_the_likelihood_is_that_of_the_choices_made_one_by_one(space):
    """The slow way: one architecture, one node at a time, with the state carried along."""
    generator = make(space, seed=2).double()
    batch = space.sample_batch(np.random.default_rng(0), 4)
    if space.terminal is not None:  # graphs of several sizes
        batch = ArchitectureBatch.from_architectures([space.prune(a) for a in batch])
        assert len(set(batch.num_nodes.tolist())) > 1
    fast = generator.log_likelihood(batch)
    for k, architecture in enumerate(batch):
        edges, operations, labels, counts = slow(generator, architecture)
        assert fast.edges[k].tolist() == pytest.approx(edges)
        assert fast.operations[k].tolist() == pytest.approx(operations)
        assert fast.labels[k].tolist() == pytest.approx(labels)
        assert fast.weights[2, k].tolist() == pytest.approx([-0.125 / max(1, count) for count in counts])
        assert fast.weights[1, k].tolist() == pytest.approx([-0.5 / architecture.num_nodes] * len(counts))


def slow(generator, architecture):
    space, bounded = generator.space, lambda logits: 2.5 * torch.tanh(logits / 5)
    n, labels = space.max_nodes, len(space.edge_ops) - 1
    state, read = None, generator.start
    edge_terms, node_terms, label_terms, counts = [], [], [], []
    for i in range(n):
        out, state = generator.lstm(read[None, None], state)
        logits = bounded(generator.write_operation(out[0, 0]))
        allowed = list(space.node_choices(i))
        if space.terminal is not None and 0 < i < n - 1:
            allowed.append(space.terminal)
        if i >= architecture.num_nodes:
            break
        chosen = int(architecture.operations[i])
        node_terms.append(torch.log_softmax(logits[allowed], 0)[allowed.index(chosen)].item())
        out, state = generator.lstm(generator.read_operation.weight[chosen][None, None], state)
        logits = bounded(out[0, 0] @ generator.write_edges[i] + generator.edge_bias[i])
        edge, label, count, embeddings = 0.0, 0.0, 0, []
        for j in range(i):
            value, choices = int(architecture.adjacency[j, i]), list(space.edge_choices(j, i))
            if 0 in choices and len(choices) > 1:
                edge += F.logsigmoid(logits[j] if value else -logits[j]).item()
            named = [c for c in choices if c]
            if value and len(named) > 1:
                among = logits[[n + j * labels + c - 1 for c in named]]
                label += torch.log_softmax(among, 0)[named.index(value)].item()
                count += 1
            if value:
                embeddings.append(generator.read_edge.weight[j * labels + value - 1])
        edge_terms.append(edge)
        label_terms.append(label)
        counts.append(count)
        read = torch.stack(embeddings).mean(0) if embeddings else torch.zeros_like(generator.start)
    rest = [0] * (n - architecture.num_nodes)
    return edge_terms + rest, node_terms + rest, label_terms + rest, counts + rest


def test_nothing_forbidden_is_sampled_or_likely(space):
    generator = make(space)
    with torch.no_grad():
        for parameter in generator.parameters():
            parameter *= 5
    drawn = generator.sample(200, torch.Generator().manual_seed(0))
    generator.decisions.arrays(drawn)  # refuses what the choices forbid
    assert torch.isfinite(generator.log_prob(drawn)).all()
    if space.terminal is None:
        assert (drawn.num_nodes == space.max_nodes).all()
    else:
        assert set(drawn.num_nodes.tolist()) == {2, 3, 4, 5, 6, 7}
        ends = drawn.operations == space.terminal
        assert (ends.sum(1) == 1).all()
        assert (ends.int().argmax(1) == drawn.num_nodes - 1).all()


def test_it_learns_a_set_by_heart():
    space = NASBench101()
    generator = make(space, tanh_constant=None)
    batch = space.sample_batch(np.random.default_rng(1), 3)
    optimizer = torch.optim.Adam(generator.parameters(), lr=0.02)
    for _ in range(150):
        loss = -generator.log_prob(batch).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert loss.item() < 1.4  # log 3 = 1.10 is the least
    assert len(set(generator.sample(200, torch.Generator().manual_seed(0))) & set(batch)) == 3


def test_seeds_decide_and_the_global_generator_is_not_touched(space):
    state = torch.get_rng_state()
    first, second, other = make(space, 1), make(space, 1), make(space, 2)
    assert all(torch.equal(a, b) for a, b in zip(first.parameters(), second.parameters(), strict=True))
    assert not torch.equal(first.start, other.start)

    def draw(seed):
        return list(first.sample(20, torch.Generator().manual_seed(seed)))

    assert draw(5) == draw(5) != draw(6)
    assert torch.equal(state, torch.get_rng_state())


def test_bad_arguments():
    for wrong in ({"layers": 0}, {"temperature": 0.0}, {"tanh_constant": -1.0}):
        with pytest.raises(InvalidArgument, match=next(iter(wrong))):
            make(Labelled(), **wrong)
    with pytest.raises(InvalidArgument, match="n must be at least 1, got 0"):
        make(Labelled()).sample(0, torch.Generator())
    with pytest.raises(InvalidArchitecture, match="5 nodes, at most 3"):
        make(Labelled()).log_prob(RandWire(5).sample_batch(np.random.default_rng(0), 2))


# ---------------------------------------------------------------- ENAS's controller


def pham(space, seed=0, scale=1.0, **options):
    source = torch.Generator().manual_seed(seed)
    generator = PhamGenerator(space, hidden_size=12, generator=source, **options)
    with torch.no_grad():
        for parameter in generator.parameters():
            parameter *= scale
    return generator


def all_sized():
    """Every graph of 2 to 4 nodes of :class:`Sized`."""
    for n in (2, 3, 4):
        pairs = np.triu_indices(n, 1)
        for edges in itertools.product(range(2), repeat=len(pairs[0])):
            for inner in itertools.product((1, 2), repeat=n - 2):
                adjacency = np.zeros((n, n), int)
                adjacency[pairs] = edges
                yield Architecture(adjacency, [0, *inner, 3])


def test_the_controllers_probabilities_sum_to_one():
    for graphs, space in (
        (everything(RandWire(4)), RandWire(4)),
        (everything(ENASMacro(2)), ENASMacro(2)),
        (ArchitectureBatch.from_architectures(list(all_sized())), Sized()),
    ):
        probability = pham(space, scale=8).double().log_prob(graphs).exp().detach()
        assert float(probability.sum()) == pytest.approx(1.0, abs=1e-9)
        assert float(probability.max()) > 1.2 * float(probability.min())


def test_the_controllers_samples_follow_its_likelihood():
    space = Sized()
    every = list(all_sized())
    generator = pham(space, seed=3, scale=10)
    probability = generator.log_prob(ArchitectureBatch.from_architectures(every)).exp().detach().numpy()
    position = {architecture: k for k, architecture in enumerate(every)}
    count = 20_000
    drawn = generator.sample(count, torch.Generator().manual_seed(1))
    found = np.bincount([position[a] for a in drawn], minlength=len(every))
    deviation = (found - count * probability) / np.sqrt(count * probability * (1 - probability))
    assert np.abs(deviation).max() < 4.5
    assert deviation.std() < 1.3


@torch.no_grad()
def test_the_controller_one_decision_at_a_time():
    """One architecture, with the formulas of ENAS written out."""
    space = ENASMacro(4)
    generator = pham(space, scale=6).double()
    for architecture in space.sample_batch(np.random.default_rng(0), 3):
        found = generator.log_likelihood(ArchitectureBatch.from_architectures([architecture]))
        h = c = torch.zeros(1, 12, dtype=torch.double)
        read, anchors = generator.start[None], []
        for i in range(space.max_nodes):
            h, c = generator.cell(read, (h, c))
            logits = 1.5 * torch.tanh(generator.write_operation(h))[0]
            allowed, chosen = list(space.node_choices(i)), int(architecture.operations[i])
            expected = torch.log_softmax(logits[allowed], 0)[allowed.index(chosen)]
            assert float(found.operations[0, i]) == pytest.approx(float(expected))
            h, c = generator.cell(generator.read_operation.weight[chosen][None], (h, c))
            total, chosen_anchors = 0.0, []
            for j, anchor in enumerate(anchors):
                inner = generator.of_anchor(anchor) + generator.of_state(h)
                q = 1.5 * torch.tanh(generator.attention(torch.tanh(inner)))[0]
                there = int(architecture.adjacency[j, i])
                if len(space.edge_choices(j, i)) > 1:
                    total += float(torch.log_softmax(torch.cat([-q, q]), 0)[there])
                if there:
                    chosen_anchors.append(anchor)
            assert float(found.edges[0, i]) == pytest.approx(total)
            read = sum(chosen_anchors) / (1 + len(chosen_anchors)) if chosen_anchors else 0 * h
            read = generator.start[None] if not anchors else read
            anchors.append(h)


def test_the_controller_has_no_labels_of_edges():
    with pytest.raises(InvalidArgument, match="labels edges"):
        pham(NASBench201())
    with pytest.raises(InvalidArgument, match="tanh_constant"):
        pham(RandWire(4), tanh_constant=0.0)


def test_the_controller_searches_and_its_distribution_is_kept(tmp_path):
    space = ENASMacro(4)
    config = GraphPNASConfig.preset("enas-rnn", hidden_size=16, n_startup_trials=6, batch_size=4)
    method = GraphPNAS(space, config, seed=0)
    for _ in range(14):
        (architecture,) = method.ask()
        method.tell(architecture, float(architecture.num_edges))
    learned = method.distribution()
    assert isinstance(learned.generator, PhamGenerator)
    again = LearnedDistribution.load(learned.save(tmp_path / "pham.pt"))
    assert again.sample(5) == learned.sample(5)
