"""Builds the wheel, installs it into a fresh environment and runs snippets of the README: ``make wheel``.

Everything comes from the package index as for a user, except torch and what it needs, some hundred MB, which
are linked from the environment that runs this. Afterwards nothing of the clone is on the path.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
import venv
from importlib import metadata
from pathlib import Path

ROOT = Path(__file__).parents[1]
PARTS = (
    "graphnas",
    "optuna_graphnas",
    "nni_graphnas",
    "search_spaces",
    "pyproject.toml",
    "README.md",
    "LICENSE",
)
EXTRAS = "optuna,tables"
TRIALS = (3, 25)
"""Of each of the first two snippets that search, instead of what they say: the first trains networks."""

PIP = ("-m", "pip", "--disable-pip-version-check", "--no-input", "--retries", "10", "--timeout", "60")


def main() -> int:
    """Exit code 0 if both snippets run."""
    with tempfile.TemporaryDirectory(prefix="graphnas-wheel-") as folder:
        work = Path(folder)
        print("[1/3] wheel", flush=True)
        copy_source(work / "source")
        source = str(work / "source")
        run(sys.executable, *PIP, "wheel", "--quiet", "--no-deps", "--wheel-dir", str(work), source)
        (wheel,) = work.glob("graphnas-*.whl")
        print(f"[2/3] fresh environment with {wheel.name}[{EXTRAS}]", flush=True)
        venv.create(work / "fresh", with_pip=True)
        python = str(work / "fresh" / "bin" / "python")
        (site,) = (work / "fresh" / "lib").glob("python*/site-packages")
        link_torch(site)
        run(python, *PIP, "install", "--quiet", f"graphnas[{EXTRAS}] @ {wheel.as_uri()}", cwd=work)
        readme = (ROOT / "README.md").read_text(encoding="utf-8")
        snippets = [s for s in re.findall(r"```python\n(.*?)```", readme, re.DOTALL) if "study.optimize" in s]
        for number, (snippet, trials) in enumerate(zip(snippets, TRIALS, strict=False), start=1):
            print(f"[3/3] snippet {number} of the README", flush=True)
            script = work / f"snippet_{number}.py"
            script.write_text(re.sub(r"n_trials=\d+", f"n_trials={trials}", snippet), encoding="utf-8")
            run(python, str(script), cwd=work)
        return 0


def copy_source(target: Path) -> None:
    """What is built from, in a folder of its own: what an earlier build left in the clone would get in."""
    target.mkdir()
    for name in PARTS:
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy2
        copy(ROOT / name, target / name)


def run(*command: str, cwd: Path = ROOT) -> None:
    """Run a command without this environment's data and paths; raises if it fails."""
    hidden = ("GRAPHNAS_DATA", "PYTHONPATH", "VIRTUAL_ENV")
    environment = {name: value for name, value in os.environ.items() if name not in hidden}
    environment["HOME"] = str(cwd) if cwd != ROOT else environment.get("HOME", str(cwd))
    if "pip" in command:
        environment["HOME"] = os.environ.get("HOME", str(cwd))  # its cache
    subprocess.run(command, cwd=cwd, env=environment, check=True)


def link_torch(site: Path) -> None:
    """Link what torch needs, itself included, into another environment, but nothing that graphnas names."""
    own = {name_of(requirement) for requirement in metadata.requires("graphnas") or ()} - {"torch"}
    waiting, seen = ["torch"], set()
    while waiting:
        name = waiting.pop()
        if name in seen or name in own:
            continue
        seen.add(name)
        try:
            distribution = metadata.distribution(name)
        except metadata.PackageNotFoundError:
            continue  # for another platform, or an extra
        waiting += [name_of(requirement) for requirement in distribution.requires or ()]
        for top in {file.parts[0] for file in distribution.files or () if file.parts[0] != ".."}:
            source, target = Path(str(distribution.locate_file(top))), site / top
            if top != "__pycache__" and source.exists() and not target.exists():
                target.symlink_to(source)


def name_of(requirement: str) -> str:
    """The distribution that a requirement names."""
    match = re.match(r"[\w.-]+", requirement)
    assert match is not None, requirement
    return match[0].lower().replace("_", "-")


if __name__ == "__main__":
    sys.exit(main())
