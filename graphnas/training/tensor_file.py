"""Files of tensors, numbers and text, written atomically and read without running any code."""

from __future__ import annotations

import os
import pickle
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from graphnas.errors import CorruptData, DataNotFound
from graphnas.files import replacing


def write_tensor_file(
    path: str | os.PathLike[str], kind: str, version: int, content: Mapping[str, Any]
) -> Path:
    """Write ``content`` (tensors, numbers, text, lists and dictionaries of them) with its kind and version.

    Returns:
        The path.
    """
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    with replacing(target) as part:
        torch.save({"format": kind, "version": version, **content}, part)
    return target


def check_format(content: object, kind: str, version: int, source: Path) -> None:
    """Check that ``content``, read from ``source``, states this kind and version.

    Raises:
        CorruptData: It does not.
    """
    stated = (content.get("format"), content.get("version")) if isinstance(content, dict) else (None, None)
    if stated != (kind, version):
        raise CorruptData(
            f"{source} has format {stated[0]!r} and version {stated[1]!r}; "
            f"this release reads {kind!r}, version {version}"
        )


def read_tensor_file(path: str | os.PathLike[str], kind: str, version: int) -> dict[str, Any]:
    """The content of a file written by :func:`write_tensor_file`, with its tensors on the CPU.

    Raises:
        DataNotFound: There is no such file.
        CorruptData: It is damaged, or of another kind or version.
    """
    source = Path(path)
    content = load_tensors(source)
    check_format(content, kind, version, source)
    return {name: value for name, value in content.items() if name not in ("format", "version")}


def load_tensors(path: Path) -> Any:
    """What ``torch.save`` wrote to a file, on the CPU and without running any code.

    Raises:
        DataNotFound: There is no such file.
        CorruptData: It is damaged, or holds more than tensors, numbers and text.
    """
    if not path.is_file():
        raise DataNotFound(f"there is no file {path}")
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except (
        RuntimeError,
        EOFError,
        OSError,
        ValueError,
        KeyError,
        TypeError,
        AttributeError,
        IndexError,
        pickle.UnpicklingError,
        zipfile.BadZipFile,
    ) as error:
        reason = str(error).split("\n")[0][:200]
        raise CorruptData(f"{path} cannot be read as tensors: {reason}") from error


def load_weights(module: torch.nn.Module, weights: object) -> None:
    """Load ``weights`` into ``module``, or refuse them before changing anything.

    Raises:
        CorruptData: They are not the state of such a module.
    """
    expected = module.state_dict()
    if not isinstance(weights, dict) or not all(isinstance(w, torch.Tensor) for w in weights.values()):
        raise CorruptData("the weights are not a dictionary of tensors")
    for name in (*expected, *weights):
        ours, theirs = expected.get(name), weights.get(name)
        if ours is None or theirs is None or ours.shape != theirs.shape:
            shapes = [None if t is None else tuple(t.shape) for t in (ours, theirs)]
            raise CorruptData(f"weight {name!r} has shape {shapes[1]}, expected is {shapes[0]}")
    module.load_state_dict(weights)
