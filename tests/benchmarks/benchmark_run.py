"""Running a benchmark's script as a person does, and looking at what it leaves."""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from graphnas import GraphSpace
from graphnas.errors import DataNotFound
from search_spaces.tables import open_table

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


def needs_table(space: GraphSpace) -> None:
    """Skip without the space's table of results."""
    try:
        open_table(space)
    except DataNotFound as error:
        pytest.skip(str(error))


def run(script: str, *arguments: str, output: Path) -> tuple[str, dict[str, Any]]:
    """What ``script`` prints and records, of which it can make a section of the report."""
    done = subprocess.run(
        [sys.executable, str(BENCHMARKS / script), *arguments, "--output", str(output)],
        capture_output=True,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    assert done.returncode == 0, done.stderr
    record = json.loads(output.read_text())
    assert record["command"].startswith(f"python benchmarks/{script}")
    assert record["versions"]["graphnas"]
    assert record["machine"]["cores"] >= 1
    check_section(script, record, output.parent)
    return done.stdout, record


def check_section(script: str, record: dict[str, Any], folder: Path) -> None:
    """Its tables are rectangular, and the plots that it names are drawn."""
    module = importlib.import_module(Path(script).stem)
    section = module.section(record)
    assert section.title
    assert section.protocol
    assert section.tables
    for table in section.tables:
        assert table.rows
        assert all(len(row) == len(table.columns) for row in table.rows)
    if hasattr(module, "draw"):
        assert set(module.draw(record, folder)) == set(section.plots)
    for name in section.plots:
        assert (folder / name).stat().st_size > 1000
