"""Images in one folder per class, and sets of image files in general, decoded by Pillow."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

import torch

from graphnas.errors import DataNotFound, InvalidArgument
from graphnas.optional import require
from graphnas.training.images import ImageData, ImageSet, channel_statistics
from graphnas.training.lazy_images import LazyImages
from graphnas.training.lazy_images import memory_limit as checked_limit
from graphnas.training.pixels import Header, read_header, read_image
from graphnas.training.reading import ItemReader
from graphnas.training.scaled_images import scaled
from graphnas.training.splits import split_off_test

EXTENSIONS = frozenset({".bmp", ".gif", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp"})
TEST_FOLDERS = ("test", "val", "valid", "validation")


def load_image_folder(
    path: str | os.PathLike[str], *, image_size: int | None = None, memory_limit: int | None = None
) -> ImageData:
    """Images laid out as ``path/train/CLASS/*.png`` and ``path/test/CLASS/*.png``, or ``path/CLASS/*.png``.

    The test folder may also be called ``val``, ``valid`` or ``validation``, as ImageNet's. If there is none,
    a fixed fifth of every class is held out as test images. Classes are numbered in the order of their names.
    Hidden files and folders do not count. Images are grey if all of them are, and RGB otherwise.

    Args:
        path: The folder.
        image_size: Side in pixels to which the largest centred square of each image is scaled. None: images
            are not scaled, and must all have the same size.
        memory_limit: As for :func:`graphnas.training.datasets.load_dataset`.

    Raises:
        DataNotFound: There is no such folder.
        InvalidArgument: It holds fewer than two classes, or ``image_size`` is below 1.
        CorruptData: A file cannot be decoded (for a large set, on first use of that image), or has a mode
            whose values have no fixed range.
        MissingExtra: Pillow is not installed.
    """
    root = Path(path).expanduser()
    if not root.is_dir():
        raise DataNotFound(f"no folder {root}: it should hold one folder of images per class")
    if (root / "val" / "val_annotations.txt").is_file():
        raise InvalidArgument(f'{root} is laid out as Tiny-ImageNet: use "tinyimagenet:{root}"')
    test_root = next((root / name for name in TEST_FOLDERS if (root / name).is_dir()), None)
    has_train = (root / "train").is_dir()
    if test_root is not None and not has_train:
        raise InvalidArgument(f"{root} has a folder {test_root.name} but no folder train")
    train, classes = _listing(root / "train" if has_train else root, None)
    if has_train and test_root is not None:
        test, _ = _listing(test_root, classes)
    else:
        held, kept = split_off_test(train.labels, classes)
        train, test = train.part(kept), train.part(held)
    return load_files(
        f"imagefolder:{root}", train, test, classes, image_size=image_size, memory_limit=memory_limit
    )


class LabelledFiles(NamedTuple):
    """Image files and their labels ``(n,)``."""

    paths: list[Path]
    labels: torch.Tensor

    def part(self, indices: torch.Tensor) -> LabelledFiles:
        """The files at ``indices``."""
        return LabelledFiles([self.paths[i] for i in indices.tolist()], self.labels[indices])


def visible_files(folder: Path) -> Iterator[Path]:
    """Image files at any depth below ``folder``, without hidden ones and those in hidden folders."""
    for parent, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in names:
            path = Path(parent, name)
            if not name.startswith(".") and path.suffix.lower() in EXTENSIONS and path.is_file():
                yield path


def _listing(root: Path, known: list[str] | None) -> tuple[LabelledFiles, list[str]]:
    """Image files below each class folder, sorted, with their labels."""
    classes = sorted(entry.name for entry in root.iterdir() if entry.is_dir() and entry.name[0] != ".")
    if len(classes) < (2 if known is None else 1):
        raise InvalidArgument(f"{root} must hold a folder per class, two or more, got {classes}")
    unknown = sorted(set(classes) - set(known or classes))
    if unknown:
        raise InvalidArgument(f"{root} has classes that the training images lack: {', '.join(unknown)}")
    files: list[Path] = []
    labels: list[int] = []
    for name in classes:
        images = sorted(visible_files(root / name))
        if not images:
            raise InvalidArgument(f"{root / name} holds no images ({', '.join(sorted(EXTENSIONS))})")
        files += images
        labels += [(known or classes).index(name)] * len(images)
    return LabelledFiles(files, torch.tensor(labels)), classes


# ---------------------------------------------------------------- any image files


def load_files(
    name: str,
    train: LabelledFiles,
    test: LabelledFiles,
    class_names: Sequence[str],
    *,
    image_size: int | None,
    memory_limit: int | None,
    enlarged_later: bool = False,
) -> ImageData:
    """A set made of image files.

    The headers of all files are read at once: a file that will be refused is refused before a search, and
    images are grey only if none has colour.

    Args:
        name: Name of the set.
        train: Files to train on.
        test: Files to test on.
        class_names: Names in the order of the labels.
        image_size: As for :func:`load_image_folder`.
        memory_limit: As for :func:`load_image_folder`.
        enlarged_later: Whether small square images of one size are kept as they are, and enlarged to
            ``image_size`` only when they are used; see :class:`.scaled_images.ScaledImages`.

    Raises:
        InvalidArgument: Images differ in size and ``image_size`` is None, or that is below 1.
        CorruptData: As for :func:`load_image_folder`.
        MissingExtra: Pillow is not installed.
    """
    require("PIL", "images")
    if image_size is not None and (isinstance(image_size, bool) or image_size < 1):
        raise InvalidArgument(f"image_size must be at least 1, got {image_size!r}")
    limit = checked_limit(memory_limit)
    paths = [*train.paths, *test.paths]
    headers = _headers(paths)
    channels = 1 if all(header.is_grey for header in headers) else 3
    sizes = {(header.height, header.width) for header in headers}
    later = enlarged_later and image_size is not None and len(sizes) == 1
    later = later and headers[0].height == headers[0].width < (image_size or 0)
    if image_size is None or later:
        _check_one_size(paths, headers)
        height, width = headers[0].height, headers[0].width
    else:
        height = width = image_size
    resized = image_size is not None and not later
    make = partial(_images, shape=(channels, height, width), scaled=resized, limit=limit)
    images = make(train)
    statistics = channel_statistics(images)
    data = ImageData(name, images, partial(make, test), len(class_names), statistics, tuple(class_names))
    return scaled(data, image_size) if later and image_size is not None else data


def _headers(paths: list[Path]) -> list[Header]:
    reader = ItemReader(_HeaderOf(paths), list)
    parts = [range(start, min(start + 256, len(paths))) for start in range(0, len(paths), 256)]
    try:
        return [header for batch in reader.batches(parts) for header in batch]
    finally:
        reader.close()


def _check_one_size(paths: list[Path], headers: list[Header]) -> None:
    first = headers[0]
    for path, header in zip(paths, headers, strict=True):
        if header[:2] != first[:2]:
            raise InvalidArgument(
                f"the images differ in size ({paths[0]} has {first.width}x{first.height}, "
                f"{path} has {header.width}x{header.height}): "
                "give image_size, or --image-size on the command line"
            )


# Classes rather than closures, so that evaluators can be pickled.


class _HeaderOf:
    def __init__(self, paths: list[Path]) -> None:
        self.paths = paths

    def __call__(self, index: int) -> Header:
        return read_header(self.paths[index])


class _ImageOf:
    def __init__(self, paths: list[Path], size: tuple[int, int] | None, channels: int) -> None:
        self.paths, self.size, self.channels = paths, size, channels

    def __call__(self, index: int) -> torch.Tensor:
        return read_image(self.paths[index], self.size, self.channels)

    def name_of(self, index: int) -> str:
        return str(self.paths[index])


def _images(files: LabelledFiles, *, shape: tuple[int, int, int], scaled: bool, limit: int) -> ImageSet:
    # Without scaling, an image whose pixels belie its header is refused when it is read.
    read = _ImageOf(files.paths, shape[1:] if scaled else None, shape[0])
    images = LazyImages(read, files.labels, shape, dtype=torch.uint8, name_of=read.name_of)
    return images.kept_if_within(limit)
