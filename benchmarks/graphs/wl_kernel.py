"""Gram matrix of random labelled DAGs under the Weisfeiler-Lehman kernel: ours beside grakel, in one run.

Both compute the same kernel (out-neighbours, operations as labels, iterations 0 to h, normalised), which is
checked first. BLAS is held to one thread for both. Needs the ``dev`` extra (grakel).

    python -m benchmarks.graphs.wl_kernel
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from benchmarks.harness.records import RESULTS, run_on_one_thread, write_record
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
    """The same graphs as grakel's own objects, in the format its WL kernel works on."""
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
    """Seconds of both, and how many times faster ours is."""
    seconds_of = record["seconds"]
    slowest = seconds_of["grakel"]["median"]
    rows = [
        [
            name,
            *(f"{row[key]:.3f}" for key in ("median", "lowest", "highest")),
            # Pairs are no Gram matrix: grakel does something else.
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
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--graphs", type=int, default=2000)
    parser.add_argument("--nodes", type=int, default=30)
    parser.add_argument("--iterations", type=int, default=3)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--output", type=Path, default=RESULTS / "wl_kernel.json", help="JSON")
    given = parser.parse_args()
    for name, lowest in (("graphs", 1), ("nodes", 2), ("iterations", 1), ("repeats", 1), ("seed", 0)):
        if getattr(given, name) < lowest:
            parser.error(f"--{name} must be at least {lowest}, got {getattr(given, name)}")
    return given


def main() -> int:
    """Check equality, time, print and store."""
    given = arguments()
    import grakel

    rng = np.random.default_rng(given.seed)
    batch = random_batch(rng, given.graphs, given.nodes)
    architectures = batch.to_architectures()
    theirs_in = to_grakel(architectures)
    same = WeisfeilerLehman(given.iterations, direction="out", include_initial=True)
    full = WeisfeilerLehman(given.iterations)

    def grakel_gram() -> Any:
        kernel = grakel.WeisfeilerLehman(
            n_iter=given.iterations, normalize=True, base_graph_kernel=grakel.VertexHistogram
        )
        return kernel.fit_transform(theirs_in)

    difference = float(np.abs(same.gram(batch) - grakel_gram()).max())
    print(f"largest difference from grakel over {given.graphs}x{given.graphs} entries: {difference:.1e}")
    if difference > 1e-12:
        print("the kernels differ: nothing to compare", file=sys.stderr)
        return 1

    pairs = random_batch(rng, PAIRS, given.nodes), random_batch(rng, PAIRS, given.nodes)
    runs: dict[str, Callable[[], object]] = {
        "grakel": grakel_gram,
        "graphnas, same kernel": lambda: same.gram(batch),
        "graphnas, same kernel, from a list of Architecture": lambda: same.gram(architectures),
        "graphnas, both directions and edge labels": lambda: full.gram(batch),
        f"graphnas, pairwise on {PAIRS} pairs": lambda: full.pairwise(*pairs),
    }
    times: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(given.repeats):  # in turn, so that a busy spell of the machine falls on all of them
        for name, run in runs.items():
            times[name].append(seconds(run))

    results = {name: summary(values) for name, values in times.items()}
    slowest = results["grakel"]["median"]
    width = max(map(len, results))
    print(
        f"{given.graphs} graphs of {given.nodes} nodes, h={given.iterations}, "
        f"median of {given.repeats} repeats, 1 thread"
    )
    print(f"{'':{width}}   seconds    lowest   highest  faster than grakel")
    for name, row in results.items():
        ratio = "" if "pairwise" in name or name == "grakel" else f"{slowest / row['median']:.1f} x"
        print(
            f"{name:{width}}  {row['median']:8.3f}  {row['lowest']:8.3f}  {row['highest']:8.3f}  {ratio:>18}"
        )

    figures = {
        "graphs": given.graphs,
        "nodes": given.nodes,
        "iterations": given.iterations,
        "repeats": given.repeats,
        "seed": given.seed,
        "largest_difference_from_grakel": difference,
        "seconds": results,
        "ratio_grakel_to_graphnas": slowest / results["graphnas, same kernel"]["median"],
    }
    write_record(given.output, figures, ("graphnas", "grakel", "numpy", "scipy"))
    return 0


if __name__ == "__main__":
    run_on_one_thread(main)
