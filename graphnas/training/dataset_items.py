"""Items of a torch data set, of whatever form, as images and labels."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch

from graphnas.errors import InvalidArgument
from graphnas.training.images import check_type
from graphnas.training.labels import plain_label
from graphnas.training.reading import ItemReader

IMAGE_KEYS = ("image", "img", "pixel_values", "images")
LABEL_KEYS = ("label", "labels", "target", "fine_label", "coarse_label")

SAMPLE = 64
"""Items of a data set that are read to see what it holds."""


def channels_are_last(shape: tuple[int, ...], what: str) -> bool:
    """Whether images documented as ``(C, H, W)`` are ``(H, W, C)`` beyond doubt.

    Raises:
        InvalidArgument: Either is possible.
    """
    first, middle, last = shape
    if last not in (1, 3, 4) or first <= 4 or middle == last:
        return False
    if first == middle or (last == 3 and middle > 4):
        return True
    raise InvalidArgument(
        f"{what} have shape {shape}, which may be (C, H, W) or (H, W, C); give (C, H, W), "
        "as graphnas.training.images.MemoryImages if these have many channels"
    )


class DatasetItems:
    """The items of a torch data set as pairs of a ``(C, H, W)`` tensor and a label, an integer or a name.

    What the first items look like fixes the form of all: the keys, where the channels are, and whether
    Pillow images are grey.

    Raises:
        InvalidArgument: Their form is not allowed, or its meaning is not clear.
        CorruptData: One of them cannot be read.
    """

    def __init__(self, source: Any, what: str, image_size: int | None, channels: int | None) -> None:
        self.source, self.what = source, what
        self.size = None if image_size is None else (image_size, image_size)
        self.keys: tuple[str, str] | None = None
        self.last: bool | None = None
        self.channels: int | None = None  # as the mode of a Pillow image has it
        # Threads of one pass take turns in the reader, and it gives errors the item's name.
        reader = ItemReader(self._raw, list, workers=0, threads=1, name_of=self.name_of)
        raw = next(reader.batches([[0]]))[0]
        self.keys = _keys(raw, self.name_of(0))
        first = self._parts(raw, 0)[0]
        if hasattr(first, "convert"):
            chosen = some_items(len(source))
            sample = next(reader.batches([chosen]))
            images = [self._parts(item, index)[0] for index, item in zip(chosen, sample, strict=True)]
            self.channels = 3 if channels == 3 or any(_is_colour(image) for image in images) else None
        elif self.size is not None:
            raise InvalidArgument(f"image_size is for Pillow images; {self.name_of(0)} is {_kind(first)}")
        pixels, self.first_label = self._converted(raw, 0)
        if pixels.ndim != 3:
            raise InvalidArgument(f"{what}: images must have shape (C, H, W), got {tuple(pixels.shape)}")
        check_type(pixels.dtype, f"{what} images")
        self.shape = (int(pixels.shape[0]), int(pixels.shape[1]), int(pixels.shape[2]))
        self.dtype = pixels.dtype
        self.on_cpu = pixels.device.type == "cpu"
        self.bytes_per_image = pixels.numel() * pixels.element_size()

    def __len__(self) -> int:
        return len(self.source)

    def __call__(self, index: int) -> tuple[torch.Tensor, int | str]:
        """Image and label of item ``index``."""
        return self._converted(self._raw(index), index)

    def label(self, index: int) -> int | str:
        """Label of item ``index``."""
        return plain_label(self._parts(self._raw(index), index)[1], self.name_of(index))

    def name_of(self, index: int) -> str:
        """How messages call item ``index``."""
        return f"{self.what} item {index}"

    def _raw(self, index: int) -> Any:
        return self.source[index]

    def _parts(self, item: Any, index: int) -> tuple[Any, Any]:
        if self.keys is not None:
            if not isinstance(item, Mapping) or not set(self.keys) <= set(item):
                raise InvalidArgument(
                    f"{self.name_of(index)} has no {' and '.join(self.keys)} as the first has"
                )
            return item[self.keys[0]], item[self.keys[1]]
        if not isinstance(item, tuple | list) or len(item) != 2:
            raise InvalidArgument(
                f"{self.name_of(index)} is {_kind(item)}; allowed: a pair (image, label), or a dict of both"
            )
        return item[0], item[1]

    def _converted(self, item: Any, index: int) -> tuple[torch.Tensor, int | str]:
        image, label = self._parts(item, index)
        return self._pixels(image, index), plain_label(label, self.name_of(index))

    def _pixels(self, image: Any, index: int) -> torch.Tensor:
        if isinstance(image, torch.Tensor | np.ndarray):
            pixels = image if isinstance(image, torch.Tensor) else self._tensor(image, index)
            if pixels.ndim == 2:
                return pixels[None]
            if pixels.ndim != 3:
                return pixels
            if self.last is None:
                where = f"{self.name_of(index)}: images"
                if isinstance(image, torch.Tensor):
                    self.last = channels_are_last(tuple(pixels.shape), where)
                else:
                    self.last = _array_channels_are_last(tuple(pixels.shape), where)
            return pixels.permute(2, 0, 1).contiguous() if self.last else pixels
        if not hasattr(image, "convert"):
            raise InvalidArgument(
                f"{self.name_of(index)}: the image is {_kind(image)}; allowed: a tensor (C, H, W), an array "
                "(H, W, C), or a Pillow image"
            )
        from graphnas.training.pixels import pixels_of

        return pixels_of(image, self.size, self.channels, self.name_of(index))

    def _tensor(self, array: np.ndarray[Any, Any], index: int) -> torch.Tensor:
        if array.dtype.kind not in "biufc":
            raise InvalidArgument(f"{self.name_of(index)}: the image is an array of {array.dtype}")
        native = array.astype(array.dtype.newbyteorder("="), copy=False)
        return torch.from_numpy(np.ascontiguousarray(native))


def _is_colour(image: Any) -> bool:
    from graphnas.training.pixels import GREY

    return getattr(image, "mode", None) not in GREY


def _array_channels_are_last(shape: tuple[int, ...], what: str) -> bool:
    """As :func:`channels_are_last`, for arrays, which are documented as ``(H, W, C)``."""
    first, _, last = shape
    if last in (1, 3, 4) or (first not in (1, 3, 4) and last < first):
        return True
    if first in (1, 3, 4):
        return False
    raise InvalidArgument(f"{what} have shape {shape}, in which no axis looks like channels; give (H, W, C)")


def _keys(item: Any, where: str) -> tuple[str, str] | None:
    """The keys of image and label; None for an item that is no dict."""
    if not isinstance(item, Mapping):
        return None
    found = [[key for key in keys if key in item] for keys in (IMAGE_KEYS, LABEL_KEYS)]
    for kind, names, keys in zip(("image", "label"), found, (IMAGE_KEYS, LABEL_KEYS), strict=True):
        if len(names) != 1:
            which = f"several for the {kind} ({', '.join(names)})" if names else f"none for the {kind}"
            raise InvalidArgument(
                f"{where} is a dict with the keys {', '.join(map(str, item))}: {which}; exactly one of "
                f"{', '.join(keys)} is needed, or items that are pairs (image, label)"
            )
    return found[0][0], found[1][0]


def _kind(thing: Any) -> str:
    size = f" of length {len(thing)}" if isinstance(thing, tuple | list) else ""
    return f"a {type(thing).__name__}{size}"


def some_items(count: int) -> list[int]:
    """Numbers of some items, first and last among them, evenly spread."""
    return sorted(set(np.linspace(0, count - 1, min(count, SAMPLE)).astype(int).tolist()))
