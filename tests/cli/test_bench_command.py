"""``graphnas bench`` lists, runs and reports, and says what it needs where it cannot."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from graphnas.cli import bench

ROOT = Path(__file__).parents[2]


def test_the_list_names_every_benchmark_and_its_records(command):
    done = command("bench", "--list")
    assert done.code == 0
    lines = done.out.splitlines()
    assert [line.split()[0] for line in lines[1:]] == list(bench.load_catalog(ROOT))
    (kernel,) = (line for line in lines if line.startswith("wl_kernel "))
    assert "1 of 1" in kernel
    assert "Weisfeiler-Lehman" in kernel


def test_an_unknown_benchmark(command):
    done = command("bench", "wl_kernel", "chess")
    assert done.code == 2
    assert "no benchmark 'chess'; there are: wl_kernel, " in done.err


def test_without_a_checkout(command, monkeypatch, tmp_path):
    installed = tmp_path / "site-packages" / "graphnas" / "__init__.py"
    monkeypatch.setattr(bench.graphnas, "__file__", str(installed))
    done = command("bench")
    assert done.code == 2
    assert "clone the repository" in done.err
    assert str(installed.parents[1]) in done.err


SCRIPT = '''"""Made up."""
import json, sys
from pathlib import Path
if __name__ == "__main__":
    *arguments, option, output = sys.argv[1:]
    assert option == "--output"
    Path(output).parent.mkdir(parents=True, exist_ok=True)
    Path(output).write_text(json.dumps({"arguments": arguments, "output": output}))
    sys.exit(arguments == ["fail"])
'''
REPORT = '''"""Records how it is called."""
import sys
with open("called.txt", "a") as file:
    print(*sys.argv[1:], file=file)
'''
CATALOG = """
from types import SimpleNamespace
def one(name, **other):
    full = {name: "", name + "_more": "more"}
    base = {"name": name, "module": "benchmarks.made.up", "quick": {name: "'a b' c"}, "full": full}
    nothing = {"gpu": {}, "tables": (), "needs": ()}
    return SimpleNamespace(**{**base, **nothing, "records": tuple(full), **other})
CATALOG = (one("first"), one("second"), one("broken", quick={"broken": "fail"}))
"""


@pytest.fixture
def root(monkeypatch, tmp_path) -> Path:
    """A checkout with benchmarks that only record their arguments."""
    root = tmp_path / "checkout"
    modules = {"__init__": "", "harness/catalog": CATALOG, "harness/report": REPORT, "made/up": SCRIPT}
    for name, text in modules.items():
        path = root / "benchmarks" / f"{name}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    monkeypatch.setattr(bench, "checkout", lambda: root)
    return root


def read(path: Path) -> dict:
    return json.loads(path.read_text())


def test_quick_versions_leave_the_stored_records_alone(command, root):
    done = command("bench", "second")
    assert done.code == 0
    output = "runs/bench/second.json"
    assert read(root / output) == {"arguments": ["a b", "c"], "output": output}
    assert (root / "called.txt").read_text() == "--results runs/bench\n"
    assert not (root / "benchmarks" / "results").exists()
    assert "== python -m benchmarks.made.up 'a b' c --output runs/bench/second.json" in done.out


def test_full_versions_make_the_stored_records_and_the_report(command, root):
    assert command("bench", "--full", "first").code == 0
    folder = "benchmarks/results"
    assert read(root / folder / "first.json")["arguments"] == []
    assert read(root / folder / "first_more.json")["arguments"] == ["more"]
    assert (root / "called.txt").read_text() == f"--results {folder}\n"


def test_all_run_where_one_fails_and_it_is_named(command, root, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = command("bench", "--output", "elsewhere")
    assert done.code == 1
    assert done.err == "failed: broken\n"
    assert {path.stem for path in (tmp_path / "elsewhere").iterdir()} == {"first", "second", "broken"}
    assert (root / "called.txt").read_text() == f"--results {tmp_path}/elsewhere\n"


def test_what_this_machine_cannot_run_is_said(command, root, monkeypatch, tmp_path):
    catalog = root / bench.CATALOG
    catalog.write_text(catalog.read_text() + "CATALOG[0].tables = ('nasbench101',)\n")
    catalog.write_text(catalog.read_text() + "CATALOG[1].gpu = {'second_gpu': 'cuda'}\n")
    monkeypatch.setenv("GRAPHNAS_DATA", str(tmp_path))
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    done = command("bench", "--full", "first", "second")
    assert done.code == 0
    assert "== first: left out. " in done.out
    assert "== second: no CUDA device; left out: second_gpu" in done.out
    assert not (root / "benchmarks" / "results" / "first.json").exists()
    assert not (root / "benchmarks" / "results" / "second_gpu.json").exists()
    assert (root / "benchmarks" / "results" / "second_more.json").exists()
