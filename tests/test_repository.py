"""The repository is whole: metadata, typing, and documents whose snippets, links and commands are right."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
import tomllib
import types
from importlib import metadata
from pathlib import Path

import pytest

import graphnas
from graphnas import Architecture
from graphnas.cli.main import build_parser
from graphnas.errors import DataNotFound
from search_spaces import NASBench201
from search_spaces.tables import open_table

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
HOW_TO = sorted((ROOT / "docs" / "how-to").glob("*.md"))
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
PACKAGES = ("graphnas", "optuna_graphnas", "nni_graphnas", "search_spaces")


def snippets(language: str, document: str = README) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", document, re.DOTALL)


WITH_DATA = re.findall(r"<!-- needs .*? -->\n```python\n(.*?)```", README, re.DOTALL)
"""Snippets that a comment in the README marks as in need of a table."""


@pytest.fixture
def table() -> None:
    try:
        open_table(NASBench201())
    except DataNotFound as error:
        pytest.skip(str(error))


# ---------------------------------------------------------------- metadata


def test_extras():
    extras = PROJECT["optional-dependencies"]
    names = {"optuna", "nni", "images", "timm", "export", "pyg", "plots", "dashboard", "hub", "tables"}
    # mmcv is built from source, in minutes, and other engines are large: nobody gets them unasked.
    assert set(extras) == names | {"detection", "ray", "grpc", "peers", "docs", "dev", "all"}
    (everything,) = re.findall(r"graphnas\[(.*)\]", " ".join(extras["all"]))
    assert set(everything.split(",")) == names


def test_the_readme_names_every_extra():
    listed = README[README.index("The extras are") :].partition("`graphnas doctor`")[0]
    assert set(re.findall(r"`(\w+)`", listed)) == set(PROJECT["optional-dependencies"])


def test_the_oldest_versions_are_those_that_the_readme_names():
    bounds = dict(
        re.fullmatch(r"(\w+)>=([\d.]+).*", entry).groups()
        for entry in [*PROJECT["dependencies"], *PROJECT["optional-dependencies"]["optuna"]]
        if entry.startswith(("torch", "optuna"))
    )
    assert f"already installed ({bounds['torch']} or newer)" in README
    assert f"Optuna {bounds['optuna']} and 5 will do" in README


def test_the_version_is_the_same_everywhere():
    assert graphnas.__version__ == PROJECT["version"] == metadata.version("graphnas")
    citation = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    assert f"\nversion: {graphnas.__version__}\n" in citation


@pytest.mark.parametrize("package", PACKAGES)
def test_packages_are_typed(package):
    assert (ROOT / package / "py.typed").is_file()


def test_licence_and_changelog():
    assert PROJECT["license"] == "MIT"
    assert (ROOT / "LICENSE").read_text().startswith("MIT License")
    assert "## [Unreleased]" in (ROOT / "CHANGELOG.md").read_text()


# ---------------------------------------------------------------- set-up


def test_the_makefile_has_the_targets_that_documents_name():
    makefile = (ROOT / "Makefile").read_text()
    targets = set(re.findall(r"^([a-z]+):", makefile, re.MULTILINE))
    assert {"search", "test", "check", "wheel", "bench", "setup", "clean"} <= targets
    documents = README + (ROOT / "CONTRIBUTING.md").read_text()
    assert set(re.findall(r"\bmake ([a-z]+)\s*[#\n`]", documents)) <= targets


def test_pins_are_within_the_ranges_that_users_may_have():
    packaging = pytest.importorskip("packaging.requirements")
    makefile = (ROOT / "Makefile").read_text()
    pins = dict(re.findall(r"([\w-]+)==([\d.]+)", makefile))
    assert {"torch", "optuna", "numpy", "ruff", "mypy", "pytest"} <= set(pins)
    declared = PROJECT["dependencies"] + PROJECT["optional-dependencies"]["dev"]
    for requirement in map(packaging.Requirement, declared):
        if requirement.name in pins:
            assert requirement.specifier.contains(pins[requirement.name]), requirement


def test_continuous_integration_runs_make_test():
    script = ROOT / ".ci" / "run"
    assert os.access(script, os.X_OK)
    assert script.read_text().rstrip().endswith("make test wheel\nmake test-detection")
    subprocess.run(["bash", "-n", str(script)], check=True)


# ---------------------------------------------------------------- documents


@pytest.mark.parametrize(
    "document", ["README.md", "CONTRIBUTING.md", *(str(path.relative_to(ROOT)) for path in HOW_TO)]
)
def test_links_and_paths_in_documents_lead_somewhere(document):
    text = (ROOT / document).read_text()
    links = [link for link in re.findall(r"\]\(([^)]+)\)", text) if "://" not in link]
    paths = re.findall(
        r"`((?:tests|examples|benchmarks|graphnas|search_spaces|optuna_graphnas|nni_graphnas)/[\w/.]+)`", text
    )
    for link in {*links, *paths}:
        path = link.partition("#")[0]
        if not path or "generated/" in path:  # a heading here, or a page that the site's build writes
            continue
        folders = (ROOT, (ROOT / document).parent)
        assert any((folder / f"{path}{end}").exists() for folder in folders for end in ("", ".py")), link


def test_no_column_of_a_table_says_the_same_in_every_row():
    tables = re.findall(r"((?:^\|.*\|\n)+)", README, re.MULTILINE)
    assert len(tables) == 3
    for table in tables:
        _, _, *rows = [line.strip("|").split("|") for line in table.splitlines()]
        assert all(len(set(column)) > 1 for column in zip(*rows, strict=True)), table


@pytest.mark.parametrize(
    "line",
    [
        line
        for text in snippets("sh")
        for line in text.replace("\\\n", " ").splitlines()
        if "graphnas " in line
    ],
)
def test_command_lines_of_the_readme_are_understood(line):
    program, *arguments = shlex.split(line, comments=True)
    assert program == "graphnas"
    build_parser().parse_args(arguments)


@pytest.mark.parametrize(
    "snippet",
    [text for text in snippets("python") if text not in WITH_DATA],
    ids=lambda text: text.split("\n")[0],
)
def test_snippets_run_as_they_stand_without_any_data(snippet, tmp_path):
    if "nni" in snippet:
        pytest.importorskip("nni")
        # As tests/nni_graphnas/conftest.py does: torchvision may not fit torch.
        snippet = "from nni_graphnas.host import require_nas\nrequire_nas()\n" + snippet
    printed = run_without_data(snippet, tmp_path)
    if "study.optimize" in snippet:
        assert 10 < float(printed.split(" %")[0]) <= 100
        assert "gemnet/op_1" in printed


def run_without_data(program: str, folder: Path) -> str:
    """What ``program`` prints in an empty folder."""
    environment = {name: value for name, value in os.environ.items() if name != "GRAPHNAS_DATA"}
    paths = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    environment |= {"HOME": str(folder), "PYTHONPATH": os.pathsep.join(paths)}
    command = [sys.executable, "-c", program]
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize(
    "path", [path for path in HOW_TO if "```python" in path.read_text("utf-8")], ids=lambda path: path.stem
)
def test_the_snippets_of_a_how_to_are_one_program(path, tmp_path):
    program = "\n".join(snippets("python", path.read_text(encoding="utf-8")))
    assert run_without_data(program, tmp_path)


def test_the_first_snippet_needs_no_data():
    first, *_ = snippets("python")
    assert first not in WITH_DATA
    assert "GraphBOSampler" in first


@pytest.mark.usefixtures("table")
def test_the_snippet_with_a_table_runs(capsys):
    (snippet,) = (text for text in WITH_DATA if "import optuna" in text)
    assert "n_trials=100" in snippet
    exec(compile(snippet.replace("n_trials=100", "n_trials=12"), "README.md", "exec"), {})
    best, parameters = capsys.readouterr().out.split(" ", 1)
    assert 50 < float(best) < 91.6
    assert "nasbench201/op_0_1" in parameters


@pytest.mark.usefixtures("table")
def test_the_trial_of_the_nni_snippet_runs(monkeypatch):
    """With what NNI gives a trial and takes from it; NNI itself is not needed for that."""
    space, reported = NASBench201(), []
    nni = types.ModuleType("nni")
    nni.get_next_parameter = lambda: space.to_parameters(space.at(7777))
    nni.report_final_result = reported.append
    monkeypatch.setitem(sys.modules, "nni", nni)
    (snippet,) = (text for text in WITH_DATA if "nni.get_next_parameter" in text)
    exec(compile(snippet, "README.md", "exec"), {})
    from graphnas.evaluate import TabularEvaluator

    value = TabularEvaluator(space).evaluate(space.at(7777)).value
    assert [metric["default"] for metric in reported] == [value]
    assert Architecture.from_json(reported[0]["architecture"]) == space.at(7777)
