"""plot_architectures and plot_samples: what is in the cells, and that all of it is drawn."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from graphnas.errors import InvalidArchitecture, InvalidArgument
from graphnas.methods.graphpnas.config import GraphPNASConfig
from graphnas.methods.graphpnas.distribution import LearnedDistribution
from graphnas.methods.graphpnas.factory import make_generator
from graphnas.plots import plot_architectures, plot_samples
from graphnas.plots.architecture_grid import _get_grid_info, _get_samples_info
from search_spaces import ENASMacro, GEMNet, NASBench101, NASBench201, RandWire


def some(space, count, seed=0):
    rng = np.random.default_rng(seed)
    return [space.sample(rng) for _ in range(count)]


def pixels_of(figure):
    figure.canvas.draw()
    return np.asarray(figure.canvas.buffer_rgba())[..., :3]


def learned(space):
    config = GraphPNASConfig(hidden_size=16, steps=2, mixtures=2)
    return LearnedDistribution(make_generator(space, config, torch.Generator().manual_seed(0)), config)


def test_cells_are_the_architectures_in_order():
    space = ENASMacro(3)
    architectures = some(space, 5)
    info = _get_grid_info(architectures, space, captions=list("abcde"), columns=2)
    assert [cell.node_ops for cell in info.cells] == [tuple(a.operations.tolist()) for a in architectures]
    assert [len(cell.edges) for cell in info.cells] == [a.num_edges for a in architectures]
    assert info.captions == tuple("abcde")
    assert (info.columns, info.title) == (2, "enas: 5 architectures")
    assert _get_grid_info(architectures[:2], space).columns == 2


def test_the_legend_names_the_operations_that_occur():
    space = ENASMacro(2)
    info = _get_grid_info([space.from_string("[[1], [4, 0]]"), space.from_string("[[5], [1, 0]]")], space)
    names = [name for name, _ in info.operations]
    assert names == ["input", "output", "sepconv3x3", "avgpool3x3", "maxpool3x3"]
    (legend,) = plot_architectures([space.from_string("[[1], [4, 0]]")], space).legends
    assert [text.get_text() for text in legend.get_texts()] == ["input", "output", "sepconv3x3", "avgpool3x3"]
    bench = NASBench201()
    cell = bench.from_string("|nor_conv_3x3~0|+|none~0|skip_connect~1|+|none~0|none~1|nor_conv_1x1~2|")
    edges = _get_grid_info([cell], bench).operations
    assert [name for name, _ in edges] == ["skip_connect", "nor_conv_1x1", "nor_conv_3x3"]
    assert plot_architectures(some(RandWire(), 2), RandWire()).legends == []


@pytest.mark.parametrize(
    "space", [ENASMacro(), NASBench101(), NASBench201(), GEMNet(9), GEMNet(2), RandWire()], ids=repr
)
@pytest.mark.parametrize("count", [1, 5])
def test_every_space_is_drawn_within_the_figure(space, count):
    figure = plot_architectures(some(space, count), space, captions=["caption"] * count, columns=3)
    pixels = pixels_of(figure)
    assert len(figure.axes) == count
    assert (pixels[[0, -1]] == 255).all(), "something is cut off at the top or the bottom"
    assert (pixels[:, [0, -1]] == 255).all(), "something is cut off at a side"
    for axes in figure.axes:
        x0, y0, x1, y1 = (int(v) for v in axes.get_window_extent().extents)
        part = pixels[len(pixels) - y1 : len(pixels) - y0, x0:x1]
        assert (part != 255).any(), "an empty cell"
        # Nothing reaches the border of its cell, so nothing was cut off there.
        assert (part[:, :1] == 255).all()
        assert (part[:, -1:] == 255).all()
        assert (part[:1] == 255).all()
        assert (part[-1:] == 255).all()


def test_cells_have_one_scale_and_do_not_overlap():
    space = GEMNet(7)
    figure = plot_architectures(some(space, 7), space, columns=3)
    boxes = [axes.get_position() for axes in figure.axes]
    assert len({(round(box.width, 9), round(box.height, 9)) for box in boxes}) == 1
    assert len({axes.get_xlim() for axes in figure.axes}) == 1
    for k, one in enumerate(boxes):
        for other in boxes[k + 1 :]:
            assert not one.overlaps(other)


def test_samples_carry_their_probability():
    distribution = learned(ENASMacro(4))
    info = _get_samples_info(distribution, 5, seed=3, columns=2)
    samples = distribution.sample(5, seed=3)
    assert [cell.node_ops for cell in info.cells] == [tuple(a.operations.tolist()) for a in samples]
    assert info.captions == tuple(f"log p = {score:.1f}" for score in distribution.log_prob(samples))
    figure = plot_samples(distribution, 5, seed=3, columns=2)
    assert info.captions[4] in [text.get_text() for text in figure.texts]
    assert (pixels_of(figure) != 255).any()


def test_samples_of_nasbench101_have_no_ignored_nodes():
    info = _get_samples_info(learned(NASBench101()), 6, seed=0, columns=3)
    assert all(all(cell.built) for cell in info.cells)


def test_bad_arguments():
    space = GEMNet(3)
    for call, message in (
        (lambda: plot_architectures([], space), "at least one"),
        (lambda: plot_architectures(some(space, 2), space, columns=0), "columns.*0"),
        (
            lambda: plot_architectures(some(space, 2), space, captions=["a"]),
            "2 architectures, but 1 captions",
        ),
        (lambda: plot_samples(learned(space), 0), "n must"),
    ):
        with pytest.raises(InvalidArgument, match=message):
            call()
    with pytest.raises(InvalidArchitecture):
        plot_architectures(some(ENASMacro(5), 1), space)
