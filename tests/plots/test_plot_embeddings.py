"""Plots of embeddings against scores: similarity and surface, data halves and drawings."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import spearmanr

from graphnas.errors import InvalidArgument
from graphnas.plots import plot_score_surface, plot_similarity
from graphnas.plots.score_surface import _get_score_surface_info
from graphnas.plots.similarity import _get_similarity_info, _pairs


def drawn(figure) -> np.ndarray:
    figure.canvas.draw()
    return np.asarray(figure.canvas.buffer_rgba())[..., :3]


# ---------------------------------------------------------------- similarity


def test_every_pair_once_or_as_many_as_asked():
    known = np.array([2, 3, 5, 8, 9])
    wanted = {(int(a), int(b)) for k, a in enumerate(known) for b in known[k + 1 :]}
    first, second = _pairs(known, 10, 0)
    assert set(zip(first.tolist(), second.tolist(), strict=True)) == wanted
    members = np.arange(300)
    for seed in range(3):
        first, second = _pairs(members, 44_000, seed)  # nearly all 44,850
        assert (first < second).all()
        assert first.min() == 0
        assert second.max() == 299
        assert len(set(zip(first.tolist(), second.tolist(), strict=True))) == 44_000


def test_quartiles_by_hand():
    rng = np.random.default_rng(0)
    table, scores = rng.standard_normal((12, 3)), rng.random(12)
    info = _get_similarity_info({"a": table}, scores, bins=3)
    cosines, distances = [], []
    for i in range(12):
        for j in range(i + 1, 12):
            cosines.append(table[i] @ table[j] / np.linalg.norm(table[i]) / np.linalg.norm(table[j]))
            distances.append(abs(scores[i] - scores[j]))
    np.testing.assert_allclose(np.sort(info.cosines[0]), np.sort(cosines), atol=1e-12)
    order = np.argsort(cosines)
    for k, group in enumerate(np.array_split(order, 3)):
        assert info.centres[0][k] == pytest.approx(np.array(cosines)[group].mean())
        expected = np.quantile(np.array(distances)[group], [0.25, 0.5, 0.75])
        np.testing.assert_allclose(info.quartiles[0][:, k], expected)
    assert info.correlations[0] == pytest.approx(spearmanr(cosines, distances)[0])


def test_an_embedding_that_knows_the_score_correlates_and_noise_does_not():
    rng = np.random.default_rng(0)
    scores = rng.random(200)
    angle = np.pi * scores
    panels = {
        "score": np.stack([np.cos(angle), np.sin(angle)], 1),
        "noise": rng.standard_normal((200, 5)),
    }
    info = _get_similarity_info(panels, scores, max_pairs=5000)
    assert info.correlations[0] == pytest.approx(-1)
    assert abs(info.correlations[1]) < 0.1
    assert len(info.distances) == 5000


def test_architectures_without_score_are_left_out_of_the_pairs():
    table = np.eye(4)
    info = _get_similarity_info(table, [1.0, np.nan, 3.0, 7.0])
    assert sorted(info.distances) == [2, 4, 6]
    assert np.isnan(info.correlations[0])  # all cosines are 0
    drawn(plot_similarity(table, [1.0, np.nan, 3.0, 7.0]))


def test_the_drawing_of_similarity():
    rng = np.random.default_rng(0)
    panels = {"with": rng.standard_normal((50, 4)), "without": rng.standard_normal((50, 4))}
    figure = plot_similarity(panels, rng.random(50), score_name="accuracy")
    titles = [axes.get_title().split("\n")[0] for axes in figure.axes]
    assert titles == ["with", "without"]
    assert figure.axes[0].get_ylabel() == "difference of accuracy"
    assert (drawn(figure) != 255).any()


@pytest.mark.parametrize(
    ("embeddings", "scores", "options", "message"),
    [
        ({}, [1, 2, 3], {}, "got none"),
        (np.ones((3, 2)), [1, 2], {}, r"\(3, 2\) and \(2,\)"),
        (np.ones((3, 2)), [1, 2, np.nan], {}, "2 are scores"),
        (np.zeros((3, 2)), [1, 2, 3], {}, "no cosine"),
        (np.full((3, 2), np.inf), [1, 2, 3], {}, "no cosine"),
        (np.ones((3, 2)), [1, 2, 3], {"bins": 0}, "bins must be at least 1"),
        (np.ones((3, 2)), [1, 2, 3], {"max_pairs": 2}, "max_pairs must be at least 3"),
    ],
)
def test_what_has_no_similarity(embeddings, scores, options, message):
    with pytest.raises(InvalidArgument, match=message):
        plot_similarity(embeddings, scores, **options)


# ---------------------------------------------------------------- surface


def test_surface_by_hand():
    rng = np.random.default_rng(0)
    points, scores = rng.standard_normal((40, 2)), rng.random(40)
    info = _get_score_surface_info(points, scores, size=7, axis_names=("x", "y"))
    assert info.axes == ("x", "y")
    width = points.std(0) * 40 ** (-1 / 6)
    filled = 0
    for row in range(7):
        for column in range(7):
            place = np.array([info.grid[0, column], info.grid[1, row]])
            weights = np.exp(-0.5 * (((points - place) / width) ** 2).sum(1))
            found = info.surfaces[0][row, column]
            if weights.sum() < 1:
                assert np.isnan(found)
            else:
                filled += 1
                assert found == pytest.approx((weights * scores).sum() / weights.sum())
    assert 0 < filled < 49
    np.testing.assert_array_equal(info.best[0], points[np.argmax(scores)])


def test_surface_follows_a_score_that_is_a_direction():
    rng = np.random.default_rng(0)
    plane = rng.standard_normal((400, 2)) * [5.0, 1.0]
    basis = np.linalg.qr(rng.standard_normal((6, 6)))[0][:2]
    scores = plane[:, 0]
    info = _get_score_surface_info(plane @ basis, {"true": scores, "none": np.full(400, 2.0)}, size=20)
    filled = ~np.isnan(info.surfaces[0])
    along = np.broadcast_to(info.grid[0], (20, 20))[filled]
    assert abs(np.corrcoef(info.surfaces[0][filled], along)[0, 1]) > 0.98
    flat = info.surfaces[1]
    np.testing.assert_allclose(flat[~np.isnan(flat)], 2.0)


def test_the_drawing_of_surfaces():
    rng = np.random.default_rng(0)
    table = rng.standard_normal((60, 5))
    scores = {"predicted": rng.random(60), "trained": np.where(np.arange(60) == 3, np.nan, rng.random(60))}
    figure = plot_score_surface(table, scores, score_name="accuracy (%)")
    titles = [axes.get_title() for axes in figure.axes if axes.get_title()]
    assert titles == ["predicted", "trained"]
    assert figure.axes[-1].get_ylabel() == "accuracy (%)"
    assert (drawn(figure) != 255).any()
    drawn(plot_score_surface(table, np.ones(60)))  # a flat surface


@pytest.mark.parametrize(
    ("embeddings", "scores", "options", "message"),
    [
        (np.ones((3, 2)), {}, {}, "got none"),
        (np.ones((3, 1)), [1, 2, 3], {}, "at least 2"),
        (np.ones((3, 2)), [1, 2], {}, r"\(3, 2\) and \(2,\)"),
        (np.ones((3, 2)), [1, 2, np.nan], {}, "got 2"),
        (np.full((3, 2), np.nan), [1, 2, 3], {}, "finite"),
        (np.ones((3, 2)), [1, 2, 3], {"size": 1}, "size must be at least 2"),
        (np.ones((3, 4)), [1, 2, 3], {"axis_names": ("a", "b")}, "2 columns, got 4"),
    ],
)
def test_what_has_no_surface(embeddings, scores, options, message):
    with pytest.raises(InvalidArgument, match=message):
        plot_score_surface(embeddings, scores, **options)
