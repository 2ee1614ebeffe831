"""Image classification sets by name, from a folder, or from the user's own tensors and torch data sets."""

from __future__ import annotations

import difflib
import inspect
import os
import threading
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from graphnas.data_directory import data_directory
from graphnas.errors import DataNotFound, InvalidArgument
from graphnas.training.images import (
    IN_MEMORY_BYTES,
    ImageData,
    ImageSet,
    LazyImages,
    MemoryImages,
    channel_statistics,
)
from graphnas.training.splits import HELD_OUT_FRACTION, stratified_split

DATASETS = ("digits", "cifar10", "torchvision:NAME", "imagefolder:PATH")


def load_dataset(
    dataset: Any,
    *,
    data_dir: str | os.PathLike[str] | None = None,
    image_size: int | None = None,
    download: bool = False,
    options: Mapping[str, Any] | None = None,
) -> ImageData:
    """Load an image classification set.

    Args:
        dataset: One of

            - ``"digits"``: 1,797 grey images of 8x8 that come with scikit-learn; a fixed fifth of each class
              is the test part;
            - ``"cifar10"``: from the data directory, see :func:`graphnas.training.cifar10.load_cifar10`;
            - ``"torchvision:NAME"``: any classification set of ``torchvision.datasets``, such as
              ``"torchvision:FashionMNIST"``, kept in the folder ``torchvision`` of the data directory;
            - ``"imagefolder:PATH"`` or a ``Path``: one folder of images per class, see
              :func:`graphnas.training.image_folder.load_image_folder`;
            - a pair ``(train, test)``, each of them a torch ``Dataset`` of (image, label) or a pair
              ``(images, labels)`` of tensors or arrays, images as in
              :class:`graphnas.training.images.MemoryImages`. A small ``Dataset`` is read once and kept, so
              configure augmentation in the training configuration rather than in its transform;
            - an :class:`~graphnas.training.images.ImageData`, which is returned unchanged.
        data_dir: The data directory; by default ``$GRAPHNAS_DATA`` or ``~/.cache/graphnas``.
        image_size: Side in pixels that images from a folder or from torchvision are scaled to.
        download: Let torchvision download a set that is missing.
        options: Further arguments of the torchvision class, such as ``{"split": "letters"}`` for EMNIST.

    Raises:
        InvalidArgument: An unknown name, or images and labels that do not fit each other.
        DataNotFound: The set is not in the folder that was searched.
        CorruptData: One of its files is damaged.
        MissingExtra: torchvision or Pillow is needed and not installed.
    """
    if isinstance(dataset, ImageData):
        return dataset
    if isinstance(dataset, os.PathLike):
        dataset = f"imagefolder:{os.fspath(dataset)}"
    if isinstance(dataset, tuple | list) and len(dataset) == 2:
        return _from_pair(dataset[0], dataset[1])
    if not isinstance(dataset, str):
        raise InvalidArgument(
            f"dataset must be one of {', '.join(DATASETS)}, a Path, or a pair (train, test), got {dataset!r}"
        )
    kind, _, rest = dataset.partition(":")
    if image_size is not None and kind in ("digits", "cifar10"):
        raise InvalidArgument(f"image_size is for images from a folder or from torchvision, not for {kind}")
    if dataset == "digits":
        return _digits()
    if dataset == "cifar10":
        from graphnas.training.cifar10 import load_cifar10

        return load_cifar10(data_dir)
    if kind == "imagefolder" and rest:
        from graphnas.training.image_folder import load_image_folder

        return load_image_folder(Path(rest), image_size=image_size)
    if kind == "torchvision" and rest:
        return _from_torchvision(rest, data_directory(data_dir), image_size, download, dict(options or {}))
    raise InvalidArgument(f"unknown data set {dataset!r}; allowed: {', '.join(DATASETS)}, or a pair")


# ---------------------------------------------------------------- digits


