"""Search methods by name."""

from __future__ import annotations

import pytest

from graphnas.errors import InvalidArgument
from graphnas.methods.registry import METHODS, configuration_of, make_method
from search_spaces import GEMNet


@pytest.mark.parametrize("name", METHODS)
def test_every_method_is_made_by_its_name(name):
    method = make_method(name, GEMNet(5), seed=3)
    assert type(method).__name__ == name
    assert method.seed == 3


def test_options_are_fields_of_the_configuration():
    method = make_method("GraphBO", GEMNet(5), seed=0, preset="default", n_startup_trials=3, candidates=50)
    assert (method.config.n_startup_trials, method.config.candidates) == (3, 50)
    config = configuration_of("NASGEM").preset("paper")
    assert make_method("NASGEM", GEMNet(5), seed=0, config=config).config == config


def test_options_of_a_method_without_configuration_are_its_arguments():
    assert configuration_of("RegularizedEvolution") is None
    assert make_method("RegularizedEvolution", GEMNet(5), seed=0, population_size=7).population_size == 7


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("GraphB0", {}, "unknown search method 'GraphB0'; did you mean 'GraphBO'"),
        ("GraphBO", {"candidats": 5}, "GraphBOConfig has no 'candidats'; did you mean 'candidates'"),
        ("GraphBO", {"preset": "published"}, r"preset must be one of \('default',\), got 'published'"),
        ("GraphBO", {"config": object()}, "config must be a GraphBOConfig, got object"),
        ("LocalSearch", {"preset": "paper"}, "LocalSearch has no configuration"),
        ("LocalSearch", {"depth": 5}, "LocalSearch: .*'depth'"),
    ],
)
def test_what_does_not_fit_is_refused(name, options, message):
    with pytest.raises(InvalidArgument, match=message):
        make_method(name, GEMNet(5), seed=0, **options)
