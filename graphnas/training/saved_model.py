"""A trained model on disk: its weights, and a JSON file that describes how to rebuild the network."""

from __future__ import annotations

import dataclasses
import json
import os
import pickle
from pathlib import Path
from typing import Any

import torch

from graphnas.errors import CorruptData, DataNotFound, InvalidArgument
from graphnas.files import replacing
from graphnas.graph.architecture import Architecture
from graphnas.graph.evaluation import Evaluation
from graphnas.graph.space import GraphSpace
from graphnas.training.images import Normalisation
from graphnas.training.saved_space import describe_space, described_space
from graphnas.training.tensor_file import check_format
from graphnas.training.trained_model import TrainedModel

FORMAT = "graphnas.model"
VERSION = 2
DESCRIPTION = "model.json"
WEIGHTS = "model.pt"


def save_model(directory: str | os.PathLike[str], trained: TrainedModel) -> Path:
    """Write ``model.pt`` (the weights) and ``model.json`` (everything else) into ``directory``.

    The JSON file holds the space and its arguments, the architecture, the arguments of ``space.build``, the
    shape and the normalisation of the images, the class names, how the network was trained, and the result
    of the evaluation. A space that :func:`search_spaces.get_space` does not know is stored by name only, and
    must be passed to :func:`load_model`.

    Args:
        directory: Created if it does not exist; a model in it is replaced.
        trained: The result of :func:`graphnas.training.train`.

    Returns:
        The directory.

    Raises:
        InvalidArchitecture: The architecture is not in the space.
        InvalidArgument: An argument of ``space.build`` cannot be written as JSON.
    """
    text = json.dumps(describe_model(trained), indent=2)
    path = Path(directory)
    path.mkdir(parents=True, exist_ok=True)
    # Each file appears complete or not at all; the description comes last, after its weights.
    with replacing(path / WEIGHTS) as part:
        torch.save(trained.module.state_dict(), part)
    with replacing(path / DESCRIPTION) as part:
        part.write_text(text + "\n", encoding="utf-8")
    return path


def describe_model(trained: TrainedModel) -> dict[str, Any]:
    """Everything about ``trained`` but its weights, as JSON holds it.

    Raises:
        InvalidArchitecture: The architecture is not in the space.
        InvalidArgument: An argument of ``space.build`` cannot be written as JSON.
    """
    trained.space.validate(trained.architecture)
    description = {
        "format": FORMAT,
        "version": VERSION,
        "space": describe_space(trained.space),
        "architecture": trained.architecture.to_dict(),
        "num_classes": trained.num_classes,
        "image_shape": list(trained.image_shape),
        "shape": dict(trained.shape),
        "dataset": trained.dataset,
        "class_names": list(trained.class_names),
        "normalisation": dataclasses.asdict(trained.normalisation),
        "training": dict(trained.training),
        "evaluation": dataclasses.asdict(trained.evaluation),
    }
    try:
        as_read: dict[str, Any] = json.loads(json.dumps(description, allow_nan=False))
    except (TypeError, ValueError) as error:
        raise InvalidArgument(f"the model's description cannot be written as JSON: {error}") from error
    return as_read


def load_model(directory: str | os.PathLike[str], *, space: GraphSpace | None = None) -> TrainedModel:
    """Rebuild a saved network with its weights; the module is on the CPU and in evaluation mode.

    Args:
        directory: The folder that :func:`save_model` wrote.
        space: Needed only if the model's space is the user's own.

    Raises:
        DataNotFound: A file is missing.
        CorruptData: A file is damaged, of another kind or version, or the weights do not fit the network.
        InvalidArgument: ``space`` is needed but missing, or is another space.
        InvalidArchitecture: The architecture is damaged, or not in the space.
    """
    path = Path(directory)
    for name in (DESCRIPTION, WEIGHTS):
        if not (path / name).is_file():
            raise DataNotFound(f"no {name} in {path}: it is not the folder of a saved model")
    try:
        content = json.loads((path / DESCRIPTION).read_text(encoding="utf-8"))
    except ValueError as error:
        raise CorruptData(f"{path / DESCRIPTION} is not JSON: {error}") from error
    check_format(content, FORMAT, VERSION, path / DESCRIPTION)
    try:
        home = described_space(content["space"], space, f"the model in {path}")
        trained = _from_description(content, home)
    except (KeyError, TypeError, AttributeError) as error:
        raise CorruptData(f"{path / DESCRIPTION} is incomplete: {error!r}") from error
    try:
        weights = torch.load(path / WEIGHTS, map_location="cpu", weights_only=True)
        trained.module.load_state_dict(weights)
    except (RuntimeError, EOFError, OSError, TypeError, AttributeError, pickle.UnpicklingError) as error:
        raise CorruptData(f"{path / WEIGHTS} does not hold the weights of this model: {error}") from error
    trained.module.eval()
    return trained


def _from_description(content: dict[str, Any], space: GraphSpace) -> TrainedModel:
    architecture = Architecture.from_dict(content["architecture"])
    space.validate(architecture)
    normalisation = content["normalisation"]
    return TrainedModel(
        module=space.build(architecture, content["num_classes"], **content["shape"]),
        space=space,
        architecture=architecture,
        evaluation=Evaluation(**content["evaluation"]),
        num_classes=content["num_classes"],
        image_shape=tuple(content["image_shape"]),
        shape=content["shape"],
        normalisation=Normalisation(
            tuple(normalisation["mean"]), tuple(normalisation["std"]), normalisation["scale"]
        ),
        dataset=content["dataset"],
        class_names=tuple(content["class_names"]),
        training=content["training"],
    )
