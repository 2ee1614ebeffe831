"""Real NasExperiments on the local training service: run, killed, resumed; and the example."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from manager import HERE, PATIENCE, ROOT, Manager, environment, experiment, wait_until_gone
from small_space import SmallSpace, fingerprint

import nni_graphnas
from graphnas.graph.architecture import Architecture
from nni_graphnas.strategy import MethodStrategy

pytestmark = pytest.mark.e2e
SPACE = SmallSpace()
STRATEGIES = [strategy.__name__ for strategy in MethodStrategy.__subclasses__()]


def start(
    manager: Manager, *arguments: object, script: Path = HERE / "nas_process.py"
) -> subprocess.Popen[str]:
    command = [sys.executable, "-W", "ignore", str(script), *map(str, arguments)]
    with (manager.home / "output.txt").open("a") as output:
        return subprocess.Popen(
            command,
            env=environment(manager.home),
            cwd=manager.home,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            text=True,
        )


def printed(manager: Manager, word: str) -> str:
    """The last line of the output that begins with ``word``."""
    lines = (manager.home / "output.txt").read_text().splitlines()
    return next((line.removeprefix(word).strip() for line in reversed(lines) if line.startswith(word)), "")


def finish(manager: Manager, process: subprocess.Popen[str]) -> dict:
    try:
        code = process.wait(timeout=PATIENCE)
    except subprocess.TimeoutExpired:
        code = None
    assert code == 0, (manager.home / "output.txt").read_text()[-6000:] + manager.logs()
    assert wait_until_gone(manager) == []
    found: dict = json.loads(printed(manager, "found "))
    return found


def evaluated(manager: Manager) -> list[Architecture]:
    """What the trials themselves wrote down."""
    files = (manager.home / "trials").glob("*.json")
    return [Architecture.from_dict(json.loads(path.read_text())["architecture"]) for path in files]


def assert_right(found: dict, manager: Manager) -> None:
    values = {}
    for entry in found["results"]:
        architecture = Architecture.from_dict(entry["architecture"])
        expected = None if architecture.operations[1] == 2 else fingerprint(architecture)
        assert entry["value"] in (None, expected)
        values[architecture] = entry["value"]
    assert len({SPACE.key(architecture) for architecture in values}) == len(found["results"])
    known = sorted((value for value in values.values() if value is not None), reverse=True)
    top = [nni_graphnas.architecture(sample, SPACE) for sample in found["top"]]
    assert [fingerprint(architecture) for architecture in top] == known[: len(top)]
    assert found["inputs"] == top[0].num_edges
    measured = {a for a in evaluated(manager) if a.operations[1] != 2}
    assert {a for a, value in values.items() if value is not None} <= measured


@pytest.mark.parametrize("name", [name for name in STRATEGIES if name != "GraphBO"])
def test_every_strategy_runs(tmp_path, name):
    with experiment(tmp_path) as manager:
        (tmp_path / "trials").mkdir()
        found = finish(manager, start(manager, name, tmp_path / "trials", 4, manager.port))
        assert_right(found, manager)
        assert len(found["results"]) >= 3


def test_an_experiment_that_is_killed_goes_on_where_it_was(tmp_path):
    with experiment(tmp_path) as manager:
        (tmp_path / "trials").mkdir()
        process = start(manager, "GraphBO", tmp_path / "trials", 6, manager.port)
        manager.wait(lambda: bool(printed(manager, "id ")) or process.poll() is not None)
        manager.id = printed(manager, "id ")
        journal = manager.directory / "checkpoint" / "graphnas.jsonl"
        manager.wait(
            lambda: (
                process.poll() is not None
                or (journal.exists() and len(journal.read_text().splitlines()) >= 3)
            )
        )
        assert process.poll() is None, (tmp_path / "output.txt").read_text()[-6000:] + manager.logs()
        manager.kill()
        process.wait(30)
        before = nni_graphnas.results(manager.directory)
        assert len(before) >= 2
        ran_before = evaluated(manager)

        found = finish(manager, start(manager, "GraphBO", tmp_path / "trials", 6, manager.port, manager.id))
        assert_right(found, manager)
        after = nni_graphnas.results(manager.directory)
        assert after[: len(before)] == before
        assert len(after) > len(before)
        finished = {SPACE.key(result.architecture) for result in before}
        rerun = evaluated(manager)
        for architecture in ran_before:
            rerun.remove(architecture)
        # Nothing finished ran again, but for what NNI itself had not yet noted as ended when it was killed.
        assert len(finished & {SPACE.key(architecture) for architecture in rerun}) <= 2


def test_the_example_trains_exports_and_retrains(tmp_path):
    with experiment(tmp_path) as manager:
        arguments = ("--trials", 2, "--port", manager.port, "--epochs", 2)
        process = start(manager, *arguments, script=ROOT / "examples" / "nas_experiment.py")
        assert process.wait(timeout=PATIENCE) == 0, (tmp_path / "output.txt").read_text()[-6000:]
        assert wait_until_gone(manager) == []
        output = (tmp_path / "output.txt").read_text()
        assert "best validation accuracy" in output
        accuracy = float(output.rpartition("all training images ")[2].split()[0])
        assert 80 < accuracy < 100
