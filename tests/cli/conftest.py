"""Running the command in this process, and one small search that several tests look at."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
import torch
from small_search import TINY

from graphnas.cli.main import main
from graphnas.errors import DataNotFound
from search_spaces import NASBench201
from search_spaces.tables import open_table


class Done(NamedTuple):
    code: int
    out: str
    err: str


Command = Callable[..., Done]


@pytest.fixture
def command(capsys: pytest.CaptureFixture[str]) -> Command:
    """Runs ``graphnas`` with the arguments given and returns exit code, stdout and stderr."""

    def run(*arguments: object) -> Done:
        capsys.readouterr()
        try:
            code = main([str(argument) for argument in arguments])
        except SystemExit as exit_:  # argparse ends so after --help, --version and errors of its own
            code = exit_.code
        printed = capsys.readouterr()
        return Done(code, printed.out, printed.err)

    return run


@pytest.fixture
def needs_table() -> None:
    """Skips without the table of NAS-Bench-201."""
    try:
        open_table(NASBench201())
    except DataNotFound as error:
        pytest.skip(str(error))


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Networks this small lose time with more threads."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def searched(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The output directory of a finished small search beside random search; not to be changed."""
    directory = tmp_path_factory.mktemp("searched")
    assert main(["search", *TINY, "--trials", "3", "--compare", "random", "--output", str(directory)]) == 0
    return directory
