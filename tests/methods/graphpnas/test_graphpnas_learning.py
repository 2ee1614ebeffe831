"""Rewards, replay buffer, losses and training of GraphPNAS, each against plain numbers."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from graphnas import ArchitectureBatch
from graphnas.errors import InvalidArgument
from graphnas.graph.evaluation import Observation
from graphnas.methods.graphpnas import Buffer, GraphPNAS, GraphPNASConfig, LogLikelihood, RNNGenerator, fit
from graphnas.methods.graphpnas.likelihood import (
    decision_weights,
    log_one_minus,
    reinforce_loss,
    reweighted_loss,
)
from graphnas.methods.graphpnas.replay import check_keep_top, kept, number_kept, rewards
from graphnas.methods.graphpnas.training import Learner, make_optimizer
from graphnas.methods.graphpnas.work import gradient_steps
from search_spaces import NASBench101, NASBench201


def likelihood(seed=0, graphs=5, nodes=4):
    """Row-wise log-likelihoods of some graphs, and how many labels were a choice in each row."""
    rng = np.random.default_rng(seed)
    rows = torch.tensor(-rng.uniform(0.1, 2, (3, graphs, nodes)), requires_grad=True)
    counts = torch.tensor(rng.integers(0, 3, (graphs, nodes)))
    weights = decision_weights(torch.full((graphs,), nodes), counts, torch.float64)
    return LogLikelihood(rows, weights), counts


# ---------------------------------------------------------------- rewards


def test_rewards():
    scores = np.array([90.0, 94.0, 92.0, 92.0])
    assert rewards(scores, "raw").tolist() == scores.tolist()
    assert rewards(scores, "cdf").tolist() == [0.25, 1.0, 0.625, 0.625]
    standardised = rewards(scores, "standardised")
    assert standardised.mean() == pytest.approx(0.0)
    assert standardised.std() == pytest.approx(1.0)
    assert standardised[1] == pytest.approx(2 / math.sqrt(2))
    assert rewards(np.full(7, 0.1 + 0.2), "standardised").tolist() == [1.0] * 7
    with pytest.raises(InvalidArgument, match="'rank'"):
        rewards(scores, "rank")


# ---------------------------------------------------------------- replay buffer


def test_the_best_are_kept():
    scores = np.array([1.0, 5.0, 3.0, 5.0, 2.0])
    assert kept(scores, 3).tolist() == [1, 3, 2]
    assert kept(scores, 100).tolist() == [1, 3, 2, 4, 0]
    assert kept(scores, 0.4).tolist() == [1, 3]


def test_the_kept_share_shrinks_on_a_schedule():
    schedule = ((0, 0.5), (10, 0.2), (40, 6))
    assert [number_kept(n, schedule) for n in (1, 4, 9, 10, 39, 40, 100)] == [1, 2, 5, 2, 8, 6, 6]


def test_the_best_of_the_latest_are_kept():
    scores = np.array([9.0, 8.0, 1.0, 5.0, 3.0, 5.0])
    assert kept(scores, 2, latest=4).tolist() == [3, 5]
    assert kept(scores, 0.5, latest=4).tolist() == [3, 5]
    assert kept(scores, 3, latest=100).tolist() == [0, 1, 3]


def test_an_update_of_the_enas_search_does_not_grow_without_end():
    """Without the bound, a fifth of 30,000 for 2,000 epochs is 376,000 minibatches."""
    config = GraphPNASConfig.preset("enas")
    assert gradient_steps(config, 100, first=True) == 2000
    late = [gradient_steps(config, count, first=False) for count in (1000, 10_000, 30_000)]
    assert late == [100 * 7] * 3
    unbounded = GraphPNASConfig.preset("enas", buffer=None, warm_start=False)
    assert gradient_steps(unbounded, 30_000, first=False) == 376_000


def test_only_the_latest_are_learned_from():
    space = NASBench201()
    method = GraphPNAS(space, GraphPNASConfig(buffer=6, keep_top=3, n_startup_trials=4), seed=0)
    for k, cell in enumerate(space.sample_batch(np.random.default_rng(0), 20)):
        method.tell(cell, float(-k))
    buffer = method._buffer(tuple(method.observations))
    assert buffer.architectures == [o.architecture for o in method.observations[-6:]]


@pytest.mark.parametrize("wrong", [0, -1, 0.0, 1.5, True, (), ((5, 3),), ((0, 3), (0, 2)), ((0, 3), (9, 0))])
def test_what_cannot_be_kept_is_refused(wrong):
    with pytest.raises(InvalidArgument, match="keep_top"):
        check_keep_top(wrong)
    with pytest.raises(InvalidArgument, match="keep_top"):
        GraphPNASConfig(keep_top=wrong)


# ---------------------------------------------------------------- losses


def test_the_loss_per_decision_is_that_of_the_released_code():
    given, chosen = likelihood()
    for k, loss in enumerate(given.loss("decision").tolist()):
        edges, nodes, labels = (part[k].tolist() for part in (given.edges, given.operations, given.labels))
        counts = chosen[k].tolist()
        expected = -sum(edges) / (4 * 5 / 2) - 0.5 * sum(nodes) / 4
        expected -= 0.125 * sum(label / max(1, count) for label, count in zip(labels, counts, strict=True))
        assert loss == pytest.approx(expected)


def test_equation_12():
    given, _ = likelihood()
    reward = torch.tensor([1.0, -1.0, 0.5, 0.0, -2.0], dtype=torch.float64)
    loss = given.loss("decision")
    p = torch.exp(-loss)
    expected = (1.0 * loss[0] + 0.5 * loss[2]) / 5
    expected += 0.05 * (-1.0 * torch.log(1 - p[1]) - 2.0 * torch.log(1 - p[4])) / 5
    assert reweighted_loss(given, reward, beta=0.05).item() == pytest.approx(expected.item())
    assert reinforce_loss(given, reward).item() == pytest.approx((reward * loss).mean().item())


def test_negative_rewards_make_a_graph_less_likely_and_positive_ones_more():
    for reward, sign in ((1.0, -1), (-1.0, 1)):
        given, _ = likelihood(graphs=1)
        reweighted_loss(given, torch.tensor([reward]), beta=0.05).backward()
        assert (torch.sign(given.terms.grad) == sign).all()


def test_the_probability_of_a_whole_graph_makes_negative_rewards_inert():
    """For a graph of 32 nodes P is about 1e-150: log(1 - P) and its gradient are exactly 0."""
    reward = torch.tensor([-1.0])
    gradients = {}
    for probability in ("graph", "decision"):
        edges = torch.full((1, 32), -11.0, requires_grad=True)
        zeros = torch.zeros(1, 32)
        weights = decision_weights(torch.tensor([32]), zeros.long(), zeros.dtype)
        given = LogLikelihood(torch.stack([edges, zeros, zeros]), weights)
        loss = reweighted_loss(given, reward, beta=1.0, probability=probability)
        loss.backward()
        gradients[probability] = edges.grad.abs().max().item()
        assert (loss.item() == 0) == (probability == "graph")
    assert gradients["graph"] == 0
    assert gradients["decision"] > 1e-4


def test_log_one_minus_p_is_stable_at_both_ends():
    loss = torch.tensor([0.0, 1e-12, 1e-3, 1.0, 50.0], requires_grad=True)
    value = log_one_minus(loss)
    expected = [math.log(1e-6), math.log(1e-6), math.log(-math.expm1(-1e-3)), math.log(1 - math.exp(-1)), 0.0]
    assert value.tolist() == pytest.approx(expected, rel=1e-4, abs=1e-12)
    value.sum().backward()
    assert torch.isfinite(loss.grad).all()
    naive = torch.log(1 - torch.exp(-torch.tensor(1e-12)))  # what the plain form gives
    assert not torch.isfinite(naive)


# ---------------------------------------------------------------- training


def rnn(seed=0, space=None):
    return RNNGenerator(space or NASBench201(), hidden_size=16, generator=torch.Generator().manual_seed(seed))


def buffer_of(space, size, seed=0):
    """Architectures whose score is the number of convolutions."""
    batch = space.sample_batch(np.random.default_rng(seed), size).to_architectures()
    return Buffer(batch, np.array([(a.adjacency == 3).sum() for a in batch], float))


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"reward": "standardised", "beta": 0.05},
        {"reward": "standardised", "loss": "reinforce", "keep_top": 60},
        {"reward": "raw", "probability": "graph"},
    ],
    ids=["cdf", "eq. 12", "reinforce", "raw, whole graph"],
)
def test_training_moves_probability_to_what_is_good(changes):
    space = NASBench201()
    buffer = buffer_of(space, 60)
    generator = rnn()
    settings = {"epochs": 25, "keep_top": 20, "learning_rate": 1e-2} | changes
    losses = fit(generator, buffer, GraphPNASConfig(**settings), torch.Generator().manual_seed(0))
    assert len(losses) == 25
    assert losses[-1] < losses[0]
    drawn = generator.sample(500, torch.Generator().manual_seed(0)).adjacency
    # Uniform over the space would be 6/5 convolutions of the kind that counts.
    assert (drawn == 3).sum((1, 2)).double().mean() > 1.8


def test_only_the_kept_count():
    space = NASBench101()
    good, bad = (space.sample_batch(np.random.default_rng(seed), 6).to_architectures() for seed in (1, 2))
    config = GraphPNASConfig(keep_top=6, epochs=3)
    ends = []
    for others in (bad, bad[:2]):
        generator = rnn(space=space)
        scores = np.array([1.0] * 6 + [0.0] * len(others))
        fit(generator, Buffer([*good, *others], scores), config, torch.Generator().manual_seed(0))
        ends.append(generator.log_prob(ArchitectureBatch.from_architectures(good)).tolist())
    assert ends[0] == ends[1]


def test_averages_that_decay_do_not_become_denormal():
    """The weights that only cells with convolutions use get no gradient while others are learned."""
    space, generator = NASBench201(), rnn()
    config = GraphPNASConfig(keep_top=1)
    optimizer = make_optimizer(generator, config)
    source = torch.Generator().manual_seed(0)
    smallest = torch.finfo(torch.float32).tiny
    denormal = 0
    for cell, epochs in ((15_624, 1), (0, 850)):
        fit(generator, Buffer([space.at(cell)], np.ones(1)), config, source, optimizer, epochs=epochs)
        means = torch.cat([state["exp_avg"].flatten() for state in optimizer.state.values()])
        denormal = int(((means != 0) & (means.abs() < smallest)).sum())
    assert denormal == 0


@pytest.mark.parametrize("warm_start", [True, False])
def test_a_learner_that_begins_late_arrives_at_the_same_weights(warm_start):
    config = GraphPNASConfig(epochs=3, warm_epochs=2, warm_start=warm_start, hidden_size=16)
    whole = buffer_of(NASBench201(), 16)
    asked = []

    def buffer(known):
        asked.append(len(known))
        return Buffer(whole.architectures[: len(known)], whole.scores[: len(known)])

    def make(source):
        return RNNGenerator(NASBench201(), hidden_size=16, generator=source)

    updates = [4, 8, 12, 16]
    finished = tuple(Observation(a, (0.0,)) for a in whole.architectures)
    step_by_step = Learner(make, config, seed=1)
    for end in range(1, 5):
        generator = step_by_step.at(updates[:end], finished[: updates[end - 1] + 1], buffer)
    assert asked == updates
    asked.clear()
    late = Learner(make, config, seed=1).at(updates, finished, buffer)
    assert asked == (updates if warm_start else [16])
    for a, b in zip(generator.parameters(), late.parameters(), strict=True):
        assert torch.equal(a, b)


def test_a_learner_begins_anew_for_another_history():
    config = GraphPNASConfig(epochs=1, warm_epochs=1, warm_start=True, hidden_size=16)
    whole = buffer_of(NASBench201(), 8)
    finished = tuple(Observation(a, (0.0,)) for a in whole.architectures)
    asked = []

    def buffer(known):
        asked.append(len(known))
        return Buffer([o.architecture for o in known], np.arange(len(known), dtype=float))

    def make(source):
        return RNNGenerator(NASBench201(), hidden_size=16, generator=source)

    learner = Learner(make, config, seed=1)
    first = [w.clone() for w in learner.at([4, 8], finished, buffer).parameters()]
    assert learner.at([4, 8], finished, buffer) is learner.at([4, 8], finished, buffer)
    learner.at([4, 8], finished[::-1], buffer)
    again = learner.at([4, 8], finished, buffer).parameters()
    assert asked == [4, 8] * 3
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))
