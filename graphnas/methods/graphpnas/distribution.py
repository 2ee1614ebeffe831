"""LearnedDistribution: the distribution of architectures that a search learned, to sample, save and load."""

from __future__ import annotations

import copy
import dataclasses
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from graphnas.errors import CorruptData, GraphNASError, InvalidArgument, SpaceExhausted
from graphnas.graph.architecture import Architecture
from graphnas.graph.batch import ArchitectureBatch
from graphnas.graph.space import GraphSpace
from graphnas.methods.graphpnas.config import GraphPNASConfig
from graphnas.methods.graphpnas.factory import make_generator
from graphnas.methods.graphpnas.generator import ArchitectureGenerator
from graphnas.seeds import torch_generator
from graphnas.training.saved_space import describe_space, described_space
from graphnas.training.tensor_file import load_weights, read_tensor_file, write_tensor_file

FORMAT = "graphnas.distribution"
VERSION = 3

FIRST, CHUNK = 32, 1024
"""Samples drawn jointly at first, and at most; at most so many architectures are scored jointly, too."""


class Ranked(NamedTuple):
    """An architecture and its log-probability."""

    architecture: Architecture
    log_prob: float


class LearnedDistribution:
    """A distribution over the architectures of a space.

    GraphPNAS ends with a generator rather than with one architecture: samples of it are good architectures
    that were never evaluated (section 4 trains 8 of them from scratch). Obtained from
    :meth:`graphnas.methods.graphpnas.GraphPNAS.distribution`, or from a file by :meth:`load`.

    Args:
        generator: The generator; it is copied, since a search continues to train its own.
        config: The configuration from which :func:`.factory.make_generator` makes such a generator.
    """

    def __init__(self, generator: ArchitectureGenerator, config: GraphPNASConfig) -> None:
        self.generator = copy.deepcopy(generator, {id(generator.space): generator.space}).eval()
        self.config = config
        self.space: GraphSpace = generator.space

    def sample(self, n: int, seed: int = 0, *, tries: int = 100) -> list[Architecture]:
        """``n`` independent samples in :func:`learned_form`; those that break a rule are drawn anew.

        Args:
            n: Number of samples; the same architecture may occur several times.
            seed: Seed of the samples; a larger ``n`` only adds to them.
            tries: Gives up after ``tries * max(n, 32)`` draws.

        Raises:
            InvalidArgument: ``n`` is not positive.
            SpaceExhausted: Too few valid samples; the message says how many.
        """
        if isinstance(n, bool) or not isinstance(n, int) or n < 1:
            raise InvalidArgument(f"n must be an integer of at least 1, got {n!r}")
        samples: list[Architecture] = []
        number = drawn = 0
        while drawn < tries * max(n, FIRST):
            # The sizes of the draws do not depend on n, so that a larger n only adds samples.
            size = min(FIRST * 2**number, CHUNK)
            batch = self.generator.sample(size, torch_generator(seed, number))
            architectures = batch.to("cpu").to_architectures()
            number, drawn = number + 1, drawn + size
            forms = {a: learned_form(self.space, a) for a in set(architectures) if self.space.is_valid(a)}
            samples += [forms[a] for a in architectures if a in forms]
            if len(samples) >= n:
                return samples[:n]
        raise SpaceExhausted(f"{self.space.name}: only {len(samples)} of {n} samples are valid architectures")

    def log_prob(self, architectures: Sequence[Architecture]) -> NDArray[np.float64]:
        """Natural logarithm of the probability of each architecture, ``(n,)``.

        This is the probability of the graph in :func:`learned_form` alone, not of all graphs isomorphic to
        it, and, if samples may break rules of the space, that of a draw before rejection.

        Raises:
            InvalidArgument: There is no architecture.
            InvalidArchitecture: An architecture is not in the space.
        """
        if len(architectures) == 0:
            raise InvalidArgument("architectures must hold at least one, got none")
        forms = [learned_form(self.space, architecture) for architecture in architectures]
        batch = ArchitectureBatch.from_architectures(forms, self.space.max_nodes).to(self.generator.device)
        with torch.no_grad():
            parts = [self.generator.log_prob(batch[k : k + CHUNK]) for k in range(0, len(forms), CHUNK)]
        return torch.cat(parts).double().cpu().numpy()

    def top_k(self, k: int, *, samples: int = 1000, seed: int = 0) -> list[Ranked]:
        """The ``k`` most probable of ``samples`` samples, each network once; fewer if there are fewer.

        Raises:
            InvalidArgument: ``k`` or ``samples`` is not positive.
            SpaceExhausted: Too few samples are valid.
        """
        for name, value in (("k", k), ("samples", samples)):
            if value < 1:
                raise InvalidArgument(f"{name} must be at least 1, got {value}")
        drawn = list(dict.fromkeys(self.sample(samples, seed)))
        scores = self.log_prob(drawn)
        ranked: dict[str, Ranked] = {}
        for index in np.argsort(-scores, kind="stable").tolist():
            entry = Ranked(drawn[index], float(scores[index]))
            ranked.setdefault(self.space.key(entry.architecture), entry)
            if len(ranked) == k:
                break
        return list(ranked.values())

    # ---------------------------------------------------------------- files

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the weights, the configuration, and the name and arguments of the space to one file.

        Returns:
            The path.
        """
        weights = {name: value.cpu() for name, value in self.generator.state_dict().items()}
        content = {
            "space": describe_space(self.space),
            "config": dataclasses.asdict(self.config),
            "weights": weights,
        }
        return write_tensor_file(path, FORMAT, VERSION, content)

    @classmethod
    def load(cls, path: str | os.PathLike[str], *, space: GraphSpace | None = None) -> LearnedDistribution:
        """Read a file of :meth:`save`; the generator is on the CPU.

        Args:
            path: The file.
            space: Needed only for a user's own space.

        Raises:
            DataNotFound: There is no such file.
            CorruptData: It is damaged, or of another kind or version.
            InvalidArgument: ``space`` is needed and missing, or is another space.
        """
        content = read_tensor_file(path, FORMAT, VERSION)
        try:
            home = described_space(content["space"], space, f"the distribution in {path}")
            config, weights = content["config"], content["weights"]
        except (KeyError, TypeError) as error:
            raise CorruptData(f"{path} is incomplete: {error!r}") from error
        try:
            settings = GraphPNASConfig(**{**config, "device": "cpu"})
            generator = make_generator(home, settings, torch_generator(0))
        except (TypeError, GraphNASError) as error:
            raise CorruptData(f"{path} holds a configuration that cannot be used: {error}") from error
        load_weights(generator, weights)
        return cls(generator, settings)

    def __repr__(self) -> str:
        return f"LearnedDistribution({self.space!r}, {type(self.generator).__name__})"


def learned_form(space: GraphSpace, architecture: Architecture) -> Architecture:
    """The form that a generator learns: where sizes differ, without the nodes that the network ignores.

    Raises:
        InvalidArchitecture: The architecture is not in the space.
    """
    if space.terminal is None:
        return space.completed(architecture)
    space.validate(architecture)
    prune: Callable[[Architecture], Architecture] = getattr(space, "prune", lambda whole: whole)
    return prune(architecture)
