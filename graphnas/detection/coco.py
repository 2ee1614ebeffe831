"""Images with boxes in COCO's layout: found, and checked entry by entry before any work is spent on them."""

from __future__ import annotations

import json
import math
import os
import tarfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from graphnas.data_directory import find_data
from graphnas.errors import CorruptData, DataNotFound

NAMES = ("instances_{split}2017.json", "instances_{split}.json", "{split}.json")
FOLDERS = ("{split}2017", "images/{split}2017", "{split}", "images/{split}")
MINI = "coco_mini/coco_mini.tar"
"""Where the data directory has 156 of COCO's images."""


@dataclass(frozen=True)
class CocoSplit:
    """The training or the validation images.

    Attributes:
        annotations: The file of annotations.
        images: The folder of images.
        entries: The images' records, in the order of the file.
        boxes: The annotations of each image, by the image's id; an image without objects has none.
    """

    annotations: Path
    images: Path
    entries: tuple[Mapping[str, Any], ...]
    boxes: Mapping[int, tuple[Mapping[str, Any], ...]]


@dataclass(frozen=True)
class CocoData:
    """A data set for detection.

    Attributes:
        root: Its folder.
        train: Training images.
        val: Images that detectors are evaluated on.
        categories: The categories' ids, in ascending order.
        classes: Their names, in that order.
    """

    root: Path
    train: CocoSplit
    val: CocoSplit
    categories: tuple[int, ...]
    classes: tuple[str, ...]


def load_coco(root: str | os.PathLike[str]) -> CocoData:
    """Find and check a folder in COCO's layout.

    It has ``annotations/instances_train2017.json`` and ``..._val2017.json``, or the same without the year,
    and the folders ``train2017`` and ``val2017``, or ``train`` and ``val``, also inside of ``images``.

    Args:
        root: The folder; ``"coco_mini"`` is the one of the data directory, unpacked into the cache beside it.

    Raises:
        DataNotFound: A folder, a file or an image is missing.
        CorruptData: A file is not COCO's, or an entry is malformed; the message names it.
    """
    path = unpacked_mini() if str(root) == "coco_mini" else Path(root)
    if not path.is_dir():
        raise DataNotFound(f"there is no folder {path}")
    train, categories = _split(path, "train")
    val, others = _split(path, "val")
    if categories != others:
        differing = sorted({*categories.items()} ^ {*others.items()})[0]
        raise CorruptData(f"{val.annotations}: its categories are not those of the training set: {differing}")
    ids = tuple(sorted(categories))
    return CocoData(path, train, val, ids, tuple(categories[number] for number in ids))


def unpacked_mini(data_dir: str | os.PathLike[str] | None = None) -> Path:
    """The 156 images of the data directory as a folder, which is unpacked on first use.

    Raises:
        DataNotFound: The data directory does not have them.
    """
    archive = find_data(
        [MINI],
        what="the small part of COCO",
        how_to_get="It holds 90 training and 66 validation images of COCO 2017 with their boxes (26 MB).",
        data_dir=data_dir,
    )
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "graphnas"
    status = archive.stat()
    folder = cache / f"coco_mini-{status.st_size}-{int(status.st_mtime)}"
    if not folder.is_dir():
        cache.mkdir(parents=True, exist_ok=True)
        part = Path(f"{folder}.{os.getpid()}")
        with tarfile.open(archive) as file:
            file.extractall(part, filter="data")
        try:
            part.rename(folder)
        except OSError:  # another process was first
            if not folder.is_dir():
                raise
    return folder / "coco_mini"


# ---------------------------------------------------------------- one file of annotations


