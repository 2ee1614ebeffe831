"""The report is what the stored records say, the catalog is right, and broken records are named."""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import json
import shlex
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from benchmarks.harness import experiments, report
from benchmarks.harness.catalog import CATALOG, Benchmark
from benchmarks.harness.drawing import is_current
from benchmarks.harness.records import RESULTS, to_json
from benchmarks.harness.sections import Section, Table
from graphnas.cli.main import build_parser
from graphnas.errors import CorruptData, DataNotFound

RECORDS = sorted(RESULTS.glob("*.json"))
HEAD = {
    "command": "python -m benchmarks.made_up",
    "machine": {"processor": "abacus", "cores": 2, "threads": 1},
    "versions": {"python": "3.11"},
}


def test_the_report_is_what_the_records_say():
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.harness.report", "--check"],
        capture_output=True,
        text=True,
        cwd=RESULTS.parents[1],
    )
    assert done.returncode == 0, f"{done.stdout}{done.stderr}; run python -m benchmarks.harness.report"


def test_published_experiments_have_a_record_a_command_and_figures():
    known = {record for benchmark in CATALOG for record in benchmark.records}
    assert {one.record for one in experiments.EXPERIMENTS} <= known
    for one in experiments.EXPERIMENTS:
        program, *arguments = shlex.split(one.command)
        if program == "graphnas":
            build_parser().parse_args(arguments)
        else:
            assert arguments[0] == "-m"
            assert importlib.util.find_spec(arguments[1])
    stored = experiments.records_in(RESULTS, report.read_record)
    table = experiments.table(stored)
    ours = list(table.columns).index("ours")
    for one, row in zip(experiments.EXPERIMENTS, table.rows, strict=True):
        assert (row[-1] == "no record yet") == (one.record not in stored)
        assert bool(row[ours]) == (one.record in stored)
    (row,) = [row for row in table.rows if row[0] == "NASGEM, Tables 3-4"]
    runs = stored["nasgem_correlation_nasbench101"]["runs"]
    assert f"{np.mean([run['tau']['kernel-guided + P'][-1] for run in runs]):.2f}" in row[ours]


def test_names_and_records_are_there_once():
    names = [benchmark.name for benchmark in CATALOG]
    records = [record for benchmark in CATALOG for record in benchmark.records]
    assert len(set(names)) == len(names)
    assert len(set(records)) == len(records)
    for benchmark in CATALOG:
        assert benchmark.quick or benchmark.gpu
        assert all(
            record == benchmark.name or record.startswith(f"{benchmark.name}_")
            for record in (*benchmark.quick, *benchmark.records)
        )


class Parsed(Exception):
    """Raised instead of running a benchmark once its arguments were understood."""


@pytest.mark.parametrize("benchmark", CATALOG, ids=lambda benchmark: benchmark.name)
def test_a_script_understands_its_arguments(benchmark, monkeypatch, tmp_path):
    script = importlib.import_module(benchmark.module)
    parse = argparse.ArgumentParser.parse_args

    def stop(parser, *arguments):
        raise Parsed(parse(parser, *arguments))

    monkeypatch.setattr(argparse.ArgumentParser, "parse_args", stop)
    for line in (*benchmark.quick.values(), *benchmark.full.values(), *benchmark.gpu.values()):
        output = tmp_path / "record.json"
        monkeypatch.setattr(sys, "argv", [benchmark.module, *shlex.split(line), "--output", str(output)])
        with pytest.raises(Parsed) as parsed:
            script.main()
        assert parsed.value.args[0].output == output


@pytest.mark.parametrize("path", RECORDS, ids=lambda path: path.stem)
def test_a_record_gives_a_section(path):
    benchmark = report.owner(path.stem)
    assert benchmark is not None, "no benchmark of the catalog makes this record"
    section = report.section_of(path, benchmark)
    assert section.title
    assert section.protocol
    assert section.tables
    assert all(table.rows for table in section.tables)
    assert all((RESULTS / name).is_file() for name in section.plots)


def test_the_catalog_makes_what_is_stored():
    for benchmark in CATALOG:
        for record, arguments in (*benchmark.full.items(), *benchmark.gpu.items()):
            if (path := RESULTS / f"{record}.json").is_file():
                command = ["python", "-m", benchmark.module, *shlex.split(arguments)]
                assert shlex.split(json.loads(path.read_text())["command"]) == command


def test_every_plot_belongs_to_a_record_and_is_small():
    named = {name for path in RECORDS for name in report.section_of(path, report.owner(path.stem)).plots}
    plots = list(RESULTS.glob("*.png"))
    assert {path.name for path in plots} == named
    assert max(path.stat().st_size for path in plots) < 60_000