def _digits() -> ImageData:
    from sklearn.datasets import load_digits

    content = load_digits()
    # Spread the 17 grey levels 0..16 over a byte.
    pixels = torch.from_numpy(np.rint(content.images * (255 / 16)).astype(np.uint8))[:, None]
    labels = torch.from_numpy(content.target.astype(np.int64))
    return _held_out(
        "digits", MemoryImages(pixels, labels), tuple(str(name) for name in content.target_names)
    )


def _held_out(name: str, images: ImageSet, class_names: tuple[str, ...] = ()) -> ImageData:
    """A set without a test part, with a fixed fifth of every class held out as one."""
    held, kept = stratified_split(images.labels, HELD_OUT_FRACTION, seed=0)
    train = _subset(images, kept)
    num_classes = int(images.labels.max()) + 1
    return ImageData(
        name, train, partial(_subset, images, held), num_classes, channel_statistics(train), class_names
    )


def _subset(images: ImageSet, indices: torch.Tensor) -> ImageSet:
    if isinstance(images, LazyImages):
        return LazyImages(_Renumbered(images, indices), images.labels[indices], images.shape, images.threads)
    return MemoryImages(images.take(indices), images.labels[indices])


class _Renumbered:
    """Reads image ``indices[i]`` of a lazy set."""

    def __init__(self, images: LazyImages, indices: torch.Tensor) -> None:
        self.images, self.indices = images, indices

    def __call__(self, index: int) -> torch.Tensor:
        return self.images.read(int(self.indices[index]))


# ---------------------------------------------------------------- the user's own


def _from_pair(train: Any, test: Any) -> ImageData:
    images = _image_set(train, "train", None)
    data = ImageData(
        "custom",
        images,
        partial(_image_set, test, "test", None),
        _num_classes(images, "train"),
        channel_statistics(images),
    )
    data.test  # noqa: B018 - it is already loaded, so report its errors here and not after the search
    return data


def _num_classes(images: ImageSet, what: str) -> int:
    counts = torch.bincount(images.labels)
    if len(counts) < 2 or (counts == 0).any():
        absent = (counts == 0).nonzero().flatten().tolist()[:5]
        raise InvalidArgument(
            f"{what} labels must be 0..K-1 with K of at least 2 and every class present; "
            f"the largest is {len(counts) - 1}, absent are {absent}"
        )
    return len(counts)


def _image_set(source: Any, what: str, image_size: int | None) -> ImageSet:
    """Tensors, arrays or a torch data set as an ImageSet."""
    if isinstance(source, ImageSet):
        return source
    if isinstance(source, tuple | list) and len(source) == 2:
        return MemoryImages(source[0], source[1])
    if isinstance(source, str) or not hasattr(source, "__getitem__") or not hasattr(source, "__len__"):
        raise InvalidArgument(
            f"{what} must be a torch Dataset with a length or a pair (images, labels), "
            f"got {type(source).__name__}"
        )
    if len(source) == 0:
        raise InvalidArgument(f"{what} holds no images")
    read = _Items(source, image_size)
    first = read(0)
    if first.ndim != 3:
        raise InvalidArgument(f"{what}: images must have shape (C, H, W), got {tuple(first.shape)}")
    shape = (int(first.shape[0]), int(first.shape[1]), int(first.shape[2]))
    lazy = LazyImages(read, read.labels(), shape, threads=1)
    small = len(lazy) * first.numel() * first.element_size() <= IN_MEMORY_BYTES
    return lazy.in_memory() if small else lazy


_one_reader = threading.Lock()
"""torch reads a data set from only one thread of a process, so reading items concurrently may be unsafe."""


