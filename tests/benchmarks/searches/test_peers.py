"""The peers of the suite: they propose members of the space, repeat themselves by seed, and learn."""

from __future__ import annotations

import functools

import numpy as np
import optuna
import pytest
import torch

from benchmarks.searches.neural_peers import BANANAS, PEERS, FlowPredictor, FlowSearch, Paths
from benchmarks.searches.parameter_peers import BoTorchSampler, SMACSampler
from benchmarks.searches.runs import search
from graphnas import ArchitectureBatch
from search_spaces import ENASMacro6, NASBench101, NASBench201, NASBenchGraph, TransNASBench101

SPACES = [NASBench101(), NASBench201(), ENASMacro6(), TransNASBench101(), NASBenchGraph()]
CONV = NASBench201().edge_ops.index("nor_conv_3x3")


def convolutions(cell) -> tuple[float, float]:
    """A value that is easy to learn: 3x3 convolutions, those on the way from the input more."""
    value = 10.0 * float((cell.adjacency == CONV).sum()) + 5.0 * float(cell.adjacency[0, 3] == CONV)
    return value, value


# ---------------------------------------------------------------- BANANAS


def slow_paths(space, cell) -> set[tuple[int, ...]]:
    """Every walk from the input, followed one edge at a time."""
    adjacency, operations, sizes = space.active_batch(
        ArchitectureBatch.from_architectures([cell], space.max_nodes)
    ).to_arrays()
    n, found, waiting = sizes[0], set(), [(0,)]
    while waiting:
        walk = waiting.pop()
        further = [j for j in range(n) if adjacency[0, walk[-1], j]]
        waiting += [(*walk, j) for j in further]
        if not further:
            found.add(tuple(int(operations[0, node]) for node in walk))
    return found


@pytest.mark.parametrize("space", SPACES, ids=lambda space: space.name)
def test_bits_are_the_paths_that_an_architecture_has(space):
    paths = Paths(space, np.random.default_rng(0), size=60, most=10_000)
    cells = list(space.sample_batch(np.random.default_rng(0), 60))[:15]
    rows = paths(ArchitectureBatch.from_architectures(cells, space.max_nodes))
    for cell, row in zip(cells, rows, strict=True):
        assert {path for path, column in paths.columns.items() if row[column]} == slow_paths(space, cell)
    few = Paths(space, np.random.default_rng(0), size=60, most=5)
    assert list(few.columns) == list(paths.columns)[:5]


def test_the_ensemble_learns_and_differs():
    space = NASBench201()
    cells = list(space.sample_batch(np.random.default_rng(1), 120))
    method = BANANAS(space, seed=3)
    rows = method._paths(ArchitectureBatch.from_architectures(cells, space.max_nodes))
    values = np.array([convolutions(cell)[0] for cell in cells])
    values = (values - values.mean()) / values.std()
    votes = method._votes(rows[:80], values[:80], rows[80:])
    assert votes.shape == (5, 40)
    assert np.corrcoef(votes.mean(0), values[80:])[0, 1] > 0.6
    assert votes.std(0).min() > 0


# ---------------------------------------------------------------- in FLAN's manner


@pytest.mark.parametrize("space", SPACES, ids=lambda space: space.name)
def test_a_predictor_does_not_see_how_an_architecture_is_padded(space):
    batch = ArchitectureBatch.from_architectures(
        list(space.sample_batch(np.random.default_rng(0), 12)), space.max_nodes
    )
    model = FlowPredictor(space, torch.Generator().manual_seed(0))
    together = model.predict(batch)
    alone = [model.predict(batch[[k]])[0] for k in range(len(batch))]
    assert together == pytest.approx(alone, abs=1e-4)
    assert len(set(together.round(6).tolist())) > 6


