"""The model "graphnas" of timm: importing this module registers it, for every network that graphnas builds.

``timm.create_model("graphnas", architecture=...)`` takes the folder of a trained model or of an export, a
JSON file, the name of a network, or an architecture with its space; everything else works as for timm's own
models: ``num_classes``, ``in_chans``, ``features_only=True`` with ``out_indices``, ``pretrained=True`` for
the weights in the folder, ``pretrained_path=`` for those in a file.
"""

from __future__ import annotations

import importlib.util
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from torch import nn

from graphnas.errors import CorruptData, DataNotFound, InvalidArgument, MissingExtra
from graphnas.graph.architecture import FORMAT as ARCHITECTURE
from graphnas.graph.architecture import Architecture
from graphnas.graph.space import GraphSpace
from graphnas.training.saved_model import DESCRIPTION, FORMAT, VERSION, WEIGHTS
from graphnas.training.saved_space import described_space
from graphnas.training.tensor_file import check_format
from graphnas.training.torchvision_compat import import_torchvision
from search_spaces import get_space
from search_spaces.backbone import Backbone
from search_spaces.gemnet_imagenet import NAMES, gemnet_parts

if importlib.util.find_spec("timm") is None:
    raise MissingExtra('timm is not installed; run: pip install "graphnas[timm]"')
import_torchvision()  # timm imports torchvision, whose build may not fit the installed torch
from timm.models import build_model_with_cfg, register_model  # noqa: E402

CONFIG, SAFETENSORS = "config.json", "model.safetensors"
OF_TIMM = ("num_classes", "in_chans", "drop_rate", "global_pool")
"""Arguments that timm knows; all others are for the space's ``build``."""


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


@register_model
def graphnas(
    pretrained: bool = False,
    *,
    architecture: Architecture | Mapping[str, Any] | str | os.PathLike[str],
    space: GraphSpace | str | None = None,
    pretrained_path: str | os.PathLike[str] | None = None,
    pretrained_cfg: Any = None,
    pretrained_cfg_overlay: Mapping[str, Any] | None = None,
    cache_dir: str | None = None,
    features_only: bool = False,
    out_indices: int | tuple[int, ...] | None = None,
    feature_cls: Any = "getter",
    pretrained_strict: bool = True,
    pretrained_model_args: dict[str, Any] | None = None,
    **arguments: Any,
) -> nn.Module:
    """A network of an architecture as a timm model.

    Args:
        pretrained: Whether to load the weights that lie beside the description of the architecture.
        architecture: The folder of a saved model, of a search or of an export, a JSON file of a model or an
            architecture, its content, an architecture, its official string form, "gemnet-a" or "gemnet-b".
        space: The space of an architecture alone, or of a model of a user's own space; or its name.
        pretrained_path: Weights to load: a file, or a folder with one. Where ``num_classes`` or ``in_chans``
            differ from those of the trained network, the last or the first layer is adapted as timm does.
        pretrained_cfg: timm's description of weights, instead of ours.
        pretrained_cfg_overlay: What replaces entries of it.
        cache_dir: Where timm keeps what it downloads.
        features_only: Whether to return feature maps instead of logits.
        out_indices: Which maps, or the number of last ones; by default all.
        feature_cls: How timm takes features.
        pretrained_strict: Whether the weights must fit the network name by name.
        pretrained_model_args: What timm notes about the weights' network.
        **arguments: ``num_classes``, ``in_chans``, ``drop_rate`` before the classifier, and arguments of the
            space's ``build``, such as ``width=32``.

    Raises:
        DataNotFound: There is no such file.
        CorruptData: A file is damaged or of another kind.
        InvalidArgument: The space is missing, there are no weights, or an argument is out of range.
        InvalidArchitecture: The architecture is not in its space.
    """
    found = describe(architecture, space)
    timms = {name: arguments.pop(name) for name in OF_TIMM if name in arguments}
    found = replace(found, shape={**found.shape, **arguments})
    weights = found.weights if pretrained_path is None else _weights_file(Path(pretrained_path))
    if pretrained and weights is None and pretrained_cfg is None:
        raise InvalidArgument(f"pretrained=True, but no weights lie beside {architecture!r}")
    overlay = dict(pretrained_cfg_overlay or {})
    if pretrained_path is not None:
        overlay["file"] = str(weights)
    own = pretrained_cfg or _pretrained_cfg(found, weights)
    overlay.setdefault("first_conv", _first_conv(found))
    if features_only:
        count = len(_outline(found).out_channels)
        timms["features_only"] = True
        timms["out_indices"] = tuple(range(count)) if out_indices is None else out_indices
        timms["feature_cls"] = feature_cls

    def make(**given: Any) -> Backbone:
        return _built(found, **given)

    model: nn.Module = build_model_with_cfg(
        make,
        "graphnas",
        pretrained or pretrained_path is not None,
        pretrained_cfg=own,
        pretrained_cfg_overlay=overlay,
        pretrained_strict=pretrained_strict,
        pretrained_model_args=pretrained_model_args,
        cache_dir=cache_dir,
        **timms,
    )
    return model


def _built(
    found: Described, num_classes: int, in_chans: int, drop_rate: float = 0.0, global_pool: str = "avg"
) -> Backbone:
    shape = {**found.shape, "in_channels": in_chans}
    if not 0 <= drop_rate < 1:
        raise InvalidArgument(f"drop_rate must be at least 0 and below 1, got {drop_rate}")
    try:
        network = found.space.build(found.architecture, max(num_classes, 1), **shape)
    except TypeError as error:
        raise InvalidArgument(f"{found.space.name}: {error}") from error
    if not isinstance(network, Backbone):
        raise InvalidArgument(f"{found.space.name} with {shape} gives no feature maps: it is no Backbone")
    if num_classes == 0:
        network.reset_classifier(0, global_pool)
    elif global_pool != "avg":
        raise InvalidArgument(f"global_pool must be 'avg', got {global_pool!r}")
    network.set_drop_rate(drop_rate)
    return network


def _first_conv(found: Described) -> str:
    modules = _outline(found).named_modules()
    first: str = next(name for name, module in modules if isinstance(module, nn.Conv2d))
    return first


def _outline(found: Described) -> Backbone:
    """The network without weights: no memory, and no random numbers."""
    with torch.device("meta"):
        return _built(found, found.num_classes, found.image_shape[0])


def _pretrained_cfg(found: Described, weights: Path | None) -> dict[str, Any]:
    return {
        "file": None if weights is None else str(weights),
        "architecture": "graphnas",
        "input_size": found.image_shape,
        "num_classes": found.num_classes,
        "mean": found.mean,
        "std": found.std,
        "crop_pct": 1.0,
        "interpolation": "bilinear",
        "classifier": "classifier",
        "label_names": found.class_names or None,
    }


# ---------------------------------------------------------------- what an argument names


def describe(
    architecture: Architecture | Mapping[str, Any] | str | os.PathLike[str],
    space: GraphSpace | str | None = None,
) -> Described:
    """What the arguments of :func:`graphnas` name.

    Raises:
        DataNotFound: There is no such file.
        CorruptData: A file is damaged or of another kind.
        InvalidArgument: The space is needed and missing, or is another one.
        InvalidArchitecture: The architecture is not in its space.
    """
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


def _weights_file(path: Path) -> Path:
    if path.is_file():
        return path
    for name in (SAFETENSORS, WEIGHTS, f"best/{WEIGHTS}"):
        if (path / name).is_file():
            return path / name
    raise DataNotFound(f"pretrained_path {path} is no file of weights, and no folder with one")
