"""ZeroCostFeatures: right, repeatable, cached, kept in a file, and clear about what does not fit."""

from __future__ import annotations

import json
import logging
import math
import subprocess
import sys

import numpy as np
import pytest
import torch
from torch import nn

from graphnas.errors import CorruptData, InvalidArgument
from graphnas.evaluate import ZeroCostFeatures, score_cache
from graphnas.graph import Architecture, ArchitectureBatch
from graphnas.graph.properties import input_output_paths
from search_spaces import GEMNet, NASBench201

SPACE = NASBench201()
ALL = ("parameters", "macs", "synflow", "naswot")
SMALL = {"shape": {"channels": 4, "cells_per_stage": 1}, "image_shape": (3, 8, 8), "batch_size": 4}
CELLS = SPACE.sample_batch(np.random.default_rng(1), 6).to_architectures()
BUILT: list[Architecture] = []


def noted_build(architecture: Architecture) -> nn.Module:
    """Builds a network and notes it; some cannot be built."""
    BUILT.append(architecture)
    if architecture == CELLS[1]:
        raise RuntimeError("no such network")
    return SPACE.build(architecture, 3, channels=4, cells_per_stage=1)


@pytest.fixture
def built():
    BUILT.clear()
    return BUILT


def test_sizes_are_those_of_the_benchmark():
    features = ZeroCostFeatures(SPACE, ["macs", "parameters"])
    assert features.names == ("log macs", "log parameters")
    counted = np.log([SPACE.complexity(cell)[::-1] for cell in CELLS[:3]])
    np.testing.assert_allclose(features(CELLS[:3]), counted, rtol=1e-12)


def test_paths_are_those_of_the_graph_and_need_no_network():
    features = ZeroCostFeatures(SPACE, ["paths"], build=noted_build)
    paths = input_output_paths(ArchitectureBatch.from_architectures(CELLS, SPACE.max_nodes))
    np.testing.assert_array_equal(
        features(CELLS), np.stack([paths.longest, paths.mean, np.log(paths.num_paths)], axis=1)
    )


def test_a_cell_without_a_way_through_scores_lowest():
    cut, through = SPACE.from_string("|none~0|+|none~0|none~1|+|none~0|none~1|none~2|"), CELLS[0]
    scores = ZeroCostFeatures(SPACE, ["synflow", "paths"], **SMALL)([cut, through])
    assert scores[0, 0] == -math.inf < scores[1, 0] < math.inf
    assert np.isnan(scores[0, 1:3]).all()
    assert np.isfinite(scores[1]).all()


def test_the_seed_decides_and_torch_is_left_alone():
    torch.manual_seed(3)
    state, threads, dtype = torch.get_rng_state(), torch.get_num_threads(), torch.get_default_dtype()
    first = ZeroCostFeatures(SPACE, ALL, seed=1, **SMALL)(CELLS)
    assert np.isfinite(first).all()
    assert torch.equal(torch.get_rng_state(), state)
    assert (torch.get_num_threads(), torch.get_default_dtype()) == (threads, dtype)
    torch.manual_seed(4)
    again = ZeroCostFeatures(SPACE, ALL, seed=1, **SMALL)(CELLS[::-1])[::-1]
    np.testing.assert_array_equal(first, again)
    other = ZeroCostFeatures(SPACE, ALL, seed=2, **SMALL)(CELLS)
    np.testing.assert_array_equal(first[:, :2], other[:, :2])
    assert (first[:, 2:] != other[:, 2:]).all()


