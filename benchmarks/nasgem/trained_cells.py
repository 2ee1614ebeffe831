r"""NASGEM-Bench: cells of one operation and at most 6 nodes, each trained on CIFAR-10 (NASGEM, Tables 3-4).

The paper trains 1,000 random cells of 3x3 convolutions, one per stage of a network of three stages, for 30
epochs; it was not published. These are different cells, no two of the same graph, each trained alone by
OracleEvaluator. On a processor, few and small images, well trained on, tell the cells apart better than
more pixels do. ``--workers`` trains that many at once, each in a process of its own: a card that a single
small network leaves idle serves many, and on a processor one per core is right.

It can be stopped at any time: trained cells are kept in the record. What the embedding is worth on them is
``python -m benchmarks.nasgem.correlation --cells nasgem_bench``.

    python -m benchmarks.nasgem.trained_cells --dry-run
    python -m benchmarks.nasgem.trained_cells --cells 380 --epochs 6 --train-fraction 0.2 --width 8 \
        --image-size 16
"""

from __future__ import annotations

import argparse
import functools
import json
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from tqdm import tqdm

from benchmarks.harness.records import RESULTS, publish, script_parser, stored_runs, write_record
from benchmarks.harness.sections import Section, Table, counted

if TYPE_CHECKING:
    from graphnas import Architecture, ArchitectureBatch
    from graphnas.dry_run import DryRun
    from graphnas.evaluate import OracleEvaluator
    from search_spaces import GEMNet

NODES, STAGES = 6, 3
PAPER_CELLS, PAPER_EPOCHS = 1000, 30
RECORD = RESULTS / "nasgem_bench.json"
DRAWN = 21
"""Cells among which a dry run takes the one of middling size."""
SETTINGS = ("epochs", "train_fraction", "width", "image_size", "batch_size", "learning_rate")
PIXELS = 32
"""Side of CIFAR-10's images."""


def bench_space() -> GEMNet:
    """Cells of at most 6 nodes whose operation is the 3x3 convolution."""
    from search_spaces import GEMNet

    return GEMNet(NODES, operations=("conv3x3",))


def different_cells(count: int) -> list[Architecture]:
    """The first ``count`` cells of one random sequence of which no two have the same graph."""
    space, rng, found = bench_space(), np.random.default_rng(0), {}
    while len(found) < count:
        for cell in space.sample_batch(rng, PAPER_CELLS).to_architectures():
            found.setdefault(space.key(cell), cell)
    return list(found.values())[:count]


def bits_of(cell: Architecture) -> str:
    """The strict upper triangle, row by row, as zeros and ones."""
    upper = np.triu_indices(cell.num_nodes, 1)
    return "".join(map(str, cell.adjacency[upper].tolist()))


def stored_cells(path: Path = RECORD) -> tuple[ArchitectureBatch, NDArray[np.float64], NDArray[np.int64]]:
    """The cells of a record, their validation accuracies in percent and their multiply-accumulates.

    Raises:
        SystemExit: There is no such record.
    """
    from graphnas import ArchitectureBatch

    if not path.is_file():
        raise SystemExit(f"there is no {path}: benchmarks.nasgem.trained_cells makes it")
    runs = [run for run in json.loads(path.read_text())["runs"] if run["value"] is not None]
    adjacency = np.zeros((len(runs), NODES, NODES), np.int8)
    operations = np.ones((len(runs), NODES), np.int16)
    operations[:, 0] = 0
    rows, columns = np.triu_indices(NODES, 1)
    adjacency[:, rows, columns] = [[int(bit) for bit in run["cell"]] for run in runs]
    batch = ArchitectureBatch.from_arrays(adjacency, operations, np.full(len(runs), NODES))
    return batch, np.array([run["value"] for run in runs]), np.array([run["macs"] for run in runs])


@functools.cache
def evaluator(settings: tuple[Any, ...], seed: int, device: str, data_dir: str | None) -> OracleEvaluator:
    """One for each process, which reads the images once."""
    from graphnas.evaluate import OracleEvaluator
    from graphnas.training import load_dataset
    from graphnas.training.scaled_images import scaled

    values = dict(zip(SETTINGS, settings, strict=True))
    images, size = load_dataset("cifar10", data_dir=data_dir), values.pop("image_size")
    return OracleEvaluator(
        bench_space(),
        images if size == PIXELS else scaled(images, size),
        seed=seed,
        device=device,
        progress=False,
        shape={"width": values.pop("width"), "stages": STAGES},
        reward_epochs=1,
        **values,
    )


def trained(
    cell: Architecture, settings: tuple[Any, ...], seed: int, device: str, data_dir: str | None
) -> dict[str, Any]:
    """The record's entry of a cell."""
    torch.set_num_threads(1)  # of this process, which is ours
    started = time.process_time()
    found = evaluator(settings, seed, device, data_dir).evaluate(cell)
    return {
        "cell": bits_of(cell),
        "value": None if found.value is None else round(found.value, 3),
        "parameters": found.parameters,
        "macs": found.macs,
        "cpu_seconds": round(time.process_time() - started, 1),
    }


def each_trained(
    cells: list[Architecture], options: argparse.Namespace, seed: int
) -> Iterator[dict[str, Any]]:
    """Entries of the cells, trained with a seed, as their trainings end."""
    settings = tuple(getattr(options, name) for name in SETTINGS)
    train = functools.partial(
        trained, settings=settings, seed=seed, device=options.device, data_dir=options.data_dir
    )
    if options.workers == 1:
        yield from map(train, cells)
        return
    import multiprocessing

    spawn = multiprocessing.get_context("spawn")  # CUDA cannot be used after a fork
    with ProcessPoolExecutor(options.workers, mp_context=spawn) as pool:
        yield from pool.map(train, cells)


