"""What every search method must keep, on both spaces: purity, no duplicates, state, failures, objectives."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import numpy as np
import pytest

from graphnas import Architecture, GraphSpace, SearchMethod
from graphnas.autoencoders import DVAEConfig, FeatureVAEConfig, TrainingConfig
from graphnas.errors import InvalidArchitecture, InvalidArgument
from graphnas.methods import (
    NASGEM,
    GraphBO,
    GraphBOConfig,
    GraphPNAS,
    GraphPNASConfig,
    LatentBO,
    LatentBOConfig,
    LocalSearch,
    NASGEMConfig,
    RandomSearch,
    RegularizedEvolution,
    TreeSearch,
)
from graphnas.methods.nasgem import EncoderConfig, PredictorConfig
from search_spaces import GEMNet, NASBench201

SPACES = {"nasbench201": NASBench201, "gemnet": lambda: GEMNet(6)}


def paper(**changes):
    """The paper's method with little training: what is tested is the loop, not the quality."""
    return NASGEMConfig.preset(
        "paper",
        n_startup_trials=4,
        batch_size=2,
        candidates=200,
        encoder=EncoderConfig(dimension=4, hidden=(16,), pairs=64, iterations=20, batch_size=16),
        perceptron=PredictorConfig(hidden=(8,), epochs=20, fine_tune_epochs=5),
        **changes,
    )


def generative(generator, **changes):
    """A small generator that trains little."""
    settings = {
        "hidden_size": 8,
        "n_startup_trials": 4,
        "batch_size": 2,
        "epochs": 2,
        "warm_epochs": 1,
        "critic": None,
    }
    return GraphPNASConfig(generator=generator, **{**settings, **changes})


def latent_bo(**changes):
    """With little training: what is tested is the loop, not the quality."""
    training = TrainingConfig(epochs=2, batch_size=32)
    settings = {
        "model_config": FeatureVAEConfig(hidden=16, latent=8, training=training),
        "training_size": 60,
        "n_startup_trials": 4,
        "enumerate_up_to": 0,
        "candidates": 100,
        "local_candidates": 20,
        "decoded_candidates": 5,
    }
    return LatentBOConfig(**{**settings, **changes})


def latent_rounds(**changes):
    """The paper's search with a small autoencoder of its kind, few points and few decodings."""
    training = TrainingConfig.preset("paper", epochs=1)
    return LatentBOConfig.preset(
        "paper",
        model_config=DVAEConfig(hidden=8, latent=3, training=training),
        training_size=40,
        n_startup_trials=4,
        batch_size=2,
        grid=40,
        decodings=6,
        **changes,
    )


METHODS = {
    "random": lambda space, seed: RandomSearch(space, seed=seed),
    "evolution": lambda space, seed: RegularizedEvolution(
        space, seed=seed, population_size=4, tournament_size=2
    ),
    "local": lambda space, seed: LocalSearch(space, seed=seed),
    "trees": lambda space, seed: TreeSearch(space, seed=seed, n_startup_trials=4, candidates=200, trees=8),
    "latentbo": lambda space, seed: LatentBO(space, latent_bo(), seed=seed),
    "latentbo-whole": lambda space, seed: LatentBO(space, latent_bo(enumerate_up_to=20_000), seed=seed),
    "latentbo-paper": lambda space, seed: LatentBO(space, latent_rounds(), seed=seed),
    "graphbo": lambda space, seed: GraphBO(
        space, GraphBOConfig(n_startup_trials=4, candidates=200, local_candidates=50), seed=seed
    ),
    "nasgem": lambda space, seed: NASGEM(space, paper(), seed=seed),
    "nasgem-fine-tune": lambda space, seed: NASGEM(space, paper(update="fine_tune"), seed=seed),
    "graphpnas": lambda space, seed: GraphPNAS(space, generative("graph", steps=2, mixtures=2), seed=seed),
    "graphpnas-critic": lambda space, seed: GraphPNAS(
        space, generative("rnn", critic="kernel", screened=60, screened_random=20), seed=seed
    ),
    "graphpnas-rnn": lambda space, seed: GraphPNAS(space, generative("rnn"), seed=seed),
}


def score(architecture: Architecture) -> float:
    """An arbitrary but smooth function of the graph."""
    weights = np.arange(1, architecture.num_nodes + 1)
    return float(weights @ architecture.adjacency.astype(float) @ weights - architecture.operations.sum())


@pytest.fixture(params=SPACES)
def space(request) -> GraphSpace:
    return SPACES[request.param]()


@pytest.fixture(params=METHODS)
def make(request):
    return METHODS[request.param]


def drive(method: SearchMethod, steps: int, value=score) -> list[Architecture]:
    proposals = []
    for _ in range(steps):
        (architecture,) = method.ask()
        method.tell(architecture, value(architecture))
        proposals.append(architecture)
    return proposals


def test_proposals_are_valid_and_never_repeated(make, space):
    method = make(space, 0)
    proposals = drive(method, 14)
    for proposal in proposals:
        space.validate(proposal)
    assert len({space.key(p) for p in proposals}) == 14


def test_seed_decides(make, space):
    assert drive(make(space, 3), 8) == drive(make(space, 3), 8)
    assert drive(make(space, 3), 8) != drive(make(space, 4), 8)


