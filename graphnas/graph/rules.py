"""How a space's rule for one architecture and its rule for a batch stand for each other.

A space may say what it holds, and how it is sampled, for one architecture or for many at once. Whichever of
the two a class overrides, the other one follows from it, also where a base class has both.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from graphnas.errors import InvalidArchitecture, InvalidArgument
from graphnas.graph.architecture import Architecture

if TYPE_CHECKING:
    from graphnas.graph.batch import ArchitectureBatch
    from graphnas.graph.space import GraphSpace

_SLOW = "_asks_one_by_one"
"""Mark of a method for batches that asks for each architecture."""


def pair_up(cls: type[GraphSpace]) -> None:
    """Derive what ``cls`` does not define itself of ``check`` and ``check_batch``, and of the samplers.

    What the nearest class in the method resolution order overrides decides. ``valid_batch`` follows an
    overridden ``validate``, but not the other way round.
    """
    if _distance(cls, "check") < _distance(cls, "check_batch"):
        cls.check_batch = _asking_each(cls, "check")  # type: ignore[method-assign]
    elif _distance(cls, "check_batch") < _distance(cls, "check"):
        cls.check = _asking_for_one(cls)  # type: ignore[method-assign]
    if _distance(cls, "validate") < _distance(cls, "valid_batch"):
        cls.valid_batch = _asking_each(cls, "validate")  # type: ignore[method-assign]
    if _distance(cls, "sample") < _distance(cls, "_sample_arrays"):
        cls._sample_arrays = _sampling_each(cls)  # type: ignore[method-assign]
    elif _distance(cls, "_sample_arrays") < _distance(cls, "sample"):
        cls.sample = _sampling_one(cls)  # type: ignore[method-assign]


def in_batches(space: GraphSpace) -> bool:
    """Whether a batch of ``space`` is checked at once, rather than one architecture after the other."""
    cls = type(space)
    return not (hasattr(cls.check_batch, _SLOW) or hasattr(cls.valid_batch, _SLOW))


def checked_mask(mask: object, size: int, name: str) -> NDArray[np.bool_]:
    """What ``check_batch`` returned, as an array.

    Raises:
        InvalidArgument: It is not one boolean for each of the ``size`` architectures.
    """
    array = np.asarray(mask)
    if array.dtype != bool or array.shape != (size,):
        raise InvalidArgument(
            f"{name}: check_batch must return {size} booleans, one for each architecture, "
            f"got {array.dtype} of shape {array.shape}"
        )
    return array


def _distance(cls: type, method: str) -> int:
    """Number of classes before the one that defines ``method`` for ``cls``."""
    return next(k for k, base in enumerate(cls.__mro__) if method in vars(base))


def _asking_each(cls: type[GraphSpace], method: str) -> Any:
    def mask(self: GraphSpace, batch: ArchitectureBatch) -> NDArray[np.bool_]:
        ask = getattr(cls, method)
        return np.fromiter((_accepts(ask, self, one) for one in batch), bool, len(batch))

    mask.__doc__ = f"``(B,)``: which architectures :meth:`{method}` accepts, one after the other."
    setattr(mask, _SLOW, True)
    return mask


def _accepts(ask: Any, space: GraphSpace, architecture: Architecture) -> bool:
    try:
        ask(space, architecture)
    except InvalidArchitecture:
        return False
    return True


def _asking_for_one(cls: type[GraphSpace]) -> Any:
    def check(self: GraphSpace, architecture: Architecture) -> None:
        """The rule of :meth:`check_batch`, for one architecture."""
        mask = cls.check_batch(self, _batch_of([architecture], self.max_nodes))
        if not checked_mask(mask, 1, self.name)[0]:
            raise InvalidArchitecture(f"{self.name}: the space's rule refuses {architecture!r}")

    return check


def _sampling_each(cls: type[GraphSpace]) -> Any:
    def sample_arrays(self: GraphSpace, rng: np.random.Generator, size: int) -> tuple[NDArray[Any], ...]:
        drawn = [cls.sample(self, rng) for _ in range(size)]
        return _batch_of(drawn, self.max_nodes).to_arrays()

    return sample_arrays


def _sampling_one(cls: type[GraphSpace]) -> Any:
    def sample(self: GraphSpace, rng: np.random.Generator) -> Architecture:
        """A random architecture, drawn as those of :meth:`sample_batch`."""
        from graphnas.graph.batch import ArchitectureBatch

        return ArchitectureBatch.from_arrays(*cls._sample_arrays(self, rng, 1)).architecture(0)

    return sample


def _batch_of(architectures: Sequence[Architecture], max_nodes: int) -> ArchitectureBatch:
    from graphnas.graph.batch import ArchitectureBatch

    return ArchitectureBatch.from_architectures(architectures, max_nodes)
