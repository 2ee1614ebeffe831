"""The model "graphnas" of timm, as its users, detectors and training scripts use it."""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pytest
import torch
from trained_models import SPACES

import graphnas.timm  # noqa: F401  registers the model
from graphnas.errors import CorruptData, DataNotFound, InvalidArchitecture, InvalidArgument
from graphnas.training import save_model
from graphnas.training.described import describe
from search_spaces import GEMNet, NASBench201
from search_spaces.complexity import unused_parameters


def create(**arguments):
    import timm

    return timm.create_model("graphnas", **arguments)


@pytest.fixture
def saved(small, tmp_path):
    return save_model(tmp_path / "best", small)


def test_features_of_every_space(trained):
    count = len(trained.module.strides)
    images = torch.randn(2, 3, 64, 96)
    for wanted in ((0, count - 1), (count - 2,), (-1,)):
        model = create(
            architecture=trained.architecture,
            space=trained.space,
            features_only=True,
            out_indices=wanted,
            **{name: value for name, value in trained.shape.items() if name != "in_channels"},
        ).eval()
        numbers = [index % count for index in wanted]
        assert model.feature_info.channels() == [trained.module.out_channels[i] for i in numbers]
        assert model.feature_info.reduction() == [trained.module.strides[i] for i in numbers]
        assert model.feature_info.module_name() == [trained.module.map_modules[i] for i in numbers]
        with torch.no_grad():
            maps = model(images)
        assert [tuple(m.shape[1:]) for m in maps] == [
            (channels, -(-64 // stride), -(-96 // stride))
            for channels, stride in zip(
                model.feature_info.channels(), model.feature_info.reduction(), strict=True
            )
        ]
        # The weights are those of the whole network, and what no map needs is gone: nothing is without a
        # gradient but the dead edges of a cell.
        left = dict(model.named_parameters())
        assert not any("classifier" in name for name in left)
        dead = {f"model.{name}" for name in unused_parameters(trained.module, (3, 64, 96))}
        sum(m.sum() for m in model(images)).backward()
        assert {name for name, parameter in left.items() if parameter.grad is None} == dead & left.keys()


def test_features_are_those_of_the_trained_network(small, saved):
    images = torch.randn(2, 1, 16, 24)
    for index in (0, 1):
        model = create(architecture=saved, pretrained=True, features_only=True, out_indices=(index,)).eval()
        with torch.no_grad():
            torch.testing.assert_close(model(images)[0], small.module.features(images)[index])
    everything = create(architecture=saved, pretrained=True, features_only=True)
    assert everything.feature_info.reduction() == list(small.module.strides)


def test_a_saved_model_says_how_images_are_normalised(small, saved):
    import timm

    for path in (saved, saved.parent, saved / "model.json", str(saved)):
        model = create(architecture=path, pretrained=True).eval()
        images = torch.randn(2, 1, 8, 8)
        with torch.no_grad():
            assert torch.equal(model(images), small.module(images))
    config = timm.data.resolve_model_data_config(model)
    assert config["input_size"] == (1, 8, 8)
    assert tuple(config["mean"]) == small.normalisation.mean
    assert tuple(config["std"]) == small.normalisation.std
    assert model.num_features == 4
    assert model.num_classes == 3
    assert model.default_cfg["label_names"] == small.class_names
    assert model.pretrained_cfg is model.default_cfg


def test_fine_tuning_for_other_classes_and_channels(small, saved):
    images = torch.randn(2, 3, 8, 8)
    model = create(architecture=saved, pretrained_path=saved / "model.pt", num_classes=7, in_chans=3).eval()
    assert model(images).shape == (2, 7)
    ours, theirs = small.module.state_dict(), model.state_dict()
    kept = [name for name in ours if ours[name].shape == theirs[name].shape]
    assert all(torch.equal(ours[name], theirs[name]) for name in kept)
    changed = set(ours) - set(kept)
    assert changed == {"stem.0.0.weight", "classifier.weight", "classifier.bias"}
    torch.testing.assert_close(theirs["stem.0.0.weight"], ours["stem.0.0.weight"].repeat(1, 3, 1, 1) / 3)
    headless = create(architecture=saved, pretrained_path=saved, num_classes=0).eval()
    with torch.no_grad():
        grey = images[:, :1]
        expected = small.module.forward_head(small.module.forward_features(grey), pre_logits=True)
        assert torch.equal(headless(grey), expected)
    headless.reset_classifier(2)
    assert headless.get_classifier().out_features == 2


def test_named_networks():
    model = create(architecture="gemnet-a", features_only=True, out_indices=(1, 2, 3))
    assert model.feature_info.channels() == [44, 108, 228]
    assert model.feature_info.reduction() == [8, 16, 32]
    classifier = create(architecture="gemnet-b")
    assert classifier.num_classes == 1000
    assert classifier.default_cfg["input_size"] == (3, 224, 224)


def test_an_architecture_in_any_form_gives_the_same_network(tmp_path):
    space = NASBench201()
    text = "|nor_conv_3x3~0|+|nor_conv_1x1~0|none~1|+|skip_connect~0|none~1|avg_pool_3x3~2|"
    cell = space.from_string(text)
    (tmp_path / "cell.json").write_text(cell.to_json())
    shape = {"channels": 2, "cells_per_stage": 1, "num_classes": 5}
    forms = (cell, text, tmp_path / "cell.json", json.loads(cell.to_json()))
    names = {
        tuple(create(architecture=form, space=home, **shape).state_dict())
        for form in forms
        for home in (space, "nasbench201")
    }
    assert len(names) == 1
    described = describe(cell, space)
    assert (described.architecture, described.weights) == (cell, None)


def test_the_same_seed_gives_the_weights_of_the_space():
    space = GEMNet(6)
    architecture = space.sample(np.random.default_rng(0))
    states = []
    for build in (
        lambda: create(architecture=architecture, space=space, num_classes=4, width=3),
        lambda: space.build(architecture, 4, width=3),
    ):
        with torch.random.fork_rng():
            torch.manual_seed(5)
            states.append(build().state_dict())
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[1])


def test_dropout_before_the_classifier():
    for name in ("gemnet", "enas"):
        make, shape = SPACES[name]
        space = make()
        architecture = space.sample(np.random.default_rng(0))
        model = create(architecture=architecture, space=space, drop_rate=0.5, num_classes=4, **shape)
        rates = [module.p for module in model.modules() if isinstance(module, torch.nn.Dropout)]
        assert rates == [0.5]
        assert model.train()(torch.randn(2, 3, 32, 32)).shape == (2, 4)


def test_what_is_wrong_is_named(saved, small, tmp_path):
    cell = small.architecture
    for arguments, error, match in (
        ({"architecture": cell}, InvalidArgument, "give space="),
        ({"architecture": cell, "space": "gemnett"}, InvalidArgument, "unknown search space 'gemnett'"),
        ({"architecture": cell, "space": NASBench201()}, InvalidArchitecture, "nasbench201"),
        ({"architecture": cell, "space": GEMNet(5), "pretrained": True}, InvalidArgument, "no weights"),
        ({"architecture": "gemnet-c"}, DataNotFound, "gemnet-a, gemnet-b"),
        ({"architecture": saved, "pretrained_path": tmp_path / "no"}, DataNotFound, "no file of weights"),
        ({"architecture": saved, "space": NASBench201()}, InvalidArgument, "not 'nasbench201'"),
        ({"architecture": saved, "depth": 3}, InvalidArgument, "depth"),
        ({"architecture": saved, "drop_rate": 1.5}, InvalidArgument, "1.5"),
        ({"architecture": saved, "global_pool": "max"}, InvalidArgument, "max"),
        ({"architecture": saved, "features_only": True, "out_indices": (5,)}, InvalidArgument, "5"),
    ):
        with pytest.raises(error, match=match):
            create(**arguments)
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataNotFound, match=r"model\.json"):
        create(architecture=tmp_path / "empty")
    (tmp_path / "empty" / "model.json").write_text("{")
    with pytest.raises(CorruptData, match="not JSON"):
        create(architecture=tmp_path / "empty")
    (tmp_path / "empty" / "model.json").write_text("[]")
    with pytest.raises(CorruptData, match="does not describe a model"):
        create(architecture=tmp_path / "empty")
    content = json.loads((saved / "model.json").read_text())
    del content["shape"]
    (tmp_path / "empty" / "model.json").write_text(json.dumps(content))
    with pytest.raises(CorruptData, match="'shape'"):
        create(architecture=tmp_path / "empty")


def test_a_head_without_features_is_refused():
    make, shape = SPACES["transnasbench101"]
    space = make()
    with pytest.raises(InvalidArgument, match="no Backbone"):
        create(architecture=space.sample(np.random.default_rng(0)), space=space, head="segmentation", **shape)


def test_unused_parameters_of_features(models):
    trained = models["nasbench201"]
    model = create(
        architecture=trained.architecture, space=trained.space, channels=4, cells_per_stage=1, num_classes=3
    )
    assert unused_parameters(model, (3, 32, 32)) == unused_parameters(trained.module, (3, 32, 32)) != []


def test_without_timm_the_extra_is_named():
    program = """
import importlib.util
real = importlib.util.find_spec
importlib.util.find_spec = lambda name, *rest: None if name == "timm" else real(name, *rest)
from graphnas.errors import MissingExtra
try:
    import graphnas.timm
except MissingExtra as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == 'timm is not installed; run: pip install "graphnas[timm]"'
