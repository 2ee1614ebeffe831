"""NASGEM's search loop: rounds, candidates, presets, and that it beats random search on a real table."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import norm

from graphnas.errors import InvalidArgument
from graphnas.evaluate import TabularEvaluator
from graphnas.graph.evaluation import Observation
from graphnas.methods import NASGEM, NASGEMConfig, RandomSearch
from graphnas.methods.candidates import changed_candidates, whole_space
from graphnas.methods.nasgem import EncoderConfig, KernelGuidedEncoder
from graphnas.methods.nasgem.surrogates import KernelSurrogate
from graphnas.surrogate import KernelPredictor
from graphnas.surrogate.acquisition import (
    log_expected_improvement,
    log_hypervolume_improvement,
    normal_scores,
)
from graphnas.surrogate.training_set import TrainingSet
from search_spaces import GEMNet, NASBench201

TINY = EncoderConfig(dimension=4, hidden=(16,), pairs=64, iterations=20, batch_size=16)


def test_paper_preset_is_the_papers():
    config = NASGEMConfig.preset("paper")
    assert (config.predictor, config.candidates, config.batch_size) == ("encoder", 50_000, 10)
    assert NASGEM(GEMNet(30), preset="paper").config == config
    with pytest.raises(InvalidArgument, match="paper"):
        NASGEMConfig.preset("published")
    with pytest.raises(InvalidArgument, match="not both"):
        NASGEM(GEMNet(4), NASGEMConfig(), preset="paper")
    with pytest.raises(InvalidArgument, match="no encoder"):
        _ = NASGEM(GEMNet(4)).encoder


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("predictor", "oracle"),
        ("update", "sometimes"),
        ("noise", "twice"),
        ("two_objectives", "lexicographic"),
        ("batch_size", 0),
        ("candidates", 0),
        ("depths", ()),
    ],
)
def test_bad_settings(field, value):
    with pytest.raises(InvalidArgument, match=field):
        NASGEMConfig(**{field: value})


def test_one_round_follows_one_ranking():
    """Within a round the proposals are the ranking's, whatever the values told in between."""
    space = GEMNet(6)
    config = NASGEMConfig.preset("paper", n_startup_trials=4, batch_size=4, candidates=300, encoder=TINY)
    first, second = NASGEM(space, config, seed=0), NASGEM(space, config, seed=0)
    for method, noise in ((first, 0.0), (second, 100.0)):
        for step in range(8):
            (architecture,) = method.ask()
            method.tell(architecture, architecture.num_edges + noise * (step >= 4))
    told = [[o.architecture for o in method.observations] for method in (first, second)]
    assert told[0] == told[1]
    assert first.ask() != second.ask()  # the next round has learned from them


def test_a_given_encoder_is_used_and_frozen():
    space = GEMNet(5)
    encoder = KernelGuidedEncoder(space, TINY, seed=0).fit()
    before = [p.clone() for p in encoder.parameters()]
    config = NASGEMConfig.preset("paper", n_startup_trials=3, batch_size=1, candidates=100)
    method = NASGEM(space, config, encoder=encoder)
    for _ in range(6):
        (architecture,) = method.ask()
        method.tell(architecture, float(architecture.num_edges))
    assert method.encoder is encoder
    assert all((a == b).all() for a, b in zip(before, encoder.parameters(), strict=True))
    with pytest.raises(InvalidArgument, match="predictor='encoder'"):
        NASGEM(space, encoder=encoder)


def test_small_spaces_are_scored_whole():
    whole = whole_space(NASBench201(), 20_000)
    assert whole is not None
    assert len(whole) == 15_625
    assert whole_space(NASBench201(), 10_000) is None


def test_changed_candidates_differ_in_at_most_four_slots():
    space = GEMNet(8)
    parent = space.sample(np.random.default_rng(0))
    changed = changed_candidates(space, [parent], 500, np.random.default_rng(1))
    adjacency, operations, _ = changed.to_arrays()
    different = (adjacency != parent.adjacency).sum((1, 2)) + (operations != parent.operations).sum(1)
    assert different.max() <= 4
    assert (different > 0).mean() > 0.5
    assert np.triu(adjacency).sum() == adjacency.sum()
    assert operations[:, 0].max() == 0  # the input's label is no choice


def test_constraint_steers_away():
    """More edges are better but more than 7 are forbidden: who is told obeys more often, and reaches 7."""
    space = GEMNet(6)
    config = NASGEMConfig(n_startup_trials=12, candidates=500, local_candidates=100)
    obeyed = {}
    for told in (True, False):
        method = NASGEM(space, config, seed=0)
        for _ in range(30):
            (architecture,) = method.ask()
            edges = architecture.num_edges
            method.tell(architecture, float(edges), (edges - 7.5,) if told else ())
        obeyed[told] = [
            o.architecture.num_edges for o in method.observations if o.architecture.num_edges <= 7
        ]
    assert len(obeyed[True]) > len(obeyed[False]) + 5
    assert max(obeyed[True]) == 7


