"""GraphBO: settings, constraints, what is not computed twice, and that it beats random search on a table."""

from __future__ import annotations

import numpy as np
import pytest

from graphnas.errors import DataNotFound, InvalidArgument
from graphnas.evaluate import TabularEvaluator
from graphnas.methods import GraphBO, GraphBOConfig, RandomSearch
from graphnas.surrogate import GaussianProcess
from graphnas.surrogate.graph_surrogate import GraphSurrogate
from search_spaces import GEMNet, NASBench201


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("noise", "twice"),
        ("two_objectives", "lexicographic"),
        ("batch_size", 0),
        ("candidates", 0),
        ("refit_growth", -0.1),
        ("depths", ()),
        ("depths", (-1,)),
    ],
)
def test_bad_settings(field, value):
    with pytest.raises(InvalidArgument, match=field):
        GraphBOConfig(**{field: value})


def test_presets():
    assert GraphBO(GEMNet(4)).config == GraphBOConfig() == GraphBOConfig.preset("default")
    with pytest.raises(InvalidArgument, match="got 'paper'"):
        GraphBO(GEMNet(4), preset="paper")
    with pytest.raises(InvalidArgument, match="not both"):
        GraphBO(GEMNet(4), GraphBOConfig(), preset="default")


@pytest.mark.parametrize("operation_features", [True, False])
def test_a_constraint_steers_away(operation_features):
    """More edges are better but more than 7 are forbidden: who knows obeys more often, and reaches 7."""
    space = GEMNet(6)
    config = GraphBOConfig(
        n_startup_trials=12,
        candidates=500,
        local_candidates=100,
        operation_features=operation_features,
    )
    obeyed = {}
    for constrained in (True, False):
        method = GraphBO(space, config, seed=0)
        for _ in range(30):
            (architecture,) = method.ask()
            edges = architecture.num_edges
            method.tell(architecture, float(edges), (edges - 7.5,) if constrained else ())
        counts = [o.architecture.num_edges for o in method.observations]
        obeyed[constrained] = [edges for edges in counts if edges <= 7]
    assert len(obeyed[True]) > len(obeyed[False]) + 5
    assert max(obeyed[True]) == 7


def test_proposals_asked_at_once_share_one_fit(monkeypatch):
    """And are those of a method that fits anew for each."""
    space = GEMNet(6)
    config = GraphBOConfig(n_startup_trials=4, candidates=200, local_candidates=50)
    fits = []
    fit = GaussianProcess.fit

    def counted(self, inputs, targets):
        fits.append(len(targets))
        return fit(self, inputs, targets)

    monkeypatch.setattr(GaussianProcess, "fit", counted)
    methods = [GraphBO(space, config, seed=0) for _ in range(2)]
    for step in range(6):
        for method in methods:
            (architecture,) = method.ask()
            method.tell(architecture, float(architecture.num_edges), (architecture.num_edges - 8.0, -1.0))
        assert methods[0].observations == methods[1].observations, step
    fits.clear()
    together = methods[0].ask(3)
    assert fits == [6] * 3  # the value and two constraints
    one_by_one = []
    for _ in range(3):
        fresh = GraphBO(space, config, seed=0)
        fresh.load_state_dict(methods[1].state_dict())
        one_by_one += fresh.ask(pending=one_by_one)
    assert together == one_by_one
    assert len(set(together)) == 3


def test_features_of_a_whole_space_are_computed_once():
    space = NASBench201()
    rng = np.random.default_rng(0)
    pool, known = space.sample_batch(rng, 300), space.sample_batch(rng, 12)
    method = GraphBO(space)
    for architecture in known:
        method.tell(architecture, float(architecture.num_edges))
    data = method.training_set(method.observations)
    pending = pool[np.arange(2)].to_architectures()
    for operations in (True, False):
        model = GraphSurrogate(space, operations=operations)
        (fixed,) = model.score(data, pending, [pool], fixed=True)
        assert np.array_equal(fixed, model.score(data, pending, [pool], fixed=True)[0])
        # The labels of the pool are columns, or those of what is known: that makes no difference.
        parts = GraphSurrogate(space, operations=operations).score(
            data, pending, [pool[np.arange(100)], pool[np.arange(100, 300)]]
        )
        np.testing.assert_allclose(np.concatenate(parts), fixed, rtol=1e-5, atol=1e-6)


def test_it_beats_random_search_on_nasbench201():
    space = NASBench201()
    try:
        table = TabularEvaluator(space, dataset="cifar10")
    except DataNotFound as error:
        pytest.skip(f"the NAS-Bench-201 table is absent: {error}")
    best = {}
    for make in (GraphBO, RandomSearch):
        best[make] = []
        for seed in range(2):
            method = make(space, seed=seed)
            for _ in range(40):
                (architecture,) = method.ask()
                method.tell(architecture, table.evaluate(architecture).value)
            best[make].append(max(o.values[0] for o in method.observations))
    assert np.mean(best[GraphBO]) > np.mean(best[RandomSearch]) + 0.3
