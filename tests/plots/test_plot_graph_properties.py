"""plot_graph_properties: the coordinates, the order of drawing, failures, and the drawing."""

from __future__ import annotations

import numpy as np
import pytest

from graphnas.errors import InvalidArgument
from graphnas.graph import ArchitectureBatch
from graphnas.graph.properties import average_path_length, clustering_coefficient, density
from graphnas.plots import plot_graph_properties
from graphnas.plots.graph_properties import NAMES, _get_graph_properties_info
from search_spaces import ENASMacro6, NASBench101

NAN = float("nan")


def some(count, space=None, seed=0):
    return (space or ENASMacro6()).sample_batch(np.random.default_rng(seed), count).to_architectures()


def test_points_are_the_properties_with_the_best_last():
    architectures, values = some(6), [3.0, 1.0, NAN, 5.0, 2.0, 4.0]
    info = _get_graph_properties_info({"a": (architectures, values)})
    order = [2, 1, 4, 0, 5, 3]
    batch = ArchitectureBatch.from_architectures([architectures[k] for k in order])
    (group,) = info.groups
    np.testing.assert_array_equal(group.values, [NAN, 1, 2, 3, 4, 5])
    np.testing.assert_array_equal(group.x, average_path_length(batch))
    np.testing.assert_array_equal(group.y, clustering_coefficient(batch))
    assert (info.x_name, info.y_name) == ("average path length", "clustering coefficient")


def test_other_properties_and_sizes():
    cells = some(20, NASBench101())
    info = _get_graph_properties_info({"a": (cells, np.arange(20))}, x="density", y="longest_path")
    np.testing.assert_array_equal(info.groups[0].x, density(ArchitectureBatch.from_architectures(cells)))
    assert info.y_name == "longest path"


def test_every_property_has_a_name():
    from graphnas.graph.properties import GraphProperties

    assert set(NAMES) == set(GraphProperties._fields)


def test_the_drawing():
    groups = {"random": (some(30), np.linspace(80, 90, 30)), "found": (some(10, seed=1), [NAN] + [94.0] * 9)}
    figure = plot_graph_properties(groups, value_name="accuracy")
    left, right, bar = figure.axes
    assert [axes.get_title() for axes in (left, right)] == ["random (30)", "found (10)"]
    assert left.get_xlabel() == "average path length"
    assert left.get_ylabel() == "clustering coefficient"
    assert bar.get_ylabel() == "accuracy"
    assert left.get_xlim() == right.get_xlim()
    crosses, points = right.collections
    assert (len(crosses.get_offsets()), len(points.get_offsets())) == (1, 9)
    assert points.get_clim() == left.collections[1].get_clim() == (80.0, 94.0)
    figure.canvas.draw()
    assert (np.asarray(figure.canvas.buffer_rgba())[..., :3] != 255).any()


def test_only_failures_still_give_a_figure():
    plot_graph_properties({"a": (some(3), [NAN] * 3)}).canvas.draw()


@pytest.mark.parametrize(
    ("groups", "options", "message"),
    [
        ({}, {}, "at least one"),
        ({"b": ([], [])}, {}, "group 'b'"),
        ({"b": (some(2), [1.0])}, {}, r"group 'b'.*2 and values of shape \(1,\)"),
        ({"b": (some(1), [1.0])}, {"x": "colour"}, "x must be one of .*'colour'"),
        ({"b": (some(1), [1.0])}, {"y": "size"}, "y must be one of .*'size'"),
    ],
)
def test_what_cannot_be_drawn_is_refused(groups, options, message):
    with pytest.raises(InvalidArgument, match=message):
        plot_graph_properties(groups, **options)
