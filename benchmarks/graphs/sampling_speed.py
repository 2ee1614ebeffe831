"""How many seconds each search space takes to draw 50,000 random architectures, in a batch and one by one.

Every architecture is then validated. The command fails if either way takes longer than the limit. RandWire is
timed with each of its priors.

    python -m benchmarks.graphs.sampling_speed
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import numpy as np

from benchmarks.harness.records import publish, run_on_one_thread, script_parser
from benchmarks.harness.sections import Section, Table
from graphnas import GraphSpace
from search_spaces import get_space, space_names
from search_spaces.randwire import PRIORS


def timed_spaces(names: Sequence[str]) -> dict[str, GraphSpace]:
    """Each space with its defaults, and RandWire with every prior, by their name in the record."""
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
    parser = script_parser(__doc__, "sampling_speed")
    parser.add_argument("--spaces", nargs="+", default=list(space_names()), choices=space_names())
    parser.add_argument("--size", type=int, default=50_000)
    parser.add_argument("--limit", type=float, default=10.0, help="seconds allowed for each")
    options = parser.parse_args()
    figures = {}
    for name, space in timed_spaces(options.spaces).items():
        space.sample_batch(np.random.default_rng(0), 10)  # imports and tables are loaded once, not per sample
        started = time.process_time()
        batch = space.sample_batch(np.random.default_rng(1), options.size)
        together = time.process_time() - started

        rng = np.random.default_rng(2)
        started = time.process_time()
        drawn = [space.sample(rng) for _ in range(options.size)]
        singly = time.process_time() - started

        for architecture in (*batch, *drawn):
            space.validate(architecture)
        adjacency, operations, _ = batch.to_arrays()
        rows = np.hstack([adjacency.reshape(len(batch), -1), operations])
        distinct = len({row.tobytes() for row in rows})
        figures[name] = {
            "batch_seconds": round(together, 3),
            "single_seconds": round(singly, 3),
            "distinct": distinct,
        }
    record = {"architectures": options.size, "limit": options.limit, "spaces": figures}
    publish(options.output, record, section, ("graphnas", "numpy"))
    slow = [
        name
        for name, figure in figures.items()
        if max(figure["batch_seconds"], figure["single_seconds"]) > options.limit
    ]
    if slow:
        print(f"slower than {options.limit:g} s: {', '.join(slow)}")
    return 1 if slow else 0


if __name__ == "__main__":
    run_on_one_thread(main)
