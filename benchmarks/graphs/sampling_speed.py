"""Seconds in which every search space draws 50,000 random architectures, as one batch and one by one.

Every architecture is validated then. The command fails if either takes longer than the limit. RandWire is
timed with each of its priors.

    python -m benchmarks.graphs.sampling_speed
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from benchmarks.harness.records import RESULTS, run_on_one_thread, write_record
from benchmarks.harness.sections import Section, Table

from graphnas import GraphSpace
from search_spaces import get_space, space_names
from search_spaces.randwire import PRIORS


def timed_spaces(names: Sequence[str]) -> dict[str, GraphSpace]:
    """Each space with its defaults, and RandWire with every prior, by what they are called in the record."""
    spaces: dict[str, GraphSpace] = {}
    for name in names:
        if name == "randwire":
            spaces |= {f"randwire, {prior}": get_space(name, prior=prior) for prior in PRIORS}
        else:
            spaces[name] = get_space(name)
    return spaces


def section(record: dict[str, Any]) -> Section:
    """Seconds by space."""
    size = record["architectures"]
    rows = [
        [name, f"{row['batch_seconds']:.2f}", f"{row['single_seconds']:.2f}", f"{row['distinct']:,}"]
        for name, row in record["spaces"].items()
    ]
    slowest = max(max(row["batch_seconds"], row["single_seconds"]) for row in record["spaces"].values())
    table = Table(
        f"Seconds of processor time for {size:,} random architectures of each space, one core.",
        ("", "one batch", "one by one", "distinct in the batch"),
        rows,
    )
    return Section(
        "Sampling of search spaces",
        [table],
        "no paper publishes such times.",
        [f"Target: at most {record['limit']:g} s each; the slowest takes {slowest:.1f} s. All are valid."],
    )


def main() -> int:
    """Time, print and store."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--spaces", nargs="+", default=list(space_names()), choices=space_names())
    parser.add_argument("--size", type=int, default=50_000)
    parser.add_argument("--limit", type=float, default=10.0, help="seconds for all; more is an error")
    parser.add_argument("--output", type=Path, default=RESULTS / "sampling_speed.json")
    given = parser.parse_args()
    figures = {}
    print(f"seconds of processor time for {given.size:,} architectures, one core")
    print(f"{'space':26}{'one batch':>12}{'one by one':>12}{'distinct':>10}")
    for name, space in timed_spaces(given.spaces).items():
        space.sample_batch(np.random.default_rng(0), 10)  # imports and tables are loaded once, not per sample
        started = time.process_time()
        batch = space.sample_batch(np.random.default_rng(1), given.size)
        together = time.process_time() - started

        rng = np.random.default_rng(2)
        started = time.process_time()
        drawn = [space.sample(rng) for _ in range(given.size)]
        singly = time.process_time() - started

        for architecture in (*batch, *drawn):
            space.validate(architecture)
        adjacency, operations, _ = batch.to_arrays()
        rows = np.hstack([adjacency.reshape(len(batch), -1), operations])
        distinct = len({row.tobytes() for row in rows})
        print(f"{name:26}{together:12.2f}{singly:12.2f}{distinct:10,}")
        figures[name] = {
            "batch_seconds": round(together, 3),
            "single_seconds": round(singly, 3),
            "distinct": distinct,
        }
    figures_and_size = {"architectures": given.size, "limit": given.limit, "spaces": figures}
    write_record(given.output, figures_and_size, ("graphnas", "numpy"))
    slow = [
        name
        for name, figure in figures.items()
        if max(figure["batch_seconds"], figure["single_seconds"]) > given.limit
    ]
    if slow:
        print(f"slower than {given.limit:g} s: {', '.join(slow)}")
    return 1 if slow else 0


if __name__ == "__main__":
    run_on_one_thread(main)
