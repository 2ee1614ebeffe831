"""The conformance tests and our own once more, on the oldest Optuna that we support."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
OLD_OPTUNA = Path(sys.prefix) / "optuna-4.9"
CONFORMANCE = ("test_conformance.py",)
OURS = (
    "test_bulk.py",
    "test_contract.py",
    "test_grown.py",
    "test_history.py",
    "test_joint.py",
    "test_objective.py",
    "test_parts.py",
    "test_prior.py",
    "test_suggest.py",
)
ENDINGS = ("test_interruptions.py", "test_pruning.py")


def python(*arguments: str) -> subprocess.CompletedProcess[str]:
    paths = [str(OLD_OPTUNA), *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    environment["PYTHONPATH"] = os.pathsep.join(paths)
    command = [sys.executable, *arguments]
    return subprocess.run(
        command, env=environment, cwd=HERE.parents[1], capture_output=True, text=True, timeout=570
    )


@pytest.mark.parametrize(
    ("files", "at_least"),
    [(CONFORMANCE, 378), (OURS, 170), (ENDINGS, 60)],
    ids=["conformance", "ours", "endings"],
)
def test_passes_on_optuna_4_9(files: tuple[str, ...], at_least: int) -> None:
    if not (OLD_OPTUNA / "optuna").is_dir():
        pytest.skip(f"no Optuna 4.9 in {OLD_OPTUNA}; `make setup` installs it")
    assert python("-c", "import optuna; print(optuna.__version__)").stdout.startswith("4.9.")
    # Three methods are enough: in how they meet Optuna the others do not differ.
    options = ["-q", "-p", "no:cacheprovider", "-p", "no:xdist"]
    options += [
        "-k",
        "not nasgem and not graphpnas_rnn and not latentbo and not evolution and not local_search",
    ]
    done = python("-m", "pytest", *options, *(str(HERE / file) for file in files))
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    passed = re.search(r"(\d+) passed", done.stdout)
    assert passed is not None
    assert int(passed[1]) >= at_least
