"""How much faster our Weisfeiler-Lehman kernel is than grakel's, on the Gram matrix of random labelled DAGs.

Both compute the same kernel (out-neighbours, operations as labels, iterations 0 to h, normalised), which is
checked first. BLAS uses one thread for both. Needs the ``dev`` extra (grakel).

    python -m benchmarks.graphs.wl_kernel
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.harness.records import publish, run_on_one_thread, script_parser
from benchmarks.harness.sections import Section, Table, counted
from graphnas import Architecture, ArchitectureBatch
from graphnas.graph import WeisfeilerLehman

PAIRS = 50_000


def random_batch(rng: np.random.Generator, graphs: int, nodes: int, operations: int = 3) -> ArchitectureBatch:
    """Random labelled DAGs; each has its own edge probability, uniform in 0.1 to 0.9."""
    density = rng.uniform(0.1, 0.9, (graphs, 1, 1))
    adjacency = np.triu(rng.random((graphs, nodes, nodes)) < density, 1).astype(np.int8)
    labels = rng.integers(operations, size=(graphs, nodes)).astype(np.int16)
    return ArchitectureBatch.from_arrays(adjacency, labels)


def to_grakel(architectures: list[Architecture]) -> list[Any]:
    """The same graphs as grakel's own objects, in the format that its kernel takes."""
    import grakel

    return [
        grakel.Graph(
            {v: {int(u): 1.0 for u in np.flatnonzero(a.adjacency[v])} for v in range(a.num_nodes)},
            node_labels={v: int(operation) for v, operation in enumerate(a.operations)},
            graph_format="dictionary",
        )
        for a in architectures
    ]


def seconds(function: Callable[[], object]) -> float:
    """Wall-clock seconds of one call."""
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


def summary(times: list[float]) -> dict[str, float]:
    """Median and range of repeated timings, in seconds."""
    return {"median": statistics.median(times), "lowest": min(times), "highest": max(times)}


def section(record: dict[str, Any]) -> Section:
    """Seconds of both, and how many times as fast ours is."""
    seconds_of = record["seconds"]
    slowest = seconds_of["grakel"]["median"]
    rows = [
        [
            name,
            *(f"{row[key]:.3f}" for key in ("median", "lowest", "highest")),
            # Pairs are not a Gram matrix, so grakel's seconds do not compare.
            "" if "pairwise" in name else f"{slowest / row['median']:.1f}",
        ]
        for name, row in seconds_of.items()
    ]
    table = Table(
        f"Seconds for the Gram matrix of {record['graphs']:,} labelled DAGs of {record['nodes']} nodes, "
        f"h = {record['iterations']}, one core, {counted(record['repeats'], 'repeat')}.",
        ("", "median", "lowest", "highest", "times as fast as grakel"),
        rows,
    )
    return Section(
        "The Weisfeiler-Lehman kernel",
        [table],
        "NASGEM publishes no times; grakel computes the same kernel in the same process, in turns with ours.",
        [f"The largest difference from grakel's entries is {record['largest_difference_from_grakel']:.1g}."],
    )


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = script_parser(__doc__, "wl_kernel")
    parser.add_argument("--graphs", type=int, default=2000)
    parser.add_argument("--nodes", type=int, default=30)
    parser.add_argument("--iterations", type=int, default=3)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    for name, lowest in (("graphs", 1), ("nodes", 2), ("iterations", 1), ("repeats", 1), ("seed", 0)):
        if getattr(options, name) < lowest:
            parser.error(f"--{name} must be at least {lowest}, got {getattr(options, name)}")
    return options


def main() -> int:
    """Check equality, time, print and store."""
    options = arguments()
    import grakel

    rng = np.random.default_rng(options.seed)
    batch = random_batch(rng, options.graphs, options.nodes)
    architectures = batch.to_architectures()
    theirs_in = to_grakel(architectures)
    same = WeisfeilerLehman(options.iterations, direction="out", include_initial=True)
    full = WeisfeilerLehman(options.iterations)

    def grakel_gram() -> Any:
        kernel = grakel.WeisfeilerLehman(
            n_iter=options.iterations, normalize=True, base_graph_kernel=grakel.VertexHistogram
        )
        return kernel.fit_transform(theirs_in)

    difference = float(np.abs(same.gram(batch) - grakel_gram()).max())
    if difference > 1e-12:
        print(f"the kernels differ by up to {difference:.1e}: nothing to compare", file=sys.stderr)
        return 1

    pairs = random_batch(rng, PAIRS, options.nodes), random_batch(rng, PAIRS, options.nodes)
    runs: dict[str, Callable[[], object]] = {
        "grakel": grakel_gram,
        "graphnas, same kernel": lambda: same.gram(batch),
        "graphnas, same kernel, from a list of Architecture": lambda: same.gram(architectures),
        "graphnas, both directions and edge labels": lambda: full.gram(batch),
        f"graphnas, pairwise on {PAIRS} pairs": lambda: full.pairwise(*pairs),
    }
    times: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(options.repeats):  # in turns, so that a busy spell of the machine slows all of them
        for name, run in runs.items():
            times[name].append(seconds(run))
    results = {name: summary(values) for name, values in times.items()}
    figures = {
        "graphs": options.graphs,
        "nodes": options.nodes,
        "iterations": options.iterations,
        "repeats": options.repeats,
        "seed": options.seed,
        "largest_difference_from_grakel": difference,
        "seconds": results,
        "ratio_grakel_to_graphnas": results["grakel"]["median"] / results["graphnas, same kernel"]["median"],
    }
    publish(options.output, figures, section, ("graphnas", "grakel", "numpy", "scipy"))
    return 0


if __name__ == "__main__":
    run_on_one_thread(main)
