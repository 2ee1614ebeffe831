"""The model card of an exported network: its figures, how it was trained, how it is used."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from graphnas.graph.architecture import Architecture
from graphnas.graph.space import GraphSpace
from graphnas.training import TrainedModel
from search_spaces.backbone import Backbone

CARD = """---
tags:
- image-classification
- graphnas
library_name: pytorch
datasets:
- {name}
---

# A network of the space {space} for {dataset}

{classes} classes, images of {channels} x {height} x {width}. Found and trained with graphnas.

![The architecture](architecture.png)

## Figures

{figures}

## Use

```python
from network import load, normalise   # needs torch and safetensors, not graphnas

network = load()
logits = network(normalise(images))   # images (B, {channels}, H, W), values in 0..{scale:g}
```

With graphnas and timm:

```python
import graphnas.timm, timm

model = timm.create_model("graphnas", architecture="FOLDER", pretrained=True)
backbone = timm.create_model("graphnas", architecture="FOLDER", pretrained=True, features_only=True)
```
{maps}
## Training

{training}

## Architecture

{architecture}

## Classes

{class_names}
"""


def model_card(trained: TrainedModel) -> str:
    """The text, in Markdown."""
    channels, height, width = trained.image_shape
    evaluation = trained.evaluation
    figures = {
        **{_words(name): value for name, value in evaluation.metrics.items()},
        "parameters": evaluation.parameters,
        "multiply-accumulates": evaluation.macs,
        "seconds of training": evaluation.seconds,
    }
    settings = {_words(name): value for name, value in trained.training.items()}
    return CARD.format(
        space=trained.space.name,
        dataset=trained.dataset,
        name=json.dumps(trained.dataset),
        classes=trained.num_classes,
        channels=channels,
        height=height,
        width=width,
        scale=trained.normalisation.scale,
        figures=_table("figure", "value", figures),
        maps=_maps(trained),
        training=_table("setting", "value", settings) if settings else "Not recorded.",
        architecture=_architecture(trained.architecture, trained.space),
        class_names=", ".join(trained.class_names) or "Not named.",
    )


def _maps(trained: TrainedModel) -> str:
    if not isinstance(trained.module, Backbone):
        return ""
    rows = {
        str(index): f"{channels} | {stride}"
        for index, (channels, stride) in enumerate(
            zip(trained.module.out_channels, trained.module.strides, strict=True)
        )
    }
    return "\nIts feature maps:\n\n" + _table("map", "channels | stride", rows) + "\n"


def _words(name: str) -> str:
    return name.replace("_", " ")


def _table(first: str, second: str, rows: Mapping[str, Any]) -> str:
    columns = second.count("|") + 2
    lines = [f"| {first} | {second} |", "|" + " --- |" * columns]
    lines += [f"| {name} | {_value(value)} |" for name, value in rows.items() if value is not None]
    return "\n".join(lines)


def _value(value: Any) -> str:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return str(value)
    if isinstance(value, int) or value == int(value):
        return f"{int(value):,}"
    return f"{value:.4g}"


def _architecture(architecture: Architecture, space: GraphSpace) -> str:
    """One row per node with its operation and its inputs; an edge's operation follows its source."""
    on_edges = len(space.edge_ops) > 2
    lines = ["| node | operation | inputs |", "| --- | --- | --- |"]
    for node in range(architecture.num_nodes):
        inputs = ", ".join(
            f"{source} ({space.edge_ops[architecture.adjacency[source, node]]})" if on_edges else str(source)
            for source in range(node)
            if architecture.adjacency[source, node]
        )
        lines.append(f"| {node} | {space.node_ops[architecture.operations[node]]} | {inputs} |")
    return "\n".join(lines)
