"""Failures of one network's training, as distinct from errors of the search itself."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TypeVar

import torch

from graphnas.errors import GraphNASError, TrainingFailed
from graphnas.training.measuring import Diverged

R = TypeVar("R")


@contextmanager
def network_errors() -> Iterator[None]:
    """Turn any error of a network's construction or training into TrainingFailed with a reason.

    Errors that graphnas raises on purpose (an invalid architecture, a damaged image) are not the network's
    fault and pass through, as does an interrupt.
    """
    try:
        yield
    except GraphNASError:
        raise
    except Exception as error:
        raise TrainingFailed(reason_of(error)) from error


def network_errors_in(results: Iterator[R]) -> Iterator[R]:
    """``results``, with :func:`network_errors` around the making of each, but not around its use."""
    while True:
        with network_errors():
            try:
                result = next(results)
            except StopIteration:
                return
        yield result


def reason_of(error: Exception) -> str:
    """One line that says why a network could not be trained."""
    message = " ".join(str(error).split())[:300]
    if isinstance(error, Diverged):
        return f"diverged: {message}"
    exhausted = ("out of memory", "not enough memory", "can't allocate memory", "cannot allocate memory")
    if isinstance(error, MemoryError | torch.cuda.OutOfMemoryError) or (
        isinstance(error, RuntimeError) and any(phrase in message.lower() for phrase in exhausted)
    ):
        return f"out of memory: {message or type(error).__name__}"
    return f"{type(error).__name__}: {message}"
