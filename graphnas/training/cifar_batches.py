"""The Python batches of the official CIFAR-10 and CIFAR-100 archives, read without running any code."""

from __future__ import annotations

import io
import os
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from graphnas.data_directory import data_directory
from graphnas.errors import CorruptData, DataNotFound

SIDE = 32
BYTES_PER_IMAGE = 3 * SIDE * SIDE


class _BatchUnpickler(pickle.Unpickler):
    """Reads only arrays and plain containers: a downloaded pickle must not name any other code."""

    def find_class(self, module: str, name: str) -> Any:
        allowed = {
            ("numpy", "ndarray"),
            ("numpy", "dtype"),
            ("numpy.core.multiarray", "_reconstruct"),
            ("numpy._core.multiarray", "_reconstruct"),
            ("numpy._core.numeric", "_frombuffer"),
            ("numpy.core.numeric", "_frombuffer"),
            ("_codecs", "encode"),
        }
        if (module, name) not in allowed:
            raise pickle.UnpicklingError(f"it names {module}.{name}, which no CIFAR batch does")
        return super().find_class(module.replace("numpy.core", "numpy._core"), name)


def read_pickle(path: str | os.PathLike[str]) -> dict[str, Any]:
    """The dict in a file of the archives, by name.

    Raises:
        CorruptData: It cannot be read, or holds anything other than plain data.
    """
    try:
        content = _BatchUnpickler(io.BytesIO(Path(path).read_bytes()), encoding="bytes").load()
        return {k.decode() if isinstance(k, bytes) else str(k): v for k, v in content.items()}
    except Exception as error:  # a damaged pickle can raise nearly anything
        raise CorruptData(f"{path} is not a CIFAR batch: {error}") from error


def read_batch(
    path: str | os.PathLike[str], labels_key: str = "labels", classes: int = 10
) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Images ``(n, 3, 32, 32)`` and labels ``(n,)`` of one official Python batch.

    Args:
        path: The file.
        labels_key: Name of the labels: ``"labels"`` in CIFAR-10, ``"fine_labels"`` in CIFAR-100.
        classes: Number of classes.

    Raises:
        CorruptData: The file is not such a batch.
    """
    content = read_pickle(path)
    try:
        images = np.asarray(content["data"], np.uint8).reshape(-1, 3, SIDE, SIDE)
        labels = np.asarray(content[labels_key], np.int64)
    except Exception as error:  # numpy raises several kinds for what is no array of numbers
        raise CorruptData(f"{path} is not a CIFAR batch: {type(error).__name__}: {error}") from error
    if labels.shape != (len(images),) or labels.min(initial=0) < 0 or labels.max(initial=0) >= classes:
        raise CorruptData(f"{path} is not a CIFAR batch: {len(images)} images, labels {labels.shape}")
    return images, labels


DataDirectory = str | os.PathLike[str] | None


def found_or_downloaded(
    find: Callable[[DataDirectory], Path], name: str, data_dir: DataDirectory, download: bool
) -> Path:
    """What ``find`` finds in the data directory, after a download if it must and may be downloaded.

    Args:
        find: ``find(data_dir)`` raises DataNotFound where it is not there.
        name: torchvision's class, ``CIFAR10`` or ``CIFAR100``.
        data_dir: The data directory.
        download: Whether torchvision may download it.

    Raises:
        DataNotFound: It is not there, or could not be downloaded.
        MissingExtra: torchvision is needed and not installed.
    """
    try:
        return find(data_dir)
    except DataNotFound:
        if not download:
            raise
    download_cifar(name, data_directory(data_dir))
    return find(data_dir)


def download_cifar(name: str, directory: Path) -> None:
    """Let torchvision download ``CIFAR10`` or ``CIFAR100`` into the folder ``torchvision`` of ``directory``.

    Raises:
        DataNotFound: It could not be downloaded.
        MissingExtra: torchvision is not installed.
    """
    from graphnas.training.torchvision_compat import import_torchvision

    kind = getattr(import_torchvision().datasets, name)
    try:
        kind(root=str(directory / "torchvision"), download=True)
    except (OSError, RuntimeError) as error:
        raise DataNotFound(f"{name} could not be downloaded into {directory}: {error}") from error