def test_a_predictor_learns_the_order():
    space = NASBench201()
    batch = space.sample_batch(np.random.default_rng(2), 160)
    values = np.array([convolutions(cell)[0] for cell in batch])
    model = FlowPredictor(space, torch.Generator().manual_seed(0))
    model.fit(batch[:100], values[:100])
    assert np.corrcoef(model.predict(batch[100:]), values[100:])[0, 1] > 0.8


def test_every_second_proposal_may_be_random():
    space = NASBench201()
    method = FlowSearch(space, seed=0, random_half=True)
    proposed = []
    for _ in range(14):
        (cell,) = method.ask()
        proposed.append(cell)
        method.tell(cell, convolutions(cell)[0])
    random = FlowSearch(space, seed=0)
    seen = set(space.keys(proposed[:11]))
    assert random.explore(seen) == proposed[11]
    assert random.explore(set(space.keys(proposed[:12]))) != proposed[12]


# ---------------------------------------------------------------- every peer


@pytest.mark.parametrize("name", PEERS)
def test_a_neural_peer_is_a_function_of_its_seed_and_finds_the_best(name):
    space = NASBench201()

    def values(seed: int) -> list[float]:
        method, found = PEERS[name](space, seed), []
        for _ in range(40):
            (cell,) = method.ask()
            found.append(convolutions(cell)[0])
            method.tell(cell, found[-1])
        return found

    before = torch.get_rng_state()
    first = values(5)
    assert torch.equal(torch.get_rng_state(), before)
    assert first == values(5) != values(6)
    assert max(first) > max(first[:10])
    assert max(first) >= 55  # of 65; random cells have 12 on average


def test_botorch_is_a_function_of_its_seed_and_learns():
    pytest.importorskip("botorch")
    space = NASBench201()
    run = functools.partial(search, "BoTorch", 0, space=space, measure=convolutions, queries=30)
    first, again = (run(sampler=BoTorchSampler(space, 4)) for _ in range(2))
    assert first.values == again.values
    # Which of them is best hangs on the last bits of its fits, so that it differs between installations.
    assert max(first.values) > max(first.values[:10])


def test_smac_is_told_what_its_points_cost():
    pytest.importorskip("smac")
    space = NASBench201(identity="graph")  # in which cells of one key have one value here
    samplers = [SMACSampler(space, seed) for seed in (4, 4, 5)]
    first, again, other = (search("SMAC", 0, one, space, convolutions, 14) for one in samplers)
    assert first.values == again.values != other.values
    history = samplers[0]._facade.runhistory
    told = {}
    for trial, result in history.items():
        numbers = dict(history.get_config(trial.config_id))
        cell = space.from_parameters({name: space.parameters()[name][k] for name, k in numbers.items()})
        told[space.key(cell)] = 100 - result.cost
        assert told[space.key(cell)] == convolutions(cell)[0]
    assert list(told.values()) == first.values


def test_botorch_searches_two_objectives():
    pytest.importorskip("botorch")
    space = NASBench201()

    def measure(cell) -> tuple[float, float]:
        return convolutions(cell)[0], float((cell.adjacency > 0).sum())

    found = search(
        "BoTorch", 0, BoTorchSampler(space, 0), space, measure, 12, directions=("maximize", "minimize")
    )
    assert len(found.values) == 12


def test_smac_is_told_of_trials_without_a_value():
    pytest.importorskip("smac")
    space = NASBench201()

    def objective(trial: optuna.Trial) -> float:
        values = {name: trial.suggest_categorical(name, list(c)) for name, c in space.parameters().items()}
        return float("nan") if trial.number % 4 == 1 else convolutions(space.from_parameters(values))[0]

    sampler = SMACSampler(space, 0)
    study = optuna.create_study(direction="maximize", sampler=sampler)
    study.optimize(objective, n_trials=12)
    costs = [result.cost for result in sampler._facade.runhistory.values()]
    expected = [100.0 if trial.value is None else 100 - trial.value for trial in study.trials]
    assert costs == expected
    assert costs[1] == costs[5] == costs[9] == 100
