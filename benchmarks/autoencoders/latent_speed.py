"""Speed of the graph autoencoders on one core (or on a GPU): an update of training, generation, encoding.

The papers' sizes by default: 501 hidden units (VS-GAE: 250), 56 latent dimensions, batches of 32 and 128
six-layer ENAS graphs; "VSGAE-nasbench101" is VS-GAE on cells of NAS-Bench-101 with all 7 vertices, as 85 % of
them have. One core of a comparable machine needs 1.45 CPU seconds for an update with D-VAE's public code.

    python -m benchmarks.autoencoders.latent_speed
    python -m benchmarks.autoencoders.latent_speed --device cuda --batch-sizes 32 128 1024
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.harness.records import RESULTS, run_on_one_thread, write_record
from benchmarks.harness.sections import Section, Table, counted
from graphnas import ArchitectureBatch, GraphSpace
from graphnas.autoencoders import MODELS, GraphAutoencoder
from search_spaces import ENASMacro6, NASBench101

PAPER_MODELS = ("DVAE", "DVAEEmb", "GCN", "GCNEmb", "SVAE", "GraphRNN", "VSGAE", "VSGAE-nasbench101")
PRECISIONS = ("float32", "bfloat16")
REFERENCE = {"DVAE": 1.45, "SVAE": 0.14, "GraphRNN": 0.31}
"""CPU seconds of the public code for an update of 32 graphs on one core, where it was measured."""

REFERENCE_UPDATE = "update of 32 graphs, float32"


def seconds(work: Callable[[], Any], repeats: int, device: str) -> list[float]:
    """Seconds of each repetition, after one that does not count: of the processor, or of the GPU's clock."""
    clock = time.process_time if device == "cpu" else time.perf_counter
    found = []
    for _ in range(repeats + 1):
        start = clock()
        work()
        if device != "cpu":
            torch.cuda.synchronize()
        found.append(clock() - start)
    return found[1:]


def sampled(space: GraphSpace, seed: int, count: int) -> ArchitectureBatch:
    """Random architectures; of NAS-Bench-101 a path through 7 vertices and 3 more edges."""
    rng = np.random.default_rng(seed)
    if not isinstance(space, NASBench101):
        return space.sample_batch(rng, count)
    adjacency = np.tile(np.eye(7, k=1, dtype=np.int8), (count, 1, 1))
    sources, targets = np.triu_indices(7, 2)
    extra = rng.random((count, len(sources))).argsort(1)[:, :3]
    adjacency[np.arange(count)[:, None], sources[extra], targets[extra]] = 1
    operations = rng.integers(1, 4, (count, 7)).astype(np.int16)
    operations[:, 0], operations[:, -1] = 0, 4
    return ArchitectureBatch.from_arrays(adjacency, operations)


def updates(
    model: GraphAutoencoder, batch_size: int, precision: str, repeats: int, device: str
) -> list[float]:
    """Seconds of updates: forward and backward pass and the step of Adam."""
    batch = sampled(model.space, 0, batch_size)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-4, fused=True)
    noise = torch.Generator().manual_seed(0)

    def update() -> None:
        with torch.autocast(device, torch.bfloat16, enabled=precision == "bfloat16"):
            elbo = model.elbo(batch, noise)
        loss = model._loss(elbo)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()

    return seconds(update, repeats, device)


def measure(name: str, given: argparse.Namespace) -> dict[str, list[float]]:
    """All figures of one model."""
    model_name, _, on = name.partition("-")
    space, found = NASBench101() if on else ENASMacro6(), {}
    model_class = MODELS[model_name]
    config = model_class.config_class.preset(
        "paper", **({} if given.hidden is None else {"hidden": given.hidden})
    )
    for batch_size in given.batch_sizes:
        for precision in PRECISIONS:
            model = model_class(space, config, seed=0, device=given.device)
            found[f"update of {batch_size} graphs, {precision}"] = updates(
                model, batch_size, precision, given.repeats, given.device
            )
    model = model_class(space, config, seed=0, device=given.device)
    z = torch.randn(given.graphs, config.latent, generator=torch.Generator().manual_seed(0))
    rng = torch.Generator().manual_seed(0)
    batch = sampled(space, 1, given.graphs)
    for label, work in (
        (f"generation of {given.graphs:,} graphs", lambda: model.decode(z, rng)),
        ("the same, constrained", lambda: model.decode(z, rng, constrained=True)),
        (f"encoding of {given.graphs:,} graphs", lambda: model.encode(batch)),
    ):
        found[label] = seconds(work, given.repeats, given.device)
    return found