def test_a_method_rebuilt_from_its_history_goes_on_the_same(make, space):
    original = make(space, 1)
    told = drive(original, 9)
    rebuilt = make(space, 1)
    for architecture in told:
        rebuilt.tell(architecture, score(architecture))
    assert drive(rebuilt, 4) == drive(original, 4)


def test_a_proposal_is_a_function_of_its_arguments(make, space):
    """Whatever was asked, learned and proposed before; so of an earlier part of the history as well."""
    method = make(space, 1)
    drive(method, 9)
    pending = (space.sample(np.random.default_rng(0)),)
    for count in (9, 6):
        known = method.observations[:count]
        seen = {space.key(a) for a in (*(o.architecture for o in known), *pending)}
        expected = make(space, 1).propose(known, pending, seen)
        assert method.propose(known, pending, seen) == expected
        assert space.key(expected) not in seen


def test_state_goes_through_json(make, space):
    original = make(space, 1)
    drive(original, 9)
    restored = make(space, 7)
    drive(restored, 7)  # must be forgotten
    restored.load_state_dict(json.loads(json.dumps(original.state_dict())))
    assert drive(restored, 4) == drive(original, 4)


def test_pending_architectures_are_not_proposed(make, space):
    method = make(space, 0)
    drive(method, 6)
    pending: list[Architecture] = []
    for _ in range(6):
        (proposal,) = method.ask(pending=pending)
        assert space.key(proposal) not in {space.key(p) for p in pending}
        pending.append(proposal)
    # The same through one call; what was asked before must leave no trace.
    assert len({space.key(p) for p in method.ask(6)}) == 6
    assert method.ask(pending=pending[:3]) == [pending[3]]


def test_failures_are_survived_and_not_repeated(make, space):
    method = make(space, 0)
    seen = set()
    for step in range(10):
        (architecture,) = method.ask()
        assert space.key(architecture) not in seen
        seen.add(space.key(architecture))
        method.tell(architecture, [None, float("nan"), score(architecture)][step % 3])
    assert sum(o.values is None for o in method.observations) == 7


def test_what_was_pruned_and_what_failed_teaches_a_rebuilt_method_the_same(make, space):
    """In the middle of an update, and with a constraint that only complete trials measure."""
    method = make(space, 0)
    for step in range(9):
        (architecture,) = method.ask()
        value, constraint = score(architecture), (architecture.num_edges - 5.0,)
        if step % 3 == 0:
            method.tell(architecture, value, constraint, curve=((1, value / 2),))
        elif step % 3 == 1:
            method.tell(architecture, None, (float("nan"),), curve=((1, value / 2),), pruned=True)
        else:
            method.tell(architecture, None, (float("nan"),))
    again = make(space, 0)
    again.replay(method.observations)
    proposals = method.ask(2)
    assert again.ask(2) == proposals
    for proposal in proposals:
        space.validate(proposal)


def test_pruned_alone(make, space):
    """As with successive halving, before a trial has got to the end."""
    method = make(space, 0)
    for step in range(7):
        (architecture,) = method.ask()
        curve = ((1, score(architecture)), (3, score(architecture) + 1))[: 1 + step % 2]
        method.tell(architecture, None, curve=curve, pruned=True)
    space.validate(method.ask()[0])


def test_all_failed(make, space):
    method = make(space, 0)
    for architecture in drive(method, 8, value=lambda _: None):
        space.validate(architecture)


def test_two_objectives_and_constraints(make, space):
    method = make(space, 0)
    for _ in range(8):
        (architecture,) = method.ask()
        method.tell(
            architecture,
            (score(architecture), -architecture.num_edges),
            constraints=(architecture.num_edges - 5.0,),
        )
    space.validate(method.ask()[0])
    with pytest.raises(InvalidArgument, match="1 objectives, but 2"):
        method.tell(method.ask()[0], 1.0)


def test_identical_values(make, space):
    assert len(drive(make(space, 0), 10, value=lambda _: 1.0)) == 10


def test_told_from_outside(make, space):
    """Architectures that the method did not propose are learned from, twice the same one too."""
    method = make(space, 0)
    strangers = [space.sample(np.random.default_rng(k)) for k in range(6)]
    for stranger in [*strangers, strangers[0]]:
        method.tell(stranger, score(stranger))
    assert space.key(method.ask()[0]) not in {space.key(s) for s in strangers}
    with pytest.raises(InvalidArchitecture):
        method.tell(Architecture(np.zeros((40, 40), int)), 1.0)


@pytest.mark.parametrize("name", METHODS)
def test_same_proposals_in_another_process(name):
    code = (
        "from test_method_contract import METHODS, SPACES, drive\n"
        f"print([a.to_json() for a in drive(METHODS[{name!r}](SPACES['nasbench201'](), 5), 7)])"
    )
    environment = {**os.environ, "PYTHONPATH": os.path.dirname(__file__), "PYTHONHASHSEED": "random"}
    run = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment
    )
    here = [a.to_json() for a in drive(METHODS[name](SPACES["nasbench201"](), 5), 7)]
    assert run.stdout.strip() == str(here)


def test_small_space_is_exhausted_before_anything_repeats(make):
    space = GEMNet(3)
    keys = {space.key(a) for a in space.enumerate()}
    method = make(space, 0)
    proposals = [space.key(p) for p in drive(method, len(keys))]
    assert set(proposals) == keys
    space.validate(method.ask()[0])  # nothing is left: a repeat rather than nothing