def test_the_same_in_another_process():
    code = (
        "import json, numpy as np\n"
        "from graphnas.evaluate import ZeroCostFeatures\n"
        "from search_spaces import NASBench201\n"
        "space = NASBench201()\n"
        "cells = space.sample_batch(np.random.default_rng(1), 6).to_architectures()\n"
        f"print(json.dumps(ZeroCostFeatures(space, **{SMALL!r})(cells).tolist()))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    here = ZeroCostFeatures(SPACE, **SMALL)(CELLS)
    np.testing.assert_allclose(json.loads(done.stdout), here, rtol=1e-6)


def test_images_of_the_user():
    images = np.random.default_rng(0).random((5, 3, 8, 8))
    options = {**SMALL, "names": ["naswot"]}
    own = ZeroCostFeatures(SPACE, images=images, **options)(CELLS)
    assert (own != ZeroCostFeatures(SPACE, **options)(CELLS)).all()
    with pytest.raises(InvalidArgument, match=r"images must have shape .*3, 8, 8.*got \(5, 3, 4, 8\)"):
        ZeroCostFeatures(SPACE, images=images[:, :, :4], **options)


def test_what_is_known_is_not_computed_again(built):
    features = ZeroCostFeatures(SPACE, ["synflow"], build=noted_build, image_shape=(3, 8, 8))
    first = features(CELLS[2:])
    built.clear()
    np.testing.assert_array_equal(features(CELLS[2:]), first)
    assert not built


def test_a_network_that_fails_has_no_score_and_is_not_tried_again(built, caplog):
    features = ZeroCostFeatures(SPACE, ["naswot", "synflow"], build=noted_build, image_shape=(3, 8, 8))
    with caplog.at_level(logging.WARNING):
        scores = features(CELLS[:3])
    assert np.isnan(scores[1]).all()
    assert np.isfinite(scores[[0, 2]]).all()
    assert "no such network" in caplog.text
    built.clear()
    features(CELLS[:3])
    assert not built


def test_layers_that_take_their_shape_from_the_images():
    def scored(last):
        def build(architecture):
            return nn.Sequential(nn.Conv2d(3, 2, 3), nn.ReLU(), nn.Flatten(), last())

        return ZeroCostFeatures(SPACE, ALL, build=build, image_shape=(3, 8, 8))(CELLS[:1])

    np.testing.assert_array_equal(scored(lambda: nn.LazyLinear(4)), scored(lambda: nn.Linear(72, 4)))


def test_kept_in_a_file(built, tmp_path):
    options = {"build": noted_build, "image_shape": (3, 8, 8), "file": tmp_path / "scores.json"}
    first, second = (ZeroCostFeatures(SPACE, ["synflow"], **options) for _ in range(2))
    scores = first(CELLS[:3]), second(CELLS[3:])  # neither loses what the other has written
    resumed = ZeroCostFeatures(SPACE, ["synflow"], **options)
    built.clear()
    np.testing.assert_array_equal(resumed(CELLS), np.concatenate(scores))
    assert not built
    assert list(tmp_path.iterdir()) == [tmp_path / "scores.json"]
    # Another score of the same networks is added to those that are there.
    ZeroCostFeatures(SPACE, ["naswot"], **options)(CELLS)
    built.clear()
    assert ZeroCostFeatures(SPACE, ["naswot", "synflow"], **options)(CELLS).shape == (6, 2)
    assert len(built) == 2  # one architecture, for the check at the beginning


def test_the_file_says_what_it_is_of(tmp_path):
    path = tmp_path / "scores.json"
    ZeroCostFeatures(SPACE, ["synflow"], file=path, **SMALL)(CELLS)
    with pytest.raises(InvalidArgument, match=r"other settings \(seed differ\)"):
        ZeroCostFeatures(SPACE, ["synflow"], file=path, seed=1, **SMALL)
    with pytest.raises(InvalidArgument, match="arguments, build, space differ"):
        ZeroCostFeatures(GEMNet(4), ["synflow"], file=path, image_shape=(3, 8, 8), batch_size=4)
    with pytest.raises(InvalidArgument, match="define it at the top of a module"):
        ZeroCostFeatures(SPACE, ["synflow"], file=path, build=lambda a: SPACE.build(a, 3))
    with pytest.raises(InvalidArgument, match=r"folder .* does not exist"):
        ZeroCostFeatures(SPACE, ["synflow"], file=tmp_path / "none" / "scores.json", **SMALL)
    for damaged in ("{", "[]", path.read_text().replace('"edges"', '"sides"')):
        path.write_text(damaged)
        with pytest.raises(CorruptData, match=r"scores\.json"):
            ZeroCostFeatures(SPACE, ["synflow"], file=path, **SMALL)


def test_the_oldest_are_dropped(built, monkeypatch):
    monkeypatch.setattr(score_cache, "KEPT", 4)
    features = ZeroCostFeatures(SPACE, ["synflow"], build=noted_build, image_shape=(3, 8, 8))
    cells = [cell for cell in CELLS if cell != CELLS[1]]
    first = features(cells)
    built.clear()
    np.testing.assert_array_equal(features(cells[1:]), first[1:])
    assert not built
    np.testing.assert_array_equal(features(cells[:1]), first[:1])
    assert built == cells[:1]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"names": ["sinflow"]}, "unknown feature 'sinflow'; did you mean 'synflow'"),
        ({"names": []}, "at least one of parameters, macs, paths"),
        ({"names": "macs"}, "must be a list"),
        ({"image_shape": (3, 8)}, "channels, height, width"),
        ({"batch_size": 1}, "batch_size must be an integer of at least 2, got 1"),
        ({"shape": {"colour": 3}}, "nasbench201 does not take 'colour' in shape"),
        ({"shape": {"channels": 0}}, "networks.*nasbench201.*channels"),
        ({"terminals": "ends"}, "terminals must be one of"),
        ({"seed": -1}, "seed must be a non-negative integer"),
    ],
)
def test_bad_arguments(arguments, message):
    with pytest.raises(InvalidArgument, match=message):
        ZeroCostFeatures(SPACE, **arguments)
