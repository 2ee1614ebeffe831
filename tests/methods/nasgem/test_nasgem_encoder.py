"""The kernel-guided encoder: its input, its pairs, its loss, what training achieves."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from graphnas import Architecture, ArchitectureBatch
from graphnas.errors import InvalidArgument
from graphnas.graph.flatten import Flattener
from graphnas.graph.wl import WeisfeilerLehman
from graphnas.methods.nasgem import EncoderConfig, KernelGuidedEncoder, pair_up, sample_pairs
from graphnas.methods.nasgem.pairs import transform_target
from search_spaces import GEMNet, NASBench101, NASBench201

SMALL = EncoderConfig(
    dimension=20,
    hidden=(64, 32),
    node_ops="none",
    pairs=4000,
    iterations=800,
    batch_size=128,
    kernel_iterations=1,
    kernel_direction="both",
    kernel_initial=False,
)


def test_upper_triangle_has_435_bits_at_30_nodes():
    assert Flattener(GEMNet(30), "none").width == 30 * 29 // 2


def test_flattened_bits_are_the_obvious_ones():
    space = GEMNet(5)
    rng = np.random.default_rng(0)
    architectures = [space.sample(rng) for _ in range(20)]
    rows = Flattener(space)(ArchitectureBatch.from_architectures(architectures))
    for row, architecture in zip(rows, architectures, strict=True):
        edges = [architecture.adjacency[i, j] for j in range(5) for i in range(j)]
        one_hot = [int(architecture.operations[j] == k) for j in range(1, 5) for k in (1, 2)]
        assert row.tolist() == edges + one_hot


def test_edge_labels_are_one_hot():
    space = NASBench201()
    architecture = space.from_string(
        "|avg_pool_3x3~0|+|nor_conv_1x1~0|skip_connect~1|+|nor_conv_1x1~0|nor_conv_3x3~1|none~2|"
    )
    rows = Flattener(space)(ArchitectureBatch.from_architectures([architecture]))
    expected = np.zeros((6, 4))
    for slot, label in enumerate((4, 2, 1, 2, 3, 0)):
        if label:
            expected[slot, label - 1] = 1
    assert rows.reshape(6, 4).tolist() == expected.tolist()


def test_pairs_have_equal_size_and_the_kernels_value():
    space = GEMNet(6)
    kernel = WeisfeilerLehman(2)
    pairs = sample_pairs(space, 50, np.random.default_rng(0), kernel)
    for k, (a, b) in enumerate(zip(pairs.first, pairs.second, strict=True)):
        assert a.num_nodes == b.num_nodes
        assert pairs.target[k] == pytest.approx(kernel.gram([a], [b])[0, 0], abs=1e-6)


def test_given_architectures_are_paired_at_random_and_each_once():
    kernel = WeisfeilerLehman(1)
    rng = np.random.default_rng(0)
    small = [GEMNet(4).sample(rng) for _ in range(9)]
    large = [GEMNet(6).sample(rng) for _ in range(12)]
    batch = ArchitectureBatch.from_architectures([*small, *large])
    pairs = pair_up(batch, np.random.default_rng(1), kernel)
    assert len(pairs) in (9, 10)
    members = [*pairs.first, *pairs.second]
    given = list(batch)
    assert all(members.count(a) <= given.count(a) for a in members)
    assert (pairs.first.num_nodes == pairs.second.num_nodes).all()
    np.testing.assert_allclose(pairs.target, kernel.pairwise(pairs.first, pairs.second), atol=1e-6)
    other = pair_up(batch, np.random.default_rng(2), kernel)
    assert [*other.first] != [*pairs.first]
    with pytest.raises(InvalidArgument, match="no two of the 2 architectures"):
        pair_up(ArchitectureBatch.from_architectures([small[0], large[0]]), rng, kernel)
    with pytest.raises(InvalidArgument, match="no two of the 1 architectures"):
        pair_up(ArchitectureBatch.from_architectures(small[:1]), rng, kernel)
    with pytest.raises(InvalidArgument, match="loud"):
        pair_up(batch, rng, kernel, "loud")


def test_targets():
    values = np.array([0.9, 0.1, 0.5, 0.7])
    assert transform_target(values, "rank").tolist() == pytest.approx([1, -1, -1 / 3, 1 / 3])
    centred = transform_target(values, "centred")
    assert centred.mean() == pytest.approx(0, abs=1e-6)
    assert np.argsort(centred).tolist() == np.argsort(values).tolist()
    with pytest.raises(InvalidArgument, match="raw"):
        sample_pairs(GEMNet(4), 10, np.random.default_rng(0), WeisfeilerLehman(1), "loud")


def test_loss_is_the_papers():
    """Equation 3-4, pair by pair: squared cosine error plus both reconstruction losses."""
    space = GEMNet(5)
    encoder = KernelGuidedEncoder(space, SMALL, seed=0)
    pairs = sample_pairs(space, 6, np.random.default_rng(0), encoder.kernel)
    bits = np.concatenate([encoder.flatten(pairs.first), encoder.flatten(pairs.second)])
    similarity, reconstruction = encoder._losses(torch.from_numpy(bits), torch.from_numpy(pairs.target))
    total = 0.0
    for k in range(6):
        x, y = torch.from_numpy(bits[k]), torch.from_numpy(bits[k + 6])
        with torch.no_grad():
            a, b = encoder.encoder(x), encoder.encoder(y)
        cosine = (a @ b) / (a.norm() * b.norm())
        total += float((cosine - pairs.target[k]) ** 2)
        for code, target in ((a, x), (b, y)):
            p = torch.sigmoid(encoder.decoder(code)).detach()
            total -= float((target * p.log() + (1 - target) * (1 - p).log()).mean())
    assert float((similarity + reconstruction).detach()) == pytest.approx(total / 6, rel=1e-5)


def test_training_follows_the_kernel_and_reconstructs():
    space = GEMNet(6)
    untrained = KernelGuidedEncoder(space, SMALL, seed=0)
    pairs = sample_pairs(space, 500, np.random.default_rng(9), untrained.kernel)
    fresh = space.sample_batch(np.random.default_rng(10), 200)

    def follows(encoder):
        cosine = torch.nn.functional.cosine_similarity(
            encoder.embed(pairs.first), encoder.embed(pairs.second)
        )
        return float(np.corrcoef(cosine, pairs.target)[0, 1])

    trained = KernelGuidedEncoder(space, SMALL, seed=0).fit()
    plain = KernelGuidedEncoder(space, replace(SMALL, kernel_guided=False), seed=0).fit()
    assert trained.similarity_loss(pairs) < 0.2 * plain.similarity_loss(pairs)
    assert trained.similarity_loss(pairs) < 0.2 * untrained.similarity_loss(pairs)
    assert follows(trained) > follows(plain) + 0.1
    assert trained.reconstruction_accuracy(fresh) > 0.95 > untrained.reconstruction_accuracy(fresh)
    assert trained.history[-1]["iteration"] == SMALL.iterations


def test_the_default_size_follows_the_kernel_better_than_a_constant_on_unseen_pairs():
    encoder = KernelGuidedEncoder(NASBench101(), EncoderConfig(pairs=20_000, iterations=1500), seed=0).fit()
    unseen = sample_pairs(encoder.space, 500, np.random.default_rng(9), encoder.kernel)
    assert encoder.similarity_loss(unseen) < unseen.target.var()  # of the best constant


@pytest.mark.parametrize("space", [GEMNet(30), NASBench201()], ids=["gemnet", "nasbench201"])
def test_the_default_kernel_tells_random_graphs_apart(space):
    """Both directions without the first labels make GEMNet's graphs of 30 nodes orthogonal."""
    encoder = KernelGuidedEncoder(space)
    kernel = encoder.kernel
    assert (kernel.direction, kernel.include_initial, kernel.node_labels) == ("out", True, True)
    targets = sample_pairs(space, 300, np.random.default_rng(0), kernel).target
    assert targets.std() > 0.03
    assert 0.7 < targets.mean() < 0.95
    strict = EncoderConfig(kernel_direction="both", kernel_initial=False)
    if space.max_nodes == 30:
        kernel = KernelGuidedEncoder(space, strict).kernel
        assert sample_pairs(space, 300, np.random.default_rng(0), kernel).target.mean() < 0.01


