"""Optional dependencies: what is missing is named, what is broken is not disguised."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path

import pytest

from graphnas import errors
from graphnas.optional import require

ROOT = Path(__file__).parents[1]


def test_an_installed_module_is_returned():
    assert require("json", "any") is json


def test_a_missing_module_names_the_command_that_installs_it():
    with pytest.raises(
        errors.MissingExtra, match=r'no_such_thing.part .* pip install "graphnas\[plots\]"'
    ) as raised:
        require("no_such_thing.part", "plots")
    assert isinstance(raised.value, ImportError)
    assert isinstance(raised.value.__cause__, ModuleNotFoundError)


def test_a_module_whose_own_import_fails_keeps_its_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "broken_module.py").write_text("import no_such_dependency\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ModuleNotFoundError, match="no_such_dependency") as raised:
        require("broken_module", "plots")
    assert not isinstance(raised.value, errors.MissingExtra)


def test_every_extra_that_an_error_names_exists():
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    named = {}
    for folder in ("graphnas", "optuna_graphnas", "nni_graphnas", "search_spaces", "benchmarks"):
        for path in (ROOT / folder).rglob("*.py"):
            for extra in re.findall(r'\brequire\("[\w.]+", "(\w+)"\)', path.read_text(encoding="utf-8")):
                named.setdefault(extra, path)
    assert {"plots", "optuna", "nni", "images"} <= named.keys()
    assert named.keys() <= extras.keys(), named


def test_every_error_is_ours_and_a_standard_one():
    standard = {
        errors.InvalidArchitecture: ValueError,
        errors.InvalidArgument: ValueError,
        errors.DataNotFound: FileNotFoundError,
        errors.CorruptData: ValueError,
        errors.MissingExtra: ImportError,
        errors.SpaceExhausted: RuntimeError,
    }
    for error, base in standard.items():
        assert issubclass(error, errors.GraphNASError)
        assert issubclass(error, base)
        assert str(error("what and why")) == "what and why"
