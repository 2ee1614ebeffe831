"""Without NNI the tests of this folder that need it are skipped, saying so."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from graphnas.errors import MissingExtra
from nni_graphnas.host import require_nas

WITHOUT_NNI = ("test_search_space.py", "test_journal.py")

try:
    require_nas()  # before any test module imports nni.nas: see there
    missing = ""
except MissingExtra as error:
    missing = str(error)


class _Skipped(pytest.Module):
    def collect(self) -> Iterator[pytest.Item]:
        pytest.skip(missing, allow_module_level=True)


def pytest_pycollect_makemodule(module_path: Path, parent: pytest.Collector) -> pytest.Module | None:
    """A module that is not imported, if what it imports is not there."""
    if missing and module_path.name not in WITHOUT_NNI:
        return _Skipped.from_parent(parent, path=module_path)
    return None
