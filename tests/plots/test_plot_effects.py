"""Effects and contributions: what is drawn, on spaces with operations on edges and on nodes."""

from __future__ import annotations

import numpy as np
import pytest

from graphnas.errors import InvalidArgument
from graphnas.plots import plot_contributions, plot_effects
from graphnas.plots.effects import _get_contributions_info, _get_effects_info, _tint
from graphnas.plots.motifs import BETTER, WORSE
from graphnas.plots.style import NEUTRAL
from graphnas.surrogate import explain
from search_spaces import GEMNet, NASBench201, RandWire

SPACE = NASBench201()


def explained(space, minimize=False, count=40):
    batch = space.sample_batch(np.random.default_rng(0), count)
    values = batch.adjacency.sum((1, 2)).numpy().astype(float) + np.linspace(0, 0.1, count)
    return explain(
        batch.to_architectures(),
        values,
        space,
        samples=400,
        refits=0,
        value_name="edges",
        minimize=minimize,
    )


def test_bars_are_both_ends_and_their_colours_say_what_is_better():
    for minimize in (False, True):
        explanation = explained(SPACE, minimize)
        info = _get_effects_info(explanation, count=6)
        assert [*info.effects] == explanation.extremes(6)
        for effect, tint, label in zip(info.effects, info.tints, info.labels, strict=True):
            assert (tint == BETTER) == ((effect.effect > 0) != minimize)
            assert label == f"{effect.name}  ({effect.count} of 40)"
        assert "edges" in info.title


def test_nodes_have_the_colour_of_their_effect():
    explanation = explained(SPACE)
    info = _get_contributions_info(explanation, count=3)
    best = sorted(range(40), key=lambda k: -explanation.values[k])
    assert info.captions[0] == f"edges {explanation.values[best[0]]:.4g}"
    graph, effects = explanation.of_nodes(explanation.architectures[best[0]])
    cell = info.cells[0]
    assert cell.node_ops == tuple(graph.operations.tolist())
    for effect, tint in zip(effects, cell.tints, strict=True):
        if np.isnan(effect):
            assert tint == NEUTRAL
            continue
        red, blue = int(tint[1:3], 16), int(tint[5:7], 16)
        assert (blue > red) == (effect > 0) or tint == "#FFFFFF"
    turned = _get_contributions_info(explained(SPACE, minimize=True), count=1)
    assert turned.captions[0] == f"edges {explanation.values.min():.4g}"


def test_tints_go_from_worse_over_white_to_better():
    assert _tint(1.0) == BETTER
    assert _tint(-1.0) == WORSE
    assert _tint(0.0) == "#FFFFFF"
    assert _tint(float("nan")) == NEUTRAL


@pytest.mark.parametrize("space", [SPACE, GEMNet(num_nodes=7), RandWire(num_nodes=16)])
def test_every_kind_of_space_is_drawn(space, tmp_path):
    explanation = explained(space)
    for plot in (plot_effects, plot_contributions):
        path = tmp_path / "plot.png"
        plot(explanation, count=4).savefig(path)
        assert path.stat().st_size > 2000


def test_bad_counts_are_refused():
    explanation = explained(SPACE)
    with pytest.raises(InvalidArgument, match="count must be at least 1, got 0"):
        plot_effects(explanation, count=0)
    with pytest.raises(InvalidArgument, match="count and columns must be at least 1, got 1 and 0"):
        plot_contributions(explanation, count=1, columns=0)
