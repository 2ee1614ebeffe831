"""Sampling architectures from a generator: the valid and unseen ones, within a bound on the draws."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from itertools import islice

import numpy as np
import torch

from graphnas.errors import InvalidArgument, SpaceExhausted
from graphnas.graph.architecture import Architecture
from graphnas.graph.batch import ArchitectureBatch
from graphnas.graph.space import GraphSpace
from graphnas.methods.graphpnas.generator import ArchitectureGenerator
from graphnas.seeds import torch_generator

LARGEST_CHUNK = 1024
"""The most samples that a generator draws jointly, unless more are asked for."""

Draw = Callable[[int], tuple[int, Iterable[Architecture]]]
"""For the number of a chunk, how many candidates were drawn, and the different ones among them."""


class CandidateStream:
    """A sequence of random candidates, drawn as needed, of which the valid ones with a new key are kept.

    The first unseen architecture depends only on the sequence and the keys seen, not on earlier queries, so
    proposals are pure.

    Args:
        space: The search space.
        draw: Draws the candidates of chunk 0, 1, ...; they may break a rule of the space.
        patience: Number of candidates in a row without a new key after which the sequence ends (with the
            chunk that they are in).
    """

    def __init__(self, space: GraphSpace, draw: Draw, patience: int) -> None:
        self._space = space
        self._draw = draw
        self._patience = patience
        self._kept: list[tuple[Architecture, str]] = []
        self._known: set[str] = set()
        self._chunks = 0
        self._fruitless = 0

    def __iter__(self) -> Iterator[tuple[Architecture, str]]:
        position = 0
        while True:
            while position == len(self._kept):
                if self._fruitless >= self._patience:
                    return
                self._extend()
            yield self._kept[position]
            position += 1

    def first_unseen(self, seen: Collection[str]) -> Architecture | None:
        """The first architecture whose key is not in ``seen``; None if the sequence ends before."""
        return next((architecture for architecture, key in self if key not in seen), None)

    def _extend(self) -> None:
        count, candidates = self._draw(self._chunks)
        self._chunks += 1
        self._fruitless += count
        for key, architecture in valid_by_key(self._space, candidates).items():
            if key not in self._known:
                self._fruitless = 0
                self._known.add(key)
                self._kept.append((architecture, key))


def valid_by_key(space: GraphSpace, candidates: Iterable[Architecture]) -> dict[str, Architecture]:
    """The first valid architecture of each key among ``candidates``, in their order."""
    valid = [a for a in dict.fromkeys(candidates) if space.is_valid(a)]
    first: dict[str, Architecture] = {}
    for architecture, key in zip(valid, space.keys(valid) if valid else (), strict=True):
        first.setdefault(key, architecture)
    return first


def generator_stream(
    space: GraphSpace,
    generator: Callable[[], ArchitectureGenerator],
    seed: Sequence[int],
    *,
    chunk: int,
    candidates: int,
    likeliest: bool = False,
) -> CandidateStream:
    """The samples of a generator, until ``candidates`` in a row held nothing new.

    The first ``chunk`` of them are drawn jointly, then twice as many each time, up to :data:`LARGEST_CHUNK`:
    where few samples are valid, as in a restricted space, many are needed.

    The released code draws ``b (5 t + 1)`` candidates in try t, for a batch of b and at most 20 tries, and
    rejects duplicates by equality of their matrices; here they are rejected up to isomorphism.

    Args:
        space: The search space.
        generator: Returns the distribution, each time that samples are drawn: a search trains its generator
            on, and has to restore the one that a sequence began with.
        seed: Seed of the sequence.
        chunk: Number of samples drawn jointly at first.
        candidates: Number of samples in a row without a new valid architecture after which the sequence ends.
        likeliest: Whether samples drawn jointly are sorted by their likelihood, the most likely first, rather
            than left in the order in which they were drawn.
    """

    def draw(number: int) -> tuple[int, Iterable[Architecture]]:
        source = torch_generator(*seed, number)
        size = max(chunk, min(chunk << min(number, 20), LARGEST_CHUNK))
        current = generator()
        drawn = _distinct(current.sample(size, source))
        if likeliest:
            with torch.no_grad():
                drawn = drawn[current.log_prob(drawn).argsort(descending=True, stable=True)]
        return size, drawn.to("cpu")

    return CandidateStream(space, draw, candidates)


def _distinct(batch: ArchitectureBatch) -> ArchitectureBatch:
    """Each graph once, at its first occurrence: late in a search, most samples are the same few."""
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
        n: Number of samples.
        seed: Seed of the samples.
        exclude: Keys of architectures to leave out.
        candidates: Number of samples in a row without a new valid architecture after which to give up.

    Raises:
        InvalidArgument: ``n`` is not positive.
        SpaceExhausted: Fewer were found; the message says how many.
    """
    if n < 1:
        raise InvalidArgument(f"n must be at least 1, got {n}")
    chunk = min(candidates, max(64, n), LARGEST_CHUNK)
    stream = generator_stream(generator.space, lambda: generator, [seed], chunk=chunk, candidates=candidates)
    samples = list(islice((architecture for architecture, key in stream if key not in exclude), n))
    if len(samples) < n:
        raise SpaceExhausted(
            f"{generator.space.name}: {len(samples)} of {n} valid and different architectures were found; "
            f"{candidates} more samples held none"
        )
    return samples
