"""Plots of latent spaces, predictions, training and the best architectures: data halves and drawings."""

from __future__ import annotations

import numpy as np
import pytest

from graphnas.errors import InvalidArgument
from graphnas.plots import (
    plot_latent_space,
    plot_prediction,
    plot_top_architectures,
    plot_training_curves,
)
from graphnas.plots.latent_space import _get_latent_space_info
from graphnas.plots.prediction import _get_prediction_info
from graphnas.plots.top_architectures import _get_top_architectures_info
from graphnas.plots.training_curves import _get_training_curves_info
from search_spaces import NASBench101, NASBench201


def drawn(figure) -> np.ndarray:
    figure.canvas.draw()
    return np.asarray(figure.canvas.buffer_rgba())[..., :3]


# ---------------------------------------------------------------- latent space


def test_pca_finds_the_plane_that_the_points_are_in():
    rng = np.random.default_rng(0)
    plane = rng.standard_normal((50, 2)) * [3.0, 1.0]
    basis = np.linalg.qr(rng.standard_normal((6, 6)))[0][:2]
    info = _get_latent_space_info(plane @ basis + 5.0, np.arange(50.0))
    wanted = plane - plane.mean(0)
    (points,) = info.points
    distances = np.linalg.norm(points[:, None] - points[None], axis=2)
    np.testing.assert_allclose(distances, np.linalg.norm(wanted[:, None] - wanted[None], axis=2), atol=1e-9)
    share = np.linalg.eigvalsh(np.cov(wanted.T))[1] / np.cov(wanted.T).trace()
    assert points[:, 0].std() > points[:, 1].std()
    assert info.axes[0][0].startswith(f"component 1 ({share:.0%})")
    assert info.order[-1] == 49
    assert info.limits == (pytest.approx(0.98), 49.0)


def test_points_are_thinned_the_same_in_all_panels():
    rng = np.random.default_rng(0)
    tables = {"epoch 1": rng.standard_normal((40, 3)), "epoch 9": rng.standard_normal((40, 3))}
    info = _get_latent_space_info(tables, np.arange(40.0), max_points=12)
    assert info.names == ("epoch 1", "epoch 9")
    assert [len(points) for points in info.points] == [12, 12]
    assert len(np.unique(info.values)) == 12
    again = _get_latent_space_info(tables, np.arange(40.0), max_points=12)
    np.testing.assert_array_equal(again.values, info.values)


def test_tsne_keeps_clusters_together():
    rng = np.random.default_rng(0)
    clusters = np.concatenate([rng.standard_normal((20, 5)) * 0.1, rng.standard_normal((20, 5)) * 0.1 + 9])
    info = _get_latent_space_info(clusters, np.zeros(40), projection="tsne")
    points = info.points[0]
    centres = points[:20].mean(0), points[20:].mean(0)
    nearer = np.linalg.norm(points - centres[0], axis=1) < np.linalg.norm(points - centres[1], axis=1)
    assert nearer.tolist() == [True] * 20 + [False] * 20


def test_the_drawing_of_a_latent_space():
    rng = np.random.default_rng(0)
    panels = {f"epoch {k}": rng.standard_normal((30, 4)) for k in range(5)}
    figure = plot_latent_space(panels, rng.random(30), value_name="validation accuracy (%)")
    titles = [axes.get_title() for axes in figure.axes if axes.get_title()]
    assert titles == list(panels)
    assert figure.axes[-1].get_ylabel() == "validation accuracy (%)"
    assert (drawn(figure) != 255).any()
    drawn(plot_latent_space(rng.standard_normal((10, 1)), np.ones(10)))  # one dimension, one colour


@pytest.mark.parametrize(
    ("latents", "values", "options", "message"),
    [
        ({}, [], {}, "none"),
        (np.zeros((4, 2)), np.zeros(3), {}, r"\(4, 2\) and \(3,\)"),
        ({"a": np.zeros(4)}, np.zeros(4), {}, "'a'"),
        (np.zeros((2, 2)), np.zeros(2), {}, "at least 3"),
        (np.zeros((4, 2)), np.zeros(4), {"projection": "umap"}, "'umap'"),
        (np.zeros((4, 2)), np.zeros(4), {"max_points": 1}, "max_points"),
    ],
)
def test_latents_that_cannot_be_drawn(latents, values, options, message):
    with pytest.raises(InvalidArgument, match=message):
        plot_latent_space(latents, values, **options)


# ---------------------------------------------------------------- predictions


def test_errors_of_predictions():
    true = np.array([1.0, 2.0, 3.0])
    info = _get_prediction_info({"exact": true, "off": true + 2, "constant": np.full(3, 2.0)}, true)
    assert info.rmse == (0.0, 2.0, pytest.approx(np.sqrt(2 / 3)))
    assert info.pearson[:2] == (pytest.approx(1.0), pytest.approx(1.0))
    assert np.isnan(info.pearson[2])
    assert info.limits == (pytest.approx(1 - 0.16), pytest.approx(5.16))


