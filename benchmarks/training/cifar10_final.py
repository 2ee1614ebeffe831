"""Found networks trained on CIFAR-10, beside a random one of the space and a timm network of the same size.

A search by GraphPNAS on the ENAS space, or by GraphBO on GEMNet, measures networks by a short training on a
tenth of the images. Its best network is then trained by the space's recipe on all training images, as are a
random architecture of the space (another one per seed) and a residual network of timm with as many
parameters. It can be stopped at any time: the study and finished trainings are kept.

    python -m benchmarks.training.cifar10_final enas
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import torch
from torch import nn
from tqdm import tqdm

from benchmarks.harness.records import (
    RESULTS,
    missing_runs,
    publish,
    run_on_one_thread,
    script_parser,
    stored_runs,
    write_record,
)
from benchmarks.harness.sections import Section, Table, counted, mean_sd
from graphnas import Architecture, GraphSpace
from graphnas.evaluate import OracleEvaluator
from graphnas.seeds import derived_seed
from graphnas.training import RECIPES, TrainingConfig, load_dataset
from graphnas.training.final import train_network
from graphnas.training.loop import Training, train_epochs
from graphnas.training.measuring import measure_accuracy
from graphnas.training.plan import TrainingPlan, held_out
from graphnas.training.randomness import SeededRandomness
from graphnas.training.splits import some_images
from graphnas.training.torchvision_compat import import_torchvision
from optuna_graphnas import GraphBOSampler, GraphPNASSampler, Objective
from search_spaces import ENASMacro, GEMNet
from search_spaces.complexity import count_complexity

PACKAGES = ("graphnas", "numpy", "torch", "optuna", "timm")
ARMS = ("found", "random", "timm")
CLASSES = 10
SHAPE = (3, 32, 32)


@dataclass(frozen=True)
class Task:
    """One space: its method, how its networks are built, and how they are trained in the end."""

    space: GraphSpace
    sampler: type[Any]
    shape: Mapping[str, Any]
    recipe: str
    paper: str


TASKS = {
    "enas": Task(
        ENASMacro(),
        GraphPNASSampler,
        {"width": 12},
        "enas-cifar10",
        "GraphPNAS (Table 3) trains 600 epochs at 20.47 M parameters and prints an error of 3.73 % at best",
    ),
    "gemnet": Task(
        GEMNet(num_nodes=8),
        GraphBOSampler,
        {"widths": (12, 24, 48)},
        "enas-cifar10",
        "NASGEM trains GEMNet on ImageNet only, so there is no figure to compare with",
    ),
}


def search(task: Task, data: Any, trials: int, epochs: int, folder: Path) -> optuna.Study:
    """The study of ``trials`` short trainings, continued if it is in ``folder``."""
    folder.mkdir(parents=True, exist_ok=True)
    evaluator = OracleEvaluator(
        task.space,
        data,
        config="cifar10",
        shape=task.shape,
        epochs=epochs,
        validation_limit=2000,
        validate_every=None,
        reward_epochs=1,
        progress=False,
    )
    study = optuna.create_study(
        study_name="search",
        storage=f"sqlite:///{folder / 'study.db'}",
        sampler=task.sampler(task.space, seed=0),
        pruner=optuna.pruners.NopPruner(),
        direction="maximize",
        load_if_exists=True,
    )
    study.optimize(Objective(task.space, evaluator), n_trials=max(0, trials - len(study.trials)))
    return study


def residual_network(width: int) -> nn.Module:
    """Timm's residual network with four basic blocks, with a stem for images of 32x32."""
    import_torchvision()
    from timm.models.resnet import BasicBlock, ResNet

    widths = tuple(width * 2**stage for stage in range(4))
    network = ResNet(BasicBlock, (1, 1, 1, 1), num_classes=CLASSES, channels=widths, stem_width=width)
    network.conv1 = nn.Conv2d(3, width, 3, padding=1, bias=False)
    network.bn1 = nn.BatchNorm2d(width)
    network.layer1[0].conv1 = nn.Conv2d(width, widths[0], 3, padding=1, bias=False)
    network.layer1[0].downsample = None
    network.maxpool = nn.Identity()
    return network


def same_size(parameters: int) -> int:
    """The width at which timm's network has most nearly as many parameters."""
    sizes = {width: count_complexity(lambda w=width: residual_network(w), SHAPE) for width in range(2, 65)}
    return min(sizes, key=lambda width: abs(sizes[width].parameters - parameters))


def trained(
    task: Task, arm: str, found: Architecture, data: Any, config: TrainingConfig, seed: int, folder: Path
) -> dict[str, Any]:
    """Train one network, and its figures."""
    started = time.perf_counter()
    if arm == "timm":
        figures = _train_timm(task, found, data, config, seed)
    else:
        architecture = found if arm == "found" else task.space.sample(np.random.default_rng(1000 + seed))
        plan = TrainingPlan(
            space=task.space,
            architecture=architecture,
            data=data,
            config=config,
            shape={**task.shape, "in_channels": SHAPE[0]},
            split=held_out(data, 0.0, seed),
            seed=seed,
            device=torch.device("cpu"),
            recipe=task.recipe,
        )
        model = train_network(plan, output=folder / f"{arm}-{seed}", progress=False)
        evaluation = model.evaluation
        figures = {
            "accuracy": evaluation.metrics["test_accuracy"],
            "parameters": evaluation.parameters,
            "macs": evaluation.macs,
        }
    return {"arm": arm, "seed": seed, **figures, "seconds": round(time.perf_counter() - started, 1)}


