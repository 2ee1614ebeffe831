"""Architectures from a generator: the valid and unseen among its samples, within a bound."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence

import numpy as np
import torch

from graphnas.errors import InvalidArgument, SpaceExhausted
from graphnas.graph.architecture import Architecture
from graphnas.graph.batch import ArchitectureBatch
from graphnas.graph.space import GraphSpace
from graphnas.methods.graphpnas.generator import ArchitectureGenerator
from graphnas.seeds import torch_generator

LARGEST_CHUNK = 1024
"""Samples of a generator drawn jointly, at most, unless more are asked for."""

Draw = Callable[[int], tuple[int, Iterable[Architecture]]]
"""Gives, by the number of a chunk, how many candidates were drawn, and those of them that differ."""


class CandidateStream:
    """An endless sequence of random candidates, of which the valid ones of a new key are kept.

    Who asks it for the first unseen architecture gets what the sequence and the keys seen determine, no
    matter how often or by whom it was asked before: that makes proposals a function of the state.

    Args:
        space: The search space.
        draw: The candidates of chunk 0, 1, ...; they may break a rule of the space.
        patience: Number of candidates in a row without a new key, after which the sequence ends (with the
            chunk that they are in).
    """

    def __init__(self, space: GraphSpace, draw: Draw, patience: int) -> None:
        self._space = space
        self._draw = draw
        self._patience = patience
        self._found: list[tuple[Architecture, str]] = []
        self._known: set[str] = set()
        self._drawn = 0
        self._in_vain = 0

    def __iter__(self) -> Iterator[tuple[Architecture, str]]:
        position = 0
        while True:
            while position == len(self._found):
                if self._in_vain >= self._patience:
                    return
                self._extend()
            yield self._found[position]
            position += 1

    def first_unseen(self, seen: Collection[str]) -> Architecture | None:
        """The first architecture whose key is not in ``seen``; None where the sequence is used up."""
        return next((architecture for architecture, key in self if key not in seen), None)

    def _extend(self) -> None:
        count, candidates = self._draw(self._drawn)
        self._drawn += 1
        self._in_vain += count
        for key, architecture in valid_by_key(self._space, candidates).items():
            if key not in self._known:
                self._in_vain = 0
                self._known.add(key)
                self._found.append((architecture, key))


def valid_by_key(space: GraphSpace, candidates: Iterable[Architecture]) -> dict[str, Architecture]:
    """The first valid one of each key among ``candidates``, in their order; some may break a rule."""
    valid = [a for a in dict.fromkeys(candidates) if space.is_valid(a)]
    found: dict[str, Architecture] = {}
    for architecture, key in zip(valid, space.keys(valid) if valid else (), strict=True):
        found.setdefault(key, architecture)
    return found


def generator_stream(
    generator: ArchitectureGenerator,
    seed: Sequence[int],
    *,
    chunk: int,
    candidates: int,
    likeliest: bool = False,
) -> CandidateStream:
    """The samples of ``generator``, until ``candidates`` in a row were nothing new.

    The first ``chunk`` of them are drawn jointly, then each time twice as many, up to :data:`LARGEST_CHUNK`:
    where few samples are valid, as in a part of a space that a table knows, many are needed.

    The released code draws ``b (5 t + 1)`` candidates in try t, for a batch of b and at most 20 tries, and
    rejects duplicates by equality of their matrices; here they are rejected up to isomorphism.

    Args:
        generator: The distribution.
        seed: Of the sequence.
        chunk: Samples drawn jointly at first.
        candidates: Samples in a row without a new valid architecture, after which there are no more.
        likeliest: Whether the samples drawn jointly are put in the order of their likelihood, the most likely
            first, rather than left in the order in which they were drawn.
    """

    def draw(number: int) -> tuple[int, Iterable[Architecture]]:
        source = torch_generator(*seed, number)
        size = max(chunk, min(chunk << min(number, 20), LARGEST_CHUNK))
        drawn = _distinct(generator.sample(size, source))
        if likeliest:
            with torch.no_grad():
                drawn = drawn[generator.log_prob(drawn).argsort(descending=True, stable=True)]
        return size, drawn.to("cpu")

    return CandidateStream(generator.space, draw, candidates)


def _distinct(batch: ArchitectureBatch) -> ArchitectureBatch:
    """Each graph once, where it first comes: late in a search, most samples are the same few."""
    adjacency, operations, sizes = batch.to_arrays()
    rows = np.concatenate([adjacency.reshape(len(sizes), -1), operations, sizes[:, None]], 1, dtype=np.int16)
    _, first = np.unique(rows, axis=0, return_index=True)
    return batch[np.sort(first)]


def sample_valid(
    generator: ArchitectureGenerator,
    n: int,
    *,
    seed: int = 0,
    exclude: Collection[str] = (),
    candidates: int = 100_000,
) -> list[Architecture]:
    """``n`` valid samples of ``generator`` that differ from each other up to isomorphism.

    Args:
        generator: The distribution.
        n: How many are wanted.
        seed: Of the samples.
        exclude: Keys of architectures that are not wanted.
        candidates: Samples in a row without a new valid architecture, after which the search for one ends.

    Raises:
        InvalidArgument: ``n`` is not positive.
        SpaceExhausted: The bound was reached first; it says how many were found.
    """
    if n < 1:
        raise InvalidArgument(f"n must be at least 1, got {n}")
    chunk = min(candidates, max(64, n), LARGEST_CHUNK)
    found: list[Architecture] = []
    for architecture, key in generator_stream(generator, [seed], chunk=chunk, candidates=candidates):
        if key not in exclude:
            found.append(architecture)
            if len(found) == n:
                return found
    raise SpaceExhausted(
        f"{generator.space.name}: {len(found)} of {n} valid and different architectures were found; "
        f"{candidates} more samples held none"
    )
