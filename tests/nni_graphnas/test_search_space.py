"""Spaces in NNI's search space format, and back."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import nni_graphnas
from graphnas.errors import InvalidArchitecture
from search_spaces import GEMNet, NASBench201

SPACES = [NASBench201(), GEMNet(5)]


@pytest.mark.parametrize("space", SPACES, ids=repr)
def test_every_parameter_is_a_choice_that_json_keeps(space):
    written = json.loads(json.dumps(nni_graphnas.search_space(space)))
    assert list(written) == list(space.parameters())
    for name, choices in space.parameters().items():
        assert written[name] == {"_type": "choice", "_value": list(choices)}


@pytest.mark.parametrize("space", SPACES, ids=repr)
def test_an_architecture_survives_the_way_through_json(space):
    rng = np.random.default_rng(0)
    for _ in range(20):
        wanted = space.sample(rng)
        sent = json.loads(json.dumps(space.to_parameters(wanted)))
        assert nni_graphnas.architecture(sent, space) == wanted


def test_any_choice_in_every_place_is_an_architecture_of_a_space_without_a_rule():
    space, rng = NASBench201(), np.random.default_rng(1)
    written = nni_graphnas.search_space(space)
    for _ in range(20):
        # As NNI's random tuner does: each parameter on its own.
        chosen = {
            name: entry["_value"][rng.integers(len(entry["_value"]))] for name, entry in written.items()
        }
        space.validate(nni_graphnas.architecture(chosen, space))


def test_a_combination_that_the_rule_refuses_is_an_error():
    space = GEMNet(4)
    nothing = {name: entry["_value"][0] for name, entry in nni_graphnas.search_space(space).items()}
    with pytest.raises(InvalidArchitecture, match="feeds no node"):
        nni_graphnas.architecture(nothing, space)


def test_a_missing_parameter_is_named():
    space = NASBench201()
    parameters = space.to_parameters(space.at(7))
    del parameters["nasbench201/op_1_2"]
    with pytest.raises(InvalidArchitecture, match="nasbench201/op_1_2"):
        nni_graphnas.architecture(parameters, space)


def test_a_trial_started_by_hand_says_that_it_runs_outside_nni():
    environment = {name: value for name, value in os.environ.items() if not name.startswith("NNI_")}
    trial = Path(__file__).parents[2] / "examples" / "nnictl" / "trial.py"
    ended = subprocess.run(
        [sys.executable, str(trial)],
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert ended.returncode == 1
    said = ended.stderr.strip().splitlines()[-1]
    assert "this trial runs outside NNI" in said
    assert "nnictl create --config" in said
