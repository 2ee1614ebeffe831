"""Seconds per trial, and calls of the rule, in spaces of one's own whose rule accepts few random graphs.

Every node is used, and there are few edges. The rule is a plain ``check`` or, in rows that say so, a
``check_batch``. An architecture's value is a function of the graph, so that all the time is the sampler's and
Optuna's.

    python -m benchmarks.searches.own_spaces
"""

from __future__ import annotations

import logging
import time
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import optuna
import torch
from numpy.typing import NDArray
from torch import nn

from benchmarks.harness.records import publish, run_on_one_thread, script_parser
from benchmarks.harness.sections import Section, Table, counted
from graphnas import Architecture, ArchitectureBatch, GraphSpace
from graphnas.errors import InvalidArchitecture
from optuna_graphnas import (
    GraphBOSampler,
    RandomArchitectureSampler,
    RegularizedEvolutionSampler,
    suggest_architecture,
)


class FewEdges(GraphSpace):
    """Graphs in which every node has an input and an output, with few edges.

    Args:
        nodes: Number of nodes, the input first and the output last.
        most_edges: The largest number of edges.
        operations: Number of operations of the nodes between.
        different: Whether no two of these nodes may have the same operation.

    Attributes:
        asked: For how many architectures the rule was called.
    """

    def __init__(self, nodes: int, most_edges: int, operations: int = 3, *, different: bool = False) -> None:
        self.name = f"few{nodes}"
        self.max_nodes, self.most_edges, self.different = nodes, most_edges, different
        self.node_ops = ("input", *(f"operation_{k}" for k in range(operations)), "output")
        self.asked = 0

    def node_choices(self, node: int) -> Sequence[int]:
        """The first node is the input, the last the output; the others choose."""
        last = len(self.node_ops) - 1
        return {0: [0], self.max_nodes - 1: [last]}.get(node, range(1, last))

    def check(self, architecture: Architecture) -> None:
        """The rule, as a user writes it."""
        self.asked += 1
        edges = architecture.adjacency != 0
        if len(edges) != self.max_nodes or not edges[:, 1:].any(0).all() or not edges[:-1].any(1).all():
            raise InvalidArchitecture(f"{self.name}: every node must be used")
        if edges.sum() > self.most_edges:
            raise InvalidArchitecture(f"{self.name}: at most {self.most_edges} edges")
        inner = architecture.operations[1:-1].tolist()
        if self.different and len(set(inner)) < len(inner):
            raise InvalidArchitecture(f"{self.name}: all operations must be different")

    def build(self, architecture: Architecture, num_classes: int, **shape: int) -> nn.Module:
        """A network without a use: nothing is trained here."""
        self.validate(architecture)
        return nn.Linear(1, num_classes, **shape)


class FewEdgesAtOnce(FewEdges):
    """The same with a vectorised rule."""

    def check_batch(self, batch: ArchitectureBatch) -> NDArray[np.bool_]:
        """The rule, as a user writes it for many graphs at once."""
        self.asked += len(batch)
        edges, operations = batch.adjacency != 0, batch.operations[:, 1:-1]
        mask = edges[:, :, 1:].any(1).all(1) & edges[:, :-1].any(2).all(1)
        mask &= (batch.num_nodes == self.max_nodes) & (edges.sum((1, 2)) <= self.most_edges)
        if self.different:
            mask &= (torch.diff(operations.sort(1).values, dim=1) > 0).all(1)
        return mask.numpy()


RULES: dict[str, tuple[int, int, int, bool]] = {
    "5 nodes, at most 6 edges, different operations": (5, 6, 5, True),
    "8 nodes, at most 14 edges": (8, 14, 3, False),
    "8 nodes, at most 11 edges": (8, 11, 3, False),
    "8 nodes, at most 10 edges": (8, 10, 3, False),
}
SAMPLERS: dict[str, Callable[[GraphSpace], optuna.samplers.BaseSampler]] = {
    "GraphBO": lambda space: GraphBOSampler(space, seed=0),
    "random search": lambda space: RandomArchitectureSampler(space, seed=0),
    "regularised evolution": lambda space: RegularizedEvolutionSampler(space, seed=0),
    "Optuna TPE": lambda space: optuna.samplers.TPESampler(seed=0),
}
BATCHED = "GraphBO, check_batch"


