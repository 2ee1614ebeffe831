"""GraphPNAS's critic: what it chooses among, how it chooses, and that the published loop is without it."""

from __future__ import annotations

import numpy as np
import pytest

from graphnas import Architecture, ArchitectureBatch
from graphnas.graph.evaluation import Observation
from graphnas.methods import GraphPNAS, GraphPNASConfig
from graphnas.methods.graphpnas import search as loop
from graphnas.methods.graphpnas.critic import Candidates, Critic
from graphnas.methods.graphpnas.sampling import generator_stream
from graphnas.surrogate import GaussianProcess, GraphKernels, TrainingSet, normal_scores
from graphnas.surrogate.acquisition import log_expected_improvement
from search_spaces import NASBench101, NASBench201, RandWire

SMALL = {"generator": "rnn", "hidden_size": 16, "n_startup_trials": 8, "batch_size": 4, "epochs": 5}
SPACE = NASBench201()


def quality(architecture: Architecture) -> float:
    """Number of 3x3 convolutions of a NAS-Bench-201 cell, with a tie-breaker."""
    return float((architecture.adjacency == 3).sum() + 0.01 * architecture.adjacency.sum())


def small(seed=0, space=SPACE, **changes):
    return GraphPNAS(space, GraphPNASConfig(**{**SMALL, **changes}), seed=seed)


def candidates_of(method):
    finished = method.observations
    return method._candidates(finished, method.updates(finished))


def drive(method, steps, value=quality):
    found = []
    for _ in range(steps):
        (architecture,) = method.ask()
        method.tell(architecture, value(architecture))
        found.append(architecture)
    return found


def training_set(architectures):
    observations = [Observation(a, (quality(a),)) for a in architectures]
    return TrainingSet.from_observations(observations, np.random.default_rng(0))


# ---------------------------------------------------------------- without


def test_only_the_default_has_a_critic():
    assert {name for name in GraphPNASConfig.presets if GraphPNASConfig.preset(name).critic is not None} == {
        "default"
    }


