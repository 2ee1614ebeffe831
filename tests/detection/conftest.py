"""A few of COCO's images in a folder of their own, and a small network to detect with."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path

import numpy as np
import pytest

from graphnas.detection.coco import load_coco
from graphnas.errors import DataNotFound, MissingExtra
from graphnas.training.torchvision_compat import import_torchvision
from search_spaces import GEMNet

with contextlib.suppress(MissingExtra):  # before any test imports it as it is, which its build may not allow
    import_torchvision()

SPACE = GEMNet(6)
CELL = SPACE.sample(np.random.default_rng(0))
SHAPE = {"widths": (8, 8, 16, 16), "stem_stride": 4}


@pytest.fixture(scope="session")
def few_images(tmp_path_factory) -> Path:
    """Eight training and six validation images in COCO's layout, with all 80 categories."""
    try:
        data = load_coco("coco_mini")
    except DataNotFound as error:
        pytest.skip(str(error))
    root = tmp_path_factory.mktemp("coco")
    (root / "annotations").mkdir()
    for name, split, count in (("train", data.train, 8), ("val", data.val, 6)):
        kept = [entry for entry in split.entries if split.boxes[entry["id"]]][:count]
        content = {
            "images": kept,
            "annotations": [box for entry in kept for box in split.boxes[entry["id"]]],
            "categories": [
                {"id": number, "name": text}
                for number, text in zip(data.categories, data.classes, strict=True)
            ],
        }
        (root / "annotations" / f"instances_{name}2017.json").write_text(json.dumps(content))
        (root / f"{name}2017").mkdir()
        for entry in kept:
            (root / f"{name}2017" / entry["file_name"]).symlink_to(split.images / entry["file_name"])
    return root