def test_the_drawing_of_predictions():
    true = np.linspace(0, 1, 20)
    figure = plot_prediction({"a": true**2, "b": true}, true, value_name="accuracy (%)")
    first, second = figure.axes
    assert first.get_xlabel() == "true accuracy (%)"
    assert first.get_ylabel() == "predicted accuracy (%)"
    assert second.get_title() == "b\nRMSE 0, r 1.000"
    np.testing.assert_array_equal(second.collections[0].get_offsets(), np.stack([true, true], 1))
    assert (drawn(figure) != 255).any()


@pytest.mark.parametrize(("predicted", "message"), [({}, "none"), ([1.0], r"\(1,\)"), ({"a": []}, "'a'")])
def test_predictions_that_cannot_be_drawn(predicted, message):
    with pytest.raises(InvalidArgument, match=message):
        plot_prediction(predicted, [1.0, 2.0])


# ---------------------------------------------------------------- training


HISTORY = [{"epoch": k, "loss": 1.0, "reconstruction": 5.0 / k, "kl": 30.0 + k} for k in (1, 2, 3)]


def test_curves_count_epochs_through():
    info = _get_training_curves_info({"a": HISTORY, "b": HISTORY[:1] + HISTORY[:2]})
    assert info.names == ("a", "b")
    np.testing.assert_allclose(info.curves["reconstruction"][0], [5, 2.5, 5 / 3])
    np.testing.assert_allclose(info.curves["kl"][1], [31, 31, 32])


def test_the_drawing_of_curves():
    figure = plot_training_curves({"D-VAE": HISTORY, "GCN": HISTORY[:1]})
    first, second = figure.axes
    assert first.get_ylabel() == "reconstruction (nats per graph)"
    assert second.get_ylabel() == "KL divergence (nats per graph)"
    assert first.get_yscale() == "log"
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["D-VAE", "GCN"]
    np.testing.assert_array_equal(first.lines[0].get_xdata(), [1, 2, 3])
    assert (drawn(figure) != 255).any()
    alone = plot_training_curves([{"reconstruction": 0.0, "kl": 1.0}])
    assert not alone.legends
    assert alone.axes[0].get_yscale() == "linear"
    drawn(alone)


@pytest.mark.parametrize(
    ("histories", "message"), [({}, "none"), ({"a": []}, "'a' is empty"), ([{"kl": 1.0}], "'reconstruction'")]
)
def test_histories_that_cannot_be_drawn(histories, message):
    with pytest.raises(InvalidArgument, match=message):
        plot_training_curves(histories)


# ---------------------------------------------------------------- the best architectures


def test_the_best_come_first_and_isomorphic_ones_once():
    space = NASBench101()
    cell = [[0, 1, 1, 0], [0, 0, 0, 1], [0, 0, 0, 1], [0, 0, 0, 0]]
    first = space.from_matrix(cell, [0, 1, 2, 4])
    same = space.from_matrix(cell, [0, 2, 1, 4])
    other = space.from_matrix(cell, [0, 1, 1, 4])
    third = space.from_matrix(cell, [0, 3, 3, 4])
    info = _get_top_architectures_info(
        [other, first, same, third], [1.0, 2.0, 3.0, float("nan")], space, count=3
    )
    assert info.architectures == (same, other)
    assert info.values == (3.0, 1.0)
    least = _get_top_architectures_info(
        [other, first, same, third], [1.0, 2.0, 3.0, 9.0], space, count=2, minimize=True
    )
    assert least.values == (1.0, 2.0)


def test_the_drawing_of_the_best():
    space = NASBench201()
    rng = np.random.default_rng(0)
    architectures = [space.sample(rng) for _ in range(5)]
    figure = plot_top_architectures(architectures, np.arange(5.0), space, count=3, value_name="accuracy (%)")
    titles = [axes.get_title() for axes in figure.axes if axes.get_title()]
    assert titles == ["1. accuracy (%) 4", "2. accuracy (%) 3", "3. accuracy (%) 2"]
    assert (drawn(figure) != 255).any()


def test_what_has_no_value_cannot_be_drawn():
    space = NASBench201()
    one = [space.sample(np.random.default_rng(0))]
    with pytest.raises(InvalidArgument, match="1 architectures need as many values"):
        plot_top_architectures(one, [1.0, 2.0], space)
    with pytest.raises(InvalidArgument, match="no architecture has a value"):
        plot_top_architectures(one, [float("nan")], space)
    with pytest.raises(InvalidArgument, match="at least 1"):
        plot_top_architectures(one, [1.0], space, count=0)
