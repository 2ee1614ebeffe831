"""The example configurations, read and checked by NNI's own classes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from nni.experiment.config import ExperimentConfig, RemoteConfig

import nni_graphnas
from nni_graphnas.tuner import GraphBOTuner
from search_spaces import GEMNet

FOLDER = Path(__file__).parents[2] / "examples" / "nnictl"


@pytest.mark.parametrize("name", ["config.yml", "remote.yml"])
def test_nni_accepts_the_configuration_and_the_tuner_its_search_space(name, tmp_path):
    config = ExperimentConfig.load(FOLDER / name)
    if isinstance(config.training_service, RemoteConfig):
        (tmp_path / "key").write_text("")
        assert len(config.training_service.machine_list) == 2
        for machine in config.training_service.machine_list:
            machine.ssh_key_file = tmp_path / "key"
    config.validate()
    canonical = config.canonical_copy()
    assert (Path(canonical.trial_code_directory) / "trial.py").is_file()
    assert canonical.tuner.class_name == "nni_graphnas.tuner.GraphBOTuner"
    tuner = GraphBOTuner(**canonical.tuner.class_args)
    tuner.update_search_space(canonical.search_space)
    parameters = tuner.generate_parameters(0)
    GEMNet(6).validate(nni_graphnas.architecture(parameters, GEMNet(6)))
    assert 0.01 <= parameters["learning_rate"] <= 0.3


def test_the_search_space_is_the_exported_one_and_a_learning_rate():
    written = json.loads((FOLDER / "search_space.json").read_text())
    assert written.pop("learning_rate") == {"_type": "loguniform", "_value": [0.01, 0.3]}
    assert written == json.loads(json.dumps(nni_graphnas.search_space(GEMNet(6))))
