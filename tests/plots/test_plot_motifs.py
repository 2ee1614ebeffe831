"""Motifs and generations: their data against plain loops."""

from __future__ import annotations

import numpy as np
import pytest

from graphnas import Architecture
from graphnas.errors import InvalidArgument
from graphnas.plots import plot_generations, plot_motifs
from graphnas.plots.generations import _get_generations_info
from graphnas.plots.motifs import _get_motifs_info, motif_names
from search_spaces import ENASMacro6, GEMNet, NASBench201

SPACE = NASBench201()
MEMBERS = [SPACE.at(index) for index in range(0, 15625, 311)]
VALUES = np.array([sum(label == 3 for *_, label in a.labelled_edges()) for a in MEMBERS], float)


def cell(text: str) -> Architecture:
    return SPACE.from_string(text)


def test_the_motifs_of_a_cell_are_those_that_one_can_see():
    chain = cell("|nor_conv_3x3~0|+|none~0|skip_connect~1|+|none~0|none~1|nor_conv_1x1~2|")
    (names,) = motif_names([chain], SPACE)
    assert names == {
        "input → nor_conv_3x3",
        "nor_conv_3x3 → skip_connect",
        "skip_connect → nor_conv_1x1",
        "nor_conv_1x1 → output",
    }
    joined = cell("|nor_conv_3x3~0|+|none~0|none~1|+|nor_conv_1x1~0|skip_connect~1|none~2|")
    (names,) = motif_names([joined], SPACE)
    assert "output ← nor_conv_1x1, skip_connect" in names


def test_what_no_data_reaches_has_no_motif():
    dead = cell("|none~0|+|nor_conv_3x3~0|avg_pool_3x3~1|+|none~0|none~1|skip_connect~2|")
    (names,) = motif_names([dead], SPACE)
    assert not any("avg_pool" in name for name in names)


def test_effects_are_differences_of_means():
    info = _get_motifs_info(MEMBERS, VALUES, SPACE, count=100)
    having = list(motif_names(MEMBERS, SPACE))
    assert info.total == len(MEMBERS)
    for motif in info.motifs:
        inside = np.array([motif.name in names for names in having])
        assert motif.count == inside.sum() >= 3
        assert motif.effect == pytest.approx(VALUES[inside].mean() - VALUES[~inside].mean())
        error = np.sqrt(
            VALUES[inside].var(ddof=1) / inside.sum() + VALUES[~inside].var(ddof=1) / (~inside).sum()
        )
        assert motif.error == pytest.approx(error)
    assert [m.effect for m in info.motifs] == sorted((m.effect for m in info.motifs), reverse=True)
    assert "nor_conv_3x3" in info.motifs[0].name, "the values count these"


def test_minimising_turns_effects_round_and_failures_do_not_count():
    values = VALUES.copy()
    values[::7] = np.nan
    best = _get_motifs_info(MEMBERS, values, SPACE, count=100)
    worst = _get_motifs_info(MEMBERS, values, SPACE, count=100, minimize=True)
    assert best.total == np.isfinite(values).sum()
    assert {m.name: round(m.effect, 9) for m in best.motifs} == {
        m.name: -round(m.effect, 9) for m in worst.motifs
    }


def test_motifs_that_always_come_together_are_shown_once():
    info = _get_motifs_info(MEMBERS, VALUES, SPACE, count=1000)
    having = list(motif_names(MEMBERS, SPACE))
    rows = [tuple(motif.name in names for names in having) for motif in info.motifs]
    assert len(set(rows)) == len(rows)


def test_generations_count_operations_and_values():
    values = VALUES.copy()
    values[3] = np.nan
    info = _get_generations_info(MEMBERS, values, SPACE, size=20)
    assert info.last.tolist() == [20, 40, len(MEMBERS)]
    assert info.operations == SPACE.edge_ops[1:]
    assert np.allclose(info.shares.sum(1), 1)
    known = values[:20][np.isfinite(values[:20])]
    assert info.values[0].tolist() == [*np.quantile(known, [0, 0.25, 0.5, 0.75, 1])]
    assert info.edges[0] == np.mean([a.num_edges for a in MEMBERS[:20]])


def test_a_generation_of_failures_alone_is_empty():
    info = _get_generations_info(MEMBERS[:6], [np.nan] * 3 + [1.0, 2.0, 3.0], SPACE, size=3)
    assert np.isnan(info.values[0]).all()
    assert info.values[1, 2] == 2.0


@pytest.mark.parametrize("space", [GEMNet(num_nodes=7), ENASMacro6()])
def test_spaces_with_operations_on_nodes_are_drawn(space, tmp_path):
    rng = np.random.default_rng(0)
    members = [space.sample(rng) for _ in range(30)]
    values = [float(a.num_edges) for a in members]
    for plot in (plot_motifs, plot_generations):
        path = tmp_path / "plot.png"
        plot(members, values, space).savefig(path)
        assert path.stat().st_size > 2000
    assert "output" not in _get_generations_info(members, values, space).operations


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: plot_motifs(MEMBERS, VALUES[:3], SPACE), "architectures need as many values"),
        (lambda: plot_motifs(MEMBERS, VALUES, SPACE, count=0), "count must be at least 1"),
        (lambda: plot_motifs(MEMBERS[:4], VALUES[:4], SPACE, least=3), "no motif is in at least 3 of 4"),
        (lambda: plot_motifs([], [], SPACE), "no motif is in at least 3 of 0"),
        (lambda: plot_generations(MEMBERS, VALUES, SPACE, size=0), "size must be at least 1"),
        (lambda: plot_generations([], [], SPACE), "need as many values and at least one"),
    ],
)
def test_bad_arguments_of_motifs_and_generations(call, message):
    with pytest.raises(InvalidArgument, match=message):
        call()
