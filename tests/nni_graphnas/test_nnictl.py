"""Real experiments of nnictl on the local training service: its manager, dispatcher and trial processes."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from manager import HERE, ROOT, Manager, experiment, wait_until_gone
from small_space import SmallSpace, fingerprint

import nni_graphnas
from graphnas.cli.main import main
from graphnas.graph.architecture import Architecture
from nni_graphnas.tuner import TUNERS

pytestmark = pytest.mark.e2e
SPACE = SmallSpace()


def config(home: Path, tuner: dict, *, trials: int, mode: str = "plain", concurrency: int = 2) -> dict:
    (home / "trials").mkdir(parents=True, exist_ok=True)
    return {
        "searchSpace": nni_graphnas.search_space(SPACE),
        "trialCommand": f"{sys.executable} {HERE / 'trial_process.py'} {home / 'trials'} {mode}",
        "trialCodeDirectory": str(home / "trials"),
        "trialConcurrency": concurrency,
        "maxTrialNumber": trials,
        "tuner": tuner,
        "trainingService": {"platform": "local"},
    }


def by_class(name: str = "GraphBOTuner", **arguments) -> dict:
    return {
        "className": f"nni_graphnas.tuner.{name}",
        "codeDirectory": str(HERE),
        "classArgs": {"space": "small_space:SmallSpace", "seed": 0, **arguments},
    }


def records(manager: Manager) -> list[dict]:
    """What the trials themselves wrote down."""
    return [json.loads(path.read_text()) for path in sorted((manager.home / "trials").glob("*.json"))]


def assert_right_and_new(manager: Manager) -> list[nni_graphnas.Result]:
    results = nni_graphnas.results(manager.directory)
    for result in results:
        assert result.value in (None, fingerprint(result.architecture))
    assert len({SPACE.key(result.architecture) for result in results}) == len(results)
    return results


def end(manager: Manager) -> None:
    manager.stop()
    assert wait_until_gone(manager) == []


def test_forty_trials_two_at_a_time_one_in_five_going_wrong(tmp_path):
    with experiment(tmp_path) as manager:
        manager.create(config(tmp_path, by_class(), trials=40, mode="wrong"))
        manager.wait_for("DONE")
        results = assert_right_and_new(manager)
        lived = [r for r in records(manager) if r["wrong"] is None]
        measured = {result.architecture for result in results if result.value is not None}
        assert measured == {Architecture.from_dict(record["architecture"]) for record in lived}
        assert len(measured) == len(lived) == 32
        assert all(result.trial for result in results if result.value is not None)
        # Both workers are kept busy: nearly every trial but the last ran beside another.
        spans = sorted((record["started"], record["ended"]) for record in records(manager))
        beside = sum(any(a < d and c < b for c, d in spans if (c, d) != (a, b)) for a, b in spans)
        assert beside > len(spans) / 3
        end(manager)
        # Only when all have ended is it certain that those without a value are lost.
        results = assert_right_and_new(manager)
        wrong = [r for r in records(manager) if r["wrong"] in (1, 2, 3)]
        failed = {result.architecture for result in results if result.value is None}
        assert {Architecture.from_dict(record["architecture"]) for record in wrong} <= failed


@pytest.mark.parametrize("tuner", [tuner for tuner in TUNERS if tuner.method_name != "GraphBO"])
def test_every_tuner_runs_under_its_registered_name(tmp_path, monkeypatch, tuner):
    with experiment(tmp_path) as manager:
        monkeypatch.setenv("NNI_CONFIG_DIR", str(tmp_path / "config"))
        main(["nni", "register"])
        # NASGEM's encoder takes minutes to train, which another test does with a small one.
        options = {"config": {"n_startup_trials": 10}} if tuner.method_name == "NASGEM" else {}
        named = {"name": tuner.method_name, "classArgs": by_class(**options)["classArgs"]}
        manager.create(config(tmp_path, named, trials=6))
        manager.wait_for("DONE")
        assert len(assert_right_and_new(manager)) == 6
        end(manager)


def test_an_experiment_that_is_killed_goes_on_where_it_was(tmp_path, monkeypatch):
    with experiment(tmp_path) as manager:
        monkeypatch.setenv("NNI_CONFIG_DIR", str(tmp_path / "config"))
        main(["nni", "register"])
        named = {"name": "GraphBO", "classArgs": by_class()["classArgs"]}
        manager.create(config(tmp_path, named, trials=8, mode="slow"))
        journal = manager.directory / "checkpoint" / "graphnas.jsonl"
        manager.wait(lambda: journal.exists() and len(journal.read_text().splitlines()) >= 4)
        manager.kill()
        before = assert_right_and_new(manager)
        assert 3 <= len(before) < 8
        manager.resume()
        manager.wait_for("DONE")
        after = assert_right_and_new(manager)
        assert after[: len(before)] == before
        assert len(after) >= 8 - 2  # what was running when it was killed may have been lost with it
        assert len({record["architecture"].__str__() for record in records(manager)}) >= len(after)
        end(manager)
        # Nothing finished ran again, but for what NNI itself had not yet noted as ended when it was killed.
        ran = [fingerprint(Architecture.from_dict(record["architecture"])) for record in records(manager)]
        again = [ran.count(fingerprint(result.architecture)) - 1 for result in before]
        assert sum(again) <= 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [({"preset": "fast"}, "preset must be one of"), ({"space": "nasbench201"}, "nasbench201/op_0_1")],
    ids=["arguments", "search space"],
)
def test_an_error_in_the_configuration_ends_the_experiment_and_says_why(tmp_path, arguments, message):
    with experiment(tmp_path) as manager:
        written = config(tmp_path, by_class(**arguments), trials=4)
        written["searchSpace"]["nasbench201/op_0_1"] = {"_type": "choice", "_value": ["none"]}
        manager.create(written)
        manager.wait(lambda: manager.status() == "ERROR")
        assert message in " ".join(manager.get("api/v1/nni/check-status")["errors"]) + manager.logs()


def test_the_example_runs_to_the_end(tmp_path):
    """``nnictl create --config examples/nnictl/config.yml``, with fewer trials."""
    with experiment(tmp_path) as manager:
        folder = tmp_path / "nnictl"
        folder.mkdir()
        for file in (ROOT / "examples" / "nnictl").iterdir():
            if file.is_file():
                (folder / file.name).write_text(file.read_text())
        written = (folder / "config.yml").read_text()
        assert "maxTrialNumber: 20" in written
        (folder / "config.yml").write_text(written.replace("maxTrialNumber: 20", "maxTrialNumber: 2"))
        manager.create_from(folder / "config.yml")
        manager.wait_for("DONE")
        trials = manager.trials()
        assert [trial["status"] for trial in trials] == ["SUCCEEDED"] * 2
        assert "<html" in manager.get("index.html").lower()
        for trial in trials:
            metrics = manager.get(f"api/v1/nni/metric-data/{trial['trialJobId']}")
            kinds = [metric["type"] for metric in metrics]
            assert kinds.count("PERIODICAL") == 5
            assert kinds.count("FINAL") == 1
        results = nni_graphnas.results(manager.directory)
        assert len(results) == 2
        assert all(50 < result.value < 100 for result in results)
        assert all(0.01 <= result.parameters["learning_rate"] <= 0.3 for result in results)
        end(manager)
