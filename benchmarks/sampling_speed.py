"""Seconds in which every search space draws 50,000 random architectures, as one batch and one by one.

Every architecture of the batch is validated then. The command fails if a batch takes longer than the limit.

    python benchmarks/sampling_speed.py
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

import numpy as np
import torch
from common import RESULTS, write_record
from threadpoolctl import threadpool_limits

from search_spaces import get_space, space_names


def main() -> int:
    """Time, print and store."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--spaces", nargs="+", default=list(space_names()), choices=space_names())
    parser.add_argument("--size", type=int, default=50_000)
    parser.add_argument("--limit", type=float, default=10.0, help="seconds per batch; more is an error")
    parser.add_argument("--output", type=Path, default=RESULTS / "sampling_speed.json")
    given = parser.parse_args()
    figures = {}
    print(f"seconds of processor time for {given.size:,} architectures, one core")
    print(f"{'space':14}{'one batch':>12}{'one by one':>12}{'distinct':>10}")
    for name in given.spaces:
        space = get_space(name)
        space.sample_batch(np.random.default_rng(0), 10)  # imports and tables are loaded once, not per sample
        started = time.process_time()
        batch = space.sample_batch(np.random.default_rng(1), given.size)
        together = time.process_time() - started

        rng = np.random.default_rng(2)
        started = time.process_time()
        for _ in range(given.size):
            space.sample(rng)
        singly = time.process_time() - started

        for architecture in batch:
            space.validate(architecture)
        adjacency, operations, _ = batch.to_arrays()
        rows = np.hstack([adjacency.reshape(len(batch), -1), operations])
        distinct = len({row.tobytes() for row in rows})
        print(f"{name:14}{together:12.2f}{singly:12.2f}{distinct:10,}")
        figures[name] = {
            "batch_seconds": round(together, 3),
            "single_seconds": round(singly, 3),
            "distinct": distinct,
        }
    write_record(given.output, {"architectures": given.size, "spaces": figures}, ("graphnas", "numpy"))
    slow = [name for name, figure in figures.items() if figure["batch_seconds"] > given.limit]
    if slow:
        print(f"slower than {given.limit:g} s: {', '.join(slow)}")
    return 1 if slow else 0


if __name__ == "__main__":
    torch.set_num_threads(1)
    with threadpool_limits(limits=1):
        sys.exit(main())
