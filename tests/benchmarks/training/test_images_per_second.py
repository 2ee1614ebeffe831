"""The benchmark of training speed runs, and says what its record says."""

from __future__ import annotations

from importlib.util import find_spec

import pytest
from benchmark_run import run

from benchmarks.training.images_per_second import RUNS, SPACES, section
from graphnas.errors import DataNotFound
from graphnas.training import load_dataset


def test_it_measures_every_loop_on_every_network(tmp_path):
    if find_spec("timm") is None:  # an import would need the repair of torchvision first
        pytest.skip("timm is not installed")
    try:
        load_dataset("cifar10")
    except DataNotFound as error:
        pytest.skip(str(error))
    printed, record = run(
        "training.images_per_second", "--images", "256", "--turns", "1", output=tmp_path / "speed.json"
    )
    assert set(record["speeds"]) == set(SPACES)
    for speeds in record["speeds"].values():
        assert set(speeds) == set(RUNS)
        assert all(len(turns) == 1 and turns[0] > 0 for turns in speeds.values())
    assert all(way in printed for way in RUNS)


def test_it_names_what_is_faster():
    speeds = {way: [100.0, 110.0] for way in RUNS} | {"ours": [120.0, 130.0]}
    record = {"images": 10, "turns": 2, "speeds": {"small": speeds}}
    assert "Ours is at least as fast as each of them." in section(record).notes
    record["speeds"]["small"] = speeds | {"timm": [140.0, 150.0]}
    assert "Ours is slower than timm on small." in section(record).notes