@pytest.mark.parametrize("likeliest", [0.0, 1.0])
def test_without_a_critic_proposals_are_the_samples_of_the_generator(likeliest, monkeypatch):
    def never(*_):
        raise AssertionError("there is no critic")

    monkeypatch.setattr(Critic, "best", never)
    monkeypatch.setattr(loop, "Candidates", never)
    method = small(critic=None, likeliest=likeliest)
    drive(method, 8)
    for turn in range(12):
        config, update = method.config, 8 + 4 * (turn // 4)
        samples = generator_stream(
            SPACE,
            lambda generator=method.generator: generator,
            [int(method.rng(loop._SAMPLES, update).integers(2**63))],
            chunk=config.chunk,
            candidates=config.candidates,
            likeliest=likeliest == 1,
        )
        seen = {SPACE.key(o.architecture) for o in method.observations}
        assert drive(method, 1) == [samples.first_unseen(seen)]


# ---------------------------------------------------------------- what it chooses among


def test_candidates_are_valid_each_network_once_and_in_the_form_of_proposals():
    space = NASBench101()
    cells = [space.sample(np.random.default_rng(k)) for k in range(6)]
    mirrored = [space.prune(cell) for cell in cells]
    foreign = Architecture(np.zeros((3, 3), int))
    candidates = Candidates(space, [mirrored[0], foreign, *cells, *mirrored])
    assert candidates.keys == list(dict.fromkeys(map(space.key, cells)))
    graphs = candidates.unseen(set()).to_architectures()
    assert graphs[0] == space.completed(mirrored[0])
    assert graphs[1:] == cells[1:]
    rest = candidates.unseen({space.key(cells[0]), space.key(cells[3])}).to_architectures()
    assert rest == [cells[k] for k in (1, 2, 4, 5)]
    assert candidates.unseen(set(candidates.keys)) is None
    assert Candidates(space, [foreign]).unseen(set()) is None


def test_the_candidates_are_samples_of_the_generator_and_graphs_of_the_explorer():
    explored = small(screened=0, screened_random=300)
    drive(explored, 9)
    # NAS-Bench-201's explorer draws no "none"; a generator that saw it rewarded does.
    assert all(
        a.adjacency[np.triu_indices(4, 1)].all() for a in candidates_of(explored).batch.to_architectures()
    )
    assert explored._learner._known is None  # nothing is trained that nothing would use
    learned = small(screened=300, screened_random=0)
    drive(learned, 9)
    pool = candidates_of(learned).batch
    likelihood = learned.generator.log_prob(pool).mean()
    assert likelihood > learned.generator.log_prob(candidates_of(explored).batch).mean()
    both = small(screened=300, screened_random=300)
    drive(both, 9)
    keys = candidates_of(both).keys
    assert keys[: len(candidates_of(learned).keys)] == candidates_of(learned).keys
    assert set(keys) == {*candidates_of(learned).keys, *candidates_of(explored).keys}


def test_an_update_brings_new_candidates():
    method = small(screened=50, screened_random=50)
    pools = []
    for _ in range(10):
        drive(method, 1)
        pools.append(None if method._screened._known is None else method._screened._known[1])
    assert pools[:8] == [None] * 8
    drive(method, 2)
    assert pools[8] is pools[9] is method._screened._known[1]
    drive(method, 1)
    assert method._screened._known[1].keys != pools[8].keys


def test_where_no_candidate_is_left_the_generator_and_the_explorer_go_on():
    method = small(screened=2, screened_random=1, batch_size=10)
    found = drive(method, 28)
    assert len({SPACE.key(a) for a in found}) == 28
    tiny = small(space=RandWire(3), screened=20, screened_random=20, n_startup_trials=2)
    size = len({tiny.space.key(a) for a in tiny.space.enumerate()})
    found = drive(tiny, size, value=lambda a: float(a.num_edges))
    assert len({tiny.space.key(a) for a in found}) == size


# ---------------------------------------------------------------- how it chooses


def test_it_chooses_by_expected_improvement_under_the_graph_kernels():
    rng = np.random.default_rng(0)
    known = SPACE.sample_batch(rng, 30)
    pool = SPACE.sample_batch(rng, 200)
    data = training_set(known.to_architectures())
    chosen = Critic(SPACE).best(data, [], pool)
    features = GraphKernels(SPACE, operations=False).fit(known)
    targets = normal_scores(data.scores)
    process = GaussianProcess(features.kernel()).fit(features(known), targets)
    scores = log_expected_improvement(*process.predict(features(pool), noisy=True), targets.max())
    assert chosen == pool.architecture(int(scores.argmax()))
    assert quality(chosen) > np.quantile(list(map(quality, pool.to_architectures())), 0.9)


def test_what_is_pending_counts_as_evaluated():
    method = small(screened=200, screened_random=100)
    drive(method, 10)
    first, second = method.ask(2)
    assert method.ask(pending=[first]) == [second]
    data = training_set([o.architecture for o in method.observations])
    known = {SPACE.key(a) for a in [*data.architectures, first]}
    left = candidates_of(method).unseen(known)
    assert second == Critic(SPACE).best(data, [first], left)


def test_each_evaluation_is_learned_from_at_once():
    """The generator waits for the next update, the critic does not."""
    low, high = small(batch_size=20), small(batch_size=20)
    drive(low, 12)
    drive(high, 12)
    (proposal,) = low.ask()
    assert high.ask() == [proposal]
    low.tell(proposal, -10.0)
    high.tell(proposal, 10.0)
    assert candidates_of(low).keys == candidates_of(high).keys
    assert low.ask() != high.ask()


def test_it_finds_better_architectures_sooner():
    means = {}
    for critic in (None, "kernel"):
        values = [[quality(a) for a in drive(small(seed, critic=critic), 40)] for seed in range(3)]
        means[critic] = np.mean(values, 0)[8:].mean()
    assert means["kernel"] > means[None] + 0.5


def test_constraints_and_several_objectives_reach_the_critic():
    def convolutions(architecture):
        return float((architecture.adjacency == 3).sum())

    shares = []
    for seed in range(3):
        method = small(seed)
        found = []
        for _ in range(40):
            (architecture,) = method.ask()
            count = convolutions(architecture)
            method.tell(architecture, (count, -float((architecture.adjacency == 1).sum())), (count - 3.0,))
            found.append(architecture)
        shares.append(np.mean([convolutions(a) <= 3 for a in found[20:]]))
        # As many convolutions as are allowed, without a skip connection.
        assert any(convolutions(a) == 3 and not (a.adjacency == 1).any() for a in found)
    assert np.mean(shares) > 0.5


def test_the_critic_works_where_graphs_differ_in_size():
    space = NASBench101()
    method = small(space=space, screened=100, screened_random=50)
    found = drive(method, 16, value=lambda a: float(a.num_edges))
    assert len({space.key(a) for a in found}) == 16
    cell = space.from_matrix([[0, 1, 0], [0, 0, 1], [0, 0, 0]], [0, 1, 4])
    method.tell(cell, 3.0)
    assert method.ask()[0].num_nodes == 7
    assert isinstance(candidates_of(method).batch, ArchitectureBatch)