def accepted_share(rule: tuple[int, int, int, bool], graphs: int = 1_000_000) -> float:
    """The share of random graphs that a rule accepts."""
    space = FewEdgesAtOnce(*rule[:3], different=rule[3])
    layout, rng = space.layout, np.random.default_rng(1)
    blocks = [
        layout.from_choices(rng.integers(layout.counts, size=(50_000, len(layout))))
        for _ in range(graphs // 50_000)
    ]
    return float(np.mean([space.check_batch(block).mean() for block in blocks]))


def quality(architecture: Architecture) -> float:
    """The value of an architecture: late edges, and operations that fit their node."""
    weights = np.arange(1, architecture.num_nodes + 1)
    edges = weights @ (architecture.adjacency != 0) @ weights / weights.sum() ** 2
    return float(edges + np.mean(architecture.operations * weights % 4))


def timed_search(space: FewEdges, sampler: optuna.samplers.BaseSampler, trials: int) -> dict[str, Any]:
    """Seconds and calls of the rule of every trial, and how many suggested a valid architecture."""
    study = optuna.create_study(direction="maximize", sampler=sampler)
    seconds, calls = [], []
    for _ in range(trials):
        start, asked = time.process_time(), space.asked
        trial = study.ask()
        try:
            value = quality(suggest_architecture(trial, space))
            study.tell(trial, value)
        except optuna.TrialPruned:
            study.tell(trial, state=optuna.trial.TrialState.PRUNED)
        seconds.append(round(time.process_time() - start, 4))
        calls.append(space.asked - asked)
    values = [trial.value for trial in study.trials if trial.value is not None]
    return {"seconds": seconds, "calls": calls, "valid": len(values), "best": max(values, default=None)}


def section(record: dict[str, Any]) -> Section:
    """Seconds and calls by rule and sampler."""
    tables = []
    trials = record["trials"]
    for rule, row in record["rules"].items():
        rows = []
        for name, run in row["runs"].items():
            seconds, calls = np.array(run["seconds"]), np.array(run["calls"])
            best = "none" if run["best"] is None else f"{run['best']:.3f}"
            figures = [np.median(seconds), seconds.mean(), seconds[1:].max(), seconds[0]]
            cells = [f"{value:.3f}" for value in figures]
            asked = [f"{calls.mean():,.0f}", f"{calls[1:].max():,}", f"{calls[0]:,}"]
            rows.append([name, *cells, *asked, f"{run['valid']}", best])
        tables.append(
            Table(
                f"{rule}: {100 * row['accepted']:.3g} % of random graphs are valid. Processor seconds and "
                f"calls of the rule per trial, {counted(trials, 'trial')}.",
                (
                    "",
                    "median s",
                    "mean s",
                    "worst s after the first",
                    "first s",
                    "mean calls",
                    "most calls after the first",
                    "first calls",
                    "valid trials",
                    "best value",
                ),
                rows,
            )
        )
    ours = [
        run for row in record["rules"].values() for name, run in row["runs"].items() if name != "Optuna TPE"
    ]
    slowest = max(max(run["seconds"][1:]) for run in ours)
    mean = max(float(np.mean(run["seconds"])) for run in ours)
    return Section(
        "Spaces of one's own with a strict rule",
        tables,
        "no paper publishes such times; Optuna's TPE does not know the rule, and most of what it suggests is "
        "refused.",
        [
            f"Of our samplers, the slowest search takes {mean:.2f} s a trial on average, and the slowest "
            f"trial after the first {slowest:.2f} s."
        ],
    )


def main() -> int:
    """Search, time, print and store."""
    parser = script_parser(__doc__, "own_spaces")
    parser.add_argument("--trials", type=int, default=100)
    parser.add_argument("--rules", nargs="+", default=list(RULES), choices=RULES)
    options = parser.parse_args()
    figures: dict[str, Any] = {}
    for rule in options.rules:
        nodes, edges, operations, different = RULES[rule]
        runs = {}
        for name in (*SAMPLERS, BATCHED):
            kind = FewEdgesAtOnce if name == BATCHED else FewEdges
            space = kind(nodes, edges, operations, different=different)
            make = SAMPLERS["GraphBO" if name == BATCHED else name]
            runs[name] = timed_search(space, make(space), options.trials)
        figures[rule] = {"accepted": accepted_share(RULES[rule]), "runs": runs}
    publish(options.output, {"trials": options.trials, "rules": figures}, section)
    return 0


if __name__ == "__main__":
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    logging.getLogger("graphnas").setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", category=optuna.exceptions.ExperimentalWarning)
    run_on_one_thread(main)
