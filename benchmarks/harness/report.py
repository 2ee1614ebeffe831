"""Makes benchmarks/REPORT.md from the stored records: each benchmark's script turns its own into a section.

Nothing is measured here, so the report is the same wherever it is made. Plots that are missing, or that show
another version of their record, are drawn again.

    python -m benchmarks.harness.report            # draw what is not current, and write the report
    python -m benchmarks.harness.report --check    # exit code 1 if anything is not what the records say
    python -m benchmarks.harness.report --draw     # draw all plots, or those of the records named
"""

from __future__ import annotations

import argparse
import importlib
import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

from benchmarks.harness import experiments
from benchmarks.harness.catalog import CATALOG, Benchmark
from benchmarks.harness.drawing import is_current, stamp
from benchmarks.harness.records import RESULTS
from benchmarks.harness.sections import Section, Table
from graphnas.errors import CorruptData, DataNotFound, GraphNASError

REPORT = Path(__file__).parents[1] / "REPORT.md"
INTRODUCTION = """# Benchmarks

Made by `python -m benchmarks.harness.report` from the records in `results`; do not edit.
`graphnas bench NAME --full` runs a benchmark again, and `graphnas bench --list` lists them all. The number
after ± is the standard deviation over seeds. A paper's figures are given as printed there; how its protocol
differs from ours is stated below each table.
"""
DEFAULTS = Path(__file__).with_name("defaults.md")
"""The section on how default settings were chosen, which rests on runs that have no record."""


def read_record(path: Path) -> dict[str, Any]:
    """A stored record.

    Raises:
        DataNotFound: There is no such file.
        CorruptData: It is no record of a benchmark.
    """
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise DataNotFound(f"there is no record {path}: make it with graphnas bench {path.stem}") from error
    except (OSError, ValueError) as error:
        raise CorruptData(f"{path} is not JSON: {error}") from error
    for name in ("command", "machine", "versions"):
        if not isinstance(record, dict) or name not in record:
            raise CorruptData(f"{path} is no record of a benchmark: it has no {name!r}; make it again")
    return record


def owner(stem: str) -> Benchmark | None:
    """The benchmark that makes the record ``stem``; None if it is not in the catalog."""
    return next((benchmark for benchmark in CATALOG if stem in benchmark.records), None)


def script_of(benchmark: Benchmark) -> ModuleType:
    """The benchmark's script as a module; its ``main`` is not run."""
    return importlib.import_module(benchmark.module)


def _made(path: Path, benchmark: Benchmark, function: Callable[..., Any], *arguments: Any) -> Any:
    """Call ``function``, and let an error name the record ``path`` and its benchmark."""
    try:
        return function(*arguments)
    except (KeyError, IndexError, TypeError, ValueError, AttributeError) as error:
        raise CorruptData(
            f"{path}: {benchmark.module} cannot read it ({type(error).__name__}: {error}); "
            f"make it again with graphnas bench {benchmark.name} --full"
        ) from error


def section_of(path: Path, benchmark: Benchmark) -> Section:
    """A record's part of the report.

    Raises:
        CorruptData: The record lacks something that its script needs, or a table of it is not rectangular.
    """
    section: Section = _made(path, benchmark, script_of(benchmark).section, read_record(path))
    for table in section.tables:
        for row in table.rows:
            if len(row) != len(table.columns):
                raise CorruptData(
                    f"{path}: a row of {table.caption!r} has {len(row)} cells, not {len(table.columns)}: "
                    f"{list(row)}"
                )
    return section


def draw(path: Path) -> list[str]:
    """Draw a record's plots beside it.

    Returns:
        The names of the files; none if its script draws nothing.

    Raises:
        CorruptData: The record lacks something that its script needs.
    """
    benchmark = owner(path.stem)
    function = getattr(script_of(benchmark), "draw", None) if benchmark else None
    if benchmark is None or function is None:
        return []
    names: list[str] = _made(path, benchmark, function, read_record(path), path.parent)
    for name in names:
        stamp(path.parent / name, path)
    return names


def stale(results: Path) -> list[Path]:
    """The records of which a plot is missing, or shows another version of the record."""
    outdated = []
    for path in sorted(results.glob("*.json")):
        benchmark = owner(path.stem)
        plots = section_of(path, benchmark).plots if benchmark else ()
        if not all(is_current(path.parent / name, path) for name in plots):
            outdated.append(path)
    return outdated


# ---------------------------------------------------------------- Markdown


