"""Runs the quick tests with the oldest and the newest versions that we allow, on every Python that is here.

A part of ``make release-check``. Each combination has a fresh environment, in which the wheel and all else
are installed as by a user; nothing of the clone but its tests is on the path.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
import tomllib
from pathlib import Path

from check_wheel import PIP, ROOT

EXTRAS = ("optuna", "plots")
TOOLS = ("hypothesis>=6", "pandas>=2.1", "pytest>=8", "pytest-timeout>=2.3", "pytest-xdist>=3.6")
BESIDE = ("tests", "benchmarks", "examples", "hub", "docs", "README.md", "CHANGELOG.md", "Makefile")
"""What tests read, besides what the wheel has."""

QUICK = (
    "tests/graph",
    "tests/methods",
    "tests/optuna_graphnas",
    "tests/search_spaces",
    "tests/surrogate",
    "tests/test_public_names.py",
)


def pythons() -> dict[str, str]:
    """The interpreters of this machine that ``pyproject.toml`` claims, by version, the oldest first."""
    claimed = re.findall(r"Python :: (3\.\d+)", (ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    found = {}
    for version in claimed:
        places = [
            shutil.which(f"python{version}"),
            *Path.home().glob(f".pyenv/versions/{version}*/bin/python3"),
        ]
        for place in filter(None, places):
            # A launcher of a version manager is there whether or not it can start anything.
            answer = subprocess.run([place, "-V"], capture_output=True, text=True, check=False)
            if answer.stdout.startswith(f"Python {version}."):
                found[version] = str(place)
                break
        else:
            print(f"Python {version} is not on this machine: not checked", flush=True)
    return found


def oldest() -> list[str]:
    """Constraints for pip: the first release that we allow of everything that the wheel asks for."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = [*project["dependencies"]]
    for extra in EXTRAS:
        wanted += project["optional-dependencies"][extra]
    bounds = (re.fullmatch(r"([\w-]+)>=([\d.]+)(?:,<.*)?", requirement) for requirement in wanted)
    return [f"{b[1]}=={b[2] if '.' in b[2] else b[2] + '.0'}.*" for b in bounds if b is not None]


def check_versions(wheel: Path) -> list[str]:
    """Run the quick tests everywhere; what fails, in words."""
    complaints = []
    for version, python in pythons().items():
        for name, constraints in (("oldest", oldest()), ("newest", [])):
            print(f"Python {version}, the {name} versions", flush=True)
            with tempfile.TemporaryDirectory(prefix="graphnas-versions-") as folder:
                if not passes(Path(folder), python, wheel, constraints):
                    complaints.append(f"Python {version} with the {name} versions fails")
    return complaints


def passes(folder: Path, python: str, wheel: Path, constraints: list[str]) -> bool:
    """Whether the quick tests pass in an environment of their own in ``folder``."""
    for name in BESIDE:
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy2
        copy(ROOT / name, folder / name)
    # The settings of pytest, without the project that they belong to.
    settings = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    (folder / "pyproject.toml").write_text(settings[settings.index("[tool.pytest") :], encoding="utf-8")
    (folder / "constraints.txt").write_text("\n".join(constraints), encoding="utf-8")
    subprocess.run([python, "-m", "venv", str(folder / "fresh")], check=True)
    own = str(folder / "fresh" / "bin" / "python")
    wanted = (f"graphnas[{','.join(EXTRAS)}] @ {wheel.as_uri()}", *TOOLS)
    environment = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "VIRTUAL_ENV")}
    install = [own, *PIP, "install", "--quiet", "-c", str(folder / "constraints.txt"), *wanted]
    if subprocess.run(install, env=environment, cwd=folder, check=False).returncode:
        return False
    show = (
        "import numpy, optuna, scipy, torch as t; print(*(m.__version__ for m in (numpy, scipy, t, optuna)))"
    )
    subprocess.run([own, "-c", show], env=environment, cwd=folder, check=True)
    tests = [own, "-m", "pytest", "-q", "-n", "2", "-r", "fE", "-m", "not slow and not e2e", *QUICK]
    return subprocess.run(tests, env=environment, cwd=folder, check=False).returncode == 0
