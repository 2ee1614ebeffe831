"""Spaces are found by name, and nothing loads torch before it is needed."""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pytest

from graphnas.errors import InvalidArgument
from search_spaces import GEMNet, NASBench201, get_space, space_names


@pytest.mark.parametrize("name", ["nasbench201", "NASBench201", "nas-bench-201", "NAS_Bench 201"])
def test_spelling_does_not_matter(name):
    assert isinstance(get_space(name), NASBench201)


def test_arguments_are_passed_on():
    space = get_space("gemnet", num_nodes=7, operations=["conv3x3"])
    assert isinstance(space, GEMNet)
    assert space.max_nodes == 7
    assert space.node_ops == ("input", "conv3x3")


def test_every_name_works():
    assert set(space_names()) >= {"gemnet", "nasbench201"}
    for name in space_names():
        assert get_space(name).name == name


@pytest.mark.parametrize(
    "space",
    [
        NASBench201(),
        NASBench201(identity="graph"),
        GEMNet(6, operations=["conv3x3"], edge_probability=(0.2, 0.3)),
    ],
)
def test_a_space_is_found_again_by_its_name_and_arguments(space):
    again = get_space(space.name, **json.loads(json.dumps(space.arguments())))
    assert again.arguments() == space.arguments()
    assert again.parameters() == space.parameters()
    assert again.sample(np.random.default_rng(0)) == space.sample(np.random.default_rng(0))


def test_unknown_names_and_arguments():
    with pytest.raises(InvalidArgument, match=r"'darts'.*gemnet.*nasbench201"):
        get_space("darts")
    with pytest.raises(InvalidArgument, match="colour"):
        get_space("gemnet", colour="red")


def test_torch_is_not_loaded_to_find_a_space_or_to_sample_one():
    script = (
        "import sys, numpy as np, search_spaces, graphnas.evaluate, search_spaces.tables\n"
        "for name in search_spaces.space_names():\n"
        "    space = search_spaces.get_space(name)\n"
        "    space.key(space.sample(np.random.default_rng(0)))\n"
        "assert 'torch' not in sys.modules, 'torch was imported'\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True)
