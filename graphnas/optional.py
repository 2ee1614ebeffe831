"""Import of optional dependencies where they are used, with an error that names the install command."""

from __future__ import annotations

import importlib
from types import ModuleType

from graphnas.errors import MissingExtra


def require(module: str, extra: str) -> ModuleType:
    """Import ``module``, which the extra ``extra`` installs.

    Raises:
        MissingExtra: The module is not installed; the message names ``pip install "graphnas[extra]"``.
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name is None or error.name.split(".")[0] != module.split(".")[0]:
            raise  # installed, but one of its own imports is broken: the original error says which
        message = f'{module} is not installed; run: pip install "graphnas[{extra}]"'
        raise MissingExtra(message) from error
