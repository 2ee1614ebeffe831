"""Searches with a neural predictor as others publish them: BANANAS, and one in the manner of FLAN.

Both are written anew from the papers and small: what is taken over and what is not is said at each. They are
peers of a comparison, so their settings are the published ones where those are known.
"""

from __future__ import annotations

import itertools
import math
from abc import abstractmethod
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from graphnas import Architecture, ArchitectureBatch, GraphSpace
from graphnas.methods.candidates import CandidatePool
from graphnas.methods.model_based import FIRST_OWN, Finished, ModelBasedSearch, Ranking
from graphnas.seeds import torch_generator
from graphnas.surrogate.training_set import TrainingSet

_PATHS, _MUTATIONS, _SAMPLES = range(FIRST_OWN, FIRST_OWN + 3)

IN_VAIN = 10
"""Mutations in a row that are known already, after which those of the next best are tried."""


class RoundSearch(ModelBasedSearch):
    """A random start, then rounds of proposals from one ranking.

    Args:
        space: The search space.
        seed: Seed of every random choice.
        startup: Random architectures at first.
        round_size: Evaluations between two trainings.
    """

    def __init__(self, space: GraphSpace, *, seed: int, startup: int, round_size: int) -> None:
        super().__init__(space, seed=seed, n_startup_trials=startup, batch_size=round_size)

    def suggest(
        self, finished: Finished, pending: Sequence[Architecture], seen: Collection[str]
    ) -> Architecture | None:
        """The next best of the ranking of this round; see :meth:`ModelBasedSearch.suggest`."""
        known = finished[: self.updates(finished)[-1]]
        return self.best_unseen((known,), lambda: self.ranked(self.training_set(known)), seen)

    @abstractmethod
    def ranked(self, data: TrainingSet) -> Ranking:
        """Candidates and their scores, by a model of ``data``."""


# ---------------------------------------------------------------- BANANAS


class Paths:
    """Architectures as bits: which sequences of operations lead from the input to an output.

    BANANAS's path encoding, truncated to the paths that random architectures have most often.

    Args:
        space: The space.
        rng: Draws the architectures in which paths are counted.
        size: Number of these.
        most: The largest number of paths.
    """

    def __init__(
        self, space: GraphSpace, rng: np.random.Generator, size: int = 1000, most: int = 200
    ) -> None:
        self._space = space
        counted = Counter(path for paths in self._paths(space.sample_batch(rng, size)) for path in paths)
        kept = sorted(counted, key=lambda path: (-counted[path], path))[:most]
        self.columns = {path: column for column, path in enumerate(kept)}

    def _paths(self, batch: ArchitectureBatch) -> Iterable[set[tuple[int, ...]]]:
        adjacency, operations, sizes = self._space.active_batch(batch).to_arrays()
        for edges, labels, size in zip(adjacency > 0, operations.tolist(), sizes.tolist(), strict=True):
            # Paths from each node to an output, backwards; nodes stand in topological order.
            after: list[set[tuple[int, ...]]] = [set() for _ in range(size)]
            for node in range(size - 1, -1, -1):
                followers = np.flatnonzero(edges[node, :size]).tolist()
                rest = set().union(*(after[other] for other in followers)) if followers else {()}
                after[node] = {(labels[node], *path) for path in rest}
            yield after[0]

    def __call__(self, batch: ArchitectureBatch) -> NDArray[np.float32]:
        """``(B, paths)`` of 0 and 1."""
        rows = np.zeros((len(batch), len(self.columns)), np.float32)
        for row, paths in zip(rows, self._paths(batch), strict=True):
            row[[self.columns[path] for path in paths if path in self.columns]] = 1
        return rows


