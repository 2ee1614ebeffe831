"""COCO's images and boxes as torchvision's detectors take them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from graphnas.detection.coco import CocoData, CocoSplit
from graphnas.errors import CorruptData
from graphnas.optional import require

Target = dict[str, Any]


class CocoImages(torch.utils.data.Dataset[tuple[Tensor, Target]]):
    """Images ``(3, H, W)`` in 0..1, with boxes as left, top, right, bottom and labels from 1.

    Boxes of crowds, those smaller than a pixel and those outside of the image are left out, as mmdet does:
    torchvision refuses to train on boxes that its arithmetic makes empty. An image is mirrored with a
    probability, by random numbers that depend on the seed, the epoch and the image only.

    Args:
        data: The data set, for its categories.
        split: Its training or validation images.
        empty: Whether images without a box are kept.
        flip: Probability of a mirror image.
        seed: Seed of the random numbers.
    """

    def __init__(
        self, data: CocoData, split: CocoSplit, *, empty: bool, flip: float = 0.0, seed: int = 0
    ) -> None:
        self.split, self.flip, self.seed, self.epoch = split, flip, seed, 0
        self.categories = data.categories
        self._label = {category: number + 1 for number, category in enumerate(data.categories)}
        self._boxes = {e["id"]: [b for b in split.boxes[e["id"]] if _usable(b, e)] for e in split.entries}
        self.entries = [entry for entry in split.entries if empty or self._boxes[entry["id"]]]
        if not self.entries:
            raise CorruptData(f"{split.annotations}: no image has a box")

    def __len__(self) -> int:
        return len(self.entries)

    def __getitem__(self, index: int) -> tuple[Tensor, Target]:
        entry = self.entries[index]
        image = read_image(self.split, entry)
        boxes = self._boxes[entry["id"]]
        corners = torch.tensor([box["bbox"] for box in boxes], dtype=torch.float32).reshape(-1, 4)
        corners[:, 2:] += corners[:, :2]
        labels = torch.tensor([self._label[box["category_id"]] for box in boxes], dtype=torch.int64)
        if np.random.default_rng([self.seed, self.epoch, index]).random() < self.flip:
            image = image.flip(2)
            corners[:, [0, 2]] = image.shape[2] - corners[:, [2, 0]]
        return image, {"boxes": corners, "labels": labels, "image_id": entry["id"]}


def read_image(split: CocoSplit, entry: Mapping[str, Any]) -> Tensor:
    """The image of an entry, ``(3, H, W)`` in 0..1.

    Raises:
        CorruptData: It cannot be decoded; the message has its path.
    """
    path = split.images / str(entry["file_name"])
    try:
        with require("PIL.Image", "images").open(path) as file:
            pixels = np.array(file.convert("RGB"))
    except (OSError, ValueError, SyntaxError) as error:
        raise CorruptData(f"{path} cannot be read as an image: {error}") from error
    return torch.from_numpy(pixels).permute(2, 0, 1).float() / 255


def _usable(box: Mapping[str, Any], entry: Mapping[str, Any]) -> bool:
    left, top, width, height = box["bbox"]
    inside = min(left + width, entry["width"]) > max(left, 0) and min(top + height, entry["height"]) > max(
        top, 0
    )
    return not box.get("iscrowd", 0) and box["area"] > 0 and width >= 1 and height >= 1 and inside
