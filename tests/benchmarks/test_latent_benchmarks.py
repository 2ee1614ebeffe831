"""The benchmark scripts of the graph autoencoders run, and their records hold what they print."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


def run(script: str, *arguments: str, output: Path) -> tuple[str, dict]:
    done = subprocess.run(
        [sys.executable, str(BENCHMARKS / script), *arguments, "--output", str(output)],
        capture_output=True,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    assert done.returncode == 0, done.stderr
    record = json.loads(output.read_text())
    assert record["command"].startswith(f"python benchmarks/{script}")
    return done.stdout, record


def test_speed_benchmark(tmp_path):
    sizes = [
        "--models",
        "DVAE",
        "SVAE",
        "--hidden",
        "8",
        "--batch-sizes",
        "4",
        "--graphs",
        "10",
        "--repeats",
        "2",
    ]
    printed, record = run("latent_speed.py", *sizes, output=tmp_path / "speed.json")
    assert set(record["seconds"]) == {"DVAE", "SVAE"}
    for found in record["seconds"].values():
        assert len(found) == 5
        assert all(len(times) == 2 and min(times) > 0 for times in found.values())
    assert record["times_as_fast"] == {}  # only at the published size
    assert f"{sorted(record['seconds']['SVAE']['generation of 10 graphs'])[0]:8.3f}" in printed
