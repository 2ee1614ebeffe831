"""plot_search_curve: best so far, mean and spread, failures, and the drawing."""

from __future__ import annotations

import numpy as np
import pytest

from graphnas.errors import InvalidArgument
from graphnas.plots import plot_search_curve
from graphnas.plots.search_curve import _get_search_curve_info

NAN = float("nan")


def test_one_run_is_its_best_so_far():
    (curve,) = _get_search_curve_info({"a": [1, 3, 2, 5]}).curves
    np.testing.assert_array_equal(curve.evaluations, [1, 2, 3, 4])
    np.testing.assert_array_equal(curve.mean, [1, 3, 3, 5])
    np.testing.assert_array_equal(curve.lower, curve.upper)
    np.testing.assert_array_equal(curve.values, [1, 3, 2, 5])


def test_several_runs_are_mean_and_standard_deviation():
    runs = np.random.default_rng(0).random((7, 11))
    (curve,) = _get_search_curve_info({"a": runs}).curves
    best = np.array([[max(run[: k + 1]) for k in range(11)] for run in runs])
    np.testing.assert_allclose(curve.mean, best.mean(0))
    np.testing.assert_allclose(curve.upper - curve.mean, best.std(0))
    np.testing.assert_allclose(curve.mean - curve.lower, best.std(0))
    assert curve.values is None


def test_smaller_is_better_if_asked():
    (curve,) = _get_search_curve_info({"a": [3, 4, 1]}, minimize=True).curves
    np.testing.assert_array_equal(curve.mean, [3, 3, 1])


def test_failed_evaluations_change_nothing():
    (curve,) = _get_search_curve_info({"a": [[NAN, 2, NAN, 3], [NAN, NAN, 6, NAN]]}).curves
    np.testing.assert_array_equal(curve.mean, [NAN, 2, 4, 4.5])


@pytest.mark.parametrize(("values", "message"), [({}, "none"), ({"a": []}, "'a'"), ({"b": [[[1]]]}, "'b'")])
def test_what_cannot_be_drawn_is_refused(values, message):
    with pytest.raises(InvalidArgument, match=message):
        plot_search_curve(values)


def test_the_drawing_names_methods_axes_and_runs():
    figure = plot_search_curve({"a": [1, 2], "b": [[1, 2], [3, 4]]}, value_name="accuracy (%)")
    (axes,), (legend,) = figure.axes, figure.legends
    assert axes.get_xlabel() == "evaluations"
    assert axes.get_ylabel() == "best accuracy (%) so far"
    assert [text.get_text() for text in legend.get_texts()] == ["a", "b (2 runs)"]
    np.testing.assert_array_equal(axes.lines[0].get_ydata(), [1, 2])
    figure.canvas.draw()
    assert (np.asarray(figure.canvas.buffer_rgba())[..., :3] != 255).any()


def test_only_failures_still_give_a_figure():
    figure = plot_search_curve({"a": [NAN, NAN]})
    figure.canvas.draw()
    assert np.isnan(figure.axes[0].lines[0].get_ydata()).all()
