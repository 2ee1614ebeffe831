"""Training a network to keep it: on all training images, by a recipe, continued after an interruption."""

from __future__ import annotations

import copy
import dataclasses
import json
import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from tqdm.auto import tqdm

from graphnas.files import replacing
from graphnas.graph.architecture import Architecture
from graphnas.graph.evaluation import Evaluation
from graphnas.graph.space import GraphSpace
from graphnas.training import processes
from graphnas.training.checkpoints import Checkpoints
from graphnas.training.failures import network_errors, network_errors_in
from graphnas.training.images import ImageData
from graphnas.training.loop import EpochResult, Training, train_epochs
from graphnas.training.measuring import measure_accuracy
from graphnas.training.network import Size
from graphnas.training.plan import TrainingPlan, plan_training
from graphnas.training.saved_model import save_model
from graphnas.training.saved_space import describe_space
from graphnas.training.trained_model import TrainedModel
from graphnas.training.training_config import TrainingConfig

METRICS = "metrics.json"
OF_A_SEARCH = ("train_fraction", "validation_limit", "reward_epochs", "patience")
"""Settings that have no effect on a training on all images."""


def train(
    space: GraphSpace,
    architecture: Architecture,
    dataset: Any = None,
    *,
    recipe: str | TrainingConfig = "cifar10",
    output: str | os.PathLike[str] | None = None,
    holdout: float = 0.0,
    shape: Mapping[str, Any] | None = None,
    data_dir: str | os.PathLike[str] | None = None,
    image_size: int | None = None,
    download: bool = False,
    dataset_options: Mapping[str, Any] | None = None,
    seed: int = 0,
    device: str | torch.device = "auto",
    progress: bool = True,
    **training: Any,
) -> TrainedModel:
    """Train the network of an architecture by a recipe, and measure it on the test images.

    With ``output``, the training is continued if it was interrupted: the result is then the same to the last
    bit on a CPU with the same number of threads.

    Args:
        space: The architecture's space.
        architecture: A member of it.
        dataset: See :func:`graphnas.training.datasets.load_dataset`; by default the recipe's.
        recipe: Name of one of :data:`graphnas.training.recipes.RECIPES`, or a configuration.
        output: Folder for the model (see :func:`.save_model`), ``metrics.json``, ``curve.csv``, ``train.log``
            and the checkpoints ``last.pt`` and ``best.pt``. None: nothing is written.
        holdout: Fraction of the training images of every class that is not trained on; the best epoch on them
            is kept. 0: all are trained on, and the last epoch is kept.
        shape: Further arguments of ``space.build``.
        data_dir: The data directory; by default ``$GRAPHNAS_DATA`` or ``~/.cache/graphnas``.
        image_size: Side that images from files are scaled to; by default the recipe's if the data set is.
        download: Let torchvision download its data set.
        dataset_options: Further arguments of a torchvision class.
        seed: Seed of the weights, the order of the images, their augmentation and dropout.
        device: ``"auto"`` (CUDA if there is a GPU, otherwise the CPU) or a torch device.
        progress: Show a progress bar.
        **training: Single fields of the recipe to replace, such as ``epochs=50``.

    Returns:
        The network; the value of its evaluation is the top-1 accuracy on the test images, in percent.

    Raises:
        InvalidArchitecture: The architecture is not in the space.
        InvalidArgument: An argument that does not fit, or a folder with another training.
        DataNotFound: The data set is missing.
        CorruptData: A file of the data set or a checkpoint is damaged.
        TrainingFailed: It diverged, ran out of memory, or the network raised an error.
    """
    plan = plan_training(
        space,
        architecture,
        dataset,
        recipe=recipe,
        holdout=holdout,
        shape=shape,
        data_dir=data_dir,
        image_size=image_size,
        download=download,
        dataset_options=dataset_options,
        seed=seed,
        device=device,
        **training,
    )
    return train_network(plan, output=None if output is None else Path(output), progress=progress)


