"""Image sets from tensors and arrays and from torch data sets, whose items say what their labels are."""

from __future__ import annotations

import logging
from typing import Any

import numpy as np
import torch
from torch.utils.data import Subset

from graphnas.errors import CorruptData, InvalidArgument
from graphnas.training.dataset_items import DatasetItems, channels_are_last, some_items
from graphnas.training.images import ImageSet, MemoryImages
from graphnas.training.labels import label_indices
from graphnas.training.lazy_images import LazyImages
from graphnas.training.reading import ItemReader

_logger = logging.getLogger(__name__)


def image_set(
    source: Any,
    what: str,
    *,
    image_size: int | None = None,
    limit: int,
    known: tuple[str, ...] | None = None,
    channels: int | None = None,
) -> tuple[ImageSet, tuple[str, ...]]:
    """Tensors, arrays or a torch data set as an ImageSet.

    Args:
        source: A pair ``(images, labels)``, a torch ``Dataset`` with a length, or an ImageSet.
        what: Names it in messages.
        image_size: Side that Pillow images are scaled to; None: they are not.
        limit: Bytes up to which the items of a data set are read once and kept.
        known: Class names of the training images, empty if their labels are integers; None for those.
        channels: Channels of the training images; None for those. With 3, grey Pillow images become RGB.

    Returns:
        The set, and the names of its classes if its labels are names.

    Raises:
        InvalidArgument: Images or labels of a form that is not allowed, or whose meaning is not clear.
        CorruptData: An item cannot be read.
    """
    if isinstance(source, ImageSet):
        return source, ()
    if isinstance(source, tuple | list) and len(source) == 2:
        if image_size is not None:
            raise InvalidArgument(f"image_size is for images from files and Pillow images; {what} has arrays")
        labels, names = label_indices(source[1], what, known)
        return MemoryImages(_channels_first(source[0], what), labels), names
    if isinstance(source, str) or not hasattr(source, "__getitem__") or not hasattr(source, "__len__"):
        raise InvalidArgument(
            f"{what} must be a torch Dataset with a length or a pair (images, labels), "
            f"got {type(source).__name__}"
        )
    if len(source) == 0:
        raise InvalidArgument(f"{what} holds no images")
    items = DatasetItems(source, what, image_size, channels)
    if len(source) * items.bytes_per_image <= limit:
        return _read_once(items, known)
    labels, names = _labels_of(items, known)
    images = LazyImages(
        _ImagesOnly(items, labels, names),
        labels,
        items.shape,
        dtype=items.dtype,
        workers=None if items.on_cpu else 0,
        threads=1,  # torch reads a data set from only one thread of a process
        name_of=items.name_of,
    )
    return images, names


def _channels_first(images: Any, what: str) -> Any:
    shape = tuple(getattr(images, "shape", ()))
    if len(shape) == 4 and 0 not in shape and channels_are_last(shape[1:], f"{what} images"):
        _logger.info("%s images of shape %s are read as (n, H, W, C)", what, shape)
        return torch.as_tensor(images).permute(0, 3, 1, 2)
    return images


def _in_order(count: int) -> list[range]:
    return [range(start, min(start + 256, count)) for start in range(0, count, 256)]


# ---------------------------------------------------------------- once, or when needed


def _read_once(items: DatasetItems, known: tuple[str, ...] | None) -> tuple[ImageSet, tuple[str, ...]]:
    reader = ItemReader(items, list, workers=0, threads=1, name_of=items.name_of)
    images = torch.empty((len(items), *items.shape), dtype=items.dtype)
    labels: list[int | str] = []
    for batch in reader.batches(_in_order(len(items))):
        for image, label in batch:
            index = len(labels)
            if tuple(image.shape) != items.shape or image.dtype != items.dtype:
                raise InvalidArgument(
                    f"{items.name_of(index)} has shape {tuple(image.shape)} and type {image.dtype}, the "
                    f"first one {items.shape} and {items.dtype}; all images must be alike"
                )
            if image.dtype.is_floating_point and not torch.isfinite(image).all():
                raise CorruptData(f"{items.name_of(index)} holds values that are not finite")
            images[index] = image
            labels.append(label)
    indices, names = label_indices(labels, items.what, known)
    return MemoryImages(images, indices), names


def _labels_of(items: DatasetItems, known: tuple[str, ...] | None) -> tuple[torch.Tensor, tuple[str, ...]]:
    """All labels: an attribute of the data set if a sample of the items agrees, otherwise every item's."""
    reader = ItemReader(
        items.label, list, workers=None if items.on_cpu else 0, threads=1, name_of=items.name_of
    )
    stated = _stated_labels(items.source)
    if stated is not None:
        sample = some_items(len(items))
        if next(iter(reader.batches([sample]))) == stated[sample].tolist():
            return label_indices(stated, items.what, known)
    labels: list[int | str] = []
    for batch in reader.batches(_in_order(len(items))):
        labels += batch
    reader.close()
    return label_indices(labels, items.what, known)


def _stated_labels(source: Any) -> np.ndarray[Any, Any] | None:
    """What an attribute of the data set, or of the one that it is a part of, says of the labels."""
    if isinstance(source, Subset):
        whole = _stated_labels(source.dataset)
        return None if whole is None else whole[np.asarray(source.indices)]
    for name in ("targets", "labels", "_labels"):
        values = getattr(source, name, None)
        if isinstance(values, list | tuple | np.ndarray | torch.Tensor):
            array = np.asarray(values)
            if array.shape == (len(source),) and array.dtype.kind in "iu":
                return array
    return None


class _ImagesOnly:
    """Reads image ``i`` of a data set, and checks that its label is still the one that was recorded."""

    def __init__(self, items: DatasetItems, labels: torch.Tensor, names: tuple[str, ...]) -> None:
        self.items, self.labels, self.names = items, labels, names

    def __call__(self, index: int) -> torch.Tensor:
        image, label = self.items(index)
        recorded: int | str = int(self.labels[index])
        if isinstance(label, str):
            recorded = self.names[int(recorded)]
        if label != recorded:
            raise CorruptData(
                f"{self.items.name_of(index)} has the label {label!r}, but {recorded!r} before or by the "
                "data set's attribute; labels must be the same whenever they are read"
            )
        return image
