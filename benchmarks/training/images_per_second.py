"""Images per second of training: our loop, a plain torchvision loop, and timm's loader and optimiser.

One fixed network on CIFAR-10 with flip, padded crop and an erased part, SGD with Nesterov momentum, on one
thread and in turns, so that a change of the machine's speed meets all of them. The loaders of the others work
in the process itself and with two workers; ours needs none, since the images stay in memory as bytes. Ours
chooses channels last; timm's option for that is measured too.

    python -m benchmarks.training.images_per_second
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn.functional import cross_entropy
from tqdm import tqdm

from benchmarks.harness.records import publish, run_on_one_thread, script_parser
from benchmarks.harness.sections import Section, Table
from graphnas.training import TrainingConfig, load_dataset
from graphnas.training.images import ImageData
from graphnas.training.loop import Training
from graphnas.training.randomness import SeededRandomness
from graphnas.training.torchvision_compat import import_torchvision
from search_spaces import ENASMacro, GEMNet

PACKAGES = ("graphnas", "torch", "torchvision", "timm", "numpy")
BATCH, CUTOUT = 128, 16
MEAN, STD = (0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616)
SPACES: dict[str, tuple[Any, dict[str, Any]]] = {
    "GEMNet(8), widths 8, 16, 32": (GEMNet(num_nodes=8), {"widths": (8, 16, 32)}),
    "ENASMacro, width 8": (ENASMacro(), {"width": 8}),
}
Run = Callable[[nn.Module, ImageData, int], float]


class Pictures(torch.utils.data.Dataset[Any]):
    """The images as Pillow's, which is what torchvision's transforms and timm's loader take."""

    def __init__(self, data: ImageData, count: int, transform: Any = None) -> None:
        from PIL import Image

        arrays = data.train.take(torch.arange(count)).permute(0, 2, 3, 1).numpy()
        self.pictures = [Image.fromarray(array) for array in arrays]
        self.labels = data.train.labels[:count].tolist()
        self.transform = transform

    def __len__(self) -> int:
        return len(self.pictures)

    def __getitem__(self, index: int) -> tuple[Any, int]:
        picture = self.pictures[index]
        return picture if self.transform is None else self.transform(picture), self.labels[index]


def ours(module: nn.Module, data: ImageData, count: int) -> float:
    """Images per second of our loop."""
    config = TrainingConfig(batch_size=BATCH, cutout=CUTOUT, learning_rate=0.05, epochs=10)
    training = Training(module, data.train, torch.arange(count), config, data.normalisation, seed=0)
    started = time.perf_counter()
    training.run_epoch()
    return count / (time.perf_counter() - started)


def plain(workers: int) -> Run:
    """A loop as tutorials have it: torchvision's transforms, a DataLoader, torch's SGD."""

    def run(module: nn.Module, data: ImageData, count: int) -> float:
        transforms = import_torchvision().transforms
        transform = transforms.Compose(
            [
                transforms.RandomCrop(32, padding=4),
                transforms.RandomHorizontalFlip(),
                transforms.ToTensor(),
                transforms.Normalize(MEAN, STD),
                transforms.RandomErasing(p=1.0, scale=(0.25, 0.25), ratio=(1.0, 1.0)),
            ]
        )
        loader = torch.utils.data.DataLoader(
            Pictures(data, count, transform), BATCH, shuffle=True, num_workers=workers
        )
        optimiser = torch.optim.SGD(module.parameters(), 0.05, momentum=0.9, nesterov=True, weight_decay=5e-4)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, 10 * len(loader))
        return _timed(module, loader, optimiser, lambda _step: schedule.step())

    return run


def with_timm(workers: int, layout: torch.memory_format = torch.contiguous_format) -> Run:
    """Timm's own parts, as its training script puts them together."""

    def run(module: nn.Module, data: ImageData, count: int) -> float:
        transforms = import_torchvision().transforms
        from timm.data import create_loader
        from timm.optim import create_optimizer_v2
        from timm.scheduler import CosineLRScheduler

        loader = create_loader(
            Pictures(data, count),
            input_size=(3, 32, 32),
            batch_size=BATCH,
            is_training=True,
            hflip=0.5,
            re_prob=1.0,
            re_mode="const",
            color_jitter=None,
            mean=MEAN,
            std=STD,
            num_workers=workers,
            persistent_workers=False,
            device=torch.device("cpu"),
        )
        # Its random resized crop is for large images; the padded crop is what the others do.
        loader.dataset.transform.transforms[0] = transforms.RandomCrop(32, padding=4)
        module.to(memory_format=layout)  # type: ignore[call-overload]
        optimiser = create_optimizer_v2(module, "sgd", lr=0.05, momentum=0.9, weight_decay=5e-4)
        schedule = CosineLRScheduler(optimiser, t_initial=10 * len(loader), t_in_epochs=False)
        return _timed(module, loader, optimiser, schedule.step_update, layout)

    return run


