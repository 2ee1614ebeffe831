"""The published experiments of GraphPNAS in small: dry runs, continued searches, what the sections say."""

from __future__ import annotations

import subprocess
import sys

import pytest
from benchmark_run import ROOT, check_section, run

from benchmarks.graphpnas import enas_supernet, randwire
from graphnas.data_directory import find_data
from graphnas.errors import DataNotFound
from search_spaces import RandWire


@pytest.fixture(scope="module")
def cifar10() -> None:
    """Skip where the images are not there."""
    try:
        find_data(["cifar10", "cifar-10-batches-py"], what="CIFAR-10", how_to_get="")
    except DataNotFound as error:
        pytest.skip(str(error))


def randwire_record(**accuracies):
    graph = RandWire(3).complete().to_dict()
    runs = [
        {
            "arm": arm,
            "seed": seed,
            "values": [20.0, 30.0 + seed, 25.0, 28.0],
            "parameters": None,
            "architecture": graph,
            "accuracy": accuracy + seed,
            "top5": 80.0,
            "size": 24_000,
            "seconds": 9.0,
        }
        for arm, accuracy in accuracies.items()
        for seed in range(2)
    ]
    settings = {"evaluations": 4, "epochs": 6, "final_epochs": 6, "images": 5000, "test_images": 2000}
    return {**settings, "source": "GraphPNAS, TMLR 11/2023, Table 1", "runs": runs}


def test_the_section_of_randwire_says_which_is_the_best(tmp_path):
    record = randwire_record(**{"WS-TopK": 40.0, "GraphPNAS": 50.0})
    check_section("benchmarks.graphpnas.randwire", record, tmp_path)
    section = randwire.section(record)
    (table,) = section.tables
    assert [row[0] for row in table.rows] == ["WS-TopK", "GraphPNAS"]
    assert table.rows[1][3:6] == ["30.50 ± 0.71", "27.83 ± 0.24", "50.50 ± 0.71"]
    assert "22.39" in table.rows[0]
    assert "62.57" in table.rows[1]
    assert "highest mean test accuracy, as in the paper" in section.notes[0]
    behind = randwire.section(randwire_record(**{"WS-TopK": 50.5, "GraphPNAS": 50.0}))
    assert "that of WS-TopK, 0.50 points above" in behind.notes[0]
    assert "so small a search cannot tell" in behind.notes[0]


def test_the_section_of_enas_tells_learning_from_better_weights(tmp_path):
    runs = [
        {
            "arm": arm,
            "seed": seed,
            "means": [20.0, 22.0, 24.0, 24.0 + gain],
            "bests": [25.0] * 4,
            "losses": [2.0] * 4,
            "found": 30.0,
            "architecture": {},
            "error": 60.0 + seed,
            "size": 20_000,
            "seconds": 10.0,
        }
        for arm, gain in (("random search", 0.0), ("GraphPNAS", 6.0))
        for seed in range(2)
    ]
    record = {"steps": 4, "batches": 3, "final_epochs": 1, "images": 1000, "test_images": 200}
    record |= {"source": "GraphPNAS, TMLR 11/2023, Table 3", "runs": runs}
    check_section("benchmarks.graphpnas.enas_supernet", record, tmp_path)
    section = enas_supernet.section(record)
    assert "+3.33 points for random search, +5.33 points for GraphPNAS" in section.notes[0]


@pytest.mark.slow
@pytest.mark.usefixtures("cifar10")
@pytest.mark.parametrize("script", ["randwire", "enas_supernet"])
def test_a_dry_run_estimates_and_keeps_nothing(script, tmp_path):
    output = tmp_path / "record.json"
    arguments = ["--dry-run", "--seeds", "1", "--images", "500", "--test-images", "100"]
    done = subprocess.run(
        [sys.executable, "-m", f"benchmarks.graphpnas.{script}", *arguments, "--output", str(output)],
        capture_output=True,
        text=True,
        cwd=ROOT,
    )
    assert done.returncode == 0, done.stderr
    assert "Estimate, measured on this machine" in done.stdout
    assert not output.exists()


@pytest.mark.slow
@pytest.mark.usefixtures("cifar10")
def test_the_searches_of_randwire_continue(tmp_path):
    output = tmp_path / "randwire.json"
    small = ["--epochs", "1", "--final-epochs", "1", "--images", "300", "--test-images", "50"]
    small += ["--evaluations", "3", "--seeds", "1"]
    run("graphpnas.randwire", *small, "--arms", "WS-TopK", output=output)
    printed, record = run("graphpnas.randwire", *small, "--arms", "WS-TopK", "WS-BEST", output=output)
    assert "1 arms of" in printed
    top, best = record["runs"] if record["runs"][0]["arm"] == "WS-TopK" else record["runs"][::-1]
    chosen = top["parameters"][top["values"].index(max(top["values"]))]
    assert best["parameters"] == [chosen] * randwire.NEW_DRAWS
