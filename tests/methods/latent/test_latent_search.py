"""LatentBO: presets, candidates, pending trials, the paper's rounds, and that it beats random search."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from graphnas.autoencoders import DVAEConfig, FeatureVAE, FeatureVAEConfig, GCNConfig, TrainingConfig
from graphnas.errors import DataNotFound, InvalidArgument
from graphnas.evaluate import TabularEvaluator
from graphnas.graph.batch import ArchitectureBatch
from graphnas.methods import LatentBO, LatentBOConfig, RandomSearch
from graphnas.methods.latent.pool import Pool, latent_means
from graphnas.methods.latent.rounds import Rounds, select_points
from graphnas.methods.latent.surrogate import acquisition
from graphnas.methods.latent.trained import trained_autoencoder
from graphnas.surrogate.gp import ExactGP
from graphnas.surrogate.training_set import TrainingSet
from search_spaces import ENASMacro6, GEMNet, NASBench101, NASBench201, RandWire

TRAINING = TrainingConfig(epochs=3, batch_size=32, learning_rate=3e-3)
FEATURES = FeatureVAEConfig(hidden=32, latent=12, training=TRAINING)


def quick(**changes):
    return LatentBOConfig(
        **{
            "model_config": FEATURES,
            "training_size": 100,
            "n_startup_trials": 4,
            "candidates": 200,
            "local_candidates": 40,
            "decoded_candidates": 6,
            **changes,
        }
    )


def paper(**changes):
    settings = {
        "model_config": DVAEConfig(hidden=12, latent=4, training=TRAINING),
        "training_size": 60,
        "n_startup_trials": 5,
        "batch_size": 3,
        "grid": 60,
        "decodings": 20,
        **changes,
    }
    return LatentBOConfig.preset("paper", **settings)


def edges(architecture):
    return float(architecture.num_edges + 0.1 * (architecture.adjacency == 2).sum())


# ---------------------------------------------------------------- settings


def test_presets():
    config = LatentBOConfig.preset("paper")
    assert (config.strategy, config.model, config.surrogate) == ("rounds", "dvae", "sparse")
    assert (config.batch_size, config.inducing, config.grid, config.decodings) == (50, 500, 10_000, 500)
    assert config.ard
    assert LatentBO(GEMNet(5)).config == LatentBOConfig() == LatentBOConfig.preset("default")
    assert LatentBO(GEMNet(5), preset="paper").config == config
    with pytest.raises(InvalidArgument, match="published"):
        LatentBOConfig.preset("published")
    with pytest.raises(InvalidArgument, match="not both"):
        LatentBO(GEMNet(4), LatentBOConfig(), preset="paper")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("strategy", "luck"),
        ("model", "vae"),
        ("surrogate", "forest"),
        ("training_size", 1),
        ("batch_size", 0),
        ("candidates", 0),
        ("trust_region", 0.0),
        ("decodings", 0),
    ],
)
def test_settings_out_of_range(field, value):
    with pytest.raises(InvalidArgument, match=field):
        LatentBOConfig(**{field: value})


# ---------------------------------------------------------------- the autoencoder


def test_the_autoencoder_is_trained_once_for_a_space_and_a_seed():
    space = GEMNet(6)
    first = trained_autoencoder(space, quick(), 1)
    assert trained_autoencoder(space, quick(n_startup_trials=9), 1)[0] is first[0]
    assert trained_autoencoder(space, quick(), 2)[0] is not first[0]
    other, _ = trained_autoencoder(GEMNet(6), quick(), 1)
    assert other is not first[0]
    for a, b in zip(first[0].encode(first[1]), other.encode(first[1]), strict=True):
        assert torch.equal(a, b)


def test_a_given_autoencoder_is_used():
    space = NASBench201()
    model = FeatureVAE(space, FEATURES).fit(space.sample_batch(np.random.default_rng(0), 60))
    method = LatentBO(space, quick(), autoencoder=model)
    assert method.autoencoder is model
    for _ in range(6):
        (architecture,) = method.ask()
        method.tell(architecture, edges(architecture))
    with pytest.raises(InvalidArgument, match="'nasbench201', not of 'gemnet'"):
        LatentBO(GEMNet(5), autoencoder=model)


@pytest.mark.parametrize("space", [NASBench101(), ENASMacro6(), RandWire(8)], ids=lambda s: s.name)
def test_other_spaces(space):
    method = LatentBO(space, quick())
    keys = set()
    for _ in range(8):
        (architecture,) = method.ask()
        space.validate(architecture)
        keys.add(space.key(architecture))
        method.tell(architecture, edges(architecture))
    assert len(keys) == 8


def test_other_models():
    config = quick(model="gcn", model_config=GCNConfig(hidden=8, latent=3, training=TRAINING))
    method = LatentBO(NASBench201(), config)
    for _ in range(6):
        (architecture,) = method.ask()
        method.tell(architecture, edges(architecture))
    assert type(method.autoencoder).__name__ == "GCN"


# ---------------------------------------------------------------- candidates


def test_small_spaces_are_scored_whole_and_large_ones_by_samples_changes_and_decodings():
    space = NASBench101()
    config = quick()
    model, trained_on = trained_autoencoder(space, config, 0)
    architectures = list(space.sample_batch(np.random.default_rng(5), 12))
    data = TrainingSet(architectures, np.arange(12.0), np.zeros((12, 0)))
    latents = latent_means(model, architectures)
    score = acquisition(config, 0, data, latents, np.zeros((0, 12)))
    pool = Pool(space, config, model, trained_on)
    batch, points = pool.candidates(data, latents, score, np.random.default_rng(0))
    assert 200 < len(batch) <= 246
    for architecture in batch:
        space.validate(architecture)
    np.testing.assert_allclose(points, latent_means(model, batch))
    again, _ = pool.candidates(data, latents, score, np.random.default_rng(0))
    assert list(again) == list(batch)

    small = GEMNet(4)
    small_model, known = trained_autoencoder(small, config, 0)
    whole, _ = Pool(small, config, small_model, known).candidates(
        data, latents, score, np.random.default_rng(0)
    )
    assert list(whole) == list(small.enumerate())


def test_decoded_candidates_score_better_than_random_ones():
    """The trust region is worth its cost: what it decodes to looks better than a random sample."""
    space = NASBench101()
    config = quick(
        model_config=FeatureVAEConfig(
            hidden=128, latent=40, training=TrainingConfig(epochs=15, batch_size=64, learning_rate=3e-3)
        ),
        training_size=1200,
        decoded_candidates=40,
        local_candidates=0,
    )
    model, trained_on = trained_autoencoder(space, config, 0)
    architectures = list(space.sample_batch(np.random.default_rng(5), 60))
    data = TrainingSet(architectures, np.array([edges(a) for a in architectures]), np.zeros((60, 0)))
    latents = latent_means(model, architectures)
    score = acquisition(config, 0, data, latents, np.zeros((0, 40)))
    batch, points = Pool(space, config, model, trained_on).candidates(
        data, latents, score, np.random.default_rng(0)
    )
    scores = score(points)
    assert scores[200:].mean() > scores[:200].mean() + 0.5
    assert len(batch) > 210


def test_constraints_and_pending_points_enter_the_score():
    rng = np.random.default_rng(0)
    x = rng.standard_normal((40, 2))
    blank = [GEMNet(4).sample(rng)] * 40
    values = x[:, 0] + 0.5 * rng.standard_normal(40)
    free = TrainingSet(blank, values, np.zeros((40, 0)))
    none = np.zeros((0, 2))
    ahead, behind = np.array([[1.5, 1.5]]), np.array([[1.5, -1.5]])
    score = acquisition(quick(), 0, free, x, none)
    limited = acquisition(quick(), 0, TrainingSet(blank, values, x[:, 1:]), x, none)
    # The second coordinate is the violation.
    assert limited(behind) - limited(ahead) > score(behind) - score(ahead) + 2
    waiting = acquisition(quick(), 0, free, x, ahead)
    assert waiting(ahead) < score(ahead) - 0.1
    nothing = acquisition(quick(), 0, TrainingSet(blank, values, np.abs(x[:, 1:]) + 0.1), x, none)
    assert np.isfinite(nothing(ahead)).all()


# ---------------------------------------------------------------- rounds


def test_points_are_maxima_of_the_improvement_and_keep_apart():
    rng = np.random.default_rng(0)
    x = rng.uniform(-1, 1, (30, 2))
    y = -((x - 0.4) ** 2).sum(1) + 0.2 * rng.standard_normal(30)
    process = ExactGP().fit(x, (y - y.mean()) / y.std())
    box = (np.full(2, -1.0), np.ones(2))
    points = select_points(process, 4, 300, box, np.random.default_rng(1))
    assert points.shape == (4, 2)
    assert (points >= -1).all()
    assert (points <= 1).all()
    assert np.abs(points[0] - 0.4).max() < 0.6
    distances = np.linalg.norm(points[:, None] - points[None], axis=2)[np.triu_indices(4, 1)]
    assert distances.min() > 1e-3  # without believing they would all be the first


def test_a_round_enters_its_points_as_selected_and_counts_what_cannot_be_decoded():
    space = NASBench101()
    config = paper()
    model, trained_on = trained_autoencoder(space, config, 0)
    box = latent_means(model, trained_on)
    limits = (box.min(0), box.max(0))
    encode = lambda architectures: latent_means(model, architectures)  # noqa: E731
    rounds = Rounds(config, 0, model, limits, encode, space.key)
    architectures = list(space.sample_batch(np.random.default_rng(1), 8))
    rounds.plan(TrainingSet(architectures, np.arange(8.0), np.zeros((8, 0))), np.random.default_rng(0))
    assert len(rounds) == 1
    assert rounds.milestones == [8]
    decodable = config.batch_size - len(rounds._undecodable)
    proposals = rounds.proposals(0)
    assert len(proposals) >= decodable
    for architecture in proposals:
        space.validate(architecture)
    seen = []
    spy = lambda given: seen.append(given) or np.zeros((len(given), 4))  # noqa: E731
    rounds.encode = spy
    first = proposals[0]
    rounds.plan(
        TrainingSet([*architectures, first], np.arange(9.0), np.zeros((9, 0))), np.random.default_rng(1)
    )
    assert seen == [[*architectures, first]]
    assert np.abs(rounds._selected[space.key(first)]).max() > 0


def test_a_search_in_rounds_decodes_once_per_round_and_is_rebuilt_from_its_history(monkeypatch):
    space = NASBench201()
    calls = []
    plan = Rounds.plan
    monkeypatch.setattr(Rounds, "plan", lambda self, *given: calls.append(1) or plan(self, *given))
    method = LatentBO(space, paper(), seed=2)
    told = []
    for _ in range(11):
        (architecture,) = method.ask()
        method.tell(architecture, edges(architecture))
        told.append(architecture)
    assert len(calls) == 2
    rebuilt = LatentBO(space, paper(), seed=2)
    for architecture in told:
        rebuilt.tell(architecture, edges(architecture))
    assert rebuilt.ask(3) == method.ask(3)


# ---------------------------------------------------------------- does it work


def test_it_finds_better_cells_than_random_search():
    space = NASBench201()
    try:
        table = TabularEvaluator(space, "cifar10")
    except DataNotFound as error:
        pytest.skip(f"the NAS-Bench-201 table is absent: {error}")
    config = LatentBOConfig(
        training_size=600,
        model_config=FeatureVAEConfig(latent=24, hidden=16, training=TrainingConfig(epochs=1)),
        n_startup_trials=8,
    )
    best = {}
    for name in ("latent", "random"):
        best[name] = []
        for seed in range(2):
            method = (
                LatentBO(space, config, seed=seed) if name == "latent" else RandomSearch(space, seed=seed)
            )
            values = []
            for _ in range(45):
                (architecture,) = method.ask()
                values.append(table.evaluate(architecture).value)
                method.tell(architecture, values[-1])
            best[name].append(max(values))
    assert np.mean(best["latent"]) > np.mean(best["random"]) + 0.2


def test_batches_may_be_smaller_than_the_space():
    """A pool holds architectures of the space's width, whatever the widths of its parts."""
    space = NASBench101()
    method = LatentBO(space, quick())
    small = space.from_matrix([[0, 1], [0, 0]], [0, 4])
    method.tell(small, 1.0)
    for _ in range(6):
        (architecture,) = method.ask()
        method.tell(architecture, edges(architecture))
    assert ArchitectureBatch.from_architectures([o.architecture for o in method.observations]).max_nodes == 7