def _timed(
    module: nn.Module,
    loader: Iterable[Any],
    optimiser: torch.optim.Optimizer,
    after: Callable[[int], object],
    layout: torch.memory_format = torch.contiguous_format,
) -> float:
    module.train()
    seen, started = 0, time.perf_counter()
    for step, (inputs, labels) in enumerate(loader):  # here its workers start
        loss = cross_entropy(module(inputs.contiguous(memory_format=layout)), labels)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        after(step)
        seen += len(inputs)
    return seen / (time.perf_counter() - started)


RUNS: dict[str, Run] = {
    "ours": ours,
    "torchvision, DataLoader": plain(0),
    "torchvision, DataLoader, 2 workers": plain(2),
    "timm": with_timm(0),
    "timm, 2 workers": with_timm(2),
    "timm, channels last": with_timm(0, torch.channels_last),
    "timm, channels last, 2 workers": with_timm(2, torch.channels_last),
}


def section(record: dict[str, Any]) -> Section:
    """A table with the median of every way, and what it is of ours."""
    rows = []
    for way in RUNS:
        cells = [way]
        for network in record["speeds"]:
            speeds = record["speeds"][network][way]
            share = np.median(np.array(record["speeds"][network]["ours"]) / np.array(speeds))
            cells += [f"{np.median(speeds):,.0f}", "" if way == "ours" else f"{share:.2f}"]
        rows.append(cells)
    columns = [title for name in record["speeds"] for title in (name, "ours / this")]
    behind = [
        f"{way} on {network}"
        for network, speeds in record["speeds"].items()
        for way in RUNS
        if np.median(speeds["ours"]) < np.median(speeds[way])
    ]
    return Section(
        "Images per second of training",
        [
            Table(
                f"Batches of {BATCH}, {record['images']:,} images of CIFAR-10 a turn, median of "
                f"{record['turns']} turns; ours / this is the median over the turns.",
                ("loop", *columns),
                rows,
            )
        ],
        "the papers state no speeds of trainings.",
        [
            "Ours is at least as fast as each of them."
            if not behind
            else f"Ours is slower than {', '.join(behind)}.",
            "Starting worker processes is part of a turn, as it is of an epoch by default.",
            "timm's loader has its default prefetcher, which normalises and erases whole batches. The erased "
            "part is a square of 16 pixels in ours and torchvision's loop, a random rectangle in timm's.",
        ],
    )


def _network(space: Any, shape: dict[str, Any]) -> nn.Module:
    with SeededRandomness(0):
        module: nn.Module = space.build(space.sample(np.random.default_rng(0)), 10, **shape)
    return module


def main() -> int:
    """Measure in turns."""
    parser = script_parser(__doc__, "images_per_second")
    parser.add_argument("--images", type=int, default=5000)
    parser.add_argument("--turns", type=int, default=5)
    options = parser.parse_args()
    data = load_dataset("cifar10")
    speeds: dict[str, dict[str, list[float]]] = {name: {way: [] for way in RUNS} for name in SPACES}
    for space, shape in SPACES.values():  # the first steps of a process are slower
        for way in RUNS.values():
            way(_network(space, shape), data, min(2 * BATCH, options.images))
    turns = [(turn, name) for turn in range(options.turns) for name in SPACES]
    for turn, name in tqdm(turns, unit="turn", disable=None):
        space, shape = SPACES[name]
        # Another one begins in each turn.
        ways = list(RUNS)[turn % len(RUNS) :] + list(RUNS)[: turn % len(RUNS)]
        for way in ways:
            module = _network(space, shape)
            speeds[name][way].append(round(RUNS[way](module, data, options.images), 1))
    figures = {"images": options.images, "turns": options.turns, "speeds": speeds}
    publish(options.output, figures, section, PACKAGES)
    return 0


if __name__ == "__main__":
    run_on_one_thread(main)