@pytest.mark.parametrize(
    ("noise", "counted"),
    [("included", (True, True)), ("excluded", (False, False)), ("alternate", (True, False))],
)
def test_noise_counts_when_it_is_meant_to(noise, counted):
    """By turns of what is evaluated or pending, for the improvement; in a constraint it always counts."""
    space = GEMNet(6)
    pool, known = (space.sample_batch(np.random.default_rng(k), size) for k, size in ((0, 50), (1, 9)))
    architectures = known.to_architectures()
    values = np.array([a.num_edges for a in architectures], float)
    for count, with_noise in zip((9, 8), counted, strict=True):
        for waiting in (0, 2):
            size = count - waiting
            limit = values[:size, None] - 7.5
            data = TrainingSet(architectures[:size], values[:size], limit)
            surrogate = KernelSurrogate(space, NASGEMConfig(predictor="kernel", noise=noise))
            (scores,) = surrogate.score(data, architectures[size:count], [pool], fixed=False)
            features = surrogate.map
            targets = [normal_scores(values[:size]), (limit[:, 0] - limit.mean()) / limit.std()]
            expected = []
            for target in targets:
                process = KernelPredictor(features).fit(features(known[:size]), target)
                if waiting:
                    believed, _ = process.predict(features(known[size:count]))
                    process.condition(features(known[:count]), np.concatenate([target, believed]))
                expected.append((*process.predict(features(pool)), process.noise))
            mean, deviation, variance = expected[0]
            improvement = log_expected_improvement(
                mean, np.sqrt(deviation**2 + with_noise * variance), targets[0][data.feasible].max()
            )
            mean, deviation, variance = expected[1]
            allowed = norm.logcdf((-limit.mean() / limit.std() - mean) / np.sqrt(deviation**2 + variance))
            np.testing.assert_allclose(scores, improvement + allowed, rtol=1e-6)


def test_two_objectives_have_a_process_each():
    """The area that the feasible ones dominate is improved, in units of ranks."""
    space = GEMNet(6)
    pool, known = (space.sample_batch(np.random.default_rng(k), size) for k, size in ((0, 50), (1, 9)))
    architectures = known.to_architectures()
    rng = np.random.default_rng(2)
    observations = [
        Observation(a, (float(a.num_edges), -float(a.num_nodes) + rng.random()), (float(k == 4),))
        for k, a in enumerate(architectures)
    ]
    data = TrainingSet.from_observations(observations, np.random.default_rng(0))
    scores = {}
    for way in ("hypervolume", "scalarized"):
        config = NASGEMConfig(predictor="kernel", noise="excluded", two_objectives=way)
        surrogate = KernelSurrogate(space, config)
        (scores[way],) = surrogate.score(data, (), [pool], fixed=False)
    features, constraint = surrogate.map, data.violations[:, 0]
    targets = [normal_scores(column) for column in data.values.T]
    fits = [KernelPredictor(features).fit(features(known), target) for target in targets]
    limit = KernelPredictor(features).fit(
        features(known), (constraint - constraint.mean()) / constraint.std()
    )
    mean, deviation = limit.predict(features(pool))
    threshold = -constraint.mean() / constraint.std()
    allowed = norm.logcdf((threshold - mean) / np.sqrt(deviation**2 + limit.noise))
    points = np.column_stack(targets)
    improvement = log_hypervolume_improvement(
        *(fit.predict(features(pool)) for fit in fits), points[data.feasible], points.min(0)
    )
    np.testing.assert_allclose(scores["hypervolume"], improvement + allowed, rtol=1e-6)
    alone = TrainingSet(architectures, data.scores, data.violations)
    (expected,) = KernelSurrogate(space, config).score(alone, (), [pool], fixed=False)
    np.testing.assert_array_equal(scores["scalarized"], expected)


def test_beats_random_search_on_nasbench201():
    if not Path(os.environ.get("GRAPHNAS_DATA", ""), "nasbench201", "nasbench201.csv.gz").is_file():
        pytest.skip("GRAPHNAS_DATA does not hold nasbench201/nasbench201.csv.gz")
    space = NASBench201()
    table = TabularEvaluator(space, dataset="cifar10")
    best = {}
    for name, make in (("nasgem", NASGEM), ("random", RandomSearch)):
        best[name] = []
        for seed in range(2):
            method = make(space, seed=seed)
            for _ in range(40):
                (architecture,) = method.ask()
                method.tell(architecture, table.evaluate(architecture).value)
            best[name].append(max(o.values[0] for o in method.observations))
    assert np.mean(best["nasgem"]) > np.mean(best["random"]) + 0.3
