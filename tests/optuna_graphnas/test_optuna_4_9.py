"""The conformance and contract tests once more, on the oldest Optuna that we support."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
OLD_OPTUNA = Path(sys.prefix) / "optuna-4.9"
FILES = ("test_conformance.py", "test_contract.py", "test_history.py", "test_objective.py", "test_suggest.py")


@pytest.mark.parametrize("file", FILES)
def test_passes_on_optuna_4_9(file: str) -> None:
    if not (OLD_OPTUNA / "optuna").is_dir():
        pytest.skip(f"no Optuna 4.9 in {OLD_OPTUNA}; `make setup` installs it")
    paths = [str(OLD_OPTUNA), *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = dict(os.environ, PYTHONPATH=os.pathsep.join(paths))
    environment = {k: v for k, v in environment.items() if not k.startswith("PYTEST_")}
    version = subprocess.run(
        [sys.executable, "-c", "import optuna; print(optuna.__version__)"],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    assert version.stdout.startswith("4.9.")
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "-p",
        "no:xdist",
        str(HERE / file),
    ]
    done = subprocess.run(
        command, env=environment, cwd=HERE.parents[1], capture_output=True, text=True, timeout=570
    )
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    assert re.search(r"\b[1-9]\d* passed", done.stdout)
