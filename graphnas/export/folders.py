"""The formats that are folders: for timm, and one that stands on its own."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from torch import nn

from graphnas.errors import ExportFailed
from graphnas.export.comparing import Network, Subject
from graphnas.export.model_card import model_card
from graphnas.export.python_source import network_source
from graphnas.graph.space import GraphSpace
from graphnas.optional import require
from graphnas.training import TrainedModel
from graphnas.training.saved_model import describe_model
from search_spaces.backbone import Backbone

WEIGHTS, CONFIG, SOURCE = "model.safetensors", "config.json", "network.py"
CARD, DRAWING = "README.md", "architecture.png"


def require_timm() -> None:
    """Register the model "graphnas" with timm.

    Raises:
        MissingExtra: timm, torchvision or safetensors is not installed.
    """
    require("safetensors", "export")
    import graphnas.timm  # noqa: F401


def write_timm(trained: TrainedModel, subject: Subject, path: Path) -> tuple[bool, str]:
    """Write weights and ``config.json``; returns whether any size is taken, and a note."""
    config = hub_config(trained)
    path.mkdir()
    _write_weights(subject.module, path / WEIGHTS)
    _write_json(path / CONFIG, config)
    return subject.other_size is not None, f"timm {sys.modules['timm'].__version__}"


def load_timm(path: Path, space: GraphSpace | None = None) -> Network:
    """The model that ``timm.create_model`` makes of the folder; a user's own space must be given."""
    require_timm()
    timm = require("timm", "timm")
    network: nn.Module = timm.create_model(
        "graphnas", architecture=path, space=space, pretrained_path=path / WEIGHTS
    )
    return network.eval()


def require_folder() -> None:
    """What the folder needs.

    Raises:
        MissingExtra: safetensors or matplotlib is not installed.
    """
    require("safetensors", "export")
    require("matplotlib", "plots")


def write_folder(trained: TrainedModel, subject: Subject, path: Path) -> tuple[bool, str]:
    """Write weights, description, source, model card and drawing; returns as :func:`write_timm`."""
    from graphnas.plots import plot_architecture

    source = network_source(trained)
    path.mkdir()
    _write_weights(subject.module, path / WEIGHTS)
    _write_json(path / CONFIG, hub_config(trained))
    (path / SOURCE).write_text(source, encoding="utf-8")
    (path / CARD).write_text(model_card(trained), encoding="utf-8")
    plot_architecture(trained.architecture, trained.space).savefig(path / DRAWING, dpi=150)
    return subject.other_size is not None, f"torch {torch.__version__}"


def load_folder(path: Path) -> Network:
    """The network that the folder's Python file builds, with the folder's weights."""
    module = ModuleType("exported_network")
    module.__file__ = str(path / SOURCE)
    # Run rather than imported: an import leaves its compiled form in the folder.
    exec(compile((path / SOURCE).read_text(encoding="utf-8"), module.__file__, "exec"), module.__dict__)
    network: nn.Module = module.load(path / WEIGHTS)
    return network


def hub_config(trained: TrainedModel) -> dict[str, Any]:
    """The ``config.json`` from which timm, and the Hugging Face hub, build the network again.

    Raises:
        ExportFailed: The network gives no feature maps, so that timm cannot use it.
    """
    network = trained.module
    if not isinstance(network, Backbone):
        raise ExportFailed(
            f"timm takes networks of graphnas, not {type(network).__module__}.{type(network).__qualname__}; "
            "the formats onnx, pt2 and torchscript take any"
        )
    first = next(name for name, module in network.named_modules() if isinstance(module, nn.Conv2d))
    return {
        "architecture": "graphnas",
        "num_classes": trained.num_classes,
        "num_features": network.num_features,
        "pretrained_cfg": {
            "input_size": list(trained.image_shape),
            "num_classes": trained.num_classes,
            "mean": list(trained.normalisation.mean),
            "std": list(trained.normalisation.std),
            "crop_pct": 1.0,
            "interpolation": "bilinear",
            "first_conv": first,
            "classifier": "classifier",
            **({"label_names": list(trained.class_names)} if trained.class_names else {}),
        },
        "model_args": {"architecture": describe_model(trained)},
    }


def _write_weights(module: nn.Module, path: Path) -> None:
    from safetensors.torch import save_file

    weights = {name: value.contiguous() for name, value in module.state_dict().items()}
    save_file(weights, path, metadata={"format": "pt"})


def _write_json(path: Path, content: dict[str, Any]) -> None:
    path.write_text(json.dumps(content, indent=2, allow_nan=False) + "\n", encoding="utf-8")
