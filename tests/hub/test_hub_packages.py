"""The packages for OptunaHub: their form, their own tests, and their examples from a copy elsewhere."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
HUB = ROOT / "hub"
PACKAGES = sorted(path.parent.relative_to(HUB).as_posix() for path in HUB.glob("*/*/README.md"))
CATEGORIES = {"samplers": "sampler", "benchmarks": "benchmark", "visualization": "visualization"}
optunahub = pytest.importorskip("optunahub")


def environment() -> dict[str, str]:
    paths = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    return os.environ | {"PYTHONPATH": os.pathsep.join(paths), "PYTHONDONTWRITEBYTECODE": "1"}


def front_matter(text: str) -> dict[str, str]:
    match = re.match(r"---\n(.*?)\n---\n", text, re.DOTALL)
    assert match is not None
    return dict(line.split(": ", 1) for line in match[1].splitlines())


def test_the_packages_that_are_promised_are_there():
    wanted = {f"samplers/{name}" for name in ("graphbo", "nasgem", "graphpnas", "latent_bo")}
    names = ("nasbench101", "nasbench201", "transnasbench101", "nasbench_graph")
    wanted |= {f"benchmarks/{name}" for name in names}
    assert wanted <= set(PACKAGES)
    assert any(package.startswith("visualization/") for package in PACKAGES)


@pytest.mark.parametrize("package", PACKAGES)
def test_a_package_has_what_the_registry_asks_for(package):
    folder = HUB / package
    text = (folder / "README.md").read_text(encoding="utf-8")
    header = front_matter(text)
    for key in ("author", "title", "description", "tags", "optuna_versions", "license"):
        assert header[key].strip(" []"), key
    assert header["license"] == "MIT License"
    tags = [tag.strip() for tag in header["tags"].strip("[]").split(",")]
    assert CATEGORIES[package.split("/")[0]] in tags
    body = text.split("\n---\n", 1)[1]
    for heading in ("Abstract", "APIs", "Installation", "Example", "Others"):
        assert f"\n## {heading}\n" in body
    assert not re.search(r"<[a-zA-Z/][^>]*>", body), "no HTML"
    assert (folder / "LICENSE").read_text() == (ROOT / "LICENSE").read_text()
    assert "graphnas" in (folder / "requirements.txt").read_text()
    assert not [path for path in folder.rglob("*") if path.suffix in (".pkl", ".pt", ".npz", ".bin")]
    mdformat = pytest.importorskip("mdformat")
    assert mdformat.text(body.lstrip()) == body.lstrip()


@pytest.mark.parametrize("package", PACKAGES)
def test_a_package_is_loaded_with_the_names_that_it_exports(package):
    module = optunahub.load_local_module(package, registry_root=str(HUB))
    assert module.__all__
    for name in module.__all__:
        assert hasattr(module, name)


def test_the_tests_of_the_packages_pass():
    """All but the conformance of the samplers, which tests/optuna_graphnas runs on the same classes."""
    command = [
        sys.executable,
        "-m",
        "pytest",
        str(HUB),
        "-q",
        "-k",
        "not Conformance",
        "-p",
        "no:cacheprovider",
    ]
    command += ["--import-mode=importlib", "-c", os.devnull, "--rootdir", str(HUB)]
    done = subprocess.run(
        command, capture_output=True, text=True, env=environment(), timeout=500, check=False
    )
    assert done.returncode == 0, done.stdout[-4000:]
    assert " passed" in done.stdout


@pytest.mark.parametrize("package", PACKAGES)
def test_the_example_runs_from_a_copy_elsewhere(package, tmp_path):
    """With the copy as the registry that ``load_module`` would fetch."""
    shutil.copytree(HUB / package, tmp_path / "registry" / package)
    source = (HUB / package / "example.py").read_text(encoding="utf-8")
    assert f'optunahub.load_module("{package}")' in source
    local = f'optunahub.load_local_module("{package}", registry_root={str(tmp_path / "registry")!r})'
    program = tmp_path / "example.py"
    program.write_text(source.replace(f'optunahub.load_module("{package}")', local), encoding="utf-8")
    command = [sys.executable, str(program)]
    done = subprocess.run(
        command, cwd=tmp_path, capture_output=True, text=True, env=environment(), timeout=300, check=False
    )
    if "DataNotFound" in done.stderr:
        pytest.skip(done.stderr.strip().splitlines()[-1])
    assert done.returncode == 0, done.stderr
    assert done.stdout or list(tmp_path.glob("*.html"))
