"""Trained models on disk."""

from __future__ import annotations

import dataclasses
import json
import shutil

import numpy as np
import pytest
import torch

from graphnas import Architecture
from graphnas.errors import CorruptData, DataNotFound, InvalidArchitecture, InvalidArgument
from graphnas.evaluate import OracleEvaluator
from graphnas.training import load_model, save_model
from search_spaces import GEMNet, get_space, space_names

SPACE = GEMNet(5, operations=("sepconv3x3", "conv1x1"))
ARCHITECTURE = SPACE.sample(np.random.default_rng(2))


@pytest.fixture(scope="module")
def oracle():
    return OracleEvaluator(
        SPACE, shape={"width": 4, "stages": 2}, epochs=1, train_fraction=0.2, progress=False
    )


@pytest.fixture(scope="module")
def trained(oracle):
    return oracle.train(ARCHITECTURE, full=False)


@pytest.fixture
def saved(tmp_path, trained):
    return save_model(tmp_path / "best" / "model", trained)


def test_a_loaded_model_gives_identical_outputs(saved, trained, oracle):
    loaded = load_model(saved)
    images = oracle.data.test.images
    assert torch.equal(loaded.predict(images), trained.predict(images))
    assert loaded.architecture == ARCHITECTURE
    assert loaded.evaluation == trained.evaluation
    assert loaded.normalisation == trained.normalisation
    assert (loaded.dataset, loaded.num_classes, loaded.class_names) == ("digits", 10, tuple("0123456789"))
    assert loaded.shape == {"width": 4, "stages": 2, "in_channels": 1}
    assert not loaded.module.training
    assert sorted(path.name for path in saved.iterdir()) == ["model.json", "model.pt"]


def test_a_loaded_model_can_be_saved_again(saved, tmp_path):
    again = save_model(tmp_path / "again", load_model(saved))
    assert (again / "model.json").read_text() == (saved / "model.json").read_text()


def test_the_description_is_plain_json(saved):
    content = json.loads((saved / "model.json").read_text())
    assert (content["format"], content["version"]) == ("graphnas.model", 2)
    assert content["space"]["name"] == "gemnet"
    rebuilt = get_space("gemnet", **content["space"]["arguments"])
    assert rebuilt.node_ops == SPACE.node_ops
    assert Architecture.from_dict(content["architecture"]) == ARCHITECTURE
    assert content["evaluation"]["metrics"]["test_accuracy"] >= 0


@pytest.mark.parametrize("name", space_names())
def test_every_space_is_found_again_by_its_arguments(name):
    space = get_space(name)
    again = get_space(space.name, **json.loads(json.dumps(space.arguments())))
    assert again.parameters() == space.parameters()


def test_a_users_own_space_must_be_given(tmp_path, tiny_space, chain):
    space = tiny_space()
    oracle = OracleEvaluator(space, epochs=1, train_fraction=0.1, progress=False)
    trained = oracle.train(chain, full=False)
    save_model(tmp_path, trained)
    with pytest.raises(InvalidArgument, match=r"'tiny', which is not one of graphnas.*space="):
        load_model(tmp_path)
    loaded = load_model(tmp_path, space=tiny_space())
    images = oracle.data.test.images
    assert torch.equal(loaded.predict(images), trained.predict(images))
    with pytest.raises(InvalidArgument, match="from the space 'tiny', not 'gemnet'"):
        load_model(tmp_path, space=SPACE)


def test_an_architecture_of_another_space_is_refused(tmp_path, trained):
    with pytest.raises(InvalidArchitecture):
        save_model(tmp_path, dataclasses.replace(trained, space=GEMNet(7)))
    assert not list(tmp_path.iterdir())


def _edit(saved, change):
    path = saved / "model.json"
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda c: c.update(format="other"),
            "format 'other' and version 2; this release reads 'graphnas.model'",
        ),
        (lambda c: c.update(version=99), "version 99"),
        (lambda c: c.pop("num_classes"), "incomplete: KeyError.*num_classes"),
        (lambda c: c["normalisation"].pop("std"), "incomplete: KeyError.*std"),
        (lambda c: c["shape"].update(colour="red"), "incomplete"),
        (lambda c: c.update(num_classes=7), r"model\.pt does not hold the weights of this model"),
    ],
)
def test_a_damaged_description_is_named(saved, change, message):
    _edit(saved, change)
    with pytest.raises(CorruptData, match=message):
        load_model(saved)


def test_damaged_or_missing_files_are_named(saved, tmp_path):
    with pytest.raises(DataNotFound, match=r"no model\.json in"):
        load_model(tmp_path / "nothing")
    copy = shutil.copytree(saved, tmp_path / "copy")
    (copy / "model.pt").write_bytes((copy / "model.pt").read_bytes()[:500])
    with pytest.raises(CorruptData, match=r"model\.pt"):
        load_model(copy)
    (copy / "model.pt").write_bytes(b"")
    with pytest.raises(CorruptData, match=r"model\.pt"):
        load_model(copy)
    (copy / "model.pt").unlink()
    with pytest.raises(DataNotFound, match=r"no model\.pt in"):
        load_model(copy)
    (copy / "model.json").write_text("{")
    (copy / "model.pt").write_bytes(b"")
    with pytest.raises(CorruptData, match="not JSON"):
        load_model(copy)


def test_weights_that_name_code_are_refused(saved):
    torch.save({"weight": np.random.default_rng}, saved / "model.pt")
    with pytest.raises(CorruptData, match="does not hold the weights"):
        load_model(saved)
