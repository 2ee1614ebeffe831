"""What a text, a path or an object names as a network: architecture, space, sizes, and its weights if any.

Everything that uses found networks in another library, timm's models and detectors, reads them here.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch

from graphnas.errors import CorruptData, DataNotFound, InvalidArgument
from graphnas.graph.architecture import FORMAT as ARCHITECTURE
from graphnas.graph.architecture import Architecture
from graphnas.graph.space import GraphSpace
from graphnas.training.saved_model import DESCRIPTION, FORMAT, VERSION, WEIGHTS
from graphnas.training.saved_space import described_space
from graphnas.training.tensor_file import check_format
from search_spaces import get_space
from search_spaces.backbone import Backbone
from search_spaces.gemnet_imagenet import NAMES, gemnet_parts

CONFIG, SAFETENSORS = "config.json", "model.safetensors"


@dataclass(frozen=True)
class Described:
    """What is known of the network to build; the defaults are those of timm.

    Attributes:
        space: The architecture's space.
        architecture: The architecture.
        shape: Arguments of ``space.build`` but the number of classes.
        num_classes: Size of the output.
        image_shape: ``(channels, height, width)`` that it was trained on.
        mean: Mean per channel of the images, whose values are in 0..1.
        std: Standard deviation per channel.
        class_names: Names of the classes, if they are known.
        weights: File of trained weights, if there is one.
    """

    space: GraphSpace
    architecture: Architecture
    shape: Mapping[str, Any] = field(default_factory=dict)
    num_classes: int = 1000
    image_shape: tuple[int, int, int] = (3, 224, 224)
    mean: tuple[float, ...] = (0.485, 0.456, 0.406)
    std: tuple[float, ...] = (0.229, 0.224, 0.225)
    class_names: tuple[str, ...] = ()
    weights: Path | None = None

    def build(self, num_classes: int | None = None, in_channels: int | None = None) -> Backbone:
        """The network with new weights, which torch's random numbers of the process draw.

        Args:
            num_classes: Size of the output, instead of the trained network's.
            in_channels: Channels of the images, instead of the trained network's.

        Raises:
            InvalidArgument: An argument of the space's ``build`` does not fit, or the network is no
                :class:`~search_spaces.backbone.Backbone`.
        """
        shape = {**self.shape, "in_channels": self.image_shape[0] if in_channels is None else in_channels}
        try:
            classes = self.num_classes if num_classes is None else num_classes
            network = self.space.build(self.architecture, classes, **shape)
        except TypeError as error:
            raise InvalidArgument(f"{self.space.name}: {error}") from error
        if not isinstance(network, Backbone):
            raise InvalidArgument(f"{self.space.name} with {shape} gives no feature maps: it is no Backbone")
        return network

    def with_shape(self, shape: Mapping[str, Any] | None) -> Described:
        """The same with these arguments of ``space.build`` over its own."""
        return replace(self, shape={**self.shape, **(shape or {})})

    def outline(self) -> Backbone:
        """The network without weights: no memory, and no random numbers."""
        with torch.device("meta"):
            return self.build()


def describe(
    architecture: Architecture | Mapping[str, Any] | str | os.PathLike[str],
    space: GraphSpace | Mapping[str, Any] | str | None = None,
) -> Described:
    """What a text, a path, a description or an architecture names.

    ``space`` may be a name, or what :func:`.saved_space.describe_space` gives.

    Raises:
        DataNotFound: There is no such file.
        CorruptData: A file is damaged or of another kind.
        InvalidArgument: The space is needed and missing, or is another one.
        InvalidArchitecture: The architecture is not in its space.
    """
    if isinstance(space, Mapping):
        home: GraphSpace | None = described_space(dict(space), None, "the architecture")
    else:
        home = get_space(space) if isinstance(space, str) else space
    if isinstance(architecture, Architecture):
        return _alone(architecture, home)
    if isinstance(architecture, Mapping):
        return _of_content(architecture, home, "the description", None)
    if architecture in NAMES:
        return Described(*gemnet_parts(str(architecture)))
    text, path = str(architecture), Path(architecture)
    if text.lstrip().startswith("|") and home is not None and hasattr(home, "from_string"):
        return _alone(home.from_string(text), home)
    if path.is_dir():
        for name in (DESCRIPTION, CONFIG, f"best/{DESCRIPTION}"):
            if (path / name).is_file():
                return _of_file(path / name, home)
        raise DataNotFound(f"neither {DESCRIPTION} nor {CONFIG} in {path}: it is no folder of a model")
    if path.is_file():
        return _of_file(path, home)
    raise DataNotFound(f"{text!r} is no file, no folder of a model, and none of {', '.join(NAMES)}")


def _of_file(path: Path, space: GraphSpace | None) -> Described:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise CorruptData(f"{path} is not JSON: {error}") from error
    weights = next((p for p in (path.parent / SAFETENSORS, path.parent / WEIGHTS) if p.is_file()), None)
    return _of_content(content, space, str(path), weights)


def _of_content(content: Any, space: GraphSpace | None, what: str, weights: Path | None) -> Described:
    if isinstance(content, Mapping) and "model_args" in content:
        content = content["model_args"].get("architecture")
    if not isinstance(content, Mapping):
        raise CorruptData(f"{what} does not describe a model")
    if content.get("format") == ARCHITECTURE:
        return _alone(Architecture.from_dict(dict(content)), space)
    return _of_model(content, space, what, weights)


def _of_model(
    content: Mapping[str, Any], space: GraphSpace | None, what: str, weights: Path | None
) -> Described:
    check_format(dict(content), FORMAT, VERSION, Path(what))
    try:
        home = described_space(content["space"], space, what)
        architecture = Architecture.from_dict(content["architecture"])
        home.validate(architecture)
        return Described(
            home,
            architecture,
            dict(content["shape"]),
            content["num_classes"],
            tuple(content["image_shape"]),
            # Of bytes, mean and deviation are of the values divided by 255, as timm's are.
            tuple(content["normalisation"]["mean"]),
            tuple(content["normalisation"]["std"]),
            tuple(content["class_names"]),
            weights,
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise CorruptData(f"{what} is incomplete: {error!r}") from error


def _alone(architecture: Architecture, space: GraphSpace | None) -> Described:
    if space is None:
        raise InvalidArgument("an architecture alone does not say what its labels mean: give space=")
    space.validate(architecture)
    return Described(space, architecture)


def weights_file(path: Path) -> Path:
    """The file of weights that a path names: itself, or the one in a folder of a model.

    Raises:
        DataNotFound: There is none.
    """
    if path.is_file():
        return path
    for name in (SAFETENSORS, WEIGHTS, f"best/{WEIGHTS}"):
        if (path / name).is_file():
            return path / name
    raise DataNotFound(f"{path} is no file of weights, and no folder with one")