class _Items:
    """Reads items of a torch data set, whose images are tensors, arrays ``(H, W, C)``, or Pillow images."""

    def __init__(self, source: Any, image_size: int | None) -> None:
        self.source = source
        self.size = None if image_size is None else (image_size, image_size)

    def __call__(self, index: int) -> torch.Tensor:
        with _one_reader:
            image = self.source[index][0]
        if isinstance(image, torch.Tensor):
            return image[None] if image.ndim == 2 else image
        if isinstance(image, np.ndarray):
            return torch.from_numpy(image[None] if image.ndim == 2 else image.transpose(2, 0, 1).copy())
        if not hasattr(image, "convert"):
            raise InvalidArgument(
                f"image {index} is a {type(image).__name__}; allowed: a tensor (C, H, W), an array "
                "(H, W, C), or a Pillow image"
            )
        from graphnas.training.image_folder import pixels_of

        return pixels_of(image if image.mode in ("L", "RGB") else image.convert("RGB"), self.size)

    def labels(self) -> torch.Tensor:
        """All labels: an attribute of the data set if it has one, otherwise read item by item."""
        for name in ("targets", "labels", "_labels"):
            values = getattr(self.source, name, None)
            if isinstance(values, list | tuple | np.ndarray | torch.Tensor):
                array = np.asarray(values)
                if array.shape == (len(self.source),) and array.dtype.kind in "iu":
                    return torch.from_numpy(array.astype(np.int64))
        with _one_reader:
            return torch.tensor([int(self.source[i][1]) for i in range(len(self.source))])


# ---------------------------------------------------------------- torchvision


def _from_torchvision(
    name: str, directory: Path, image_size: int | None, download: bool, options: dict[str, Any]
) -> ImageData:
    from graphnas.training.torchvision_compat import import_torchvision

    datasets = import_torchvision().datasets
    kind = getattr(datasets, name, None)
    if not inspect.isclass(kind):
        near = difflib.get_close_matches(name, datasets.__all__, n=3)
        hint = f"; did you mean {' or '.join(near)}?" if near else ""
        raise InvalidArgument(f"torchvision.datasets has no class {name!r}{hint}")
    root = directory / "torchvision"
    train = _torchvision_part(kind, root, True, download, options)
    names = tuple(str(n) for n in getattr(train, "classes", ()))
    images = _image_set(train, f"torchvision:{name}", image_size)
    if _split_argument(kind, options) is None:
        return _held_out(f"torchvision:{name}", images, names)
    load_test = partial(_torchvision_test, kind, root, download, options, image_size)
    classes = _num_classes(images, f"torchvision:{name}")
    return ImageData(f"torchvision:{name}", images, load_test, classes, channel_statistics(images), names)


def _torchvision_test(
    kind: Any, root: Path, download: bool, options: dict[str, Any], image_size: int | None
) -> ImageSet:
    part = _torchvision_part(kind, root, False, download, options)
    return _image_set(part, f"torchvision:{kind.__name__} test images", image_size)


def _split_argument(kind: Any, options: Mapping[str, Any]) -> str | None:
    """The argument by which a torchvision class selects training or test images; None if there is none."""
    named: set[str] = set()
    for base in inspect.getmro(kind)[:-1]:
        parameters = inspect.signature(base).parameters.values()
        named |= {p.name for p in parameters}
        if not any(p.kind is p.VAR_KEYWORD for p in parameters):
            break
    return next((name for name in ("train", "split") if name in named - set(options)), None)


def _torchvision_part(kind: Any, root: Path, train: bool, download: bool, options: dict[str, Any]) -> Any:
    arguments: dict[str, Any] = dict(options)
    split = _split_argument(kind, options)
    if split is not None:
        arguments[split] = train if split == "train" else ("train" if train else "test")
    accepted = inspect.signature(kind).parameters
    if "root" in accepted:
        arguments["root"] = str(root)
    if "download" in accepted or any(p.kind is p.VAR_KEYWORD for p in accepted.values()):
        arguments["download"] = download
    try:
        return kind(**arguments)
    except (RuntimeError, FileNotFoundError) as error:
        how = "" if download else "; download=True lets torchvision fetch it"
        raise DataNotFound(f"torchvision:{kind.__name__} is not usable in {root}: {error}{how}") from error
    except (TypeError, ValueError) as error:
        raise InvalidArgument(
            f"torchvision:{kind.__name__} could not be opened with {arguments}: {error}; give its further "
            "arguments as options, or the data as a pair (train, test) of data sets"
        ) from error