class BANANAS(RoundSearch):
    """Bayesian optimisation with an ensemble of networks on path encodings (White et al., AAAI 2021).

    Taken over: the path encoding, five networks of ten layers of 20 trained by Adam on the absolute error,
    independent Thompson sampling, mutations of the best as candidates, 10 random architectures and rounds of
    10 (section 4 and the authors' release). Not taken over: paths are truncated by how often random
    architectures have them (the 200 most frequent, more than the release keeps) rather than by length, so
    that it works in any space; a mutation is one change of the space's own; and where the best has few unseen
    neighbours, those of the next best are candidates too. Values are standardised, as their units differ.

    Args:
        space: The search space.
        seed: Seed of every random choice.
        candidates: Mutations that are scored in a round.
    """

    networks, layers, width = 5, 10, 20
    epochs, batch, rate = 150, 32, 0.01

    def __init__(self, space: GraphSpace, *, seed: int = 0, candidates: int = 100) -> None:
        super().__init__(space, seed=seed, startup=10, round_size=10)
        self._candidates = candidates
        self._paths = Paths(space, self.rng(_PATHS))

    def ranked(self, data: TrainingSet) -> Ranking:
        """Mutations of the best, and one draw from the ensemble's normal distribution for each."""
        candidates = ArchitectureBatch.from_architectures(self._mutations(data), self.space.max_nodes)
        known = ArchitectureBatch.from_architectures(data.architectures, self.space.max_nodes)
        votes = self._votes(self._paths(known), standardised(data.ranked_scores), self._paths(candidates))
        rng = self.rng(_SAMPLES, len(data))
        return candidates, rng.normal(votes.mean(0), votes.std(0))

    def _mutations(self, data: TrainingSet) -> list[Architecture]:
        rng = self.rng(_MUTATIONS, len(data))
        known, found = set(self.space.keys(data.architectures)), dict[str, Architecture]()
        for parent in data.best(len(data)).tolist():
            in_vain = 0
            while in_vain < IN_VAIN and len(found) < self._candidates:
                child = self.space.mutate(data.architectures[parent], rng)
                key = self.space.key(child)
                in_vain = in_vain + 1 if key in known or key in found else 0
                if not in_vain:
                    found[key] = child
        return list(found.values()) or list(data.architectures)

    def _votes(
        self, rows: NDArray[np.float32], values: NDArray[np.float64], asked: NDArray[np.float32]
    ) -> NDArray[np.float64]:
        """Predictions ``(networks, asked)`` of networks that are trained at once, each in its own order."""
        generator = torch_generator(self.seed, "ensemble", len(rows))
        sizes = [rows.shape[1], *[self.width] * self.layers, 1]
        weights = [drawn(generator, self.networks, *pair) for pair in itertools.pairwise(sizes)]
        biases = [torch.zeros(self.networks, 1, size, requires_grad=True) for size in sizes[1:]]

        def predict(x: Tensor) -> Tensor:
            for weight, bias in zip(weights[:-1], biases[:-1], strict=True):
                x = torch.baddbmm(bias, x, weight).relu()
            return torch.baddbmm(biases[-1], x, weights[-1])[..., 0]

        x, y = torch.from_numpy(rows), torch.from_numpy(values).float()
        optimizer = torch.optim.Adam([*weights, *biases], self.rate, betas=(0.9, 0.99))
        for _ in range(self.epochs):
            order = torch.rand(self.networks, len(x), generator=generator).argsort(1)
            for chosen in order.split(self.batch, 1):
                loss = (predict(x[chosen]) - y[chosen]).abs().mean(1).sum()
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
        with torch.no_grad():
            return predict(torch.from_numpy(asked).expand(self.networks, -1, -1)).double().numpy()


def drawn(generator: torch.Generator, *shape: int) -> Tensor:
    """Weights; the last two sizes are inputs and outputs (Glorot and Bengio, 2010, eq. 16)."""
    weight = torch.rand(*shape, generator=generator) * 2 - 1
    return (weight * math.sqrt(6 / (shape[-2] + shape[-1]))).requires_grad_()