def dry_run(options: argparse.Namespace) -> DryRun:
    """Counts, sizes and time, from a few steps of a cell of middling size."""
    from graphnas.dry_run import DryRun
    from graphnas.evaluate.dry_run import evaluation_work

    settings = tuple(getattr(options, name) for name in SETTINGS)
    oracle = evaluator(settings, 0, options.device, options.data_dir)
    cells = sorted(different_cells(DRAWN), key=lambda cell: cell.num_edges)
    trainings = options.cells + min(options.repeats, options.cells)
    facts = {
        "cells": options.cells,
        "trained again": trainings - options.cells,
        "epochs": options.epochs,
        "images trained on": len(oracle.train_indices),
        "images measured on": len(oracle.validation_indices),
        "pixels": f"{options.image_size} x {options.image_size}",
        "channels of a node": options.width,
        "device": str(oracle.device),
    }
    notes = [f"--workers {options.workers} is not counted: the times are those of one cell at a time."]
    work = evaluation_work(oracle, cells[len(cells) // 2], trainings)
    return DryRun("NASGEM-Bench", facts, work, notes if options.workers > 1 else [])


def section(record: dict[str, Any]) -> Section:
    """How the cells were trained, and how their accuracies are spread."""
    runs = [run for run in record["runs"] if run["value"] is not None]
    values = np.array([run["value"] for run in runs])
    hours = sum(run["cpu_seconds"] for run in record["runs"]) / 3600
    side, images = record["image_size"], f"{record['train_images']:,}"
    rows = [
        ["ours", f"{len(runs):,}", str(record["epochs"]), images, f"{side} x {side}", str(record["width"])],
        ["paper", f"{PAPER_CELLS:,}", str(PAPER_EPOCHS), "not stated", "not stated", "not stated"],
    ]
    spread = [f"{value:.2f}" for value in np.percentile(values, [0, 10, 50, 90, 100])]
    notes = [f"{counted(len(record['runs']), 'cell')} took {hours:.1f} core-hours."]
    again = {run["cell"]: run["value"] for run in record["repeats"]}
    if side < PIXELS:
        notes.append(
            f"Images are scaled to {side} x {side}, so that a cell sees more of them: at {PIXELS} x {PIXELS} "
            "the time of a processor allowed four epochs of 5,000 images, and the accuracies of 40 cells "
            "trained with two seeds then had a correlation of .40 only."
        )
    pairs = np.array([(run["value"], again[run["cell"]]) for run in runs if again.get(run["cell"])])
    if len(pairs) > 2:
        from scipy.stats import kendalltau

        tau, noise = kendalltau(*pairs.T)[0], float(np.std(pairs[:, 0] - pairs[:, 1]) / np.sqrt(2))
        notes.append(
            f"{len(pairs)} of them trained again with another seed: Kendall's tau of the two trainings "
            f"{tau:.3f}, which no predictor can be expected to exceed by much; deviation of one training "
            f"{noise:.2f} points, of the cells {values.std():.2f}."
        )
    return Section(
        "NASGEM-Bench: cells of one operation, trained here",
        [
            Table(
                "Cells and their training.", ("", "cells", "epochs", "images", "pixels", "first width"), rows
            ),
            Table(
                "Validation accuracy of the cells in percent.",
                ("worst", "10th percentile", "median", "90th percentile", "best"),
                [spread],
            ),
        ],
        "The paper gives cells, epochs, three stages and the operation; widths, recipe and split are ours: "
        f"SGD, rate {record['learning_rate']:g}, cosine, batches of {record['batch_size']}.",
        notes,
    )


def main() -> int:
    """Train what is missing, store and print."""
    parser = script_parser(__doc__, RECORD.stem, dry_run=True)
    parser.add_argument("--cells", type=int, default=PAPER_CELLS)
    parser.add_argument("--repeats", type=int, default=40, help="of them trained with a second seed")
    parser.add_argument("--epochs", type=int, default=PAPER_EPOCHS)
    parser.add_argument("--train-fraction", type=float, default=0.9, help="of CIFAR-10's training images")
    parser.add_argument("--width", type=int, default=16, help="channels of a node in the first stage")
    parser.add_argument("--image-size", type=int, default=PIXELS, help="side that images are scaled to")
    parser.add_argument("--batch-size", type=int, default=128)
    parser.add_argument("--learning-rate", type=float, default=0.05)
    parser.add_argument("--workers", type=int, default=1, help="cells trained at once")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--data-dir", default=None)
    parser.add_argument("--fresh", action="store_true", help="train again what the record holds")
    options = parser.parse_args()
    if options.dry_run:
        print(dry_run(options))
        return 0

    settings: dict[str, Any] = {name: getattr(options, name) for name in SETTINGS}
    runs = stored_runs(options.output, settings, "cells", fresh=options.fresh)
    again = json.loads(options.output.read_text()).get("repeats", []) if runs else []
    settings["train_images"] = round(50_000 * options.train_fraction)
    cells = different_cells(options.cells)
    # The repeats first: they say what the table can be worth before all of it is there.
    for kept, wanted, seed in ((again, cells[: options.repeats], 1), (runs, cells, 0)):
        done = {run["cell"] for run in kept}
        todo = [cell for cell in wanted if bits_of(cell) not in done]
        for entry in tqdm(each_trained(todo, options, seed), total=len(todo), unit="cell", disable=None):
            kept.append(entry)
            write_record(options.output, {**settings, "repeats": again, "runs": runs}, quiet=True)
    publish(options.output, {**settings, "repeats": again, "runs": runs}, section)
    return 0


if __name__ == "__main__":
    sys.exit(main())
