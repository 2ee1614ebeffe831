"""The model "graphnas" of timm: importing this module registers it, for every network that graphnas builds.

``timm.create_model("graphnas", architecture=...)`` takes the folder of a trained model or of an export, a
JSON file, the name of a network, or an architecture with its space; everything else works as for timm's own
models: ``num_classes``, ``in_chans``, ``features_only=True`` with ``out_indices``, ``pretrained=True`` for
the weights in the folder, ``pretrained_path=`` for those in a file.
"""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from torch import nn

from graphnas.errors import InvalidArgument, MissingExtra
from graphnas.graph.architecture import Architecture
from graphnas.graph.space import GraphSpace
from graphnas.training.described import Described, describe, weights_file
from graphnas.training.torchvision_compat import import_torchvision
from search_spaces.backbone import Backbone

if importlib.util.find_spec("timm") is None:
    raise MissingExtra('timm is not installed; run: pip install "graphnas[timm]"')
import_torchvision()  # timm imports torchvision, whose build may not fit the installed torch
from timm.models import build_model_with_cfg, register_model  # noqa: E402

OF_TIMM = ("num_classes", "in_chans", "drop_rate", "global_pool")
"""Arguments that timm knows; all others are for the space's ``build``."""


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
    weights = found.weights if pretrained_path is None else weights_file(Path(pretrained_path))
    if pretrained and weights is None and pretrained_cfg is None:
        raise InvalidArgument(f"pretrained=True, but no weights lie beside {architecture!r}")
    overlay = dict(pretrained_cfg_overlay or {})
    if pretrained_path is not None:
        overlay["file"] = str(weights)
    own = pretrained_cfg or _pretrained_cfg(found, weights)
    overlay.setdefault("first_conv", _first_conv(found))
    if features_only:
        count = len(found.outline().out_channels)
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
    if not 0 <= drop_rate < 1:
        raise InvalidArgument(f"drop_rate must be at least 0 and below 1, got {drop_rate}")
    network = found.build(max(num_classes, 1), in_chans)
    if num_classes == 0:
        network.reset_classifier(0, global_pool)
    elif global_pool != "avg":
        raise InvalidArgument(f"global_pool must be 'avg', got {global_pool!r}")
    network.set_drop_rate(drop_rate)
    return network


def _first_conv(found: Described) -> str:
    modules = found.outline().named_modules()
    first: str = next(name for name, module in modules if isinstance(module, nn.Conv2d))
    return first


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
