"""Files of saved models and checkpoints: complete or not there, and checked when they are read."""

from __future__ import annotations

import os
import pickle
from pathlib import Path
from typing import Any

import torch

from graphnas.errors import CorruptData, DataNotFound


def write_file(path: Path, content: dict[str, Any]) -> None:
    """Store ``content`` so that the file is either complete or not there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    torch.save(content, part)
    os.replace(part, path)


def read_file(path: Path, expected: str, version: int) -> dict[str, Any]:
    """The content of a file of the format ``expected``.

    Raises:
        DataNotFound: There is no file.
        CorruptData: It is damaged, or of another format or version.
    """
    if not path.is_file():
        raise DataNotFound(f"there is no file {path}")
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except (RuntimeError, EOFError, OSError, ValueError, KeyError, pickle.UnpicklingError) as error:
        raise CorruptData(f"{path} cannot be read: {error}") from error
    found = (content.get("format"), content.get("version")) if isinstance(content, dict) else (None, None)
    if found != (expected, version):
        raise CorruptData(
            f"{path} has format {found[0]!r}, version {found[1]!r}; expected {expected!r}, version {version}"
        )
    return dict(content)
