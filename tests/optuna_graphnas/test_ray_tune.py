"""Our samplers in Ray Tune's OptunaSearch, on a local Ray cluster."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import pytest

from graphnas.errors import DataNotFound
from graphnas.evaluate import TabularEvaluator
from search_spaces import NASBench201

EXAMPLE = Path(__file__).parents[2] / "examples" / "ray_tune.py"


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # Ray's own
def test_two_trials_at_a_time_none_twice(tmp_path, monkeypatch):
    ray = pytest.importorskip("ray", reason='Ray is not installed: pip install "graphnas[ray]"')
    pytest.importorskip("ray.tune")
    try:
        table = TabularEvaluator(NASBench201())
    except DataNotFound as error:
        pytest.skip(str(error))
    monkeypatch.setenv("RAY_AUTH_MODE", "disabled")
    spec = importlib.util.spec_from_file_location("ray_tune_example", EXAMPLE)
    example = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(example)
    monkeypatch.setitem(sys.modules, example.__name__, example)
    ray.cloudpickle.register_pickle_by_value(example)  # as what a script defines is pickled
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
    try:
        results = example.main(12, 2, tmp_path)
    finally:
        ray.shutdown()
        ray.cloudpickle.unregister_pickle_by_value(example)
    assert not results.errors
    found = [example.SPACE.from_parameters(result.config) for result in results]
    assert len({example.SPACE.key(architecture) for architecture in found}) == 12
    assert [result.metrics["accuracy"] for result in results] == [
        pytest.approx(table.evaluate(architecture).value) for architecture in found
    ]
