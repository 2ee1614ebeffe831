"""HyperParameters: encoding and decoding are inverse, draws are uniform, bad ranges are refused."""

from __future__ import annotations

import math

import numpy as np
import pytest

from graphnas.errors import InvalidArgument
from graphnas.hyperparameters import Category, HyperParameters, Number

BLOCK = HyperParameters(
    [
        Number("rate", 1e-4, 1.0, log=True),
        Number("momentum", 0.0, 0.9, step=0.3),
        Number("layers", 1, 4, integer=True),
        Number("units", 8, 512, log=True, integer=True),
        Category("optimizer", ("sgd", "adam", None)),
        Category("flag", (True, 1)),
    ]
)


def test_settings_come_back_from_their_rows():
    rng = np.random.default_rng(0)
    rows = BLOCK.rounded(BLOCK.sample(rng, 200))
    settings = [BLOCK.decode(row) for row in rows]
    np.testing.assert_allclose(BLOCK.encode(settings), rows, atol=1e-12)
    for values in settings:
        assert 1e-4 <= values["rate"] <= 1
        assert min(abs(values["momentum"] - m) for m in (0.0, 0.3, 0.6, 0.9)) < 1e-9
        assert type(values["layers"]) is type(values["units"]) is int
        assert values["layers"] in (1, 2, 3, 4)
        assert values["optimizer"] in ("sgd", "adam", None)
        assert type(values["flag"]) in (bool, int)
    assert {type(values["flag"]) for values in settings} == {bool, int}  # True is not 1


def test_spaced_values_are_drawn_equally_often_and_ratios_on_the_logarithmic_scale():
    rows = BLOCK.sample(np.random.default_rng(1), 4000)
    settings = [BLOCK.decode(row) for row in rows]
    for name in ("layers", "momentum"):
        _, counts = np.unique(np.round([s[name] for s in settings], 6), return_counts=True)
        assert len(counts) == 4
        assert counts.min() > 900
    decades = np.floor([math.log10(s["rate"]) for s in settings])
    assert np.unique(decades, return_counts=True)[1].min() > 900


def test_steps_stay_in_the_range_and_grow_with_the_scale():
    rng = np.random.default_rng(2)
    rows = BLOCK.sample(rng, 500)
    for scale in (0.01, 0.3, 5.0):
        moved = BLOCK.moved(rows, rng, scale)
        assert moved.min() >= 0
        assert moved.max() <= 1
        assert (moved[:, :2].sum(1) == 1).all()  # still one choice of each category
        assert (moved[:, 4:7].sum(1) == 1).all()
    small, large = (np.abs(BLOCK.moved(rows, rng, s) - rows)[:, 7].mean() for s in (0.01, 0.2))
    assert small < 0.02 < large


def test_a_missing_value_is_the_middle():
    first, second = BLOCK.encode([{"rate": None, "layers": "many"}, {"optimizer": None}])
    assert first.tolist() == [0, 0, 0.5, 0.5, 0, 0, 0, 0.5, 0.5]
    assert second.tolist() == [0, 0, 0.5, 0.5, 0, 0, 1, 0.5, 0.5]
    assert BLOCK.encode([]).shape == (0, BLOCK.width)


def test_equal_blocks_are_equal_whatever_the_order():
    a, b = Number("a", 0, 1), Category("b", (1, 2))
    assert HyperParameters([a, b]) == HyperParameters([b, a])
    assert hash(HyperParameters([a, b])) == hash(HyperParameters([b, a]))
    assert HyperParameters([a]) != HyperParameters([a, b])


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Number("x", 1, 1), "x: the range 1..1 is empty"),
        (lambda: Number("x", 0, math.inf), "not finite"),
        (lambda: Number("x", 0, 1, log=True), "starts above 0, got 0"),
        (lambda: Category("x", (1,)), "at least two choices"),
        (lambda: HyperParameters([]), "different names"),
        (lambda: HyperParameters([Number("x", 0, 1), Category("x", (1, 2))]), "different names, got"),
    ],
)
def test_what_makes_no_sense_is_refused(make, message):
    with pytest.raises(InvalidArgument, match=message):
        make()
