"""FeatureVAE: components, slots and estimates, exact reconstruction, and what it shares with the others."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from graphnas import ProductSpace
from graphnas.autoencoders import FeatureVAE, FeatureVAEConfig, TrainingConfig, load_autoencoder, same_graphs
from graphnas.autoencoders.principal import PrincipalFeatures
from graphnas.errors import InvalidArgument
from graphnas.graph.architecture import Architecture
from search_spaces import ENASMacro6, GEMNet, NASBench101, NASBench201, RandWire

SPACES = {
    "nasbench201": NASBench201,
    "nasbench101": NASBench101,
    "enas6": ENASMacro6,
    "gemnet": lambda: GEMNet(6),
    "randwire": lambda: RandWire(8),
}


def small(epochs=2, **changes):
    training = TrainingConfig(epochs=epochs, batch_size=32, learning_rate=3e-3)
    return FeatureVAEConfig(**{"hidden": 32, "latent": 12, "training": training, **changes})


def rng(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.fixture(params=SPACES)
def space(request):
    return SPACES[request.param]()


@pytest.fixture(scope="module")
def trained():
    """A model of NAS-Bench-201 that knows it well, and architectures that it has not seen."""
    space = NASBench201()
    config = small(12, hidden=128, latent=40)
    model = FeatureVAE(space, config).fit(space.sample_batch(np.random.default_rng(0), 1500))
    return model, space.sample_batch(np.random.default_rng(1), 200)


# ---------------------------------------------------------------- components


def test_components_are_the_principal_ones():
    space = GEMNet(6)
    batch = space.sample_batch(np.random.default_rng(0), 80)
    principal = PrincipalFeatures(space, 10)
    found = principal.fit(batch)(batch)
    parts = [part.toarray() if hasattr(part, "toarray") else part for part in principal.features(batch)]
    rows = np.concatenate([p / np.sqrt(p.var(0).sum()) for p in parts], 1)
    u, s, _ = np.linalg.svd(rows - rows.mean(0), full_matrices=False)
    np.testing.assert_allclose(np.abs(found), np.abs(u[:, :10] * s[:10]), atol=1e-6)
    np.testing.assert_allclose(found.mean(0), 0, atol=1e-9)


def test_isomorphic_cells_differ_only_by_their_bits():
    """With all components, distances are the sum of the kernels' distances, and WL's part is 0."""
    space = NASBench101()
    chain = [[0, 1, 1, 0], [0, 0, 0, 1], [0, 0, 0, 1], [0, 0, 0, 0]]
    first, second = Architecture(chain, [0, 1, 2, 4]), Architecture(chain, [0, 2, 1, 4])
    assert space.key(first) == space.key(second)
    batch = space.sample_batch(np.random.default_rng(0), 60)
    principal = PrincipalFeatures(space, 60).fit(batch)
    a, b = (principal.features(space.completed_batch([x])) for x in (first, second))
    assert (a[0] != b[0]).any()
    for left, right in zip(a[1:], b[1:], strict=True):
        assert abs(left - right).sum() == 0


# ---------------------------------------------------------------- the model


def test_it_reconstructs_what_it_has_not_seen(trained):
    model, unseen = trained
    mean, log_variance = model.encode(unseen)
    assert mean.shape == log_variance.shape == (200, 40)
    wanted = model.adapter.to_vertices(unseen)
    likeliest = model.decode(mean, rng(), stochastic=False)
    assert same_graphs(likeliest.graphs, wanted).float().mean() >= 0.99
    assert np.mean([a == b for a, b in zip(likeliest.architectures, unseen, strict=True)]) >= 0.98
    drawn = model.decode(mean.repeat_interleave(10, 0), rng())
    assert (
        np.mean([a == b for a, b in zip(drawn.architectures, np.repeat(list(unseen), 10), strict=True)])
        > 0.95
    )


def test_elbo_is_what_a_loop_over_slots_gives(trained):
    model, unseen = trained
    few = unseen[:7]
    elbo = model.elbo(few)
    mean, log_variance = model.encode(few)
    logits = model._logits(mean)
    expected = []
    for k, architecture in enumerate(few):
        total = 0.0
        for s, choice in enumerate(model.layout.choices(few[[k]])[0]):
            count = model.layout.counts[s]
            total -= torch.log_softmax(logits[k, s, :count], 0)[choice].item()
        expected.append(total)
        assert architecture.num_nodes == 4
    np.testing.assert_allclose(elbo.reconstruction.detach(), expected, atol=1e-4)
    prior = torch.distributions.Normal(torch.zeros(40), model._scale)
    posterior = torch.distributions.Normal(mean, (0.5 * log_variance).exp())
    divergence = torch.distributions.kl_divergence(posterior, prior).sum(1)
    np.testing.assert_allclose(elbo.kl.detach(), divergence.detach(), rtol=1e-3)
    noisy = model.elbo(few, rng())
    assert (noisy.reconstruction != elbo.reconstruction).any()


def test_every_space_is_read_and_constrained_decoding_is_valid(space):
    batch = space.sample_batch(np.random.default_rng(0), 60)
    model = FeatureVAE(space, small()).fit(batch)
    z = torch.randn(40, 12, generator=rng())
    decoded = model.decode(z, rng(), constrained=True)
    assert decoded.valid.all()
    for architecture in decoded.architectures:
        space.validate(architecture)
    assert [h["epoch"] for h in model.history] == [1, 2]
    again = model.decode(z, rng(), constrained=True).architectures
    assert again == decoded.architectures


def test_unconstrained_decoding_says_what_is_invalid():
    space = NASBench101()
    model = FeatureVAE(space, small(1)).fit(space.sample_batch(np.random.default_rng(0), 40))
    decoded = model.decode(torch.randn(200, 12, generator=rng()) * 3, rng())
    assert 0 < decoded.valid.mean() < 1
    for architecture, valid, size in zip(
        decoded.architectures, decoded.valid, decoded.graphs.num_nodes.tolist(), strict=True
    ):
        assert (architecture is not None) == valid == (size > 1)


def test_fewer_architectures_than_dimensions():
    space = GEMNet(3)
    model = FeatureVAE(space, small(latent=50)).fit([*space.enumerate()])
    mean, _ = model.encode([*space.enumerate()])
    assert mean.shape[1] == 50
    assert (mean.std(0) > 0).sum() < 24


# ---------------------------------------------------------------- estimates


def test_estimates_learn_their_targets_and_nothing_else_is_supervised():
    space = NASBench201()
    batch = space.sample_batch(np.random.default_rng(0), 600)
    targets = np.array([(a.adjacency == 3).sum() ** 1.5 for a in batch])
    config = small(2, estimates=2, estimate_epochs=30)
    model = FeatureVAE(space, config).fit(batch, 100 + 5 * targets)
    unseen = space.sample_batch(np.random.default_rng(1), 200)
    wanted = np.array([(a.adjacency == 3).sum() ** 1.5 for a in unseen])
    mean, _ = model.encode(unseen)
    for column in mean[:, -2:].T:
        assert np.corrcoef(column, wanted)[0, 1] > 0.9
    plain = FeatureVAE(space, config).fit(batch)
    np.testing.assert_allclose(plain.encode(unseen)[0][:, :10], mean[:, :10], atol=1e-5)
    assert not torch.equal(plain.encode(unseen)[0][:, 10:], mean[:, 10:])


@pytest.mark.parametrize("targets", [[1.0], np.full(40, np.nan), np.zeros((40, 2))])
def test_targets_must_fit(targets):
    space = GEMNet(5)
    with pytest.raises(InvalidArgument, match="40 finite numbers"):
        FeatureVAE(space, small()).fit(space.sample_batch(np.random.default_rng(0), 40), targets)


# ---------------------------------------------------------------- state


@pytest.mark.parametrize("supervised", [False, True])
def test_saved_and_loaded(tmp_path, supervised):
    space = NASBench201()
    batch = space.sample_batch(np.random.default_rng(0), 80)
    targets = np.arange(80.0) if supervised else None
    model = FeatureVAE(space, small(estimate_epochs=1), seed=3).fit(batch, targets)
    model.save(tmp_path / "model.pt")
    loaded = load_autoencoder(tmp_path / "model.pt")
    assert isinstance(loaded, FeatureVAE)
    assert loaded.config == model.config
    for a, b in zip(model.encode(batch), loaded.encode(batch), strict=True):
        assert torch.equal(a, b)
    z = torch.randn(20, 12, generator=rng())
    assert loaded.decode(z, rng()).architectures == model.decode(z, rng()).architectures


def test_training_goes_on_from_a_checkpoint(tmp_path):
    space = GEMNet(6)
    batch = space.sample_batch(np.random.default_rng(0), 80)
    whole = FeatureVAE(space, small(4)).fit(batch)

    class Stop(Exception):
        pass

    def stop(model, entry):
        if entry["epoch"] == 2:
            raise Stop

    path = tmp_path / "checkpoint.pt"
    with pytest.raises(Stop):
        FeatureVAE(space, small(4)).fit(batch, checkpoint=path, on_epoch=stop)
    resumed = FeatureVAE(space, small(4)).fit(batch, checkpoint=path)
    assert resumed.history == whole.history
    for name, value in whole.state_dict().items():
        if isinstance(value, torch.Tensor):
            assert torch.equal(value, resumed.state_dict()[name]), name
    with pytest.raises(InvalidArgument, match="another training"):
        FeatureVAE(space, small(4)).fit(batch, np.arange(80.0), checkpoint=path)


def test_choices_that_break_the_rule_are_no_architecture():
    space = NASBench101()
    cell = space.sample(np.random.default_rng(0))
    choices = np.concatenate([space.layout.choices(space.completed_batch([cell])), np.zeros((1, 26), int)])
    found = FeatureVAE(space, small())._architectures(choices[[1, 0, 1]])
    assert found == [None, cell, None]  # without any edge there is no path


def test_what_is_not_trained_or_not_allowed_says_so():
    model = FeatureVAE(GEMNet(5), small())
    with pytest.raises(InvalidArgument, match=r"call fit\(architectures\) first"):
        model.encode([GEMNet(5).sample(np.random.default_rng(0))])
    with pytest.raises(InvalidArgument, match=r"\(B, 12\), got \(2, 3\)"):
        model.decode(torch.zeros(2, 3), rng())
    with pytest.raises(InvalidArgument, match=r"estimates must be in 0\.\.11"):
        small(estimates=12)
    with pytest.raises(InvalidArgument, match="depths"):
        small(depths=())
    with pytest.raises(InvalidArgument, match="estimate_epochs"):
        small(estimate_epochs=0)


def test_the_flattest_draw_takes_only_choices_that_a_slot_has():
    """The last of the redraws is uniform over them; slots of two choices stand beside those of five."""
    space = ProductSpace(macro=GEMNet(4), cell=NASBench201())
    model = FeatureVAE(space, small(1)).fit(space.sample_batch(np.random.default_rng(0), 60))
    for flatten in (0.0, 0.5, 1.0):
        choices = model._draw(torch.randn(200, 12, generator=rng()), rng(), True, flatten)
        assert (choices < space.layout.counts).all()
    shares = [np.bincount(column, minlength=5) / 200 for column in choices.T]
    expected = [(np.arange(5) < count) / count for count in space.layout.counts]
    assert np.allclose(shares, expected, atol=0.15)