def test_seeds_decide_and_global_state_is_untouched():
    space = GEMNet(5)
    config = EncoderConfig(dimension=4, hidden=(8,), pairs=64, iterations=10, batch_size=16)
    torch.manual_seed(123)
    before = torch.random.get_rng_state()
    probe = [space.sample(np.random.default_rng(k)) for k in range(5)]
    first = KernelGuidedEncoder(space, config, seed=1).fit().embed(probe)
    assert torch.equal(torch.random.get_rng_state(), before)
    assert torch.equal(first, KernelGuidedEncoder(space, config, seed=1).fit().embed(probe))
    assert not torch.equal(first, KernelGuidedEncoder(space, config, seed=2).fit().embed(probe))


def test_embedding_does_not_depend_on_the_batch():
    space = GEMNet(5)
    encoder = KernelGuidedEncoder(space, SMALL, seed=0)
    probe = [space.sample(np.random.default_rng(k)) for k in range(7)]
    together = encoder.embed(probe)
    assert together.shape == (7, 20)
    for k, architecture in enumerate(probe):
        torch.testing.assert_close(encoder.embed([architecture])[0], together[k])


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("dimension", 0),
        ("pairs", 1),
        ("iterations", -1),
        ("learning_rate", 0.0),
        ("kernel_direction", "down"),
        ("kernel_initial", 1),
        ("target", "sorted"),
        ("node_ops", "all"),
    ],
)
def test_bad_settings(field, value):
    with pytest.raises(InvalidArgument, match=field):
        EncoderConfig(**{field: value})


def test_more_nodes_than_the_encoder_knows():
    encoder = KernelGuidedEncoder(GEMNet(4), SMALL, seed=0)
    with pytest.raises(InvalidArgument, match="4"):
        encoder.embed([Architecture(np.zeros((5, 5), int))])
