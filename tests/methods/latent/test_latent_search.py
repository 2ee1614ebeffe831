"""LatentBO: presets, candidates, pending trials, the paper's rounds, and that it beats random search."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from graphnas.autoencoders import DVAEConfig, FeatureVAE, FeatureVAEConfig, GCNConfig, TrainingConfig
from graphnas.errors import CorruptData, DataNotFound, InvalidArgument
from graphnas.evaluate import TabularEvaluator
from graphnas.graph.batch import ArchitectureBatch
from graphnas.graph.evaluation import Observation
from graphnas.graph.restricted import RestrictedSpace
from graphnas.methods import LatentBO, LatentBOConfig, RandomSearch
from graphnas.methods.latent.pool import LatentPool, latent_means
from graphnas.methods.latent.rounds import Rounds, make_process, select_points
from graphnas.methods.latent.trained import trained_autoencoder
from graphnas.surrogate import ImprovementModel, SparseGP, TrainingSet
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


def same_weights(first, second):
    return all(torch.equal(a, b) for a, b in zip(first.parameters(), second.parameters(), strict=True))


def observations(architectures, values):
    return tuple(Observation(a, (float(v),)) for a, v in zip(architectures, values, strict=True))


def training_set(architectures, values):
    return TrainingSet.from_observations(observations(architectures, values), np.random.default_rng(0))


def scoring(config, data, latents):
    score = ImprovementModel(lambda: make_process(config, 0)).fit(data, [latents])
    return lambda points: score([points])


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


def test_what_a_given_autoencoder_was_trained_on_bounds_the_rounds():
    space = NASBench201()
    known = list(space.sample_batch(np.random.default_rng(0), 60))
    model = FeatureVAE(space, FEATURES).fit(known)
    latents = latent_means(model, known[:5])
    method = LatentBO(space, paper(), autoencoder=model, trained_on=known[:5])
    method.tell(known[0], 0.0)
    for k in range(9):
        (architecture,) = method.ask()
        method.tell(architecture, float(k))
    points = np.stack(list(method._rounds._selected.values()))
    assert len(points) == 6  # two rounds
    assert (latents.min(0) <= points).all()
    assert (points <= latents.max(0)).all()
    for arguments in ({}, {"autoencoder": model, "trained_on": []}):
        with pytest.raises(InvalidArgument, match="trained_on needs at least one architecture"):
            LatentBO(space, **{"trained_on": known, **arguments})


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


def test_a_trained_model_from_its_file(tmp_path):
    """By the configuration alone, as the command line and NNI's files name it."""
    space = NASBench201()
    model = FeatureVAE(space, FEATURES).fit(space.sample_batch(np.random.default_rng(0), 60))
    path = tmp_path / "model.pt"
    model.save(path)
    by_file = LatentBO(space, quick(model=str(path), model_config=None), seed=1)
    given = LatentBO(space, quick(), seed=1, autoencoder=model)
    assert same_weights(by_file.autoencoder, model)
    for _ in range(6):
        (one,), (other,) = by_file.ask(), given.ask()
        assert one == other
        by_file.tell(one, edges(one))
        given.tell(other, edges(other))
    with pytest.raises(InvalidArgument, match="needs no model_config"):
        LatentBO(space, quick(model=str(path)))
    with pytest.raises(InvalidArgument, match="from the space 'nasbench201', not 'randwire'"):
        LatentBO(RandWire(8), quick(model=str(path), model_config=None))
    with pytest.raises(InvalidArgument, match=r"or the file of a trained autoencoder; got .*nowhere"):
        LatentBOConfig(model=str(tmp_path / "nowhere.pt"))
    for wrong in (1, ["dvae"], None):
        with pytest.raises(InvalidArgument, match="model must be one of"):
            LatentBOConfig(model=wrong)
    path.write_text("no model")
    with pytest.raises(CorruptData):
        LatentBO(space, quick(model=str(path), model_config=None))


# ---------------------------------------------------------------- candidates


def test_settings_of_another_model_are_refused_at_once():
    with pytest.raises(InvalidArgument, match="'gcn' needs a GCNConfig, got FeatureVAEConfig"):
        LatentBO(GEMNet(5), quick(model="gcn"))


def test_a_loaded_seed_chooses_the_inducing_points_anew():
    space = GEMNet(5)
    autoencoder = FeatureVAE(space, FEATURES).fit(space.sample_batch(np.random.default_rng(0), 60))
    original, other = (
        LatentBO(space, quick(surrogate="sparse", inducing=3), seed=seed, autoencoder=autoencoder)
        for seed in (0, 1)
    )
    for k in range(9):
        architecture = space.sample(np.random.default_rng(k))
        for method in (original, other):
            method.tell(architecture, edges(architecture))
    other.ask()
    other.load_state_dict(original.state_dict())
    assert other.ask() == original.ask()


