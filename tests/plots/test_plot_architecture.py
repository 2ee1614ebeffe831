"""plot_architecture: what the data half says, and that the drawing half draws it."""

from __future__ import annotations

import sys

import matplotlib as mpl
import numpy as np
import pytest

from graphnas.errors import InvalidArchitecture, MissingExtra
from graphnas.graph import Architecture
from graphnas.plots import plot_architecture
from graphnas.plots.architecture import _get_architecture_info
from search_spaces import GEMNet, NASBench201

CELL = "|nor_conv_3x3~0|+|none~0|skip_connect~1|+|avg_pool_3x3~0|none~1|nor_conv_1x1~2|"


def texts_of(figure):
    return [text.get_text() for text in figure.axes[0].texts]


def pixels_of(figure):
    figure.canvas.draw()
    return np.asarray(figure.canvas.buffer_rgba())[..., :3]


def gemnet(edges, operations):
    adjacency = np.zeros((len(operations),) * 2, int)
    for source, target in edges:
        adjacency[source, target] = 1
    return Architecture(adjacency, operations), GEMNet(len(operations))


def test_operations_on_nodes_are_named():
    architecture, space = gemnet([(0, 1), (1, 2), (0, 2)], [0, 1, 2])
    info = _get_architecture_info(architecture, space)
    assert info.title == "gemnet: 3 nodes, 3 edges"
    assert info.named
    assert info.built == (True, True, True)
    assert texts_of(plot_architecture(architecture, space)) == ["0  input", "1  conv1x1", "2  sepconv3x3"]


def test_operations_on_edges_are_named():
    space = NASBench201()
    figure = plot_architecture(space.from_string(CELL), space)
    texts = texts_of(figure)
    assert sorted(texts[:4]) == ["avg_pool_3x3", "nor_conv_1x1", "nor_conv_3x3", "skip_connect"]
    assert texts[4:] == ["0", "1", "2", "3"]


def test_dropped_nodes_are_faint_where_the_space_drops_them():
    architecture, space = gemnet([(0, 1), (2, 3)], [0, 1, 2, 1])
    assert _get_architecture_info(architecture, space).built == (True, True, False, False)
    (legend,) = plot_architecture(architecture, space).legends
    assert [text.get_text() for text in legend.get_texts()] == ["dropped: no input"]
    bench = NASBench201()
    cell = bench.from_string("|none~0|+|none~0|none~1|+|nor_conv_1x1~0|none~1|none~2|")
    assert all(_get_architecture_info(cell, bench).built)


@pytest.mark.parametrize("nodes", [2, 8, 12, 13, 30])
def test_every_size_is_drawn_within_the_figure(nodes):
    space = GEMNet(nodes)
    figure = plot_architecture(space.sample(np.random.default_rng(nodes)), space)
    pixels = pixels_of(figure)
    assert (pixels[[0, -1]] == 255).all(), "something is cut off at the top or the bottom"
    assert (pixels[:, [0, -1]] == 255).all(), "something is cut off at a side"
    assert (pixels != 255).any()
    assert len(texts_of(figure)) == nodes


def test_operations_have_colours_of_their_own():
    one = plot_architecture(*gemnet([(0, 1)], [0, 1]))
    two = plot_architecture(*gemnet([(0, 1)], [0, 2]))
    blue, orange = (0x00, 0x72, 0xB2), (0xE6, 0x9F, 0x00)
    assert (pixels_of(one) == blue).all(-1).any()
    assert not (pixels_of(one) == orange).all(-1).any()
    assert (pixels_of(two) == orange).all(-1).any()


def test_drawing_is_repeatable(tmp_path):
    space = GEMNet(8)
    architecture = space.sample(np.random.default_rng(3))
    images = [pixels_of(plot_architecture(architecture, space)) for _ in range(2)]
    np.testing.assert_array_equal(*images)
    plot_architecture(architecture, space).savefig(tmp_path / "cell.svg")
    assert (tmp_path / "cell.svg").read_text().startswith("<?xml")


def test_pyplot_and_its_settings_are_not_touched():
    before, loaded = dict(mpl.rcParams), "matplotlib.pyplot" in sys.modules
    plot_architecture(*gemnet([(0, 1)], [0, 1]))
    assert dict(mpl.rcParams) == before
    assert ("matplotlib.pyplot" in sys.modules) == loaded


def test_an_architecture_of_another_space_is_refused():
    with pytest.raises(InvalidArchitecture, match="gemnet: edge label 3"):
        plot_architecture(NASBench201().at(3), GEMNet(5))


def test_without_matplotlib_the_error_says_how_to_get_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(MissingExtra, match=r"graphnas\[plots\]"):
        plot_architecture(*gemnet([(0, 1)], [0, 1]))
