"""Reads the plain data of a pickle without importing or calling anything that it names.

A pickle may name any function of any module, to be imported and called. Here nothing is imported: containers
and numbers are read, and every other object becomes an inert :class:`Opaque`, which no table accepts as a
number.
"""

from __future__ import annotations

import collections
import pickle
from typing import Any, BinaryIO

import numpy as np

from graphnas.errors import CorruptData


class Opaque:
    """Stands in for an object that is not plain data; does nothing while it is unpickled."""

    def __init__(self, *_args: object, **_keywords: object) -> None:
        pass

    def _ignore(self, *_args: object) -> None:
        pass

    __setstate__ = __setitem__ = append = extend = add = _ignore


def load_plain(stream: BinaryIO, name: object) -> Any:
    """The object pickled in ``stream``: dicts, lists, sets, text and numbers, numpy's scalars included.

    Args:
        stream: The (decompressed) pickle.
        name: Its name in error messages.

    Raises:
        CorruptData: It is truncated or no pickle.
    """
    try:
        return _PlainUnpickler(stream, encoding="latin1").load()
    except Exception as error:  # a damaged pickle can raise nearly anything
        raise CorruptData(f"{name} is truncated or not a pickle ({error!r}); copy it again") from error


class _PlainUnpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == ("collections", "OrderedDict"):
            return collections.OrderedDict
        if (module, name) == ("collections", "defaultdict"):
            return _dictionary
        if (module, name) == ("numpy", "dtype"):
            return _NumberType
        if module in ("numpy.core.multiarray", "numpy._core.multiarray") and name == "scalar":
            return _scalar
        return Opaque


def _dictionary(*_factory: object) -> dict[Any, Any]:
    return {}


class _NumberType:
    """Stands in for the numpy type of a scalar."""

    def __init__(self, description: str, *_flags: object) -> None:
        self.dtype = np.dtype(description)
        if self.dtype.kind not in "biuf":
            raise ValueError(f"numpy type {description!r} is not a number's")

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        byte_order = state[1]  # (version, byte order, ...): what follows describes structured types
        if byte_order in ("<", ">"):
            self.dtype = self.dtype.newbyteorder(byte_order)


def _scalar(number_type: _NumberType, data: bytes | str) -> float | int:
    raw = data.encode("latin1") if isinstance(data, str) else data
    value: float | int = np.frombuffer(raw, number_type.dtype)[0].item()
    return value