def test_small_spaces_are_scored_whole_and_large_ones_by_samples_changes_and_decodings():
    space = NASBench101()
    config = quick()
    model, trained_on = trained_autoencoder(space, config, 0)
    architectures = list(space.sample_batch(np.random.default_rng(5), 12))
    data, latents = training_set(architectures, np.arange(12.0)), latent_means(model, architectures)
    score = scoring(config, data, latents)
    pool = LatentPool(space, config, model, trained_on)
    batch, points = pool.candidates(data, latents, score, np.random.default_rng(0))
    assert 200 < len(batch) <= 246
    for architecture in batch:
        space.validate(architecture)
    np.testing.assert_allclose(points, latent_means(model, batch))
    again, _ = pool.candidates(data, latents, score, np.random.default_rng(0))
    assert list(again) == list(batch)

    small = GEMNet(4)
    small_model, known = trained_autoencoder(small, config, 0)
    whole, _ = LatentPool(small, config, small_model, known).candidates(
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
    data = training_set(architectures, [edges(a) for a in architectures])
    latents = latent_means(model, architectures)
    score = scoring(config, data, latents)
    batch, points = LatentPool(space, config, model, trained_on).candidates(
        data, latents, score, np.random.default_rng(0)
    )
    scores = score(points)
    assert scores[200:].mean() > scores[:200].mean() + 0.5
    assert len(batch) > 210


def test_latents_are_computed_once():
    space = NASBench101()
    model, trained_on = trained_autoencoder(space, quick(), 0)
    pool = LatentPool(space, quick(enumerate_up_to=0), model, trained_on)
    architectures = list(space.sample_batch(np.random.default_rng(5), 6))
    first = pool.encode([*architectures, architectures[0]])
    np.testing.assert_allclose(first[:6], latent_means(model, architectures), rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(first[6], first[0])
    np.testing.assert_array_equal(pool.encode(architectures[2:4]), first[2:4])
    assert pool.encode([]).shape == (0, 12)


# ---------------------------------------------------------------- rounds


def test_points_are_maxima_of_the_improvement_and_keep_apart():
    rng = np.random.default_rng(0)
    x = rng.uniform(-1, 1, (30, 2))
    y = -((x - 0.4) ** 2).sum(1) + 0.2 * rng.standard_normal(30)
    process = make_process(quick(), 0).fit([x], (y - y.mean()) / y.std())
    box = (np.full(2, -1.0), np.ones(2))
    points = select_points(process, 4, 300, box, np.random.default_rng(1))
    assert points.shape == (4, 2)
    assert (points >= -1).all()
    assert (points <= 1).all()
    assert np.abs(points[0] - 0.4).max() < 0.6
    distances = np.linalg.norm(points[:, None] - points[None], axis=2)[np.triu_indices(4, 1)]
    assert distances.min() > 1e-3  # without believing they would all be the first


def test_a_round_enters_its_points_as_selected_and_counts_what_cannot_be_decoded(monkeypatch):
    space = NASBench101()
    config = paper()
    pool = LatentPool(space, config, *trained_autoencoder(space, config, 0))
    rounds = Rounds(config, 0, pool, space.key)
    architectures = list(space.sample_batch(np.random.default_rng(1), 8))
    known = observations(architectures, np.arange(8.0))
    rounds.plan(known, training_set(architectures, np.arange(8.0)), np.random.default_rng(0))
    assert len(rounds) == 1
    decodable = config.batch_size - len(rounds._undecodable)
    proposals = rounds.proposals(0)
    assert len(proposals) >= decodable
    for architecture in proposals:
        space.validate(architecture)
    assert rounds.belongs_to(0, known, [8])
    assert rounds.belongs_to(0, known, [8, 9])
    assert not rounds.belongs_to(1, known, [8])
    assert not rounds.belongs_to(0, known, [7])
    assert not rounds.belongs_to(0, known[::-1], [8])
    fitted = []
    monkeypatch.setattr(pool, "encode", lambda given: np.zeros((len(given), 4)))
    fit = SparseGP.fit
    monkeypatch.setattr(SparseGP, "fit", lambda self, x, y: fitted.append(x[0].copy()) or fit(self, x, y))
    both = [*architectures, proposals[0]]
    selected = [space.key(a) in rounds._selected for a in both]
    assert selected[8]
    assert not all(selected)
    rounds.plan(
        observations(both, np.arange(9.0)), training_set(both, np.arange(9.0)), np.random.default_rng(1)
    )
    # What a round decoded enters as the point that was decoded, anything else with its encoding.
    assert (np.abs(fitted[0][:9]).max(1) > 0).tolist() == selected


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


def test_a_point_that_decodes_to_no_row_of_a_table_stands_for_the_nearest_one():
    """Of a few known cells the decoder never draws one: without the nearest, rounds are random search."""
    whole = NASBench101()
    cells = list(whole.sample_batch(np.random.default_rng(3), 30))
    space = RestrictedSpace(whole, cells)
    config = paper()
    pool = LatentPool(space, config, *trained_autoencoder(space, config, 0))
    row = pool.encode([cells[4]])[0]
    assert space.key(pool.nearest(row)[0]) == space.key(cells[4])
    assert LatentPool(whole, config, *trained_autoencoder(whole, config, 0)).nearest(row) == []
    rounds = Rounds(config, 0, pool, space.key)
    known = cells[:8]
    rounds.plan(
        observations(known, np.arange(8.0)), training_set(known, np.arange(8.0)), np.random.default_rng(0)
    )
    assert rounds._undecodable == []
    assert (
        len({space.key(a) for a in rounds.proposals(0)} - {space.key(a) for a in known}) >= config.batch_size
    )
    assert all(space.is_valid(architecture) for architecture in rounds.proposals(0))


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
