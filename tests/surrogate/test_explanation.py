"""Explanations: known effects are found, nothing but the content matters, and bad input is refused."""

from __future__ import annotations

import numpy as np
import pytest

from graphnas import ArchitectureBatch
from graphnas.errors import DataNotFound, InvalidArgument
from graphnas.evaluate import TabularEvaluator
from graphnas.graph.wl_motifs import Motifs
from graphnas.surrogate import explain
from graphnas.surrogate.effects import slopes
from search_spaces import GEMNet, NASBench201

SPACE = NASBench201()
FEW = {"samples": 400, "refits": 0}


def members(count, seed=0):
    return SPACE.sample_batch(np.random.default_rng(seed), count).to_architectures()


def convolutions(architecture):
    graph = SPACE.to_node_labelled(architecture)
    return sum(SPACE.node_labelled_ops[label] == "nor_conv_3x3" for label in graph.operations)


MEMBERS = members(60)
VALUES = np.array([2.0 * convolutions(a) for a in MEMBERS]) + np.linspace(0, 0.2, 60)


@pytest.fixture(scope="module")
def explained():
    return explain(MEMBERS, VALUES, SPACE)


def by_name(explanation):
    return {effect.name: effect for effect in explanation.effects}


def test_what_the_value_counts_raises_it_most(explained):
    effects = by_name(explained)
    operation = effects["nor_conv_3x3"]
    assert operation.depth == 0
    assert operation.low <= operation.effect <= operation.high
    assert 1.2 < operation.effect < 2.3, "2, but for dead convolutions, which the value counts too"
    assert operation.low > 0
    assert operation.gradient > 3 * operation.gradient_error
    assert abs(effects["skip_connect"].effect) < 0.5
    assert [e.effect for e in explained.effects] == sorted(
        (e.effect for e in explained.effects), reverse=True
    )
    assert operation.count == sum(
        SPACE.node_labelled_ops.index("nor_conv_3x3") in explained.of_nodes(a)[0].operations for a in MEMBERS
    )


def test_order_and_scale_do_not_matter(explained):
    order = np.random.default_rng(3).permutation(len(MEMBERS))
    other = explain([MEMBERS[k] for k in order], 10 - 0.5 * VALUES[order], SPACE, minimize=True)
    again = explain([MEMBERS[k] for k in order], 10 + 0.5 * VALUES[order], SPACE)
    first = by_name(explained)
    assert by_name(again).keys() == first.keys() == by_name(other).keys()
    for name, effect in by_name(again).items():
        assert effect.effect == pytest.approx(0.5 * first[name].effect, abs=0.05)
        assert effect.gradient == pytest.approx(0.5 * first[name].gradient, abs=1e-2)
        assert effect.count == first[name].count
        # Of a value that is turned round the effects are too: they are changes of the value, not gains.
        assert by_name(other)[name].effect == pytest.approx(-effect.effect, abs=0.2)


def test_the_same_seed_gives_the_same_explanation():
    one, same = explain(MEMBERS, VALUES, SPACE, **FEW), explain(MEMBERS, VALUES, SPACE, **FEW)
    assert one.effects == same.effects
    assert explain(MEMBERS, VALUES, SPACE, seed=1, **FEW).effects != one.effects


def test_resampled_evaluations_widen_the_intervals_and_change_nothing_else():
    alone, wide = (
        explain(MEMBERS, VALUES, SPACE, **FEW),
        explain(MEMBERS, VALUES, SPACE, samples=400, refits=4),
    )
    first = by_name(alone)
    for name, effect in by_name(wide).items():
        assert effect.effect == first[name].effect
        assert effect.gradient_error == first[name].gradient_error
        assert effect.error > first[name].error
        assert effect.high - effect.low == pytest.approx(2 * 1.96 * effect.error)