def _split(root: Path, split: str) -> tuple[CocoSplit, dict[int, str]]:
    annotations = _first(
        [root / "annotations" / name.format(split=split) for name in NAMES], f"annotations of {split}"
    )
    images = _first([root / name.format(split=split) for name in FOLDERS], f"folder of {split} images")
    try:
        content = json.loads(annotations.read_text(encoding="utf-8"))
    except ValueError as error:
        raise CorruptData(f"{annotations} is not JSON: {error}") from error
    if not isinstance(content, dict):
        raise CorruptData(f"{annotations} must be an object with images, annotations and categories")
    categories = {}
    for where, entry in _entries(content, "categories", annotations):
        number = _number(entry, "id", where)
        if number in categories:
            raise CorruptData(f"{where}: the id {number} occurs twice")
        categories[number] = str(_of(entry, "name", where))
    if not categories:
        raise CorruptData(f"{annotations}: categories is empty")
    present = {file.name for file in images.iterdir()}
    found: dict[int, Mapping[str, Any]] = {}
    for where, entry in _entries(content, "images", annotations):
        number = _number(entry, "id", where)
        if number in found:
            raise CorruptData(f"{where}: the id {number} occurs twice")
        for name in ("width", "height"):
            if _number(entry, name, where) < 1:
                raise CorruptData(f"{where}: {name} is {entry[name]}")
        name = str(_of(entry, "file_name", where))
        if name not in present and not (images / name).is_file():
            raise DataNotFound(f"{where}: there is no image {images / name}")
        found[number] = entry
    if not found:
        raise CorruptData(f"{annotations}: images is empty")
    boxes: dict[int, list[Mapping[str, Any]]] = {number: [] for number in found}
    ids: set[int] = set()
    for where, entry in _entries(content, "annotations", annotations):
        image, category = _number(entry, "image_id", where), _number(entry, "category_id", where)
        if image not in found:
            raise CorruptData(f"{where}: there is no image with the id {image}")
        if category not in categories:
            raise CorruptData(f"{where}: there is no category with the id {category}")
        number = _number(entry, "id", where)
        if number in ids:  # pycocotools would keep one of them and count the other as missed
            raise CorruptData(f"{where}: the id {number} occurs twice")
        ids.add(number)
        _check_box(_of(entry, "bbox", where), where)
        area = _of(entry, "area", where)
        if not _is_size(area):
            raise CorruptData(f"{where}: area must be a number of at least 0, got {area!r}")
        # pycocotools needs it of the images that it evaluates; for training, none means no crowd.
        crowd = _of(entry, "iscrowd", where) if split == "val" else entry.get("iscrowd", 0)
        if crowd not in (0, 1):
            raise CorruptData(f"{where}: iscrowd must be 0 or 1, got {crowd!r}")
        boxes[image].append(entry)
    kept = {number: tuple(entries) for number, entries in boxes.items()}
    return CocoSplit(annotations, images, tuple(found.values()), kept), categories


def _first(paths: list[Path], what: str) -> Path:
    for path in paths:
        if path.exists():
            return path
    raise DataNotFound(f"no {what}: looked for {', '.join(map(str, paths))}")


def _entries(content: Mapping[str, Any], name: str, path: Path) -> Iterator[tuple[str, Mapping[str, Any]]]:
    entries = content.get(name)
    if not isinstance(entries, list):
        raise CorruptData(f"{path}: {name} must be a list")
    for number, entry in enumerate(entries):
        where = f"{path}: {name}[{number}]"
        if not isinstance(entry, dict):
            raise CorruptData(f"{where} must be an object, got {str(entry)[:60]!r}")
        yield where, entry


def _of(entry: Mapping[str, Any], name: str, where: str) -> Any:
    if name not in entry:
        raise CorruptData(f"{where} has no {name!r}")
    return entry[name]


def _number(entry: Mapping[str, Any], name: str, where: str) -> int:
    value = _of(entry, name, where)
    if isinstance(value, bool) or not isinstance(value, int):
        raise CorruptData(f"{where}: {name} must be an integer, got {value!r}")
    return value


def _check_box(box: Any, where: str) -> None:
    good = isinstance(box, list) and len(box) == 4 and all(map(_is_finite, box))
    if not good or box[2] < 0 or box[3] < 0:
        raise CorruptData(f"{where}: bbox must be [x, y, width, height], sizes of at least 0, got {box!r}")


def _is_finite(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _is_size(value: Any) -> bool:
    return _is_finite(value) and bool(value >= 0)
