"""Builds wheel and sdist and checks them: ``make release-check``.

Metadata by ``twine check``, the version in one place, what is in both archives, the quick tests in fresh
environments with the oldest and the newest versions that we allow, then the check of ``make wheel``.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tarfile
import tempfile
import tomllib
import zipfile
from pathlib import Path

import check_wheel
from check_versions import check_versions

ROOT = Path(__file__).parents[1]
NEEDED = ("LICENSE", "README.md", "pyproject.toml", "graphnas/__init__.py", "optuna_graphnas/py.typed")


def main() -> int:
    """Exit code 0 if all of it is right."""
    version = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    complaints = version_complaints(version)
    with tempfile.TemporaryDirectory(prefix="graphnas-release-") as folder:
        source = Path(folder) / "source"
        check_wheel.copy_source(source)
        print("[1/3] wheel and sdist", flush=True)
        command = [sys.executable, "-m", "build", "--outdir", folder, "--no-isolation", str(source)]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        files = sorted(str(path) for path in Path(folder).iterdir() if path.is_file())
        subprocess.run([sys.executable, "-m", "twine", "check", "--strict", *files], check=True)
        complaints += content_complaints(Path(folder), version)
        print("[2/3] the quick tests with other versions", flush=True)
        (wheel,) = Path(folder).glob("*.whl")
        complaints += check_versions(wheel)
    for complaint in complaints:
        print(complaint, file=sys.stderr)
    if complaints:
        return 1
    print("[3/3] the wheel in a fresh environment", flush=True)
    return check_wheel.main()


def version_complaints(version: str) -> list[str]:
    """Where another version is written than in ``pyproject.toml``."""
    places = {
        "graphnas/__init__.py": r'__version__ = "([^"]+)"',
        "CITATION.cff": r"^version: (.+)$",
    }
    wrong = []
    for name, pattern in places.items():
        found = re.findall(pattern, (ROOT / name).read_text(encoding="utf-8"), re.MULTILINE)
        if found != [version]:
            wrong.append(f"{name} has the version {found}, pyproject.toml {version}")
    return wrong


def content_complaints(folder: Path, version: str) -> list[str]:
    """What is missing from the archives in ``folder``."""
    wrong = []
    with tarfile.open(folder / f"graphnas-{version}.tar.gz") as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    wrong += [f"the sdist lacks {name}" for name in NEEDED if name not in names]
    (wheel,) = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    wrong += [f"the wheel lacks {name}" for name in NEEDED[3:] if name not in names]
    wrong += [f"the wheel has {name}" for name in sorted(names) if name.startswith(("tests/", "benchmarks/"))]
    return wrong


if __name__ == "__main__":
    sys.exit(main())
