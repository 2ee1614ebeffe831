"""``graphnas bench``: run the benchmarks of a source checkout, quickly or in full, and make their report."""

from __future__ import annotations

import argparse
import ast
import importlib.util
import os
import shlex
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import graphnas
from graphnas.cli.text import table
from graphnas.errors import CorruptData, DataNotFound, InvalidArgument, MissingExtra
from search_spaces import get_space
from search_spaces.tables import open_table

CATALOG = Path("benchmarks") / "harness" / "catalog.py"
REPORT = "benchmarks.harness.report"
QUICK_OUTPUT = Path("runs") / "bench"
STORED = Path("benchmarks") / "results"


def add_parser(commands: Any) -> None:
    """Add the command to ``commands``, the sub-parsers of ``graphnas``."""
    parser = commands.add_parser(
        "bench", help="run the benchmarks of a source checkout, and make their report", description=__doc__
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help="benchmarks (default: all)")
    parser.add_argument(
        "--full",
        action="store_true",
        help="the whole benchmark, which may take hours, instead of its short form",
    )
    parser.add_argument("--list", action="store_true", help="list the benchmarks and their records")
    parser.add_argument(
        "--output",
        type=Path,
        metavar="DIR",
        help=f"where records, plots and REPORT.md go (default: {QUICK_OUTPUT} in the checkout; with --full "
        f"{STORED}, and REPORT.md beside it)",
    )
    parser.set_defaults(run=run)


def checkout() -> Path:
    """The source checkout that this package is used from.

    Raises:
        DataNotFound: It was installed without its benchmarks.
    """
    root = Path(graphnas.__file__).resolve().parents[1]
    if not (root / CATALOG).is_file():
        raise DataNotFound(
            f"there are no benchmarks beside the installed package (looked in {root}): clone the repository "
            'and install it from there, with pip install -e ".[dev]"'
        )
    return root


def load_catalog(root: Path) -> dict[str, Any]:
    """The benchmarks of the checkout by name, in the order of the catalog."""
    name = "graphnas_benchmarks_catalog"
    spec = importlib.util.spec_from_file_location(name, root / CATALOG)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses look up their own module
    spec.loader.exec_module(module)
    return {benchmark.name: benchmark for benchmark in module.CATALOG}


def run(args: argparse.Namespace) -> int:
    """Run or list; the exit code is 1 if a benchmark failed.

    Raises:
        DataNotFound: There is no source checkout.
        InvalidArgument: There is no benchmark with one of the names.
    """
    root = checkout()
    catalog = load_catalog(root)
    for name in args.names:
        if name not in catalog:
            raise InvalidArgument(f"there is no benchmark {name!r}; there are: {', '.join(catalog)}")
    chosen = [catalog[name] for name in args.names or catalog]
    if args.list:
        print(_listing(root, chosen))
        return 0
    output = (Path.cwd() / args.output).resolve() if args.output else None
    folder = output or root / (STORED if args.full else QUICK_OUTPUT)
    failed = [
        benchmark.name for benchmark in chosen if not _run_benchmark(root, benchmark, folder, args.full)
    ]
    if _run_module(root, REPORT, ["--results", _inside(root, folder)]):
        failed.append("the report")
    if failed:
        print(f"failed: {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


def _check_needs(benchmark: Any) -> None:
    """Raise what says which of the data or packages that a benchmark needs is missing."""
    for space in benchmark.tables:
        open_table(get_space(space))
    if "cifar10" in benchmark.needs:
        from graphnas.training.cifar10 import find_cifar10

        find_cifar10()
    if "coco_mini" in benchmark.needs:
        from graphnas.detection.coco import unpacked_mini

        unpacked_mini()
    if "mmdet" in benchmark.needs:
        from graphnas.detection.mmengine_compat import import_mmdet

        import_mmdet()


def _run_benchmark(root: Path, benchmark: Any, folder: Path, full: bool) -> bool:
    """Run its command lines; return whether all of them worked."""
    try:
        _check_needs(benchmark)
    except (DataNotFound, CorruptData, MissingExtra) as error:
        print(f"== {benchmark.name}: left out. {error}", flush=True)
        return True
    commands = dict(benchmark.full if full else benchmark.quick)
    if full and benchmark.gpu:
        import torch

        if torch.cuda.is_available():
            commands |= benchmark.gpu
        else:
            print(f"== {benchmark.name}: no CUDA device; left out: {', '.join(benchmark.gpu)}", flush=True)
    worked = True
    for record, arguments in commands.items():
        path = _inside(root, folder / f"{record}.json")
        line = [*shlex.split(arguments), "--output", path]
        print(f"== {shlex.join(['python', '-m', benchmark.module, *line])}", flush=True)
        start = time.perf_counter()
        code = _run_module(root, benchmark.module, line)
        print(f"== {benchmark.name}: {time.perf_counter() - start:.0f} s", flush=True)
        worked = worked and code == 0
    return worked


def _run_module(root: Path, module: str, arguments: list[str]) -> int:
    """Run a module of the checkout there, with this Python, and return its exit code."""
    # One thread, as the scripts themselves request: the figures are those of one core.
    environment = {"OMP_NUM_THREADS": "1", **os.environ}
    command = [sys.executable, "-m", module, *arguments]
    return subprocess.run(command, cwd=root, env=environment, check=False).returncode


def _inside(root: Path, path: Path) -> str:
    """``path``, relative to the checkout if it lies in it, as records should name it."""
    return str(path.relative_to(root) if path.is_relative_to(root) else path)


def _listing(root: Path, chosen: list[Any]) -> str:
    rows = []
    for benchmark in chosen:
        stored = sum((root / STORED / f"{record}.json").is_file() for record in benchmark.records)
        text = (root / f"{benchmark.module.replace('.', '/')}.py").read_text(encoding="utf-8")
        what = (ast.get_docstring(ast.parse(text)) or "").partition("\n")[0]
        rows.append([benchmark.name, f"{stored} of {len(benchmark.records)}", what])
    return table(["benchmark", "records", "what"], rows)
