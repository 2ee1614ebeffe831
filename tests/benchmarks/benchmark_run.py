"""Runs a benchmark's script as a person does, and checks what it leaves."""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]


def run(script: str, *arguments: str, output: Path) -> tuple[str, dict[str, Any]]:
    """What ``script`` prints and records; the record must make a section of the report."""
    module = f"benchmarks.{script}"
    done = subprocess.run(
        [sys.executable, "-m", module, *arguments, "--output", str(output)],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    assert done.returncode == 0, done.stderr
    record = json.loads(output.read_text())
    assert record["command"].startswith(f"python -m {module}")
    assert record["versions"]["graphnas"]
    assert record["machine"]["cores"] >= 1
    check_section(module, record, output.parent)
    return done.stdout, record


def check_section(module: str, record: dict[str, Any], folder: Path) -> None:
    """Its tables are rectangular, and the plots that it names are drawn."""
    script = importlib.import_module(module)
    section = script.section(record)
    assert section.title
    assert section.protocol
    assert section.tables
    for table in section.tables:
        assert table.rows
        assert all(len(row) == len(table.columns) for row in table.rows)
    if hasattr(script, "draw"):
        assert set(script.draw(record, folder)) == set(section.plots)
    for name in section.plots:
        assert (folder / name).stat().st_size > 1000