def standardised(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Values with mean 0 and deviation 1."""
    return np.asarray((values - values.mean()) / max(float(values.std()), 1e-9))


# ---------------------------------------------------------------- in FLAN's manner


class FlowPredictor:
    """A graph network whose messages pass gates that the operations open, trained to order architectures.

    Taken over from FLAN (Akhauri and Abdelfattah, ICML 2024): dense graph flow, ``X' = sigmoid(O W_o) * (A X
    W_f) + X W_f + b`` (section 4), learned embeddings of operations, the pairwise hinge loss with a margin of
    .1, AdamW with a cosine schedule. Not taken over: the second, attentive branch, the backward pass that
    refines embeddings, supplementary encodings (zero-cost scores, Arch2Vec, CATE), and training on other
    spaces first.

    Args:
        space: The space.
        generator: Source of all draws.
        width: Size of the states and embeddings.
        layers: Number of flows.
    """

    epochs, batch, rate, decay, margin = 150, 32, 1e-3, 1e-5, 0.1

    def __init__(
        self, space: GraphSpace, generator: torch.Generator, width: int = 64, layers: int = 3
    ) -> None:
        self._space, self._generator = space, generator
        labels = len(space.node_labelled_ops)

        self._embedding = torch.randn(labels, width, generator=generator).requires_grad_()
        self._flows = [
            (
                drawn(generator, width, width),
                drawn(generator, width, width),
                torch.zeros(width, requires_grad=True),
            )
            for _ in range(layers)
        ]
        self._hidden = drawn(generator, 2 * width, width)
        self._bias = torch.zeros(width, requires_grad=True)
        self._out = drawn(generator, width, 1)
        self._trained = [self._embedding, *(part for flow in self._flows for part in flow)]
        self._trained += [self._hidden, self._bias, self._out]

    def _graphs(self, batch: ArchitectureBatch) -> tuple[Tensor, Tensor, Tensor]:
        """Each node's inputs ``(B, n, n)`` as means, labels ``(B, n)`` and which nodes there are."""
        adjacency, operations, sizes = self._space.active_batch(batch).to_arrays()
        edges = torch.from_numpy((adjacency > 0).astype(np.float32)).transpose(1, 2)
        inputs = edges / edges.sum(2, keepdim=True).clamp_min(1)
        present = torch.arange(operations.shape[1]) < torch.from_numpy(sizes)[:, None]
        return inputs, torch.from_numpy(operations.astype(np.int64)), present.float()

    def _score(self, graphs: tuple[Tensor, Tensor, Tensor]) -> Tensor:
        inputs, labels, present = graphs
        operations = self._embedding[labels]
        states = operations
        for gate, flow, bias in self._flows:
            sent = states @ flow
            states = (torch.sigmoid(operations @ gate) * (inputs @ sent) + sent + bias).relu()
        weights = present[..., None] / present.sum(1)[:, None, None]
        last = (present.cumsum(1) == present.sum(1, keepdim=True)).float() * present
        ends = (states * last[..., None]).sum(1)
        pooled = torch.cat([(states * weights).sum(1), ends], 1)
        return ((pooled @ self._hidden + self._bias).relu() @ self._out)[:, 0]

    def fit(self, batch: ArchitectureBatch, values: NDArray[np.float64]) -> FlowPredictor:
        """Train on architectures and their values, of which only the order counts."""
        graphs, y = self._graphs(batch), torch.from_numpy(values)
        steps = self.epochs * -(-len(y) // self.batch)
        optimizer = torch.optim.AdamW(self._trained, self.rate, weight_decay=self.decay)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
        for _ in range(self.epochs):
            for chosen in torch.randperm(len(y), generator=self._generator).split(self.batch):
                scores = self._score(tuple(part[chosen] for part in graphs))  # type: ignore[arg-type]
                better = y[chosen][:, None] > y[chosen][None, :]
                short = (self.margin - (scores[:, None] - scores[None, :])).relu()
                loss = (short * better).sum() / better.sum().clamp_min(1)
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                schedule.step()
        return self

    def predict(self, batch: ArchitectureBatch, chunk: int = 4096) -> NDArray[np.float64]:
        """One number for each architecture, larger where it is thought to be better."""
        with torch.no_grad():
            parts = [
                self._score(self._graphs(batch[start : start + chunk]))
                for start in range(0, len(batch), chunk)
            ]
        return torch.cat(parts).double().numpy()


class FlowSearch(RoundSearch):
    """What a :class:`FlowPredictor` thinks best, in rounds; the search of FLAN's release.

    Taken over: the predictor scores the whole space (or 30,000 random architectures and changes of the best
    of a larger one), and is trained anew on all evaluations after every round of 10. FLAN's release draws
    half of each round at random, ``random_half``; without it, which was the better on tuning tasks of the
    suite and is what the suite runs, every proposal is the predictor's.

    Args:
        space: The search space.
        seed: Seed of every random choice.
        random_half: Whether every second proposal of a round is random.
    """

    def __init__(self, space: GraphSpace, *, seed: int = 0, random_half: bool = False) -> None:
        super().__init__(space, seed=seed, startup=10, round_size=10)
        self._random_half = random_half
        self._pool = CandidatePool(self, 30_000, changes=1000, refresh=10)

    def suggest(
        self, finished: Finished, pending: Sequence[Architecture], seen: Collection[str]
    ) -> Architecture | None:
        """None, which stands for a random one, for every second proposal of a round if they are to be."""
        if self._random_half and (len(finished) + len(pending)) % 2:
            return None
        return super().suggest(finished, pending, seen)

    def ranked(self, data: TrainingSet) -> Ranking:
        """The pool and its predictions."""
        pool = ArchitectureBatch.cat([self._pool.random(len(data)), *self._pool.changed(data)])
        known = ArchitectureBatch.from_architectures(data.architectures, self.space.max_nodes)
        model = FlowPredictor(self.space, torch_generator(self.seed, "flow", len(data)))
        return pool, model.fit(known, data.ranked_scores).predict(pool)


PEERS: dict[str, Callable[[GraphSpace, int], RoundSearch]] = {
    "BANANAS": lambda space, seed: BANANAS(space, seed=seed),
    "predictor as in FLAN": lambda space, seed: FlowSearch(space, seed=seed),
}