def _train_timm(
    task: Task, found: Architecture, data: Any, config: TrainingConfig, seed: int
) -> dict[str, Any]:
    size = count_complexity(lambda: task.space.build(found, CLASSES, **task.shape), SHAPE)
    width = same_size(size.parameters)
    with SeededRandomness(derived_seed(seed, "weights")):
        network = residual_network(width)
    indices = torch.arange(len(data.train))
    training = Training(network, data.train, indices, config, data.normalisation, seed=seed)
    for _ in train_epochs(training):
        pass
    test = data.test
    accuracy = measure_accuracy(training.finished(), test, torch.arange(len(test)), data.normalisation)
    own = count_complexity(lambda: residual_network(width), SHAPE)
    return {"accuracy": accuracy.top1, "parameters": own.parameters, "macs": own.macs}


def section(record: dict[str, Any]) -> Section:
    """A table of the three networks."""
    task = TASKS[record["task"]]
    full = RECIPES[task.recipe].settings["epochs"]
    rows = []
    for arm in ARMS:
        runs = [run for run in record["runs"] if run["arm"] == arm]
        if not runs:
            continue
        mean = {name: np.mean([run[name] for run in runs]) for name in ("parameters", "macs", "seconds")}
        rows.append(
            [
                {"found": f"found by {record['method']}", "random": "random", "timm": "timm's ResNet"}[arm],
                str(len(runs)),
                mean_sd([run["accuracy"] for run in runs]),
                f"{mean['parameters'] / 1e3:.1f} k",
                f"{mean['macs'] / 1e6:.1f} M",
                f"{mean['seconds']:.0f}",
            ]
        )
    values = [value for value in record["values"] if value is not None]
    return Section(
        f"Found networks trained on CIFAR-10: {record['task']}",
        [
            Table(
                f"Test accuracy (%) after {counted(record['epochs'], 'epoch')} of the recipe {task.recipe} "
                f"on {record['images']:,} training images; mean ± deviation over seeds. Random: another "
                "architecture per seed.",
                ("network", "seeds", "accuracy", "parameters", "MACs", "seconds"),
                rows,
            )
        ],
        f"{task.paper}. Here {record['epochs']} of the recipe's {full} epochs, with the whole cosine in "
        f"them, at {dict(task.shape)}.",
        [
            f"The search: {counted(len(values), 'training')} of {counted(record['search_epochs'], 'epoch')} "
            f"on 5,000 images, validated on 2,000; the first gave {values[0]:.2f} %, the best "
            f"{max(values):.2f} %. All on one core.",
            "timm's network has as many parameters as the found one, not as many multiply-accumulates; the "
            "random ones have whatever their architecture gives at these widths.",
        ],
    )


def main() -> int:
    """Search, then train what the record does not hold, and store it after each training."""
    parser = script_parser(__doc__)
    parser.add_argument("task", choices=list(TASKS))
    parser.add_argument("--trials", type=int, default=24)
    parser.add_argument("--search-epochs", type=int, default=2)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--images", type=int, default=50_000, help="of the training images")
    parser.add_argument("--folder", type=Path, default=Path("runs/cifar10_final"))
    parser.add_argument("--fresh", action="store_true", help="train again what the record holds")
    options = parser.parse_args()
    output = options.output or RESULTS / f"cifar10_final_{options.task}.json"
    task, data = TASKS[options.task], some_images(load_dataset("cifar10"), options.images)
    folder = options.folder / options.task
    study = search(task, data, options.trials, options.search_epochs, folder)
    found = Architecture.from_json(study.best_trial.user_attrs["architecture"])
    settings = {
        "task": options.task,
        "method": task.sampler.__name__.removesuffix("Sampler"),
        "epochs": options.epochs,
        "search_epochs": options.search_epochs,
        "images": options.images,
        "architecture": found.to_dict(),
    }
    values = [trial.value for trial in study.trials]
    runs = stored_runs(output, settings, "trainings", fresh=options.fresh)
    config = TrainingConfig.preset(task.recipe, epochs=options.epochs)
    for arm, seed in tqdm(missing_runs(runs, ARMS, options.seeds), unit="training", disable=None):
        place = folder / f"{options.epochs}-epochs"
        runs.append(trained(task, arm, found, data, config, seed, place))
        write_record(output, {**settings, "values": values, "runs": runs}, PACKAGES, quiet=True)
    publish(output, {**settings, "values": values, "runs": runs}, section, PACKAGES)
    return 0


if __name__ == "__main__":
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    run_on_one_thread(main)
