"""Image files and data sets that tests make."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch.utils.data import Dataset

from graphnas.training.image_folder import EXTENSIONS


def write_folder(root: Path, counts: dict[str, int], size=(6, 5), extension=".png") -> None:
    """A folder per class with small images that all differ."""
    from PIL import Image

    assert extension.lower() in EXTENSIONS
    for value, (name, count) in enumerate(counts.items()):
        (root / name).mkdir(parents=True, exist_ok=True)
        for k in range(count):
            Image.new("RGB", size, (40 * value, 7 * k % 256, 200)).save(root / name / f"{k:03d}{extension}")


class Items(Dataset):
    """A data set whose items are made by ``item`` from an image and a label."""

    def __init__(self, pixels, labels, item=lambda image, label: (image, label)):
        self.pixels, self.answers, self.item = pixels, labels, item

    def __len__(self):
        return len(self.pixels)

    def __getitem__(self, index):
        if index >= len(self):
            raise IndexError(index)
        return self.item(torch.from_numpy(self.pixels[index]), self.answers[index])


def some_pixels(count: int, shape=(3, 4, 4)) -> np.ndarray:
    """Random bytes."""
    return np.random.default_rng(count).integers(0, 256, (count, *shape), dtype=np.uint8)