def graphs_per_second(found: dict[str, list[float]]) -> dict[str, float]:
    """Training throughput: graphs per second of the median update."""
    return {
        label: int(label.split()[2]) / float(np.median(times))
        for label, times in found.items()
        if label.startswith("update of")
    }


def section(record: dict[str, Any]) -> Section:
    """Median seconds, throughput of training, and the public code's seconds where they are known."""
    found = record["seconds"]
    kinds = list(next(iter(found.values())))
    updating = [kind for kind in kinds if kind.startswith("update of")]
    rates = {name: graphs_per_second(times) for name, times in found.items()}
    repeats = len(next(iter(next(iter(found.values())).values())))
    on_cpu = record["device"] == "cpu"
    where = "processor time, one core" if on_cpu else record["device"]
    tables = [
        Table(
            f"Median seconds ({where}; {counted(repeats, 'repeat')}; hidden units: {record['hidden']}).",
            ("", *found),
            [[kind, *(f"{np.median(times[kind]):.3f}" for times in found.values())] for kind in kinds],
        ),
        Table(
            "Graphs per second of training.",
            ("", *found),
            [[kind, *(f"{rate[kind]:,.0f}" for rate in rates.values())] for kind in updating],
        ),
    ]
    notes, protocol = [], "the papers publish no such times."
    if record["times_as_fast"]:
        rows = [
            [
                name,
                f"{np.median(found[name][REFERENCE_UPDATE]):.3f}",
                f"{REFERENCE[name]:.2f}",
                f"{ratio:.1f}",
            ]
            for name, ratio in record["times_as_fast"].items()
        ]
        columns = ("", "ours", "public code", "times as fast")
        tables.append(Table("Seconds for an update of 32 graphs, single precision.", columns, rows))
        protocol = (
            "the papers publish no such times; the public code was timed once, on one core of the same kind "
            "of machine, and not in this run."
        )
        notes.append(
            "Targets: D-VAE at least 2.5 times as fast as its public code; 1,000 graphs generated in 20 s."
        )
    return Section(
        f"Graph autoencoders: seconds of {', '.join(found)}" + ("" if on_cpu else " on a GPU"),
        tables,
        protocol,
        notes,
    )


def main() -> int:
    """Measure, print and store."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--models", nargs="+", default=list(PAPER_MODELS), choices=PAPER_MODELS)
    parser.add_argument("--hidden", type=int, help="other than the papers' 501 and 250")
    parser.add_argument("--batch-sizes", type=int, nargs="+", default=[32, 128])
    parser.add_argument("--graphs", type=int, default=1000)
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--output", type=Path)
    given = parser.parse_args()

    found = {}
    print(f"{'seconds':18}{'':44} {'median':>8} {'lowest':>8} {'highest':>8}")
    for name in given.models:
        found[name] = measure(name, given)
        for label, times in found[name].items():
            print(
                f"{name:18}{label:44} {np.median(times):8.3f} {min(times):8.3f} {max(times):8.3f}", flush=True
            )
    ratios = {}
    if given.device == "cpu" and given.hidden in (None, 501):
        for name, reference in REFERENCE.items():
            times = found.get(name, {}).get(REFERENCE_UPDATE)
            if times:
                ratios[name] = reference / float(np.median(times))
                print(
                    f"{name}: {ratios[name]:.1f} times as fast as the public code ({reference} s an update)"
                )
    print("targets: an update of 32 graphs by D-VAE in .58 s; generation of 1,000 graphs in 20 s")
    device = "cpu" if given.device == "cpu" else torch.cuda.get_device_name()
    rates = {name: graphs_per_second(times) for name, times in found.items()}
    for name, figures_of in rates.items():
        print(
            f"{name}: " + ", ".join(f"{rate:,.0f} graphs/s ({label})" for label, rate in figures_of.items())
        )
    figures = {
        "device": device,
        "hidden": given.hidden or "as published",
        "seconds": found,
        "graphs_per_second": rates,
        "times_as_fast": ratios,
    }
    default = RESULTS / ("latent_speed.json" if given.device == "cpu" else "latent_speed_gpu.json")
    write_record(given.output or default, figures)
    return 0


if __name__ == "__main__":
    run_on_one_thread(main)
