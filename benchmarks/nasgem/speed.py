"""How long NASGEM's encoder takes to train at the paper's size, and one proposal; GraphBO's beside it.

The paper's ablation trains the encoder on 50,000 pairs for 10,000 iterations and scores 50,000 candidates.
N = 30 nodes; 256 pairs per iteration are our choice.

    python -m benchmarks.nasgem.speed
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.harness.records import publish, run_on_one_thread, script_parser
from benchmarks.harness.sections import Section, Table
from graphnas.methods import NASGEM, GraphBO, GraphBOConfig, NASGEMConfig, SearchMethod
from graphnas.methods.nasgem import EncoderConfig, KernelGuidedEncoder
from search_spaces import GEMNet


def section(record: dict[str, Any]) -> Section:
    """Seconds of each part, and the targets."""
    seconds = record["seconds"]
    rows = [
        [name, f"{np.median(times):.2f}", f"{min(times):.2f}", f"{max(times):.2f}", str(len(times))]
        for name, times in seconds.items()
    ]
    table = Table(
        f"Wall-clock seconds on one core, graphs of {record['nodes']} nodes.",
        ("", "median", "lowest", "highest", "repeats"),
        rows,
    )
    learning = sum(times[0] for times in list(seconds.values())[:2])
    asking = " and ".join(f"{np.median(times):.2f} s" for times in list(seconds.values())[2:])
    return Section(
        "NASGEM's speed",
        [table],
        "NASGEM says how many pairs, iterations and candidates it takes, but no times; pairs per iteration "
        "are ours.",
        [
            f"Targets: pairs and training together in at most 180 s, here {learning:.0f} s; one proposal in "
            f"at most 2 s, here {asking}."
        ],
    )


def main() -> int:
    """Train, ask, store and print."""
    parser = script_parser(__doc__, "nasgem_speed")
    parser.add_argument("--nodes", type=int, default=30)
    parser.add_argument("--iterations", type=int, default=10_000)
    parser.add_argument("--pairs", type=int, default=50_000)
    parser.add_argument("--candidates", type=int, default=50_000)
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()

    space = GEMNet(options.nodes)
    encoder = KernelGuidedEncoder(
        space, EncoderConfig(pairs=options.pairs, iterations=options.iterations), seed=0
    )
    start = time.perf_counter()
    pairs = encoder.sample_pairs()
    pairs_seconds = time.perf_counter() - start
    start = time.perf_counter()
    encoder.fit(pairs, progress=True)
    fit_seconds = time.perf_counter() - start

    rng = np.random.default_rng(0)
    evaluated = [space.sample(rng) for _ in range(100)]
    paper = NASGEMConfig.preset("paper", candidates=options.candidates)
    default = GraphBOConfig(candidates=options.candidates)
    methods: dict[str, Callable[[int], SearchMethod]] = {
        "NASGEM, paper: embed, predict, arg max": lambda seed: NASGEM(
            space, paper, seed=seed, encoder=encoder
        ),
        "GraphBO: Gaussian process on graph features": lambda seed: GraphBO(space, default, seed=seed),
    }
    seconds: dict[str, list[float]] = {name: [] for name in methods}
    for name, make in methods.items():
        for repeat in range(options.repeats):
            method = make(repeat)
            for architecture in evaluated:
                method.tell(architecture, float(architecture.num_edges))
            start = time.perf_counter()
            method.ask()
            seconds[name].append(time.perf_counter() - start)

    rows = {
        f"{options.pairs:,} pairs of {options.nodes} nodes and their kernel": [pairs_seconds],
        f"encoder, {options.iterations:,} iterations of {encoder.config.batch_size} pairs": [fit_seconds],
        **{f"one proposal among {options.candidates:,} ({name})": times for name, times in seconds.items()},
    }
    figures = {"nodes": options.nodes, "seconds": rows, "training": encoder.history[-1]}
    publish(options.output, figures, section)
    return 0


if __name__ == "__main__":
    run_on_one_thread(main)