def anchor(title: str) -> str:
    """The anchor that GitHub gives a heading."""
    return "".join(c for c in title.lower() if c.isalnum() or c in " -_").replace(" ", "-")


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def markdown_table(table: Table) -> str:
    """The table, with columns that line up when it is read as plain text."""
    lines = [[_cell(cell) for cell in line] for line in (table.columns, *table.rows)]
    widths = [max(3, *(len(line[k]) for line in lines)) for k in range(len(table.columns))]

    def row(cells: Sequence[str]) -> str:
        first, *others = [
            cell.rjust(width) if k else cell.ljust(width)
            for k, (cell, width) in enumerate(zip(cells, widths, strict=True))
        ]
        return f"| {' | '.join([first, *others])} |"

    rule = [("-" * width) if k == 0 else "-" * (width - 1) + ":" for k, width in enumerate(widths)]
    return "\n".join([f"{table.caption}\n", row(lines[0]), row(rule), *map(row, lines[1:])])


def origin(record: dict[str, Any], path: Path) -> str:
    """One paragraph: the record, the command, the machine and the versions."""
    machine, packages = record["machine"], record["versions"]
    where = f"{machine['processor']}, {machine['cores']} cores"
    return f"`{path.name}`: `{record['command']}`; {where}; " + ", ".join(
        f"{name} {version}" for name, version in packages.items()
    )


def render(section: Section, record: dict[str, Any], path: Path, folder: str) -> str:
    """One section of the report; images lie in ``folder``.

    Raises:
        DataNotFound: A plot is missing.
    """
    parts = [f"## {section.title}", *map(markdown_table, section.tables)]
    parts.append(f"Protocol: {section.protocol[:1].upper()}{section.protocol[1:]}")
    if section.notes:
        parts.append("\n".join(f"- {note}" for note in section.notes))
    for name in section.plots:
        if not (path.parent / name).is_file():
            raise DataNotFound(
                f"{path.parent / name} is missing: python -m benchmarks.harness.report --draw {path}"
            )
        parts.append(f"![{Path(name).stem.replace('_', ' ')}]({folder}/{name})")
    return "\n\n".join([*parts, origin(record, path)])


def make_report(results: Path = RESULTS, folder: str = "results") -> str:
    """The whole report from the records in ``results``, whose address in the report is ``folder``.

    Raises:
        CorruptData: A record cannot be read, or is not what its script writes.
        DataNotFound: A plot is missing.
    """
    parts, titles, missing = [], [], []
    for benchmark in CATALOG:
        for stem in benchmark.records:
            path = results / f"{stem}.json"
            if not path.is_file():
                missing.append(f"- `{stem}.json` ({benchmark.name})")
            else:
                section = section_of(path, benchmark)
                titles.append(section.title)
                parts.append(render(section, read_record(path), path, folder))
    unknown = [f"- `{path.name}`" for path in sorted(results.glob("*.json")) if owner(path.stem) is None]
    for title, lines in (
        ("Benchmarks without a record", missing),
        ("Records of no benchmark", unknown),
    ):
        if lines:
            parts.append(f"## {title}\n\n" + "\n".join(lines))
    if folder == "results":
        titles.insert(0, experiments.TITLE)
        of_papers = experiments.table(experiments.records_in(results, read_record))
        parts.insert(0, f"## {experiments.TITLE}\n\n{markdown_table(of_papers)}")
        titles.append("How defaults were chosen")
        parts.append(DEFAULTS.read_text(encoding="utf-8").strip())
    contents = "\n".join(f"- [{title}](#{anchor(title)})" for title in titles)
    return "\n\n".join([INTRODUCTION.rstrip(), contents, *parts]) + "\n"


def main() -> int:
    """Draw, write or check."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--check", action="store_true", help="write nothing; exit code 1 if anything differs")
    parser.add_argument(
        "--draw", type=Path, nargs="*", metavar="RECORD", help="only draw plots, of all records by default"
    )
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder of the records")
    options = parser.parse_args()
    stored = options.results.resolve() == RESULTS.resolve()
    output = REPORT if stored else options.results / REPORT.name
    try:
        if options.draw is not None:
            to_draw = options.draw or sorted(options.results.glob("*.json"))
        else:
            to_draw = stale(options.results)
        if not options.check:
            for path in to_draw:
                for name in draw(path):
                    print(f"drawn to {path.parent / name}")
        if options.draw is not None:
            return 0
        text = make_report(options.results, "results" if stored else ".")
    except GraphNASError as error:
        print(f"report: error: {error}", file=sys.stderr)
        return 2
    if options.check:
        differing = [f"the plots of {path}" for path in to_draw]
        if not (output.is_file() and output.read_text(encoding="utf-8") == text):
            differing.insert(0, str(output))
        print(f"not what the records say: {', '.join(differing)}" if differing else f"{output} is current")
        return 1 if differing else 0
    output.write_text(text, encoding="utf-8")
    print(f"written to {output}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