def test_values_that_are_not_finite_do_not_count():
    values = VALUES.copy()
    values[::4] = np.nan
    found = explain(MEMBERS, values, SPACE, **FEW)
    kept = np.isfinite(values)
    assert found.architectures == tuple(a for a, k in zip(MEMBERS, kept, strict=True) if k)
    expected = explain([a for a, k in zip(MEMBERS, kept, strict=True) if k], values[kept], SPACE, **FEW)
    assert found.effects == expected.effects


def test_nodes_have_the_effect_of_the_largest_known_motif_around_them(explained):
    effects = by_name(explained)
    for architecture in MEMBERS[:10]:
        graph, found = explained.of_nodes(architecture)
        motifs = Motifs(SPACE, ArchitectureBatch.from_architectures([architecture]), 1)
        for node, effect in enumerate(found):
            names = [motifs.name(0, node, 1), motifs.name(0, node, 0)]
            known = [effects[name].effect for name in names if name in effects]
            if known:
                assert effect in {e.effect for e in explained.effects}
                if names[0] in effects:
                    assert effect == known[0]
        assert len(found) == graph.num_nodes


def test_extremes_are_both_ends(explained):
    chosen = explained.extremes(6)
    assert chosen == [*explained.effects[:3], *explained.effects[-3:]]
    assert explained.extremes(10_000) == list(explained.effects)
    assert len(explained.extremes(1)) == 1


def test_deeper_motifs_and_operations_on_nodes():
    space = GEMNet(num_nodes=6)
    batch = space.sample_batch(np.random.default_rng(0), 50)
    values = batch.adjacency.sum((1, 2)).numpy().astype(float)
    found = explain(batch.to_architectures(), values, space, depths=(0, 1, 2), **FEW)
    assert {effect.depth for effect in found.effects} >= {0, 1}
    assert found.rare > 0, "most sub-graphs of two rounds are unique"
    alone = explain(batch.to_architectures(), values, space, depths=(0,), **FEW)
    assert {effect.depth for effect in alone.effects} == {0}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"values": VALUES[:5]}, "60 architectures need as many values"),
        ({"values": np.full(60, np.nan)}, "at least 10 architectures with a value, got 0"),
        ({"values": np.ones(60)}, "all 60 values are 1: there is nothing to explain"),
        ({"least": 60}, "no motif is in at least 60 of 60 architectures"),
        ({"least": 0}, "least must be at least 1, got 0"),
        ({"samples": 9}, "samples must be at least 100, got 9"),
        ({"refits": -1}, "refits must be at least 0, got -1"),
        ({"depths": ()}, "depths must be non-negative and not empty"),
        ({"depths": (-1,)}, "depths must be non-negative"),
    ],
)
def test_bad_input_is_refused(change, message):
    values = change.pop("values", VALUES)
    with pytest.raises(InvalidArgument, match=message):
        explain(MEMBERS, values, SPACE, **{**FEW, **change})


def test_effects_agree_with_the_whole_table():
    """On NAS-Bench-201 the order of the effects is that of the table; the benchmark has more seeds."""
    try:
        table = TabularEvaluator(SPACE)
    except DataNotFound as error:
        pytest.skip(str(error))
    batch = ArchitectureBatch.from_architectures(list(SPACE.enumerate()))
    values = table.values(batch)
    rows = np.random.default_rng(1000).choice(len(values), 100, replace=False)
    found = explain([batch.architecture(int(k)) for k in rows], values[rows], SPACE)
    motifs = Motifs(SPACE, batch, 1)
    truth = {}
    for number in (0, 1):
        labels = motifs.of_round(number)
        counts = motifs.counts(number, labels)
        kept = np.flatnonzero(counts.std(0) > 0)
        names = [motifs.names(number, labels)[k] for k in kept]
        truth.update(zip(names, slopes(counts[:, kept], values).tolist(), strict=True))
    expected = np.array([truth[effect.name] for effect in found.effects])
    ranks = np.argsort(np.argsort(-expected))
    assert np.corrcoef(ranks, np.arange(len(ranks)))[0, 1] > 0.9
    inside = [e.low <= t <= e.high for e, t in zip(found.effects, expected, strict=True)]
    assert np.mean(inside) > 0.8
