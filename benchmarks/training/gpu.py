"""What only a CUDA device can show: mixed precision, memory, several networks at once, and speed.

Each check fails loudly: the script ends with exit code 1 if one does not hold. The record has the figures.

    make gpu
"""

from __future__ import annotations

import sys
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import torch

from benchmarks.harness.records import publish, script_parser
from benchmarks.harness.sections import Section, Table
from graphnas.evaluate import OracleEvaluator
from graphnas.training import TrainingConfig, load_dataset
from graphnas.training.images import ImageData
from graphnas.training.loop import Training
from search_spaces import GEMNet

SPACE = GEMNet(num_nodes=8)
WIDTHS = (32, 64, 128)
IMAGES = 10_000
PRECISIONS = ("float32", "bfloat16", "float16")


def evaluator(data: ImageData, precision: str, epochs: int) -> OracleEvaluator:
    """The oracle on the first card."""
    return OracleEvaluator(
        SPACE,
        data,
        config="cifar10",
        shape={"widths": WIDTHS},
        device="cuda",
        epochs=epochs,
        train_fraction=0.5,
        validation_limit=2000,
        validate_every=None,
        precision=precision,
        progress=False,
    )


def accuracies(data: ImageData, epochs: int) -> dict[str, float]:
    """Validation accuracy of one network in each precision."""
    cell = SPACE.sample(np.random.default_rng(0))
    return {name: evaluator(data, name, epochs).evaluate(cell).value for name in PRECISIONS}


def left_over(data: ImageData) -> int:
    """Bytes of the card that twenty trainings, some of which run out of memory, leave behind."""
    oracle = evaluator(data, "auto", 1)
    cells = [SPACE.sample(np.random.default_rng(seed)) for seed in range(20)]
    oracle.evaluate(cells[0])
    torch.cuda.empty_cache()
    before = torch.cuda.memory_allocated()
    for number, cell in enumerate(cells):
        if number % 5 == 4:
            torch.cuda.set_per_process_memory_fraction(0.002)
        oracle.evaluate(cell)
        torch.cuda.set_per_process_memory_fraction(1.0)
    return torch.cuda.memory_allocated() - before


def at_once(data: ImageData) -> tuple[float, float]:
    """Seconds of four trainings one after the other, and in four threads."""
    oracle = evaluator(data, "auto", 2)
    cells = [SPACE.sample(np.random.default_rng(seed)) for seed in range(4)]
    oracle.evaluate(cells[0])
    started = time.perf_counter()
    alone = [oracle.evaluate(cell).value for cell in cells]
    one = time.perf_counter() - started
    started = time.perf_counter()
    with ThreadPoolExecutor(4) as pool:
        together = [evaluation.value for evaluation in pool.map(oracle.evaluate, cells)]
    four = time.perf_counter() - started
    if max(abs(a - b) for a, b in zip(alone, together, strict=True)) > 5:
        raise AssertionError(f"trainings at once give {together}, one after the other {alone}")
    return one, four


def images_per_second(data: ImageData, precision: str, compiled: bool) -> float:
    """Training speed after a first epoch."""
    config = TrainingConfig(batch_size=256, precision=precision, compile=compiled)
    module = SPACE.build(SPACE.sample(np.random.default_rng(0)), 10, in_channels=3, widths=WIDTHS).cuda()
    images = data.train.to(torch.device("cuda"))
    training = Training(module, images, torch.arange(IMAGES), config, data.normalisation, seed=0)
    training.run_epoch()
    torch.cuda.synchronize()
    started = time.perf_counter()
    training.run_epoch()
    torch.cuda.synchronize()
    return IMAGES / (time.perf_counter() - started)


def section(record: dict[str, Any]) -> Section:
    """A table of speeds and accuracies."""
    rows = [
        [
            name,
            f"{record['accuracies'][name]:.2f}",
            f"{record['speeds'][name]:,.0f}",
            f"{record['speeds'][f'{name}, compiled']:,.0f}",
        ]
        for name in PRECISIONS
    ]
    one, four = record["at_once"]
    return Section(
        "Training on a card",
        [
            Table(
                f"One GEMNet on CIFAR-10, {record['device']}.",
                ("precision", "accuracy (%)", "images/s", "images/s, compiled"),
                rows,
            )
        ],
        "the papers state no speeds of trainings.",
        [
            f"Four trainings take {one:.1f} s one after the other, {four:.1f} s at once. Twenty trainings "
            f"leave {record['left_over']} bytes on the card."
        ],
    )


def main() -> int:
    """Run the checks."""
    parser = script_parser(__doc__, "training_gpu")
    parser.add_argument("--epochs", type=int, default=10)
    options = parser.parse_args()
    if not torch.cuda.is_available():
        print("training.gpu: torch finds no CUDA device here; nothing was run", file=sys.stderr)
        return 1
    data = load_dataset("cifar10")
    found = accuracies(data, options.epochs)
    if max(found.values()) - min(found.values()) > 3:
        raise AssertionError(f"the precisions differ by more than 3 points: {found}")
    rest = left_over(data)
    if rest > 2**20:
        raise AssertionError(f"{rest} bytes are left on the card after the trainings")
    figures = {
        "device": torch.cuda.get_device_name(),
        "accuracies": found,
        "left_over": rest,
        "at_once": at_once(data),
        "speeds": {
            f"{name}, compiled" if compiled else name: images_per_second(data, name, compiled)
            for name in PRECISIONS
            for compiled in (False, True)
        },
    }
    publish(options.output, figures, section)
    return 0


if __name__ == "__main__":
    sys.exit(main())