# ---------------------------------------------------------------- made-up records


@pytest.fixture
def made_up(monkeypatch, tmp_path) -> Path:
    """A catalog of one benchmark with two records, of which one is there, and that is its path."""

    def section(record) -> Section:
        rows = [[name, f"{value:.1f}"] for name, value in record["values"].items()]
        return Section(
            "Made up: it's (50 %)",
            [Table("Nothing.", ("what", "value|s"), rows)],
            "none",
            ["a note"],
            ["a.png"],
        )

    def draw(record, folder: Path) -> list[str]:
        Image.new("RGB", (4, 4)).save(folder / "a.png")
        return ["a.png"]

    script = SimpleNamespace(section=section, draw=draw)
    monkeypatch.setattr(
        report, "CATALOG", (Benchmark("made_up", "made_up", {}, {"made_up": "", "made_up_b": ""}),)
    )
    monkeypatch.setattr(report, "script_of", lambda benchmark: script)
    path = tmp_path / "made_up.json"
    path.write_text(json.dumps({**HEAD, "values": {"ours": 1.25, "theirs|": 10}}))
    (tmp_path / "stranger.json").write_text("{}")
    return path


def test_a_report(made_up):
    assert report.draw(made_up) == ["a.png"]
    text = report.make_report(made_up.parent, "here")
    assert text == report.make_report(made_up.parent, "here")
    assert text.startswith(report.INTRODUCTION.rstrip())
    assert (
        text.removeprefix(report.INTRODUCTION.rstrip())
        == """

- [Made up: it's (50 %)](#made-up-its-50-)

## Made up: it's (50 %)

Nothing.

| what     | value\\|s |
| -------- | -------: |
| ours     |      1.2 |
| theirs\\| |     10.0 |

Protocol: None

- a note

![a](here/a.png)

`made_up.json`: `python -m benchmarks.made_up`; abacus, 2 cores; python 3.11

## Benchmarks without a record

- `made_up_b.json` (made_up)

## Records of no benchmark

- `stranger.json`
"""
    )


def test_a_missing_plot_is_asked_for(made_up):
    with pytest.raises(
        DataNotFound, match=r"a\.png is missing: python -m benchmarks\.harness\.report --draw"
    ):
        report.make_report(made_up.parent)


def test_plots_that_are_not_current_are_drawn_again(made_up, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["report", "--results", str(made_up.parent)])
    plot = made_up.parent / "a.png"
    assert report.stale(made_up.parent) == [made_up]
    assert report.main() == 0
    assert is_current(plot, made_up)
    assert report.stale(made_up.parent) == []
    made_up.write_text(made_up.read_text().replace("1.25", "3.5"))
    monkeypatch.setattr(sys, "argv", [*sys.argv, "--check"])
    assert report.main() == 1
    assert not is_current(plot, made_up)  # a check draws nothing
    monkeypatch.setattr(sys, "argv", sys.argv[:-1])
    assert report.main() == 0
    assert is_current(plot, made_up)
    assert "3.5" in (made_up.parent / "REPORT.md").read_text()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("{", "is not JSON"),
        ("[]", "no 'command'"),
        (json.dumps({**HEAD, "versions": None, "values": 3}), "AttributeError"),
        (json.dumps(HEAD), r"made_up cannot read it \(KeyError: 'values'\)"),
        (json.dumps({key: value for key, value in HEAD.items() if key != "machine"}), "no 'machine'"),
    ],
)
def test_a_broken_record_is_named(made_up, content, said):
    made_up.write_text(content)
    with pytest.raises(CorruptData, match=said) as error:
        report.make_report(made_up.parent)
    assert str(made_up) in str(error.value)


def test_a_table_that_is_not_rectangular_is_refused(made_up, monkeypatch):
    ragged = SimpleNamespace(section=lambda record: Section("t", [Table("It", "ab", ["cd", "e"])], "p"))
    monkeypatch.setattr(report, "script_of", lambda benchmark: ragged)
    with pytest.raises(CorruptData, match="'It' has 1 cells, not 2"):
        report.make_report(made_up.parent)


def test_lists_of_numbers_are_on_one_line():
    record = {"a": [1.5, -2e-7, None], "b": [[1, 2], ["x [", "] y"], []], "c": {"d": [True]}, "e": "[\n1\n]"}
    text = to_json(record)
    assert json.loads(text) == record
    assert '"a": [1.5, -2e-07, null],' in text
    assert "    [1, 2],\n" in text
    assert '"d": [true]' in text
