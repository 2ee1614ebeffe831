"""Labels as integers: from integers, one-hot vectors or the names of classes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import torch

from graphnas.errors import InvalidArgument

ALLOWED = "allowed: integers of at least 0, one-hot vectors, or names of classes"


def plain_label(value: Any, where: str) -> int | str:
    """The label of one item as an integer or a name.

    Args:
        value: An integer, a one-hot vector, or a string; numpy's and torch's kinds of them too.
        where: Names the item in messages.

    Raises:
        InvalidArgument: Anything else, such as a float, which may be a target of a regression.
    """
    if isinstance(value, str):
        return str(value)
    if isinstance(value, int | np.integer) and not isinstance(value, bool):
        return int(value)
    if isinstance(value, torch.Tensor | np.ndarray | list | tuple):
        try:
            array = value.detach().cpu().numpy() if isinstance(value, torch.Tensor) else np.asarray(value)
        except ValueError as error:  # lists of different lengths
            raise InvalidArgument(f"{where}: the label {value!r} is no vector; {ALLOWED}") from error
        if array.size == 1 and array.dtype.kind in "iuU":
            return plain_label(array.reshape(())[()], where)
        if array.ndim == 1 and array.size > 1 and is_one_hot(array[None]):
            return int(array.argmax())
        raise InvalidArgument(
            f"{where}: a label of shape {array.shape} and type {array.dtype} is not one-hot; {ALLOWED}"
        )
    raise InvalidArgument(f"{where}: the label is {value!r}, a {type(value).__name__}; {ALLOWED}")


def is_one_hot(array: np.ndarray[Any, Any]) -> bool:
    """Whether every row has a single 1 and otherwise 0."""
    return array.dtype.kind in "biuf" and bool(
        ((array == 0) | (array == 1)).all() and ((array == 1).sum(1) == 1).all()
    )


def label_indices(
    labels: Any, what: str, known: Sequence[str] | None = None
) -> tuple[torch.Tensor, tuple[str, ...]]:
    """Labels of many images as integers.

    Args:
        labels: An array, a tensor or a list of what :func:`plain_label` takes.
        what: Names the set in messages.
        known: Names of the classes of the training images, empty if their labels are integers; None for the
            training images themselves.

    Returns:
        ``(n,)`` int64, and the names of the classes, sorted, if the labels are names.

    Raises:
        InvalidArgument: They are of another kind, of several, or not among ``known``.
    """
    if not isinstance(labels, torch.Tensor | np.ndarray):
        if isinstance(labels, str) or not isinstance(labels, Iterable):
            raise InvalidArgument(f"{what} labels must have shape (n,), got {labels!r}")
        labels = [plain_label(value, f"{what} item {i}") for i, value in enumerate(labels)]
        kinds = {type(value) for value in labels}
        if len(kinds) > 1:
            first = {kind: next(i for i, v in enumerate(labels) if type(v) is kind) for kind in kinds}
            raise InvalidArgument(
                f"{what}: the label of item {first[int]} is an integer, that of item {first[str]} a name"
            )
    array = labels.detach().cpu().numpy() if isinstance(labels, torch.Tensor) else np.asarray(labels)
    if array.dtype.kind == "O":
        return label_indices(array.tolist(), what, known)
    if array.ndim == 2 and array.shape[1] == 1 and array.dtype.kind in "iuU":
        array = array[:, 0]
    if array.ndim == 2 and array.shape[1] > 1:
        if not len(array) or not is_one_hot(array):
            raise InvalidArgument(f"{what} labels of shape {array.shape} are not one-hot; {ALLOWED}")
        array = array.argmax(1)
    if array.ndim != 1 or not len(array):
        raise InvalidArgument(f"{what} labels must have shape (n,), got {array.shape}")
    if array.dtype.kind == "U":
        return _of_names(array, what, known)
    if array.dtype.kind not in "iu":
        kind = str(labels.dtype if isinstance(labels, torch.Tensor) else array.dtype)
        raise InvalidArgument(f"{what} labels must be integers, got {kind}; {ALLOWED}")
    if known:
        raise InvalidArgument(f"{what} labels are integers, those of the training images names")
    if array.min() < 0:
        raise InvalidArgument(f"{what} labels must be at least 0, got {int(array.min())}")
    return torch.from_numpy(array.astype(np.int64)), ()


def _of_names(
    array: np.ndarray[Any, Any], what: str, known: Sequence[str] | None
) -> tuple[torch.Tensor, tuple[str, ...]]:
    if known is not None and not known:
        raise InvalidArgument(f"{what} labels are names, those of the training images integers")
    names = np.unique(array) if known is None else np.asarray(known)
    unknown = sorted(set(array.tolist()) - set(names.tolist()))
    if unknown:
        raise InvalidArgument(f"{what} has labels that the training images lack: {', '.join(unknown[:5])}")
    order = np.argsort(names)
    found = order[np.searchsorted(names, array, sorter=order)]
    return torch.from_numpy(found.astype(np.int64)), tuple(str(name) for name in names)
