"""The one setting that says where data is."""

from __future__ import annotations

from pathlib import Path

import pytest

from graphnas.data_directory import DEFAULT_DIRECTORY, ENVIRONMENT_VARIABLE, data_directory, find_data
from graphnas.errors import DataNotFound


def test_the_argument_wins_over_the_variable_over_the_default(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.delenv(ENVIRONMENT_VARIABLE, raising=False)
    assert data_directory() == DEFAULT_DIRECTORY.expanduser()
    monkeypatch.setenv(ENVIRONMENT_VARIABLE, "")
    assert data_directory() == DEFAULT_DIRECTORY.expanduser()
    monkeypatch.setenv(ENVIRONMENT_VARIABLE, str(tmp_path))
    assert data_directory() == tmp_path
    assert data_directory(tmp_path / "other") == tmp_path / "other"
    monkeypatch.setenv(ENVIRONMENT_VARIABLE, "~/tables")
    assert data_directory() == Path.home() / "tables"


def test_the_first_candidate_that_exists_is_found(tmp_path: Path):
    (tmp_path / "deep").mkdir()
    for name in ("deep/b.csv", "deep/a.csv", "last.npz"):
        (tmp_path / name).touch()

    def find(*candidates: str) -> Path:
        return find_data(candidates, what="The table", how_to_get="", data_dir=tmp_path)

    assert find("missing.npz", "deep/*.csv", "last.npz") == tmp_path / "deep" / "a.csv"
    assert find("last.npz", "deep/*.csv") == tmp_path / "last.npz"


def test_what_is_missing_is_named_with_the_way_to_get_it(tmp_path: Path):
    with pytest.raises(DataNotFound) as raised:
        find_data(
            ["a.npz", "b/*.csv"], what="The table", how_to_get="Download 3 MB.", data_dir=tmp_path / "none"
        )
    message = str(raised.value)
    for part in (
        "The table not found",
        str(tmp_path / "none"),
        "a.npz, b/*.csv",
        "Download 3 MB.",
        "GRAPHNAS_DATA",
    ):
        assert part in message
    assert isinstance(raised.value, FileNotFoundError)