def train_network(plan: TrainingPlan, *, output: Path | None = None, progress: bool = True) -> TrainedModel:
    """As :func:`train`, with its arguments read."""
    space, architecture, data, config = plan.space, plan.architecture, plan.data, plan.config
    test = data.test  # its errors come before the work
    indices, held = plan.split
    module, size = plan.built()
    settings = {k: v for k, v in dataclasses.asdict(config).items() if k not in OF_A_SEARCH}
    described = {**settings, "recipe": plan.recipe, "seed": plan.seed, "images": len(indices)}
    with network_errors():
        training = plan.training(module, data.train.to(plan.device))
    files = None
    history: list[EpochResult] = []
    best, weights = -math.inf, training.state_dict()
    if output is not None:
        identity = {
            "space": describe_space(space)["name"],
            "architecture": architecture.to_dict(),
            "shape": dict(plan.shape),
            "dataset": data.name,
            "image_shape": data.train.shape,
            "num_classes": data.num_classes,
            "training": described,
            "processes": processes.count(),
        }
        files = Checkpoints(output, identity)
        if files.resume(training) and processes.rank() == 0:
            files.log(f"continued after {training.epoch} epochs")
        history = list(files.history)
    steps = training.steps_per_epoch
    first = processes.rank() == 0
    with tqdm(
        total=config.epochs * steps,
        initial=training.epoch * steps,
        desc="training",
        unit="step",
        disable=not (progress and first),
        leave=False,
    ) as bar:
        epochs = train_epochs(
            training,
            validation=held,
            validated=plan.validated,
            on_step=bar.update,
        )
        for result in network_errors_in(epochs):
            history.append(result)
            if files is None:
                if result.validation_accuracy > best:  # NaN in epochs without a measurement
                    best, weights = result.validation_accuracy, copy.deepcopy(training.state_dict())
            elif first:
                files.save(training, result)
            bar.set_postfix_str(_progress(result), refresh=False)
    with network_errors():
        if held is not None:
            if files is None:
                training.load_state_dict(weights)
            else:
                processes.wait_for_all()  # the first one writes the file that all read
                files.load_best(training)
        metrics = _metrics(training, history)
        module = training.finished()
        metrics |= _on_test(training, data, test)
    trained = TrainedModel(
        module=module.cpu(),
        space=space,
        architecture=architecture,
        evaluation=Evaluation(
            value=metrics["test_accuracy"],
            parameters=size.parameters,
            macs=size.macs,
            seconds=sum(row.seconds for row in history),
            metrics=metrics,
        ),
        num_classes=data.num_classes,
        image_shape=data.train.shape,
        shape=dict(plan.shape),
        normalisation=data.normalisation,
        dataset=data.name,
        class_names=data.class_names,
        training=described,
    )
    if output is not None and first:
        assert files is not None
        save_model(output, trained)
        _write_metrics(output, trained, size)
        files.log(f"test accuracy {metrics['test_accuracy']:.2f} %")
    return trained


def _metrics(training: Training, history: list[EpochResult]) -> dict[str, float]:
    metrics = {
        "train_loss": history[-1].train_loss,
        "epochs": float(len(history)),
        "images_per_second": len(training.indices) * len(history) / sum(row.seconds for row in history),
    }
    kept = history[training.epoch - 1]
    if not math.isnan(kept.validation_accuracy):
        metrics["validation_accuracy"] = kept.validation_accuracy
        metrics["best_epoch"] = float(kept.epoch)
    return metrics


def _on_test(training: Training, data: ImageData, test: Any) -> dict[str, float]:
    accuracy = measure_accuracy(training.measured, test, torch.arange(len(test)), data.normalisation)
    metrics = {"test_accuracy": accuracy.top1}
    return metrics if math.isnan(accuracy.top5) else {**metrics, "test_top5": accuracy.top5}


def _write_metrics(output: Path, trained: TrainedModel, size: Size) -> None:
    evaluation = trained.evaluation
    content = {
        **evaluation.metrics,
        "parameters": size.parameters,
        "macs": size.macs,
        "seconds": evaluation.seconds,
        "training": dict(trained.training),
    }
    with replacing(output / METRICS) as part:
        part.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def _progress(result: EpochResult) -> str:
    text = f"loss {result.train_loss:.3f}"
    measured = not math.isnan(result.validation_accuracy)
    return f"{text}, held out {result.validation_accuracy:.2f} %" if measured else text
